"""Jobs on a pool of threads, a few ahead of the reader, who gets their items in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, nullcontext
from functools import partial
from itertools import islice
from typing import TypeVar

from fastml.kernels.threads import Pool

__all__ = ["in_order"]

_T = TypeVar("_T")
_Some = tuple[deque[_T], Exception | None]
_AT_ONCE = 4  # items of a job that a thread makes before it turns to another
_MORE = 2  # jobs that are begun at a time, beyond the number of threads


def in_order(
    jobs: Iterable[Callable[[], Iterable[_T]]], threads: int, pool: Pool | None = None
) -> Generator[_T, None, None]:
    """Items of all jobs, as if they ran one after the other.

    Closing the iterator ends its threads; those of the caller's pool end when the pool is closed.

    Parameters
    ----------
    jobs : iterable of callables
        Each returns an iterable of items; it runs on any thread, a few items at a time. The iterable of jobs is read a
        few jobs ahead.
    threads : int
        Of its own, where no pool is given.
    pool : Pool, optional
        The caller's.

    Yields
    ------
    The items. An error in a job is raised in its place.
    """
    jobs, begun = iter(jobs), deque[tuple[Iterator[_T], Future[_Some[_T]]]]()
    with nullcontext(pool) if pool else closing(Pool(threads)) as pool:
        while True:
            for job in islice(jobs, (pool.threads + _MORE if pool.threads > 1 else 1) - len(begun)):
                items = _items(job)
                begun.append((items, pool.start(partial(_some, items))))
            if not begun:
                return
            items, some = begun.popleft()
            is_over = False
            while not is_over:
                made, error = pool.result(some)
                is_over = error is not None or len(made) < _AT_ONCE
                if not is_over:
                    some = pool.start(partial(_some, items))
                while made:  # what was handed on is not held
                    yield made.popleft()
                if error is not None:
                    try:
                        raise error
                    finally:  # its traceback holds this frame: each would keep the other, and all that was begun
                        del error, some


def _items(job: Callable[[], Iterable[_T]]) -> Iterator[_T]:
    yield from job()


def _some(items: Iterator[_T]) -> _Some[_T]:
    """The next few items, and the error after them."""
    made = deque[_T]()
    try:
        made.extend(islice(items, _AT_ONCE))
    except Exception as error:  # raised after the items before it; an interrupt, at once
        return made, error
    return made, None
