"""Weighted fits: two-level pseudo maximum likelihood from four numbers per school, and its sandwich errors.

With v the group's weight, a the conditional weights of its rows, A = sum a, m and S the a-weighted mean and sum of
squares, V = sigma2 + A tau00 and e = m - gamma00, the pseudo log likelihood is the sum over groups of v l,

    l = -1/2 [A log(2 pi sigma2) + log(1 + A theta) + S/sigma2 + A e^2/V]

(Pfeffermann et al. 1998; Rabe-Hesketh and Skrondal 2006). Its profile is the unweighted one with sizes A and
counts v, so the optimiser is the same. As in `varcomp`, everything runs in units of a power of two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import ArgumentError, FastmlError
from fastml.groupstats import GroupStats
from fastml.varcomp import SizeTable, VarianceComponents, check_groups, estimate

__all__ = ["SCALINGS", "VCOVS", "WEIGHTS_ARE", "Sandwich", "WeightedFit", "WeightedGroups", "Weighting",
           "check_options", "check_weights", "fit_weighted", "pseudo_ml", "reduce_weighted", "sandwich",
           "scale_weights", "total_weights", "weighted_groups"]  # fmt: skip

Floats = npt.NDArray[np.float64]

SCALINGS = ("size", "effective", "none", "gk", "group-only")
WEIGHTS_ARE = ("total", "conditional")
VCOVS = ("joint", "block")


@dataclass(frozen=True)
class WeightedGroups:
    """Groups as the weighted likelihood sees them; all arrays have shape (J,).

    Attributes
    ----------
    n : ndarray of int64
        Rows.
    size : ndarray
        A, the sum of the scaled conditional weights.
    count : ndarray
        v, the group's weight.
    mean, residual : ndarray
        Weighted mean, and what it is more than that double.
    ss : ndarray
        S, the weighted sum of squares about the mean.
    """

    n: npt.NDArray[np.int64]
    size: Floats
    count: Floats
    mean: Floats
    residual: Floats
    ss: Floats


@dataclass(frozen=True)
class Sandwich:
    """Robust standard errors over groups, times J/(J-1).

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
class WeightedFit:
    """A weighted fit: the groups it saw, the estimates and their robust errors.

    Attributes
    ----------
    groups : WeightedGroups
    sizes : SizeTable
        The groups gathered by size: `size` is A, `count` the sum of v.
    components : VarianceComponents
        With the robust standard error of gamma00; `deviance` is -2 times the pseudo log likelihood.
    errors : Sandwich
    """

    groups: WeightedGroups
    sizes: SizeTable
    components: VarianceComponents
    errors: Sandwich


@dataclass(frozen=True)
class Weighting:
    """How a fit was weighted: `weights_are`, the `scaling`, and the kind of sandwich `vcov`."""

    weights_are: str
    scaling: str
    vcov: str


def scale_weights(
    plain: Floats, weighted: Floats | None, group_weight: Floats | None, weights_are: str, scaling: str
) -> WeightedGroups:
    """Scale the conditional weights; one pass over the rows serves all scalings.

    Parameters
    ----------
    plain : ndarray, shape (J, 4)
        Unweighted n, mean, residual, ss.
    weighted : ndarray, shape (J, 5), or None
        Sum of the rows' weights, mean, residual, ss, and the sum of their squares; None without row weights.
    group_weight : ndarray, shape (J,), or None
        v; None for 1 everywhere.
    weights_are : {"total", "conditional"}
        Total weights are divided by v.
    scaling : {"size", "effective", "none", "gk", "group-only"}
        a n/A; a A/sum(a^2); a; a = 1 and v times the mean a (Graubard and Korn 1996); a = 1.

    Returns
    -------
    WeightedGroups

    Examples
    --------
    >>> import numpy as np
    >>> plain = np.array([[2.0, 5.0, 0.0, 2.0]])
    >>> weighted = np.array([[8.0, 5.5, 0.0, 6.0, 40.0]])  # weights 2 and 6
    >>> v = np.array([2.0])
    >>> [float(scale_weights(plain, weighted, v, "total", s).size[0]) for s in SCALINGS]
    [2.0, 1.6, 4.0, 2.0, 2.0]
    """
    n = plain[:, 0]
    count = np.ones(len(n)) if group_weight is None else group_weight
    if weighted is None:
        size, moments, factor = n, plain, np.ones(len(n))
    else:
        total, squares = weighted[:, 0], weighted[:, 4]
        conditional = total / count if weights_are == "total" else total
        if scaling in ("gk", "group-only"):
            size, moments, factor = n, plain, np.ones(len(n))
            count = count * (conditional / n) if scaling == "gk" else count
        else:
            # S is homogeneous in the weights: factor turns the sum with the weights as given into that as scaled.
            size = {"size": n, "effective": total * (total / squares), "none": conditional}[scaling]
            moments, factor = weighted, size / total
    return WeightedGroups(
        n=n.astype(np.int64),
        size=np.ascontiguousarray(size),
        count=np.ascontiguousarray(count),
        mean=np.ascontiguousarray(moments[:, 1]),
        residual=np.ascontiguousarray(moments[:, 2]),
        ss=moments[:, 3] * factor,
    )


