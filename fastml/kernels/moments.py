"""Group moments: the one pass over the rows, and the addition of its partial tables.

A table has one record per group: 4 doubles, 32 bytes, so that a shuffled row touches one place in memory.

    raw        n (or sum of weights), shift (the first value seen; NaN: none yet), and about it the sums of d, d^2
    finished   n, mean (the nearest double), residual (the mean less that double), ss (about the mean)

Tiles of rows make raw records, `fold_raw` adds them with a handful of operations each, and `finish` finishes the sums
of all of them; `fold` adds finished ones. With the residual a mean has some thirty digits, so differences between
means, and what merging makes of them, keep all that doubles allow. A weighted record has a fifth field, the sum of the
squared weights.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels._jit import (
    F8_IN,
    F8_OUT,
    I4_IN,
    I8_IN,
    TABLE_IN,
    TABLE_OUT,
    U1_IN,
    exact,
    inner,
    intrinsic,
    ir,
    kernel,
)
from fastml.kernels.ahead import AHEAD, LINE, fetch, prefetch

__all__ = ["AGAIN", "NOT_FINITE", "N_FIELDS", "N_WEIGHTED", "READY", "accumulate_weighted", "add_keys", "add_rows",
           "count_weights", "finish", "fold", "fold_raw", "same_in_group", "settle", "sum_runs"]  # fmt: skip

N_FIELDS = 4
N_WEIGHTED = 5

READY, AGAIN, NOT_FINITE = 0, 1, 2

# Sums of squares this many times that about the mean lose three of the sixteen digits at most.
MAX_CANCELLATION = 256.0

_BLOCK = 1024  # keys that are looked through, then used while they are at hand
_NEAR_RECORDS = 6_000  # 190 kB: about what the second-level cache has room for, beside rows on their way
_RECORDS_AHEAD = 16  # rows: long enough for a record to come from the third-level cache

_SPLIT = 134217729.0  # 2^27 + 1: splits a double in two halves of 26 bits (Dekker 1971)


@exact
def _two_sum(a, b):
    """a + b as a double and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@exact
def _two_product(a, b):
    """a * b as a double and its rounding error (Dekker, Veltkamp)."""
    product = a * b
    c = _SPLIT * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = _SPLIT * b
    b_high = c - (c - b)
    b_low = b - b_high
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


@exact
def _finished(n, shift, total, squares):
    """Mean, residual and ss of raw sums: total^2/n is taken off with its rounding error."""
    quotient = total / n
    product, error = _two_product(quotient, n)
    rest = ((total - product) - error) / n  # the mean deviation is quotient + rest
    square, error = _two_product(total, quotient)
    ss = (squares - square) - (error + total * rest)
    mean, residual = _two_sum(shift, quotient)
    mean, residual = _two_sum(mean, residual + rest)
    return mean, residual, ss


@inner
def _is_valid(valid, place):
    return (valid[place >> 3] >> np.uint8(place & 7)) & np.uint8(1) != 0


@inner
def _all_valid(valid, start, stop):
    """Whether the bits from `start` to `stop` are all 1."""
    while start < stop and start & 7:
        if not _is_valid(valid, start):
            return False
        start += 1
    while start + 8 <= stop:
        if valid[start >> 3] != np.uint8(255):
            return False
        start += 8
    while start < stop:
        if not _is_valid(valid, start):
            return False
        start += 1
    return True


def _plain_deviation(table, low, key, value):
    return value - table[key - low, 1]


@intrinsic(_plain_deviation)
def _deviation(typing_context, table, low, key, value):
    """The value less the shift of the record at key - low."""

    def generate(context, builder, signature, args):
        start = _record(context, builder, table, args)
        return builder.fsub(args[3], builder.load(builder.gep(start, [ir.IntType(32)(1)])))

    return types.float64(table, types.uint64, types.uint64, types.float64), generate


def _plain_add_deviation(table, low, key, deviation):
    table[key - low, 0] += 1.0
    table[key - low, 2] += deviation
    table[key - low, 3] += deviation * deviation


