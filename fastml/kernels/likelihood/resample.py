"""Fits of simulated group means: many draws over the same group sizes.

The sizes, and so the weights at the thetas of the search grid, are the same in every draw. A draw then costs four
products per size and grid point; only one whose score does more than turn from negative to positive once is searched
as closely as a first fit.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, TABLE_IN, TABLE_OUT, inner, kernel
from fastml.kernels.likelihood.profile import _root, _score, _terms, find_optima

__all__ = ["fit_draws"]

_STEP = 0.25  # as in profile.py
_find_optima = inner(find_optima.function)


@kernel(F8_IN, F8_IN, TABLE_IN, TABLE_IN, F8_IN, types.float64, types.boolean, TABLE_OUT)
def fit_draws(size, count, means, sss, ssws, dof, restricted, out):
    """Fit every draw; fill rows of `out` (B, 3) with theta, sigma2 and gamma.

    `means` and `sss` (B, S): mean of the group means of each size and their sum of squares about it; `ssws` (B,).
    Returns the number of draws that had to be searched closely.
    """
    sizes = size.shape[0]
    u_low = math.log(1e-3 / size[sizes - 1])
    points = math.ceil((math.log(1e3 / size[0]) - u_low) / _STEP) + 2
    grid = np.empty(points)
    w = np.empty((points, sizes))
    ww = np.empty((points, sizes))
    w1 = np.zeros(points)
    w2 = np.zeros(points)
    for t in range(points):
        grid[t] = math.exp(u_low + _STEP * t)
        for s in range(sizes):
            weight = size[s] / (1.0 + size[s] * grid[t])
            w[t, s] = weight
            ww[t, s] = weight * weight
            w1[t] += count[s] * weight
            w2[t] += count[s] * weight * weight
    cm = np.empty(sizes)
    square = np.empty(sizes)
    optima = np.empty((16, 2))
    searched = 0
    for b in range(means.shape[0]):
        mean = means[b]
        ss = sss[b]
        ssw = ssws[b]
        for s in range(sizes):
            cm[s] = count[s] * mean[s]
            square[s] = ss[s] + cm[s] * mean[s]
        at_zero = _score(0.0, size, count, mean, ss, ssw, dof, restricted)[0]
        before = math.inf
        last = at_zero
        turns = 0  # from negative to positive
        clear = True
        low = 0.0
        high = 0.0
        negative = at_zero < 0.0
        for t in range(points):
            a1 = 0.0
            a2 = 0.0
            b1 = 0.0
            b2 = 0.0
            for s in range(sizes):
                a1 += w[t, s] * square[s]
                a2 += ww[t, s] * square[s]
                b1 += w[t, s] * cm[s]
                b2 += ww[t, s] * cm[s]
            gamma = b1 / w1[t]
            r = ssw + (a1 - gamma * b1)
            q2 = a2 - gamma * (2.0 * b2 - gamma * w2[t])
            value = w1[t] - dof * (q2 / r)
            if restricted:
                value -= w2[t] / w1[t]
            value *= grid[t]
            if value < 0.0:
                if not negative:
                    clear = False  # falls again: a second minimum
                    break
                low = grid[t]
            elif negative:
                turns += 1
                high = grid[t]
                negative = False
            elif t >= 2 and last <= before and last <= value:
                clear = False  # a near miss above zero
                break
            if negative and t >= 2 and last >= before and last >= value:
                clear = False  # a near miss below zero
                break
            before, last = last, value
        if clear and not negative and turns <= 1 and sizes > 1:
            theta = 0.0
            if turns == 1:
                theta, _ = _root(low, high, size, count, mean, ss, ssw, dof, restricted)
        else:
            searched += 1
            found, _ = _find_optima(size, count, mean, ss, ssw, dof, restricted, optima)
            best = 0
            for k in range(1, found):
                if optima[k, 1] < optima[best, 1]:
                    best = k
            theta = optima[best, 0]
        gamma, _, _, _, r, _, _, _ = _terms(theta, size, count, mean, ss, ssw)
        out[b, 0] = theta
        out[b, 1] = r / dof
        out[b, 2] = gamma
    return searched
