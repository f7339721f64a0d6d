"""Dense codes for 64-bit keys by open addressing, and what `strings` takes of it.

Every encoder gives codes in the order of first appearance and goes on where the last call ended. It stops when the
label arrays are full and returns the row it got to, so that the caller can grow them (rows behind it may have codes
already, which are overwritten). `slots` are a power of two, at least twice as many as there is room for labels, and
hold code + 1, or 0 where empty. Labels begin at place 1: the label of code c is at c + 1, the content of its slot.
At place 0, where an empty slot points, stands the first label again: its own slot is never empty, so no key is taken
for it there, and a key is known where its slot's label is it, with no branch for the empty ones.

The rows are done block by block in short loops, one thing in each: hashes, slots, labels compared. That is three
times as fast as one loop, whose many steps for a row leave the processor nothing to overlap. What is left over, keys
that are new or not in their first slot, is found in a mask and looked up one by one.
"""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import I4_OUT, I8_IN, I8_OUT, inner, kernel
from fastml.kernels.keys.find_runs import ONE, lowest_bit

__all__ = [
    "BLOCK",
    "GOLDEN",
    "ONE",
    "bit_shift",
    "encode_int64",
    "enter",
    "flagged_rows",
    "less_one",
    "mix",
    "rehash_int64",
    "slot_contents",
]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
BLOCK = 1024  # rows; a multiple of 64


@inner
def mix(bits):
    """Spread a key's bits: the high ones then choose a slot (Fibonacci hashing of the folded key)."""
    return (bits ^ (bits >> np.uint64(32))) * GOLDEN


@inner
def bit_shift(n_slots):
    """64 - log2(n_slots), for a power of two."""
    shift = 64
    while n_slots > 1:
        n_slots >>= 1
        shift -= 1
    return np.uint64(shift)


@inner
def _home_slots(keys, shift, places):
    for k in range(keys.shape[0]):
        places[k] = np.uint32(mix(np.uint64(keys[k])) >> shift)


@inner
def slot_contents(slots, places, codes):
    """Look up the slots of a block."""
    for k in range(codes.shape[0]):
        codes[k] = slots[places[k]]


@inner
def _compare_keys(keys, labels, codes, wrong):
    for k in range(codes.shape[0]):
        wrong[k] = labels[np.uint32(codes[k])] != keys[k]


@inner
def flagged_rows(wrong, n, rows):
    """Rows of the flags that are set; return their number. Flags behind n are cleared."""
    wrong[n:] = 0
    count = 0
    for at in range(0, n, 64):
        word = np.uint64(0)
        for k in range(np.uint64(64)):
            word |= np.uint64(wrong[np.uint64(at) + k]) << k
        while word != 0:
            rows[count] = at + lowest_bit(word)
            word &= word - ONE
            count += 1
    return count


@inner
def _second_slots(keys, rows, n, slots, places, labels, codes):
    """Try the slot after the first for n rows; keep the rows whose key isn't there either, and return their number."""
    mask = np.uint32(slots.shape[0] - 1)
    count = np.uint64(0)
    for j in range(np.uint64(n)):
        k = np.uint64(rows[j])
        code = slots[(places[k] + np.uint32(1)) & mask]
        codes[k] = code
        rows[count] = np.int64(k)
        count += np.uint64((code == 0) | (labels[np.uint32(code)] != keys[k]))
    return np.int64(count)


@inner
def less_one(codes):
    """Make codes of what slots hold."""
    for k in range(codes.shape[0]):
        codes[k] -= np.int32(1)


@kernel(I8_IN, types.int64, I4_OUT, I8_OUT, types.int64, I4_OUT)
def encode_int64(keys, row, slots, labels, count, codes):
    """Give each key from `row` on its dense code; return the row reached and the number of labels."""
    shift = bit_shift(slots.shape[0])
    mask = np.uint64(slots.shape[0] - 1)
    places = np.empty(BLOCK, np.uint32)
    wrong = np.zeros(BLOCK, np.uint8)
    rows = np.empty(BLOCK, np.int64)
    for block in range(row, keys.shape[0], BLOCK):
        end = min(block + BLOCK, keys.shape[0])
        mine, into = keys[block:end], codes[block:end]
        n = end - block
        _home_slots(mine, shift, places)
        slot_contents(slots, places, into)
        _compare_keys(mine, labels, into, wrong)
        if count == 0:
            wrong[:n] = 1
        n_left = _second_slots(mine, rows, flagged_rows(wrong, n, rows), slots, places, labels, into)
        for j in range(n_left):
            k = rows[j]
            key = mine[k]
            at = np.uint64(places[k])
            while True:
                code = slots[at]
                if code == 0:
                    if count + 1 == labels.shape[0]:
                        return block, count
                    count += 1
                    if count == 1:
                        labels[0] = key
                    code = np.int32(count)
                    labels[count] = key
                    slots[at] = code
                    break
                if labels[np.uint32(code)] == key:
                    break
                at = (at + ONE) & mask
            into[k] = code
        less_one(into)
    return keys.shape[0], count


@inner
def enter(bits, code, slots, shift, mask):
    """Put a code in the first free slot."""
    at = np.int64(mix(bits) >> shift)
    while slots[at] != 0:
        at = (at + 1) & mask
    slots[at] = code + 1


@kernel(I8_IN, types.int64, I4_OUT)
def rehash_int64(labels, count, slots):
    """Enter the first `count` labels, all distinct, into empty `slots`."""
    shift = bit_shift(slots.shape[0])
    for code in range(count):
        enter(np.uint64(labels[code + 1]), code, slots, shift, slots.shape[0] - 1)
