"""The stream of batches, cut into tiles: the units of work, and of the order of additions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["Stretch", "Tiles"]

_ROUNDS = 1.5  # that the rows left of a batch are cut for: the last ones are short


@dataclass
class Stretch:
    """Rows that one thread takes: a tile, or several whose rows lie in one piece.

    Attributes
    ----------
    first_row : int
        Number of its first row in the data.
    pieces : list of pyarrow.RecordBatch
        In as many as it takes from batches; empty where the stream has ended.
    """

    first_row: int
    pieces: list[pa.RecordBatch]


class Tiles:
    """Tiles of a fixed number of rows, counted from the start of the stream, so that nothing depends on its batches.

    Parameters
    ----------
    batches : iterator of pyarrow.RecordBatch
    tile_rows : int
    """

    def __init__(self, batches: Iterator[pa.RecordBatch], tile_rows: int) -> None:
        self._batches, self._tile_rows = batches, tile_rows
        self._batch: pa.RecordBatch | None = None
        self._left = 0  # rows of the batch that weren't taken
        self._rows_taken = 0
        self._round = 0  # stretches of one length still to come, and the length
        self._length = 1

    def take(self, most: int = 1, threads: int = 1) -> Stretch:
        """Take a tile, or up to `most` where the batch has many more.

        Stretches are as long as those that other threads take at the same time, so that none waits long for its turn,
        and shorter the fewer rows of the batch are left.
        """
        stretch = Stretch(self._rows_taken, [])
        room = self._tile_rows
        while room and self._next_batch():
            if not stretch.pieces:
                if not self._round:
                    self._round = threads
                    self._length = max(1, round(self._left // self._tile_rows / (_ROUNDS * threads)))
                self._round -= 1
                room *= min(most, self._length)
            assert self._batch is not None
            piece = self._batch.slice(self._batch.num_rows - self._left, room)
            stretch.pieces.append(piece)
            self._left -= piece.num_rows
            self._rows_taken += piece.num_rows
            room -= piece.num_rows
        return stretch

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
