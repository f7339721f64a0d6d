"""The Arrow types of labels: which are the same, and which are 64 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import FastmlError
from fastml.io.arrays import as_arrow, as_numpy, numpy_type

__all__ = ["bits_of", "from_bits", "has_bits", "repeat_tag", "take"]

Int64s = npt.NDArray[np.int64]


def has_bits(dtype: pa.DataType) -> bool:
    """Whether labels of a type are numbers of up to 64 bits, equal where the bits are."""
    return bool(
        pa.types.is_integer(dtype)
        or pa.types.is_floating(dtype)
        or pa.types.is_boolean(dtype)
        or pa.types.is_date(dtype)
        or pa.types.is_time(dtype)
        or pa.types.is_timestamp(dtype)
        or pa.types.is_duration(dtype)
    )


def bits_of(labels: pa.Array) -> Int64s:
    """64 bits of each label, a null's being anything: integers as they are, floats as doubles."""
    dtype = labels.type
    if pa.types.is_boolean(dtype):
        labels = labels.cast(pa.uint8())
    elif pa.types.is_floating(dtype):
        return as_numpy(labels).astype(np.float64, copy=False).view(np.int64)
    elif not pa.types.is_integer(dtype):
        labels = labels.view(pa.int32() if dtype.bit_width == 32 else pa.int64())
    numbers = as_numpy(labels)
    return numbers.view(np.int64) if numbers.itemsize == 8 else numbers.astype(np.int64)


def from_bits(bits: Int64s, dtype: pa.DataType) -> pa.Array:
    """Labels of 64 bits each."""
    if pa.types.is_boolean(dtype):
        return as_arrow(bits).cast(dtype)
    # NumPy's casts, since Arrow's would import pyarrow.compute, which takes 20 ms.
    if pa.types.is_floating(dtype):
        return as_arrow(bits.view(np.float64).astype(numpy_type(dtype), copy=False))
    if pa.types.is_integer(dtype):
        return as_arrow(bits.view(np.uint64) if dtype == pa.uint64() else bits.astype(numpy_type(dtype), copy=False))
    return as_arrow(bits.astype(np.int32) if dtype.bit_width == 32 else bits).view(dtype)


def take(labels: pa.Array, places: Int64s) -> pa.Array:
    """Labels at some places."""
    if has_bits(labels.type) and not labels.null_count and not pa.types.is_boolean(labels.type):
        return from_bits(bits_of(labels)[places], labels.type)
    return labels.take(as_arrow(places))


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
        good = good and not (isinstance(value, str) and not value.strip(" "))
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        good = False
    if not good:
        raise FastmlError(f"tag {tag!r} is {value!r}; a tag is one string, number or date")
    return pa.repeat(label, length)
