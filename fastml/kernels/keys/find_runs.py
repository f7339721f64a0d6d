"""Runs of equal keys: rows that lie sorted or clustered by group."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import I4_IN, I4_OUT, I8_IN, I8_OUT, inner, intrinsic, ir, kernel
from fastml.kernels.prefetch import LINE, fetch_next

__all__ = ["ROWS_PER_RUN", "find_runs_int32", "find_runs_int64", "lowest_bit"]

_SAMPLE = 4096
ROWS_PER_RUN = 8  # at least, for rows to be taken for clustered


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
