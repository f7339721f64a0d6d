"""The pass over the rows: source -> keys -> GroupStats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa

from fastml.errors import FastmlError
from fastml.groupstats.statistics import GroupStats
from fastml.io.columns import check_numeric
from fastml.io.in_memory import Source
from fastml.io.source import open_source
from fastml.io.threads import thread_count
from fastml.kernels.workspace import SPARE, Workspace
from fastml.keys.encoder import are_clustered
from fastml.keys.key_table import check_key_type
from fastml.reduce.accumulator import _Gather
from fastml.reduce.columns import Roles
from fastml.reduce.tile import Part, measure, measure_runs
from fastml.reduce.tiles import Stretch, Tiles

__all__ = ["from_source"]

# Rows per tile, counted from the start of the stream: the unit of work, and of the order of additions, so that the
# result doesn't depend on how the rows came, nor on the number of threads. Twice as many would take an eighth less of
# shuffled rows in memory, and a third more of files, whose batches have as many and would be copied.
TILE_ROWS = 1 << 20

# Tiles that a thread takes at a time where all of them take but a few calls.
_TILES_AT_ONCE = 4

# Bytes of a part's records up to which it may be left for others to fold.
_SMALL = 1 << 22


def from_source(data: Any, roles: Roles, *, threads: int | None = None) -> GroupStats:
    """Read data once and gather its group statistics: source -> keys -> moments.

    Parameters
    ----------
    data : anything `fastml.io.source.open_source` takes
    roles : Roles
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
        _Crew(source, roles, gather).run(threads)
    return gather.finish()


