"""What a result can be turned into: the forms of its table, and its figures as data."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastml.errors import visible
from fastml.io.writing import write_parquet
from fastml.report.grids import Grid
from fastml.report.markup import html_table, latex_table, markdown_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Exports", "Record", "Summary", "TableForms", "csv_text", "flat", "json_text"]


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


class TableForms:
    """The forms of a table that people read, for whatever has a grid of formatted cells."""

    def _grid(self, level: float = 0.95) -> Grid:
        raise NotImplementedError

    def _paper_grid(self) -> Grid:
        """What a page of a paper has room for."""
        return self._grid()

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
        return latex_table(self._paper_grid(), caption, label)

    def to_markdown(self) -> str:
        """Return the table as Markdown, as GitHub, Pandoc and Quarto read it.

        Returns
        -------
        str
        """
        return markdown_table(self._paper_grid())

    def summary(self) -> Summary:
        """Return what is printed, and the table for a notebook.

        Returns
        -------
        Summary
        """
        return Summary(str(self), self.to_html())

    def _repr_html_(self) -> str:
        return self.to_html()


class Exports(TableForms):
    """The figures as data too, for whatever has `to_dict` and `to_arrow`."""

    def to_dict(self) -> Any:
        """Return the figures as plain Python values; None where one does not exist, never NaN."""
        raise NotImplementedError

    def to_arrow(self) -> pa.Table:
        """Return the figures as an Arrow table; null where one does not exist."""
        raise NotImplementedError

    def to_json(self, indent: int | None = 2) -> str:
        """Return the figures as JSON: one object, or for a table of results an array with an object for each row.

        Parameters
        ----------
        indent : int or None

        Returns
        -------
        str
            With null where a figure does not exist, never NaN.
        """
        return json_text(self.to_dict(), indent)

    def to_csv(self) -> str:
        """Return the figures as CSV with a header; `dropped` of a fit is spread over columns ``dropped_CAUSE``.

        A text that a spreadsheet would take for a formula gets an apostrophe before it: see `csv_text`.

        Returns
        -------
        str
        """
        table = self.to_arrow()
        return csv_text(table.to_pylist(), table.column_names)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the figures to a Parquet file; the file is replaced whole or not at all.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        SourceError
            The file can't be written.
        """
        write_parquet(self.to_arrow(), path)


# Figures that are text; all others that may be missing are doubles, so that all rows of a kind have one schema.
_TEXTS = frozenset(("weights", "group_weights", "weights_are", "weight_scaling", "vcov", "ci_notes", "bias"))


class Record(Exports):
    """A result of one row."""

    def to_frame(self) -> pd.DataFrame:
        """Return the figures as a data frame of one row.

        Returns
        -------
        pandas.DataFrame
        """
        import pandas as pd

        return pd.DataFrame([flat(self.to_dict())])

    def to_arrow(self) -> pa.Table:
        """Return the figures as an Arrow table of one row; null, of its column's own type, where one does not exist.

        Returns
        -------
        pyarrow.Table
        """
        import pyarrow as pa

        def column(name: str, value: Any) -> pa.Array:
            dtype = None if value is not None else pa.string() if name in _TEXTS else pa.float64()
            return pa.array([value], dtype)

        return pa.table({name: column(name, value) for name, value in flat(self.to_dict()).items()})


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
    """The file that a csv writer writes to, a row at a time."""

    def write(self, line: str) -> None:
        self.append(line)


def json_text(value: Any, indent: int | None = None) -> str:
    """Plain values as JSON that any terminal and any encoding can take, letters of all languages as they are.

    An infinity, which only labels can be, is its name: JSON has no such number.

    Parameters
    ----------
    value : object
    indent : int, optional

    Returns
    -------
    str
    """
    text = json.dumps(_named(value), indent=indent, ensure_ascii=False, allow_nan=False, default=str)
    # Outside of strings JSON has no such characters but the ends of its lines.
    return re.sub(r"[^ -~\n]", lambda at: at[0] if visible(at[0]) == at[0] else f"\\u{ord(at[0]):04x}", text)


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_named(name): _named(inside) for name, inside in value.items()}
    if isinstance(value, (list, tuple)):
        return [_named(inside) for inside in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


# What a spreadsheet runs, at the start of a cell; full-width forms where the language has them. A text that is a number
# with a minus sign stays one. Apostrophes before it count, so that taking one off gives back every text.
_FORMULA = re.compile(r"'*([=+@\t\r\n\uff1d\uff0b\uff20\uff0d]|-(?![\d.,]+$))")


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV with a header; what does not exist is empty.

    A text, or name of a column, that a spreadsheet would run, as it begins with =, +, @, a tab or the end of a line, or
    with a minus sign that isn't a number's, gets an apostrophe before it. To undo that, take one off where such a
    beginning, or more apostrophes and then one, follows.

    Parameters
    ----------
    rows : sequence of mapping
    columns : sequence of str

    Returns
    -------
    str
    """
    lines = _Lines()
    # The writer quotes a value that contains a character of its line ending: with "\r\n" it quotes both.
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(map(_harmless, columns))
    writer.writerows([_harmless(row.get(name)) for name in columns] for row in rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)
