"""Fits against the dense covariance matrix in 40 digits, on small sets made here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import fewer
from dense import deviance, fit, small_set

import fastml


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("seed", range(fewer(8, times=4, at_least=2)))
def test_fit(seed: int, method: str) -> None:
    y, group = small_set(seed)
    tau00, sigma2, value = fit(y.tolist(), group.tolist(), method == "reml")
    ours = fastml.fit({"y": y, "g": group}, "y", "g", method=method)
    assert math.isclose(ours.deviance, value, rel_tol=1e-13)
    assert math.isclose(ours.sigma2, sigma2, rel_tol=1e-12)
    # Golden section on 40 digits would find the place of a minimum to 20; it stops at 14.
    assert math.isclose(ours.tau00, tau00, rel_tol=1e-12, abs_tol=1e-15)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_deviance_is_no_higher_than_anywhere_around(method: str) -> None:
    for seed in range(20, 24):
        y, group = small_set(seed)
        ours = fastml.fit({"y": y, "g": group}, "y", "g", method=method)
        for factor in (0.5, 0.99, 1.01, 2.0):
            there = deviance(y.tolist(), group.tolist(), factor * (ours.tau00 or 0.1), ours.sigma2, method == "reml")
            assert ours.deviance < there


def test_two_minima_the_lower_one_is_taken() -> None:
    # One large group apart, several small ones close together: the deviance has a minimum at each scale.
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(300):
        sizes = np.array([1, 1, 1, 1, 1, 1, rng.integers(100, 400), rng.integers(100, 400), 2, 3])
        means = np.where(sizes > 50, rng.normal(0, 0.03, 10), rng.normal(0, 4.0, 10))
        group = np.repeat(np.arange(10), sizes)
        y = means[group] + rng.normal(0, 1, len(group))
        ours = fastml.fit({"y": y, "g": group}, "y", "g")
        assert ours.optimum is not None
        if ours.optimum.n_optima > 1:
            found += 1
            assert ours.deviance == pytest.approx(min(ours.optimum.deviances), rel=1e-13)
    assert found >= 5
