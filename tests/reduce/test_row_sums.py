"""Rows in any order, about one shift or about first values, against fractions: what is lost is made again."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from conftest import fewer
from records import NONE, WHOLE, bitmap, check, finish, read_only

from fastml.io.columns import Doubles
from fastml.kernels.sums import moments, shared_shift
from fastml.kernels.workspace import Workspace
from fastml.keys.dictionaries import RangeDictionary, TileDictionary
from fastml.keys.row_codes import RowCodes
from fastml.reduce import row_sums
from fastml.reduce.row_sums import KeysMovedError, RowSums

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
LOW = -(2**40)


def sums_of(codes: Codes, n_groups: int, outcomes: list[Doubles], keys: bool = False) -> tuple[list[Any], Floats]:
    """Raw records of each outcome, and the missing values of the first."""
    table = RangeDictionary(LOW, n_groups, pa.int64()) if keys else TileDictionary((pa.array(range(n_groups)),))
    numbers = codes + np.int64(LOW)
    tile = RowCodes(table, None, None, numbers, LOW) if keys else RowCodes(table, codes)
    missing = np.full(n_groups, 7.0)
    found: list[Any] = []
    of_first, tables = missing, np.full((len(outcomes), n_groups, 4), 7.0)
    for records, is_finite in zip(tables, RowSums(tile, Workspace()).fill(tables, outcomes, missing), strict=True):
        of_first = of_first if found else missing.copy()
        found.append(records if is_finite else None)
    return found, of_first


def hard_rows(seed: int) -> tuple[Codes, int, Floats]:
    """Groups of one to some hundred rows, some with ties, near ties, wild values, or far from all others."""
    rng = np.random.default_rng(seed)
    sizes = rng.permutation(np.concatenate([np.arange(9), [1, 2, 3, 4, 2, 3, 150]]))
    means = rng.normal(500.0, 10.0 ** rng.integers(0, 7), len(sizes))
    spreads = 10.0 ** rng.integers(-9, 3, len(sizes)) * rng.integers(0, 2, len(sizes))
    codes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)
    y = means[codes] + spreads[codes] * rng.normal(size=len(codes))
    y[rng.random(len(y)) < 0.02] = 1e7
    return codes, len(sizes), y


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("holes", ["none", "some", "many"])
@pytest.mark.parametrize("seed", range(8))
def test_no_digit_is_lost(monkeypatch: pytest.MonkeyPatch, seed: int, holes: str, share: bool) -> None:
    monkeypatch.setattr(row_sums, "_are_groups_large", lambda keys: share)
    codes, n_groups, y = hard_rows(seed)
    rng = np.random.default_rng(seed)
    outcomes, as_nan = [], []
    for k in range(5):
        mine = y if k == 0 else rng.permutation(y)
        keep = rng.random(len(y)) >= {"none": 0.0, "some": 0.03, "many": 0.5}[holes]
        outcomes.append(Doubles(mine, bitmap(keep, seed) if holes != "none" else NONE, seed if holes != "none" else 0))
        as_nan.append(Doubles(np.where(keep, mine, math.nan), NONE, 0))
        read_only(mine)
    together, missing = sums_of(codes, n_groups, outcomes)
    for k, (values, same, found) in enumerate(zip(outcomes, as_nan, together, strict=True)):
        for keys in (False, True):
            for one in (values, same):
                (alone,), lacks = sums_of(codes, n_groups, [one], keys)
                # What no row has may be anything but n.
                some = alone[:, 0] > 0.0
                assert alone[:, 0].tolist() == found[:, 0].tolist()
                assert alone[some].tobytes() == found[some].tobytes()
                if k == 0:
                    assert lacks.tolist() == missing.tolist()
        finish(found)
        lacks = np.bincount(codes[np.isnan(same.y)], minlength=n_groups)
        check(found, lacks, codes.tolist(), same.y.tolist())


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1023, 1024, 3000])
@pytest.mark.parametrize("n_groups", [1, 7_000])
def test_any_number_of_rows_and_groups(monkeypatch: pytest.MonkeyPatch, n: int, n_groups: int, keys: bool) -> None:
    monkeypatch.setattr(row_sums, "_are_groups_large", lambda keys: True)
    rng = np.random.default_rng(n)
    codes, y = rng.integers(0, n_groups, n).astype(np.int32), rng.normal(500.0, 80.0, n)
    (table,), missing = sums_of(codes, n_groups, [Doubles(y, NONE, 0)], keys)
    finish(table)
    seen = np.unique(codes)
    places = np.zeros(n_groups, np.int64)
    places[seen] = np.arange(len(seen))
    check(table[seen], missing[seen], places[codes].tolist(), y.tolist())
    assert table[:, 0].sum() == n


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("wrong", [math.inf, -math.inf, 1e200])
@pytest.mark.parametrize("others", [0, 1, 2, 40])
def test_what_is_not_finite_is_none(monkeypatch: pytest.MonkeyPatch, others: int, wrong: float, share: bool) -> None:
    monkeypatch.setattr(row_sums, "_are_groups_large", lambda keys: share)
    y = np.array([*np.arange(others, dtype=float), wrong, 1.0, 2.0])
    codes = np.array([0] * (others + 1) + [1, 1], np.int32)
    fine = Doubles(np.arange(len(y), dtype=float), NONE, 0)
    bad = Doubles(y, NONE, 0)
    alone = abs(wrong) == 1e200 and others == 0  # a square of nothing
    for keys in (False, True):
        found, _ = sums_of(codes, 2, [bad], keys)
        assert (found[0] is None) != alone
        found, _ = sums_of(codes, 2, [fine, bad, fine, bad], keys)
        assert [table is None for table in found] == [False, not alone, False, not alone]


def test_a_key_outside_of_the_range_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    y = Doubles(np.ones(100), NONE, 0)
    codes = np.zeros(100, np.int32)
    for share in (False, True):
        monkeypatch.setattr(row_sums, "_are_groups_large", lambda keys, share=share: share)
        for place in (0, 50, 99):
            codes[:] = 0
            codes[place] = 3
            for outcomes in ([y], [y] * 3):
                with pytest.raises(KeysMovedError):
                    sums_of(codes, 3, outcomes, keys=True)


def near(codes: Codes, group: int, size: int, y: Floats) -> None:
    """Give a group so many rows, at random places, that lie close together."""
    rng = np.random.default_rng(size)
    codes[codes == group] = group + 1
    rows = rng.choice(len(codes), size, replace=False)
    codes[rows] = group
    y[rows] = 700.0 + rng.normal(0.0, 1e-6, size)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_few_rows_are_found_again(seed: int, size: int) -> None:
    """Up to three rows of a group are found without a pass over all; the bits are those of such a pass."""
    rng = np.random.default_rng(seed)
    n = fewer(30_000, 6)
    codes, y = rng.integers(0, 40, n).astype(np.int32), rng.normal(500.0, 80.0, n)
    near(codes, seed, size, y)
    missing, table = np.zeros(40), np.zeros((40, 4))
    shared_shift.add_rows(codes, y, NONE, 0, 500.0, table, missing, *WHOLE)
    again = table.copy()
    again[:, 1] = 500.0
    assert shared_shift.settle_rows(codes, y, NONE, 0, 500.0, table) == (size <= 3)
    sums = RowSums(RowCodes(TileDictionary((pa.array(range(40)),)), codes), Workspace())
    assert sums.settle(again, lambda marks, into: sums.add_marked(Doubles(y, NONE, 0), marks, into), anew=True)
    if size <= 3:
        assert again.tobytes() == table.tobytes()
    finish(again)
    mine = codes == seed
    check(again[[seed]], missing[[seed]], [0] * size, y[mine].tolist())


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="a quarter of a million rows are too many")
def test_sums_of_many_rows_are_about_a_shift_of_their_own() -> None:
    """Of few different values, whose sums round the same way each time: a shift far from them makes that ten times worse."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 1 << 18).astype(np.int32)
    y = 0.1 * rng.integers(0, 2, len(codes)) + 0.7 * (codes == 0)
    (table,), _ = sums_of(codes, 2, [Doubles(y, NONE, 0)])
    finish(table)
    for code in (0, 1):
        values = Counter(Fraction(value) for value in y[codes == code].tolist())
        n = sum(values.values())
        mean = sum(value * count for value, count in values.items()) / n
        ss = float(sum((value - mean) ** 2 * count for value, count in values.items()))
        assert table[code, 3] == pytest.approx(ss, rel=2e-11)
        assert float(Fraction(table[code, 1]) + Fraction(table[code, 2]) - mean) == pytest.approx(0.0, abs=3e-13)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="a million rows are too many")
