"""Arrays that a thread uses again from tile to tile, and tables that begin with a cache line."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Workspace", "empty_table"]

_T = TypeVar("_T")
_LINE = 64  # bytes of a cache line
Floats = npt.NDArray[np.float64]


def _block(length: int) -> npt.NDArray[np.uint8]:
    """Bytes that are not set, from the start of a cache line."""
    held = np.empty(length + _LINE, np.uint8)
    first = -held.__array_interface__["data"][0] % _LINE
    return held[first : first + length]


def empty_table(*shape: int) -> Floats:
    """Return a table whose values are not set; it begins with a cache line.

    Parameters
    ----------
    *shape : int
        Where it ends with 4 or 8, no record lies in two cache lines.

    Returns
    -------
    ndarray of float64
    """
    return _block(8 * math.prod(shape)).view(np.float64).reshape(shape)


_KEPT = 1 << 25  # bytes that are kept from one workspace to the next, at most
_spare: list[dict[str, npt.NDArray[Any]]] = []  # the arrays of one that nobody uses any more


class Workspace(threading.local):
    """What a thread uses again from tile to tile, each thread its own: fresh memory costs more than the sums in it."""

    def __init__(self) -> None:
        try:
            self._arrays = _spare.pop()
        except IndexError:
            self._arrays = {}
        self._things: dict[Any, Any] = {}

    def close(self) -> None:
        """Leave this thread's arrays to the next workspace: the system gives and takes memory page by page."""
        if not _spare and sum(held.nbytes for held in self._arrays.values()) <= _KEPT:
            _spare.append(self._arrays)
        self._arrays, self._things = {}, {}

    def array(self, name: str, length: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array (length,) whose values are not set; it is overwritten when it is asked for again.

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
            room = length + length // 8  # the next tile often needs a little more
            held = self._arrays[name] = _block(np.dtype(dtype).itemsize * room).view(dtype)
        return held[:length]

    def thing(self, name: Any, make: Callable[[], _T]) -> _T:
        """Return what `make` made when the name was first asked for."""
        if name not in self._things:
            self._things[name] = make()
        found: _T = self._things[name]
        return found
