"""Tables that a database reduced, in the place of their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from engine_rows import assert_same_schools, students

import fastml
from fastml import FastmlError


def reduced(table: pa.Table, outcome: Any, group: Any, **words: Any) -> pa.Table:
    base = duckdb.connect()
    base.register("rows", table)
    return base.sql(fastml.group_stats_sql("rows", outcome, group, dialect="duckdb", **words)).to_arrow_table()


@pytest.fixture(scope="module")
def schools() -> pa.Table:
    return reduced(students(), "math", "school", by="country")


def test_every_kind_of_data_holds_one(schools: pa.Table, tmp_path: Path) -> None:
    pq.write_table(schools, tmp_path / "s.parquet")
    pyarrow.csv.write_csv(schools, tmp_path / "s.csv")
    truth = fastml.group_stats(students(), "math", "school", by="country")
    for data in (schools, schools.to_pandas(), schools.to_reader(), tmp_path / "s.parquet", [tmp_path / "s.csv"],
                 {name: schools[name].to_pylist() for name in schools.column_names}):  # fmt: skip
        assert_same_schools(fastml.group_stats(data, "math", "school", by="country"), truth)


def test_its_statistics_are_as_any_others(schools: pa.Table, tmp_path: Path) -> None:
    pq.write_table(schools, tmp_path / "s.parquet")
    made = fastml.group_stats(tmp_path / "s.parquet", "math", "school", by="country", tags={"cycle": 2019})
    made.write(tmp_path / "stats.parquet")
    again = fastml.GroupStats.read(tmp_path / "stats.parquet")
    assert_same_schools(again, made)
    assert [(origin.name, origin.rows) for origin in again.origins] == [(str(tmp_path / "s.parquet"), len(schools))]
    with pytest.raises(FastmlError, match="is in both"):
        again + made
    # Schools of one country only, and rows beside it.
    filtered = fastml.fit(tmp_path / "s.parquet", "math", "school", filter="country = 'NOR'")
    assert filtered.icc == pytest.approx(
        fastml.fit(students(), "math", "school", filter="country = 'NOR'").icc, rel=1e-9
    )
    assert fastml.check(students(), "math", "school", by="country", against=schools, max_schools_lost=0).within


def test_where_the_rows_are_there_they_are_taken(schools: pa.Table) -> None:
    both = schools.append_column("math", pa.array([float(i) for i in range(len(schools))]))
    assert fastml.group_stats(both, "math", "school", by="country").moments[0, :, 0].max() == 1.0


def change(table: pa.Table, **columns: Any) -> pd.DataFrame:
    return table.to_pandas().assign(**columns)


def test_what_is_wrong_with_one_is_said(schools: pa.Table) -> None:
    frame = schools.to_pandas()
    weighted = reduced(students(), "math", "school", weights="w", group_weights="v")
    plain = {"outcome": "math", "group": "school"}
    both = {**plain, "by": "country"}
    for data, words, message in (
        (schools, plain, r"the table has school \d+ twice"),
        (pd.concat([frame, frame]), both, r"the table has country [A-Z]+, school [\d.]+ twice"),
        (schools, {**both, "outcome": "read"}, "column 'read' is not in"),
        (schools, {**both, "group": "id"}, "column 'id' is not in"),
        (schools.drop_columns("ss_math"), both, "column 'math' is not in"),
        (schools, {**both, "missing": 9}, "missing= names codes among rows"),
        (schools, {**both, "weights": "w", "group_weights": "v"}, "reduced without weights"),
        (weighted, plain, "was reduced with weights: name"),
        (weighted, {**plain, "weights": "w"}, "group_weights"),
        (change(schools, n_math=-1), both, "'n_math' has -1 in row 0 .* is no number of rows"),
        (change(schools, n_math=1.5), both, "'n_math' has 1.5"),
        (change(schools, n_math=None), both, "'n_math' has nan"),
        (change(schools, n_rows=2.5), both, "'n_rows' has 2.5"),
        (change(weighted, w_math=None), {**plain, "weights": "w", "group_weights": "v"}, "'w_math' has nan"),
        (change(schools, n_rows=0), both, "more observations than it has rows"),
        (change(schools, mean_math=float("inf")), both, "'math' has an infinite value"),
        (change(schools, mean_math=None), both, "'math' has an infinite value"),
        (change(schools, ss_math="x"), both, "ss_math"),
        (change(schools, school=frame.school + 0.5), both, "is no id"),
    ):
        with pytest.raises(FastmlError, match=message):
            fastml.fit_by(data, **words) if "by" in words else fastml.fit(data, **words)


def test_lazy_tables_take_no_filter(schools: pa.Table) -> None:
    base = duckdb.connect()
    base.register("schools", schools)
    relation = base.sql("SELECT * FROM schools WHERE country = 'NOR'")
    assert (
        fastml.fit(relation, "math", "school").icc
        == fastml.fit(schools, "math", "school", filter="country = 'NOR'").icc
    )
    with pytest.raises(FastmlError, match="filter the DuckDBPyRelation itself"):
        fastml.fit(relation, "math", "school", filter="country = 'NOR'")
