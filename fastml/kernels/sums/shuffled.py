"""Rows in any order into raw records."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.ahead import AHEAD, fetch_once
from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, I4_OUT, I8_IN, TABLE_OUT, U1_IN, exact, inner, kernel
from fastml.kernels.sums.record import N_FIELDS, ROWS, all_within, fetch_records, greatest_of

__all__ = ["add_rows", "add_rows_of_codes", "select_rows", "select_rows_of_codes"]


@exact
def _put(records, at, n, shift, deviation):
    """Store the record at a place with a row added, of which `n` and `shift` are known.

    All four fields are written, so that one instruction does for them; nothing is fused, so that a row gives the same
    bits wherever it stands.
    """
    total = records[at + np.uint64(2)] + deviation
    squares = records[at + np.uint64(3)] + deviation * deviation
    records[at], records[at + np.uint64(1)] = n, shift
    records[at + np.uint64(2)], records[at + np.uint64(3)] = total, squares


@exact
def _add(records, at, deviation):
    """Add a row to the record at a place, by its deviation from the shift there."""
    _put(records, at, records[at] + 1.0, records[at + np.uint64(1)] + 0.0, deviation)


@exact
def _add_own(records, at, value):
    """Add a row to the record at a place, whose shift is its first value."""
    n, shift = records[at], records[at + np.uint64(1)]
    shift = value if n == 0.0 else shift
    _put(records, at, n + 1.0, shift + 0.0, value - shift)


@inner
def _add_each(keys, base, y, start, stop, shift, records, missing):
    """Add rows of which some may be NaN."""
    for i in range(start, stop):
        group = np.uint64(keys[i]) - base
        if y[i] != y[i]:
            missing[group] += 1.0
        elif shift == shift:
            _add(records, group * np.uint64(N_FIELDS), y[i] - shift)
        else:
            _add_own(records, group * np.uint64(N_FIELDS), y[i])


@inner
def _add_all(keys, low, y, shift, table, missing, top):
    n, base, most = np.uint64(keys.shape[0]), np.uint64(np.int64(low)), np.int64(table.shape[0]) - 1
    records, shared, rows = table.reshape(table.size), shift == shift, np.uint64(ROWS)
    whole, greatest = n - n % rows, top[0]
    for start in range(np.uint64(0), whole, rows):
        fetch_once(keys, start + np.uint64(AHEAD))
        fetch_once(y, start + np.uint64(AHEAD))
        fetch_records(records, N_FIELDS, keys, base, start)
        if not all_within(keys, low, most, start, rows):
            return False
        unlike = False  # NaN, or greater than all before
        for k in range(rows):
            unlike |= not y[start + k] <= greatest
        lacking = False
        if unlike:
            for k in range(rows):
                lacking |= y[start + k] != y[start + k]
                greatest = y[start + k] if y[start + k] > greatest else greatest
        if lacking:
            _add_each(keys, base, y, start, start + rows, shift, records, missing)
        elif shared:
            for k in range(rows):
                _add(records, (np.uint64(keys[start + k]) - base) * np.uint64(N_FIELDS), y[start + k] - shift)
        else:
            for k in range(rows):
                _add_own(records, (np.uint64(keys[start + k]) - base) * np.uint64(N_FIELDS), y[start + k])
    if not all_within(keys, low, most, whole, n - whole):
        return False
    top[0] = greatest_of(greatest, y, whole, n)
    _add_each(keys, base, y, whole, n, shift, records, missing)
    return True


@kernel(I8_IN, types.int64, F8_IN, types.float64, TABLE_OUT, F8_OUT, F8_OUT, packed=True)
def add_rows(keys, low, y, shift, table, missing, top):
    """Add rows to raw records `table` (K, 4), and count those that are NaN in `missing` (K,).

    `top` (1,) is raised to the greatest of the others.

    `shift` is that of all records, which hold it; where it is NaN, the first value of each is its own. The record of a
    key is at key - low. Returns False before rows of which one has none, so that the range of the keys need not be
    known before they are read.
    """
    return _add_all(keys, low, y, shift, table, missing, top)


@kernel(I4_IN, types.int64, F8_IN, types.float64, TABLE_OUT, F8_OUT, F8_OUT, packed=True)
def add_rows_of_codes(codes, low, y, shift, table, missing, top):
    """As `add_rows`, of codes; `low` is 0. They may be indices of an Arrow dictionary, which may lead out of it."""
    return _add_all(codes, low, y, shift, table, missing, top)


@inner
def _note_marked(keys, base, groups, start, stop, rows, count):
    """Note the rows of marked groups from `start` on, behind the `count` there are; return how many there are then."""
    for i in range(start, stop):
        rows[count] = np.int32(i)
        count += np.uint64(groups[np.uint64(keys[i]) - base])
    return count


@inner
def _select(keys, low, groups, rows):
    n, base, count, step = np.uint64(keys.shape[0]), np.uint64(np.int64(low)), np.uint64(0), np.uint64(ROWS)
    whole = n - n % step
    for start in range(np.uint64(0), whole, step):
        fetch_once(keys, start + np.uint64(AHEAD))
        some = np.uint8(0)  # stays so, but for a few rows in a tile
        for k in range(step):
            some |= groups[np.uint64(keys[start + k]) - base]
        if some != 0:
            count = _note_marked(keys, base, groups, start, start + step, rows, count)
    return np.int64(_note_marked(keys, base, groups, whole, n, rows, count))


@kernel(I8_IN, types.int64, U1_IN, I4_OUT)
def select_rows(keys, low, groups, rows):
    """Note the rows whose group is marked, by a 1 in `groups` (K,), in `rows` (n + 1,); return how many."""
    return _select(keys, low, groups, rows)


@kernel(I4_IN, types.int64, U1_IN, I4_OUT)
def select_rows_of_codes(codes, low, groups, rows):
    """As `select_rows`, of codes; `low` is 0."""
    return _select(codes, low, groups, rows)