@pytest.mark.parametrize("extra", [0, 1])
def test_rows_whose_place_is_too_large_are_not_found_again(extra: int) -> None:
    n, size = (1 << 20) + extra, 2
    rng = np.random.default_rng(1)
    codes, y = rng.integers(0, 40, n).astype(np.int32), rng.normal(500.0, 80.0, n)
    codes[codes == 7] = 8
    codes[-size:], y[-size:] = 7, [700.0, 700.0 + 1e-6]
    table, missing = np.zeros((40, 4)), np.zeros(40)
    shared_shift.add_rows(codes, y, NONE, 0, 500.0, table, missing, *WHOLE)
    assert shared_shift.settle_rows(codes, y, NONE, 0, 500.0, table) == (extra == 0)


@pytest.mark.parametrize(
    ("values", "shift"),
    [
        ([], 0.0), ([math.nan, math.inf, -math.inf], 0.0), ([math.inf, 3.0], 3.0), ([1.0, 2.0, 9.0], 2.0),
        ([1e308, 1e308, 1e308], 1e308), ([1e9, *[500.0, 501.0, 502.0] * 30], 502.0), ([math.nan] * 99 + [4.0], 4.0),
    ],
)  # fmt: skip
def test_the_shift_is_a_value_in_the_middle(values: list[float], shift: float) -> None:
    y = np.array(values, float)
    assert shared_shift.likely_shift(y, NONE, 0) == shift
    keep = np.isfinite(y)
    filled = np.where(keep, y, 7.0)
    assert shared_shift.likely_shift(filled, bitmap(keep, 3), 3) == shift


