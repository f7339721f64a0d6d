"""Files of several countries: school ids may start again, which is told where nobody names the country."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from commandline import run

import fastml
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


def carriers(table: pa.Table, folder: Path) -> list[object]:
    pq.write_table(table, folder / "t.parquet", row_group_size=5)
    pacsv.write_csv(table, folder / "t.csv")
    table.to_pandas().to_feather(folder / "t.feather")
    frames = [
        table,
        table.to_pandas(),
        pl.DataFrame(table),
        {name: table[name].to_numpy() for name in table.schema.names},
    ]
    return [*frames, folder / "t.parquet", folder / "t.csv", folder / "t.feather"]


@pytest.mark.parametrize("countries", [(40, 792), ("AUT", "TUR"), ("NA", "TUR"), ("TUR", "NA"), (40.0, 792.0)])
def test_a_fit_of_several_countries_warns_once_where_it_is_called(
    countries: tuple[object, ...], tmp_path: Path
) -> None:
    table = pa.table({**data("CNT", *countries), "sex": np.arange(24) % 2})
    for given in carriers(table, tmp_path):
        for call in (
            lambda given: fastml.fit(given, "y", "IDSCHOOL"),
            lambda given: fastml.fit_by(given, "y", "IDSCHOOL", by="sex"),
        ):
            with pytest.warns(
                UserWarning, match="column 'CNT' has several countries, .* by='CNT' of fit_by .*group='CNT'"
            ) as told:
                call(given)
            assert [one.filename for one in told] == [__file__], type(given)


@pytest.mark.parametrize(
    "countries", [(792,), ("TUR",), (792, None), (None, "TUR"), ("TUR", " "), (40.0, np.nan), ("NA",)]
)
def test_nothing_is_said_of_one_country(countries: tuple[object, ...], tmp_path: Path) -> None:
    """Nor where the country is missing in some rows: warnings are errors here."""
    rows = data("CNT", *range(len(countries)))
    table = pa.table({**rows, "CNT": pa.array([countries[i] for i in rows["CNT"]])})
    for given in carriers(table, tmp_path):
        assert fastml.fit(given, "y", "IDSCHOOL").n_obs == len(table)


def test_nothing_is_said_where_the_call_names_the_country_or_leaves_one(tmp_path: Path) -> None:
    for given in carriers(pa.table(data("CNT", "AUT", "TUR")), tmp_path):
        assert fastml.fit(given, "y", ["CNT", "IDSCHOOL"]).n_groups == 8
        assert len(fastml.fit_by(given, "y", "IDSCHOOL", by="CNT")) == 2
        assert fastml.fit(given, "y", "IDSCHOOL", filter="CNT = 'TUR'").n_obs == 12
        assert fastml.group_stats(given, "y", "IDSCHOOL").groups().n.sum() == 24


def test_a_missing_integer_as_r_writes_it_is_no_country(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "CNT,IDSCHOOL,y\n" + "".join(f"{c},{i % 4},{i * i}\n" for i, c in enumerate([40] * 8 + ["NA"] * 4))
    )
    assert fastml.fit(tmp_path / "t.csv", "y", "IDSCHOOL").n_obs == 12


def test_a_column_of_countries_that_cannot_be_read_is_no_trouble(tmp_path: Path) -> None:
    """The call doesn't ask for it."""
    folder = tmp_path / "two"
    folder.mkdir()
    rows = data("y2", 0)
    pq.write_table(pa.table({**rows, "CNT": ["TUR"] * 12}), folder / "a.parquet")
    pq.write_table(pa.table({**rows, "CNT": pa.array([[1]] * 12)}), folder / "b.parquet")
    assert fastml.fit(folder, "y", "IDSCHOOL").n_obs == 24
    mixed = pd.DataFrame({**rows, "CNT": ["TUR", 7, None] * 4})
    assert fastml.fit(mixed, "y", "IDSCHOOL").n_obs == 12
