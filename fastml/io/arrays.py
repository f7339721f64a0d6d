"""Between NumPy arrays and Arrow arrays of the same memory; pyarrow's own ways would import pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["are_shortest_integers", "as_arrow", "as_numpy", "lead_out", "numpy_type", "without_blanks"]

# pyarrow's `to_pandas_dtype`, which says the same, imports pandas before pyarrow 23.
_NUMBERS = "i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split()
_DTYPES = {pa.from_numpy_dtype(np.dtype(code)): np.dtype(code) for code in _NUMBERS}

# pyarrow's `from_numpy_dtype` asks for a type's name, which takes longer than all else here.
_ARROW_TYPES = {dtype: name for name, dtype in _DTYPES.items()}


def numpy_type(dtype: pa.DataType) -> np.dtype[Any]:
    """NumPy's type of Arrow's integers or floats.

    Parameters
    ----------
    dtype : pyarrow.DataType

    Returns
    -------
    numpy.dtype
    """
    return _DTYPES[dtype]


def as_arrow(numbers: npt.NDArray[Any]) -> pa.Array:
    """Arrow array over the memory of a NumPy array of integers or floats; NaN stays NaN.

    Parameters
    ----------
    numbers : ndarray, shape (n,)

    Returns
    -------
    pyarrow.Array, length n
    """
    if numbers.dtype not in _ARROW_TYPES:
        numbers = numbers.astype(numbers.dtype.newbyteorder("="))
    numbers = np.ascontiguousarray(numbers)
    return pa.Array.from_buffers(_ARROW_TYPES[numbers.dtype], len(numbers), [None, pa.py_buffer(numbers)])


def as_numpy(numbers: pa.Array) -> npt.NDArray[Any]:
    """Values of a numeric array over Arrow's memory, a null's being anything.

    Parameters
    ----------
    numbers : pyarrow.Array, length n

    Returns
    -------
    ndarray, shape (n,)
    """
    values = np.frombuffer(numbers.buffers()[1] or b"", numpy_type(numbers.type))
    return values[numbers.offset : numbers.offset + len(numbers)]


def lead_out(places: npt.NDArray[Any], size: int) -> bool:
    """Whether one of some places isn't among the first `size`.

    Parameters
    ----------
    places : ndarray of int, shape (n,)
    size : int

    Returns
    -------
    bool
    """
    unsigned = places.view(f"u{places.itemsize}")  # in which what is negative is large
    return bool(len(places) and unsigned.max() >= size)


def without_blanks(labels: pa.Array) -> pa.Array:
    """Labels with null for texts that are empty or all spaces, which name nothing.

    Parameters
    ----------
    labels : pyarrow.Array of `plain_type`

    Returns
    -------
    pyarrow.Array
    """
    short = pa.types.is_string(labels.type)
    if not (short or pa.types.is_large_string(labels.type)) or not len(labels):
        return labels
    _, offsets, data = labels.buffers()
    ends = np.frombuffer(offsets, np.int32 if short else np.int64)[labels.offset : labels.offset + len(labels) + 1]
    # An empty text begins where the next one does, so what stands there is asked only of texts that aren't empty.
    firsts = np.append(np.frombuffer(data or b"", np.uint8), np.uint8(0))[ends[:-1]]
    doubtful = np.flatnonzero((ends[1:] == ends[:-1]) | (firsts == ord(" ")))
    blank = [i for i in doubtful.tolist() if not (labels[i].as_py() or "").strip(" ")]
    if not blank:
        return labels
    kept = np.arange(len(labels), dtype=np.int64)
    return labels.take(pa.array(kept, mask=np.isin(kept, blank)))


def are_shortest_integers(texts: pa.Array) -> bool:
    """Whether all texts, but for nulls, are what 64-bit integers are written as: 7, not 007, +7, 7.0 or 0x7.

    Parameters
    ----------
    texts : pyarrow.Array of string or large_string

    Returns
    -------
    bool
    """
    texts = texts.drop_null()
    try:
        numbers = as_numpy(texts.cast(pa.int64()))
    except pa.ArrowException:
        return False
    # No text of a number is shorter than the shortest, so all are where their lengths add up to the same.
    sizes = np.abs(numbers).view(np.uint64)
    digits = len(sizes) + int(np.count_nonzero(numbers < 0))
    power, most = 10, int(sizes.max(initial=0))
    while power <= most:
        digits += int(np.count_nonzero(sizes >= np.uint64(power)))
        power *= 10
    ends = np.frombuffer(texts.buffers()[1] or bytes(8), np.int32 if pa.types.is_string(texts.type) else np.int64)
    return int(ends[texts.offset + len(texts)]) - int(ends[texts.offset]) == digits
