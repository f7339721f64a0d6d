"""How a result shows itself: LaTeX, HTML, Markdown, a summary, a page. Mixed into results, which hold the figures."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastml.errors import FastmlError, ModelError
from fastml.inference.distributions import check_level
from fastml.io.writing import write_parquet, write_text
from fastml.report.exports import GridFaces, Record, Summary
from fastml.report.grids import Grid, fit_grid, naive_grid, rows_grid, schools_grid
from fastml.report.markup import html_table, html_text
from fastml.report.numbers import decimals
from fastml.report.page import fit_page, table_page
from fastml.report.sentences import fit_sentences, table_sentences
from fastml.report.text import fit_rows

if TYPE_CHECKING:
    import os

    import pyarrow as pa

__all__ = ["FitFaces", "FitWithIntervals", "Pages", "TableFaces"]

_PLAIN = "The pictures are missing, as matplotlib is not installed: pip install 'fastml-icc[plot]'."


class Pages(GridFaces):
    """What has a page too."""

    def report_html(self, title: str | None = None, source: str = "") -> str:
        """Return a page of tables, pictures and sentences; see the classes."""
        raise NotImplementedError

    def write_report(self, path: str | os.PathLike[str], title: str | None = None, source: str = "") -> None:
        """Write `report_html` to a file, whole or not at all.

        Parameters
        ----------
        path : str or path
        title, source : str, optional
        """
        write_text(self.report_html(title, source), path)


class FitFaces(Pages, Record):
    """The faces of one fit."""

    if TYPE_CHECKING:
        naive: Any
        sizes: Any
        components: Any
        weighting: Any
        ci: Any

        def groups_arrow(self, level: float = 0.95, sort: str | None = None) -> pa.Table: ...  # noqa: D102
        def _sizes(self) -> tuple[int, int]: ...

    def _limits(self, level: float) -> dict[str, tuple[float, float]]:
        """Limits of the intervals that there are and that need no simulation."""
        from fastml.inference.intervals import PARAMETERS

        made = {}
        for name in PARAMETERS:
            if name == "reliability" and self.weighting is not None:
                continue
            # None of a variance without a likelihood, nor, by standard errors, of one at 0.
            with suppress(ModelError):
                low, high = self.ci(name, level)
                made[name] = (low, high)
        return made

    def _chance(self) -> float | None:
        """p-value of the exact F test of no variance between groups; none with weights."""
        from fastml.inference.hypotheses import anova

        return None if self.weighting is not None else anova(self.sizes).p_value

    def _grid(self, level: float = 0.95) -> Grid:
        return fit_grid(self.to_dict(), self._sizes(), self._limits(level), level)

    def _said(self, level: float) -> dict[str, str]:
        return fit_sentences(
            self.to_dict(), self.naive.to_dict(), self._sizes(), self._limits(level), self._chance(), level
        )

    def summary(self, level: float = 0.95) -> Summary:
        """Return the printed table, the confidence intervals, and in plain sentences what they mean.

        Parameters
        ----------
        level : float
            Of the intervals, between 0 and 1.

        Returns
        -------
        Summary
            Print it, or let a notebook show it.
        """
        said = self._said(level)
        grid = self._grid(level)
        lines = [str(self), ""]
        intervals = [(row[0], row[4]) for section in grid.sections for row in section.rows if row[4]]
        if intervals:
            lines.append(f"{100 * level:.10g} % confidence intervals")
            lines += [f"  {label:<30}{limits}" for label, limits in intervals]
            lines.append("")
        lines += [part for text in said.values() for part in textwrap.wrap(text, 100)]
        return Summary("\n".join(lines), _with_words(grid, said.values()))

    def with_intervals(self, level: float = 0.95) -> FitWithIntervals:
        """Return the fit's faces with confidence intervals of this level in all of them.

        Parameters
        ----------
        level : float
            Between 0 and 1.

        Returns
        -------
        FitWithIntervals
        """
        check_level(level)
        return FitWithIntervals(self, float(level))

    def write_groups(self, path: str | os.PathLike[str], level: float = 0.95) -> None:
        """Write the school means, `groups_arrow`, to a Parquet file, whole or not at all.

        Parameters
        ----------
        path : str or path
        level : float
            Of their intervals, between 0 and 1.
        """
        write_parquet(self.groups_arrow(level), path)

    def report_html(self, title: str | None = None, source: str = "") -> str:
        """Return a self-contained page: the tables, the pictures, and what they mean for this data.

        Parameters
        ----------
        title : str, optional
            By default the outcome in its schools.
        source : str
            Where the data are from; shown under the title.

        Returns
        -------
        str
            HTML with no script and nothing from elsewhere, light or dark as the reader's screen; every name in it is
            escaped. Without matplotlib it has no pictures, and says so.
        """
        fit, said = self.to_dict(), self._said(0.95)
        pictures = {}
        for name, caption in _CAPTIONS.items():
            svg = draw(name, self, caption) if can_draw() else None
            if svg is not None:
                pictures[name] = (svg, caption)
        schools = self.groups_arrow(sort="eb_mean")
        labels = schools.column_names[: schools.column_names.index("n")]
        group = [fit["group"]] if isinstance(fit["group"], str) else fit["group"]
        return fit_page(
            title or f"{fit['outcome']} in schools ({', '.join(group)})",
            "; ".join(filter(None, (source, fit_rows(fit, self._sizes())))),
            said,
            self._grid(),
            naive_grid(fit, self.naive.to_dict()),
            schools_grid(_ends(schools), labels, group, decimals(fit)),
            pictures,
            "" if can_draw() else _PLAIN,
        )


@dataclass(frozen=True)
class FitWithIntervals(Record):
    """A fit's faces with confidence intervals: the text is `OneWayFit.summary`.

    Attributes
    ----------
    fit : OneWayFit
    level : float
        Between 0 and 1.
    """

    fit: FitFaces
    level: float

    def __str__(self) -> str:
        return str(self.fit.summary(self.level))

    def _grid(self, level: float = 0.95) -> Grid:
        return self.fit._grid(self.level)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, then level, and ``ci_low_`` and ``ci_high_`` of every parameter that has an interval.

        Returns
        -------
        dict
        """
        limits = {
            f"ci_{end}_{name}": value if math.isfinite(value) else None
            for name, pair in self.fit._limits(self.level).items()
            for end, value in zip(("low", "high"), pair, strict=True)
        }
        return {**self.fit.to_dict(), "level": self.level, **limits}


