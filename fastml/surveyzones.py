"""Jackknife replicates: school x zone x half cells from one pass; a replicate only re-weights cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.designs import Jackknife
from fastml.errors import ValueNotAllowedError
from fastml.gather import from_source
from fastml.replication import jackknife_moments, plan_jackknife
from fastml.surveyparts import Part, Sample, countries_note, joined, runs
from fastml.surveyrows import Roles, Rows, SchoolWeights

__all__ = ["zone_parts"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


def zone_parts(rows: Rows, roles: Roles, design: Jackknife, schools: SchoolWeights | None) -> tuple[list[Part], int]:
    """Read the stream once.

    Parameters
    ----------
    rows : Rows
    roles : Roles
    design : Jackknife
    schools : SchoolWeights or None
        Where the school's weight isn't in the rows.

    Returns
    -------
    parts : list of Part
        Sorted by label.
    dropped_by : int
        Rows without a by-label, which belong to no part.

    Raises
    ------
    ValueNotAllowedError
        A weight is negative or infinite, a school's weight varies within it, a zone is missing, a half isn't 0 or 1.
    """
    assert roles.zone is not None
    assert roles.half is not None
    reader = pa.RecordBatchReader.from_batches(rows.schema, rows.batches)
    school_keys = roles.keys[len(roles.by) :]
    stats = from_source(
        reader,
        roles.values,
        [*school_keys, roles.zone, roles.half],
        roles.by,
        weights=roles.weight,
        group_weights=roles.group_weight_name or None,
    )
    labels = {name: stats.keys[name].to_pylist() for name in stats.keys.column_names}
    school = list(zip(*(labels[name] for name in roles.keys), strict=True))
    counts = stats.counts.astype(np.int64)
    known = np.array([all(label is not None for label in labels_of) for labels_of in school], bool)
    by_known = np.array([all(label is not None for label in x[: len(roles.by)]) for x in school], bool)
    v = stats.group_weight if schools is None else joined(schools, labels, len(school))
    assert v is not None
    assert stats.weighted is not None
    # With a school file the rows of a school it lacks have a weight of their own, but not their school's.
    positive = counts[:, 0] - counts[:, 1] - counts[:, 2]
    unweighted = np.where(np.isnan(v), positive, 0)
    used = known & (positive > 0) & ~np.isnan(v)
    _check_zones(labels, roles, used)
    _one_weight(school, v, used, roles)
    tables = _Units(stats.moments, stats.weighted, v)
    parts = []
    for cells in runs([x[: len(roles.by)] for x in school], by_known):
        dropped = {}
        at = 0
        for outcome, columns in roles.outcomes.items():
            n = stats.moments[at, cells, 0]
            dropped[outcome] = {
                "group": int(counts[cells, 0][~known[cells]].sum()),
                "weights": int((counts[cells, 1] + unweighted[cells])[known[cells]].sum()),
                "zero_weight": int(counts[cells, 2][known[cells]].sum()),
                "outcome": int((positive[cells] - n)[used[cells]].sum()),
            }
            at += len(columns)
        units = cells[used[cells]]
        codes = {name: _codes(zip(*(labels[k] for k in keys), strict=True), units)
                 for name, keys in (("school", roles.keys), ("zone", [*roles.keys[:-1], roles.zone]))}  # fmt: skip
        half = np.array([float(labels[roles.half][c]) for c in units])
        parts.append(
            Part(
                labels={name: labels[name][cells[0]] for name in roles.by},
                dropped=dropped,
                sample=_jackknife_sample(roles, design, tables, units, codes["school"], codes["zone"], half),
                notes=countries_note(roles, [labels[roles.country][c] for c in units] if roles.country else []),
            )
        )
    return parts, int(counts[~by_known, 0].sum())


@dataclass(frozen=True)
class _Units:
    """Moments (p, C, 4), weighted moments (p, C, 5) and school weights (C,) of all cells."""

    plain: Floats
    weighted: Floats
    v: Floats


def _jackknife_sample(
    roles: Roles, design: Jackknife, tables: _Units, units: Int64s, school: Int64s, zone: Int64s, half: Floats
) -> Callable[[str, bool, bool], Sample | None]:
    starts = dict(zip(roles.outcomes, np.cumsum([0, *map(len, roles.outcomes.values())]).tolist(), strict=False))

    def sample(outcome: str, replicated: bool, first_only: bool) -> Sample | None:
        first = starts[outcome]
        seen = tables.plain[first, units, 0] > 0
        if not seen.any():
            return None
        cells = units[seen]
        _, first_cell, codes = np.unique(school[seen], return_index=True, return_inverse=True)
        plan = plan_jackknife(codes, zone[seen], half[seen], design.both_halves)
        values = [
            jackknife_moments(
                plan, tables.plain[k, cells], tables.weighted[k, cells], replicated and not (first_only and k > first)
            )
            for k in range(first, first + len(roles.outcomes[outcome]))
        ]
        notes = []
        if plan.n_half and replicated:
            notes.append(f"{plan.n_half} of {plan.n_zones} zones have one half only")
        return Sample(tables.v[cells][first_cell], values, float(plan.n_zones), notes)

    return sample


def _check_zones(labels: Mapping[str, list[Any]], roles: Roles, used: npt.NDArray[np.bool_]) -> None:
    assert roles.zone is not None
    assert roles.half is not None
    for cell in np.flatnonzero(used).tolist():
        zone, half = labels[roles.zone][cell], labels[roles.half][cell]
        where = ", ".join(f"{name} {labels[name][cell]}" for name in roles.keys)
        if zone is None:
            raise ValueNotAllowedError(
                f"jackknife zone {roles.zone!r} is missing in {where}; every weighted row needs its zone"
            )
        if half is None or half not in (0, 1):
            shown = "missing" if half is None else f"{half!r}"
            raise ValueNotAllowedError(
                f"jackknife half {roles.half!r} is {shown} in {where}; it is 0 or 1 (is the design the file's own?)"
            )


def _one_weight(school: list[tuple[Any, ...]], v: Floats, used: npt.NDArray[np.bool_], roles: Roles) -> None:
    seen: dict[tuple[Any, ...], float] = {}
    for cell in np.flatnonzero(used).tolist():
        if seen.setdefault(school[cell], v[cell]) != v[cell]:
            where = ", ".join(f"{name} {x}" for name, x in zip(roles.keys, school[cell], strict=True))
            raise ValueNotAllowedError(
                f"group_weights column {roles.group_weight_name!r} varies within a group: "
                f"{float(seen[school[cell]])!r} and {float(v[cell])!r} in {where}; a group has one weight"
            )


def _codes(labels: Any, cells: Int64s) -> Int64s:
    """Dense codes of the cells' labels."""
    every = list(labels)
    known: dict[Any, int] = {}
    return np.array([known.setdefault(every[c], len(known)) for c in cells.tolist()], np.int64)
