"""Group labels -> dense int32 codes. Owns nulls, NaN, dtypes, dictionaries and combinations of columns.

A tile of rows is encoded on its own (`encode_rows`: codes, and the distinct labels they stand for); a `KeyTable`
then gives those few labels their codes in the whole. A null label is a label like any other here: its rows are
counted as dropped when all is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.arrays import as_numpy
from fastml.errors import ColumnTypeError
from fastml.labels import (
    LabelTable,
    NumberTable,
    StringTable,
    bits_of,
    from_bits,
    has_bits,
    plain_type,
    take,
)
from fastml.workspace import Workspace

__all__ = ["KeyTable", "TileKeys", "check_key_type", "encode_rows", "encode_tile", "plain_type", "sort_order"]

Codes = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

# Rows are taken for clustered where the runs of equal keys are at most a so many-th of them.
_ROWS_PER_RUN = 8

# Integers are their own codes where they have a so many-th as many values as there are rows, or so many anyway.
_ROWS_PER_VALUE = 8
_VALUES_FREE = 1024

# Rows that tell, before all are read, whether integers can't be their own codes.
_SAMPLE = 64


@dataclass(frozen=True)
class TileKeys:
    """The keys of a tile of rows.

    Attributes
    ----------
    codes : ndarray of int32, shape (n,) or (R,)
        Which of the labels a row has, or a run of rows.
    labels : tuple of pyarrow.Array, each of length K
        One array per key column; position k is the combination that code k stands for. A label may be null, and a
        label may have no row.
    starts : ndarray of int32, shape (R + 1,), or None
        First row of each run of rows with one code, and n; None where rows are not clustered.
    """

    codes: Codes
    labels: tuple[pa.Array, ...]
    starts: Codes | None = None

    def by_row(self) -> Codes:
        """Return the code of each row, shape (n,)."""
        return self.codes if self.starts is None else np.repeat(self.codes, np.diff(self.starts))

    def code_at(self, row: int) -> int:
        """Return the code of one row."""
        if self.starts is not None:
            row = int(np.searchsorted(self.starts, row, side="right")) - 1
        return int(self.codes[row])


def check_key_type(role: str, field: pa.Field) -> None:
    """Refuse key columns of types that are no labels: nested ones.

    Raises
    ------
    ColumnTypeError
    """
    dtype = plain_type(field.type)
    if pa.types.is_nested(dtype) or pa.types.is_interval(dtype):
        raise ColumnTypeError(role, field.name, field.type, "use a column of numbers, strings or dates")


def encode_tile(columns: Sequence[pa.Array]) -> TileKeys:
    """Encode rows one by one, with the labels that they have and no others.

    Parameters
    ----------
    columns : sequence of pyarrow.Array, each of length n
        The key columns.

    Returns
    -------
    TileKeys
    """
    table = KeyTable([plain_type(column.type) for column in columns])
    codes = table.codes_for([_plain(column) for column in columns])
    return TileKeys(codes, table.labels())


def encode_rows(columns: Sequence[pa.Array], space: Workspace | None = None) -> TileKeys:
    """Encode a tile of rows, in runs where they are clustered.

    Parameters
    ----------
    columns : sequence of pyarrow.Array, each of length n
        The key columns.
    space : Workspace, optional
        Holds the codes, until this thread encodes again.

    Returns
    -------
    TileKeys
    """
    space = space or Workspace()
    if len(columns) > 1:
        return _encode_combination(columns, space)
    column = columns[0] if pa.types.is_dictionary(columns[0].type) else _plain(columns[0])
    if has_bits(column.type) and not column.null_count:
        bits = bits_of(column)
        starts = _find_runs(bits, space)
        most = _most_values(len(bits), starts)
        codes, labels = _encode_bits(bits if starts is None else bits[starts[:-1]], column.type, space, most)
    else:
        codes, labels = _encode_column(column, space)
        starts = _find_runs(codes, space)
        codes = codes if starts is None else codes[starts[:-1]]
    return TileKeys(codes, (labels,), starts)


def _encode_combination(columns: Sequence[pa.Array], space: Workspace) -> TileKeys:
    """Encode several columns: the codes of two make the key of their combination."""
    codes, labels = _encode_column(columns[0], space)
    combined: tuple[pa.Array, ...] = (labels,)
    starts = None
    for column in columns[1:]:
        # The pairs are made before the next column's codes take the place of these.
        pairs = space.array("pairs", len(codes), np.int64)
        pairs[:] = codes
        other_codes, other_labels = _encode_column(column, space)
        width = max(len(other_labels), 1)
        pairs *= width
        pairs += other_codes
        if column is columns[-1]:
            starts = _find_runs(pairs, space)
            pairs = pairs if starts is None else pairs[starts[:-1]]
        codes, found = _encode_bits(pairs, pa.int64(), space, _most_values(len(column), starts))
        first, second = np.divmod(as_numpy(found), width)
        combined = (*(take(label, first) for label in combined), take(other_labels, second))
    return TileKeys(codes, combined, starts)


def _encode_column(column: pa.Array, space: Workspace) -> tuple[Codes, pa.Array]:
    """Codes (n,) and labels (K) of one column."""
    if pa.types.is_dictionary(column.type):
        return _encode_dictionary(column)
    column = _plain(column)
    if has_bits(column.type) and not column.null_count:
        return _encode_bits(bits_of(column), column.type, space, _most_values(len(column)))
    if not has_bits(column.type) and not column.null_count and not pa.types.is_null(column.type):
        strings = space.thing(column.type, lambda: StringTable(column.type))
        strings.clear()
        return strings.codes_for(column, space.array("codes", len(column), np.int32)), strings.labels()
    table = LabelTable(column.type)
    return table.codes_for(column), table.labels()


def _most_values(n_rows: int, starts: Codes | None = None) -> int:
    """Values that a range of integers may have to be their own codes: each makes a record, seen or not."""
    return max(n_rows // _ROWS_PER_VALUE if starts is None else 2 * len(starts), _VALUES_FREE)


def _encode_bits(bits: Int64s, dtype: pa.DataType, space: Workspace, most: int) -> tuple[Codes, pa.Array]:
    """Codes (n,) and labels (K) of 64-bit labels: whole numbers of a range up to `most` are their own codes."""
    from fastml.kernels import hashing

    keys = _whole(bits) if pa.types.is_floating(dtype) else bits
    codes = space.array("codes", len(bits), np.int32)
    if keys is not None and len(keys) and _spread(keys[:_SAMPLE]) <= most:
        low, high = hashing.narrow(keys, codes)
        n_values = int(high) - int(low) + 1
        if n_values <= most:
            codes -= np.int64(low).astype(np.int32)
            found = np.arange(n_values) + low
            return codes, from_bits(found if keys is bits else found.astype(np.float64).view(np.int64), dtype)
    if pa.types.is_floating(dtype):
        table = LabelTable(dtype)
        return table.codes_for(from_bits(bits, dtype)), table.labels()
    numbers = space.thing("numbers", lambda: NumberTable(hashed=True))
    numbers.clear()
    return numbers.codes_for(bits, codes), from_bits(numbers.bits().copy(), dtype)


def _spread(keys: Int64s) -> int:
    return int(keys.max()) - int(keys.min()) + 1


def _whole(bits: Int64s) -> Int64s | None:
    """Doubles as integers, where all of them are and small enough to be exact."""
    numbers = bits.view(np.float64)
    if len(numbers) == 0 or not np.abs(numbers).max() < 2.0**53:
        return None
    integers = numbers.astype(np.int64)
    return integers if np.array_equal(integers, numbers) else None


def _encode_dictionary(column: pa.DictionaryArray) -> tuple[Codes, pa.Array]:
    """Codes by way of the dictionary, which may hold a label twice, hold null, or hold labels without rows."""
    table = LabelTable(plain_type(column.type))
    value_codes = table.codes_for(_plain(column.dictionary))
    indices = column.indices
    if indices.null_count:
        # A null that comes last has the last code, so those of the values still hold.
        value_codes = np.append(value_codes, table.codes_for(pa.nulls(1, plain_type(column.type))))
        indices = indices.cast(pa.int64()).fill_null(len(value_codes) - 1)
    places = as_numpy(indices)
    if len(table) < len(value_codes):
        return value_codes[places], table.labels()
    return places.view(np.int32) if places.itemsize == 4 else places.astype(np.int32), table.labels()


def _plain(column: pa.Array) -> pa.Array:
    """Decode dictionaries, views and run ends."""
    if pa.types.is_run_end_encoded(column.type):
        import pyarrow.compute as pc

        column = pc.run_end_decode(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    dtype = plain_type(column.type)
    return column if column.type == dtype else column.cast(dtype)


def _find_runs(keys: Codes | Int64s, space: Workspace) -> Codes | None:
    """First row of each run of equal keys, and n; None where the runs are short."""
    from fastml.kernels import runs

    starts = space.array("starts", len(keys) // _ROWS_PER_RUN + 1, np.int32)
    find = runs.find_runs_int64 if keys.dtype == np.int64 else runs.find_runs_int32
    count = find(keys, starts)
    return starts[: count + 1] if count > 0 else None


class KeyTable:
    """A growing table of key combinations and their dense codes, in the order of first appearance.

    Parameters
    ----------
    types : sequence of pyarrow.DataType
        Label type of each key column, as `plain_type` gives it.
    """

    def __init__(self, types: Sequence[pa.DataType]) -> None:
        self._columns = [LabelTable(dtype) for dtype in types]
        # Combination (a, b, c): the code of (a, b), from the first table, with c makes the key of the second.
        self._pairs = [NumberTable() for _ in types[1:]]

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
            codes = pairs.codes_for(both)
        return codes

    def labels(self) -> tuple[pa.Array, ...]:
        """Return the labels by code, an array per key column."""
        codes = np.arange(len(self), dtype=np.int64)
        columns: list[pa.Array] = []
        for column, pairs in zip(reversed(self._columns[1:]), reversed(self._pairs), strict=True):
            both = pairs.bits()[codes]
            columns.append(take(column.labels(), both & 0xFFFFFFFF))
            codes = both >> 32
        first = self._columns[0].labels()
        columns.append(take(first, codes) if self._pairs else first)
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
    if len(labels) == 1:
        numbers = labels[0]
        if pa.types.is_signed_integer(numbers.type) and not numbers.null_count:
            # Files are often sorted; and NumPy sorts integers several times as fast.
            values = as_numpy(numbers)
            return np.arange(len(values)) if (values[1:] >= values[:-1]).all() else np.argsort(values)
    # Late: importing it takes 20 ms.
    import pyarrow.compute as pc

    if len(labels) == 1:
        order = pc.array_sort_indices(labels[0])
    else:
        table = pa.table({str(i): column for i, column in enumerate(labels)})
        order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
    return as_numpy(order).view(np.int64)