def _with_words(grid: Grid, said: Iterable[str]) -> str:
    return html_table(grid) + "".join(f"\n<p>{html_text(text)}</p>" for text in said)


def _ends(schools: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Rows of the schools from the highest, or of many schools both ends."""
    if schools.num_rows <= _LONGEST:
        return {"": schools.to_pylist()[::-1]}
    high, low = schools.slice(schools.num_rows - 20).to_pylist()[::-1], schools.slice(0, 20).to_pylist()[::-1]
    return {"The 20 highest": high, "The 20 lowest": low}


_LONGEST = 100

_CAPTIONS = {
    "variance_shares": "Shares of the variance of students' scores, and of the observed school means.",
    "icc_profile": "How fast the deviance rises as the ICC leaves its estimate, and the exact interval.",
    "school_distribution": "The distribution of the true school means by the model, one standard deviation either side "
    "hatched, over the histogram of the observed means.",
    "caterpillar": "School means in order, raw and shrunken, with 95 % intervals; the dashed line is the grand mean.",
    "qq": "School effects against normal quantiles: the model takes them to lie on the line, within the band.",
}


class TableFaces(Pages):
    """The faces of a table of fits."""

    if TYPE_CHECKING:
        table: pa.Table
        by: tuple[str, ...]

        def shown(self) -> list[dict[str, Any]]: ...  # noqa: D102
        def icc_limits(self, level: float | None = None) -> tuple[float, list[tuple[float, float]]]: ...  # noqa: D102

    def _grid(self, level: float = 0.95) -> Grid:
        held = self.table.column_names
        columns = [*self.by, *(name for name in _COLUMNS if name in held)]
        return rows_grid(self.shown(), columns)

    def _page_grid(self) -> Grid:
        return self._grid()

    def _said(self) -> list[str]:
        return table_sentences(self.shown(), self.by)

    def _repr_html_(self) -> str:
        grid = self._grid()
        (body,) = grid.sections
        if len(body.rows) <= _LONGEST:
            return html_table(grid)
        note = f"The first {_LONGEST} of {len(body.rows):,} rows; to_frame() has all."
        return html_table(replace(grid, sections=(replace(body, rows=body.rows[:_LONGEST]),), notes=(note,)))

    def summary(self) -> Summary:
        """Return the printed table, and in plain sentences what it says.

        Returns
        -------
        Summary
            Print it, or let a notebook show it.
        """
        said = self._said()
        lines = [str(self), "", *(part for text in said for part in textwrap.wrap(text, 100))]
        return Summary("\n".join(lines), _with_words(self._grid(), said))

    def report_html(self, title: str | None = None, source: str = "") -> str:
        """Return a self-contained page: the table, the ICCs as a picture, and what they mean.

        Parameters
        ----------
        title : str, optional
        source : str
            Where the data are from; shown under the title.

        Returns
        -------
        str
            See `OneWayFit.report_html`.
        """
        rows = self.shown()
        caption = f"The ICC of each part with its {100 * self.icc_limits()[0]:g} % interval, by rank."
        svg = draw("icc_by", self, caption) if can_draw() else None
        outcomes = ", ".join(dict.fromkeys(row["outcome"] for row in rows))
        return table_page(
            title or (f"{outcomes} by {', '.join(self.by)}" if self.by else outcomes),
            source,
            self._said(),
            self._page_grid(),
            [] if svg is None else [(svg, caption)],
            "" if can_draw() else _PLAIN,
        )


_COLUMNS = ("outcome", "n_obs", "n_groups", "mean", "se_mean", "gamma00", "se_gamma00", "tau00", "sigma2", "icc",
            "se_icc", "ci_low_icc", "ci_high_icc", "deff", "reliability", "status")  # fmt: skip


def draw(name: str, result: Any, alt: str, **options: Any) -> str | None:
    """A picture of the result as inline SVG; None where this result has no such picture.

    Parameters
    ----------
    name : str
        A function of `plots`.
    result : OneWayFit or ResultTable
    alt : str
        What it shows, in plain words.
    **options
        Of the function.

    Returns
    -------
    str or None
    """
    from fastml import plots
    from fastml.report.canvas import inline_svg

    try:
        ax = getattr(plots, name)(result, **options)
    except FastmlError:
        return None
    return inline_svg(ax, f"{name.replace('_', '')}-", html_text(alt))


def can_draw() -> bool:
    """Whether matplotlib is there."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None
