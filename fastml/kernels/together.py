"""Rows in any order into raw records of five outcomes at once, in two cache lines where five tables have five.

The records of a group stand together: the first outcome's as in `records`, then the shifts, the sums and the sums of
squares of the other four, a vector each. n is that of rows for all of them; missing values, which are few, are counted
apart. `separate` makes them records of one outcome each. The bits are those of each outcome alone.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels._jit import F8_IN, F8_OUT, I4_IN, I4_OUT, I8_IN, TABLE_OUT, inner, intrinsic, kernel
from fastml.kernels.ahead import LINE, fetch
from fastml.kernels.moments import is_settled
from fastml.kernels.records import (
    BLOCK,
    NEAR,
    NUMBER,
    ROWS_AHEAD,
    add_at,
    all_early_within,
    all_ordered,
    all_within,
    early_rows,
    fetch_record,
    four_times,
    increments,
    origin_of,
    start_of,
    turned,
    vector_at,
)

__all__ = ["WIDTH", "add_keys_together", "add_rows_together", "separate"]

_N_OUTCOMES = 5
WIDTH = 16

_SHIFTS, _SUMS, _SQUARES = 4, 8, 12  # where those of the second outcome are

_ROWS = 4  # that are taken at once
_AHEAD = 48  # rows whose values are asked for: six streams leave room for few lines of each in the first-level cache


def _plain_add_four_rows(table, origin, keys, y0, y1, y2, y3, y4, row):
    for k in range(_ROWS):
        record = table[int(origin + np.uint64(keys[int(row) + k]) * np.uint64(WIDTH)) :][:WIDTH]
        first, *others = (y[int(row) + k] for y in (y0, y1, y2, y3, y4))
        first, deviations = first - record[1], np.array(others) - record[_SHIFTS:_SUMS]
        if first != first or np.isnan(deviations).any():
            return np.uint64(k)
        record[:_SHIFTS] += [1.0, 0.0, first, first * first]
        record[_SUMS:_SQUARES] += deviations
        record[_SQUARES:] += deviations * deviations
    return np.uint64(_ROWS)


@intrinsic(_plain_add_four_rows)
def _add_four_rows(typing_context, table, origin, keys, y0, y1, y2, y3, y4, row):
    """Add four rows, up to the first that has a deviation of NaN; return how many were added.

    Four values of an outcome are loaded at once: turned about, they are the rows.
    """

    def generate(context, builder, signature, args):
        def pointer(kind, array):
            return builder.gep(context.make_array(kind)(context, builder, array).data, [args[8]])

        place, last = signature.args[1], builder.append_basic_block("added")
        key_at, first_at = pointer(keys, args[2]), pointer(y0, args[3])
        columns = [
            builder.load(vector_at(builder, pointer(kind, y), 0), align=8)
            for kind, y in zip((y1, y2, y3, y4), args[4:8], strict=True)
        ]
        added = []
        for k, others in enumerate(turned(builder, columns)):
            key = builder.load(builder.gep(key_at, [NUMBER(k)]))
            key = context.cast(builder, key, keys.dtype, place)
            start = start_of(context, builder, table, (args[0], args[1], builder.mul(key, key.type(WIDTH))))
            value = builder.load(builder.gep(first_at, [NUMBER(k)]))
            record, shifts, sums, squares = (vector_at(builder, start, field) for field in range(4))
            firsts = four_times(builder, builder.fsub(value, builder.load(builder.gep(start, [NUMBER(1)]))))
            deviations = builder.fsub(others, builder.load(shifts, align=8))
            good = all_ordered(builder, deviations, firsts)
            added.append((key.type(k), builder.block))
            following = builder.append_basic_block()
            builder.cbranch(good, following, last).set_weights([99, 1])
            builder.position_at_end(following)
            add_at(builder, record, increments(builder, firsts))
            add_at(builder, sums, deviations)
            add_at(builder, squares, builder.fmul(deviations, deviations, flags=("contract",)))
        added.append((key.type(_ROWS), builder.block))
        builder.branch(last)
        builder.position_at_end(last)
        count = builder.phi(key.type)
        for number, block in added:
            count.add_incoming(number, block)
        return count

    return types.uint64(table, types.uint64, keys, y0, y1, y2, y3, y4, types.uint64), generate


@inner
def _add_apart(table, shift_at, sum_at, square_at, value):
    """Add a value to a record that has one already, or begin it; return 1 if it is missing, else 0. n is left alone."""
    if value != value:
        return np.int32(1)
    deviation = value - table[shift_at]
    if deviation == deviation:
        table[sum_at] += deviation
        table[square_at] += deviation * deviation
    else:
        table[shift_at] = value
    return np.int32(0)


@inner
def _add_row(table, at, y0, y1, y2, y3, y4, row, missing, lacks_at):
    """Add a row, value by value; return how many are missing."""
    one = np.uint64(1)
    table[at] += 1.0
    count = _add_apart(table, at + one, at + np.uint64(2), at + np.uint64(3), y0[row])
    missing[lacks_at] += count
    shift_at, sum_at, square_at = at + np.uint64(_SHIFTS), at + np.uint64(_SUMS), at + np.uint64(_SQUARES)
    for y in (y1, y2, y3, y4):
        lacks_at += one
        lacks = _add_apart(table, shift_at, sum_at, square_at, y[row])
        missing[lacks_at] += lacks
        count += lacks
        shift_at, sum_at, square_at = shift_at + one, sum_at + one, square_at + one
    return count


@inner
def _add_all(keys, low, y0, y1, y2, y3, y4, start, stop, table, missing):
    """Add the rows from `start` to `stop`; return how many of their values are missing."""
    origin, count, rows = origin_of(low, WIDTH), 0, np.uint64(_ROWS)
    far = table.size > NEAR
    while start < stop:
        if start + rows <= stop:
            if far:
                ahead = min(start + np.uint64(ROWS_AHEAD), stop - rows)
                for k in range(rows):
                    place = np.uint64(keys[ahead + k]) * np.uint64(WIDTH)
                    fetch_record(table, origin, place)
                    fetch_record(table, origin, place + np.uint64(LINE))
            later = start + np.uint64(_AHEAD)
            fetch(keys, later)
            fetch(y0, later)
            fetch(y1, later)
            fetch(y2, later)
            fetch(y3, later)
            fetch(y4, later)
            added = _add_four_rows(table, origin, keys, y0, y1, y2, y3, y4, start)
            start += added
            if added == rows:
                continue
        key = np.uint64(keys[start])
        lacks_at = (key - low) * np.uint64(_N_OUTCOMES)
        count += _add_row(table, origin + key * np.uint64(WIDTH), y0, y1, y2, y3, y4, start, missing, lacks_at)
        start += np.uint64(1)
    return count


@inner
def _begin(keys, low, y0, y1, y2, y3, y4, table, missing):
    """Make records of nothing, then note the first values as `rows._seed` does."""
    missing[:] = 0
    for g in range(np.uint64(0), np.uint64(table.shape[0]), np.uint64(WIDTH)):
        for field in range(WIDTH):
            table[g + np.uint64(field)] = math.nan if field == 1 or _SHIFTS <= field < _SUMS else 0.0
    origin = origin_of(low, WIDTH)
    row = early_rows(keys, table.shape[0] // WIDTH)
    while row > 0:
        row -= np.uint64(1)
        place = origin + np.uint64(keys[row]) * np.uint64(WIDTH)
        table[place + np.uint64(1)] = y0[row]
        table[place + np.uint64(_SHIFTS)] = y1[row]
        table[place + np.uint64(_SHIFTS + 1)] = y2[row]
        table[place + np.uint64(_SHIFTS + 2)] = y3[row]
        table[place + np.uint64(_SHIFTS + 3)] = y4[row]


@kernel(I4_IN, F8_IN, F8_IN, F8_IN, F8_IN, F8_IN, types.boolean, F8_OUT, I4_OUT)
def add_rows_together(codes, y0, y1, y2, y3, y4, fresh, table, missing):
    """As `rows.add_rows`, for five outcomes: into `table` (16 K), and the numbers of missing values (5 K).

    Missing are NaN. Returns how many values are.
    """
    low = np.uint64(0)
    if fresh:
        _begin(codes, low, y0, y1, y2, y3, y4, table, missing)
    return _add_all(codes, low, y0, y1, y2, y3, y4, low, np.uint64(codes.shape[0]), table, missing)


@kernel(I8_IN, types.int64, F8_IN, F8_IN, F8_IN, F8_IN, F8_IN, types.boolean, F8_OUT, I4_OUT)
def add_keys_together(keys, low, y0, y1, y2, y3, y4, fresh, table, missing):
    """As `add_rows_together`, with keys as in `rows.add_keys`; returns -1 where a key has no record."""
    n, n_records, base = np.uint64(keys.shape[0]), table.shape[0] // WIDTH, np.uint64(np.int64(low))
    if fresh:
        if not all_early_within(keys, low, n_records):
            return -1
        _begin(keys, base, y0, y1, y2, y3, y4, table, missing)
    start, count = np.uint64(0), 0
    while start < n:
        stop = min(start + np.uint64(BLOCK), n)
        if not all_within(keys, low, start, stop, n_records - 1):
            return -1
        count += _add_all(keys, base, y0, y1, y2, y3, y4, start, stop, table, missing)
        start = stop
    return count


@inner
def _separate(into, g, n, shift, total, squares):
    """Make a record of its fields; return 1 if it is settled, else 0."""
    into[g, 0] = n
    into[g, 1] = shift
    into[g, 2] = total
    into[g, 3] = squares
    return np.int64(is_settled(n, shift, total, squares))


@kernel(F8_IN, I4_IN, TABLE_OUT, TABLE_OUT, TABLE_OUT, TABLE_OUT, TABLE_OUT)
def separate(table, missing, t0, t1, t2, t3, t4):
    """Make raw records (K, 4) for each outcome of those that stand together.

    Returns a bit for each, 1 where all of its records are settled.
    """
    settled = 31
    for g in range(np.uint64(t0.shape[0])):
        record, lacks = table[g * np.uint64(WIDTH) :][:WIDTH], missing[g * np.uint64(_N_OUTCOMES) :][:_N_OUTCOMES]
        settled &= (
            _separate(t0, g, record[0] - lacks[0], record[1], record[2], record[3])
            | _separate(t1, g, record[0] - lacks[1], record[4], record[8], record[12]) << 1
            | _separate(t2, g, record[0] - lacks[2], record[5], record[9], record[13]) << 2
            | _separate(t3, g, record[0] - lacks[3], record[6], record[10], record[14]) << 3
            | _separate(t4, g, record[0] - lacks[4], record[7], record[11], record[15]) << 4
        )
    return settled
