"""The jackknife of zones: school x zone x half cells from one pass over the rows; a replicate only re-weights cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.designs import Jackknife
from fastml.errors import ValueNotAllowedError, WeightVariesError
from fastml.groupstats.statistics import GroupStats
from fastml.keys.key_table import check_labels
from fastml.reduce.columns import CallColumns
from fastml.reduce.workers import from_source
from fastml.results.samples import label_text
from fastml.survey.cells import Cells, Part, Sample, Sampler
from fastml.survey.choices import Choices
from fastml.survey.cleaning import CleanRows
from fastml.survey.replication import CellMoments
from fastml.survey.school_file import SchoolWeights

__all__ = ["JackknifePlan", "jackknife_moments", "jackknife_parts", "plan_jackknife"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


def jackknife_parts(
    rows: CleanRows, schools: SchoolWeights | None, choices: Choices, threads: int
) -> tuple[list[Part], int]:
    """Read the stream once into cells, the rows of a school in one half of one zone.

    Parameters, returns and errors are those of `fastml.survey.replicate_weights.column_parts`; a zone that is missing
    and a half other than 0 or 1 are errors too.
    """
    columns = rows.columns
    stats = from_source(
        pa.RecordBatchReader.from_batches(rows.schema, rows.batches),
        CallColumns(
            columns.values,
            [*columns.keys[len(columns.by) :], columns.zone, columns.half],
            columns.by,
            columns.weight,
            columns.group_weight_name or None,
        ),
        threads=threads,
    )
    v: Floats | SchoolWeights | None = stats.group_weight if schools is None else schools
    if v is None:  # without any, for means of students
        v = np.ones(len(stats.counts))
    check_labels(stats.keys)
    labels = {name: stats.keys[name].to_pylist() for name in stats.keys.column_names}
    cells = Cells(columns, labels, stats.counts.astype(np.int64), v)
    _check_zones(cells)
    _check_one_weight(cells)
    first = {outcome: stats.outcomes.index(values[0]) for outcome, values in columns.outcomes.items()}
    n_used = {outcome: stats.moments[k, :, 0].astype(np.int64) for outcome, k in first.items()}
    return cells.parts(n_used, lambda units: _sampler(stats, cells, choices, units))


def _sampler(stats: GroupStats, cells: Cells, choices: Choices, units: Int64s) -> Sampler:
    columns, scheme = cells.columns, choices.design.replicates
    assert isinstance(scheme, Jackknife)
    assert stats.weighted is not None
    plain, weighted = stats.moments, stats.weighted
    # A zone lives within what a school lives within: its country, or the part.
    zone_names = list(zip(*(cells.labels[name] for name in (*columns.keys[:-1], columns.zone)), strict=True))
    school, zone = _codes(cells.school, units), _codes(zone_names, units)
    place = [cells.labels[name] for name in (columns.place, columns.zone) if name]
    names = [" ".join(label_text(column[c]) for column in place) for c in units.tolist()]
    half = np.array([float(cells.labels[columns.half][c]) for c in units.tolist()])

    def sample(outcome: str) -> Sample | None:
        values = [stats.outcomes.index(name) for name in columns.outcomes[outcome]]
        seen = plain[values[0], units, 0] > 0
        if not seen.any():
            return None
        used = units[seen]
        _, first_cell, codes = np.unique(school[seen], return_index=True, return_inverse=True)
        plan = plan_jackknife(codes, zone[seen], half[seen], scheme.both_halves)
        moments = [
            jackknife_moments(plan, plain[value, used], weighted[value, used], choices.replicates_value(k))
            for k, value in enumerate(values)
        ]
        notes = [f"zones with one half only: {plan.n_half} of {plan.n_zones}"] if plan.n_half else []
        _, first_unit = np.unique(zone[seen], return_index=True)
        zones = [names[i] for i in np.flatnonzero(seen)[first_unit].tolist()]
        halves = ("1", "0") if scheme.both_halves else ("1",)
        replicates = tuple(f"zone {name}, half {half}" for name in zones for half in halves)
        return Sample(cells.v[used][first_cell], moments, float(plan.n_zones), notes, replicates)

    return sample


def _check_zones(cells: Cells) -> None:
    columns, labels = cells.columns, cells.labels
    for cell in np.flatnonzero(cells.used).tolist():
        zone, half = labels[columns.zone][cell], labels[columns.half][cell]
        if zone is None:
            raise ValueNotAllowedError(
                f"jackknife zone {columns.zone!r} is missing in {_place(cells, cell)}; every weighted row needs its "
                "zone"
            )
        if half is None or half not in (0, 1):
            shown = "missing" if half is None else f"{half!r}"
            raise ValueNotAllowedError(
                f"jackknife half {columns.half!r} is {shown} in {_place(cells, cell)}; it is 0 or 1 (is the design the "
                "file's own?)"
            )


def _check_one_weight(cells: Cells) -> None:
    seen: dict[tuple[Any, ...], float] = {}
    for cell in np.flatnonzero(cells.used).tolist():
        weight = float(cells.v[cell])
        before = seen.setdefault(cells.school[cell], weight)
        if before != weight:
            raise WeightVariesError(str(cells.columns.group_weight_name), before, weight, f"in {_place(cells, cell)}")


def _place(cells: Cells, cell: int) -> str:
    return ", ".join(f"{name} {x}" for name, x in zip(cells.columns.keys, cells.school[cell], strict=True))


def _codes(labels: list[tuple[Any, ...]], cells: Int64s) -> Int64s:
    """Dense codes of the cells' labels."""
    code: dict[Any, int] = {}
    return np.array([code.setdefault(labels[c], len(code)) for c in cells.tolist()], np.int64)


