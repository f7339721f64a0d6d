"""Runs of equal keys: where rows are clustered, only the first row of a run needs a code."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels._jit import I4_IN, I4_OUT, I8_IN, inner, intrinsic, ir, kernel
from fastml.kernels.ahead import AHEAD, LINE, fetch

__all__ = ["find_runs_int32", "find_runs_int64"]

_SAMPLE = 4096


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
def _lowest_bit(typing_context, word):
    """Place of the lowest bit that is set, of a word that isn't 0."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@inner
def _are_all(keys, key):
    """Whether all keys are this one: most words of 64 lie inside of a run, and this reads each key once only."""
    different = key ^ key
    for k in range(64):
        different |= keys[k] ^ key
    return different == 0


@inner
def _find_runs(keys, starts):
    n = keys.shape[0]
    room = starts.shape[0] - 1
    if n == 0 or room < 1:
        return -1
    starts[0] = 0
    count = 1
    at = 1
    while at + 64 <= n:
        if count > _SAMPLE and 4 * count > at:
            return -1  # the first rows are not clustered: give up before the room is full
        for k in range(0, 64, LINE):
            fetch(keys, np.uint64(at + k + AHEAD))
        if _are_all(keys[at : at + 64], keys[at - 1]):
            at += 64
            continue
        changes = _changes(keys, at)
        while changes != 0:
            if count == room:
                return -1
            starts[count] = at + _lowest_bit(changes)
            count += 1
            changes &= changes - np.uint64(1)
        at += 64
    for i in range(at, n):
        if keys[i] != keys[i - 1]:
            if count == room:
                return -1
            starts[count] = i
            count += 1
    starts[count] = n
    return count


@kernel(I8_IN, I4_OUT)
def find_runs_int64(keys, starts):
    """Note the first row of each run of equal keys in `starts`, then the number of rows; return the number of runs.

    Returns -1 as soon as they don't fit, or where the first thousands are shorter than four rows each.
    """
    return _find_runs(keys, starts)


@kernel(I4_IN, I4_OUT)
def find_runs_int32(keys, starts):
    """As `find_runs_int64`, for codes."""
    return _find_runs(keys, starts)
