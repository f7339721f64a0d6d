"""fastml contrast: tables that were written, compared as in Python."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import bad, good, run
from surveys import timss, together

import fastml


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cycles of two countries."""
    place = tmp_path_factory.mktemp("contrast")
    for year in (2015, 2019):
        data = pa.table(together(timss(year, 40.0), timss(year + 1, 792.0)))
        pq.write_table(data, place / f"rows{year}.parquet")
        fastml.fit_survey(place / f"rows{year}.parquet", "BSMMAT", "timss", by="IDCNTRY").write(
            place / f"t{year}.parquet"
        )
    return place


def printed(*words: object) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(good("contrast", *words, "--format", "json"))
    return rows


def test_rows_of_one_table(folder: Path) -> None:
    table = fastml.read_table(folder / "t2019.parquet")
    file = folder / "t2019.parquet"
    assert good("contrast", file, "-p", "mean") == f"{table.contrast(parameter='mean')}\n"
    names = ["a", "b", "difference", "se"]
    assert good("contrast", file, "--columns", ",".join(names)) == f"{table.contrast().to_text(names)}\n"
    one = table.contrast(792, 40, parameter=["mean", "sd"], adjust="bh", level=0.9).to_dict()
    words = ("-p", "mean", "-p", "sd", "--adjust", "BH", "--level", 90)
    assert printed(file, "-a", 792, "-b", 40, *words) == one
    assert printed(file, "-a", "IDCNTRY=792,outcome=BSMMAT", "-b", "IDCNTRY=40", *words) == one
    assert printed(file, "-b", "average", "--over", "IDCNTRY") == table.contrast(b="average").to_dict()
    assert printed(file, "-a", 792, "-b", 40, "-b", 792) == table.contrast(792, [40, 792]).to_dict()
    assert printed(file, "-a", 792, "-b", 40, "--one-sample") == table.contrast(792, 40, independent=False).to_dict()


def test_labels_with_signs_of_the_language(tmp_path: Path) -> None:
    data = timss(1)
    data["MY COL"] = ["a=b" if school % 2 else "c,d" for school in data["IDSCHOOL"]]
    table = fastml.fit_survey(data, "BSMMAT", "timss", by="MY COL")
    table.write(tmp_path / "t.parquet")
    expected = table.contrast("c,d", "a=b", parameter="mean").to_dict()
    for one, other in (("c,d", "a=b"), ("MY COL=c,d", "MY COL=a=b"), ("MY COL=c,d,outcome=BSMMAT", "MY COL=a=b")):
        assert printed(tmp_path / "t.parquet", "-a", one, "-b", other, "-p", "mean") == expected


def test_two_tables_and_trends(folder: Path) -> None:
    files = [folder / f"t{year}.parquet" for year in (2015, 2019)]
    before, after = map(fastml.read_table, files)
    expected = after.contrast(b=before, parameter="mean", link=2.5).to_dict()
    assert printed(files[1], files[0], "-p", "mean", "--link", 2.5) == expected
    assert (expected[0]["a"], expected[0]["b"]) == ("rows2019.parquet", "rows2015.parquet")
    cycles = {2015: before, 2019: after}
    words = [*files, "--cycle", 2015, "--cycle", 2019, "-p", "mean"]
    assert printed(*words, "--link", 2.5) == fastml.trend(cycles, parameter="mean", link=2.5).to_dict()
    assert printed(*words, "--link", "2015=2") == fastml.trend(cycles, parameter="mean", link={2015: 2.0}).to_dict()