@dataclass(frozen=True, eq=False)
class JackknifePlan:
    """The weights of every replicate; they are the same for every plausible value.

    Attributes
    ----------
    n_zones, n_half : int
        Zones, and zones with one half only.
    school : ndarray, shape (C,)
        School (0 to J - 1) of each unit: a school's rows in one zone and half.
    factor : ndarray, shape (R, C)
        What multiplies the weights of each unit's rows; row 0 is the full sample.
    """

    n_zones: int
    n_half: int
    school: Int64s
    factor: Floats


def plan_jackknife(school: Int64s, zone: Int64s, half: Floats, both_halves: bool) -> JackknifePlan:
    """Plan the replicates of one part: of each unit (C,) the codes from 0 of its school and zone, and its half, 0 or 1.

    With both halves a zone has two replicates, else one: weights x 2 where the half is 1.
    """
    zones, zone = np.unique(zone, return_inverse=True)
    ones = np.bincount(zone, weights=half)
    doubled = (1, 0) if both_halves else (1,)
    factor = np.ones((1 + len(doubled) * len(zones), len(school)))
    for k, direction in enumerate(doubled):
        replicate = 1 + len(doubled) * zone + k
        factor[replicate, np.arange(len(zone))] = np.where(half == direction, 2.0, 0.0)
    return JackknifePlan(
        n_zones=len(zones),
        n_half=int(np.sum((ones == 0) | (ones == np.bincount(zone)))),
        school=school,
        factor=factor,
    )


def jackknife_moments(plan: JackknifePlan, plain: Floats, weighted: Floats, replicate: bool) -> CellMoments:
    """Moments of one plausible value in the full sample and, where asked for, under the planned replicates.

    The units' records, shape (C, 4) and weighted (C, 5), are as `GroupStats` keeps them.
    """
    school, factor = plan.school, plan.factor if replicate else plan.factor[:1]
    origin = float(np.mean(plain[:, 1]))
    n_schools = int(school.max()) + 1
    into = (np.arange(len(factor))[:, None] * n_schools + school).ravel()

    def add(values: Floats) -> Floats:
        """Sums (R, J) of what units have (R, C)."""
        sums: Floats = np.bincount(into, weights=values.ravel(), minlength=len(factor) * n_schools).astype(np.float64)
        return sums.reshape(len(factor), n_schools)

    used = (factor > 0.0).astype(np.float64)
    rows_of, total_of = plain[:, 0] * used, weighted[:, 0] * factor
    rows, total, squares = add(rows_of), add(total_of), add(weighted[:, 4] * factor**2)
    found = []
    for table, weight, sums, scale in ((weighted, total_of, total, factor), (plain, rows_of, rows, used)):
        # About a mean of the school itself, so that units with one mean between them add nothing to its ss.
        base = np.zeros(n_schools)
        base[school[::-1]] = table[::-1, 1]
        deviation = (table[:, 1] - base[school]) + table[:, 2]
        mean = add(weight * deviation) / np.where(sums > 0.0, sums, 1.0)
        apart = deviation - mean[:, school]
        found += [(base - origin) + mean, add(scale * table[:, 3] + weight * apart**2)]
    return CellMoments(origin, rows, total, squares, *found)
