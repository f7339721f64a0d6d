"""A tile of rows -> the statistics of its groups: keys encoded, values checked, moments summed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError, row_text
from fastml.io.columns import as_floats, check_whole
from fastml.io.pieces import Pieces
from fastml.kernels.workspace import Workspace, empty_table
from fastml.keys.encoder import Encoder
from fastml.keys.row_codes import KeysMovedError, RowCodes
from fastml.reduce.columns import LARGEST_WEIGHT, SMALLEST_WEIGHT, CallColumns
from fastml.reduce.missing_codes import Seen, codes_of_weights, look, without_codes
from fastml.reduce.row_sums import RowSums
from fastml.reduce.run_sums import sum_runs
from fastml.reduce.weights import GroupWeights, count_without, group_weights, row_weights, weights_of_records

__all__ = ["TileRecords", "measure", "measure_pieces", "measure_runs"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TileRecords:
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
    seen : dict of str to Seen
        What looks like a code of missing values, by column; empty where nobody asked.
    """

    keys: RowCodes
    counts: Floats | None
    moments: Floats
    weighted: Floats | None
    group_weight: Floats | None
    seen: Mapping[str, Seen] = field(default_factory=dict)

    def kept(self) -> TileRecords:
        """Return a copy without the codes of rows, which its thread overwrites when it measures the next tile."""
        return replace(self, keys=self.keys.kept())

    def used(self) -> npt.NDArray[np.int64]:
        """Codes of the labels that have rows, each once."""
        if self.keys.starts is not None:
            if self.keys.codes is None:
                return np.arange(len(self.keys.dictionary))
            return np.flatnonzero(np.bincount(self.keys.codes, minlength=len(self.keys.dictionary)))
        n = self.moments[0, :, 0]
        return np.flatnonzero((n if self.counts is None else n + self.counts[:, 0]) > 0.0)


def measure(rows: pa.RecordBatch, columns: CallColumns, first_row: int, space: Workspace | None = None) -> TileRecords:
    """Compute the statistics of a tile of rows.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    columns : CallColumns
    first_row : int
        Number of the tile's first row in the data, for messages.
    space : Workspace, optional
        Memory to work in, with the local dictionary of the keys. The keys of what is returned lie in it, until the next
        tile.

    Returns
    -------
    TileRecords

    Raises
    ------
    ValueNotAllowedError
        An infinite outcome; a negative or infinite weight; a group weight that varies within a group.
    """
    space = space or Workspace()
    encoder = _encoder(space)
    keys = [rows.column(name) for name in columns.keys]
    try:
        return _Tile([rows], encoder.encode(keys), columns, first_row, space).measure()
    except KeysMovedError:
        return _Tile([rows], encoder.encode(keys, exact=True), columns, first_row, space).measure()


def measure_runs(
    rows: pa.RecordBatch, tile_rows: int, columns: CallColumns, first_row: int, space: Workspace
) -> TileRecords | None:
    """Compute the statistics of several tiles at once, for what is done once for all of them is most of it.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    tile_rows : int
        Rows of a tile: where one ends, so does a run, and the records are those of `measure`.
    columns : CallColumns
        Without weights.
    first_row, space
        As in `measure`.

    Returns
    -------
    TileRecords or None
        None where the rows of a tile aren't clustered, or their runs are not found by a single column's bits.

    Raises
    ------
    ValueNotAllowedError
        An infinite outcome; it may be of another tile than the first that has one.
    """
    keys = _encoder(space).encode_runs([rows.column(name) for name in columns.keys], tile_rows)
    return None if keys is None else _Tile([rows], keys, columns, first_row, space).measure()


def measure_pieces(
    pieces: Sequence[pa.RecordBatch], columns: CallColumns, first_row: int, space: Workspace
) -> TileRecords | None:
    """Compute the statistics of a tile that lies in several pieces, which would take longer to join than to add up.

    Parameters
    ----------
    pieces : sequence of pyarrow.RecordBatch
    columns : CallColumns
        A single key; without weights.
    first_row, space
        As in `measure`.

    Returns
    -------
    TileRecords or None
        Those of `measure`, to the bit. None where the pieces have to be joined.

    Raises
    ------
    ValueNotAllowedError
        An infinite outcome; a whole number that no double is.
    """
    (key,) = columns.keys
    keys = _encoder(space).encode_pieces([rows.column(key) for rows in pieces])
    if keys is None:
        return None
    try:
        return _Tile(pieces, keys, columns, first_row, space).measure()
    except KeysMovedError:
        return None


def _encoder(space: Workspace) -> Encoder:
    return space.thing("encoder", lambda: Encoder(space))


