"""Tiles of rows -> dense int32 codes of their group labels, by an `Encoder` for each thread.

Labels keep their local codes from tile to tile where they can, beside their global codes (a `KeyTable`'s), so that only
new labels are looked up there. A null label is a label like any other here: its rows are counted as dropped when all
is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.io.arrays import as_numpy, lead_out
from fastml.io.pieces import Pieces
from fastml.io.plain_arrays import plain_array, plain_type
from fastml.kernels.workspace import Workspace
from fastml.keys.dictionaries import LabelDictionary, NumberDictionary, RangeDictionary, TileDictionary
from fastml.keys.hash_tables import LabelTable, NumberTable
from fastml.keys.key_table import KeyTable
from fastml.keys.label_types import bits_of, from_bits, has_bits, take
from fastml.keys.row_codes import KeysMovedError, Labels, RowCodes

__all__ = ["Encoder", "are_clustered", "encode_rows", "encode_tile"]

Codes = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

# Integers are their own codes where each value of their range has eight rows on average, or where the range is short.
_ROWS_PER_VALUE = 8
_VALUES_FREE = 1024

# Sizes of the samples that tell whether integers can't be their own codes, and what their range is. Widened by a 64th
# part on both sides, the range of the sample nearly always holds the other rows too where rows are shuffled.
_SAMPLE = 64
_RANGE_SAMPLE = 1 << 16
_MARGIN = 64

# Size of the sample that tells whether rows are clustered, and how long its runs must be on average.
_FIRST_ROWS = 4096
_FIRST_ROWS_PER_RUN = 16


def encode_tile(columns: Sequence[pa.Array]) -> RowCodes:
    """Encode rows one by one, with the labels that they have and no others.

    Parameters
    ----------
    columns : sequence of pyarrow.Array, each of length n
        The key columns.

    Returns
    -------
    RowCodes
    """
    table = KeyTable([plain_type(column.type) for column in columns])
    codes = table.codes_for([plain_array(column) for column in columns])
    return RowCodes(TileDictionary(table.labels()), codes)


def encode_rows(columns: Sequence[pa.Array]) -> RowCodes:
    """Encode a tile of rows, in runs where they are clustered, by an `Encoder` of its own.

    Parameters
    ----------
    columns : sequence of pyarrow.Array, each of length n
        The key columns.

    Returns
    -------
    RowCodes
    """
    return Encoder(Workspace()).encode(columns)


def are_clustered(columns: Sequence[pa.Array]) -> bool:
    """Whether rows seem to lie in runs, as far as the first ones of a single column of 64 bits tell.

    Parameters
    ----------
    columns : sequence of pyarrow.Array, each of length n

    Returns
    -------
    bool
    """
    first = columns[0].slice(0, _FIRST_ROWS)
    if len(columns) > 1 or not _are_bits(first.type) or first.null_count:
        return False
    bits = bits_of(first)
    return bool(np.count_nonzero(bits[1:] != bits[:-1]) * _FIRST_ROWS_PER_RUN <= len(bits))


@dataclass(frozen=True, eq=False)
class _ColumnCodes:
    """The codes of one column of several.

    Attributes
    ----------
    numbers : ndarray of int32 or int64, shape (n,)
        Code of each row, plus `low`.
    low : int
    labels : pyarrow.Array, length K
    """

    numbers: Codes | Int64s
    low: int
    labels: pa.Array


class Encoder:
    """Encodes tile after tile of the same key columns, for one thread.

    Parameters
    ----------
    space : Workspace
        Holds the codes, until this thread encodes again.
    """

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._range: RangeDictionary | None = None
        self._hashes = False  # since the range of the integers was too wide
        self._numbers: NumberDictionary | None = None
        self._others: LabelDictionary | None = None
        self._type: pa.DataType | None = None  # of the tile before
        self._is_plain = False  # whether labels of that type are 64 bits as they are

    def encode(self, columns: Sequence[pa.Array], *, exact: bool = False) -> RowCodes:
        """Encode a tile of rows, in runs where they are clustered.

        Parameters
        ----------
        columns : sequence of pyarrow.Array, each of length n
            The key columns.
        exact : bool
            Find the range of the keys, where that of the tiles before proved too narrow.

        Returns
        -------
        RowCodes

        Raises
        ------
        KeysMovedError
            Indices lead out of their Arrow dictionary. Where they are codes of rows as they lie, whoever adds the rows
            has to see it.
        """
        if len(columns) > 1:
            return self._combination(columns)
        column = columns[0]
        if column.type != self._type:
            self._type = column.type
            self._is_plain = _are_bits(column.type)
        if not (self._is_plain or pa.types.is_dictionary(column.type)):
            column = plain_array(column)
        if (self._is_plain or has_bits(column.type)) and not column.null_count:
            found = self._bits(bits_of(column), column.type, exact)
            if found is not None:
                return found
        if self._others is None or self._others.overgrown:
            self._others = LabelDictionary(plain_type(column.type))
        codes = self._any(column, self._others)
        runs = self._runs(Pieces((codes,)))
        starts, codes = runs or (None, codes)
        if starts is not None and lead_out(codes, len(self._others)):
            raise KeysMovedError
        return RowCodes(self._others, codes, starts)

    def encode_runs(self, columns: Sequence[pa.Array], tile_rows: int) -> RowCodes | None:
        """Encode several tiles of rows in runs, each of which ends with its tile.

        Parameters
        ----------
        columns : sequence of pyarrow.Array, each of length n
        tile_rows : int

        Returns
        -------
        RowCodes or None
            None where it isn't one column of 64 bits without nulls, clustered in every tile.
        """
        column = columns[0]
        if len(columns) > 1 or not _are_bits(column.type) or column.null_count:
            return None
        return self._in_runs(Pieces((bits_of(column),)), column.type, tile_rows)

    def encode_pieces(self, pieces: Sequence[pa.Array]) -> RowCodes | None:
        """Encode a tile of rows that lie in several pieces, without joining them.

        Parameters
        ----------
        pieces : sequence of pyarrow.Array
            Of the key column.

        Returns
        -------
        RowCodes or None
            None where keys aren't of 64 bits, some are null, or rows are not clustered and not their own codes.
        """
        dtype = pieces[0].type
        if not _are_bits(dtype) or any(p.null_count for p in pieces):
            return None
        numbers = Pieces(tuple(map(bits_of, pieces)))
        found = self._in_runs(numbers, dtype)
        if found is not None or self._hashes or pa.types.is_floating(dtype):
            return found
        return self._own_codes(numbers, dtype, exact=False)

    def _bits(self, bits: Int64s, dtype: pa.DataType, exact: bool) -> RowCodes | None:
        """Encode 64-bit labels: in runs, as their own codes, or by the hash table; not floats with fractions."""
        found = self._in_runs(Pieces((bits,)), dtype)
        if found is not None:
            return found
        numbers = None if self._hashes else _whole(bits) if pa.types.is_floating(dtype) else bits
        if numbers is not None and len(numbers):
            found = self._own_codes(Pieces((numbers,)), dtype, exact)
            if found is not None:
                return found
        if pa.types.is_floating(dtype):
            return None
        return self._hashed(bits, dtype)

    def _hashed(self, bits: Int64s, dtype: pa.DataType) -> RowCodes:
        """Encode integers of any range by a hash table."""
        if self._numbers is None or self._numbers.overgrown:
            self._numbers = NumberDictionary(dtype)
        return RowCodes(self._numbers, self._numbers.table.codes_for(bits, self._codes(len(bits))))

    def _own_codes(self, numbers: Pieces, dtype: pa.DataType, exact: bool) -> RowCodes | None:
        """Codes of integers that are their own codes; None where their range is too wide."""
        held, most = self._range, _most_values(len(numbers))
        if held is not None and not exact:
            return RowCodes(held, None, None, numbers, held.low) if len(held) <= max(len(numbers), most) else None
        if _spread(numbers.first(_SAMPLE)) > most:
            return None
        low, high = _range(numbers.joined) if exact else _likely_range(numbers, most)
        if held is not None and max(high, held.high) - min(low, held.low) < most:
            low, high = min(low, held.low), max(high, held.high)
        if high - low >= most:
            self._hashes = True
            return None
        if held is None or (low, high) != (held.low, held.high):
            held = self._range = RangeDictionary(low, high - low + 1, dtype)
        return RowCodes(held, None, None, numbers, low)

    def _any(self, column: pa.Array, table: LabelDictionary) -> Codes:
        """Codes (n,) of labels of any type."""
        if not pa.types.is_dictionary(column.type):
            return table.table.codes_for(column, None if column.null_count else self._codes(len(column)))
        codes, indices = table.dictionary_codes(column.dictionary), column.indices
        if indices.type.bit_width <= 32 and not indices.null_count and len(codes) == len(table) and _count_up(codes):
            return as_numpy(indices).astype(np.int32, copy=False)  # not yet checked
        if lead_out(as_numpy(indices), len(codes)) and lead_out(as_numpy(indices.drop_null()), len(codes)):
            raise KeysMovedError  # under a null there may be anything
        if indices.null_count:
            codes = np.append(codes, table.table.codes_for(pa.nulls(1, plain_type(column.type))))
            indices = indices.cast(pa.int64()).fill_null(len(codes) - 1)
        places = as_numpy(indices)
        return places.astype(np.int32) if _count_up(codes) else codes[places]

    def _combination(self, columns: Sequence[pa.Array]) -> RowCodes:
        """Encode several columns: the codes of two make the key of their combination."""
        keys = self._column(columns[0])
        combined: Labels = (keys.labels,)
        starts = None
        for column in columns[1:]:
            # The pairs are made before the next column's codes take the place of these.
            pairs = self._space.array("pairs", len(keys.numbers), np.int64)
            np.subtract(keys.numbers, keys.low, out=pairs)
            other = self._column(column)
            width = max(len(other.labels), 1)
            pairs *= width
            pairs += other.numbers
            pairs -= other.low
            if column is columns[-1]:
                runs = self._runs(Pieces((pairs,)))
                starts, pairs = runs or (None, pairs)
            keys = self._fresh(pairs, pa.int64(), _most_values(len(column), starts))
            first, second = np.divmod(as_numpy(keys.labels), width)
            combined = (*(take(label, first) for label in combined), take(other.labels, second))
        codes = keys.numbers
        if codes.dtype == np.int64:
            if starts is None:
                return RowCodes(TileDictionary(combined), None, None, Pieces((codes.view(np.int64),)), keys.low)
            codes = (codes - keys.low).astype(np.int32)
        return RowCodes(TileDictionary(combined), codes.view(np.int32), starts)

    def _column(self, column: pa.Array) -> _ColumnCodes:
        """Codes of one column, which aren't kept."""
        if not pa.types.is_dictionary(column.type):
            column = plain_array(column)
            if has_bits(column.type) and not column.null_count:
                return self._fresh(bits_of(column), column.type, _most_values(len(column)))
        table = LabelDictionary(plain_type(column.type))
        return _ColumnCodes(self._any(column, table), 0, table.take()[0])

    def _fresh(self, bits: Int64s, dtype: pa.DataType, most: int) -> _ColumnCodes:
        """Codes of 64-bit labels: integers of a range up to `most` are their own."""
        keys = _whole(bits) if pa.types.is_floating(dtype) else bits
        if keys is not None and len(keys) and _spread(keys[:_SAMPLE]) <= most:
            low, high = _range(keys)
            if high - low < most:
                return _ColumnCodes(keys, low, RangeDictionary(low, high - low + 1, dtype).take()[0])
        if pa.types.is_floating(dtype):
            table = LabelTable(dtype)
            return _ColumnCodes(table.codes_for(from_bits(bits, dtype)), 0, table.labels())
        numbers = self._space.thing("numbers", lambda: NumberTable(hashed=True))
        numbers.clear()
        codes = numbers.codes_for(bits, self._codes(len(bits)))
        return _ColumnCodes(codes, 0, from_bits(numbers.bits().copy(), dtype))

    def _codes(self, length: int) -> Codes:
        return self._space.array("codes", length, np.int32)

    def _in_runs(self, bits: Pieces, dtype: pa.DataType, tile_rows: int | None = None) -> RowCodes | None:
        """Encode 64-bit labels in runs, each of which is a label of its own; None where runs are short."""
        found = self._runs(bits, tile_rows)
        if found is None:
            return None
        starts, firsts = found
        return RowCodes(TileDictionary((from_bits(firsts.copy(), dtype),)), None, starts)

    def _runs(self, keys: Pieces, tile_rows: int | None = None) -> tuple[Codes, npt.NDArray[Any]] | None:
        """First row of each run of equal keys, and n, and the runs' keys; None where the runs of a tile are short."""
        from fastml.kernels.keys import find_runs

        n, wide = len(keys), keys.dtype.itemsize == 8
        starts = self._space.array("starts", n // find_runs.ROWS_PER_RUN + 1, np.int32)
        firsts = self._space.array("firsts" if wide else "first codes", len(starts) - 1, keys.dtype)
        find = find_runs.find_runs if wide else find_runs.find_runs_of_codes
        tile_rows, n_runs = tile_rows or max(n, 1), 0
        for tile in range(0, n, tile_rows):
            stop = min(tile + tile_rows, n)
            own = slice(n_runs, n_runs + (stop - tile) // find_runs.ROWS_PER_RUN)
            row = count = 0
            for part in keys.between(tile, stop):
                count = find(part, row, count, starts[own], firsts[own])
                if count < 0:
                    return None
                row += len(part)
            if tile:
                starts[n_runs : n_runs + count] += tile
            n_runs += count
        starts[n_runs] = n
        return (starts[: n_runs + 1], firsts[:n_runs]) if n_runs else None


def _most_values(n_rows: int, starts: Codes | None = None) -> int:
    """Values that a range of integers may have to be their own codes: each makes a record, seen or not."""
    return max(n_rows // _ROWS_PER_VALUE if starts is None else 2 * len(starts), _VALUES_FREE)


def _count_up(codes: Codes) -> bool:
    """Whether codes are 0, 1, 2, ..., so that the places of labels in a dictionary are their codes."""
    return np.array_equal(codes, np.arange(len(codes)))


def _are_bits(dtype: pa.DataType) -> bool:
    """Whether labels of a type are 64 bits as they are, or can be made such."""
    return has_bits(dtype) and plain_type(dtype) == dtype


def _range(numbers: Int64s) -> tuple[int, int]:
    return int(numbers.min()), int(numbers.max())


def _likely_range(numbers: Pieces, most: int) -> tuple[int, int]:
    """Range that holds all numbers if it is of up to `most` of them, as far as the first rows tell."""
    some = numbers.first(_RANGE_SAMPLE)
    low, high = _range(some)
    if len(some) == len(numbers):
        return low, high
    margin = max(0, min((high - low) // _MARGIN + 1, (most - 1 - (high - low)) // 2))
    return max(low - margin, -(2**63)), min(high + margin, 2**63 - 1)


def _spread(keys: Int64s) -> int:
    low, high = _range(keys)
    return high - low + 1


def _whole(bits: Int64s) -> Int64s | None:
    """Doubles as integers, where all of them are and small enough to be exact."""
    numbers = bits.view(np.float64)
    if len(numbers) == 0 or not np.abs(numbers).max() < 2.0**53:
        return None
    integers = numbers.astype(np.int64)
    return integers if np.array_equal(integers, numbers) else None
