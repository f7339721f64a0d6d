"""Rows in any order into raw records of an outcome that are all about one shift, for groups of many rows.

So most of what a row costs is done for four rows at once. Where a group's values lie close together, but far from the
shift, its record is made again about its own (`settle_rows`). The groups of which that is to be feared have a row, or
two or three; so while there is no need of a field for the shift, it holds the places of a record's last three rows,
which are found again without a pass over all of them.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import cgutils, types

from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, I8_IN, TABLE_OUT, U1_IN, inner, intrinsic, ir, kernel
from fastml.kernels.prefetch import AHEAD, LINE, fetch_once
from fastml.kernels.sums.bitmaps import eight_bits, is_valid
from fastml.kernels.sums.moments import N_FIELDS, is_settled
from fastml.kernels.sums.record import (
    NUMBER,
    add_value,
    all_ordered,
    all_within,
    chosen,
    four_times,
    from_scalars,
    has_next_eight,
    origin_of,
    pause_of,
    set_aside,
    start_of,
    vector_at,
)

__all__ = [
    "PLACES",
    "UNKNOWN",
    "add_keys",
    "add_row_at",
    "add_rows",
    "increments_of_four",
    "likely_shift",
    "place_of",
    "settle_keys",
    "settle_rows",
    "squares_of",
]

_SOME = 64  # values that tell a shift

# A place is the number of eight rows, below 2^17. The new one is added to 2^-17 times the field, so that a double holds
# three of them exactly.
PLACES = 131072
_FOUND_AGAIN = 3
UNKNOWN = -1.0  # in place of places
_HALF = LINE // 2


def squares_of(builder, values):
    """Squares that aren't fused with what they are added to, so that a row gives the same bits wherever it stands."""
    product = builder.fmul(values, values)
    shape = ir.FunctionType(product.type, [product.type])
    fence = cgutils.get_or_insert_function(builder.module, shape, f"llvm.arithmetic.fence.v{_HALF}f64")
    return builder.call(fence, [product])


def increments_of_four(builder, deviations, place):
    """Vectors [1, place, d, d^2] of each of four deviations."""
    one, squares = ir.Constant(ir.DoubleType(), 1.0), squares_of(builder, deviations)
    counts = from_scalars(builder, (one, place, one, place))
    even, odd = (chosen(builder, deviations, squares, k, 4 + k, 2 + k, 6 + k) for k in (0, 1))
    return [chosen(builder, counts, pair, 0, 1, k, k + 1) for k in (4, 6) for pair in (even, odd)]


def add_row_at(builder, pointer, more):
    """Add one of `increments_of_four` to the record at a pointer."""
    times = ir.Constant(more.type, [1.0, 1.0 / PLACES, 1.0, 1.0])
    record = builder.fmul(builder.load(pointer, align=8), times, flags=("contract",))
    builder.store(builder.fadd(record, more, flags=("contract",)), pointer, align=8)


def _plain_add_row(table, origin, key, deviation, place):
    at = int(origin + np.uint64(key) * np.uint64(N_FIELDS))
    record = table.reshape(-1)[at : at + N_FIELDS]
    record[:] = record * [1.0, 1.0 / PLACES, 1.0, 1.0] + [1.0, place, deviation, deviation * deviation]


@intrinsic(_plain_add_row)
def _add_row(typing_context, table, origin, key, deviation, place):
    """Add a deviation to the record of a key."""

    def generate(context, builder, signature, args):
        start = start_of(context, builder, table, (args[0], args[1], builder.mul(args[2], args[2].type(N_FIELDS))))
        more, *_ = increments_of_four(builder, four_times(builder, args[3]), args[4])
        add_row_at(builder, vector_at(builder, start, 0), more)
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.uint64, types.float64, types.float64), generate


def _plain_add_four(table, origin, keys, y, row, shift, place):
    some = slice(int(row), int(row) + _HALF)
    deviations = y[some] - shift
    if np.isnan(deviations).any():
        return False
    for key, deviation in zip(keys[some], deviations, strict=True):
        _plain_add_row(table, origin, key, deviation, place)
    return True