def weighted_groups(stats: GroupStats, outcome: str | None, weights_are: str, scaling: str) -> WeightedGroups:
    """The groups of one outcome, in the order of ``stats.groups(outcome)``.

    Parameters
    ----------
    stats : GroupStats
        With weights, group weights or both.
    outcome : str or None
    weights_are, scaling : str
        See `scale_weights`.

    Returns
    -------
    WeightedGroups
    """
    index, used = _used(stats, outcome)
    return scale_weights(
        stats.moments[index][used],
        None if stats.weighted is None else stats.weighted[index][used],
        None if stats.group_weight is None else stats.group_weight[used],
        weights_are,
        scaling,
    )


def _used(stats: GroupStats, outcome: str | None) -> tuple[int, npt.NDArray[np.bool_]]:
    """Place of an outcome, and which cells have observations of it under labels that are known."""
    index = 0 if outcome is None else stats.outcomes.index(outcome)
    return index, (stats.moments[index, :, 0] > 0) & stats.known()


def total_weights(stats: GroupStats, outcome: str | None, weights_are: str) -> tuple[Floats, Floats]:
    """Sums over a group's rows of the total weights and of their squares.

    Parameters
    ----------
    stats : GroupStats
        With weights, group weights or both.
    outcome : str or None
    weights_are : str
        See `scale_weights`.

    Returns
    -------
    total, squares : ndarray, shape (J,)
    """
    index, used = _used(stats, outcome)
    if stats.weighted is None:
        total = squares = stats.moments[index, used, 0]
    else:
        total, squares = stats.weighted[index, used, 0], stats.weighted[index, used, 4]
    if stats.group_weight is None or (weights_are == "total" and stats.weighted is not None):
        return total, squares
    v = stats.group_weight[used]
    return v * total, v * v * squares


