"""What is on the page of a fit and of a table of fits, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from fastml.errors import ArgumentError, FastmlError
from fastml.report.canvas import can_draw, inline_svg
from fastml.report.grids import naive_grid, schools_grid
from fastml.report.markup import html_text
from fastml.report.numbers import decimals
from fastml.report.page import Drawing, fit_page, table_page
from fastml.report.sentences import HOW_TO_READ, NO_LEAGUE_TABLE
from fastml.results.schools import INTERVALS

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes

    from fastml.results.contrast_table import ContrastTable
    from fastml.results.fit import OneWayFit
    from fastml.results.table import ResultTable

__all__ = ["Picture", "contrast_report", "draw", "fit_report", "table_report"]

Picture = Literal["caterpillar", "school_distribution", "variance_shares", "icc_profile", "qq"]
"""The functions of `fastml.plots` that draw one fit."""

MAX_ROWS = 100  # of schools; of more, both ends are shown

_NO_PICTURES = "The pictures are missing, as matplotlib is not installed: pip install matplotlib."

_CAPTIONS = {
    "variance_shares": "Where the differences lie: of students' scores, between and within schools; of the observed "
    "school means, true differences and error.",
    "school_distribution": "How the true school means are spread by the model (curve; hatched: one standard deviation "
    "either side), over the observed means (bars).",
    "caterpillar": "School means in order, as observed (raw) and pulled towards the mean of all schools (shrunken), "
    "with 95 % intervals; the dashed line is that mean.",
    "qq": "A check of the model, which takes the true school means to follow a bell curve: then the points lie near "
    "the line, 95 % of them within the grey band.",
}


_COLUMNS = (
    "SE: standard error of the figure before it. Design effect (DEFF): how many times as many students such a sample "
    "needs as one drawn student by student. Reliability: the share of true differences in those of school means."
)


def draw(fit: OneWayFit, kind: str, ax: Axes | None = None) -> Axes:
    """Draw one fit by that function of `plots`."""
    from fastml import plots

    if kind not in get_args(Picture):
        raise ArgumentError("kind", kind, get_args(Picture))
    made: Axes = getattr(plots, kind)(fit, ax)
    return made


def fit_report(fit: OneWayFit, title: str | None, source: str) -> str:
    """The page of one fit. See `OneWayFit.report_html`."""
    figures = fit._figures()
    drawn = {name: _draw(name, fit, caption) for name, caption in _CAPTIONS.items()}
    schools = fit.groups_arrow(sort="eb_mean")
    labels = schools.column_names[: schools.column_names.index("n")]
    return fit_page(
        title or f"{fit.outcome} in schools ({', '.join(fit.group)})",
        "; ".join(filter(None, (source, _counts(figures, fit._sizes())))),
        fit._sentences(),
        fit._grid(),
        naive_grid(figures, fit.naive.to_dict()),
        schools_grid(_ends(schools), labels, fit.group, decimals(figures), note=_interval_note(schools)),
        {name: picture for name, picture in drawn.items() if picture is not None},
        "" if can_draw() else _NO_PICTURES,
    )


def table_report(table: ResultTable, title: str | None, source: str) -> str:
    """The page of a table of fits. See `ResultTable.report_html`."""
    each = " and ".join(table.by) or "outcome"
    caption = (
        f"The ICC of each {each} with its {100 * table.icc_limits()[0]:g} % interval, the highest first. Where two "
        "lines overlap, the data may not tell which of the two is higher."
    )
    results = table._grid()
    picture = _draw("icc_by", table, caption)
    outcomes = ", ".join(dict.fromkeys(row["outcome"] for row in table.shown()))
    return table_page(
        title or (f"{outcomes} by {', '.join(table.by)}" if table.by else outcomes),
        source,
        table._sentences(),
        replace(results, notes=(_COLUMNS, *results.notes)),
        [] if picture is None else [picture],
        "" if can_draw() else _NO_PICTURES,
        (*HOW_TO_READ, NO_LEAGUE_TABLE),
    )


def contrast_report(table: ContrastTable, title: str | None, source: str) -> str:
    """The page of a table of comparisons. See `ContrastTable.report_html`."""
    level = f"{100 * table.provenance['level']:.10g} %"
    picture = _draw(
        "contrasts", table, f"Each difference with its {level} interval; those that leave out 0 are filled."
    )
    rows = table.to_dict()
    names = (dict.fromkeys(row[key] for row in rows if row[key]) for key in ("parameter", "outcome"))
    return table_page(
        title or f"Comparisons of {' of '.join(filter(None, map(', '.join, names)))}",
        source,
        table._sentences(),
        table._grid(),
        [] if picture is None else [picture],
        "" if can_draw() else _NO_PICTURES,
    )


def _counts(figures: Mapping[str, Any], sizes: tuple[int, int]) -> str:
    low, high = sizes
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{figures['n_obs']:,} students in {figures['n_groups']:,} schools of {each}"


def _interval_note(schools: pa.Table) -> str:
    return INTERVALS[schools.schema.metadata[b"interval"].decode()]


def _ends(schools: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Rows of the schools from the highest, or of many schools both ends."""
    if schools.num_rows <= MAX_ROWS:
        return {"": schools.to_pylist()[::-1]}
    high, low = schools.slice(schools.num_rows - 20).to_pylist()[::-1], schools.slice(0, 20).to_pylist()[::-1]
    return {"The 20 highest": high, "The 20 lowest": low}


def _draw(name: str, result: OneWayFit | ResultTable | ContrastTable, caption: str) -> Drawing | None:
    """A picture by that function of `plots`; None without matplotlib, or where this result has no such picture."""
    if not can_draw():
        return None
    from fastml import plots

    try:
        ax = getattr(plots, name)(result)
    except FastmlError:
        return None
    return inline_svg(ax, f"{name.replace('_', '')}-", html_text(caption)), caption
