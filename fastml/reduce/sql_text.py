"""The reduction of rows to group statistics as the text of a query, in the dialect of an engine."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from fastml.errors import (
    ArgumentError,
    ColumnNotFoundError,
    FastmlError,
    FilterError,
    RangeError,
    SourceError,
    first_line,
)
from fastml.io.conditions import Condition, columns_of
from fastml.io.discovery import find_files
from fastml.io.filters import Filter, as_filter
from fastml.reduce.columns import CallColumns, Names, list_names, weight_product
from fastml.reduce.engine_filters import engine_condition, kinds_of, without_constants
from fastml.reduce.engine_sums import checked_columns, own_name, sums_about_own_means
from fastml.reduce.missing_codes import missing_values
from fastml.reduce.reduced_tables import ReducedColumns

__all__ = ["DIALECTS", "group_stats_sql"]

Dialect = Literal["duckdb", "postgres", "bigquery", "snowflake", "spark"]

# Our name of a dialect, and that of the compiler; Spark's own needs Spark to be installed.
DIALECTS = {"duckdb": "duckdb", "postgres": "postgres", "bigquery": "bigquery", "snowflake": "snowflake",
            "spark": "databricks"}  # fmt: skip

# The dialects that read a Parquet file where the name of a table stands, and the schema that its name is in there.
_READERS = {"duckdb": None, "spark": "parquet"}


def group_stats_sql(
    table: str | os.PathLike[str],
    outcome: Names,
    group: Names,
    *,
    dialect: Dialect,
    by: Names | None = None,
    weights: str | None = None,
    group_weights: Names | None = None,
    missing: Any = None,
    filter: str | None = None,
) -> str:
    """Return the query that reduces a table to group statistics inside a database, for a dbt model or any client.

    Its result has a row per school, and is data that `fit`, `fit_by` and `group_stats` take in the place of the rows,
    by the same names of columns.

    Parameters
    ----------
    table : str or path
        The table's name, perhaps with those of its schema and database (``db.schema.students``), parts with dots or
        spaces in double quotes or backticks; what dbt fills in, ``{{ ref('students') }}``; or the path of Parquet
        files, for "duckdb" and "spark".
    outcome, group, by, weights, group_weights, missing
        As in `fastml.group_stats`. Outcomes and weights have to be numbers in the table; the query casts them to
        doubles.
    dialect : {"duckdb", "postgres", "bigquery", "snowflake", "spark"}
    filter : str, optional
        Which rows, in the language of `fit`.

    Returns
    -------
    str
        A SELECT without a semicolon. Columns: the keys; ``n_rows``; for each outcome ``n_NAME``, ``mean_NAME``,
        ``residual_NAME``, what the mean's rounding left, and ``ss_NAME``, the sum of squares about the mean; with
        weights ``n_no_weight``, ``n_zero_weight``, ``n_bad_weight``, ``w_NAME``, ``w_mean_NAME``, ``w_residual_NAME``,
        ``w_ss_NAME``, ``w2_NAME``, and ``group_weight``, ``group_weight_max``.

    Raises
    ------
    FastmlError
        An unknown dialect, a filter that can't be read, names that collide, or Ibis isn't installed.

    Examples
    --------
    >>> import fastml
    >>> query = fastml.group_stats_sql("raw.students", "score", "school", dialect="postgres")
    >>> query.splitlines()[0], 'FROM "raw"."students"' in query
    ('WITH "t1" AS (', True)
    """
    folded = dialect.lower() if isinstance(dialect, str) else dialect
    if folded not in DIALECTS:
        raise ArgumentError("dialect", dialect, DIALECTS)
    name = os.fspath(table) if isinstance(table, os.PathLike) else table
    if not isinstance(name, str):
        raise ArgumentError("table", table, ["a table's name", "the path of Parquet files"])
    codes, texts = missing_values(missing)
    if texts:
        raise RangeError("missing", missing, "a number, or several; texts are codes in text files only")
    group_weight, factors = weight_product(group_weights)
    columns = CallColumns(
        list_names(outcome), list_names(group), list_names(by), weights, group_weight, missing=codes, factors=factors
    )
    columns.check()
    if folded == "postgres":
        _check_lengths(columns)
    condition = None if filter is None else as_filter(filter)
    if condition is not None and not isinstance(condition.condition, Condition):
        raise ArgumentError("filter", filter, ["text such as 'cycle = 2019'"])
    return _compiled(name, columns, condition, folded)


def _check_lengths(columns: CallColumns) -> None:
    """Refuse names that PostgreSQL would cut, in silence."""
    made = [*columns.keys, *ReducedColumns.of(columns).all]
    long = [name for name in made if len(name.encode()) >= _LONGEST_NAME]
    if long:
        raise FastmlError(
            f"PostgreSQL cuts names at {_LONGEST_NAME} bytes, and {long[0]!r} would be one; rename a column"
        )


_LONGEST_NAME = 63


def _compiled(table: str, columns: CallColumns, condition: Filter | None, dialect: str) -> str:
    try:
        import ibis
    except ImportError:
        raise FastmlError("SQL needs Ibis, which compiles it: pip install 'ibis-framework[duckdb]'") from None
    from narwhals.exceptions import NarwhalsError

    where = None if condition is None else _where(condition)
    try:
        frame, inner = checked_columns(_relation(table, columns, condition, dialect), columns, where)
        sums = sums_about_own_means(frame, inner, "left")
        query = _finished(sums, inner, ReducedColumns.of(columns)).to_native()
        text = str(ibis.to_sql(query, dialect=DIALECTS[dialect]))
        return re.sub(f'["`]{_TEMPLATED}["`]', lambda _: table.strip(), text) if _is_template(table) else text
    except (ibis.common.exceptions.IbisError, NarwhalsError) as error:
        if condition is not None:
            raise FilterError(condition.text, None, _in_our_words(first_line(error))) from None
        raise FastmlError(f"no SQL of these columns: {first_line(error)}") from error


def _where(condition: Filter) -> Callable[[Any], Any]:
    """What gives the expression of the filter, or whether it holds for all rows, of a schema."""
    left = without_constants(condition.condition, condition.text)
    return lambda schema: left if isinstance(left, bool) else engine_condition(left, schema)


def _in_our_words(reason: str) -> str:
    """What Ibis says of a condition; where its sides don't go together, without the expressions it made of them."""
    if reason.endswith("are not comparable"):
        return (
            "values of two kinds are compared, such as a number and a text; texts stand in single quotes, numbers and "
            "names of columns don't"
        )
    return reason


