"""Group labels -> dense int32 codes. Owns labels, nulls, NaN, dtypes and dictionaries.

A tile of rows is encoded on its own (`encode_tile`: codes, and the distinct labels they stand for); a `KeyTable`
then gives those few labels their codes in the whole. A null label is a label like any other here: its rows are
counted as dropped when all is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fastml.errors import ColumnTypeError

__all__ = ["KeyTable", "TileKeys", "check_key_type", "encode_tile", "plain_type", "sort_order"]

Codes = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

MAX_GROUPS = 2**31 - 2


@dataclass(frozen=True)
class TileKeys:
    """The keys of a tile of rows.

    Attributes
    ----------
    codes : ndarray of int32, shape (n,)
        Which of the labels a row has.
    labels : tuple of pyarrow.Array, each of length K
        One array per key column; position k is the combination that code k stands for. A label may be null, and a
        label of a dictionary may have no row.
    """

    codes: Codes
    labels: tuple[pa.Array, ...]


def plain_type(dtype: pa.DataType) -> pa.DataType:
    """Type of the labels of a key column: dictionaries and views are replaced by what they hold."""
    if pa.types.is_dictionary(dtype):
        return plain_type(dtype.value_type)
    if pa.types.is_string_view(dtype):
        return pa.large_string()
    if pa.types.is_binary_view(dtype):
        return pa.large_binary()
    if pa.types.is_float16(dtype):
        return pa.float32()
    return dtype


def check_key_type(role: str, field: pa.Field) -> None:
    """Refuse key columns of types that are no labels: nested ones.

    Raises
    ------
    ColumnTypeError
    """
    dtype = plain_type(field.type)
    if pa.types.is_nested(dtype):
        raise ColumnTypeError(role, field.name, field.type, "use a column of numbers, strings or dates")


def encode_tile(columns: Sequence[pa.Array]) -> TileKeys:
    """Encode a tile of rows.

    Parameters
    ----------
    columns : sequence of pyarrow.Array, each of length n
        The key columns.

    Returns
    -------
    TileKeys
    """
    codes, labels = _encode_column(columns[0])
    combined: tuple[pa.Array, ...] = (labels,)
    for column in columns[1:]:
        other_codes, other_labels = _encode_column(column)
        pairs = codes.astype(np.int64) * max(len(other_labels), 1) + other_codes
        codes, found = _encode_int64(pairs)
        first, second = np.divmod(found, max(len(other_labels), 1))
        combined = (*(label.take(pa.array(first)) for label in combined), other_labels.take(pa.array(second)))
    return TileKeys(codes, combined)


def _encode_column(column: pa.Array) -> tuple[Codes, pa.Array]:
    """Codes (n,) and labels (K) of one column."""
    dtype = plain_type(column.type)
    if pa.types.is_dictionary(column.type):
        return _encode_dictionary(column)
    if column.type != dtype:
        column = column.cast(dtype)
    if _has_bits(dtype):
        return _encode_numbers(column, dtype)
    encoded = column.dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.cast(pa.int32())), encoded.dictionary


def _encode_dictionary(column: pa.DictionaryArray) -> tuple[Codes, pa.Array]:
    """Codes by way of the dictionary, which may hold a label twice, hold null, or hold labels without rows."""
    value_codes, labels = _encode_column(column.dictionary)
    if column.null_count:
        value_codes = np.append(value_codes, np.int32(len(labels)))
        labels = _append_null(labels)
    indices = column.indices.cast(pa.int64())
    if column.null_count:
        indices = indices.fill_null(len(value_codes) - 1)
    return value_codes[np.asarray(indices)], labels


def _has_bits(dtype: pa.DataType) -> bool:
    """Whether equal labels of the type have equal 64 bits."""
    return bool(
        pa.types.is_integer(dtype)
        or pa.types.is_floating(dtype)
        or pa.types.is_date(dtype)
        or pa.types.is_time(dtype)
        or pa.types.is_timestamp(dtype)
        or pa.types.is_duration(dtype)
    )


def _to_bits(labels: pa.Array) -> Int64s:
    """64 bits of every label that is no null."""
    dtype = labels.type
    if pa.types.is_floating(dtype):
        # -0.0 + 0.0 is 0.0: one label.
        return (np.asarray(labels.cast(pa.float64())) + 0.0).view(np.int64)
    if pa.types.is_uint64(dtype):
        return np.asarray(labels).view(np.int64)
    if not pa.types.is_integer(dtype):
        labels = labels.cast(pa.int32()) if dtype.bit_width == 32 else labels.cast(pa.int64())
    return np.ascontiguousarray(np.asarray(labels), dtype=np.int64)


def _from_bits(bits: Int64s, dtype: pa.DataType) -> pa.Array:
    if pa.types.is_floating(dtype):
        return pa.array(bits.view(np.float64)).cast(dtype)
    if pa.types.is_uint64(dtype):
        return pa.array(bits.view(np.uint64))
    if pa.types.is_integer(dtype):
        return pa.array(bits).cast(dtype)
    whole = pa.int32() if dtype.bit_width == 32 else pa.int64()
    return pa.array(bits).cast(whole).cast(dtype)


def _encode_numbers(column: pa.Array, dtype: pa.DataType) -> tuple[Codes, pa.Array]:
    missing = np.asarray(column.is_null(nan_is_null=True)) if _may_miss(column) else np.empty(0, bool)
    if not missing.any():
        codes, found = _encode_int64(_to_bits(column))
        return codes, _from_bits(found, dtype)
    codes = np.empty(len(column), np.int32)
    codes[~missing], found = _encode_int64(_to_bits(column.filter(pa.array(~missing))))
    codes[missing] = len(found)
    return codes, _append_null(_from_bits(found, dtype))


def _may_miss(column: pa.Array) -> bool:
    return bool(column.null_count) or pa.types.is_floating(column.type)


def _append_null(labels: pa.Array) -> pa.Array:
    return pa.concat_arrays([labels, pa.nulls(1, labels.type)])


def _slots(n_labels: int) -> Codes:
    """Empty slots, a power of two, at least twice as many as labels."""
    return np.zeros(1 << max(4, (2 * n_labels - 1).bit_length()), np.int32)


def _encode_int64(keys: Int64s) -> tuple[Codes, Int64s]:
    from fastml.kernels import hashing

    codes = np.empty(len(keys), np.int32)
    labels = np.empty(len(keys), np.int64)
    count = hashing.encode_int64(keys, _slots(len(keys)), labels, 0, codes)
    return codes, labels[:count].copy()


class _NumberTable:
    """Codes of 64-bit labels; null has the code of its turn."""

    def __init__(self, dtype: pa.DataType | None) -> None:
        self._dtype = dtype
        self._slots = _slots(64)
        self._labels = np.empty(64, np.int64)
        self._count = 0  # of labels that are no null
        self._null_at = -1  # labels known when null first came: its code

    def codes_for_bits(self, bits: Int64s) -> Codes:
        from fastml.kernels import hashing

        need = self._count + len(bits)
        if need > MAX_GROUPS:
            raise OverflowError("more than 2,147,483,646 groups")
        if need > len(self._labels):
            self._labels = np.concatenate([self._labels[: self._count], np.empty(2 * need, np.int64)])
        if 2 * need > len(self._slots):
            self._slots = _slots(2 * need)
            hashing.rehash(self._labels, self._count, self._slots)
        codes = np.empty(len(bits), np.int32)
        self._count = hashing.encode_int64(bits, self._slots, self._labels, self._count, codes)
        return codes

    def codes_for(self, labels: pa.Array) -> Codes:
        missing = np.asarray(labels.is_null(nan_is_null=True)) if _may_miss(labels) else np.zeros(len(labels), bool)
        codes = np.empty(len(labels), np.int32)
        plain = self.codes_for_bits(_to_bits(labels.filter(pa.array(~missing)) if missing.any() else labels))
        if self._null_at >= 0:
            plain = plain + (plain >= self._null_at).astype(np.int32)
        if missing.any() and self._null_at < 0:
            self._null_at = self._count
        codes[~missing] = plain
        codes[missing] = self._null_at
        return codes

    def bits(self) -> Int64s:
        return self._labels[: self._count]

    def labels(self) -> pa.Array:
        plain = _from_bits(self.bits().copy(), self._dtype)
        if self._null_at < 0:
            return plain
        at = self._null_at
        return pa.concat_arrays([plain.slice(0, at), pa.nulls(1, plain.type), plain.slice(at)])

    def __len__(self) -> int:
        return self._count + (self._null_at >= 0)


class _ObjectTable:
    """Codes of labels of any other type, through a dictionary of Python objects."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._dtype = dtype
        self._codes: dict[Any, int] = {}

    def codes_for(self, labels: pa.Array) -> Codes:
        known = self._codes
        return np.array([known.setdefault(label, len(known)) for label in labels.to_pylist()], np.int32)

    def labels(self) -> pa.Array:
        return pa.array(list(self._codes), self._dtype)

    def __len__(self) -> int:
        return len(self._codes)


