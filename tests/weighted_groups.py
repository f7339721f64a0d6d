"""Groups of weighted fits for tests, and what slow twins need of them."""

from __future__ import annotations

import math

import numpy as np

from fastml.model.groups import WeightedGroups


def drawn(n_groups: int, cv: float = 0.8, seed: int = 0, theta: float = 0.25, size: float = 20.0) -> WeightedGroups:
    """Groups of unequal sizes and weights: a lognormal law of this coefficient of variation, sigma2 = 1."""
    rng = np.random.default_rng([seed, n_groups])
    n = np.maximum(2, rng.poisson(size, n_groups))
    v = np.exp(rng.normal(0.0, math.sqrt(math.log1p(cv**2)), n_groups))
    mean = 500.0 + rng.normal(0.0, np.sqrt(theta + 1.0 / n))
    a = n * rng.uniform(0.7, 1.3, n_groups)
    return WeightedGroups(n.astype(np.int64), a, v, mean, np.zeros(n_groups), rng.chisquare(n - 1.0))


def changed(groups: WeightedGroups, shift: float = 0.0, factor: float = 1.0, weight: float = 1.0) -> WeightedGroups:
    """The same groups with scores y -> shift + factor y and weights v -> weight v."""
    return WeightedGroups(
        groups.n, groups.size, weight * groups.count, shift + factor * groups.mean, factor * groups.residual,
        factor**2 * groups.ss,
    )  # fmt: skip


def without(groups: WeightedGroups, j: int) -> WeightedGroups:
    """The groups but for one."""
    fields = (groups.n, groups.size, groups.count, groups.mean, groups.residual, groups.ss)
    return WeightedGroups(*(np.delete(field, j) for field in fields))
