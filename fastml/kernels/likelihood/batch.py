"""Thousands of profiles in one call: every global optimum, at a fraction of the evaluations of `find_minimum`.

The derivative of the deviance by u = log theta is A - B with A = theta sum(count w) and B = dof theta Q2/R (see
`profile`). In u, log A rises with a slope between 0 and 1 and log B has a slope between -1 and 4 (the weights
w = size/(1 + size theta) are logistic curves in u, and by Cauchy and Schwarz the drift of gamma adds at most 2), so
L = log(B/A) has one between -2 and 4. From a point with L < 0 no root lies nearer than -L/4 to the right; from one
with L > 0 none nearer than L/2. The scan strides over what that excludes and walks in the steps of `find_minimum`
elsewhere. REML's A has one term less, theta W2/W1; it is the same sum over the eigenvalues of the projected matrix,
so that the bounds hold.

What is not one clean sign change (several optima, a near miss, a score lost in rounding) is left to `find_minimum`.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, I8_IN, TABLE_IN, TABLE_OUT, inner, kernel
from fastml.kernels.likelihood.profile import (
    COUNT,
    MEAN,
    SIZE,
    SS,
    STEP,
    newton,
    score,
    terms,
)

__all__ = ["FIELDS", "fit_tables"]

# Of a row of fits: theta, the terms of `profile.evaluate`, then the optimiser's record.
FIELDS = 13
_UNSURE = 1e-7  # scores below this part of A may have the wrong sign in one pass: look closer


@inner
def _centre(table, centred):
    """Fill `centred` (2, S) with count x and ss + count x^2, x the means about their own middle."""
    middle = 0.0
    weight = 0.0
    for s in range(table.shape[1]):
        middle += table[COUNT, s] * table[SIZE, s] * table[MEAN, s]
        weight += table[COUNT, s] * table[SIZE, s]
    middle /= weight
    for s in range(table.shape[1]):
        x = table[MEAN, s] - middle
        centred[0, s] = table[COUNT, s] * x
        centred[1, s] = table[SS, s] + table[COUNT, s] * x * x


@inner
def _parts(theta, table, centred, ssw, dof, restricted):
    """A and B in one pass; `centred` of `_centre`."""
    w1 = 0.0
    wx = 0.0
    wq = 0.0
    w2 = 0.0
    wwx = 0.0
    wwq = 0.0
    for s in range(table.shape[1]):
        w = table[SIZE, s] / (1.0 + table[SIZE, s] * theta)
        cw = table[COUNT, s] * w
        xw = centred[0, s] * w
        qw = centred[1, s] * w
        w1 += cw
        wx += xw
        wq += qw
        w2 += cw * w
        wwx += xw * w
        wwq += qw * w
    gamma = wx / w1
    r = ssw + (wq - gamma * wx)
    q2 = wwq - gamma * (2.0 * wwx - gamma * w2)
    a = theta * (w1 - w2 / w1) if restricted else theta * w1
    return a, dof * theta * (q2 / r)


@inner
def _bracket(u, u_high, table, centred, ssw, dof, restricted):
    """Look everywhere between two log thetas: status, a bracket of theta, a guess inside it, evaluations.

    status 0: no root, the minimum is at 0; 1: one root, in the bracket; -1: not one clean sign change.
    """
    negative = score(0.0, table, ssw, dof, restricted)[0] < 0.0
    evaluations = 1
    before = 0.0  # |score| at the last two points
    last = 0.0
    sure = True  # whether the stride before this one was proved free of roots
    points = 0
    low = 0.0
    high = 0.0
    guess = 0.0
    last_u = -math.inf
    while True:
        theta = math.exp(u)
        a, b = _parts(theta, table, centred, ssw, dof, restricted)
        evaluations += 1
        value = a - b
        gap = math.log(b / a) if b > 0.0 else -math.inf
        stride = 0.98 * (0.5 * gap if gap > 0.0 else -0.25 * gap)
        proved = stride > STEP
        turns = negative != (value < 0.0)
        near_miss = points >= 2 and last <= before and last <= abs(value) and not (sure and proved)
        second = turns and (high > 0.0 or not negative)
        if second or (near_miss and not turns) or not abs(value) > _UNSURE * a:
            return -1, 0.0, 0.0, 0.0, evaluations
        if turns:
            negative = False
            high = theta
            if last_u > -math.inf:
                low = math.exp(last_u)
                guess = math.exp(last_u + (u - last_u) * last / (last + value))
            else:
                guess = 0.5 * theta
            points = 0
        if u >= u_high:
            return -1 if negative else int(high > 0.0), low, high, guess, evaluations
        before, last = last, abs(value)
        sure = proved
        last_u = u
        points += 1
        u = min(u + (stride if proved else STEP), u_high)


@kernel(I8_IN, TABLE_IN, F8_IN, F8_IN, TABLE_IN, types.boolean, types.int64, types.int64, TABLE_OUT)
def fit_tables(offsets, columns, ssw, dof, ranges, restricted, first, last, fits):
    """Fit tables `first` to `last` of many: table k is columns offsets[k] to offsets[k+1] of `columns` (4, T).

    `ranges` (K, 2): the log thetas to look between, of `search_ranges`.

    Fills rows of `fits` (K, FIELDS): theta; the nine terms of `profile.evaluate`; theta times the score (the score
    itself at 0); local minima, 1; evaluations. Where the score is not one clean sign change local minima are 0 and
    the rest but the evaluations is NaN: the table is left to `find_minimum`. Columns of count 0 weigh nothing. All is
    NaN where ssw is not above 0, dof not finite, or the table has no weight.
    """
    for k in range(first, last):
        row = fits[k]
        row[:] = math.nan
        n_sizes = offsets[k + 1] - offsets[k]
        table = np.empty((4, n_sizes))
        weight = 0.0
        for s in range(n_sizes):
            for f in range(4):
                table[f, s] = columns[f, offsets[k] + s]
            weight += table[COUNT, s]
        if not (ssw[k] > 0.0 and math.isfinite(ssw[k]) and math.isfinite(dof[k]) and weight > 0.0):
            continue
        centred = np.empty((2, n_sizes))
        _centre(table, centred)
        status, low, high, theta, evaluations = _bracket(
            ranges[k, 0], ranges[k, 1], table, centred, ssw[k], dof[k], restricted
        )
        if status == 1:
            theta, tried = newton(theta, low, high, table, ssw[k], dof[k], restricted)
            evaluations += tried
        row[11], row[12] = status >= 0, evaluations
        if status >= 0:
            gamma, w1, w2, w3, r, q2, q3, l2 = terms(theta, table, ssw[k])
            row[0], row[1], row[2], row[3], row[4], row[5] = theta, gamma, w1, w2, w3, r
            row[6], row[7], row[8], row[9] = q2, q3, l2, 0.0
            for s in range(n_sizes):
                row[9] += table[COUNT, s] * math.log1p(table[SIZE, s] * theta)
            derivative = w1 - dof[k] * (q2 / r)
            if restricted:
                derivative -= w2 / w1
            row[10] = derivative * theta if theta > 0.0 else derivative
