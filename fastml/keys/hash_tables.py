"""Labels of one Arrow type and their codes: a growing table for numbers, and one for strings and all else.

Codes are given in the order of first appearance. Labels are compared by their bits or bytes; nothing here makes a
Python object of a label.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import FastmlError
from fastml.io.arrays import as_arrow, as_numpy
from fastml.keys.label_types import bits_of, from_bits, has_bits

__all__ = ["LabelTable", "NumberTable", "StringTable"]

Codes = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
MAX_LABELS = 2**31 - 2
_MOST_BYTES = 2**31 - 1  # of the labels that are encoded at once: places among them are of 32 bits

# A table of slots over the whole range of the numbers has at most so many slots a number, or is at most so long.
_SLOTS_EACH = 8
_SLOTS_FREE = 1 << 16

# Slots of a hash table for each label there is room for: few keys then miss their first one.
_SLOTS_PER_LABEL = 4
_FIRST_SLOTS = 4096


def _missing_in(labels: pa.Array) -> npt.NDArray[np.bool_]:
    """Whether each label is null or NaN; empty where none is."""
    if not (labels.null_count or pa.types.is_floating(labels.type)):
        return np.empty(0, bool)
    missing = as_numpy(labels.is_null(nan_is_null=True).cast(pa.uint8())).view(bool)
    return missing if missing.any() else np.empty(0, bool)


def _power_of_two(at_least: int) -> int:
    return 1 << max(4, (at_least - 1).bit_length())


def _grown(array: npt.NDArray[Any], used: int, length: int) -> npt.NDArray[Any]:
    new = np.empty(length, array.dtype)
    new[:used] = array[:used]
    return new


def _more_room(count: int, row: int, n: int, most: int) -> int:
    """Room for labels once `count` of them, seen in `row` of n rows, fill what there was: for all, if most were new.

    Memory that is never written is never taken; but slots are, so it's up to sixteen times as much.
    """
    if count >= most:
        raise OverflowError(f"more than {most:,} groups")
    likely = min(16 * count, count + n - row) if 2 * count > row else 0
    return min(max(1024, 2 * count, likely), most)


class NumberTable:
    """Codes of 64-bit labels: by a slot for each number of their range while that is modest, else by hashing.

    Parameters
    ----------
    hashed : bool
        Hash from the start.
    """

    def __init__(self, hashed: bool = False) -> None:
        self._labels = np.empty(1, np.int64)  # from place 1 on, as the kernels have them
        self._count = 0
        self._slots = np.empty(0, np.int32)
        self._low = 0  # the number of the first slot
        self._hashed = hashed
        if hashed:
            self._rehash(_FIRST_SLOTS)

    def clear(self) -> None:
        """Forget all labels of a hashed table; the memory is kept unless it was far too large."""
        if len(self._slots) > max(16 * _SLOTS_PER_LABEL * self._count, _FIRST_SLOTS):
            self._slots = np.zeros(_FIRST_SLOTS, np.int32)
            self._labels = np.empty(_FIRST_SLOTS // _SLOTS_PER_LABEL + 1, np.int64)
        else:
            self._slots[:] = 0
        self._count = 0

    def codes_for(self, bits: Int64s, codes: Codes | None = None) -> Codes:
        """Codes of labels (n,), in an array given for them; new labels get new ones."""
        codes = np.empty(len(bits), np.int32) if codes is None else codes
        row = 0
        while row < len(bits):
            if self._hashed:
                from fastml.kernels.keys import hash_integers

                row, self._count = hash_integers.encode_int64(bits, row, self._slots, self._labels, self._count, codes)
            else:
                from fastml.kernels.keys import integer_range

                row, self._count = integer_range.encode_range(
                    bits, row, self._low, self._slots, self._labels, self._count, codes
                )
            if row < len(bits):
                self._make_room(bits, row)
        return codes

    def _make_room(self, bits: Int64s, row: int) -> None:
        """Make room for the labels from `row` on, the first of which found none."""
        if not len(self._slots) or self._count + 1 < len(self._labels):
            rest = bits[row:]
            self._cover(int(rest.min()), int(rest.max()), len(bits))
            return
        room = _more_room(self._count, row, len(bits), MAX_LABELS)
        if self._hashed:
            self._rehash(_power_of_two(_SLOTS_PER_LABEL * room))
        else:
            # For all that may be new: memory that is never written is never taken.
            room = min(max(room, self._count + len(bits) - row), MAX_LABELS)
            self._labels = _grown(self._labels, self._count + 1, room + 1)

    def _cover(self, low: int, high: int, n: int) -> None:
        """Make slots for the numbers from low to high, or hash from now on."""
        have = len(self._slots)
        if have:
            low, high = min(low, self._low), max(high, self._low + have - 1)
        length = high - low + 1
        if length > _SLOTS_FREE + _SLOTS_EACH * (self._count + n):
            self._hashed = True
            self._rehash(_power_of_two(_SLOTS_PER_LABEL * self._count + _FIRST_SLOTS))
            return
        if have:  # room on the side it grew to, so that many small steps don't cost a copy each
            spare = max(length, 2 * have) - length
            if low < self._low:
                low = max(low - spare, -(2**63))
            length += spare
        slots = np.zeros(length, np.int32)
        slots[self._low - low : self._low - low + have] = self._slots
        self._slots, self._low = slots, low

    def _rehash(self, n_slots: int) -> None:
        from fastml.kernels.keys import hash_integers

        self._labels = _grown(self._labels, self._count + 1, n_slots // _SLOTS_PER_LABEL + 1)
        self._slots = np.zeros(n_slots, np.int32)
        hash_integers.rehash_int64(self._labels, self._count, self._slots)

    def bits(self) -> Int64s:
        """Labels by code."""
        return self._labels[1 : self._count + 1]

    def sorted(self) -> tuple[Int64s, Int64s]:
        """Codes in the order that sorts the labels, and the labels in it; the slots of a range are in that order."""
        labels = self.bits()
        if (labels[1:] > labels[:-1]).all():  # as files often are
            return np.arange(len(labels)), labels.copy()
        if self._hashed:
            order = np.argsort(labels)
            return order, labels[order]
        places = np.flatnonzero(self._slots)
        return self._slots[places].astype(np.int64) - 1, places + self._low

    def __len__(self) -> int:
        return self._count


class _NumberLabels:
    """A `NumberTable` for Arrow arrays without nulls."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._dtype = dtype
        self._table = NumberTable()

    def codes_for(self, labels: pa.Array, codes: Codes | None = None) -> Codes:
        bits = bits_of(labels)
        if pa.types.is_floating(self._dtype):
            # -0.0 + 0.0 is 0.0: one label.
            bits = (bits.view(np.float64) + 0.0).view(np.int64)
        return self._table.codes_for(bits, codes)

    def sorted(self) -> tuple[Int64s, pa.Array] | None:
        if not pa.types.is_signed_integer(self._dtype):
            return None
        order, bits = self._table.sorted()
        return order, from_bits(bits, self._dtype)

    def labels(self) -> pa.Array:
        return from_bits(self._table.bits(), self._dtype)

    def __len__(self) -> int:
        return len(self._table)


