"""Combinations of labels and their global codes, against a dict."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fastml.errors import ColumnTypeError, ValueNotAllowedError
from fastml.keys.key_table import KeyTable, check_ids, check_key_type


def test_key_table_grows_over_tiles_of_combinations() -> None:
    table = KeyTable([pa.large_string(), pa.int64(), pa.float64()])
    twin: dict[Any, int] = {}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        columns = [
            pa.array([f"s{i}" if i else None for i in rng.integers(0, 9, 300)], pa.large_string()),
            pa.array(rng.integers(-(2**60), 2**60, 7)[rng.integers(0, 7, 300)]),
            pa.array(rng.integers(0, 3, 300) / 2.0),
        ]
        rows = list(zip(*(c.to_pylist() for c in columns), strict=True))
        for row, code in zip(rows, table.codes_for(columns).tolist(), strict=True):
            assert twin.setdefault(row, code) == code
    assert {row: code for code, row in enumerate(zip(*(c.to_pylist() for c in table.labels()), strict=True))} == twin
    assert len(table) == len(twin)


def test_blank_texts_and_null_are_one_missing_label() -> None:
    table = KeyTable([pa.string(), pa.int64()])
    codes = table.codes_for([pa.array(["a", "", None, "  ", "a"]), pa.array([1, 1, 1, 1, 2])])
    assert codes.tolist() == [0, 1, 1, 1, 2]
    assert table.labels()[0].to_pylist() == ["a", None, "a"]


@pytest.mark.parametrize("dtype", [pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.map_(pa.int8(), pa.int8())])
def test_nested_types_are_refused(dtype: pa.DataType) -> None:
    with pytest.raises(ColumnTypeError, match="'id'"):
        check_key_type("group", pa.field("id", dtype))


@pytest.mark.parametrize("dtype", [pa.float64(), pa.float32()])
@pytest.mark.parametrize("bad", [0.5, -2.25, 1e-9, math.inf, -math.inf])
def test_fractions_and_infinities_are_no_ids(dtype: pa.DataType, bad: float) -> None:
    check_ids("id", pa.array([1.0, -7.0, None, math.nan, 1e30], dtype))
    said = f"column 'id' has {np.float32(bad) if dtype == pa.float32() else bad}"
    with pytest.raises(ValueNotAllowedError, match=f"group {said}, .*are outcome and group swapped"):
        check_ids("id", pa.array([1.0, None, math.nan, bad], dtype))


@pytest.mark.parametrize("dtype", [pa.decimal128(9, 2), pa.decimal128(38, 6), pa.decimal256(60, 20)], ids=str)
@pytest.mark.parametrize("bad", ["0.5", "-2.25", "100000000000000.01"])
def test_decimals_with_a_fraction_are_no_ids(dtype: pa.DataType, bad: str) -> None:
    whole = [Decimal(1), Decimal("-7.00"), None, Decimal(10**6)]
    check_ids("id", pa.array(whole, dtype))
    if dtype.precision > 9 or len(bad) < 9:
        with pytest.raises(ValueNotAllowedError, match=rf"column 'id' has {bad}0*, .*are outcome and group swapped"):
            check_ids("id", pa.array([*whole, Decimal(bad)], dtype))


@pytest.mark.parametrize("freq", ["Y", "M", "D"])
def test_periods_in_arrow_are_refused_as_their_numbers_say_nothing(freq: str) -> None:
    data = pa.Table.from_pandas(pd.DataFrame({"p": pd.period_range("2020", periods=4, freq=freq)}))
    for column in (data["p"].combine_chunks(), pa.DictionaryArray.from_arrays([0, 1], data["p"].combine_chunks()[:2])):
        with pytest.raises(ColumnTypeError, match=r"group column 'p' has type .*period"):
            check_key_type("group", pa.field("p", column.type))


@pytest.mark.parametrize("dtype", [pa.int64(), pa.string(), pa.decimal128(9, 1), pa.bool_(), pa.date32(), pa.null()])
def test_labels_of_other_types_are_ids(dtype: pa.DataType) -> None:
    check_ids("id", pa.array([None, None], dtype))


@pytest.mark.parametrize("types", [[pa.int64()], [pa.large_string()], [pa.large_string(), pa.int64()]])
def test_labels_are_sorted_with_their_codes(types: list[pa.DataType]) -> None:
    rng = np.random.default_rng(4)
    table = KeyTable(types)
    numbers = [rng.integers(-9, 9, 40).tolist() for _ in types]
    table.codes_for([
        pa.array([str(x) for x in column] if dtype == pa.large_string() else column, dtype)
        for column, dtype in zip(numbers, types, strict=True)
    ])  # fmt: skip
    order, columns = table.sorted()
    labels = list(zip(*(column.to_pylist() for column in table.labels()), strict=True))
    assert [labels[code] for code in order] == sorted(labels)
    assert list(zip(*(column.to_pylist() for column in columns), strict=True)) == sorted(labels)
