"""Rows with weights: what may be a weight, and the sums of runs of them and of rows in any order.

Every row gives to two raw records of its group (see `record`): the one of rows, and the one of weights. A row gives to
none whose value is NaN, or whose weight isn't from `smallest` to `largest`.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.ahead import AHEAD, fetch_ahead, fetch_once
from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, I8_IN, TABLE_IN, TABLE_OUT, U1_OUT, exact, inner, kernel
from fastml.kernels.sums.record import (
    BLOCK,
    MANY_WEIGHTED,
    N_BOTH,
    ROWS,
    all_within,
    fetch_records,
    greatest_of,
    is_good,
    is_off,
    rows_of_weights,
)

__all__ = [
    "add_rows_weighted",
    "check_weights",
    "count_weights",
    "run_values",
    "same_in_group",
    "separate",
    "sum_runs_weighted",
]

_STEPS = 2


@kernel(F8_IN, types.float64, types.float64, types.boolean)
def check_weights(weights, smallest, largest, or_zero):
    """Find the first row whose weight isn't from smallest to largest, nor NaN, nor 0 where that is one; -1: none is so.

    Returns it, how many are NaN or 0, and the greatest weight.
    """
    n, block, n_good, greatest = np.uint64(weights.shape[0]), np.uint64(BLOCK), 0, -math.inf
    for first in range(np.uint64(0), n, block):
        stop, n_above = min(first + block, n), 0
        fetch_ahead(weights, first, stop)
        for i in range(first, stop):
            n_good += (weights[i] >= smallest) & (weights[i] <= largest)
            n_above += weights[i] > greatest
        if n_above > 0:
            greatest = greatest_of(greatest, weights, first, stop)
    if n_good < weights.shape[0]:
        for i in range(np.uint64(weights.shape[0])):
            weight = weights[i]
            if not (smallest <= weight <= largest or (or_zero and weight == 0.0) or weight != weight):
                return np.int64(i), weights.shape[0] - n_good, greatest
    return np.int64(-1), weights.shape[0] - n_good, greatest


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
def _is_good(value, weight, smallest, largest):
    """Whether a row has a value and a weight."""
    return (smallest <= weight) & (weight <= largest) & (value == value)


@inner
def _sums(y, weights, smallest, largest, start, stop, shift, top):
    """Number, and sums of d, d^2, w, w d, w d^2 and w^2, of the rows that have a value and a weight.

    `top` (2,) is raised to the greatest value and the greatest weight of all rows.
    """
    fetch_ahead(y, start, stop)
    fetch_ahead(weights, start, stop)
    n, total, squares, w_sum, w_total, w_squares, w_square = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    greatest, heaviest, n_above = top[0], top[1], 0
    for i in range(start, stop):
        good = _is_good(y[i], weights[i], smallest, largest)
        deviation, weight = y[i] - shift if good else 0.0, weights[i] if good else 0.0
        weighted = weight * deviation
        n += 1.0 if good else 0.0
        total += deviation
        squares += deviation * deviation
        w_sum += weight
        w_total += weighted
        w_squares += weighted * deviation
        w_square += weight * weight
        n_above += (y[i] > greatest) | (weights[i] > heaviest)  # as in `runs`
    if n_above > 0:
        top[0], top[1] = greatest_of(greatest, y, start, stop), greatest_of(heaviest, weights, start, stop)
    return n, total, squares, w_sum, w_total, w_squares, w_square


@inner
def _sum_run(y, weights, smallest, largest, start, stop, shift, top):
    """As `_sums`, of a run of any length."""
    n, total, squares, w_sum, w_total, w_squares, w_square = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for first in range(start, stop, np.uint64(BLOCK)):
        more = _sums(y, weights, smallest, largest, first, min(first + np.uint64(BLOCK), stop), shift, top)
        n += more[0]
        total += more[1]
        squares += more[2]
        w_sum += more[3]
        w_total += more[4]
        w_squares += more[5]
        w_square += more[6]
    return n, total, squares, w_sum, w_total, w_squares, w_square


@inner
def _first_value(y, weights, smallest, largest, start, stop):
    """The first value of the rows that have one and a weight; NaN where there is none."""
    for i in range(start, stop):
        if smallest <= weights[i] <= largest and y[i] == y[i]:
            return y[i]
    return math.nan


@kernel(I4_IN, F8_IN, F8_IN, types.float64, types.float64, TABLE_OUT, TABLE_OUT, F8_OUT, F8_OUT)
def sum_runs_weighted(starts, y, weights, smallest, largest, records, weighted, missing, top):
    """Fill both raw records of each run, `records` (R, 4) and `weighted` (R, 5).

    The number of rows without a value or a weight goes to `missing` (R,), the greatest value and the greatest weight of
    all rows to `top` (2,). Each record is about its own mean where the first value is far from that. Returns the first
    run whose sums aren't finite, or -1.
    """
    bad = np.int64(-1)
    top[:] = -math.inf
    for r in range(np.uint64(records.shape[0])):
        start, stop = np.uint64(starts[r]), np.uint64(starts[r + np.uint64(1)])
        first = _first_value(y, weights, smallest, largest, start, stop)
        shift, w_shift = first, first
        n, total, squares, w_sum, w_total, w_squares, w_square = _sum_run(
            y, weights, smallest, largest, start, stop, first, top
        )
        for _ in range(_STEPS):  # from an outlier of next to no weight, the first may end an ulp of that off the mean
            if n == 0.0 or not is_off(w_sum, w_total, w_squares, rows_of_weights(w_sum, w_square)):
                break
            w_shift += w_total / w_sum
            _, _, _, w_sum, w_total, w_squares, w_square = _sum_run(
                y, weights, smallest, largest, start, stop, w_shift, top
            )
        if n > 0.0 and is_off(n, total, squares, n):
            shift += total / n
            n, total, squares, _, _, _, _ = _sum_run(y, weights, smallest, largest, start, stop, shift, top)
        records[r, 0], records[r, 1], records[r, 2], records[r, 3] = n, shift, total, squares
        weighted[r, 0], weighted[r, 1], weighted[r, 2], weighted[r, 3] = w_sum, w_shift, w_total, w_squares
        weighted[r, 4] = w_square
        missing[r] = np.float64(stop - start) - n
        if bad < 0 and not (math.isfinite(squares) and math.isfinite(w_squares)):
            bad = np.int64(r)
    return bad


@exact
def _add_row(records, at, value, weight):
    """Add a row to both records of its group, about the first value. All fields are written, as in `shuffled`."""
    n, shift = records[at], records[at + np.uint64(1)]
    shift = value if n == 0.0 else shift
    deviation = value - shift
    weighted = weight * deviation
    n, shift = n + 1.0, shift + 0.0
    total = records[at + np.uint64(2)] + deviation
    squares = records[at + np.uint64(3)] + deviation * deviation
    w_sum = records[at + np.uint64(4)] + weight
    w_total = records[at + np.uint64(5)] + weighted
    w_squares = records[at + np.uint64(6)] + weighted * deviation
    w_square = records[at + np.uint64(7)] + weight * weight
    records[at], records[at + np.uint64(1)] = n, shift
    records[at + np.uint64(2)], records[at + np.uint64(3)] = total, squares
    records[at + np.uint64(4)], records[at + np.uint64(5)] = w_sum, w_total
    records[at + np.uint64(6)], records[at + np.uint64(7)] = w_squares, w_square


@inner
def _add_each(keys, base, y, weights, limits, start, stop, records, missing):
    """Add rows of which some may lack a value or a weight."""
    for i in range(start, stop):
        group = np.uint64(keys[i]) - base
        if _is_good(y[i], weights[i], limits[0], limits[1]):
            _add_row(records, group * np.uint64(N_BOTH), y[i], weights[i])
        else:
            missing[group] += 1.0


@kernel(I8_IN, types.int64, F8_IN, F8_IN, types.float64, types.float64, TABLE_OUT, F8_OUT, F8_OUT, packed=True)
def add_rows_weighted(keys, low, y, weights, smallest, largest, table, missing, top):
    """Add rows to raw records of both kinds, side by side in `table` (K, 8), about the first value of each.

    The number of rows that lack a value or a weight is added to `missing` (K,). Keys as in `shuffled.add_rows`; `top`
    (2,) is raised to the greatest value and the greatest weight of all rows.
    """
    n, base, most = np.uint64(keys.shape[0]), np.uint64(np.int64(low)), np.int64(table.shape[0]) - 1
    records, rows = table.reshape(table.size), np.uint64(ROWS)
    whole, greatest, heaviest = n - n % rows, top[0], top[1]
    for start in range(np.uint64(0), whole, rows):
        fetch_once(keys, start + np.uint64(AHEAD))
        fetch_once(y, start + np.uint64(AHEAD))
        fetch_once(weights, start + np.uint64(AHEAD))
        fetch_records(records, N_BOTH, keys, base, start)
        if not all_within(keys, low, most, start, rows):
            return False
        unlike = False  # lacking, or greater than all before
        for k in range(rows):
            good = _is_good(y[start + k], weights[start + k], smallest, largest)
            unlike |= not (good & (y[start + k] <= greatest) & (weights[start + k] <= heaviest))
        lacking = False
        if unlike:
            for k in range(rows):
                lacking |= not _is_good(y[start + k], weights[start + k], smallest, largest)
                greatest = y[start + k] if y[start + k] > greatest else greatest
                heaviest = weights[start + k] if weights[start + k] > heaviest else heaviest
        if lacking:
            _add_each(keys, base, y, weights, (smallest, largest), start, start + rows, records, missing)
        else:
            for k in range(rows):
                at = (np.uint64(keys[start + k]) - base) * np.uint64(N_BOTH)
                _add_row(records, at, y[start + k], weights[start + k])
    if not all_within(keys, low, most, whole, n - whole):
        return False
    top[0], top[1] = greatest_of(greatest, y, whole, n), greatest_of(heaviest, weights, whole, n)
    _add_each(keys, base, y, weights, (smallest, largest), whole, n, records, missing)
    return True


@kernel(TABLE_IN, TABLE_OUT, TABLE_OUT, U1_OUT)
def separate(table, records, weighted, off):
    """Make raw records (K, 4) and (K, 5) of those that stand side by side in `table` (K, 8).

    `off` and what is returned as in `record.find_off`: groups of which one of the two is such.
    """
    count = 0
    for g in range(np.uint64(table.shape[0])):
        n, shift, total, squares = table[g, 0], table[g, 1], table[g, 2], table[g, 3]
        w_sum, w_total, w_squares, w_square = table[g, 4], table[g, 5], table[g, 6], table[g, 7]
        records[g, 0], records[g, 1], records[g, 2], records[g, 3] = n, shift, total, squares
        weighted[g, 0], weighted[g, 1], weighted[g, 2], weighted[g, 3] = w_sum, shift, w_total, w_squares
        weighted[g, 4] = w_square
        good = is_good(n, shift, total, squares, min(n, MANY_WEIGHTED)) & is_good(
            w_sum, shift, w_total, w_squares, rows_of_weights(w_sum, w_square)
        )
        off[g] = not good
        count += not good
    return count
