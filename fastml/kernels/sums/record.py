"""The record of a group: its layout, what a row adds to it, and whether its sums have kept their digits.

    raw                n (or the sum of weights), shift, and about the shift the sums of d and d^2
    finished           n, mean (the nearest double), residual (the mean less that double), ss (about the mean)
    raw, of both       n, shift, and the sums of d, d^2, w, w d, w d^2 and w^2, all about one shift

A record is a row of a table, so that a row of the data touches 32 bytes in one place, or 64 with weights. A record of
weights has a fifth field, the sum of the squared weights.
"""

from __future__ import annotations

import math

import numpy as np

from fastml.kernels.ahead import fetch
from fastml.kernels.jit import TABLE_OUT, U1_OUT, inner, kernel

__all__ = [
    "BLOCK",
    "MANY_WEIGHTED",
    "N_BOTH",
    "N_FIELDS",
    "N_WEIGHTED",
    "ROWS",
    "all_within",
    "fetch_records",
    "find_off",
    "flush",
    "greatest_of",
    "is_good",
    "is_off",
    "rows_of_weights",
]

N_FIELDS, N_WEIGHTED, N_BOTH = 4, 5, 8

# Rows in any order are looked at so many at a time: whether their keys are within the range, and whether one is NaN. It
# is a cache line of them, and few enough that the processor runs the next ones' checks beside these ones' additions.
ROWS = 8

# Doubles of a table that stays in the second-level cache, beside rows on their way; and how many rows a record of a
# larger one is asked for before its turn, which is long enough to come from the third level.
_NEAR, _ROWS_AHEAD = 24_000, 16

# Rows of a run that are added up apart, as each addition of one of few different values to a long sum may round alike.
BLOCK = 256

# Sums of squares about a shift that are so many times those about the mean lose digits when the mean's are taken off.
# Of many rows they have lost some already, as each addition of one of few different values may round alike.
_CANCELLATION, _LEAST_CANCELLATION, _ROWS_TIMES_CANCELLATION = 64.0, 4.0, 16384.0
MANY_WEIGHTED = 1024.0  # rows
_LARGE = 64.0  # rows of a group whose sums are worth flushing


@inner
def all_within(keys, low, most, start, count):
    """Whether keys lie from `low` to `low` + `most`: neither difference then has its sign bit set."""
    signs = np.int64(0)
    for k in range(count):
        above = keys[start + k] - low
        signs |= above | (most - above)
    return signs >= 0


@inner
def fetch_records(records, width, keys, base, start):
    """Ask for the records of rows that come a while after `start`, where the caches don't hold all records."""
    if records.shape[0] > _NEAR:
        ahead = min(start + np.uint64(_ROWS_AHEAD), np.uint64(keys.shape[0]) - np.uint64(ROWS))
        for k in range(np.uint64(ROWS)):
            fetch(records, (np.uint64(keys[ahead + k]) - base) * np.uint64(width))


@inner
def greatest_of(greatest, values, start, stop):
    """The greatest of a number and some values, of which NaN is none."""
    for i in range(start, stop):
        greatest = values[i] if values[i] > greatest else greatest
    return greatest


@inner
def is_off(n, total, squares, rows):
    """Whether the shift is so far from the values that digits cancel in the sums about it, those of so many rows."""
    limit = _CANCELLATION
    if limit * rows > _ROWS_TIMES_CANCELLATION:
        limit = max(_LEAST_CANCELLATION, _ROWS_TIMES_CANCELLATION / rows)
    return squares > limit * (squares - total * (total / n))


@inner
def is_good(n, shift, total, squares, rows):
    """Whether a record's values are finite, and its sums have kept their digits."""
    finite = (squares < math.inf) & ((n == 0.0) | (abs(shift) < math.inf))
    return finite & (not is_off(n, total, squares, rows))


@inner
def rows_of_weights(w_sum, w_square):
    """Number of rows that a weighted record is of; less where weights differ, and then don't round alike; or many.

    The shift of a weighted record is a value of its group, seldom one far off, and to recentre it takes several times
    as long as the pass.
    """
    return min(w_sum * w_sum / w_square, MANY_WEIGHTED)


@kernel(TABLE_OUT, U1_OUT)
def find_off(table, off):
    """Note in `off` (K,) which raw records (K, 4) have lost digits or aren't finite; return how many."""
    count = 0
    for g in range(np.uint64(table.shape[0])):
        n = table[g, 0]
        good = is_good(n, table[g, 1], table[g, 2], table[g, 3], n)
        off[g] = not good
        count += not good
    return count


@kernel(TABLE_OUT, TABLE_OUT)
def flush(table, accumulator):
    """Add the sums of large groups, all fields but two, to those of the accumulator, and begin them anew."""
    for g in range(np.uint64(table.shape[0])):
        if table[g, 0] >= _LARGE:
            for field in range(np.uint64(2), np.uint64(table.shape[1])):
                accumulator[g, field] += table[g, field]
                table[g, field] = 0.0
