"""The pass over the rows: source -> keys -> GroupStats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.columns import check_numeric, repeat_tag
from fastml.errors import ValueNotAllowedError
from fastml.groupstats import GroupStats
from fastml.keys import KeyTable, check_key_type, plain_type, sort_order
from fastml.labels import take
from fastml.roles import Roles
from fastml.sources import Source, open_source
from fastml.threads import thread_count
from fastml.tile import Part, measure
from fastml.tilekeys import TileKeys
from fastml.workspace import Spare, Workspace

__all__ = ["from_source"]

Floats = npt.NDArray[np.float64]

# Rows per tile, counted from the start of the stream: the unit of work, and of the order of additions, so that the
# result doesn't depend on how the rows came, nor on the number of threads.
TILE_ROWS = 1 << 20


def from_source(data: Any, roles: Roles, *, threads: int | None = None) -> GroupStats:
    """Read data once and gather its group statistics: source -> keys -> moments.

    Parameters
    ----------
    data : anything `fastml.sources.open_source` takes
    roles : Roles
        By-columns that are tags are left to `fastml.intake.statistics`.
    threads : int, optional
        Threads to read with; else the environment variable FASTML_NUM_THREADS, else one for each processor, up to 8.
        The result is the same for any number, bit for bit.

    Returns
    -------
    GroupStats

    Raises
    ------
    ColumnTypeError
        An outcome or a weight isn't numeric, a key is nested.
    ValueNotAllowedError
        An infinite outcome; a negative or infinite weight; a group weight that varies within a group.
    """
    threads = thread_count(threads)
    source = open_source(data, roles.columns())
    for name in roles.outcomes:
        check_numeric("outcome", source.schema.field(name))
    for role, column in (("weights", roles.weights), ("group_weights", roles.group_weights)):
        if column:
            check_numeric(role, source.schema.field(column))
    for name in roles.keys:
        check_key_type("by" if name in roles.by else "group", source.schema.field(name))
    gather = _Gather(source, roles)
    with closing(source.batches):
        _Crew(_tiles(source), roles, gather).run(threads)
    return gather.finish()


def _tiles(source: Source) -> Iterator[list[pa.RecordBatch]]:
    """Cut the stream into tiles of TILE_ROWS rows, each in as many pieces as it takes from batches."""
    held: list[pa.RecordBatch] = []
    room = TILE_ROWS
    for batch in source.batches:
        at = 0
        while batch.num_rows - at >= room:
            held.append(batch.slice(at, room))
            at += room
            yield held
            held, room = [], TILE_ROWS
        if at < batch.num_rows:
            held.append(batch.slice(at))
            room -= batch.num_rows - at
    if held:
        yield held


class _Crew:
    """Threads that take tiles as they come, and fold what they made of them when the turn comes to each.

    So there are never more parts than threads, and the order of additions is that of the tiles.
    """

    def __init__(self, tiles: Iterator[list[pa.RecordBatch]], roles: Roles, gather: _Gather) -> None:
        self._tiles, self._roles, self._gather = tiles, roles, gather
        self._reading = threading.Lock()
        self._turn = threading.Condition()
        self._folded = 0  # tiles so far: whose index it is may fold
        self._taken = 0
        self._failure: BaseException | None = None
        self._space, self._spare = Workspace(), Spare()

    def run(self, threads: int) -> None:
        """Work all tiles off on so many threads, this one among them."""
        first = next(self._tiles, None)
        second = next(self._tiles, None) if threads > 1 else None
        begun = [tile for tile in (first, second) if tile is not None]
        self._tiles = chain(begun, self._tiles)
        helpers = [threading.Thread(target=self._work, name="fastml") for _ in range(threads - 1 if second else 0)]
        for helper in helpers:
            helper.start()
        try:
            self._work()
        except BaseException as error:  # an interrupt, anywhere
            self._stop(error)
        for helper in helpers:
            helper.join()
        if self._failure is not None:
            raise self._failure

    def _measure(self, tile: list[pa.RecordBatch], index: int) -> Part:
        """Statistics of a tile, whose rows nobody holds from then on; nor its pieces, once they are copied."""
        rows = tile[0] if len(tile) == 1 else pa.concat_batches(tile)
        tile.clear()
        return measure(rows, self._roles, index * TILE_ROWS, self._space, self._spare)

    def _work(self) -> None:
        while self._failure is None:
            part: Part | BaseException | None = None
            try:
                with self._reading:
                    index = self._taken
                    self._taken += 1
                    tile = next(self._tiles, None)
                if tile is not None:
                    part = self._measure(tile, index)
            except BaseException as error:
                part = error
            with self._turn:
                while self._folded < index and self._failure is None:
                    self._turn.wait()
            if self._failure is not None:
                return
            if isinstance(part, Part):
                try:
                    self._fold(part)
                except BaseException as error:
                    part = error
            if not isinstance(part, Part):
                # The end, or the first error in the order of the rows.
                self._stop(part)
                return
            with self._turn:
                self._folded += 1
                self._turn.notify_all()

    def _fold(self, part: Part) -> None:
        self._gather.add(part)
        for table in {id(records.table): records.table for records in (*part.moments, *part.weighted)}.values():
            self._spare.give(table)

    def _stop(self, error: BaseException | None) -> None:
        with self._turn:
            self._failure = self._failure or error
            self._folded += 1
            self._turn.notify_all()


class _Gather:
    """Folds the statistics of tiles into growing tables."""

    def __init__(self, source: Source, roles: Roles) -> None:
        self._roles = roles
        self._table = KeyTable([plain_type(source.schema.field(name).type) for name in roles.keys])
        self._counts = np.zeros((0, 3))
        self._counted = False
        self._moments = np.zeros((len(roles.outcomes), 0, 4))
        self._weighted = np.zeros((len(roles.outcomes), 0, 5)) if roles.weighted else None
        self._group_weight = np.empty(0) if roles.group_weights else None

    def add(self, part: Part) -> None:
        """Fold one tile's statistics in."""
        from fastml.kernels import moments as kernel

        keys = part.keys
        if part.counts is not None or keys.is_fresh:  # labels whose rows are all missing have no observations
            self._learn(part)
        if part.counts is not None:
            into = keys.known()
            some = part.counts.any(axis=1)
            np.add.at(self._counts, into[some], part.counts[some])
            self._counted = True
            if part.group_weight is not None:
                self._note_weights(into, part.group_weight, keys)
        for i, more in enumerate(part.moments):
            row = kernel.fold_raw(self._moments[i], keys.known(), more.table, more.first, more.step, 0)
            if row < len(more.table):
                self._learn(part)
                kernel.fold_raw(self._moments[i], keys.known(), more.table, more.first, more.step, row)
        if self._weighted is not None:
            for table, more in zip(self._weighted, part.weighted, strict=True):
                kernel.fold_raw(table, keys.known(), more.table, more.first, more.step, 0)

    def _learn(self, part: Part) -> None:
        """Give the tile's labels their codes, and make room for them."""
        part.keys.table.learn(self._table, part.used())
        self._grow(len(self._table))

    def _note_weights(self, into: npt.NDArray[np.int32], weights: Floats, keys: TileKeys) -> None:
        """Note the weights of groups (K,), NaN where unknown, which are the same in all tiles."""
        from fastml.kernels import moments as kernel

        known = ~np.isnan(weights)
        places, weights = into[known], weights[known]
        bad = kernel.same_in_group(places, weights, self._group_weight)
        if bad >= 0:
            assert self._group_weight is not None
            place = np.flatnonzero(known)[bad : bad + 1]
            label = ", ".join(str(labels[0].as_py()) for labels in keys.table.take(place))
            raise ValueNotAllowedError(
                f"group_weights column {self._roles.group_weights!r} varies within a group: "
                f"{float(self._group_weight[places[bad]])!r} and {float(weights[bad])!r} for "
                f"{', '.join(self._roles.keys)} {label}; a group has one weight"
            )

    def _grow(self, n_cells: int) -> None:
        have = self._counts.shape[0]
        if n_cells <= have:
            return
        room = n_cells if have == 0 else max(n_cells, 2 * have)  # rows are often all in one tile
        self._counts = _with_room(self._counts, 0, room)
        self._moments = _with_room(self._moments, 1, room)
        if self._weighted is not None:
            self._weighted = _with_room(self._weighted, 1, room)
        if self._group_weight is not None:
            grown = np.full(room, np.nan)
            grown[:have] = self._group_weight
            self._group_weight = grown

    def finish(self) -> GroupStats:
        """Sort the cells by label, and add the tags."""
        roles = self._roles
        columns = self._table.labels()
        order = sort_order(columns)
        keys = dict(zip(roles.keys, columns, strict=True))
        n_cells = len(order)
        counts = self._counts[:n_cells]
        moments = self._finished(self._moments[:, :n_cells])
        weighted = None if self._weighted is None else self._finished(self._weighted[:, :n_cells])
        group_weight = None if self._group_weight is None else self._group_weight[:n_cells]
        if not np.array_equal(order, np.arange(n_cells)):
            keys = {name: take(column, order) for name, column in keys.items()}
            moments = np.take(moments, order, axis=1)
            counts = np.take(counts, order, axis=0) if self._counted else counts
            weighted = None if weighted is None else np.take(weighted, order, axis=1)
            group_weight = None if group_weight is None else group_weight[order]
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
            weighted=weighted,
            group_weight=group_weight,
            weights=roles.weights,
            group_weights=roles.group_weights,
        )

    def _finished(self, tables: Floats) -> Floats:
        """Finish the raw records of all outcomes, in place."""
        from fastml.kernels import moments as kernel

        for name, table in zip(self._roles.outcomes, tables, strict=True):
            if kernel.finish(table) >= 0:
                raise ValueNotAllowedError(f"outcome column {name!r} has values too large to square; "
                                           "divide it by a constant")  # fmt: skip
        return tables


def _with_room(array: Floats, axis: int, room: int) -> Floats:
    shape = list(array.shape)
    shape[axis] = room
    grown = np.zeros(shape)
    grown[tuple(slice(length) for length in array.shape)] = array
    return grown
