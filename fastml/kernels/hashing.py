"""Dense codes for 64-bit keys by open addressing."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels._jit import I4_OUT, I8_IN, I8_OUT, inner, kernel

__all__ = ["encode_int64", "rehash"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@inner
def _slot(key, shift):
    """First place to look: Fibonacci hashing of the key, folded so that its high bits count."""
    bits = np.uint64(key)
    bits ^= bits >> np.uint64(32)
    return np.int64((bits * _GOLDEN) >> shift)


@inner
def _bit_shift(n_slots):
    """64 - log2(n_slots), for a power of two."""
    shift = 64
    while n_slots > 1:
        n_slots >>= 1
        shift -= 1
    return np.uint64(shift)


@kernel(I8_IN, I4_OUT, I8_OUT, types.int64, I4_OUT)
def encode_int64(keys, slots, labels, count, codes):
    """Give each key its dense code, in the order of first appearance; return the new number of labels.

    `slots` (a power of two, at least twice as many as labels) holds code + 1, 0 where empty; `labels` the keys by
    code, `count` of them known already; `codes` (n,) is filled.
    """
    shift = _bit_shift(slots.shape[0])
    mask = slots.shape[0] - 1
    for i in range(keys.shape[0]):
        key = keys[i]
        if i > 0 and key == keys[i - 1]:
            codes[i] = codes[i - 1]
            continue
        at = _slot(key, shift)
        while True:
            code = slots[at] - 1
            if code < 0:
                code = count
                labels[count] = key
                count += 1
                slots[at] = count
                break
            if labels[code] == key:
                break
            at = (at + 1) & mask
        codes[i] = code
    return count


@kernel(I8_IN, types.int64, I4_OUT)
def rehash(labels, count, slots):
    """Enter the first `count` labels, all distinct, into empty `slots`."""
    shift = _bit_shift(slots.shape[0])
    mask = slots.shape[0] - 1
    for code in range(count):
        at = _slot(labels[code], shift)
        while slots[at] != 0:
            at = (at + 1) & mask
        slots[at] = code + 1
