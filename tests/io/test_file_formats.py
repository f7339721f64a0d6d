"""Parquet and Arrow files: the bits of the table in memory."""

from __future__ import annotations

from pathlib import Path

import files
import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from files import N, same

import fastml
from fastml import FastmlError
from fastml.io.source import open_source

table = pytest.fixture(files.table, scope="module")
truth = pytest.fixture(files.truth, scope="module")


def test_parquet_of_any_row_groups(table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
    for rows in (7, 1000, N):
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=rows)
        for threads in (1, 5) if rows == 7 else (1, 2, 5):  # thousands of groups take their time
            same(fastml.group_stats(tmp_path / "t.parquet", "y", "id", threads=threads), truth)
    few = table.slice(0, 200)
    pq.write_table(few, tmp_path / "t.parquet", row_group_size=1)
    for threads in (1, 2, 5):
        same(fastml.group_stats(tmp_path / "t.parquet", "y", "id", threads=threads), fastml.group_stats(few, "y", "id"))


def test_a_large_row_group_is_read_in_batches(
    table: pa.Table, truth: fastml.GroupStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastml.io.file_formats.LARGE", 1000)
    monkeypatch.setattr("fastml.io.file_formats.BATCH_ROWS", 128)
    pq.write_table(table, tmp_path / "t.parquet")
    same(fastml.group_stats(tmp_path / "t.parquet", "y", "id"), truth)


def test_arrow_and_feather(table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
    feather.write_feather(table, tmp_path / "t.feather", compression="lz4", chunksize=700)
    feather.write_feather(table, tmp_path / "t.arrow", compression="uncompressed")
    with pa.ipc.new_stream(tmp_path / "t.arrows", table.schema) as stream:
        stream.write_table(table, max_chunksize=100)
    for name in ("t.feather", "t.arrow", "t.arrows"):
        same(fastml.group_stats(tmp_path / name, "y", "id"), truth)


@pytest.mark.parametrize("columns", [["y", "id"], ["id"]])
def test_a_stream_that_is_cut_between_batches_is_an_error(columns: list[str], tmp_path: Path) -> None:
    """The bytes before the cut are a stream whose writer is at work still: only the mark at the end tells."""
    table = pa.table({"y": [1.0, 2.0, 4.0, 8.0], "id": pa.array([1, 1, -1, -1], pa.int32()), "t": ["a", "b", "c", "d"]})
    path, whole, cuts = tmp_path / "t.arrows", pa.BufferOutputStream(), []
    with pa.ipc.new_stream(whole, table.schema) as stream:
        cuts.append(whole.tell())
        for batch in table.to_batches(max_chunksize=1):
            stream.write_batch(batch)
            cuts.append(whole.tell())
    content = whole.getvalue().to_pybytes()
    path.write_bytes(content)
    assert sum(batch.num_rows for batch in open_source(path, columns).batches) == 4
    for cut in cuts[1:]:
        path.write_bytes(content[:cut])
        with pytest.raises(
            FastmlError, match=r"t\.arrows can't be read: it was cut: the mark of a stream's end is missing"
        ):
            list(open_source(path, columns).batches)
    path.write_bytes(content[: cuts[2] + 5])
    with pytest.raises(FastmlError, match=r"t\.arrows can't be read"):
        list(open_source(path, columns).batches)


def test_a_stream_without_batches_is_empty(tmp_path: Path) -> None:
    with pa.ipc.new_stream(tmp_path / "t.arrows", pa.schema([("y", pa.float64())])):
        pass
    assert list(open_source(tmp_path / "t.arrows", ["y"]).batches) == []


def test_a_damaged_page_is_an_error_not_a_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "t.parquet"
    table = pa.table({"y": rng.normal(size=20000), "id": rng.integers(0, 9, 20000)})
    # Parquet can tell only where the writer left checksums.
    pq.write_table(table, path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[2000:2400] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(FastmlError, match="can't be read"):
        fastml.fit(path, "y", "id")
