"""Runs of equal keys, against a slow twin."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from fastml.kernels.keys import find_runs


@pytest.mark.parametrize("length", [8, 9, 63, 64, 65, 127, 128, 129, 1000])
def test_runs(length: int) -> None:
    from fastml.kernels.keys import find_runs

    find = find_runs.find_runs
    rng = np.random.default_rng(length)
    for p in (0.0, 0.02, 0.05, 0.5, 1.0):
        keys = np.cumsum(rng.random(length) < p).astype(np.int64)
        expected = naive.runs(keys.tolist())
        starts, firsts = np.full(len(expected), -1, np.int32), np.full(len(expected), -1, np.int64)
        if len(expected) - 1 > length // find_runs.ROWS_PER_RUN:
            assert find(keys, length, starts, firsts) == -1
            continue
        assert find(keys, length, starts, firsts) == len(expected) - 1
        assert starts.tolist() == expected
        assert firsts[:-1].tolist() == keys[expected[:-1]].tolist()
    assert find(np.zeros(7, np.int64), 7, np.zeros(4, np.int32), np.zeros(4, np.int64)) == -1


def test_runs_end_with_their_tiles() -> None:
    from fastml.kernels.keys import find_runs

    find = find_runs.find_runs
    keys = np.repeat(np.arange(40), np.random.default_rng(4).integers(10, 90, 40)).astype(np.int64)
    for tile_rows in (64, 100, 128, 333, len(keys), 5000):
        starts, firsts = np.full(len(keys) // 8 + 1, -1, np.int32), np.full(len(keys) // 8, -1, np.int64)
        expected = []
        for first in range(0, len(keys), tile_rows):
            expected += [first + start for start in naive.runs(keys[first : first + tile_rows].tolist())[:-1]]
        if len(keys) % tile_rows < find_runs.ROWS_PER_RUN and tile_rows < len(keys):
            assert find(keys, tile_rows, starts, firsts) == -1  # the last tile has no room for a run
            continue
        assert find(keys, tile_rows, starts, firsts) == len(expected)
        assert starts[: len(expected) + 1].tolist() == [*expected, len(keys)]
        assert firsts[: len(expected)].tolist() == keys[expected].tolist()
    keys[200:300] = np.arange(100)  # one tile that isn't clustered
    assert find(keys, 100, starts, firsts) == -1


@pytest.mark.parametrize("place", [0, 1, 31, 62, 63])
def test_the_lowest_bit_of_a_word(place: int) -> None:
    high = 0xF0F0F0F0F0F0F0F0 << place & (2**64 - 1)
    lowest_bit = getattr(find_runs.lowest_bit, "py_func", find_runs.lowest_bit)  # compiled, only kernels call it
    with np.errstate(over="ignore"):
        assert lowest_bit(np.uint64(high | 1 << place)) == place


def test_runs_of_codes_are_those_of_the_same_keys() -> None:
    codes = np.repeat(np.arange(40), np.random.default_rng(4).integers(10, 90, 40)).astype(np.int32)
    for tile_rows in (100, len(codes)):
        starts, firsts = np.empty(len(codes) // 8 + 1, np.int32), np.empty(len(codes) // 8, np.int32)
        count = find_runs.find_runs_of_codes(codes, tile_rows, starts, firsts)
        found = starts[: count + 1].tolist(), firsts[:count].tolist()
        wide = np.empty(len(codes) // 8, np.int64)
        assert find_runs.find_runs(codes.astype(np.int64), tile_rows, starts, wide) == count
        assert found == (starts[: count + 1].tolist(), wide[:count].tolist())
