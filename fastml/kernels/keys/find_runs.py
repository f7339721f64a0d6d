"""Runs of equal keys: rows that lie sorted or clustered by group."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.ahead import fetch_ahead
from fastml.kernels.jit import I4_IN, I4_OUT, I8_IN, I8_OUT, inner, kernel

__all__ = ["ONE", "ROWS_PER_RUN", "find_runs", "find_runs_of_codes", "lowest_bit"]

ONE = np.uint64(1)
ROWS_PER_RUN = 8  # at least, for rows to be taken for clustered
FIRST_ROWS, FIRST_RUNS = 4096, 1024  # with more runs in its first rows, a tile isn't taken for clustered

# Multiplied by a single bit, the top six bits of this de Bruijn sequence are different for each bit.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_BY_TOP = np.argsort((_DE_BRUIJN << np.arange(64, dtype=np.uint64)) >> np.uint64(58))


@inner
def lowest_bit(word):
    """Position of the lowest bit that is set, of a word that isn't 0."""
    return _BIT_BY_TOP[((word & (~word + ONE)) * _DE_BRUIJN) >> np.uint64(58)]


@inner
def _find_runs(keys, rows_before, runs_before, starts, firsts):
    # Unsigned, so that Numba needn't ask whether a place is negative.
    n, room, before, count = keys.shape[0], np.uint64(firsts.shape[0]), np.uint64(rows_before), np.uint64(runs_before)
    if count == 0 or firsts[count - ONE] != keys[0]:
        if count == room or (count == FIRST_RUNS and before < FIRST_ROWS):
            return -1
        starts[count] = before
        firsts[count] = keys[0]
        count += ONE
    # A bit for each of 64 rows tells whether its key differs from the one before, which takes no branch.
    for at in range(1, n, 64):
        first, stop, changes = np.uint64(at), np.uint64(min(at + 64, n)), np.uint64(0)
        fetch_ahead(keys, first, stop)
        for i in range(first, stop):
            changes |= np.uint64(keys[i] != keys[i - ONE]) << (i - first)
        while changes != 0:
            row = np.uint64(at + lowest_bit(changes))
            if count == room or (count == FIRST_RUNS and before + row < FIRST_ROWS):
                return -1
            starts[count] = before + row
            firsts[count] = keys[row]
            count += ONE
            changes &= changes - ONE
    return np.int64(count)


@kernel(I8_IN, types.int64, types.int64, I4_OUT, I8_OUT)
def find_runs(keys, rows_before, runs_before, starts, firsts):
    """Note the first row of each run of equal keys in `starts`; return the number of runs.

    It is -1 where there are more than there is room for, or more than `FIRST_RUNS` in the first `FIRST_ROWS`.
    The key of each run goes to `firsts` (room,): here it is in the cache, later it would have to be read again.
    `rows_before` rows in `runs_before` runs came before; the last of those runs may go on. There is at least one key.
    """
    return _find_runs(keys, rows_before, runs_before, starts, firsts)


@kernel(I4_IN, types.int64, types.int64, I4_OUT, I4_OUT)
def find_runs_of_codes(keys, rows_before, runs_before, starts, firsts):
    """As `find_runs`, for codes of 32 bits: to widen them first takes half as long again."""
    return _find_runs(keys, rows_before, runs_before, starts, firsts)
