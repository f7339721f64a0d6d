"""The kernels for rows with weights against fractions: runs and rows in any order, and what may be a weight."""

from __future__ import annotations

import math
from fractions import Fraction

import naive
import numpy as np
import numpy.typing as npt
import pytest
from conftest import fewer

from fastml.kernels.sums import moments
from fastml.kernels.sums import weighted as kernel
from fastml.kernels.sums.record import N_BOTH

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
ULP = Fraction(2) ** -52
LIMITS = (1e-100, 1e100)


def greatest(values: Floats) -> float:
    return max((value for value in values.tolist() if value == value), default=-math.inf)


def by_rows(codes: Codes, y: Floats, w: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    """Both raw records of each group, and its missing rows, as of rows in any order."""
    both, missing, keys = np.zeros((n, N_BOTH)), np.zeros(n), codes.astype(np.int64)
    records, weighted = np.full((n, 4), 7.0), np.full((n, 5), 7.0)
    top = np.full(2, -math.inf)
    assert kernel.add_rows_weighted(keys, 0, y, w, *LIMITS, both, missing, top)
    assert top.tolist() == [greatest(y), greatest(w)]
    by_keys, keys_missing = np.zeros((n, N_BOTH)), np.zeros(n)
    assert kernel.add_rows_weighted(keys - 2**40, -(2**40), y, w, *LIMITS, by_keys, keys_missing, np.empty(2))
    assert by_keys.tobytes() == both.tobytes()
    assert keys_missing.tobytes() == missing.tobytes()
    assert kernel.separate(both, records, weighted, np.empty(n, np.uint8)) == 0
    return records, weighted, missing


def by_runs(codes: Codes, y: Floats, w: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    """The same of runs, folded."""
    starts = np.array(naive.runs(codes.tolist()), np.int32)
    of_run = codes[starts[:-1]]
    records, weighted, missing = (
        np.full((len(of_run), 4), 7.0),
        np.full((len(of_run), 5), 7.0),
        np.full(len(of_run), 7.0),
    )
    top = np.full(2, 7.0)
    assert kernel.sum_runs_weighted(starts, y, w, *LIMITS, records, weighted, missing, top) == -1
    assert top.tolist() == [greatest(y), greatest(w)]
    whole, whole_weighted = np.zeros((n, 4)), np.zeros((n, 5))
    assert moments.fold_raw(whole[:, None], of_run, records[None], 0) == len(of_run)
    assert moments.fold_raw(whole_weighted[:, None], of_run, weighted[None], 0) == len(of_run)
    return whole, whole_weighted, np.bincount(of_run, missing, n)


def check(found: tuple[Floats, Floats, Floats], codes: Codes, y: Floats, w: Floats, rel: float = 1e-12) -> None:
    """Both records of each group, finished, are those of fractions; `y` is NaN where it is missing."""
    records, weighted, missing = found
    for table in (records, weighted):
        moments.finish(table)
    used = (w > 0.0) & ~np.isnan(y)
    for g in range(len(records)):
        mine = used & (codes == g)
        assert missing[g] == (codes == g).sum() - mine.sum()
        assert records[g, 0] == mine.sum()
        if not mine.any():
            assert weighted[g].tolist() == [0.0] * 5
            continue
        values = y[mine].tolist()
        plain, twin = naive.weighted(values, [1.0] * len(values)), naive.weighted(values, w[mine].tolist())
        assert weighted[g, [0, 4]].tolist() == pytest.approx([float(twin.w), float(twin.w2)], rel=1e-15 * mine.sum())
        for row, exact in ((records[g], plain), (weighted[g], twin)):
            # Weights that are alike are rounded alike: the error of their sum grows with their number.
            size = max(abs(Fraction(v) - exact.mean) for v in (min(values), max(values)))
            least = Fraction(2) ** -100 * abs(exact.mean)
            assert abs(Fraction(row[1]) + Fraction(row[2]) - exact.mean) <= (int(mine.sum()) + 15) * ULP * size + least
            assert row[3] == pytest.approx(float(exact.ss), rel=rel, abs=0.0)


@pytest.mark.parametrize("seed", [0, 1, 13])
@pytest.mark.parametrize("holes", ["none", "null", "nan", "no weight", "zero weight", "all of these", "one group"])
@pytest.mark.parametrize("n_groups", [1, 9, 150])
@pytest.mark.parametrize("shape", ["clustered", "shuffled"])
def test_weighted_rows_and_runs(shape: str, n_groups: int, holes: str, seed: int) -> None:
    rng = np.random.default_rng(seed + n_groups)
    n = fewer(900, times=4, at_least=225)
    codes = rng.integers(0, n_groups, n).astype(np.int32)  # of 151 groups the last has no row
    codes = np.sort(codes) if shape == "clustered" else codes
    y, w, keep = rng.normal(500.0, 80.0, n), rng.gamma(2.0, 1.5, n) + 0.01, np.ones(n, bool)
    some = holes == "all of these"
    if holes == "null" or some:
        keep = rng.random(n) > 0.1
    if holes == "nan" or some:
        y[rng.random(n) < 0.1] = math.nan
    if holes == "no weight" or some:
        w[rng.random(n) < 0.1] = math.nan
    if holes == "zero weight" or some:
        w[rng.random(n) < 0.1] = 0.0
    if holes == "one group":
        w[codes == 0] = 0.0
    values = np.where(keep, y, math.nan)
    for array in (codes, values, w):
        array.flags.writeable = False
    for road in (by_rows, by_runs):
        check(road(codes, values, w, n_groups + 1), codes, values, w)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 63, 64, 65, 1000])
