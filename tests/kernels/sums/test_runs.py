"""Sums of runs against fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import naive
import numpy as np
import numpy.typing as npt
import pytest
from conftest import fewer
from records import add_rows, check, off, read_only

from fastml.kernels.sums import moments, runs
from fastml.kernels.sums.moments import finish
from fastml.kernels.sums.record import N_FIELDS

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


def sum_runs(starts: Codes, codes: Codes, y: Floats, n_groups: int) -> tuple[Floats, Floats]:
    """Raw records and missing rows of the groups (n_groups, ...) whose code each run has."""
    records, missing = np.full((len(codes), N_FIELDS), 7.0), np.full(len(codes), 7.0)
    assert runs.sum_runs(starts, y, records, missing, np.empty(1)) == -1
    table = np.zeros((n_groups, N_FIELDS))
    assert moments.fold_raw(table[:, None], codes, records[None], 0) == len(codes)
    return table, np.bincount(codes, missing, n_groups)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 129, 1000])
def test_a_run_of_any_length(length: int) -> None:
    rng = np.random.default_rng(length)
    y = rng.normal(500.0, 80.0, length)
    starts, codes = np.array([0, length], np.int32), np.zeros(1, np.int32)
    table, missing = sum_runs(starts, codes, y, 1)
    finish(table)
    check(table, missing, [0] * length, y.tolist())


@pytest.mark.parametrize("seed", range(20))
def test_the_greatest_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 3000, 12)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    y = rng.normal(rng.choice([-1e6, 0.0, 500.0]), 80.0, starts[-1])
    y[rng.random(len(y)) < rng.choice([0.0, 0.3, 1.0])] = math.nan
    if seed % 2:
        y.sort()
    top = np.full(1, 7.0)
    runs.sum_runs(starts, y, np.empty((12, 4)), np.empty(12), top)
    assert top[0] == max((value for value in y.tolist() if value == value), default=-math.inf)


def test_runs_of_any_length_one_after_the_other_have_nothing_of_each_other() -> None:
    lengths = np.random.default_rng(1).permutation(np.arange(1, 80))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    codes = np.arange(len(lengths), dtype=np.int32)
    y = np.random.default_rng(2).normal(500.0, 80.0, starts[-1])
    whole, _ = sum_runs(starts, codes, y, len(codes))
    for r in codes:
        among_infinite = np.full(len(y), math.inf)
        some = slice(starts[r], starts[r + 1])
        among_infinite[some] = y[some]
        table, missing = np.full((len(codes), 4), 7.0), np.zeros(len(codes))
        assert runs.sum_runs(starts, among_infinite, table, missing, np.empty(1)) == (r == 0)
        alone = np.full((1, 4), 7.0)
        assert runs.sum_runs(np.array([0, lengths[r]], np.int32), y[some].copy(), alone, missing, np.empty(1)) == -1
        assert table[r].tobytes() == alone[0].tobytes() == whole[r].tobytes()
    finish(whole)
    check(whole, np.zeros(len(codes)), codes.repeat(lengths).tolist(), y.tolist())


@pytest.mark.parametrize("extra", [0, 1, 8191, 8192, 8193])
def test_a_long_run_of_few_different_values_keeps_its_digits(extra: int) -> None:
    # Each addition of a value that is no dyadic fraction may round the same way, and the error grows with their number.
    counts = np.array([fewer(300_000, times=60) + extra, fewer(200_000, times=60)])
    y = np.random.default_rng(extra).permutation(np.repeat([0.1, 0.8], counts))
    table, _ = sum_runs(np.array([0, len(y)], np.int32), np.zeros(1, np.int32), y, 1)
    finish(table)
    low, high = Fraction(0.1), Fraction(0.8)
    n, m = map(int, counts)
    assert table[0, 3] == pytest.approx(float((high - low) ** 2 * n * m / (n + m)), rel=1e-13, abs=0.0)
    mean = (low * n + high * m) / (n + m)
    assert abs(Fraction(table[0, 1]) + Fraction(table[0, 2]) - mean) < Fraction(1, 10**14)


@pytest.mark.parametrize("hole", [False, True])
def test_a_run_whose_first_value_is_an_outlier_is_recentred(hole: bool) -> None:
    y = np.concatenate([[501.0], np.random.default_rng(1).normal(500.0, 1e-3, 600), [math.nan] * hole])
    table, missing = sum_runs(np.array([0, len(y)], np.int32), np.zeros(1, np.int32), y, 1)
    assert abs(table[0, 1] - 500.0) < 0.01
    finish(table)
    check(table, missing, [0] * len(y), y.tolist())


@pytest.mark.parametrize("holes", ["none", "some", "first", "all"])
def test_values_that_are_missing_are_counted(holes: str) -> None:
    rng = np.random.default_rng(5)
    codes = np.sort(rng.integers(0, 9, 700)).astype(np.int32)
    y = rng.normal(500.0, 80.0, 700)
    y[{"none": [], "some": rng.random(700) < 0.1, "first": slice(0, 300), "all": slice(None)}[holes]] = math.nan
    starts = np.array(naive.runs(codes.tolist()), np.int32)
    read_only(codes, y, starts)
    table, missing = sum_runs(starts, codes[starts[:-1]], y, 9)
    finish(table)
    check(table, missing, codes.tolist(), y.tolist())


@pytest.mark.parametrize("values", [[math.inf], [-math.inf, math.nan, -math.inf], [2.0, math.inf], [2.0, 1e200]])
def test_what_is_not_finite_is_found(values: list[float]) -> None:
    y, missing = np.array([1.0, *values, 3.0]), np.zeros(3)
    starts = np.array([0, 1, len(y) - 1, len(y)], np.int32)
    assert runs.sum_runs(starts, y, np.zeros((3, 4)), missing, np.empty(1)) == 1


def test_sums_about_a_first_value_far_off_keep_their_digits() -> None:
    """Up to so far that they aren't made again about the mean."""
    rng = np.random.default_rng(3)
    for offs in np.linspace(5.0, 16.0, fewer(12, at_least=4)).tolist():
        y = 7.1 + 0.1 * rng.integers(0, 2, 1900)
        y[0] = y[1:].mean() + 0.05 * offs
        codes, starts = np.zeros(1900, np.int32), np.array([0, 1900], np.int32)
        table, _ = sum_runs(starts, codes[:1], y, 1)
        twin = naive.groups(codes.tolist(), y.tolist())[0]
        finish(table)
        assert table[0, 3] == pytest.approx(float(twin.ss), rel=6e-13, abs=0.0)
        about, missing = np.zeros((1, 4)), np.zeros(1)
        add_rows(codes.astype(np.int64), 0, y, about, missing)
        if off(about) == [False]:
            finish(about)
            assert about[0, 3] == pytest.approx(float(twin.ss), rel=6e-13, abs=0.0)