class _Crew:
    """Threads that take tiles as they come, and fold what they made of them when the turn comes to each.

    So the order of additions is that of the tiles, and there are never more parts than threads; but for a small one or
    two that are left for others to fold, as processors are seldom equally fast, and all would wait for the slowest.
    """

    def __init__(self, source: Source, roles: Roles, gather: _Gather) -> None:
        self._tiles, self._roles, self._gather = Tiles(source.batches, TILE_ROWS), roles, gather
        self._no_copies = not roles.weighted and _are_taken_as_they_are(source.schema, roles)
        self._at_once = 1
        self._threads = 1
        self._begun: list[Stretch] = []  # taken before the threads start
        self._reading = threading.Lock()
        self._turn = threading.Condition()
        self._taken = 0  # stretches so far
        self._folded = -1  # the stretch of this number may be folded; none before all is ready
        self._left: dict[int, Part] = {}  # parts by number
        self._failure: BaseException | None = None
        self._space = Workspace(SPARE)

    def run(self, threads: int) -> None:
        """Work all tiles off on so many threads, this one among them."""
        batch = self._tiles.first_batch()
        if self._no_copies and batch is not None and batch.num_rows > TILE_ROWS:
            self._at_once = _TILES_AT_ONCE if are_clustered([batch.column(name) for name in self._roles.keys]) else 1
        self._begun = [self._tiles.take(self._at_once, threads) for _ in range(2 if threads > 1 else 1)]
        self._threads = threads if self._begun[-1].pieces else 1
        helpers: list[threading.Thread] = []
        try:
            for _ in range(self._threads - 1):
                helpers.append(threading.Thread(target=self._help, name="fastml"))
                helpers[-1].start()
            if helpers and not self._roles.weighted:
                self._gather.reserve()
            self._pass_on()
            self._work()
        except BaseException as error:  # an interrupt, anywhere
            self._stop(error)
        for helper in helpers:
            if helper.is_alive():
                helper.join()
        if self._failure is not None:
            raise self._failure
        self._space.release()

    def _help(self) -> None:
        try:
            self._work()
            self._space.release()
        except BaseException as error:
            self._stop(error)

    def _work(self) -> None:
        at_once, number = self._at_once, -1
        while self._failure is None:
            error: Exception | None = None
            try:
                with self._reading:
                    number = self._taken
                    self._taken += 1
                    stretch = self._begun.pop(0) if self._begun else self._tiles.take(at_once, self._threads)
                if stretch.pieces:
                    in_runs = self._add(stretch, number)
                    at_once = _TILES_AT_ONCE if self._no_copies and in_runs else 1
                    continue
            except Exception as raised:  # an interrupt waits for no turn
                error = raised
            # The end, or the first error in the order of the rows.
            if self._wait_for(number):
                self._stop(error)
            return

    def _add(self, stretch: Stretch, number: int) -> bool:
        """Measure a stretch, and fold it or leave that to others; return whether its rows were in runs."""
        for part, is_whole in self._parts(stretch):
            if (is_whole and self._leave(number, part)) or not self._wait_for(number):
                break
            self._fold(part)
        else:
            self._pass_on()
        return part.keys.are_runs

    def _parts(self, stretch: Stretch) -> Iterator[tuple[Part, bool]]:
        """Statistics of the tiles of a stretch, and whether of all: where that is as good as of one after another.

        Nobody holds the rows of a single tile once they are measured; nor its pieces, once they are copied.
        """
        if sum(piece.num_rows for piece in stretch.pieces) <= TILE_ROWS:
            yield self._measure(stretch.pieces, stretch.first_row), True
            return
        (rows,) = stretch.pieces
        try:
            part = measure_runs(rows, TILE_ROWS, self._roles, stretch.first_row, self._space)
        except FastmlError:  # that of the first tile is the one to tell
            part = None
        if part is not None:
            yield part, True
            return
        for first in range(0, rows.num_rows, TILE_ROWS):
            yield self._measure([rows.slice(first, TILE_ROWS)], stretch.first_row + first), False

    def _measure(self, pieces: list[pa.RecordBatch], first_row: int) -> Part:
        rows = pieces[0] if len(pieces) == 1 else _joined(pieces)
        pieces.clear()
        return measure(rows, self._roles, first_row, self._space)

    def _leave(self, number: int, part: Part) -> bool:
        """Leave a small part to whoever folds the one before; not where its turn has come, or enough are left."""
        if self._folded == number or part.n_bytes > _SMALL:
            return False
        part = part.kept()
        with self._turn:
            if self._folded == number or len(self._left) >= max(1, self._threads // 4):
                return False
            self._left[number] = part
        return True

    def _pass_on(self) -> None:
        """Give the turn to the next stretch, once those that were left are folded."""
        while True:
            with self._turn:
                self._folded += 1
                part = self._left.pop(self._folded, None)
                if part is None:
                    self._turn.notify_all()
                    return
            self._fold(part)

    def _wait_for(self, number: int) -> bool:
        """Wait for the turn of a stretch; False where all is over."""
        with self._turn:
            while self._folded < number and self._failure is None:
                self._turn.wait()
        return self._failure is None

    def _fold(self, part: Part) -> None:
        self._gather.add(part)
        SPARE.give(part.moments)
        if part.weighted is not None:
            SPARE.give(part.weighted)

    def _stop(self, error: BaseException | None) -> None:
        with self._turn:
            self._failure = self._failure or error
            self._folded += 1
            self._turn.notify_all()


def _are_taken_as_they_are(schema: pa.Schema, roles: Roles) -> bool:
    """Whether the kernels read keys and outcomes where they lie: several tiles of others would be copied at a time."""
    keys = [schema.field(name).type for name in roles.keys]
    outcomes = [schema.field(name).type for name in roles.outcomes]
    return all(pa.types.is_primitive(t) and t.bit_width == 64 for t in keys) and all(map(pa.types.is_float64, outcomes))


def _joined(pieces: list[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of several; dictionaries are decoded where Arrow can't unify them.

    It refuses those with nulls among their values, and takes those of half floats for integers (as of pyarrow 26).
    """
    halves = any(pa.types.is_dictionary(t) and pa.types.is_float16(t.value_type) for t in pieces[0].schema.types)
    if not halves:
        try:
            return pa.concat_batches(pieces)
        except pa.ArrowInvalid:
            if not any(map(pa.types.is_dictionary, pieces[0].schema.types)):
                raise
    return pa.concat_batches([
        pa.RecordBatch.from_arrays(
            [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in piece.columns], piece.schema.names
        )
        for piece in pieces
    ])  # fmt: skip
