"""A part of an assessment (a country): what every replicate scheme hands to the fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.replication import CellMoments
from fastml.surveyrows import Roles, SchoolWeights

__all__ = ["Part", "Sample", "countries_note", "joined", "runs"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """One outcome in one part.

    Attributes
    ----------
    v : ndarray, shape (J,)
        Schools' weights.
    values : list of CellMoments
        Plausible values; the replicates of the first only, where the design asks for no more.
    complete : float
        Degrees of freedom of a replicate standard error: zones, or replicates.
    notes : list of str
    """

    v: Floats
    values: list[CellMoments]
    complete: float
    notes: list[str]


@dataclass(frozen=True)
class Part:
    """One combination of by-labels.

    Attributes
    ----------
    labels : dict of str to label
    dropped : dict of str to dict of str to int
        Rows left out by outcome and cause: "group", "weights", "zero_weight", "outcome".
    sample : callable
        ``sample(outcome, replicated, first_only)`` makes the `Sample` of an outcome; None where no row is left.
    notes : list of str
    """

    labels: Mapping[str, Any]
    dropped: Mapping[str, Mapping[str, int]]
    sample: Callable[[str, bool, bool], Sample | None]
    notes: list[str] = field(default_factory=list)


def joined(schools: SchoolWeights, labels: Mapping[str, list[Any]], length: int) -> Floats:
    """School weight of each cell from the school file, NaN where that has none."""
    found = (schools.weight.get(key, np.nan) for key in zip(*(labels[name] for name in schools.keys), strict=True))
    return np.fromiter(found, np.float64, length)


def runs(by: list[tuple[Any, ...]], known: npt.NDArray[np.bool_]) -> list[Int64s]:
    """Cells of each part, in the order of their labels; `by` is sorted."""
    if not by:
        return []
    change = [i for i in range(len(by)) if i == 0 or by[i] != by[i - 1]]
    found = [np.arange(start, stop) for start, stop in zip(change, [*change[1:], len(by)], strict=True)]
    return [run for run in found if known[run[0]]]


def countries_note(roles: Roles, countries: list[Any]) -> list[str]:
    """What to say of a part that pools several countries."""
    several = len(set(countries))
    if several < 2:
        return []
    return [f"{several} countries are pooled as one; give by={roles.country!r} for each on its own"]
