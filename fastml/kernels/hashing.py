"""Dense codes for 64-bit keys and for strings: by subtraction, by a table over their range, or by open addressing.

Every encoder gives codes in the order of first appearance and goes on where the last call ended. It stops when the
label arrays are full and returns the row it got to, so that the caller can grow them (rows behind it may have codes
already, which are overwritten). `slots` are a power of two, at
least twice as many as there is room for labels, and hold code + 1, or 0 where empty.
"""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels._jit import I4_OUT, I8_IN, I8_OUT, U1_IN, U1_OUT, inner, intrinsic, ir, kernel

__all__ = ["encode_direct", "encode_int64", "encode_strings", "narrow", "pack_strings", "rehash_int64",
           "rehash_strings"]  # fmt: skip

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xC2B2AE3D27D4EB4F)
_TOP = np.uint64(56)
_LONG = np.uint64(0xFF) << _TOP  # the length byte of a string of 16 bytes or more
_BLOCK = 256
_STEPS = 3
# Masks of the first 8 bytes of a string of so many, and of the others.
_FIRST_BYTES = np.array([2 ** (8 * min(n, 8)) - 1 for n in range(16)], np.uint64)
_LAST_BYTES = np.array([2 ** (8 * max(n - 8, 0)) - 1 for n in range(16)], np.uint64)


@kernel(I8_IN, I4_OUT)
def narrow(keys, codes):
    """Write the low 32 bits of the keys; return the smallest and the largest key."""
    low = keys[0]
    high = keys[0]
    for i in range(keys.shape[0]):
        key = keys[i]
        codes[i] = np.int32(key)
        low = min(low, key)
        high = max(high, key)
    return low, high


@kernel(I8_IN, types.int64, types.int64, I4_OUT, I8_OUT, types.int64, I4_OUT)
def encode_direct(keys, row, low, slots, labels, count, codes):
    """Give keys from `low` on their codes, by a slot for each value of the range; return the row and the labels."""
    for i in range(row, keys.shape[0]):
        key = keys[i]
        code = slots[key - low] - 1
        if code < 0:
            if count == labels.shape[0]:
                return i, count
            code = np.int32(count)
            labels[count] = key
            count += 1
            slots[key - low] = count
        codes[i] = code
    return keys.shape[0], count


@inner
def _mix(bits):
    """Spread a key's bits: the high ones then choose a slot (Fibonacci hashing of the folded key)."""
    return (bits ^ (bits >> np.uint64(32))) * _GOLDEN


@inner
def _bit_shift(n_slots):
    """64 - log2(n_slots), for a power of two."""
    shift = 64
    while n_slots > 1:
        n_slots >>= 1
        shift -= 1
    return np.uint64(shift)


@inner
def _look_up_int64(keys, step, shift, slots, labels, codes, rows, n):
    """Code the keys of n rows by the slots `step` places on from their first; keep the rows that aren't there.

    There is no branch to mispredict. Places are unsigned, since Numba lets a signed one count from the end.
    """
    mask = np.uint64(slots.shape[0] - 1)
    left = np.uint64(0)
    for k in range(n):
        i = rows[k]
        key = keys[np.uint64(i)]
        code = slots[((_mix(np.uint64(key)) >> shift) + step) & mask] - 1
        codes[np.uint64(i)] = code
        rows[left] = i
        left += np.uint64((code < 0) | (labels[np.uint32(max(code, 0))] != key))
    return np.int64(left)


@kernel(I8_IN, types.int64, I4_OUT, I8_OUT, types.int64, I4_OUT)
def encode_int64(keys, row, slots, labels, count, codes):
    """Give each key from `row` on its dense code; return the row reached and the number of labels."""
    shift = _bit_shift(slots.shape[0])
    mask = slots.shape[0] - 1
    rows = np.empty(_BLOCK, np.int64)
    for block in range(row, keys.shape[0], _BLOCK):
        end = block + _BLOCK
        n_left = min(end, keys.shape[0]) - block
        for k in range(n_left):
            rows[k] = k
        for step in range(_STEPS):
            n_left = _look_up_int64(
                keys[block:end], np.uint64(step), shift, slots, labels, codes[block:end], rows, n_left
            )
        for k in range(n_left):
            i = block + rows[k]
            key = keys[i]
            at = np.int64(_mix(np.uint64(key)) >> shift)
            while True:
                code = slots[at] - 1
                if code < 0:
                    if count == labels.shape[0]:
                        return i, count
                    code = np.int32(count)
                    labels[count] = key
                    count += 1
                    slots[at] = count
                    break
                if labels[code] == key:
                    break
                at = (at + 1) & mask
            codes[i] = code
    return keys.shape[0], count


@inner
def _enter(bits, code, slots, shift, mask):
    """Put a code in the first free slot."""
    at = np.int64(_mix(bits) >> shift)
    while slots[at] != 0:
        at = (at + 1) & mask
    slots[at] = code + 1


@kernel(I8_IN, types.int64, I4_OUT)
def rehash_int64(labels, count, slots):
    """Enter the first `count` labels, all distinct, into empty `slots`."""
    shift = _bit_shift(slots.shape[0])
    for code in range(count):
        _enter(np.uint64(labels[code]), code, slots, shift, slots.shape[0] - 1)


