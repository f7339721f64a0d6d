"""Intervals by an estimate and its standard error."""

from __future__ import annotations

import math

import pytest
from tables import simulated, two_by_two

from fastml.inference.information import standard_errors
from fastml.inference.intervals import interval, intervals
from fastml.model.variance_components import estimate


def test_wald() -> None:
    table = simulated(8, theta=0.5).table
    vc = estimate(table)
    se, z = standard_errors(vc), 1.959963984540054
    sigma2 = interval(table, vc, "sigma2", method="wald")
    assert sigma2.high == pytest.approx(vc.sigma2 + z * se.se_sigma2, rel=1e-14)
    icc = vc.tau00 / (vc.tau00 + vc.sigma2)
    logit = math.log(icc / (1 - icc)) + z * se.se_icc / (icc * (1 - icc))
    assert interval(table, vc, "icc", method="wald").high == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-13)
    mean = interval(table, vc, "gamma00", method="wald")
    assert mean.high == pytest.approx(vc.gamma00 + z * vc.se_gamma00, rel=1e-13)
    exact = interval(table, vc, "gamma00", method="t", df="normal")
    assert (exact.low, exact.high) == pytest.approx((mean.low, mean.high), rel=1e-13)
    low = interval(table, vc, "tau00", 0.9999999, "wald")
    assert low.low == 0.0
    assert "cut" in low.note


def test_wald_next_to_the_boundary() -> None:
    table = two_by_two(math.sqrt(2.0 + 1e-8))  # F = 1 + 5e-9
    vc = estimate(table)
    assert 0.0 < vc.theta < 1e-8
    rows = dict(intervals(table, vc, method="wald"))
    assert (round(rows["icc"].low, 12), rows["icc"].high) == (0.0, 1.0)
    assert "says nothing" in rows["icc"].note
    assert all(math.isfinite(row.low) and math.isfinite(row.high) for row in rows.values())
