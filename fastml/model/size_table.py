"""Groups brought together by size: all that the likelihood sees of them, and whether it has a maximum.

The deviance depends on the groups only through the distinct sizes, so a `SizeTable` of one column per size is all that
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
from fastml.kernels.sorting import integer_order

__all__ = ["SizeTable", "SizeTables", "check_groups", "check_part", "group_by_size", "reduce_sizes"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

# Means beyond, and sums of squares below, leave no room for the arithmetic of doubles; so do group means that differ
# by so many within-group standard deviations.
LARGEST_MEAN = 1e300
SMALLEST_SS = 1e-300
SMALLEST_MEAN = 1e-140
LARGEST_SPREAD = 1e50


class _Columns:
    """Names for the rows of `columns`."""

    columns: Floats

    def _row(self, place: int) -> Floats:
        row: Floats = self.columns[place]
        return row

    @property
    def size(self) -> Floats:
        """Distinct group sizes."""
        return self._row(0)

    @property
    def count(self) -> Floats:
        """Groups of that size."""
        return self._row(1)

    @property
    def mean(self) -> Floats:
        """Mean of their means, less the origin, in the unit."""
        return self._row(2)

    @property
    def ss(self) -> Floats:
        """Sum of squares of their means about `mean`, in the unit squared."""
        return self._row(3)


@dataclass(frozen=True, eq=False)
class SizeTable(_Columns):
    """Groups brought together by size: what the likelihood needs and no more.

    Attributes
    ----------
    columns : ndarray, shape (4, S)
        A column for each distinct group size, smallest first; its rows are `size`, `count`, `mean` and `ss`, and
        kernels take the array as it is. What more the likelihood may come to need of the groups of a size (their
        cross-products with covariates, say) is a further row here.
    ssw : float
        Pooled within-group sum of squares, in `unit` squared.
    origin, unit : float
        A score y is (y - origin)/unit here; `unit` is a power of two.
    n_obs, n_groups : int
        Observations N and groups J.
    """

    columns: Floats
    ssw: float
    origin: float
    unit: float
    n_obs: int
    n_groups: int


@dataclass(frozen=True, eq=False)
class SizeTables(_Columns):
    """The size tables of K parts end to end: part k has columns ``offsets[k]`` to ``offsets[k + 1]``.

    Attributes
    ----------
    offsets : ndarray of int64, shape (K + 1,)
    columns : ndarray, shape (4, T)
        As in `SizeTable`, each part in its own unit and about its own origin.
    ssw, origin, unit : ndarray, shape (K,)
    n_obs, n_groups : ndarray of int64, shape (K,)
    same_mean : ndarray of bool, shape (K,)
        Whether all groups of the part have the same mean.
    largest, spread : ndarray, shape (K,)
        Largest absolute mean, in score points; largest deviation of one from the origin, in the part's unit.
    """

    offsets: Int64s
    columns: Floats
    ssw: Floats
    origin: Floats
    unit: Floats
    n_obs: Int64s
    n_groups: Int64s
    same_mean: npt.NDArray[np.bool_]
    largest: Floats
    spread: Floats


def reduce_sizes(n: Int64s, mean: Floats, residual: Floats, ss: Floats) -> SizeTable:
    """Bring groups together by size.

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
    tables = group_by_size(np.zeros(n.size, np.int64), 1, n, mean, residual, ss)
    check_part(tables, 0)
    return SizeTable(
        columns=tables.columns,
        ssw=float(tables.ssw[0]),
        origin=float(tables.origin[0]),
        unit=float(tables.unit[0]),
        n_obs=int(tables.n_obs[0]),
        n_groups=int(tables.n_groups[0]),
    )


