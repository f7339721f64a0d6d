"""Rows in any order into raw records: the visit to a row's record is what costs, so it is kept short.

A record of one outcome is [n, shift, sum of d, sum of d^2]: see `moments`. Those of four outcomes lie side by side,
[n x 4, shifts x 4, sums x 4, sums of squares x 4], two cache lines where four tables would have four, and take a vector
operation where four records take four; the record of a fifth may follow. The bits are the same either way.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels._jit import F8_IN, F8_OUT, I4_IN, I8_IN, TABLE_OUT, U1_IN, inlined, inner, intrinsic, ir, kernel
from fastml.kernels.ahead import AHEAD, LINE, fetch, prefetch
from fastml.kernels.bitmaps import is_valid
from fastml.kernels.moments import N_FIELDS

__all__ = ["N_FIVE", "N_FOUR", "add_keys", "add_keys_together", "add_rows", "add_rows_together"]

N_FOUR = 4 * N_FIELDS
N_FIVE = 5 * N_FIELDS

_BLOCK = 1024  # keys that are looked through, then used while they are at hand
_NEAR = 24_000  # doubles, 190 kB: about what the second-level cache has room for, beside rows on their way
_ROWS_AHEAD = 16  # long enough for a record to come from the third-level cache
_ROWS_EACH = 4  # by then nearly all groups have been seen: in random order, all but exp(-4) of them

_VECTOR = ir.VectorType(ir.DoubleType(), 4)
_NUMBER = ir.IntType(32)


def _place(context, builder, table, args):
    """Where a record begins, given (table, origin, place), places in doubles: what doesn't change is added first."""
    data = context.make_array(table)(context, builder, args[0]).data
    return builder.gep(builder.gep(data, [args[1]]), [args[2]])


def _constant(*numbers):
    return ir.Constant(_VECTOR, list(numbers))


def _chosen(builder, left, right, *places):
    """Vector of elements of two: 0 to 3 are those of the left one."""
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(_NUMBER, 4), list(places)))


def _vector_at(builder, start, field):
    return builder.bitcast(builder.gep(start, [_NUMBER(4 * field)]), _VECTOR.as_pointer())


def _plain_deviation(table, origin, place, value):
    return value - table.reshape(-1)[origin + place + np.uint64(1)]


@intrinsic(_plain_deviation)
def _deviation(typing_context, table, origin, place, value):
    """The value less the record's shift."""

    def generate(context, builder, signature, args):
        start = _place(context, builder, table, args)
        return builder.fsub(args[3], builder.load(builder.gep(start, [_NUMBER(1)])))

    return types.float64(table, types.uint64, types.uint64, types.float64), generate


def _plain_add_deviation(table, origin, place, deviation):
    flat, at = table.reshape(-1), int(origin + place)
    flat[at : at + N_FIELDS] += [1.0, 0.0, deviation, deviation * deviation]


@intrinsic(_plain_add_deviation)
def _add_deviation(typing_context, table, origin, place, deviation):
    """Add [1, 0, d, d^2] to a record.

    One fused multiplication of a record in memory, [1, 0, 1, d] [1, 1, d, d], and one store of 32 bytes; LLVM makes
    three loads and three stores of single fields.
    """

    def generate(context, builder, signature, args):
        pointer = _vector_at(builder, _place(context, builder, table, args), 0)
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(nothing, args[3], _NUMBER(0))
        deviations = _chosen(builder, first, nothing, 0, 0, 0, 0)
        left = _chosen(builder, _constant(1.0, 0.0, 1.0, 1.0), deviations, 0, 1, 2, 7)
        right = _chosen(builder, _constant(1.0, 1.0, 1.0, 1.0), deviations, 0, 1, 6, 7)
        product = builder.fmul(left, right, flags=("contract",))
        record = builder.load(pointer, align=8)
        builder.store(builder.fadd(record, product, flags=("contract",)), pointer, align=8)
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.uint64, types.float64), generate


def _plain_begin_record(table, origin, place, value):
    table.reshape(-1)[int(origin + place) :][:2] = 1.0, value


@intrinsic(_plain_begin_record)
def _begin_record(typing_context, table, origin, place, value):
    """Make a record of nothing one of a value.

    It is here for what it is not: another view of the table, even where it is seldom made, costs each row two stores.
    """

    def generate(context, builder, signature, args):
        start = _place(context, builder, table, args)
        builder.store(ir.Constant(ir.DoubleType(), 1.0), start)
        builder.store(args[3], builder.gep(start, [_NUMBER(1)]))
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.uint64, types.float64), generate


