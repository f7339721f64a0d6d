"""Growing tables of labels against a dict: full tables, ranges that widen, alike keys, strings of any length."""

from __future__ import annotations

import naive
import numpy as np
import pyarrow as pa
import pytest
from conftest import fewer
from key_columns import check

from fastml.errors import FastmlError
from fastml.keys import hash_tables as label_tables
from fastml.keys.hash_tables import LabelTable, NumberTable, StringTable


def test_unbounded_integers_fill_the_table_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(-(2**63), 2**63 - 1, 9_000)
    rows = np.concatenate([values, rng.permutation(values), values[:5]])
    check([pa.array(rows)])
    monkeypatch.setattr(label_tables, "_SLOTS_FREE", 4)
    monkeypatch.setattr(label_tables, "_SLOTS_EACH", 0)
    check([pa.array((rows % 5_000).astype(np.int16))])


def test_integers_that_agree_in_their_low_or_high_bits() -> None:
    check([pa.array([i << shift for shift in (0, 32, 48) for i in range(64)] * 3)])
    # One slot for all: keys whose spread bits begin alike.
    golden = pow(0x9E3779B97F4A7C15, -1, 2**64)
    alike = [(h ^ (h >> 32)) for h in ((golden * k) % 2**64 for k in range(1, 200))]
    check([pa.array(np.array(alike * 2, np.uint64))])


FEW = [(length, 1_000, 16) for length in (1, 5, 12, 15, 16, 17, 40)]  # eight times
MANY = [(length, fewer(6_000, times=3, at_least=2_000), label_tables._FIRST_SLOTS) for length in (12, 17)]


@pytest.mark.parametrize(("length", "labels", "slots"), FEW + MANY)
def test_strings_fill_the_table_many_times(
    length: int, labels: int, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_tables, "_FIRST_SLOTS", slots)
    rng = np.random.default_rng(length)
    pool = [f"{i:0{length}d}"[-length:] for i in range(labels)]
    rows = pa.array(list(rng.permutation(pool)) + list(rng.permutation(pool)))
    check([rows])
    check([rows.slice(77, 3 * len(pool) // 2)])


def test_strings_of_all_lengths_in_one_column() -> None:
    rng = np.random.default_rng(1)
    rows = ["".join(rng.choice(list("ab"), n)) for n in rng.integers(0, 20, 3_000)]
    check([pa.array(rows)])
    check([pa.array(rows, pa.large_string())])


def test_more_bytes_than_places_are_encoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    rows = pa.array(["".join(rng.choice(list("ab"), n)) for n in rng.integers(0, 20, 3_000)], pa.large_string())
    monkeypatch.setattr(label_tables, "_MOST_BYTES", 50)
    check([rows])
    check([rows.slice(100, 1_000)])
    with pytest.raises(FastmlError, match="a label has 51 bytes"):
        StringTable(pa.large_string()).codes_for(pa.array(["a", "b" * 51], pa.large_string()))


def test_number_table_takes_ranges_that_widen_on_either_side() -> None:
    table, twin = NumberTable(), {}
    for low, high in ((100, 200), (90, 210), (-5_000, 0), (300, 9_000), (-(2**62), 2**62), (0, 50)):
        keys = np.random.default_rng(high & 0xFF).integers(low, high, 500)
        codes = table.codes_for(keys)
        assert codes.tolist() == [twin.setdefault(key, len(twin)) for key in keys.tolist()]
    assert table.bits().tolist() == list(twin)
    assert len(table.codes_for(np.empty(0, np.int64))) == 0


@pytest.mark.parametrize("dtype", [pa.int64(), pa.large_string(), pa.float64()])
def test_null_has_the_code_of_its_first_appearance(dtype: pa.DataType) -> None:
    table, twin = LabelTable(dtype), {}
    for rows in ([3, 1], [1, None, 4, None], [4, 5, None, 3]):
        labels = pa.array(
            [None if row is None else str(row) if dtype == pa.large_string() else row for row in rows], dtype
        )
        codes = table.codes_for(labels).tolist()
        for code, label in zip(codes, labels.to_pylist(), strict=True):
            assert twin.setdefault(label, code) == code
    assert sorted(twin.values()) == list(range(5))
    assert {label: code for code, label in enumerate(table.labels().to_pylist())} == twin


def test_a_cleared_table_begins_anew() -> None:
    table = NumberTable(hashed=True)
    keys = np.random.default_rng(2).integers(-(2**63), 2**63 - 1, 9_000)
    for part in (keys, keys[:10], keys[5_000:]):
        assert table.codes_for(part).tolist() == naive.codes(part.tolist())[0]
        table.clear()
        assert len(table) == 0


@pytest.mark.parametrize("rise", [False, True])
@pytest.mark.parametrize("hashed", [False, True])
def test_numbers_are_sorted_with_their_codes(hashed: bool, rise: bool) -> None:
    table = NumberTable(hashed)
    keys = np.random.default_rng(3).integers(-50, 50, 60)
    keys = np.sort(keys) if rise else keys
    codes = table.codes_for(keys)
    order, numbers = table.sorted()
    assert numbers.tolist() == sorted(set(keys.tolist()))
    assert table.bits()[order].tolist() == numbers.tolist()
    assert np.array_equal(table.bits()[codes], keys)
