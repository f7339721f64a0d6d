"""The lecture's naive answers beside the model's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.model.groups import Groups
from fastml.model.variance_components import VarianceComponents

__all__ = ["Naive", "naive_answers"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Naive:
    """What one gets without the model, and what the model makes of it.

    Attributes
    ----------
    mean_of_students, mean_of_groups : float
        Overall mean across all students, and mean of the school means.
    variance_of_means : float
        Variance of the observed school means, divisor J - 1, score points squared. It holds tau00 and error.
    error_variance : float
        sigma2/nbar, the part of it that is error in a school of average size nbar = N/J.
    error_variance_of_mean, se_of_mean : ndarray, shape (J,)
        V_j = sigma2/n_j of each school's mean, and its root; schools in the order of ``fit.groups()``.
    se_ignoring_groups : float
        SD of all scores over sqrt(N): the standard error of the mean as if students were independent.
    se_gamma00 : float
        The model's.
    one_sd_below, one_sd_above, one_sd_gap : float
        True means of schools one SD (sqrt(tau00)) below and above average, and the difference, 2 sqrt(tau00).
    range_low, range_high : float
        The range that holds 95 % of true school means, gamma00 -+ 1.96 sqrt(tau00).
    """

    mean_of_students: float
    mean_of_groups: float
    variance_of_means: float
    error_variance: float
    error_variance_of_mean: Floats
    se_of_mean: Floats
    se_ignoring_groups: float
    se_gamma00: float
    one_sd_below: float
    one_sd_above: float
    one_sd_gap: float
    range_low: float
    range_high: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures that don't go by school.

        Returns
        -------
        dict of str to float
        """
        return {name: value for name, value in vars(self).items() if isinstance(value, float)}


def naive_answers(
    groups: Groups, vc: VarianceComponents, size: Floats | None = None, group_weight: Floats | None = None
) -> Naive:
    """Compute the naive answers.

    Parameters
    ----------
    groups : Groups
        Weighted means and sums of squares, where there are weights.
    vc : VarianceComponents
    size, group_weight : ndarray, shape (J,), optional
        Sums of the conditional weights and the groups' weights; n and 1 without.

    Returns
    -------
    Naive
    """
    n_obs, n_groups = int(groups.n.sum()), len(groups.n)
    size = groups.n.astype(np.float64) if size is None else size
    v = np.ones(n_groups) if group_weight is None else group_weight
    group_share = v / v.sum()
    student_share = v * size / (v @ size)
    deviation = (groups.mean - vc.gamma00) + groups.residual
    of_students = float(student_share @ deviation)
    of_groups = float(group_share @ deviation)
    # Shares first: weights may be so large that their sums of squares are no doubles.
    total_ss = n_obs * float((v / (v @ size)) @ groups.ss + student_share @ (deviation - of_students) ** 2)
    tau_sd = math.sqrt(vc.tau00)
    half = NormalDist().inv_cdf(0.975) * tau_sd
    return Naive(
        mean_of_students=vc.gamma00 + of_students,
        mean_of_groups=vc.gamma00 + of_groups,
        variance_of_means=n_groups / (n_groups - 1) * float(group_share @ (deviation - of_groups) ** 2),
        error_variance=vc.sigma2 * n_groups / n_obs,
        error_variance_of_mean=vc.sigma2 / size,
        se_of_mean=np.sqrt(vc.sigma2 / size),
        se_ignoring_groups=math.sqrt(total_ss / (n_obs - 1) / n_obs),
        se_gamma00=vc.se_gamma00,
        one_sd_below=vc.gamma00 - tau_sd,
        one_sd_above=vc.gamma00 + tau_sd,
        one_sd_gap=2.0 * tau_sd,
        range_low=vc.gamma00 - half,
        range_high=vc.gamma00 + half,
    )
