"""The profile deviance of theta = tau00/sigma2: what is asked of it, its local minima, and which of them is lowest.

The derivative by theta, the score, is looked at on a grid over log theta. A minimum is where it turns from negative to
positive, between two points of the grid or at a near miss: three points of one sign, the middle one nearest to 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Minimum", "evaluate_many", "find_minimum", "search_ranges"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


def evaluate_many(columns: Floats, thetas: Floats, origin: float, ssw: float, dof: float, restricted: bool) -> Floats:
    """Compute all that the kernel knows of the deviance at many thetas.

    Parameters
    ----------
    columns : ndarray, shape (4, S)
        Of a `SizeTable`.
    thetas : ndarray, shape (T,)
    origin : float
        Theta that the deviances are measured from.
    ssw, dof : float
    restricted : bool

    Returns
    -------
    ndarray, shape (T, 11)
        The fields of `Terms`, deviance(theta) - deviance(origin) without the cancellation of subtracting the two,
        and the derivative of the deviance by theta.
    """
    from fastml.kernels.likelihood import profile as kernel

    out = np.empty((1 + len(thetas), kernel.N_FIELDS))
    kernel.evaluate(np.concatenate(([origin], thetas)), columns, ssw, dof, restricted, out)
    return out[1:]


@dataclass(frozen=True, eq=False)
class Minimum:
    """The global minimum of a deviance: its theta, the row of `evaluate_many` there, and how it was found.

    `thetas` and `relative`: every local minimum and its deviance less the global one's; `evaluations` of the score.
    """

    theta: float
    fields: Floats
    thetas: Floats
    relative: Floats
    evaluations: int


def find_minimum(columns: Floats, ssw: float, dof: float, restricted: bool) -> Minimum | None:
    """Find every local minimum of the deviance, and which of them is lowest.

    Parameters
    ----------
    columns : ndarray, shape (4, S)
    ssw, dof : float
    restricted : bool

    Returns
    -------
    Minimum or None
        None where rounding left no minimum to be found.
    """
    score = _Score(columns, ssw, dof, restricted)
    thetas = np.array([_of_one_size(score)] if columns.shape[1] == 1 else list(_minima(score)))
    if not len(thetas):
        return None
    rows = evaluate_many(columns, thetas, float(thetas[0]), ssw, dof, restricted)
    best = int(np.argmin(rows[:, 9]))
    return Minimum(float(thetas[best]), rows[best], thetas, rows[:, 9] - rows[best, 9], score.evaluations)


def search_ranges(columns: Floats, offsets: Int64s, ssw: Floats, dof: Floats, restricted: bool) -> Floats:
    """Lowest and highest log theta to look at: below, the score is linear in theta; above, it is positive.

    Parameters
    ----------
    columns : ndarray, shape (4, T)
        Of K tables end to end.
    offsets : ndarray of int64, shape (K + 1,)
        Table k has columns ``offsets[k]`` to ``offsets[k + 1]``.
    ssw, dof : ndarray, shape (K,)
    restricted : bool

    Returns
    -------
    ndarray, shape (K, 2)
        NaN for tables without columns; the lowest is infinite where all sizes are 0.
    """
    ranges, (filled,) = np.full((len(ssw), 2), np.nan), (offsets[1:] > offsets[:-1]).nonzero()
    if not len(filled):
        return ranges
    begins, (size, count, mean, ss) = offsets[filled], columns
    with np.errstate(all="ignore"):  # tables that can't be fitted
        groups = np.add.reduceat(count, begins)
        apart = np.fmax.reduceat(mean, begins) - np.fmin.reduceat(mean, begins)
        spread = np.add.reduceat(ss, begins) + groups * apart * apart
        free = np.maximum(groups - 1.0, 0.5 * groups) if restricted else groups
        by_size = 1e3 / np.minimum.reduceat(size, begins)
        highest = np.fmax(by_size, 10.0 * (dof[filled] / free) * (spread / ssw[filled]))  # NaN is none
        ranges[filled, 0] = np.log(1e-3 / np.maximum.reduceat(size, begins))
        ranges[filled, 1] = np.log(np.minimum(highest, 1e300))
    return ranges


@dataclass
class _Score:
    """The score of a table, and how often it was evaluated."""

    columns: Floats
    ssw: float
    dof: float
    restricted: bool
    evaluations: int = 0

    def at(self, thetas: Floats) -> Floats:
        from fastml.kernels.likelihood import profile as kernel

        out = np.empty(len(thetas))
        kernel.scores(thetas, self.columns, self.ssw, self.dof, self.restricted, out)
        self.evaluations += len(thetas)
        return out

    def root(self, low: float, high: float) -> float:
        """Where it is 0, between two thetas."""
        from fastml.kernels.likelihood import profile as kernel

        guess = 0.5 * high if low == 0.0 else math.sqrt(low) * math.sqrt(high)
        theta, evaluations = kernel.find_root(guess, low, high, self.columns, self.ssw, self.dof, self.restricted)
        self.evaluations += evaluations
        return float(theta)


def _of_one_size(score: _Score) -> float:
    """Minimum where all groups have one size: the score has one root, (MSB/MSW - 1)/size, or none above zero."""
    (size,), (count,), _, (ss,) = score.columns.tolist()
    free = count - 1.0 if score.restricted else count
    root = (size * (ss / free) / (score.ssw / (score.dof - free)) - 1.0) / size
    return root if score.at(np.zeros(1))[0] < 0.0 and root > 0.0 else 0.0


def _minima(score: _Score) -> Iterator[float]:
    """Every local minimum on theta >= 0, from the least theta up; 0 is one where the score there is not negative."""
    from fastml.kernels.likelihood.profile import STEP

    ends = np.array([0, score.columns.shape[1]])
    one = np.array([score.ssw]), np.array([score.dof])
    low, high = search_ranges(score.columns, ends, *one, score.restricted)[0].tolist()
    if not low < high:
        return
    log_thetas = np.concatenate(([-math.inf], low + STEP * np.arange(math.ceil((high - low) / STEP) + 2)))
    thetas = np.exp(log_thetas)
    values = score.at(thetas)
    values[1:] *= thetas[1:]  # the derivative by log theta
    negative, height = values < 0.0, np.abs(values)
    if not negative[0]:
        yield 0.0
    (turns,) = (negative[:-1] & (values[1:] >= 0.0)).nonzero()
    are_alike, left, middle, right = negative[1:] == negative[:-1], height[1:-2], height[2:-1], height[3:]
    (misses,) = (are_alike[1:-1] & are_alike[2:] & (right > 0.0) & (middle <= left) & (middle <= right)).nonzero()
    for i in sorted([*(turns + 1), *(misses + 3)]):
        if negative[i - 1] and not negative[i]:
            yield score.root(thetas[i - 1], thetas[i])
        elif inside := _cross_zero(
            score, log_thetas[i - 2 : i + 1].tolist(), -1.0 if negative[i] else 1.0, height[i - 1]
        ):
            yield score.root(thetas[i - 2], inside) if negative[i] else score.root(inside, thetas[i])


def _cross_zero(score: _Score, log_thetas: list[float], sign: float, height: float) -> float | None:
    """A theta near a minimum of sign times the score where that is negative, if there is one.

    Of three log thetas the middle one has the least `height`, theta times the score times sign. Golden-section search.
    """
    left, middle, right = log_thetas
    for _ in range(48):
        new = middle + 0.382 * (right - middle if right - middle > middle - left else left - middle)
        theta = math.exp(new)
        there = sign * theta * float(score.at(np.array([theta]))[0])
        if there < 0.0:
            return theta
        if there < height:
            if new > middle:
                left = middle
            else:
                right = middle
            middle, height = new, there
        elif new > middle:
            right = new
        else:
            left = new
    return None
