"""The stream of batches, cut into tiles: the units of work, and of the order of additions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["Task", "Tiles"]

_ROUNDS = 1.5  # tasks for each thread, at least, in the rows that are left of a batch: so the last ones are short


@dataclass
class Task:
    """Rows that one thread takes: a tile, or several from one batch.

    Attributes
    ----------
    first_row : int
        Number of its first row in the data.
    slices : list of pyarrow.RecordBatch
        Of one batch or more, without a copy; empty where the stream has ended.
    """

    first_row: int
    slices: list[pa.RecordBatch]


class Tiles:
    """Tiles of a fixed number of rows, counted from the start of the stream, so that nothing depends on its batches.

    Parameters
    ----------
    batches : iterator of pyarrow.RecordBatch
    tile_rows : int
    first_row : int
        How many rows came before, in whole tiles.
    """

    def __init__(self, batches: Iterator[pa.RecordBatch], tile_rows: int, first_row: int = 0) -> None:
        self._batches, self._tile_rows = batches, tile_rows
        self._batch: pa.RecordBatch | None = None
        self._left = 0  # rows of the batch that weren't taken
        self._rows_taken = first_row
        self._round = 0  # tasks of one length still to come, and the length
        self._length = 1

    def take(self, most: int = 1, threads: int = 1) -> Task:
        """Take a tile, or up to `most` where the batch has many more.

        Tasks are as long as those that other threads take at the same time, so that all are done at about the same
        time, and shorter the fewer rows of the batch are left.
        """
        task = Task(self._rows_taken, [])
        room = self._tile_rows
        while room and self._next_batch():
            if not task.slices:
                if not self._round:
                    self._round = threads
                    self._length = max(1, round(self._left // self._tile_rows / (_ROUNDS * threads)))
                self._round -= 1
                room *= min(most, self._length)
            assert self._batch is not None
            rows = self._batch.slice(self._batch.num_rows - self._left, room)
            task.slices.append(rows)
            self._left -= rows.num_rows
            self._rows_taken += rows.num_rows
            room -= rows.num_rows
        return task

    def first_batch(self) -> pa.RecordBatch | None:
        """Return the batch that the first tile begins with, before it is taken."""
        return self._batch if self._next_batch() else None

    def _next_batch(self) -> bool:
        """Have a batch with rows to take; False at the end."""
        while not self._left:
            self._batch = next(self._batches, None)
            if self._batch is None:
                return False
            self._left, self._round = self._batch.num_rows, 0
        return True