def _unit(groups: WeightedGroups) -> tuple[float, float, float]:
    """Origin of the means, unit (a power of two) and the pooled weighted sum of squares; checks the groups."""
    ssw = float(groups.count @ groups.ss) if len(groups.n) else 0.0
    origin = float(np.mean(groups.mean)) if len(groups.n) else 0.0
    deviation = (groups.mean - origin) + groups.residual
    check_groups(len(groups.n), int(groups.n.sum()), ssw, not np.any(deviation != deviation[:1]))
    dof = float(groups.count @ groups.size)
    return origin, math.ldexp(1.0, math.frexp(ssw / dof)[1] // 2), ssw


def reduce_weighted(groups: WeightedGroups) -> SizeTable:
    """Gather weighted groups by size.

    Parameters
    ----------
    groups : WeightedGroups

    Returns
    -------
    SizeTable
        `size` is A, `count` the sum of v, `mean` and `ss` the v-weighted mean and sum of squares of the groups'
        means; `n_obs` and `n_groups` count rows and groups.

    Raises
    ------
    ModelError
        As in `varcomp.reduce_sizes`.
    """
    origin, unit, ssw = _unit(groups)
    deviation = ((groups.mean - origin) + groups.residual) / unit
    size, inverse = np.unique(groups.size, return_inverse=True)
    v = groups.count
    count = np.bincount(inverse, weights=v).astype(np.float64)
    mean = np.bincount(inverse, weights=v * deviation) / count
    centred = deviation - mean[inverse]
    correction = np.bincount(inverse, weights=v * centred) / count
    return SizeTable(
        size=size,
        count=count,
        mean=mean + correction,
        ss=np.bincount(inverse, weights=v * (centred - correction[inverse]) ** 2).astype(np.float64),
        ssw=ssw / unit**2,
        origin=origin,
        unit=unit,
        n_obs=int(groups.n.sum()),
        n_groups=len(groups.n),
    )


def pseudo_ml(table: SizeTable) -> VarianceComponents:
    """Estimates at the global maximum of the pseudo likelihood.

    Parameters
    ----------
    table : SizeTable
        Of `reduce_weighted`.

    Returns
    -------
    VarianceComponents
        `dof` is sum(v A); `se_gamma00` is the model's, which no weighted result should print: see `sandwich`.
    """
    return estimate(table, "ml", dof=float(table.count @ table.size))


def sandwich(groups: WeightedGroups, vc: VarianceComponents, vcov: str = "joint") -> Sandwich:
    """Robust standard errors: groups are the sampling units.

    Parameters
    ----------
    groups : WeightedGroups
    vc : VarianceComponents
        Of `pseudo_ml`.
    vcov : {"joint", "block"}
        H^-1 (sum v^2 g g') H^-1 J/(J-1) with g the score of a group's l in (gamma00, tau00, sigma2) and H the second
        derivatives of the pseudo likelihood, all three parameters together (GLLAMM, Stata, Mplus up to the factor),
        or gamma00 and the variances each on its own (WeMix).

    Returns
    -------
    Sandwich
    """
    _, unit, _ = _unit(groups)
    # Units where sigma2 is 1: no power of the scores' unit over- or underflows.
    scale = unit * math.sqrt(vc.sigma2 / unit**2)
    e = ((groups.mean - vc.gamma00) + groups.residual) / scale
    s = groups.ss / vc.sigma2
    a, v, tau = groups.size, groups.count, vc.theta
    w = a / (1.0 + a * tau)  # A/V
    r = 1.0 / (1.0 + a * tau)  # 1/V
    q = w * e
    scores = np.stack([q, 0.5 * (q * q - w), 0.5 * (s + r * q * e - (a - 1.0) - r)])
    meat = (scores * v**2) @ scores.T
    second = np.empty((3, 3))
    second[0] = -(v @ w), -(v @ (w * q)), -(v @ (r * q))
    second[1, 1:] = v @ (0.5 * w * w - w * q * q), v @ (0.5 * w * r - r * q * q)
    second[2, 2] = v @ (0.5 * (a - 1.0 + r * r) - s - r * r * q * e)
    second[1:, 0] = second[0, 1:]
    second[2, 1] = second[1, 2]
    n_groups = len(groups.n)
    free = [0, 2] if vc.singular else [0, 1, 2]
    blocks = [free] if vcov == "joint" else [[0], free[1:]]
    covariance = np.full((3, 3), math.nan)
    for rows in blocks:
        inverse = _inverse(second[np.ix_(rows, rows)])
        covariance[np.ix_(rows, rows)] = inverse @ meat[np.ix_(rows, rows)] @ inverse * (n_groups / (n_groups - 1))
    by_icc = np.array([1.0, -tau]) / (1.0 + tau) ** 2
    se = np.sqrt(np.diag(covariance)) * np.array([scale, vc.sigma2, vc.sigma2])
    return Sandwich(
        se_gamma00=float(se[0]),
        se_tau00=float(se[1]),
        se_sigma2=float(se[2]),
        se_icc=math.sqrt(by_icc @ covariance[1:, 1:] @ by_icc),
    )


def _inverse(matrix: Floats) -> Floats:
    """Inverse of a symmetric matrix whose diagonal may span many powers of ten."""
    scale = np.sqrt(np.abs(np.diag(matrix)))
    inverse: Floats = np.linalg.inv(matrix / np.outer(scale, scale)) / np.outer(scale, scale)
    return inverse


def fit_weighted(
    stats: GroupStats, outcome: str | None, weights_are: str = "total", scaling: str = "size", vcov: str = "joint"
) -> WeightedFit:
    """Fit one outcome of weighted statistics.

    Parameters
    ----------
    stats : GroupStats
    outcome : str or None
    weights_are, scaling, vcov : str
        See `scale_weights` and `sandwich`.

    Returns
    -------
    WeightedFit

    Raises
    ------
    FastmlError
        Student weights without a school weight.
    ModelError
        The groups have no maximum of the likelihood.
    """
    check_weights(stats.weights, stats.group_weights)
    groups = weighted_groups(stats, outcome, weights_are, scaling)
    sizes = reduce_weighted(groups)
    vc = pseudo_ml(sizes)
    errors = sandwich(groups, vc, vcov)
    return WeightedFit(groups, sizes, replace(vc, se_gamma00=errors.se_gamma00), errors)


def check_weights(weights: str | None, group_weights: str | None) -> None:
    """Refuse student weights without a school weight: they can't be divided into a share per level.

    Raises
    ------
    FastmlError
    """
    if weights and not group_weights:
        raise FastmlError(
            f"weights={weights!r} needs group_weights too, the column of the school's own weight (SCHWGT in TIMSS, "
            "W_SCHGRNRABWT in PISA's school file): a two-level model weights schools and, within them, students"
        )


def check_options(weights_are: Any, scaling: Any, vcov: Any) -> tuple[str, str, str]:
    """The three options in lower case.

    Raises
    ------
    ArgumentError
        One of them has no such value.
    """
    chosen = []
    for name, value, allowed in (
        ("weights_are", weights_are, WEIGHTS_ARE),
        ("weight_scaling", scaling, SCALINGS),
        ("vcov", vcov, VCOVS),
    ):
        folded = value.lower() if isinstance(value, str) else value
        if folded not in allowed:
            raise ArgumentError(name, value, allowed)
        chosen.append(folded)
    return chosen[0], chosen[1], chosen[2]
