"""Groups gathered by size: all that the likelihood sees of them, and whether it has a maximum.

The deviance depends on the groups only through the distinct sizes, so a `SizeTable` of one row per size is all that
the optimiser and the inference need. It is in units where the pooled within-group variance is about 1 (a power of two,
so that scaling the scores by one changes no digit), and its means are relative to an origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import ModelError
from fastml.keys import integer_order

__all__ = ["SizeTable", "SizeTables", "check_groups", "check_part", "gather_sizes", "reduce_sizes"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

# Means beyond, and sums of squares below, leave no room for the arithmetic of doubles; so do group means that differ
# by so many within-group standard deviations.
LARGEST_MEAN = 1e300
SMALLEST_SS = 1e-300
SMALLEST_MEAN = 1e-140
LARGEST_SPREAD = 1e50


@dataclass(frozen=True)
class SizeTable:
    """Groups gathered by size: what the likelihood needs and no more.

    Attributes
    ----------
    size : ndarray, shape (S,)
        Distinct group sizes, rising.
    count : ndarray, shape (S,)
        Groups of that size.
    mean : ndarray, shape (S,)
        Mean of their means, less `origin`, in `unit`.
    ss : ndarray, shape (S,)
        Sum of squares of their means about `mean`, in `unit` squared.
    ssw : float
        Pooled within-group sum of squares, in `unit` squared.
    origin, unit : float
        A score y is (y - origin)/unit here; `unit` is a power of two.
    n_obs, n_groups : int
        Observations N and groups J.
    """

    size: Floats
    count: Floats
    mean: Floats
    ss: Floats
    ssw: float
    origin: float
    unit: float
    n_obs: int
    n_groups: int


@dataclass(frozen=True)
class SizeTables:
    """The size tables of K parts end to end: part k has rows ``offsets[k]`` to ``offsets[k + 1]``.

    Attributes
    ----------
    offsets : ndarray of int64, shape (K + 1,)
    size, count, mean, ss : ndarray, shape (T,)
        As in `SizeTable`, each part in its own unit and about its own origin.
    ssw, origin, unit : ndarray, shape (K,)
    n_obs, n_groups : ndarray of int64, shape (K,)
    same_mean : ndarray of bool, shape (K,)
        Whether all groups of the part have the same mean.
    largest, spread : ndarray, shape (K,)
        Largest absolute mean, in score points; largest deviation of one from the origin, in the part's unit.
    """

    offsets: Int64s
    size: Floats
    count: Floats
    mean: Floats
    ss: Floats
    ssw: Floats
    origin: Floats
    unit: Floats
    n_obs: Int64s
    n_groups: Int64s
    same_mean: npt.NDArray[np.bool_]
    largest: Floats
    spread: Floats


def reduce_sizes(n: Int64s, mean: Floats, residual: Floats, ss: Floats) -> SizeTable:
    """Gather groups by size.

    Parameters
    ----------
    n : ndarray, shape (J,)
        Group sizes, 1 or more.
    mean, residual : ndarray, shape (J,)
        Group means, and what the true mean is more than that double: no digit is lost when all share a large part.
    ss : ndarray, shape (J,)
        Within-group sums of squares.

    Returns
    -------
    SizeTable

    Raises
    ------
    ModelError
        With fewer than two groups, only singletons, or no variation inside any group: the likelihood has no
        maximum then.
    """
    tables = gather_sizes(np.zeros(n.size, np.int64), 1, n, mean, residual, ss)
    check_part(tables, 0)
    n_groups, n_obs, ssw = int(tables.n_groups[0]), int(tables.n_obs[0]), float(tables.ssw[0])
    return SizeTable(
        size=tables.size,
        count=tables.count,
        mean=tables.mean,
        ss=tables.ss,
        ssw=ssw,
        origin=float(tables.origin[0]),
        unit=float(tables.unit[0]),
        n_obs=n_obs,
        n_groups=n_groups,
    )


def gather_sizes(part: Int64s, n_parts: int, n: Int64s, mean: Floats, residual: Floats, ss: Floats) -> SizeTables:
    """Gather the groups of many parts by size, each part on its own.

    Parameters
    ----------
    part : ndarray of int64, shape (J,)
        Which part a group belongs to, from 0 to K - 1.
    n_parts : int
        Number of parts, K.
    n, mean, residual, ss : ndarray, shape (J,)
        As in `reduce_sizes`.

    Returns
    -------
    SizeTables
    """
    n_groups = np.bincount(part, minlength=n_parts)
    edges = np.concatenate(([0], np.cumsum(n_groups)))
    # Groups by part and size: sums of runs are pairwise, those of `bincount` lose digits with many.
    order = _order(part, n)
    ordered_n, deviation = n[order], mean[order]
    present = n_groups > 0
    part_starts = edges[:-1][present]

    def by_part(reduce: np.ufunc, values: npt.NDArray[Any], empty: float) -> npt.NDArray[Any]:
        found = np.full(n_parts, empty, values.dtype)
        found[present] = _reduced(reduce, values, part_starts)
        return found

    def range_by_part() -> tuple[Floats, Floats]:
        return by_part(np.minimum, deviation, np.inf), by_part(np.maximum, deviation, -np.inf)

    n_obs = by_part(np.add, ordered_n, 0)
    ssw = by_part(np.add, ss[order], 0.0)
    # What overflows is refused by `check_part`.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        origin = by_part(np.add, deviation, 0.0) / n_groups
        exponent = np.frexp(ssw / (n_obs - n_groups))[1] // 2
        unit = np.ldexp(1.0, exponent)
        largest = _largest(*range_by_part())
        deviation -= np.repeat(origin, n_groups)
        deviation += residual[order]
        deviation /= np.repeat(unit, n_groups)
        low, high = range_by_part()
        spread = _largest(low, high)
    if not np.all(spread < LARGEST_SPREAD):
        deviation[~(np.abs(deviation) < LARGEST_SPREAD)] = LARGEST_SPREAD
    first = np.diff(ordered_n, prepend=0) != 0
    first[part_starts] = True
    starts = np.flatnonzero(first)
    count = np.diff(starts, append=len(order))
    size_mean = _reduced(np.add, deviation, starts) / count
    deviation -= np.repeat(size_mean, count)
    # The mean of a size's means is off by rounding; what is left over is put back, so that ss is about the true one.
    correction = _reduced(np.add, deviation, starts) / count
    deviation -= np.repeat(correction, count)
    return SizeTables(
        offsets=np.searchsorted(starts, edges),
        size=ordered_n[starts].astype(np.float64),
        count=count.astype(np.float64),
        mean=size_mean + correction,
        ss=_reduced(np.add, deviation**2, starts),
        ssw=np.ldexp(ssw, -2 * exponent),
        origin=origin,
        unit=unit,
        n_obs=n_obs,
        n_groups=n_groups,
        same_mean=~(low < high),
        largest=largest,
        spread=spread,
    )


def _order(part: Int64s, n: Int64s) -> Int64s:
    """Order of the groups by part, in it by size."""
    order = integer_order(n)
    return order[integer_order(part[order])] if part.any() else order


def _reduced(reduce: np.ufunc, values: npt.NDArray[Any], starts: Int64s) -> npt.NDArray[Any]:
    """Reduce each run of values (J,), the runs beginning at `starts`."""
    found: npt.NDArray[Any] = reduce.reduceat(values, starts) if len(starts) else values[:0]
    return found


def _largest(low: Floats, high: Floats) -> Floats:
    """Largest absolute value between each of two limits; 0 where there is no value, as `low` is above `high`."""
    found: Floats = np.maximum(np.maximum(-low, high), 0.0)
    return found


def check_part(tables: SizeTables, part: int) -> None:
    """Refuse a part whose likelihood has no maximum, or can't be computed in doubles.

    Parameters
    ----------
    tables : SizeTables
    part : int

    Raises
    ------
    ModelError
    """
    unit = float(tables.unit[part])
    check_groups(
        int(tables.n_groups[part]),
        int(tables.n_obs[part]),
        float(tables.ssw[part]) * unit * unit,
        bool(tables.same_mean[part]),
        float(tables.largest[part]),
        float(tables.spread[part]),
    )


def check_groups(n_groups: int, n_obs: int, ssw: float, same_mean: bool, largest: float, spread: float) -> None:
    """Refuse groups whose likelihood has no maximum, or can't be computed in doubles.

    Parameters
    ----------
    n_groups, n_obs : int
    ssw : float
        Pooled within-group sum of squares, weighted or not, in score points squared.
    same_mean : bool
        Whether all groups have the same mean.
    largest : float
        Largest absolute mean, score points.
    spread : float
        Largest deviation of a mean from the others, in within-group standard deviations, to a factor of 2.

    Raises
    ------
    ModelError
    """
    if n_groups == 0:
        raise ModelError("there are no observations to fit; check the filter and the missing values")
    if n_groups == 1:
        raise ModelError("there is one group only; the variance between groups needs at least two")
    if n_obs == n_groups:
        raise ModelError(
            f"every one of the {n_groups:,} groups has a single observation, so the variance within groups can't be "
            "told from the variance between them; is the group column an id of students?"
        )
    if not (math.isfinite(ssw) and largest < LARGEST_MEAN):
        raise ModelError("the sums of squares are too large for double precision; divide the outcome by a constant")
    if ssw < SMALLEST_SS and 0.0 < largest < SMALLEST_MEAN:
        raise ModelError(
            f"the outcome is too small to square in double precision (means up to {largest:g}); "
            "multiply it by a constant"
        )
    if ssw == 0.0:
        if same_mean:
            raise ModelError("the outcome has the same value in every row; there is no variation to divide")
        raise ModelError(
            "the outcome is constant inside every group, so sigma2 is 0 and the likelihood has no maximum; "
            "is it a variable of the group?"
        )
    if not spread < LARGEST_SPREAD:
        raise ModelError(
            "the outcome differs so much more between groups than within them that double precision can't hold both; "
            "is it a variable of the group?"
        )
    if ssw < SMALLEST_SS:
        raise ModelError(
            f"the outcome is too small to square in double precision (sum of squares within groups {ssw:g}); "
            "multiply it by a constant"
        )