class _Tile:
    """Rows with their keys encoded."""

    def __init__(
        self, pieces: Sequence[pa.RecordBatch], keys: RowCodes, columns: CallColumns, first_row: int, space: Workspace
    ) -> None:
        self._pieces, self._keys, self._columns, self._first_row = pieces, keys, columns, first_row
        self._rows = pieces[0]  # with weights, a tile is one piece
        self._space, self._sums = space, RowSums(keys, space)
        self._seen: dict[str, Seen] = {}

    def measure(self) -> TileRecords:
        columns, keys, n = self._columns, self._keys, self._keys.n_records
        missing = self._space.array("missing", n, np.float64)
        of_groups = group_weights(self._rows, columns)
        by_row = row_weights(self._rows, columns, of_groups) if columns.weighted else None
        counts: Floats | None = None
        moments = empty_table(len(columns.outcomes), n, 4)
        weighted = None if by_row is None else empty_table(len(columns.outcomes), n, 5)
        for i, name in enumerate(columns.outcomes):
            y = self._values(name)
            if by_row is None or weighted is None:
                top = self._add(name, y, moments[i], missing)
            else:
                top, heaviest = self._add_weighted(name, y.joined, by_row, (moments[i], weighted[i]), missing)
                if columns.watch and i == 0:
                    self._watch_weights(of_groups, heaviest)
            if columns.watch:
                self._seen[name] = look(y, top)
            if i == 0 and missing.any():
                counts = None if by_row is None else count_without(by_row, keys, columns, self._place)
                counts = np.zeros((n, 3)) if counts is None else counts
                counts[:, 0] = missing
        # The codes of the rows are known to be right now, not before.
        weights = None if of_groups is None else weights_of_records(of_groups, keys, columns, self._place)
        return TileRecords(keys, counts, moments, weighted, weights, self._seen)

    def _watch_weights(self, of_groups: GroupWeights | None, heaviest: float) -> None:
        """Look for codes of missing weights; `heaviest` is the greatest weight of a row whose group has one."""
        columns, tops = self._columns, dict[str, float]()
        if columns.weights and (of_groups is None or of_groups.complete):
            tops[columns.weights] = heaviest
        if of_groups is not None and len(columns.group_factors) == 1:
            tops[columns.group_factors[0]] = of_groups.top
        for name in columns.of_weights:
            weights = without_codes(as_floats(self._rows.column(name)), codes_of_weights(columns.missing))
            self._seen[name] = look(weights, tops.get(name, math.nan))

    def _values(self, name: str) -> Pieces:
        """An outcome, without codes of missing values."""
        space = self._space if len(self._pieces) == 1 else None  # which has room for one
        found, first_row = list[Floats](), 0
        for rows in self._pieces:
            column = rows.column(name)
            found.append(without_codes(as_floats(column, space), self._columns.missing))
            check_whole(name, column, found[-1], partial(self._place, before=first_row))
            first_row += rows.num_rows
        return Pieces(tuple(found))

    def _add(self, name: str, y: Pieces, table: Floats, missing: Floats) -> float:
        """Make the records of an outcome, and count its missing values by record; return its greatest value."""
        starts, top = self._keys.starts, np.full(1, -np.inf)
        if starts is None:
            is_finite = self._sums.add(table, y, missing, top)
        else:
            is_finite = sum_runs(starts, y, table, missing, top)
        if not is_finite:
            self._refuse_infinite(name, y.joined)
        return float(top[0])

    def _add_weighted(
        self, name: str, y: Floats, by_row: Floats, tables: tuple[Floats, Floats], missing: Floats
    ) -> tuple[float, float]:
        """As `_add`, the records of rows and of weights; return the greatest value and weight of all rows."""
        from fastml.kernels.sums import weighted as kernel

        starts, limits, top = self._keys.starts, (SMALLEST_WEIGHT, LARGEST_WEIGHT), np.full(2, -np.inf)
        if starts is None:
            is_finite = self._sums.add_weighted(tables, y, by_row, limits, missing, top)
        else:
            is_finite = kernel.sum_runs_weighted(starts, y, by_row, *limits, *tables, missing, top) < 0
        if not is_finite:
            self._refuse_infinite(name, np.where((by_row >= limits[0]) & (by_row <= limits[1]), y, np.nan))
        return float(top[0]), float(top[1])

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

    def _place(self, row: int, before: int = 0) -> str:
        """Where a row is, in words: of the tile, or of a piece that `before` rows of the tile precede."""
        row += before
        label = self._keys.label_text(self._keys.record_at(row))
        return row_text(self._first_row + row, f"{', '.join(self._columns.keys)} {label}")
