"""Several threads at one piece of work, as kernels release the GIL; fewer where the system starts no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = ["can_not_start", "map_on_threads"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def can_not_start(error: RuntimeError) -> bool:
    """Whether an error is that a thread couldn't be started, as where the system has no room for more."""
    return "start new thread" in str(error)


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
    results: list[Any] = [None] * len(items)
    errors: dict[int, BaseException] = {}
    places = iter(range(len(items)))
    lock = threading.Lock()

    def work() -> None:
        while not errors:
            with lock:
                place = next(places, None)
            if place is None:
                return
            try:
                results[place] = function(items[place])
            except BaseException as error:  # raised below, whatever it is
                errors[place] = error

    helpers: list[threading.Thread] = []
    try:
        for _ in range(min(threads, len(items)) - 1):
            helper = threading.Thread(target=work, name="fastml")
            helper.start()
            helpers.append(helper)
    except RuntimeError as error:
        if not can_not_start(error):
            raise
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[min(errors)]
    return results
