"""Power of the t test, against an integral and simulated trials."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from fastml.inference.power import power_of_t
from fastml.planning import plan


def noncentral_power(shift: float, df: float, critical: float) -> float:
    """By the integral over the chi-square of the denominator."""
    with mp.workdps(30):

        def integrand(v: mp.mpf) -> mp.mpf:
            root = critical * mp.sqrt(v / df)
            density = v ** (mp.mpf(df) / 2 - 1) * mp.exp(-v / 2) / (2 ** (mp.mpf(df) / 2) * mp.gamma(mp.mpf(df) / 2))
            return (mp.ncdf(shift - root) + mp.ncdf(-shift - root)) * density

        return float(mp.quad(integrand, [0, df / 4, df / 2, df, 2 * df, 4 * df, mp.inf]))


@pytest.mark.parametrize("df", [2.0, 18.0, 149.0])
@pytest.mark.parametrize("shift", [0.0, 0.5, 2.8, 6.9, 7.1, 12.0])
def test_power_against_the_integral(df: float, shift: float) -> None:
    from fastml.inference.distributions import t_quantile

    assert power_of_t(shift, df) == pytest.approx(noncentral_power(shift, df, t_quantile(0.975, df)), abs=1e-12)


def test_power_against_simulated_trials() -> None:
    """Balanced schools: the t test of the school means, many times over."""
    made = plan(0.15, 24, 12, arms=2, difference=0.5)
    rng = np.random.default_rng(5)
    spread = math.sqrt(0.15 + 0.85 / 12)
    arms = rng.normal(0.0, spread, (40_000, 2, 12)) + np.array([0.0, 0.5])[:, None]
    gap = arms[:, 1].mean(axis=1) - arms[:, 0].mean(axis=1)
    pooled = arms.var(axis=2, ddof=1).mean(axis=1)
    found = np.abs(gap) / np.sqrt(pooled / 6) > 2.0738730679040147  # t's 97.5 % point, 22 df
    assert abs(found.mean() - made.power_at_difference) < 5 * math.sqrt(0.25 / 40_000)
    assert made.se == pytest.approx(spread / math.sqrt(6), rel=1e-14)
