"""Sorting by counting."""

from __future__ import annotations

from fastml.kernels.jit import I8_IN, I8_OUT, kernel

__all__ = ["place"]


@kernel(I8_IN, I8_IN, I8_OUT, I8_OUT)
def place(keys, order, next_place, placed):
    """One pass of a stable counting sort: `order` (J,) sorted by `keys` (J,) into `placed` (J,).

    `next_place` (L,) has the first place of each key on the way in, the place behind its last on the way out.
    """
    for i in range(order.shape[0]):
        key = keys[order[i]]
        placed[next_place[key]] = order[i]
        next_place[key] += 1
