"""Rows in any order into records of five outcomes at once, in two cache lines where five tables have five.

The records of a group stand together: the first outcome's as in `shared`, then the sums and the sums of squares of the
other four, a vector each. n is that of rows for all of them; missing values, which are few, are counted apart.
`separate` makes them records of one outcome each. The bits are those of each outcome alone.
"""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, I4_OUT, I8_IN, TABLE_OUT, inner, intrinsic, kernel
from fastml.kernels.prefetch import LINE, fetch_once
from fastml.kernels.sums.record import (
    NEAR,
    NUMBER,
    ROWS_AHEAD,
    add_at,
    all_ordered,
    all_within,
    eight_within,
    fetch_record,
    four_times,
    origin_of,
    pause_of,
    set_aside_flat,
    start_of,
    turned,
    vector_at,
)
from fastml.kernels.sums.shared_shift import PLACES, UNKNOWN, add_row_at, increments_of_four, place_of, squares_of

__all__ = ["WIDTH", "add_keys_together", "add_rows_together", "separate"]

_N_OUTCOMES = 5
WIDTH = 12
_SUMS, _SQUARES, _END = 4, 8, 12  # where those of the second outcome are, and nothing any more
_ROWS = 4  # that are taken at once
_AHEAD = 48  # rows whose values are asked for: six streams leave room for few lines of each in the first-level cache


def _plain_add_four_rows(table, origin, keys, y0, y1, y2, y3, y4, row, place, *shifts):
    some, times = slice(int(row), int(row) + _ROWS), 1.0 / PLACES
    deviations = np.array([y[some] - shift for y, shift in zip((y0, y1, y2, y3, y4), shifts, strict=True)])
    if np.isnan(deviations).any():
        return False
    for key, (first, *others) in zip(keys[some], deviations.T, strict=True):
        record = table[int(origin + np.uint64(key) * np.uint64(WIDTH)) :][:WIDTH]
        record[:_SUMS] = record[:_SUMS] * [1.0, times, 1.0, 1.0] + [1.0, place, first, first * first]
        record[_SUMS:_SQUARES] += others
        record[_SQUARES:_END] += np.square(others)
    return True


@intrinsic(_plain_add_four_rows)
def _add_four_rows(typing_context, table, origin, keys, y0, y1, y2, y3, y4, row, place, s0, s1, s2, s3, s4):
    """Add four rows, and return True; or False where a value is NaN.

    Four values of an outcome are loaded at once, and the shift of its records taken off: turned about, they are rows.
    """

    def generate(context, builder, signature, args):
        def pointer(kind, array):
            return builder.gep(context.make_array(kind)(context, builder, array).data, [args[8]])

        key_at = pointer(keys, args[2])
        firsts, *others = (
            builder.fsub(builder.load(vector_at(builder, pointer(kind, y), 0), align=8), four_times(builder, shift))
            for kind, y, shift in zip((y0, y1, y2, y3, y4), args[3:8], args[10:], strict=True)
        )
        good = all_ordered(builder, firsts, firsts)
        for pair in (others[:2], others[2:]):
            good = builder.and_(good, all_ordered(builder, *pair))
        with builder.if_then(good, likely=True):
            rows = zip(increments_of_four(builder, firsts, args[9]), turned(builder, others), strict=True)
            for k, (first, rest) in enumerate(rows):
                key = builder.load(builder.gep(key_at, [NUMBER(k)]))
                key = context.cast(builder, key, keys.dtype, signature.args[1])
                start = start_of(context, builder, table, (args[0], args[1], builder.mul(key, key.type(WIDTH))))
                record, sums, squares = (vector_at(builder, start, field) for field in range(3))
                add_row_at(builder, record, first)
                add_at(builder, sums, rest)
                add_at(builder, squares, squares_of(builder, rest))
        return good

    doubles = [types.float64] * (1 + _N_OUTCOMES)
    return types.boolean(table, types.uint64, keys, y0, y1, y2, y3, y4, types.uint64, *doubles), generate


def _plain_add_squared(table, sum_at, square_at, deviation):
    table[int(sum_at)] += deviation
    table[int(square_at)] += deviation * deviation


@intrinsic(_plain_add_squared)
def _add_squared(typing_context, table, sum_at, square_at, deviation):
    """Add a deviation and its square."""

    def generate(context, builder, signature, args):
        data = context.make_array(table)(context, builder, args[0]).data
        square = builder.extract_element(squares_of(builder, four_times(builder, args[3])), NUMBER(0))
        for place, more in ((args[1], args[3]), (args[2], square)):
            at = builder.gep(data, [place])
            builder.store(builder.fadd(builder.load(at), more), at)
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.uint64, types.float64), generate


@inner
def _add_value(table, sum_at, square_at, deviation):
    """Add a deviation; return 1 if it is that of a missing value, else 0."""
    if deviation != deviation:
        return np.int32(1)
    _add_squared(table, sum_at, square_at, deviation)
    return np.int32(0)


@inner
def _add_row(table, at, y0, y1, y2, y3, y4, row, place, shifts, missing, lacks_at):
    """Add a row, value by value; return how many are missing."""
    table[at] += 1.0
    table[at + np.uint64(1)] = table[at + np.uint64(1)] / PLACES + place
    count = np.int32(0)
    sum_at, square_at = at + np.uint64(2), at + np.uint64(3)
    for k, y in enumerate((y0, y1, y2, y3, y4)):
        lacks = _add_value(table, sum_at, square_at, y[row] - shifts[k])
        missing[lacks_at + np.uint64(k)] += lacks
        count += lacks
        sum_at, square_at = at + np.uint64(_SUMS + k), at + np.uint64(_SQUARES + k)
    return count


