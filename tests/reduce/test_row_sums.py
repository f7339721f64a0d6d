"""Rows in any order against fractions: where digits are lost in a record, it is summed anew."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import naive
import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from records import check, read_only

from fastml.io.pieces import Pieces
from fastml.kernels.sums.moments import finish
from fastml.kernels.workspace import Workspace
from fastml.keys.dictionaries import RangeDictionary, TileDictionary
from fastml.keys.row_codes import RowCodes
from fastml.reduce.row_sums import KeysMovedError, RowSums

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
LOW = -(2**40)
LIMITS = (1e-100, 1e100)


def row_sums(codes: Codes, n_groups: int, keys: bool = False) -> RowSums:
    """The sums of rows with codes, or with keys of which a range is assumed."""
    table = RangeDictionary(LOW, n_groups, pa.int64()) if keys else TileDictionary((pa.array(range(n_groups)),))
    numbers = codes + np.int64(LOW)
    tile = RowCodes(table, None, None, Pieces((numbers,)), LOW) if keys else RowCodes(table, codes)
    return RowSums(tile, Workspace())


def sums_of(codes: Codes, n_groups: int, y: Floats, keys: bool = False) -> tuple[Floats | None, Floats]:
    """Raw records, None where a value isn't finite, and missing values."""
    table, missing = np.full((n_groups, 4), 7.0), np.full(n_groups, 7.0)
    is_finite = row_sums(codes, n_groups, keys).add(table, Pieces((y,)), missing, np.empty(1))
    return table if is_finite else None, missing


def hard_rows(seed: int) -> tuple[Codes, int, Floats]:
    """Groups of one to some hundred rows, some with ties, near ties, outliers, or far from all others."""
    rng = np.random.default_rng(seed)
    sizes = rng.permutation(np.concatenate([np.arange(9), [1, 2, 3, 4, 2, 3, 150]]))
    means = rng.normal(500.0, 10.0 ** rng.integers(0, 7), len(sizes))
    spreads = 10.0 ** rng.integers(-9, 3, len(sizes)) * rng.integers(0, 2, len(sizes))
    codes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)
    y = means[codes] + spreads[codes] * rng.normal(size=len(codes))
    y[rng.random(len(y)) < 0.02] = 1e7
    return codes, len(sizes), y


@pytest.mark.parametrize("holes", [0.0, 0.03, 0.5])
@pytest.mark.parametrize("seed", range(16))
def test_no_digit_is_lost(seed: int, holes: float) -> None:
    codes, n_groups, y = hard_rows(seed)
    y[np.random.default_rng(seed).random(len(y)) < holes] = math.nan
    read_only(codes, y)
    table, missing = sums_of(codes, n_groups, y)
    by_keys, missing_by_keys = sums_of(codes, n_groups, y, keys=True)
    assert table is not None
    assert by_keys is not None
    assert by_keys.tobytes() == table.tobytes()
    assert missing_by_keys.tobytes() == missing.tobytes()
    finish(table)
    check(table, missing, codes.tolist(), y.tolist())


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_outcomes_share_the_rows_that_are_looked_for(seed: int, keys: bool) -> None:
    """Whichever groups were off in outcomes before, the bits are those of each outcome alone."""
    rng = np.random.default_rng(seed)
    sizes = np.concatenate([np.full(300, 20), np.repeat([1, 2, 3, 4, 5], 12)])
    codes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)
    n_groups, outcomes = len(sizes), [rng.normal(500.0, 80.0, len(codes)) for _ in range(6)]
    for y in outcomes[3:]:
        y[rng.random(len(y)) < 0.3] = math.nan
    together = row_sums(codes, n_groups, keys)
    for y in (*outcomes, outcomes[0]):
        table, missing = np.full((n_groups, 4), 7.0), np.full(n_groups, 7.0)
        assert together.add(table, Pieces((y,)), missing, np.empty(1))
        alone, missing_alone = sums_of(codes, n_groups, y, keys)
        assert alone is not None
        assert table.tobytes() == alone.tobytes()
        assert missing.tobytes() == missing_alone.tobytes()


