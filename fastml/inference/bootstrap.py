"""Parametric bootstrap of the model from its group sizes alone: no rows, and no schools beyond the distinct sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.errors import ModelError
from fastml.inference.distributions import normal_quantile, normal_tail
from fastml.inference.draws import check_draws, generator
from fastml.inference.information import expected_information
from fastml.model.profile import find_minimum
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents

__all__ = ["BootstrapDraws", "acceleration", "bca_limits", "bootstrap", "percentile_limits"]

Floats = npt.NDArray[np.float64]

DRAWS = 10_000
MIN_DRAWS = 40
_CHUNK = 1 << 20  # cells of draws x sizes simulated at a time: 8 MB an array


@dataclass(frozen=True, eq=False)
class BootstrapDraws:
    """Estimates from simulated samples, in the units of the `SizeTable`; gamma is less its origin.

    Attributes
    ----------
    gamma, tau00, sigma2, theta : ndarray, shape (B,)
    """

    gamma: Floats
    tau00: Floats
    sigma2: Floats
    theta: Floats


def bootstrap(
    table: SizeTable,
    vc: VarianceComponents,
    draws: int = DRAWS,
    seed: int | np.random.Generator | None = None,
) -> BootstrapDraws:
    """Simulate samples of the fitted model and fit each by the fit's own method.

    The groups of one size enter only by the mean of their means, normal, and their sum of squares about it,
    chi-square; the within sum of squares is chi-square. Equal sizes have the closed form, so the number of groups
    costs nothing.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
    draws : int
        Number of samples.
    seed : int, numpy.random.Generator or None
        The same seed gives the same draws.

    Returns
    -------
    BootstrapDraws

    Raises
    ------
    RangeError
        For fewer than 40 draws, which have no 2.5 % points, or a seed that is none.
    """
    check_draws(draws, MIN_DRAWS)
    rng = generator(seed)
    sigma2 = vc.terms.r / vc.dof
    n, c = table.size, table.count
    between_variance = sigma2 * (vc.theta + 1.0 / n)
    fits = np.empty((draws, 3))
    step = max(1, _CHUNK // n.size)
    for start in range(0, draws, step):
        part = fits[start : start + step]
        means = rng.standard_normal((len(part), n.size)) * np.sqrt(between_variance / c)
        sss = rng.standard_gamma(0.5 * (c - 1.0), (len(part), n.size)) * (2.0 * between_variance)
        ssws = rng.standard_gamma(0.5 * (table.n_obs - table.n_groups), len(part)) * (2.0 * sigma2)
        _fit(table, vc, means, sss, ssws, part)
    theta = fits[:, 0]
    return BootstrapDraws(gamma=vc.terms.gamma + fits[:, 2], tau00=theta * fits[:, 1], sigma2=fits[:, 1], theta=theta)


def _fit(table: SizeTable, vc: VarianceComponents, means: Floats, sss: Floats, ssws: Floats, out: Floats) -> None:
    """Fill rows of `out` (B, 3) with theta, sigma2 and gamma of each simulated sample."""
    n, c = table.size, table.count
    if vc.method == "anova":
        _fit_anova(table, means, sss, ssws, out)
    elif n.size == 1:
        free = c[0] - 1.0 if vc.method == "reml" else c[0]
        ratio = n[0] * (sss[:, 0] / free) / (ssws / (table.n_obs - table.n_groups))
        theta = np.maximum(0.0, (ratio - 1.0) / n[0])
        out[:, 0] = theta
        out[:, 1] = (ssws + n[0] / (1.0 + n[0] * theta) * sss[:, 0]) / vc.dof
        out[:, 2] = means[:, 0]
    else:
        from fastml.kernels.likelihood import resample

        restricted = vc.method == "reml"
        grid = np.exp(np.arange(math.log(1e-3 / n[-1]), math.log(1e3 / n[0]) + 0.5, 0.25))
        resample.fit_draws(grid, table.columns, means, sss, ssws, vc.dof, restricted, out)
        for b in np.flatnonzero(np.isnan(out[:, 0])):
            columns = np.stack([n, c, means[b], sss[b]])
            if found := find_minimum(columns, float(ssws[b]), vc.dof, restricted):
                out[b] = found.theta, found.fields[4] / vc.dof, found.fields[0]


def _fit_anova(table: SizeTable, means: Floats, sss: Floats, ssws: Floats, out: Floats) -> None:
    n, c = table.size, table.count
    total = float(table.n_obs)
    grand = means @ (c * n) / total
    ssb = sss @ n + ((means - grand[:, None]) ** 2) @ (c * n)
    msw = ssws / (total - table.n_groups)
    n0 = (total - float(np.sum(c * n * n)) / total) / (table.n_groups - 1)
    theta = np.maximum(0.0, (ssb / (table.n_groups - 1) / msw - 1.0) / n0)
    weights = c * n / (1.0 + n * theta[:, None])
    out[:, 0] = theta
    out[:, 1] = msw
    out[:, 2] = np.sum(weights * means, axis=1) / np.sum(weights, axis=1)


def percentile_limits(values: Floats, level: float) -> tuple[float, float]:
    """Equal-tailed quantiles of bootstrap draws.

    Parameters
    ----------
    values : ndarray, shape (B,)
    level : float

    Returns
    -------
    low, high : float
    """
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(values, [tail, 1.0 - tail], method="weibull")
    return float(low), float(high)


def acceleration(table: SizeTable, vc: VarianceComponents, parameter: str) -> float:
    """Efron's acceleration constant, in closed form: a sixth of the skewness of the score along the parameter.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
    parameter : {"gamma00", "tau00", "sigma2", "theta"}
        The value for any monotone function of one of them is the same.

    Returns
    -------
    float

    Notes
    -----
    In the least favourable direction d = I^-1 grad the score is a quadratic form in the group means, with weights
    k_n = (n d1 + d2)/(2V), and for the within part a chi-square with d2/(2 sigma2) (Efron 1987, JASA 82, 171-185,
    section 4). By ML the means are free; else they are less the estimated gamma00, which takes the direction
    s_j^2 = (n/V)/sum(n/V) from them: their cumulants are the traces of (I - ss')K squared and cubed.
    """
    if parameter == "gamma00":
        return 0.0
    gradients = {"tau00": (1.0, 0.0), "sigma2": (0.0, 1.0), "theta": (1.0, -vc.theta)}
    information = expected_information(table, vc)
    d1, d2 = np.linalg.solve(information, np.array(gradients[parameter]))
    v = 1.0 + table.size * vc.theta
    between = (table.size * d1 + d2) / (2.0 * v)
    within, freedom = 0.5 * d2, table.n_obs - table.n_groups
    second = float(np.sum(table.count * between**2) + freedom * within**2)
    third = float(np.sum(table.count * between**3) + freedom * within**3)
    if vc.method != "ml":
        along = table.count * table.size / v
        s1, s2, s3 = (float(np.sum(along * between**power) / np.sum(along)) for power in (1, 2, 3))
        second -= 2.0 * s2 - s1**2
        third -= 3.0 * s3 - 3.0 * s2 * s1 + s1**3
    return float(8.0 * third / (2.0 * second) ** 1.5 / 6.0)


def bca_limits(values: Floats, estimate: float, level: float, a: float) -> tuple[float, float, str]:
    """Bias-corrected and accelerated limits (Efron 1987).

    Parameters
    ----------
    values : ndarray, shape (B,)
        Bootstrap draws.
    estimate : float
        The fit's own value; draws equal to it count half, so that a mass at zero is shared.
    level : float
    a : float
        Of `acceleration`.

    Returns
    -------
    low, high : float
    note : str
        Where a limit lies beyond the draws, and is the last of them.

    Raises
    ------
    ModelError
        When all draws are on one side of the estimate.
    """
    below = (float(np.sum(values < estimate)) + 0.5 * float(np.sum(values == estimate))) / values.size
    if not 0.0 < below < 1.0:
        raise ModelError("every bootstrap draw is on one side of the estimate, which BCa can't correct; "
                         "use method='bootstrap' (percentile)")  # fmt: skip
    z0 = normal_quantile(below)
    limits, ends = [], []
    reach, edge = normal_quantile(0.5 * (1.0 - level)), 1.0 / (values.size + 1.0)
    for name, end, z in (("lower", "smallest", z0 + reach), ("upper", "largest", z0 - reach)):
        shrink = 1.0 - a * z
        # Past its pole the correction has no meaning: the end of the draws is all there is to say.
        q = (1.0 - normal_tail(z0 + z / shrink)) if shrink > 0.0 else float(z > 0.0)
        limits.append(float(np.quantile(values, min(max(q, 0.0), 1.0), method="weibull")))
        if not edge <= q <= 1.0 - edge:
            ends.append((name, end))
    note = " and ".join(f"the {name} limit is the {end} draw" for name, end in ends)
    if note:
        note += ", where it lies beyond them all: use another method"
    return limits[0], limits[1], note
