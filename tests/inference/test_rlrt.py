"""The null distribution of the restricted likelihood-ratio test, against samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import fewer
from tables import Grouped, simulated

from fastml.errors import ArgumentError
from fastml.inference.hypotheses import lrt_test, rlrt_test
from fastml.inference.rlrt import null_draws
from fastml.model.variance_components import estimate


@pytest.mark.parametrize("seed", range(3))
def test_rlrt_draws_are_rlrts_of_samples_without_variance(seed: int) -> None:
    """Against samples simulated by group and fitted by REML: the two distribution functions agree."""
    table = simulated(seed, groups=(3, 8, 25)[seed]).table
    n = np.repeat(table.size, table.count.astype(int)).astype(np.int64)
    rng = np.random.default_rng(seed)
    slow: list[float] = []
    n_slow = fewer(2000, times=4, at_least=500)
    for _ in range(n_slow):
        means = rng.normal(size=n.size) / np.sqrt(n)
        ss = np.where(n > 1, rng.chisquare(np.maximum(n - 1, 1)), 0.0)
        sample = Grouped(n, means, np.zeros(n.size), ss).table
        slow.append(lrt_test(sample, estimate(sample)).statistic)
    fast = null_draws(table, 20_000, seed)
    for at in (0.0, 0.1, 0.5, 1.5, 3.0):
        p = float(np.mean(fast > at))
        assert abs(p - np.mean(np.array(slow) > at)) < 4.5 * math.sqrt(p * (1 - p) * (1 / n_slow + 1 / 20_000))


def test_rlrt_is_seeded_and_states_its_error() -> None:
    table = simulated(4, theta=0.1).table
    vc = estimate(table)
    a, b = (rlrt_test(table, vc, 2000, seed=1) for _ in range(2))
    assert a == b
    assert a.mc_se == pytest.approx(math.sqrt(a.p_value * (1 - a.p_value) / 2000))
    assert abs(a.p_value - rlrt_test(table, estimate(table, "ml"), 2000, seed=2).p_value) < 6 * a.mc_se + 1e-3
    with pytest.raises(ArgumentError, match="draws"):
        rlrt_test(table, vc, 0)
