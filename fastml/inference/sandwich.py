"""Robust standard errors of weighted fits, groups being the sampling units: CR2 for the mean, and sandwiches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.model.groups import WeightedGroups
from fastml.model.variance_components import VarianceComponents, scaled_inverse
from fastml.model.weighted import residual_variances

__all__ = ["Derivatives", "MeanError", "Sandwich", "cr2", "cr2_mean", "derivatives", "sandwich"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sandwich:
    """Standard errors by a sandwich, times J/(J-1).

    Attributes
    ----------
    se_gamma00, se_tau00, se_sigma2 : float
        Score points and score points squared. `se_tau00` is NaN at tau00 = 0, which is held fixed then.
    se_icc : float
        By the delta method; NaN at tau00 = 0.
    """

    se_gamma00: float
    se_tau00: float
    se_sigma2: float
    se_icc: float


@dataclass(frozen=True)
class MeanError:
    """Standard error of gamma00, score points, and its degrees of freedom.

    Attributes
    ----------
    se, df : float
    skew : float
        Of what the groups move the mean by, sum (c e)^3/[sum (c e)^2]^(3/2): -1 to 1, and 0 where groups that weigh
        much are as often above the mean as below.
    """

    se: float
    df: float
    skew: float = 0.0


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Derivatives of every group's l, without its weight, in units where sigma2 is 1, by (gamma00, tau00, sigma2).

    In these units no power of the scores' unit over- or underflows.

    Attributes
    ----------
    scale : float
        Score points of a unit: sigma.
    scores : ndarray, shape (3, J)
    second : ndarray, shape (3, 3, J)
    free : list of int
        The parameters that are not held fixed: all, or, at tau00 = 0, all but tau00.
    """

    scale: float
    scores: Floats
    second: Floats
    free: list[int]


def derivatives(groups: WeightedGroups, vc: VarianceComponents) -> Derivatives:
    """First and second derivatives of each group's pseudo log likelihood.

    Parameters
    ----------
    groups : WeightedGroups
    vc : VarianceComponents
        Where they are taken.

    Returns
    -------
    Derivatives
    """
    scale = math.sqrt(vc.sigma2)
    e = deviations(groups, vc) / scale
    s = groups.ss / vc.sigma2
    a, tau = groups.size, vc.theta
    w = a / (1.0 + a * tau)  # A/V
    r = 1.0 / (1.0 + a * tau)  # 1/V, which is 1 - tau w
    q = w * e
    scores = np.stack([q, 0.5 * (q * q - w), 0.5 * (s + r * q * e - (a - tau * w))])
    second = np.empty((3, 3, len(a)))
    second[0] = -w, -(w * q), -(r * q)
    second[1, 1:] = 0.5 * w * w - w * q * q, 0.5 * w * r - r * q * q
    second[2, 2] = 0.5 * (a - tau * w * (1.0 + r)) - s - r * r * q * e
    second[1:, 0] = second[0, 1:]
    second[2, 1] = second[1, 2]
    return Derivatives(scale, scores, second, [0, 2] if vc.singular else [0, 1, 2])


def deviations(groups: WeightedGroups, vc: VarianceComponents) -> Floats:
    """What the groups' means (J,) differ from gamma00, score points."""
    return (groups.mean - vc.gamma00) + (groups.residual - vc.gamma00_residual)


def cr2(groups: WeightedGroups, vc: VarianceComponents) -> MeanError:
    """Standard error of gamma00 by CR2, with Bell and McCaffrey's degrees of freedom; see `cr2_mean`.

    Parameters
    ----------
    groups : WeightedGroups
    vc : VarianceComponents

    Returns
    -------
    MeanError
        Groups of equal sizes and weights have the root of sum e^2/(J (J - 1)), and J - 1 degrees of freedom.
    """
    phi = vc.theta + 1.0 / groups.size
    return cr2_mean(groups.count / phi, phi, deviations(groups, vc), vc.sigma2)


