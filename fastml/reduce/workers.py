"""The pass over the rows: source -> keys -> GroupStats."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain, groupby
from typing import Any

import pyarrow as pa

from fastml.errors import FastmlError
from fastml.groupstats.statistics import GroupStats
from fastml.io.columns import check_numeric
from fastml.io.in_memory import Source, check_indices
from fastml.io.source import Input, open_source
from fastml.io.threads import thread_count
from fastml.kernels.threads import Pool, call_in_order
from fastml.kernels.workspace import Workspace
from fastml.keys.encoder import are_clustered
from fastml.keys.key_table import check_key_type
from fastml.keys.row_codes import KeysMovedError
from fastml.reduce.accumulator import Accumulator
from fastml.reduce.columns import CallColumns
from fastml.reduce.missing_codes import Seen, tell
from fastml.reduce.tile import TileRecords, measure, measure_pieces, measure_runs
from fastml.reduce.tiles import Task, Tiles

__all__ = ["from_source"]

# Rows per tile, counted from the start of the stream: the unit of work, and of the order of additions, so that the
# result doesn't depend on how the rows came, nor on the number of threads. By default, pyarrow writes row groups of as
# many rows; of longer tiles more would have to be joined.
TILE_ROWS = 1 << 20

# Tiles that a thread takes at a time where one call of each kernel does for all of them.
_TILES_AT_ONCE = 4

# Rows of a piece of a tile, on average, from which on it takes longer to join pieces than to add one after another:
# where rows are shuffled, and where they are in runs. Those are added so fast that the Python for each piece counts.
_ROWS_PER_PIECE, _ROWS_PER_PIECE_OF_RUNS = 1 << 13, 1 << 16


def from_source(data: Any, columns: CallColumns, *, threads: int | None = None) -> GroupStats:
    """Read data once and gather its group statistics: source -> keys -> moments.

    Parameters
    ----------
    data : anything `fastml.io.source.open_source` takes
    columns : CallColumns
        By-columns that are tags are left to `fastml.reduce.build.statistics`.
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
    columns.check()
    pool = Pool(thread_count(threads))
    key = columns.keys[0] if len(columns.keys) == 1 else None
    space = Workspace()
    on_read = partial(_whole_tile, columns=columns, space=space)
    source = open_source(data, columns.to_read, columns.keys, unchecked=key, pool=pool, on_read=on_read)
    for name in columns.outcomes:
        check_numeric("outcome", source.schema.field(name))
    for name in columns.of_weights:
        check_numeric("weights" if name == columns.weights else "group_weights", source.schema.field(name))
    for name in columns.keys:
        check_key_type("by" if name in columns.by else "group", source.schema.field(name))
    accumulator, seen = Accumulator(source, columns), dict[str, Seen]()
    with closing(pool), closing(source.batches), closing(_Pass(source, columns, pool, space).parts()) as parts:
        for part in parts:
            accumulator.add(part)
            for name, found in part.seen.items():
                seen[name] = seen.get(name, Seen()) + found
    stats = accumulator.finish()
    tell(seen, columns.of_weights)
    if source.origins is None:
        return stats
    given = data if isinstance(data, Input) else Input(data)
    how = (given.condition, sorted(columns.constant.items()), *([columns.missing] if columns.missing else []))
    return replace(stats, origins=source.origins(repr(how)))


def _whole_tile(rows: pa.RecordBatch, first_row: int, columns: CallColumns, space: Workspace) -> TileRecords | None:
    """Statistics of a batch that is a tile, on the thread that has just read it."""
    if first_row % TILE_ROWS or rows.num_rows != TILE_ROWS:
        return None
    try:
        return measure(rows, columns, first_row, space).kept()
    except (FastmlError, KeysMovedError):
        return None  # what is wrong is told when it is this tile's turn


