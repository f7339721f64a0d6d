"""Sums of rows in any order against fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from records import add_rows, check, off, read_only

from fastml.kernels.sums import shuffled
from fastml.kernels.sums.moments import finish

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


def sums_of(codes: Int64s, y: Floats, n_groups: int) -> tuple[Floats, Floats]:
    """Raw records and missing rows of groups, the same from two ranges of keys."""
    table, missing = np.zeros((n_groups, 4)), np.zeros(n_groups)
    assert add_rows(codes, 0, y, table, missing)
    by_keys, missing_by_keys = np.zeros((n_groups, 4)), np.zeros(n_groups)
    assert add_rows(codes - 2**40, -(2**40), y, by_keys, missing_by_keys)
    assert by_keys.tobytes() == table.tobytes()
    assert missing_by_keys.tobytes() == missing.tobytes()
    return table, missing


@pytest.mark.parametrize("n", [0, 1, 7, 63, 64, 65, 700, 3000])
@pytest.mark.parametrize("n_groups", [1, 9, 7000])
@pytest.mark.parametrize("holes", [0.0, 0.01, 0.3, 1.0])
def test_rows_in_any_order(n: int, n_groups: int, holes: float) -> None:
    rng = np.random.default_rng(n)
    codes, y = rng.integers(0, n_groups, n), rng.normal(500.0, 80.0, n)
    y[rng.random(n) < holes] = math.nan
    read_only(codes, y)
    table, missing = sums_of(codes, y, n_groups)
    assert not any(off(table))
    finish(table)
    seen = np.unique(codes)
    places = np.zeros(n_groups, np.int64)
    places[seen] = np.arange(len(seen))
    check(table[seen], missing[seen], places[codes].tolist(), y.tolist())
    assert table[:, 0].sum() + missing.sum() == n


@pytest.mark.parametrize("holes", [0.0, 0.01, 1.0])
def test_one_shift_for_all_groups(holes: float) -> None:
    rng = np.random.default_rng(4)
    codes, y = rng.integers(0, 9, 700), rng.normal(500.0, 80.0, 700)
    y[rng.random(700) < holes] = math.nan
    table, missing = np.zeros((9, 4)), np.zeros(9)
    table[:, 1] = 480.0
    assert shuffled.add_rows(codes, 0, y, 480.0, table, missing, np.empty(1))
    assert not any(off(table))
    finish(table)
    check(table, missing, codes.tolist(), y.tolist())


def test_the_first_value_of_a_group_is_its_shift() -> None:
    table, missing = np.zeros((3, 4)), np.zeros(3)
    assert add_rows(np.array([2, 0, 2, 0]), 0, np.array([5.0, math.nan, 6.0, 7.0]), table, missing)
    assert table.tolist() == [[1.0, 7.0, 0.0, 0.0], [0.0] * 4, [2.0, 5.0, 1.0, 1.0]]
    assert missing.tolist() == [1.0, 0.0, 0.0]
    assert add_rows(np.zeros(64, np.int64), 0, np.full(64, 9.0), table, missing)  # it stays for the rows of later parts
    assert table[0].tolist() == [65.0, 7.0, 128.0, 256.0]


def test_parts_of_the_rows_add_to_the_same_bits() -> None:
    """Wherever a row stands among the rows that are looked at together."""
    rng = np.random.default_rng(2)
    codes, y = rng.integers(0, 5, 1000), rng.normal(500.0, 80.0, 1000)
    y[::50] = math.nan
    whole, missing = sums_of(codes, y, 5)
    table, lacking = np.zeros((5, 4)), np.zeros(5)
    for part in (slice(0, 3), slice(3, 70), slice(70, 640), slice(640, 1000)):
        assert add_rows(codes[part], 0, y[part], table, lacking)
    assert table.tobytes() == whole.tobytes()
    assert lacking.tobytes() == missing.tobytes()


@pytest.mark.parametrize("bad", [-1, 10, 2**63 - 1, -(2**63), -(2**63) + 5, 2**40])
@pytest.mark.parametrize("place", [0, 1, 63, 64, 1023, 1024, 2999])
def test_a_key_without_a_record_is_seen_before_anything_is_written(place: int, bad: int) -> None:
    keys, y = np.random.default_rng(place).integers(0, 10, 3000), np.ones(3000)
    keys[place] = bad
    table, missing = np.zeros((12, 4)), np.zeros(12)
    for shift in (math.nan, 1.0):
        table[:] = 0.0
        assert not shuffled.add_rows(keys, 0, y, shift, table[1:11], missing[1:11], np.empty(1))
        assert table[:, 0].sum() == place // 8 * 8
        assert not table[[0, 11]].any()


def test_keys_of_any_size_are_within_a_range_or_not() -> None:
    edges = [-(2**63), -(2**63) + 1, -9, -1, 0, 1, 9, 2**40, 2**63 - 2, 2**63 - 1]
    for low in (-(2**63), -5, 0, 2**62):
        for most in (0, 4, 1000):
            for key in {*edges, low, low + most, low + most + 1, max(low - 1, -(2**63))}:
                keys = np.full(8, low)
                keys[key % 8] = key
                table = np.zeros((most + 1, 4))
                inside = low <= key <= low + most
                assert add_rows(keys, low, np.ones(8), table, np.zeros(most + 1)) == inside
                assert table[:, 0].sum() == (8 if inside else 0)


def test_a_mean_keeps_more_digits_than_a_double() -> None:
    y = 1e12 + np.arange(1, 8) / 64.0
    table, missing = sums_of(np.zeros(7, np.int64), y, 1)
    finish(table)
    check(table, missing, [0] * 7, y.tolist())
    third = np.array([1e15, 1e15, 1e15 + 1.0])
    table, _ = sums_of(np.zeros(3, np.int64), third, 1)
    finish(table)
    exact = Fraction(10**15) + Fraction(1, 3)
    assert abs(Fraction(table[0, 1]) + Fraction(table[0, 2]) - exact) < Fraction(1, 10**15)


@pytest.mark.parametrize("values", [[math.inf], [math.inf, math.inf], [-math.inf, math.nan, -math.inf], [2.0, 1e200]])
def test_what_is_not_finite_is_off(values: list[float]) -> None:
    codes, y = np.array([0, *[1] * len(values), 2]), np.array([1.0, *values, 3.0])
    table, _ = sums_of(codes, y, 3)
    assert off(table) == [False, True, False]
    finish(table)
    assert np.isfinite(table).all(axis=1).tolist() == [True, False, True]


def test_a_group_whose_first_value_is_an_outlier_is_off() -> None:
    y = np.concatenate([[501.0], np.random.default_rng(1).normal(500.0, 1e-3, 600)])
    assert off(sums_of(np.zeros(601, np.int64), y, 1)[0]) == [True]
    assert off(sums_of(np.zeros(600, np.int64), y[1:], 1)[0]) == [False]


def test_the_rows_of_some_groups_are_selected() -> None:
    keys = np.random.default_rng(1).integers(-3, 7, 500)
    keys[100:300] = 0  # blocks of rows of which none is selected
    for groups in (np.zeros(10, np.uint8), np.ones(10, np.uint8), (np.arange(10) % 4 == 1).astype(np.uint8)):
        expected, rows = np.flatnonzero(groups[keys + 3]).tolist(), np.full(501, -7, np.int32)
        assert rows[: shuffled.select_rows(keys, -3, groups, rows)].tolist() == expected
        codes = (keys + 3).astype(np.int32)
        assert rows[: shuffled.select_rows_of_codes(codes, 0, groups, rows)].tolist() == expected
