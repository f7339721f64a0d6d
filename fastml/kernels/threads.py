"""Several threads at one piece of work, as kernels release the GIL; fewer where the system starts no more."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["call_in_order", "can_not_start", "map_on_threads"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def can_not_start(error: RuntimeError) -> bool:
    """Whether an error is that a thread couldn't be started, as where the system has no room for more."""
    return "start new thread" in str(error)


class _Job(Generic[_Out]):
    """A call that the first thread to come makes."""

    def __init__(self, call: Callable[[], _Out]) -> None:
        self._call: Callable[[], _Out] | None = call
        self._is_taken, self._is_done = threading.Lock(), threading.Event()
        self._result: _Out
        self._error: BaseException | None = None

    def run(self) -> bool:
        """Make the call, unless a thread has come before."""
        if not self._is_taken.acquire(blocking=False):
            return False
        call, self._call = self._call, None  # whoever holds the job holds no rows
        assert call is not None
        try:
            self._result = call()
        except BaseException as error:  # raised in its place, whatever it is
            self._error = error
        self._is_done.set()
        return True

    def is_done(self) -> bool:
        return self._is_done.is_set()

    def result(self) -> _Out:
        """Wait for the call to return or fail."""
        self._is_done.wait()
        if self._error is not None:
            raise self._error
        return self._result


def call_in_order(calls: Iterable[Callable[[], _Out]], threads: int) -> Generator[_Out, None, None]:
    """Results of calls in order, made a few ahead; closing the iterator ends the threads.

    This thread makes calls too: with one thread more than processors, each would be interrupted again and again, and
    lose what it has in the caches. While it makes one, each of the others may end one and begin the next, so there are
    twice as many calls as threads. No thread is started for a single call.

    Parameters
    ----------
    calls : iterable of callables
        Gone through on this thread, up to twice as many ahead as there are threads.
    threads : int
        At most so many calls at a time.

    Yields
    ------
    The results. An error in a call is raised in its place.
    """
    calls, jobs = iter(calls), deque[_Job[_Out]]()
    pool: ThreadPoolExecutor | None = None

    def fill() -> None:
        nonlocal pool
        for call in islice(calls, (2 * threads if threads > 1 else 1) - len(jobs)):
            jobs.append(_Job(call))
            if len(jobs) > 1:  # else it is this thread's
                pool = pool or ThreadPoolExecutor(threads - 1, thread_name_prefix="fastml")
                try:
                    pool.submit(jobs[-1].run)
                except RuntimeError as error:
                    if not can_not_start(error):
                        raise

    try:
        while True:
            fill()
            if not jobs:
                return
            # Help, until the first is done or there is none to begin.
            if jobs[0].is_done() or not any(job.run() for job in jobs):
                yield jobs.popleft().result()
    finally:
        # Also where the reader stops early, fails, or is interrupted.
        if pool:
            pool.shutdown(wait=True, cancel_futures=True)


def map_on_threads(function: Callable[[_In], _Out], items: Sequence[_In], threads: int) -> list[_Out]:
    """Results of a function for all items, in order, each computed once; this thread works too.

    Parameters
    ----------
    function : callable
        Of one item.
    items : sequence
    threads : int
        At most so many at a time.

    Returns
    -------
    list

    Raises
    ------
    The error of the first item that has one.
    """
    return list(call_in_order([partial(function, item) for item in items], threads))
