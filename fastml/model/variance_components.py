"""Variance components of the one-way random-effects model from a `SizeTable`: REML, ML and ANOVA."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.model.profile import evaluate_many, find_minimum
from fastml.model.size_table import SizeTable

__all__ = ["Optimum", "Terms", "VarianceComponents", "deviance", "estimate", "estimates_at", "evaluate",
           "scaled_inverse"]  # fmt: skip

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """The sums over groups that the deviance and its derivatives are made of, at one theta.

    With w = n/(1 + n theta) and e = mean - gamma, over all groups: `w1`, `w2`, `w3` = sum w^k; `r` = ssw + sum w e^2;
    `q2`, `q3` = sum w^k e^2; `l2` = sum w^2 e; `logs` = sum log(1 + n theta).
    """

    gamma: float
    w1: float
    w2: float
    w3: float
    r: float
    q2: float
    q3: float
    l2: float
    logs: float


@dataclass(frozen=True)
class Optimum:
    """The optimiser's record.

    Attributes
    ----------
    theta : float
        tau00/sigma2 at the global minimum of the deviance.
    score : float
        theta times the derivative of the deviance by theta there (by log theta: free of units); 0 in truth, unless
        theta is 0, where it is the derivative itself times the mean group size, and not negative.
    evaluations : int
        Evaluations of the derivative.
    thetas, deviances : tuple of float
        Every local minimum found, smallest theta first, and its deviance.
    """

    theta: float
    score: float
    evaluations: int
    thetas: tuple[float, ...]
    deviances: tuple[float, ...]

    @property
    def n_optima(self) -> int:
        """Number of local minima."""
        return len(self.thetas)


@dataclass(frozen=True)
class VarianceComponents:
    """Estimates of the one-way random-effects model, in score points.

    Attributes
    ----------
    gamma00, se_gamma00 : float
        Grand mean and its standard error, score points.
    gamma00_residual : float
        What the estimate is more than the double `gamma00`: deviations from it keep their digits at any offset.
    tau00, sigma2 : float
        Between- and within-group variance, score points squared.
    theta : float
        tau00/sigma2.
    deviance : float
        -2 log likelihood (restricted under REML), in lme4's convention; NaN for ANOVA, which has none.
    method : str
        "reml", "ml" or "anova".
    dof : float
        Divisor of the profile: N - 1 (REML), N (ML).
    terms : Terms
        The sums at the optimum, in the units of the `SizeTable`.
    optimum : Optimum or None
        The optimiser's record; None for ANOVA.
    """

    gamma00: float
    gamma00_residual: float
    se_gamma00: float
    tau00: float
    sigma2: float
    theta: float
    deviance: float
    method: str
    dof: float
    terms: Terms
    optimum: Optimum | None

    @property
    def singular(self) -> bool:
        """Whether tau00 is on the boundary: zero."""
        return self.theta == 0.0


def evaluate(table: SizeTable, theta: float) -> Terms:
    """Compute the sums of the profile at one theta.

    Parameters
    ----------
    table : SizeTable
    theta : float
        tau00/sigma2, 0 or more.

    Returns
    -------
    Terms
        In the units of `table`.
    """
    return Terms(*evaluate_many(table.columns, np.array([theta]), theta, table.ssw, 1.0, False)[0, :9].tolist())


def deviance(table: SizeTable, terms: Terms, dof: float, restricted: bool) -> float:
    """Profile deviance, -2 log likelihood, at the theta of `terms`, in score units (lme4's convention).

    Parameters
    ----------
    table : SizeTable
    terms : Terms
        Of `evaluate`.
    dof : float
        N - 1 when `restricted`, else N.
    restricted : bool
        REML.

    Returns
    -------
    float
    """
    log_variance = math.log(2.0 * math.pi * terms.r / dof) + 2.0 * math.log(table.unit)
    value = terms.logs + dof * (1.0 + log_variance)
    return value + math.log(terms.w1) if restricted else value


def estimate(table: SizeTable, method: str = "reml", dof: float | None = None) -> VarianceComponents:
    """Fit the model by REML, ML or ANOVA moments.

    REML and ML return the global minimum of the deviance: every local one is found on a grid over log theta that is
    finer than any feature of the profile, polished by Newton on the exact derivative, and compared by the deviance.

    Parameters
    ----------
    table : SizeTable
    method : {"reml", "ml", "anova"}
        "anova" is the method of moments, tau00 = (MSB - MSW)/n0 cut at 0 (Searle, Casella and McCulloch 1992,
        section 3.6).
    dof : float, optional
        Divisor of the profile, where it isn't N - 1 (REML) or N (ML): the sum of the weights in a weighted ML fit.

    Returns
    -------
    VarianceComponents
    """
    if method == "anova":
        return _anova(table)
    restricted = method == "reml"
    if dof is None:
        dof = float(table.n_obs - 1 if restricted else table.n_obs)
    found = find_minimum(table.columns, table.ssw, dof, restricted)
    if found is None:
        raise AssertionError("a deviance without a minimum")
    terms = Terms(*found.fields[:9].tolist())
    value = deviance(table, terms, dof, restricted)
    optimum = Optimum(
        theta=found.theta,
        score=float(found.fields[10]) * (found.theta or table.n_obs / table.n_groups),
        evaluations=found.evaluations,
        thetas=tuple(found.thetas.tolist()),
        deviances=tuple((value + found.relative).tolist()),
    )
    return estimates_at(table, terms, found.theta, method, dof, value, optimum)


def _anova(table: SizeTable) -> VarianceComponents:
    n_obs, n_groups = table.n_obs, table.n_groups
    pooled = evaluate(table, 0.0)
    msw = table.ssw / (n_obs - n_groups)
    msb = (pooled.r - table.ssw) / (n_groups - 1)
    n0 = (n_obs - float(np.sum(table.count * table.size**2)) / n_obs) / (n_groups - 1)
    theta = max(0.0, (msb / msw - 1.0) / n0)
    # At the boundary sigma2 stays MSW: the moments are not pooled, as in SAS TYPE1 and lme4's users' textbooks.
    terms = evaluate(table, theta)
    return estimates_at(table, terms, theta, "anova", terms.r / msw, math.nan, None)


def estimates_at(
    table: SizeTable, terms: Terms, theta: float, method: str, dof: float, value: float, optimum: Optimum | None
) -> VarianceComponents:
    """Estimates at one theta, in score points; see `VarianceComponents`.

    Parameters
    ----------
    table : SizeTable
    terms : Terms
        Of `evaluate` at `theta`.
    theta : float
    method : str
    dof : float
        What R is divided by for sigma2.
    value : float
        The deviance.
    optimum : Optimum or None

    Returns
    -------
    VarianceComponents
    """
    sigma2 = terms.r / dof
    shift = table.unit * terms.gamma
    gamma00 = table.origin + shift
    kept = gamma00 - table.origin  # the part of the shift that the sum holds (Knuth's two-sum)
    return VarianceComponents(
        gamma00=gamma00,
        gamma00_residual=(table.origin - (gamma00 - kept)) + (shift - kept),
        se_gamma00=table.unit * math.sqrt(sigma2 / terms.w1),
        tau00=table.unit**2 * (theta * sigma2),
        sigma2=table.unit**2 * sigma2,
        theta=theta,
        deviance=value,
        method=method,
        dof=dof,
        terms=terms,
        optimum=optimum,
    )


def scaled_inverse(matrix: Floats) -> Floats:
    """Inverse of a symmetric matrix whose diagonal may span many powers of ten.

    Parameters
    ----------
    matrix : ndarray, shape (k, k)
        Definite, positive or negative.

    Returns
    -------
    ndarray, shape (k, k)
    """
    scale = np.sqrt(np.abs(np.diag(matrix)))
    inverse: Floats = np.linalg.inv(matrix / np.outer(scale, scale)) / np.outer(scale, scale)
    return inverse
