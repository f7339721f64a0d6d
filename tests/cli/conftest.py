"""Data that the commands' tests share."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml


@pytest.fixture(scope="session")
def fit_call(lecture_file: Path) -> list[object]:
    """The words of a command that fits the lecture's data."""
    return ["fit", lecture_file, "-y", "bsmmatxx", "-g", "idschool"]


@pytest.fixture(scope="session")
def table() -> pa.Table:
    made = fastml.simulate(students=6000, schools=60, weights=True, seed=9)
    return made.append_column("cycle", pa.array([2019 if i % 2 else 2023 for i in range(6000)]))


@pytest.fixture
def days(table: pa.Table, tmp_path: Path) -> Path:
    folder = tmp_path / "days"
    folder.mkdir()
    for i in range(4):
        pq.write_table(table.slice(1500 * i, 1500), folder / f"{i}.parquet")
    return folder
