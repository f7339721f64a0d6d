"""Thousands of profiles in one call: every global optimum, at a fraction of the evaluations of `find_optima`.

The derivative of the deviance by u = log theta is A - B with A = theta sum(count w) and B = dof theta Q2/R (see
`profile`). In u, log A rises with a slope between 0 and 1 and log B has a slope between -1 and 4 (the weights
w = size/(1 + size theta) are logistic curves in u, and by Cauchy and Schwarz the drift of gamma adds at most 2), so
L = log(B/A) has one between -2 and 4. From a point with L < 0 no root lies nearer than -L/4 to the right; from one
with L > 0 none nearer than L/2. The scan strides over what that excludes and walks in the steps of `find_optima`
elsewhere. REML's A has one term less, theta W2/W1; it is the same sum over the eigenvalues of the projected matrix,
so that the bounds hold.

Whatever is not one clean sign change (several optima, a near miss, a score lost in rounding) goes to `find_optima`.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.jit import F8_IN, I8_IN, TABLE_OUT, inner, kernel
from fastml.kernels.likelihood.profile import _score, _search_range, _terms, find_optima

__all__ = ["FIELDS", "fit_tables"]

# Of a row of fits: theta, the terms of `profile.profile_terms`, then the optimiser's record.
FIELDS = 14
_STEP = 0.25  # as in `profile`
_UNSURE = 1e-7  # scores below this part of A may have the wrong sign in one pass: look closer
_find_optima = inner(find_optima.function)


@inner
def _parts(theta, size, count, scaled, square, ssw, dof, restricted):
    """A and B in one pass; `scaled` = count x and `square` = ss + count x^2, x the means about their own middle."""
    w1 = 0.0
    wx = 0.0
    wq = 0.0
    w2 = 0.0
    wwx = 0.0
    wwq = 0.0
    for s in range(size.shape[0]):
        w = size[s] / (1.0 + size[s] * theta)
        cw = count[s] * w
        xw = scaled[s] * w
        qw = square[s] * w
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
def _clean_bracket(size, count, mean, ss, ssw, dof, restricted, scaled, square):
    """Look everywhere: status, a bracket of theta, a guess inside it, evaluations.

    status 0: no root, the minimum is at 0; 1: one root, in the bracket; -1: not clean.
    """
    middle = 0.0
    weight = 0.0
    for s in range(size.shape[0]):
        middle += count[s] * size[s] * mean[s]
        weight += count[s] * size[s]
    middle /= weight
    for s in range(size.shape[0]):
        x = mean[s] - middle
        scaled[s] = count[s] * x
        square[s] = ss[s] + scaled[s] * x
    at_zero = _score(0.0, size, count, mean, ss, ssw, dof, restricted)[0]
    evaluations = 1
    negative = at_zero < 0.0
    u, u_high = _search_range(size, count, mean, ss, ssw, dof, restricted)
    before = 0.0  # |score| at the last two points
    last = 0.0
    sure = True  # whether the stride before this one was proved free of roots
    points = 0
    low = 0.0
    high = 0.0
    guess = 0.0
    last_u = -math.inf
    roots = 0
    while True:
        theta = math.exp(u)
        a, b = _parts(theta, size, count, scaled, square, ssw, dof, restricted)
        evaluations += 1
        value = a - b
        if not abs(value) > _UNSURE * a:
            return -1, 0.0, 0.0, 0.0, evaluations
        gap = math.log(b / a) if b > 0.0 else -math.inf
        stride = 0.98 * (0.5 * gap if gap > 0.0 else -0.25 * gap)
        proved = stride > _STEP
        if negative != (value < 0.0):
            if not negative or roots > 0:
                return -1, 0.0, 0.0, 0.0, evaluations  # a second root
            roots = 1
            negative = False
            high = theta
            if last_u > -math.inf:
                low = math.exp(last_u)
                guess = math.exp(last_u + (u - last_u) * last / (last + value))
            else:
                guess = 0.5 * theta
            points = 0
        elif points >= 2 and last <= before and last <= abs(value) and not (sure and proved):
            return -1, 0.0, 0.0, 0.0, evaluations  # a near miss
        if u >= u_high:
            return -1 if negative else roots, low, high, guess, evaluations
        before, last = last, abs(value)
        sure = proved
        last_u = u
        points += 1
        u = min(u + (stride if proved else _STEP), u_high)


@inner
def _polish(theta, low, high, size, count, mean, ss, ssw, dof, restricted):
    """Root of the score in (low, high) from a guess: Newton, kept inside by bisection, until a step is rounding."""
    evaluations = 0
    for _ in range(200):
        first, second = _score(theta, size, count, mean, ss, ssw, dof, restricted)
        evaluations += 1
        if first == 0.0:
            break
        if first < 0.0:
            low = theta
        else:
            high = theta
        new = theta - first / second
        if not (second > 0.0 and low <= new <= high):
            new = 0.5 * (low + high)
        step = abs(new - theta)
        # Newton squares the relative error: after a step this small only the rounding of the score is left.
        if second > 0.0 and step <= 1e-10 * theta:
            theta = new
            break
        theta = new
    return theta, evaluations


@kernel(I8_IN, F8_IN, F8_IN, F8_IN, F8_IN, F8_IN, F8_IN, types.boolean, types.int64, types.int64, TABLE_OUT)
def fit_tables(offsets, size, count, mean, ss, ssw, dof, restricted, first, last, fits):
    """Fit tables `first` to `last` of many: table k is rows offsets[k] to offsets[k+1] of the flat arrays.

    Fills rows of `fits` (K, FIELDS): theta; the nine terms of `profile.profile_terms`; theta times the score (the
    score itself at 0); number of local minima; evaluations; 1 where the full search was needed, else 0. Rows of
    count 0 weigh nothing. All is NaN where ssw is not above 0, dof not finite, or the table has no weight.
    """
    longest = 1
    for k in range(first, last):
        longest = max(longest, offsets[k + 1] - offsets[k])
    scaled_room = np.empty(longest)
    square_room = np.empty(longest)
    optima = np.empty((16, 2))
    for k in range(first, last):
        i, j = offsets[k], offsets[k + 1]
        n, c, m, q = size[i:j], count[i:j], mean[i:j], ss[i:j]
        weight = 0.0
        for s in range(j - i):
            weight += c[s]
        if not (ssw[k] > 0.0 and math.isfinite(ssw[k]) and math.isfinite(dof[k]) and weight > 0.0):
            fits[k, :] = math.nan
            continue
        status, low, high, guess, evaluations = _clean_bracket(
            n, c, m, q, ssw[k], dof[k], restricted, scaled_room[: j - i], square_room[: j - i]
        )
        theta = 0.0
        found = 1
        full = 0.0
        if status == 1:
            theta, tried = _polish(guess, low, high, n, c, m, q, ssw[k], dof[k], restricted)
            evaluations += tried
        elif status < 0:
            full = 1.0
            found, tried = _find_optima(n, c, m, q, ssw[k], dof[k], restricted, optima)
            evaluations += tried
            if found == 0:
                fits[k, :] = math.nan
                continue
            best = 0
            for o in range(1, found):
                if optima[o, 1] < optima[best, 1]:
                    best = o
            theta = optima[best, 0]
        gamma, w1, w2, w3, r, q2, q3, l2 = _terms(theta, n, c, m, q, ssw[k])
        logs = 0.0
        for s in range(j - i):
            logs += c[s] * math.log1p(n[s] * theta)
        score = w1 - dof[k] * (q2 / r)
        if restricted:
            score -= w2 / w1
        row = fits[k]
        row[0], row[1], row[2], row[3], row[4], row[5] = theta, gamma, w1, w2, w3, r
        row[6], row[7], row[8], row[9] = q2, q3, l2, logs
        row[10] = score * theta if theta > 0.0 else score
        row[11], row[12], row[13] = found, evaluations, full
