"""Values that lie in memory piece by piece, as those of several batches do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Pieces"]

Values = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Values, without a copy until somebody asks for all of them in a row.

    Attributes
    ----------
    parts : tuple of ndarray, each of one dimension
        One or more, of one dtype.
    """

    parts: tuple[Values, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of all pieces."""
        return self.parts[0].dtype

    @cached_property
    def joined(self) -> Values:
        """All values; copied, once, where there are several pieces."""
        return _joined(list(self.parts))

    def between(self, start: int, stop: int) -> list[Values]:
        """Return what of each piece lies in a range of places; pieces that have nothing there are left out.

        Examples
        --------
        >>> import numpy as np
        >>> Pieces((np.arange(3), np.arange(3, 9))).between(2, 5)
        [array([2]), array([3, 4])]
        """
        found, first = list[Values](), 0
        for part in self.parts:
            if first >= stop:
                break
            some = part[max(start - first, 0) : stop - first]
            if len(some):
                found.append(some)
            first += len(part)
        return found

    def values(self, start: int, stop: int) -> Values:
        """Return the values in a range of places, without a copy where they lie in one piece."""
        return _joined(self.between(start, stop) or [self.parts[0][:0]])

    def first(self, count: int) -> Values:
        """Return the first values, without a copy where they lie in one piece."""
        return self.values(0, count)

    def every(self, step: int) -> Values:
        """Return the first value, and one every `step` places."""
        found, first = list[Values](), 0
        for part in self.parts:
            found.append(part[-first % step :: step])
            first += len(part)
        return _joined(found)

    def take(self, places: npt.NDArray[np.int32]) -> Values:
        """Return the values at some places, shape (m,), in any order."""
        if len(self.parts) == 1:
            return self.parts[0][places]
        found, first = np.empty(len(places), self.dtype), 0
        for part in self.parts:
            own = (places >= first) & (places < first + len(part))
            found[own] = part[places[own] - first]
            first += len(part)
        return found


def _joined(parts: list[Values]) -> Values:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
