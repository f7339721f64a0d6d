"""Arrow's validity bitmaps: a bit for each row, 1 where it has a value."""

from __future__ import annotations

import numpy as np

from fastml.kernels._jit import inner

__all__ = ["all_valid", "is_valid"]


@inner
def is_valid(valid, place):
    """Whether a bit is 1."""
    return (valid[place >> 3] >> np.uint8(place & 7)) & np.uint8(1) != 0


@inner
def all_valid(valid, start, stop):
    """Whether the bits from `start` to `stop` are all 1."""
    while start < stop and start & 7:
        if not is_valid(valid, start):
            return False
        start += 1
    while start + 8 <= stop:
        if valid[start >> 3] != np.uint8(255):
            return False
        start += 8
    while start < stop:
        if not is_valid(valid, start):
            return False
        start += 1
    return True
