"""What reads ahead keeps order, hands errors on, and stops."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError
from fastml.io.prefetch import in_order
from fastml.kernels.threads import Pool


def reading() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("fastml_")]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("items", [0, 1, 3, 4, 5, 8, 9])
def test_order_and_bound(items: int, threads: int) -> None:
    lock, at_once, most, made = threading.Lock(), 0, 0, 0

    def job(i: int):
        def read():
            nonlocal at_once, most, made
            for k in range(items):
                with lock:
                    at_once += 1
                    most = max(most, at_once)
                time.sleep(0.0003 * ((i * 7) % 5))
                with lock:
                    at_once -= 1
                    made += 1
                yield i, k

        return read

    got = []
    for item in in_order((job(i) for i in range(40)), threads):
        got.append(item)
        # Of each job that is read ahead a few, and twice as many of the one that is handed on.
        assert made - len(got) <= 4 * (threads + 3)
    assert got == [(i, k) for i in range(40) for k in range(items)]
    assert most <= threads


def test_items_before_an_error_come_first() -> None:
    def read():
        yield from "abc"
        raise KeyError("d")

    for threads in (1, 2):
        stream = in_order([lambda: "xyz", read, lambda: "never"], threads)
        assert [next(stream) for _ in range(6)] == list("xyzabc")
        with pytest.raises(KeyError, match="d"):
            next(stream)


@pytest.mark.parametrize("threads", [1, 3])
def test_after_an_error_no_job_is_left_open(threads: int) -> None:
    opened, closed = list[int](), list[int]()

    def job(i: int):
        def read():
            opened.append(i)
            try:
                for k in range(20):
                    if i == 1 and k == 3:
                        raise KeyError(k)
                    yield k
            finally:
                closed.append(i)

        return read

    gc.disable()  # what an error holds, and is held by, would wait for it
    try:
        with closing(Pool(threads)) as pool:
            stream = in_order([job(i) for i in range(9)], threads, pool)
            with pytest.raises(KeyError, match="3"):
                list(stream)
        del stream
        assert sorted(closed) == sorted(opened)
    finally:
        gc.enable()


def test_an_interrupt_in_a_job_that_is_read_ahead_waits_for_no_turn() -> None:
    is_interrupted = threading.Event()

    def second():
        if threading.current_thread() is threading.main_thread():
            is_interrupted.set()
            raise KeyboardInterrupt
        assert is_interrupted.wait(10)
        yield from "ab"

    got: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        got.extend(in_order([lambda: range(1000), *[second] * 3], 2))
    assert len(got) < 1000
    assert not reading()


def test_what_was_handed_on_is_not_held() -> None:
    class Batch:
        pass

    def read():
        for _ in range(10):
            yield Batch()

    stream = in_order([read], 1)
    last = [weakref.ref(next(stream)) for _ in range(3)]
    assert [batch() for batch in last] == [None] * 3


def test_the_pool_of_the_caller_is_used_and_left_open() -> None:
    with closing(Pool(3)) as pool:
        stream = in_order([lambda: range(20)] * 8, 1, pool)
        assert list(islice(stream, 30)) == [*range(20), *range(10)]
        assert 1 <= len(reading()) <= 2
        stream.close()
        assert len(reading()) >= 1
        assert list(in_order([lambda: "ab"] * 2, 1, pool)) == list("abab")
    assert not reading()


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
