"""Folders, globs, lists and URIs are one table; one clear line where they are not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import files
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import cut, same

import fastml
from fastml import FastmlError

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
