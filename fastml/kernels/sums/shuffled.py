"""Rows in any order into raw records."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, I4_OUT, I8_IN, TABLE_OUT, U1_IN, exact, kernel
from fastml.kernels.sums.record import N_FIELDS, ROWS, all_within

__all__ = ["add_rows", "note_shifts", "select_rows"]


@kernel(I8_IN, types.int64, F8_IN, TABLE_OUT)
def note_shifts(keys, low, y, table):
    """Make the first value of each group the shift of its record in `table` (K, 4 or more); keys as in `add_rows`."""
    n, base = np.uint64(keys.shape[0]), np.uint64(np.int64(low))
    if not all_within(keys, low, np.int64(table.shape[0]) - 1, np.uint64(0), n):
        return False
    for behind in range(n):  # backwards, so that the first comes last
        i = n - np.uint64(1) - behind
        if y[i] == y[i]:
            table[np.uint64(keys[i]) - base, 1] = y[i]
    return True


@exact
def _add(records, at, deviation):
    """Add a row to the record at a place. Nothing is fused, so that a row gives the same bits wherever it stands."""
    records[at] += 1.0
    records[at + np.uint64(2)] += deviation
    records[at + np.uint64(3)] += deviation * deviation


@kernel(I8_IN, types.int64, F8_IN, types.float64, TABLE_OUT, F8_OUT)
def add_rows(keys, low, y, shift, table, missing):
    """Add rows to raw records `table` (K, 4), and count those that are NaN in `missing` (K,).

    `shift` is that of all records, or NaN where each has its own; the table holds them. The record of a key is at
    key - low. Returns False before rows of which one has none, so that the range of the keys need not be known before
    they are read.
    """
    n, base, most = np.uint64(keys.shape[0]), np.uint64(np.int64(low)), np.int64(table.shape[0]) - 1
    records, shared = table.reshape(table.size), shift == shift
    for start in range(np.uint64(0), n, np.uint64(ROWS)):
        stop = min(start + np.uint64(ROWS), n)
        if not all_within(keys, low, most, start, stop):
            return False
        lacking = False
        for i in range(start, stop):
            lacking |= y[i] != y[i]
        if lacking:
            for i in range(start, stop):
                at = (np.uint64(keys[i]) - base) * np.uint64(N_FIELDS)
                if y[i] == y[i]:
                    _add(records, at, y[i] - records[at + np.uint64(1)])
                else:
                    missing[np.uint64(keys[i]) - base] += 1.0
        elif shared:
            for i in range(start, stop):
                _add(records, (np.uint64(keys[i]) - base) * np.uint64(N_FIELDS), y[i] - shift)
        else:
            for i in range(start, stop):
                at = (np.uint64(keys[i]) - base) * np.uint64(N_FIELDS)
                _add(records, at, y[i] - records[at + np.uint64(1)])
    return True


@kernel(I8_IN, types.int64, U1_IN, I4_OUT)
def select_rows(keys, low, groups, rows):
    """Note the rows whose group is marked in `groups` (K,) in `rows` (n + 1,); return how many."""
    count, base = np.uint64(0), np.uint64(np.int64(low))
    for i in range(np.uint64(keys.shape[0])):
        rows[count] = np.int32(i)
        count += np.uint64(groups[np.uint64(keys[i]) - base])
    return np.int64(count)
