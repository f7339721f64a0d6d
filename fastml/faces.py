"""How a result shows itself: LaTeX, HTML, Markdown, a summary, a page. Mixed into results, which hold the figures."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastml import markup
from fastml.grids import Grid, fit_grid, naive_grid, rows_grid, schools_grid
from fastml.page import can_draw, draw, fit_page, table_page
from fastml.report import fit_rows, flat
from fastml.sentences import fit_sentences, table_sentences

if TYPE_CHECKING:
    import os

    import pyarrow as pa

__all__ = ["FitFaces", "Summary", "TableFaces"]

_PLAIN = "The pictures are missing, as matplotlib is not installed: pip install 'fastml-icc[plot]'."


@dataclass(frozen=True, repr=False)
class Summary:
    """A summary to print, or to see in a notebook.

    Attributes
    ----------
    text, html : str
    """

    text: str
    html: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


class _Faces:
    """The forms of one grid."""

    def _grid(self, level: float = 0.95) -> Grid:
        raise NotImplementedError

    def to_html(self) -> str:
        """Return the table as HTML, without any style; every name in it is escaped.

        Returns
        -------
        str
        """
        return markup.html_table(self._grid())

    def to_latex(self, caption: str | None = None, label: str | None = None) -> str:
        r"""Return the table as LaTeX for ``\usepackage{booktabs}``; every name in it is escaped.

        Parameters
        ----------
        caption, label : str, optional
            With either, the tabular stands in a floating ``table``.

        Returns
        -------
        str
        """
        return markup.latex_table(self._grid(), caption, label)

    def to_markdown(self) -> str:
        """Return the table as Markdown, as GitHub, Pandoc and Quarto read it.

        Returns
        -------
        str
        """
        return markup.markdown_table(self._grid())

    def _repr_html_(self) -> str:
        return self.to_html()

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
        from fastml.files import replace_file

        text = self.report_html(title, source)
        replace_file(path, lambda file: file.write(text.encode()))


class FitFaces(_Faces):
    """The faces of one fit."""

    if TYPE_CHECKING:
        naive: Any
        sizes: Any
        components: Any
        weighting: Any

        def to_dict(self) -> dict[str, Any]: ...  # noqa: D102
        def groups_arrow(self, level: float = 0.95, sort: str | None = None) -> pa.Table: ...  # noqa: D102
        def _sizes(self) -> tuple[int, int]: ...

    def _limits(self, level: float) -> dict[str, tuple[float, float]]:
        """Limits of the intervals that there are and that need no simulation."""
        from fastml.intervals import DEFAULT_METHOD, interval

        if self.weighting is not None:
            return {}
        names = [name for name, how in DEFAULT_METHOD.items() if how == "exact" or self.components.optimum is not None]
        made = {name: interval(self.sizes, self.components, name, level) for name in names}
        return {name: (limits.low, limits.high) for name, limits in made.items()}

    def _chance(self) -> float | None:
        """p-value of the exact F test of no variance between groups; none with weights."""
        from fastml.hypotheses import anova

        return None if self.weighting is not None else anova(self.sizes).p_value

    def _grid(self, level: float = 0.95) -> Grid:
        return fit_grid(self.to_dict(), self._sizes(), self._limits(level), level)

    def _said(self, level: float) -> dict[str, str]:
        return fit_sentences(
            self.to_dict(), self.naive.to_dict(), self._sizes(), self._limits(level), self._chance(), level
        )

    def to_arrow(self) -> pa.Table:
        """Return the figures as an Arrow table of one row; null where a figure doesn't exist.

        Returns
        -------
        pyarrow.Table
        """
        import pyarrow as pa

        return pa.Table.from_pylist([flat(self.to_dict())])

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write that row to a Parquet file, whole or not at all.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        SourceError
            The file can't be written.
        """
        import pyarrow.parquet as pq

        from fastml.files import replace_file

        replace_file(path, lambda file: pq.write_table(self.to_arrow(), file))

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
            lines.append(f"{100 * level:g} % confidence intervals")
            lines += [f"  {label:<30}{limits}" for label, limits in intervals]
            lines.append("")
        lines += [part for text in said.values() for part in textwrap.wrap(text, 100)]
        html = markup.html_table(grid) + "".join(f"\n<p>{markup.html_text(text)}</p>" for text in said.values())
        return Summary("\n".join(lines), html)

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
            schools_grid(_ends(schools), labels),
            pictures,
            "" if can_draw() else _PLAIN,
        )


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


class TableFaces(_Faces):
    """The faces of a table of fits."""

    if TYPE_CHECKING:
        table: pa.Table
        by: tuple[str, ...]

        def shown(self) -> list[dict[str, Any]]: ...  # noqa: D102

    def _grid(self, level: float = 0.95) -> Grid:
        held = self.table.column_names
        columns = [*self.by, *(name for name in _COLUMNS if name in held)]
        return rows_grid(self.shown(), columns)

    def _said(self) -> list[str]:
        return table_sentences(self.shown(), self.by)

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
        caption = "The ICC of each part with its 95 % interval, by rank."
        svg = draw("icc_by", self, caption) if can_draw() else None
        outcomes = ", ".join(dict.fromkeys(row["outcome"] for row in rows))
        return table_page(
            title or (f"{outcomes} by {', '.join(self.by)}" if self.by else outcomes),
            source,
            self._said(),
            self._grid(),
            [] if svg is None else [(svg, caption)],
            "" if can_draw() else _PLAIN,
        )


_COLUMNS = ("outcome", "n_obs", "n_groups", "mean", "se_mean", "gamma00", "se_gamma00", "tau00", "sigma2", "icc",
            "se_icc", "deff", "reliability", "status")  # fmt: skip
