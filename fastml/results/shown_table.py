"""What people see of a table of results: which of its columns, by which names, each ICC with its interval."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastml.errors import visible
from fastml.io.writing import write_text
from fastml.report.chosen_columns import ChosenColumns
from fastml.report.exports import Summary
from fastml.report.grids import HEADS, Grid, first_rows, rows_grid
from fastml.report.markup import html_table, html_with_sentences
from fastml.report.sentences import STATUSES
from fastml.report.text import rows_text

__all__ = ["FITS_ON_A_PAGE", "INTERVAL", "WIDE", "Limits", "ReportedTable", "SeenTable", "table_grid", "table_text"]

Limits = tuple[float, float, str]  # low, high, what there is to know of them

INTERVAL = "icc_interval"
"""The column of both limits of the ICC, which the rows get beside those of the table."""

WIDE = ("outcome", "n_obs", "n_groups", "n_dropped", "mean", "se_mean", "gamma00", "se_gamma00", "tau00", "sigma2",
        "icc", INTERVAL, "deff", "reliability", "status")  # fmt: skip
"""Where a table may be wide: on a terminal, in a notebook, on a page that scrolls."""

FITS_ON_A_PAGE = ("outcome", "n_obs", "n_groups", "mean", "se_mean", "gamma00", "se_gamma00", "icc", INTERVAL, "deff")
"""What a page of a paper has room for, in LaTeX or Word. A part without a result has a note."""


def _usual(rows: Sequence[Mapping[str, Any]], by: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The by-columns, and the columns wanted that say something: rows left out where there are any."""
    names = [name for name in wanted if name not in by and all(name in row for row in rows)]
    if not any(row.get("n_dropped") for row in rows):
        names = [name for name in names if name != "n_dropped"]
    if wanted is FITS_ON_A_PAGE:
        if len({row["outcome"] for row in rows}) == 1:
            names.remove("outcome")
        if "mean" in names:  # a survey's, which is published
            names = [name for name in names if name not in ("gamma00", "se_gamma00", "deff")]
    return [*by, *names]


def table_text(
    rows: Sequence[Mapping[str, Any]],
    by: Sequence[str],
    level: float,
    wanted: Sequence[str] = WIDE,
    columns: Sequence[str] | None = None,
) -> str:
    """Rows as aligned text, under the names of the table's columns.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of a `ResultTable`, perhaps with `INTERVAL`.
    by : sequence of str
    level : float
        Of the intervals.
    wanted : sequence of str
        Columns beside `by`, where the rows have them.
    columns : sequence of str, optional
        These, in this order, and no others.
    """
    return rows_text(rows, _usual(rows, by, wanted) if columns is None else columns, {INTERVAL: _interval_head(level)})


def table_grid(
    rows: Sequence[Mapping[str, Any]],
    by: Sequence[str],
    level: float,
    wanted: Sequence[str] = WIDE,
    columns: Sequence[str] | None = None,
) -> Grid:
    """Rows as a grid, whose columns have words for names.

    Parameters
    ----------
    rows, by, level, wanted
        As in `table_text`.
    columns : sequence of str, optional
        These, in this order, and no others.
    """
    if columns is None:
        columns = _usual(rows, by, wanted)
        if all(row["status"] == "ok" for row in rows) and "status" in columns:
            columns.remove("status")
    rows = [{**row, "status": STATUSES.get(row["status"], row["status"])} for row in rows]
    lone = {row["outcome"] for row in rows}
    caption = lone.pop() if len(lone) == 1 and "outcome" not in columns else ""
    heads = {name: words for name, words in HEADS.items() if name not in by}
    return rows_grid(rows, columns, caption, {**heads, INTERVAL: _interval_head(level)})


def _interval_head(level: float) -> str:
    return f"{100 * level:.10g} % interval"


_MAX_INTERVALS = 1000  # rows of a table that is printed; an interval takes a millisecond


class ReportedTable(ChosenColumns):
    """A table of rows with a status each, which says in sentences and on a page what it means."""

    @property
    def complete(self) -> bool:
        """Whether every row has a result."""
        return all(status == "ok" for status in self.table["status"].to_pylist())

    def _sentences(self) -> list[str]:
        raise NotImplementedError

    def report_html(self, title: str | None = None, source: str = "") -> str:
        """Return the table as a self-contained page."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return html_table(first_rows(self._grid()))

    def summary(self) -> Summary:
        """Return the printed table, and in plain sentences what it says.

        Returns
        -------
        Summary
            Print it, or let a notebook show it.
        """
        said = self._sentences()
        lines = [str(self), "", *(part for sentence in said for part in textwrap.wrap(visible(sentence), 100))]
        return Summary("\n".join(lines), html_with_sentences(self._grid(), said))

    def write_report(self, path: str | os.PathLike[str], title: str | None = None, source: str = "") -> None:
        """Write the page to a file, whole or not at all. See `report_html`."""
        write_text(self.report_html(title, source), path)


class SeenTable(ReportedTable):
    """The forms of a table of results that people read."""

    def _icc_intervals(self, level: float | None) -> tuple[float, list[Limits]]:
        """Return the level, the table's own without another, and limits of every row's icc; NaN for none."""
        raise NotImplementedError

    def _notes(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Lines under the printed table of these rows."""
        raise NotImplementedError

    def _choices(self) -> list[str]:
        return [*super()._choices(), INTERVAL]

    def _seen(self, columns: Sequence[str] | None = None) -> tuple[float, list[dict[str, Any]]]:
        """The level, and the rows as `shown` with the ICC's intervals; without those where they would take seconds."""
        rows = self.shown()
        if len(rows) > _MAX_INTERVALS and INTERVAL not in (columns or ()):
            return 0.95, rows
        level, limits = self._icc_intervals(None)
        found = zip(rows, limits, strict=True)
        return level, [{**row, INTERVAL: (low, high), "ci_notes": note} for row, (low, high, note) in found]

    def _grid(self, level: float = 0.95, columns: Sequence[str] | None = None) -> Grid:
        return self._grid_of(WIDE, columns)

    def _paper_grid(self) -> Grid:
        return self._grid_of(FITS_ON_A_PAGE, None)

    def _grid_of(self, wanted: Sequence[str], columns: Sequence[str] | None) -> Grid:
        level, rows = self._seen(columns)
        return replace(table_grid(rows, self.by, level, wanted, columns), notes=tuple(self._notes(rows)))
