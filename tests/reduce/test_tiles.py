"""How the stream is cut: tiles of a fixed length, and tasks of several, whose statistics have the tiles' bits."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import fastml
from fastml.reduce import workers
from fastml.reduce.tiles import Tiles

TILE = 100


def batches(*lengths: int) -> list[pa.RecordBatch]:
    ends = np.cumsum(lengths)
    return [pa.record_batch({"row": np.arange(end - n, end)}) for n, end in zip(lengths, ends, strict=True)]


def cut(given: list[pa.RecordBatch], most: int, threads: int) -> list[list[int]]:
    """Lengths of the slices of each task; the rows are all there, in order."""
    tiles, found, seen = Tiles(iter(given), TILE), [], []
    assert tiles.first_batch() is (next((batch for batch in given if batch.num_rows), None))
    while (task := tiles.take(most, threads)).slices:
        assert task.first_row == len(seen)
        found.append([rows.num_rows for rows in task.slices])
        seen += [row for rows in task.slices for row in rows["row"].to_pylist()]
    assert seen == list(range(sum(batch.num_rows for batch in given)))
    assert not tiles.take().slices
    return found


def test_tiles_are_counted_from_the_start_of_the_stream() -> None:
    assert cut(batches(250), 1, 2) == [[100], [100], [50]]
    assert cut(batches(30, 0, 250, 20), 1, 2) == [[30, 70], [100], [80, 20]]
    assert cut(batches(100, 100), 4, 1) == [[100], [100]]
    assert cut(batches(0, 0), 1, 1) == []
    assert cut([], 1, 1) == []


def test_tasks_are_of_one_length_for_all_threads_and_shorter_in_the_end() -> None:
    assert cut(batches(1950), 4, 2) == [[400]] * 4 + [[100]] * 3 + [[50]]
    assert cut(batches(1950), 4, 1) == [[400]] * 4 + [[200], [100], [50]]
    assert cut(batches(1950), 1, 2) == [[100]] * 19 + [[50]]
    # What is cut from two batches is a tile: one copy of what is on the edge.
    assert cut(batches(50, 1200), 4, 2)[:3] == [[50, 50], [400], [400]]
    # Whatever the batches, the tiles are the same.
    for threads in (1, 2, 3, 4, 8):
        for given in (batches(2350), batches(*[130] * 18, 10), batches(1, 2349), batches(1000, 1350)):
            tiles, ends = Tiles(iter(given), TILE), set()
            while (task := tiles.take(4, threads)).slices:
                n_rows = sum(rows.num_rows for rows in task.slices)
                assert len(task.slices) == 1 or n_rows <= TILE
                ends |= {*range(task.first_row, task.first_row + n_rows, TILE)}
            assert ends == {*range(0, 2350, TILE)}


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("tile", [7, 100])
def test_no_row_is_lost_however_batches_end(tile: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TILE_ROWS", tile)
    for first in (*range(5 * tile, 30 * tile, tile), 176, 489):
        n = first + 4 * tile + 3
        table = pa.table({"id": np.arange(n) // 50, "y": np.arange(n) % 17 / 1.0})
        parts = pa.concat_tables([table.slice(0, first), table.slice(first)])
        found = fastml.group_stats(parts, "y", "id", threads=threads)
        assert found.moments.tobytes() == fastml.group_stats(table, "y", "id", threads=1).moments.tobytes()
        assert found.moments[0, :, 0].sum() == n


def clustered(kind: str) -> pa.Table:
    rng = np.random.default_rng(5)
    sizes = rng.integers(20, 60, 150)
    ids = np.repeat(rng.permutation(50)[rng.integers(0, 50, 150)], sizes)
    n = len(ids)
    y, z = rng.normal(500.0, 80.0, n) + ids, rng.normal(0.0, 1.0, n)
    missing = np.zeros(n, bool)
    if "one tile shuffled" in kind:
        ids[2 * TILE : 3 * TILE] = np.arange(TILE) % 50
    if "nan" in kind:
        y[rng.random(n) < 0.1] = math.nan
    if "null" in kind:
        missing = rng.random(n) < 0.1
    if "wild" in kind:
        y[:: 7 * TILE] = 1e9
    if "floats" in kind:
        ids = ids + 5000.0
    if "huge" in kind:
        ids = ids * 2.0**60  # whole, and beyond integers
    key = pa.array(ids, pa.int32()) if "int32" in kind else pa.array(ids)
    if "strings" in kind:
        key = pa.array([f"s{label}" for label in ids.tolist()])
    if "key nulls" in kind:
        key = pa.array(ids, mask=rng.random(n) < 0.01)
    if "whole scores" in kind:
        z = np.round(100.0 * z).astype(np.int64)
    return pa.table({"id": key, "y": pa.array(y, mask=missing), "z": z})


TOGETHER = ["plain", "nan", "null", "wild", "floats", "huge"]
SOME = ["one tile shuffled", "key nulls"]
APART = ["strings", "int32", "whole scores"]


@pytest.mark.parametrize("kind", TOGETHER + SOME + APART)
def test_tasks_have_the_bits_of_tiles(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = clustered(kind)
    monkeypatch.setattr(workers, "TILE_ROWS", TILE)
    together = 0

    def counted(*args: Any) -> Any:
        nonlocal together
        part = measure_runs(*args)
        together += part is not None
        return part

    measure_runs = workers.measure_runs
    monkeypatch.setattr(workers, "measure_runs", counted)
    bytes_of = set()
    for at_once in (1, 4):
        monkeypatch.setattr(workers, "_TILES_AT_ONCE", at_once)
        for threads in (1, 2, 8):
            for copied in (table, pa.Table.from_batches(table.to_batches(130))):
                stats = fastml.group_stats(copied, ["y", "z"], "id", threads=threads)
                bytes_of.add((stats.moments.tobytes(), stats.counts.tobytes(), str(stats.keys.to_pydict())))
    assert len(bytes_of) == 1
    if kind in TOGETHER:
        assert together > 20
    assert together > 0 or kind in APART
    assert together == 0 or kind not in APART


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_of_several_errors_in_a_task_the_first_tile_s_is_told(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TILE_ROWS", TILE)
    table = clustered("plain")
    y, z = (np.array(table[name]).copy() for name in "yz")
    y[350], z[250] = math.inf, -math.inf
    with pytest.raises(fastml.FastmlError, match=r"^outcome column 'z' has -inf in row 250 \(the first is 0; id \d+\)"):
        fastml.group_stats({"id": table["id"], "y": y, "z": z}, ["y", "z"], "id", threads=threads)


@pytest.mark.parametrize(
    "kind",
    ["integers", "narrow", "missing", "clustered", "floats", "two columns", "weights", "whole outcomes", "decimals"],
)
def test_tiles_on_the_edge_of_batches_have_the_bits_of_those_in_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TILE_ROWS", 20_000)
    monkeypatch.setattr(workers, "_ROWS_PER_PIECE_OF_RUNS", 4_000)
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 300, 70_000)
    ids = np.sort(ids) if kind == "clustered" else ids
    y = 500.0 + ids % 17 + 80.0 * rng.normal(size=len(ids))
    data: dict[str, Any] = {"id": ids * 1.0 if kind == "floats" else ids, "y": y, "w": rng.uniform(1.0, 2.0, len(ids))}
    if kind == "missing":
        data["y"] = pa.array(y, mask=rng.random(len(y)) < 0.1)
    if kind == "whole outcomes":
        data["y"] = y.astype(np.int64)
    if kind == "decimals":  # one of which no double has all digits
        cents = (y * 1000).astype(np.int64)
        cents[0] = 2**53 + 12345
        data["y"] = pa.array([Decimal(c).scaleb(-3) for c in cents.tolist()], pa.decimal128(20, 3))
    if kind == "narrow":
        data["id"] = ids.astype(np.int32)
    table, keys = pa.table(data | {"c": ids % 3}), ["c", "id"] if kind == "two columns" else ["id"]
    weights = "w" if kind == "weights" else None
    in_pieces: list[bool] = []

    def noted(*args: Any) -> Any:
        found = measure_pieces(*args)
        in_pieces.append(found is not None)
        return found

    measure_pieces = workers.measure_pieces
    monkeypatch.setattr(workers, "measure_pieces", noted)
    results = set()
    for size in (70_000, 17_000, 12_345, 9_000):
        parts = pa.Table.from_batches(table.to_batches(max_chunksize=size))
        for threads in (1, 3):
            stats = fastml.group_stats(parts, "y", keys, weights=weights, threads=threads)
            results.add(stats.to_arrow().combine_chunks().to_batches()[0].serialize().to_pybytes())
    assert len(results) == 1
    assert any(in_pieces) == (kind in ("integers", "narrow", "missing", "whole outcomes", "decimals", "clustered"))
    assert (len(in_pieces) > 0) == (kind not in ("two columns", "weights"))