def test_tables_of_fits(folder: Path, tmp_path: Path) -> None:
    """Rows of two countries are independent; what schools are in common is not in the file, and so is asked."""
    words = ("-y", "BSMMAT01", "-g", "IDSCHOOL", "-q")
    weights = ("--weights", "TOTWGT", "--group-weights", "WGTFAC1")
    for name, of in (("plain", ()), ("weighted", weights)):
        for year in (2015, 2019):
            rows, out = folder / f"rows{year}.parquet", tmp_path / f"{name}{year}.parquet"
            assert run("fit", rows, *words, *of, "--by", "IDCNTRY", "-o", out).returncode == 0  # it may hint at weights
        given = {"weights": "TOTWGT", "group_weights": "WGTFAC1"} if of else {}
        now, before = (fastml.fit_by(folder / f"rows{year}.parquet", "BSMMAT01", "IDSCHOOL", by="IDCNTRY", **given)
                       for year in (2019, 2015))  # fmt: skip
        assert printed(tmp_path / f"{name}2019.parquet", "-p", "gamma00", "-p", "icc") == (
            now.contrast(parameter=["gamma00", "icc"]).to_dict()
        )
        files = [tmp_path / f"{name}{year}.parquet" for year in (2019, 2015)]
        assert printed(*files, "--link", 2) == now.contrast(b=before, link=2.0).to_dict()
        said = bad("contrast", *files)
        assert "fits without their statistics, as from a file, don't say which schools" in said
        assert said.endswith(
            "as of countries or cycles (--independent), or parts of one, as girls and boys (--one-sample)\n"
        )
        years = ("--cycle", 2019, "--cycle", 2015)
        assert printed(*files, *years) == fastml.trend({2019: now, 2015: before}).to_dict()
    assert "--parameter mean is not one of 'gamma00'" in bad("contrast", files[0], "-p", "mean")
    assert "no row of one table has the labels and the outcome" in bad("contrast", folder / "t2019.parquet", files[1])


def test_forms_and_files(folder: Path, tmp_path: Path) -> None:
    assert good("contrast", folder / "t2019.parquet", "-o", tmp_path / "c.parquet") == ""
    assert pq.read_table(tmp_path / "c.parquet").num_rows == 1
    assert good("contrast", folder / "t2019.parquet", "--format", "markdown").startswith("| outcome")


def test_a_comparison_without_a_result_ends_with_3(tmp_path: Path) -> None:
    alone = timss(1, 40.0) | {"IDSCHOOL": timss(1)["IDSCHOOL"] * 0.0 + 1.0}
    alone["WGTFAC1"] = alone["WGTFAC1"] * 0.0 + 2.0
    fastml.fit_survey(together(alone, timss(2, 792.0)), "BSMMAT", "timss", by="IDCNTRY").write(tmp_path / "t.parquet")
    done = run("contrast", tmp_path / "t.parquet")
    assert done.returncode == 3
    assert (
        "1 of 1 part has no result: IDCNTRY 40 - IDCNTRY 792 BSMMAT gamma00 (a row of it has no gamma00" in done.stderr
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["t2019.parquet", "-a", "3"], "no row has '3'; there are 40, BSMMAT, 792"),
        (["t2019.parquet", "-p", "icd"], "--parameter icd is not one of 'mean', 'sd', 'gamma00'"),
        (["t2019.parquet", "--adjust", "x"], "--adjust x is not one of 'holm', 'bh'"),
        (["t2019.parquet", "--link", "x"], "--link x is no linking error, as 3.5, or 2015=3.5"),
        (["t2019.parquet", "--link", "3"], "--link is the error of linking two cycles"),
        (["t2019.parquet", "--link", "3", "--link", "2015=3"], "--link of several cycles is YEAR=ERROR"),
        (["t2019.parquet", "t2015.parquet", "-b", "40"], "with two tables -b is the second"),
        (["t2019.parquet", "t2015.parquet", "t2015.parquet"], "give --cycle 3 times"),
        (["t2019.parquet", "t2015.parquet", "--cycle", "2015"], "give --cycle 2 times"),
        (
            ["t2019.parquet", "--cycle", "2015"],
            "the tables of two cycles or more, and the year of each, as --cycle 2015",
        ),
        (["t2019.parquet", "t2015.parquet", "--cycle", "nan", "--cycle", "2015"], "the year of each, as --cycle 2015"),
        (["t2019.parquet", "-a", "IDCNTRY=792,OTHER=3"], "no row has '792,OTHER=3' in 'IDCNTRY'; there are 40, 792"),
        (["t2019.parquet", "t2015.parquet", "--cycle", "2015", "--cycle", "2015"], "over different years"),
        (["rows2019.parquet"], "is no table of fit_survey or fit_by; write one by fastml survey, or fastml fit --by"),
        (["short.parquet"], "short.parquet lacks the column 'icc' of its table"),
    ],
)
def test_what_can_not_be(folder: Path, words: list[str], said: str) -> None:
    if words == ["short.parquet"]:
        table = fastml.fit_by(folder / "rows2019.parquet", "BSMMAT01", "IDSCHOOL", by="IDCNTRY").to_arrow()
        pq.write_table(table.drop_columns("icc"), folder / "short.parquet")
    full = [folder / word if word.endswith(".parquet") else word for word in words]
    assert said in bad("contrast", *full)
