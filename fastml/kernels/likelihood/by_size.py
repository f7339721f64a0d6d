"""Groups of equal size brought together, part by part: one pass for a part's unit and origin, one for each size."""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.exact import two_sum
from fastml.kernels.jit import F8_OUT, I8_IN, I8_OUT, TABLE_IN, TABLE_OUT, exact, inner, kernel
from fastml.kernels.likelihood.profile import COUNT, MEAN, SIZE, SS

__all__ = ["N_FIGURES", "group_by_size"]

N_FIGURES = 7
_N, _MEAN, _RESIDUAL, _SS = range(4)  # rows of the groups
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
def _difference(a, b):
    return a - b


@inner
def _moments(values):
    """Mean of values (c,), and the sum of their squares about it."""
    mean = 0.0
    for i in range(values.shape[0]):
        mean += values[i]
    mean /= values.shape[0]
    # The mean is off by rounding; the mean of what is left over puts it right, and the squares with it.
    total, total_rest, squares, squares_rest = 0.0, 0.0, 0.0, 0.0
    for first in range(0, values.shape[0], _BLOCK):
        block = 0.0
        block_squares = 0.0
        for i in range(first, min(first + _BLOCK, values.shape[0])):
            rest = _difference(values[i], mean)
            block += rest
            block_squares += rest * rest
        total, error = two_sum(total, block)
        total_rest += error
        squares, error = two_sum(squares, block_squares)
        squares_rest += error
    correction = (total + total_rest) / values.shape[0]
    return mean + correction, max(0.0, squares + squares_rest - values.shape[0] * correction * correction)


@inner
def _pool(order, groups, figures):
    """Figures of one part, see `group_by_size`, from its groups; the sum of squares is not in the unit yet."""
    low, high = math.inf, -math.inf
    rows, ssw, ssw_rest, total = 0.0, 0.0, 0.0, 0.0
    for i in range(order.shape[0]):
        g = np.uint64(order[i])
        rows += groups[_N, g]
        ssw, error = two_sum(ssw, groups[_SS, g])
        ssw_rest += error
        total += groups[_MEAN, g]
        if groups[_MEAN, g] < low:
            low = groups[_MEAN, g]
        if groups[_MEAN, g] > high:
            high = groups[_MEAN, g]
    ssw += ssw_rest
    origin, exponent = math.nan, 0
    if order.shape[0] > 0:
        origin = total / order.shape[0]
        exponent = math.frexp(ssw / (rows - order.shape[0]))[1] // 2
    figures[0], figures[1], figures[2], figures[3] = _scaled(ssw, math.ldexp(1.0, -exponent)), origin, low, high
    figures[4], figures[6] = math.ldexp(1.0, exponent), rows
    return math.ldexp(1.0, -exponent)


@kernel(I8_IN, I8_IN, TABLE_IN, types.float64, F8_OUT, TABLE_OUT, I8_OUT, TABLE_OUT)
def group_by_size(order, edges, groups, most, deviation, columns, offsets, figures):
    """Bring the groups of K parts together by size.

    `order` (J,): the groups by part, in it by size; part k has places `edges[k]` to `edges[k + 1]`. `groups` (4, J):
    n, mean, residual and ss. `deviation` (J,) takes the deviations from the origin, cut at `most`. `columns` (4, T):
    the size tables of the parts, part k from `offsets[k]` to `offsets[k + 1]`. `figures` (K, N_FIGURES): ssw in the
    unit's square, origin, least and largest mean, unit, largest deviation from the origin, and observations.

    Long sums are compensated: an error of rounding for each of millions of groups would cost digits.
    """
    place = 0
    offsets[0] = 0
    for k in range(figures.shape[0]):
        scale = _pool(order[edges[k] : edges[k + 1]], groups, figures[k])
        spread = 0.0
        for i in range(np.uint64(edges[k]), np.uint64(edges[k + 1])):
            g = np.uint64(order[i])
            value = _deviation(groups[_MEAN, g], groups[_RESIDUAL, g], figures[k, 1], scale)
            # What is no number is too far as well; both are refused, and must not spoil the other parts' sums.
            if not abs(value) < most:
                value = most
            if abs(value) > spread:
                spread = abs(value)
            deviation[i] = value
        figures[k, 5] = spread
        begin = edges[k]
        while begin < edges[k + 1]:
            size = groups[_N, order[begin]]
            end = begin + 1
            while end < edges[k + 1] and groups[_N, order[end]] == size:
                end += 1
            columns[SIZE, place] = size
            columns[COUNT, place] = end - begin
            columns[MEAN, place], columns[SS, place] = _moments(deviation[begin:end])
            place += 1
            begin = end
        offsets[k + 1] = place
