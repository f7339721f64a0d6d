"""Rows with weights: what may be a weight, and the sums of runs of them and of rows in any order.

Every row gives to two raw records of its group (see `moments`): the one of rows, and the one of weights, which has a
fifth field, the sum of the squared weights. A row gives to none whose weight isn't from `smallest` to `largest`.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, I8_IN, TABLE_IN, TABLE_OUT, U1_IN, inner, intrinsic, ir, kernel
from fastml.kernels.prefetch import AHEAD, LINE, fetch_once
from fastml.kernels.sums.bitmaps import all_valid, is_valid
from fastml.kernels.sums.moments import BLOCK, MANY_WEIGHTED, N_FIELDS, is_off, is_settled, rows_of
from fastml.kernels.sums.record import (
    NUMBER,
    add_at,
    all_early_within,
    all_within,
    early_rows,
    four_times,
    from_scalars,
    has_next_eight,
    increments,
    origin_of,
    pause_of,
    set_aside_flat,
    start_of,
    vector_at,
)

__all__ = [
    "WIDTH",
    "accumulate_weighted",
    "add_keys_weighted",
    "add_rows_weighted",
    "check_weights",
    "count_weights",
    "run_values",
    "same_in_group",
    "separate_weighted",
    "sum_runs_weighted",
]

_STEPS = 2
WIDTH = 8  # of a record of both: n, shift, sums of d, d^2, w, w d, w d^2, w^2; one cache line


@kernel(F8_IN, types.float64, types.float64, types.boolean)
def check_weights(weights, smallest, largest, or_zero):
    """Find the first row whose weight isn't from smallest to largest, nor NaN, nor 0 where that is one; -1: none is so.

    Returns it, and how many are NaN or 0.
    """
    n_good = 0
    for i in range(np.uint64(weights.shape[0])):
        n_good += (weights[i] >= smallest) & (weights[i] <= largest)
    if n_good < weights.shape[0]:
        for i in range(np.uint64(weights.shape[0])):
            weight = weights[i]
            if not (smallest <= weight <= largest or (or_zero and weight == 0.0) or weight != weight):
                return np.int64(i), weights.shape[0] - n_good
    return np.int64(-1), weights.shape[0] - n_good


@kernel(I4_IN, F8_IN, TABLE_OUT)
def count_weights(codes, weights, counts):
    """Count rows without a weight (NaN) and of weight zero per group into columns 1 and 2 of `counts` (K, 3)."""
    for i in range(np.uint64(weights.shape[0])):
        weight = weights[i]
        if weight != weight:
            counts[np.uint64(codes[i]), 1] += 1.0
        elif weight == 0.0:
            counts[np.uint64(codes[i]), 2] += 1.0


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


@kernel(I4_IN, F8_IN, F8_OUT)
def run_values(starts, values, run_value):
    """Note the value that all rows of a run have, as far as they have one, else NaN, in `run_value` (R,).

    Returns the first row that differs from its run's, or -1.
    """
    for r in range(run_value.shape[0]):
        start, stop = np.uint64(starts[r]), np.uint64(starts[r + 1])
        known, n_same = values[start], np.uint64(0)
        for i in range(start, stop):
            n_same += np.uint64(values[i] == known)
        if n_same < stop - start:
            for i in range(start, stop):
                if values[i] == values[i] and known == known and values[i] != known:
                    run_value[r] = known
                    return np.int64(i)
                known = values[i] if known != known else known
        run_value[r] = known
    return np.int64(-1)


@inner
def _sum_all(y, weights, start, stop, shift):
    """Sums of d, d^2, w, w d, w d^2 and w^2 of a block of rows."""
    total, squares, w_sum, w_total, w_squares, w_square = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(start, stop):
        deviation, weight = y[i] - shift, weights[i]
        weighted = weight * deviation
        total += deviation
        squares += deviation * deviation
        w_sum += weight
        w_total += weighted
        w_squares += weighted * deviation
        w_square += weight * weight
    return total, squares, w_sum, w_total, w_squares, w_square


@inner
def _sum_some(y, weights, smallest, largest, start, stop, shift, valid, offset):
    """As `_sum_all`, of the rows that have a value and a weight, after their number and their shift.

    A shift of NaN becomes the first value.
    """
    n, total, squares, w_sum, w_total, w_squares, w_square = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(start, stop):
        value, weight = y[i], weights[i]
        null = valid.shape[0] > 0 and not is_valid(valid, np.uint64(offset) + i)
        if null or value != value or not smallest <= weight <= largest:
            continue
        if shift != shift:
            shift = value
        deviation = value - shift
        weighted = weight * deviation
        n += 1.0
        total += deviation
        squares += deviation * deviation
        w_sum += weight
        w_total += weighted
        w_squares += weighted * deviation
        w_square += weight * weight
    return n, shift, total, squares, w_sum, w_total, w_squares, w_square


@inner
def _sum_block(y, weights, smallest, largest, start, stop, shift, whole, valid, offset):
    """As `_sum_some`; `whole` tells that all rows have a value and a weight."""
    if whole:
        total, squares, w_sum, w_total, w_squares, w_square = _sum_all(y, weights, start, stop, shift)
        return np.float64(stop - start), shift, total, squares, w_sum, w_total, w_squares, w_square
    return _sum_some(y, weights, smallest, largest, start, stop, shift, valid, offset)


@inner
def _sum_run(y, weights, smallest, largest, start, stop, shift, whole, valid, offset):
    """As `_sum_block`, of a run of any length."""
    block = np.uint64(BLOCK)
    n, shift, total, squares, w_sum, w_total, w_squares, w_square = _sum_block(
        y, weights, smallest, largest, start, min(start + block, stop), shift, whole, valid, offset
    )
    for first in range(start + block, stop, block):
        n_more, shift, more, more_squares, w_more, w_more_total, w_more_squares, w_more_square = _sum_block(
            y, weights, smallest, largest, first, min(first + block, stop), shift, whole, valid, offset
        )
        n += n_more
        total += more
        squares += more_squares
        w_sum += w_more
        w_total += w_more_total
        w_squares += w_more_squares
        w_square += w_more_square
    return n, shift, total, squares, w_sum, w_total, w_squares, w_square


@inner
def _all_whole(y, weights, smallest, largest, start, stop):
    """Whether no value is NaN, and all weights are weights."""
    n_whole = np.uint64(0)
    for i in range(start, stop):
        n_whole += np.uint64((weights[i] >= smallest) & (weights[i] <= largest) & (y[i] == y[i]))
    return n_whole == stop - start


@kernel(I4_IN, F8_IN, U1_IN, types.int64, F8_IN, types.float64, types.float64, TABLE_OUT, TABLE_OUT, F8_OUT)
def sum_runs_weighted(starts, y, valid, offset, weights, smallest, largest, records, weighted, missing):
    """Fill both raw records of each run, `records` (R, 4) and `weighted` (R, 5).

    Missing values as in `rows.add_rows`; the number of rows without a value or a weight goes to `missing` (R,). Each
    record is about its own mean where the first value is far from that. Returns the first run whose sums aren't
    finite, or -1.
    """
    bad = -1
    for r in range(records.shape[0]):
        start, stop = np.uint64(starts[r]), np.uint64(starts[r + 1])
        whole = _all_whole(y, weights, smallest, largest, start, stop) and (
            valid.shape[0] == 0 or all_valid(valid, offset + starts[r], offset + starts[r + 1])
        )
        n, shift, total, squares, w_sum, w_total, w_squares, w_square = _sum_run(
            y, weights, smallest, largest, start, stop, y[start] if whole else math.nan, whole, valid, offset
        )
        w_shift = shift
        for _ in range(_STEPS):  # from a wild value of next to no weight, the first may end an ulp of that off the mean
            if n == 0.0 or not is_off(w_sum, w_total, w_squares, rows_of(w_sum, w_square)):
                break
            w_shift += w_total / w_sum
            _, _, _, _, w_sum, w_total, w_squares, w_square = _sum_run(
                y, weights, smallest, largest, start, stop, w_shift, whole, valid, offset
            )
        if n > 0.0 and is_off(n, total, squares, n):
            shift += total / n
            n, shift, total, squares, _, _, _, _ = _sum_run(
                y, weights, smallest, largest, start, stop, shift, whole, valid, offset
            )
        records[r, 0], records[r, 1], records[r, 2], records[r, 3] = n, shift, total, squares
        weighted[r, 0], weighted[r, 1], weighted[r, 2], weighted[r, 3] = w_sum, w_shift, w_total, w_squares
        weighted[r, 4] = w_square
        missing[r] = np.float64(stop - start) - n
        if bad < 0 and not (math.isfinite(squares) and math.isfinite(w_squares)):
            bad = r
    return bad


def _plain_add_weighted(table, origin, place, value, weight):
    record = table.reshape(-1)[int(origin + place) :][:WIDTH]
    deviation = value - record[1]
    if deviation == deviation:
        record[:N_FIELDS] += [1.0, 0.0, deviation, deviation * deviation]
        record[N_FIELDS:] += [weight, weight * deviation, weight * deviation * deviation, weight * weight]
    return deviation == deviation


@intrinsic(_plain_add_weighted)
def _add_weighted(typing_context, table, origin, place, value, weight):
    """Add a value and its weight to a record, and return True; or False where the deviation is NaN."""

    def generate(context, builder, signature, args):
        start = start_of(context, builder, table, args)
        deviation = builder.fsub(args[3], builder.load(builder.gep(start, [NUMBER(1)])))
        good = builder.fcmp_ordered("==", deviation, deviation)
        with builder.if_then(good, likely=True):
            one, weight = ir.Constant(ir.DoubleType(), 1.0), args[4]
            weighted = builder.fmul(weight, deviation)
            left = from_scalars(builder, (weight, weighted, weighted, weight))
            right = from_scalars(builder, (one, one, deviation, weight))
            add_at(builder, vector_at(builder, start, 0), increments(builder, four_times(builder, deviation)))
            add_at(builder, vector_at(builder, start, 1), builder.fmul(left, right, flags=("contract",)))
        return good

    return types.boolean(table, types.uint64, types.uint64, types.float64, types.float64), generate


@inner
def _begin(keys, low, y, weights, smallest, largest, seeded, table, missing):
    """Make records of nothing, and note first values as `rows._seed` does."""
    missing[:] = 0.0
    for place in range(np.uint64(0), np.uint64(table.shape[0]), np.uint64(WIDTH)):
        for field in range(WIDTH):
            table[place + np.uint64(field)] = math.nan if field == 1 else 0.0
    row, origin = early_rows(keys, table.shape[0] // WIDTH), origin_of(low, WIDTH) + np.uint64(1)
    while seeded and row > 0:
        row -= np.uint64(1)
        if smallest <= weights[row] <= largest and y[row] == y[row]:
            table[origin + np.uint64(keys[row]) * np.uint64(WIDTH)] = y[row]


@inner
def _add_row(table, origin, key, value, weight):
    """Add a row that has a weight; return whether it has a value."""
    if _add_weighted(table, origin, key * np.uint64(WIDTH), value, weight):
        return True
    if value != value:
        return False
    table[origin + key * np.uint64(WIDTH) + np.uint64(1)] = value  # its shift is NaN: the record is new
    if not _add_weighted(table, origin, key * np.uint64(WIDTH), value, weight):
        table[origin + key * np.uint64(WIDTH)] += 1.0  # it is infinite: `is_settled` shall see it
    return True


@inner
def _add_some(keys, low, y, weights, smallest, largest, start, stop, table, missing):
    """Add the rows from `start` to `stop`."""
    origin = origin_of(low, WIDTH)
    for row in range(start, stop):
        key, weight = np.uint64(keys[row]), weights[row]
        if not (smallest <= weight <= largest and _add_row(table, origin, key, y[row], weight)):
            missing[key - low] += 1.0


@inner
def _add_valid(keys, low, y, valid, offset, weights, smallest, largest, start, stop, table, missing):
    """As `_add_some`, without the rows whose bit is 0."""
    origin = origin_of(low, WIDTH)
    for row in range(start, stop):
        key, weight = np.uint64(keys[row]), weights[row]
        good = smallest <= weight <= largest and is_valid(valid, np.uint64(offset) + row)
        if not (good and _add_row(table, origin, key, y[row], weight)):
            missing[key - low] += 1.0


@inner
def _add_all(keys, low, most, y, valid, offset, weights, smallest, largest, table, missing, block, aside):
    """Add all rows; the record of a key is at key - low. Stop where one isn't, if there is a `most` of key - low."""
    n, base, eight, start = np.uint64(keys.shape[0]), np.uint64(np.int64(low)), np.uint64(LINE), np.uint64(0)
    no_nulls, pause = valid.shape[0] == 0, pause_of(block, 0)
    while start + eight <= n:
        if start == pause:
            set_aside_flat(table, aside)
            pause += np.uint64(block)
        fetch_once(y, start + np.uint64(AHEAD))
        fetch_once(weights, start + np.uint64(AHEAD))
        if not has_next_eight(keys, low, most, start, table, WIDTH):
            return False
        if no_nulls:
            _add_some(keys, base, y, weights, smallest, largest, start, start + eight, table, missing)
        else:
            _add_valid(keys, base, y, valid, offset, weights, smallest, largest, start, start + eight, table, missing)
        start += eight
    if most >= 0 and not all_within(keys, low, start, n, most):
        return False
    if no_nulls:
        _add_some(keys, base, y, weights, smallest, largest, start, n, table, missing)
    else:
        _add_valid(keys, base, y, valid, offset, weights, smallest, largest, start, n, table, missing)
    return True