@inner
def _add_some(keys, low, y0, y1, y2, y3, y4, start, stop, place, shifts, table, missing):
    """Add the rows from `start` to `stop`, of one place, one by one; return how many of their values are missing."""
    count, origin = 0, origin_of(low, WIDTH)
    for row in range(start, stop):
        key = np.uint64(keys[row])
        at, lacks_at = origin + key * np.uint64(WIDTH), (key - low) * np.uint64(_N_OUTCOMES)
        count += _add_row(table, at, y0, y1, y2, y3, y4, row, place, shifts, missing, lacks_at)
    return count


@inner
def _add_all(keys, low, most, y0, y1, y2, y3, y4, first_row, shifts, table, missing, block, aside):
    """Add all rows; return how many of their values are missing, or -1 for a key that has no record, if they may."""
    base, n, eight, half = np.uint64(np.int64(low)), np.uint64(keys.shape[0]), np.uint64(LINE), np.uint64(_ROWS)
    s0, s1, s2, s3, s4 = shifts[0], shifts[1], shifts[2], shifts[3], shifts[4]
    origin, far, start, count = origin_of(base, WIDTH), table.size > NEAR, np.uint64(0), 0
    pause = pause_of(block, first_row)
    while start + eight <= n:
        if start == pause:
            set_aside_flat(table, aside)
            pause += np.uint64(block)
        if most >= 0 and not eight_within(keys, start, low, most):
            return -1
        later = start + np.uint64(_AHEAD)
        fetch_once(keys, later)
        fetch_once(y0, later)
        fetch_once(y1, later)
        fetch_once(y2, later)
        fetch_once(y3, later)
        fetch_once(y4, later)
        place = place_of(np.uint64(first_row) + start)
        for some in range(start, start + eight, half):
            if far:  # as `has_next_eight`, but the lines of four records: sixteen at once take a twentieth longer
                ahead = min(some + np.uint64(ROWS_AHEAD), n - half)
                for k in range(half):
                    record = np.uint64(keys[ahead + k]) * np.uint64(WIDTH)
                    fetch_record(table, origin, record)
                    fetch_record(table, origin, record + np.uint64(LINE))
            if not _add_four_rows(table, origin, keys, y0, y1, y2, y3, y4, some, place, s0, s1, s2, s3, s4):
                stop = some + half
                count += _add_some(keys, base, y0, y1, y2, y3, y4, some, stop, place, shifts, table, missing)
        start += eight
    if most >= 0 and not all_within(keys, low, start, n, most):
        return -1
    place = place_of(np.uint64(first_row) + start)
    return count + _add_some(keys, base, y0, y1, y2, y3, y4, start, n, place, shifts, table, missing)


@kernel(I4_IN, F8_IN, F8_IN, F8_IN, F8_IN, F8_IN, types.int64, F8_IN, F8_OUT, I4_OUT, types.int64, TABLE_OUT)
def add_rows_together(codes, y0, y1, y2, y3, y4, first_row, shifts, table, missing, block, aside):
    """As `shared.add_rows`, for five outcomes: into `table` (12 K), and the numbers of missing values (5 K).

    Missing are NaN; `block` and `aside` (K, 12) as in `rows.add_rows`. `first_row` is the place of these rows among
    all, a multiple of eight; where it is 0, table and numbers may be anything and begin with nothing. Returns how many
    values are missing.
    """
    if first_row == 0:
        table[:] = 0.0
        missing[:] = 0
    return _add_all(codes, 0, -1, y0, y1, y2, y3, y4, first_row, shifts, table, missing, block, aside)


@kernel(
    I8_IN, types.int64, F8_IN, F8_IN, F8_IN, F8_IN, F8_IN, types.int64, F8_IN, F8_OUT, I4_OUT, types.int64, TABLE_OUT
)
def add_keys_together(keys, low, y0, y1, y2, y3, y4, first_row, shifts, table, missing, block, aside):
    """As `add_rows_together`, with keys as in `shared.add_keys`; returns -1 where a key has no record."""
    if first_row == 0:
        table[:] = 0.0
        missing[:] = 0
    most = table.shape[0] // WIDTH - 1
    return _add_all(keys, low, most, y0, y1, y2, y3, y4, first_row, shifts, table, missing, block, aside)


@inner
def _separate(into, g, record, lacks, total, squares):
    """Make a record of its fields. Where a value is missing, the places of its last rows are unknown."""
    into[g, 0] = record[0] - lacks
    into[g, 1] = record[1] if lacks == 0 else UNKNOWN
    into[g, 2] = total
    into[g, 3] = squares


@kernel(F8_IN, I4_IN, TABLE_OUT, TABLE_OUT, TABLE_OUT, TABLE_OUT, TABLE_OUT)
def separate(table, missing, t0, t1, t2, t3, t4):
    """Make records (K, 4) for each outcome, as `shared.add_rows` makes them, of those that stand together."""
    for g in range(np.uint64(t0.shape[0])):
        record, lacks = table[g * np.uint64(WIDTH) :][:WIDTH], missing[g * np.uint64(_N_OUTCOMES) :][:_N_OUTCOMES]
        _separate(t0, g, record, lacks[0], record[2], record[3])
        _separate(t1, g, record, lacks[1], record[4], record[8])
        _separate(t2, g, record, lacks[2], record[5], record[9])
        _separate(t3, g, record, lacks[3], record[6], record[10])
        _separate(t4, g, record, lacks[4], record[7], record[11])
