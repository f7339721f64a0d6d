"""Columns of numbers, and columns of one label: what they may hold, and their values."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import WORD, ColumnTypeError, FastmlError

__all__ = ["as_doubles", "as_floats", "check_numeric", "repeat_tag"]

Floats = npt.NDArray[np.float64]

_EXACT_DIGITS = 15  # of a whole number that is a double

_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*,\d+")


def check_numeric(role: str, field: pa.Field) -> None:
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
        word = (field.metadata or {}).get(WORD, b"").decode()
        if word and not _DECIMAL_COMMA.fullmatch(word):
            remedy += f", and holds the text {word!r}: recode such texts to empty or NA, which are missing"
        else:
            remedy += ", and digits in strings are not taken for numbers: convert the column first"
            remedy += " (numbers of a CSV file with decimal commas: csv_options={'decimal': ','}, or --decimal ,)"
    elif pa.types.is_dictionary(dtype):
        remedy += ": decode the categories to numbers first"
    raise ColumnTypeError(role, field.name, dtype, remedy)


def as_doubles(column: pa.Array) -> pa.Array:
    """Numeric column as doubles, each the nearest to its value; nulls stay null, and no copy is made of doubles."""
    if pa.types.is_float64(column.type):
        return column
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    elif pa.types.is_decimal(column.type) and column.type.precision <= _EXACT_DIGITS and 0 <= column.type.scale <= 22:
        # Arrow multiplies by a rounded power of ten, which is off in the last digit; both numbers are exact here.
        whole = column.cast(pa.decimal128(column.type.precision, column.type.scale))
        words = np.frombuffer(whole.buffers()[1] or b"", np.int64)[::2][whole.offset : whole.offset + len(whole)]
        missing = np.asarray(whole.is_null()) if whole.null_count else None
        return pa.array(words / 10.0**whole.type.scale, mask=missing)
    return column.cast(pa.float64(), safe=False)


def as_floats(column: pa.Array) -> Floats:
    """Float64 values of a numeric column (n,), missing ones NaN; no copy where none is needed."""
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    column = as_doubles(column)
    if column.null_count:
        column = column.fill_null(np.nan)
    return np.asarray(column)


def repeat_tag(tag: str, value: Any, length: int) -> pa.Array:
    """Key column of one label throughout.

    Parameters
    ----------
    tag : str
        Its name, for messages.
    value : str, number or date
    length : int

    Returns
    -------
    pyarrow.Array

    Raises
    ------
    FastmlError
        The value is no label.
    """
    try:
        label = pa.scalar(value)
        good = not (pa.types.is_null(label.type) or pa.types.is_nested(label.type)) and value == value
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        good = False
    if not good:
        raise FastmlError(f"tag {tag!r} is {value!r}; a tag is one string, number or date")
    return pa.repeat(label, length)