def test_of_any_length_and_in_tables_of_any_size(n: int) -> None:
    rng = np.random.default_rng(n)
    y, w = rng.normal(500.0, 80.0, n), rng.gamma(2.0, 1.5, n) + 0.01
    one = np.zeros(n, np.int32)
    for road in (by_rows, by_runs):
        check(road(one, y, w, 1), one, y, w)
    many = rng.integers(0, 4000, n).astype(np.int32)  # whose records are asked for ahead
    records, weighted, missing = by_rows(many, y, w, 4000)
    labels, codes = np.unique(many, return_inverse=True)
    check((records[labels], weighted[labels], missing[labels]), codes.astype(np.int32), y, w)


def test_weights_of_one_give_what_rows_give() -> None:
    rng = np.random.default_rng(3)
    codes, y = rng.integers(0, 9, 800).astype(np.int32), rng.normal(500.0, 80.0, 800)
    for road in (by_rows, by_runs):
        records, weighted, _ = road(codes, y, np.ones(800), 9)
        assert np.allclose(weighted[:, :4], records, rtol=1e-13, atol=0.0)
        assert weighted[:, 4].tolist() == records[:, 0].tolist()


def test_each_record_is_about_its_own_mean() -> None:
    rng = np.random.default_rng(4)
    y = np.concatenate([[1e6], rng.normal(500.0, 1.0, 600), [900.0]])
    w, codes = np.ones(602), np.zeros(602, np.int32)
    w[1:601] = 1e-9  # the mean of rows is near 500, that of weights is not
    check(by_runs(codes, y, w, 1), codes, y, w)
    w[:] = 1.0
    w[601] = 1e12  # all but one have next to no weight
    check(by_runs(codes, y, w, 1), codes, y, w)
    y[-1] = math.nan
    check(by_runs(codes, y, w, 1), codes, y, w)
    wild, light = np.array([-3e11, 0.1, 0.1, 0.1] * 3), np.array([1e-17, 1e20, 1e20, 1e20] * 3)
    check(by_runs(codes[:12], wild, light, 1), codes[:12], wild, light)  # the step to the mean ends beside it
    both, missing, marks = np.zeros((1, N_BOTH)), np.zeros(1), np.zeros(1, np.uint8)
    y[0], y[-1] = -1e9, 500.0
    kernel.add_rows_weighted(codes.astype(np.int64), 0, y, w, *LIMITS, both, missing, np.empty(2))
    assert kernel.separate(both, np.zeros((1, 4)), np.zeros((1, 5)), marks) == marks[0] == 1