@intrinsic(_plain_add_deviation)
def _add_deviation(typing_context, table, low, key, deviation):
    """Add [1, 0, d, d^2] to the record at key - low.

    One fused multiplication of a record in memory, [1, 0, 1, d] [1, 1, d, d], and one store of 32 bytes; LLVM makes
    three loads and three stores of single fields.
    """
    vector, number = ir.VectorType(ir.DoubleType(), N_FIELDS), ir.IntType(32)

    def places(*numbers):
        return ir.Constant(ir.VectorType(number, N_FIELDS), list(numbers))

    def generate(context, builder, signature, args):
        pointer = builder.bitcast(_record(context, builder, table, args), vector.as_pointer())
        nothing = ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(nothing, args[3], number(0))
        deviations = builder.shuffle_vector(first, nothing, places(0, 0, 0, 0))
        left = builder.shuffle_vector(ir.Constant(vector, [1.0, 0.0, 1.0, 1.0]), deviations, places(0, 1, 2, 7))
        right = builder.shuffle_vector(ir.Constant(vector, [1.0, 1.0, 1.0, 1.0]), deviations, places(0, 1, 6, 7))
        product = builder.fmul(left, right, flags=("contract",))
        record = builder.load(pointer, align=8)
        builder.store(builder.fadd(record, product, flags=("contract",)), pointer, align=8)
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.uint64, types.float64), generate


def _record(context, builder, table, args):
    """Where a record begins, given (table, low, key): what doesn't change in a loop is added first."""
    word = args[1].type
    data = context.make_array(table)(context, builder, args[0]).data
    base = builder.gep(data, [builder.mul(args[1], ir.Constant(word, -N_FIELDS))])
    return builder.gep(base, [builder.mul(args[2], ir.Constant(word, N_FIELDS))])


def _plain_fetch_record(table, low, key):
    pass


@intrinsic(_plain_fetch_record)
def _fetch_record(typing_context, table, low, key):
    """Ask for the record at key - low, to be kept in the first-level cache."""

    def generate(context, builder, signature, args):
        return prefetch(context, builder, _record(context, builder, table, args), 3)

    return types.void(table, types.uint64, types.uint64), generate


@inner
def _add_row(table, missing, low, key, value):
    deviation = _deviation(table, low, key, value)
    if deviation == deviation:
        _add_deviation(table, low, key, deviation)
    elif value != value:
        missing[key - low] += 1.0
    else:  # the record is new: its shift is NaN
        table[key - low, 0] = 1.0
        table[key - low, 1] = value


@inner
def _add_rows(keys, low, y, start, stop, far, table, missing):
    """Add the rows from `start` to `stop`; the record of a key is at key - low.

    Records that are `far` from the processor, in a table larger than the caches next to it, are asked for some rows
    before their turn.
    """
    while start + np.uint64(LINE) <= stop:
        fetch(y, start + np.uint64(AHEAD))
        fetch(keys, start + np.uint64(AHEAD))
        if far:
            ahead = min(start + np.uint64(_RECORDS_AHEAD), stop - np.uint64(LINE))
            for k in range(np.uint64(LINE)):
                _fetch_record(table, low, np.uint64(keys[ahead + k]))
        for k in range(np.uint64(LINE)):
            _add_row(table, missing, low, np.uint64(keys[start + k]), y[start + k])
        start += np.uint64(LINE)
    while start < stop:
        _add_row(table, missing, low, np.uint64(keys[start]), y[start])
        start += np.uint64(1)


@inner
def _add_valid_rows(keys, low, y, start, stop, valid, offset, table, missing):
    while start < stop:
        key = np.uint64(keys[start])
        if _is_valid(valid, np.uint64(offset) + start):
            _add_row(table, missing, low, key, y[start])
        else:
            missing[key - low] += 1.0
        start += np.uint64(1)


@inner
def _is_far(table):
    return table.shape[0] > _NEAR_RECORDS