class _Pass:
    """Tiles measured by a pool of threads, a few at a time; their statistics in the order of the rows."""

    def __init__(self, source: Source, columns: CallColumns, pool: Pool, space: Workspace) -> None:
        self._source, self._columns, self._pool, self._space = source, columns, pool, space
        self._no_copies = not columns.weighted and _are_read_in_place(source.schema, columns)
        self._are_runs = True  # whether the last tiles were; assumed of the first

    def parts(self) -> Generator[TileRecords, None, None]:
        """Statistics of all tiles, or of several together; the first error in the order of the rows in its place."""
        with closing(self._space), closing(call_in_order(self._calls(), self._pool)) as results:
            for part in chain.from_iterable(results):
                self._are_runs = part.keys.are_runs
                yield part

    def _calls(self) -> Iterator[Callable[[], list[TileRecords]]]:
        first_row = 0
        try:
            for are_measured, items in groupby(self._source.batches, lambda item: isinstance(item, TileRecords)):
                if are_measured:
                    for part in items:
                        first_row += TILE_ROWS
                        yield partial(list, [part])
                else:
                    tiles = Tiles(items, TILE_ROWS, first_row)
                    self._look_ahead(tiles.first_batch())
                    while (task := tiles.take(self._at_once(), self._pool.threads)).slices:
                        yield partial(self._measure, task)
                    first_row = task.first_row
        except Exception as error:  # raised in its place, after what is wrong with the rows before
            yield partial(_fail, error)

    def _at_once(self) -> int:
        return _TILES_AT_ONCE if self._no_copies and self._are_runs else 1

    def _look_ahead(self, batch: pa.RecordBatch | None) -> None:
        """Take several tiles at a time from the first on, where they look as if they were clustered."""
        if self._no_copies and batch is not None and batch.num_rows > TILE_ROWS:
            self._are_runs = are_clustered([batch.column(name) for name in self._columns.keys])

    def _measure(self, task: Task) -> list[TileRecords]:
        """Statistics of a task's tiles: together where that gives the bits of one after another."""
        n_rows = sum(rows.num_rows for rows in task.slices)
        if n_rows <= TILE_ROWS:
            part = self._in_pieces(task, n_rows)
            if part is not None:
                return [part]
            rows = task.slices[0] if len(task.slices) == 1 else self._as_one(task)
            task.slices.clear()  # nobody holds what was copied
            return [self._tile(rows, task.first_row)]
        (rows,) = task.slices
        try:
            part = measure_runs(rows, TILE_ROWS, self._columns, task.first_row, self._space)
        except FastmlError:  # that of the first tile is the one to tell
            part = None
        if part is not None:
            return [part.kept()]
        return [
            self._tile(rows.slice(first, TILE_ROWS), task.first_row + first)
            for first in range(0, rows.num_rows, TILE_ROWS)
        ]

    def _in_pieces(self, task: Task, n_rows: int) -> TileRecords | None:
        """Statistics of a tile in pieces; None where it is a whole one, or has to be made one."""
        n_pieces, columns = len(task.slices), self._columns
        least = _ROWS_PER_PIECE_OF_RUNS if self._are_runs else _ROWS_PER_PIECE
        if n_pieces == 1 or n_pieces * least > n_rows or len(columns.keys) > 1 or columns.weighted:
            return None
        part = measure_pieces(task.slices, columns, task.first_row, self._space)
        return None if part is None else part.kept()

    def _tile(self, rows: pa.RecordBatch, first_row: int) -> TileRecords:
        try:
            return measure(rows, self._columns, first_row, self._space).kept()
        except KeysMovedError:
            self._check_indices(rows, first_row)
            raise

    def _as_one(self, task: Task) -> pa.RecordBatch:
        first_row = task.first_row
        for rows in task.slices:
            self._check_indices(rows, first_row)  # Arrow doesn't when it unifies dictionaries
            first_row += rows.num_rows
        return _joined(task.slices)

    def _check_indices(self, rows: pa.RecordBatch, first_row: int) -> None:
        for name in self._columns.keys:
            check_indices(name, rows.column(name), self._source.name, first_row)


def _fail(error: Exception) -> list[TileRecords]:
    raise error


def _are_read_in_place(schema: pa.Schema, columns: CallColumns) -> bool:
    """Whether the kernels read keys and outcomes where they lie; of others, several tiles would be copied at a time."""
    keys = [schema.field(name).type for name in columns.keys]
    outcomes = [schema.field(name).type for name in columns.outcomes]
    return all(pa.types.is_primitive(t) and t.bit_width == 64 for t in keys) and all(map(pa.types.is_float64, outcomes))


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of several; dictionaries are decoded where Arrow can't unify them.

    It refuses those with nulls among their values, and takes those of half floats for integers (as of pyarrow 26).
    """
    halves = any(pa.types.is_dictionary(t) and pa.types.is_float16(t.value_type) for t in batches[0].schema.types)
    if not halves:
        try:
            return pa.concat_batches(batches)
        except pa.ArrowInvalid:
            if not any(map(pa.types.is_dictionary, batches[0].schema.types)):
                raise
    return pa.concat_batches([
        pa.RecordBatch.from_arrays(
            [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns], batch.schema.names
        )
        for batch in batches
    ])  # fmt: skip
