"""The ratios of variances, by their definitions and against rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fastml.model.icc import design_effect, icc_of, reliabilities


@pytest.mark.parametrize(("tau00", "sigma2"), [(0, 5), (1, 4), (7, 2), (10**9, 1)])
def test_by_definition(tau00: int, sigma2: int) -> None:
    theta = tau00 / sigma2
    assert icc_of(theta) == pytest.approx(float(Fraction(tau00, tau00 + sigma2)), rel=1e-15)
    for n in (1, 6, 40):
        # The variance of a mean of n scores is tau00 + sigma2/n, of which tau00 is true.
        true = float(Fraction(tau00) / (Fraction(tau00) + Fraction(sigma2, n))) if tau00 else 0.0
        assert float(reliabilities(n, theta)) == pytest.approx(true, rel=1e-14)


def test_design_effect_is_the_variance_of_the_mean_over_that_of_single_scores() -> None:
    groups, n, tau00, sigma2 = 3, 4, 2.0, 6.0
    covariance = np.kron(np.eye(groups), tau00 * np.ones((n, n)) + sigma2 * np.eye(n))
    weights = np.full(groups * n, 1.0 / (groups * n))
    simple = (tau00 + sigma2) / (groups * n)
    assert design_effect(icc_of(tau00 / sigma2), n) == pytest.approx(weights @ covariance @ weights / simple)
    assert design_effect(np.array([0.0, 1.0]), 5.0).tolist() == [1.0, 5.0]


def test_arrays_go_through() -> None:
    assert icc_of(np.array([0.0, 1.0, 3.0])).tolist() == [0.0, 0.5, 0.75]
    assert reliabilities([2, 2], [0.5, 0.0]).tolist() == [0.5, 0.0]
