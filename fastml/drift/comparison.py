"""New group statistics beside old ones: which schools are gone, how the figures moved, and whether that is drift."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.drift.limits import Limits
from fastml.errors import DriftError, MergeError, ModelError, visible
from fastml.groupstats.merge import side_by_side
from fastml.groupstats.statistics import GroupStats
from fastml.report.chosen_columns import ChosenColumns
from fastml.report.drift_grid import check_grid, check_text, drift_words
from fastml.report.fields import CHECK_TABLE
from fastml.report.grids import Grid, rows_grid
from fastml.report.markup import html_table
from fastml.report.provenance import made_text, provenance, together, with_metadata
from fastml.report.text import rows_text
from fastml.results.fitting import fit_each_part, fit_stats
from fastml.results.provenance import fit_provenance
from fastml.results.table import check_by, label_column, or_null
from fastml.results.weighting import Weighting, check_weights, total_weights

__all__ = ["CheckTable", "compare"]

Floats = npt.NDArray[np.float64]

_FIRST = 10  # names of schools
_MOST_SHOWN = 50  # parts, in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class CheckTable(ChosenColumns):
    """New data beside old ones: what `check` gives.

    Attributes
    ----------
    table : pyarrow.Table
        A row per part and outcome: the by-columns; ``outcome``; ``n_groups_old``, ``n_groups_new``, schools with
        observations; ``groups_lost``, ``groups_added``, those of one side only, with ``first_lost`` and
        ``first_added``, the first ten of their names; ``n_obs_old``, ``n_obs_new``, ``n_change`` (a share of the old
        ones); ``missing_old``, ``missing_new``, the shares of rows without a score, a school or a weight; ``mean_old``,
        ``mean_new``, ``mean_shift`` in score points, ``mean_shift_sd`` in old standard deviations; ``sd_old``,
        ``sd_new``, ``sd_change`` (a share of the old one); ``icc_old``, ``icc_new``, ``icc_shift``;
        ``rows_without_by_old``, ``rows_without_by_new``, rows of all the data that belong to no part; ``status``, "ok"
        or "drift"; ``drifted``, the figures beyond their limits, and ``message``, the same in words.
    by : tuple of str
        The by-columns.
    names : tuple of str
        What the new and the old data are.
    limits : Limits
        The limits of the call.
    notes : tuple of str
        What was done to statistics since their rows were read.

    Examples
    --------
    >>> import fastml
    >>> old = {"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
    >>> new = {"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 9.0]}
    >>> made = fastml.check(new, "score", "school", against=old, max_mean_shift=1)
    >>> print(made.to_text(["outcome", "mean_old", "mean_new", "status"]).splitlines()[3])
    score       4.833     5.000  ok
    """

    table: pa.Table
    by: tuple[str, ...]
    names: tuple[str, str]
    limits: Limits
    notes: tuple[str, ...] = ()

    @property
    def within(self) -> bool:
        """Whether all figures are within their limits; without limits they are."""
        return "drift" not in self._statuses()

    def require(self) -> None:
        """Raise an error where a figure is beyond its limit; else do nothing.

        Raises
        ------
        DriftError
            In one line, which figures of which parts.
        """
        if not self.within:
            raise DriftError(self.shown(), self.by, self.names)

    def _grid(self, level: float = 0.95, columns: Sequence[str] | None = None) -> Grid:
        notes = (*self.notes, made_text({**self.provenance, "notes": ()}))
        grid = check_grid(self.shown(), self.by, self.names, self.limits.of_figure, notes)
        if columns is None:
            return grid
        return replace(rows_grid(self.shown(), columns, grid.caption), notes=grid.notes)

    def _repr_html_(self) -> str:
        grid = self._grid()
        if len(grid.sections) > _MOST_SHOWN:  # those that drifted come first
            order = sorted(range(len(grid.sections)), key=[status == "ok" for status in self._statuses()].__getitem__)
            note = f"{_MOST_SHOWN} of {len(order):,} parts, those that drifted first; to_frame() has all."
            sections = tuple(grid.sections[i] for i in order[:_MOST_SHOWN])
            grid = replace(grid, sections=sections, notes=(note, *grid.notes))
        return html_table(grid)

    def _statuses(self) -> list[str]:
        return self.table["status"].to_pylist()  # type: ignore[no-any-return]  # pyarrow is not typed

    def _text(self, columns: Sequence[str] | None) -> str:
        grid = self._grid()
        if columns is None:
            return check_text(grid)
        return "\n".join([visible(grid.caption), "", rows_text(self.shown(), columns), "", *map(visible, grid.notes)])


def compare(
    new: GroupStats,
    old: GroupStats,
    outcomes: Sequence[str],
    limits: Limits,
    names: tuple[str, str] = ("new", "old"),
) -> CheckTable:
    """Compare statistics of the same outcomes, keys and weights.

    Parameters
    ----------
    new, old : GroupStats
    outcomes : sequence of str
        Those of both to compare.
    limits : Limits
    names : tuple of str
        What they are.

    Returns
    -------
    CheckTable

    Raises
    ------
    MergeError
        They are of different things, or without labels.
    ModelError
        The old statistics have no observations: everything would be new.
    """
    _check_alike(new, old, names)
    check_weights(new.weights, new.group_weights)
    check_by(new.by, CHECK_TABLE)
    if not any(len(old.groups(name).n) for name in outcomes):
        raise ModelError(f"{names[1]} has no observations to compare with; check the filter and the missing values")
    sides = side_by_side(_chosen(new, outcomes), _chosen(old, outcomes))
    (of_new, of_old), types = (_figures(side) for side in sides), sides[0].keys.schema
    lost = [side.dropped(outcomes[0]).get("by", 0) for side in (old, new)]
    rows = []
    for after, before in zip(of_new, of_old, strict=True):
        row = {**before.labels, "outcome": before.outcome, **_moved(after, before)}
        row |= {"rows_without_by_old": lost[0], "rows_without_by_new": lost[1]}
        passed = list(limits.passed_by(row))
        row |= {"status": "drift" if passed else "ok", "drifted": ", ".join(limit.figure for limit in passed) or None}
        rows.append(
            row | {"message": "; ".join(drift_words(limit.figure, row, limit.shown) for limit in passed) or None}
        )
    table = {name: label_column([row[name] for row in rows], types.field(name).type) for name in new.by}
    table |= {name: pa.array([or_null(row[name]) for row in rows], kind.arrow) for name, kind in CHECK_TABLE.items()}
    notes = tuple(f"{name}: {note}" for name, side in zip(names, (new, old), strict=True) for note in side.notes)
    given = {limit.figure: limit.shown for limit in limits.given}
    made_of = [fit_provenance("check", side, outcomes, None) for side in (new, old)]
    made = provenance("check", **together(made_of), names=list(names), limits=given, notes=list(notes))
    return CheckTable(with_metadata(pa.table(table), made), new.by, names, limits, notes)


def _check_alike(new: GroupStats, old: GroupStats, names: tuple[str, str]) -> None:
    for what in ("by", "group", "weights", "group_weights"):
        one, other = getattr(new, what), getattr(old, what)
        if one != other:
            raise MergeError(f"{names[0]} has {what} {one!r}, {names[1]} {other!r}; gather both alike to compare them")
    if not (new.labelled and old.labelled):
        raise MergeError("statistics without labels can't be compared: nobody can tell which schools are the same")


def _chosen(stats: GroupStats, outcomes: Sequence[str]) -> GroupStats:
    """The statistics of some of their outcomes, in this order."""
    rows = [stats.outcomes.index(name) for name in outcomes]
    weighted = None if stats.weighted is None else stats.weighted[rows]
    return replace(stats, outcomes=tuple(outcomes), moments=stats.moments[rows], weighted=weighted)


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of a row of the table.

    Attributes
    ----------
    labels : dict
        Of the part.
    outcome : str
    keys : pyarrow.Table
        The part's C schools, the same on both sides.
    there : ndarray, shape (C,)
        Which of them have observations.
    n_obs : int
    missing, mean, sd, icc : float
        NaN where there is none.
    """

    labels: dict[str, Any]
    outcome: str
    keys: pa.Table
    there: npt.NDArray[np.bool_]
    n_obs: int
    missing: float
    mean: float
    sd: float
    icc: float


def _figures(stats: GroupStats) -> list[_Side]:
    """The figures of each part and outcome."""
    parts = [*stats.split()]
    if stats.by:
        made = fit_each_part(stats, list(stats.outcomes), None, None, Weighting()).table["icc"].to_pylist()
        iccs = [math.nan if icc is None else icc for icc in made]
    else:
        iccs = [_icc(stats, name) for _, _ in parts for name in stats.outcomes]
    sides = []
    for k, (labels, part) in enumerate(parts):
        n_rows = part.counts[:, 0].sum()
        for i, name in enumerate(stats.outcomes):
            dropped = part.dropped(name)
            missing = sum(dropped.values()) - dropped.get("zero_weight", 0)
            there = (part.moments[i, :, 0] > 0) & part.labelled_cells()
            n, mean, sd = _mean_and_sd(part, name)
            share = missing / n_rows if n_rows else math.nan
            icc = iccs[k * len(stats.outcomes) + i]
            sides.append(_Side(labels, name, part.keys, there, n, share, mean, sd, icc))
    return sides


def _icc(stats: GroupStats, outcome: str) -> float:
    try:
        return fit_stats(stats, outcome, None, None, Weighting()).icc
    except ModelError:
        return math.nan


def _mean_and_sd(stats: GroupStats, outcome: str) -> tuple[int, float, float]:
    """Number, mean and standard deviation of all scores, with their total weights where there are any."""
    groups = stats.groups(outcome)
    n_obs = int(groups.n.sum())
    size, mean, residual, ss = groups.n.astype(np.float64), groups.mean, groups.residual, groups.ss
    if stats.weighted is not None and n_obs:
        used = (stats.moments[stats.outcomes.index(outcome), :, 0] > 0) & stats.labelled_cells()
        own, mean, residual, ss = stats.weighted[stats.outcomes.index(outcome), used, :4].T
        size, _ = total_weights(stats, outcome, Weighting.weights_are)
        ss = ss * (size / own)  # of the same weights
    if not n_obs:
        return 0, math.nan, math.nan
    # About one school's mean, and as shares: large means keep their digits, and large weights their squares.
    origin, share = float(mean[0]), size / size.sum()
    deviation = (mean - origin) + residual
    shift = float(share @ deviation)
    variance = float((ss / size.sum()).sum() + share @ (deviation - shift) ** 2)
    if stats.weighted is None:
        variance = variance * n_obs / (n_obs - 1) if n_obs > 1 else math.nan
    return n_obs, origin + shift, math.sqrt(variance)


def _moved(new: _Side, old: _Side) -> dict[str, Any]:
    """The figures of a row: NaN where the old data had none, infinite where the new ones have none any more.

    Where all scores are gone every shift is infinite, also of a figure that one old score doesn't have.
    """
    lost, added = old.there & ~new.there, new.there & ~old.there
    gone = old.n_obs > 0 and new.n_obs == 0
    shift = _shift(new.mean, old.mean, gone)
    return {
        "n_groups_old": int(old.there.sum()),
        "n_groups_new": int(new.there.sum()),
        "groups_lost": int(lost.sum()),
        "groups_added": int(added.sum()),
        "first_lost": _first(old.keys, lost),
        "first_added": _first(new.keys, added),
        "n_obs_old": old.n_obs,
        "n_obs_new": new.n_obs,
        "n_change": _ratio(new.n_obs - old.n_obs, old.n_obs or math.nan),
        "missing_old": old.missing,
        "missing_new": math.inf if math.isnan(new.missing) and not math.isnan(old.missing) else new.missing,
        "mean_old": old.mean,
        "mean_new": new.mean,
        "mean_shift": shift,
        "mean_shift_sd": _ratio(shift, old.sd),
        "sd_old": old.sd,
        "sd_new": new.sd,
        "sd_change": _ratio(_shift(new.sd, old.sd, gone), old.sd),
        "icc_old": old.icc,
        "icc_new": new.icc,
        "icc_shift": _shift(new.icc, old.icc, gone),
    }


def _shift(new: float, old: float, gone: bool) -> float:
    return math.inf if gone or (math.isnan(new) and not math.isnan(old)) else new - old


def _ratio(shift: float, old: float) -> float:
    if math.isinf(shift):
        return shift
    if old == 0.0:
        return 0.0 if shift == 0.0 else math.copysign(math.inf, shift)
    return shift / old


def _first(keys: pa.Table, chosen: npt.NDArray[np.bool_]) -> str | None:
    """The first names of schools, and whether there are more."""
    rows = np.flatnonzero(chosen)
    names = [" / ".join(str(value) for value in row.values()) for row in keys.take(pa.array(rows[:_FIRST])).to_pylist()]
    return ", ".join(names) + (", ..." if len(rows) > len(names) else "") or None
