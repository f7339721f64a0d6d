"""The jackknife that leaves out one group at a time: standard errors of the variances and the icc of weighted fits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.inference.sandwich import derivatives, deviations
from fastml.model.batch import BatchTables, fit_batch
from fastml.model.corrected import solve
from fastml.model.groups import WeightedGroups
from fastml.model.icc import icc_of
from fastml.model.variance_components import VarianceComponents

__all__ = ["EXACT_TO", "Deletions", "JackknifeErrors", "delete_exactly", "delete_one", "on_logarithm", "one_step"]

Floats = npt.NDArray[np.float64]

EXACT_TO = 500
"""Up to this number of groups every fit without one of them is made to the end."""

_FARTHEST = 3.0  # that a group moves a logarithm


@dataclass(frozen=True, eq=False)
class Deletions:
    """Estimates without one group, for each group, in units where sigma2 of all groups is 1; NaN where there is no fit.

    Attributes
    ----------
    tau00, sigma2 : ndarray, shape (J,)
    """

    tau00: Floats
    sigma2: Floats


@dataclass(frozen=True)
class JackknifeErrors:
    """Standard errors: score points squared, and of the icc. NaN where a group can't be left out.

    Those of tau00 and the icc are NaN at tau00 = 0 too.
    """

    se_tau00: float
    se_sigma2: float
    se_icc: float


@dataclass(frozen=True)
class Shifted:
    """Of a logarithm: what the jackknife adds to the estimate's, and its standard error."""

    shift: float
    se: float


def delete_one(groups: WeightedGroups, vc: VarianceComponents, corrected: bool = False) -> JackknifeErrors:
    """Standard errors by the delete-one-group jackknife, the root of (J-1)/J sum (without the group - of all)^2.

    About the estimate, not about the mean of those without a group: that one would be 0 where tau00 is 0 without any.

    Parameters
    ----------
    groups : WeightedGroups
    vc : VarianceComponents
        Of all groups.
    corrected : bool
        Whether they are those of `corrected_ml`, which the fits without a group are then corrected as.

    Returns
    -------
    JackknifeErrors
        From fits without each group up to `EXACT_TO` groups; beyond, of one Newton step from the fit to all.
    """
    n_groups, found = len(groups.n), _delete(groups, vc, corrected)
    factor = math.sqrt((n_groups - 1) / n_groups)

    def error(values: Floats, estimate: float) -> float:
        apart = values - estimate
        return factor * math.sqrt(apart @ apart)

    inside = math.nan if vc.singular else 1.0
    return JackknifeErrors(
        se_tau00=inside * vc.sigma2 * error(found.tau00, vc.theta),
        se_sigma2=vc.sigma2 * error(found.sigma2, 1.0),
        se_icc=inside * error(icc_of(found.tau00 / found.sigma2), icc_of(vc.theta)),
    )


def on_logarithm(groups: WeightedGroups, vc: VarianceComponents, corrected: bool = False) -> dict[str, Shifted]:
    """Jackknife the logarithms of tau00 and theta themselves (Miller 1968, Ann. Math. Stat. 39).

    Where few groups tell most, the estimates are low in most samples and their standard errors with them; the mean of
    the pseudo-values J log(of all) - (J-1) log(without the group) allows for the former, their spread for the latter.

    Parameters
    ----------
    groups, vc, corrected
        As in `delete_one`; tau00 above 0.

    Returns
    -------
    dict
        By "tau00" and "theta". A group without which tau00 is all but 0 counts as one that takes it to e^-3 of it.
    """
    n_groups, found = len(groups.n), _delete(groups, vc, corrected)
    logs = {}
    for name, without in (("tau00", found.tau00), ("theta", found.tau00 / found.sigma2)):
        apart = -np.log(np.clip(without / vc.theta, math.exp(-_FARTHEST), math.exp(_FARTHEST)))
        mean = float(np.mean(apart))
        spread = float(np.linalg.norm(apart - mean))
        logs[name] = Shifted((n_groups - 1) * mean, math.sqrt((n_groups - 1) / n_groups) * spread)
    return logs


def _delete(groups: WeightedGroups, vc: VarianceComponents, corrected: bool) -> Deletions:
    return delete_exactly(groups, vc, corrected) if len(groups.n) <= EXACT_TO else one_step(groups, vc)


def delete_exactly(groups: WeightedGroups, vc: VarianceComponents, corrected: bool = False) -> Deletions:
    """Fit the model without each group, to its own global optimum.

    Parameters
    ----------
    groups : WeightedGroups
    vc : VarianceComponents
        Of all groups; its estimates are the origin and unit only.
    corrected : bool
        As in `delete_one`.

    Returns
    -------
    Deletions
    """
    n_groups = len(groups.n)
    others = ~np.eye(n_groups, dtype=bool)
    count = np.where(others, groups.count, 0.0)
    ssw = count @ (groups.ss / vc.sigma2)
    rows = groups.n.sum() - groups.n
    fittable = (n_groups > 2) & (rows > n_groups - 1) & (ssw > 0.0)
    mean = deviations(groups, vc) / math.sqrt(vc.sigma2)
    one = np.stack([groups.size, np.zeros(n_groups), mean, np.zeros(n_groups)])
    columns = np.tile(one, n_groups)
    columns[1] = count.ravel()
    tables = BatchTables(
        offsets=n_groups * np.arange(n_groups + 1, dtype=np.int64),
        columns=columns,
        ssw=np.where(fittable, ssw, math.nan),
        dof=count @ groups.size,
    )
    fits = fit_batch(tables, threads=1)
    if not corrected:
        return Deletions(fits.tau00, fits.sigma2)
    theta, sigma2 = solve(groups.size, count, mean, groups.ss / vc.sigma2, fits.theta)
    return Deletions(theta * sigma2, sigma2)


def one_step(groups: WeightedGroups, vc: VarianceComponents) -> Deletions:
    """Take one Newton step from the fit to all groups towards that without each.

    The second derivatives are the expected ones (Fisher's scoring): in equal groups the step then all but ends at the
    fit, where that by the observed ones is off by the square of what a group matters.

    Parameters
    ----------
    groups : WeightedGroups
    vc : VarianceComponents

    Returns
    -------
    Deletions
        tau00 is 0 at least.
    """
    at, v = derivatives(groups, vc), groups.count
    second = _expected(groups.size, vc.theta)
    if v @ (groups.size - 1.0) <= 0.0:  # no number of students: nothing can be expected of such weights
        second = at.second[1:, 1:]
    own = second * v
    left = own.sum(axis=2, keepdims=True) - own
    # The scores of all add up to 0, or, where they are corrected, to what is left out of each step alike.
    by_tau00, by_sigma2 = at.scores[1:] * v
    if vc.singular:
        return Deletions(np.zeros(len(v)), 1.0 + by_sigma2 / left[1, 1])
    determinant = left[0, 0] * left[1, 1] - left[0, 1] ** 2
    tau00 = vc.theta + (left[1, 1] * by_tau00 - left[0, 1] * by_sigma2) / determinant
    sigma2 = 1.0 + (left[0, 0] * by_sigma2 - left[0, 1] * by_tau00) / determinant
    return Deletions(np.maximum(tau00, 0.0), sigma2)


def _expected(size: Floats, theta: float) -> Floats:
    """What the second derivatives by tau00 and sigma2 (2, 2, J) are on average, in units where sigma2 is 1."""
    r = 1.0 / (1.0 + size * theta)
    w = size * r
    return -0.5 * np.stack([[w * w, w * r], [w * r, r * r + size - 1.0]])