@kernel(I4_IN, F8_IN, U1_IN, types.int64, F8_IN, types.float64, types.float64, F8_OUT, F8_OUT, types.int64, TABLE_OUT)
def add_rows_weighted(codes, y, valid, offset, weights, smallest, largest, table, missing, block, aside):
    """Make raw records of both kinds, side by side in `table` (8 K), of rows in any order.

    Missing values, `block` and `aside` (K, 8) as in `rows.add_rows`; the number of rows that lack a value or a weight
    goes to `missing` (K,).
    """
    _begin(codes, np.uint64(0), y, weights, smallest, largest, valid.shape[0] == 0, table, missing)
    _add_all(codes, 0, -1, y, valid, offset, weights, smallest, largest, table, missing, block, aside)


@kernel(
    I8_IN,
    types.int64,
    F8_IN,
    U1_IN,
    types.int64,
    F8_IN,
    types.float64,
    types.float64,
    F8_OUT,
    F8_OUT,
    types.int64,
    TABLE_OUT,
)
def add_keys_weighted(keys, low, y, valid, offset, weights, smallest, largest, table, missing, block, aside):
    """As `add_rows_weighted`, with keys as in `rows.add_keys`; return whether all have a record."""
    n_records = table.shape[0] // WIDTH
    if not all_early_within(keys, low, n_records):
        return False
    _begin(keys, np.uint64(np.int64(low)), y, weights, smallest, largest, valid.shape[0] == 0, table, missing)
    most = n_records - 1
    return _add_all(keys, low, most, y, valid, offset, weights, smallest, largest, table, missing, block, aside)


@kernel(I4_IN, F8_IN, F8_IN, TABLE_OUT)
def accumulate_weighted(codes, y, weights, table):
    """Add rows of positive weight to raw weighted records (K, 5), one row after another."""
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


@kernel(TABLE_IN, TABLE_OUT, TABLE_OUT)
def separate_weighted(table, records, weighted):
    """Make raw records (K, 4) and (K, 5) of those that stand side by side in `table` (K, 8).

    Returns whether all of them are settled.
    """
    settled = True
    for g in range(np.uint64(table.shape[0])):
        n, shift, total, squares = table[g, 0], table[g, 1], table[g, 2], table[g, 3]
        w_sum, w_total, w_squares = table[g, 4], table[g, 5], table[g, 6]
        records[g, 0], records[g, 1], records[g, 2], records[g, 3] = n, shift, total, squares
        weighted[g, 0], weighted[g, 1], weighted[g, 2], weighted[g, 3] = w_sum, shift, w_total, w_squares
        weighted[g, 4] = table[g, 7]
        of_weights = is_settled(w_sum, shift, w_total, w_squares, rows_of(w_sum, table[g, 7]))
        settled &= is_settled(n, shift, total, squares, min(n, MANY_WEIGHTED)) & of_weights
    return settled
