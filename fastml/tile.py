"""A tile of rows -> the statistics of its groups: keys encoded, values checked, moments summed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.arrays import as_arrow
from fastml.columns import as_floats
from fastml.errors import ValueNotAllowedError
from fastml.keys import TileKeys, encode_rows
from fastml.labels import take
from fastml.roles import LARGEST_WEIGHT, SMALLEST_WEIGHT, Roles
from fastml.workspace import Spare, Workspace

__all__ = ["Part", "measure"]

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """The statistics of a tile: a record for each cell that has rows.

    Attributes
    ----------
    labels : tuple of pyarrow.Array, each of length K
        The key columns of the cells.
    counts : ndarray, shape (K, 3), or None
        Rows that the first outcome's moments leave out, rows without a weight, rows of weight zero; None where there
        is no such row.
    moments, weighted : list of ndarray, shape (K, 4) and (K, 5)
        Finished records, a table for each outcome; `weighted` is empty without weights.
    group_weight : ndarray, shape (K,), or None
        NaN where unknown.
    """

    labels: tuple[pa.Array, ...]
    counts: Floats | None
    moments: list[Floats]
    weighted: list[Floats]
    group_weight: Floats | None


def measure(
    rows: pa.RecordBatch, roles: Roles, first_row: int, space: Workspace | None = None, spare: Spare | None = None
) -> Part:
    """Compute the statistics of a tile of rows.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    roles : Roles
    first_row : int
        Number of the tile's first row in the data, for messages.
    space : Workspace, optional
        Memory to work in.
    spare : Spare, optional
        Where the tables of the part come from, and can be given back to.

    Returns
    -------
    Part

    Raises
    ------
    ValueNotAllowedError
        An infinite outcome; a negative or infinite weight; a group weight that varies within a group.
    """
    return _Tile(rows, roles, first_row, space or Workspace(), spare or Spare()).measure()


class _Tile:
    """Rows with their keys encoded."""

    def __init__(self, rows: pa.RecordBatch, roles: Roles, first_row: int, space: Workspace, spare: Spare) -> None:
        self._rows, self._roles, self._first_row, self._spare = rows, roles, first_row, spare
        self._keys: TileKeys = encode_rows([rows.column(name) for name in roles.keys], space)
        self._n_labels = len(self._keys.labels[0])

    def measure(self) -> Part:
        roles = self._roles
        counts = np.zeros((self._n_labels, 3))
        weight, group_weight = self._weights(counts)
        missing = np.zeros((len(roles.outcomes), self._n_labels))
        moments: list[Floats] = []
        weighted: list[Floats] = []
        for i, name in enumerate(roles.outcomes):
            column = self._rows.column(name)
            if weight is not None:
                column = as_arrow(np.where(weight > 0.0, as_floats(column), np.nan))
                weighted.append(self._weighted(name, column, weight))
            moments.append(self._moments(name, column, missing[i]))
        counts[:, 0] = missing[0]
        seen = moments[0][:, 0] + missing[0] > 0.0
        labels = self._keys.labels
        if not seen.all():
            places = np.flatnonzero(seen)
            labels = tuple(take(column, places) for column in labels)
            counts = counts[seen]
            moments, weighted = ([self._kept(table, seen) for table in tables] for tables in (moments, weighted))
            group_weight = None if group_weight is None else group_weight[seen]
        return Part(labels, counts if counts.any() else None, moments, weighted, group_weight)

    def _kept(self, table: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
        kept = self._spare.table(int(np.count_nonzero(seen)), table.shape[1])
        np.compress(seen, table, axis=0, out=kept)
        self._spare.give(table)
        return kept

    def _moments(self, name: str, column: pa.Array, missing: Floats) -> Floats:
        from fastml.kernels import moments as kernel

        keys = self._keys
        y, valid = _values(column)

        def fill(table: Floats) -> None:
            missing[:] = 0.0
            if keys.starts is None:
                kernel.accumulate_rows(keys.codes, y, valid, column.offset, table, missing)
            else:
                kernel.accumulate_runs(keys.starts, keys.codes, y, valid, column.offset, table, missing)

        return self._finished(name, column, fill, kernel.N_FIELDS)

    def _weighted(self, name: str, column: pa.Array, weight: Floats) -> Floats:
        from fastml.kernels import moments as kernel

        codes, y = self._keys.by_row(), np.asarray(column)
        return self._finished(
            name, column, lambda table: kernel.accumulate_weighted(codes, y, weight, table), kernel.N_WEIGHTED
        )

    def _finished(self, name: str, column: pa.Array, fill: Callable[[Floats], Any], n_fields: int) -> Floats:
        """Fill a table, again where digits would be lost, and finish it."""
        from fastml.kernels import moments as kernel

        table = self._spare.table(self._n_labels, n_fields)
        table[:, 1] = np.nan
        fill(table)
        if kernel.recentre(table):
            fill(table)
        if kernel.finish(table) >= 0:
            self._refuse_infinite(name, as_floats(column))
        return table

    def _weights(self, counts: Floats) -> tuple[Floats | None, Floats | None]:
        """Weights of the rows (1 where only groups have weights; NaN where any is missing) and of their groups."""
        from fastml.kernels import moments as kernel

        names = self._roles
        weight = as_floats(self._rows.column(names.weights)) if names.weights else None
        group_weight = None
        if names.group_weights:
            by_row = as_floats(self._rows.column(names.group_weights))
            weight = np.where(np.isnan(by_row), np.nan, 1.0 if weight is None else weight)
            group_weight = self._group_weight(names.group_weights, by_row)
        if weight is not None:
            bad = kernel.count_weights(self._keys.by_row(), weight, counts)
            if bad >= 0:
                raise ValueNotAllowedError(
                    f"weights column {names.weights!r} has {weight[bad]:g} {self._place(bad)}; "
                    "a weight is a finite number, 0 or more"
                )
            self._check_range("weights", names.weights, weight)
        return weight, group_weight

    def _check_range(self, role: str, name: str | None, weight: Floats) -> None:
        """Refuse weights so large or small that sums with them leave the range of doubles."""
        wrong = (weight > LARGEST_WEIGHT) | ((weight > 0.0) & (weight < SMALLEST_WEIGHT))
        if wrong.any():
            bad = int(np.argmax(wrong))
            raise ValueNotAllowedError(
                f"{role} column {name!r} has {weight[bad]:g} {self._place(bad)}; a weight is from {SMALLEST_WEIGHT:g} "
                f"to {LARGEST_WEIGHT:g}: multiply the column by a constant"
            )

    def _group_weight(self, name: str, by_row: Floats) -> Floats:
        """Weight of each group."""
        from fastml.kernels import moments as kernel

        wrong = ~np.isnan(by_row) & ~((by_row > 0.0) & np.isfinite(by_row))
        if wrong.any():
            bad = int(np.argmax(wrong))
            raise ValueNotAllowedError(
                f"group_weights column {name!r} has {by_row[bad]:g} {self._place(bad)}; "
                "a group's weight is a finite number above 0"
            )
        self._check_range("group_weights", name, by_row)
        known = np.full(self._n_labels, np.nan)
        nameless = np.zeros(self._n_labels, bool)
        for labels in self._keys.labels:
            nameless |= np.asarray(labels.is_null())
        if nameless.any():
            # Rows without a label are dropped, and may come from several groups.
            by_row = np.where(nameless[self._keys.by_row()], np.nan, by_row)
        bad = kernel.same_in_group(self._keys.by_row(), by_row, known)
        if bad >= 0:
            raise ValueNotAllowedError(
                f"group_weights column {name!r} varies within a group: {float(by_row[bad])!r} and "
                f"{float(known[self._keys.code_at(bad)])!r} {self._place(bad)}; a group has one weight"
            )
        return known

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
        code = self._keys.code_at(row)
        label = ", ".join(str(labels[code].as_py()) for labels in self._keys.labels)
        return f"in row {self._first_row + row:,} (the first is 0; {', '.join(self._roles.keys)} {label})"


def _values(column: pa.Array) -> tuple[Floats, Bytes]:
    """Values of a numeric column (n,), cast to doubles, and its validity bitmap, empty where nothing is null."""
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan), np.empty(0, np.uint8)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if not pa.types.is_float64(column.type):
        column = column.cast(pa.float64(), safe=False)
    bitmap, data = column.buffers()
    values = np.frombuffer(data or b"", np.float64)[column.offset : column.offset + len(column)]
    return values, np.frombuffer(bitmap if column.null_count else b"", np.uint8)