def _plain_add_four(table, origin, place, y0, y1, y2, y3, row):
    four = table.reshape(-1)[int(origin + place) :][:N_FOUR].reshape(N_FIELDS, 4)
    deviations = np.array([y0[row], y1[row], y2[row], y3[row]]) - four[1]
    if np.isnan(deviations).any():
        return False
    four[0] += 1.0
    four[2] += deviations
    four[3] += deviations * deviations
    return True


@intrinsic(_plain_add_four)
def _add_four(typing_context, table, origin, place, y0, y1, y2, y3, row):
    """Add a row to the four records that begin at a place, and return True; or False where a deviation is NaN."""

    def generate(context, builder, signature, args):
        start = _place(context, builder, table, args)
        values = ir.Constant(_VECTOR, ir.Undefined)
        for k, (kind, y) in enumerate(zip((y0, y1, y2, y3), args[3:7], strict=True)):
            value = builder.load(builder.gep(context.make_array(kind)(context, builder, y).data, [args[7]]))
            values = builder.insert_element(values, value, _NUMBER(k))
        pointers = [_vector_at(builder, start, field) for field in range(N_FIELDS)]
        deviations = builder.fsub(values, builder.load(pointers[1], align=8))
        ordered = builder.bitcast(builder.fcmp_ordered("==", deviations, deviations), ir.IntType(4))
        good = builder.icmp_unsigned("==", ordered, ir.Constant(ir.IntType(4), 15))
        with builder.if_then(good, likely=True):
            squares = builder.fmul(deviations, deviations, flags=("contract",))
            for field, more in ((0, _constant(1.0, 1.0, 1.0, 1.0)), (2, deviations), (3, squares)):
                held = builder.load(pointers[field], align=8)
                builder.store(builder.fadd(held, more, flags=("contract",)), pointers[field], align=8)
        return good

    return types.boolean(table, types.uint64, types.uint64, y0, y1, y2, y3, types.uint64), generate


def _plain_fetch_record(table, origin, place):
    pass


@intrinsic(_plain_fetch_record)
def _fetch_record(typing_context, table, origin, place):
    """Ask for a record, to be kept in the first-level cache."""

    def generate(context, builder, signature, args):
        return prefetch(context, builder, _place(context, builder, table, args), 3)

    return types.void(table, types.uint64, types.uint64), generate


@inner
def _add_value(table, origin, place, value):
    """Add a value to a record, and return whether it is one: not NaN."""
    deviation = _deviation(table, origin, place, value)
    if deviation == deviation:
        _add_deviation(table, origin, place, deviation)
        return True
    if value != value:
        return False
    _begin_record(table, origin, place, value)  # it is new: its shift is NaN
    return True


@inner
def _add_apart(table, origin, place, value):
    """As `_add_value`, for one of four records side by side."""
    flat = table.reshape(table.size)
    at = origin + place
    deviation = value - flat[at + np.uint64(4)]
    if deviation == deviation:
        flat[at] += 1.0
        flat[at + np.uint64(8)] += deviation
        flat[at + np.uint64(12)] += deviation * deviation
    elif value == value:
        flat[at] = 1.0
        flat[at + np.uint64(4)] = value
    return value == value


@inner
def _origin(low, width):
    """Place of the record of key 0, which may be before the table: places are unsigned, and wrap around."""
    return np.uint64(0) - low * np.uint64(width)


@inner
def _add_all(keys, low, y, start, stop, table, missing):
    """Add the rows from `start` to `stop`; the record of a key is at key - low."""
    origin, width = _origin(low, N_FIELDS), np.uint64(N_FIELDS)
    far = table.size > _NEAR
    while start + np.uint64(LINE) <= stop:
        fetch(y, start + np.uint64(AHEAD))
        fetch(keys, start + np.uint64(AHEAD))
        if far:
            ahead = min(start + np.uint64(_ROWS_AHEAD), stop - np.uint64(LINE))
            for k in range(np.uint64(LINE)):
                _fetch_record(table, origin, np.uint64(keys[ahead + k]) * width)
        for k in range(np.uint64(LINE)):
            key = np.uint64(keys[start + k])
            if not _add_value(table, origin, key * width, y[start + k]):
                missing[key - low] += 1.0
        start += np.uint64(LINE)
    while start < stop:
        key = np.uint64(keys[start])
        if not _add_value(table, origin, key * width, y[start]):
            missing[key - low] += 1.0
        start += np.uint64(1)