@kernel(I4_IN, F8_IN, U1_IN, types.int64, TABLE_OUT, F8_OUT)
def add_rows(codes, y, valid, offset, table, missing):
    """Add rows to raw records, and count missing ones per group.

    Missing are NaN, and rows whose bit of `valid` (Arrow's bitmap, from bit `offset` on; empty: all valid) is 0.
    """
    first, stop = np.uint64(0), np.uint64(codes.shape[0])
    if valid.shape[0] > 0:
        _add_valid_rows(codes, first, y, first, stop, valid, offset, table, missing)
    elif _is_far(table):
        _add_rows(codes, first, y, first, stop, True, table, missing)
    else:
        _add_rows(codes, first, y, first, stop, False, table, missing)


@inner
def _all_within(keys, low, start, stop, most):
    """Whether all keys lie from `low` to `low` + `most`: neither difference then has its sign bit set."""
    signs = low ^ low
    for i in range(start, stop):
        above = keys[i] - low
        signs |= above | (most - above)
    return signs >= 0


@kernel(I8_IN, types.int64, F8_IN, U1_IN, types.int64, TABLE_OUT, F8_OUT)
def add_keys(keys, low, y, valid, offset, table, missing):
    """As `add_rows`, where the record of a key is at key - low; stop before a block with a key that has none.

    Returns whether all rows were added. So the range of the keys need not be known before they are read.
    """
    n, most, base = np.uint64(keys.shape[0]), table.shape[0] - 1, np.uint64(np.int64(low))
    start = np.uint64(0)
    while start < n:
        stop = min(start + np.uint64(_BLOCK), n)
        if not _all_within(keys, low, start, stop, most):
            return False
        if valid.shape[0] > 0:
            _add_valid_rows(keys, base, y, start, stop, valid, offset, table, missing)
        elif _is_far(table):
            _add_rows(keys, base, y, start, stop, True, table, missing)
        else:
            _add_rows(keys, base, y, start, stop, False, table, missing)
        start = stop
    return True


@inner
def _sum_short(y, start, stop, shift, total, squares):
    """Add d and d^2 of some values: one loop over a contiguous array, which vectorises."""
    part = y[start:stop]
    for i in range(part.shape[0]):
        deviation = part[i] - shift
        total += deviation
        squares += deviation * deviation
    return total, squares


@inner
def _sum_run(y, start, stop, shift):
    """Sums of d and d^2."""
    total = 0.0
    squares = 0.0
    while start + 64 <= stop:
        for k in range(0, 64, LINE):
            fetch(y, np.uint64(start + k + AHEAD))
        total, squares = _sum_short(y, start, start + 64, shift, total, squares)
        start += 64
    return _sum_short(y, start, stop, shift, total, squares)


@inner
def _sum_run_valid(y, start, stop, shift, valid, offset):
    """Number, shift and sums of the values that aren't missing; a shift of NaN becomes the first of them."""
    n = 0.0
    total = 0.0
    squares = 0.0
    for i in range(start, stop):
        value = y[i]
        if value != value or (valid.shape[0] > 0 and not _is_valid(valid, offset + i)):
            continue
        if shift != shift:
            shift = value
        deviation = value - shift
        n += 1.0
        total += deviation
        squares += deviation * deviation
    return n, shift, total, squares


@inner
def _is_off(n, total, squares):
    """Whether the shift is so far from the values that digits cancel in the sums about it."""
    return squares > MAX_CANCELLATION * (squares - total * (total / n))


