"""The slow twin of weighted fits, replicates and pooling: every row re-weighted, every fit from scratch.

Nothing here is shared with the package: plain loops over schools, a grid and bisection on the profile's derivative.
"""

from __future__ import annotations

import math

import numpy as np

QUANTITIES = ("gamma00", "tau00", "sigma2", "icc")


def schools(y, school, total, school_weight, scaling):
    """Table (v, A, mean, S) of the schools that have a row of positive total weight."""
    table = []
    for label in np.unique(school):
        rows = (school == label) & (total > 0)
        n = rows.sum()
        if n == 0:
            continue
        v = school_weight[rows][0]
        a = total[rows] / v
        scaled = {
            "none": a,
            "size": a * n / a.sum(),
            "effective": a * a.sum() / (a * a).sum(),
            "gk": np.ones(n),
            "group-only": np.ones(n),
        }[scaling]
        if scaling == "gk":
            v = v * a.mean()
        mean = math.fsum(scaled * y[rows]) / math.fsum(scaled)
        table.append((v, math.fsum(scaled), mean, math.fsum(scaled * (y[rows] - mean) ** 2)))
    return np.array(table)


def profile(theta, v, A, m, S):
    """gamma, sigma2, the deviance and its derivative by theta, or arrays of them for a column of thetas."""
    w = A / (1 + A * theta)
    gamma = np.sum(v * w * m, -1) / np.sum(v * w, -1)
    squares = (m - gamma[..., None]) ** 2
    rest = np.sum(v * S) + np.sum(v * w * squares, -1)
    dof = np.sum(v * A)
    slope = np.sum(v * w, -1) - dof * np.sum(v * w * w * squares, -1) / rest
    deviance = np.sum(v * np.log1p(A * theta), -1) + dof * (1 + np.log(2 * math.pi * rest / dof))
    return gamma, rest / dof, deviance, slope


def fit(y, school, total, school_weight, scaling="size"):
    """Estimates (gamma00, tau00, sigma2, icc) at the best of all local optima."""
    v, A, m, S = schools(y, school, total, school_weight, scaling).T
    origin = m.mean()  # sums of plain numbers, so about a number near them
    m = m - origin
    grid = np.array([0.0, *np.geomspace(1e-5, 1e3, 120)])
    slopes = profile(grid[:, None], v, A, m, S)[3]
    optima = [0.0] if slopes[0] >= 0 else []
    for low, high, before, after in zip(grid, grid[1:], slopes, slopes[1:], strict=False):
        if before < 0 <= after:
            while True:
                middle = 0.5 * (low + high)
                if not low < middle < high:
                    break
                if profile(middle, v, A, m, S)[3] < 0:
                    low = middle
                else:
                    high = middle
            optima.append(low)
    theta = min(optima, key=lambda theta: profile(theta, v, A, m, S)[2])
    gamma, sigma2, _, _ = profile(theta, v, A, m, S)
    return np.array([origin + gamma, theta * sigma2, sigma2, theta / (1 + theta)])


def loglik(y, school, total, school_weight, scaling, gamma, tau, sigma2):
    """The pseudo log likelihood as DESIGN writes it."""
    value = 0.0
    for v, A, m, S in schools(y, school, total, school_weight, scaling):
        V = sigma2 + A * tau
        value += (
            v
            * -0.5
            * (
                A * math.log(2 * math.pi * sigma2)
                + math.log(1 + A * tau / sigma2)
                + S / sigma2
                + A * (m - gamma) ** 2 / V
            )
        )
    return value


def mean_and_sd(y, total):
    """Official mean and SD; the SD's divisor is the sum of the weights less 1."""
    mean = math.fsum(total * y) / math.fsum(total)
    return np.array([mean, math.sqrt(math.fsum(total * (y - mean) ** 2) / (math.fsum(total) - 1))])


def every_figure(y, school, total, school_weight, scaling):
    """gamma00, tau00, sigma2, icc, mean, sd with totals `total`; the school's weight moves with its totals."""
    return np.concatenate([fit(y, school, total, school_weight, scaling), mean_and_sd(y, total)])


def replicate_figures(y, school, total, replicate, school_weight, scaling):
    """The same under replicate totals: v^r = v sum(t^r)/sum(t), over the rows of each school."""
    moved = school_weight.copy()
    for label in np.unique(school):
        rows = school == label
        moved[rows] *= replicate[rows].sum() / total[rows].sum()
    kept = replicate > 0
    return every_figure(y[kept], school[kept], replicate[kept], moved[kept], scaling)


def jackknife_totals(total, zone, half, both=True):
    """Replicate totals (R, n)."""
    found = []
    for h in np.unique(zone):
        for doubled in (1, 0) if both else (1,):
            factor = np.where(zone == h, np.where(half == doubled, 2.0, 0.0), 1.0)
            found.append(total * factor)
    return np.array(found)


def survey(values, school, total, school_weight, replicates, scaling="size", factor=0.5, first_only=False):
    """Pooled estimate, se, sampling and imputation variance of each figure; shapes (6,)."""
    estimates, variances = [], []
    for y in values:
        full = every_figure(y, school, total, school_weight, scaling)
        estimates.append(full)
        if not first_only or len(estimates) == 1:
            moved = np.array([replicate_figures(y, school, total, t, school_weight, scaling) for t in replicates])
            variances.append(factor * ((moved - full) ** 2).sum(axis=0))
    M = len(estimates)
    sampling = np.mean(variances, axis=0)
    imputation = np.var(estimates, axis=0, ddof=1) if M > 1 else np.zeros(6)
    imputation = (1 + 1 / M) * imputation
    return np.mean(estimates, axis=0), np.sqrt(sampling + imputation), sampling, imputation
