"""Calls to servers that may never answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from fastml.errors import SourceError

__all__ = ["answered"]

_T = TypeVar("_T")
PATIENCE = 25.0  # seconds


def answered(uri: str, call: Callable[[], _T]) -> _T:
    """Return what a call to a server gives, if it answers in time; Ctrl-C ends the wait at once.

    Libraries try again for minutes where there is no network, deaf to signals: so the call has a thread of its own,
    which nobody waits for.

    Parameters
    ----------
    uri : str
        What is asked for, for the message.
    call : callable

    Returns
    -------
    What the call returns; its error is raised.

    Raises
    ------
    SourceError
        There is no answer.
    """
    box: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put((call(), None))
        except BaseException as error:  # raised where the answer is waited for
            box.put((None, error))

    threading.Thread(target=run, name="fastml", daemon=True).start()
    try:
        value, error = box.get(timeout=PATIENCE)
    except queue.Empty:
        raise SourceError(f"{uri} can't be opened: no answer within {PATIENCE:.0f} s; is there a network?") from None
    if error is not None:
        raise error
    found: _T = value
    return found
