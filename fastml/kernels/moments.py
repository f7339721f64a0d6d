"""Group moments: the one pass over the rows, and the addition of its partial tables.

A table has one record per group: 4 doubles, 32 bytes, so that a shuffled row touches one place in memory.

    raw        n (or sum of weights), shift (the first value seen), and about it the sums of d and of d^2
    finished   n, mean (the nearest double), residual (the mean less that double), ss (about the mean)

`accumulate` fills raw records and `finish` finishes them; `fold` adds finished ones. With the residual a mean has
some thirty digits, so differences between means, and what merging makes of them, keep all that doubles allow. A
weighted record has a fifth field, the sum of the squared weights.
"""

from __future__ import annotations

import math

from fastml.kernels._jit import F8_IN, F8_OUT, I4_IN, TABLE_IN, TABLE_OUT, exact, kernel

__all__ = ["N_FIELDS", "N_WEIGHTED", "accumulate", "accumulate_weighted", "count_rows", "finish", "fold",
           "same_in_group"]  # fmt: skip

N_FIELDS = 4
N_WEIGHTED = 5

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


@kernel(I4_IN, F8_IN, TABLE_OUT)
def accumulate(codes, y, table):
    """Add rows to raw records; NaN is missing."""
    for i in range(codes.shape[0]):
        value = y[i]
        if value != value:
            continue
        group = codes[i]
        if table[group, 0] == 0.0:
            table[group, 1] = value
        deviation = value - table[group, 1]
        table[group, 0] += 1.0
        table[group, 2] += deviation
        table[group, 3] += deviation * deviation


@kernel(I4_IN, F8_IN, F8_IN, TABLE_OUT)
def accumulate_weighted(codes, y, weights, table):
    """Add rows of positive weight to raw weighted records."""
    for i in range(codes.shape[0]):
        value = y[i]
        weight = weights[i]
        if not weight > 0.0 or value != value:
            continue
        group = codes[i]
        if table[group, 0] == 0.0:
            table[group, 1] = value
        deviation = value - table[group, 1]
        table[group, 0] += weight
        table[group, 2] += weight * deviation
        table[group, 3] += weight * deviation * deviation
        table[group, 4] += weight * weight


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
    return bad


@exact
def _fold_one(into, g, part, k):
    """Add record k of `part` to record g of `into`, both with observations."""
    n_a = into[g, 0]
    n_b = part[k, 0]
    n = n_a + n_b
    delta = (part[k, 1] - into[g, 1]) + (part[k, 2] - into[g, 2])
    mean, residual = _two_sum(into[g, 1], delta * (n_b / n))
    mean, residual = _two_sum(mean, residual + into[g, 2])
    into[g, 0] = n
    into[g, 1] = mean
    into[g, 2] = residual
    into[g, 3] += part[k, 3] + delta * delta * (n_a * n_b / n)


@kernel(TABLE_OUT, I4_IN, TABLE_IN)
def fold(into, codes, part):
    """Add finished records `part` (K, 4 or 5) to those of `into` at `codes` (K,): Chan, Golub and LeVeque (1983)."""
    for k in range(part.shape[0]):
        if part[k, 0] == 0.0:
            continue
        g = codes[k]
        if into[g, 0] == 0.0:
            for field in range(part.shape[1]):
                into[g, field] = part[k, field]
            continue
        _fold_one(into, g, part, k)
        for field in range(N_FIELDS, part.shape[1]):
            into[g, field] += part[k, field]


@kernel(I4_IN, F8_IN, TABLE_OUT)
def count_rows(codes, weights, counts):
    """Count rows, rows without a weight (NaN) and rows of weight zero per group into `counts` (K, 3).

    `weights` may be empty: no weights. Returns the first row of a negative or infinite weight, or -1.
    """
    bad = -1
    for i in range(codes.shape[0]):
        counts[codes[i], 0] += 1.0
    for i in range(weights.shape[0]):
        weight = weights[i]
        if weight != weight:
            counts[codes[i], 1] += 1.0
        elif weight == 0.0:
            counts[codes[i], 2] += 1.0
        elif bad < 0 and not (weight > 0.0 and math.isfinite(weight)):
            bad = i
    return bad


@kernel(I4_IN, F8_IN, F8_OUT)
def same_in_group(codes, values, group_value):
    """Note each group's value in `group_value` (NaN: none yet); return the first row that differs from it, or -1."""
    for i in range(codes.shape[0]):
        value = values[i]
        known = group_value[codes[i]]
        if value != value:
            continue
        if known != known:
            group_value[codes[i]] = value
        elif known != value:
            return i
    return -1
