"""Cells of an assessment, and its parts (countries): what every replicate scheme hands to the fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import Status
from fastml.results.samples import CYCLES, SampleIdentity, label_text, school_number
from fastml.survey.columns import SurveyColumns
from fastml.survey.replication import CellMoments
from fastml.survey.school_file import SchoolWeights

__all__ = ["Cells", "Part", "Sample", "Sampler", "Unfit"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NO_SCHOOL_IDS: Status = "no_school_ids"


@dataclass(frozen=True, eq=False)
class Sample:
    """One outcome in one part.

    Attributes
    ----------
    v : ndarray, shape (J,)
        Schools' weights.
    values : list of CellMoments
        Plausible values; the replicates of the first only, where the design asks for no more.
    complete : float
        Degrees of freedom of a replicate standard error: the number of zones, or the rank of columns less 1.
    notes : list of str
    replicates : tuple of str
        What tells the replicates from others of the same sample: the zone and the half, or the column.
    """

    v: Floats
    values: list[CellMoments]
    complete: float
    notes: list[str]
    replicates: tuple[str, ...] = ()


Sampler = Callable[[str], Sample | None]


@dataclass(frozen=True)
class Unfit:
    """Why a part has no model, though its students have a mean.

    Attributes
    ----------
    status, message : str
    """

    status: Status
    message: str


@dataclass(frozen=True)
class Part:
    """One combination of by-labels.

    Attributes
    ----------
    labels : dict of str to label
    dropped : dict of str to dict of str to int
        Rows left out by outcome and cause: "group", "weights", "zero_weight", "outcome".
    sample : callable
        Makes the `Sample` of an outcome; None where no row is left.
    notes : list of str
    unfit : Unfit or None
        Where there is a mean only.
    identity : SampleIdentity
        Which sample the part is of, but for the data.
    """

    labels: Mapping[str, Any]
    dropped: Mapping[str, Mapping[str, int]]
    sample: Sampler
    notes: list[str] = field(default_factory=list)
    unfit: Unfit | None = None
    identity: SampleIdentity = field(default_factory=lambda: SampleIdentity((), False, {}, ()))

    @property
    def has_schools(self) -> bool:
        """Whether its rows have school ids."""
        return self.unfit is None or self.unfit.status != NO_SCHOOL_IDS


class Cells:
    """The smallest units that replicates re-weight, sorted by label: a school, or its rows in one half of one zone.

    Parameters
    ----------
    columns : SurveyColumns
    labels : mapping
        Key column to the labels of the C cells.
    counts : ndarray, shape (C, 3)
        All rows, those without a weight, those of weight 0.
    v : ndarray, shape (C,), or SchoolWeights
        School's weights.

    Attributes
    ----------
    school : list of tuple, length C
        Labels that name the cell's school.
    v : ndarray, shape (C,)
        NaN where the school has no weight, or another key of the cell is missing; 1 where no weight is needed, as there
        are no schools.
    used : ndarray of bool, shape (C,)
        Whether the cell's school has all its labels and a weight, and any of its rows has one; of a part that has no
        school ids at all, whether any of its rows has a weight.
    """

    def __init__(
        self, columns: SurveyColumns, labels: Mapping[str, list[Any]], counts: Int64s, v: Floats | SchoolWeights
    ) -> None:
        self.columns, self.labels, self.counts = columns, labels, counts
        self.school = list(zip(*(labels[name] for name in columns.keys), strict=True))
        by = [label[: len(columns.by)] for label in self.school]
        changes = [i for i in range(len(by)) if i == 0 or by[i] != by[i - 1]]
        self._parts = [np.arange(*edges) for edges in pairwise([*changes, len(by)])]
        self._without_schools = np.zeros(len(by), bool)
        for cells in self._parts:
            self._without_schools[cells] = all(self.school[c][-1] is None for c in cells.tolist())
        self._joined = isinstance(v, SchoolWeights)
        known = v.of(labels, len(counts)) if isinstance(v, SchoolWeights) else v
        self.v = np.where(self._without_schools, 1.0, known)
        complete = [None not in (label[:-1] if alone else label)
                    for label, alone in zip(self.school, self._without_schools.tolist(), strict=True)]  # fmt: skip
        self._labelled = np.array(complete, bool)
        self._weighted_rows = counts[:, 0] - counts[:, 1] - counts[:, 2]
        self.used: Bools = self._labelled & (self._weighted_rows > 0)
        if self._joined:
            self.used &= ~np.isnan(self.v)

    def parts(self, n_used: Mapping[str, Int64s], sampler: Callable[[Int64s], Sampler]) -> tuple[list[Part], int]:
        """Split the cells by their by-labels.

        Parameters
        ----------
        n_used : mapping
            Outcome to the rows of each cell (C,) that have a score and a weight above 0.
        sampler : callable
            Makes the `Part.sample` of some cells.

        Returns
        -------
        parts : list of Part
            Sorted by label.
        dropped_by : int
            Rows without a by-label, which belong to no part.
        """
        found, dropped_by = [], 0
        for cells in self._parts:
            by = self.school[cells[0]][: len(self.columns.by)]
            if None in by:
                dropped_by += int(self.counts[cells, 0].sum())
                continue
            dropped = {outcome: self._dropped(cells, n) for outcome, n in n_used.items()}
            labels = dict(zip(self.columns.by, by, strict=True))
            used = cells[self.used[cells]]
            unfit = self._unfit(cells)
            found.append(Part(labels, dropped, sampler(used), self._notes(cells), unfit, self._identity(used, unfit)))
        return found, dropped_by

    def _identity(self, used: Int64s, unfit: Unfit | None) -> SampleIdentity:
        """Which sample the cells are of. Schools' ids alone don't tell, but with their weights mostly do."""
        place, cycles = self.columns.place, [name for name in self.columns.by if name.casefold() in CYCLES]
        names = [*([place] if place else []), *cycles]
        rows = used.tolist()
        countries = {" ".join(label_text(self.labels[name][c]) for name in names) for c in rows if names}
        at = [self.columns.keys.index(place)] if place else []
        schools = {(*(self.school[c][i] for i in at), self.school[c][-1]): float(self.v[c]) for c in rows}
        numbers = {school_number(*school): v for school, v in schools.items()} if unfit is None else {}
        return SampleIdentity(tuple(sorted(countries)), place is not None, numbers, ())

    def _unfit(self, cells: Int64s) -> Unfit | None:
        if self._without_schools[cells[0]]:
            group = self.columns.group
            return Unfit(NO_SCHOOL_IDS, f"no row has a school id in {group!r}, so mean and sd are all there is")
        return Unfit("no_school_weight", self.columns.lacks) if self.columns.lacks else None

    def _dropped(self, cells: Int64s, n_used: Int64s) -> dict[str, int]:
        labelled, rows = self._labelled[cells], self._weighted_rows[cells]
        # With a school file the rows of a school that it lacks have a weight of their own, but not their school's.
        lost = np.where(np.isnan(self.v[cells]), rows, 0)
        return {
            "group": int(self.counts[cells, 0][~labelled].sum()),
            "weights": int((self.counts[cells, 1] + lost)[labelled].sum()),
            "zero_weight": int(self.counts[cells, 2][labelled].sum()),
            "outcome": int((rows - n_used[cells])[self.used[cells]].sum()),
        }

    def _notes(self, cells: Int64s) -> list[str]:
        notes = []
        country = self.columns.country
        several = len({self.labels[country][c] for c in cells[self.used[cells]].tolist()}) if country else 0
        if several > 1:
            notes.append(f"{several} countries are pooled as one; give by={country!r} for each on its own")
        if self._joined:
            absent = self._labelled[cells] & (self._weighted_rows[cells] > 0) & np.isnan(self.v[cells])
            schools = {self.school[c] for c in cells[absent].tolist()}
            if schools:
                notes.append(f"schools that the school data lack, whose rows are in no figure: {len(schools):,}")
        return notes
