"""A result of one row: its figures as JSON, CSV, a data frame, Arrow and Parquet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fastml.io.writing import write_parquet
from fastml.report.grids import Grid
from fastml.report.markup import html_table, latex_table, markdown_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GridFaces", "Record", "Summary", "csv_text", "flat"]


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


class GridFaces:
    """The forms of one grid, for whatever has one."""

    def _grid(self, level: float = 0.95) -> Grid:
        raise NotImplementedError

    def to_html(self) -> str:
        """Return the table as HTML, without any style; every name in it is escaped.

        Returns
        -------
        str
        """
        return html_table(self._grid())

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
        return latex_table(self._grid(), caption, label)

    def to_markdown(self) -> str:
        """Return the table as Markdown, as GitHub, Pandoc and Quarto read it.

        Returns
        -------
        str
        """
        return markdown_table(self._grid())

    def summary(self) -> Summary:
        """Return what is printed, and the table for a notebook.

        Returns
        -------
        Summary
        """
        return Summary(str(self), self.to_html())

    def _repr_html_(self) -> str:
        return self.to_html()


# Figures that are text; all others that may not exist are doubles, so that every row of a kind has one schema.
_TEXTS = frozenset(("weights", "group_weights", "weights_are", "weight_scaling", "vcov"))


class Record(GridFaces):
    """The forms of one row of figures, for whatever has `to_dict`."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain Python values; None for what doesn't exist, never NaN."""
        raise NotImplementedError

    def to_json(self, indent: int | None = 2) -> str:
        """Return the figures as one JSON object; null for what doesn't exist, never NaN.

        Parameters
        ----------
        indent : int or None

        Returns
        -------
        str
        """
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """Return the figures as a row of CSV with a header; `dropped` by cause in columns ``dropped_CAUSE``.

        Returns
        -------
        str
        """
        row = flat(self.to_dict())
        return csv_text([row], list(row))

    def to_frame(self) -> pd.DataFrame:
        """Return that row as a data frame.

        Returns
        -------
        pandas.DataFrame
        """
        import pandas as pd

        return pd.DataFrame([flat(self.to_dict())])

    def to_arrow(self) -> pa.Table:
        """Return that row as an Arrow table; null, of its column's own type, where a figure doesn't exist.

        Returns
        -------
        pyarrow.Table
        """
        return pa.table({name: _cell(name, value) for name, value in flat(self.to_dict()).items()})

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
        write_parquet(self.to_arrow(), path)


def _cell(name: str, value: Any) -> pa.Array:
    dtype = None if value is not None else pa.string() if name in _TEXTS else pa.float64()
    return pa.array([value], dtype)


def flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of a result as one row: a dict inside is spread over columns, a list is joined.

    Examples
    --------
    >>> flat({"n": 3, "dropped": {"group": 1}, "group": ["a", "b"]})
    {'n': 3, 'dropped_group': 1, 'group': 'a, b'}
    """
    row: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            row.update({f"{name}_{key}": inside for key, inside in value.items()})
        else:
            row[name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return row


class _Lines(list[str]):
    """Takes what a csv writer writes: a row at a time."""

    def write(self, line: str) -> None:
        self.append(line)


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV with a header; what doesn't exist is empty.

    Parameters
    ----------
    rows : sequence of mapping
    columns : sequence of str

    Returns
    -------
    str
    """
    lines = _Lines()
    # What stands in a row's end is put in quotes in a value: both, though rows end with one of them here.
    writer = csv.DictWriter(lines, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)
