"""The codes of the rows of a tile, and the local dictionary of their labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.io.arrays import without_blanks
from fastml.io.pieces import Pieces
from fastml.keys.dictionaries import LocalDictionary, TileDictionary

__all__ = ["KeysMovedError", "Labels", "RowCodes"]

Codes = npt.NDArray[np.int32]
Labels = tuple[pa.Array, ...]

# Sizes of the samples that tell how large the largest group is: of the first rows, few are of one group unless it is.
_SAMPLE, _FIRST_ROWS, _FEW = 128, 64, 4


class KeysMovedError(Exception):
    """A key of the tile is outside of the range that was assumed, or of its Arrow dictionary."""


@dataclass(frozen=True, eq=False)
class RowCodes:
    """The codes of a tile of rows.

    Attributes
    ----------
    dictionary : LocalDictionary
        Its label at k is the combination that code k stands for; it may have no row.
    codes : ndarray of int32, shape (n,) or (R,), or None
        The code of each row, or of each run of rows. Where it is None, row i has code `numbers`[i] - `low`, and run r
        has code r. Those of rows may be the indices of an Arrow dictionary, not yet checked to lie within it.
    starts : ndarray of int32, shape (R + 1,), or None
        First row of each run of rows with one label, and n; None where rows are not clustered.
    numbers : Pieces of int64, length n, or None
        Code of each row, plus `low`: not yet checked to lie within the dictionary.
    """

    dictionary: LocalDictionary
    codes: Codes | None
    starts: Codes | None = None
    numbers: Pieces | None = None
    low: int = 0

    @property
    def labels(self) -> Labels:
        """The labels by code, an array per key column."""
        return self.dictionary.take()

    def by_row(self) -> Codes:
        """Return the code of each row, shape (n,)."""
        if self.numbers is not None:
            return (self.numbers.joined - np.int64(self.low)).astype(np.int32)
        codes = np.arange(len(self.dictionary), dtype=np.int32) if self.codes is None else self.codes
        return codes if self.starts is None else np.repeat(codes, np.diff(self.starts))

    @property
    def rows(self) -> Pieces:
        """Code of each row, as int32, or code plus `low`, as int64; not of runs."""
        if self.numbers is not None:
            return self.numbers
        assert self.codes is not None
        return Pieces((self.codes,))

    def largest_share(self) -> float:
        """Return which share of the rows the largest group has, as far as some of them tell; not of runs.

        It is 0 where the first rows are of many groups, else what some from everywhere make of it. It doesn't depend on
        the codes of labels, which depend on the tiles before.
        """
        rows = self.rows
        first = np.sort(rows.first(_FIRST_ROWS))
        if not (first[_FEW:] == first[:-_FEW]).any():
            return 0.0
        some = rows.every(max(len(rows) // _SAMPLE, 1))
        return float(np.unique(some, return_counts=True)[1].max() / len(some))

    @property
    def n_records(self) -> int:
        """Number of records: R where rows are in runs, else K."""
        return len(self.dictionary) if self.starts is None else len(self.starts) - 1

    def record_of_row(self) -> Codes:
        """Return the record that each row belongs to, shape (n,)."""
        if self.starts is None:
            return self.by_row()
        return np.repeat(np.arange(self.n_records, dtype=np.int32), np.diff(self.starts))

    def record_at(self, row: int) -> int:
        """Return the record that one row belongs to."""
        if self.numbers is not None:
            return int(self.numbers.joined[row]) - self.low
        if self.starts is not None:
            return int(np.searchsorted(self.starts, row, side="right")) - 1
        return row if self.codes is None else int(self.codes[row])

    def label_text(self, record: int) -> str:
        """Return the label of a record, for a message.

        Raises
        ------
        KeysMovedError
            It has none: the code of its row is one that was not yet checked.
        """
        code = record if self.starts is None or self.codes is None else int(self.codes[record])
        if not 0 <= code < len(self.dictionary):
            raise KeysMovedError
        return ", ".join(str(labels[0].as_py()) for labels in self.dictionary.take(np.array([code])))

    def unlabelled(self) -> npt.NDArray[np.bool_]:
        """Return which labels are null, NaN or blank in some column, shape (K,): their rows are dropped."""
        missing = np.zeros(len(self.dictionary), bool)
        for labels in self.dictionary.take():
            missing |= np.asarray(without_blanks(labels).is_null(nan_is_null=True))
        return missing

    @property
    def is_fresh(self) -> bool:
        """Whether the dictionary is the tile's own, so that no global code was looked up before."""
        return isinstance(self.dictionary, TileDictionary)

    def kept(self) -> RowCodes:
        """Return the same without codes of rows; those of runs stay when their thread encodes another tile."""
        if self.starts is None:
            return replace(self, codes=None, numbers=None)
        return replace(self, codes=None if self.codes is None else self.codes.copy(), starts=self.starts.copy())

    @property
    def are_runs(self) -> bool:
        """Whether there is a label for each run of rows."""
        return self.starts is not None and self.codes is None

    def global_codes(self) -> Codes:
        """Global codes of the K labels or of the R runs; -1 where one wasn't looked up yet."""
        codes = self.dictionary.global_codes()
        return codes if self.starts is None or self.codes is None else codes[self.codes]
