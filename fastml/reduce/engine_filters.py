"""A filter's condition as an expression of narwhals, for engines to compute, and the types it takes columns to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any

from fastml.errors import FilterError
from fastml.io.conditions import AllOf, AnyOf, Column, Comparison, Condition, IsIn, IsNull, Not, Operand

__all__ = ["engine_condition", "kinds_of"]

_SIGNS = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_SWAPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def engine_condition(condition: Condition, schema: Mapping[str, Any]) -> Any:
    """Return the expression that is true for the rows of a filter; NaN is null.

    Parameters
    ----------
    condition : Condition
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


def kinds_of(condition: Condition, text: str) -> dict[str, type]:
    """What kind of values a condition takes its columns to have: that of the values they are compared with.

    Parameters
    ----------
    condition : Condition
    text : str
        The filter, for messages.

    Returns
    -------
    dict of str to type
        float for numbers, str, bool, datetime.date or datetime.datetime; columns that are compared with none have none.

    Raises
    ------
    FilterError
        A column is compared with values of two kinds.

    Examples
    --------
    >>> from fastml.io.filter_language import parse
    >>> kinds_of(parse("cycle = 2019 and country in ('TUR', 'USA') and score is not null"), "")
    {'cycle': <class 'float'>, 'country': <class 'str'>}
    """
    found: dict[str, type] = {}
    for name, value in _compared(condition):
        kind = float if isinstance(value, int) and not isinstance(value, bool) else type(value)
        if found.setdefault(name, kind) is not kind:
            raise FilterError(text, None, f"column {name!r} is compared with values of two kinds")
    return found


def _compared(part: Condition) -> Iterator[tuple[str, Any]]:
    """Columns, each with a value that it is compared with."""
    match part:
        case Comparison(left, _, right):
            pairs = [(left, right), (right, left)]
        case IsIn(operand, values):
            pairs = [(operand, item) for item in values]
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
        if isinstance(side, Column) and not isinstance(other, Column):
            yield side.name, other
