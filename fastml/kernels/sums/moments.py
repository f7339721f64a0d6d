"""The addition of records, raw and finished, and how the one becomes the other: see `record`.

Tiles of rows make raw records, `fold_raw` adds them with a handful of operations each, and `finish` finishes the sums
of all of them; `fold` adds finished ones. With the residual a mean has some thirty digits, so differences between
means, and what merging makes of them, keep all that doubles allow.
"""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.exact import two_product, two_sum
from fastml.kernels.jit import I4_IN, TABLE_IN, TABLE_OUT, TABLES_IN, TABLES_OUT, exact, inner, kernel
from fastml.kernels.sums.record import N_FIELDS, is_off

__all__ = ["finish", "fold", "fold_raw"]

_N, _SHIFT, _TOTAL, _SQUARES, _OF_WEIGHTS = np.arange(5, dtype=np.uint64)  # fields of a record


@exact
def _finished(n, shift, total, squares):
    """Mean, residual and ss of raw sums: total^2/n is taken off with its rounding error."""
    quotient = total / n
    product, error = two_product(quotient, n)
    rest = ((total - product) - error) / n  # the mean deviation is quotient + rest
    square, error = two_product(total, quotient)
    ss = (squares - square) - (error + total * rest)
    mean, residual = two_sum(shift, quotient)
    mean, residual = two_sum(mean, residual + rest)
    return mean, residual, ss


@kernel(TABLE_OUT)
def finish(records):
    """Finish raw records (R, 4 or 5) where they lie; one without observations becomes zeros, but for its last field."""
    for r in range(np.uint64(records.shape[0])):
        n, mean, residual, ss = records[r, _N], 0.0, 0.0, 0.0
        if n > 0.0:
            mean, residual, ss = _finished(n, records[r, _SHIFT], records[r, _TOTAL], records[r, _SQUARES])
        records[r, _SHIFT], records[r, _TOTAL], records[r, _SQUARES] = mean, residual, 0.0 if ss < 0.0 else ss


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


@inner
def _add_raw(into, g, part, k, i):
    """Add the raw record of outcome i at k of a part to that at g of a table."""
    n, shift, total, squares = part[i, k, _N], part[i, k, _SHIFT], part[i, k, _TOTAL], part[i, k, _SQUARES]
    if into[g, i, _N] != 0.0:
        n_a, shift_a, total_a, squares_a = into[g, i, _N], into[g, i, _SHIFT], into[g, i, _TOTAL], into[g, i, _SQUARES]
        n_b, shift_b, total_b, squares_b, shift = n, shift, total, squares, shift_a
        n, total, squares = _sum_raw(n_a, shift_a, total_a, squares_a, n_b, shift_b, total_b, squares_b)
        if is_off(n, total, squares, 1.0):  # the parts' additions have been, and few are to come
            n, shift, total, squares = _sum_apart(n_a, shift_a, total_a, squares_a, n_b, shift_b, total_b, squares_b)
    into[g, i, _N], into[g, i, _SHIFT], into[g, i, _TOTAL], into[g, i, _SQUARES] = n, shift, total, squares


@kernel(TABLES_OUT, I4_IN, TABLES_IN, types.int64)
def fold_raw(into, codes, part, row):
    """Add raw records of p outcomes (p, K, 4 or 5), from `row` on, to those of `into` (C, p, ...) at `codes` (K,).

    A code may be there twice. Records without observations are passed over, whatever their code. Returns the first row
    with others that has no code, that is -1, or else K.
    """
    for k in range(np.uint64(row), np.uint64(part.shape[1])):
        for i in range(np.uint64(part.shape[0])):
            if part[i, k, _N] != 0.0:
                if codes[k] < 0:
                    return np.int64(k)
                g = np.uint64(codes[k])
                _add_raw(into, g, part, k, i)
                if part.shape[2] > N_FIELDS:
                    into[g, i, _OF_WEIGHTS] += part[i, k, _OF_WEIGHTS]
    return part.shape[1]


@kernel(TABLE_OUT, I4_IN, TABLE_IN)
def fold(into, codes, part):
    """Add finished records `part` (K, 4 or 5) to those of `into` at `codes` (K,)."""
    for k in range(part.shape[0]):
        if part[k, 0] == 0.0:
            continue
        g = np.uint64(codes[k])
        if into[g, 0] == 0.0:
            for field in range(np.uint64(part.shape[1])):
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
