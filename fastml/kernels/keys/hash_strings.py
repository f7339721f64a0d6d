"""Dense codes for strings by open addressing, as `hashing` has them for numbers: two words stand for a string."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import I4_IN, I4_OUT, I8_IN, I8_OUT, U1_IN, U1_OUT, inlined, inner, intrinsic, ir, kernel
from fastml.kernels.keys.find_runs import ONE, ROWS_PER_RUN
from fastml.kernels.keys.hash_integers import BLOCK, bit_shift, enter, flagged_rows, less_one, mix, slot_contents

__all__ = ["encode_large_strings", "encode_strings", "rehash_strings"]

_SECOND = np.uint64(0xC2B2AE3D27D4EB4F)
_TOP = np.uint64(56)
_LONG = np.uint64(0xFF) << _TOP  # the length byte of a string of 16 bytes or more

# Masks of the first 8 bytes of a string of so many, and of the others.
_FIRST_BYTES = np.array([2 ** (8 * min(n, 8)) - 1 for n in range(16)], np.uint64)
_LAST_BYTES = np.array([2 ** (8 * max(n - 8, 0)) - 1 for n in range(16)], np.uint64)


def _plain_word(data, at):
    return data[at : at + 8].view(np.uint64)[0]


@intrinsic(_plain_word)
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
        first = mix(first ^ word)
        second = (second + word) * _SECOND
    word = _word(data, at + length - 8)
    return mix(first ^ word), ((second + word) * _SECOND) | _LONG


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


@inner
def _short_words(data, at, length, first_mask, last_mask):
    """Two words for a string of up to 15 bytes: itself and its length."""
    return _word(data, at) & first_mask, (_word(data, at + 8) & last_mask) | (np.uint64(length) << _TOP)


@inner
def _note(first, second, shift, k, words, places):
    """Note the two words of string k, and its first slot."""
    words[np.uint64(2) * k] = np.int64(first)
    words[np.uint64(2) * k + ONE] = np.int64(second)
    places[k] = np.uint32(mix(_fold_words(first, second)) >> shift)


@inner
def _are_of_length(ends, length):
    different = length ^ length
    for k in range(ends.shape[0] - 1):
        different |= (ends[k + 1] - ends[k]) ^ length
    return different == 0


@inner
def _pack(data, ends, shift, words, places):
    """Fill `words` (n, 2) flat with two words for each string ``data[ends[i]:ends[i + 1]]``, `places` with first slots.

    Up to 15 bytes they are the string itself and its length, from 16 on a hash of it. Ids are often of one length:
    then nothing has to be asked of each.
    """
    n = ends.shape[0] - 1
    begin, length = np.int64(ends[0]), np.int64(ends[1]) - np.int64(ends[0])
    if length < 16 and ends[n] + 16 <= data.shape[0] and _are_of_length(ends, ends[1] - ends[0]):
        first_mask, last_mask = _FIRST_BYTES[np.uint64(length)], _LAST_BYTES[np.uint64(length)]
        for k in range(np.uint64(n)):
            first, second = _short_words(data, begin + np.int64(k) * length, length, first_mask, last_mask)
            _note(first, second, shift, k, words, places)
        return
    for k in range(np.uint64(n)):
        at = np.int64(ends[k])
        length = ends[k + ONE] - at
        if length < 16 and at + 16 <= data.shape[0]:
            row = np.uint64(length)
            first, second = _short_words(data, at, length, _FIRST_BYTES[row], _LAST_BYTES[row])
        else:
            first, second = _pack_apart(data, at, length)
        _note(first, second, shift, k, words, places)


@inner
def _compare_words(words, label_words, codes, wrong):
    """Tell which strings are not their slots' label; long ones, whose words don't settle it, always."""
    for k in range(codes.shape[0]):
        at = np.uint64(2) * np.uint64(np.uint32(codes[k]))
        second = words[2 * k + 1]
        other = (label_words[at] ^ words[2 * k]) | (label_words[at + ONE] ^ second)
        wrong[k] = (other != 0) | (np.uint64(second) >= _LONG)


@inner
def _second_word_slots(words, rows, n, slots, places, label_words, codes):
    """As `_second_slots`, for pairs of words."""
    mask = np.uint32(slots.shape[0] - 1)
    count = np.uint64(0)
    for j in range(np.uint64(n)):
        k = np.uint64(rows[j])
        code = slots[(places[k] + np.uint32(1)) & mask]
        codes[k] = code
        at = np.uint64(2) * np.uint64(np.uint32(code))
        second = words[np.uint64(2) * k + ONE]
        other = (label_words[at] ^ words[np.uint64(2) * k]) | (label_words[at + ONE] ^ second)
        rows[count] = np.int64(k)
        count += np.uint64((code == 0) | (other != 0) | (np.uint64(second) >= _LONG))
    return np.int64(count)


@inner
def _are_in_runs(words, n):
    """Whether few of the first strings differ from the one before."""
    n = min(n, 64)
    count = 0
    for k in range(1, n):
        count += 1 if (words[2 * k] ^ words[2 * k - 2]) | (words[2 * k + 1] ^ words[2 * k - 1]) != 0 else 0
    return 4 * count <= n


@inner
def _changes(words, data, ends, wrong):
    """Tell which strings differ from the one before, the first always; return their number."""
    wrong[0] = 1
    count = 1
    longest = np.uint64(words[1])
    for k in range(1, ends.shape[0] - 1):
        other = (words[2 * k] ^ words[2 * k - 2]) | (words[2 * k + 1] ^ words[2 * k - 1])
        wrong[k] = other != 0
        count += 1 if other != 0 else 0
        longest = max(longest, np.uint64(words[2 * k + 1]))
    if longest >= _LONG:
        for k in range(1, ends.shape[0] - 1):
            if wrong[k] == 0 and np.uint64(words[2 * k + 1]) >= _LONG:
                length = ends[k + 1] - ends[k]
                if ends[k] - ends[k - 1] != length or not _same_bytes(data, ends[k], data, ends[k - 1], length):
                    wrong[k] = 1
                    count += 1
    return count


@inlined
def _encode_strings(
    data, ends, row, slots, label_words, label_ends, label_data, count, codes, words, places, wrong, rows
):
    shift = bit_shift(slots.shape[0])
    mask = np.uint64(slots.shape[0] - 1)
    for block in range(row, codes.shape[0], BLOCK):
        end = min(block + BLOCK, codes.shape[0])
        mine, into = ends[block : end + 1], codes[block:end]
        n = end - block
        _pack(data, mine, shift, words, places)
        in_runs = _are_in_runs(words, n) and _changes(words, data, mine, wrong) * ROWS_PER_RUN <= n
        if in_runs:
            n_left = flagged_rows(wrong, n, rows)
        else:
            slot_contents(slots, places, into)
            _compare_words(words, label_words, into, wrong)
            if count == 0:
                wrong[:n] = 1
            n_left = flagged_rows(wrong, n, rows)
            n_left = _second_word_slots(words, rows, n_left, slots, places, label_words, into)
        filled = 0
        code = np.int32(0)
        for j in range(n_left):
            k = rows[j]
            if in_runs:
                into[filled:k] = code
                filled = k
            start = np.int64(mine[k])
            length = mine[k + 1] - start
            first = words[2 * k]
            second = words[2 * k + 1]
            at = np.uint64(places[k])
            while True:
                code = slots[at]
                place = np.int64(2) * np.int64(code)
                if code == 0:
                    if 2 * count + 2 == label_words.shape[0]:
                        return block, count
                    place = label_ends[count]
                    for b in range(length):
                        label_data[place + b] = data[start + b]
                    count += 1
                    label_ends[count] = place + length
                    if count == 1:
                        label_words[0] = first
                        label_words[1] = second
                    label_words[2 * count] = first
                    label_words[2 * count + 1] = second
                    code = np.int32(count)
                    slots[at] = code
                    break
                if label_words[place] == first and label_words[place + 1] == second:
                    place = label_ends[code - 1]
                    if length < 16 or (
                        label_ends[code] - place == length and _same_bytes(data, start, label_data, place, length)
                    ):
                        break
                at = (at + ONE) & mask
            into[k] = code
        if in_runs:
            into[filled:] = code
        less_one(into)
    return codes.shape[0], count


@kernel(U1_IN, I4_IN, types.int64, I4_OUT, I8_OUT, I8_OUT, U1_OUT, types.int64, I4_OUT)
def encode_strings(data, ends, row, slots, label_words, label_ends, label_data, count, codes):
    """Give each string ``data[ends[i]:ends[i + 1]]`` from `row` on its dense code; return the row and the labels.

    Where strings stand in runs, only the first of a run is looked up. The two words of a label settle the equality
    of strings up to 15 bytes; longer ones are compared byte by byte where the words agree. `label_data` must have room
    for all bytes of the strings; label_ends[c] is where the bytes of code c begin.
    """
    words, places = np.empty(2 * BLOCK, np.int64), np.empty(BLOCK, np.uint32)
    wrong, rows = np.zeros(BLOCK, np.uint8), np.empty(BLOCK, np.int64)
    return _encode_strings(
        data, ends, row, slots, label_words, label_ends, label_data, count, codes, words, places, wrong, rows
    )


@kernel(U1_IN, I8_IN, types.int64, I4_OUT, I8_OUT, I8_OUT, U1_OUT, types.int64, I4_OUT)
def encode_large_strings(data, ends, row, slots, label_words, label_ends, label_data, count, codes):
    """As `encode_strings`, for places of 64 bits."""
    words, places = np.empty(2 * BLOCK, np.int64), np.empty(BLOCK, np.uint32)
    wrong, rows = np.zeros(BLOCK, np.uint8), np.empty(BLOCK, np.int64)
    return _encode_strings(
        data, ends, row, slots, label_words, label_ends, label_data, count, codes, words, places, wrong, rows
    )


@kernel(I8_IN, types.int64, I4_OUT)
def rehash_strings(words, count, slots):
    """Enter the first `count` labels, all distinct, into empty `slots`."""
    shift = bit_shift(slots.shape[0])
    for code in range(count):
        place = 2 * code + 2
        enter(_fold_words(words[place], words[place + 1]), code, slots, shift, slots.shape[0] - 1)
