"""School means, observed and shrunken (empirical Bayes), with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.model.groups import Groups
from fastml.model.icc import reliabilities
from fastml.model.variance_components import VarianceComponents

__all__ = ["SchoolMeans", "school_means"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SchoolMeans:
    """Every school's mean, in score points; all arrays have shape (J,).

    Attributes
    ----------
    n : ndarray of int64
        Students.
    mean, se_mean : ndarray
        Observed mean and its standard error, sqrt(sigma2/n) (weighted: A for n, as below).
    reliability : ndarray
        lambda = n theta/(1 + n theta), the share of the observed mean's variance that is true.
    u : ndarray
        lambda (mean - gamma00): the predicted random effect u_0j, lme4's ranef. It keeps the digits that `eb_mean`
        loses where scores share a large part, and sums to 0 in a REML or ML fit.
    eb_mean : ndarray
        gamma00 + u.
    eb_se : ndarray
        Prediction error: sqrt(tau00 (1 - lambda) + (1 - lambda)^2 Var(gamma00)).
    cond_se : ndarray
        sqrt(tau00 (1 - lambda)): what lme4's condVar gives, gamma00 taken as known.
    """

    n: npt.NDArray[np.int64]
    mean: Floats
    se_mean: Floats
    reliability: Floats
    u: Floats
    eb_mean: Floats
    eb_se: Floats
    cond_se: Floats


def school_means(groups: Groups, vc: VarianceComponents, size: Floats | None = None) -> SchoolMeans:
    """Observed and shrunken means of all schools.

    Parameters
    ----------
    groups : Groups
    vc : VarianceComponents
    size : ndarray, shape (J,), optional
        Sums of scaled weights, which stand for n in weighted fits.

    Returns
    -------
    SchoolMeans
    """
    size = groups.n.astype(np.float64) if size is None else size
    share = reliabilities(size, vc.theta)
    u = share * ((groups.mean - vc.gamma00) + (groups.residual - vc.gamma00_residual))
    rest = 1.0 / (1.0 + size * vc.theta)
    conditional = vc.tau00 * rest
    return SchoolMeans(
        n=groups.n,
        mean=groups.mean,
        se_mean=np.sqrt(vc.sigma2 / size),
        reliability=share,
        u=u,
        eb_mean=vc.gamma00 + u,
        eb_se=np.sqrt(conditional + (rest * vc.se_gamma00) ** 2),
        cond_se=np.sqrt(conditional),
    )
