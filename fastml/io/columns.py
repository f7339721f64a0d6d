"""Columns of numbers, and columns of one label: what they may hold, and their values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ColumnTypeError, ValueNotAllowedError
from fastml.io.arrays import as_numpy
from fastml.kernels.workspace import Workspace

__all__ = ["as_doubles", "as_floats", "check_numeric", "check_whole"]

Floats = npt.NDArray[np.float64]
_MOST_DIGITS = 38  # of a decimal of 128 bits
_LARGEST_POWER = 22  # of ten that is a double

# For each byte of a bitmap its bits, from the lowest on, as factors: 1, and NaN for a null.
_ONE_OR_NAN = np.where(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"), 1.0, np.nan)


def check_numeric(argument: str, field: pa.Field) -> None:
    """Refuse a column that holds no numbers; booleans and decimals are numbers, strings of digits are not.

    Raises
    ------
    ColumnTypeError
    """
    dtype = field.type
    numeric = (
        pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)
        or pa.types.is_boolean(dtype) or pa.types.is_null(dtype)
    )  # fmt: skip
    if numeric:
        return
    text = pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype)
    remedy = "it must be numeric"
    if text:
        remedy += ", and digits in strings are not taken for numbers: convert the column first"
    elif pa.types.is_dictionary(dtype):
        remedy += ": decode the categories to numbers first"
    raise ColumnTypeError(argument, field.name, dtype, remedy)


def as_doubles(column: pa.Array) -> pa.Array:
    """Numeric column as doubles; nulls stay null, and no copy is made of doubles."""
    if pa.types.is_float64(column.type):
        return column
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return _nearest(column) if pa.types.is_decimal(column.type) else column.cast(pa.float64(), safe=False)


def _nearest(column: pa.Array) -> pa.Array:
    """Decimals as doubles: the nearest one where the digits of a value make a whole number that is a double.

    Arrow multiplies by a rounded power of ten, which is off in the last digit; here both numbers are exact. It is
    decided value by value, so that a value is the same in any batch.
    """
    precision, scale = column.type.precision, column.type.scale
    if precision > _MOST_DIGITS or not 0 <= scale <= _LARGEST_POWER:
        return column.cast(pa.float64(), safe=False)
    digits = column.cast(pa.decimal128(precision, scale))
    words = np.frombuffer(digits.buffers()[1] or b"", np.int64).reshape(-1, 2)
    low, high = words[digits.offset : digits.offset + len(digits)].T
    missing = np.asarray(column.is_null()) if column.null_count else np.zeros(len(column), bool)
    is_exact = (high == low >> 63) & (np.abs(low) <= 2**53)
    nearest = low / 10.0**scale
    if not (missing | is_exact).all():
        nearest = np.where(is_exact, nearest, as_numpy(column.cast(pa.float64(), safe=False)))
    return pa.array(nearest, mask=missing)


def as_floats(column: pa.Array, space: Workspace | None = None) -> Floats:
    """Float64 values of a numeric column (n,), missing ones NaN; no copy where none is needed.

    With a workspace a copy lies in it, until the next one.
    """
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    column = as_doubles(column)
    values: Floats = as_numpy(column)
    if not column.null_count:
        return values
    first, end = column.offset, column.offset + len(column)
    bitmap = np.frombuffer(column.buffers()[0], np.uint8)[first // 8 : (end + 7) // 8]
    held = np.empty(8 * len(bitmap)) if space is None else space.array("floats", 8 * len(bitmap), np.float64)
    np.take(_ONE_OR_NAN, bitmap, axis=0, out=held.reshape(-1, 8), mode="clip")
    filled: Floats = held[first % 8 :][: len(column)]
    return np.multiply(filled, values, out=filled)


def check_whole(name: str, column: pa.Array, values: Floats, place: Callable[[int], str] | None = None) -> None:
    """Refuse an outcome's whole number that no double is: it would be rounded, and differences with it.

    Parameters
    ----------
    name : str
    column : pyarrow.Array, length n
    values : ndarray, shape (n,)
        What `as_floats` makes of it; what is missing, and what doesn't matter, is NaN.
    place : callable, optional
        Where a row is, in words.

    Raises
    ------
    ValueNotAllowedError
    """
    if not pa.types.is_integer(column.type) or column.type.bit_width < 64 or not len(column):
        return
    numbers = as_numpy(column)
    if int(numbers.max()) <= 2**53 and int(numbers.min()) >= -(2**53):
        return
    # Both parts of a whole number are doubles, and so is their difference from the sum where that isn't rounded.
    high, low = (numbers >> 32) * 2.0**32, (numbers & 0xFFFFFFFF).astype(np.float64)
    rounded = (values - high != low) & ~np.isnan(values)
    if rounded.any():
        row = int(np.argmax(rounded))
        raise ValueNotAllowedError(
            f"outcome column {name!r} has {column[row]}{f' {place(row)}' if place else ''}, which would be rounded to "
            f"{values[row]:.0f}; subtract a constant from the column first, or convert it to doubles"
        )
