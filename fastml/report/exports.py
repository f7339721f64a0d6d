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
from fastml.report.fields import Fields
from fastml.report.grids import Grid
from fastml.report.markup import html_table, latex_table, markdown_table
from fastml.report.provenance import read_metadata, stamp, with_metadata

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Exports", "Record", "Summary", "TableForms", "as_frame", "csv_text", "flat", "json_text"]


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
    """The figures as data too, for whatever has `to_arrow`. Each form says what made it."""

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the result: version, schema, files, filter, columns and options."""
        return read_metadata(self.to_arrow())

    def to_dict(self) -> Any:
        """Return the rows as dicts; None where a figure does not exist, never NaN.

        Returns
        -------
        list of dict
            In each, ``fastml``, ``schema`` and ``provenance`` come last.

        Examples
        --------
        >>> import fastml
        >>> scores = {"country": ["N"] * 4, "school": [1, 1, 2, 2], "score": [1.0, 2.0, 5.0, 7.0]}
        >>> rows = fastml.fit_by(scores, "score", "school", by="country").to_dict()
        >>> rows[0]["country"], rows[0]["gamma00"], rows[0]["provenance"]["group"]
        ('N', 3.75, 'school')
        """
        table = self.to_arrow()
        last = stamp(self.provenance, table.num_rows)
        return [row | last for row in table.to_pylist()]

    def to_frame(self) -> pd.DataFrame:
        """Return the figures as a data frame, a row per fit, part or comparison.

        Returns
        -------
        pandas.DataFrame
            NaN or NA where a figure does not exist. Its ``attrs["provenance"]`` says what made it.

        Examples
        --------
        >>> import fastml
        >>> frame = fastml.plan(0.2, schools=100, cluster_size=20).to_frame()
        >>> frame.n_obs.tolist(), frame.attrs["provenance"]["content"]
        ([2000], 'plan')
        """
        return as_frame(self.to_arrow(), self.provenance)

    def to_arrow(self) -> pa.Table:
        """Return the figures as an Arrow table; null where one does not exist."""
        raise NotImplementedError

    def to_json(self, indent: int | None = 2) -> str:
        """Return `to_dict` as JSON: one object, or for a table of results an array with an object for each row.

        Parameters
        ----------
        indent : int or None
            Spaces by which a level is set in; None: all in one line.

        Returns
        -------
        str
            With null where a figure does not exist, never NaN.

        Examples
        --------
        >>> import json, fastml
        >>> made = fastml.plan(0.2, schools=100, cluster_size=20)
        >>> json.loads(made.to_json())["n_obs"]
        2000
        """
        return json_text(self.to_dict(), indent)

    def to_csv(self) -> str:
        """Return the figures as CSV with a header; `dropped` of a fit is spread over columns ``dropped_CAUSE``.

        The last columns are ``fastml``, ``schema`` and, as a JSON object, ``provenance``. A text that a spreadsheet
        would run as a formula (it begins with =, +, @, a tab, or a minus sign before no number) gets an apostrophe
        before it.

        Returns
        -------
        str

        Examples
        --------
        >>> import fastml
        >>> header, row = fastml.plan(0.2, schools=100, cluster_size=20).to_csv().splitlines()
        >>> header.split(",")[:4], row.split(",")[:4]
        (['icc', 'sd', 'n_groups', 'group_size'], ['0.2', '1.0', '100', '20'])
        """
        table, made = self.to_arrow(), self.provenance
        last = stamp(made, table.num_rows)
        last["provenance"] = json_text(last["provenance"])
        return csv_text([row | last for row in table.to_pylist()], [*table.column_names, *last])

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


class Record(Exports):
    """A result of one row."""

    def _figures(self) -> dict[str, Any]:
        """The figures as plain Python values; None where one does not exist."""
        raise NotImplementedError

    def _fields(self) -> Fields:
        """The columns of the row."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain Python values; None where one does not exist, never NaN.

        Returns
        -------
        dict
            Last come ``fastml``, ``schema`` and ``provenance``.
        """
        return self._figures() | stamp(self.provenance)

    def to_arrow(self) -> pa.Table:
        """Return the figures as an Arrow table of one row; null, of its column's own type, where one does not exist.

        Returns
        -------
        pyarrow.Table
            Its schema's metadata say, as JSON under ``fastml``, what made it.
        """
        import pyarrow as pa

        row = flat(self._figures())
        columns = {name: pa.array([row[name]], field.arrow) for name, field in self._fields().items()}
        return with_metadata(pa.table(columns), self.provenance)


def as_frame(table: pa.Table, made: Mapping[str, Any]) -> pd.DataFrame:
    """The table as a data frame: integers, and true and false, stay such where one is missing.

    Parameters
    ----------
    table : pyarrow.Table
    made : mapping
        What made it, for the frame's ``attrs``.

    Returns
    -------
    pandas.DataFrame
    """
    import pandas as pd
    import pyarrow as pa

    frame: pd.DataFrame = table.to_pandas()
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = "boolean" if pa.types.is_boolean(column.type) else str(column.type).replace("i", "I").replace("u", "U")
        if column.null_count and (kind == "boolean" or pa.types.is_integer(column.type)):
            frame[name] = pd.array(column.to_pylist(), kind)
    frame.attrs["provenance"] = dict(made)
    return frame


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
