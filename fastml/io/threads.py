"""How many threads to work with: asked for, told by the environment, or one per processor."""

from __future__ import annotations

import os
from typing import Any

from fastml.errors import FastmlError

__all__ = ["thread_count"]

# One processor alone nearly saturates the memory; more than these only wait for it.
MAX_THREADS = 8


def thread_count(threads: Any = None) -> int:
    """Number of threads: the argument, else FASTML_NUM_THREADS, else one per usable processor, up to 8.

    Parameters
    ----------
    threads : int, optional

    Returns
    -------
    int

    Raises
    ------
    FastmlError
        Not a whole number of 1 or more.
    """
    name: str = "threads"
    value: Any = threads
    if threads is None:
        name, value = "FASTML_NUM_THREADS", os.environ.get("FASTML_NUM_THREADS", "")
        if not value:
            usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            return min(usable, MAX_THREADS)
        value = int(value) if value.isdecimal() else value
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise FastmlError(f"{name}={value!r} is not a number of threads; give a whole number, 1 or more")
    return int(value)
