"""Exact intervals: of theta = tau00/sigma2 in groups of any sizes, and of gamma00 in groups of one size.

That of theta inverts an F ratio that falls with theta; that of gamma00 is Student's, of the group means.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fastml.inference.distributions import f_quantile, f_upper, t_quantile
from fastml.model.size_table import SizeTable

__all__ = ["between_ratio", "exact_mean", "exact_theta", "pooled_mean", "solve_ratio"]

Floats = npt.NDArray[np.float64]

CUT_AT_ZERO = "the group means differ less than chance alone would have them: both ends are cut at no variance"


def between_ratio(table: SizeTable, theta: Floats) -> tuple[Floats, Floats]:
    """Weighted between-group mean square over the within one, and its derivative by theta.

    Parameters
    ----------
    table : SizeTable
    theta : ndarray, shape (T,)

    Returns
    -------
    f, slope : ndarray, shape (T,)
        f = [sum w (mean - gamma)^2/(J - 1)]/MSW, w = n/(1 + n theta), which is F(J - 1, N - J) at the true theta
        whatever the sizes, and falls as theta grows (Wald 1940; Harville and Fenech 1985).
    """
    w = table.size / (1.0 + theta[:, None] * table.size)
    cw = table.count * w
    gamma = (cw * table.mean).sum(axis=1) / cw.sum(axis=1)
    squares = w * (table.ss + table.count * (table.mean - gamma[:, None]) ** 2)
    msw = table.ssw / (table.n_obs - table.n_groups)
    scale = 1.0 / ((table.n_groups - 1) * msw)
    return scale * squares.sum(axis=1), -scale * (w * squares).sum(axis=1)


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
    low, high = solve_ratio(table, np.array([f_upper(tail, *df), f_quantile(tail, *df)])).tolist()
    return low, high, CUT_AT_ZERO if high == 0.0 else ""


def solve_ratio(table: SizeTable, quantiles: Floats) -> Floats:
    """Thetas at which the between ratio has given values, 0 where it never has.

    Parameters
    ----------
    table : SizeTable
    quantiles : ndarray, shape (T,)
        Above 0.

    Returns
    -------
    ndarray, shape (T,)
    """
    theta = np.zeros(len(quantiles))
    left = np.flatnonzero(between_ratio(table, np.zeros(1))[0] > quantiles)
    # The ratio is a sum of z/(d + theta): its inverse is concave, so Newton from 0 climbs to the root and stops there.
    for _ in range(200):
        if not left.size:
            break
        f, slope = between_ratio(table, theta[left])
        step = (1.0 - f / quantiles[left]) * f / slope
        theta[left] += step
        left = left[step > 4e-16 * theta[left]]
    return theta


def exact_mean(table: SizeTable, level: float) -> tuple[float, float]:
    """Student's interval of gamma00 from the means of groups of one size: mean +- t(J - 1) sqrt(MSB/N).

    Parameters
    ----------
    table : SizeTable
        With one column.
    level : float

    Returns
    -------
    low, high : float
        Less `table.origin`, in `table.unit`.
    """
    return _student(table, table.size[0] * table.ss[0], table.n_groups - 1.0, level)


def pooled_mean(table: SizeTable, level: float) -> tuple[float, float]:
    """Student's interval of gamma00 from all scores alike, as if there were no groups; as `exact_mean`."""
    return _student(table, table.ssw + table.size[0] * table.ss[0], table.n_obs - 1.0, level)


def _student(table: SizeTable, squares: float, df: float, level: float) -> tuple[float, float]:
    reach = -t_quantile(0.5 * (1.0 - level), df) * math.sqrt(squares / df / table.n_obs)
    return float(table.mean[0]) - reach, float(table.mean[0]) + reach
