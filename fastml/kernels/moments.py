"""Group moments: the one pass over the rows, and the addition of its partial tables.

A table has one record per group: 4 doubles, 32 bytes, so that a shuffled row touches one place in memory.

    raw        n (or sum of weights), shift (the first value seen; NaN: none yet), and about it the sums of d, d^2
    finished   n, mean (the nearest double), residual (the mean less that double), ss (about the mean)

The `accumulate` kernels fill raw records and `finish` finishes them; `fold` adds finished ones. With the residual a
mean has some thirty digits, so differences between means, and what merging makes of them, keep all that doubles
allow. A weighted record has a fifth field, the sum of the squared weights.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import cgutils, types

from fastml.kernels._jit import F8_IN, F8_OUT, I4_IN, TABLE_IN, TABLE_OUT, U1_IN, exact, inner, intrinsic, ir, kernel

__all__ = ["N_FIELDS", "N_WEIGHTED", "accumulate_rows", "accumulate_runs", "accumulate_weighted", "count_weights",
           "finish", "fold", "recentre", "same_in_group"]  # fmt: skip

N_FIELDS = 4
N_WEIGHTED = 5

# Sums of squares this many times that about the mean lose three of the sixteen digits at most.
MAX_CANCELLATION = 256.0

_LINE = 8  # doubles in a cache line
_AHEAD = 256  # doubles: the records of shuffled rows keep the processor from looking that far ahead itself

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


def _plain_add_value(table, group, value):
    deviation = value - table[group, 1]
    if deviation == deviation:
        table[group, 0] += 1.0
        table[group, 2] += deviation
        table[group, 3] += deviation * deviation
    return deviation


@intrinsic(_plain_add_value)
def _add_value(typing_context, table, group, value):
    """Add [1, 0, d, d^2] to a record, unless d = value - shift is NaN, and return d.

    One load and one store of 32 bytes; LLVM makes three of each from single fields.
    """

    def generate(context, builder, signature, args):
        data, place, value = context.make_array(table)(context, builder, args[0]).data, args[1], args[2]
        vector, index = ir.VectorType(ir.DoubleType(), N_FIELDS), ir.IntType(32)
        start = builder.gep(data, [builder.mul(place, ir.Constant(place.type, N_FIELDS))])
        pointer = builder.bitcast(start, vector.as_pointer())
        record = builder.load(pointer, align=8)
        deviation = builder.fsub(value, builder.extract_element(record, ir.Constant(index, 1)))
        with builder.if_then(builder.fcmp_ordered("==", deviation, deviation), likely=True):
            left, right = ir.Constant(vector, [1.0, 0.0, 1.0, 1.0]), ir.Constant(vector, [1.0, 0.0, 1.0, 1.0])
            for field in (2, 3):
                left = builder.insert_element(left, deviation, ir.Constant(index, field))
            right = builder.insert_element(right, deviation, ir.Constant(index, 3))
            builder.store(builder.fadd(record, builder.fmul(left, right)), pointer, align=8)
        return deviation

    return types.float64(table, types.uintp, types.float64), generate


def _plain_fetch(values, at):
    pass


@intrinsic(_plain_fetch)
def _fetch(typing_context, values, at):
    """Ask for the cache line of a value that will be read once, which may lie behind the end."""

    def generate(context, builder, signature, args):
        start = builder.gep(context.make_array(values)(context, builder, args[0]).data, [args[1]])
        pointer, number = builder.bitcast(start, ir.IntType(8).as_pointer()), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        builder.call(prefetch, [pointer, number(0), number(0), number(1)])
        return context.get_dummy_value()

    return types.void(values, types.intp), generate


@inner
def _add_row(table, missing, group, value):
    deviation = _add_value(table, np.uint64(group), value)
    if deviation != deviation:
        if value != value:
            missing[group] += 1.0
            return
        # The record is new: its shift is NaN.
        table[group, 0] = 1.0
        table[group, 1] = value


@kernel(I4_IN, F8_IN, U1_IN, types.int64, TABLE_OUT, F8_OUT)
def accumulate_rows(codes, y, valid, offset, table, missing):
    """Add rows to raw records, and count missing ones per group.

    Missing are NaN, and rows whose bit of `valid` (Arrow's bitmap, from bit `offset` on; empty: all valid) is 0.
    """
    if valid.shape[0] == 0:
        for start in range(0, codes.shape[0], _LINE):
            _fetch(y, start + _AHEAD)
            for i in range(start, min(start + _LINE, codes.shape[0])):
                _add_row(table, missing, codes[i], y[i])
    else:
        for i in range(codes.shape[0]):
            if _is_valid(valid, offset + i):
                _add_row(table, missing, codes[i], y[i])
            else:
                missing[codes[i]] += 1.0


@inner
def _sum_run(y, shift):
    """Sums of d and d^2: one loop over a contiguous array, which vectorises."""
    total = 0.0
    squares = 0.0
    for i in range(y.shape[0]):
        deviation = y[i] - shift
        total += deviation
        squares += deviation * deviation
    return total, squares


@inner
def _sum_run_valid(y, shift, valid, offset):
    """Shift, sums and number of the values that aren't missing; a shift of NaN becomes the first of them."""
    n = 0.0
    total = 0.0
    squares = 0.0
    for i in range(y.shape[0]):
        value = y[i]
        if value != value or (valid.shape[0] > 0 and not _is_valid(valid, offset + i)):
            continue
        if shift != shift:
            shift = value
        deviation = value - shift
        n += 1.0
        total += deviation
        squares += deviation * deviation
    return shift, n, total, squares


@kernel(I4_IN, I4_IN, F8_IN, U1_IN, types.int64, TABLE_OUT, F8_OUT)
def accumulate_runs(starts, codes, y, valid, offset, table, missing):
    """As `accumulate_rows`, for runs: run r holds the rows from ``starts[r]`` to ``starts[r + 1]``.

    A run without missing values is summed in the same order whatever the other runs have, and null is as NaN, so that
    the bits don't depend on which of the two a source has for a missing value.
    """
    for r in range(codes.shape[0]):
        group = codes[r]
        run = y[starts[r] : starts[r + 1]]
        n = np.float64(run.shape[0])
        shift = table[group, 1]
        if shift != shift:
            shift = run[0]
        total, squares = _sum_run(run, shift)
        at = offset + starts[r]
        if total != total or (valid.shape[0] > 0 and not _all_valid(valid, at, at + run.shape[0])):
            shift, n, total, squares = _sum_run_valid(run, table[group, 1], valid, at)
            missing[group] += run.shape[0] - n
        table[group, 0] += n
        table[group, 1] = shift
        table[group, 2] += total
        table[group, 3] += squares


@kernel(I4_IN, F8_IN, F8_IN, TABLE_OUT)
def accumulate_weighted(codes, y, weights, table):
    """Add rows of positive weight to raw weighted records."""
    for i in range(codes.shape[0]):
        value = y[i]
        weight = weights[i]
        if not weight > 0.0 or value != value:
            continue
        group = codes[i]
        if table[group, 1] != table[group, 1]:
            table[group, 1] = value
        deviation = value - table[group, 1]
        table[group, 0] += weight
        table[group, 2] += weight * deviation
        table[group, 3] += weight * deviation * deviation
        table[group, 4] += weight * weight


@kernel(TABLE_OUT)
def recentre(table):
    """Where a shift is far from its group's values, make the table ready to be filled again, and return True.

    The first value of a group may be a wild one; digits would cancel in the sums about it. The new shifts are the
    means, to rounding.
    """
    for g in range(table.shape[0]):
        squares = table[g, 3]
        if squares > MAX_CANCELLATION * (squares - table[g, 2] * (table[g, 2] / table[g, 0])):
            break
    else:
        return False
    for g in range(table.shape[0]):
        if table[g, 0] > 0.0:
            table[g, 1] += table[g, 2] / table[g, 0]
        table[g, 0] = 0.0
        for field in range(2, table.shape[1]):
            table[g, field] = 0.0
    return True


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
def count_weights(codes, weights, counts):
    """Count rows without a weight (NaN) and of weight zero per group into columns 1 and 2 of `counts` (K, 3).

    Returns the first row of a negative or infinite weight, or -1.
    """
    bad = -1
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
