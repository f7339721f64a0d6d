"""Tables of many results: a row per part and outcome, with a status each."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fastml.errors import FastmlError, visible
from fastml.inference.distributions import check_level
from fastml.report.fields import DROPPED, FIT_TABLE, FIT_TABLE_INTERVALS
from fastml.report.provenance import STAMP, made_text, provenance, with_metadata
from fastml.report.sentences import table_sentences
from fastml.report.text import fit_weights, table_notes
from fastml.results.comparable import Comparable, fits_compared
from fastml.results.contrasts import Compared
from fastml.results.pages import table_report
from fastml.results.shown_table import Limits, SeenTable, table_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastml.groupstats.statistics import GroupStats

__all__ = ["FitTable", "ResultTable", "check_by", "fit_table", "label_column", "or_null"]


@dataclass(frozen=True, eq=False, repr=False)
class ResultTable(Comparable, SeenTable):
    """A table of results.

    Attributes
    ----------
    table : pyarrow.Table
        The by-columns, outcome, the figures, and the status of each row.
    by : tuple of str
        The by-columns.
    """

    table: pa.Table
    by: tuple[str, ...]

    def icc_limits(self, level: float | None = None) -> tuple[float, list[tuple[float, float]]]:
        """Return the confidence limits of every row's icc.

        Parameters
        ----------
        level : float, optional
            Between 0 and 1; without, the table's own: that of `with_intervals` or of `fit_survey`, else 0.95.

        Returns
        -------
        level : float
        limits : list of (float, float)
            A pair for each row; NaN where the row has no result or no standard error.
        """
        level, made = self._icc_intervals(level)
        return level, [(low, high) for low, high, _ in made]

    def _notes(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Lines under the printed table of these rows."""
        made = self.provenance
        return [*table_notes(rows, self.by), *fit_weights(made), made_text(made)]

    def _sentences(self) -> list[str]:
        level, rows = self._seen()
        return table_sentences(rows, self.by, level)

    def plot(self, ax: Axes | None = None, *, level: float | None = None, sort: bool = True) -> Axes:
        """Draw the ICC of every row with its interval; a notebook shows what this returns. Needs matplotlib.

        Parameters
        ----------
        ax, level, sort
            As in `fastml.plots.icc_by`.

        Returns
        -------
        matplotlib Axes
            Save the picture by ``.figure.savefig("icc.svg")``.
        """
        from fastml import plots

        return plots.icc_by(self, ax, level=level, sort=sort)

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
        return table_report(self, title, source)


@dataclass(frozen=True, eq=False, repr=False)
class FitTable(ResultTable):
    """Fits of many parts: what `fit_by` gives.

    Attributes
    ----------
    table : pyarrow.Table
        The by-columns, ``outcome``, every figure of a single fit by its name, rows left out by cause
        (``dropped_CAUSE``) and those of all the data that belong to no part (``rows_without_by``); ``status``, "ok" or
        in a word why there is no result, and ``message``, why in a sentence. Its schema's metadata say what made it.
    by : tuple of str
        The by-columns.
    stats : GroupStats or None
        The statistics that the models were fitted to.
    vcov : str or None
        Kind of robust standard errors, "cr2", "joint" or "block"; None without weights.

    Examples
    --------
    >>> import fastml
    >>> scores = {"country": ["N"] * 4 + ["S"] * 4, "school": [1, 1, 2, 2] * 2, "score": [1.0, 2, 5, 7, 3, 4, 6, 9]}
    >>> table = fastml.fit_by(scores, "score", "school", by="country")
    >>> print(table.to_text(["country", "n_obs", "gamma00", "icc"]).splitlines()[1])
    N            4    3.750  0.884
    """

    stats: GroupStats | None = field(default=None, repr=False)
    vcov: str | None = field(default=None, repr=False)

    def _compared(self) -> Compared:
        return fits_compared(self.shown(), self.by, self.stats, self.vcov, self.provenance)

    def _icc_intervals(self, level: float | None) -> tuple[float, list[Limits]]:
        """As `OneWayFit.ci` has them."""
        level = self._level() if level is None else level
        if level == 0.95:
            return level, self._usual_limits
        check_level(level)
        return level, self._limits(level)

    def _level(self) -> float:
        """That of `with_intervals`."""
        return self.table["level"][0].as_py() if "level" in self.table.column_names and len(self) else 0.95

    @cached_property
    def _usual_limits(self) -> list[Limits]:
        """At 95 %, computed once for a page's picture and its table."""
        return self._limits(0.95)

    def _limits(self, level: float) -> list[Limits]:
        from fastml.inference.delta import logit_limits
        from fastml.inference.intervals import icc_interval
        from fastml.inference.robust import KINDS
        from fastml.model.size_table import reduce_sizes

        rows = self.to_dict()
        for_few = self.vcov is not None and KINDS[self.vcov].for_few
        if self.stats is None or self.stats.weights or self.stats.group_weights:
            return [
                (
                    *logit_limits(
                        or_nan(row["icc"]),
                        or_nan(row["se_icc"]),
                        or_nan(row["n_groups"]) - 1.0 if for_few else math.inf,
                        level,
                    ),
                    "",
                )
                for row in rows
            ]
        made: list[Limits] = []
        outcomes = len(rows) // max(1, len(self.stats.parts()))
        for k, (_, part) in enumerate(self.stats.split()):
            for row in rows[k * outcomes : (k + 1) * outcomes]:
                if row["icc"] is None:
                    made.append((math.nan, math.nan, ""))
                    continue
                groups = part.groups(row["outcome"])
                sizes = reduce_sizes(groups.n, groups.mean, groups.residual, groups.ss)
                found = icc_interval(sizes, row["icc"], row["method"], level)
                made.append((found.low, found.high, found.note))
        return made

    def with_intervals(self, level: float = 0.95) -> FitTable:
        """Return the table with columns level, ci_low_icc, ci_high_icc, and ci_notes, what there is to know of them.

        Parameters
        ----------
        level : float
            Between 0 and 1.

        Returns
        -------
        FitTable

        Examples
        --------
        >>> import fastml
        >>> scores = {"country": ["N"] * 4, "school": [1, 1, 2, 2], "score": [1.0, 2.0, 5.0, 7.0]}
        >>> table = fastml.fit_by(scores, "score", "school", by="country").with_intervals(0.9)
        >>> row = table.to_dict()[0]
        >>> row["level"], round(row["ci_low_icc"], 3), round(row["ci_high_icc"], 3)
        (0.9, 0.0, 0.999)
        """
        level, limits = self._icc_intervals(level)
        table = self.table
        rows = [(level, or_null(low), or_null(high), note or None) for low, high, note in limits]
        for i, (name, kind) in enumerate(FIT_TABLE_INTERVALS.items()):
            if name in table.column_names:  # those of another level
                table = table.drop_columns(name)
            column = pa.array([row[i] for row in rows], kind.arrow)
            table = table.add_column(table.schema.get_field_index("status"), name, column)
        return FitTable(table, self.by, self.stats, self.vcov)

    def _text(self, columns: Sequence[str] | None) -> str:
        level, rows = self._seen(columns)
        table = table_text(rows, self.by, level, columns=columns)
        return "\n".join([table, "", *map(visible, self._notes(rows))])


