"""Dense codes for strings by open addressing, as `hash_integers` has them for numbers: two words stand for a string.

Up to 15 bytes the words are the string itself and, in the top byte, its length: strings are equal where the words are.
From 16 bytes on they are a hash, with a top byte that no short string has, and equal words have the bytes compared.
"""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import I4_IN, I4_OUT, I8_IN, I8_OUT, U1_IN, U1_OUT, inner, kernel
from fastml.kernels.keys.find_runs import ONE, ROWS_PER_RUN
from fastml.kernels.keys.hash_integers import BLOCK, bit_shift, enter, mix

__all__ = ["encode_strings", "rehash_strings"]

_ODD = np.uint64(0xC2B2AE3D27D4EB4F)
_TOP = np.uint64(56)
_LONG = np.uint64(0xFF) << _TOP
_TWO = np.uint64(2)

# Masks of the first 8 bytes of a string of so many, and of the others.
_FIRST_BYTES = np.array([2 ** (8 * min(n, 8)) - 1 for n in range(16)], np.uint64)
_LAST_BYTES = np.array([2 ** (8 * max(n - 8, 0)) - 1 for n in range(16)], np.uint64)


@inner
def _word(data, at):
    """Return the 8 bytes from `at` on as one word; LLVM makes one load of them."""
    word = np.uint64(0)
    for k in range(np.uint64(8)):
        word |= np.uint64(data[np.uint64(at) + k]) << (np.uint64(8) * k)
    return word


@inner
def _hash_bytes(data, at, length):
    """Two words for a string of 16 bytes or more."""
    first, second = np.uint64(length), _ODD
    for k in range(0, length - 7, 8):
        word = _word(data, at + k)
        first = mix(first ^ word)
        second = (second + word) * _ODD
    word = _word(data, at + length - 8)
    return mix(first ^ word), ((second + word) * _ODD) | _LONG


@inner
def _copy_bytes(data, at, length):
    """Two words for a string of up to 15 bytes that ends too near the data's end to be read as words."""
    first, second = np.uint64(0), np.uint64(length) << _TOP
    for k in range(min(length, 8)):
        first |= np.uint64(data[at + k]) << np.uint64(8 * k)
    for k in range(8, length):
        second |= np.uint64(data[at + k]) << np.uint64(8 * (k - 8))
    return first, second


@inner
def _hash_words(first, second):
    return mix(np.uint64(first) ^ (np.uint64(second) * _ODD))


@inner
def _pack(data, ends, shift, words, places):
    """Write the two words of each string ``data[ends[k]:ends[k + 1]]``, one after the other, and its first slot."""
    n = ends.shape[0] - 1
    length = ends[1] - ends[0]
    differs = length ^ length
    for k in range(n):
        differs |= (ends[k + 1] - ends[k]) ^ length
    # Ids are often of one length: then nothing has to be asked of each.
    if differs == 0 and length < 16 and ends[n] + 16 <= data.shape[0]:
        first_mask, last_mask, top = _FIRST_BYTES[length], _LAST_BYTES[length], np.uint64(length) << _TOP
        for k in range(np.uint64(n)):
            at = ends[0] + np.int64(k) * length
            first, second = _word(data, at) & first_mask, (_word(data, at + 8) & last_mask) | top
            words[_TWO * k], words[_TWO * k + ONE] = first, second
            places[k] = _hash_words(first, second) >> shift
        return
    for k in range(np.uint64(n)):
        at = ends[k]
        length = ends[k + ONE] - at
        if length < 16 and at + 16 <= data.shape[0]:
            first = _word(data, at) & _FIRST_BYTES[np.uint64(length)]
            second = (_word(data, at + 8) & _LAST_BYTES[np.uint64(length)]) | (np.uint64(length) << _TOP)
        elif length < 16:
            first, second = _copy_bytes(data, at, length)
        else:
            first, second = _hash_bytes(data, at, length)
        words[_TWO * k], words[_TWO * k + ONE] = first, second
        places[k] = _hash_words(first, second) >> shift


@inner
def _unfound(words, label_words, codes, rows):
    """Note the rows whose slot, looked up in `codes`, is empty, another's or a long string's; return their number."""
    count = np.uint64(0)
    for k in range(np.uint64(codes.shape[0])):
        label = _TWO * np.uint64(np.uint32(codes[k]))
        second = words[_TWO * k + ONE]
        differs = (label_words[label] ^ words[_TWO * k]) | (label_words[label + ONE] ^ second)
        rows[count] = k
        count += np.uint64((codes[k] == 0) | (differs != 0) | (np.uint64(second) >= _LONG))
    return np.int64(count)


