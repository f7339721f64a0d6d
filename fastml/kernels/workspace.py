"""Memory that is used again, from tile to tile and call to call: fresh pages cost more than the sums that fill them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["SPARE", "Spare", "Workspace"]

_T = TypeVar("_T")
_LINE = 64  # bytes of a cache line
_KEPT = 1 << 25  # bytes that are kept for later, at most
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


class Spare:
    """Blocks of memory that nobody needs any more, for any thread to take. Lists append and pop in one step.

    Parameters
    ----------
    limit : int
        Bytes to keep at most.
    """

    def __init__(self, limit: int = _KEPT) -> None:
        self._limit = limit
        self._free: list[Bytes] = []

    def block(self, length: int) -> Bytes:
        """Return so many bytes of anything, from the start of a cache line."""
        held = self._fitting(length + _LINE)
        if held is None:
            held = np.empty(length + length // 8 + _LINE, np.uint8)
        first = -held.__array_interface__["data"][0] % _LINE
        return held[first : first + length]

    def _fitting(self, length: int) -> Bytes | None:
        for k, held in enumerate(self._free):
            if length <= held.size <= 4 * length + 4096:
                try:
                    held = self._free.pop(k)
                except IndexError:  # another thread was first
                    return None
                if held.size >= length:
                    return held
                self._free.append(held)
        return None

    def table(self, *shape: int) -> Floats:
        """Return a table of anything, of a shape that ends with that of a record: none of 4 lies in two cache lines."""
        return self.block(8 * math.prod(shape)).view(np.float64).reshape(shape)

    def give(self, array: npt.NDArray[Any]) -> None:
        """Take back the memory of an array that lies in a `block`; nobody may use it from now on."""
        held = array.base
        if not isinstance(held, np.ndarray) or held.dtype != np.uint8:
            return  # it has grown out of its block
        if sum(map(len, self._free)) + len(held) <= self._limit:
            self._free.append(held)


SPARE = Spare()  # of calls that have ended, since a page costs microseconds when it is first written


class Workspace(threading.local):
    """What a thread holds on to, each thread its own.

    Parameters
    ----------
    spare : Spare
        Where its arrays come from, and tables that are handed on.
    """

    def __init__(self, spare: Spare) -> None:
        self.spare = spare
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
            held = self._arrays[name] = self.spare.block(np.dtype(dtype).itemsize * length).view(dtype)
        return held[:length]

    def thing(self, name: Any, make: Callable[[], _T]) -> _T:
        """Return what `make` made when the name was first asked for."""
        if name not in self._things:
            self._things[name] = make()
        found: _T = self._things[name]
        return found

    def release(self) -> None:
        """Give back the arrays of this thread, which has ended its work."""
        for held in self._arrays.values():
            self.spare.give(held)
        self._arrays, self._things = {}, {}
