"""What reads ahead keeps order, hands errors on, and stops."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError
from fastml.io.prefetch import in_order


def reading() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("fastml_")]


def test_order_and_bound() -> None:
    running: list[int] = []
    most = 0

    def job(i: int):
        def read():
            running.append(i)
            for k in range(3):
                time.sleep(0.001 * ((i * 7) % 5))
                yield i, k
            running.remove(i)

        return read

    got = []
    for item in in_order((job(i) for i in range(40)), 3):
        most = max(most, len(running))
        got.append(item)
    assert got == [(i, k) for i in range(40) for k in range(3)]
    assert 1 <= most <= 3


def test_an_error_comes_in_its_place_and_threads_end() -> None:
    def good():
        yield from range(100)

    def bad():
        yield 0
        raise RuntimeError("no")

    stream = in_order([good, bad, good, good], 2)
    got = [next(stream) for _ in range(101)]
    assert got == [*range(100), 0]
    with pytest.raises(RuntimeError, match="no"):
        next(stream)
    assert not reading()


def test_closing_stops_the_threads() -> None:
    def endless():
        while True:
            yield 1

    stream = in_order([endless] * 8, 4)
    assert next(stream) == 1
    assert reading()
    stream.close()
    assert not reading()


def test_no_thread_is_left_after_an_error_in_the_data(tmp_path: Path) -> None:
    y = np.ones(200_000)
    y[70_000] = np.inf
    pq.write_table(pa.table({"y": y, "id": np.arange(200_000) % 50}), tmp_path / "t.parquet", row_group_size=1000)
    with pytest.raises(FastmlError, match="has inf in row 70,000"):
        fastml.fit(tmp_path / "t.parquet", "y", "id")
    deadline = time.monotonic() + 2
    while reading() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not reading()