def test_the_shift_is_from_everywhere() -> None:
    y = np.arange(100_000.0)
    assert abs(shared_shift.likely_shift(y, NONE, 0) - 50_000) < 2_000
    y[:] = math.nan
    y[77_777] = 3.0
    assert shared_shift.likely_shift(y, NONE, 0) == 3.0


def test_keys_of_any_size_are_within_a_range_or_not() -> None:
    edges = [-(2**63), -(2**63) + 1, -9, -1, 0, 1, 9, 2**40, 2**63 - 2, 2**63 - 1]
    for low in (-(2**63), -5, 0, 2**62):
        for most in (0, 4, 2**20):
            for key in {*edges, low, low + most, *({low + most + 1, max(low - 1, -(2**63))})}:
                keys = np.full(8, low)
                keys[key % 8] = key
                table, missing = np.zeros((1, 4)), np.zeros(1)
                inside = low <= key <= low + most
                if most == 0:
                    assert shared_shift.add_keys(keys, low, np.ones(8), NONE, 0, 1.0, table, missing, *WHOLE) == inside
                    assert table[0, 0] == (8 if inside else 0)


@pytest.mark.parametrize(
    ("n_groups", "many"), [(1, True), (300, True), (20_000, True), (200_000, False), (10**6, False)]
)
def test_large_groups_are_told_by_the_first_rows(n_groups: int, many: bool) -> None:
    """Of a million rows; however they are encoded."""
    rng = np.random.default_rng(n_groups)
    codes = rng.integers(0, n_groups, 1 << 20).astype(np.int32)
    numbers = codes + np.int64(LOW)
    labels = TileDictionary((pa.array([0]),))
    assert row_sums._are_groups_large(RowCodes(labels, codes)) == many
    assert row_sums._are_groups_large(RowCodes(labels, None, None, numbers, LOW)) == many


def test_settling_marks_what_is_off_and_nothing_else() -> None:
    table = np.array([[3.0, 500.0, 3.0, 5.0], [2.0, 500.0, 200.0, 20000.001], [0.0, 500.0, 0.0, 0.0]])
    before, marks = table.copy(), np.full(3, 7, np.uint8)
    assert moments.settle(table, True, marks) == moments.AGAIN
    assert marks.tolist() == [0, 1, 0]
    assert table[[0, 2]].tobytes() == before[[0, 2]].tobytes()
    assert table[1, [0, 2, 3]].tolist() == [0.0] * 3
    assert math.isnan(table[1, 1])
    table = before.copy()
    assert moments.settle(table, False, marks) == moments.AGAIN
    assert table[1].tolist() == [0.0, 600.0, 0.0, 0.0]
    table[1, 3] = math.inf
    assert moments.settle(table, False, marks) == moments.NOT_FINITE
    assert moments.settle(table, True, marks) == moments.AGAIN
