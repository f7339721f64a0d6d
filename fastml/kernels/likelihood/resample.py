"""Fits of simulated group means: many draws over the same group sizes.

The sizes, and so the weights at the thetas of the search grid, are the same in every draw. A draw then costs four
products per size and grid point; one whose score does more than turn from negative to positive once is left to
`find_minimum`.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, TABLE_IN, TABLE_OUT, inner, kernel
from fastml.kernels.likelihood.profile import COUNT, MEAN, SIZE, SS, newton, score, terms

__all__ = ["fit_draws"]


@inner
def _grid_score(theta, w, centred, ssw, dof, restricted):
    """Theta times the score from weights (S,) and `centred` (3, S): counts, count x mean, ss + count x mean^2."""
    w1 = 0.0
    w2 = 0.0
    a1 = 0.0
    a2 = 0.0
    b1 = 0.0
    b2 = 0.0
    for s in range(w.shape[0]):
        cw = w[s] * centred[0, s]
        bw = w[s] * centred[1, s]
        aw = w[s] * centred[2, s]
        w1 += cw
        w2 += w[s] * cw
        b1 += bw
        b2 += w[s] * bw
        a1 += aw
        a2 += w[s] * aw
    gamma = b1 / w1
    r = ssw + (a1 - gamma * b1)
    q2 = a2 - gamma * (2.0 * b2 - gamma * w2)
    value = w1 - dof * (q2 / r)
    if restricted:
        value -= w2 / w1
    return theta * value


@inner
def _bracket(at_zero, grid, weights, centred, ssw, dof, restricted):
    """Ends of the grid's step in which the score turns from negative to positive; 0 and 0 where it never is negative.

    NaN where it turns twice, nearly does, or ends below 0.
    """
    before = math.inf
    last = at_zero
    low = 0.0
    high = 0.0
    negative = at_zero < 0.0
    for t in range(grid.shape[0]):
        value = _grid_score(grid[t], weights[t], centred, ssw, dof, restricted)
        sign = -1.0 if negative else 1.0
        near_miss = t >= 2 and sign * value >= 0.0 and sign * last <= sign * before and sign * last <= sign * value
        if near_miss or (value < 0.0 and not negative):
            return math.nan, math.nan
        if value < 0.0:
            low = grid[t]
        elif negative:
            high = grid[t]
            negative = False
        before, last = last, value
    if negative:
        return math.nan, math.nan
    return low, high


@kernel(F8_IN, TABLE_IN, TABLE_IN, TABLE_IN, F8_IN, types.float64, types.boolean, TABLE_OUT)
def fit_draws(grid, sizes, means, sss, ssws, dof, restricted, out):
    """Fit every draw; fill rows of `out` (B, 3) with theta, sigma2 and gamma, NaN for those left to `find_minimum`.

    `grid` (T,): thetas to look at. `sizes` (4, S): a size table, of which sizes and counts matter. `means` and `sss`
    (B, S): mean of the group means of each size and their sum of squares about it; `ssws` (B,).
    """
    n_sizes = sizes.shape[1]
    table = np.empty((4, n_sizes))
    centred = np.empty((3, n_sizes))
    weights = np.empty((grid.shape[0], n_sizes))
    for s in range(n_sizes):
        table[SIZE, s] = sizes[SIZE, s]
        table[COUNT, s] = sizes[COUNT, s]
        centred[0, s] = sizes[COUNT, s]
        for t in range(grid.shape[0]):
            weights[t, s] = sizes[SIZE, s] / (1.0 + sizes[SIZE, s] * grid[t])
    for b in range(means.shape[0]):
        for s in range(n_sizes):
            table[MEAN, s] = means[b, s]
            table[SS, s] = sss[b, s]
            centred[1, s] = table[COUNT, s] * means[b, s]
            centred[2, s] = sss[b, s] + centred[1, s] * means[b, s]
        at_zero, _ = score(0.0, table, ssws[b], dof, restricted)
        low, high = _bracket(at_zero, grid, weights, centred, ssws[b], dof, restricted)
        theta = low
        if high > 0.0:
            guess = 0.5 * high if low == 0.0 else math.sqrt(low) * math.sqrt(high)
            theta, _ = newton(guess, low, high, table, ssws[b], dof, restricted)
        gamma, _, _, _, r, _, _, _ = terms(theta, table, ssws[b])
        out[b, 0] = theta
        out[b, 1] = r / dof
        out[b, 2] = gamma
