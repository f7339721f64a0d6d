"""The exact interval of theta, against the reference and a slow twin over groups."""

from __future__ import annotations

import math
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from tables import EQUAL_SIZES, Grouped, close, reference, simulated, two_by_two

from fastml.inference.exact import exact_mean, pooled_mean
from fastml.inference.fiducial import fiducial_mean
from fastml.inference.intervals import interval
from fastml.model.variance_components import estimate


@pytest.mark.parametrize("name", EQUAL_SIZES)
def test_reference_exact_where_sizes_are_equal(reference_folder: Path, name: str) -> None:
    record, groups = reference(reference_folder, name)
    assert record["balanced"]
    made = interval(groups.table, estimate(groups.table), "icc", method="exact")
    for value, true in zip((made.low, made.high), record["anova"]["icc_ci95_searle_n0"], strict=True):
        # F - 1 loses digits where F is near its quantile.
        assert close(value, max(0.0, true), 1e-11)


def f_quantile(p: float, df1: int, df2: int) -> mp.mpf:
    def tail(x: mp.mpf) -> mp.mpf:
        return mp.betainc(mp.mpf(df1) / 2, mp.mpf(df2) / 2, 0, x, regularized=True) - mp.mpf(p)

    x = mp.findroot(tail, (mp.mpf("1e-12"), 1 - mp.mpf("1e-12")), solver="anderson", tol=1e-45, maxsteps=500)
    return mp.mpf(df2) / df1 * x / (1 - x)


def slow_exact(groups: Grouped, p: float) -> float:
    """Theta at which the between ratio of the groups themselves is the p-quantile of F, by bisection."""
    with mp.workdps(30):
        n = [mp.mpf(int(k)) for k in groups.n]
        means = [mp.mpf(a) + mp.mpf(b) for a, b in zip(groups.shift, groups.residual, strict=True)]
        free = int(groups.n.sum()) - groups.n.size
        msw = sum(mp.mpf(s) for s in groups.ss) / free

        def ratio(theta: mp.mpf) -> mp.mpf:
            w = [k / (1 + k * theta) for k in n]
            gamma = sum(a * b for a, b in zip(w, means, strict=True)) / sum(w)
            between = sum(a * (b - gamma) ** 2 for a, b in zip(w, means, strict=True))
            return between / (len(n) - 1) / msw

        quantile = f_quantile(p, len(n) - 1, free)
        low, high = mp.mpf(0), mp.mpf(2) ** 40
        if ratio(low) <= quantile:
            return 0.0
        for _ in range(150):
            middle = (low + high) / 2
            if ratio(middle) > quantile:
                low = middle
            else:
                high = middle
        return float(low)


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("seed", range(5))
def test_exact_against_groups(seed: int, level: float) -> None:
    groups = simulated(seed, theta=(0.0, 0.05, 0.3, 3.0, 1e4)[seed], groups=4 + seed)
    table = groups.table
    made = interval(table, estimate(table), "theta", level, "exact")
    assert close(made.low, slow_exact(groups, 0.5 * (1 + level)), 1e-11)
    assert close(made.high, slow_exact(groups, 0.5 * (1 - level)), 1e-11)


def test_no_spread_of_means_is_flagged() -> None:
    table = two_by_two(0.0)
    for parameter, value in (("icc", 0.0), ("theta", 0.0), ("deff", 1.0), ("n_eff", 4.0), ("reliability", 0.0)):
        made = interval(table, estimate(table), parameter, method="exact")
        assert (made.low, made.high) == (value, value)
        assert "cut" in made.note
    assert interval(table, estimate(table), "tau00").low == 0.0
    assert interval(table, estimate(table), "tau00").high > 0.0


def test_the_mean_of_three_equal_groups_by_hand() -> None:
    """Means 10, 20, 33 of three scores each, SSW 24: MSB = 3 x 133, SST = 798 + 24; qt(.975, c(2, 8)) from R."""
    n = np.full(3, 3)
    table = Grouped(n, np.array([10.0, 20.0, 33.0]), np.zeros(3), np.array([8.0, 6.0, 10.0])).table
    for made, reach in (
        (exact_mean(table, 0.95), 4.302652729749462 * math.sqrt(399.0 / 9.0)),
        (pooled_mean(table, 0.95), 2.306004135204166 * math.sqrt(822.0 / 8.0 / 9.0)),
    ):
        low, high = (table.origin + table.unit * limit for limit in made)
        assert (low, high) == pytest.approx((21.0 - reach, 21.0 + reach), rel=1e-13)
    # Of equal groups the fiducial interval is Student's too, where F is so large that theta is surely above 0.
    low, high = (table.origin + table.unit * limit for limit in fiducial_mean(table, 0.95))
    assert (low, high) == pytest.approx(
        (21.0 - 4.302652729749462 * math.sqrt(399.0 / 9.0), 21.0 + 4.302652729749462 * math.sqrt(399.0 / 9.0)), rel=1e-3
    )