class KeyTable:
    """A growing table of key combinations and their dense codes, in the order of first appearance.

    Parameters
    ----------
    types : sequence of pyarrow.DataType
        Label type of each key column, as `plain_type` gives it.
    """

    def __init__(self, types: Sequence[pa.DataType]) -> None:
        self._columns = [_NumberTable(dtype) if _has_bits(dtype) else _ObjectTable(dtype) for dtype in types]
        # Combination (a, b, c): the code of (a, b), from the first table, with c makes the key of the second.
        self._pairs = [_NumberTable(None) for _ in types[1:]]

    def codes_for(self, labels: Sequence[pa.Array]) -> Codes:
        """Codes of combinations of labels; new combinations get new ones.

        Parameters
        ----------
        labels : sequence of pyarrow.Array, each of length K

        Returns
        -------
        ndarray of int32, shape (K,)
        """
        codes = self._columns[0].codes_for(labels[0])
        for column, pairs, label in zip(self._columns[1:], self._pairs, labels[1:], strict=True):
            both = (codes.astype(np.int64) << 32) | column.codes_for(label)
            codes = pairs.codes_for_bits(both)
        return codes

    def labels(self) -> tuple[pa.Array, ...]:
        """Return the labels by code, an array per key column."""
        codes = np.arange(len(self), dtype=np.int64)
        columns: list[pa.Array] = []
        for column, pairs in zip(reversed(self._columns[1:]), reversed(self._pairs), strict=True):
            both = pairs.bits()[codes]
            columns.append(column.labels().take(pa.array(both & 0xFFFFFFFF)))
            codes = both >> 32
        columns.append(self._columns[0].labels().take(pa.array(codes)))
        return tuple(reversed(columns))

    def __len__(self) -> int:
        return len(self._pairs[-1] if self._pairs else self._columns[0])


def sort_order(labels: Sequence[pa.Array]) -> Int64s:
    """Order that sorts combinations of labels, column by column: numbers by value, strings by bytes, nulls last.

    Parameters
    ----------
    labels : sequence of pyarrow.Array, each of length C

    Returns
    -------
    ndarray of int64, shape (C,)
    """
    table = pa.table({str(i): column for i, column in enumerate(labels)})
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
    return np.asarray(order).astype(np.int64)