class StringTable:
    """Codes of strings, and of labels of a fixed number of bytes, in Arrow arrays without nulls."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._dtype = dtype
        self._count = 0
        self._slots = np.zeros(_FIRST_SLOTS, np.int32)
        room = _FIRST_SLOTS // _SLOTS_PER_LABEL
        self._words = np.empty(2 * room + 2, np.int64)  # from place 2 on, as the kernels have them
        self._ends = np.zeros(room + 1, np.int64)
        self._data = np.empty(0, np.uint8)
        self._narrow_ends = np.empty(0, np.int32)  # kept, since new memory costs more than the copy into it

    def codes_for(self, labels: pa.Array, codes: Codes | None = None) -> Codes:
        """Codes of labels (n,), in an array given for them; new labels get new ones."""
        from fastml.kernels.keys import hash_strings

        data, ends = _bytes_of(labels)
        codes = np.empty(len(labels), np.int32) if codes is None else codes
        if ends.dtype != np.int32:
            first, n_bytes = ends[0], ends[-1] - ends[0]
            if n_bytes > _MOST_BYTES:
                if len(labels) == 1:
                    raise FastmlError(f"a label has {n_bytes:,} bytes; is its column one of ids?")
                half = len(labels) // 2
                self.codes_for(labels[:half], codes[:half])
                self.codes_for(labels[half:], codes[half:])
                return codes
            if len(self._narrow_ends) < len(ends):
                self._narrow_ends = np.empty(len(ends), np.int32)
            data, ends = data[first:], np.subtract(ends, first, self._narrow_ends[: len(ends)], casting="unsafe")
        used, more = int(self._ends[self._count]), int(ends[-1]) - int(ends[0])
        if used + more > len(self._data):
            # Memory that is never written is never taken.
            self._data = _grown(self._data, used, used + more + len(self._data))
        row = 0
        while row < len(codes):
            row, self._count = hash_strings.encode_strings(
                data, ends, row, self._slots, self._words, self._ends, self._data, self._count, codes
            )
            if row < len(codes):
                self._make_room(_more_room(self._count, row, len(codes), MAX_LABELS // 2))
        return codes

    def _make_room(self, room: int) -> None:
        from fastml.kernels.keys import hash_strings

        n_slots = _power_of_two(_SLOTS_PER_LABEL * room)
        room = n_slots // _SLOTS_PER_LABEL
        self._words = _grown(self._words, 2 * self._count + 2, 2 * room + 2)
        self._ends = _grown(self._ends, self._count + 1, room + 1)
        self._slots = np.zeros(n_slots, np.int32)
        hash_strings.rehash_strings(self._words, self._count, self._slots)

    def labels(self) -> pa.Array:
        """Labels by code."""
        # Copies, since the memory may be used for other labels.
        ends = self._ends[: self._count + 1].copy()
        data = pa.py_buffer(self._data[: ends[-1]].copy())
        dtype, n = self._dtype, len(ends) - 1
        if not _has_ends(dtype):
            return pa.Array.from_buffers(dtype, n, [None, data])
        if pa.types.is_string(dtype) or pa.types.is_binary(dtype):
            if ends[-1] >= 2**31:
                dtype = pa.large_string() if pa.types.is_string(dtype) else pa.large_binary()
            else:
                ends = ends.astype(np.int32)
        return pa.Array.from_buffers(dtype, n, [None, pa.py_buffer(ends), data])

    def __len__(self) -> int:
        return self._count


def _has_ends(dtype: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(dtype)
        or pa.types.is_large_string(dtype)
        or pa.types.is_binary(dtype)
        or pa.types.is_large_binary(dtype)
    )


def _bytes_of(labels: pa.Array) -> tuple[Bytes, npt.NDArray[Any]]:
    """Bytes that hold the labels, and where in them each begins and the last ends (n + 1)."""
    dtype, buffers = labels.type, labels.buffers()
    ends: npt.NDArray[Any]
    data = np.frombuffer(buffers[-1] or b"", np.uint8)
    if _has_ends(dtype):
        short = pa.types.is_string(dtype) or pa.types.is_binary(dtype)
        ends = np.frombuffer(buffers[1] or bytes(8), np.int32 if short else np.int64)
        return data, ends[labels.offset : labels.offset + len(labels) + 1]
    width = dtype.bit_width // 8
    return data, np.arange(labels.offset, labels.offset + len(labels) + 1) * width


class LabelTable:
    """Labels of one type and their codes, in the order of first appearance. Null, and NaN, is one label more.

    Parameters
    ----------
    dtype : pyarrow.DataType
        As `plain_type` gives it.
    """

    def __init__(self, dtype: pa.DataType) -> None:
        self._dtype = dtype
        self._table = _NumberLabels(dtype) if has_bits(dtype) else StringTable(dtype)
        self._null_at = -1  # code of null: the number of labels before it first came

    def codes_for(self, labels: pa.Array, codes: Codes | None = None) -> Codes:
        """Codes of labels (n,), of this table's type; new labels get new ones. An array may be given for them."""
        if pa.types.is_null(self._dtype):
            self._null_at = 0
            return np.zeros(len(labels), np.int32)
        missing = _missing_in(labels)
        if not len(missing):
            return self._shifted(self._table.codes_for(labels, codes))
        present = self._table.codes_for(labels.take(as_arrow(np.flatnonzero(~missing))))
        if self._null_at < 0:
            self._null_at = len(self._table)
        codes = np.full(len(labels), self._null_at, np.int32)
        codes[~missing] = self._shifted(present)
        return codes

    def _shifted(self, codes: Codes) -> Codes:
        """Make room for the code of null."""
        if self._null_at >= 0:
            codes += codes >= self._null_at
        return codes

    def labels(self) -> pa.Array:
        """Labels by code."""
        at = self._null_at
        if pa.types.is_null(self._dtype):
            return pa.nulls(at + 1)
        present = self._table.labels()
        if at < 0:
            return present
        return pa.concat_arrays([present.slice(0, at), pa.nulls(1, present.type), present.slice(at)])

    def sorted(self) -> tuple[Int64s, pa.Array] | None:
        """Codes in the order that sorts the labels, and the labels in it; None but for integers."""
        return self._table.sorted() if isinstance(self._table, _NumberLabels) and self._null_at < 0 else None

    def __len__(self) -> int:
        return len(self._table) + (self._null_at >= 0)
