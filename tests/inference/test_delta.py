"""Limits by the delta method, where Student's t has a closed form and by transforming t limits by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastml.inference.delta import log_limits, logit_limits, margin

# df 1 is Cauchy, whose quantile is a tangent; df 2 has (2p - 1) sqrt(2/(4p(1 - p))).
CAUCHY = math.tan(math.pi * 0.45)  # level .9


def test_the_margin_is_the_quantile_of_t_times_the_error() -> None:
    assert margin(2.0, 1.0, 0.9) == pytest.approx(2.0 * CAUCHY, rel=1e-12)
    assert margin(3.0, 2.0, 0.8) == pytest.approx(3.0 * 0.8 * math.sqrt(2.0 / (4.0 * 0.9 * 0.1)), rel=1e-12)
    assert margin(1.0, math.inf, 0.95) == pytest.approx(1.959963984540054, rel=1e-14)
    assert all(math.isnan(margin(se, df, 0.95)) for se, df in ((2.0, 0.0), (2.0, math.nan), (math.nan, 5.0)))


def test_limits_of_a_variance_by_hand() -> None:
    low, high = log_limits(400.0, 100.0, 1.0, 0.9)  # the logarithm's error is a quarter
    assert math.log(400.0 / low) == pytest.approx(0.25 * CAUCHY, rel=1e-12)
    assert math.log(high / 400.0) == pytest.approx(0.25 * CAUCHY, rel=1e-12)


def test_limits_of_a_share_by_hand() -> None:
    low, high = logit_limits(0.2, 0.04, 1.0, 0.9)  # the logit's error is .04/.16, a quarter
    for limit, sign in ((low, -1.0), (high, 1.0)):
        assert math.log(limit / (1.0 - limit)) == pytest.approx(math.log(0.25) + sign * 0.25 * CAUCHY, rel=1e-12)


def test_limits_hold_the_estimate_and_stay_inside() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        value, se, df = 10.0 ** rng.uniform(-8, 8), 10.0 ** rng.uniform(-8, 8), rng.uniform(0.3, 50.0)
        low, high = log_limits(value, se, df, 0.95)
        assert 0.0 < low <= value <= high < math.inf
        share = value / (1.0 + value)
        low, high = logit_limits(share, se, df, 0.95)
        assert 0.0 <= low <= share * (1.0 + 1e-14)
        assert share * (1.0 - 1e-14) <= high <= 1.0


def test_a_unit_changes_no_limit_of_a_variance() -> None:
    low, high = log_limits(3.0, 1.25, 7.5, 0.95)
    assert log_limits(3.0 * 2.0**40, 1.25 * 2.0**40, 7.5, 0.95) == (low * 2.0**40, high * 2.0**40)


def test_without_an_error_or_at_the_end_of_the_scale_there_are_none() -> None:
    for limits in (log_limits(0.0, 1.0, 5.0, 0.95), log_limits(2.0, math.nan, 5.0, 0.95), log_limits(2.0, 1.0, 0.0, 0.95),
                   log_limits(math.nan, 1.0, 5.0, 0.95), logit_limits(0.0, 0.1, 5.0, 0.95),
                   logit_limits(1.0, 0.1, 5.0, 0.95), logit_limits(0.5, math.nan, 5.0, 0.95),
                   logit_limits(math.nan, 0.1, 5.0, 0.95)):  # fmt: skip
        assert np.isnan(limits).all()
