"""The weights of a tile's rows and groups: what may be one, which rows have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError, WeightVariesError
from fastml.io.columns import as_floats
from fastml.keys.row_codes import RowCodes
from fastml.reduce.columns import LARGEST_WEIGHT, SMALLEST_WEIGHT, CallColumns
from fastml.reduce.missing_codes import codes_of_weights, without_codes

__all__ = ["GroupWeights", "count_without", "group_weights", "row_weights", "weights_of_records"]

Floats = npt.NDArray[np.float64]
Place = Callable[[int], str]


@dataclass(frozen=True, eq=False)
class GroupWeights:
    """The weight of each row's group, in a tile.

    Attributes
    ----------
    values : ndarray, shape (n,)
        The product of the columns; NaN where one is missing.
    bad : int
        The first row with what can't be a weight; -1 where there is none.
    complete : bool
        Whether all rows have one that can be.
    top : float
        The greatest of the values.
    """

    values: Floats
    bad: int
    complete: bool
    top: float


def group_weights(rows: pa.RecordBatch, columns: CallColumns) -> GroupWeights | None:
    """Weights of the groups of a tile's rows.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    columns : CallColumns

    Returns
    -------
    GroupWeights or None
        None where groups have no weights.
    """
    from fastml.kernels.sums import weighted as kernel

    if not columns.group_weights:
        return None
    codes = codes_of_weights(columns.missing)
    values, *others = (without_codes(as_floats(rows.column(name)), codes) for name in columns.group_factors)
    for factor in others:
        values = values * factor
    bad, n_others, top = kernel.check_weights(values, SMALLEST_WEIGHT, LARGEST_WEIGHT, False)
    return GroupWeights(values, bad, not n_others, top)


def row_weights(rows: pa.RecordBatch, columns: CallColumns, of_groups: GroupWeights | None) -> Floats:
    """Weights of the rows of a tile as they stand.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    columns : CallColumns
        With weights of rows, of groups, or both.
    of_groups : GroupWeights or None
        As `group_weights` gives them.

    Returns
    -------
    ndarray, shape (n,)
        1 where only groups have weights; NaN where any weight is missing. What can't be a weight is there too.
    """
    codes = codes_of_weights(columns.missing)
    by_row = (
        without_codes(as_floats(rows.column(columns.weights)), codes) if columns.weights else np.ones(rows.num_rows)
    )
    if of_groups is not None and not of_groups.complete:
        by_row = np.where(np.isnan(of_groups.values), np.nan, by_row)
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

    bad, n_without, _ = kernel.check_weights(by_row, SMALLEST_WEIGHT, LARGEST_WEIGHT, True)
    if bad >= 0:
        _refuse("weights", columns.weights, by_row[bad], place(bad))
    if not n_without:
        return None
    counts = np.zeros((keys.n_records, 3))
    kernel.count_weights(keys.record_of_row(), by_row, counts)
    return counts


def weights_of_records(of_groups: GroupWeights, keys: RowCodes, columns: CallColumns, place: Place) -> Floats:
    """Weight of the group of each record.

    Parameters
    ----------
    of_groups : GroupWeights
        As `group_weights` gives them.
    keys : RowCodes
    columns : CallColumns
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

    name, values, bad = str(columns.group_weights), of_groups.values, of_groups.bad
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


def _refuse(argument: str, name: str | None, weight: float, place: str) -> None:
    if 0.0 < weight < np.inf:
        remedy = f"a weight is from {SMALLEST_WEIGHT:g} to {LARGEST_WEIGHT:g}: multiply the column by a constant"
    elif argument == "weights":
        remedy = "a weight is a finite number, 0 or more"
    else:
        remedy = "a group's weight is a finite number above 0"
    raise ValueNotAllowedError(f"{argument} column {name!r} has {weight:g} {place}; {remedy}")
