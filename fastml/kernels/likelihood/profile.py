"""The profile deviance of theta = tau00/sigma2 over distinct group sizes, and its global minimum.

Everywhere: `size` (S,) distinct group sizes (or sums of weights), `count` (S,) groups of that size (or the sum of
their level-2 weights), `mean` (S,) mean of those groups' means, `ss` (S,) sum of squares of their means about it,
`ssw` the pooled within-group sum of squares. With w = size/(1 + size theta):

    gamma = sum(count w mean)/sum(count w),   R = ssw + sum(w (ss + count (mean - gamma)^2))
    deviance(theta) = sum(count log(1 + size theta)) + [log sum(count w)] + dof (1 + log(2 pi R/dof))

the bracket only when `restricted` (REML, dof = N - 1; ML: dof = N).
"""

from __future__ import annotations

import math

from numba.core import types

from fastml.kernels.jit import F8_IN, F8_OUT, TABLE_OUT, inner, kernel

__all__ = ["N_TERMS", "find_optima", "profile_terms"]

N_TERMS = 9
_STEP = 0.25  # of the search grid in log theta; each size's weight is a logistic curve in log theta, of width 1


@inner
def _terms(theta, size, count, mean, ss, ssw):
    """gamma, W1, W2, W3, R, Q2, Q3, L2 at theta; see `profile_terms`."""
    w1 = 0.0
    wm = 0.0
    for s in range(size.shape[0]):
        cw = count[s] * (size[s] / (1.0 + size[s] * theta))
        w1 += cw
        wm += cw * mean[s]
    gamma = wm / w1
    w2 = 0.0
    w3 = 0.0
    r = 0.0
    q2 = 0.0
    q3 = 0.0
    l2 = 0.0
    for s in range(size.shape[0]):
        w = size[s] / (1.0 + size[s] * theta)
        e = mean[s] - gamma
        ce = count[s] * e
        q = w * (ss[s] + ce * e)
        r += q
        q2 += w * q
        q3 += w * w * q
        cww = count[s] * w * w
        w2 += cww
        w3 += cww * w
        l2 += w * w * ce
    return gamma, w1, w2, w3, ssw + r, q2, q3, l2


@inner
def _score(theta, size, count, mean, ss, ssw, dof, restricted):
    """First and second derivative of the deviance by theta."""
    _, w1, w2, w3, r, q2, q3, l2 = _terms(theta, size, count, mean, ss, ssw)
    first = w1 - dof * (q2 / r)
    second = -w2 + dof * (2.0 * (q3 - l2 * (l2 / w1)) / r - (q2 / r) ** 2)
    if restricted:
        first -= w2 / w1
        second += 2.0 * w3 / w1 - (w2 / w1) ** 2
    return first, second


@inner
def _relative_deviance(theta, size, count, mean, ss, ssw, dof, restricted):
    """deviance(theta) - deviance(0), without the cancellation of subtracting the two."""
    _, w1, _, _, r, _, _, _ = _terms(theta, size, count, mean, ss, ssw)
    _, w10, _, _, r0, _, _, _ = _terms(0.0, size, count, mean, ss, ssw)
    logs = 0.0
    for s in range(size.shape[0]):
        logs += count[s] * math.log1p(size[s] * theta)
    # At a large theta next to nothing of r is left, and its difference would be all of r0.
    value = logs + dof * (math.log(r / r0) if r < 0.5 * r0 else math.log1p((r - r0) / r0))
    if restricted:
        value += math.log(w1 / w10)
    return value


@inner
def _root(low, high, size, count, mean, ss, ssw, dof, restricted):
    """Root of the score in (low, high), where it goes from negative to positive: Newton, kept inside by bisection."""
    theta = 0.5 * (low + high) if low == 0.0 else math.sqrt(low) * math.sqrt(high)
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
        step = first / second
        new = theta - step
        if not (second > 0.0 and low < new < high):
            new = 0.5 * (low + high)
        # Newton doubles the digits of each step: a step this small leaves an error below rounding.
        if abs(new - theta) <= 4e-16 * theta:
            theta = new
            break
        theta = new
    return theta, evaluations


@inner
def _dip(u_left, u_right, sign, size, count, mean, ss, ssw, dof, restricted):
    """Where, between two grid points, sign*score dips below zero (log theta), or NaN: golden-section search."""
    ratio = 0.6180339887498949
    evaluations = 0
    for _ in range(24):
        a = u_right - ratio * (u_right - u_left)
        b = u_left + ratio * (u_right - u_left)
        ta = math.exp(a)
        tb = math.exp(b)
        fa = sign * ta * _score(ta, size, count, mean, ss, ssw, dof, restricted)[0]
        fb = sign * tb * _score(tb, size, count, mean, ss, ssw, dof, restricted)[0]
        evaluations += 2
        if fa < 0.0:
            return a, evaluations
        if fb < 0.0:
            return b, evaluations
        if fa < fb:
            u_right = b
        else:
            u_left = a
    return math.nan, evaluations