@intrinsic
def _word(typing_context, data, at):
    """The 8 bytes from a place on, as one word."""

    def generate(context, builder, signature, args):
        start = builder.gep(context.make_array(data)(context, builder, args[0]).data, [args[1]])
        return builder.load(builder.bitcast(start, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(data, types.intp), generate


@inner
def _pack_apart(data, at, length):
    """Two words for a string at the very end of the data, or of 16 bytes or more: of these, a hash."""
    if length < 16:
        first = np.uint64(0)
        second = np.uint64(length) << _TOP
        for k in range(length):
            byte = np.uint64(data[at + k]) << np.uint64(8 * (k & 7))
            if k < 8:
                first |= byte
            else:
                second |= byte
        return first, second
    first = np.uint64(length)
    second = _SECOND
    for k in range(0, length - 7, 8):
        word = _word(data, at + k)
        first = _mix(first ^ word)
        second = (second + word) * _SECOND
    word = _word(data, at + length - 8)
    return _mix(first ^ word), ((second + word) * _SECOND) | _LONG


@inner
def _same_bytes(a, a_at, b, b_at, length):
    """Whether two strings of the same length, 16 bytes or more, are equal."""
    for k in range(0, length - 7, 8):
        if _word(a, a_at + k) != _word(b, b_at + k):
            return False
    return _word(a, a_at + length - 8) == _word(b, b_at + length - 8)


@inner
def _fold_words(first, second):
    return np.uint64(first) ^ (np.uint64(second) * _SECOND)


@kernel(U1_IN, I8_IN, I8_OUT)
def pack_strings(data, ends, words):
    """Fill `words` (n, 2) flat with two words for each string ``data[ends[i]:ends[i + 1]]``.

    Up to 15 bytes they are the string itself and its length, from 16 on a hash of it.
    """
    for i in range(ends.shape[0] - 1):
        at = ends[i]
        length = ends[i + 1] - at
        if length < 16 and at + 16 <= data.shape[0]:
            row = np.uint64(length)
            first = _word(data, at) & _FIRST_BYTES[row]
            second = (_word(data, at + 8) & _LAST_BYTES[row]) | (row << _TOP)
        else:
            first, second = _pack_apart(data, at, length)
        words[2 * i] = np.int64(first)
        words[2 * i + 1] = np.int64(second)


@inner
def _look_up_words(words, step, shift, slots, label_words, codes, rows, n):
    """As `_look_up_int64`, for pairs of words; rows of long strings are always kept."""
    mask = np.uint64(slots.shape[0] - 1)
    left = np.uint64(0)
    for k in range(n):
        i = rows[k]
        first = words[np.uint64(2 * i)]
        second = words[np.uint64(2 * i + 1)]
        code = slots[((_mix(_fold_words(first, second)) >> shift) + step) & mask] - 1
        codes[np.uint64(i)] = code
        place = np.uint64(max(code, 0)) * np.uint64(2)
        other = (label_words[place] ^ first) | (label_words[place + np.uint64(1)] ^ second)
        rows[left] = i
        left += np.uint64((code < 0) | (other != 0) | (np.uint64(second) >= _LONG))
    return np.int64(left)


@kernel(I8_IN, U1_IN, I8_IN, types.int64, I4_OUT, I8_OUT, I8_OUT, U1_OUT, types.int64, I4_OUT)
def encode_strings(words, data, ends, row, slots, label_words, label_ends, label_data, count, codes):
    """Give each string from `row` on its dense code; return the row reached and the number of labels.

    Words are those of `pack_strings`, of the strings and of the labels: they settle the equality of strings up to 15
    bytes; longer ones are compared byte by byte where the words agree. `label_data` must have room for all bytes of
    the strings.
    """
    shift = _bit_shift(slots.shape[0])
    mask = slots.shape[0] - 1
    rows = np.empty(_BLOCK, np.int64)
    for block in range(row, codes.shape[0], _BLOCK):
        end = block + _BLOCK
        n_left = min(end, codes.shape[0]) - block
        for k in range(n_left):
            rows[k] = k
        for step in range(_STEPS):
            n_left = _look_up_words(
                words[2 * block :], np.uint64(step), shift, slots, label_words, codes[block:end], rows, n_left
            )
        for k in range(n_left):
            i = block + rows[k]
            start = ends[i]
            length = ends[i + 1] - start
            first = words[2 * i]
            second = words[2 * i + 1]
            at = np.int64(_mix(_fold_words(first, second)) >> shift)
            while True:
                code = slots[at] - 1
                if code < 0:
                    if 2 * count == label_words.shape[0]:
                        return i, count
                    code = np.int32(count)
                    label_words[2 * count] = first
                    label_words[2 * count + 1] = second
                    place = label_ends[count]
                    for b in range(length):
                        label_data[place + b] = data[start + b]
                    count += 1
                    label_ends[count] = place + length
                    slots[at] = count
                    break
                if label_words[2 * code] == first and label_words[2 * code + 1] == second:
                    place = label_ends[code]
                    if length < 16 or (
                        label_ends[code + 1] - place == length and _same_bytes(data, start, label_data, place, length)
                    ):
                        break
                at = (at + 1) & mask
            codes[i] = code
    return codes.shape[0], count


@kernel(I8_IN, types.int64, I4_OUT)
def rehash_strings(words, count, slots):
    """Enter the first `count` labels, all distinct, into empty `slots`."""
    shift = _bit_shift(slots.shape[0])
    for code in range(count):
        _enter(_fold_words(words[2 * code], words[2 * code + 1]), code, slots, shift, slots.shape[0] - 1)
