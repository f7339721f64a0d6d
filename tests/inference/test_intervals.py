"""Intervals: the reference's profile limits, slow twins over groups, hand-checked small samples, laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import ROOT, fewer
from tables import Grouped, changed, close, from_file, grouped, simulated, two_by_two, two_scales

from fastml.errors import ArgumentError, FastmlError, ModelError
from fastml.inference.bootstrap import bootstrap
from fastml.inference.information import mean_test
from fastml.inference.intervals import METHODS, interval, intervals
from fastml.model.variance_components import estimate


def test_dyestuff() -> None:
    # Limits from the 60-digit record of this set; R's lme4 1.1-31 prints 38.22998 for the first, 4e-6 off.
    table = from_file(ROOT / "data" / "dyestuff.parquet").table
    vc = estimate(table)
    truth = {
        ("sigma", "profile-ml"): (38.2301233112571, 67.65767278976307),
        ("tau_sd", "profile-ml"): (12.196505279160633, 84.06341096933632),
        ("gamma00", "profile-ml"): (1486.4514876444514, 1568.5485123555486),
        ("icc", "exact"): (0.08383605066059333, 0.8478768154733807),
    }
    for (parameter, method), limits in truth.items():
        made = interval(table, vc, parameter, method=method)
        assert close(made.low, limits[0], 1e-12)
        assert close(made.high, limits[1], 1e-12)


def test_two_groups_by_hand() -> None:
    # F(1, 2) is the square of a t with 2 df, whose quantiles are closed: F_p = 2 p^2/(1 - p^2).
    def quantile(p: float) -> float:
        return 2 * p * p / (1 - p * p)

    table = two_by_two(10.0)  # F = 50
    vc = estimate(table)
    made = interval(table, vc, "theta")
    assert close(made.low, (50 / quantile(0.975) - 1) / 2, 1e-12)
    assert close(made.high, (50 / quantile(0.025) - 1) / 2, 1e-12)
    assert close(interval(table, vc, "icc").high, made.high / (1 + made.high), 1e-15)
    # chi-square with 2 df: quantile -2 log(1 - p); SSW = 4.
    sigma2 = interval(table, vc, "sigma2")
    assert close(sigma2.low, 4 / (-2 * math.log(0.025)), 1e-14)
    assert close(sigma2.high, 4 / (-2 * math.log(0.975)), 1e-14)
    # t with 1 df: tan(pi (p - 1/2)); SE = sqrt(MSB/4) = 5.
    mean = interval(table, vc, "gamma00")
    assert close(mean.high - mean.low, 2 * 5 * math.tan(math.pi * 0.475), 1e-12)
    # F = 12.5 is below the upper quantile 38.5: the lower end is cut.
    cut = interval(two_by_two(5.0), estimate(two_by_two(5.0)), "theta")
    assert cut.low == 0.0
    assert close(cut.high, (12.5 / quantile(0.025) - 1) / 2, 1e-12)
    assert cut.note == ""


def test_reml_positive_with_ml_zero_by_hand() -> None:
    table = two_by_two(1.8)  # F = 1.62, between 1 and J/(J - 1) = 2
    reml, ml = estimate(table), estimate(table, "ml")
    assert close(reml.theta, 0.31, 1e-14)
    assert ml.theta == 0.0
    for vc in (reml, ml):
        made = interval(table, vc, "tau00")
        assert made.low == 0.0
        assert made.high > vc.tau00
        # Balanced: 2 log(1 + 2t) [+ log of 2 w] + (N - 1) log R, R = 4 + 3.24/(1 + 2t), against its value at the fit.
        dof = vc.dof

        def rise(theta: float, dof: float = dof) -> float:
            count = dof - 2.0  # J - 1 with REML's log of the weight, J without
            return count * math.log1p(2 * theta) + dof * math.log(4 + 3.24 / (1 + 2 * theta))

        high = interval(table, vc, "theta", method="profile").high
        assert rise(high) - rise(vc.theta) == pytest.approx(3.841458820694124, rel=1e-12)


def test_every_method_holds_the_estimate_and_widens_with_the_level() -> None:
    table = simulated(3, theta=0.8, groups=15).table
    draws = fewer(10_000, times=100, at_least=100)
    for fitted in ("reml", "ml", "anova")[: fewer(3, times=3, at_least=1)]:
        vc = estimate(table, fitted)
        estimates = {"gamma00": vc.gamma00, "tau00": vc.tau00, "sigma2": vc.sigma2, "theta": vc.theta}
        for method in METHODS:
            for parameter, value in estimates.items():
                try:
                    levels = (0.5, 0.8, 0.95)
                    rows = [interval(table, vc, parameter, p, method, draws=draws, seed=1) for p in levels]
                except FastmlError as error:
                    assert "use method=" in str(error) or "is not one of" in str(error)  # noqa: PT017
                    continue
                assert all(row.method == method for row in rows)
                assert rows[0].low >= rows[1].low >= rows[2].low
                assert rows[0].high <= rows[1].high <= rows[2].high
                if (fitted, method) == ("reml", "profile-ml"):
                    continue  # another deviance: its interval need not hold REML's estimate at 50 %
                assert rows[2].low <= value <= rows[2].high


def test_defaults() -> None:
    table = simulated(8).table  # of unequal groups
    usual = {"gamma00": "fiducial", "tau00": "profile", "tau_sd": "profile"}
    for parameter, made in intervals(table, estimate(table)):
        assert made.method == usual.get(parameter, "exact")
        assert (made.level, made.note) == (0.95, "")
    anova = dict(intervals(table, estimate(table, "anova"), seed=1))
    assert anova["tau00"].method == "bootstrap"
    assert anova["icc"].method == "exact"
    assert anova["gamma00"] == interval(table, estimate(table), "gamma00")  # it does not go by the estimates


def test_gamma00_in_groups_of_one_size() -> None:
    for gap, usual in ((10.0, "exact"), (1.2, "at least"), (0.0, "at least")):  # F = gap^2/2; SSW = 4, N = 4
        table = two_by_two(gap)
        vc = estimate(table)
        assert vc.singular == (usual == "at least")
        # t with 1 df is tan(pi (p - 1/2)); t with 3 df at .975 from R: qt(.975, 3).
        of_means = math.tan(math.pi * 0.475) * gap / 2
        of_all = 3.182446305284263 * math.sqrt((4 + gap * gap) / 3 / 4)
        made, exact, wider = (interval(table, vc, "gamma00", method=method) for method in (None, "exact", "at least"))
        assert (made.method, exact.method) == (usual, "exact")
        assert close((exact.high - exact.low) / 2, of_means, 1e-12)
        assert close((wider.high - wider.low) / 2, max(of_means, of_all), 1e-12)
        assert (made.low, made.high) == (wider.low, wider.high)
        assert bool(exact.note) == vc.singular


def test_an_exact_set_that_says_nothing_gives_way_to_the_profile() -> None:
    # F = 0; then a few large groups among many small ones, which the F ratio weighs otherwise than REML does, whose
    # estimate is 0 in one and below the set in the other.
    empty, at_zero, below = two_by_two(0.0), two_scales(1).table, two_scales(34).table
    assert interval(at_zero, estimate(at_zero), "theta", method="exact").low > 0.0 == estimate(at_zero).theta
    for sizes, words, instead in (
        (empty, "both ends are cut", "the exact interval is empty"),
        (at_zero, "leaves the estimate out", "leaves the estimate out"),
        (below, "leaves the estimate out", "leaves the estimate out"),
    ):
        vc = estimate(sizes)
        exact = interval(sizes, vc, "icc", method="exact")
        assert words in exact.note
        made = interval(sizes, vc, "icc")
        assert instead in made.note
        assert "cut" not in made.note  # the profile's is not
        assert made.method == "profile"
        assert "this is the profile interval" in made.note
        assert made.low <= vc.theta / (1 + vc.theta) <= made.high
        assert made.high > 0.0
        assert (made.low, made.high) == tuple(interval(sizes, vc, "icc", method="profile"))
    anova = interval(empty, estimate(empty, "anova"), "icc", draws=100, seed=1)
    assert (anova.method, anova.high > 0.0) == ("bootstrap", True)


def test_gamma00_takes_the_standard_error_of_its_degrees_of_freedom() -> None:
    table = simulated(9, theta=0.5).table
    vc = estimate(table)
    kr, plain = (interval(table, vc, "gamma00", method="t", df=df) for df in ("kenward-roger", "hlm"))
    assert mean_test(table, vc, "kenward-roger").se > vc.se_gamma00
    assert (kr.high + kr.low) / 2 == pytest.approx((plain.high + plain.low) / 2, rel=1e-12)


def test_sets_in_pieces_are_told_also_where_one_begins_at_no_variance() -> None:
    n, means = np.array([1, 1, 1, 200]), np.array([3.0, -3.0, 0.3, 0.0])
    table = Grouped(n, means, np.zeros(4), n - 1.0).table
    for parameter in ("theta", "tau00", "tau_sd", "icc"):
        made = interval(table, estimate(table, "ml"), parameter, method="profile")
        assert "2 separate pieces" in made.note


def test_what_is_refused() -> None:
    table = simulated(1, theta=0.5).table
    vc = estimate(table)
    singular = changed(table, mean=np.zeros_like(table.mean), ss=np.zeros_like(table.ss))
    at_zero, anova = estimate(singular), estimate(table, "anova")
    assert at_zero.singular
    refusals = [
        (table, vc, "tau00", "exact", ArgumentError, "'profile'"),
        (table, vc, "gamma00", "exact", ArgumentError, "groups of one size only"),
        (table, vc, "gamma00", "at least", ArgumentError, "groups of one size only"),
        (table, vc, "icc", "fiducial", ArgumentError, "'exact'"),
        (table, vc, "tau00", "t", ArgumentError, "'fiducial'"),
        (table, vc, "iccc", None, ArgumentError, "'icc'"),
        (table, vc, "icc", "jackknife", ArgumentError, "'bootstrap'"),
        (singular, at_zero, "icc", "wald", ModelError, "use method='exact'"),
        (singular, at_zero, "tau_sd", "wald", ModelError, "use method='profile'"),
        (singular, at_zero, "tau00", "bca", ModelError, "use method='profile'"),
        (table, anova, "tau00", "profile", ModelError, "use method='bootstrap'"),
        (table, anova, "icc", "profile", ModelError, "use method='exact'"),
        (table, anova, "sigma2", "wald", ModelError, "use method='exact'"),
    ]
    for sizes, fitted, parameter, method, kind, words in refusals:
        with pytest.raises(kind, match=words) as caught:
            interval(sizes, fitted, parameter, method=method)
        assert "\n" not in str(caught.value)
    for level in (0.0, 1.0, 95.0):
        with pytest.raises(ArgumentError, match="between 0 and 1"):
            interval(table, vc, "icc", level)
    with pytest.raises(ArgumentError, match="method"):
        intervals(table, vc, method="all")
    # The table of all of them falls back instead, and says so.
    rows = dict(intervals(singular, at_zero, method="wald"))
    assert rows["icc"].method == "profile"  # the exact set is empty
    assert rows["sigma2"].method == "wald"


def test_scaling_by_a_power_of_two_changes_no_digit() -> None:
    draws = fewer(200, times=5, at_least=40)
    for power in (-498, 498, 31)[: fewer(3, times=3, at_least=1)]:
        for seed, theta in ((1, 0.3), (4, 0.0), (5, 40.0)):
            one, other = simulated(seed, theta), simulated(seed, theta, y_unit=math.ldexp(1.0, power))
            for method in ("exact", "fiducial", "profile", "profile-ml", "bootstrap", "bca"):
                a = dict(intervals(one.table, estimate(one.table), method=method, seed=2, draws=draws))
                b = dict(intervals(other.table, estimate(other.table), method=method, seed=2, draws=draws))
                for parameter in ("theta", "icc", "deff", "reliability"):
                    assert a[parameter] == b[parameter]
                for parameter in ("tau_sd", "sigma"):
                    assert math.ldexp(a[parameter].high, power) == b[parameter].high


@pytest.mark.parametrize("shift", [1e3, 1e6, 2.0**30])
def test_adding_a_constant(shift: float) -> None:
    rng = np.random.default_rng(4)
    group = rng.integers(0, 14, 200)
    # On a grid of 2^-20 a shift to 2^30 is exact.
    y = np.round((rng.normal(size=200) + 0.5 * rng.normal(size=14)[group]) * 2**20) / 2**20
    one, other = grouped(y, group).table, grouped(y + shift, group).table
    for method in ("exact", "fiducial", "profile", "profile-ml"):
        a = dict(intervals(one, estimate(one), method=method))
        b = dict(intervals(other, estimate(other), method=method))
        for parameter in ("icc", "tau00", "sigma2"):
            assert a[parameter].low == pytest.approx(b[parameter].low, rel=1e-10)
            assert a[parameter].high == pytest.approx(b[parameter].high, rel=1e-10)
        assert b["gamma00"].high - shift == pytest.approx(a["gamma00"].high, abs=1e-15 * shift + 1e-10)


def test_bootstrap_intervals_come_from_the_draws() -> None:
    table = simulated(8, theta=0.5).table
    vc = estimate(table)
    draws = bootstrap(table, vc, 999, 7)
    made = interval(table, vc, "theta", method="bootstrap", draws=999, seed=7)
    ordered = np.sort(draws.theta)
    # 999 draws: the 25th and the 975th.
    assert (made.low, made.high) == pytest.approx((ordered[24], ordered[974]), rel=1e-14)
