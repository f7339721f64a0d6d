"""Rows in any order into raw records."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, I4_OUT, I8_IN, TABLE_OUT, U1_IN, exact, kernel
from fastml.kernels.sums.record import N_FIELDS, ROWS, all_within

__all__ = ["add_rows", "select_rows"]


@exact
def _add_about(records, at, shift, value):
    """Add a row to the record at a place, about a shift that is stored with it.

    All four fields are written, so that one instruction does for them; nothing is fused, so that a row gives the same
    bits wherever it stands.
    """
    deviation = value - shift
    n, shift = records[at] + 1.0, shift + 0.0
    total = records[at + np.uint64(2)] + deviation
    squares = records[at + np.uint64(3)] + deviation * deviation
    records[at], records[at + np.uint64(1)] = n, shift
    records[at + np.uint64(2)], records[at + np.uint64(3)] = total, squares


@exact
def _add(records, at, value):
    """Add a row to the record at a place, about the shift there."""
    _add_about(records, at, records[at + np.uint64(1)], value)


@exact
def _add_or_begin(records, at, value):
    """As `_add`; the first value of a record is its shift."""
    n, shift = records[at], records[at + np.uint64(1)]
    _add_about(records, at, value if n == 0.0 else shift, value)


@kernel(I8_IN, types.int64, F8_IN, types.boolean, TABLE_OUT, F8_OUT, packed=True)
def add_rows(keys, low, y, begun, table, missing):
    """Add rows to raw records `table` (K, 4), and count those that are NaN in `missing` (K,).

    The records hold their shifts where they are `begun`; else the first value of each is its own. The record of a key
    is at key - low. Returns False before rows of which one has none, so that the range of the keys need not be known
    before they are read.
    """
    n, base, most = np.uint64(keys.shape[0]), np.uint64(np.int64(low)), np.int64(table.shape[0]) - 1
    records = table.reshape(table.size)
    for start in range(np.uint64(0), n, np.uint64(ROWS)):
        stop = min(start + np.uint64(ROWS), n)
        if not all_within(keys, low, most, start, stop):
            return False
        lacking = False
        for i in range(start, stop):
            lacking |= y[i] != y[i]
        if lacking:
            for i in range(start, stop):
                group = np.uint64(keys[i]) - base
                if y[i] != y[i]:
                    missing[group] += 1.0
                elif begun:
                    _add(records, group * np.uint64(N_FIELDS), y[i])
                else:
                    _add_or_begin(records, group * np.uint64(N_FIELDS), y[i])
        elif begun:
            for i in range(start, stop):
                _add(records, (np.uint64(keys[i]) - base) * np.uint64(N_FIELDS), y[i])
        else:
            for i in range(start, stop):
                _add_or_begin(records, (np.uint64(keys[i]) - base) * np.uint64(N_FIELDS), y[i])
    return True


@kernel(I8_IN, types.int64, U1_IN, I4_OUT)
def select_rows(keys, low, groups, rows):
    """Note the rows whose group is marked in `groups` (K,) in `rows` (n + 1,); return how many."""
    count, base = np.uint64(0), np.uint64(np.int64(low))
    for i in range(np.uint64(keys.shape[0])):
        rows[count] = np.int32(i)
        count += np.uint64(groups[np.uint64(keys[i]) - base])
    return np.int64(count)
