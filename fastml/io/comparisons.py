"""Comparisons of columns and values of any Arrow types, as Arrow's expressions: exact, with one meaning for all types.

Arrow itself casts where two types differ: whole numbers to floats of 32 bits, which it then refuses. And in lists it
takes 0 and -0 for two numbers. So what is compared is brought to one type here.
"""

from __future__ import annotations

import datetime
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import pyarrow.compute as pc  # imported where it is used: it takes 20 ms

__all__ = ["LongNumber", "Typed", "Value", "compare", "is_in"]

Value = int | float | str | bool | datetime.date


class LongNumber(float):
    """A number that was written with more digits than a double keeps; beside other doubles it is the nearest one."""

    def __new__(cls, written: str) -> LongNumber:
        """Keep what was written."""
        made = super().__new__(cls, written)
        made.written = written  # type: ignore[attr-defined]
        return made


_METHODS = {"=": "__eq__", "<>": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}
_SWAPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

# A list of so many values is looked up in a table; of fewer, Parquet's statistics can tell which rows it leaves out.
_MANY_VALUES = 20
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY = 86_400
_LARGEST_SINGLE = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Typed:
    """An expression and the type of what it gives: of plain values, as `plain_type` says.

    Attributes
    ----------
    expression : pyarrow.compute.Expression
    dtype : pyarrow.DataType
    """

    expression: pc.Expression
    dtype: pa.DataType


@dataclass(frozen=True)
class _Scale:
    """A type whose values are whole multiples of a unit: integers, decimals, dates, times.

    Attributes
    ----------
    low, high : int
        Its least and its largest value, in that unit.
    units : callable
        What a value to compare is in that unit, exactly; an infinity is beyond all. None where it is of another kind.
    array : callable
        The values of the type that are so many units.
    """

    low: int
    high: int
    units: Callable[[Value], Fraction | float | None]
    array: Callable[[list[int]], pa.Array]

    def holds(self, units: Fraction | float) -> bool:
        """Whether the type has the value."""
        return not isinstance(units, float) and units.denominator == 1 and self.low <= units <= self.high

    def compare(self, column: pc.Expression, sign: str, units: Fraction | float) -> pc.Expression:
        """Return what it is for the column's values; null for a null."""
        import pyarrow.compute as pc

        def than(bound: Fraction | float) -> pc.Expression:
            return pc.scalar(self.array([math.floor(bound)])[0])

        if self.holds(units):
            return getattr(column, _METHODS[sign])(than(units))
        never, always = column < than(self.low), column >= than(self.low)
        if sign in ("=", "<>"):
            return never if sign == "=" else always
        if not self.low <= units <= self.high:
            return always if (units > self.high) == (sign in ("<", "<=")) else never
        return column <= than(units) if sign in ("<", "<=") else column > than(units)


def compare(left: Typed | Value, sign: str, right: Typed | Value) -> pc.Expression:
    """Expression of a comparison; null where one side is.

    Parameters
    ----------
    left, right : Typed or Value
    sign : {"=", "<>", "<", "<=", ">", ">="}

    Returns
    -------
    pyarrow.compute.Expression
        Where the two are of different kinds, text and a number, one that Arrow refuses to compute.
    """
    if isinstance(left, Typed):
        return _with_column(left, sign, right) if isinstance(right, Typed) else _with_value(left, sign, right)
    if isinstance(right, Typed):
        return _with_value(right, _SWAPPED[sign], left)
    return _of_values(left, sign, right)


def is_in(column: Typed, values: Sequence[Value]) -> pc.Expression | None:
    """Expression of whether a column's values are in a long list; null where one is null.

    Parameters
    ----------
    column : Typed
    values : sequence of Value

    Returns
    -------
    pyarrow.compute.Expression or None
        None where the list is short or its values are not all of the column's kind: single comparisons will do.
    """
    import pyarrow.compute as pc

    if len(values) <= _MANY_VALUES:
        return None
    expression, dtype = column.expression, column.dtype
    if _is_text(dtype) and all(isinstance(value, str) for value in values):
        table = pa.array(values, dtype)
    elif pa.types.is_floating(dtype) and all(map(_is_number, values)):
        numbers = [_as_float(value, dtype) for value in values]
        # Row groups whose statistics say -0 have zeros, which Arrow's table takes for another number.
        table = pa.array([*numbers, *(-0.0 for number in numbers if number == 0.0)], pa.float64())
        expression = _cast(column, pa.float64())
    elif (scale := _scale(dtype)) is not None:
        units = [scale.units(value) for value in values]
        if None in units:
            return None
        table = scale.array([int(n) for n in units if n is not None and scale.holds(n)])
    else:
        return None
    return pc.if_else(column.expression.is_valid(), expression.isin(table), pa.scalar(None, pa.bool_()))


def _of_values(left: Value, sign: str, right: Value) -> pc.Expression:
    """Of two values: numbers as they were written, of any size, which Arrow's scalars are not."""
    import pyarrow.compute as pc

    one, other = _exactly(left), _exactly(right)
    if one is not None and other is not None:
        return pc.scalar(bool(getattr(operator, _METHODS[sign])(one, other)))
    return getattr(_plain(left), _METHODS[sign])(_plain(right))


