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

from fastml.kernels.exact import _two_product, two_sum
from fastml.kernels.jit import (
    I4_IN,
    I8_IN,
    TABLE_IN,
    TABLE_OUT,
    TABLES_IN,
    TABLES_OUT,
    U1_OUT,
    exact,
    inlined,
    inner,
    kernel,
)
from fastml.kernels.prefetch import LINE, fetch

__all__ = [
    "AGAIN",
    "BLOCK",
    "MANY_WEIGHTED",
    "NOT_FINITE",
    "N_FIELDS",
    "N_WEIGHTED",
    "READY",
    "finish",
    "fold",
    "fold_raw",
    "is_off",
    "is_settled",
    "rows_of",
    "settle",
]

N_FIELDS = 4
N_WEIGHTED = 5
READY, AGAIN, NOT_FINITE = 0, 1, 2

# Rows whose sums are added up apart, as each addition of one of few different values to a long sum may round alike.
BLOCK = 8192

# Sums of squares about a shift that are so many times those about the mean lose digits when the mean's are taken off.
# Of many rows they have lost some already, as each addition of one of few different values may round alike.
_CANCELLATION, _LEAST_CANCELLATION, _ROWS_TIMES_CANCELLATION = 64.0, 4.0, 16384.0
MANY_WEIGHTED = 1024.0  # rows
_RECORDS_AHEAD = 16  # another processor may hold them
_SHIFT, _TOTAL, _SQUARES, _OF_WEIGHTS = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)  # fields of a record


@exact
def _finished(n, shift, total, squares):
    """Mean, residual and ss of raw sums: total^2/n is taken off with its rounding error."""
    quotient = total / n
    product, error = _two_product(quotient, n)
    rest = ((total - product) - error) / n  # the mean deviation is quotient + rest
    square, error = _two_product(total, quotient)
    ss = (squares - square) - (error + total * rest)
    mean, residual = two_sum(shift, quotient)
    mean, residual = two_sum(mean, residual + rest)
    return mean, residual, ss


@inner
def is_off(n, total, squares, rows):
    """Whether the shift is so far from the values that digits cancel in the sums about it, those of so many rows."""
    limit = _CANCELLATION
    if limit * rows > _ROWS_TIMES_CANCELLATION:
        limit = max(_LEAST_CANCELLATION, _ROWS_TIMES_CANCELLATION / rows)
    return squares > limit * (squares - total * (total / n))


@inner
def _is_finite(n, shift, squares):
    """Whether the values of a record were."""
    return (squares < math.inf) & ((n == 0.0) | (abs(shift) < math.inf))


@inner
def is_settled(n, shift, total, squares, rows):
    """Whether a record is what it has to be: `settle` would do nothing about it."""
    return _is_finite(n, shift, squares) & (not is_off(n, total, squares, rows))


@inner
def rows_of(w_sum, w_square):
    """Number of rows that a weighted record is of; less where weights differ, and then don't round alike; or many.

    To fill weighted records again takes several times as long as the pass, and it is a value of the group that is their
    shift, seldom one far off.
    """
    return min(w_sum * w_sum / w_square, MANY_WEIGHTED)


@kernel(TABLE_OUT, types.boolean, U1_OUT)
def settle(table, anew, marks):
    """Tell whether raw records (K, 4 or 5) are `READY`, have in part to be filled `AGAIN`, or are `NOT_FINITE`.

    Where a shift is far from its group's values, the record is marked (K,) and made one of nothing: `anew`, with the
    first value for a shift, where it was one of all groups (or isn't finite about that one), else about the mean, as
    the first value may be a wild one.
    """
    finite = True
    some = False
    for g in range(np.uint64(table.shape[0])):
        n, shift, total, squares = table[g, 0], table[g, 1], table[g, 2], table[g, 3]
        rows = n if table.shape[1] == N_FIELDS else rows_of(n, table[g, N_FIELDS])
        good = _is_finite(n, shift, squares)
        off = is_off(n, total, squares, rows) | (not good)
        marks[g] = off
        finite &= good
        some |= off
    if not finite and not anew:
        return NOT_FINITE
    if not some:
        return READY
    for g in range(np.uint64(table.shape[0])):
        if marks[g] != 0:
            table[g, 1] = math.nan if anew else table[g, 1] + table[g, 2] / table[g, 0]
            table[g, 0] = 0.0
            for field in range(2, table.shape[1]):
                table[g, field] = 0.0
    return AGAIN


