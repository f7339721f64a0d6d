"""Work on several threads, each item once, also where no thread can be started."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial

import pytest

from fastml.kernels.threads import Pool, call_in_order, map_on_threads


def no_room(after: int, monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Let the system start only so many threads more."""
    start, started = threading.Thread.start, []

    def limited(self: threading.Thread) -> None:
        if len(started) >= after:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)
    return started


@pytest.mark.parametrize("room", [0, 1, 2, 9])
@pytest.mark.parametrize("items", [0, 1, 3, 100])
def test_each_item_is_worked_on_once_and_in_order(room: int, items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    started = no_room(room, monkeypatch)
    helpers = max(min(room, 3, items - 1), 0)
    seen: list[int] = []
    everyone, of_thread = threading.Barrier(1 + helpers, timeout=10), threading.local()

    def work(item: int) -> int:
        if not hasattr(of_thread, "met"):  # so that no thread does the work of another
            of_thread.met = everyone.wait()
        seen.append(item)
        return item * item

    assert map_on_threads(work, range(items), 4) == [i * i for i in range(items)]
    assert sorted(seen) == list(range(items))
    assert len(started) == helpers
    assert not [thread for thread in started if thread.is_alive()]


@pytest.mark.parametrize("room", [0, 3])
def test_the_first_error_is_raised_after_all_have_stopped(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    started = no_room(room, monkeypatch)

    def work(item: int) -> None:
        if item >= 2:
            time.sleep(0.01 * (item == 2))
            raise KeyError(item)

    with pytest.raises(KeyError, match=r"[2-5]"):
        map_on_threads(work, range(50), 4)
    assert not [thread for thread in started if thread.is_alive()]


def test_another_error_at_the_start_of_a_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def shut(_: threading.Thread) -> None:
        raise RuntimeError("the interpreter is shutting down")

    monkeypatch.setattr(threading.Thread, "start", shut)
    with pytest.raises(RuntimeError, match="shutting down"):
        map_on_threads(abs, [1, 2, 3], 2)


@pytest.mark.parametrize("room", [0, 1, 9])
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_calls_are_made_once_each_and_their_results_come_in_order(
    n: int, threads: int, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = no_room(room, monkeypatch)
    lock, at_once, most, made, taken = threading.Lock(), 0, 0, list[int](), 0

    def calls() -> Iterator[Callable[[], int]]:
        nonlocal taken
        for i in range(n):
            taken += 1
            assert threading.current_thread() is threading.main_thread()
            yield lambda i=i: call(i)

    def call(i: int) -> int:
        nonlocal at_once, most
        with lock:
            made.append(i)
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.0005 * (i * 7 % 5))
        with lock:
            at_once -= 1
        return i * i

    with closing(Pool(threads)) as pool:
        for i, result in enumerate(call_in_order(calls(), pool)):
            assert result == i * i
            assert taken - i <= (2 * threads if threads > 1 else 1)  # with the one that was handed out
    assert taken == n
    assert sorted(made) == list(range(n))
    assert most <= threads
    assert len(started) <= (0 if n < 2 else min(room, threads - 1))
    assert not [thread for thread in started if thread.is_alive()]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_call_comes_in_its_place(threads: int) -> None:
    def call(i: int) -> int:
        if i == 5:
            raise KeyError(i)
        return i

    before = threading.active_count()
    with closing(Pool(threads)) as pool:
        results = call_in_order([lambda i=i: call(i) for i in range(9)], pool)
        assert [next(results) for _ in range(5)] == list(range(5))
        with pytest.raises(KeyError, match="5"):
            next(results)
    assert threading.active_count() == before


def test_an_interrupt_waits_for_no_turn() -> None:
    """It comes to the thread that waits, in whatever call it makes meanwhile."""
    is_interrupted, made = threading.Event(), []

    def call(i: int) -> int:
        made.append(i)
        if i == 0:
            assert is_interrupted.wait(10)
        elif threading.current_thread() is threading.main_thread():
            is_interrupted.set()
            raise KeyboardInterrupt
        return i

    with closing(Pool(2)) as pool:
        first, *_ = [pool.start(partial(call, i)) for i in range(4)]
        deadline = time.monotonic() + 10
        while 0 not in made:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        with pytest.raises(KeyboardInterrupt):
            pool.result(first)
    assert is_interrupted.is_set()


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_holds_no_rows_once_it_is_handled(threads: int) -> None:
    class Rows:
        pass

    def call(rows: list[Rows]) -> None:
        raise KeyError(len(rows))

    held: list[weakref.ref[Rows]] = []
    gc.disable()
    try:
        with closing(Pool(threads)) as pool:
            for _ in range(3):
                rows = Rows()
                held.append(weakref.ref(rows))
                with suppress(KeyError):
                    next(call_in_order([partial(call, [rows])] * 2, pool))
                del rows
        assert [rows() for rows in held] == [None] * 3
    finally:
        gc.enable()


def test_whoever_closes_the_pool_waits_for_the_calls_that_have_begun_and_no_others() -> None:
    begun: list[int] = []
    ended: list[int] = []

    def call(i: int) -> None:
        begun.append(i)
        time.sleep(0.01)
        ended.append(i)

    before = threading.active_count()
    with closing(Pool(3)) as pool:
        next(call_in_order([lambda i=i: call(i) for i in range(99)], pool))
    assert threading.active_count() == before
    assert len(begun) <= 6
    assert sorted(ended) == sorted(begun)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_two_streams_of_calls_share_the_threads_of_a_pool(threads: int) -> None:
    """One makes what the other works on, as a pass reads and adds up."""
    lock, at_once, most = threading.Lock(), 0, 0

    def call(i: int) -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.0005 * (i * 7 % 5))
        with lock:
            at_once -= 1
        return i

    with closing(Pool(threads)) as pool:
        read = call_in_order([partial(call, i) for i in range(30)], pool)
        assert list(call_in_order((partial(call, 2 * i) for i in read), pool)) == list(range(0, 60, 2))
    assert most <= threads


def test_a_thread_that_waits_makes_other_calls_meanwhile() -> None:
    seen, first_runs, is_helped = dict[str, str](), threading.Event(), threading.Event()

    def call(name: str) -> None:
        seen[name] = threading.current_thread().name
        if name == "first":
            first_runs.set()
            assert is_helped.wait(10)
        elif name == "last":
            is_helped.set()

    with closing(Pool(2)) as pool:
        first, _ = (pool.start(partial(call, name)) for name in ("first", "last"))
        assert first_runs.wait(10)
        pool.result(first)
    assert seen["last"] == threading.main_thread().name
    assert seen["first"] != seen["last"]


def test_a_call_that_is_over_holds_nothing() -> None:
    """Rows of a call would else be held until its results are taken."""

    class Rows:
        pass

    def calls() -> Iterator[Callable[[], None]]:
        for _ in range(6):
            rows = [Rows()]
            held.append(weakref.ref(rows[0]))
            yield partial(lambda rows: None, rows.pop())

    held: list[weakref.ref[Rows]] = []
    for threads in (1, 2):
        held.clear()
        with closing(Pool(threads)) as pool:
            next(call_in_order(calls(), pool))
            assert len(held) == (4 if threads == 2 else 1)
            deadline = time.monotonic() + 10
            while any(rows() for rows in held):  # the other thread is at them
                assert time.monotonic() < deadline
                time.sleep(0.001)
