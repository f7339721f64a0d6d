"""Runs of rows with equal keys into raw records, a run each."""

from __future__ import annotations

import math

import numpy as np

from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, TABLE_OUT, inner, kernel
from fastml.kernels.sums.record import BLOCK, is_off

__all__ = ["sum_runs"]


@inner
def _sums(y, start, stop, shift):
    """Sums of d and d^2."""
    total, squares = 0.0, 0.0
    for i in range(start, stop):
        deviation = y[i] - shift
        total += deviation
        squares += deviation * deviation
    return total, squares


@inner
def _sums_without_nan(y, start, stop, shift):
    """Number, shift and sums of the values that aren't NaN; a shift of NaN becomes the first of them."""
    n, total, squares = 0.0, 0.0, 0.0
    for i in range(start, stop):
        if y[i] == y[i]:
            if shift != shift:
                shift = y[i]
            deviation = y[i] - shift
            n += 1.0
            total += deviation
            squares += deviation * deviation
    return n, shift, total, squares


@inner
def _sum_run(y, start, stop, shift):
    """Number, shift and sums of a run of any length, in blocks; a shift of NaN becomes the first value."""
    n, total, squares = 0.0, 0.0, 0.0
    if shift != shift:
        shift = y[start]
    for first in range(start, stop, np.uint64(BLOCK)):
        last = min(first + np.uint64(BLOCK), stop)
        some, more, more_squares = np.float64(last - first), 0.0, 0.0
        more, more_squares = _sums(y, first, last, shift)
        if more != more:
            some, shift, more, more_squares = _sums_without_nan(y, first, last, shift)
        n += some
        total += more
        squares += more_squares
    return n, shift, total, squares


@kernel(I4_IN, F8_IN, TABLE_OUT, F8_OUT)
def sum_runs(starts, y, records, missing):
    """Fill a raw record (R, 4) for each run: run r holds the rows from ``starts[r]`` to ``starts[r + 1]``.

    Values that are missing are NaN; their number goes to `missing` (R,). The first value of a run may be an outlier;
    the run is then summed about its mean. Returns the first run whose sums aren't finite, or -1.
    """
    bad = np.int64(-1)
    for r in range(np.uint64(records.shape[0])):
        start, stop = np.uint64(starts[r]), np.uint64(starts[r + np.uint64(1)])
        n, shift, total, squares = _sum_run(y, start, stop, math.nan)
        if n > 0.0 and is_off(n, total, squares, n):
            n, shift, total, squares = _sum_run(y, start, stop, shift + total / n)
        records[r, 0], records[r, 1], records[r, 2], records[r, 3] = n, shift, total, squares
        missing[r] = np.float64(stop - start) - n
        if bad < 0 and not math.isfinite(squares):
            bad = np.int64(r)
    return bad