def _with_value(column: Typed, sign: str, value: Value) -> pc.Expression:
    import pyarrow.compute as pc

    dtype = column.dtype
    if pa.types.is_null(dtype):
        return pc.scalar(pa.scalar(None, pa.bool_()))
    if pa.types.is_boolean(dtype) and _is_number(value):
        column = Typed(column.expression.cast(pa.uint8()), pa.uint8())
    if pa.types.is_floating(dtype) and _is_number(value):
        number = _as_float(value, dtype)
        single = pa.types.is_float32(dtype) and _is_single(number)
        expression = column.expression if single else _cast(column, pa.float64())
        return getattr(expression, _METHODS[sign])(pc.scalar(pa.scalar(number, dtype if single else pa.float64())))
    scale = _scale(column.dtype)
    units = None if scale is None else scale.units(value)
    if scale is not None and units is not None:
        return scale.compare(column.expression, sign, units)
    return getattr(column.expression, _METHODS[sign])(_plain(value))


def _with_column(left: Typed, sign: str, right: Typed) -> pc.Expression:
    import pyarrow.compute as pc

    if pa.types.is_null(left.dtype) or pa.types.is_null(right.dtype):
        return pc.scalar(pa.scalar(None, pa.bool_()))
    dtype = _common_number(left.dtype, right.dtype)
    one, other = (_cast(side, _in_utc(side.dtype) if dtype is None else dtype) for side in (left, right))
    return getattr(one, _METHODS[sign])(other)


def _in_utc(dtype: pa.DataType) -> pa.DataType:
    """The type, of times with a zone in the one of UTC: Arrow compares no two zones."""
    return pa.timestamp(dtype.unit, "UTC") if getattr(dtype, "tz", None) else dtype


def _common_number(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Type that holds the numbers of both, doubles where one is a float; None: Arrow may compare them as they are."""
    if a == b:
        return None
    kinds = [
        "float" if pa.types.is_floating(t) else "decimal" if pa.types.is_decimal(t)
        else "whole" if pa.types.is_integer(t) or pa.types.is_boolean(t) else "other" for t in (a, b)
    ]  # fmt: skip
    if "other" in kinds:
        return None
    if "float" in kinds:
        return pa.float64()
    if "decimal" in kinds:
        return pa.decimal256(76, max(0, *(t.scale for t in (a, b) if pa.types.is_decimal(t))))
    return pa.decimal128(20, 0) if pa.uint64() in (a, b) else pa.int64()


def _cast(side: Typed, dtype: pa.DataType) -> pc.Expression:
    if side.dtype == dtype:
        return side.expression
    if pa.types.is_boolean(side.dtype) and pa.types.is_decimal(dtype):  # which Arrow casts in two steps
        return side.expression.cast(pa.uint8()).cast(dtype)
    return side.expression.cast(dtype, safe=False if pa.types.is_floating(dtype) else None)


def _is_single(number: float) -> bool:
    return math.isinf(number) or (abs(number) <= _LARGEST_SINGLE and float(np.float32(number)) == number)


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))


def _plain(value: Value) -> pc.Expression:
    import pyarrow.compute as pc

    if isinstance(value, int) and not -(2**63) <= value < 2**63:  # beside a text, where any number is refused
        value = math.copysign(math.inf, value)
    return pc.scalar(value)


def _as_float(value: Any, dtype: pa.DataType) -> float:
    """The double nearest to a number, 0 for -0; for a column of single precision, which has its own 0.1, the single."""
    number = float(value) + 0.0
    if pa.types.is_float32(dtype) and isinstance(value, float) and abs(number) <= _LARGEST_SINGLE:
        return float(np.float32(number))
    return number


def _scale(dtype: pa.DataType) -> _Scale | None:
    """The scale of a type that has one."""
    if pa.types.is_integer(dtype):
        signed, bits = pa.types.is_signed_integer(dtype), dtype.bit_width
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        return _Scale(low, high, _exactly, lambda units: pa.array(units, dtype))
    if pa.types.is_decimal(dtype):
        most, places = 10**dtype.precision - 1, dtype.scale

        def as_decimals(units: list[int]) -> pa.Array:
            parts = ((int(n < 0), tuple(map(int, str(abs(n))))) for n in units)
            return pa.array([Decimal((sign, digits, -places)) for sign, digits in parts], dtype)

        def in_places(value: Value) -> Fraction | float | None:
            number = _exactly(value)
            return None if number is None else number * Fraction(10) ** places

        return _Scale(-most, most, in_places, as_decimals)
    if pa.types.is_date(dtype) or pa.types.is_timestamp(dtype):
        per_second = Fraction(1, _DAY) if pa.types.is_date32(dtype) else _PER_SECOND[getattr(dtype, "unit", "ms")]
        zone = getattr(dtype, "tz", None) is not None

        def since_1970(value: Value) -> Fraction | float | None:
            if not isinstance(value, datetime.date) or zone != (getattr(value, "tzinfo", None) is not None):
                return None
            return _seconds(value) * per_second

        whole = pa.int32() if dtype.bit_width == 32 else pa.int64()
        most = 2 ** (dtype.bit_width - 1) - 1
        return _Scale(-most - 1, most, since_1970, lambda units: pa.array(units, whole).view(dtype))
    return None


def _exactly(value: Value) -> Fraction | float | None:
    """A number as it was written: 1.1, not the double nearest to it; None for other kinds."""
    if not _is_number(value):
        return None
    if isinstance(value, float):
        return Fraction(Decimal(getattr(value, "written", repr(value)))) if math.isfinite(value) else value
    return value  # type: ignore[return-value]


def _seconds(value: datetime.date) -> Fraction:
    """Seconds since 1970, in UTC where the time has a zone."""
    if not isinstance(value, datetime.datetime):
        return Fraction((value - datetime.date(1970, 1, 1)).days * _DAY)
    since = value - datetime.datetime(1970, 1, 1, tzinfo=None if value.tzinfo is None else datetime.UTC)
    return Fraction(since // datetime.timedelta(microseconds=1), 1_000_000)
