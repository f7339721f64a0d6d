"""The table of comparisons in all its forms."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from webpages import Reader

import fastml
from fastml.report.formats import FORMATS


@pytest.fixture(scope="module")
def table() -> fastml.ContrastTable:
    rng = np.random.default_rng(0)
    school = np.repeat(np.arange(18), 8)
    far = np.where(school // 6 == 2, 60.0, 0.0)
    data = {"land": np.array(["=1+1", "B<b>", "C$"])[school // 6], "school": school,
            "score": 500.0 + far + rng.normal(0, 10, 18)[school] + rng.normal(0, 20, len(school))}  # fmt: skip
    return fastml.fit_by(data, "score", "school", by="land").contrast(parameter=["gamma00", "sigma2"], level=0.9)


def test_columns_and_types(table: fastml.ContrastTable) -> None:
    figures = ["estimate_a", "estimate_b", "difference", "se", "sampling_variance", "imputation_variance",
               "linking_variance", "df", "t", "p_value", "p_adjusted", "ci_low", "ci_high", "ratio", "p_value_ratio",
               "p_adjusted_ratio", "ci_low_ratio", "ci_high_ratio"]  # fmt: skip
    names = ["a", "b", "outcome", "parameter", *figures, "samples", "status", "message"]
    assert table.to_arrow().column_names == names
    assert list(table.to_frame().columns) == names
    assert {str(table.to_arrow().schema.field(name).type) for name in figures} == {"double"}
    assert len(table) == 6
    assert table.complete
    row = table.to_dict()[0]
    assert row["difference"] == row["estimate_a"] - row["estimate_b"]
    assert row["t"] == row["difference"] / row["se"]
    assert row["ratio"] is None


def test_every_form_has_the_figures_and_what_made_them(table: fastml.ContrastTable, tmp_path: Path) -> None:
    made = table.provenance
    assert (made["content"], made["level"], made["fastml"]) == ("contrast table", 0.9, fastml.__version__)
    assert made["notes"] == ["rows are of independent samples: their variances add"]
    rows = json.loads(table.to_json(), parse_constant=pytest.fail)
    assert rows == table.to_dict()
    assert all(row["provenance"] == made and row["schema"] == made["schema"] for row in rows)
    lines = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert [float(line["difference"]) for line in lines] == [row["difference"] for row in rows]
    assert lines[0]["a"] == "'=1+1"
    table.write(tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").equals(table.to_arrow(), check_metadata=True)
    assert table.to_frame().attrs["provenance"] == made
    for form, text in FORMATS.items():
        if form != "parquet":
            assert "independent" in text(table), form
    for text in (str(table), table.to_markdown(), table.to_latex(), table.to_html()):
        assert "intervals of 90" in text
        assert f"groups school; fastml {fastml.__version__}, schema {made['schema']}" in text
    assert str(table).splitlines()[-1] == f"groups school; fastml {fastml.__version__}, schema {made['schema']}"


def test_tables_of_files_say_which(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tables = []
    for year in (2015, 2019):
        data = {"land": np.repeat(["A", "B"], 40), "school": np.tile(np.repeat(np.arange(5), 8), 2),
                "score": rng.normal(0, 1, 80)}  # fmt: skip
        pq.write_table(pa.table(data), tmp_path / f"{year}.parquet")
        given = fastml.group_stats(
            tmp_path / f"{year}.parquet", "score", "school", by="land", filter=f"score < {year}", min_group_size=2
        )
        tables.append(fastml.fit_by(given))
    made = tables[1].contrast(b=tables[0], independent=True)
    said = made.provenance
    assert [Path(name).name for name in said["files"]] == ["2019.parquet", "2015.parquet"]
    assert (said["filter"], said["by"], said["group"]) == ("score < 2019; score < 2015", ["land"], "school")
    assert said["outcomes"] == {"score": ["score"]}
    for text in (str(made), made.to_markdown().replace("\\", "").replace("&lt;", "<")):
        (line,) = (line for line in text.splitlines() if "fastml" in line)
        assert "2019.parquet, " in line
        assert "; filter score < 2019; score < 2015; groups of fewer than 2 left out: 0 groups, 0 rows" in line


def test_print_has_only_columns_that_say_something(table: fastml.ContrastTable) -> None:
    head = str(table).splitlines()[0].split()
    assert head[:4] == ["outcome", "parameter", "a", "b"]
    assert "p_adjusted" not in head
    assert "ci_low_ratio" in head
    assert repr(table) == str(table)


def test_sentences_and_the_page(table: fastml.ContrastTable, tmp_path: Path) -> None:
    text = str(table.summary())
    assert "2 of 3 differences in gamma00 are more than chance would bring (p below 0.1)." in text
    assert "The largest: of score, " in text
    page = table.report_html("Countries", "simulated")
    assert "<h1>Countries</h1>" in page
    assert "b" not in Reader(page).tags
    one = fastml.ContrastTable(table.table.slice(0, 3), table.by, table.notes)
    one.write_report(tmp_path / "page.html")
    written = (tmp_path / "page.html").read_text()
    assert "<svg" in written
    assert "<h1>Comparisons of gamma00 of score</h1>" in written
    assert "<table" in table._repr_html_()


def test_a_notebook_shows_the_first_hundred(table: fastml.ContrastTable) -> None:
    many = fastml.ContrastTable(pa.concat_tables([table.table] * 40), table.by, table.notes)
    assert "The first 100 of 240 rows" in many._repr_html_()
    assert f"fastml {fastml.__version__}" in many._repr_html_()
    assert many.summary()._repr_html_().count("<tr>") > 240


def test_a_reason_stands_once_beside_what_it_is_of() -> None:
    """Of five lands two have one school, so that seven comparisons of a parameter lack a row."""
    school = np.repeat(np.arange(8), 6)
    land = np.array(["a", "a", "b", "b", "c", "c", "d", "e"])[school]
    score = np.random.default_rng(1).normal(size=48) + 0.0 * school
    table = fastml.fit_by({"land": land, "school": school, "score": score}, "score", "school", by="land").contrast()
    lines = [line for line in str(table).splitlines() if "a row of it has no gamma00" in line]
    assert lines == ["a - d score gamma00; a - e score gamma00; b - d score gamma00 and 4 more: a row of it has no gamma00; "
                     "its table says why"]  # fmt: skip
