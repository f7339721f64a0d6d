"""Columns of numbers: of which types, and their values."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import fastml
from fastml.errors import ColumnTypeError
from fastml.io.columns import as_doubles, as_floats, check_numeric, check_whole
from fastml.kernels.workspace import Workspace


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
    rows, space = [None if rng.random() < 0.3 else float(i) for i in range(n)], Workspace()
    for dtype in (pa.float64(), pa.float32(), pa.int16()):
        column = pa.array(rows, dtype)
        for first in range(min(n, 17)):
            for part in (column.slice(first), column.slice(first, 3)):
                found = [None if np.isnan(value) else value for value in as_floats(part)]
                assert found == part.to_pylist()
                assert as_floats(part, space).tobytes() == as_floats(part).tobytes()


def test_decimals_are_the_nearest_doubles() -> None:
    cents = [0, 1, -7, 110, 2**53 + 1, -(10**17) + 3]
    column = pa.array([Decimal(c).scaleb(-2) for c in cents] + [None], pa.decimal128(20, 2))
    found = as_doubles(column.slice(1)).to_pylist()
    assert found[:3] == [0.01, -0.07, 1.1]
    assert found[3:5] == pytest.approx([float(Decimal(c).scaleb(-2)) for c in cents[4:]], rel=1e-15)
    assert found[5] is None
    for k in range(len(column)):  # whatever stands beside it
        assert as_doubles(column.slice(k, 1)).to_pylist() == as_doubles(column).to_pylist()[k : k + 1]


@pytest.mark.parametrize("dtype", [pa.int64(), pa.uint64()])
def test_whole_numbers_that_no_double_is(dtype: pa.DataType) -> None:
    rng = np.random.default_rng(1)
    ends = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**54 + 2, 2**60 + 128, 2**60 + 256, 2**63 - 1, 2**63 - 1024]
    ends += [-n for n in ends] if dtype == pa.int64() else [2**64 - 1, 2**64 - 2048, 2**63 + 1, 2**63 + 2048]
    for number in [*ends, *(int(n) >> int(rng.integers(0, 20)) for n in rng.integers(2**52, 2**63, 300))]:
        column = pa.array([None, 7, number, 0], dtype).slice(1)
        if int(float(number)) == number:
            check_whole("y", column, as_floats(column))
        else:
            with pytest.raises(fastml.FastmlError, match=f"has {number} in 1, .* rounded to {int(float(number))};"):
                check_whole("y", column, as_floats(column), lambda row: f"in {row}")
    missing = pa.array([2**53 + 1, 1], dtype)
    check_whole("y", missing, np.array([np.nan, 1.0]))
    check_whole("y", pa.array([2**31 - 1], pa.int32()), np.array([2.0**31 - 1]))
    check_whole("y", pa.array([], dtype), np.array([]))


def test_scores_are_never_rounded_quietly() -> None:
    data = {"y": np.array([3, 2**53 + 1, 5, 2**60]), "id": [1, 1, 2, 2]}
    for given in (data, pa.table(data)):
        with pytest.raises(
            fastml.FastmlError, match=r"column 'y' has 9007199254740993 in row 1 .*rounded to 9007199254740992"
        ):
            fastml.fit(given, "y", "id")
    assert fastml.fit({**data, "y": data["y"] // 2}, "y", "id").n_obs == 4
    as_code = fastml.fit(data, "y", "id", missing=[2**53 + 1])
    assert (as_code.n_obs, as_code.n_dropped) == (3, 1)
