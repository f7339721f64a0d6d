"""The pass over the rows: source -> keys -> GroupStats."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ArgumentError, FastmlError, ValueNotAllowedError
from fastml.groupstats import GroupStats, check_numeric, repeat_tag
from fastml.keys import KeyTable, check_key_type, plain_type, sort_order
from fastml.labels import as_arrow
from fastml.sources import Source, open_source
from fastml.threads import thread_count
from fastml.tile import Part, Roles, measure
from fastml.workspace import Spare, Workspace

__all__ = ["check_roles", "from_source"]

Floats = npt.NDArray[np.float64]

# Rows per tile, counted from the start of the stream: the unit of work, and of the order of additions, so that the
# result doesn't depend on how the rows came, nor on the number of threads.
TILE_ROWS = 1 << 20


def from_source(
    data: Any,
    outcomes: Sequence[str],
    group: Sequence[str],
    by: Sequence[str] = (),
    *,
    weights: str | None = None,
    group_weights: str | None = None,
    tags: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> GroupStats:
    """Read data once and gather its group statistics: source -> keys -> moments.

    Parameters
    ----------
    data : anything `fastml.sources.open_source` takes
    outcomes, group, by : sequence of str
        Columns.
    weights, group_weights : str, optional
        Columns of the rows' and the groups' weights.
    tags : mapping, optional
        Constant key columns to add in front of the group's, so that school 5007 of 2019 isn't school 5007 of 2023.
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
    if tags is not None and not isinstance(tags, Mapping):
        raise ArgumentError("tags", tags, ["a mapping such as {'cycle': 2019}"])
    tags = dict(tags or {})
    keys = [*by, *group]
    check_roles(outcomes, group, by, tags)
    for role, column in (("weights", weights), ("group_weights", group_weights)):
        if column is not None and not isinstance(column, str):
            raise ArgumentError(role, column, ["a column's name"])
    source = open_source(data, [*keys, *outcomes, *(name for name in (weights, group_weights) if name)])
    for name in outcomes:
        check_numeric("outcome", source.schema.field(name))
    for role, column in (("weights", weights), ("group_weights", group_weights)):
        if column:
            check_numeric(role, source.schema.field(column))
    for name in keys:
        check_key_type("by" if name in by else "group", source.schema.field(name))
    roles = Roles(keys, list(outcomes), weights, group_weights)
    gather = _Gather(source, roles)
    spare = Spare()
    with closing(_parts(source, roles, threads, spare)) as parts:
        for part in parts:
            gather.add(part)
            for table in (*part.moments, *part.weighted):
                spare.give(table)
    return gather.finish(tuple(by), tuple(group), tags)


def check_roles(outcomes: Sequence[str], group: Sequence[str], by: Sequence[str], tags: Mapping[str, Any]) -> None:
    """Refuse names that are none, and columns of two roles.

    Raises
    ------
    FastmlError
    """
    for role, names in (("outcome", outcomes), ("group", group), ("by", by), ("tags", list(tags))):
        for name in names:
            if not isinstance(name, str):
                raise ArgumentError(role, name, ["a column's name"], "rename the column to a string")
        if len(set(names)) < len(names):
            raise FastmlError(f"{role}={list(names)!r} names a column twice")
    if not outcomes or not group:
        raise FastmlError("name an outcome and a group: fit(data, outcome='score', group='school')")
    for first, second, shared in (
        ("outcome", "group", set(outcomes) & set(group)),
        ("outcome", "by", set(outcomes) & set(by)),
        ("by", "group", set(by) & set(group)),
        ("tags", "group", set(tags) & {*group, *by}),
    ):
        if shared:
            raise FastmlError(f"column {min(shared)!r} is named as {first} and as {second}; a column has one role")


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


def _parts(source: Source, roles: Roles, threads: int, spare: Spare) -> Generator[Part]:
    """Statistics of the tiles, in their order, `threads` of them in the making at a time."""
    space = Workspace()

    def work(tile: list[pa.RecordBatch], index: int) -> Part:
        rows = tile[0] if len(tile) == 1 else pa.concat_batches(tile)
        return measure(rows, roles, index * TILE_ROWS, space, spare)

    tiles = enumerate(_tiles(source))
    first = next(tiles, None)
    if first is None:
        return
    second = next(tiles, None) if threads > 1 else None
    if second is None:
        yield work(first[1], first[0])
        for index, tile in tiles:
            yield work(tile, index)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads, "fastml")
    under_way: deque[Future[Part]] = deque()
    try:
        for index, tile in chain((first, second), tiles):
            if len(under_way) == threads:
                yield under_way.popleft().result()
            under_way.append(pool.submit(work, tile, index))
        while under_way:
            yield under_way.popleft().result()
    finally:
        # After an error, from the data or an interrupt, tiles that wait are dropped; those begun take milliseconds.
        pool.shutdown(wait=True, cancel_futures=True)


