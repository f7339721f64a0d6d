"""The exact interval of theta = tau00/sigma2 in groups of any sizes: an F ratio that falls with theta, inverted."""

from __future__ import annotations

import numpy as np

from fastml.inference.distributions import f_quantile, f_upper, root
from fastml.model.size_table import SizeTable

__all__ = ["exact_theta"]

CUT_AT_ZERO = "the group means differ less than chance alone would have them: both ends are cut at no variance"


def _between_ratio(table: SizeTable, theta: float) -> tuple[float, float]:
    """Weighted between-group mean square over the within one, and its derivative by theta.

    Parameters
    ----------
    table : SizeTable
    theta : float

    Returns
    -------
    f, slope : float
        f = [sum w (mean - gamma)^2/(J - 1)]/MSW, w = n/(1 + n theta), which is F(J - 1, N - J) at the true theta
        whatever the sizes, and falls as theta grows (Wald 1940; Harville and Fenech 1985).
    """
    w = table.size / (1.0 + table.size * theta)
    cw = table.count * w
    gamma = float(np.sum(cw * table.mean) / np.sum(cw))
    squares = w * (table.ss + table.count * (table.mean - gamma) ** 2)
    msw = table.ssw / (table.n_obs - table.n_groups)
    scale = 1.0 / ((table.n_groups - 1) * msw)
    return scale * float(np.sum(squares)), -scale * float(np.sum(w * squares))


def exact_theta(table: SizeTable, level: float) -> tuple[float, float, str]:
    """Exact confidence interval of theta = tau00/sigma2 for groups of any sizes, both ends cut at 0.

    Parameters
    ----------
    table : SizeTable
    level : float

    Returns
    -------
    low, high : float
    note : str
    """
    df = float(table.n_groups - 1), float(table.n_obs - table.n_groups)
    tail = 0.5 * (1.0 - level)
    low = _theta_at(table, f_upper(tail, *df))
    high = _theta_at(table, f_quantile(tail, *df))
    return low, high, CUT_AT_ZERO if high == 0.0 else ""


def _theta_at(table: SizeTable, quantile: float) -> float:
    """Theta whose between ratio is `quantile`, or 0 where that is not reached."""
    at_zero, _ = _between_ratio(table, 0.0)
    if at_zero <= quantile:
        return 0.0
    # w < 1/theta, so the ratio is below its own sum of squares about any centre, over theta.
    centre = float(np.sum(table.count * table.mean) / table.n_groups)
    spread = float(np.sum(table.ss + table.count * (table.mean - centre) ** 2))
    msw = table.ssw / (table.n_obs - table.n_groups)
    top = spread / ((table.n_groups - 1) * msw * quantile)

    def excess(theta: float) -> tuple[float, float]:
        # The inverse of the ratio is linear in theta for equal sizes and nearly so for others.
        f, slope = _between_ratio(table, theta)
        return quantile / f - 1.0, -quantile * slope / f**2

    # The bound may fall a rounding short of the root.
    return root(excess, 0.0, top * (1.0 + 1e-12), 0.0)
