"""The profile deviance of theta = tau00/sigma2 over distinct group sizes, and its local minima.

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

__all__ = ["COUNT", "MEAN", "N_FIELDS", "N_TERMS", "SIZE", "SS", "STEP", "evaluate", "find_optima", "newton", "score",
           "search_range", "terms", "write_terms"]  # fmt: skip

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
def search_range(table, ssw, dof, restricted):
    """Lowest and highest log theta of the grid: below, the score is linear in theta; above, it is positive."""
    smallest = math.inf
    largest = 0.0
    groups = 0.0
    low = math.inf
    high = -math.inf
    spread = 0.0
    for s in range(table.shape[1]):
        smallest = min(smallest, table[SIZE, s])
        largest = max(largest, table[SIZE, s])
        groups += table[COUNT, s]
        low = min(low, table[MEAN, s])
        high = max(high, table[MEAN, s])
        spread += table[SS, s]
    spread += groups * (high - low) * (high - low)
    free = max(groups - 1.0, 0.5 * groups) if restricted else groups
    top = max(1e3 / smallest, 10.0 * (dof / free) * (spread / ssw))
    return math.log(1e-3 / largest), math.log(min(top, 1e300))


@inner
def write_terms(theta, table, ssw, out):
    """Write what `terms` returns and sum(count log1p(size theta)) to the first N_TERMS places of `out`."""
    gamma, w1, w2, w3, r, q2, q3, l2 = terms(theta, table, ssw)
    logs = 0.0
    for s in range(table.shape[1]):
        logs += table[COUNT, s] * math.log1p(table[SIZE, s] * theta)
    out[0], out[1], out[2], out[3], out[4] = gamma, w1, w2, w3, r
    out[5], out[6], out[7], out[8] = q2, q3, l2, logs


@inner
def _log_and_fall(theta, origin, gamma0, table):
    """sum(count log((1 + n theta)/(1 + n origin))), and R(theta) - R(origin) with gamma held at gamma(origin)."""
    logs = 0.0
    fall = 0.0
    for s in range(table.shape[1]):
        n = table[SIZE, s]
        base = 1.0 + n * origin
        # From the side where log1p's argument is not near -1.
        if theta >= origin:
            logs += table[COUNT, s] * math.log1p(n * (theta - origin) / base)
        else:
            logs -= table[COUNT, s] * math.log1p(n * (origin - theta) / (1.0 + n * theta))
        # w - w0 = -w0 w (theta - origin).
        e = table[MEAN, s] - gamma0
        change = n / base * (n / (1.0 + n * theta)) * (theta - origin)
        fall -= change * (table[SS, s] + table[COUNT, s] * e * e)
    return logs, fall


@kernel(F8_IN, types.float64, TABLE_IN, types.float64, types.float64, types.boolean, TABLE_OUT)
def evaluate(thetas, origin, table, ssw, dof, restricted, out):
    """Fill rows of `out` (T, N_FIELDS) with all that is asked of the deviance at `thetas` (T,).

    gamma; W1, W2, W3 = sum(count w^k); R; Q2, Q3 = sum(w^k (ss + count e^2)); L2 = sum(count w^2 e), with
    e = mean - gamma; sum(count log1p(size theta)); deviance(theta) - deviance(origin); the deviance's derivative.
    The difference is summed from differences: at 1e7 observations the deviance itself has lost what an interval's
    limit needs.
    """
    gamma0, w10, _, _, r0, _, _, _ = terms(origin, table, ssw)
    for t in range(thetas.shape[0]):
        theta = thetas[t]
        row = out[t]
        write_terms(theta, table, ssw, row)
        gamma, w1, w2, r, q2 = row[0], row[1], row[2], row[4], row[5]
        logs, fall = _log_and_fall(theta, origin, gamma0, table)
        # R(theta) is its sum about gamma0 less W1 (gamma - gamma0)^2.
        fall -= w1 * (gamma - gamma0) * (gamma - gamma0)
        # Where next to nothing of R is left, its fall is all of it.
        value = logs + dof * (math.log(r / r0) if r < 0.5 * r0 else math.log1p(fall / r0))
        slope = w1 - dof * (q2 / r)
        if restricted:
            value += math.log(w1 / w10)
            slope -= w2 / w1
        row[9] = value
        row[10] = slope


@inner
def _cross_zero(left, middle, right, sign, height, table, ssw, dof, restricted):
    """A log theta where sign times the score is negative, near a minimum of it, or NaN; and evaluations.

    `left`, `middle` and `right` are log thetas of which the middle one has the least `height`, theta times the score
    times sign. Golden-section search.
    """
    for evaluations in range(1, 49):
        new = middle + 0.382 * (right - middle if right - middle > middle - left else left - middle)
        theta = math.exp(new)
        there = sign * theta * score(theta, table, ssw, dof, restricted)[0]
        if there < 0.0:
            return new, evaluations
        if there < height:
            if new > middle:
                left = middle
            else:
                right = middle
            middle, height = new, there
        elif new > middle:
            right = new
        else:
            left = new
    return math.nan, evaluations


@kernel(TABLE_IN, types.float64, types.float64, types.boolean, F8_OUT)
def find_optima(table, ssw, dof, restricted, optima):
    """Fill `optima` (K,) with every local minimum of the deviance on theta >= 0, from the least theta up.

    Returns their number (at most K) and the number of evaluations. theta = 0 is a minimum where the score there is
    not negative. The score is looked at on a grid over log theta; a minimum is where it turns from negative to
    positive, between two points of the grid or at a near miss: three points of one sign, the middle one nearest to 0.
    """
    found = 0
    u_low, u_high = search_range(table, ssw, dof, restricted)
    points = math.ceil((u_high - u_low) / STEP) + 2
    before = 0.0  # theta times the score at the last two points, times `sign`
    last = 0.0
    low = 0.0  # where the score was last negative, the lower end of the next bracket
    sign = 1.0  # of the score at the last point
    evaluations = 0
    for i in range(-1, points):
        u = u_low + STEP * i
        theta = math.exp(u) if i >= 0 else 0.0
        value, _ = score(theta, table, ssw, dof, restricted)
        evaluations += 1
        if i < 0:
            if value < 0.0:
                sign = -1.0
            else:
                optima[0] = 0.0
                found = 1
            if table.shape[1] == 1:
                break
            last = sign * value
            continue
        value *= theta
        lower, upper = 0.0, 0.0  # of a bracket
        if i >= 2 and sign * value > 0.0 and last <= before and last <= sign * value:
            inside, tried = _cross_zero(u - 2.0 * STEP, u - STEP, u, sign, last, table, ssw, dof, restricted)
            evaluations += tried
            if not math.isnan(inside):
                lower, upper = (math.exp(inside), theta) if sign > 0.0 else (math.exp(u - 2.0 * STEP), math.exp(inside))
        elif sign < 0.0 and value >= 0.0:
            lower, upper = low, theta
        if upper > 0.0 and found < optima.shape[0]:
            guess = 0.5 * upper if lower == 0.0 else math.sqrt(lower) * math.sqrt(upper)
            optima[found], tried = newton(guess, lower, upper, table, ssw, dof, restricted)
            evaluations += tried
            found += 1
        if value < 0.0:
            low = theta
        turned = (value < 0.0) != (sign < 0.0)
        before, last = (-last, -sign * value) if turned else (last, sign * value)
        sign = -sign if turned else sign
    if table.shape[1] == 1:
        # Equal sizes: the score has one root in closed form, (MSB/MSW - 1)/size, or none above zero.
        free = table[COUNT, 0] - 1.0 if restricted else table[COUNT, 0]
        root = (table[SIZE, 0] * (table[SS, 0] / free) / (ssw / (dof - free)) - 1.0) / table[SIZE, 0]
        optima[0] = root if found == 0 and root > 0.0 else 0.0
        found = 1
    return found, evaluations
