"""Tables that a database made by the query of `fastml.reduce.sql_text`, a row per school -> GroupStats."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from fastml.errors import FastmlError, SourceError, row_text
from fastml.groupstats.statistics import GroupStats
from fastml.groupstats.storage import find_problem
from fastml.io.arrays import as_arrow
from fastml.io.columns import check_numeric
from fastml.io.plain_arrays import plain_array
from fastml.io.source import Input, column_names, open_source
from fastml.keys.key_table import KeyTable, check_key_type
from fastml.reduce.cell_tables import (
    as_records,
    check_finite,
    check_weights,
    column_of,
    is_one_value,
    lacks_label,
    statistics_of_cells,
)
from fastml.reduce.columns import CallColumns
from fastml.reduce.engine_sums import engine_name, inner_columns, inner_name
from fastml.reduce.lazy_frames import collected, is_lazy

__all__ = ["ReducedColumns", "from_reduced"]


@dataclass(frozen=True)
class ReducedColumns:
    """The names of the columns of a reduced table, but its keys.

    Attributes
    ----------
    counts : tuple of str
        Rows; with weights those without one, with weight 0, and with a weight that can't be.
    plain : tuple of tuple of str
        For each outcome n, mean, residual of the mean, sum of squares.
    weighted : tuple of tuple of str
        For each outcome the sum of weights, weighted mean, residual, sum of squares, sum of squared weights.
    group_weights : tuple of str
        The least and the greatest of a school's own weights.
    """

    counts: tuple[str, ...]
    plain: tuple[tuple[str, ...], ...]
    weighted: tuple[tuple[str, ...], ...]
    group_weights: tuple[str, ...]

    @classmethod
    def of(cls, columns: CallColumns) -> ReducedColumns:
        """Return the names for the columns of a call.

        Parameters
        ----------
        columns : CallColumns

        Returns
        -------
        ReducedColumns

        Raises
        ------
        FastmlError
            Two columns would have one name.
        """
        weights = ("n_no_weight", "n_zero_weight", "n_bad_weight") if columns.weighted else ()
        sums = ("w", "w_mean", "w_residual", "w_ss", "w2") if columns.weighted else ()
        made = cls(
            ("n_rows", *weights),
            tuple(tuple(f"{field}_{y}" for field in ("n", "mean", "residual", "ss")) for y in columns.outcomes),
            tuple(tuple(f"{field}_{y}" for field in sums) for y in columns.outcomes),
            ("group_weight", "group_weight_max") if columns.group_weights else (),
        )
        twice = [name for name, count in Counter([*columns.keys, *made.all]).items() if count > 1]
        if twice:
            raise FastmlError(f"two columns of the reduced table would be called {twice[0]!r}; rename a column")
        return made

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.counts, *chain(*self.plain), *chain(*self.weighted), *self.group_weights)


def from_reduced(given: Input, columns: CallColumns) -> GroupStats | None:
    """Group statistics of a table that has them as columns; None where it hasn't.

    Parameters
    ----------
    given : Input
        Of anything that `statistics` takes.
    columns : CallColumns
        Those of the rows that the table was made of.

    Returns
    -------
    GroupStats or None

    Raises
    ------
    FastmlError
        The table was made with weights and the call has none, or the other way round; a school is there twice.
    ValueNotAllowedError, WeightVariesError
        As where rows are reduced.
    """
    names = ReducedColumns.of(columns)
    there = set(_names(given))
    plain = ReducedColumns.of(replace(columns, weights=None, group_weights=None, factors=()))
    if not {*columns.keys, *plain.all} <= there:
        return None
    others = ReducedColumns.of(replace(columns, weights=columns.weights or "w", group_weights="v"))
    if not columns.weighted and there & {*others.weighted[0], *others.group_weights}:
        raise FastmlError(
            "the table was reduced with weights: name the columns they were in, with weights= and group_weights="
        )
    if columns.weighted and not {*names.all} <= there:
        raise FastmlError(f"the table was reduced without weights, or others; it lacks {min({*names.all} - there)!r}")
    if columns.missing:
        raise FastmlError(
            "missing= names codes among rows, and this table holds none; name them where rows are reduced"
        )
    table, origins = _read(given, columns, names)
    stats = _statistics(table, columns, names)
    stats = replace(stats, origins=origins)
    return stats.tagged(dict(columns.constant)) if columns.constant else stats


def _names(given: Input) -> list[str]:
    if _is_dask(given.data):
        return list(given.data.columns)
    if is_lazy(given.data):
        import narwhals as nw

        return list(nw.from_native(given.data).lazy().collect_schema())
    return column_names(given)[1]


def _is_dask(data: Any) -> bool:
    return engine_name(data) in ("dask", "dask_expr") and is_lazy(data)


def _read(given: Input, columns: CallColumns, names: ReducedColumns) -> tuple[pa.Table, Any]:
    """The table's needed columns, and what it was read from."""
    wanted = [*columns.keys, *names.all]
    if _is_dask(given.data):  # a row per school
        given = replace(given, data=given.data[wanted].compute())
    if is_lazy(given.data):
        import narwhals as nw

        return collected(nw.from_native(given.data).lazy().select(*wanted), given.data), ()
    source = open_source(given.checked(), wanted, columns.keys)
    table = pa.Table.from_batches(list(source.batches), source.schema)
    how = repr((given.condition, sorted(columns.constant.items())))
    return table, source.origins(how) if source.origins else ()


