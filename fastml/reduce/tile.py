"""A tile of rows -> the statistics of its groups: keys encoded, values checked, moments summed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError, row_text
from fastml.io.columns import Doubles, as_floats, doubles_of
from fastml.kernels.workspace import Workspace, empty_table
from fastml.keys.encoder import Encoder
from fastml.keys.row_codes import RowCodes
from fastml.reduce.columns import LARGEST_WEIGHT, SMALLEST_WEIGHT, CallColumns
from fastml.reduce.row_sums import TOGETHER, KeysMovedError, RowSums, take_back
from fastml.reduce.weights import count_without, group_weights, row_weights

__all__ = ["Part", "measure", "measure_runs"]

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Part:
    """The statistics of a tile: raw records of p outcomes.

    Attributes
    ----------
    keys : RowCodes
        Where rows are in runs, there is a record for each of the R runs, else one for each of the K labels, some of
        which may have no row.
    counts : ndarray, shape (R, 3) or (K, 3), or None
        Rows that the first outcome's moments leave out, rows without a weight, rows of weight zero; None where there
        is no such row.
    moments : ndarray, shape (p, R, 4) or (p, K, 4)
    weighted : ndarray, shape (p, R, 5) or (p, K, 5), or None
        None without weights.
    group_weight : ndarray, shape (R,) or (K,), or None
        NaN where unknown.
    """

    keys: RowCodes
    counts: Floats | None
    moments: Floats
    weighted: Floats | None
    group_weight: Floats | None

    def kept(self) -> Part:
        """Return what is needed to fold it, which stays when its thread measures another tile."""
        return replace(self, keys=self.keys.kept())

    def used(self) -> npt.NDArray[np.int64]:
        """Codes of the labels that have rows, each once."""
        if self.keys.starts is not None:
            if self.keys.codes is None:
                return np.arange(len(self.keys.dictionary))
            return np.flatnonzero(np.bincount(self.keys.codes, minlength=len(self.keys.dictionary)))
        n = self.moments[0, :, 0]
        return np.flatnonzero(n if self.counts is None else n + self.counts[:, 0])


def measure(rows: pa.RecordBatch, roles: CallColumns, first_row: int, space: Workspace | None = None) -> Part:
    """Compute the statistics of a tile of rows.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    roles : CallColumns
    first_row : int
        Number of the tile's first row in the data, for messages.
    space : Workspace, optional
        Memory to work in, and what was learnt of the keys; the keys of what is returned lie in it, until the next
        tile.

    Returns
    -------
    Part

    Raises
    ------
    ValueNotAllowedError
        An infinite outcome; a negative or infinite weight; a group weight that varies within a group.
    """
    space = space or Workspace()
    encoder = _encoder(space)
    columns = [rows.column(name) for name in roles.keys]
    try:
        return _Tile(rows, encoder.encode(columns), roles, first_row, space).measure()
    except KeysMovedError:
        return _Tile(rows, encoder.encode(columns, exact=True), roles, first_row, space).measure()


def measure_runs(
    rows: pa.RecordBatch, tile_rows: int, roles: CallColumns, first_row: int, space: Workspace
) -> Part | None:
    """Compute the statistics of several tiles at once, for what is done once for all of them is most of it.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    tile_rows : int
        Rows of a tile: where one ends, so does a run, and the records are those of `measure`.
    roles : CallColumns
        Without weights.
    first_row, space
        As in `measure`.

    Returns
    -------
    Part or None
        None where the rows of a tile aren't clustered, or their runs are not found by a single column's bits.

    Raises
    ------
    ValueNotAllowedError
        An infinite outcome, but not that of the first tile.
    """
    keys = _encoder(space).encode_runs([rows.column(name) for name in roles.keys], tile_rows)
    return None if keys is None else _Tile(rows, keys, roles, first_row, space).measure()


def _encoder(space: Workspace) -> Encoder:
    return space.thing("encoder", lambda: Encoder(space))


class _Tile:
    """Rows with their keys encoded."""

    def __init__(
        self, rows: pa.RecordBatch, keys: RowCodes, roles: CallColumns, first_row: int, space: Workspace
    ) -> None:
        self._rows, self._keys, self._roles, self._first_row = rows, keys, roles, first_row
        self._space, self._sums = space, RowSums(keys, space)

    def measure(self) -> Part:
        roles, keys, n = self._roles, self._keys, self._keys.n_records
        missing = self._space.array("missing", n, np.float64)
        by_row = row_weights(self._rows, roles) if roles.weighted else None
        counts: Floats | None = None
        moments = empty_table(len(roles.outcomes), n, 4)
        weighted = None if by_row is None else empty_table(len(roles.outcomes), n, 5)
        of_first = True
        for first in range(0, len(roles.outcomes), TOGETHER):
            some = slice(first, first + TOGETHER)
            columns = {name: self._rows.column(name) for name in roles.outcomes[some]}
            if by_row is None or weighted is None:
                filled = self._fill(moments[some], columns, missing)
            else:
                filled = self._fill_both(moments[some], weighted[some], columns, by_row, missing)
            for _ in filled:
                if of_first and missing.any():
                    counts = None if by_row is None else count_without(by_row, keys, roles, self._place)
                    counts = np.zeros((n, 3)) if counts is None else counts
                    counts[:, 0] = missing
                of_first = False
        # The codes of the rows are known to be right now, not before.
        of_group = group_weights(self._rows, keys, roles.group_weights, self._place) if roles.group_weights else None
        return Part(keys, counts, moments, weighted, of_group)

    def _fill(self, moments: Floats, columns: dict[str, pa.Array], missing: Floats) -> Iterator[None]:
        """Make the records of some outcomes, one after another; `missing` is of the first once it's made."""
        outcomes = [doubles_of(column) for column in columns.values()]
        fill = self._sums.fill if self._keys.starts is None else self._fill_runs
        for (name, column), is_finite in zip(columns.items(), fill(moments, outcomes, missing), strict=True):
            if not is_finite:
                self._refuse_infinite(name, as_floats(column))
            yield

    def _fill_runs(self, moments: Floats, outcomes: Sequence[Doubles], missing: Floats) -> Iterator[bool]:
        from fastml.kernels.sums import runs as kernel

        for table, values in zip(moments, outcomes, strict=True):
            yield kernel.sum_runs(self._keys.starts, *values, table, missing) < 0

    def _fill_both(
        self, moments: Floats, weighted_moments: Floats, columns: dict[str, pa.Array], by_row: Floats, missing: Floats
    ) -> Iterator[None]:
        """As `_fill`, the records of the weights, too."""
        from fastml.kernels.sums import weighted as kernel

        keys, n, limits = self._keys, self._keys.n_records, (SMALLEST_WEIGHT, LARGEST_WEIGHT)
        for (name, column), records, weighted in zip(columns.items(), moments, weighted_moments, strict=True):
            values = doubles_of(column)
            if keys.starts is not None:
                settled = kernel.sum_runs_weighted(
                    keys.starts, *values, by_row, *limits, records, weighted, missing
                ) < 0  # fmt: skip
            else:
                both = self._space.array("together", n * kernel.WIDTH, np.float64)
                block, aside = self._sums.aside(kernel.WIDTH)
                rest = *values, by_row, *limits, both, missing, block, aside
                if keys.numbers is None:
                    kernel.add_rows_weighted(keys.codes, *rest)
                elif not kernel.add_keys_weighted(keys.numbers, keys.low, *rest):
                    raise KeysMovedError
                take_back(both.reshape(n, kernel.WIDTH), aside)
                settled = kernel.separate_weighted(both.reshape(n, kernel.WIDTH), records, weighted)
            if not settled:
                self._settle_both(name, column, by_row, records, weighted)
            yield

    def _settle_both(self, name: str, column: pa.Array, by_row: Floats, records: Floats, weighted: Floats) -> None:
        """Settle both records of an outcome, each about its own means."""
        from fastml.kernels.sums import weighted as kernel

        y = np.where((by_row >= SMALLEST_WEIGHT) & (by_row <= LARGEST_WEIGHT), as_floats(column), np.nan)
        if self._keys.starts is not None:
            self._refuse_infinite(name, y)
        codes = self._keys.by_row()

        def add_weighted(marks: Bytes, table: Floats) -> None:
            marked, sums = np.where(marks[codes], y, np.nan), [0, 2, 3, 4]
            length = self._sums.block or len(y)
            for part in (slice(first, first + length) for first in range(0, len(y), length)):
                some = table.copy()
                some[:, sums] = 0.0
                kernel.accumulate_weighted(codes[part], marked[part], by_row[part], some)
                table[:, sums] += some[:, sums]

        add_rows = partial(self._sums.add_marked, Doubles(y, np.empty(0, np.uint8), 0))
        if not (self._sums.settle(records, add_rows) and self._sums.settle(weighted, add_weighted)):
            self._refuse_infinite(name, y)

    def _refuse_infinite(self, name: str, y: Floats) -> NoReturn:
        infinite = np.isinf(y)
        if not infinite.any():
            raise ValueNotAllowedError(
                f"outcome column {name!r} has values too large to square (up to {np.nanmax(np.abs(y)):g}); "
                "divide it by a constant"
            )
        bad = int(np.argmax(infinite))
        raise ValueNotAllowedError(
            f"outcome column {name!r} has {y[bad]} {self._place(bad)}; recode it to missing or drop the row"
        )

    def _place(self, row: int) -> str:
        """Where a row of the tile is, in words."""
        label = self._keys.label_text(self._keys.record_at(row))
        return row_text(self._first_row + row, f"{', '.join(self._roles.keys)} {label}")
