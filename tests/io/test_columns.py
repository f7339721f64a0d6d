"""Columns of numbers: of which types, and their values."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import fastml
from fastml.errors import ColumnTypeError
from fastml.io.columns import as_doubles, as_floats, check_numeric


@pytest.mark.parametrize("dtype", [
    pa.int8(), pa.int16(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(9, 1),
    pa.bool_(),
])  # fmt: skip
def test_numbers_of_every_type(dtype: pa.DataType) -> None:
    values = [0, 1, 1, 0, 0, 1, 0, 0] if pa.types.is_boolean(dtype) else [3, 5, 7, 1, 2, 2, 9, 8]
    ids = [1, 1, 2, 2, 3, 3, 4, 4]
    plain = fastml.fit({"y": np.array(values, float), "id": ids}, "y", "id").to_dict()
    column = [Decimal(v) for v in values] if pa.types.is_decimal(dtype) else values
    if pa.types.is_float16(dtype):
        column = np.array(values, np.float16)
    made = pa.array([bool(v) for v in values]) if pa.types.is_boolean(dtype) else pa.array(column, dtype)
    assert fastml.fit(pa.table({"y": made, "id": ids}), "y", "id").to_dict() == plain


@pytest.mark.parametrize(
    "dtype", [pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.bool_(), pa.null(), pa.decimal128(9, 2)]
)
def test_what_numbers_are(dtype: pa.DataType) -> None:
    check_numeric("outcome", pa.field("y", dtype))


@pytest.mark.parametrize(("dtype", "remedy"), [
    (pa.string(), "digits in strings are not taken for numbers: convert the column first"),
    (pa.large_string(), "digits in strings are not taken for numbers: convert the column first"),
    (pa.string_view(), "digits in strings are not taken for numbers: convert the column first"),
    (pa.dictionary(pa.int8(), pa.string()), "decode the categories to numbers first"),
    (pa.date32(), "it must be numeric"),
])  # fmt: skip
def test_what_numbers_are_not(dtype: pa.DataType, remedy: str) -> None:
    with pytest.raises(ColumnTypeError, match=f"outcome column 'y' has type .*{remedy}"):
        check_numeric("outcome", pa.field("y", dtype))


def test_doubles_are_not_copied_and_nulls_stay() -> None:
    column = pa.array([1.5, None, 3.0, 4.0], pa.float64())
    assert as_doubles(column) is column
    for part in (column.slice(0, 1), column.slice(2)):
        assert np.shares_memory(as_floats(part), np.frombuffer(column.buffers()[1], np.float64))
    assert np.isnan(as_floats(pa.nulls(3))).all()


@pytest.mark.parametrize("n", [1, 7, 8, 9, 64, 200])
def test_nulls_are_nan_in_slices_of_any_offset(n: int) -> None:
    rng = np.random.default_rng(n)
    rows = [None if rng.random() < 0.3 else float(i) for i in range(n)]
    for dtype in (pa.float64(), pa.float32(), pa.int16()):
        column = pa.array(rows, dtype)
        for first in range(min(n, 17)):
            for part in (column.slice(first), column.slice(first, 3)):
                found = [None if np.isnan(value) else value for value in as_floats(part)]
                assert found == part.to_pylist()


def test_decimals_are_the_nearest_doubles() -> None:
    cents = [0, 1, -7, 110, 2**53 + 1, -(10**17) + 3]
    column = pa.array([Decimal(c).scaleb(-2) for c in cents] + [None], pa.decimal128(20, 2))
    found = as_doubles(column.slice(1)).to_pylist()
    assert found[:3] == [0.01, -0.07, 1.1]
    assert found[3:5] == pytest.approx([float(Decimal(c).scaleb(-2)) for c in cents[4:]], rel=1e-15)
    assert found[5] is None
