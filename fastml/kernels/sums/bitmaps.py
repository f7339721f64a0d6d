"""Arrow's validity bitmaps: a bit for each row, 1 where it has a value."""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, U1_IN, inner, intrinsic, ir, kernel

__all__ = ["all_valid", "eight_bits", "fill_missing", "is_valid"]


@inner
def is_valid(valid, place):
    """Whether a bit is 1."""
    return (valid[place >> 3] >> np.uint8(place & 7)) & np.uint8(1) != 0


@inner
def eight_bits(valid, place):
    """Eight bits from `place` on, all of which there are."""
    byte, shift = place >> np.uint64(3), place & np.uint64(7)
    bits = np.uint64(valid[byte])
    if shift > 0:  # the rest of the eight is in the next byte
        bits = (bits | (np.uint64(valid[byte + np.uint64(1)]) << np.uint64(8))) >> shift
    return np.uint8(bits & np.uint64(255))


@inner
def all_valid(valid, start, stop):
    """Whether the bits from `start` to `stop` are all 1."""
    while start < stop and start & 7:
        if not is_valid(valid, start):
            return False
        start += 1
    while start + 8 <= stop:
        if valid[start >> 3] != np.uint8(255):
            return False
        start += 8
    while start < stop:
        if not is_valid(valid, start):
            return False
        start += 1
    return True


def _plain_copy_eight(values, into, at, bits):
    valid = np.unpackbits(np.array([bits]), bitorder="little").astype(bool)
    into[int(at) : int(at) + 8] = np.where(valid, values[int(at) : int(at) + 8], math.nan)


@intrinsic(_plain_copy_eight)
def _copy_eight(typing_context, values, into, at, bits):
    """Copy eight values, NaN in place of those whose bit is 0: LLVM finds no vectors in a loop over bits."""

    def generate(context, builder, signature, args):
        vector = ir.VectorType(ir.DoubleType(), 8)

        def pointer(kind, array):
            start = builder.gep(context.make_array(kind)(context, builder, array).data, [args[2]])
            return builder.bitcast(start, vector.as_pointer())

        valid = builder.bitcast(args[3], ir.VectorType(ir.IntType(1), 8))
        kept = builder.load(pointer(values, args[0]), align=8)
        kept = builder.select(valid, kept, ir.Constant(vector, [math.nan] * 8))
        builder.store(kept, pointer(into, args[1]), align=8)
        return context.get_dummy_value()

    return types.void(values, into, types.uint64, types.uint8), generate


@kernel(F8_IN, U1_IN, types.int64, F8_OUT)
def fill_missing(values, valid, offset, into):
    """Copy values (n,), NaN in place of those whose bit of `valid` (from bit `offset` on) is 0."""
    n, eight = np.uint64(values.shape[0]), np.uint64(8)
    first, at = np.uint64(offset), np.uint64(0)
    while at + eight <= n:
        _copy_eight(values, into, at, eight_bits(valid, first + at))
        at += eight
    while at < n:
        into[at] = values[at] if is_valid(valid, first + at) else math.nan
        at += np.uint64(1)