@kernel(I4_IN, F8_IN, U1_IN, types.int64, TABLE_OUT, F8_OUT)
def sum_runs(starts, y, valid, offset, records, missing):
    """Fill a raw record for each run: run r holds the rows from ``starts[r]`` to ``starts[r + 1]``.

    Missing values as in `add_rows`; their number goes to `missing` (R,). A run without missing values is summed in the
    same order whatever the other runs have, and null is as NaN, so that the bits don't depend on which of the two a
    source has for a missing value. The first value of a run may be a wild one; it is then summed again about its mean.
    Returns the first run whose sums aren't finite, or -1.
    """
    bad = -1
    for r in range(records.shape[0]):
        start = starts[r]
        stop = starts[r + 1]
        n = np.float64(stop - start)
        shift = y[start]
        total, squares = _sum_run(y, start, stop, shift)
        whole = total == total and (valid.shape[0] == 0 or _all_valid(valid, offset + start, offset + stop))
        if not whole:
            n, shift, total, squares = _sum_run_valid(y, start, stop, math.nan, valid, offset)
        if _is_off(n, total, squares):
            shift += total / n
            if whole:
                total, squares = _sum_run(y, start, stop, shift)
            else:
                n, shift, total, squares = _sum_run_valid(y, start, stop, shift, valid, offset)
        records[r, 0] = n
        records[r, 1] = shift
        records[r, 2] = total
        records[r, 3] = squares
        missing[r] = stop - start - n
        if bad < 0 and not math.isfinite(squares):
            bad = r
    return bad


@kernel(I4_IN, F8_IN, F8_IN, TABLE_OUT)
def accumulate_weighted(codes, y, weights, table):
    """Add rows of positive weight to raw weighted records."""
    for i in range(codes.shape[0]):
        value = y[i]
        weight = weights[i]
        if not weight > 0.0 or value != value:
            continue
        group = np.uint64(codes[i])
        if table[group, 1] != table[group, 1]:
            table[group, 1] = value
        deviation = value - table[group, 1]
        table[group, 0] += weight
        table[group, 2] += weight * deviation
        table[group, 3] += weight * deviation * deviation
        table[group, 4] += weight * weight


@kernel(TABLE_OUT)
def settle(table):
    """Tell whether raw records are `READY`, have to be filled `AGAIN`, or are `NOT_FINITE`.

    Where a shift is far from its group's values, as the first of them may be a wild one, the records are made ready to
    be filled again, about the means.
    """
    finite = True
    off = False
    for g in range(table.shape[0]):
        n, total, squares = table[g, 0], table[g, 2], table[g, 3]
        finite &= squares < math.inf
        off |= _is_off(n, total, squares)
    if not finite:
        return NOT_FINITE
    if not off:
        return READY
    for g in range(table.shape[0]):
        if table[g, 0] > 0.0:
            table[g, 1] += table[g, 2] / table[g, 0]
        table[g, 0] = 0.0
        for field in range(2, table.shape[1]):
            table[g, field] = 0.0
    return AGAIN


@kernel(TABLE_OUT)
def finish(table):
    """Finish raw records in place; return the first group whose values aren't finite, or -1."""
    bad = -1
    for g in range(table.shape[0]):
        if table[g, 0] > 0.0:
            total = table[g, 2]
            if not (math.isfinite(table[g, 1]) and math.isfinite(total) and math.isfinite(table[g, 3])):
                bad = g if bad < 0 else bad
                continue
            mean, residual, ss = _finished(table[g, 0], table[g, 1], total, table[g, 3])
            table[g, 1] = mean
            table[g, 2] = residual
            table[g, 3] = max(ss, 0.0)
        else:
            table[g, 1] = 0.0
    return bad


@exact
def _joined(n_a, mean_a, residual_a, n_b, mean_b, residual_b):
    """Number, mean, residual of two groups, and the sum of squares between them: Chan, Golub and LeVeque (1983)."""
    n = n_a + n_b
    delta = (mean_b - mean_a) + (residual_b - residual_a)
    mean, residual = _two_sum(mean_a, delta * (n_b / n))
    mean, residual = _two_sum(mean, residual + residual_a)
    return n, mean, residual, delta * delta * (n_a * n_b / n)


@exact
def _sum_raw(n_a, shift_a, total_a, squares_a, n_b, shift_b, total_b, squares_b):
    """Raw record of two, about the shift of the first."""
    delta = shift_b - shift_a
    step = n_b * delta
    return n_a + n_b, total_a + (total_b + step), squares_a + (squares_b + delta * (2.0 * total_b + step))


