"""Files of several countries: school ids may start again, which is told where nobody names the country."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from commandline import run

from fastml.io.source import Input
from fastml.reduce.countries import country_column


def data(name: str, *countries: object) -> dict[str, np.ndarray]:
    rows = 12 * len(countries)
    return {name: np.repeat(np.array(countries), 12), "IDSCHOOL": np.arange(rows) % 4,
            "y": np.random.default_rng(0).normal(500, 100, rows)}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "named", "found"),
    [
        (data("IDCNTRY", 40, 792), ["IDSCHOOL"], "IDCNTRY"),
        (data("cnt", "TUR", "AUT"), ["IDSCHOOL"], "cnt"),
        (data("CNTRY", "TUR", "AUT"), ["IDSCHOOL"], "CNTRY"),
        (data("country", 1.0, 2.0), [], "country"),
        (data("IDCNTRY", 792), ["IDSCHOOL"], None),
        (data("IDCNTRY", 40, 792), ["IDCNTRY", "IDSCHOOL"], None),
        ({**data("IDCNTRY", 40, 792), "CNT": np.repeat(["A", "B"], 12)}, ["CNT"], None),
        (data("CNT", "TUR", "AUT"), ["CNT"], None),
        (data("region", 1, 2), ["IDSCHOOL"], None),
        (data("IDCNTRY", 40, np.nan), ["IDSCHOOL"], None),
    ],
)
def test_a_column_of_several_countries_that_nobody_named(
    table: dict[str, np.ndarray], named: list[str], found: str | None
) -> None:
    assert country_column(Input(table), named) == found
    assert country_column(Input(pa.table(table)), named) == found


def test_a_filter_may_leave_one_country() -> None:
    table = data("IDCNTRY", 40, 792)
    assert country_column(Input(table, "IDCNTRY = 792"), ["IDSCHOOL"]) is None
    assert country_column(Input(table, "y > 300"), ["IDSCHOOL"]) == "IDCNTRY"


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize(("name", "countries"), [("IDCNTRY", (40, 792)), ("CNT", ("AUT", "TUR"))])
def test_fit_and_report_say_so(name: str, countries: tuple[object, ...], tmp_path: Path) -> None:
    table = pa.table({**data(name, *countries), "sex": np.arange(24) % 2})
    pq.write_table(table, tmp_path / "t.parquet")
    pacsv.write_csv(table, tmp_path / "t.csv")
    call = ["-y", "y", "-g", "IDSCHOOL"]
    page = ["report", "-o", tmp_path / "r.html"]  # takes a second, so of one kind of file
    for file, commands in ((tmp_path / "t.parquet", [["fit"], page]), (tmp_path / "t.csv", [["fit"]])):
        for command in commands:
            done = run(command[0], file, *call, *command[1:])
            assert (done.returncode, done.stderr.count("\n")) == (0, 1)
            assert f"column '{name}' has several countries, and school ids may start again in each" in done.stderr
            assert f"--by {name}" in done.stderr
            assert f"-g {name}" in done.stderr
        assert run("fit", file, *call, "-q").stderr == ""
        assert f"column '{name}' has several" in run("fit", file, *call, "--by", "sex").stderr
        for more in (["--by", name], ["-g", name], ["--filter", f"{name} = {countries[0]!r}"]):
            assert run("fit", file, *call, *more).stderr == ""
