"""Folders, globs, lists and URIs are one table; one clear line where they are not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import files
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import cut, same
from pyarrow import csv

import fastml
from fastml import FastmlError
from fastml.io import dataset, file_formats
from fastml.io.dataset import open_dataset
from fastml.io.filters import Filter, as_filter

table = pytest.fixture(files.table, scope="module")
truth = pytest.fixture(files.truth, scope="module")
folder = pytest.fixture(files.folder)


def test_only_the_needed_columns_are_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    read = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda self, *a, **k: asked.append(k["columns"]) or read(self, *a, **k)
    )
    fastml.group_stats(folder, "y", "id")
    assert len(asked) == 25
    assert all(columns == ["id", "y"] for columns in asked)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_who_reads_a_batch_makes_of_it_what_is_asked(
    threads: int, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch comes with the number of its first row where that is known: not after a filter or a text file."""
    if large:  # row groups come in several batches
        monkeypatch.setattr(file_formats, "LARGE", 0)
        monkeypatch.setattr(file_formats, "BATCH_ROWS", 7)
    numbers = pa.table({"y": np.arange(100.0), "even": np.arange(100) % 2 == 0})
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet", "c.csv", "d.parquet")]
    for path, first, end in zip(paths, (0, 25, 60, 70), (25, 60, 70, 100), strict=True):
        part = numbers.slice(first, end - first)
        if path.suffix == ".csv":
            csv.write_csv(part, path)
        else:
            pq.write_table(part, path, row_group_size=10)

    def read(condition: Filter | None = None) -> list[Any]:
        kept = [y for y in range(100) if condition is None or y % 2 == 0]

        def made(batch: pa.RecordBatch, first_row: int) -> str | None:
            assert batch["y"].to_pylist() == kept[first_row : first_row + batch.num_rows]
            return None if first_row % 10 else f"from {first_row}"

        items = list(open_dataset(paths, ["y"], condition, threads, on_read=made).batches)
        rows = [n_rows if isinstance(item, str) else item.num_rows for item, n_rows, _ in items]
        assert rows == [n_rows for _, n_rows, _ in items]
        assert sum(rows) == len(kept)
        return [item if isinstance(item, str) else item["y"][0].as_py() for item, _, _ in items]

    found = read()
    assert [item for item in found if isinstance(item, str)] == ["from 0", "from 10", "from 20", "from 60"]
    if not large:
        assert found == ["from 0", "from 10", "from 20", 25, 35, 45, 55, "from 60", 70, 80, 90]
    assert [item for item in read(as_filter("even == true")) if isinstance(item, str)] == ["from 0"]


@pytest.mark.parametrize("threads", [1, 4])
def test_of_several_files_that_are_none_the_first_is_named(threads: int, folder: Path) -> None:
    paths = sorted(folder.glob("[a-z]*.parquet"))
    assert len(paths) > 2
    for path in paths[1:]:
        path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(FastmlError, match=f"{paths[1].name} is not a Parquet file that can be read"):
        open_dataset([str(path) for path in paths], ["y"], threads=threads)


def test_text_files_after_one_that_cannot_be_read_are_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    (tmp_path / "b.csv").write_text("y,id\n1,2\n")
    opened: list[object] = []
    monkeypatch.setattr(dataset, "open_csv", lambda *args: opened.append(args))
    with pytest.raises(FastmlError, match=r"a\.parquet is not a Parquet file"):
        open_dataset([str(path) for path in sorted(tmp_path.iterdir())], ["y"], threads=4)
    assert opened == []


def test_widths_and_kinds_that_drift(table: pa.Table, truth: fastml.GroupStats, tmp_path: Path) -> None:
    a, b = cut(table.select(["y", "id"]), 2)
    pq.write_table(a, tmp_path / "a.parquet")
    pq.write_table(b.cast(pa.schema([("y", pa.float64()), ("id", pa.int32())])), tmp_path / "b.parquet")
    same(fastml.group_stats([tmp_path / "a.parquet", tmp_path / "b.parquet"], "y", "id"), truth)
    same(fastml.group_stats(tmp_path, "y", "id"), truth)
    pq.write_table(b.cast(pa.schema([("y", pa.float64()), ("id", pa.float64())])), tmp_path / "b.parquet")
    drifted = fastml.group_stats(tmp_path, "y", "id")
    assert drifted.keys["id"].type == pa.float64()
    assert np.array_equal(drifted.moments, truth.moments)
    for other, message in ((pa.string(), "has type string in file .*b.parquet and int64 in file .*a.parquet"),):
        pq.write_table(b.cast(pa.schema([("y", pa.float64()), ("id", other)])), tmp_path / "b.parquet")
        with pytest.raises(FastmlError, match=message):
            fastml.group_stats(tmp_path, "y", "id")
    pq.write_table(b.rename_columns(["score", "id"]), tmp_path / "b.parquet")
    with pytest.raises(FastmlError, match=r"column 'y' is not in file .*b\.parquet"):
        fastml.group_stats(tmp_path, "y", "id")


def test_decimals_of_several_widths_keep_their_digits(tmp_path: Path) -> None:
    a, b = tmp_path / "a.parquet", tmp_path / "b.parquet"
    ids = [Decimal(10**17 + i) for i in (1, 1, 2, 2, 3, 3)]
    y = [Decimal(i).scaleb(-3) for i in (1001, 2002, 5005, 7007, 9009, 12012)]
    types = pa.decimal128(18, 0), pa.decimal128(20, 2), pa.decimal256(50, 1)
    whole = fastml.group_stats(pa.table({"id": pa.array(ids), "y": pa.array(y)}), "y", "id")
    for first in types:
        for second in types:
            pq.write_table(pa.table({"id": pa.array(ids[:3], first), "y": pa.array(y[:3], pa.decimal128(8, 3))}), a)
            pq.write_table(pa.table({"id": pa.array(ids[3:], second), "y": pa.array(y[3:], pa.decimal128(9, 4))}), b)
            found = fastml.group_stats([a, b], "y", "id")
            assert found.keys["id"].to_pylist() == ids[::2]
            assert found.moments.tobytes() == whole.moments.tobytes()
    pq.write_table(pa.table({"id": pa.array(ids[3:], pa.decimal256(76, 40)), "y": y[3:]}), b)
    pq.write_table(pa.table({"id": pa.array(ids[:3], pa.decimal256(76, 3)), "y": y[:3]}), a)
    with pytest.raises(FastmlError, match=r"'id' has type decimal256\(76, 40\) in file .*b\.parquet and decimal256"):
        fastml.group_stats([a, b], "y", "id")


def test_parquet_dictionaries_that_differ_by_file(tmp_path: Path) -> None:
    for name, ids in (("a", ["x", "y"]), ("b", ["y", "z"])):
        column = pa.array(ids * 10).dictionary_encode()
        pq.write_table(pa.table({"id": column, "y": np.arange(20.0)}), tmp_path / f"{name}.parquet")
    assert fastml.group_stats(tmp_path, "y", "id").groups().labels["id"].to_pylist() == ["x", "y", "z"]


def test_a_file_cut_short_is_named(folder: Path) -> None:
    path = folder / "part-3.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FastmlError, match=r"part-3\.parquet is not a Parquet file that can be read"):
        fastml.fit(folder, "y", "id")


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"id,y\n1,2\n"), ("cut", b"PAR1" + bytes(50))):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(content)
        with pytest.raises(FastmlError, match="is not a Parquet file that can be read"):
            fastml.fit(path, "y", "id")
    with pytest.raises(FastmlError, match=r"cut\.parquet is not a Parquet file"):
        fastml.fit(tmp_path, "y", "id")
