"""The weights of a tile's rows and groups: what may be one, which rows have none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError, WeightVariesError
from fastml.io.columns import as_floats
from fastml.keys.row_codes import RowCodes
from fastml.reduce.columns import LARGEST_WEIGHT, SMALLEST_WEIGHT, CallColumns
from fastml.reduce.missing_codes import codes_of_weights, without_codes

__all__ = ["count_without", "group_weights", "row_weights"]

Floats = npt.NDArray[np.float64]
Place = Callable[[int], str]


def row_weights(rows: pa.RecordBatch, columns: CallColumns) -> Floats:
    """Weights of the rows of a tile as they stand.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    columns : CallColumns
        With weights of rows, of groups, or both.

    Returns
    -------
    ndarray, shape (n,)
        1 where only groups have weights; NaN where any weight is missing. What can't be a weight is there too.
    """
    codes = codes_of_weights(columns.missing)
    by_row = (
        without_codes(as_floats(rows.column(columns.weights)), codes) if columns.weights else np.ones(rows.num_rows)
    )
    if columns.group_weights:
        of_group = _group_weight(rows, columns)
        if np.isnan(of_group.min()):
            by_row = np.where(np.isnan(of_group), np.nan, by_row)
    return by_row


def count_without(by_row: Floats, keys: RowCodes, columns: CallColumns, place: Place) -> Floats | None:
    """Count the rows without a weight.

    Parameters
    ----------
    by_row : ndarray, shape (n,)
        As `row_weights` gives them.
    keys : RowCodes
    columns : CallColumns
    place : callable
        Where a row is, in words.

    Returns
    -------
    ndarray, shape (R, 3) or (K, 3), or None
        By record, rows without a weight in the second column, those of weight zero in the third; None: there is none.

    Raises
    ------
    ValueNotAllowedError
        A negative or infinite weight, or one so large or small that sums leave the range of doubles.
    """
    from fastml.kernels.sums import weighted as kernel

    bad, n_without = kernel.check_weights(by_row, SMALLEST_WEIGHT, LARGEST_WEIGHT, True)
    if bad >= 0:
        _refuse("weights", columns.weights, by_row[bad], place(bad))
    if not n_without:
        return None
    counts = np.zeros((keys.n_records, 3))
    kernel.count_weights(keys.record_of_row(), by_row, counts)
    return counts


def group_weights(rows: pa.RecordBatch, keys: RowCodes, columns: CallColumns, place: Place) -> Floats:
    """Weight of the group of each record.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    keys : RowCodes
    columns : CallColumns
        With weights of groups.
    place : callable
        Where a row is, in words.

    Returns
    -------
    ndarray, shape (R,) or (K,)
        NaN where unknown.

    Raises
    ------
    ValueNotAllowedError
        A weight that varies within a group, is zero or negative, or leaves the range of doubles with sums.
    """
    from fastml.kernels.sums import weighted as kernel

    name = str(columns.group_weights)
    values = _group_weight(rows, columns)
    bad, _ = kernel.check_weights(values, SMALLEST_WEIGHT, LARGEST_WEIGHT, False)
    if bad >= 0:
        _refuse("group_weights", name, values[bad], place(bad))
    unlabelled = keys.unlabelled()
    if unlabelled.any():
        values = np.where(unlabelled[keys.by_row()], np.nan, values)
    known = np.full(keys.n_records, np.nan)
    if keys.starts is None:
        bad = kernel.same_in_group(keys.by_row(), values, known)
    else:
        bad = kernel.run_values(keys.starts, values, known)
    if bad >= 0:
        raise WeightVariesError(name, values[bad], known[keys.record_at(bad)], place(bad))
    return known


def _group_weight(rows: pa.RecordBatch, columns: CallColumns) -> Floats:
    """Group's weight of each row, the product of its columns; NaN where one is missing."""
    codes = codes_of_weights(columns.missing)
    first, *others = (without_codes(as_floats(rows.column(name)), codes) for name in columns.group_factors)
    for factor in others:
        first = first * factor
    return first


def _refuse(argument: str, name: str | None, weight: float, place: str) -> None:
    if 0.0 < weight < np.inf:
        remedy = f"a weight is from {SMALLEST_WEIGHT:g} to {LARGEST_WEIGHT:g}: multiply the column by a constant"
    elif argument == "weights":
        remedy = "a weight is a finite number, 0 or more"
    else:
        remedy = "a group's weight is a finite number above 0"
    raise ValueNotAllowedError(f"{argument} column {name!r} has {weight:g} {place}; {remedy}")
