"""Filters: which rows of a table stay.

A filter is text in the language of `fastml.io.filter_language`, or an expression of pyarrow's. As in SQL a comparison
with null is neither true nor false, and only rows for which the condition is true stay. NaN is null, -0 is 0, and
dictionaries and their like are what they hold: in rows (`comparable`), and where the statistics of a file tell which
row groups need not be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fastml.errors import ArgumentError, FilterError
from fastml.io.conditions import Condition, columns_of
from fastml.io.filter_language import parse
from fastml.io.plain_arrays import plain_array, plain_type

if TYPE_CHECKING:
    import pyarrow.compute as pc  # imported where it is used: it takes 20 ms

__all__ = ["Filter", "RowFilter", "as_filter", "comparable"]

# Calls in the text of an expression. Arrow would take statistics, which count no NaN, for the whole truth about them.
_CALL = re.compile(r"(?!invert\()\b\w+\(")

# What Arrow's types are to a reader.
_NUMBERS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float double decimal128 decimal256".split()
_KINDS = {
    **dict.fromkeys(_NUMBERS, "a number"),
    **dict.fromkeys(("string", "large_string"), "a text"),
    **dict.fromkeys(("date32", "date64"), "a date"),
    **dict.fromkeys(("time32", "time64"), "a time of day"),
    **{"bool": "true or false", "timestamp": "a time", "duration": "a duration"},
}


def as_filter(condition: Any) -> Filter:
    """Return the filter of a condition, which may be one already.

    Parameters
    ----------
    condition : str, pyarrow.compute.Expression or Filter

    Returns
    -------
    Filter

    Raises
    ------
    FilterError
        The text is no condition.

    Examples
    --------
    >>> as_filter("cycle = 2019 and score is not null").columns(["score", "score2", "cycle"])
    ['score', 'cycle']
    """
    import pyarrow.compute as pc

    if isinstance(condition, Filter):
        return condition
    if isinstance(condition, pc.Expression):
        return Filter(str(condition), condition)
    if not isinstance(condition, str):
        raise ArgumentError("filter", condition, ["a pyarrow expression", "text such as 'cycle = 2019'"])
    return Filter(condition, parse(condition))


@dataclass(frozen=True)
class Filter:
    """A condition on rows.

    Attributes
    ----------
    text : str
        For messages.
    condition : Condition or pyarrow.compute.Expression
    """

    text: str
    condition: Condition | pc.Expression

    def columns(self, names: Iterable[str]) -> list[str]:
        """Which of these columns the condition uses.

        Parameters
        ----------
        names : iterable of str

        Returns
        -------
        list of str
        """
        names = list(names)
        if isinstance(self.condition, Condition):
            used = columns_of(self.condition)
            return [name for name in names if name in used]
        return _fields(self.condition, names)

    def on(self, schema: pa.Schema) -> RowFilter:
        """Return the filter for rows of a schema.

        Parameters
        ----------
        schema : pyarrow.Schema
            With the columns of the condition, among others.

        Returns
        -------
        RowFilter

        Raises
        ------
        FilterError
            A column isn't there.
        """
        columns = self.columns(dict.fromkeys(schema.names))
        if not isinstance(self.condition, Condition):
            return RowFilter(self.text, self.condition, columns)
        missing = columns_of(self.condition) - set(columns)
        if missing:
            raise FilterError(self.text, None, _no_column(min(missing)))
        types = {name: plain_type(schema.field(name).type) for name in columns}
        return RowFilter(self.text, self.condition.expression(types), columns)

    def pruning(self, schema: pa.Schema) -> pc.Expression | None:
        """Return an expression that Arrow may hold against the statistics of a file, which know nothing of NaN.

        Parameters
        ----------
        schema : pyarrow.Schema
            The file's.

        Returns
        -------
        pyarrow.compute.Expression or None
            None where only the rows can tell.
        """
        try:
            expression = self.on(schema).expression
        except FilterError:  # of a column that its folder names
            return None
        ours = isinstance(self.condition, Condition)
        opaque = "nan_is_null=true" in str(expression) if ours else _CALL.search(str(expression))
        return None if opaque else expression


@dataclass(frozen=True)
class RowFilter:
    """A filter of rows of a schema.

    Attributes
    ----------
    text : str
        For messages.
    expression : pyarrow.compute.Expression
    columns : list of str
        Those of the schema that it uses.
    """

    text: str
    expression: pc.Expression
    columns: list[str]

    def rows(self, batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
        """Rows of a batch for which the condition is true, in their order.

        Parameters
        ----------
        batch : pyarrow.RecordBatch
        columns : sequence of str
            Those of the rows to return.

        Returns
        -------
        pyarrow.RecordBatch
            Dictionaries, and else values of `plain_type`.

        Raises
        ------
        FilterError
            The condition can't be computed from these columns.
        """
        import pyarrow.dataset as ds

        used = pa.RecordBatch.from_arrays(
            [comparable(batch.column(name)) for name in self.columns] or [pa.nulls(batch.num_rows)],
            self.columns or ["none"],
        )
        try:
            scanner = ds.Scanner.from_batches(
                [used], schema=used.schema, columns={"kept": self.expression}, use_threads=False
            )
            kept = scanner.to_table()["kept"].combine_chunks()
        except pa.ArrowException as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise FilterError(self.text, None, _in_our_words(reason)) from None
        if not pa.types.is_boolean(kept.type):
            raise FilterError(self.text, None, f"it must evaluate to booleans, and gives {kept.type}")
        # Arrow chooses no rows of views and run ends; dictionaries stay, as they are the quicker road for labels.
        arrays = [batch.column(name) for name in columns]
        plain = [array if pa.types.is_dictionary(array.type) else plain_array(array) for array in arrays]
        return pa.RecordBatch.from_arrays(plain, list(columns)).filter(kept)


def comparable(column: pa.Array) -> pa.Array:
    """Values of a column for comparisons: null for NaN, which is missing everywhere in fastml, and 0 for -0.

    Parameters
    ----------
    column : pyarrow.Array

    Returns
    -------
    pyarrow.Array of `plain_type`
    """
    column = plain_array(column)
    if not pa.types.is_floating(column.type):
        return column
    import pyarrow.compute as pc

    zero = pa.scalar(0.0, column.type)
    return pc.add(pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column), zero)


def _fields(expression: pc.Expression, names: list[str]) -> list[str]:
    """Which of these columns an expression of pyarrow's uses: those that Arrow misses where they aren't there."""
    import pyarrow.dataset as ds

    text = str(expression)
    candidates = [name for name in names if name in text]

    def is_used(name: str) -> bool:
        others = [other for other in candidates if other != name]
        for dtype in (pa.null(), pa.string(), pa.float64()):
            try:
                schema = pa.schema([(other, dtype) for other in others])
                ds.Scanner.from_batches([], schema=schema, columns={"kept": expression})
            except pa.ArrowException as error:
                missed = re.match(r"No match for FieldRef\.Name\((.*)\) in ", str(error), re.DOTALL)
                if missed is None:
                    continue  # it can't be computed of such columns
                return missed[1] == name
            return False
        return True

    return [name for name in candidates if is_used(name)]


def _no_column(name: str) -> str:
    return f"there is no column {name!r}; a text stands in single quotes, as in country = 'TUR'"


def _in_our_words(reason: str) -> str:
    """What Arrow says of an expression that it can't compute, with a remedy where there is one."""
    if unknown := re.match(r"No match for FieldRef\.Name\((.*)\) in ", reason):
        return _no_column(unknown[1])
    if reason.startswith(("Precision is not great enough", "Integer value")):
        return f"{reason}; write it as text, such as 'n >= 2e7', which compares numbers of all types"
    if re.search(r"input types \((date|time).*string|string, (date|time)", reason):
        return "a date is compared with text; write DATE '2019-01-31' for a column of dates, '2019-01-31' for text"
    if "timezone" in reason or re.search(r"tz=.*timestamp|timestamp.*tz=", reason):
        return (
            "a time with a zone is compared with one without; write TIMESTAMP '2019-01-31 12:00:00+00:00' for a column "
            "with a zone, TIMESTAMP '2019-01-31 12:00:00' for one without"
        )
    if kinds := re.search(r"has no kernel matching input types \((\w+).*, (\w+).*\)", reason):
        one, other = (_KINDS.get(kind, kind) for kind in kinds.groups())
        return f"{one} is compared with {other}; texts stand in single quotes, numbers and names of columns don't"
    return reason
