"""The language of filters: a small part of SQL's conditions, parsed to a tree.

condition := condition OR condition | condition AND condition | NOT condition | ( condition )
| value (= | == | != | <> | < | <= | > | >=) value
| value [NOT] IN ( value, ... ) | value [NOT] BETWEEN value AND value | value IS [NOT] NULL
value     := column | "column" | `column` | number | 'text' | TRUE | FALSE
| DATE '2019-01-31' | TIMESTAMP '2019-01-31 12:00:00'
"""

from __future__ import annotations

import datetime
import re

from fastml.errors import FilterError
from fastml.io.comparisons import LongNumber, Value
from fastml.io.conditions import AllOf, AnyOf, Column, Comparison, Condition, IsIn, IsNull, Not, Operand

__all__ = ["parse"]

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

_SIGNS = {"=": "=", "==": "=", "!=": "<>", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MOST_COMPARISONS = 1_000  # each is worked off by Arrow for every row
_MOST_NESTED = 50
_DIGITS_OF_DOUBLES = 15  # so many are kept, whatever the number
_DATES = {"DATE": datetime.date.fromisoformat, "TIMESTAMP": datetime.datetime.fromisoformat}
_KEYWORDS = {"AND", "OR", "NOT", "IN", "IS", "NULL", "BETWEEN", "TRUE", "FALSE"}


def parse(text: str) -> Condition:
    """Parse a condition.

    Parameters
    ----------
    text : str

    Returns
    -------
    Condition

    Raises
    ------
    FilterError
        The text is no condition of the language above.

    Examples
    --------
    >>> parse("cycle = 2019 and score is not null").conditions[1]
    Not(condition=IsNull(operand=Column(name='score')))
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = text.encode(errors="backslashreplace").decode()
        raise FilterError(shown, None, "it holds characters that are half a character") from None
    return _Parser(text).parse()


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
        self._comparisons = self._depth = 0

    def parse(self) -> Condition:
        condition = self._either()
        if self._at < len(self._tokens):
            raise self._error()
        return condition

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

    def _either(self) -> Condition:
        conditions = [self._both()]
        while self._take("OR"):
            conditions.append(self._both())
        return AnyOf(tuple(conditions)) if len(conditions) > 1 else conditions[0]

    def _both(self) -> Condition:
        conditions = [self._negated()]
        while self._take("AND"):
            conditions.append(self._negated())
        return AllOf(tuple(conditions)) if len(conditions) > 1 else conditions[0]

    def _negated(self) -> Condition:
        negated = False
        while self._take("NOT"):
            negated = not negated
        return Not(self._predicate()) if negated else self._predicate()

    def _count(self, comparisons: int) -> None:
        self._comparisons += comparisons
        if self._comparisons > _MOST_COMPARISONS:
            raise FilterError(
                self._text, None, f"it has more than {_MOST_COMPARISONS:,} comparisons; use IN for a list of values"
            )

    def _nested(self) -> Condition:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise FilterError(self._text, None, "its parentheses are nested too deep")
        condition = self._either()
        self._need(")")
        self._depth -= 1
        return condition

    def _predicate(self) -> Condition:
        if self._take("("):
            return self._nested()
        self._count(1)
        left = self._operand()
        if self._take("IS"):
            negated = self._take("NOT")
            self._need("NULL")
            return Not(IsNull(left)) if negated else IsNull(left)
        negated = self._take("NOT")
        condition: Condition
        if self._take("IN"):
            condition = IsIn(left, self._list())
        elif self._take("BETWEEN"):
            low = self._operand()
            self._need("AND")
            condition = AllOf((Comparison(left, ">=", low), Comparison(left, "<=", self._operand())))
        elif not negated and (sign := self._take(*_SIGNS)):
            return Comparison(left, _SIGNS[sign], self._operand())
        else:
            raise self._error()
        return Not(condition) if negated else condition

    def _list(self) -> tuple[Operand, ...]:
        self._need("(")
        values = [self._operand()]
        while self._take(","):
            values.append(self._operand())
        self._need(")")
        self._count(sum(isinstance(value, Column) for value in values))
        return tuple(values)

    def _operand(self) -> Operand:
        """Return the next value: a plain one, or a column."""
        if self._at == len(self._tokens):
            raise self._error()
        kind, value, _ = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return _number(value)
        if kind == "text":
            return value[1:-1].replace("''", "'")
        if kind == "quoted":
            return Column(value[1:-1].replace('""', '"') if value[0] == '"' else value[1:-1])
        if kind == "word":
            return self._date(value.upper()) or Column(value)
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


def _number(text: str) -> Value:
    """Return a whole number as it is, unless it is beyond any that a column holds; else a double."""
    if re.fullmatch(r"[+-]?\d{1,80}", text):
        return int(text)
    is_long = re.fullmatch(r"[+-]?[\d.]{1,80}", text) and len(text.strip("+-0").replace(".", "")) > _DIGITS_OF_DOUBLES
    return LongNumber(text) if is_long else float(text)
