"""The query of the reduction: what real engines make of it is what `group_stats` gives, to 1e-10."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from engine_rows import CALLS, assert_same_schools, students
from postgres import WHY_NOT, Postgres, postgres
from sqlglot import exp

import fastml
from fastml import FastmlError
from fastml.reduce.sql_text import DIALECTS

pytestmark = pytest.mark.together

Results = Callable[[pa.Table, str], Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    with postgres() as running:
        yield running


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.outside)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Results]:
    """A dialect, and what runs a query on a table called students, to what `fit` takes."""
    if request.param == "duckdb":

        def by_duckdb(table: pa.Table, query: str) -> Any:
            base = duckdb.connect()
            base.register("students", table)
            return base.sql(query)

        return "duckdb", by_duckdb
    running: Postgres = request.getfixturevalue("server")

    def by_postgres(table: pa.Table, query: str) -> Any:
        running.load(table, "students")
        return running.result(query, tmp_path / "schools.csv")

    return "postgres", by_postgres


def assert_as_in_memory(engine: tuple[str, Results], table: pa.Table, outcome: Any, group: Any, **words: Any) -> None:
    dialect, run = engine
    query = fastml.group_stats_sql("students", outcome, group, dialect=dialect, **words)
    truth = fastml.group_stats(table, outcome, group, **words)
    words = {name: value for name, value in words.items() if name not in ("filter", "missing")}
    assert_same_schools(fastml.group_stats(run(table, query), outcome, group, **words), truth)


@pytest.mark.parametrize("case", [name for name, call in CALLS.items() if "tags" not in call])
def test_the_result_is_that_of_group_stats(case: str, engine: tuple[str, Results]) -> None:
    assert_as_in_memory(engine, students(), **CALLS[case])


def test_a_high_icc_keeps_its_digits(engine: tuple[str, Results]) -> None:
    rng = np.random.default_rng(7)
    school = rng.integers(0, 40, 2000)
    y = 1e9 * (1 + school) + rng.normal(0, 1e-3, 2000)
    assert_as_in_memory(engine, pa.table({"school": school, "y": y}), "y", "school")


def test_one_value_has_no_spread(engine: tuple[str, Results]) -> None:
    school = np.repeat(np.arange(10), 30)
    assert_as_in_memory(engine, pa.table({"school": school, "y": 0.1 + school / 10}), "y", "school")


def test_filter_and_codes(engine: tuple[str, Results]) -> None:
    table = students()
    for text in ("country in ('NOR', 'SWE') and school > 5 and math > 400", "not math > 500", "math is not null",
                 "math is null or read between 300 and 500", "v <> 2"):  # fmt: skip
        assert_as_in_memory(engine, table, ["math", "read"], "school", by="country", filter=text)
    coded = table.set_column(
        3, "read", pa.array([999 if i % 7 == 0 else i % 100 for i in range(len(table))], pa.int32())
    )
    assert_as_in_memory(engine, coded, "read", "school", missing=[999])


def test_filters_that_compare_constants(engine: tuple[str, Results]) -> None:
    table = students()
    for text in ("1 = 1", "5 in (1, 2)", "'a' = 'a' and school > 5", "5 in (school, 3)"):
        assert_as_in_memory(engine, table, "math", "school", by="country", filter=text)


def test_columns_compared_with_numbers_are_numbers(engine: tuple[str, Results]) -> None:
    for text in ("math > read", "read < math and 400 < read", "math > v or v in (w, math)"):
        assert_as_in_memory(engine, students(), "math", "school", by="country", filter=text)
    for text in ("math = 'a'", "math > c and c = 'a'"):
        with pytest.raises(FastmlError, match="values of two kinds are compared") as refused:
            fastml.group_stats_sql("t", "math", "school", dialect=engine[0], filter=text)
        assert f'filter "{text}"' in str(refused.value)


def test_names_that_need_quotes(engine: tuple[str, Results]) -> None:
    table = students().select(["country", "school", "math"]).rename_columns(["Select", 'my "School" id', "Order.By"])
    assert_as_in_memory(engine, table, "Order.By", 'my "School" id', by="Select")
    assert_as_in_memory(engine, table, "Order.By", ['my "School" id'], by="Select", filter="\"Select\" = 'NOR'")


def test_labels_of_every_kind(engine: tuple[str, Results]) -> None:
    rng = np.random.default_rng(3)
    code = rng.integers(0, 6, 200)
    y = rng.normal(size=200)
    for labels in (
        pa.array([["007", "NaN", "", "  ", None, "NA"][i] for i in code], pa.string()),
        pa.array([[1.0, math.nan, 0.0, 7.0, None, 5.0][i] for i in code], pa.float64()),
        pa.array([[1, 2, 3, None, 2**60, -7][i] for i in code], pa.int64()),
    ):
        assert_as_in_memory(engine, pa.table({"s": labels, "y": y}), "y", "s")
    two = pa.table({"c": [["a", None][i % 2] for i in code], "s": [["x", "", None][i % 3] for i in code], "y": y})
    assert_as_in_memory(engine, two, "y", "s", by="c")


def test_an_empty_table(engine: tuple[str, Results]) -> None:
    none = pa.table({"s": pa.array([], pa.int64()), "y": pa.array([], pa.float64())})
    dialect, run = engine
    made = fastml.group_stats(run(none, fastml.group_stats_sql("students", "y", "s", dialect=dialect)), "y", "s")
    assert (len(made), made.dropped()) == (0, {"group": 0, "outcome": 0})


def test_what_rows_are_refused_for_the_result_is_too(engine: tuple[str, Results]) -> None:
    dialect, run = engine
    base = {"s": [1, 1, 2, 2], "y": [1.0, 2.0, 3.0, 4.0], "w": [1.0] * 4, "v": [1.0] * 4}
    for change, message in (
        ({"y": [1.0, 2.0, 3.0, math.inf]}, "'y' has .*s 2"),
        ({"w": [1.0, 1.0, -1.0, 1.0]}, "'w' has .*s 2"),
        ({"v": [1.0, 2.0, 3.0, 3.0]}, "'v' varies within a group: .*s 1"),
    ):
        table = pa.table({**base, **change})
        query = fastml.group_stats_sql("students", "y", "s", weights="w", group_weights="v", dialect=dialect)
        for data in (run(table, query), table):
            with pytest.raises(FastmlError, match=message):
                fastml.fit(data, "y", "s", weights="w", group_weights="v")


def test_fits_and_tables_of_fits_are_those_of_the_rows(engine: tuple[str, Results]) -> None:
    dialect, run = engine
    table = students()
    query = fastml.group_stats_sql("students", ["math", "read"], "school", by="country", dialect=dialect)
    truth = fastml.fit_by(table, ["math", "read"], "school", by="country").to_dict()
    for row, other in zip(
        fastml.fit_by(run(table, query), ["math", "read"], "school", by="country").to_dict(), truth, strict=True
    ):
        for name, value in other.items():
            if name == "provenance":  # a result that comes as a file has been read from it
                continue
            assert row[name] == (value if not isinstance(value, float) else pytest.approx(value, rel=1e-9)), name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_text_is_one_query_of_its_dialect(dialect: str) -> None:
    for words in ({}, {"weights": "w", "group_weights": ["v", "u"]}):
        text = fastml.group_stats_sql(
            "db.raw.students", ["Score", "b"], "school id", by="order", dialect=dialect, missing=[9, 99], **words,
            filter="cycle = 2019 and c in ('TUR', 'it''s') and not Score > 5 and t < timestamp '2020-01-01 00:00:00'",
        )  # fmt: skip
        assert text == fastml.group_stats_sql(
            "db.raw.students", ["Score", "b"], "school id", by="order", dialect=dialect.upper(), missing=[9, 99], **words,
            filter="cycle = 2019 and c in ('TUR', 'it''s') and not Score > 5 and t < timestamp '2020-01-01 00:00:00'",
        )  # fmt: skip
        (query,) = sqlglot.parse(text, read=dialect)
        assert isinstance(query, exp.Select)
        assert ";" not in text
        assert query.named_selects[:3] == ["order", "school id", "n_rows"]
        assert {"n_Score", "mean_Score", "residual_Score", "ss_Score", "n_b"} <= set(query.named_selects)
        (table,) = {found.sql(dialect) for found in query.find_all(exp.Table) if found.db}
        assert table.replace("`", '"').startswith('"db"."raw"."students"')
        assert "2020" in text
        assert ("w2_Score" in query.named_selects) == bool(words)


# How each engine knows NaN, which all of them have as a value: BigQuery and Spark by a function, Snowflake and
# PostgreSQL by comparison, as NaN equals itself there.
NAN = {"duckdb": "ISNAN(CAST(", "spark": "ISNAN(CAST(", "bigquery": "IS_NAN(CAST(", "postgres": "= CAST('NaN' AS DOUBLE PRECISION)",
       "snowflake": "= CAST('NaN' AS DOUBLE)"}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nan_is_missing_in_every_dialect(dialect: str) -> None:
    assert NAN[dialect] in fastml.group_stats_sql("t", "y", "s", dialect=dialect)


def test_files_of_duckdb_and_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = students()
    (tmp_path / "rows").mkdir()
    pq.write_table(table.slice(0, 1000), tmp_path / "rows" / "a.parquet")
    pq.write_table(table.slice(1000), tmp_path / "rows" / "b.parquet")
    monkeypatch.chdir(tmp_path)
    for path in ("rows/*.parquet", str(tmp_path / "rows" / "*.parquet")):
        query = fastml.group_stats_sql(path, "math", "school", by="country", dialect="duckdb", filter="read > 300")
        found = fastml.group_stats(duckdb.connect().sql(query), "math", "school", by="country")
        assert_same_schools(found, fastml.group_stats(path, "math", "school", by="country", filter="read > 300"))
        assert f"`parquet`.`{path}`" in fastml.group_stats_sql(path, "math", "school", dialect="spark")
    assert fastml.group_stats_sql(Path(path), "math", "school", dialect="duckdb").count(path) == 1
    with pytest.raises(FastmlError, match="table=3 is not one of"):
        fastml.group_stats_sql(3, "math", "school", dialect="duckdb")  # type: ignore[arg-type]
    with pytest.raises(FastmlError, match="postgres reads none"):
        fastml.group_stats_sql("rows/a.parquet", "math", "school", dialect="postgres")
    with pytest.raises(FastmlError, match="must be numeric"):
        fastml.group_stats_sql("rows/a.parquet", "country", "school", dialect="duckdb")
    with pytest.raises(FastmlError, match=r"'mahts' is not in file rows/a\.parquet; did you mean 'math'"):
        fastml.group_stats_sql("rows/a.parquet", "mahts", "school", dialect="duckdb")


def test_filters_of_files_know_their_columns(tmp_path: Path) -> None:
    pq.write_table(students(), path := tmp_path / "a.parquet")
    for text, message in (
        ("cycle = 2019", "'cycle' is not in file"),
        ("country > 3", "can't be applied"),
        ("math = 'x'", "can't be"),
    ):
        with pytest.raises(FastmlError, match=message):
            fastml.group_stats_sql(path, "math", "school", dialect="duckdb", filter=text)


def test_names_of_tables() -> None:
    for name, shown in (
        ("t", '"t"'), ("s.t", '"s"."t"'), ("d.s.t", '"d"."s"."t"'), ('"a.b".`my table`', '"a.b"."my table"'),
        ('"we""ird"', '"we""ird"'), ("naïve.Tabelle", '"naïve"."Tabelle"'),
    ):  # fmt: skip
        assert f"FROM {shown} AS " in fastml.group_stats_sql(name, "y", "s", dialect="snowflake")
    for name in ("", ".", "a..b", "a.", "a.b.c.d", "a b", 'x"y', "t; DROP TABLE t"):
        with pytest.raises(FastmlError, match="is no name of a table"):
            fastml.group_stats_sql(name, "y", "s", dialect="snowflake")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_tables_that_dbt_names(dialect: str) -> None:
    text = fastml.group_stats_sql("{{ ref('students') }}", "y", "s", dialect=dialect)
    assert text.count("FROM {{ ref('students') }} AS ") == 1
    quote = "`" if dialect in ("bigquery", "spark") else '"'
    assert text.replace("{{ ref('students') }}", f"{quote}t{quote}") == fastml.group_stats_sql(
        "t", "y", "s", dialect=dialect
    )
    with pytest.raises(FastmlError, match="is no name of a table"):
        fastml.group_stats_sql("{{ ref('students') }} ; {{ x }}", "y", "s", dialect=dialect)


def test_names_and_texts_can_not_leave_their_quotes() -> None:
    text = fastml.group_stats_sql(
        "t", 'y"; DROP TABLE t; --', "s", dialect="postgres", filter="c = '''; DROP TABLE t; --'"
    )
    (query,) = sqlglot.parse(text, read="postgres")
    assert isinstance(query, exp.Select)
    assert not list(query.find_all(exp.Drop))


def test_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for words, message in (
        ({"dialect": "mysql"}, "dialect='mysql' is not one of 'duckdb'"),
        ({"filter": "a >"}, "can't be read"),
        ({"filter": "a = 1 or a = 'x'"}, "values of two kinds"),
        ({"filter": "s < date '2019-01-01' or s = 1"}, "values of two kinds"),
        ({"missing": "k.A."}, "missing='k.A.' can't be"),
        ({"by": "n_rows"}, "two columns of the reduced table would be called 'n_rows'"),
        ({"by": "y"}, "a column has one role"),
        ({"weights": ""}, "weights=''"),
        ({"dialect": "postgres", "by": "b" * 63}, "PostgreSQL cuts names at 63 bytes"),
    ):
        with pytest.raises(FastmlError, match=message):
            fastml.group_stats_sql("t", "y", "s", **{"dialect": "duckdb", **words})  # type: ignore[arg-type]
    (tmp_path / "t.csv").write_text("s,y\n1,2\n")
    with pytest.raises(FastmlError, match="is no path of Parquet files"):
        fastml.group_stats_sql(str(tmp_path / "t.csv"), "y", "s", dialect="duckdb")
    really = builtins.__import__

    def without_ibis(name: str, *args: Any, **words: Any) -> Any:
        if name == "ibis":
            raise ImportError
        return really(name, *args, **words)

    monkeypatch.setattr(builtins, "__import__", without_ibis)
    with pytest.raises(FastmlError, match=r"pip install 'ibis-framework\[duckdb\]'"):
        fastml.group_stats_sql("t", "y", "s", dialect="duckdb")