def _relation(table: str, columns: CallColumns, condition: Filter | None, dialect: str) -> Any:
    """The table of Ibis: of a file with its types, of a name with as little of types as will do."""
    import ibis

    if not _is_template(table) and _is_file(table):
        if dialect not in _READERS:
            raise FastmlError(
                f"{table} is a file, and {dialect} reads none: give the name of a table there, such as raw.students"
            )
        schema = _schema_of_file(table)
        for column in (*columns.to_read, *sorted(columns_of(condition.condition) if condition else ())):
            if column not in schema:
                raise ColumnNotFoundError(column, schema, f"file {table}")
        return ibis.table(schema, name=table, database=_READERS[dialect])
    numbers = set(columns.to_read) - set(columns.keys)
    kinds = {} if condition is None else kinds_of(condition.condition, condition.text, numbers)
    named = [*columns.to_read, *sorted(columns_of(condition.condition) if condition else ())]
    types = {name: _type_of(name in columns.keys, name in columns.to_read, kinds.get(name)) for name in named}
    *places, name = [_TEMPLATED] if _is_template(table) else _parts(table)
    return ibis.table(types, name=name, **dict(zip(("database", "catalog"), reversed(places), strict=False)))


def _type_of(key: bool, read: bool, kind: type | None) -> Any:
    """The type to give to a column of unknown type, compared with values of a kind: it decides what SQL is written.

    A number of single precision is cast to a double before anything else; whole ones stay what they are.
    """
    from ibis import dtype
    from ibis.expr.datatypes import unknown

    if read and not key:
        return dtype("float32")
    if kind is float:
        return dtype("int64" if key else "float32")
    named = {str: "string", bool: "boolean", datetime.date: "date", datetime.datetime: "timestamp"}
    return unknown if kind is None else dtype(named[kind])


_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|`([^`]+)`|([^."`\s]+))\s*(?:\.|$)')


# What stands for a table that dbt names, until the query is written.
_TEMPLATED = "the table of rows that dbt names"


def _is_template(table: str) -> bool:
    return re.fullmatch(r"\s*\{\{[^{}]*\}\}\s*", table) is not None


def _parts(table: str) -> list[str]:
    """The parts of a table's name: up to three, between dots."""
    parts, at = [], 0
    while at < len(table):
        found = _PART.match(table, at)
        if found is None:
            break
        parts.append(found[1].replace('""', '"') if found[1] else found[2] or found[3])
        at = found.end()
    if at < len(table) or not 1 <= len(parts) <= 3 or table.rstrip().endswith("."):
        raise FastmlError(
            f"{table!r} is no name of a table: it has up to three parts between dots, as db.schema.students; one with "
            "dots, spaces or quotes stands in double quotes"
        )
    return parts


def _is_file(table: str) -> bool:
    return table.lower().endswith(".parquet") or "/" in table or Path(table).is_file()


def _schema_of_file(path: str) -> Any:
    import ibis
    import pyarrow.parquet as pq

    if not path.lower().endswith(".parquet"):
        raise SourceError(
            f"{path} is no path of Parquet files, which alone tell types: scores.parquet, or scores/*.parquet"
        )
    first = find_files(path)[1][0]
    with first.location.open() as file:
        return ibis.Schema.from_pyarrow(pq.read_schema(file))


def _finished(sums: Any, inner: CallColumns, names: ReducedColumns) -> Any:
    """The sums by cell as the columns of the result."""
    import narwhals as nw

    def over(total: str, count: str) -> Any:
        return nw.col(total) / nw.when(nw.col(count) > 0.0).then(nw.col(count))

    def squares(q: str, s: str, count: str) -> Any:
        ss = nw.col(q) - nw.col(s) * over(s, count)
        return nw.when(ss < 0.0).then(nw.lit(0.0)).otherwise(ss)

    made = [nw.col(name).alias(own_name(name)) for name in inner.keys]
    counts = ["rows_", *(["no_weight_", "zero_weight_", "bad_"] if inner.weighted else [])]
    made += [nw.col(name).cast(nw.Int64).alias(shown) for name, shown in zip(counts, names.counts, strict=True)]
    for i, (plain, weighted) in enumerate(zip(names.plain, names.weighted, strict=True)):
        n, mean, s, q = (f"{field}{i}_" for field in "nmsq")
        found = [nw.col(n).cast(nw.Int64), nw.col(mean), over(s, n), squares(q, s, n)]
        if inner.weighted:
            w, ws, wq, w2 = (f"{field}{i}_" for field in ("w", "ws", "wq", "w2"))
            found += [nw.col(w), nw.col(mean), over(ws, w), squares(wq, ws, w), nw.col(w2)]
        made += [value.alias(shown) for value, shown in zip(found, (*plain, *weighted), strict=True)]
    made += [nw.col(name).alias(shown) for name, shown in zip(("v_low_", "v_high_"), names.group_weights, strict=False)]
    return sums.select(*made)