class _Gather:
    """Folds the statistics of tiles into growing tables."""

    def __init__(self, source: Source, roles: Roles) -> None:
        self._roles = roles
        self._table = KeyTable([plain_type(source.schema.field(name).type) for name in roles.keys])
        self._counts = np.zeros((0, 3))
        self._moments = np.zeros((len(roles.outcomes), 0, 4))
        weighted = roles.weights or roles.group_weights
        self._weighted = np.zeros((len(roles.outcomes), 0, 5)) if weighted else None
        self._group_weight = np.empty(0) if roles.group_weights else None

    def add(self, part: Part) -> None:
        """Fold one tile's statistics in."""
        from fastml.kernels import moments as kernel

        into = self._table.codes_for(part.labels)
        self._grow(len(self._table))
        if part.counts is not None:
            self._counts[into] += part.counts
        if part.group_weight is not None and self._group_weight is not None:
            bad = kernel.same_in_group(into, part.group_weight, self._group_weight)
            if bad >= 0:
                label = ", ".join(str(labels[bad].as_py()) for labels in part.labels)
                raise ValueNotAllowedError(
                    f"group_weights column {self._roles.group_weights!r} varies within a group: "
                    f"{float(self._group_weight[into[bad]])!r} and {float(part.group_weight[bad])!r} for "
                    f"{', '.join(self._roles.keys)} {label}; a group has one weight"
                )
        for table, more in zip(self._moments, part.moments, strict=True):
            kernel.fold(table, into, more)
        if self._weighted is not None:
            for table, more in zip(self._weighted, part.weighted, strict=True):
                kernel.fold(table, into, more)

    def _grow(self, n_cells: int) -> None:
        have = self._counts.shape[0]
        if n_cells <= have:
            return
        room = max(64, n_cells, 2 * have)
        self._counts = _with_room(self._counts, 0, room)
        self._moments = _with_room(self._moments, 1, room)
        if self._weighted is not None:
            self._weighted = _with_room(self._weighted, 1, room)
        if self._group_weight is not None:
            grown = np.full(room, np.nan)
            grown[:have] = self._group_weight
            self._group_weight = grown

    def finish(self, by: tuple[str, ...], group: tuple[str, ...], tags: Mapping[str, Any]) -> GroupStats:
        """Sort the cells by label, and add the tags."""
        roles = self._roles
        columns = self._table.labels()
        order = sort_order(columns)
        keys = dict(zip(roles.keys, columns, strict=True))
        n_cells = len(order)
        counts, moments = self._counts[:n_cells].copy(), self._moments[:, :n_cells]
        weighted = None if self._weighted is None else self._weighted[:, :n_cells]
        group_weight = None if self._group_weight is None else self._group_weight[:n_cells]
        if not np.array_equal(order, np.arange(n_cells)):
            take = as_arrow(order)
            keys = {name: column.take(take) for name, column in keys.items()}
            counts, moments = counts[order], np.take(moments, order, axis=1)
            weighted = None if weighted is None else np.take(weighted, order, axis=1)
            group_weight = None if group_weight is None else group_weight[order]
        for tag, value in tags.items():
            keys[tag] = repeat_tag(tag, value, n_cells)
        group = (*tags, *group)
        counts[:, 0] += moments[0, :, 0]
        return GroupStats(
            keys=pa.table({name: keys[name] for name in (*by, *group)}),
            by=by,
            group=group,
            outcomes=tuple(roles.outcomes),
            counts=counts,
            moments=moments,
            weighted=weighted,
            group_weight=group_weight,
            weights=roles.weights,
            group_weights=roles.group_weights,
        )


def _with_room(array: Floats, axis: int, room: int) -> Floats:
    shape = list(array.shape)
    shape[axis] = room
    grown = np.zeros(shape)
    grown[tuple(slice(length) for length in array.shape)] = array
    return grown