@pytest.mark.parametrize("seed", range(8))
def test_no_digit_of_weighted_rows_is_lost(seed: int) -> None:
    codes, n_groups, y = hard_rows(seed)
    weights = np.random.default_rng(seed).gamma(2.0, 3.0, len(y))
    weights[::9], weights[::11], y[::13] = 0.0, math.nan, math.nan
    tables, missing = (np.full((n_groups, 4), 7.0), np.full((n_groups, 5), 7.0)), np.full(n_groups, 7.0)
    assert row_sums(codes, n_groups, keys=seed % 2 == 0).add_weighted(tables, y, weights, LIMITS, missing, np.empty(2))
    used = (weights > 0.0) & ~np.isnan(y)
    assert missing.tolist() == np.bincount(codes[~used], minlength=n_groups).tolist()
    for table, some in zip(tables, (np.ones(len(y)), weights), strict=True):
        finish(table)
        for g in range(n_groups):
            mine = used & (codes == g)
            if mine.any():
                twin = naive.weighted(y[mine].tolist(), some[mine].tolist())
                assert table[g, 3] == pytest.approx(float(twin.ss), rel=1e-12, abs=0.0)
                size = max(abs(Fraction(v) - twin.mean) for v in (y[mine].min(), y[mine].max()))
                error = abs(Fraction(table[g, 1]) + Fraction(table[g, 2]) - twin.mean)
                assert error <= Fraction(1, 10**13) * size + Fraction(2) ** -100 * abs(twin.mean)


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1023, 1024, 3000])
@pytest.mark.parametrize("n_groups", [1, 7_000])
def test_any_number_of_rows_and_groups(n: int, n_groups: int, keys: bool) -> None:
    rng = np.random.default_rng(n)
    codes, y = rng.integers(0, n_groups, n).astype(np.int32), rng.normal(500.0, 80.0, n)
    table, missing = sums_of(codes, n_groups, y, keys)
    assert table is not None
    finish(table)
    seen = np.unique(codes)
    places = np.zeros(n_groups, np.int64)
    places[seen] = np.arange(len(seen))
    check(table[seen], missing[seen], places[codes].tolist(), y.tolist())
    assert table[:, 0].sum() == n


@pytest.mark.parametrize("wrong", [math.inf, -math.inf, 1e200])
@pytest.mark.parametrize("others", [0, 1, 2, 40])
def test_what_is_not_finite_is_found(others: int, wrong: float) -> None:
    y = np.array([*np.arange(others, dtype=float), wrong, 1.0, 2.0])
    codes = np.array([0] * (others + 1) + [1, 1], np.int32)
    alone = abs(wrong) == 1e200 and others == 0  # a square of nothing
    for keys in (False, True):
        assert (sums_of(codes, 2, y, keys)[0] is not None) == alone
        tables, missing = (np.zeros((2, 4)), np.zeros((2, 5))), np.zeros(2)
        assert row_sums(codes, 2, keys).add_weighted(tables, y, np.ones(len(y)), LIMITS, missing, np.empty(2)) == alone


@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_key_outside_of_the_range_is_found(place: int) -> None:
    y, codes = np.ones(100), np.zeros(100, np.int32)
    codes[place] = 3
    with pytest.raises(KeysMovedError):
        sums_of(codes, 3, y, keys=True)
    tables, missing = (np.zeros((3, 4)), np.zeros((3, 5))), np.zeros(3)
    with pytest.raises(KeysMovedError):
        row_sums(codes, 3, keys=True).add_weighted(tables, y, y, LIMITS, missing, np.empty(2))


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="a quarter of a million rows are too many")
def test_sums_of_many_rows_are_about_a_shift_of_their_own() -> None:
    """Of few different values, whose sums round the same way each time: a shift far from them makes that ten times worse."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 1 << 18).astype(np.int32)
    y = 0.1 * rng.integers(0, 2, len(codes)) + 0.7 * (codes == 0)
    table, _ = sums_of(codes, 2, y)
    assert table is not None
    finish(table)
    for code in (0, 1):
        values = Counter(Fraction(value) for value in y[codes == code].tolist())
        n = sum(values.values())
        mean = sum(value * count for value, count in values.items()) / n
        ss = float(sum((value - mean) ** 2 * count for value, count in values.items()))
        assert table[code, 3] == pytest.approx(ss, rel=2e-11)
        assert float(Fraction(table[code, 1]) + Fraction(table[code, 2]) - mean) == pytest.approx(0.0, abs=3e-13)


def test_groups_far_apart_have_shifts_of_their_own_whatever_labels_there_are() -> None:
    """Where one shift doesn't do for an eighth of the groups that have rows; labels of other tiles don't count."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 40, 4000).astype(np.int32)
    for n_far, own in ((5, False), (7, True)):
        y = np.where(codes < n_far, 1e6 * codes, 0.0) + rng.normal(500.0, 1.0, 4000)
        table, missing = sums_of(codes, 40, y)
        assert table is not None
        firsts = np.array([y[np.argmax(codes == g)] for g in range(40)])
        assert set(table[8:, 1] == firsts[8:]) == {own}
        more, _ = sums_of(codes, 4000, y)
        assert more is not None
        assert more[:40].tobytes() == table.tobytes()
        finish(table)
        check(table, missing, codes.tolist(), y.tolist())
