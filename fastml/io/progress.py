"""A line on stderr for work that takes more than a second: rows a second, share of the bytes, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Watch", "is_terminal", "watcher"]

Watch = Callable[[Iterator[tuple[Any, int, int]], int], Iterator[tuple[Any, int, int]]]

# Seconds before the line appears, and between two looks of it.
PATIENCE = 1.0
REFRESH = 0.1


def watcher(wanted: bool | None = None) -> Watch | None:
    """Return what shows the progress of a stream, or None where nobody would see it.

    Parameters
    ----------
    wanted : bool, optional
        None: only on a terminal, which pipes and notebooks are not.

    Returns
    -------
    callable or None
        ``watch(items, size)``: the same (item, rows, bytes), seen as they pass; ``size`` is the bytes of all, or 0.
    """
    if sys.stderr is None or not (is_terminal(sys.stderr) if wanted is None else wanted):
        return None

    def watch(items: Iterator[tuple[Any, int, int]], size: int) -> Iterator[tuple[Any, int, int]]:
        line: _Line | None = None
        start = shown = time.monotonic()
        rows = seen = 0
        try:
            for item, n_rows, share in items:
                rows += n_rows
                seen += share
                now = time.monotonic()
                if line is None and now - start > PATIENCE:
                    line = _Line(size, start, force=bool(wanted))
                if line is not None and now - shown > REFRESH:
                    line.show(rows, seen, now)
                    shown = now
                yield item, n_rows, share
        finally:
            if line is not None:
                line.stop()

    return watch


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; None is none, nor what lacks the question or is closed, as in services.

    Parameters
    ----------
    stream : file or None

    Returns
    -------
    bool
    """
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


class _Line:
    def __init__(self, size: int, start: float, force: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._size, self._start = size, start
        columns = [BarColumn(), TextColumn("{task.percentage:>3.0f} %")] if size else []
        self._progress = Progress(
            *columns, TextColumn("{task.description}"), console=Console(stderr=True, force_terminal=force or None),
            transient=True, auto_refresh=False,
        )  # fmt: skip
        self._progress.start()
        self._task = self._progress.add_task("", total=size or None)

    def show(self, rows: int, seen: int, now: float) -> None:
        taken = now - self._start
        text = f"{rows:,} rows, {rows / taken / 1e6:.1f} million/s"
        if self._size and seen:
            text += f", {max(self._size - seen, 0) * taken / seen:.0f} s left"
        self._progress.update(self._task, completed=min(seen, self._size), description=text)
        self._progress.refresh()

    def stop(self) -> None:
        self._progress.stop()
