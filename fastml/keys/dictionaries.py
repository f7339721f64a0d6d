"""Local dictionaries: the labels that the codes of a tile stand for, and the global codes of those labels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.io.plain_arrays import plain_array
from fastml.keys.hash_tables import LabelTable, NumberTable
from fastml.keys.key_table import KeyTable
from fastml.keys.label_types import from_bits, take

__all__ = ["LabelDictionary", "Labels", "LocalDictionary", "NumberDictionary", "RangeDictionary", "TileDictionary"]

Int64s = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Labels = tuple[pa.Array, ...]

# A dictionary is begun anew where it has more labels than the first, and more than four times those of a tile.
_LABELS_FREE = 1 << 15
_LABELS_PER_USED = 4


class LocalDictionary(ABC):
    """The labels that the local codes of a tile stand for, and their global codes: those a `KeyTable` has for them."""

    def __init__(self) -> None:
        self._global_codes = np.empty(0, np.int32)
        self.overgrown = False  # most labels are of tiles long past

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, places: Int64s | None = None) -> Labels:
        """Labels by local code, or those of some codes: an array per key column."""

    def global_codes(self) -> Codes:
        """Return global codes by local code, shape (K,), later tiles' among them; -1 where one wasn't looked up yet."""
        if len(self._global_codes) < len(self):
            codes = np.full(max(len(self), 2 * len(self._global_codes)), -1, np.int32)
            codes[: len(self._global_codes)] = self._global_codes
            self._global_codes = codes
        return self._global_codes[: len(self)]

    def look_up(self, table: KeyTable, used: Int64s) -> None:
        """Look up the global codes of the labels that a tile uses; new labels get new ones.

        Parameters
        ----------
        table : KeyTable
            The same each time.
        used : ndarray of int, shape (U,)
            Local codes, in any order, each once.
        """
        codes = self.global_codes()
        new = used[codes[used] < 0]
        if len(new):
            # Another thread may add labels meanwhile, behind those that were counted here.
            labels = self.take(new) if len(new) < len(codes) else tuple(c[: len(codes)] for c in self.take())
            codes[new] = table.codes_for(labels)
        self.overgrown = len(self) > max(_LABELS_FREE, _LABELS_PER_USED * len(used))


class TileDictionary(LocalDictionary):
    """The labels of one tile."""

    def __init__(self, labels: Labels) -> None:
        super().__init__()
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels[0])

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalDictionary`."""
        return self._labels if places is None else tuple(take(column, places) for column in self._labels)

    def look_up(self, table: KeyTable, used: Int64s) -> None:
        """As in `LocalDictionary`; all at once where all are used."""
        if len(used) < len(self):
            super().look_up(table, used)
        else:
            self._global_codes = table.codes_for(self._labels)


class RangeDictionary(LocalDictionary):
    """Consecutive integers from `low` on: the code of a label is what it exceeds `low` by."""

    def __init__(self, low: int, size: int, dtype: pa.DataType) -> None:
        super().__init__()
        self.low, self._size, self._dtype = low, size, dtype

    def __len__(self) -> int:
        return self._size

    @property
    def high(self) -> int:
        """The largest label."""
        return self.low + self._size - 1

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalDictionary`."""
        found = (np.arange(self._size) if places is None else places) + np.int64(self.low)
        if pa.types.is_floating(self._dtype):
            found = found.astype(np.float64).view(np.int64)
        return (from_bits(found, self._dtype),)


class NumberDictionary(LocalDictionary):
    """Labels of 64 bits, by a hash table; kept from tile to tile."""

    def __init__(self, dtype: pa.DataType) -> None:
        super().__init__()
        self.table, self.dtype = NumberTable(hashed=True), dtype

    def __len__(self) -> int:
        return len(self.table)

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalDictionary`."""
        bits = self.table.bits()
        return (from_bits(bits.copy() if places is None else bits[places], self.dtype),)


class LabelDictionary(LocalDictionary):
    """Labels of any type, null among them, kept from tile to tile; and the Arrow dictionary that was read last."""

    def __init__(self, dtype: pa.DataType) -> None:
        super().__init__()
        self.table = LabelTable(dtype)
        self._dictionary: pa.Array | None = None
        self._codes = np.empty(0, np.int32)

    def __len__(self) -> int:
        return len(self.table)

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalDictionary`."""
        labels = self.table.labels()
        return (labels if places is None else take(labels, places),)

    def dictionary_codes(self, dictionary: pa.Array) -> Codes:
        """Codes of a dictionary's labels (K,); it may hold a label twice, hold null, or hold labels without rows."""
        if self._dictionary is None or not _same_memory(dictionary, self._dictionary):
            self._codes = self.table.codes_for(plain_array(dictionary))
            self._dictionary = dictionary  # kept alive: the memory of another one may not be taken for it
        return self._codes


def _same_memory(a: pa.Array, b: pa.Array) -> bool:
    """Whether two arrays of one type are the same part of the same buffers."""
    if (a.offset, len(a)) != (b.offset, len(b)):
        return False
    places = [[None if buffer is None else buffer.address for buffer in array.buffers()] for array in (a, b)]
    return places[0] == places[1]
