"""Rows in runs -> a raw record of each run, also of runs that lie in several pieces."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fastml.io.pieces import Pieces

__all__ = ["sum_runs"]

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


def sum_runs(starts: Codes, y: Pieces, records: Floats, missing: Floats, top: Floats) -> bool:
    """Make the records of runs, which have the bits of those of the joined rows.

    Parameters
    ----------
    starts : ndarray of int32, shape (R + 1,)
        First row of each run, and the number of rows.
    y : Pieces of float64
        NaN where it is missing.
    records : ndarray, shape (R, 4)
        Takes the raw records.
    missing : ndarray, shape (R,)
        Takes the number of missing values by run.
    top : ndarray, shape (1,)
        Takes the greatest value.

    Returns
    -------
    bool
        Whether all values are finite, and none too large to square.
    """
    from fastml.kernels.sums import runs as kernel

    if len(y.parts) == 1:
        return bool(kernel.sum_runs(starts, y.joined, records, missing, top) < 0)
    are_finite, highest = True, -math.inf
    for some, own_starts, values in _by_piece(starts, y):
        are_finite &= kernel.sum_runs(own_starts, values, records[some], missing[some], top) < 0
        highest = max(highest, top[0])
    top[0] = highest
    return are_finite


def _by_piece(starts: Codes, y: Pieces) -> Iterator[tuple[slice, Codes, Floats]]:
    """Runs that lie in one piece, a piece at a time, and those on the edge of pieces, each joined."""
    edges = np.cumsum([0, *map(len, y.parts)], dtype=np.int32)
    begins = np.searchsorted(starts, edges[:-1]).tolist()
    # The run that the next piece begins with, or goes on with.
    lasts = (np.searchsorted(starts, edges[1:], "right") - 1).tolist()
    for i, (part, begin, last) in enumerate(zip(y.parts, begins, lasts, strict=True)):
        if begin < last:
            yield slice(begin, last), starts[begin : last + 1] - edges[i], part
        if begin <= last and starts[last] < edges[i + 1]:
            own = starts[last : last + 2] - edges[i]
            values = Pieces(y.parts[i:]).values(*own.tolist())
            yield slice(last, last + 1), own - own[0], values