def group_by_size(part: Int64s, n_parts: int, n: Int64s, mean: Floats, residual: Floats, ss: Floats) -> SizeTables:
    """Bring the groups of many parts together by size, each part on its own.

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
    edges = _edges(part, n_parts)
    n_groups = edges[1:] - edges[:-1]
    if n_parts > 1:
        by_part = _order(part, edges)
        n = np.take(n, by_part)
        mean, residual, ss = (np.take(values, by_part) for values in (mean, residual, ss))
    (filled,) = n_groups.nonzero()

    def over_parts(reduce: np.ufunc, values: npt.NDArray[Any], empty: float) -> npt.NDArray[Any]:
        figures = np.full(n_parts, empty, values.dtype)
        if len(filled):
            figures[filled] = reduce.reduceat(values, edges[filled])
        return figures

    with np.errstate(all="ignore"):  # what is out of range is refused by `check_part`
        n_obs, ssw = over_parts(np.add, n, 0), over_parts(np.add, ss, 0.0)
        origin = over_parts(np.add, mean, 0.0) / n_groups
        low, high = over_parts(np.fmin, mean, math.inf), over_parts(np.fmax, mean, -math.inf)
        within = ssw / (n_obs - n_groups)
        exponent = np.frexp(np.where(np.isfinite(within), within, 1.0))[1] // 2
        deviation = mean - _of_groups(origin, n_groups)
        deviation += residual
        deviation *= _of_groups(np.ldexp(1.0, -exponent), n_groups)
    distance = np.abs(deviation)
    if not (distance < LARGEST_SPREAD).all():
        # What is no number is too far as well; both are refused, and must not spoil the other parts' sums.
        deviation[~(distance < LARGEST_SPREAD)] = LARGEST_SPREAD
        distance = np.abs(deviation)
    spread = over_parts(np.maximum, distance, 0.0)
    order = _by_size(n, edges)
    n, deviation = np.take(n, order), np.take(deviation, order)
    is_start = np.zeros(len(n), np.bool_)  # where a part begins, or another size in it
    is_start[1:] = n[1:] != n[:-1]
    is_start[edges[filled]] = True
    (starts,) = is_start.nonzero()
    columns = np.empty((4, len(starts)))
    columns[0], columns[1:] = n[starts], _moments(deviation, starts)
    return SizeTables(
        offsets=np.searchsorted(starts, edges),
        columns=columns,
        ssw=np.ldexp(np.ldexp(ssw, -exponent), -exponent),  # 4^exponent may be more than a double holds
        origin=origin,
        unit=np.ldexp(1.0, exponent),
        n_obs=n_obs,
        n_groups=n_groups,
        same_mean=~(low < high),
        largest=np.maximum(np.maximum(-low, high), 0.0),
        spread=spread,
    )


def _of_groups(figures: Floats, n_groups: Int64s) -> Floats:
    """Figures of parts (K,) for each of their groups: (J,), or (1,) where there is one part."""
    return figures if len(figures) == 1 else np.repeat(figures, n_groups)


def _moments(values: Floats, starts: Int64s) -> tuple[Int64s, Floats, Floats]:
    """Number, mean and sum of squares about it, of the values (J,) from each start to the next.

    NumPy adds in pairs, not one value to the sum of millions, which would cost digits.
    """
    if not len(starts):
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    count = np.concatenate((starts[1:], [len(values)])) - starts
    mean = np.add.reduceat(values, starts) / count
    # The mean is off by rounding; the mean of what is left over puts it right, and the squares with it.
    rest = np.repeat(mean, count)
    np.subtract(values, rest, out=rest)
    correction = np.add.reduceat(rest, starts) / count
    rest *= rest
    squares = np.add.reduceat(rest, starts) - count * correction * correction
    return count, mean + correction, np.maximum(squares, 0.0)


def _by_size(n: Int64s, edges: Int64s) -> Int64s:
    """Order of groups (J,) that are sorted by part by size as well."""
    if len(edges) == 2:
        return integer_order(n)
    size = n - n.min() if len(n) else n
    span = int(size.max()) + 1 if len(n) else 0
    order = integer_order(n) if span > len(n) else _order(size, _edges(size, span))
    return _order(np.repeat(np.arange(len(edges) - 1), np.diff(edges)), edges, order)


def _order(keys: Int64s, edges: Int64s, order: Int64s | None = None) -> Int64s:
    """Stable order by key, each of which has places from one of the edges to the next, of groups in some order."""
    from fastml.kernels.sorting import place

    found = np.empty(len(keys), np.int64)
    place(keys, np.arange(len(keys)) if order is None else order, edges.copy(), found)
    return found


def _edges(keys: Int64s, n_keys: int) -> Int64s:
    """Where each key begins when they are sorted, and behind them the number of keys."""
    if n_keys == 1:
        return np.array([0, len(keys)])
    return np.concatenate(([0], np.cumsum(np.bincount(keys, minlength=n_keys))))


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
        unit,
    )


def check_groups(
    n_groups: int, n_obs: int, ssw: float, same_mean: bool, largest: float, spread: float, unit: float
) -> None:
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
    unit : float
        What that is in, score points.

    Raises
    ------
    ModelError
    """
    if n_groups == 0:
        raise ModelError("there are no observations to fit; check the filter and the missing values", "no_rows")
    if n_groups == 1:
        raise ModelError("there is one group only; the variance between groups needs at least two", "one_group")
    if n_obs == n_groups:
        raise ModelError(
            f"every one of the {n_groups:,} groups has a single observation, so the variance within groups can't be "
            "told from the variance between them; is the group column an id of students?",
            "singletons",
        )
    ssb = n_obs * (spread * unit) * (spread * unit)  # no less than the sum of squares between groups
    if math.isinf(ssb) or not (math.isfinite(ssw) and largest < LARGEST_MEAN):
        raise ModelError(
            "the sums of squares are too large for double precision; divide the outcome by a constant", "too_large"
        )
    if ssw < SMALLEST_SS and 0.0 < largest < SMALLEST_MEAN:
        raise ModelError(
            f"the outcome is too small to square in double precision (means up to {largest:g}); "
            "multiply it by a constant",
            "too_small",
        )
    if ssw == 0.0:
        if same_mean:
            raise ModelError("the outcome has the same value in every row; there is no variation to divide", "constant")
        raise ModelError(
            "the outcome is constant inside every group, so sigma2 is 0 and the likelihood has no maximum; "
            "is it a variable of the group?",
            "constant_in_groups",
        )
    if not spread < LARGEST_SPREAD:
        raise ModelError(
            "the outcome differs so much more between groups than within them that double precision can't hold both; "
            "is it a variable of the group?",
            "almost_constant_in_groups",
        )
    if ssw < SMALLEST_SS:
        raise ModelError(
            f"the outcome is too small to square in double precision (sum of squares within groups {ssw:g}); "
            "multiply it by a constant",
            "too_small",
        )
