"""A line of progress where it takes long."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml.io.progress import watcher


def test_progress_is_shown_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastml.io.progress.PATIENCE", 0.0)
    monkeypatch.setattr("fastml.io.progress.REFRESH", 0.0)
    table = fastml.simulate(students=30_000, schools=100)
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=3000)
    fastml.fit(tmp_path / "t.parquet", "score", "school", progress=True)
    shown = capsys.readouterr().err
    assert "rows" in shown
    assert "million/s" in shown
    assert "%" in shown
    fastml.fit(tmp_path / "t.parquet", "score", "school")
    assert capsys.readouterr().err == ""


def test_nothing_watches_where_nobody_looks() -> None:
    assert watcher(False) is None
    assert watcher() is None  # stderr of a test is no terminal


def test_what_is_watched_passes_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    batches = [(pa.record_batch({"y": np.arange(float(n))}), n, 8 * n) for n in (3, 0, 5)]
    watch = watcher(True)
    assert watch is not None
    assert list(watch(iter(batches), 64)) == batches
    assert capsys.readouterr().err == ""  # it took less than a second