@inlined
def _fetch_records(flat, start, width):
    """Ask for the records of a group, which are side by side."""
    for field in range(np.uint64(0), width, np.uint64(LINE)):
        fetch(flat, start + field)


@kernel(TABLES_IN, I8_IN, TABLES_OUT)
def finish(raw, order, finished):
    """Finish the raw records of p outcomes (C, p, 4 or 5) at `order` (K,) into `finished` (p, K, ...).

    Returns the first outcome with values that aren't finite, or -1.
    """
    p, fields, last = np.uint64(raw.shape[1]), np.uint64(raw.shape[2]), order.shape[0] - 1
    flat, into, width, n_records = raw.reshape(raw.size), finished.reshape(finished.size), p * fields, order.shape[0]
    bad = p
    for k in range(np.uint64(n_records)):
        _fetch_records(flat, np.uint64(order[min(np.int64(k) + _RECORDS_AHEAD, last)]) * width, width)
        at = np.uint64(order[k]) * width
        to = k * fields
        for i in range(p):
            n, shift, total, squares = flat[at], flat[at + _SHIFT], flat[at + _TOTAL], flat[at + _SQUARES]
            some = n > 0.0
            if some and not (math.isfinite(shift) and math.isfinite(total) and math.isfinite(squares)):
                bad = min(bad, np.uint64(i))
            mean, residual, ss = _finished(n, shift, total, squares)
            into[to] = n
            into[to + _SHIFT] = mean if some else 0.0
            into[to + _TOTAL] = residual if some else 0.0
            into[to + _SQUARES] = max(ss, 0.0) if some else 0.0
            if fields == np.uint64(N_WEIGHTED):
                into[to + _OF_WEIGHTS] = flat[at + _OF_WEIGHTS]
            at += fields
            to += np.uint64(n_records) * fields
    return np.int64(bad) if bad < p else -1


@exact
def _joined(n_a, mean_a, residual_a, n_b, mean_b, residual_b):
    """Number, mean, residual of two groups, and the sum of squares between them: Chan, Golub and LeVeque (1983)."""
    n = n_a + n_b
    delta = (mean_b - mean_a) + (residual_b - residual_a)
    mean, residual = two_sum(mean_a, delta * (n_b / n))
    mean, residual = two_sum(mean, residual + residual_a)
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


@inlined
def _add_raw(into, to, part, at):
    """Add the raw record at a place in a part to that at a place in a table."""
    n_a, shift_a, total_a, squares_a = into[to], into[to + _SHIFT], into[to + _TOTAL], into[to + _SQUARES]
    n_b, shift_b, total_b, squares_b = part[at], part[at + _SHIFT], part[at + _TOTAL], part[at + _SQUARES]
    if n_a == 0.0:
        shift, n, total, squares = shift_b, n_b, total_b, squares_b
    else:
        shift = shift_a
        n, total, squares = _sum_raw(n_a, shift_a, total_a, squares_a, n_b, shift_b, total_b, squares_b)
        if is_off(n, total, squares, 1.0):  # the parts' additions have been, and few are to come
            n, shift, total, squares = _sum_apart(n_a, shift_a, total_a, squares_a, n_b, shift_b, total_b, squares_b)
    into[to] = n
    into[to + _SHIFT] = shift
    into[to + _TOTAL] = total
    into[to + _SQUARES] = squares


@kernel(TABLES_OUT, I4_IN, TABLES_IN, types.int64)
def fold_raw(into, codes, part, row):
    """Add raw records of p outcomes (p, K, 4 or 5), from `row` on, to those of `into` (C, p, ...) at `codes` (K,).

    A code may be there twice. Records without observations are passed over, whatever their code. Returns the first row
    with others that has no code, that is -1, or else K.
    """
    p, fields, n_records, last = np.uint64(part.shape[0]), np.uint64(part.shape[2]), part.shape[1], part.shape[1] - 1
    flat, records, width = into.reshape(into.size), part.reshape(part.size), p * fields
    for k in range(np.uint64(row), np.uint64(n_records)):
        ahead = max(codes[min(np.int64(k) + _RECORDS_AHEAD, last)], 0)
        _fetch_records(flat, np.uint64(ahead) * width, width)
        code, at = codes[k], k * fields
        to = np.uint64(code) * width
        for _ in range(p):
            if records[at] != 0.0:
                if code < 0:
                    return np.int64(k)
                _add_raw(flat, to, records, at)
                if fields == np.uint64(N_WEIGHTED):
                    flat[to + _OF_WEIGHTS] += records[at + _OF_WEIGHTS]
            at += np.uint64(n_records) * fields
            to += fields
    return n_records


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