@intrinsic(_plain_add_four)
def _add_four(typing_context, table, origin, keys, y, row, shift, place):
    """Add four rows to the records of their keys, and return True; or False where a value is NaN."""

    def generate(context, builder, signature, args):
        key_at, value_at = (
            builder.gep(context.make_array(kind)(context, builder, array).data, [args[4]])
            for kind, array in ((keys, args[2]), (y, args[3]))
        )
        values = builder.load(vector_at(builder, value_at, 0), align=8)
        deviations = builder.fsub(values, four_times(builder, args[5]))
        good = all_ordered(builder, deviations, deviations)
        with builder.if_then(good, likely=True):
            for k, more in enumerate(increments_of_four(builder, deviations, args[6])):
                key = builder.load(builder.gep(key_at, [NUMBER(k)]))
                key = context.cast(builder, key, keys.dtype, signature.args[1])
                start = start_of(context, builder, table, (args[0], args[1], builder.mul(key, key.type(N_FIELDS))))
                add_row_at(builder, vector_at(builder, start, 0), more)
        return good

    return types.boolean(table, types.uint64, keys, y, types.uint64, types.float64, types.float64), generate


@inner
def place_of(row):
    """Number of the eight rows that a row is among."""
    return np.float64(np.int64(row >> np.uint64(3)))


@inner
def _add_some(keys, low, y, valid, offset, start, stop, shift, table, missing):
    """Add the rows from `start` to `stop`, of one place, one by one."""
    origin, place = origin_of(low, N_FIELDS), place_of(start)
    for row in range(start, stop):
        key, deviation = np.uint64(keys[row]), y[row] - shift
        if deviation == deviation and (valid.shape[0] == 0 or is_valid(valid, np.uint64(offset) + row)):
            _add_row(table, origin, key, deviation, place)
        else:
            missing[key - low] += 1.0


@inner
def _add_all(keys, low, most, y, valid, offset, shift, table, missing, block, aside):
    """Add all rows; the record of a key is at key - low. Stop where one isn't, if there is a `most` of key - low."""
    pause = pause_of(block, 0)
    n, base, eight = np.uint64(keys.shape[0]), np.uint64(np.int64(low)), np.uint64(LINE)
    origin, no_nulls, start = origin_of(base, N_FIELDS), valid.shape[0] == 0, np.uint64(0)
    while start + eight <= n:
        if start == pause:
            set_aside(table, missing, aside)
            pause += np.uint64(block)
        fetch_once(y, start + np.uint64(AHEAD))
        fetch_once(keys, start + np.uint64(AHEAD))
        if not has_next_eight(keys, low, most, start, table, N_FIELDS):
            return False
        if no_nulls or eight_bits(valid, np.uint64(offset) + start) == 255:
            place = place_of(start)
            for some in range(start, start + eight, np.uint64(_HALF)):
                if not _add_four(table, origin, keys, y, some, shift, place):
                    _add_some(keys, base, y, valid, offset, some, some + np.uint64(_HALF), shift, table, missing)
        else:
            _add_some(keys, base, y, valid, offset, start, start + eight, shift, table, missing)
        start += eight
    if most >= 0 and not all_within(keys, low, start, n, most):
        return False
    _add_some(keys, base, y, valid, offset, start, n, shift, table, missing)
    return True


@kernel(I4_IN, F8_IN, U1_IN, types.int64, types.float64, TABLE_OUT, F8_OUT, types.int64, TABLE_OUT)
def add_rows(codes, y, valid, offset, shift, table, missing, block, aside):
    """Make raw records `table` (K, 4), with places for shifts, of rows, and count missing ones per group.

    Missing values, `block` and `aside` as in `rows.add_rows`.
    """
    table[:] = 0.0
    missing[:] = 0.0
    _add_all(codes, 0, -1, y, valid, offset, shift, table, missing, block, aside)


