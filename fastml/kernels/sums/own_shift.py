"""Rows in any order into raw records, each about the first value of its group: see `records`.

`shared` does the same in half the time where groups are large, `together` for several outcomes at once.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, I8_IN, TABLE_OUT, U1_IN, inner, kernel
from fastml.kernels.prefetch import AHEAD, LINE, fetch_once
from fastml.kernels.sums.bitmaps import is_valid
from fastml.kernels.sums.moments import N_FIELDS
from fastml.kernels.sums.record import (
    add_value,
    all_early_within,
    all_within,
    early_rows,
    has_next_eight,
    move_aside,
    origin_of,
    pause_of,
    set_aside,
)

__all__ = ["add_keys", "add_marked_keys", "add_marked_rows", "add_rows"]


@inner
def _add_some(keys, low, y, start, stop, table, missing):
    """Add the rows from `start` to `stop`."""
    origin = origin_of(low, N_FIELDS)
    for row in range(start, stop):
        key = np.uint64(keys[row])
        if not add_value(table, origin, key * np.uint64(N_FIELDS), y[row]):
            missing[key - low] += 1.0


@inner
def _add_valid(keys, low, y, valid, offset, start, stop, table, missing):
    """As `_add_some`, without the rows whose bit is 0."""
    origin = origin_of(low, N_FIELDS)
    for row in range(start, stop):
        key = np.uint64(keys[row])
        if not (
            is_valid(valid, np.uint64(offset) + row) and add_value(table, origin, key * np.uint64(N_FIELDS), y[row])
        ):
            missing[key - low] += 1.0


@inner
def _add_all(keys, low, most, y, valid, offset, table, missing, block, aside):
    """Add all rows; the record of a key is at key - low. Stop where one isn't, if there is a `most` of key - low."""
    n, base, eight, start = np.uint64(keys.shape[0]), np.uint64(np.int64(low)), np.uint64(LINE), np.uint64(0)
    no_nulls, pause = valid.shape[0] == 0, pause_of(block, 0)
    while start + eight <= n:
        if start == pause:
            set_aside(table, missing, aside)
            pause += np.uint64(block)
        fetch_once(y, start + np.uint64(AHEAD))
        fetch_once(keys, start + np.uint64(AHEAD))
        if not has_next_eight(keys, low, most, start, table, N_FIELDS):
            return False
        if no_nulls:
            _add_some(keys, base, y, start, start + eight, table, missing)
        else:
            _add_valid(keys, base, y, valid, offset, start, start + eight, table, missing)
        start += eight
    if most >= 0 and not all_within(keys, low, start, n, most):
        return False
    if no_nulls:
        _add_some(keys, base, y, start, n, table, missing)
    else:
        _add_valid(keys, base, y, valid, offset, start, n, table, missing)
    return True


@inner
def _seed(keys, low, y, table):
    """Note the first value of most groups as their shift: going back over the first rows, the last write stays.

    A row that finds a new record takes the processor by surprise, which then forgets the rows it had begun. Few do so
    after this.
    """
    flat, origin = table.reshape(table.size), origin_of(low, N_FIELDS) + np.uint64(1)
    row = early_rows(keys, table.shape[0])
    while row > 0:
        row -= np.uint64(1)
        flat[origin + np.uint64(keys[row]) * np.uint64(N_FIELDS)] = y[row]


@inner
def _begin(table, missing):
    """Make records of nothing: zeros, and shifts that are NaN."""
    missing[:] = 0.0
    for g in range(table.shape[0]):
        for field in range(N_FIELDS):
            table[g, field] = math.nan if field == 1 else 0.0


@kernel(I4_IN, F8_IN, U1_IN, types.int64, TABLE_OUT, F8_OUT, types.int64, TABLE_OUT)
def add_rows(codes, y, valid, offset, table, missing, block, aside):
    """Make raw records `table` (K, 4) of rows, and count missing ones per group.

    Missing are NaN, and rows whose bit of `valid` (Arrow's bitmap, from bit `offset` on; empty: all valid) is 0. After
    each `block` rows, a multiple of eight, the sums of large groups are added to `aside` (K, 4) and begun anew; where
    that is 0, `aside` may be empty.
    """
    _begin(table, missing)
    if valid.shape[0] == 0:
        _seed(codes, np.uint64(0), y, table)
    _add_all(codes, 0, -1, y, valid, offset, table, missing, block, aside)


@kernel(I8_IN, types.int64, F8_IN, U1_IN, types.int64, TABLE_OUT, F8_OUT, types.int64, TABLE_OUT)
def add_keys(keys, low, y, valid, offset, table, missing, block, aside):
    """As `add_rows`, where the record of a key is at key - low; stop before one that has none.

    Returns whether all rows were added. So the range of the keys need not be known before they are read.
    """
    _begin(table, missing)
    if valid.shape[0] == 0:
        if not all_early_within(keys, low, table.shape[0]):
            return False
        _seed(keys, np.uint64(np.int64(low)), y, table)
    return _add_all(keys, low, table.shape[0] - 1, y, valid, offset, table, missing, block, aside)


@inner
def _add_marked(keys, low, y, valid, offset, marks, table, block, aside):
    """Add the rows of marked groups: few, so that eight at once are asked whether one of them is such."""
    origin, n, pause = origin_of(low, N_FIELDS), np.uint64(keys.shape[0]), pause_of(block, 0)
    for start in range(np.uint64(0), n, np.uint64(LINE)):
        if start == pause:
            for g in range(np.uint64(marks.shape[0])):
                if marks[g] != 0:
                    move_aside(table, g, aside)
            pause += np.uint64(block)
        fetch_once(keys, start + np.uint64(AHEAD))
        stop = min(start + np.uint64(LINE), n)
        some = np.uint8(0)
        for row in range(start, stop):
            some |= marks[np.uint64(keys[row]) - low]
        if some == 0:
            continue
        for row in range(start, stop):
            key = np.uint64(keys[row])
            if marks[key - low] != 0 and (valid.shape[0] == 0 or is_valid(valid, np.uint64(offset) + row)):
                add_value(table, origin, key * np.uint64(N_FIELDS), y[row])


@kernel(I4_IN, F8_IN, U1_IN, types.int64, U1_IN, TABLE_OUT, types.int64, TABLE_OUT)
def add_marked_rows(codes, y, valid, offset, marks, table, block, aside):
    """Add the rows of groups that `moments.settle` has marked (K,) to their records, which it made ready for them."""
    _add_marked(codes, np.uint64(0), y, valid, offset, marks, table, block, aside)


@kernel(I8_IN, types.int64, F8_IN, U1_IN, types.int64, U1_IN, TABLE_OUT, types.int64, TABLE_OUT)
def add_marked_keys(keys, low, y, valid, offset, marks, table, block, aside):
    """As `add_marked_rows`, where the record of a key is at key - low; all have one."""
    _add_marked(keys, np.uint64(np.int64(low)), y, valid, offset, marks, table, block, aside)
