"""Runs of rows with equal keys into raw records, a run each."""

from __future__ import annotations

import math

import numpy as np

from fastml.kernels.ahead import fetch_ahead
from fastml.kernels.jit import F8_IN, F8_OUT, I4_IN, TABLE_OUT, inner, kernel
from fastml.kernels.sums.record import BLOCK, greatest_of, is_off

__all__ = ["sum_runs"]


@inner
def _sums(y, start, stop, shift, top):
    """Sums of d and d^2; raises ``top[0]`` to the greatest value, of which NaN is none."""
    fetch_ahead(y, start, stop)
    total, squares, greatest, n_above = 0.0, 0.0, top[0], 0
    # Up to 15 rows of a loop LLVM adds one by one, which in short runs is most of the time; the second loop has up to 7
    middle = stop - ((stop - start) & np.uint64(7))
    for i in range(start, middle):
        deviation = y[i] - shift
        total += deviation
        squares += deviation * deviation
        n_above += y[i] > greatest  # a greatest value would not vectorise
    for i in range(middle, stop):
        deviation = y[i] - shift
        total += deviation
        squares += deviation * deviation
        n_above += y[i] > greatest
    if n_above > 0:
        top[0] = greatest_of(greatest, y, start, stop)
    return total, squares


@inner
def _sum_given(y, start, stop, shift):
    """Number, shift and sums of the values that aren't NaN, of any number of rows; a shift of NaN becomes the first."""
    n, total, squares = 0.0, 0.0, 0.0
    for i in range(start, stop):
        if shift == shift:
            break
        shift = y[i]
    for first in range(start, stop, np.uint64(BLOCK)):
        more, more_squares = 0.0, 0.0
        for i in range(first, min(first + np.uint64(BLOCK), stop)):
            given = y[i] == y[i]
            deviation = y[i] - shift if given else 0.0
            n += 1.0 if given else 0.0
            more += deviation
            more_squares += deviation * deviation
        total += more
        squares += more_squares
    return n, shift, total, squares


@inner
def _sum_again(y, start, stop, n, shift, total, squares):
    """The record of a run of which some values are NaN, or whose first value is an outlier, about its mean then."""
    if total != total:
        n, shift, total, squares = _sum_given(y, start, stop, math.nan)
    if n > 0.0 and is_off(n, total, squares, n):
        n, shift, total, squares = _sum_given(y, start, stop, shift + total / n)
    return n, shift, total, squares


@kernel(I4_IN, F8_IN, TABLE_OUT, F8_OUT, F8_OUT)
def sum_runs(starts, y, records, missing, top):
    """Fill a raw record (R, 4) for each run: run r holds the rows from ``starts[r]`` to ``starts[r + 1]``.

    Values that are missing are NaN; their number goes to `missing` (R,), and the greatest of the others to `top` (1,).
    The first value of a run may be an outlier; the run is then summed about its mean. Returns the first run whose sums
    aren't finite, or -1.
    """
    bad, block = np.int64(-1), np.uint64(BLOCK)
    top[0] = -math.inf
    for r in range(np.uint64(records.shape[0])):
        start, stop = np.uint64(starts[r]), np.uint64(starts[r + np.uint64(1)])
        n, shift, total, squares = np.float64(stop - start), y[start], 0.0, 0.0
        for first in range(start, stop, block):
            more, more_squares = _sums(y, first, min(first + block, stop), shift, top)
            total += more
            squares += more_squares
        if total != total or is_off(n, total, squares, n):
            n, shift, total, squares = _sum_again(y, start, stop, n, shift, total, squares)
        records[r, 0], records[r, 1], records[r, 2], records[r, 3] = n, shift, total, squares
        missing[r] = np.float64(stop - start) - n
        if bad < 0 and not math.isfinite(squares):
            bad = np.int64(r)
    return bad
