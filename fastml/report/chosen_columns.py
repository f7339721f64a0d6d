"""The forms of a table with many columns, of which people choose those to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastml.errors import ArgumentError, RangeError
from fastml.report.exports import Exports
from fastml.report.grids import Grid
from fastml.report.markup import html_table, latex_table, markdown_table
from fastml.report.numbers import whole_ids

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ChosenColumns"]


class ChosenColumns(Exports):
    """A table that is printed with the columns asked for, or with the usual ones.

    Attributes
    ----------
    table : pyarrow.Table
        Its schema's metadata say what made it.
    by : tuple of str
        The by-columns.
    """

    table: pa.Table
    by: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    def to_arrow(self) -> pa.Table:
        """Return the table; null where a figure does not exist.

        Returns
        -------
        pyarrow.Table
            Its schema's metadata say, as JSON under ``fastml``, what made it; so does the Parquet file of `write`.
        """
        return self.table

    def _text(self, columns: Sequence[str] | None) -> str:
        """The table as aligned text, with the lines under it."""
        raise NotImplementedError

    def _grid(self, level: float = 0.95, columns: Sequence[str] | None = None) -> Grid:
        raise NotImplementedError

    def shown(self) -> list[dict[str, Any]]:
        """Return the rows as they are printed: ids that came as floats (792.0) as integers (792).

        Returns
        -------
        list of dict
        """
        return [whole_ids(row, self.by) for row in self.table.to_pylist()]

    def _choices(self) -> list[str]:
        """The columns that there are."""
        return list(self.table.column_names)

    def _chosen(self, columns: str | Sequence[str] | None) -> list[str] | None:
        """The columns as a list; None for the usual ones."""
        if columns is None:
            return None
        names, there = [columns] if isinstance(columns, str) else list(columns), self._choices()
        if not names:
            raise RangeError("columns", names, "the name of a column, or several")
        for name in names:
            if name not in there:
                raise ArgumentError("columns", name, there)
        return names

    def __str__(self) -> str:
        return self._text(None)

    def __repr__(self) -> str:
        return str(self)

    def to_text(self, columns: str | Sequence[str] | None = None) -> str:
        """Return the table as aligned text, as `print` shows it.

        Parameters
        ----------
        columns : str or list of str, optional
            Columns to show, in this order: any of `to_frame`, and of tables of fits and of surveys "icc_interval",
            both limits of the ICC. Without, the usual ones.

        Returns
        -------
        str

        Raises
        ------
        FastmlError
            There is no such column.

        Examples
        --------
        >>> import fastml
        >>> scores = {"country": ["N"] * 4, "school": [1, 1, 2, 2], "score": [1.0, 2.0, 5.0, 7.0]}
        >>> table = fastml.fit_by(scores, "score", "school", by="country")
        >>> table.to_text(["country", "gamma00"]).splitlines()[:2]
        ['country  gamma00', 'N          3.750']
        """
        return self._text(self._chosen(columns))

    def to_html(self, columns: str | Sequence[str] | None = None) -> str:
        """Return the table as HTML, without any style; every name in it is escaped.

        Parameters
        ----------
        columns : str or list of str, optional
            As in `to_text`.

        Returns
        -------
        str
        """
        return html_table(self._grid(columns=self._chosen(columns)))

    def to_latex(
        self, caption: str | None = None, label: str | None = None, *, columns: str | Sequence[str] | None = None
    ) -> str:
        r"""Return the table as LaTeX for ``\usepackage{booktabs}``; every name in it is escaped.

        Parameters
        ----------
        caption, label : str, optional
            With either, the tabular stands in a floating ``table``.
        columns : str or list of str, optional
            As in `to_text`; without, what a page has room for.

        Returns
        -------
        str
        """
        return latex_table(self._on_paper(columns), caption, label)

    def to_markdown(self, columns: str | Sequence[str] | None = None) -> str:
        """Return the table as Markdown, as GitHub, Quarto and Pandoc read it, which writes Word.

        Parameters
        ----------
        columns : str or list of str, optional
            As in `to_latex`.

        Returns
        -------
        str
        """
        return markdown_table(self._on_paper(columns))

    def _on_paper(self, columns: str | Sequence[str] | None) -> Grid:
        chosen = self._chosen(columns)
        return self._paper_grid() if chosen is None else self._grid(columns=chosen)
