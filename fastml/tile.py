"""A tile of rows -> the statistics of its groups: keys encoded, values checked, moments summed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.arrays import as_arrow
from fastml.columns import as_doubles, as_floats
from fastml.encoding import Encoder
from fastml.errors import ValueNotAllowedError
from fastml.roles import LARGEST_WEIGHT, SMALLEST_WEIGHT, Roles
from fastml.tilekeys import TileKeys
from fastml.tileweights import count_without, group_weights, row_weights
from fastml.workspace import Spare, Workspace

__all__ = ["Part", "measure", "measure_runs"]

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

# Shuffled rows are added for up to five outcomes at once where there are enough of them that it pays, and few enough
# labels for each: the records of more don't stay in the processor's caches, while those of a single outcome still may.
_TOGETHER, _TOGETHER_AT_LEAST = 5, 3
_TOGETHER_LABELS_EACH = 13_000

# Rows whose nulls are made NaN at a time, where several outcomes have them: a copy that is used while it is at hand.
_FILLED_ROWS = 1 << 17


@dataclass(frozen=True, eq=False)
class Part:
    """The statistics of a tile: raw records, a table for each outcome.

    Attributes
    ----------
    keys : TileKeys
        Where rows are in runs, there is a record for each of the R runs, else one for each of the K labels, some of
        which may have no row.
    counts : ndarray, shape (R, 3) or (K, 3), or None
        Rows that the first outcome's moments leave out, rows without a weight, rows of weight zero; None where there
        is no such row.
    moments, weighted : list of ndarray, shapes (R, 4) or (K, 4), and (K, 5)
        `weighted` is empty without weights.
    group_weight : ndarray, shape (R,) or (K,), or None
        NaN where unknown.
    """

    keys: TileKeys
    counts: Floats | None
    moments: list[Floats]
    weighted: list[Floats]
    group_weight: Floats | None

    @property
    def n_bytes(self) -> int:
        """Bytes of its records."""
        return sum(table.nbytes for table in self.tables())

    def tables(self) -> list[Floats]:
        """Return all tables of records."""
        return [*self.moments, *self.weighted]

    def kept(self) -> Part:
        """Return what is needed to fold it, which stays when its thread measures another tile."""
        return replace(self, keys=self.keys.kept())

    def used(self) -> npt.NDArray[np.int64]:
        """Codes of the labels that have rows, each once."""
        if self.keys.starts is not None:
            if self.keys.codes is None:
                return np.arange(len(self.keys.table))
            return np.flatnonzero(np.bincount(self.keys.codes, minlength=len(self.keys.table)))
        n = self.moments[0][:, 0]
        return np.flatnonzero(n if self.counts is None else n + self.counts[:, 0])


class _KeysMovedError(Exception):
    """A key of the tile is outside of the range that was assumed."""


def measure(rows: pa.RecordBatch, roles: Roles, first_row: int, space: Workspace | None = None) -> Part:
    """Compute the statistics of a tile of rows.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    roles : Roles
    first_row : int
        Number of the tile's first row in the data, for messages.
    space : Workspace, optional
        Memory to work in, and what was learnt of the keys; what is returned lies in it, until the next tile. The
        tables of the part come from its spare memory, and can be given back to it.

    Returns
    -------
    Part

    Raises
    ------
    ValueNotAllowedError
        An infinite outcome; a negative or infinite weight; a group weight that varies within a group.
    """
    space = space or Workspace(Spare())
    encoder = _encoder(space)
    columns = [rows.column(name) for name in roles.keys]
    try:
        return _Tile(rows, encoder.encode(columns), roles, first_row, space).measure()
    except _KeysMovedError:
        return _Tile(rows, encoder.encode(columns, exact=True), roles, first_row, space).measure()


def measure_runs(rows: pa.RecordBatch, tile_rows: int, roles: Roles, first_row: int, space: Workspace) -> Part | None:
    """Compute the statistics of several tiles at once, for what is done once for all of them is most of it.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    tile_rows : int
        Rows of a tile: where one ends, so does a run, and the records are those of `measure`.
    roles : Roles
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

    def __init__(self, rows: pa.RecordBatch, keys: TileKeys, roles: Roles, first_row: int, space: Workspace) -> None:
        self._rows, self._keys, self._roles, self._first_row = rows, keys, roles, first_row
        self._space = space

    def measure(self) -> Part:
        roles, keys, n = self._roles, self._keys, self._keys.n_records
        missing = self._space.array("missing", n, np.float64)
        by_row = row_weights(self._rows, roles) if roles.weighted else None
        counts: Floats | None = None
        moments: list[Floats] = []
        weighted: list[Floats] = []
        alone = roles.weighted or keys.starts is not None
        at_once = 1 if alone else _TOGETHER
        for first in range(0, len(roles.outcomes), at_once):
            columns = {name: self._rows.column(name) for name in roles.outcomes[first : first + at_once]}
            tables = self._moments(columns, missing) if by_row is None else self._both(columns, by_row, missing)
            for table, *of_weights in tables:
                if not moments and missing.any():
                    counts = None if by_row is None else count_without(by_row, keys, roles, self._place)
                    counts = np.zeros((n, 3)) if counts is None else counts
                    counts[:, 0] = missing
                moments.append(table)
                weighted += of_weights
        # The codes of the rows are known to be right now, not before.
        of_group = group_weights(self._rows, keys, roles.group_weights, self._place) if roles.group_weights else None
        return Part(keys, counts, moments, weighted, of_group)

    def _moments(self, columns: dict[str, pa.Array], missing: Floats) -> Iterator[tuple[Floats]]:
        """Records of some outcomes, of all at once where that is faster; `missing` is of the first when it comes."""
        values = [_values(column) for column in columns.values()]
        if len(columns) < _TOGETHER_AT_LEAST or len(columns) * _TOGETHER_LABELS_EACH < self._keys.n_records:
            for (name, column), some in zip(columns.items(), values, strict=True):
                yield (self._alone(name, column, some, missing),)
            return
        tables, settled = self._together(values, missing)
        for k, (name, column) in enumerate(columns.items()):
            if not settled >> k & 1:
                self._settle(name, column, tables[k], partial(self._fill, values[k], missing))
            yield (tables[k],)

    def _together(self, values: list[_Values], missing: Floats) -> tuple[list[Floats], int]:
        """Records of each of up to five outcomes, and a bit for each, 1 where they are settled."""
        from fastml.kernels import together as kernel

        keys, n, n_rows, n_lacking = self._keys, self._keys.n_records, self._rows.num_rows, 0
        table = self._space.array("together", n * kernel.WIDTH, np.float64)
        lacking = self._space.array("lacking", n * _TOGETHER, np.int32)
        at_once = _FILLED_ROWS if any(len(some.valid) for some in values) else n_rows
        for first in range(0, n_rows, at_once):
            part = slice(first, first + at_once)
            y = [self._without_nulls(k, some, part) for k, some in enumerate(values)]
            rest = *y, *y[-1:] * (_TOGETHER - len(y)), first == 0, table, lacking  # three take the place of five
            if keys.numbers is None:
                assert keys.codes is not None
                more = kernel.add_rows_together(keys.codes[part], *rest)
            else:
                more = kernel.add_keys_together(keys.numbers[part], keys.low, *rest)
            if more < 0:
                raise _KeysMovedError
            n_lacking += more
        missing[:] = lacking[::_TOGETHER] if n_lacking else 0.0
        tables = [self._space.spare.table(n, 4) for _ in values]
        return tables, kernel.separate(table, lacking, *tables, *tables[-1:] * (_TOGETHER - len(tables)))

    def _without_nulls(self, outcome: int, values: _Values, part: slice) -> Floats:
        """Values of some rows, NaN in place of nulls: a copy where there may be any."""
        from fastml.kernels import bitmaps as kernel

        y = values.y[part]
        if not len(values.valid):
            return y
        filled = self._space.array(f"filled {outcome}", len(y), np.float64)
        kernel.fill_missing(y, values.valid, values.offset + part.start, filled)
        return filled

    def _alone(self, name: str, column: pa.Array, values: _Values, missing: Floats) -> Floats:
        from fastml.kernels import runs as kernel

        if self._keys.starts is not None:
            table = self._space.spare.table(self._keys.n_records, 4)
            if kernel.sum_runs(self._keys.starts, *values, table, missing) >= 0:
                self._refuse_infinite(name, as_floats(column))
            return table

        table = self._space.spare.table(self._keys.n_records, 4)
        fill = partial(self._fill, values, missing)
        fill(table, fresh=True)
        self._settle(name, column, table, fill)
        return table

    def _fill(self, values: _Values, missing: Floats, table: Floats, *, fresh: bool = False) -> None:
        """Add the rows to a table of records, which is made one of nothing before if it is to be `fresh`."""
        from fastml.kernels import rows as kernel

        keys = self._keys
        missing[:] = 0.0
        if keys.numbers is None:
            kernel.add_rows(keys.codes, *values, fresh, table, missing)
        elif not kernel.add_keys(keys.numbers, keys.low, *values, fresh, table, missing):
            raise _KeysMovedError

    def _both(self, columns: dict[str, pa.Array], by_row: Floats, missing: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Records of the rows and of the weights, of one outcome after another."""
        from fastml.kernels import weights as kernel

        keys, n, limits = self._keys, self._keys.n_records, (SMALLEST_WEIGHT, LARGEST_WEIGHT)
        for name, column in columns.items():
            values = _values(column)
            records, weighted = (self._space.spare.table(n, fields) for fields in (4, 5))
            if keys.starts is not None:
                settled = kernel.sum_runs_weighted(
                    keys.starts, *values, by_row, *limits, records, weighted, missing
                ) < 0  # fmt: skip
            else:
                both = self._space.array("together", n * kernel.WIDTH, np.float64)
                rest = *values, by_row, *limits, both, missing
                if keys.numbers is None:
                    kernel.add_rows_weighted(keys.codes, *rest)
                elif not kernel.add_keys_weighted(keys.numbers, keys.low, *rest):
                    raise _KeysMovedError
                settled = kernel.separate_weighted(both.reshape(n, kernel.WIDTH), records, weighted)
            if not settled:
                self._settle_both(name, column, by_row, records, weighted, missing)
            yield records, weighted

    def _settle_both(
        self, name: str, column: pa.Array, by_row: Floats, records: Floats, weighted: Floats, missing: Floats
    ) -> None:
        """Settle both records of an outcome, each about its own means."""
        from fastml.kernels import weights as kernel

        y = np.where((by_row >= SMALLEST_WEIGHT) & (by_row <= LARGEST_WEIGHT), as_floats(column), np.nan)
        if self._keys.starts is not None:
            self._refuse_infinite(name, y)
        codes, column = self._keys.by_row(), as_arrow(y)
        self._settle(name, column, records, partial(self._fill, _Values(y, np.empty(0, np.uint8), 0), missing))
        self._settle(name, column, weighted, partial(kernel.accumulate_weighted, codes, y, by_row))

    def _settle(self, name: str, column: pa.Array, table: Floats, fill: Callable[[Floats], Any]) -> None:
        """Leave records as they are, or fill them again where digits would be lost."""
        from fastml.kernels import moments as kernel

        state = kernel.settle(table)
        if state == kernel.NOT_FINITE:
            self._refuse_infinite(name, as_floats(column))
        if state == kernel.AGAIN:
            fill(table)

    def _refuse_infinite(self, name: str, y: Floats) -> None:
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
        label = self._keys.label_at(self._keys.record_at(row))
        return f"in row {self._first_row + row:,} (the first is 0; {', '.join(self._roles.keys)} {label})"


class _Values(NamedTuple):
    """Values of a numeric column (n,), its validity bitmap (empty: nothing is null) and the place of its first bit."""

    y: Floats
    valid: Bytes
    offset: int


def _values(column: pa.Array) -> _Values:
    """Values of a column, cast to doubles."""
    if pa.types.is_null(column.type):
        return _Values(np.full(len(column), np.nan), np.empty(0, np.uint8), 0)
    column = as_doubles(column)  # which may begin at another place than what it was made of
    bitmap, data = column.buffers()
    y = np.frombuffer(data or b"", np.float64)[column.offset : column.offset + len(column)]
    return _Values(y, np.frombuffer(bitmap if column.null_count else b"", np.uint8), column.offset)
