"""Dense codes for 64-bit keys by open addressing, and what `hash_strings` takes of it.

Every encoder gives codes in the order of first appearance and goes on where the last call ended. It stops when the
label arrays are full and returns the row it got to, so that the caller can grow them (rows behind it may have codes
already, which are overwritten). `slots` are a power of two, at least twice as many as there is room for labels, and
hold code + 1, or 0 where empty. Labels begin at place 1: the label of code c is at c + 1, the content of its slot, and
an empty slot may be looked up like any other.

The rows are done block by block. Nearly all keys stand in the first slot they may, or the second: those are looked up
in loops without a branch, whose steps for many rows the processor overlaps. The few others are looked up one by one.
"""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import I4_OUT, I8_IN, I8_OUT, inner, kernel
from fastml.kernels.keys.find_runs import ONE

__all__ = ["BLOCK", "bit_shift", "encode_int64", "enter", "mix", "rehash_int64"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
BLOCK = 1024  # rows


@inner
def mix(bits):
    """Spread a key's bits: the high ones then choose a slot (Fibonacci hashing of the folded key)."""
    return (bits ^ (bits >> np.uint64(32))) * _GOLDEN


@inner
def bit_shift(n_slots):
    """64 - log2(n_slots), for a power of two."""
    shift = 64
    while n_slots > 1:
        n_slots >>= 1
        shift -= 1
    return np.uint64(shift)


@inner
def _is_unlike(code, labels, key):
    """Whether a slot with this content is empty or another key's."""
    return (code == 0) | (labels[np.uint32(code)] != key)


@inner
def _unfound(keys, labels, codes, rows):
    """Note the rows whose slot, looked up in `codes`, is empty or another key's; return their number."""
    count = np.uint64(0)
    for k in range(np.uint64(keys.shape[0])):
        rows[count] = k
        count += np.uint64(_is_unlike(codes[k], labels, keys[k]))
    return count


@inner
def _unfound_again(keys, labels, codes, rows, n_rows, slots, places):
    """Look some rows up in their second slot; keep those in `rows` for which it doesn't do, return their number."""
    count = np.uint64(0)
    for j in range(n_rows):
        k = np.uint64(rows[j])
        codes[k] = slots[(np.uint64(places[k]) + ONE) & np.uint64(slots.shape[0] - 1)]
        rows[count] = k
        count += np.uint64(_is_unlike(codes[k], labels, keys[k]))
    return count


@kernel(I8_IN, types.int64, I4_OUT, I8_OUT, types.int64, I4_OUT)
def encode_int64(keys, row, slots, labels, count, codes):
    """Give each key from `row` on its dense code; return the row reached and the number of labels."""
    shift = bit_shift(slots.shape[0])
    mask = np.uint64(slots.shape[0] - 1)
    places, rows = np.empty(BLOCK, np.uint32), np.empty(BLOCK + 1, np.int64)
    for block in range(row, keys.shape[0], BLOCK):
        mine, into = keys[block : block + BLOCK], codes[block : block + BLOCK]
        n = np.uint64(mine.shape[0])
        for k in range(n):
            places[k] = mix(np.uint64(mine[k])) >> shift
        for k in range(n):
            into[k] = slots[places[k]]
        left = _unfound(mine, labels, into, rows)
        for k in rows[: _unfound_again(mine, labels, into, rows, left, slots, places)]:
            at = np.uint64(places[k])
            while slots[at] != 0 and labels[np.uint32(slots[at])] != mine[k]:
                at = (at + ONE) & mask
            if slots[at] == 0:
                if count + 1 == labels.shape[0]:
                    return block, count
                count += 1
                labels[count] = mine[k]
                slots[at] = count
            into[k] = slots[at]
        for k in range(n):
            into[k] -= np.int32(1)
    return keys.shape[0], count


@inner
def enter(spread, code, slots, shift):
    """Put a code in the first free slot from where the hash `spread` points."""
    at = spread >> shift
    while slots[at] != 0:
        at = (at + ONE) & np.uint64(slots.shape[0] - 1)
    slots[at] = code + 1


@kernel(I8_IN, types.int64, I4_OUT)
def rehash_int64(labels, count, slots):
    """Enter the first `count` labels, all distinct, into empty `slots`."""
    shift = bit_shift(slots.shape[0])
    for code in range(count):
        enter(mix(np.uint64(labels[code + 1])), code, slots, shift)
