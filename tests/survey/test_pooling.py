"""Rubin's rules against tables worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastml.survey.pooling import Pooled, average, limits, pool


def test_rubin_by_hand() -> None:
    """Estimates 10, 12, 14, 11, 13 with variances 4, 5, 6, 5, 5: mean 12, U = 5, B = (4 + 0 + 4 + 1 + 1)/4 = 2.5."""
    pooled = pool(np.array([10.0, 12.0, 14.0, 11.0, 13.0]), np.array([4.0, 5.0, 6.0, 5.0, 5.0]), math.inf)
    assert pooled.estimate == 12.0
    assert pooled.sampling_variance == 5.0
    assert pooled.imputation_variance == 3.0  # (1 + 1/5) x 2.5
    assert pooled.se**2 == pytest.approx(pooled.sampling_variance + pooled.imputation_variance, rel=1e-15)
    assert math.isclose(pooled.se, math.sqrt(8.0))  # T = 5 + 1.2 x 2.5
    # lambda = 3/8, old df = 4/(9/64) = 256/9; with infinite complete df nothing else counts.
    assert math.isclose(pooled.df, 256.0 / 9.0)


def test_the_sampling_variance_of_the_first_value_alone() -> None:
    pooled = pool(np.array([1.0, 3.0]), np.array([4.0]), 75.0)
    assert pooled.sampling_variance == 4.0
    assert math.isclose(pooled.se**2, 4.0 + 1.5 * 2.0)


def test_one_value_has_no_imputation_variance() -> None:
    pooled = pool(np.array([3.0]), np.array([4.0]), 75.0)
    assert (pooled.estimate, pooled.se, pooled.imputation_variance, pooled.df) == (3.0, 2.0, 0.0, 75.0)


def test_an_unknown_variance_stays_unknown() -> None:
    pooled = pool(np.array([3.0, 4.0]), np.array([math.nan, math.nan]), 75.0)
    assert pooled.estimate == 3.5
    assert math.isnan(pooled.se)
    assert math.isnan(pooled.df)


def test_average_of_independent_parts() -> None:
    """Standard errors 3 and 4: se sqrt(25)/2; df by Satterthwaite, 25^2/(81/10 + 256/20)."""
    first = pool(np.array([500.0]), np.array([9.0]), 10.0)
    second = pool(np.array([400.0]), np.array([16.0]), 20.0)
    both = average([first, second])
    assert both.estimate == 450.0
    assert both.se == 2.5
    assert both.sampling_variance == 6.25
    assert math.isclose(both.df, 625.0 / (8.1 + 12.8))
    without = pool(np.array([500.0, 501.0]), np.array([0.0, 0.0]), 10.0)  # no sampling variance: no degree of freedom
    assert average([first, without]).df == without.df == 0.0


def test_limits_by_figure() -> None:
    """By t with one degree of freedom, a tangent: on the logarithm, on the logit, and what follows from the icc."""
    reach = math.tan(math.pi * 0.45)
    icc = Pooled(0.2, 0.04, 0.0016, 0.0, 1.0)
    variance = Pooled(400.0, 100.0, 1e4, 0.0, 1.0)
    for name in ("tau00", "sigma2", "sd"):
        found = limits(name, variance, icc, 0.9)
        np.testing.assert_allclose(np.log(np.array(found) / 400.0), [-reach / 4, reach / 4], rtol=1e-12)
    for name in ("gamma00", "mean"):
        np.testing.assert_allclose(limits(name, variance, icc, 0.9), [400.0 - 100 * reach, 400.0 + 100 * reach])
    low, high = limits("icc", icc, icc, 0.9)
    odds = 0.25 * np.exp(np.array([-reach, reach]) / 4)
    np.testing.assert_allclose([low, high], odds / (1.0 + odds), rtol=1e-12)
    # 26 students a school: deff is 1 + 25 icc.
    deff = Pooled(6.0, 1.0, 1.0, 0.0, 1.0)
    np.testing.assert_allclose(limits("deff", deff, icc, 0.9), [1.0 + 25.0 * low, 1.0 + 25.0 * high], rtol=1e-12)


def test_no_limits_of_a_variance_of_0() -> None:
    zero = Pooled(0.0, 2.0, 4.0, 0.0, 5.0)
    for name, value in (("tau00", 0.0), ("icc", 0.0), ("deff", 1.0)):
        assert np.isnan(limits(name, Pooled(value, 2.0, 4.0, 0.0, 5.0), zero, 0.95)).all()
    assert np.isfinite(limits("gamma00", zero, zero, 0.95)).all()
