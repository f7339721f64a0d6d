"""The profile deviance of theta = tau00/sigma2 over distinct group sizes, its derivatives, and a root of the first.

A size table is one array `table` (4, S), a column per size and a row per figure of it: `SIZE`, the distinct group
sizes n (or sums of weights); `COUNT`, groups of that size (or the sum of their level-2 weights); `MEAN`, the mean of
those groups' means; `SS`, the sum of squares of their means about it. `ssw` is the pooled within-group sum of squares.
With w = n/(1 + n theta):

    gamma = sum(count w mean)/sum(count w),   R = ssw + sum(w (ss + count (mean - gamma)^2))
    deviance(theta) = sum(count log(1 + n theta)) + [log sum(count w)] + dof (1 + log(2 pi R/dof))

the bracket only when `restricted` (REML, dof = N - 1; ML: dof = N).
"""

from __future__ import annotations

import math

from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, TABLE_IN, TABLE_OUT, inner, kernel

__all__ = ["COUNT", "MEAN", "N_FIELDS", "N_TERMS", "SIZE", "SS", "STEP", "evaluate", "find_root", "newton", "score",
           "scores", "terms"]  # fmt: skip

SIZE, COUNT, MEAN, SS = range(4)
N_TERMS = 9
N_FIELDS = N_TERMS + 2
STEP = 0.25  # of the search grid in log theta; each size's weight is a logistic curve in log theta, of width 1


@inner
def terms(theta, table, ssw):
    """gamma, W1, W2, W3, R, Q2, Q3, L2 at theta; see `evaluate`."""
    w1 = 0.0
    wm = 0.0
    for s in range(table.shape[1]):
        cw = table[COUNT, s] * (table[SIZE, s] / (1.0 + table[SIZE, s] * theta))
        w1 += cw
        wm += cw * table[MEAN, s]
    gamma = wm / w1
    w2 = 0.0
    w3 = 0.0
    r = 0.0
    q2 = 0.0
    q3 = 0.0
    l2 = 0.0
    for s in range(table.shape[1]):
        w = table[SIZE, s] / (1.0 + table[SIZE, s] * theta)
        e = table[MEAN, s] - gamma
        ce = table[COUNT, s] * e
        q = w * (table[SS, s] + ce * e)
        r += q
        q2 += w * q
        q3 += w * w * q
        cww = table[COUNT, s] * w * w
        w2 += cww
        w3 += cww * w
        l2 += w * w * ce
    return gamma, w1, w2, w3, ssw + r, q2, q3, l2


@inner
def score(theta, table, ssw, dof, restricted):
    """First and second derivative of the deviance by theta."""
    _, w1, w2, w3, r, q2, q3, l2 = terms(theta, table, ssw)
    fall = q2 / r
    first = w1 - dof * fall
    second = -w2 + dof * (2.0 * (q3 - l2 * (l2 / w1)) / r - fall * fall)
    if restricted:
        slope = w2 / w1
        first -= slope
        second += 2.0 * w3 / w1 - slope * slope
    return first, second


@inner
def newton(theta, low, high, table, ssw, dof, restricted):
    """Root of the score in (low, high) from a guess, and evaluations: Newton, kept inside the bracket by bisection."""
    evaluations = 0
    for _ in range(200):
        first, second = score(theta, table, ssw, dof, restricted)
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
        theta = new
        # Newton squares the relative error: after a step this small only the rounding of the score is left.
        if second > 0.0 and step <= 1e-10 * theta:
            break
    return theta, evaluations


@inner
def _logs_and_fall(theta, origin, gamma0, table):
    """sum(count log(1 + n theta)); what it is more than at the origin; R less that there, gamma held at gamma0."""
    logs, rise, fall = 0.0, 0.0, 0.0
    for s in range(table.shape[1]):
        n, count, e = table[SIZE, s], table[COUNT, s], table[MEAN, s] - gamma0
        there, base = 1.0 + n * theta, 1.0 + n * origin
        logs += count * math.log1p(n * theta)
        # From the side where log1p's argument is not near -1.
        if theta >= origin:
            rise += count * math.log1p(n * (theta - origin) / base)
        else:
            rise -= count * math.log1p(n * (origin - theta) / there)
        # w - w0 = -w0 w (theta - origin).
        fall -= n / base * (n / there) * (theta - origin) * (table[SS, s] + count * e * e)
    return logs, rise, fall


@kernel(F8_IN, TABLE_IN, types.float64, types.float64, types.boolean, TABLE_OUT)
def evaluate(thetas, table, ssw, dof, restricted, out):
    """Fill rows of `out` (T, N_FIELDS) with all that is asked of the deviance at `thetas` (T,).

    gamma; W1, W2, W3 = sum(count w^k); R; Q2, Q3 = sum(w^k (ss + count e^2)); L2 = sum(count w^2 e), with
    e = mean - gamma; sum(count log1p(size theta)); deviance(theta) - deviance(the first theta); the deviance's
    derivative. The difference is summed from differences: at 1e7 observations the deviance itself has lost what an
    interval's limit needs.
    """
    gamma0, w10, r0 = 0.0, 0.0, 0.0  # at the first theta
    for t in range(thetas.shape[0]):
        gamma, w1, w2, w3, r, q2, q3, l2 = terms(thetas[t], table, ssw)
        if t == 0:
            gamma0, w10, r0 = gamma, w1, r
        logs, value, fall = _logs_and_fall(thetas[t], thetas[0], gamma0, table)
        # R(theta) is its sum about gamma0 less W1 (gamma - gamma0)^2.
        fall -= w1 * (gamma - gamma0) * (gamma - gamma0)
        # Where next to nothing of R is left, its fall is all of it.
        value += dof * (math.log(r / r0) if r < 0.5 * r0 else math.log1p(fall / r0))
        slope = w1 - dof * (q2 / r)
        if restricted:
            value += math.log(w1 / w10)
            slope -= w2 / w1
        out[t, 0], out[t, 1], out[t, 2], out[t, 3], out[t, 4] = gamma, w1, w2, w3, r
        out[t, 5], out[t, 6], out[t, 7], out[t, 8], out[t, 9], out[t, 10] = q2, q3, l2, logs, value, slope


@kernel(F8_IN, TABLE_IN, types.float64, types.float64, types.boolean, F8_OUT)
def scores(thetas, table, ssw, dof, restricted, out):
    """Fill `out` (T,) with the derivative of the deviance by theta at `thetas` (T,)."""
    for t in range(thetas.shape[0]):
        out[t], _ = score(thetas[t], table, ssw, dof, restricted)


@kernel(types.float64, types.float64, types.float64, TABLE_IN, types.float64, types.float64, types.boolean)
def find_root(guess, low, high, table, ssw, dof, restricted):
    """Find the root of the score in (low, high), and how many evaluations it took: `newton`."""
    return newton(guess, low, high, table, ssw, dof, restricted)
