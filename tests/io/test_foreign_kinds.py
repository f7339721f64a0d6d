"""What fastml doesn't read itself is refused with the line that does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError
from fastml.io.foreign_kinds import line_that_reads, refuse_tables


@pytest.mark.parametrize(("name", "line"), [
    ("a.xlsx", "pandas.read_excel"), ("a.XLS", "pandas.read_excel"), ("a.rds", "readRDS"), ("a.RData", "load("),
    ("a.csv.zip", "python -m zipfile -e"), ("a.zip", "python -m zipfile -e"), ("a.tar", "tar -xf"),
    ("a.csv.xz", "xz -dk"), ("a.jsonl", "pyarrow.json.read_json"), ("a.orc", "pyarrow.orc.read_table"),
])  # fmt: skip
def test_files_are_refused_with_the_line_that_reads_them(name: str, line: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK\3\4")
    with pytest.raises(FastmlError) as refused:
        fastml.fit(tmp_path / name, "y", "s")
    assert line in str(refused.value)
    assert line in line_that_reads(name)
    with pytest.raises(FastmlError) as refused:  # in a folder too
        fastml.fit(tmp_path, "y", "s")
    assert line in str(refused.value)


def table_in(folder: Path) -> Path:
    """Two files of rows of which one may have been replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in (0, 1):
        pq.write_table(pa.table({"s": [1, 1, 2, 2], "y": [1.0, 2, 5, 6 + k]}), folder / f"part-{k}.parquet")
    return folder


@pytest.mark.parametrize(("kind", "mark"), [
    ("Delta Lake", "_delta_log/00000000000000000000.json"),
    ("Hudi", ".hoodie/hoodie.properties"),
    ("Iceberg", "metadata/v1.metadata.json"),
    ("Iceberg", "metadata/00000-0a1b.metadata.json"),
])  # fmt: skip
def test_tables_with_old_files_are_never_read_as_rows(
    kind: str, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "lake"
    rows = table_in(root / "data" / "cycle=2019")
    (root / mark).parent.mkdir(parents=True)
    (root / mark).write_text(json.dumps({"add": {"path": "part-0.parquet"}}))
    for data in (root, tmp_path, rows, f"{root}/data/*/*.parquet", f"{tmp_path}/*", f"{root}/**/*.parquet"):
        with pytest.raises(FastmlError, match=f"folder .*lake is a table of {kind}, .*: open it as fastml.fit"):
            fastml.fit(data, "y", "s")
    monkeypatch.chdir(rows)
    with pytest.raises(FastmlError, match=f"is a table of {kind}"):
        fastml.fit(".", "y", "s")
    # Files that are named one by one may be those that an engine says are in the table.
    assert fastml.fit([rows / "part-0.parquet", rows / "part-1.parquet"], "y", "s").n_obs == 8


def test_other_folders_are_no_tables(tmp_path: Path) -> None:
    table_in(tmp_path / "a")
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "notes.metadata.json").write_text("{}")
    assert fastml.fit(tmp_path / "a", "y", "s").n_obs == 8
    refuse_tables([os.fspath(tmp_path / "a" / "part-0.parquet")])
