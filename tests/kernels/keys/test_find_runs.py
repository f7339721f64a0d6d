"""Runs of equal keys, against a slow twin."""

from __future__ import annotations

from itertools import pairwise

import naive
import numpy as np
import pytest

from fastml.kernels.keys import find_runs


@pytest.mark.parametrize("length", [8, 9, 63, 64, 65, 127, 128, 129, 1000])
def test_runs(length: int) -> None:
    rng = np.random.default_rng(length)
    for p in (0.0, 0.02, 0.05, 0.5, 1.0):
        keys = np.cumsum(rng.random(length) < p).astype(np.int64)
        expected = naive.runs(keys.tolist())[:-1]
        starts, firsts = np.full(len(expected) + 1, -1, np.int32), np.full(len(expected), -1, np.int64)
        assert find_runs.find_runs(keys, 0, 0, starts, firsts) == len(expected)
        assert starts.tolist() == [*expected, -1]
        assert firsts.tolist() == keys[expected].tolist()
        assert find_runs.find_runs(keys, 0, 0, starts, firsts[:-1]) == -1  # there is no room


@pytest.mark.parametrize("seed", range(20))
def test_runs_go_on_after_the_rows_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = np.repeat(rng.integers(0, 3, 40), rng.integers(1, 90, 40)).astype(np.int64)
    expected = naive.runs(keys.tolist())[:-1]
    ends = [0, *np.unique(rng.integers(1, len(keys), rng.integers(1, 9))).tolist(), len(keys)]
    starts, firsts, count = np.full(40, -1, np.int32), np.full(len(expected), -1, np.int64), 0
    for first, end in pairwise(ends):
        count = find_runs.find_runs(keys[first:end], first, count, starts, firsts)
    assert starts[:count].tolist() == expected
    assert firsts.tolist() == keys[expected].tolist()


@pytest.mark.parametrize("place", [0, 1, 31, 62, 63])
def test_the_lowest_bit_of_a_word(place: int) -> None:
    high = 0xF0F0F0F0F0F0F0F0 << place & (2**64 - 1)
    lowest_bit = getattr(find_runs.lowest_bit, "py_func", find_runs.lowest_bit)  # compiled, only kernels call it
    with np.errstate(over="ignore"):
        assert lowest_bit(np.uint64(high | 1 << place)) == place


def test_runs_of_codes_are_those_of_the_same_keys() -> None:
    codes = np.repeat(np.arange(40), np.random.default_rng(4).integers(10, 90, 40)).astype(np.int32)
    for first in (0, 5):  # all of them, and rows that follow others
        starts, firsts = np.zeros(41, np.int32), np.zeros(41, np.int32)
        wide_starts, wide = np.zeros(41, np.int32), np.zeros(41, np.int64)
        count = find_runs.find_runs_of_codes(codes, first, first // 5, starts, firsts)
        assert find_runs.find_runs(codes.astype(np.int64), first, first // 5, wide_starts, wide) == count
        assert starts.tolist() == wide_starts.tolist()
        assert firsts.tolist() == wide.tolist()
