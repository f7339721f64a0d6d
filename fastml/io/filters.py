"""Conditions on rows: a small SQL-like language, parsed to a pyarrow expression, and its use on batches.

    condition := condition OR condition | condition AND condition | NOT condition | ( condition )
               | value (= | == | != | <> | < | <= | > | >=) value
               | value [NOT] IN ( value, ... ) | value [NOT] BETWEEN value AND value | value IS [NOT] NULL
    value     := column | "column" | `column` | number | 'text' | TRUE | FALSE
               | DATE '2019-01-31' | TIMESTAMP '2019-01-31 12:00:00'

As in SQL a comparison with null is neither true nor false, and only rows for which the condition is true stay.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fastml.errors import ArgumentError, FilterError

if TYPE_CHECKING:
    import pyarrow.compute as pc  # imported where it is used: it takes 20 ms

__all__ = ["apply_filter", "as_expression", "filter_columns"]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*"|`[^`]+`)
    | (?P<word>[^\W\d][\w.]*)
    | (?P<sign><=|>=|<>|!=|==|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)

_COMPARISONS = {
    "=": "__eq__", "==": "__eq__", "!=": "__ne__", "<>": "__ne__",
    "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__",
}  # fmt: skip

# Arrow works a long chain of comparisons off one inside the other, and ends the process where the stack does.
_MOST_COMPARISONS = 1_000

# A list of so many values is looked up in a table; of fewer, Parquet's statistics can tell which rows it leaves out.
_MANY_VALUES = 20
_DATES = {"DATE": datetime.date.fromisoformat, "TIMESTAMP": datetime.datetime.fromisoformat}
_KEYWORDS = {"AND", "OR", "NOT", "IN", "IS", "NULL", "BETWEEN", "TRUE", "FALSE"}


def as_expression(condition: Any) -> pc.Expression:
    """Return the pyarrow expression of a condition, which may be one already.

    Parameters
    ----------
    condition : str or pyarrow.compute.Expression

    Returns
    -------
    pyarrow.compute.Expression

    Raises
    ------
    FilterError
        The text is no condition of the language above.

    Examples
    --------
    >>> as_expression("cycle = 2019 and score is not null")
    <pyarrow.compute.Expression ((cycle == 2019) and invert(is_null(score, {nan_is_null=true})))>
    """
    import pyarrow.compute as pc

    if isinstance(condition, pc.Expression):
        return condition
    if not isinstance(condition, str):
        raise ArgumentError("filter", condition, ["a pyarrow expression", "text such as 'cycle = 2019'"])
    try:
        return _Parser(condition).parse()
    except UnicodeEncodeError:
        shown = condition.encode(errors="backslashreplace").decode()
        raise FilterError(shown, None, "it holds characters that are half a character") from None


class _Parser:
    """Recursive descent over the tokens of a condition."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._error(end - len(text[at:end].lstrip()))
            kind = match.lastgroup or ""
            value, start = match[kind], match.start(kind)
            if kind == "word" and value.upper() in _KEYWORDS:
                kind, value = "keyword", value.upper()
            self._tokens.append((kind, value, start))
            at = match.end()
        self._at = 0
        self._comparisons = 0

    def parse(self) -> pc.Expression:
        try:
            expression = self._either()
        except RecursionError:
            raise FilterError(self._text, None, "its parentheses are nested too deep") from None
        if self._at < len(self._tokens):
            raise self._error()
        return expression

    def _error(self, at: int | None = None) -> FilterError:
        if at is None:
            at = self._tokens[self._at][2] if self._at < len(self._tokens) else len(self._text)
        return FilterError(self._text, at)

    def _take(self, *values: str) -> str:
        """Return the next token if it is one of these keywords or signs, else an empty string."""
        if self._at < len(self._tokens):
            kind, value, _ = self._tokens[self._at]
            if kind in ("keyword", "sign") and value in values:
                self._at += 1
                return value
        return ""

    def _need(self, value: str) -> None:
        if not self._take(value):
            raise self._error()

    def _either(self) -> pc.Expression:
        expression = self._both()
        while self._take("OR"):
            expression = expression | self._both()
        return expression

    def _both(self) -> pc.Expression:
        expression = self._negated()
        while self._take("AND"):
            expression = expression & self._negated()
        return expression

    def _negated(self) -> pc.Expression:
        return ~self._negated() if self._take("NOT") else self._predicate()

    def _count(self, comparisons: int) -> None:
        self._comparisons += comparisons
        if self._comparisons > _MOST_COMPARISONS:
            raise FilterError(
                self._text, None, f"it has more than {_MOST_COMPARISONS:,} comparisons; use IN for a list of values"
            )

    def _predicate(self) -> pc.Expression:
        if self._take("("):
            expression = self._either()
            self._need(")")
            return expression
        self._count(1)
        left = self._value()
        if self._take("IS"):
            negated = self._take("NOT")
            self._need("NULL")
            missing = left.is_null(nan_is_null=True)
            return ~missing if negated else missing
        negated = self._take("NOT")
        if self._take("IN"):
            expression = self._is_in(left)
        elif self._take("BETWEEN"):
            low = self._value()
            self._need("AND")
            expression = (left >= low) & (left <= self._value())
        elif not negated and (sign := self._take(*_COMPARISONS)):
            return getattr(left, _COMPARISONS[sign])(self._value())
        else:
            raise self._error()
        return ~expression if negated else expression

    def _is_in(self, left: pc.Expression) -> pc.Expression:
        import pyarrow.compute as pc

        self._need("(")
        values = [self._operand()]
        while self._take(","):
            values.append(self._operand())
        self._need(")")
        if len(values) > _MANY_VALUES and (table := _lookup_table(values)) is not None:
            # Null stays null, as in SQL.
            return pc.if_else(left.is_valid(), left.isin(table), pa.scalar(None, pa.bool_()))
        self._count(len(values))
        # A balanced tree of comparisons: null stays null here too, and Parquet's statistics can decide it.
        terms = [left == _as_operand(value) for value in values]
        while len(terms) > 1:
            terms = [terms[i] | terms[i + 1] if i + 1 < len(terms) else terms[i] for i in range(0, len(terms), 2)]
        return terms[0]

    def _value(self) -> pc.Expression:
        return _as_operand(self._operand())

    def _operand(self) -> int | float | str | bool | datetime.date | pc.Expression:
        """Return the next value: a plain one, or a column."""
        import pyarrow.compute as pc

        if self._at == len(self._tokens):
            raise self._error()
        kind, value, _ = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return _number(value)
        if kind == "text":
            return value[1:-1].replace("''", "'")
        if kind == "quoted":
            return pc.field(value[1:-1].replace('""', '"') if value[0] == '"' else value[1:-1])
        if kind == "word":
            return self._date(value.upper()) or pc.field(value)
        if kind == "keyword" and value in ("TRUE", "FALSE"):
            return value == "TRUE"
        self._at -= 1
        raise self._error()

    def _date(self, word: str) -> datetime.date | None:
        """Return the date or time that a text after this word is; None where none follows, and it names a column."""
        kind, text, at = self._tokens[self._at] if self._at < len(self._tokens) else ("", "", 0)
        if word not in _DATES or kind != "text":
            return None
        try:
            found = _DATES[word](text[1:-1])
        except ValueError:
            raise self._error(at) from None
        self._at += 1
        return found


