"""Memory that is used again from tile to tile: fresh pages cost more than the sums that fill them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Spare", "Workspace"]

_T = TypeVar("_T")

_LINE = 8  # doubles in a cache line

Floats = npt.NDArray[np.float64]


class Spare:
    """Tables that nobody needs any more, for any thread to take. Lists append and pop in one step.

    Parameters
    ----------
    limit : int
        Tables to keep at most.
    """

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._free: list[Floats] = []

    def table(self, rows: int, columns: int) -> Floats:
        """Return a table of anything, shape (rows, columns), from the start of a cache line: no record of 4 has two."""
        length = rows * columns
        try:
            held = self._free.pop()
        except IndexError:
            held = np.empty(0)
        if held.size < length + _LINE:
            held = np.empty(length + length // 8 + _LINE)
        first = -held.__array_interface__["data"][0] % (8 * _LINE) // 8
        return held[first : first + length].reshape(rows, columns)

    def give(self, table: Floats) -> None:
        """Take back a table of `table`; nobody may use it from now on."""
        held = table.base
        if isinstance(held, np.ndarray) and len(self._free) < self._limit:
            self._free.append(held)


class Workspace(threading.local):
    """What a thread holds on to, each thread its own."""

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._things: dict[Any, Any] = {}

    def array(self, name: str, length: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array (length,) of anything; it is overwritten when it is asked for again.

        Parameters
        ----------
        name : str
        length : int
        dtype : dtype
            The same for a name each time.

        Returns
        -------
        ndarray
        """
        held = self._arrays.get(name)
        if held is None or len(held) < length:
            held = self._arrays[name] = np.empty(length, dtype)
        return held[:length]

    def thing(self, name: Any, make: Callable[[], _T]) -> _T:
        """Return what `make` made when the name was first asked for."""
        if name not in self._things:
            self._things[name] = make()
        found: _T = self._things[name]
        return found
