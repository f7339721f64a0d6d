"""A filter's condition as an expression of narwhals, for engines to compute, and the types it takes columns to be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any

import pyarrow as pa

from fastml.errors import FilterError
from fastml.io.conditions import AllOf, AnyOf, Column, Comparison, Condition, IsIn, IsNull, Not, Operand, columns_of
from fastml.io.filters import Filter

__all__ = ["engine_condition", "kinds_of", "without_constants"]

_SIGNS = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_SWAPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def engine_condition(condition: Condition, schema: Mapping[str, Any]) -> Any:
    """Return the expression that is true for the rows of a filter; NaN is null.

    Parameters
    ----------
    condition : Condition
        Each comparison with a column in it; see `without_constants`.
    schema : mapping of str to narwhals dtype

    Returns
    -------
    narwhals.Expr
    """
    import narwhals as nw

    def value(operand: Operand) -> Any:
        if not isinstance(operand, Column):
            return nw.lit(operand)
        column = nw.col(operand.name)
        if schema[operand.name].is_float():
            return nw.when(~column.cast(nw.Float64).is_nan()).then(column)
        return column

    def compared(left: Operand, sign: str, right: Operand) -> Any:
        if isinstance(right, Column) and not isinstance(left, Column):
            left, sign, right = right, _SWAPPED[sign], left
        return _SIGNS[sign](value(left), value(right))

    def made(part: Condition) -> Any:
        match part:
            case Comparison(left, sign, right):
                return compared(left, sign, right)
            case IsIn(operand, values) if all(isinstance(item, str) for item in values):
                return value(operand).is_in(values)
            case IsIn(operand, values):
                return reduce(or_, (compared(operand, "=", item) for item in values))
            case IsNull(operand):
                return value(operand).is_null()
            case Not(inner):
                return ~made(inner)
            case AllOf(inner):
                return reduce(and_, map(made, inner))
            case AnyOf(inner):
                return reduce(or_, map(made, inner))
        raise TypeError(type(part).__name__)

    return made(condition)


def without_constants(condition: Condition, text: str) -> Condition | bool:
    """Return the condition without what compares no column, such as 1 = 1: engines filter by columns only.

    Parameters
    ----------
    condition : Condition
    text : str
        The filter, for messages.

    Returns
    -------
    Condition or bool
        Whether it holds, where that is the same for all rows.

    Raises
    ------
    FilterError
        Constants of two kinds are compared, or one is a whole number that engines have no type for.

    Examples
    --------
    >>> from fastml.io.filter_language import parse
    >>> without_constants(parse("1 = 1"), ""), without_constants(parse("1 = 1 and x > 5"), "")
    (True, AllOf(conditions=(Comparison(left=Column(name='x'), sign='>', right=5),)))
    """
    match condition:
        case Not(inner):
            made = without_constants(inner, text)
            return not made if isinstance(made, bool) else Not(made)
        case AllOf(inner) | AnyOf(inner):
            deciding = isinstance(condition, AnyOf)
            parts = [without_constants(part, text) for part in inner]
            if any(part is deciding for part in parts):
                return deciding
            left = tuple(part for part in parts if not isinstance(part, bool))
            return type(condition)(left) if left else not deciding
        case IsIn(operand, values) if columns_of(condition) and not isinstance(operand, Column):
            return without_constants(AnyOf(tuple(Comparison(operand, "=", item) for item in values)), text)
    for field in vars(condition).values():
        for value in field if isinstance(field, tuple) else (field,):
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise FilterError(text, None, f"{value} has no place in 64 bits; write it with an exponent, as 1e20")
    return condition if columns_of(condition) else _holds(condition, text)


def _holds(constant: Condition, text: str) -> bool:
    """Whether a condition without columns is true, by the rules for rows in memory."""
    row = pa.record_batch({"any": [0]})
    return bool(Filter(text, constant).on(row.schema).rows(row, ["any"]).num_rows)


def kinds_of(condition: Condition, text: str, numbers: Collection[str] = ()) -> dict[str, type]:
    """What kind of values a condition takes its columns to have: that of what they are compared with.

    Parameters
    ----------
    condition : Condition
    text : str
        The filter, for messages.
    numbers : collection of str
        Columns that are known to hold numbers.

    Returns
    -------
    dict of str to type
        float for numbers, str, bool, datetime.date or datetime.datetime; columns that are compared with nothing of a
        known kind have none.

    Raises
    ------
    FilterError
        A column is compared with values of two kinds.

    Examples
    --------
    >>> from fastml.io.filter_language import parse
    >>> kinds_of(parse("cycle = 2019 and country in ('TUR', 'USA') and score is not null"), "")
    {'cycle': <class 'float'>, 'country': <class 'str'>}
    >>> kinds_of(parse("score > cut and cut > low"), "", ["score"])
    {'score': <class 'float'>, 'cut': <class 'float'>, 'low': <class 'float'>}
    """
    found: dict[str, type] = {}
    for name, value in _compared(condition):
        if isinstance(value, Column):
            continue
        kind = float if isinstance(value, int) and not isinstance(value, bool) else type(value)
        if found.setdefault(name, kind) is not kind:
            raise FilterError(text, None, f"column {name!r} is compared with values of two kinds")
    found |= dict.fromkeys(numbers, float)
    links = [(name, other.name) for name, other in _compared(condition) if isinstance(other, Column)]
    while more := {name: found[other] for name, other in links if other in found and name not in found}:
        found |= more
    return found


def _compared(part: Condition) -> Iterator[tuple[str, Operand]]:
    """Columns, each with a value or a column that it is compared with."""
    match part:
        case Comparison(left, _, right):
            pairs = [(left, right), (right, left)]
        case IsIn(operand, values):
            pairs = [pair for item in values for pair in ((operand, item), (item, operand))]
        case Not(inner):
            yield from _compared(inner)
            return
        case AllOf(inner) | AnyOf(inner):
            for one in inner:
                yield from _compared(one)
            return
        case _:
            return
    for side, other in pairs:
        if isinstance(side, Column):
            yield side.name, other
