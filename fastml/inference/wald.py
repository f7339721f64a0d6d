"""Intervals by an estimate and its standard error (Wald): the model's own, or robust ones of weighted fits."""

from __future__ import annotations

import math

from fastml.errors import ModelError
from fastml.inference.distributions import normal_quantile, t_quantile
from fastml.inference.information import StandardErrors, standard_errors
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents

__all__ = ["NEXT_TO_ZERO", "at_zero", "wald_limits", "without_likelihood"]

CUT_BELOW = "the lower end is cut at 0"
NEXT_TO_ZERO = "tau00 is so near 0 that this interval says nothing"


def wald_limits(
    table: SizeTable,
    vc: VarianceComponents,
    base: str,
    level: float,
    errors: StandardErrors | None = None,
    mean_df: float = math.inf,
) -> tuple[float, float, str]:
    """Estimate and standard error; theta on the logit of the icc, variances cut at 0.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
    base : {"gamma00", "tau00", "sigma2", "theta"}
    level : float
    errors : StandardErrors, optional
        Robust ones; else the observed information's.
    mean_df : float
        Degrees of freedom of gamma00.

    Returns
    -------
    low, high : float
        In the table's units, from its origin.
    note : str

    Raises
    ------
    ModelError
        The fit has no standard error of it.
    """
    unit = table.unit
    z = -normal_quantile(0.5 * (1.0 - level))
    sigma2 = vc.terms.r / vc.dof
    if base == "gamma00":
        reach = -t_quantile(0.5 * (1.0 - level), mean_df) * vc.se_gamma00 / unit
        return vc.terms.gamma - reach, vc.terms.gamma + reach, ""
    se = errors or standard_errors(vc)
    if base == "sigma2" and not math.isnan(se.se_sigma2):
        centre, reach = sigma2, z * se.se_sigma2 / vc.sigma2 * sigma2
    elif vc.optimum is None:
        raise ModelError("method='anova' has no standard errors of the variances; "
                         f"use method={without_likelihood(base)!r}")  # fmt: skip
    elif vc.singular:
        raise ModelError("tau00 is estimated at its boundary, 0, where it has no standard error; "
                         f"use method={at_zero(vc, base)!r}")  # fmt: skip
    elif base == "theta":
        # logit(icc) = log(theta): its standard error is that of the icc over icc (1 - icc).
        reach = z * se.se_icc * (1.0 + vc.theta) ** 2 / vc.theta
        # Next to the boundary the logit's error has no bound; e^300 either way is 0 to 1 for the icc.
        factor = math.exp(min(reach, 300.0))
        return vc.theta / factor, vc.theta * factor, NEXT_TO_ZERO if reach > 300.0 else ""
    else:
        centre, reach = vc.theta * sigma2, z * se.se_tau00 / vc.sigma2 * sigma2
    return max(0.0, centre - reach), centre + reach, CUT_BELOW if centre < reach else ""


def without_likelihood(base: str) -> str:
    """Method that serves without a likelihood."""
    return "bootstrap" if base == "tau00" else "exact"


def at_zero(vc: VarianceComponents, base: str) -> str:
    """Method that serves at tau00 = 0."""
    return "profile" if base == "tau00" and vc.optimum is not None else without_likelihood(base)
