"""Rows in any order -> raw records of their groups, about one shift for all where groups are large, else each its own.

Digits are lost in a record whose shift lies far from its group's values, for what varies among them. The rows of such
groups, which are few, are sorted by group and summed anew, each run about its own mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fastml.io.pieces import Pieces
from fastml.kernels.workspace import Workspace
from fastml.keys.row_codes import KeysMovedError, RowCodes

__all__ = ["RowSums"]

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

# Rows of a group that are added up one by one: of few different values each addition may round alike, and the more, the
# larger the sum is. Of half a million the eleventh digit was wrong.
_ROWS_ADDED = 1 << 12

# Records have one shift where there are so many rows to a group, as far as the first ones tell: in smaller groups,
# values lie close together by chance so often that many would have to be summed anew.
_ROWS_PER_GROUP = 10
_FIRST_ROWS = 1024

# One shift doesn't do where so many groups lie far from it: to sort their rows takes longer than to add all anew, each
# group about its own.
_GROUPS_PER_OFF = 8

# Rows of a group so small that its values may well lie closer together, by chance, than to the shift.
_SMALL = 4

# Values from everywhere that tell a shift, as files may be sorted by anything.
_SHIFT_SAMPLE = 64


@dataclass(frozen=True, eq=False)
class _GroupRows:
    """The rows of some groups of a tile.

    Attributes
    ----------
    marked : ndarray of bool, shape (K,)
        Which groups; each has rows.
    rows : ndarray of int32, shape (m,)
        Their rows, sorted by group.
    groups, sizes : ndarray of int64, shape (G,)
        The codes of these groups, and how many rows each has.
    """

    marked: npt.NDArray[np.bool_]
    rows: Codes
    groups: Int64s
    sizes: Int64s


class RowSums:
    """The sums of a tile of rows, by outcome and group.

    Parameters
    ----------
    keys : RowCodes
        Not of runs.
    space : Workspace
    """

    def __init__(self, keys: RowCodes, space: Workspace) -> None:
        self._keys, self._space = keys, space
        self._found: _GroupRows | None = None

    @cached_property
    def _numbers(self) -> Int64s:
        """Code of each row, plus `low` of the keys: the kernels of weights take them in one type only."""
        rows = self._keys.rows.joined
        if rows.dtype == np.int64:
            return rows
        numbers = self._space.array("numbers", len(rows), np.int64)
        numbers[:] = rows
        return numbers

    @cached_property
    def _parts(self) -> list[slice]:
        """Rows after each of which the sums of large groups are flushed to an accumulator."""
        from fastml.kernels.sums.record import ROWS

        n = len(self._keys.rows)
        share = self._keys.largest_share() if n > 2 * _ROWS_ADDED else 0.0
        if n * share <= 2 * _ROWS_ADDED:
            return [slice(0, n)]
        length = max(int(_ROWS_ADDED / share) // ROWS, 1) * ROWS
        return [slice(*ends) for ends in pairwise([*range(0, n, length), n])]

    def add(self, table: Floats, y: Pieces, missing: Floats, top: Floats) -> bool:
        """Make the records of an outcome.

        Parameters
        ----------
        table : ndarray, shape (K, 4)
            Takes the raw records.
        y : Pieces of float64, cut as the keys are
            NaN where it is missing.
        missing : ndarray, shape (K,)
            Takes the number of missing values by group.
        top : ndarray, shape (1,)
            Is raised to the greatest value.

        Returns
        -------
        bool
            Whether all values are finite, and none too large to square.

        Raises
        ------
        KeysMovedError
        """
        from fastml.kernels.sums import runs

        off = self._space.array("off", len(table), np.bool_)
        shift = _likely_shift(y) if _are_groups_large(self._keys) else math.nan
        count = self._add_about(shift, table, y, missing, top, off)
        if not math.isnan(shift) and count * _GROUPS_PER_OFF > np.count_nonzero(table[:, 0]):
            count = self._add_about(math.nan, table, y, missing, top, off)
        if not count:
            return True
        rows, starts = self._rows_of(off, table[:, 0])
        again, lacking = np.empty((len(starts) - 1, table.shape[1])), np.empty(len(starts) - 1)
        bad = runs.sum_runs(starts, y.take(rows), again, lacking, np.empty(1))
        table[np.flatnonzero(off)] = again
        return bool(bad < 0)

    def _add_about(
        self, shift: float, table: Floats, y: Pieces, missing: Floats, top: Floats, off: npt.NDArray[np.bool_]
    ) -> int:
        """Make records about one shift, or each about its own where it is NaN; return how many are `off`."""
        from fastml.kernels.sums import record, shuffled

        def add_part(part: slice) -> bool:
            pieces = zip(rows.between(part.start, part.stop), y.between(part.start, part.stop), strict=True)
            return all(add_rows(keys, self._keys.low, values, shift, table, missing, top) for keys, values in pieces)

        rows = self._keys.rows
        add_rows = shuffled.add_rows if rows.dtype == np.int64 else shuffled.add_rows_of_codes
        table[:] = 0.0
        if not math.isnan(shift):
            table[:, 1] = shift
        self._add_parts(add_part, table, missing)
        return int(record.find_off(table, off.view(np.uint8)))

    def add_weighted(
        self,
        tables: tuple[Floats, Floats],
        y: Floats,
        weights: Floats,
        limits: tuple[float, float],
        missing: Floats,
        top: Floats,
    ) -> bool:
        """Make both records of an outcome; else as `add`.

        Parameters
        ----------
        tables : (ndarray, ndarray), shape (K, 4) and (K, 5)
            Take the raw records of rows and of weights.
        y, weights : ndarray, shape (n,)
        limits : (float, float)
            The smallest and the largest weight; rows with others are left out.
        missing : ndarray, shape (K,)
            Takes the number of rows without a value or a weight by group.
        top : ndarray, shape (2,)
            Is raised to the greatest value and the greatest weight.
        """
        from fastml.kernels.sums import weighted as kernel
        from fastml.kernels.sums.record import N_BOTH

        numbers, low, n = self._numbers, self._keys.low, len(missing)
        both = self._space.array("both records", n * N_BOTH, np.float64).reshape(n, N_BOTH)

        def add_part(part: slice) -> bool:
            return bool(
                kernel.add_rows_weighted(numbers[part], low, y[part], weights[part], *limits, both, missing, top)
            )

        both[:] = 0.0
        self._add_parts(add_part, both, missing)
        off = self._space.array("off", n, np.bool_)
        if not kernel.separate(both, *tables, off.view(np.uint8)):
            return True
        rows, starts = self._rows_of(off, both[:, 0])
        again, lacking = [np.empty((len(starts) - 1, table.shape[1])) for table in tables], np.empty(len(starts) - 1)
        bad = kernel.sum_runs_weighted(starts, y[rows], weights[rows], *limits, *again, lacking, np.empty(2))
        groups = np.flatnonzero(off)
        for table, records in zip(tables, again, strict=True):
            table[groups] = records
        return bool(bad < 0)

    def _add_parts(self, add_part: Callable[[slice], bool], table: Floats, missing: Floats) -> None:
        """Add all rows to records that have none yet, those of large groups in parts."""
        from fastml.kernels.sums import record

        missing[:] = 0.0
        accumulator = np.zeros(table.shape if len(self._parts) > 1 else (0, table.shape[1]))
        for part in self._parts:
            if not add_part(part):
                raise KeysMovedError
            if len(accumulator):
                record.flush(table, accumulator)
        if len(accumulator):
            table[:, 2:] += accumulator[:, 2:]

    def _rows_of(self, off: npt.NDArray[np.bool_], sizes: Floats) -> tuple[Codes, Codes]:
        """Return the rows of some groups (K,), sorted by group, and where in them each group starts, and the end.

        All rows have to be looked through for them. So the second time, those of all small groups are looked for too,
        which are off by chance in one outcome or another.
        """
        found = self._found
        if found is None or (off > found.marked).any():
            wanted = off.copy() if found is None else off | found.marked | ((sizes > 0.0) & (sizes <= _SMALL))
            found = self._found = self._look_for(wanted)
        own = off[found.groups]
        ends = np.cumsum(found.sizes[own])
        return found.rows[np.repeat(own, found.sizes)], np.concatenate([[0], ends]).astype(np.int32)

    def _look_for(self, marked: npt.NDArray[np.bool_]) -> _GroupRows:
        from fastml.kernels.sorting import place
        from fastml.kernels.sums import shuffled as kernel

        keys, low = self._keys.rows, self._keys.low
        select_rows = kernel.select_rows if keys.dtype == np.int64 else kernel.select_rows_of_codes
        room = self._space.array("rows off", len(keys) + 1, np.int32)
        first, count = 0, 0
        for part in keys.parts:
            found = select_rows(part, low, marked.view(np.uint8), room[count:])
            room[count : count + found] += first
            first, count = first + len(part), count + found
        rows = room[:count]
        groups, places = np.flatnonzero(marked), self._space.array("places of groups off", len(marked), np.int64)
        places[groups] = np.arange(len(groups))
        of_rows = places[keys.take(rows) - low]
        sizes = np.bincount(of_rows, minlength=len(groups))
        order = np.empty(len(rows), np.int64)
        place(of_rows, np.arange(len(rows)), np.cumsum(sizes) - sizes, order)
        return _GroupRows(marked, rows[order], groups, sizes)


def _likely_shift(y: Pieces) -> float:
    """A value in the middle of some from everywhere; 0 where none of them is finite."""
    some = y.every(max(len(y) // _SHIFT_SAMPLE, 1))
    some = np.sort(some[np.isfinite(some)])
    return float(some[len(some) // 2]) if len(some) else 0.0


def _are_groups_large(keys: RowCodes) -> bool:
    """Whether there seem to be many rows to a group: how many labels the first rows repeat tells how many there are.

    It must not depend on how labels are encoded, which depends on the tiles before.
    """
    rows = keys.rows
    some = np.sort(rows.first(_FIRST_ROWS))
    n_groups = max(len(rows) / _ROWS_PER_GROUP, 1.0)
    labels_expected = n_groups * -np.expm1(-len(some) / n_groups)
    return bool(np.count_nonzero(some[1:] != some[:-1]) + 1 <= labels_expected)
