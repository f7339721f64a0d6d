"""The labels that the codes of a tile stand for, what codes they have in the whole, and the keys of a tile of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.keys import KeyTable
from fastml.labels import LabelTable, NumberTable, from_bits, plain_type, take

__all__ = ["Fixed", "Labels", "LocalLabels", "Numbers", "Others", "Range", "TileKeys", "plain_labels"]

Codes = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Labels = tuple[pa.Array, ...]

# Labels are forgotten once there are more than so many, and so many times those that the last tile had.
_LABELS_FREE = 1 << 15
_LABELS_PER_USED = 4

# Rows that tell how large the largest group is; of so many first ones, few belong to one group unless it is large.
_SAMPLE, _FIRST_ROWS, _FEW = 128, 64, 4


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


@dataclass(frozen=True, eq=False)
class TileKeys:
    """The keys of a tile of rows.

    Attributes
    ----------
    table : LocalLabels
        Its label at k is the combination that code k stands for; it may have no row.
    codes : ndarray of int32, shape (n,) or (R,), or None
        Which of the labels a row has, or a run of rows. None: row i has `numbers`[i] - `low`, or run r has r.
    starts : ndarray of int32, shape (R + 1,), or None
        First row of each run of rows with one label, and n; None where rows are not clustered.
    numbers : ndarray of int64, shape (n,), or None
        Code of each row, plus `low`. It is assumed, not known, that none is outside of the table.
    """

    table: LocalLabels
    codes: Codes | None
    starts: Codes | None = None
    numbers: Int64s | None = None
    low: int = 0

    @property
    def labels(self) -> Labels:
        """The labels by code, an array per key column."""
        return self.table.take()

    def by_row(self) -> Codes:
        """Return the code of each row, shape (n,)."""
        if self.numbers is not None:
            return (self.numbers - np.int64(self.low)).astype(np.int32)
        codes = np.arange(len(self.table), dtype=np.int32) if self.codes is None else self.codes
        return codes if self.starts is None else np.repeat(codes, np.diff(self.starts))

    @property
    def rows(self) -> Codes | Int64s:
        """What each row's label has for a key, code or number, shape (n,); not of runs."""
        rows = self.codes if self.numbers is None else self.numbers
        assert rows is not None
        return rows

    def largest_share(self) -> float:
        """Return which share of the rows the largest group has, as far as some of them tell; not of runs.

        It is 0 where the first rows are of many groups, else what some from everywhere make of it. It doesn't depend on
        the codes of labels, which depend on the tiles before.
        """
        rows = self.rows
        first = np.sort(rows[:_FIRST_ROWS])
        if not (first[_FEW:] == first[:-_FEW]).any():
            return 0.0
        some = rows[:: max(len(rows) // _SAMPLE, 1)]
        return float(np.unique(some, return_counts=True)[1].max() / len(some))

    @property
    def n_records(self) -> int:
        """Number of records: R where rows are in runs, else K."""
        return len(self.table) if self.starts is None else len(self.starts) - 1

    def record_of_row(self) -> Codes:
        """Return the record that each row belongs to, shape (n,)."""
        if self.starts is None:
            return self.by_row()
        return np.repeat(np.arange(self.n_records, dtype=np.int32), np.diff(self.starts))

    def record_at(self, row: int) -> int:
        """Return the record that one row belongs to."""
        if self.numbers is not None:
            return int(self.numbers[row]) - self.low
        if self.starts is not None:
            return int(np.searchsorted(self.starts, row, side="right")) - 1
        return row if self.codes is None else int(self.codes[row])

    def label_at(self, record: int) -> str:
        """Return the label of a record, in words."""
        code = record if self.starts is None or self.codes is None else int(self.codes[record])
        return ", ".join(str(labels[0].as_py()) for labels in self.table.take(np.array([code])))

    def nameless(self) -> npt.NDArray[np.bool_]:
        """Return which labels lack a part, shape (K,): their rows are dropped, and may be of several groups."""
        missing = np.zeros(len(self.table), bool)
        for labels in self.table.take():
            missing |= np.asarray(labels.is_null(nan_is_null=True))
        return missing

    @property
    def is_fresh(self) -> bool:
        """Whether no code in the whole was asked for yet."""
        return isinstance(self.table, Fixed)

    def kept(self) -> TileKeys:
        """Return the same without codes of rows; those of runs stay when their thread encodes another tile."""
        if self.starts is None:
            return replace(self, codes=None, numbers=None)
        return replace(self, codes=None if self.codes is None else self.codes.copy(), starts=self.starts.copy())

    @property
    def are_runs(self) -> bool:
        """Whether there is a label for each run of rows."""
        return self.starts is not None and self.codes is None

    def known(self) -> Codes:
        """Codes in the whole of the data, of the K labels or of the R runs; -1 where it was not asked yet."""
        known = self.table.known()
        return known if self.starts is None or self.codes is None else known[self.codes]


def _same_memory(a: pa.Array, b: pa.Array) -> bool:
    """Whether two arrays of one type are the same part of the same buffers."""
    if (a.offset, len(a)) != (b.offset, len(b)):
        return False
    places = [[None if buffer is None else buffer.address for buffer in array.buffers()] for array in (a, b)]
    return places[0] == places[1]


def plain_labels(column: pa.Array) -> pa.Array:
    """Labels as they are: dictionaries, views and run ends decoded.

    Parameters
    ----------
    column : pyarrow.Array

    Returns
    -------
    pyarrow.Array of `plain_type`
    """
    if pa.types.is_run_end_encoded(column.type):
        import pyarrow.compute as pc

        column = pc.run_end_decode(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    dtype = plain_type(column.type)
    return column if column.type == dtype else column.cast(dtype)
