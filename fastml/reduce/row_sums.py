"""Rows in any order -> raw records of their groups, about one shift for all where groups are large.

Digits are lost in a record whose shift is far from its group's values, for what varies among them. It is filled again
about the group's first value, and where that is a wild one, about the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from fastml.io.columns import Doubles
from fastml.kernels.workspace import Workspace
from fastml.keys.row_codes import RowCodes

__all__ = ["KeysMovedError", "RowSums", "take_back"]

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

# Outcomes are added up to five at once where there are enough of them that it pays, and few enough labels for each: the
# records of more don't stay in the processor's caches, while those of a single outcome still may.
TOGETHER, _TOGETHER_AT_LEAST = 5, 3
_TOGETHER_LABELS_EACH = 13_000

# Records have one shift where there are so many rows to a group, as far as the first ones tell: in smaller groups,
# values lie close together by chance so often that many records would be filled twice.
_ROWS_PER_GROUP = 10
_FIRST_ROWS = 1024

# Rows whose nulls are made NaN at a time, where several outcomes have them: a copy that is used while it is at hand.
_FILLED_ROWS = 1 << 17

# Rows of a group that are added up one by one: of few different values each addition may round alike, and the more, the
# larger the sum is. Of half a million the eleventh digit was wrong.
_ROWS_ADDED = 1 << 12


class KeysMovedError(Exception):
    """A key of the tile is outside of the range that was assumed."""


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

    @cached_property
    def block(self) -> int:
        """After how many rows the sums of large groups are to be set aside: a multiple of eight, or 0 for never."""
        n = len(self._keys.rows)
        share = self._keys.largest_share() if n > 2 * _ROWS_ADDED else 0.0
        return max(int(_ROWS_ADDED / share) // 8 * 8, 8) if n * share > 2 * _ROWS_ADDED else 0

    def aside(self, fields: int) -> tuple[int, Floats]:
        """Make what the kernels need to set sums aside: `block`, and records of nothing to take them.

        Parameters
        ----------
        fields : int
            Of a record, the first two of which aren't sums.

        Returns
        -------
        block : int
        records : ndarray, shape (K, fields), or (0, fields) for never
        """
        return self.block, np.zeros((self._keys.n_records if self.block else 0, fields))

    def fill(self, tables: Floats, outcomes: Sequence[Doubles], missing: Floats) -> Iterator[bool]:
        """Add up some outcomes, all at once where that is faster.

        Parameters
        ----------
        tables : ndarray, shape (p, K, 4)
            Takes the raw records of each outcome.
        outcomes : sequence of p Doubles, each of length n
            Up to `TOGETHER`.
        missing : ndarray, shape (K,)
            Takes the missing values of the first outcome by group; the others may write to it, too, afterwards.

        Yields
        ------
        bool
            That the records of the next outcome are there, and whether all its values are finite, and none too large
            to square.

        Raises
        ------
        KeysMovedError
        """
        share, most_labels = _are_groups_large(self._keys), len(outcomes) * _TOGETHER_LABELS_EACH
        if share and len(outcomes) >= _TOGETHER_AT_LEAST and self._keys.n_records <= most_labels:
            yield from self._together(tables, outcomes, missing)
            return
        add = self._about_one_shift if share else self._about_first_values
        for table, values in zip(tables, outcomes, strict=True):
            yield add(table, values, missing)

    def settle(self, table: Floats, add: Callable[[Bytes, Floats], None], *, anew: bool = False) -> bool:
        """Fill records in which digits were lost again; return whether all values are finite.

        Parameters
        ----------
        table : ndarray, shape (K, 4) or (K, 5)
            Raw records.
        add : callable
            Given marks (K,) and the table, it adds the rows of the groups that are marked.
        anew : bool
            Whether the shifts aren't the first values.
        """
        from fastml.kernels.sums import moments as kernel

        marks = self._space.array("marks", len(table), np.uint8)
        # From a wild value of next to no weight, one step may end an ulp of that off the mean.
        for first_values in (True, False, False) if anew else (False, False):
            state = kernel.settle(table, first_values, marks)
            if state != kernel.AGAIN:
                return bool(state == kernel.READY)
            add(marks, table)
        return True

    def add_marked(self, values: Doubles, marks: Bytes, table: Floats) -> None:
        """Add the rows of groups that are marked (K,) to their records (K, 4)."""
        from fastml.kernels.sums import own_shift as kernel

        keys = self._keys
        block, aside = self.aside(4)
        if keys.numbers is None:
            kernel.add_marked_rows(keys.codes, *values, marks, table, block, aside)
        else:
            kernel.add_marked_keys(keys.numbers, keys.low, *values, marks, table, block, aside)
        take_back(table, aside)

    def _about_first_values(self, table: Floats, values: Doubles, missing: Floats) -> bool:
        from fastml.kernels.sums import own_shift as kernel

        keys, (block, aside) = self._keys, self.aside(4)
        if keys.numbers is None:
            kernel.add_rows(keys.codes, *values, table, missing, block, aside)
        elif not kernel.add_keys(keys.numbers, keys.low, *values, table, missing, block, aside):
            raise KeysMovedError
        take_back(table, aside)
        return self.settle(table, partial(self.add_marked, values))

    def _about_one_shift(self, table: Floats, values: Doubles, missing: Floats) -> bool:
        from fastml.kernels.sums import shared_shift as kernel

        keys, (block, aside) = self._keys, self.aside(4)
        shift = kernel.likely_shift(*values)
        if keys.numbers is None:
            kernel.add_rows(keys.codes, *values, shift, table, missing, block, aside)
        elif not kernel.add_keys(keys.numbers, keys.low, *values, shift, table, missing, block, aside):
            raise KeysMovedError
        take_back(table, aside)
        return self._settle_shared(values, shift, table)

    def _together(self, tables: Floats, outcomes: Sequence[Doubles], missing: Floats) -> Iterator[bool]:
        from fastml.kernels.sums import shared_shift
        from fastml.kernels.sums import together as kernel

        keys, n, more = self._keys, self._keys.n_records, TOGETHER - len(outcomes)
        n_rows, n_lacking = len(outcomes[0].y), 0
        together = self._space.array("together", n * kernel.WIDTH, np.float64)
        lacking = self._space.array("lacking", n * TOGETHER, np.int32)
        shifts = np.array([shared_shift.likely_shift(*values) for values in outcomes])
        five_shifts = np.append(shifts, shifts[-1:].repeat(more))  # three or four take the place of five
        block, aside = self.aside(kernel.WIDTH)
        at_once = _FILLED_ROWS if any(len(values.valid) for values in outcomes) else n_rows
        for first in range(0, n_rows, at_once):
            part = slice(first, first + at_once)
            y = [self._without_nulls(k, values, part) for k, values in enumerate(outcomes)]
            rest = *y, *y[-1:] * more, first, five_shifts, together, lacking, block, aside
            if keys.numbers is None:
                assert keys.codes is not None
                found = kernel.add_rows_together(keys.codes[part], *rest)
            else:
                found = kernel.add_keys_together(keys.numbers[part], keys.low, *rest)
            if found < 0:
                raise KeysMovedError
            n_lacking += found
        take_back(together.reshape(n, kernel.WIDTH), aside)
        missing[:] = lacking[::TOGETHER] if n_lacking else 0.0
        kernel.separate(together, lacking, *tables, *[tables[-1]] * more)
        for table, values, shift in zip(tables, outcomes, shifts, strict=True):
            yield self._settle_shared(values, shift, table)

    def _without_nulls(self, outcome: int, values: Doubles, part: slice) -> Floats:
        """Values of some rows, NaN in place of nulls: a copy where there may be any."""
        from fastml.kernels.sums import bitmaps as kernel

        y = values.y[part]
        if not len(values.valid):
            return y
        filled = self._space.array(f"filled {outcome}", len(y), np.float64)
        kernel.fill_missing(y, values.valid, values.offset + part.start, filled)
        return filled

    def _settle_shared(self, values: Doubles, shift: float, table: Floats) -> bool:
        """As `settle`, where all records are about one shift."""
        from fastml.kernels.sums import shared_shift as kernel

        keys = self._keys
        if keys.numbers is None:
            settled = kernel.settle_rows(keys.codes, *values, shift, table)
        else:
            settled = kernel.settle_keys(keys.numbers, keys.low, *values, shift, table)
        return settled or self.settle(table, partial(self.add_marked, values), anew=True)


def take_back(table: Floats, aside: Floats) -> None:
    """Add the sums that were set aside (K, ...), or none (0, ...), to those of the records (K, ...)."""
    if len(aside):
        table[:, 2:] += aside[:, 2:]


def _are_groups_large(keys: RowCodes) -> bool:
    """Whether there seem to be many rows to a group: how many labels the first ones repeat tells how many there are.

    It must not depend on how labels are encoded, which depends on the tiles before.
    """
    rows = keys.rows
    some = np.sort(rows[:_FIRST_ROWS])
    n_groups = max(len(rows) / _ROWS_PER_GROUP, 1.0)
    labels_expected = n_groups * -np.expm1(-len(some) / n_groups)
    return bool(np.count_nonzero(some[1:] != some[:-1]) + 1 <= labels_expected)
