"""Groups gathered by size, part by part: one pass for a part's unit and origin, one for each run of one size."""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.exact import two_sum
from fastml.kernels.jit import F8_IN, F8_OUT, I8_IN, I8_OUT, TABLE_OUT, exact, inner, kernel

__all__ = ["gather"]

_BLOCK = 256  # values whose sum is a plain one; the sum of blocks is compensated


@exact
def _deviation(mean, residual, origin, scale):
    """What a mean and its residual are more than the origin, in the unit 1/scale."""
    return ((mean - origin) + residual) * scale


@exact
def _scaled(ssw, scale):
    """A sum of squares in the unit 1/scale; the square of the scale may be more than a double holds."""
    return (ssw * scale) * scale


@exact
def _term(value, mean, correction, squared):
    rest = (value - mean) - correction
    return rest * rest if squared else rest


@inner
def _sum_about(values, mean, correction, squared):
    """Sum of what values (c,) are more than a mean and its correction, or of the squares."""
    total, rest = 0.0, 0.0
    for first in range(0, values.shape[0], _BLOCK):
        block = 0.0
        for i in range(first, min(first + _BLOCK, values.shape[0])):
            block += _term(values[i], mean, correction, squared)
        total, error = two_sum(total, block)
        rest += error
    return total + rest


@inner
def _moments(values):
    """Mean of values (c,), and the sum of their squares about it."""
    total = 0.0
    for i in range(values.shape[0]):
        total += values[i]
    mean = total / values.shape[0]
    # The mean is off by rounding; what is left over is put back, so that the squares are about the true one.
    correction = _sum_about(values, mean, 0.0, False) / values.shape[0]
    return mean + correction, _sum_about(values, mean, correction, True)


@kernel(I8_IN, I8_IN, I8_IN, F8_IN, F8_IN, F8_IN, types.float64, F8_OUT, TABLE_OUT, I8_OUT, TABLE_OUT, I8_OUT)
def gather(order, edges, n, mean, residual, ss, most, deviation, sizes, offsets, figures, n_obs):
    """Gather the groups of K parts by size.

    `order` (J,): the groups by part, in it by size; part k has places `edges[k]` to `edges[k + 1]`. `n`, `mean`,
    `residual`, `ss` (J,): the groups. Deviations from the origin are cut at `most`. `deviation` (J,) is scratch.
    `sizes` (4, T): size, count, mean and sum of squares of each part's sizes, part k from `offsets[k]` to
    `offsets[k + 1]`. `figures` (6, K): ssw in the unit's square, origin, unit, least and largest mean, and largest
    deviation from the origin. `n_obs` (K,).

    Long sums are compensated: an error of rounding for each of millions of groups would cost digits.
    """
    row = 0
    offsets[0] = 0
    for k in range(n_obs.shape[0]):
        first, last = np.uint64(edges[k]), np.uint64(edges[k + 1])
        n_groups = edges[k + 1] - edges[k]
        low, high = math.inf, -math.inf
        rows = 0
        ssw, ssw_rest, total = 0.0, 0.0, 0.0
        for i in range(first, last):
            g = np.uint64(order[i])
            rows += n[g]
            ssw, error = two_sum(ssw, ss[g])
            ssw_rest += error
            total += mean[g]
            if mean[g] < low:
                low = mean[g]
            if mean[g] > high:
                high = mean[g]
        ssw += ssw_rest
        origin, exponent = math.nan, 0
        if n_groups > 0:
            origin = total / n_groups
            exponent = math.frexp(ssw / (rows - n_groups))[1] // 2
        scale = math.ldexp(1.0, -exponent)
        spread = 0.0
        for i in range(first, last):
            g = np.uint64(order[i])
            value = _deviation(mean[g], residual[g], origin, scale)
            # What is no number is too far as well; both are refused, and must not spoil the other parts' sums.
            if not abs(value) < most:
                value = most
            if abs(value) > spread:
                spread = abs(value)
            deviation[i] = value
        begin = edges[k]
        while begin < edges[k + 1]:
            size = n[order[begin]]
            end = begin + 1
            while end < edges[k + 1] and n[order[end]] == size:
                end += 1
            sizes[0, row] = size
            sizes[1, row] = end - begin
            sizes[2, row], sizes[3, row] = _moments(deviation[begin:end])
            row += 1
            begin = end
        offsets[k + 1] = row
        n_obs[k] = rows
        figures[0, k] = _scaled(ssw, scale)
        figures[1, k] = origin
        figures[2, k] = math.ldexp(1.0, exponent)
        figures[3, k] = low
        figures[4, k] = high
        figures[5, k] = spread