@inner
def _add_valid(keys, low, y, start, stop, valid, offset, table, missing):
    """As `_add_all`, without the rows whose bit is 0."""
    origin, width = _origin(low, N_FIELDS), np.uint64(N_FIELDS)
    while start < stop:
        key = np.uint64(keys[start])
        if not (is_valid(valid, np.uint64(offset) + start) and _add_value(table, origin, key * width, y[start])):
            missing[key - low] += 1.0
        start += np.uint64(1)


@inlined
def _add_together(table, origin, place, y0, y1, y2, y3, y4, row):
    """Add a row to four records or five, and return whether the first value is one."""
    whole = _add_four(table, origin, place, y0, y1, y2, y3, row)
    if not whole:
        whole = _add_apart(table, origin, place, y0[row])
        _add_apart(table, origin, place + np.uint64(1), y1[row])
        _add_apart(table, origin, place + np.uint64(2), y2[row])
        _add_apart(table, origin, place + np.uint64(3), y3[row])
    if y4.shape[0] > 0:
        _add_value(table, origin, place + np.uint64(N_FOUR), y4[row])
    return whole


@inner
def _add_all_together(keys, low, y0, y1, y2, y3, y4, start, stop, table, missing):
    """As `_add_all`, for four outcomes or five; `missing` is of the first."""
    five = y4.shape[0] > 0
    width = np.uint64(N_FIVE if five else N_FOUR)
    origin = _origin(low, width)
    while start + np.uint64(LINE) <= stop:
        fetch(keys, start + np.uint64(AHEAD))
        fetch(y0, start + np.uint64(AHEAD))
        fetch(y1, start + np.uint64(AHEAD))
        fetch(y2, start + np.uint64(AHEAD))
        fetch(y3, start + np.uint64(AHEAD))
        if five:
            fetch(y4, start + np.uint64(AHEAD))
        ahead = min(start + np.uint64(_ROWS_AHEAD), stop - np.uint64(LINE))
        for k in range(np.uint64(LINE)):
            place = np.uint64(keys[ahead + k]) * width
            _fetch_record(table, origin, place)
            _fetch_record(table, origin, place + np.uint64(LINE))
            if five:
                _fetch_record(table, origin, place + np.uint64(2 * LINE))
        for k in range(np.uint64(LINE)):
            key = np.uint64(keys[start + k])
            if not _add_together(table, origin, key * width, y0, y1, y2, y3, y4, start + k):
                missing[key - low] += 1.0
        start += np.uint64(LINE)
    while start < stop:
        key = np.uint64(keys[start])
        if not _add_together(table, origin, key * width, y0, y1, y2, y3, y4, start):
            missing[key - low] += 1.0
        start += np.uint64(1)


@inner
def _seed(keys, low, y, table):
    """Note the first value of most groups as their shift: going back over the first rows, the last write stays.

    A row that finds a new record takes the processor by surprise, which then forgets the rows it had begun. Few do so
    after this.
    """
    flat, origin = table.reshape(table.size), _origin(low, N_FIELDS) + np.uint64(1)
    row = np.uint64(min(_ROWS_EACH * table.shape[0], keys.shape[0]))
    while row > 0:
        row -= np.uint64(1)
        flat[origin + np.uint64(keys[row]) * np.uint64(N_FIELDS)] = y[row]


@inner
def _begin(table, missing):
    """Make records of nothing: zeros, and shifts that are NaN."""
    missing[:] = 0.0
    side_by_side = table.shape[1] > N_FIELDS
    for g in range(table.shape[0]):
        for field in range(table.shape[1]):
            shift = 4 <= field < 8 or field == N_FOUR + 1 if side_by_side else field == 1
            table[g, field] = math.nan if shift else 0.0


@inner
def _all_within(keys, low, start, stop, most):
    """Whether all keys lie from `low` to `low` + `most`: neither difference then has its sign bit set."""
    signs = low ^ low
    for i in range(start, stop):
        above = keys[i] - low
        signs |= above | (most - above)
    return signs >= 0