_COLUMNS = frozenset((*FIT_TABLE, *FIT_TABLE_INTERVALS, *STAMP))


def check_by(by: Iterable[str], columns: Container[str] = _COLUMNS) -> None:
    """Refuse by-columns with the name of one of the table's own columns, by default those of a `FitTable`."""
    for name in by:
        if name in columns:
            raise FastmlError(f"by column {name!r} has the name of a column of the table of results; rename it")


def fit_table(
    by_types: Mapping[str, pa.DataType],
    columns: Mapping[str, Any],
    stats: GroupStats | None = None,
    vcov: str | None = None,
    made: Mapping[str, Any] | None = None,
) -> FitTable:
    """Make a table of columns of figures.

    Parameters
    ----------
    by_types : mapping
        By-column to type of its labels.
    columns : mapping of str to sequence
        By-labels, "outcome", "status", "message" and figures, as plain Python values or arrays of doubles; NaN becomes
        null, and counts of rows left out that are absent are 0.
    stats : GroupStats, optional
        What was fitted.
    vcov : str, optional
        Of weighted fits.
    made : mapping, optional
        What made the table.
    """
    labels = {name: label_column(columns[name], dtype) for name, dtype in by_types.items()}
    none = [0] * len(columns["status"])
    found = {name: _column(columns.get(name, none) if name in DROPPED else columns[name], kind.arrow)
             for name, kind in FIT_TABLE.items()}  # fmt: skip
    table = with_metadata(pa.table({**labels, **found}), made or provenance("fit table", by=tuple(by_types)))
    return FitTable(table, tuple(by_types), stats, vcov)


def label_column(labels: Sequence[Any], dtype: pa.DataType) -> pa.Array:
    """Labels of parts as a column; countries that came as floats (792.0), as from SPSS, are integers (792)."""
    given = [label for label in labels if label is not None]
    if pa.types.is_floating(dtype) and all(abs(label) <= 2**53 and label == int(label) for label in given):
        return pa.array([None if label is None else int(label) for label in labels], pa.int64())
    return pa.array(labels, dtype.value_type if pa.types.is_dictionary(dtype) else dtype)


def _column(values: Any, dtype: pa.DataType) -> pa.Array:
    """Arrow array of plain values or doubles, null where they are not finite."""
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and pa.types.is_float64(dtype):
        finite = np.isfinite(values)
        valid = pa.py_buffer(np.packbits(finite, bitorder="little"))
        return pa.Array.from_buffers(dtype, len(values), [valid, pa.py_buffer(np.where(finite, values, 0.0))])
    return pa.array(map(or_null, values), dtype)


def or_null(value: Any) -> Any:
    """The value, or None for a float that is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def or_nan(value: float | None) -> float:
    """The value, or NaN for None."""
    return math.nan if value is None else value
