"""The jackknife of zones: school x zone x half cells from one pass over the rows; a replicate only re-weights cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.designs import Jackknife
from fastml.errors import ValueNotAllowedError
from fastml.groupstats.statistics import GroupStats
from fastml.reduce.columns import Roles
from fastml.reduce.workers import from_source
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
        Roles(
            columns.values,
            [*columns.keys[len(columns.by) :], columns.zone, columns.half],
            columns.by,
            columns.weight,
            columns.group_weight_name or None,
        ),
        threads=threads,
    )
    v = stats.group_weight if schools is None else schools
    assert v is not None
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
        return Sample(cells.v[used][first_cell], moments, float(plan.n_zones), notes)

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
            raise ValueNotAllowedError(
                f"group_weights column {cells.columns.group_weight_name!r} varies within a group: {before!r} and "
                f"{weight!r} in {_place(cells, cell)}; a group has one weight"
            )


def _place(cells: Cells, cell: int) -> str:
    return ", ".join(f"{name} {x}" for name, x in zip(cells.columns.keys, cells.school[cell], strict=True))


def _codes(labels: list[tuple[Any, ...]], cells: Int64s) -> Int64s:
    """Dense codes of the cells' labels."""
    code: dict[Any, int] = {}
    return np.array([code.setdefault(labels[c], len(code)) for c in cells.tolist()], np.int64)


@dataclass(frozen=True, eq=False)
class JackknifePlan:
    """Which schools change in which replicate; it is the same for every plausible value.

    Attributes
    ----------
    n_replicates : int
        Without the full sample.
    n_zones, n_half : int
        Zones, and zones with one half only.
    school : ndarray, shape (C,)
        School (0 to J - 1) of each unit: a school's rows in one zone and half.
    at_replicate, at_school : ndarray, shape (V,)
        Replicate (from 1) and school of each change.
    change, unit, factor : ndarray, shape (P,)
        The units that make up the changed schools, and the factors on their weights.
    """

    n_replicates: int
    n_zones: int
    n_half: int
    school: Int64s
    at_replicate: Int64s
    at_school: Int64s
    change: Int64s
    unit: Int64s
    factor: Floats


def plan_jackknife(school: Int64s, zone: Int64s, half: Floats, both_halves: bool) -> JackknifePlan:
    """Plan the replicates of one part: of each unit (C,) the codes from 0 of its school and zone, and its half, 0 or 1.

    With both halves a zone has two replicates, else one: weights x 2 where the half is 1.
    """
    zones, zone = np.unique(zone, return_inverse=True)
    n_zones = len(zones)
    ones = np.bincount(zone, weights=half, minlength=n_zones)
    per_zone = np.bincount(zone, minlength=n_zones)
    # A change is a school with units in a zone; all the school's units make it up, those elsewhere with factor 1.
    pairs = np.unique(np.stack([zone, school]), axis=1)
    by_school: dict[int, list[int]] = {}
    for unit, label in enumerate(school.tolist()):
        by_school.setdefault(label, []).append(unit)
    at_replicate, at_school, change, units, factors = [], [], [], [], []
    for direction in (1, 0) if both_halves else (1,):
        for z, label in pairs.T.tolist():
            at_replicate.append(1 + z * (2 if both_halves else 1) + (1 - direction))
            at_school.append(label)
            for unit in by_school[label]:
                change.append(len(at_school) - 1)
                units.append(unit)
                factors.append(1.0 if zone[unit] != z else 2.0 if half[unit] == direction else 0.0)
    return JackknifePlan(
        n_replicates=n_zones * (2 if both_halves else 1),
        n_zones=n_zones,
        n_half=int(np.sum((ones == 0) | (ones == per_zone))),
        school=school,
        at_replicate=np.array(at_replicate, np.int64),
        at_school=np.array(at_school, np.int64),
        change=np.array(change, np.int64),
        unit=np.array(units, np.int64),
        factor=np.array(factors),
    )


def jackknife_moments(plan: JackknifePlan, plain: Floats, weighted: Floats, replicate: bool) -> CellMoments:
    """Moments of one plausible value in the full sample and, where asked for, under the planned replicates.

    The units' records, shape (C, 4) and weighted (C, 5), are as `GroupStats` keeps them.
    """
    n_schools = int(plan.school.max()) + 1
    origin = float(np.mean(plain[:, 1]))
    unit = np.arange(len(plan.school))
    full = _merge(plain, weighted, origin, plan.school, unit, np.ones(len(unit)), n_schools)
    if not replicate:
        return CellMoments(origin, *(part[None, :] for part in full))
    changed = _merge(plain, weighted, origin, plan.change, plan.unit, plan.factor, len(plan.at_school))
    parts = []
    for part, new in zip(full, changed, strict=True):
        grown = np.tile(part, (plan.n_replicates + 1, 1))
        grown[plan.at_replicate, plan.at_school] = new
        parts.append(grown)
    return CellMoments(origin, *parts)


def _merge(
    plain: Floats, weighted: Floats, origin: float, into: Int64s, unit: Int64s, factor: Floats, length: int
) -> tuple[Floats, ...]:
    """Rows, total, squares, mean, ss, plain mean, plain ss (length,) of units added with factors on their weights."""

    def add(values: Floats) -> Floats:
        return np.bincount(into, weights=values, minlength=length).astype(np.float64)

    used = (factor > 0.0).astype(np.float64)
    rows_of, total_of = plain[unit, 0] * used, weighted[unit, 0] * factor
    rows, total = add(rows_of), add(total_of)
    squares = add(weighted[unit, 4] * factor**2)
    found = [rows, total, squares]
    for table, weight, sums, scale in ((weighted, total_of, total, factor), (plain, rows_of, rows, used)):
        # About a mean of the school itself, so that units with one mean between them add nothing to its ss.
        base = np.zeros(length)
        base[into[::-1]] = table[unit[::-1], 1]
        deviation = (table[unit, 1] - base[into]) + table[unit, 2]
        mean = add(weight * deviation) / np.where(sums > 0.0, sums, 1.0)
        apart = deviation - mean[into]
        found += [(base - origin) + mean, add(scale * table[unit, 3] + weight * apart**2)]
    return tuple(found)
