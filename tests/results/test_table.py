"""Tables of fits: text, forms, limits of every part, and what a notebook shows."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from webpages import Reader, evil_fits

import fastml
from fastml import FastmlError
from fastml.report.provenance import SCHEMA
from fastml.results.table import ResultTable


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 4000
    country = rng.choice(["NOR", "SWE", "FIN", "ISL"], n)
    school = rng.integers(1, 40, n)  # the ids start again in each country
    effect = rng.normal(0, 40, (4, 40))[np.unique(country, return_inverse=True)[1], school]
    math_score = np.where(rng.random(n) < 0.03, np.nan, 500 + effect + rng.normal(0, 80, n))
    return pd.DataFrame({"country": country, "school": school, "math": math_score, "read": 480 + rng.normal(0, 90, n)})


@pytest.fixture(scope="module")
def evil_table() -> fastml.FitTable:
    return evil_fits()


def test_write_and_text(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = fastml.fit_by(frame, "math", "school", by="country")
    table.write(tmp_path / "t.parquet")
    with pq.ParquetFile(tmp_path / "t.parquet") as file:
        assert file.read().equals(table.to_arrow())
    lines = str(table).splitlines()
    assert lines[0].split()[:5] == ["country", "outcome", "n_obs", "n_groups", "n_dropped"]
    lost = int(frame["math"].isna().sum())
    assert lines[5:] == ["", f"math: {4000 - lost:,} rows used, {lost} rows dropped ({lost} no outcome)",
                         f"groups school; fastml {fastml.__version__}, schema {SCHEMA}"]  # fmt: skip
    assert table.to_csv().count("\n") == 5


def test_ids_that_came_as_floats_print_as_they_are_meant() -> None:
    data = {"c": [792.0] * 4 + [40.5] * 4, "s": [1, 1, 2, 2] * 2, "y": [1.0, 2, 4, 6, 2, 3, 5, 9]}
    table = fastml.fit_by(data, "y", "s", by="c")
    assert repr(table) == str(table)  # what a prompt shows is what print does
    lines = str(table).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["40.500", "792"]


@pytest.mark.parametrize("level", [None, 0.8])
def test_limits_of_every_part_are_those_of_its_own_fit(frame: pd.DataFrame, level: float | None) -> None:
    weighted = frame.assign(w=1.0 + frame.index % 3, v=1.0 + frame["school"] % 2)
    weighted.loc[weighted["country"] == "ISL", ["school", "v"]] = (1, 1.0)
    for columns in ({}, {"weights": "w", "group_weights": "v"}):
        table = fastml.fit_by(weighted, ["math", "read"], "school", by="country", **columns)
        used, limits = table.icc_limits(level)
        assert used == (level or 0.95)
        for row, (low, high) in zip(table.to_dict(), limits, strict=True):
            # There are no limits with one school, nor from the robust error where the variance is 0.
            if row["country"] == "ISL" or (columns and row["singular"]):
                assert math.isnan(low)
                assert math.isnan(high)
                continue
            part = weighted[weighted["country"] == row["country"]]
            alone = fastml.fit(part, row["outcome"], "school", **columns).ci("icc", level=used)
            assert low == pytest.approx(alone.low, rel=1e-12)
            assert high == pytest.approx(alone.high, rel=1e-12)
        wide = table.with_intervals(used)
        assert [row["ci_low_icc"] is None for row in wide.to_dict()] == [math.isnan(low) for low, _ in limits]
        assert wide.table.column_names[-6:] == ["level", "ci_low_icc", "ci_high_icc", "ci_notes", "status", "message"]
        assert wide.table["level"].to_pylist() == [used] * len(wide)
        assert f"{100 * used:g} % interval" in str(wide).splitlines()[0]
        again = table.with_intervals(0.5).with_intervals(used)
        assert again.to_arrow().equals(wide.to_arrow())
    with pytest.raises(FastmlError, match="level"):
        table.icc_limits(1.0)


def test_a_table_of_no_kind_knows_no_limits(frame: pd.DataFrame) -> None:
    table = fastml.fit_by(frame, "math", "school", by="country").to_arrow()
    with pytest.raises(NotImplementedError):
        ResultTable(table, ("country",)).icc_limits()


def test_a_long_table_is_cut_in_a_notebook_and_nowhere_else() -> None:
    data = {
        "c": [i // 4 for i in range(600)],
        "s": [i // 2 % 2 for i in range(600)],
        "y": [float(i % 7) for i in range(600)],
    }
    table = fastml.fit_by(data, "y", "s", by="c")
    assert table.to_html().count("<tr>") == 1 + 150 + 1
    assert table._repr_html_().count("<tr>") == 1 + 100 + 2
    assert "groups s;" in table._repr_html_()
    assert "The first 100 of 150 rows" in table._repr_html_()


def test_summary_of_a_table(evil_table: fastml.FitTable) -> None:
    summary = evil_table.summary()
    assert str(summary).startswith(str(evil_table))
    assert "schools differ most in <script>" in " ".join(str(summary).split())
    assert "&lt;i&gt;part&lt;/i&gt;" in summary._repr_html_()
    assert "script" not in Reader(summary._repr_html_()).tags


def test_a_part_may_be_named_as_a_column_that_other_tables_have() -> None:
    data = {"mean": ["a"] * 4 + ["b"] * 4, "s": [1, 1, 2, 2] * 2, "y": [1.0, 2, 4, 6, 2, 3, 5, 9]}
    table = fastml.fit_by(data, "y", "s", by="mean")
    header = str(table).splitlines()[0].split()
    assert header[:3] == ["mean", "outcome", "n_obs"]
    assert header.count("mean") == 1
    assert table.to_markdown().splitlines()[2].count("| mean |") == 1


def test_a_part_called_infinity_keeps_its_name_in_every_form() -> None:
    """JSON has no such number; its name is there, as in a CSV."""
    rng = np.random.default_rng(1)
    by, group = np.repeat([np.inf, -np.inf, 2.5], 40), np.tile(np.repeat(np.arange(8), 5), 3)
    table = fastml.fit_by({"c": by, "s": group, "y": rng.normal(group, 1.0)}, "y", "s", by="c")
    assert [row["c"] for row in json.loads(table.to_json())] == ["-inf", 2.5, "inf"]
    assert [row["c"] for row in table.to_dict()] == table.to_frame()["c"].tolist() == [-np.inf, 2.5, np.inf]
    assert table.to_arrow()["c"].to_pylist() == [-np.inf, 2.5, np.inf]
    assert [line.partition(",")[0] for line in table.to_csv().splitlines()[1:]] == ["-inf", "2.5", "inf"]
    for text in (str(table), table.to_markdown(), table.to_latex(), table.to_html()):
        assert re.search(r"(?<![-\w])inf\b", text)
        assert re.search(r"[-\u2212]\$?inf\b", text)


def test_by_columns_may_have_the_names_of_figures_of_other_tables() -> None:
    rows = {"difference": ["a"] * 4 + ["b"] * 4, "s": [1, 1, 2, 2] * 2, "y": [1.0, 2.0, 5.0, 7.0, 3.0, 4.0, 6.0, 9.0]}
    table = fastml.fit_by(rows, "y", "s", by="difference")
    for form in (str(table), table.to_markdown(), table.to_latex(), table.to_html()):
        assert "difference" in form
        assert "0.884" in form
