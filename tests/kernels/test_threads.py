"""Work on several threads, each item once, also where no thread can be started."""

from __future__ import annotations

import threading
import time

import pytest

from fastml.kernels.threads import map_on_threads


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
    seen: list[int] = []

    def work(item: int) -> int:
        seen.append(item)
        return item * item

    assert map_on_threads(work, range(items), 4) == [i * i for i in range(items)]
    assert sorted(seen) == list(range(items))
    assert len(started) == max(min(room, 3, items - 1), 0)
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
