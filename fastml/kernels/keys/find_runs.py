"""Runs of equal keys: rows that lie sorted or clustered by group."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.ahead import fetch_ahead
from fastml.kernels.jit import I4_IN, I4_OUT, I8_IN, I8_OUT, inner, kernel

__all__ = ["FIRST_RUNS", "ONE", "ROWS_PER_RUN", "find_runs", "find_runs_of_codes", "lowest_bit"]

ONE = np.uint64(1)
ROWS_PER_RUN = 8  # at least, for rows to be taken for clustered
FIRST_RUNS = 4096  # after which rows are given up that are not clustered

# Multiplied by a single bit, the top six bits of this de Bruijn sequence are different for each bit.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_BY_TOP = np.argsort((_DE_BRUIJN << np.arange(64, dtype=np.uint64)) >> np.uint64(58))


@inner
def lowest_bit(word):
    """Position of the lowest bit that is set, of a word that isn't 0."""
    return _BIT_BY_TOP[((word & (~word + ONE)) * _DE_BRUIJN) >> np.uint64(58)]


@inner
def _find_runs(keys, tile_rows, starts, firsts):
    n = keys.shape[0]
    count = 0
    for tile in range(0, n, tile_rows):
        end = min(tile + tile_rows, n)
        before = count
        room = before + (end - tile) // ROWS_PER_RUN
        if count == room:
            return -1
        starts[count] = tile
        firsts[count] = keys[tile]
        count += 1
        # A bit for each of 64 rows tells whether its key differs from the one before, which takes no branch.
        for at in range(tile + 1, end, 64):
            if count - before > FIRST_RUNS and 4 * (count - before) > at - tile:
                return -1
            first, stop, changes = np.uint64(at), np.uint64(min(at + 64, end)), np.uint64(0)
            fetch_ahead(keys, first, stop)
            for i in range(first, stop):
                changes |= np.uint64(keys[i] != keys[i - ONE]) << (i - first)
            while changes != 0:
                if count == room:
                    return -1
                row = np.uint64(at + lowest_bit(changes))
                starts[count] = row
                firsts[count] = keys[row]
                count += 1
                changes &= changes - ONE
    starts[count] = n
    return count


@kernel(I8_IN, types.int64, I4_OUT, I8_OUT)
def find_runs(keys, tile_rows, starts, firsts):
    """Note the first row of each run of equal keys in `starts`, then the number of rows; return the number of runs.

    The key of each run goes to `firsts`: here it is in the cache, later it would have to be read again. A run ends
    where a tile of `tile_rows` ends. Returns -1 as soon as a tile has fewer than `ROWS_PER_RUN` rows for each run, the
    number that there has to be room for, or where its first thousands are shorter than four rows each.
    """
    return _find_runs(keys, tile_rows, starts, firsts)


@kernel(I4_IN, types.int64, I4_OUT, I4_OUT)
def find_runs_of_codes(keys, tile_rows, starts, firsts):
    """As `find_runs`, for codes of 32 bits: to widen them first takes half as long again."""
    return _find_runs(keys, tile_rows, starts, firsts)
