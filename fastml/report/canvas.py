"""Drawing primitives of the pictures: Axes, colours, legends, bars, bands, bins, SVG. They change nothing global."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastml.errors import FastmlError, first_line
from fastml.io.arrays import as_numpy
from fastml.report.numbers import told_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BAND", "BLUE", "ESTIMATE", "GREY", "INK", "OTHER", "PALE", "RULE", "VERMILION", "apart", "axes_for",
           "axis_end", "bins", "can_draw", "column", "density", "draw_bands", "draw_bars", "draw_sd_lines",
           "inline_svg", "legend_above", "plain", "school_names"]  # fmt: skip

Floats = npt.NDArray[np.float64]

BLUE, VERMILION, PALE, GREY, INK = "#0072b2", "#d55e00", "#9ecae9", "#8a8a8a", "#1a1a1a"
BAND, OTHER, RULE = "#dddddd", "#f2d9c6", "#cccccc"
ESTIMATE: dict[str, Any] = {"color": VERMILION, "linestyle": "--"}
BANDS = 100
WIDTH = 4.8  # inches; legible in a column of 400 pixels and in print


def axes_for(ax: Axes | None, height: float) -> Axes:
    """The Axes given, or those of a new figure outside pyplot, which show themselves in a notebook."""
    if ax is not None:
        return ax
    _check_matplotlib()
    from fastml.report.notebook import ShownAxes, ShownFigure

    made = ShownFigure(figsize=(WIDTH, height), layout="constrained").add_subplot(axes_class=ShownAxes)
    made.spines[["top", "right"]].set_visible(False)
    return made


def can_draw() -> bool:
    """Whether matplotlib is there; one that is, but can't be loaded, is an error."""
    if find_spec("matplotlib") is None:
        return False
    _check_matplotlib()
    return True


def _check_matplotlib() -> None:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise FastmlError("pictures need matplotlib: pip install matplotlib") from None
    except ValueError as error:  # a backend that isn't there, named by MPLBACKEND or a matplotlibrc
        said = first_line(error).split(";")[0]
        raise FastmlError(
            f"pictures need matplotlib, which can't be loaded: {said}; see MPLBACKEND and matplotlibrc"
        ) from None


def legend_above(ax: Axes, columns: int, order: Sequence[int] = ()) -> None:
    """A legend above the picture, its entries as drawn or in the order given; in one column where it is too wide."""
    handles, labels = ax.get_legend_handles_labels()
    chosen = order or range(len(labels))
    handles, labels = [handles[i] for i in chosen], [labels[i] for i in chosen]
    figure: Any = ax.figure
    room = 1.02 * ax.get_position().width * figure.get_figwidth() * 72.0  # points; the layout widens the axes later
    if _legend_width(labels, columns) > room:
        columns = 1
    ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, frameon=False,
              fontsize=_SMALL, borderaxespad=0.2, handlelength=1.8)  # fmt: skip


_SMALL = 9.0  # points


def _legend_width(labels: Sequence[str], columns: int) -> float:
    from matplotlib.textpath import TextPath

    widths = [float(TextPath((0.0, 0.0), label, size=_SMALL).get_extents().width) for label in labels]
    rows = -(-len(widths) // columns)
    handles = (4.6 * columns - 2.0) * _SMALL  # lines, gaps between line and label, gaps between columns
    return handles + sum(max(widths[at : at + rows]) for at in range(0, len(widths), rows))


def draw_bars(
    ax: Axes, x: Floats, raw: tuple[Floats, ...], shrunken: tuple[Floats, ...], sure: str, apart: float
) -> None:
    """Draw the low limit, mean and high limit of schools at x: raw to the left by `apart`, shrunken to the right."""
    thick = min(4.0, 150.0 / len(x) + 0.8)
    ax.vlines(x - apart, raw[0], raw[2], color=PALE, linewidth=thick, label=f"Raw mean, {sure} interval")
    ax.scatter(x - apart, raw[1], s=6.0 * thick, marker="D", facecolor="white", edgecolor=BLUE, linewidth=0.9,
               zorder=2.5, label="Raw mean")  # fmt: skip
    ax.vlines(x + apart, shrunken[0], shrunken[2], color=INK, linewidth=min(1.2, thick / 2.0),
              label=f"Shrunken mean, {sure} interval")  # fmt: skip
    ax.scatter(x + apart, shrunken[1], s=min(16.0, 4.0 * thick), color=INK, linewidth=0.0, zorder=3,
               label="Shrunken mean")  # fmt: skip


def draw_bands(ax: Axes, shrunken: Floats, low: Floats, high: Floats, raw: Floats, sure: str) -> None:
    """Draw bands for what would be 100,000 bars: by bins of equal count along the order of the shrunken means."""
    edges = np.linspace(0, len(shrunken), min(BANDS, len(shrunken)) + 1).astype(np.intp)
    x = 50.0 * (edges[1:] + edges[:-1]) / len(shrunken)

    def by_bin(values: Floats, q: float) -> Floats:
        return np.array([np.quantile(values[a:b], q) for a, b in pairwise(edges)])

    ax.fill_between(x, by_bin(raw, 0.05), by_bin(raw, 0.95), color=PALE, linewidth=0.0,
                    label="Raw means, middle 90 %")  # fmt: skip
    for values, label in ((low, f"Limits of the {sure} interval, median"), (high, None)):
        ax.plot(x, by_bin(values, 0.5), color=INK, linewidth=0.9, linestyle=":", label=label)
    ax.plot(x, by_bin(shrunken, 0.5), color=INK, linewidth=1.6, label="Shrunken mean, median")


def draw_sd_lines(ax: Axes, at: Floats, height: Floats, values: Sequence[str]) -> None:
    """Draw named lines at a mean and one SD either side of it, up to the heights given."""
    names, sides, colours = ("−1 SD", "mean", "+1 SD"), ("right", "center", "left"), (INK, VERMILION, INK)
    for x, y, value, name, side, colour in zip(at, height, values, names, sides, colours, strict=True):
        ax.vlines(x, 0.0, y, color=colour, linestyle="--", linewidth=1.1)
        ax.annotate(f"{name}\n{value}", (x, y), xytext=(0.0, 4.0), textcoords="offset points", ha=side, va="bottom",
                    bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0.0, "pad": 1.0})  # fmt: skip