@inner
def _are_equal(a, a_at, b, b_at, length):
    """Whether the bytes of two strings of one length, 16 or more, are equal."""
    for k in range(0, length - 7, 8):
        if _word(a, a_at + k) != _word(b, b_at + k):
            return False
    return _word(a, a_at + length - 8) == _word(b, b_at + length - 8)


@inner
def _find_runs(words, data, ends, rows):
    """Note the rows whose string isn't that of the row before; return their number, or 0 where runs are short."""
    room = (ends.shape[0] - 1) // ROWS_PER_RUN
    rows[0] = 0
    count = 1
    for k in range(1, ends.shape[0] - 1):
        same = words[2 * k] == words[2 * k - 2] and words[2 * k + 1] == words[2 * k - 1]
        length = ends[k + 1] - ends[k]
        if same and length >= 16:
            same = ends[k] - ends[k - 1] == length and _are_equal(data, ends[k - 1], data, ends[k], length)
        if not same:
            if count >= room:
                return 0
            rows[count] = k
            count += 1
    return count


@inner
def _is_label(code, labels, first, second, data, start, length):
    """Whether a string, by its two words and its bytes, is the label of a slot's content."""
    label_words, label_ends, label_data = labels
    if label_words[2 * code] != first or label_words[2 * code + 1] != second:
        return False
    at = label_ends[code - 1]
    return length < 16 or (label_ends[code] - at == length and _are_equal(data, start, label_data, at, length))


@kernel(U1_IN, I4_IN, types.int64, I4_OUT, I8_OUT, I8_OUT, U1_OUT, types.int64, I4_OUT)
def encode_strings(data, ends, row, slots, label_words, label_ends, label_data, count, codes):
    """Give each string ``data[ends[i]:ends[i + 1]]`` from `row` on its dense code; return the row and the labels.

    `label_data` must have room for all bytes of the strings; label_ends[c] is where the bytes of code c begin.
    """
    shift = bit_shift(slots.shape[0])
    mask = np.uint64(slots.shape[0] - 1)
    labels = label_words, label_ends, label_data
    unsigned, places, rows = np.empty(2 * BLOCK, np.uint64), np.empty(BLOCK, np.uint32), np.empty(BLOCK + 1, np.int64)
    words = unsigned.view(np.int64)
    for block in range(row, codes.shape[0], BLOCK):
        mine, into = ends[block : block + BLOCK + 1], codes[block : block + BLOCK]
        _pack(data, mine, shift, unsigned, places)
        left = n_runs = _find_runs(words, data, mine, rows)
        if n_runs == 0:
            for k in range(np.uint64(into.shape[0])):
                into[k] = slots[places[k]]
            left = _unfound(words, label_words, into, rows)
        for k in rows[:left]:
            start, length = mine[k], mine[k + 1] - mine[k]
            at = np.uint64(places[k])
            first, second = words[2 * k], words[2 * k + 1]
            while slots[at] != 0 and not _is_label(slots[at], labels, first, second, data, start, length):
                at = (at + ONE) & mask
            if slots[at] == 0:
                if 2 * count + 2 == label_words.shape[0]:
                    return block, count
                place = label_ends[count]
                for b in range(length):
                    label_data[place + b] = data[start + b]
                count += 1
                label_ends[count] = place + length
                label_words[2 * count], label_words[2 * count + 1] = first, second
                slots[at] = count
            into[k] = slots[at]
        for run in range(n_runs):
            end = rows[run + 1] if run + 1 < n_runs else into.shape[0]
            into[rows[run] : end] = into[rows[run]]
        for k in range(np.uint64(into.shape[0])):
            into[k] -= np.int32(1)
    return codes.shape[0], count


@kernel(I8_IN, types.int64, I4_OUT)
def rehash_strings(words, count, slots):
    """Enter the first `count` labels, all distinct, into empty `slots`."""
    shift = bit_shift(slots.shape[0])
    for code in range(count):
        place = 2 * code + 2
        enter(_hash_words(words[place], words[place + 1]), code, slots, shift)
