"""Dense codes for integers of modest range: by a table over their range."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastml.kernels.jit import I4_OUT, I8_IN, I8_OUT, kernel

__all__ = ["encode_range"]


@kernel(I8_IN, types.int64, types.int64, I4_OUT, I8_OUT, types.int64, I4_OUT)
def encode_range(keys, row, low, slots, labels, count, codes):
    """Give keys from `low` on their codes, by a slot for each value of the range; return the row and the labels.

    It stops at a key that has no slot, too.
    """
    for i in range(row, keys.shape[0]):
        key = keys[i]
        place = np.uint64(key - low)
        if place >= np.uint64(slots.shape[0]):
            return i, count
        code = slots[place] - 1
        if code < 0:
            if count + 1 == labels.shape[0]:
                return i, count
            code = np.int32(count)
            count += 1
            labels[count] = key
            slots[place] = count
        codes[i] = code
    return keys.shape[0], count
