"""Runs of equal keys: where rows are clustered, only the first row of a run needs a code, and a run is one sum."""

from __future__ import annotations

import math

import numpy as np
from numba.core import cgutils, types

from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, TABLE_OUT, U1_IN, inner, intrinsic, ir, kernel
from fastml.kernels.prefetch import LINE, prefetch_next
from fastml.kernels.sums.bitmaps import all_valid, is_valid
from fastml.kernels.sums.moments import BLOCK, is_off
from fastml.kernels.sums.record import VECTOR, four_times, load_some, sum_of, vector_at

__all__ = ["sum_runs"]

_FLAGS = ("reassoc", "contract")


def _plain_sums(y, start, stop, shift):
    deviations = y[int(start) : int(stop)] - shift
    return deviations.sum(), (deviations * deviations).sum()


@intrinsic(_plain_sums)
def _sums(typing_context, y, start, stop, shift):
    """Sums of d and d^2 of some rows, eight at a time, the last of them by loads that leave out what is behind them.

    LLVM would add up to fifteen rows one by one in the end, which is most of a run's time where it has some fifty.
    """

    def generate(context, builder, signature, args):
        data = context.make_array(y)(context, builder, args[0]).data
        shifts, nothing = four_times(builder, args[3]), ir.Constant(VECTOR, [0.0] * 4)
        halves = [[cgutils.alloca_once_value(builder, nothing) for _ in range(2)] for _ in range(2)]

        def add(half, values):
            deviations = builder.fsub(values, shifts)
            squares = builder.fmul(deviations, deviations, flags=_FLAGS)
            for total, more in zip(half, (deviations, squares), strict=True):
                builder.store(builder.fadd(builder.load(total), more, flags=_FLAGS), total)

        def row(at):
            pointer = builder.gep(data, [at])
            prefetch_next(context, builder, pointer)
            return pointer

        left = builder.sub(args[2], args[1])
        end = builder.add(args[1], builder.and_(left, left.type(-LINE)))
        with cgutils.for_range_slice(builder, args[1], end, left.type(LINE)) as (at, _):
            first = row(at)
            for k, half in enumerate(halves):
                add(half, builder.load(vector_at(builder, first, k), align=8))
        first, rest = row(end), four_times(builder, builder.sub(args[2], end))
        for k, half in enumerate(halves):
            present = builder.icmp_unsigned(">", rest, ir.Constant(rest.type, [4 * k + lane for lane in range(4)]))
            add(half, load_some(builder, vector_at(builder, first, k), present, shifts))
        sums = [builder.fadd(*map(builder.load, pair), flags=_FLAGS) for pair in zip(*halves, strict=True)]
        return context.make_tuple(builder, signature.return_type, [sum_of(builder, vector, _FLAGS) for vector in sums])

    return types.UniTuple(types.float64, 2)(y, types.uint64, types.uint64, types.float64), generate


@inner
def _sum_run(y, start, stop, shift):
    """Sums of d and d^2."""
    start, stop, block = np.uint64(start), np.uint64(stop), np.uint64(BLOCK)
    total = 0.0
    squares = 0.0
    while stop - start > block:
        some, some_squares = _sums(y, start, start + block, shift)
        total += some
        squares += some_squares
        start += block
    rest, rest_squares = _sums(y, start, stop, shift)
    return total + rest, squares + rest_squares


@inner
def _sum_run_valid(y, start, stop, shift, valid, offset):
    """Number, shift and sums of the values that aren't missing; a shift of NaN becomes the first of them."""
    n = 0.0
    total = 0.0
    squares = 0.0
    for first in range(start, stop, BLOCK):
        some = 0.0
        some_squares = 0.0
        for i in range(first, min(first + BLOCK, stop)):
            value = y[i]
            if value != value or (valid.shape[0] > 0 and not is_valid(valid, offset + i)):
                continue
            if shift != shift:
                shift = value
            deviation = value - shift
            n += 1.0
            some += deviation
            some_squares += deviation * deviation
        total += some
        squares += some_squares
    return n, shift, total, squares


@kernel(I4_IN, F8_IN, U1_IN, types.int64, TABLE_OUT, F8_OUT)
def sum_runs(starts, y, valid, offset, records, missing):
    """Fill a raw record for each run: run r holds the rows from ``starts[r]`` to ``starts[r + 1]``.

    Missing values as in `rows.add_rows`; their number goes to `missing` (R,). A run without missing values is summed in
    the same order whatever the other runs have, and null is as NaN, so that the bits don't depend on which of the two
    a source has for a missing value. The first value of a run may be a wild one; the run is then summed about its mean.
    Returns the first run whose sums aren't finite, or -1.
    """
    bad = -1
    for r in range(records.shape[0]):
        start = starts[r]
        stop = starts[r + 1]
        n = np.float64(stop - start)
        shift = y[start]
        total, squares = _sum_run(y, start, stop, shift)
        whole = total == total and (valid.shape[0] == 0 or all_valid(valid, offset + start, offset + stop))
        if not whole:
            n, shift, total, squares = _sum_run_valid(y, start, stop, math.nan, valid, offset)
        if n > 0.0 and is_off(n, total, squares, n):
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