def cr2_mean(weight: Floats, phi: Floats, e: Floats, sigma2: float) -> MeanError:
    """Standard error of a weighted mean of groups' means by CR2, unbiased if the model holds, and its df.

    With c the group's share in the mean, phi = tau00 + sigma2/A the variance of its own, Var(e) that of its residual,
    the variance is sum c^2 e^2 phi/Var(e), and df = tr(B Phi)^2/tr((B Phi)^2) with B its matrix as a quadratic form
    in the means (Bell and McCaffrey 2002, Surv. Methodol. 28; Pustejovsky and Tipton 2018, J. Bus. Econ. Stat. 36).

    Parameters
    ----------
    weight : ndarray, shape (J,)
        What each mean counts, in any unit.
    phi : ndarray, shape (J,)
        In units of sigma2.
    e : ndarray, shape (J,)
        What each mean differs from the weighted one, score points.
    sigma2 : float

    Returns
    -------
    MeanError
    """
    found = residual_variances(weight, phi)
    c, own = found.share, found.share**2 * phi
    d = own / found.variance
    variance = float(d @ (e / math.sqrt(sigma2)) ** 2)
    # tr((B Phi)^2) is the sum over pairs of d_j d_k G_jk^2, G the residuals' covariance: own_j^2 where j = k, and else
    # (rest - apart_j p_j - p_k)^2, for each group with those lighter, where nothing large cancels. So no J x J matrix.
    order = np.argsort(-c, kind="stable")
    d, p, g = d[order], (c * phi)[order], (found.rest - found.apart * c * phi)[order]
    pairs = d @ (g * g * _later(d) - 2.0 * g * _later(d * p) + _later(d * p * p))
    df = float(own.sum() ** 2 / (own @ own + 2.0 * pairs))
    moved = c * (e / math.sqrt(sigma2))
    squares = float(moved @ moved)
    skew = float(np.sum(moved**3)) / squares**1.5 if squares > 0.0 else 0.0
    return MeanError(math.sqrt(sigma2) * math.sqrt(variance), df, skew)


def _later(x: Floats) -> Floats:
    """Sum of the elements after each."""
    return np.append(np.cumsum(x[:0:-1])[::-1], 0.0)


def sandwich(groups: WeightedGroups, vc: VarianceComponents, vcov: str = "joint") -> Sandwich:
    """Standard errors by H^-1 (sum v^2 g g') H^-1 J/(J-1).

    Parameters
    ----------
    groups : WeightedGroups
    vc : VarianceComponents
        Of `pseudo_ml`.
    vcov : {"joint", "block"}
        With g the score of a group's l in (gamma00, tau00, sigma2) and H the second derivatives of the pseudo
        likelihood, all three parameters together (GLLAMM; SAS and Mplus without J/(J-1)), or gamma00 and the variances
        each on its own (WeMix; Stata's mixed for gamma00).

    Returns
    -------
    Sandwich
    """
    at, v, tau = derivatives(groups, vc), groups.count, vc.theta
    second = at.second @ v
    # What each group moves the estimates by. The covariance is its product with itself, so that no variance, nor one
    # of a function of the estimates, comes out below 0 by rounding where the groups' scores don't vary.
    moved = np.full((3, len(v)), math.nan)
    for rows in [at.free] if vcov == "joint" else [[0], at.free[1:]]:
        moved[rows] = scaled_inverse(second[np.ix_(rows, rows)]) @ (at.scores[rows] * v)
    by_icc = (moved[1] - tau * moved[2]) / (1.0 + tau) ** 2
    factor = math.sqrt(len(v) / (len(v) - 1))
    gamma00, tau00, sigma2, icc = (factor * math.sqrt(x @ x) for x in (*moved, by_icc))
    return Sandwich(at.scale * gamma00, vc.sigma2 * tau00, vc.sigma2 * sigma2, icc)
