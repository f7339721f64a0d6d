"""Jobs on a pool of threads, a few ahead of the reader, who gets their items in order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, TypeVar

from fastml.kernels.threads import can_not_start

__all__ = ["in_order"]

_T = TypeVar("_T")
_END = object()
_HELD = 4  # items that a job may be ahead of the reader


def in_order(jobs: Iterable[Callable[[], Iterable[_T]]], threads: int) -> Generator[_T, None, None]:
    """Items of all jobs, as if they ran one after the other; closing the iterator stops the threads.

    Parameters
    ----------
    jobs : iterable of callables
        Each returns an iterable of items; it runs on a thread. The iterable of jobs is read a few jobs ahead.
    threads : int
        Jobs at a time.

    Yields
    ------
    The items. An error in a job is raised in its place.
    """
    stop = threading.Event()
    running: deque[queue.Queue[Any]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="fastml")
    jobs, started = iter(jobs), False
    try:
        for job in jobs:
            running.append(queue.Queue(_HELD))
            try:
                pool.submit(_run, job, running[-1], stop)
            except RuntimeError as error:
                if not can_not_start(error):
                    raise
                if not started:  # on this thread, then
                    running.pop()
                    pool.shutdown(wait=False, cancel_futures=True)
                    for own in chain([job], jobs):
                        yield from own()
                    return
                # The threads there are will come to it: it stands in their queue already.
            started = True
            if len(running) > threads:
                yield from _items(running.popleft())
        while running:
            yield from _items(running.popleft())
    finally:
        # Also where the reader stops early, fails, or is interrupted.
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _items(results: queue.Queue[Any]) -> Generator[Any, None, None]:
    while (item := results.get()) is not _END:
        if isinstance(item, BaseException):
            raise item
        yield item


def _run(job: Callable[[], Iterable[Any]], results: queue.Queue[Any], stop: threading.Event) -> None:
    try:
        for item in job():
            if not _put(item, results, stop):
                return
        _put(_END, results, stop)
    except BaseException as error:  # handed to the reader, whatever it is
        _put(error, results, stop)


def _put(item: Any, results: queue.Queue[Any], stop: threading.Event) -> bool:
    """Hand an item over, unless nobody wants it any more."""
    while not stop.is_set():
        try:
            results.put(item, timeout=0.05)
        except queue.Full:
            continue
        return True
    return False