@inner
def _search_range(size, count, mean, ss, ssw, dof, restricted):
    """Lowest and highest log theta of the grid: below, the score is linear in theta; above, it is positive."""
    smallest = math.inf
    largest = 0.0
    groups = 0.0
    low = math.inf
    high = -math.inf
    spread = 0.0
    for s in range(size.shape[0]):
        smallest = min(smallest, size[s])
        largest = max(largest, size[s])
        groups += count[s]
        low = min(low, mean[s])
        high = max(high, mean[s])
        spread += ss[s]
    spread += groups * (high - low) ** 2
    free = max(groups - 1.0, 0.5 * groups) if restricted else groups
    top = max(1e3 / smallest, 10.0 * (dof / free) * (spread / ssw))
    return math.log(1e-3 / largest), math.log(min(top, 1e300))


@kernel(types.float64, F8_IN, F8_IN, F8_IN, F8_IN, types.float64, F8_OUT)
def profile_terms(theta, size, count, mean, ss, ssw, out):
    """Fill `out` (N_TERMS,) with what the deviance and all its derivatives need at one theta.

    gamma; W1, W2, W3 = sum(count w^k); R; Q2, Q3 = sum(w^k (ss + count e^2)); L2 = sum(count w^2 e), with
    e = mean - gamma; sum(count log1p(size theta)).
    """
    gamma, w1, w2, w3, r, q2, q3, l2 = _terms(theta, size, count, mean, ss, ssw)
    logs = 0.0
    for s in range(size.shape[0]):
        logs += count[s] * math.log1p(size[s] * theta)
    out[0], out[1], out[2], out[3], out[4] = gamma, w1, w2, w3, r
    out[5], out[6], out[7], out[8] = q2, q3, l2, logs


@kernel(F8_IN, F8_IN, F8_IN, F8_IN, types.float64, types.float64, types.boolean, TABLE_OUT)
def find_optima(size, count, mean, ss, ssw, dof, restricted, optima):
    """Every local minimum of the deviance on theta >= 0, in rising theta.

    Fills rows of `optima` (K, 2) with theta and deviance(theta) - deviance(0); returns their number (at most K) and
    the number of evaluations. theta = 0 is a minimum where the score there is not negative.
    """
    found = 0
    at_zero = _score(0.0, size, count, mean, ss, ssw, dof, restricted)[0]
    evaluations = 1
    if at_zero >= 0.0:
        optima[0, 0] = 0.0
        optima[0, 1] = 0.0
        found = 1
    if size.shape[0] == 1:
        # Balanced: the score has one root in closed form (MSB/MSW - 1)/size, or none above zero.
        free = count[0] - 1.0 if restricted else count[0]
        theta = (size[0] * (ss[0] / free) / (ssw / (dof - free)) - 1.0) / size[0]
        if at_zero < 0.0 and theta > 0.0:
            optima[0, 0] = theta
            optima[0, 1] = _relative_deviance(theta, size, count, mean, ss, ssw, dof, restricted)
            return 1, evaluations
        optima[0, 0] = 0.0
        optima[0, 1] = 0.0
        return 1, evaluations
    u_low, u_high = _search_range(size, count, mean, ss, ssw, dof, restricted)
    points = math.ceil((u_high - u_low) / _STEP) + 2
    before_u, before = -math.inf, at_zero  # the score times theta at the last two grid points
    last_u, last = -math.inf, at_zero
    low = 0.0  # theta where the score was last negative, the lower end of the next bracket
    negative = at_zero < 0.0
    for i in range(points):
        u = u_low + _STEP * i
        theta = math.exp(u)
        value = theta * _score(theta, size, count, mean, ss, ssw, dof, restricted)[0]
        evaluations += 1
        # A near miss: all three of one sign and the middle one nearest to zero. Look closer between them.
        sign = -1.0 if negative else 1.0
        if i >= 2 and sign * value > 0.0 and sign * last <= sign * before and sign * last <= sign * value:
            dip, tried = _dip(before_u, u, sign, size, count, mean, ss, ssw, dof, restricted)
            evaluations += tried
            if not math.isnan(dip):
                inside_theta = math.exp(dip)
                a, b = (inside_theta, theta) if sign > 0.0 else (math.exp(before_u), inside_theta)
                root, tried = _root(a, b, size, count, mean, ss, ssw, dof, restricted)
                evaluations += tried
                if found < optima.shape[0]:
                    optima[found, 0] = root
                    found += 1
        if value < 0.0:
            low = theta
            negative = True
        elif negative:
            root, tried = _root(low, theta, size, count, mean, ss, ssw, dof, restricted)
            evaluations += tried
            negative = False
            if found < optima.shape[0]:
                optima[found, 0] = root
                found += 1
        before_u, before = last_u, last
        last_u, last = u, value
    for k in range(found):
        if optima[k, 0] > 0.0:
            optima[k, 1] = _relative_deviance(optima[k, 0], size, count, mean, ss, ssw, dof, restricted)
    return found, evaluations
