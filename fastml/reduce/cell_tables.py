"""Sums by cell that an engine computed, a row each, -> GroupStats: what is checked, and in what order they stand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError, WeightVariesError
from fastml.groupstats.statistics import GroupStats
from fastml.io.arrays import as_arrow
from fastml.io.columns import as_floats
from fastml.io.plain_arrays import plain_type
from fastml.keys.key_table import check_ids, check_key_type
from fastml.keys.order import sort_order
from fastml.reduce.columns import LARGEST_WEIGHT, SMALLEST_WEIGHT, CallColumns
from fastml.reduce.engine_sums import own_name

__all__ = ["as_records", "check_finite", "check_weights", "column_of", "is_one_value", "lacks_label",
           "statistics_of_cells"]  # fmt: skip

Floats = npt.NDArray[np.float64]


def column_of(table: pa.Table, name: str) -> Floats:
    """A column as doubles, NaN for null."""
    return np.array(as_floats(table[name].combine_chunks()))


def as_records(n: Floats, centre: Floats, deviation: Floats, ss: Floats) -> Floats:
    """Records n, mean, residual, ss of means near centres.

    Parameters
    ----------
    n, centre, deviation, ss : ndarray, shape (C,)
        The mean is centre + deviation, ss the sum of squares about it.

    Returns
    -------
    ndarray, shape (C, 4)
        0 where n is; what isn't finite stays so.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        mean = centre + deviation
        # What the sum of the two rounds off (Knuth).
        part = mean - centre
        residual = (centre - (mean - part)) + (deviation - part)
        records = np.column_stack([n, mean, residual, np.maximum(ss, 0.0)])
    return np.where((n > 0.0)[:, None], records, 0.0)


def is_one_value(records: Floats) -> npt.NDArray[np.bool_]:
    """Where all values are one, shape (C,): doubles about the mean lie so far apart that such a sum is rounding."""
    with np.errstate(invalid="ignore", over="ignore"):
        least = (np.spacing(np.abs(records[:, 1])) / 4.0) ** 2
    found: npt.NDArray[np.bool_] = (records[:, 0] == 1.0) | (records[:, 3] < least)
    return found


def _place(table: pa.Table, columns: CallColumns, row: int) -> str:
    label = ", ".join(str(table[name][row].as_py()) for name in columns.keys)
    return f"in {', '.join(map(own_name, columns.keys))} {label}"


def check_finite(table: pa.Table, columns: CallColumns, moments: Floats) -> None:
    """Refuse outcomes that aren't finite.

    Parameters
    ----------
    table : pyarrow.Table
        With the keys.
    columns : CallColumns
        The inner names.
    moments : ndarray, shape (p, C, 4)

    Raises
    ------
    ValueNotAllowedError
    """
    for i, name in enumerate(columns.outcomes):
        wrong = ~np.isfinite(moments[i]).all(axis=1)
        if wrong.any():
            raise ValueNotAllowedError(
                f"outcome column {own_name(name)!r} has an infinite value, or one too large to square, "
                f"{_place(table, columns, int(np.argmax(wrong)))}; recode it to missing or drop the row"
            )


def check_weights(table: pa.Table, columns: CallColumns) -> None:
    """Refuse weights that can't be, and a school's weight that varies.

    Parameters
    ----------
    table : pyarrow.Table
        With the keys, ``bad_``, ``v_low_`` and ``v_high_``, as `sums_about` makes them.
    columns : CallColumns
        The inner names.

    Raises
    ------
    ValueNotAllowedError, WeightVariesError
    """
    if not columns.weighted:
        return
    if columns.group_weights:
        low, high = column_of(table, "v_low_"), column_of(table, "v_high_")
        name = own_name(columns.group_weights)
        wrong = ~np.isnan(low) & ~((low >= SMALLEST_WEIGHT) & (high <= LARGEST_WEIGHT))
        if wrong.any():
            bad = int(np.argmax(wrong))
            value = high[bad] if low[bad] >= SMALLEST_WEIGHT else low[bad]
            raise ValueNotAllowedError(
                f"group_weights column {name!r} has {value:g} {_place(table, columns, bad)}; "
                f"a group's weight is above 0, from {SMALLEST_WEIGHT:g} to {LARGEST_WEIGHT:g}"
            )
        # Rows without a school's label may come from several schools.
        varies = (low < high) & ~lacks_label(table, columns)
        if varies.any():
            bad = int(np.argmax(varies))
            raise WeightVariesError(name, low[bad], high[bad], _place(table, columns, bad))
    wrong = column_of(table, "bad_") > 0.0
    if wrong.any():
        raise ValueNotAllowedError(
            f"weights column {own_name(columns.weights or '')!r} has a negative or infinite weight "
            f"{_place(table, columns, int(np.argmax(wrong)))}; a weight is 0, or from {SMALLEST_WEIGHT:g} to "
            f"{LARGEST_WEIGHT:g}"
        )


def lacks_label(table: pa.Table, columns: CallColumns) -> npt.NDArray[np.bool_]:
    """Whether any of a cell's labels is null, shape (C,)."""
    lacks: npt.NDArray[np.bool_] = np.any([np.asarray(table[name].is_null()) for name in columns.keys], axis=0)
    return lacks


def statistics_of_cells(table: pa.Table, columns: CallColumns, moments: Floats, weighted: Floats | None) -> GroupStats:
    """Return the statistics of cells, sorted.

    Parameters
    ----------
    table : pyarrow.Table
        With the keys, ``rows_``, and with weights ``no_weight_``, ``zero_weight_`` and ``v_low_``.
    columns : CallColumns
        The inner names.
    moments, weighted : ndarray, shape (p, C, 4) and (p, C, 5)

    Returns
    -------
    GroupStats
    """
    labels = []
    for name in columns.keys:
        column = table[name].combine_chunks()
        check_key_type("by" if name in columns.by else "group", pa.field(own_name(name), column.type))
        labels.append(column.cast(plain_type(column.type)))
    order = sort_order(labels)
    for name, column in zip(columns.keys, labels, strict=True):
        if name in columns.group:
            check_ids(own_name(name), column)
    take = as_arrow(order)
    keys = {own_name(name): column.take(take) for name, column in zip(columns.keys, labels, strict=True)}
    counts = np.zeros((table.num_rows, 3))
    for k, name in enumerate(["rows_", "no_weight_", "zero_weight_"] if columns.weighted else ["rows_"]):
        counts[:, k] = column_of(table, name)
    group_weight = None
    if columns.group_weights:
        group_weight = np.where(lacks_label(table, columns), np.nan, column_of(table, "v_low_"))[order]
    return GroupStats(
        keys=pa.table(keys),
        by=tuple(map(own_name, columns.by)),
        group=tuple(map(own_name, columns.group)),
        outcomes=tuple(map(own_name, columns.outcomes)),
        counts=counts[order],
        moments=np.take(moments, order, axis=1),
        weighted=None if weighted is None else np.take(weighted, order, axis=1),
        group_weight=group_weight,
        weights=columns.weights and own_name(columns.weights),
        group_weights=columns.group_weights and own_name(columns.group_weights),
    )
