"""Fiducial intervals: what the exact pivot says of theta, carried to the mean and to the variance between groups.

F(theta), the between ratio, is F(J - 1, N - J) at the true theta: a uniform p and its quantile of F give a theta, or 0
where F never gets there. Given theta, the mean is t and sigma2 an inverse chi-square. The interval is that of the
mixture (generalised confidence intervals, Weerahandi 1993; for unequal groups E, Hannig and Iyer 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from fastml.inference.distributions import chi2_nodes, f_density, f_quantiles, f_tail, f_tails, root
from fastml.inference.exact import CUT_AT_ZERO, between_ratio, solve_ratio
from fastml.inference.mixtures import mixture_of_t
from fastml.model.profile import evaluate_many
from fastml.model.size_table import SizeTable

__all__ = ["Nodes", "at_thetas", "fiducial_mean", "fiducial_nodes", "fiducial_tau00"]

Floats = npt.NDArray[np.float64]

NODES = 80


@dataclass(frozen=True, eq=False)
class Nodes:
    """Points of a law of theta, and the sums over groups at each; all arrays have shape (K,).

    Attributes
    ----------
    theta, weight : ndarray
        tau00/sigma2, and its probability; they add up to 1.
    gamma : ndarray
        The mean at that theta, in the table's unit and from its origin.
    w1, r : ndarray
        sum w and SSW + sum w (mean - gamma)^2, w = n/(1 + n theta).
    """

    theta: Floats
    weight: Floats
    gamma: Floats
    w1: Floats
    r: Floats


def fiducial_nodes(table: SizeTable) -> Nodes:
    """The fiducial law of theta: a point at 0, and Gauss and Legendre's nodes of the rest.

    Parameters
    ----------
    table : SizeTable

    Returns
    -------
    Nodes
        K = 81. The first is theta = 0, with the probability that F(J - 1, N - J) is above F(0). The others solve
        F(theta) = F^-1(p), p = P(F <= F(0)) B(v) at the nodes v of (0, 1), where B, the law of a beta variable (4, 3),
        brings them together at both ends: at p = 0 theta has no bound, and at p = 1 the quantiles of F have none. The
        limits of the mean have twelve digits at the level .99, with two groups too.
    """
    from scipy.special import betainc

    df = float(table.n_groups - 1), float(table.n_obs - table.n_groups)
    at_zero = float(between_ratio(table, np.zeros(1))[0][0])
    above, below = f_tail(at_zero, *df), f_tail(1.0 / at_zero, df[1], df[0]) if at_zero > 0.0 else 0.0
    x, width = _gauss_legendre()
    v, rest = 0.5 * (1.0 + x), 0.5 * (1.0 - x)
    p, q = below * betainc(4.0, 3.0, v), above + below * betainc(3.0, 4.0, rest)
    theta, low = np.zeros(NODES + 1), p < q
    if below > 0.0:
        quantile = np.empty(NODES)
        quantile[low] = f_quantiles(p[low], *df)
        quantile[~low] = 1.0 / f_quantiles(q[~low], df[1], df[0])
        theta[1:] = solve_ratio(table, quantile)
    return at_thetas(table, theta, np.append(above, 30.0 * below * v**3 * rest**2 * width))


@cache
def _gauss_legendre() -> tuple[Floats, Floats]:
    """Nodes of (-1, 1) and their weights, which take longer to find than all else here."""
    nodes, weight = np.polynomial.legendre.leggauss(NODES)
    return nodes, weight


def at_thetas(table: SizeTable, theta: Floats, weight: Floats) -> Nodes:
    """Nodes of thetas and their weights, shape (K,)."""
    rows = evaluate_many(table.columns, theta, 0.0, table.ssw, 1.0, False)
    return Nodes(theta, weight, gamma=rows[:, 0], w1=rows[:, 1], r=rows[:, 4])


def fiducial_mean(table: SizeTable, level: float) -> tuple[float, float]:
    """Fiducial interval of gamma00 in groups of any sizes.

    Parameters
    ----------
    table : SizeTable
    level : float

    Returns
    -------
    low, high : float
        Less `table.origin`, in `table.unit`.
    """
    nodes, df = fiducial_nodes(table), float(table.n_obs - 1)
    scale = np.sqrt(nodes.r / (df * nodes.w1))
    low, high = mixture_of_t(nodes.weight, nodes.gamma[None], scale[None], df, 0.5 * (1.0 - level))
    return float(low[0]), float(high[0])


def fiducial_tau00(table: SizeTable, level: float) -> tuple[float, float, str]:
    """Fiducial interval of tau00 = theta sigma2: sigma2 is R(theta) over a chi-square with N - 1 df.

    Parameters
    ----------
    table : SizeTable
    level : float

    Returns
    -------
    low, high : float
        In `table.unit` squared.
    note : str
        Where both are 0.

    Notes
    -----
    tau00 is at most t where theta R(theta) is at most t times the chi-square. As that rises with theta, the probability
    is that of F(J - 1, N - J) being at least F(theta) there, averaged over the chi-square: smooth, however large N.
    """
    df = float(table.n_groups - 1), float(table.n_obs - table.n_groups)
    chi2, weight = chi2_nodes(float(table.n_obs - 1))
    at_zero = float(between_ratio(table, np.zeros(1))[0][0])
    above, tail = f_tail(at_zero, *df), 0.5 * (1.0 - level)

    def limit(mass: Callable[[Floats], Floats], goal: float, sign: float) -> float:
        """Where the mean over the chi-square of `mass`, of F, is the goal; it rises with sign log(tau00)."""

        def at(x: float) -> tuple[float, float]:
            theta, slope = _theta_of(table, math.exp(sign * x) * chi2)
            f, f_slope = between_ratio(table, theta)
            by_log = f_density(f, *df) * -f_slope * math.exp(sign * x) * chi2 / slope
            return float(np.sum(weight * mass(f))) - goal, float(np.sum(weight * by_log))

        low = high = 0.0
        while at(low)[0] >= 0.0:
            low -= 8.0
        while at(high)[0] < 0.0:
            high += 8.0
        return math.exp(sign * root(at, low, high, 0.5 * (low + high)))

    if 1.0 - above <= tail:
        return 0.0, 0.0, CUT_AT_ZERO
    low = 0.0 if above >= tail else limit(lambda f: f_tails(f, *df), tail, 1.0)
    return low, limit(lambda f: f_tails(1.0 / f, df[1], df[0]), tail, -1.0), ""


def _theta_of(table: SizeTable, product: Floats) -> tuple[Floats, Floats]:
    """Theta at which theta R(theta) has given values, shape (T,), and the slope of theta R(theta) there."""
    theta = np.zeros(len(product))
    # It is concave, so Newton from 0 climbs to the root and stops there.
    for _ in range(200):
        rows = evaluate_many(table.columns, theta, 0.0, table.ssw, 1.0, False)
        r, q2 = rows[:, 4], rows[:, 5]
        slope = r - theta * q2
        step = (product - theta * r) / slope
        theta = theta + np.maximum(step, 0.0)
        if np.all(step <= 4e-16 * theta):
            break
    return theta, slope
