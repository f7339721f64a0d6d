"""Weighted fits whose tau00 is corrected upward for the few groups that gamma00 was estimated from.

A group's squared residual e^2 is smaller than its mean's squared error, by the factor Var(e)/phi if the model holds. In
the scores of the pseudo likelihood h = e^2 phi/Var(e) takes its place, which makes them unbiased under the model. With
equal weights and sizes the estimates are those of REML.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fastml.model.groups import WeightedGroups
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import Optimum, VarianceComponents, deviance, estimates_at, evaluate
from fastml.model.weighted import residual_variances

__all__ = ["corrected_ml", "solve"]

Floats = npt.NDArray[np.float64]

_DOUBLINGS, _STEPS = 2_000, 200
_CLOSE = 2e-15  # of theta: a step that only rounding makes


def corrected_ml(table: SizeTable, groups: WeightedGroups, vc: VarianceComponents) -> VarianceComponents:
    """Correct the estimates of a pseudo likelihood.

    Parameters
    ----------
    table : SizeTable
        Of `reduce_weighted`.
    groups : WeightedGroups
    vc : VarianceComponents
        Of `pseudo_ml`; the root nearest above its theta is taken, or below where the score falls there.

    Returns
    -------
    VarianceComponents
        `deviance` is the pseudo likelihood's at these estimates.
    """
    mean = ((groups.mean - table.origin) + groups.residual) / table.unit
    ss = groups.ss / table.unit**2
    theta, sigma2 = solve(groups.size, groups.count[None], mean, ss, np.array([vc.theta]))
    terms = evaluate(table, float(theta[0]))
    dof = float(table.count @ table.size)
    # The deviance at another sigma2 than the profile's, R/dof.
    ratio = terms.r / dof / float(sigma2[0])
    value = deviance(table, terms, dof, False) + dof * (ratio - 1.0 - np.log(ratio))
    found = float(theta[0])
    optimum = Optimum(found, 0.0, vc.optimum.evaluations if vc.optimum else 0, (found,), (float(value),))
    return estimates_at(table, terms, found, "ml", terms.r / float(sigma2[0]), float(value), optimum)


def solve(size: Floats, count: Floats, mean: Floats, ss: Floats, start: Floats) -> tuple[Floats, Floats]:
    """Roots of the corrected scores, for several sets of weights of the same groups at once.

    Parameters
    ----------
    size, mean, ss : ndarray, shape (J,)
        A, and the groups' means and sums of squares, in any one unit.
    count : ndarray, shape (K, J)
        Weights v of each set; 0 leaves a group out.
    start : ndarray, shape (K,)
        Theta to look from: that of the likelihood.

    Returns
    -------
    theta, sigma2 : ndarray, shape (K,)
        theta = 0 where the score falls from there.
    """
    dof, within = count @ size, count @ ss

    def score(theta: Floats) -> tuple[Floats, Floats]:
        """The score by theta, over sum v, times (1 + theta): free of units; and sigma2. Shapes (K,)."""
        phi = theta[:, None] + 1.0 / size
        found = residual_variances(count / phi, phi)
        e = mean - (found.share @ mean)[:, None]
        h = e * e * (phi / found.variance)
        sigma2 = (within + (count * h / phi).sum(axis=1)) / dof
        slope = (count * (h / sigma2[:, None] / phi - 1.0) / phi).sum(axis=1)
        return slope * (theta + (1.0 / size).min()) / count.sum(axis=1), sigma2

    theta = _root(lambda x: score(x)[0], start, 1.0 / size.max())
    return theta, score(theta)[1]


def _root(function: Callable[[Floats], Floats], start: Floats, least: float) -> Floats:
    """Where a function of K thetas, each its own, falls through 0: the nearest such place above `start`, or below it.

    It is 0 where the function is not above 0 from there on down; `least` is a theta that is small. NaN stays NaN.
    """
    valid = np.isfinite(start)
    low = high = np.where(valid, start, 0.0)
    rising = function(low) > 0.0
    for _ in range(_DOUBLINGS):
        up = rising & (function(high) > 0.0)
        down = ~rising & (low > 0.0) & (function(low) <= 0.0)
        if not (up | down).any():
            break
        low, high = (
            np.where(up, high, np.where(down, np.where(low > 1e-6 * least, 0.5 * low, 0.0), low)),
            np.where(up, np.maximum(2.0 * high, 1e-3 * least), np.where(down, low, high)),
        )
    # At 0 by now, or it falls between low and high: false position, an end that stays twice counting half (Illinois).
    f_low, f_high = function(low), function(high)
    at_zero = f_low <= 0.0
    x, side = low, np.zeros(len(start))
    for _ in range(_STEPS):
        last, span = x, np.where(at_zero, 1.0, f_low - f_high)
        x = np.where(at_zero, low, low + (high - low) * (f_low / span))
        if (np.abs(x - last) <= _CLOSE * x).all():
            break
        value = function(x)
        above = np.where(value > 0.0, 1.0, -1.0)
        again = np.where(above == side, 0.5, 1.0)
        f_low, f_high = (
            np.where(above > 0.0, value, np.where(side < 0.0, again, 1.0) * f_low),
            np.where(above > 0.0, np.where(side > 0.0, again, 1.0) * f_high, value),
        )
        low, high, side = np.where(above > 0.0, x, low), np.where(above > 0.0, high, x), above
    return np.where(valid, np.where(at_zero, 0.0, x), np.nan)
