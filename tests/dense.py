"""The slow twin of a fit: the dense covariance matrix of all observations, in 40 digits."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp
import numpy as np

DIGITS = 40


def deviance(y: Sequence[float], group: Sequence[object], tau00: mp.mpf, sigma2: mp.mpf, restricted: bool) -> mp.mpf:
    """-2 log likelihood at its best gamma00."""
    apart, quadratic = _deviance(y, group, tau00, sigma2, restricted)
    return apart + quadratic


def _deviance(
    y: Sequence[float], group: Sequence[object], tau00: mp.mpf, sigma2: mp.mpf, restricted: bool
) -> tuple[mp.mpf, mp.mpf]:
    """-2 log likelihood but for the quadratic form, and that, by Cholesky of V = sigma2 I + tau00 Z Z'."""
    size = len(y)
    v = mp.matrix(size, size)
    for i in range(size):
        for j in range(size):
            v[i, j] = (tau00 if group[i] == group[j] else 0) + (sigma2 if i == j else 0)
    factor = mp.cholesky(v).tolist()
    log_det = 2 * sum(mp.log(factor[i][i]) for i in range(size))
    # L z = b turns the fit into ordinary least squares.
    ones, scores = (_solve_lower(factor, b) for b in ([mp.mpf(1)] * size, [mp.mpf(x) for x in y]))
    information = mp.fdot(ones, ones)
    gamma = mp.fdot(ones, scores) / information
    residual = mp.fsum((b - gamma * a) ** 2 for a, b in zip(ones, scores, strict=True))
    constant = (size - 1 if restricted else size) * mp.log(2 * mp.pi)
    return constant + log_det + (mp.log(information) if restricted else 0), residual


def _solve_lower(factor: list[list[mp.mpf]], b: list[mp.mpf]) -> list[mp.mpf]:
    x: list[mp.mpf] = []
    for i in range(len(b)):
        x.append((b[i] - mp.fdot(factor[i][:i], x)) / factor[i][i])
    return x


def fit(y: Sequence[float], group: Sequence[object], restricted: bool) -> tuple[mp.mpf, mp.mpf, mp.mpf]:
    """tau00, sigma2 and the deviance at the minimum, by profile in theta on a grid, then golden section."""
    with mp.workdps(DIGITS):

        def at(theta: mp.mpf) -> tuple[mp.mpf, mp.mpf]:
            # deviance(theta s, s) = apart + quadratic/s + free log s, of V at s = 1.
            apart, quadratic = _deviance(y, group, theta, mp.mpf(1), restricted)
            free = len(y) - (1 if restricted else 0)
            sigma2 = quadratic / free
            return apart + free + free * mp.log(sigma2), sigma2

        grid = [mp.mpf(0)] + [mp.mpf(10) ** (mp.mpf(k) / 4) for k in range(-16, 17)]
        values = [at(theta)[0] for theta in grid]
        best = min(range(len(grid)), key=values.__getitem__)
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        ratio = (mp.sqrt(5) - 1) / 2
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        at_a, at_b = at(a)[0], at(b)[0]
        for _ in range(70):  # to 14 digits of the bracket; each step keeps one of the two inner points
            if at_a < at_b:
                high, b, at_b = b, a, at_a
                a = high - ratio * (high - low)
                at_a = at(a)[0]
            else:
                low, a, at_a = a, b, at_b
                b = low + ratio * (high - low)
                at_b = at(b)[0]
        theta = (low + high) / 2
        if at(mp.mpf(0))[0] <= at(theta)[0]:
            theta = mp.mpf(0)
        value, sigma2 = at(theta)
        return theta * sigma2, sigma2, value


def small_set(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Some ten observations in three or four unequal groups; every third set has no variance between groups."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, size=rng.integers(3, 5))
    sizes[0] += 1
    group = np.repeat(np.arange(len(sizes)), sizes)
    between = 0.0 if seed % 3 == 0 else rng.uniform(0.5, 3.0)
    y = np.round(rng.normal(500, 1, len(group)) + between * rng.normal(size=len(sizes))[group], 3)
    return y, group