@pytest.mark.parametrize(
    "values", [[math.inf], [math.inf, math.inf], [-math.inf, math.nan], [1.0, math.inf], [1e200, 1.0]]
)
def test_what_is_not_finite_is_found(values: list[float]) -> None:
    y, keys = np.array(values), np.zeros(len(values), np.int64)
    records, weighted, marks = np.zeros((1, 4)), np.zeros((1, 5)), np.zeros(1, np.uint8)
    starts = np.array([0, len(y)], np.int32)
    for w in (np.ones(len(y)), np.full(len(y), 3.0)):
        both, missing = np.zeros((1, N_BOTH)), np.zeros(1)
        kernel.add_rows_weighted(keys, 0, y, w, *LIMITS, both, missing, np.empty(2))
        assert kernel.separate(both, records, weighted, marks) == marks[0] == 1
        assert kernel.sum_runs_weighted(starts, y, w, *LIMITS, records, weighted, missing, np.empty(2)) == 0
    w = np.zeros(len(y))  # what has no weight may be anything
    both, missing = np.zeros((1, N_BOTH)), np.zeros(1)
    kernel.add_rows_weighted(keys, 0, y, w, *LIMITS, both, missing, np.empty(2))
    assert kernel.separate(both, records, weighted, marks) == marks[0] == 0
    assert kernel.sum_runs_weighted(starts, y, w, *LIMITS, records, weighted, missing, np.empty(2)) == -1
    assert missing.tolist() == [len(y)]


@pytest.mark.parametrize("bad", [-1, 10, 2**63 - 1, -(2**63), 2**40])
@pytest.mark.parametrize("place", [0, 1, 1023, 1024, 2999])
def test_a_key_without_a_record_is_seen_before_anything_is_written(place: int, bad: int) -> None:
    keys, y = np.random.default_rng(place).integers(0, 10, 3000), np.ones(3000)
    keys[place] = bad
    both, missing = np.full((12, 8), 7.0), np.full(12, 7.0)
    assert not kernel.add_rows_weighted(keys, 0, y, y, *LIMITS, both[1:11], missing[1:11], np.empty(2))
    assert (both[[0, 11]] == 7.0).all()
    assert (missing[[0, 11]] == 7.0).all()


@pytest.mark.parametrize("bad", [-1.0, math.inf, -math.inf, 1e-101, 1e101, -1e-300])
def test_the_first_bad_weight_is_found(bad: float) -> None:
    weights = np.ones(300)
    weights[[3, 70]] = math.nan, 0.0
    assert kernel.check_weights(weights, *LIMITS, True) == (-1, 2, 1.0)
    assert kernel.check_weights(weights, *LIMITS, False) == (70, 2, 1.0)
    weights[[200, 250]] = bad, -2.0
    assert kernel.check_weights(weights, *LIMITS, True)[0] == 200
    weights[299] = 1.5
    assert kernel.check_weights(weights, *LIMITS, True)[2] == max(1.5, bad)
    assert kernel.check_weights(weights[:0], *LIMITS, True) == (-1, 0, -math.inf)


def test_rows_without_a_weight_are_counted() -> None:
    weights, codes = np.array([1.0, math.nan, 0.0, math.nan, 2.0]), np.array([0, 0, 1, 1, 1], np.int32)
    counts = np.zeros((3, 3))
    kernel.count_weights(codes, weights, counts)
    assert counts.tolist() == [[0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]


def test_one_value_a_group() -> None:
    codes = np.array([0, 1, 0, 1, 1], np.int32)
    known = np.full(2, math.nan)
    assert kernel.same_in_group(codes, np.array([2.0, 3.0, math.nan, 3.0, 3.0]), known) == -1
    assert known.tolist() == [2.0, 3.0]
    assert kernel.same_in_group(codes, np.array([2.0, 3.0, 2.0, 4.0, 3.0]), known) == 3


def test_one_value_a_run() -> None:
    starts, known = np.array([0, 3, 4, 8], np.int32), np.full(3, 7.0)
    values = np.array([2.0, 2.0, 2.0, math.nan, math.nan, 5.0, math.nan, 5.0])
    assert kernel.run_values(starts, values, known) == -1
    assert np.array_equal(known, [2.0, math.nan, 5.0], equal_nan=True)
    values[[6, 7]] = 6.0
    assert kernel.run_values(starts, values, known) == 6
    assert known[2] == 5.0
    values[1] = 3.0
    assert kernel.run_values(starts, values, known) == 1
