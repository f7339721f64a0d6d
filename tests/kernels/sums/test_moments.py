"""The kernels of the pass against fractions: sums, validity bitmaps, shifts, weights, folding."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import naive
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from conftest import fewer
from records import NONE, WHOLE, bitmap, check, finish, raw, read_only, settle

from fastml.io.arrays import as_numpy
from fastml.kernels.sums import bitmaps, own_shift, record, runs, shared_shift, together
from fastml.kernels.sums import moments as kernel

Floats = npt.NDArray[np.float64]


def sum_runs(
    starts: npt.NDArray[np.int32],
    codes: npt.NDArray[np.int32],
    y: Floats,
    valid: npt.NDArray[np.uint8],
    offset: int,
    n_groups: int,
) -> tuple[Floats, Floats]:
    """Raw records and missing rows of the groups (n_groups, ...) whose code each run has."""
    records, missing = np.full((len(codes), kernel.N_FIELDS), 7.0), np.full(len(codes), 7.0)
    assert runs.sum_runs(starts, y, valid, offset, records, missing) == -1
    table = np.zeros((n_groups, kernel.N_FIELDS))
    assert kernel.fold_raw(table[:, None], codes, records[None], 0) == len(codes)
    return table, np.bincount(codes, missing, n_groups)


@pytest.mark.parametrize("offset", [0, 1, 7, 8, 13])
@pytest.mark.parametrize("holes", ["none", "null", "nan", "both", "all"])
@pytest.mark.parametrize("shape", ["clustered", "shuffled"])
def test_rows_and_runs(shape: str, holes: str, offset: int) -> None:
    rng = np.random.default_rng(offset)
    n, n_groups = 700, 9
    codes = rng.integers(0, n_groups - 1, n).astype(np.int32)  # the last group has no row
    codes = np.sort(codes) if shape == "clustered" else codes
    y = rng.normal(500.0, 80.0, n)
    keep = np.ones(n, bool)
    if holes in ("null", "both"):
        keep = rng.random(n) > 0.1
    if holes == "all":
        keep[:] = False
    if holes in ("nan", "both"):
        y[rng.random(n) < 0.1] = math.nan
    valid = np.empty(0, np.uint8) if holes in ("none", "nan") else bitmap(keep, offset)
    starts = np.array(naive.runs(codes.tolist()), np.int32)
    read_only(codes, y, valid, starts)
    values = [None if not k else v for v, k in zip(y.tolist(), keep.tolist(), strict=True)]
    table, missing = raw(n_groups), np.zeros(n_groups)
    own_shift.add_rows(codes, y, valid, offset, table, missing, *WHOLE)
    assert settle(table) == kernel.READY
    by_runs, missing_by_runs = sum_runs(starts, codes[starts[:-1]], y, valid, offset, n_groups)
    by_keys, missing_by_keys = raw(n_groups), np.zeros(n_groups)
    keys = codes.astype(np.int64) - 2**40
    assert own_shift.add_keys(keys, -(2**40), y, valid, offset, by_keys, missing_by_keys, *WHOLE)
    assert by_keys.tobytes() == table.tobytes()
    for found, n_missing in ((table, missing), (by_runs, missing_by_runs), (by_keys, missing_by_keys)):
        assert finish(found) == -1
        check(found, n_missing, codes.tolist(), values)


@pytest.mark.parametrize("n", [1, 7, 8, 1023, 1024, 1025, 3000])
def test_records_of_a_large_table_are_asked_for_ahead(n: int) -> None:
    rng = np.random.default_rng(n)
    n_groups = record.NEAR // kernel.N_FIELDS + 1
    codes, y = rng.integers(0, n_groups, n).astype(np.int32), rng.normal(500.0, 80.0, n)
    tables = [raw(n_groups), raw(n_groups)]
    missing = np.zeros(n_groups)
    own_shift.add_rows(codes, y, np.empty(0, np.uint8), 0, tables[0], missing, *WHOLE)
    assert own_shift.add_keys(codes.astype(np.int64) + 7, 7, y, np.empty(0, np.uint8), 0, tables[1], missing, *WHOLE)
    assert tables[0].tobytes() == tables[1].tobytes()
    finish(tables[0])
    seen = np.unique(codes)
    places = np.zeros(n_groups, np.int64)
    places[seen] = np.arange(len(seen))
    check(tables[0][seen], missing[seen], places[codes].tolist(), y.tolist())


@pytest.mark.parametrize("bad", [-1, 10, 2**63 - 1, -(2**63), -(2**63) + 5, 2**40])
@pytest.mark.parametrize("place", [0, 1, 1023, 1024, 2999])
def test_a_key_without_a_record_is_seen_before_anything_is_written(place: int, bad: int) -> None:
    keys, y = np.random.default_rng(place).integers(0, 10, 3000), np.ones(3000)
    keys[place] = bad
    table, missing = np.zeros((12, 4)), np.zeros(12)
    table[:, 1] = math.nan
    fives, lacking = np.full((12, together.WIDTH), 7.0), np.zeros(50, np.int32)
    assert not own_shift.add_keys(keys, 0, y, np.empty(0, np.uint8), 0, table[1:11], missing[1:11], *WHOLE)
    assert table[:, 0].sum() == (0 if place < 40 else place // 8 * 8)  # not even begun, where it is an early one
    assert table[0].tobytes() == table[11].tobytes() == raw(1).tobytes()
    assert not shared_shift.add_keys(keys, 0, y, np.empty(0, np.uint8), 0, 0.0, table[1:11], missing[1:11], *WHOLE)
    assert table[:, 0].sum() == place // 8 * 8
    assert table[0].tobytes() == table[11].tobytes() == raw(1).tobytes()
    rest = 0, np.zeros(5), fives[1:11].reshape(-1), lacking
    assert together.add_keys_together(keys, 0, y, y, y, y, y, *rest, *WHOLE) == -1
    assert (fives[[0, 11]] == 7.0).all()


@pytest.mark.parametrize("holes", ["none", "few", "many", "first", "wild", "infinite"])
@pytest.mark.parametrize("n_groups", [1, 9, 700])
def test_outcomes_together_have_the_bits_of_each_alone(n_groups: int, holes: str) -> None:
    rng = np.random.default_rng(n_groups)
    n = 2_500
    codes = rng.integers(0, n_groups, n).astype(np.int32)
    ys = [rng.normal(500.0, 80.0, n) for _ in range(5)]
    for y in ys[::2] if holes in ("few", "many") else []:
        y[rng.random(n) < (0.01 if holes == "few" else 0.5)] = math.nan
    if holes == "first":
        ys[0][:], ys[-1][: n // 2] = math.nan, math.nan
    if holes == "wild":
        ys[1][0] = 1e9
    if holes == "infinite":
        ys[0][5] = ys[3][:3] = math.inf
    shifts = np.array([shared_shift.likely_shift(y, NONE, 0) for y in ys])
    read_only(codes, *ys, shifts)
    by_codes, by_keys = np.full(n_groups * together.WIDTH, 7.0), np.full(n_groups * together.WIDTH, 7.0)
    missing, keys_missing = np.full(5 * n_groups, 7, np.int32), np.full(5 * n_groups, 7, np.int32)
    n_missing = together.add_rows_together(codes, *ys, 0, shifts, by_codes, missing, *WHOLE)
    assert n_missing == sum(np.isnan(y).sum() for y in ys) == missing.sum()
    keys, seen = codes + np.int64(-40), 0
    for first, last in ((0, 8), (8, 2000), (2000, 2000), (2000, n)):
        some = [y[first:last] for y in ys]
        seen += together.add_keys_together(keys[first:last], -40, *some, first, shifts, by_keys, keys_missing, *WHOLE)
    assert seen == n_missing
    assert by_codes.tobytes() == by_keys.tobytes()
    assert missing.tobytes() == keys_missing.tobytes()
    tables = [np.full((n_groups, 4), 7.0) for _ in ys]
    together.separate(by_codes, missing, *tables)
    for k, (y, mine) in enumerate(zip(ys, tables, strict=True)):
        alone, alone_missing = np.full((n_groups, 4), 7.0), np.full(n_groups, 7.0)
        shared_shift.add_rows(codes, y, NONE, 0, shifts[k], alone, alone_missing, *WHOLE)
        assert missing[k::5].tolist() == alone_missing.tolist()
        alone[alone_missing > 0.0, 1] = shared_shift.UNKNOWN
        if not np.isinf(y).any():  # else n is not that of the rows, and nobody asks for it
            assert mine.tobytes() == alone.tobytes()


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 129, 1000])
def test_a_run_of_any_length(length: int) -> None:
    rng = np.random.default_rng(length)
    y = rng.normal(500.0, 80.0, length)
    starts, codes = np.array([0, length], np.int32), np.zeros(1, np.int32)
    table, missing = sum_runs(starts, codes, y, np.empty(0, np.uint8), 0, 1)
    finish(table)
    check(table, missing, [0] * length, y.tolist())


def test_runs_of_any_length_one_after_the_other_have_nothing_of_each_other() -> None:
    lengths = np.random.default_rng(1).permutation(np.arange(1, 80))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    codes = np.arange(len(lengths), dtype=np.int32)
    y = np.random.default_rng(2).normal(500.0, 80.0, starts[-1])
    whole, _ = sum_runs(starts, codes, y, NONE, 0, len(codes))
    for r in codes:
        among_infinite = np.full(len(y), math.inf)
        some = slice(starts[r], starts[r + 1])
        among_infinite[some] = y[some]
        table, missing = np.full((len(codes), 4), 7.0), np.zeros(len(codes))
        assert runs.sum_runs(starts, among_infinite, NONE, 0, table, missing) == (r == 0)
        alone = np.full((1, 4), 7.0)
        assert runs.sum_runs(np.array([0, lengths[r]], np.int32), y[some].copy(), NONE, 0, alone, missing) == -1
        assert table[r].tobytes() == alone[0].tobytes() == whole[r].tobytes()
    finish(whole)
    check(whole, np.zeros(len(codes)), codes.repeat(lengths).tolist(), y.tolist())


@pytest.mark.parametrize("extra", [0, 1, 8191, 8192, 8193])
def test_a_long_run_of_few_different_values_keeps_its_digits(extra: int) -> None:
    # Each addition of a value that is no dyadic fraction may round the same way, and the error grows with their number.
    counts = np.array([fewer(300_000, times=60) + extra, fewer(200_000, times=60)])
    y = np.random.default_rng(extra).permutation(np.repeat([0.1, 0.8], counts))
    table, _ = sum_runs(np.array([0, len(y)], np.int32), np.zeros(1, np.int32), y, NONE, 0, 1)
    finish(table)
    low, high = Fraction(0.1), Fraction(0.8)
    n, m = map(int, counts)
    assert table[0, 3] == pytest.approx(float((high - low) ** 2 * n * m / (n + m)), rel=1e-13, abs=0.0)
    mean = (low * n + high * m) / (n + m)
    assert abs(Fraction(table[0, 1]) + Fraction(table[0, 2]) - mean) < Fraction(1, 10**14)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 16, 100])
@pytest.mark.parametrize("offset", [0, 1, 7, 8, 13])
def test_nulls_are_made_nan(n: int, offset: int) -> None:
    rng = np.random.default_rng(n)
    y, keep = rng.normal(size=n), rng.random(n) > 0.4
    into, valid = np.full(n + 1, 7.0), bitmap(keep, offset)
    read_only(y, valid)
    bitmaps.fill_missing(y, valid, offset, into[:n])
    assert np.array_equal(into[:n], np.where(keep, y, math.nan), equal_nan=True)
    assert into[n] == 7.0


def test_bitmaps_of_arrow_slices() -> None:
    rng = np.random.default_rng(4)
    column = pa.array([None if rng.random() < 0.3 else float(v) for v in rng.normal(size=400)])
    codes = rng.integers(0, 5, 400).astype(np.int32)
    for first, length in ((0, 400), (3, 391), (8, 100), (11, 1), (399, 1)):
        part = column.slice(first, length)
        table, missing = raw(5), np.zeros(5)
        valid = np.frombuffer(part.buffers()[0], np.uint8)
        mine = codes[first : first + length]
        own_shift.add_rows(mine, as_numpy(part), valid, part.offset, table, missing, *WHOLE)
        finish(table)
        check(table, missing, mine.tolist(), part.to_pylist())


def test_a_wild_first_value_is_recentred() -> None:
    y = np.concatenate([[501.0], np.random.default_rng(1).normal(500.0, 1e-3, 600)])
    codes, none = np.zeros(601, np.int32), np.empty(0, np.uint8)
    table, missing = raw(1), np.zeros(1)
    own_shift.add_rows(codes[1:], y[1:], none, 0, table, missing, *WHOLE)
    assert settle(table) == kernel.READY
    table = raw(1)
    own_shift.add_rows(codes, y, none, 0, table, missing, *WHOLE)  # sums of 600 about the first, which is far from them
    assert settle(table) == kernel.AGAIN
    assert table[0, 0] == 0.0
    own_shift.add_marked_rows(codes, y, none, 0, np.ones(1, np.uint8), table, *WHOLE)
    finish(table)
    check(table, missing, [0] * 601, y.tolist())
    for hole in (False, True):
        values = [*y.tolist(), *([None] if hole else [])]
        with_hole = np.array([math.nan if v is None else v for v in values])
        starts = np.array([0, len(values)], np.int32)
        table, missing = sum_runs(starts, codes[:1], with_hole, none, 0, 1)
        assert abs(table[0, 1] - 500.0) < 0.01
        finish(table)
        check(table, missing, [0] * len(values), values)


def test_a_mean_keeps_more_digits_than_a_double() -> None:
    y = 1e12 + np.arange(1, 8) / 64.0
    table, missing = raw(1), np.zeros(1)
    own_shift.add_rows(np.zeros(7, np.int32), y, np.empty(0, np.uint8), 0, table, missing, *WHOLE)
    finish(table)
    check(table, missing, [0] * 7, y.tolist())
    third = np.array([1e15, 1e15, 1e15 + 1.0])
    table = raw(1)
    own_shift.add_rows(np.zeros(3, np.int32), third, np.empty(0, np.uint8), 0, table, missing, *WHOLE)
    finish(table)
    exact = Fraction(10**15) + Fraction(1, 3)
    assert abs(Fraction(table[0, 1]) + Fraction(table[0, 2]) - exact) < Fraction(1, 10**15)


@pytest.mark.parametrize("values", [[math.inf], [math.inf, math.inf], [-math.inf, math.nan, -math.inf]])
def test_a_group_of_nothing_finite_is_found(values: list[float]) -> None:
    table, missing, y = raw(1), np.zeros(1), np.array(values)
    own_shift.add_rows(np.zeros(len(y), np.int32), y, np.empty(0, np.uint8), 0, table, missing, *WHOLE)
    assert settle(table) == kernel.NOT_FINITE
    assert runs.sum_runs(np.array([0, len(y)], np.int32), y, np.empty(0, np.uint8), 0, raw(1), missing) == 0


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e200])
def test_what_is_not_finite_is_found(value: float) -> None:
    table, missing = raw(3), np.zeros(3)
    codes, y = np.array([0, 1, 1, 2], np.int32), np.array([1.0, 2.0, value, 3.0])
    own_shift.add_rows(codes, y, np.empty(0, np.uint8), 0, table, missing, *WHOLE)
    assert settle(table) == kernel.NOT_FINITE
    assert finish(table) == 0
    starts = np.array([0, 1, 3, 4], np.int32)
    assert runs.sum_runs(starts, y, np.empty(0, np.uint8), 0, raw(3), missing) == 1


@pytest.mark.parametrize("cuts", [(), (1,), (300,), (10, 11, 12, 400)])
def test_parts_fold_to_the_whole(cuts: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    y, codes = rng.normal(1e6, 1.0, 600), rng.integers(0, 4, 600).astype(np.int32)
    into, missing = np.zeros((6, 4)), np.zeros(6)
    places = np.array([5, 0, 3, 2], np.int32)
    for first, last in zip((0, *cuts), (*cuts, 600), strict=True):
        part = raw(4)
        own_shift.add_rows(codes[first:last], y[first:last], np.empty(0, np.uint8), 0, part, np.zeros(4), *WHOLE)
        finish(part)
        kernel.fold(into, places, part)
    check(into, missing, places[codes].tolist(), y.tolist())


@pytest.mark.parametrize("gap", [0.0, 1e-3, 1.0, 30.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("cuts", [(1,), (300,), (599,), (10, 11, 12, 400)])
def test_raw_parts_fold_to_the_whole_however_far_apart(cuts: tuple[int, ...], gap: float) -> None:
    rng = np.random.default_rng(8)
    y, codes = rng.normal(500.0, 1.0, 600), rng.integers(0, 4, 600).astype(np.int32)
    edges = (0, *cuts, 600)
    for k, (first, last) in enumerate(pairwise(edges)):
        y[first:last] += gap * k
    into, missing = np.zeros((6, 4)), np.zeros(6)
    places = np.array([5, 0, 3, 2], np.int32)
    for first, last in pairwise(edges):
        part = raw(4)
        own_shift.add_rows(codes[first:last], y[first:last], np.empty(0, np.uint8), 0, part, np.zeros(4), *WHOLE)
        assert kernel.fold_raw(into[:, None], places, part[None], 0) == 4
    finish(into)
    check(into, missing, places[codes].tolist(), y.tolist())


def test_folding_stops_at_a_record_without_a_code() -> None:
    part = np.array([[2.0, 5.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 4.0, 0.0, 0.0], [1.0, 9.0, 0.0, 0.0]])
    none = np.zeros((4, 4))
    for parts in (part[None], np.stack([part, none]), np.stack([none, part])):
        i = int(parts[0, 0, 0] == 0.0)  # the outcome that has observations
        into = np.zeros((2, len(parts), 4))
        assert kernel.fold_raw(into, np.array([1, -1, -1, 0], np.int32), parts, 0) == 2
        assert into[:, i].tolist() == [[0.0] * 4, part[0].tolist()]
        assert kernel.fold_raw(into, np.array([1, -1, 0, 0], np.int32), parts, 2) == 4
        assert not np.delete(into, i, axis=1).any()
        found = into[:, i].copy()
        finish(found)
        assert found[0].tolist() == [2.0, 6.5, 0.0, 12.5]


@pytest.mark.parametrize("fields", [kernel.N_FIELDS, kernel.N_WEIGHTED])
@pytest.mark.parametrize("p", [1, 3, 5])
def test_outcomes_fold_as_each_alone(p: int, fields: int) -> None:
    rng = np.random.default_rng(10 * p + fields)
    parts = np.abs(rng.normal(50.0, 9.0, (2, p, 40, fields)))
    parts[..., 3] += parts[..., 2] ** 2
    parts[:, :, ::7, 0] = 0.0
    parts[0, p - 1, 5, 1] = 1e6  # far from the other part: `_sum_apart`
    codes = rng.permutation(60).astype(np.int32)  # longer than the part: of what later tiles brought
    into = np.zeros((60, p, fields))
    for part in parts:
        assert kernel.fold_raw(into, codes, part, 0) == 40
    for i in range(p):
        alone = np.zeros((60, 1, fields))
        for part in parts:
            kernel.fold_raw(alone, codes, part[i : i + 1].copy(), 0)
        assert alone[:, 0].tobytes() == into[:, i].tobytes()
    assert np.count_nonzero(into[:, 0, 0]) == 34


@pytest.mark.parametrize("fields", [kernel.N_FIELDS, kernel.N_WEIGHTED])
@pytest.mark.parametrize("p", [1, 3])
def test_records_are_finished_in_any_order(p: int, fields: int) -> None:
    rng = np.random.default_rng(fields)
    tables = np.abs(rng.normal(50.0, 9.0, (100, p, fields)))
    tables[..., 3] += tables[..., 2] ** 2
    tables[7, :, 0], tables[7, :, 1] = 0.0, math.nan
    order = rng.permutation(100)[:60]
    order[3] = 7
    some = np.full((p, 60, fields), 7.0)
    assert kernel.finish(tables, order, some) == -1
    for i in range(p):
        table = tables[:, i].copy()
        finish(table)
        assert some[i].tobytes() == table[order].tobytes()
        assert table[7, :4].tolist() == [0.0, 0.0, 0.0, 0.0]
    tables[order[9], p - 1, 2] = math.inf
    assert kernel.finish(tables, order, some) == p - 1
    tables[order[10], 0, 3] = math.nan
    assert kernel.finish(tables, order, some) == 0


def test_sums_about_a_first_value_far_off_keep_their_digits() -> None:
    """Up to so far that they aren't made again about the mean."""
    rng = np.random.default_rng(3)
    for offs in np.linspace(5.0, 16.0, fewer(12, at_least=4)).tolist():
        y = 7.1 + 0.1 * rng.integers(0, 2, 1900)
        y[0] = y[1:].mean() + 0.05 * offs
        codes, starts = np.zeros(1900, np.int32), np.array([0, 1900], np.int32)
        table, _ = sum_runs(starts, codes[:1], y, NONE, 0, 1)
        twin = naive.groups(codes.tolist(), y.tolist())[0]
        finish(table)
        assert table[0, 3] == pytest.approx(float(twin.ss), rel=6e-13, abs=0.0)
        for shift in (y[0], y[0] + 1.0):
            about, missing = np.zeros((1, 4)), np.zeros(1)
            shared_shift.add_rows(codes, y, NONE, 0, shift, about, missing, *WHOLE)
            if shared_shift.settle_rows(codes, y, NONE, 0, shift, about):
                finish(about)
                assert about[0, 3] == pytest.approx(float(twin.ss), rel=6e-13, abs=0.0)
