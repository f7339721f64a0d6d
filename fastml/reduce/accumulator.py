"""Records of tiles -> the growing table of all groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError, WeightVariesError
from fastml.groupstats.statistics import GroupStats
from fastml.io.in_memory import Source
from fastml.io.plain_arrays import plain_type
from fastml.keys.key_table import KeyTable, check_ids
from fastml.keys.label_types import repeat_tag
from fastml.keys.row_codes import RowCodes
from fastml.reduce.columns import CallColumns
from fastml.reduce.tile import TileRecords

Floats = npt.NDArray[np.float64]


class Accumulator:
    """Folds the statistics of tiles into growing tables."""

    def __init__(self, source: Source, columns: CallColumns) -> None:
        self._columns = columns
        self._types = [plain_type(source.schema.field(name).type) for name in columns.keys]
        self._table = KeyTable(self._types)
        self._counts: Floats | None = None  # none until a tile has such rows
        self._moments = np.zeros((0, len(columns.outcomes), 4))  # a group's records side by side
        self._weighted = np.zeros((0, len(columns.outcomes), 5)) if columns.weighted else None
        self._group_weight = np.empty(0) if columns.group_weights else None

    def add(self, part: TileRecords) -> None:
        """Fold one tile's statistics in."""
        from fastml.kernels.sums import moments as kernel

        keys = part.keys
        # Labels whose rows are all missing have no observations.
        if part.counts is not None or part.group_weight is not None or keys.is_fresh:
            self._look_up(part)
        if part.counts is not None:
            into = keys.global_codes()[: len(part.counts)]
            if self._counts is None:
                self._counts = np.zeros((len(self._moments), 3))
            for total, counts in zip(self._counts.T, part.counts.T, strict=True):
                some = counts > 0.0  # others may have no code yet
                total += np.bincount(into[some], counts[some], len(total))
        if part.group_weight is not None:
            self._note_weights(part.group_weight, keys)
        row = kernel.fold_raw(self._moments, keys.global_codes(), part.moments, 0)
        if row < part.moments.shape[1]:
            self._look_up(part)
            kernel.fold_raw(self._moments, keys.global_codes(), part.moments, row)
        if self._weighted is not None:
            kernel.fold_raw(self._weighted, keys.global_codes(), part.weighted, 0)

    def _look_up(self, part: TileRecords) -> None:
        """Give the tile's labels their codes, and make room for them."""
        part.keys.dictionary.look_up(self._table, part.used())
        self._grow(len(self._table))

    def _note_weights(self, weights: Floats, keys: RowCodes) -> None:
        """Note the weights of groups, by record, NaN where unknown, which are the same in all tiles."""
        from fastml.kernels.sums import weighted as kernel

        known = ~np.isnan(weights)
        places, weights = keys.global_codes()[: len(weights)][known], weights[known]
        bad = kernel.same_in_group(places, weights, self._group_weight)
        if bad >= 0:
            assert self._group_weight is not None
            label = keys.label_text(int(np.flatnonzero(known)[bad]))
            where = f"for {', '.join(self._columns.keys)} {label}"
            raise WeightVariesError(
                str(self._columns.group_weights), self._group_weight[places[bad]], weights[bad], where
            )

    def _grow(self, n_cells: int) -> None:
        have = len(self._moments)
        if n_cells <= have:
            return
        if have == 0 and not all(map(pa.types.is_integer, self._types)):  # what is no id is seldom one at the start
            for name, labels in zip(self._columns.keys, self._table.labels(), strict=True):
                if name in self._columns.group:
                    check_ids(name, labels)
        room = n_cells if have == 0 else max(n_cells, 2 * have)  # rows are often all in one tile
        if self._counts is not None:
            self._counts = _with_room(self._counts, room)
        self._moments = _with_room(self._moments, room)
        if self._weighted is not None:
            self._weighted = _with_room(self._weighted, room)
        if self._group_weight is not None:
            grown = np.full(room, np.nan)
            grown[:have] = self._group_weight
            self._group_weight = grown

    def finish(self) -> GroupStats:
        """Sort the cells by label, and add the tags."""
        columns = self._columns
        order, labels = self._table.sorted()
        keys = dict(zip(columns.keys, labels, strict=True))
        for name in columns.group:
            check_ids(name, keys[name])
        n_cells = len(order)
        counts = np.zeros((n_cells, 3)) if self._counts is None else np.take(self._counts, order, axis=0)
        moments = self._finished(self._moments, order)
        counts[:, 0] += moments[0, :, 0]
        for tag, value in columns.constant.items():
            keys[tag] = repeat_tag(tag, value, n_cells)
        group = (*columns.constant, *columns.group)
        return GroupStats(
            keys=pa.table({name: keys[name] for name in (*columns.split, *group)}),
            by=columns.split,
            group=group,
            outcomes=tuple(columns.outcomes),
            counts=counts,
            moments=moments,
            weighted=None if self._weighted is None else self._finished(self._weighted, order),
            group_weight=None if self._group_weight is None else self._group_weight[order],
            weights=columns.weights,
            group_weights=columns.group_weights,
        )

    def _finished(self, raw: Floats, order: npt.NDArray[np.int64]) -> Floats:
        """Finish the raw records of all outcomes (C, p, ...), sorted (p, C, ...), perhaps where they lie."""
        from fastml.kernels.sums import moments as kernel

        are_sorted = (order[1:] > order[:-1]).all()
        records = raw[: len(order)] if are_sorted else np.take(raw, order, axis=0)
        finished = np.ascontiguousarray(records.swapaxes(0, 1))
        kernel.finish(finished.reshape(-1, raw.shape[2]))
        if not np.isfinite(finished).all():
            name = self._columns.outcomes[int(np.argmin(np.isfinite(finished).all(axis=(1, 2))))]
            raise ValueNotAllowedError(
                f"outcome column {name!r} has values too large to square; divide it by a constant"
            )
        return finished


def _with_room(array: Floats, room: int) -> Floats:
    grown = np.zeros((room, *array.shape[1:]))
    grown[: len(array)] = array
    return grown
