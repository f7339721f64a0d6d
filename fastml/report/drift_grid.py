"""New data beside old ones, as a grid, as text and in words. Knows no statistics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastml.errors import visible
from fastml.report.grids import Grid, Section
from fastml.report.numbers import number, percent, share

__all__ = ["check_grid", "check_text", "drift_words"]


def check_grid(
    rows: Sequence[Mapping[str, Any]],
    by: Sequence[str],
    names: tuple[str, str],
    limit_of: Callable[[str], str],
    notes: Sequence[str] = (),
) -> Grid:
    """A section for each part and outcome, with a row for each figure.

    Parameters
    ----------
    rows : sequence of mapping
        As `CheckTable.shown` gives them.
    by : sequence of str
    names : tuple of str
        What the new and the old data are.
    limit_of : callable
        The limit of a figure for people; an empty text where it has none.
    notes : sequence of str

    Returns
    -------
    Grid
    """
    sections = tuple(
        Section(" ".join([*(f"{name} {row[name]}" for name in by), str(row["outcome"])]), _lines(row, limit_of))
        for row in rows
    )
    drifted = sum(row["status"] != "ok" for row in rows)
    limited = any(limit_of(figure) for figure in _WORDS)
    verdict = (
        f"{drifted:,} of {len(rows):,} beyond a limit, marked so." if drifted
        else "Everything is within its limits." if limited
        else "No limits were given: nothing is judged."
    )  # fmt: skip
    without = [
        f"{count:,} row{'' if count == 1 else 's'} of {name} without {', '.join(by)} left out"
        for name, side in zip(names, ("new", "old"), strict=True)
        if by and rows and (count := rows[0][f"rows_without_by_{side}"])
    ]
    header = ("", "Old", "New", "Change", "Limit", "")
    numeric = (False, True, True, True, True, False)
    return Grid(f"{names[0]} against {names[1]}", header, sections, numeric, (verdict, *without, *notes))


def check_text(grid: Grid) -> str:
    """The grid as aligned text."""
    lines = [[visible(cell) for cell in line] for section in grid.sections for line in section.rows]
    widths = [max(len(line[i]) for line in [list(grid.header), *lines]) for i in range(len(grid.header))]

    def aligned(cells: Sequence[Any]) -> str:
        padded = (
            f"{visible(cell):>{width}}" if right else f"{visible(cell):<{width}}"
            for cell, width, right in zip(cells, widths, grid.numeric, strict=True)
        )
        return "  ".join(padded).rstrip()

    text = [visible(grid.caption), "", aligned([name.lower() for name in grid.header])]
    for section in grid.sections:
        text += [visible(section.title), *map(aligned, section.rows)]
    return "\n".join([*text, "", *map(visible, grid.notes)])


def _lines(row: Mapping[str, Any], limit_of: Callable[[str], str]) -> tuple[tuple[str, ...], ...]:
    beyond = (row["drifted"] or "").split(", ")

    def line(label: str, old: str, new: str, change: str, figure: str = "", more: str = "") -> tuple[str, ...]:
        mark = "beyond it" if figure and figure in beyond else ""
        return label, old, new, change, limit_of(figure), ": ".join(filter(None, (mark, more)))

    def counts(name: str) -> tuple[str, str]:
        return f"{row[f'{name}_old']:,}", f"{row[f'{name}_new']:,}"

    def pair(name: str, written: Callable[[Any], str]) -> tuple[str, str]:
        return written(row[f"{name}_old"]), written(row[f"{name}_new"])

    width = min(0.01, abs(row["icc_shift"] or 0.01))  # digits that tell the two apart
    return (
        line("Schools", *counts("n_groups"), ""),
        line("  lost", "", "", f"{row['groups_lost']:,}", "groups_lost", row["first_lost"] or ""),
        line("  new", "", "", f"{row['groups_added']:,}", "groups_added", row["first_added"] or ""),
        line("Observations", *counts("n_obs"), _signed_percent(row["n_change"]), "n_change"),
        line("Rows without a value", *pair("missing", percent), "", "missing_new"),
        line("Mean", *pair("mean", number), _signed(row["mean_shift"]), "mean_shift"),
        line("  in old SDs", "", "", _signed(row["mean_shift_sd"], small=True), "mean_shift_sd"),
        line("Standard deviation", *pair("sd", number), _signed_percent(row["sd_change"]), "sd_change"),
        line("ICC", *pair("icc", lambda icc: share(icc, width)), _signed(row["icc_shift"], small=True), "icc_shift"),
    )  # fmt: skip


def _signed(value: float | None, small: bool = False) -> str:
    """A change; a small one, of shares, with three decimals, or two digits."""
    if value is None:
        return "-"
    sign = "+" if value > 0.0 else "-" if value < 0.0 else ""
    return sign + (f"{share(abs(value), 0.01)}" if small and abs(value) < 1.0 else number(abs(value)))


def _signed_percent(value: float | None) -> str:
    if value is None:
        return "-"
    sign = "+" if value > 0.0 else "-" if value < 0.0 else ""
    return sign + (percent(abs(value)) if abs(value) < 1.0 else f"{100.0 * abs(value):,.0f} %")


# What is said of a figure beyond its limit: where there is one in the new data, and where there is none any more.
_WORDS: Mapping[str, tuple[Callable[[Mapping[str, Any]], str], str]] = {
    "groups_lost": (lambda row: f"{_schools(row['groups_lost'])} lost: {row['first_lost']}", ""),
    "groups_added": (lambda row: f"{_schools(row['groups_added'])} new: {row['first_added']}", ""),
    "n_change": (lambda row: f"n changed by {_signed_percent(row['n_change'])}", ""),
    "missing_new": (lambda row: f"{percent(row['missing_new'])} of the rows lack a value", "the rows are gone"),
    "mean_shift": (lambda row: f"mean shifted by {_signed(row['mean_shift'])}", "the mean is gone"),
    "mean_shift_sd": (
        lambda row: f"mean shifted by {_signed(row['mean_shift_sd'], small=True)} SD",
        "the mean is gone, or moved where the old SD was 0",
    ),
    "sd_change": (
        lambda row: f"SD changed by {_signed_percent(row['sd_change'])}",
        "the new data have no SD, or the old one was 0",
    ),
    "icc_shift": (
        lambda row: f"ICC moved by {_signed(row['icc_shift'], small=True)}",
        "the new data have no ICC",
    ),
}


def _schools(count: int) -> str:
    return f"{count:,} school{'' if count == 1 else 's'}"


def drift_words(figure: str, row: Mapping[str, Any], limit: str) -> str:
    """A figure beyond its limit, in words.

    Examples
    --------
    >>> drift_words("icc_shift", {"icc_shift": -0.123}, "0.1"), drift_words("mean_shift", {"mean_shift": math.inf}, "5")
    ('ICC moved by -0.123 (limit 0.1)', 'the mean is gone (limit 5)')
    """
    words, none = _WORDS[figure]
    return f"{none if math.isinf(row[figure]) else words(row)} (limit {limit})"
