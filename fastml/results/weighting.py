"""The choices of a weighted fit, and the fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fastml.errors import ArgumentError, FastmlError
from fastml.groupstats.statistics import GroupStats
from fastml.inference.robust import VCOVS, RobustErrors, robust_errors
from fastml.model.corrected import corrected_ml
from fastml.model.groups import WeightedGroups
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents
from fastml.model.weighted import SCALINGS, pseudo_ml, reduce_weighted, scale_weights

__all__ = [
    "BIASES",
    "WEIGHTS_ARE",
    "WeightedFit",
    "Weighting",
    "check_options",
    "check_weights",
    "fit_weighted",
    "table_of_groups",
    "total_weights",
    "weighted_groups",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeightedFit:
    """A weighted fit: the groups with their scaled weights, the estimates and their robust errors.

    Attributes
    ----------
    groups : WeightedGroups
    sizes : SizeTable
        The groups by size: `size` is A, `count` the sum of v.
    components : VarianceComponents
        With the robust standard error of gamma00; `deviance` is -2 times the pseudo log likelihood.
    errors : RobustErrors
    """

    groups: WeightedGroups
    sizes: SizeTable
    components: VarianceComponents
    errors: RobustErrors


WeightsAre = Literal["total", "conditional"]
WEIGHTS_ARE = get_args(WeightsAre)
Bias = Literal["corrected"]
BIASES = get_args(Bias)


@dataclass(frozen=True)
class Weighting:
    """How a fit was weighted: `weights_are`, the `scaling`, the kind `vcov` of robust standard errors, the `bias`."""

    weights_are: str = "total"
    scaling: str = "size"
    vcov: str = "cr2"
    bias: str | None = None

    def check_used(self, weights: str | None, group_weights: str | None) -> None:
        """Refuse a choice about weights where there are none: the user believes that the fit is weighted.

        Parameters
        ----------
        weights, group_weights : str or None
            Columns of the statistics, or of the rows that are to be read.
        """
        if weights is not None or group_weights is not None:
            return
        for name, chosen, default in (
            ("weights_are", self.weights_are, Weighting.weights_are),
            ("weight_scaling", self.scaling, Weighting.scaling),
            ("vcov", self.vcov, Weighting.vcov),
            ("bias", self.bias, Weighting.bias),
        ):
            if chosen != default:
                raise FastmlError(
                    f"{name}={chosen!r} is of weighted fits, and this one has no weights; "
                    "name them with weights= and group_weights="
                )


def fit_weighted(stats: GroupStats, outcome: str | None, weighting: Weighting) -> WeightedFit:
    """Fit one outcome of weighted statistics.

    Parameters
    ----------
    stats : GroupStats
    outcome : str or None
    weighting : Weighting

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
    groups = weighted_groups(stats, outcome, weighting.weights_are, weighting.scaling)
    sizes = reduce_weighted(groups)
    vc = pseudo_ml(sizes)
    if weighting.bias:
        vc = corrected_ml(sizes, groups, vc)
    errors = robust_errors(groups, vc, weighting.vcov, bool(weighting.bias))
    return WeightedFit(groups, sizes, replace(vc, se_gamma00=errors.se_gamma00), errors)


def weighted_groups(stats: GroupStats, outcome: str | None, weights_are: str, scaling: str) -> WeightedGroups:
    """The groups of one outcome, in the order of ``stats.groups(outcome)``; see `scale_weights`."""
    index, used = _used(stats, outcome)
    return scale_weights(
        stats.moments[index][used],
        None if stats.weighted is None else stats.weighted[index][used],
        None if stats.group_weight is None else stats.group_weight[used],
        _weights_are(stats, weights_are),
        scaling,
    )


def table_of_groups(stats: GroupStats, outcome: str | None, weighting: Weighting, sizes: SizeTable) -> SizeTable:
    """The unit, origin and counts of a weighted fit's `sizes`, with a column of size A and count 1 for every group.

    So the reliability, a mean over groups whatever their weights, has one at every theta. The means are left out.
    """
    size = weighted_groups(stats, outcome, weighting.weights_are, weighting.scaling).size
    return replace(sizes, columns=np.stack([size, np.ones(len(size)), *np.zeros((2, len(size)))]))


def _used(stats: GroupStats, outcome: str | None) -> tuple[int, npt.NDArray[np.bool_]]:
    """Index of an outcome, and which cells have observations of it and no missing label."""
    index = 0 if outcome is None else stats.outcomes.index(outcome)
    return index, (stats.moments[index, :, 0] > 0) & stats.labelled_cells()


def total_weights(stats: GroupStats, outcome: str | None, weights_are: str) -> tuple[Floats, Floats]:
    """Sums over a group's rows of the total weights and of their squares, both of shape (J,)."""
    assert stats.weighted is not None  # by `check_weights`
    assert stats.group_weight is not None
    index, used = _used(stats, outcome)
    total, squares = stats.weighted[index, used, 0], stats.weighted[index, used, 4]
    if _weights_are(stats, weights_are) == "total":
        return total, squares
    v = stats.group_weight[used]
    return v * total, v * v * squares


def _weights_are(stats: GroupStats, weights_are: str) -> str:
    """As given, but "conditional" with school weights alone, where each row has the weight 1."""
    return weights_are if stats.weights else "conditional"


def check_weights(weights: str | None, group_weights: str | None) -> None:
    """Refuse student weights without a school weight, since they cannot be split into one weight per level.

    Raises
    ------
    FastmlError
    """
    if weights is not None and group_weights is None:
        raise FastmlError(
            f"weights={weights!r} needs group_weights too, the column of the school's own weight (SCHWGT in TIMSS, "
            "W_SCHGRNRABWT in PISA's school file): a two-level model weights schools and, within them, students"
        )


def check_options(weights_are: Any, scaling: Any, vcov: Any, bias: Any = None) -> Weighting:
    """Check the options of a weighted fit, which are returned in lower case."""
    chosen = []
    for name, value, allowed in (
        ("weights_are", weights_are, WEIGHTS_ARE),
        ("weight_scaling", scaling, SCALINGS),
        ("vcov", vcov, VCOVS),
        ("bias", "corrected" if bias is None else bias, BIASES),
    ):
        folded = value.lower() if isinstance(value, str) else value
        if folded not in allowed:
            raise ArgumentError(name, value, allowed)
        chosen.append(folded)
    return Weighting(chosen[0], chosen[1], chosen[2], None if bias is None else chosen[3])
