"""Several threads at one piece of work, as kernels and readers release the GIL; fewer where the system has no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any, TypeVar

__all__ = ["Pool", "call_in_order", "map_on_threads"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Pool:
    """Threads that make calls in the order they were asked for, among them the thread that waits for a result.

    All that a pass does, reading and adding up, is done by one pool: with more threads than processors each would be
    interrupted again and again, and lose what it has in the caches. No call may wait for another: there might be no
    thread left to make that one.

    Parameters
    ----------
    threads : int
        At most so many calls at a time, the waiting thread's included.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._waiting = deque[tuple[Future[Any], Callable[[], Any]]]()
        self._executor: ThreadPoolExecutor | None = None

    @property
    def ahead(self) -> int:
        """How many calls to ask for ahead: while this thread makes one, each other may end one and begin the next."""
        return 2 * self.threads if self.threads > 1 else 1

    def start(self, call: Callable[[], _Out]) -> Future[_Out]:
        """Ask for a call. For a single one no thread is started: whoever waits for it makes it."""
        future: Future[_Out] = Future()
        self._waiting.append((future, call))
        if self.threads > 1 and (self._executor or len(self._waiting) > 1):
            self._executor = self._executor or ThreadPoolExecutor(self.threads - 1, thread_name_prefix="fastml")
            try:
                self._executor.submit(self._run_all)
            except RuntimeError as error:
                if "start new thread" not in str(error):  # else the system has no room for more
                    raise
        return future

    def result(self, future: Future[_Out]) -> _Out:
        """Help until a call is over, and return its result or raise its error."""
        while not future.done() and self._run_next():
            pass
        try:
            return future.result()
        finally:
            del future  # an error's traceback holds this frame: each would keep the other

    def _run_all(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Make the first call that no thread has begun; False where there is none."""
        try:
            future, call = self._waiting.popleft()
        except IndexError:
            return False
        try:
            result = call()
        except BaseException as error:
            future.set_exception(error)  # raised in its place
            if not isinstance(error, Exception):  # but an interrupt waits for no turn
                raise
        else:
            future.set_result(result)
            del result
        finally:
            del future, call  # as in `result`
        return True

    def close(self) -> None:
        """Wait for the calls that have begun; the others are not made."""
        self._waiting.clear()
        if self._executor:
            self._executor.shutdown(wait=True, cancel_futures=True)


def call_in_order(calls: Iterable[Callable[[], _Out]], pool: Pool) -> Generator[_Out, None, None]:
    """Results of calls in order, made a few ahead; whoever closes the pool ends them.

    Parameters
    ----------
    calls : iterable of callables
        Gone through on this thread, `Pool.ahead` calls ahead.
    pool : Pool

    Yields
    ------
    The results. An error in a call is raised in its place.
    """
    calls, begun = iter(calls), deque[Future[_Out]]()
    while True:
        begun.extend(pool.start(call) for call in islice(calls, pool.ahead - len(begun)))
        if not begun:
            return
        yield pool.result(begun.popleft())


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
    with closing(Pool(threads)) as pool:
        return list(call_in_order([partial(function, item) for item in items], pool))
