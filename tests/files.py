"""A table of students for files of every kind, and what its statistics are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import fastml

N = 3000


def table() -> pa.Table:
    rng = np.random.default_rng(3)
    school = np.sort(rng.integers(0, 60, N))
    y = np.round(rng.normal(500, 100, N) + rng.normal(0, 50, 60)[school], 4)
    return pa.table(
        {
            "other": np.arange(N),
            "y": pa.array(y, mask=rng.random(N) < 0.05),
            "id": school,
            "cycle": np.where(np.arange(N) < N // 2, 2019, 2023),
            "country": np.where(school % 3 == 0, "TUR", "USA"),
        }
    )


def same(a: fastml.GroupStats, b: fastml.GroupStats) -> None:
    """Two statistics are the same to the bit, label types included."""
    one, other = a.to_arrow(), b.to_arrow()
    assert one.schema.equals(other.schema), (one.schema, other.schema)
    assert one.equals(other)


def truth(table: pa.Table) -> fastml.GroupStats:
    return fastml.group_stats(table, "y", "id")


def cut(table: pa.Table, pieces: int) -> list[pa.Table]:
    edges = [N * i // pieces for i in range(pieces + 1)]
    return [table.slice(a, b - a) for a, b in pairwise(edges)]


def csv_text(table: pa.Table, delimiter: str = ",", decimal: str = ".", missing: str = "") -> str:
    lines = [delimiter.join(table.column_names)]
    for row in table.to_pylist():
        texts = [missing if v is None else str(v) for v in row.values()]
        lines.append(delimiter.join(t if t == missing else t.replace(".", decimal) for t in texts))
    return "\n".join(lines) + "\n"


def folder(table: pa.Table, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for i, part in enumerate(cut(table, 5)):
        pq.write_table(part, folder / f"part-{i}.parquet", row_group_size=130)
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-0.parquet.crc").write_text("x")
    (folder / "notes.md").write_text("x")
    return folder