@inner
def _all_early_within(keys, low, table):
    stop = np.uint64(min(_ROWS_EACH * table.shape[0], keys.shape[0]))
    return _all_within(keys, low, np.uint64(0), stop, table.shape[0] - 1)


@kernel(I4_IN, F8_IN, U1_IN, types.int64, types.boolean, TABLE_OUT, F8_OUT)
def add_rows(codes, y, valid, offset, fresh, table, missing):
    """Add rows to raw records `table` (K, 4), and count missing ones per group.

    Missing are NaN, and rows whose bit of `valid` (Arrow's bitmap, from bit `offset` on; empty: all valid) is 0. Where
    `fresh` is True, table and counts may be anything and begin with nothing.
    """
    first, stop = np.uint64(0), np.uint64(codes.shape[0])
    if fresh:
        _begin(table, missing)
        if valid.shape[0] == 0:
            _seed(codes, first, y, table)
    if valid.shape[0] > 0:
        _add_valid(codes, first, y, first, stop, valid, offset, table, missing)
    else:
        _add_all(codes, first, y, first, stop, table, missing)


@kernel(I8_IN, types.int64, F8_IN, U1_IN, types.int64, types.boolean, TABLE_OUT, F8_OUT)
def add_keys(keys, low, y, valid, offset, fresh, table, missing):
    """As `add_rows`, where the record of a key is at key - low; stop before a block with a key that has none.

    Returns whether all rows were added. So the range of the keys need not be known before they are read.
    """
    n, most, base = np.uint64(keys.shape[0]), table.shape[0] - 1, np.uint64(np.int64(low))
    start = np.uint64(0)
    if fresh:
        _begin(table, missing)
        if valid.shape[0] == 0:
            if not _all_early_within(keys, low, table):
                return False
            _seed(keys, base, y, table)
    while start < n:
        stop = min(start + np.uint64(_BLOCK), n)
        if not _all_within(keys, low, start, stop, most):
            return False
        if valid.shape[0] > 0:
            _add_valid(keys, base, y, start, stop, valid, offset, table, missing)
        else:
            _add_all(keys, base, y, start, stop, table, missing)
        start = stop
    return True


@inner
def _seed_together(keys, low, y0, y1, y2, y3, y4, table, missing):
    """As `_seed`, for four outcomes or five."""
    _begin(table, missing)
    width = np.uint64(table.shape[1])
    flat, origin = table.reshape(table.size), _origin(low, width)
    row = np.uint64(min(_ROWS_EACH * table.shape[0], keys.shape[0]))
    while row > 0:
        row -= np.uint64(1)
        place = origin + np.uint64(keys[row]) * width
        flat[place + np.uint64(4)] = y0[row]
        flat[place + np.uint64(5)] = y1[row]
        flat[place + np.uint64(6)] = y2[row]
        flat[place + np.uint64(7)] = y3[row]
        if y4.shape[0] > 0:
            flat[place + np.uint64(N_FOUR + 1)] = y4[row]


@kernel(I4_IN, F8_IN, F8_IN, F8_IN, F8_IN, F8_IN, TABLE_OUT, F8_OUT)
def add_rows_together(codes, y0, y1, y2, y3, y4, table, missing):
    """As `add_rows`, afresh for four outcomes side by side, `table` (K, 16), or five (K, 20); `y4` is empty for four.

    Missing are NaN; those of the first outcome are counted.
    """
    first = np.uint64(0)
    _seed_together(codes, first, y0, y1, y2, y3, y4, table, missing)
    _add_all_together(codes, first, y0, y1, y2, y3, y4, first, np.uint64(codes.shape[0]), table, missing)


@kernel(I8_IN, types.int64, F8_IN, F8_IN, F8_IN, F8_IN, F8_IN, TABLE_OUT, F8_OUT)
def add_keys_together(keys, low, y0, y1, y2, y3, y4, table, missing):
    """As `add_rows_together`, with keys as in `add_keys`."""
    n, most, base = np.uint64(keys.shape[0]), table.shape[0] - 1, np.uint64(np.int64(low))
    if not _all_early_within(keys, low, table):
        return False
    _seed_together(keys, base, y0, y1, y2, y3, y4, table, missing)
    start = np.uint64(0)
    while start < n:
        stop = min(start + np.uint64(_BLOCK), n)
        if not _all_within(keys, low, start, stop, most):
            return False
        _add_all_together(keys, base, y0, y1, y2, y3, y4, start, stop, table, missing)
        start = stop
    return True