@exact
def _sum_apart(n_a, shift_a, total_a, squares_a, n_b, shift_b, total_b, squares_b):
    """Raw record of two about their mean, for parts that lie far apart for what varies within them."""
    mean_a, residual_a, ss_a = _finished(n_a, shift_a, total_a, squares_a)
    mean_b, residual_b, ss_b = _finished(n_b, shift_b, total_b, squares_b)
    n, mean, residual, between = _joined(n_a, mean_a, residual_a, n_b, mean_b, residual_b)
    return n, mean, residual * n, max(ss_a, 0.0) + max(ss_b, 0.0) + between + residual * residual * n


@kernel(TABLE_OUT, I4_IN, TABLE_IN, types.int64)
def fold_raw(into, codes, part, row):
    """Add raw records `part` (K, 4 or 5), from `row` on, to those of `into` at `codes` (K,), which may name one twice.

    Records without observations are passed over, whatever their code. Returns the first of the others that has no
    code, that is -1, or else K.
    """
    weighted = part.shape[1] == N_WEIGHTED
    for k in range(np.uint64(row), np.uint64(part.shape[0])):
        n_b = part[k, 0]
        if n_b == 0.0:
            continue
        if codes[k] < 0:
            return np.int64(k)
        g = np.uint64(codes[k])
        n_a, shift_a, total_a, squares_a = into[g, 0], into[g, 1], into[g, 2], into[g, 3]
        shift_b, total_b, squares_b = part[k, 1], part[k, 2], part[k, 3]
        if n_a == 0.0:
            shift, n, total, squares = shift_b, n_b, total_b, squares_b
        else:
            shift = shift_a
            n, total, squares = _sum_raw(n_a, shift_a, total_a, squares_a, n_b, shift_b, total_b, squares_b)
            if _is_off(n, total, squares):
                n, shift, total, squares = _sum_apart(
                    n_a, shift_a, total_a, squares_a, n_b, shift_b, total_b, squares_b
                )
        into[g, 0] = n
        into[g, 1] = shift
        into[g, 2] = total
        into[g, 3] = squares
        if weighted:
            into[g, 4] += part[k, 4]
    return part.shape[0]


@kernel(TABLE_OUT, I4_IN, TABLE_IN)
def fold(into, codes, part):
    """Add finished records `part` (K, 4 or 5) to those of `into` at `codes` (K,)."""
    for k in range(part.shape[0]):
        if part[k, 0] == 0.0:
            continue
        g = np.uint64(codes[k])
        if into[g, 0] == 0.0:
            for field in range(part.shape[1]):
                into[g, field] = part[k, field]
            continue
        n, mean, residual, between = _joined(
            into[g, 0], into[g, 1], into[g, 2], part[k, 0], part[k, 1], part[k, 2]
        )  # fmt: skip
        into[g, 0] = n
        into[g, 1] = mean
        into[g, 2] = residual
        into[g, 3] += part[k, 3] + between
        for field in range(N_FIELDS, part.shape[1]):
            into[g, field] += part[k, field]


@kernel(I4_IN, F8_IN, TABLE_OUT)
def count_weights(codes, weights, counts):
    """Count rows without a weight (NaN) and of weight zero per group into columns 1 and 2 of `counts` (K, 3).

    Returns the first row of a negative or infinite weight, or -1.
    """
    bad = -1
    for i in range(weights.shape[0]):
        weight = weights[i]
        group = np.uint64(codes[i])
        if weight != weight:
            counts[group, 1] += 1.0
        elif weight == 0.0:
            counts[group, 2] += 1.0
        elif bad < 0 and not (weight > 0.0 and math.isfinite(weight)):
            bad = i
    return bad


@kernel(I4_IN, F8_IN, F8_OUT)
def same_in_group(codes, values, group_value):
    """Note each group's value in `group_value` (NaN: none yet); return the first row that differs from it, or -1."""
    for i in range(codes.shape[0]):
        value = values[i]
        group = np.uint64(codes[i])
        known = group_value[group]
        if value != value:
            continue
        if known != known:
            group_value[group] = value
        elif known != value:
            return i
    return -1