def _as_operand(value: int | float | str | bool | datetime.date | pc.Expression) -> pc.Expression:
    import pyarrow.compute as pc

    if isinstance(value, pc.Expression):
        return value
    return pc.scalar(pa.scalar(value, pa.uint64()) if isinstance(value, int) and value >= 2**63 else value)


def _number(text: str) -> int | float:
    """Return a whole number of up to 64 bits, else a double, which is beyond all of those where the number is."""
    if re.fullmatch(r"[+-]?\d{1,40}", text) and -(2**63) <= int(text) < 2**64:
        return int(text)
    return float(text)


def _lookup_table(values: list[Any]) -> pa.Array | None:
    """Values of one kind as an Arrow array: whole numbers of 64 bits, or text; None for others."""
    if all(isinstance(value, str) for value in values):
        return pa.array(values, pa.string())
    if all(type(value) is int and -(2**63) <= value < 2**63 for value in values):
        return pa.array(values, pa.int64())
    return None


def filter_columns(expression: pc.Expression, names: Iterable[str]) -> list[str]:
    """Which of these columns the expression may use: those whose name its text holds, so perhaps one too many.

    Parameters
    ----------
    expression : pyarrow.compute.Expression
    names : iterable of str

    Returns
    -------
    list of str
    """
    text = str(expression)
    return [name for name in names if name in text]


def computable(column: pa.Array) -> pa.Array:
    """Column with null for NaN, which is missing everywhere in fastml, and of a type that Arrow can compare.

    Parameters
    ----------
    column : pyarrow.Array

    Returns
    -------
    pyarrow.Array
    """
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if pa.types.is_binary_view(column.type):
        return column.cast(pa.large_binary())
    if pa.types.is_run_end_encoded(column.type):
        import pyarrow.compute as pc

        return computable(pc.run_end_decode(column))
    if not pa.types.is_floating(column.type) or pa.types.is_float16(column.type):
        return column
    import pyarrow.compute as pc

    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def apply_filter(batch: pa.RecordBatch, expression: pc.Expression, columns: list[str]) -> list[pa.RecordBatch]:
    """Rows of a batch for which the expression is true, in their order; the given columns of them.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
    expression : pyarrow.compute.Expression
    columns : list of str

    Returns
    -------
    list of pyarrow.RecordBatch

    Raises
    ------
    FilterError
        The expression can't be computed from these columns.
    """
    import pyarrow.dataset as ds

    batch = pa.RecordBatch.from_arrays([computable(column) for column in batch.columns], batch.schema.names)
    try:
        scanner = ds.Scanner.from_batches(
            [batch], schema=batch.schema, columns=columns, filter=expression, use_threads=False
        )
        return list(scanner.to_table().to_batches())
    except pa.ArrowException as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise FilterError(str(expression), None, _in_our_words(reason)) from None


def _in_our_words(reason: str) -> str:
    """What Arrow says of an expression that it can't compute, with a remedy where there is one."""
    if unknown := re.match(r"No match for FieldRef\.Name\((.*)\) in ", reason):
        return f"there is no column {unknown[1]!r}"
    if reason.startswith("Precision is not great enough"):
        return "a column of decimals is compared with a whole number; write the number with a point, as 1.0"
    if re.search(r"input types \((date|time).*string|string, (date|time)", reason):
        return "a date is compared with text; write DATE '2019-01-31' for a column of dates, '2019-01-31' for text"
    if "timezone" in reason or re.search(r"tz=.*timestamp|timestamp.*tz=", reason):
        return (
            "a time with a zone is compared with one without; write TIMESTAMP '2019-01-31 12:00:00+00:00' for a column "
            "with a zone, TIMESTAMP '2019-01-31 12:00:00' for one without"
        )
    return reason
