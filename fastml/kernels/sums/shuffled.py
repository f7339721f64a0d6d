"""Rows in any order into raw records, each about the first value of its group."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, I4_OUT, I8_IN, TABLE_OUT, U1_IN, exact, kernel
from fastml.kernels.sums.record import ROWS, all_within

__all__ = ["add_rows", "select_rows"]


@exact
def _add_value(table, g, value):
    """Add a value to a record. Nothing is fused, so that a row gives the same bits wherever it stands."""
    if table[g, 0] == 0.0:
        table[g, 1] = value
    deviation = value - table[g, 1]
    table[g, 0] += 1.0
    table[g, 2] += deviation
    table[g, 3] += deviation * deviation


@kernel(I8_IN, types.int64, F8_IN, TABLE_OUT, F8_OUT)
def add_rows(keys, low, y, table, missing):
    """Add rows to raw records `table` (K, 4), and count those that are NaN in `missing` (K,).

    The record of a key is at key - low. Returns False before rows of which one has none, so that the range of the keys
    need not be known before they are read.
    """
    n, base, most = np.uint64(keys.shape[0]), np.uint64(low), np.int64(table.shape[0]) - 1
    for start in range(np.uint64(0), n, np.uint64(ROWS)):
        stop = min(start + np.uint64(ROWS), n)
        if not all_within(keys, low, most, start, stop):
            return False
        lacking = False
        for i in range(start, stop):
            lacking |= y[i] != y[i]
        if lacking:
            for i in range(start, stop):
                g = np.uint64(keys[i]) - base
                if y[i] == y[i]:
                    _add_value(table, g, y[i])
                else:
                    missing[g] += 1.0
        else:
            for i in range(start, stop):
                _add_value(table, np.uint64(keys[i]) - base, y[i])
    return True


@kernel(I8_IN, types.int64, U1_IN, I4_OUT)
def select_rows(keys, low, groups, rows):
    """Note the rows whose group is marked in `groups` (K,) in `rows` (n + 1,); return how many."""
    count, base = np.uint64(0), np.uint64(low)
    for i in range(np.uint64(keys.shape[0])):
        rows[count] = np.int32(i)
        count += np.uint64(groups[np.uint64(keys[i]) - base])
    return np.int64(count)