def _statistics(table: pa.Table, columns: CallColumns, names: ReducedColumns) -> GroupStats:
    for name in names.all:
        check_numeric("reduced", table.schema.field(name))
    for name in columns.keys:
        check_key_type("by" if name in columns.split else "group", table.schema.field(name))
    _check_counts(table, [*names.counts, *(fields[0] for fields in names.plain)], whole=True)
    _check_counts(table, [fields[0] for fields in names.weighted if fields], whole=False)
    inner = inner_columns(columns)
    cells = _cells(table, columns, names)
    check_weights(cells, inner)
    p, n_cells = len(columns.outcomes), cells.num_rows
    moments = np.zeros((p, n_cells, 4))
    weighted = np.zeros((p, n_cells, 5)) if columns.weighted else None
    labelled = ~lacks_label(cells, inner)  # the others have rows only, no mean
    for i in range(p):
        n, *about = (column_of(cells, name) for name in names.plain[i])
        moments[i] = as_records(np.where(labelled, n, 0.0), *about)
        moments[i, is_one_value(moments[i]), 3] = 0.0
        if weighted is not None:
            w, *about, squares = (column_of(cells, name) for name in names.weighted[i])
            weighted[i, :, :4] = as_records(np.where(labelled, w, 0.0), *about)
            weighted[i, moments[i, :, 3] == 0.0, 3] = 0.0
            weighted[i, :, 4] = np.where(labelled, squares, 0.0)
    check_finite(cells, inner, moments)
    stats = statistics_of_cells(cells, inner, moments, weighted)
    problem = find_problem(stats)
    if problem:
        raise SourceError(f"the table is no whole result of the query that reduces rows: {problem}")
    return stats


def _check_counts(table: pa.Table, names: list[str], whole: bool) -> None:
    """Refuse numbers of rows, and sums of weights, that can't be: nothing of such a school would count."""
    for name in names:
        values = column_of(table, name)
        wrong = ~(values >= 0.0) | (whole & (values != np.floor(values)))
        if wrong.any():
            row = int(np.argmax(wrong))
            kind = "number of rows" if whole else "sum of weights"
            raise SourceError(f"column {name!r} has {values[row]:g} {row_text(row)}, which is no {kind}")


def _cells(table: pa.Table, columns: CallColumns, names: ReducedColumns) -> pa.Table:
    """The table as an engine's sums are named, with one row for all schools of a label that is missing."""
    labels = [plain_array(table[name].combine_chunks()) for name in columns.keys]
    keys = KeyTable([column.type for column in labels])
    codes = keys.codes_for(labels)
    found, first, times = np.unique(codes, return_index=True, return_counts=True)
    labels = [column.take(as_arrow(found)) for column in keys.labels()]
    lacking = np.any([np.asarray(column.is_null()) for column in labels], axis=0)
    if (twice := (times > 1) & ~lacking).any():
        row = int(np.argmax(twice))
        label = ", ".join(f"{name} {column[row]}" for name, column in zip(columns.keys, labels, strict=True))
        raise SourceError(
            f"the table has {label} twice; reduce all rows by one query, or make statistics of each table by itself, "
            "which add"
        )
    cells = {inner_name(name): column for name, column in zip(columns.keys, labels, strict=True)}
    for name, count in zip(("rows_", "no_weight_", "zero_weight_", "bad_"), names.counts, strict=False):
        cells[name] = pa.array(np.bincount(codes, column_of(table, count), len(first)))
    rest = {name: table[name] for name in (*chain(*names.plain), *chain(*names.weighted), *names.group_weights)}
    of_first = pa.table({name: column.take(as_arrow(first)) for name, column in rest.items()})
    for name, weight in zip(("v_low_", "v_high_"), names.group_weights, strict=False):
        cells[name] = of_first[weight]
    return pa.table({**cells, **{name: of_first[name] for name in of_first.column_names}})
