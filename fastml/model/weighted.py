"""Weighted fits: two-level pseudo maximum likelihood from four numbers per school.

With v the group's weight, a the conditional weights of its rows, A = sum a, m and S the a-weighted mean and sum of
squares, V = sigma2 + A tau00 and e = m - gamma00, the pseudo log likelihood is the sum over groups of v l,

    l = -1/2 [A log(2 pi sigma2) + log(1 + A theta) + S/sigma2 + A e^2/V]

(Pfeffermann et al. 1998; Rabe-Hesketh and Skrondal 2006). Its profile is the unweighted one with sizes A and
counts v, so the optimiser is the same. As in `variance_components`, everything runs in units of a power of two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fastml.errors import ArgumentError
from fastml.model.groups import WeightedGroups
from fastml.model.size_table import SizeTable, check_groups
from fastml.model.variance_components import VarianceComponents, estimate

__all__ = [
    "SCALINGS",
    "UNWEIGHTED_WITHIN",
    "ResidualVariances",
    "pseudo_ml",
    "reduce_weighted",
    "residual_variances",
    "scale_weights",
    "scaled_size",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ResidualVariances:
    """What the residuals of the groups' means vary by if the model holds; all of shape (..., J), in units of sigma2.

    Attributes
    ----------
    share, apart : ndarray
        The group's share c in gamma00, and 1 - c.
    rest : ndarray
        Variance of gamma00 that comes from the other groups, sum of c^2 phi over them.
    variance : ndarray
        Of the residual, phi (1 - c)^2 + rest; phi (1 - 2 c) + sum c^2 phi in other words.
    """

    share: Floats
    apart: Floats
    rest: Floats
    variance: Floats


def residual_variances(weight: Floats, phi: Floats) -> ResidualVariances:
    """Variances of mean - gamma00 where gamma00 is a weighted mean of the groups' means.

    Parameters
    ----------
    weight, phi : ndarray, shape (..., J)
        What each mean counts (v/phi for gamma00, in any unit), and its variance tau00 + sigma2/A in units of sigma2. A
        group of weight 0 has the variance of one that is left out.

    Returns
    -------
    ResidualVariances
    """
    total = weight.sum(axis=-1, keepdims=True)
    share = weight / total
    rest = _others(share * share * phi)
    apart = _others(weight) / total
    return ResidualVariances(share, apart, rest, phi * apart * apart + rest)


def _others(x: Floats) -> Floats:
    """Sum of all elements but each, along the last axis, without the cancellation of subtracting it."""
    before, after = np.zeros(x.shape), np.zeros(x.shape)
    np.cumsum(x[..., :-1], axis=-1, out=before[..., 1:])
    np.cumsum(x[..., :0:-1], axis=-1, out=after[..., -2::-1])
    return before + after


def _unit(groups: WeightedGroups) -> tuple[float, float, float]:
    """Origin of the means, unit (a power of two) and the pooled weighted sum of squares; checks the groups."""
    with np.errstate(over="ignore"):
        ssw = float(groups.count @ groups.ss) if len(groups.n) else 0.0
        origin = float(np.mean(groups.mean)) if len(groups.n) else 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = (groups.mean - origin) + groups.residual
    dof = float(groups.count @ groups.size)
    unit = math.ldexp(1.0, math.frexp(ssw / dof)[1] // 2) if dof > 0.0 else 1.0
    largest, spread = (float(np.max(np.abs(x), initial=0.0)) for x in (groups.mean, deviation))
    same_mean = not np.any(deviation != deviation[:1])
    check_groups(len(groups.n), int(groups.n.sum()), ssw, same_mean, largest, spread / unit, unit)
    return origin, unit, ssw


def reduce_weighted(groups: WeightedGroups) -> SizeTable:
    """Bring weighted groups together by size.

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
        As in `size_table.reduce_sizes`.
    """
    origin, unit, ssw = _unit(groups)
    deviation = ((groups.mean - origin) + groups.residual) / unit
    size, inverse = np.unique(groups.size, return_inverse=True)
    v = groups.count
    count = np.bincount(inverse, weights=v).astype(np.float64)
    mean = np.bincount(inverse, weights=v * deviation) / count
    centred = deviation - mean[inverse]
    correction = np.bincount(inverse, weights=v * centred) / count
    squares = np.bincount(inverse, weights=v * (centred - correction[inverse]) ** 2)
    return SizeTable(
        columns=np.stack([size, count, mean + correction, squares]),
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
        `dof` is sum(v A); `se_gamma00` is the model's, which no weighted result should print.
    """
    return estimate(table, "ml", dof=float(table.count @ table.size))


Scaling = Literal["size", "effective", "none", "gk", "group-only"]
SCALINGS = get_args(Scaling)
UNWEIGHTED_WITHIN = ("gk", "group-only")


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
    moments, factor, size = plain, np.ones(len(n)), n
    if weighted is not None:
        total, squares = weighted[:, 0], weighted[:, 4]
        conditional = total / count if weights_are == "total" else total
        size, count = scaled_size(n, total, squares, conditional, count, scaling)
        if scaling not in UNWEIGHTED_WITHIN:
            # S is homogeneous in the weights: factor turns the sum with the weights as given into that as scaled.
            moments, factor = weighted, size / total
    return WeightedGroups(
        n=n.astype(np.int64),
        size=np.ascontiguousarray(size),
        count=np.ascontiguousarray(count),
        mean=np.ascontiguousarray(moments[:, 1]),
        residual=np.ascontiguousarray(moments[:, 2]),
        ss=moments[:, 3] * factor,
    )


def scaled_size(
    n: Floats, total: Floats, squares: Floats, conditional: Floats, count: Floats, scaling: str
) -> tuple[Floats, Floats]:
    """What a scaling makes of a group's weights; all arrays have one shape, or broadcast.

    Parameters
    ----------
    n, total, squares : ndarray
        Rows, and sums of their weights and of the squares of these, in any unit.
    conditional : ndarray
        Sum of the conditional weights, unscaled.
    count : ndarray
        The group's weight v.
    scaling : str

    Returns
    -------
    size, count : ndarray
        A, and v as the likelihood takes it.

    Raises
    ------
    ArgumentError
    """
    if scaling == "effective":
        return total * (total / squares), count
    if scaling == "none":
        return conditional, count
    if scaling == "gk":
        return n, count * (conditional / n)
    if scaling in ("size", "group-only"):
        return n, count
    raise ArgumentError("weight_scaling", scaling, SCALINGS)
