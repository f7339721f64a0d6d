"""The weights of a tile's rows and groups: what may be one, which rows have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.columns import as_floats
from fastml.errors import ValueNotAllowedError
from fastml.roles import LARGEST_WEIGHT, SMALLEST_WEIGHT, Roles
from fastml.tilekeys import TileKeys

__all__ = ["Weights", "read_weights"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a tile.

    Attributes
    ----------
    by_row : ndarray, shape (n,)
        Weights of the rows, 1 where only groups have weights; NaN where any is missing.
    of_group : ndarray, shape (R,) or (K,), or None
        Weights of the groups, by record; NaN where unknown.
    counts : ndarray, shape (R, 3) or (K, 3), or None
        Rows without a weight in the second column, those of weight zero in the third; None where there is none.
    """

    by_row: Floats
    of_group: Floats | None
    counts: Floats | None


def read_weights(rows: pa.RecordBatch, keys: TileKeys, roles: Roles, place: Callable[[int], str]) -> Weights:
    """Read the weights of a tile.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    keys : TileKeys
    roles : Roles
        With weights of rows, of groups, or both.
    place : callable
        Where a row is, in words.

    Returns
    -------
    Weights

    Raises
    ------
    ValueNotAllowedError
        A negative or infinite weight, or one so large or small that sums leave the range of doubles; a group weight
        that is zero, or varies within a group.
    """
    from fastml.kernels import weights as kernel

    by_row, of_group, n_without = None, None, 0
    if roles.weights:
        by_row = as_floats(rows.column(roles.weights))
        n_without = _check("weights", roles.weights, by_row, place)
    if roles.group_weights:
        values = as_floats(rows.column(roles.group_weights))
        n_unknown = _check("group_weights", roles.group_weights, values, place)
        of_group = _of_groups(roles.group_weights, values, keys, place)
        by_row = np.ones(len(values)) if by_row is None else by_row
        if n_unknown:
            by_row, n_without = np.where(np.isnan(values), np.nan, by_row), n_without + n_unknown
    assert by_row is not None
    counts = None
    if n_without:
        counts = np.zeros((keys.n_records, 3))
        kernel.count_weights(keys.record_of_row(), by_row, counts)
    return Weights(by_row, of_group, counts)


def _check(role: str, name: str, weights: Floats, place: Callable[[int], str]) -> int:
    """Refuse what can't be a weight; return how many rows have none, or 0."""
    from fastml.kernels import weights as kernel

    of_group = role == "group_weights"
    bad, n_without = kernel.check_weights(weights, SMALLEST_WEIGHT, LARGEST_WEIGHT, not of_group)
    if bad < 0:
        return int(n_without)
    weight = weights[bad]
    if 0.0 < weight < np.inf:
        remedy = f"a weight is from {SMALLEST_WEIGHT:g} to {LARGEST_WEIGHT:g}: multiply the column by a constant"
    else:
        remedy = "a group's weight is a finite number above 0" if of_group else "a weight is a finite number, 0 or more"
    raise ValueNotAllowedError(f"{role} column {name!r} has {weight:g} {place(bad)}; {remedy}")


def _of_groups(name: str, values: Floats, keys: TileKeys, place: Callable[[int], str]) -> Floats:
    """Weight of the group of each record."""
    from fastml.kernels import weights as kernel

    nameless = np.zeros(len(keys.table), bool)
    for labels in keys.table.take():
        nameless |= np.asarray(labels.is_null())
    if nameless.any():
        # Rows without a label are dropped, and may come from several groups.
        values = np.where(nameless[keys.by_row()], np.nan, values)
    known = np.full(keys.n_records, np.nan)
    if keys.starts is None:
        bad = kernel.same_in_group(keys.by_row(), values, known)
    else:
        bad = kernel.run_values(keys.starts, values, known)
    if bad >= 0:
        raise ValueNotAllowedError(
            f"group_weights column {name!r} varies within a group: {float(values[bad])!r} and "
            f"{float(known[keys.record_at(bad)])!r} {place(bad)}; a group has one weight"
        )
    return known
