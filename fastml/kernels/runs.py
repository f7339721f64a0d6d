"""Runs of equal keys: where rows are clustered, only the first row of a run needs a code, and a run is one sum."""

from __future__ import annotations

import math

import numpy as np
from numba.core import cgutils, types

from fastml.kernels._jit import (
    F8_IN,
    F8_OUT,
    I4_IN,
    I4_OUT,
    I8_IN,
    I8_OUT,
    TABLE_OUT,
    U1_IN,
    inner,
    intrinsic,
    ir,
    kernel,
)
from fastml.kernels.ahead import LINE, fetch_next, prefetch_next
from fastml.kernels.bitmaps import all_valid, is_valid
from fastml.kernels.moments import BLOCK, is_off
from fastml.kernels.records import VECTOR, four_times, load_some, sum_of, vector_at

__all__ = ["ROWS_PER_RUN", "find_runs_int32", "find_runs_int64", "lowest_bit", "sum_runs"]

_SAMPLE = 4096
ROWS_PER_RUN = 8  # at least, for rows to be taken for clustered

_FLAGS = ("reassoc", "contract")


def _plain_changes(keys, at):
    return np.packbits(keys[at : at + 64] != keys[at - 1 : at + 63], bitorder="little").view(np.uint64)[0]


@intrinsic(_plain_changes)
def _changes(typing_context, keys, at):
    """Word whose bit k tells whether ``keys[at + k]`` differs from the key before it, for 64 keys.

    Numba vectorises no search loop, so the comparison is written as one of LLVM's vectors.
    """

    def generate(context, builder, signature, args):
        data = context.make_array(keys)(context, builder, args[0]).data
        vector = ir.VectorType(context.get_value_type(keys.dtype), 64).as_pointer()

        def load(place):
            return builder.load(builder.bitcast(builder.gep(data, [place]), vector), align=1)

        before = builder.sub(args[1], ir.Constant(args[1].type, 1))
        return builder.bitcast(builder.icmp_signed("!=", load(args[1]), load(before)), ir.IntType(64))

    return types.uint64(keys, types.intp), generate


def _plain_lowest_bit(word):
    return (int(word) & -int(word)).bit_length() - 1


@intrinsic(_plain_lowest_bit)
def lowest_bit(typing_context, word):
    """Place of the lowest bit that is set, of a word that isn't 0."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@inner
def _find_runs(keys, first, starts, firsts, room):
    """Note the runs of a tile, whose first row has the number `first`; return how many, or -1 for more than `room`."""
    n = keys.shape[0]
    if room < 1:
        return -1
    starts[0] = first
    firsts[0] = keys[0]
    count = 1
    at = 1
    while at + 64 <= n:
        if count > _SAMPLE and 4 * count > at:
            return -1  # the first rows are not clustered: give up before the room is full
        for k in range(0, 64, LINE):
            fetch_next(keys, np.uint64(at + k))
        changes = _changes(keys, at)
        while changes != 0:
            if count == room:
                return -1
            row = np.uint64(at + lowest_bit(changes))
            starts[count] = first + np.int64(row)
            firsts[count] = keys[row]
            count += 1
            changes &= changes - np.uint64(1)
        at += 64
    for i in range(at, n):
        if keys[i] != keys[i - 1]:
            if count == room:
                return -1
            starts[count] = first + i
            firsts[count] = keys[i]
            count += 1
    return count


@inner
def _find_in_tiles(keys, tile_rows, starts, firsts):
    count = 0
    for first in range(0, keys.shape[0], tile_rows):
        tile = keys[first : first + tile_rows]
        more = _find_runs(tile, first, starts[count:], firsts[count:], tile.shape[0] // ROWS_PER_RUN)
        if more < 0:
            return -1
        count += more
    starts[count] = keys.shape[0]
    return count


@kernel(I8_IN, types.int64, I4_OUT, I8_OUT)
def find_runs_int64(keys, tile_rows, starts, firsts):
    """Note the first row of each run of equal keys in `starts`, then the number of rows; return the number of runs.

    The key of each run goes to `firsts`: it is at hand now, and memory's later. A run ends where a tile of `tile_rows`
    ends. Returns -1 as soon as a tile has fewer than `ROWS_PER_RUN` rows for each, the number that there has to be room
    for, or where its first thousands are shorter than four rows each.
    """
    return _find_in_tiles(keys, tile_rows, starts, firsts)


@kernel(I4_IN, types.int64, I4_OUT, I4_OUT)
def find_runs_int32(keys, tile_rows, starts, firsts):
    """As `find_runs_int64`, for codes."""
    return _find_in_tiles(keys, tile_rows, starts, firsts)


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
