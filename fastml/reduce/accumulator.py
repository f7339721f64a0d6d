"""Records of tiles -> the growing table of all groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError, WeightVariesError
from fastml.groupstats.statistics import GroupStats
from fastml.io.in_memory import Source
from fastml.kernels.workspace import SPARE
from fastml.keys.key_table import KeyTable
from fastml.keys.label_types import plain_type, repeat_tag
from fastml.keys.row_codes import RowCodes
from fastml.reduce.columns import Roles
from fastml.reduce.tile import Part

Floats = npt.NDArray[np.float64]

# Groups, and their records of all outcomes, that there is room for from the start where there are several tiles.
_CELLS, _RECORDS = 1 << 15, 1 << 17


class _Gather:
    """Folds the statistics of tiles into growing tables."""

    def __init__(self, source: Source, roles: Roles) -> None:
        self._roles = roles
        self._table = KeyTable([plain_type(source.schema.field(name).type) for name in roles.keys])
        self._counts: Floats | None = None  # none until a tile has such rows
        self._moments = np.zeros((0, len(roles.outcomes), 4))  # a group's records side by side
        self._begun = 0  # groups whose records are there, of nothing if they have no rows yet
        self._weighted = np.zeros((0, len(roles.outcomes), 5)) if roles.weighted else None
        self._group_weight = np.empty(0) if roles.group_weights else None

    def add(self, part: Part) -> None:
        """Fold one tile's statistics in."""
        from fastml.kernels.sums import moments as kernel

        keys = part.keys
        # Labels whose rows are all missing have no observations.
        if part.counts is not None or part.group_weight is not None or keys.is_fresh:
            self._learn(part)
        if part.counts is not None:
            into = keys.global_codes()[: len(part.counts)]
            some = part.counts.any(axis=1)
            if self._counts is None:
                self._counts = np.zeros((len(self._moments), 3))
            np.add.at(self._counts, into[some], part.counts[some])
        if part.group_weight is not None:
            self._note_weights(part.group_weight, keys)
        row = kernel.fold_raw(self._moments, keys.global_codes(), part.moments, 0)
        if row < part.moments.shape[1]:
            self._learn(part)
            kernel.fold_raw(self._moments, keys.global_codes(), part.moments, row)
        if self._weighted is not None:
            kernel.fold_raw(self._weighted, keys.global_codes(), part.weighted, 0)

    def _learn(self, part: Part) -> None:
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
            where = f"for {', '.join(self._roles.keys)} {label}"
            raise WeightVariesError(
                str(self._roles.group_weights), self._group_weight[places[bad]], weights[bad], where
            )

    def reserve(self) -> None:
        """Make room for the groups of most data, in memory of earlier calls where there is some."""
        p = len(self._roles.outcomes)
        self._moments, self._begun = SPARE.table(min(_CELLS, _RECORDS // p), p, 4), 0

    def _grow(self, n_cells: int) -> None:
        have = len(self._moments)
        if n_cells <= have:
            self._moments[self._begun : n_cells] = 0.0
            self._begun = max(self._begun, n_cells)
            return
        room = n_cells if have == 0 else max(n_cells, 2 * have)  # rows are often all in one tile
        if self._counts is not None:
            self._counts = _with_room(self._counts, room)
        self._moments, self._begun = _with_room(self._moments[: self._begun], room), room
        if self._weighted is not None:
            self._weighted = _with_room(self._weighted, room)
        if self._group_weight is not None:
            grown = np.full(room, np.nan)
            grown[:have] = self._group_weight
            self._group_weight = grown

    def finish(self) -> GroupStats:
        """Sort the cells by label, and add the tags."""
        roles = self._roles
        order, columns = self._table.sorted()
        keys = dict(zip(roles.keys, columns, strict=True))
        n_cells = len(order)
        counts = np.zeros((n_cells, 3)) if self._counts is None else np.take(self._counts, order, axis=0)
        moments = self._finished(self._moments, order)
        SPARE.give(self._moments)
        counts[:, 0] += moments[0, :, 0]
        for tag, value in roles.constant.items():
            keys[tag] = repeat_tag(tag, value, n_cells)
        group = (*roles.constant, *roles.group)
        return GroupStats(
            keys=pa.table({name: keys[name] for name in (*roles.split, *group)}),
            by=roles.split,
            group=group,
            outcomes=tuple(roles.outcomes),
            counts=counts,
            moments=moments,
            weighted=None if self._weighted is None else self._finished(self._weighted, order),
            group_weight=None if self._group_weight is None else self._group_weight[order],
            weights=roles.weights,
            group_weights=roles.group_weights,
        )

    def _finished(self, raw: Floats, order: npt.NDArray[np.int64]) -> Floats:
        """Finish the raw records of all outcomes (C, p, ...), sorted (p, C, ...)."""
        from fastml.kernels.sums import moments as kernel

        finished = np.empty((raw.shape[1], len(order), raw.shape[2]))
        bad = kernel.finish(raw, order, finished)
        if bad >= 0:
            raise ValueNotAllowedError(f"outcome column {self._roles.outcomes[bad]!r} has values too large to square; "
                                       "divide it by a constant")  # fmt: skip
        return finished


def _with_room(array: Floats, room: int) -> Floats:
    grown = np.zeros((room, *array.shape[1:]))
    grown[: len(array)] = array
    return grown
