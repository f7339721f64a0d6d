"""The pictures of comparisons: differences with their intervals, and trends. `fastml.plots` hands them on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastml.errors import FastmlError
from fastml.report import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["contrasts", "trend"]

Floats = npt.NDArray[np.float64]

MAX_NAMES = 150  # comparisons named on the axis
MAX_LINES = 12  # parts of a trend told apart

# Colours and markers of lines that are told apart, in grey too.
_STYLES = [
    {"color": colour, "marker": marker, "linestyle": line}
    for line in ("-", "--")
    for colour, marker in (
        (canvas.BLUE, "o"), (canvas.VERMILION, "s"), (canvas.INK, "D"), ("#009e73", "^"), ("#cc79a7", "v"),
        (canvas.GREY, "P"),
    )
]  # fmt: skip


def contrasts(table: Any, ax: Axes | None = None, *, sort: bool = False) -> Axes:
    """Every difference of a table of comparisons with its interval.

    Parameters
    ----------
    table : ContrastTable
        Of one parameter. Comparisons without a result are left out and counted under the axis.
    ax : matplotlib Axes, optional
    sort : bool
        By the difference; else in the table's order, from the top.

    Returns
    -------
    matplotlib Axes
        Filled are those whose interval leaves out 0.

    Examples
    --------
    >>> import fastml
    >>> scores = {"country": ["N"] * 4 + ["S"] * 4, "school": [1, 1, 2, 2] * 2, "score": [1.0, 2, 5, 7, 3, 4, 6, 9]}
    >>> table = fastml.fit_by(scores, "score", "school", by="country")
    >>> fastml.plots.contrasts(table.contrast("N", "S")).get_yticklabels()[0].get_text()
    'N − S'
    """
    if not hasattr(table, "table") or "difference" not in table.table.column_names:
        raise FastmlError(f"a {type(table).__name__} is no table of comparisons, as contrast() of a table gives them")
    rows = [row for row in table.to_dict() if row["difference"] is not None]
    parameters = {row["parameter"] for row in rows}
    if len(parameters) != 1:
        raise FastmlError("a picture is of one parameter's differences; compare with parameter='mean' alone"
                          if parameters else "no comparison has a result")  # fmt: skip
    rows.sort(key=lambda row: -row["difference"] if sort else 0.0)
    shared = [name for name in (*table.by, "outcome") if len({row[name] for row in rows}) > 1]
    names = [" ".join(str(row[name]) for name in shared) + (": " if shared else "")
             + " − ".join(filter(None, (row["a"], row["b"]))) for row in rows]  # fmt: skip
    level = f"{100 * table.provenance['level']:.10g} %"
    what = f"Difference in {parameters.pop()}, {level} interval"
    missing = len(table) - len(rows)
    note = f"\n{missing:,} of {len(table):,} without a result left out" if missing else ""
    columns = (
        [np.nan if row[name] is None else row[name] for row in rows] for name in ("difference", "ci_low", "ci_high")
    )
    ax = _forest(ax, names if len(rows) <= MAX_NAMES else [], *map(np.array, columns))
    ax.set_xlabel(what + note)
    return ax


def _forest(ax: Axes | None, names: Sequence[str], value: Floats, low: Floats, high: Floats) -> Axes:
    """Draw values with their limits below each other, from the top, and a line at 0; without names as they are many."""
    count = len(value)
    ax = canvas.axes_for(ax, 1.1 + 0.21 * count if names else 6.0)
    y = np.arange(count, dtype=np.float64)[::-1]
    thick = 2.0 if names else max(0.2, 300.0 / count)
    ax.axvline(0.0, color=canvas.GREY, linewidth=1.0, zorder=1)
    ax.hlines(y, low, high, color=canvas.BLUE, linewidth=thick)
    sure = (low > 0.0) | (high < 0.0)
    ax.scatter(value, y, s=11.0 * thick, facecolor=[canvas.INK if filled else "#ffffff" for filled in sure],
               edgecolor=canvas.INK, linewidth=0.4 * thick, zorder=3)  # fmt: skip
    ax.set_yticks(y, [canvas.plain(name, 48) for name in names]) if names else ax.set_yticks([])
    ax.set_ylim(-0.7, count - 0.3)
    ax.grid(axis="x", color=canvas.RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def trend(table: Any, ax: Axes | None = None) -> Axes:
    """The estimates of every part in each cycle with their intervals, joined by a line.

    Parameters
    ----------
    table : ContrastTable
        Of `fastml.trend`, of one parameter.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Intervals are of each estimate; errors of linking are in the slopes of the table, not in them.

    Examples
    --------
    >>> import fastml
    >>> rows = {"sex": [1] * 6, "school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
    >>> cycles = {year: fastml.fit_by(rows, "score", "school", by="sex") for year in (2015, 2019)}
    >>> fastml.plots.trend(fastml.trend(cycles, independent=True)).get_ylabel()
    'gamma00'
    """
    points = getattr(table, "points", None)
    if points is None:
        raise FastmlError(f"a {type(table).__name__} has no cycles; draw what fastml.trend gives")
    parameters = {point["parameter"] for point in points}
    if len(parameters) != 1:
        raise FastmlError("a picture is of one parameter's trends; take parameter='mean' alone")
    lines: dict[str, list[tuple[float, float, float, float]]] = {}
    for point in points:
        lines.setdefault(point["name"], []).append(tuple(point[key] for key in ("cycle", "estimate", "low", "high")))
    ax = canvas.axes_for(ax, 3.6)
    told = len(lines) <= MAX_LINES
    for at, (name, cycles) in enumerate(lines.items()):
        year, value, low, high = np.array(sorted(cycles)).T
        style: dict[str, Any] = {**_STYLES[at]} if told else {"color": canvas.GREY, "marker": "o"}
        ax.errorbar(year, value, [value - low, high - value], linewidth=1.4, elinewidth=1.0, capsize=2.5,
                    markersize=4.5, label=canvas.plain(name, 28) if told and name else None, **style)  # fmt: skip
    years = sorted({point["cycle"] for point in points})
    ax.set_xticks(years, [f"{year:g}" for year in years])
    ax.set_ylabel(parameters.pop())
    ax.set_xlabel(f"Cycle; {100 * table.provenance['level']:.10g} % intervals of each estimate")
    if told and any(lines):
        canvas.legend_above(ax, columns=3)
    return ax
