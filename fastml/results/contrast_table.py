"""The table of comparisons in all its forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fastml.errors import visible
from fastml.report.fields import CONTRAST_TABLE
from fastml.report.grids import Grid, rows_grid
from fastml.report.provenance import made_text, with_metadata
from fastml.report.sentences import contrast_sentences
from fastml.report.text import rows_text
from fastml.results.pages import contrast_report
from fastml.results.samples import label_text
from fastml.results.shown_table import ReportedTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ContrastTable", "contrast_table"]


# Figures are printed to the digits that this error leaves.
_ERRORS = dict.fromkeys(("estimate_a", "estimate_b", "difference", "se", "ci_low", "ci_high"), "se")
_NAMED = 3  # comparisons, of those that lack the same


@dataclass(frozen=True, eq=False, repr=False)
class ContrastTable(ReportedTable):
    """Comparisons of rows: what `SurveyTable.contrast`, `FitTable.contrast` and `trend` give.

    Attributes
    ----------
    table : pyarrow.Table
        The by-columns whose label all rows of a comparison share; ``a`` and ``b``, what is compared, ``outcome`` (null
        where it is what differs), ``parameter``; ``estimate_a``, ``estimate_b``, their ``difference``, its ``se`` and
        what that is made of, ``sampling_variance``, ``imputation_variance``, ``linking_variance``; ``df``, ``t``,
        ``p_value``, ``p_adjusted`` (with ``adjust=``), ``ci_low``, ``ci_high``. Of variances and the sd the ``ratio``
        too, with ``p_value_ratio``, ``p_adjusted_ratio``, ``ci_low_ratio``, ``ci_high_ratio``, on the logarithm; null
        where a side is the mean of several rows.
        ``samples``: "one", "independent", or "both", null without a result; ``status``, "ok" or "no_result", and
        ``message``. Of a trend ``difference`` is the change per year, ``ratio`` the factor. Its schema's metadata hold
        the provenance.
    by : tuple of str
        The by-columns.
    notes : tuple of str
        How the comparisons were made.
    points : tuple of dict or None
        Of a trend over several tables, the estimates: ``name`` of the part, ``parameter``, ``cycle``, ``estimate``,
        ``low``, ``high``.

    Examples
    --------
    >>> import fastml
    >>> scores = {"sex": ["f"] * 4 + ["m"] * 4, "school": [1, 1, 2, 2, 3, 3, 4, 4], "score": [1.0, 2, 5, 7, 3, 4, 6, 9]}
    >>> made = fastml.fit_by(scores, "score", "school", by="sex").contrast("m", "f")
    >>> print(made.to_text(["a", "b", "difference", "se"]).splitlines()[1])
    m  f       1.750  3.010
    """

    table: pa.Table
    by: tuple[str, ...]
    notes: tuple[str, ...] = ()
    points: tuple[dict[str, Any], ...] | None = None

    def name(self, row: Mapping[str, Any]) -> str:
        """Return what a row compares, in words: "TUR girls - boys BSMMAT mean".

        Parameters
        ----------
        row : mapping
            One of those of `to_dict`.

        Returns
        -------
        str
        """
        sides = " - ".join(filter(None, (row["a"], row["b"])))
        shared = [f"{name} {row[name]}" for name in self.by]
        return " ".join(filter(None, (*shared, sides, row["outcome"], row["parameter"])))

    def _columns(self) -> list[str]:
        """The columns that are printed: those that say something."""
        rows = self.to_dict()
        rest = ("difference", "se", "df", "p_value", "p_adjusted", "ci_low", "ci_high", "ratio", "ci_low_ratio",
                "ci_high_ratio")  # fmt: skip
        wanted = [*self.by, "outcome", "parameter", "a", "b", *rest]
        return [name for name in wanted if any(row[name] is not None for row in rows)]

    def _lines(self) -> list[str]:
        level = f"intervals of {100 * self.provenance['level']:.10g} %"
        of: dict[str, list[str]] = {}
        for row in self.to_dict():
            if row["message"]:
                of.setdefault(row["message"], []).append(self.name(row))
        said = [f"{'; '.join(names[:_NAMED])}{_more(len(names) - _NAMED)}: {why}" for why, names in of.items()]
        made = self.provenance
        of_tables = dict.fromkeys(note for table in made.get("tables", ()) for note in table.get("notes", ()))
        return [f"{level}, by t", *self.notes, *said, made_text({**made, "notes": of_tables})]

    def _text(self, columns: Sequence[str] | None) -> str:
        table = rows_text(self.to_dict(), columns or self._columns(), errors=_ERRORS)
        return "\n".join([table, "", *map(visible, self._lines())])

    def _grid(self, level: float = 0.95, columns: Sequence[str] | None = None) -> Grid:
        grid = rows_grid(self.to_dict(), columns or self._columns(), errors=_ERRORS)
        return replace(grid, notes=tuple(self._lines()))

    def _sentences(self) -> list[str]:
        return contrast_sentences(self.to_dict(), self.by, self.provenance["level"])

    def plot(self, ax: Axes | None = None, *, sort: bool = False) -> Axes:
        """Draw every difference with its interval, or a trend's cycles; see `plots.contrasts` and `plots.trend`."""
        from fastml import plots

        return plots.contrasts(self, ax, sort=sort) if self.points is None else plots.trend(self, ax)

    def report_html(self, title: str | None = None, source: str = "") -> str:
        """Return a self-contained page: the table, its picture, and what it says. See `OneWayFit.report_html`."""
        return contrast_report(self, title, source)


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def contrast_table(
    labels: Mapping[str, Sequence[Any]],
    columns: Mapping[str, Any],
    provenance: Mapping[str, Any],
    notes: Sequence[str],
    points: Sequence[dict[str, Any]] | None = None,
) -> ContrastTable:
    """Make a table of by-columns and of columns of figures, lists or arrays; what is not finite becomes null."""

    def column(name: str, dtype: pa.DataType) -> pa.Array:
        values = columns[name]
        return pa.array(values, dtype, mask=~np.isfinite(values) if isinstance(values, np.ndarray) else None)

    made = {name: pa.array(_of_one_type(values)) for name, values in labels.items()}
    made |= {name: column(name, field.arrow) for name, field in CONTRAST_TABLE.items()}
    table = with_metadata(pa.table(made), {**provenance, "notes": list(notes)})
    return ContrastTable(table, tuple(labels), tuple(notes),
                         None if points is None else tuple(points))  # fmt: skip


def _of_one_type(labels: Sequence[Any]) -> Sequence[Any]:
    """Labels of tables of which one has ids as texts and another as integers, all as texts."""
    if len({type(label) for label in labels if label is not None}) < 2:
        return labels
    return [None if label is None else label_text(label) for label in labels]