def column(table: Any, name: str) -> Floats:
    """A column of an Arrow table, without nulls, as doubles."""
    return as_numpy(table[name].combine_chunks())


def school_names(table: Any, order: npt.NDArray[np.intp]) -> list[str]:
    """Names of the schools in the given order; several columns make one name."""
    names = table.column_names[: table.column_names.index("n")]
    columns = [table[name].to_pylist() for name in names]
    return apart([" ".join(str(column[i]) for column in columns) for i in order], 18)


def plain(name: object, longest: int = 30) -> str:
    """A name as matplotlib shows it: cut where too long, dollar signs escaped, since they would start a formula."""
    return _escaped(_cut(" ".join(str(name).split()), longest))


def apart(names: Sequence[str], longest: int) -> list[str]:
    """Names as matplotlib shows them, cut in their middle so that different ones stay so where it can be."""
    names = told_apart(names)
    short = [_cut(name, longest, longest // 2) for name in names]
    for cut in {text for text in short if short.count(text) > 1}:
        alike = [name for name, text in zip(names, short, strict=True) if text == cut]
        start = len(commonprefix(alike))  # noqa: RUF071  # of letters, not of folders
        if "…" in cut:  # from where they differ
            short = [
                f"…{_cut(name[start:], longest - 1, longest // 2 - 1)}" if text == cut else text
                for name, text in zip(names, short, strict=True)
            ]
    return [_escaped(text) for text in short]


def _cut(text: str, longest: int, end: int = 0) -> str:
    """The text, its last `end` letters kept, with dots for what there is no room for."""
    return text if len(text) <= longest else f"{text[: longest - 1 - end]}…{text[len(text) - end :]}"


def _escaped(text: str) -> str:
    return text.replace("$", r"\$")


def density(x: Floats, centre: float, sd: float) -> Floats:
    """The normal density."""
    density: Floats = np.exp(-0.5 * ((x - centre) / sd) ** 2) / (sd * math.sqrt(2.0 * math.pi))
    return density


def axis_end(curve: Callable[[float], float], start: float, bound: float, height: float, reach: float) -> float:
    """End of an axis from start towards bound: where the curve crosses `height`, or the bound; beyond `reach`."""
    a, b = start, bound
    if curve(b) > height:
        for _ in range(40):
            middle = 0.5 * (a + b)
            a, b = (a, middle) if curve(middle) > height else (middle, b)
    margin = 0.03 * abs(reach - start)
    return max(bound, min(b, reach - margin)) if bound < start else min(bound, max(b, reach + margin))


def bins(values: Floats) -> Floats:
    """Edges of 5 to 60 bins by Freedman and Diaconis; without the limit an outlier would make a million."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    q1, q3 = np.quantile(values, (0.25, 0.75))
    width = 2.0 * (q3 - q1) / len(values) ** (1.0 / 3.0)
    count = math.ceil((high - low) / width) if width > 0.0 else 60
    return np.linspace(low, high, min(60, max(5, count)) + 1)


def inline_svg(ax: Axes, name: str, alt: str) -> str:
    """The figure as SVG to put inside an HTML page: its colours are the page's, so it follows light and dark.

    Parameters
    ----------
    ax : Axes
        Of a figure of its own.
    name : str
        Prefix of its ids, different for each picture of a page.
    alt : str
        What it shows, in words; escaped already.

    Returns
    -------
    str
        The same bytes at every run. Its text is drawn, not written, so no name in it can be markup.
    """
    from fastml.report.notebook import lacking_letters

    figure: Any = ax.figure
    figure.patch.set_alpha(0.0)
    ax.patch.set_alpha(0.0)
    buffer = io.StringIO()
    with lacking_letters():  # the page's tables show the name as text
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace("\n", "")
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>|\s+(?=/?>)", "", text, flags=re.DOTALL)
    text = re.sub(r"<path(?![^>]*\bd=)", '<path d=""', text)  # the glyph of a space: HTML requires the attribute
    ids: dict[str, str] = {}

    def new_id(match: re.Match[str]) -> str:
        return f"{match[1]}{ids.setdefault(match[2], f'{name}{len(ids)}')}{match[3]}"

    text = re.sub(r'(\bid="|href="#|url\(#)([^")]+)(["\)])', new_id, text)
    for colour, variable in _PAGE_COLOURS.items():
        text = text.replace(colour, variable)
    head = re.search(r'viewBox="[^"]+"', text)
    body = text[text.index(">") + 1 :]
    box = head[0] if head else ""
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {names} {box} role="img" aria-label="{alt}">{body}'


# The colours of the pictures by the names of the page's style sheet (page.py).
_PAGE_COLOURS = {
    BLUE: "var(--blue)", VERMILION: "var(--vermilion)", PALE: "var(--pale)", GREY: "var(--grey)", INK: "var(--ink)",
    "#000000": "var(--ink)", "#ffffff": "var(--paper)", BAND: "var(--band)", OTHER: "var(--other)", RULE: "var(--rule)",
}  # fmt: skip
