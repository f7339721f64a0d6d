"""The labels of a tile, and their codes in the whole."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.keys.hash_tables import LabelTable, NumberTable
from fastml.keys.key_table import KeyTable
from fastml.keys.label_types import from_bits, plain_labels, take

__all__ = ["Fixed", "Labels", "LocalLabels", "Numbers", "Others", "Range"]

Int64s = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Labels = tuple[pa.Array, ...]

# Labels are forgotten once there are more than so many, and so many times those that the last tile had.
_LABELS_FREE = 1 << 15
_LABELS_PER_USED = 4


class LocalLabels(ABC):
    """The labels that the codes of a tile stand for, and the codes they have in the whole."""

    def __init__(self) -> None:
        self._known = np.empty(0, np.int32)
        self.overgrown = False  # most labels are of tiles long gone

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, places: Int64s | None = None) -> Labels:
        """Labels by code, or those of some codes: an array per key column."""

    def known(self) -> Codes:
        """Codes in the whole, -1 where it was not asked for them yet, shape (K,); and of what later tiles brought."""
        if len(self._known) < len(self):
            known = np.full(max(len(self), 2 * len(self._known)), -1, np.int32)
            known[: len(self._known)] = self._known
            self._known = known
        return self._known[: len(self)]

    def learn(self, whole: KeyTable, used: Int64s) -> None:
        """Ask for the codes of the labels that a tile uses; new labels get new ones.

        Parameters
        ----------
        whole : KeyTable
            The same each time.
        used : ndarray of int, shape (U,)
            Their codes here, in any order, each once.
        """
        known = self.known()
        new = used[known[used] < 0]
        if len(new):
            # Another thread may add labels meanwhile: those that are known here stay the first.
            labels = self.take(new) if len(new) < len(known) else tuple(c[: len(known)] for c in self.take())
            known[new] = whole.codes_for(labels)
        self.overgrown = len(self) > max(_LABELS_FREE, _LABELS_PER_USED * len(used))


class Fixed(LocalLabels):
    """The labels of one tile."""

    def __init__(self, labels: Labels) -> None:
        super().__init__()
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels[0])

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalLabels`."""
        return self._labels if places is None else tuple(take(column, places) for column in self._labels)

    def learn(self, whole: KeyTable, used: Int64s) -> None:
        """As in `LocalLabels`; all at once where all are used."""
        if len(used) < len(self):
            super().learn(whole, used)
        else:
            self._known = whole.codes_for(self._labels)


class Range(LocalLabels):
    """Whole numbers from `low` on, each its own code."""

    def __init__(self, low: int, size: int, dtype: pa.DataType) -> None:
        super().__init__()
        self.low, self._size, self._dtype = low, size, dtype

    def __len__(self) -> int:
        return self._size

    @property
    def high(self) -> int:
        """The last of them."""
        return self.low + self._size - 1

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalLabels`."""
        found = (np.arange(self._size) if places is None else places) + np.int64(self.low)
        if pa.types.is_floating(self._dtype):
            found = found.astype(np.float64).view(np.int64)
        return (from_bits(found, self._dtype),)


class Numbers(LocalLabels):
    """64-bit labels by a hash table."""

    def __init__(self, dtype: pa.DataType) -> None:
        super().__init__()
        self.table, self.dtype = NumberTable(hashed=True), dtype

    def __len__(self) -> int:
        return len(self.table)

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalLabels`."""
        bits = self.table.bits()
        return (from_bits(bits.copy() if places is None else bits[places], self.dtype),)


class Others(LocalLabels):
    """Labels of any type, null among them, and the dictionary that was seen last."""

    def __init__(self, dtype: pa.DataType) -> None:
        super().__init__()
        self.table = LabelTable(dtype)
        self._dictionary: pa.Array | None = None
        self._codes = np.empty(0, np.int32)

    def __len__(self) -> int:
        return len(self.table)

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalLabels`."""
        labels = self.table.labels()
        return (labels if places is None else take(labels, places),)

    def dictionary_codes(self, dictionary: pa.Array) -> Codes:
        """Codes of a dictionary's labels (K,); it may hold a label twice, hold null, or hold labels without rows."""
        if self._dictionary is None or not _same_memory(dictionary, self._dictionary):
            self._codes = self.table.codes_for(plain_labels(dictionary))
            self._dictionary = dictionary  # held, so that no other comes to lie there
        return self._codes


def _same_memory(a: pa.Array, b: pa.Array) -> bool:
    """Whether two arrays of one type are the same part of the same buffers."""
    if (a.offset, len(a)) != (b.offset, len(b)):
        return False
    places = [[None if buffer is None else buffer.address for buffer in array.buffers()] for array in (a, b)]
    return places[0] == places[1]
