"""NumPy and Arrow over the same memory."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from fastml.io.arrays import are_shortest_integers, as_arrow, as_numpy, lead_out, numpy_type, without_blanks

NUMBERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


@pytest.mark.parametrize("code", NUMBERS)
def test_numbers_go_and_come_over_the_same_memory(code: str) -> None:
    numbers = np.arange(10).astype(code)
    array = as_arrow(numbers)
    assert array.type == pa.from_numpy_dtype(numbers.dtype)
    assert numpy_type(array.type) == numbers.dtype
    assert array.null_count == 0
    for part, expected in ((array, numbers), (array.slice(3, 4), numbers[3:7]), (array.slice(10), numbers[:0])):
        back = as_numpy(part)
        assert back.tolist() == expected.tolist()
        assert not len(back) or np.shares_memory(back, numbers)


def test_nan_stays_nan_and_what_lies_otherwise_is_copied() -> None:
    y = np.array([1.0, math.nan, 3.0])
    assert as_arrow(y).null_count == 0
    assert np.array_equal(as_numpy(as_arrow(y)), y, equal_nan=True)
    for other in (y.astype(">f8"), np.column_stack([y, y])[:, 0], y[::-1][::-1]):
        assert np.array_equal(as_numpy(as_arrow(other)), y, equal_nan=True)


def test_the_values_at_nulls_are_of_the_right_length() -> None:
    column = pa.array([None, 2, None, 4], pa.int32())
    assert as_numpy(column)[[1, 3]].tolist() == [2, 4]
    assert len(as_numpy(pa.array([], pa.float64()))) == 0


@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string()])
def test_blank_texts_become_null(dtype: pa.DataType) -> None:
    rng = np.random.default_rng(2)
    texts = ["", " ", "   ", "a", " a", "a ", "\t", "\xa0", "é", None]
    for _ in range(50):
        rows = [texts[i] for i in rng.integers(0, len(texts), rng.integers(0, 12))]
        expected = [None if row is None or not row.strip(" ") else row for row in rows]
        found = without_blanks(pa.array(["x", *rows, "  "], dtype).slice(1, len(rows)))
        assert (found.type, found.to_pylist()) == (dtype, expected)
    numbers = pa.array([0, None])
    assert without_blanks(numbers) is numbers


@pytest.mark.parametrize(("text", "shortest"), [
    ("0", True), ("7", True), ("-7", True), ("9223372036854775807", True), ("-9223372036854775808", True),
    ("9223372036854775808", False), ("007", False), ("-0", False), ("+7", False), ("7.0", False), ("1e2", False),
    ("0x7", False), (" 7", False), ("7 ", False), ("", False), ("1_000", False), ("\u0661", False), ("NA", False),
])  # fmt: skip
def test_the_shortest_text_of_an_integer(text: str, shortest: bool) -> None:
    for dtype in (pa.string(), pa.large_string()):
        assert are_shortest_integers(pa.array([text, None, "5"], dtype)) is shortest


@pytest.mark.parametrize("code", NUMBERS[:8])
def test_places_that_lead_out(code: str) -> None:
    assert not lead_out(np.array([0, 4, 2]).astype(code), 5)
    assert lead_out(np.array([0, 5, 2]).astype(code), 5)
    assert lead_out(np.array([0, -1, 2]).astype(code), 5)
    assert not lead_out(np.array([], code), 0)