@kernel(I8_IN, types.int64, F8_IN, U1_IN, types.int64, types.float64, TABLE_OUT, F8_OUT, types.int64, TABLE_OUT)
def add_keys(keys, low, y, valid, offset, shift, table, missing, block, aside):
    """As `add_rows`, where the record of a key is at key - low; stop before one that has none.

    Returns whether all rows were added. So the range of the keys need not be known before they are read.
    """
    table[:] = 0.0
    missing[:] = 0.0
    return _add_all(keys, low, table.shape[0] - 1, y, valid, offset, shift, table, missing, block, aside)


@inner
def _make_again(keys, low, y, valid, offset, g, table):
    """Make the record of group g again of its rows, at most three, about the first or else about their mean.

    Returns whether it is settled then.
    """
    n, places, key = table[g, 0], table[g, 1], np.uint64(g) + low
    last = np.int64(places)
    places = (places - last) * PLACES
    middle = np.int64(places)
    first = np.int64((places - middle) * PLACES)
    shift = math.nan
    for _ in range(2):
        table[g, 0], table[g, 1], table[g, 2], table[g, 3] = 0.0, shift, 0.0, 0.0
        before = np.int64(-1)
        for place in (first, middle, last):
            if place == before:
                continue
            before = place
            start = np.uint64(place) * np.uint64(LINE)
            for row in range(start, min(start + np.uint64(LINE), np.uint64(keys.shape[0]))):
                if np.uint64(keys[row]) == key and (valid.shape[0] == 0 or is_valid(valid, np.uint64(offset) + row)):
                    add_value(table, origin_of(low, N_FIELDS), key * np.uint64(N_FIELDS), y[row])
        if is_settled(n, table[g, 1], table[g, 2], table[g, 3], n):
            return True
        shift = table[g, 1] + table[g, 2] / n
    return False


@inner
def _settle(keys, low, y, valid, offset, shift, table):
    settled, few = True, keys.shape[0] <= PLACES * LINE
    for g in range(np.uint64(table.shape[0])):
        n, places, total, squares = table[g, 0], table[g, 1], table[g, 2], table[g, 3]
        if not is_settled(n, shift, total, squares, n):
            if few and n <= _FOUND_AGAIN and places >= 0.0:
                settled &= _make_again(keys, low, y, valid, offset, g, table)
                continue
            settled = False
        table[g, 1] = shift
    return settled


@kernel(I4_IN, F8_IN, U1_IN, types.int64, types.float64, TABLE_OUT)
def settle_rows(codes, y, valid, offset, shift, table):
    """Make raw records, about a shift, of those with places (K, 4) that `add_rows` made of the same rows.

    Returns whether no digits were lost. They may be where a group's values lie close together, but far from the shift;
    the records of up to three rows are then made again about the first of them, or, where that is a wild one, their
    mean.
    """
    return _settle(codes, np.uint64(0), y, valid, offset, shift, table)


@kernel(I8_IN, types.int64, F8_IN, U1_IN, types.int64, types.float64, TABLE_OUT)
def settle_keys(keys, low, y, valid, offset, shift, table):
    """As `settle_rows`, where the record of a key is at key - low."""
    return _settle(keys, np.uint64(np.int64(low)), y, valid, offset, shift, table)


@inner
def _nearest_to_mean(y, valid, offset, step):
    """Of every so many-th value, if it is finite: that which is next to their mean; NaN where there is none."""
    n, total = 0, 0.0
    found = distance = math.nan
    for again in (False, True):
        for row in range(0, y.shape[0], step):
            if math.isfinite(y[row]) and (valid.shape[0] == 0 or is_valid(valid, offset + row)):
                if not again:
                    n += 1
                    total += y[row]
                elif not distance <= abs(y[row] - total / n):
                    found, distance = y[row], abs(y[row] - total / n)
    return found


@kernel(F8_IN, U1_IN, types.int64)
def likely_shift(y, valid, offset):
    """Find a shift for all groups: a value in the middle of some from everywhere, as files may be sorted by anything.

    It is 0 where no value is finite.
    """
    for step in (max(y.shape[0] // _SOME, 1), 1):
        found = _nearest_to_mean(y, valid, offset, step)
        if found == found:
            return found
    return 0.0
