"""Power of the t test, and the difference that a power finds."""

from __future__ import annotations

import numpy as np

from fastml.inference.distributions import chi2_nodes, root, t_quantile

__all__ = ["detectable_shift", "power_of_t"]


def power_of_t(shift: float, df: float, level: float = 0.95) -> float:
    """Power of the two-sided t test.

    Parameters
    ----------
    shift : float
        True difference over its standard error, 0 or more.
    df : float
    level : float
        1 less the size of the test.

    Returns
    -------
    float
        Exact, by the noncentral t distribution, by quadrature to 1e-12 (1e-6 at 1 df and levels past .999).

    Examples
    --------
    >>> round(power_of_t(0.0, 10.0), 12)
    0.05
    >>> round(power_of_t(2.8, 1e6), 4)
    0.7996
    """
    from scipy.special import ndtr

    # Given the root of the denominator's chi-square over its df, T is normal. scipy's noncentral t is NaN far out.
    chi2, weight = chi2_nodes(df, 1.0 / 64.0)
    scale = np.sqrt(chi2 / df)
    critical = -t_quantile(0.5 * (1.0 - level), df) * scale
    return float(np.sum(weight * (ndtr(shift - critical) + ndtr(-shift - critical))))


def detectable_shift(df: float, level: float, power: float) -> float:
    """Shift, in standard errors, at which the two-sided t test has the power.

    Parameters
    ----------
    df, level : float
        As in `power_of_t`.
    power : float
        More than 1 - level.

    Returns
    -------
    float

    Examples
    --------
    >>> round(detectable_shift(1e6, 0.95, 0.8), 4)
    2.8016
    """
    high = 1.0
    while power_of_t(high, df, level) < power:
        high *= 2.0

    def excess(shift: float) -> tuple[float, float]:
        # Power is convex, then concave: the bracket carries what the slope of a secant gets wrong.
        value = power_of_t(shift, df, level) - power
        step = 1e-6 * high
        return value, (power_of_t(shift + step, df, level) - power - value) / step

    return root(excess, 0.0, high, 0.5 * high, 60)
