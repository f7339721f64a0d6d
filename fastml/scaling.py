"""How weights are divided between schools and students, and scaled: statistics -> `WeightedGroups`.

A student's total weight t is the school's v times the conditional weight a of a student within it. Every scaling of a
comes from the same sums, so that one pass over the rows serves all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import ArgumentError, FastmlError
from fastml.groupstats.statistics import GroupStats

__all__ = ["SCALINGS", "UNWEIGHTED_WITHIN", "VCOVS", "WEIGHTS_ARE", "WeightedGroups", "Weighting", "check_options",
           "check_weights", "scale_weights", "scaled_size", "total_weights", "weighted_groups"]  # fmt: skip

Floats = npt.NDArray[np.float64]

SCALINGS = ("size", "effective", "none", "gk", "group-only")
WEIGHTS_ARE = ("total", "conditional")
VCOVS = ("joint", "block")
UNWEIGHTED_WITHIN = ("gk", "group-only")
"""Scalings under which a = 1, so that means and sums of squares are the unweighted ones."""


@dataclass(frozen=True)
class Weighting:
    """How a fit was weighted: `weights_are`, the `scaling`, and the kind of sandwich `vcov`."""

    weights_are: str = "total"
    scaling: str = "size"
    vcov: str = "joint"

    def check_used(self, weights: str | None, group_weights: str | None) -> None:
        """Refuse a choice about weights where there are none: who made it believes the fit to be weighted.

        Parameters
        ----------
        weights, group_weights : str or None
            Columns of the statistics, or of the rows that are to be read.

        Raises
        ------
        FastmlError
        """
        if weights is not None or group_weights is not None:
            return
        for name, chosen, default in (
            ("weights_are", self.weights_are, Weighting.weights_are),
            ("weight_scaling", self.scaling, Weighting.scaling),
            ("vcov", self.vcov, Weighting.vcov),
        ):
            if chosen != default:
                raise FastmlError(
                    f"{name}={chosen!r} is of weighted fits, and this one has no weights; "
                    "name them with weights= and group_weights="
                )


@dataclass(frozen=True, eq=False)
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
    """
    if scaling == "effective":
        return total * (total / squares), count
    if scaling == "none":
        return conditional, count
    return n, count * (conditional / n) if scaling == "gk" else count


def weighted_groups(stats: GroupStats, outcome: str | None, weights_are: str, scaling: str) -> WeightedGroups:
    """The groups of one outcome, in the order of ``stats.groups(outcome)``.

    Parameters
    ----------
    stats : GroupStats
        With group weights.
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
        _meant(stats, weights_are),
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
        With group weights.
    outcome : str or None
    weights_are : str
        See `scale_weights`.

    Returns
    -------
    total, squares : ndarray, shape (J,)
    """
    assert stats.weighted is not None  # `check_weights` saw to both
    assert stats.group_weight is not None
    index, used = _used(stats, outcome)
    total, squares = stats.weighted[index, used, 0], stats.weighted[index, used, 4]
    if _meant(stats, weights_are) == "total":
        return total, squares
    v = stats.group_weight[used]
    return v * total, v * v * squares


def _meant(stats: GroupStats, weights_are: str) -> str:
    """What the rows' weights are: the 1 that each row has under school weights alone is no total weight."""
    return weights_are if stats.weights else "conditional"


def check_weights(weights: str | None, group_weights: str | None) -> None:
    """Refuse student weights without a school weight: they can't be divided into a share per level.

    Raises
    ------
    FastmlError
    """
    if weights is not None and group_weights is None:
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
