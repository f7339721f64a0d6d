"""Tests of variance between and within groups, the ANOVA table, design effects and conventions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from tables import SETS, close, from_file, grouped, reference, simulated

from fastml.inference.conventions import conventions, design_effects
from fastml.inference.distributions import chi2_tail, f_tail
from fastml.inference.hypotheses import anova, between_tests, homogeneity_tests, lrt_test, rlrt_test
from fastml.inference.rlrt import null_draws
from fastml.model.size_table import reduce_sizes
from fastml.model.variance_components import estimate

ANOVA = {
    "SSB": "ssb", "SSW": "ssw", "SST": "sst", "df_between": "df_between", "df_within": "df_within", "MSB": "msb",
    "MSW": "msw", "F": "f", "p": "p_value", "n0": "n0", "n_bar": "n_bar", "n_harmonic": "n_harmonic",
    "var_of_group_means": "var_of_group_means", "sigma_w": "sigma_w", "tau00_mom": "tau00_mom",
    "tau00_mom_trunc": "tau00_mom_trunc", "icc_mom_n0": "icc_mom_n0", "eta2": "eta2", "omega2": "omega2",
    "ICC1_multilevel": "icc1_multilevel", "ICC2_multilevel": "icc2_multilevel",
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_reference_anova(reference_folder: Path, name: str) -> None:
    record, groups = reference(reference_folder, name)
    made, truth = anova(groups.table), record["anova"]
    for theirs, ours in ANOVA.items():
        # cake_recipe's F is 1.0015: what is left of F - 1 has 13 digits.
        assert close(getattr(made, ours), truth[theirs], 2e-12), (ours, getattr(made, ours), truth[theirs])
    spread = math.sqrt(truth["SST"] / record["N"])
    for figure in ("grand_mean", "mean_of_group_means"):
        assert abs(getattr(made, figure) - truth[figure]) <= 1e-12 * spread + 1e-15 * abs(truth[figure])
    assert close(made.icc_low_searle, truth["icc_ci95_searle_n0"][0], 1e-12)
    assert close(made.icc_high_searle, truth["icc_ci95_searle_n0"][1], 1e-12)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", SETS)
def test_reference_tests(reference_folder: Path, name: str, method: str) -> None:
    record, groups = reference(reference_folder, name)
    truth, table = record[method.upper()], groups.table
    vc = estimate(table, method)
    tests = {row.test: row for row in between_tests(table, vc, draws=10, seed=1)}
    # A sum of logarithms of ratios, of W1 and of R, to those at theta = 0: near 1 a ratio is rounded to an eps, and so
    # its logarithm, however small (cake_recipe's statistic is 2e-6).
    assert math.isclose(tests["LRT"].statistic, truth["LRT_stat"], rel_tol=5e-12, abs_tol=4.0 * np.finfo(float).eps)
    assert close(tests["LRT"].p_value, truth["LRT_p_chibar_50_50"], 5e-12)
    assert close(tests["HLM chi-square"].statistic, truth["chi2_hlm_gls"], 1e-12)
    assert tests["HLM chi-square"].df == record["J"] - 1
    assert close(tests["F"].p_value, record["anova"]["p"], 1e-12)
    if truth["boundary"]:
        assert tests["LRT"].p_value == 1.0
    rows = {row.program: row for row in conventions(table, vc)}
    assert close(rows["lme4"].aic, truth["AIC"], 1e-13)
    assert close(rows["lme4"].bic, truth["BIC"], 1e-13)
    assert close(rows["lme4"].df, truth["df_satterthwaite"], 1e-12)
    assert close(rows["lme4"].chi_square_p, truth["LRT_p_chi2_1"], 5e-12)
    assert close(rows["nlme"].bic, truth["BIC_nlme"], 1e-13)
    if method == "ml":
        assert close(rows["nlme"].se_gamma00, truth["se_gamma00_nlme_adjusted"], 1e-13)
    assert close(rows["HLM"].p_value, truth["p_df_Jm1"], 1e-12)
    effects = {row.name: row for row in design_effects(table, vc)}
    assert close(effects["lecture"].deff, truth["deff_nbar"], 1e-13)
    assert close(effects["kish"].deff, truth["deff_kish_weighted"], 1e-13)
    assert close(effects["kish"].n_eff, truth["neff_kish_weighted"], 1e-13)
    assert close(effects["gls"].n_eff, truth["var_mean_ratio_neff"], 1e-13)


def test_dyestuff() -> None:
    # From the 60-digit record; nlme 3.1-162 prints L.Ratio 6.36896 and BIC 329.7562, lme4 BIC 329.8579.
    groups = from_file(ROOT / "data" / "dyestuff.parquet")
    vc = estimate(groups.table)
    square = anova(groups.table)
    assert close(square.f, 4.598266190719021, 1e-13)
    assert close(square.p_value, 0.004397531268306163, 1e-12)
    assert close(lrt_test(groups.table, vc).statistic, 6.368955313621165, 1e-13)
    rows = {row.program: row for row in conventions(groups.table, vc)}
    assert rows["nlme"].bic == pytest.approx(329.756164332217, rel=1e-14)
    assert rows["lme4"].bic == pytest.approx(329.857868987244, rel=1e-14)
    assert rows["nlme"].df == 24.0
    assert rows["nlme"].p_value == pytest.approx(1.71118155488842e-30, rel=1e-4)  # nlme's own SE has 7 digits
    assert rows["lme4"].chi_square_p == pytest.approx(0.011613, rel=5e-5)  # lmerTest's ranova
    assert rows["SAS"].aic == vc.deviance + 4.0
    assert rows["SAS"].bic == vc.deviance + 2.0 * math.log(6)
    ml = {row.program: row for row in conventions(groups.table, estimate(groups.table, "ml"))}
    assert ml["nlme"].se_gamma00 == pytest.approx(17.9970480287637, rel=1e-6)
    assert ml["SAS"].n_parameters == 3
    # R's bartlett.test(Yield ~ Batch, Dyestuff).
    bartlett = homogeneity_tests(groups.n, groups.ss)[0]
    assert bartlett.statistic == pytest.approx(4.014510678958893, rel=1e-13)
    assert bartlett.p_value == pytest.approx(0.547328663562577, rel=1e-13)
    assert bartlett.df == 5.0


def test_hsb82_as_published(reference_folder: Path) -> None:
    """SAS's AIC and BIC (Singer 1998, output 1, in today's sign), Stata's chibar2, HLM's chi-square."""
    _, groups = reference(reference_folder, "hsb82")
    rows = {row.program: row for row in conventions(groups.table, estimate(groups.table))}
    assert (round(rows["SAS"].aic, 1), round(rows["SAS"].bic, 1)) == (47120.8, 47126.9)
    assert round(rows["Stata"].chi_square, 2) == 986.12
    assert round(rows["HLM"].chi_square, 1) == 1660.2
    assert rows["HLM"].df == rows["SAS"].df == 159


def test_rlrt_of_equal_sizes_is_the_f_test() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(8), 5)
    for _ in range(5):
        table = grouped(rng.normal(size=40) + 0.4 * rng.normal(size=8)[group], group).table
        vc = estimate(table)
        test = rlrt_test(table, vc, seed=1)
        if vc.singular:
            assert test.p_value == 1.0
            continue
        assert test.p_value == anova(table).p_value
        assert test.mc_se == 0.0
        # And the simulation, which equal sizes don't need, agrees with F.
        simulated_p = np.mean(null_draws(table, 40_000, 5) >= test.statistic)
        assert abs(simulated_p - test.p_value) < 5 * math.sqrt(test.p_value / 40_000)


def test_two_groups_by_hand() -> None:
    # {0, 2} and {5, 7}: F = 12.5 on 1 and 2 df, p = P(|t_2| > sqrt(12.5)) = 1 - sqrt(F/(F + 2)).
    table = grouped(np.array([0.0, 2.0, 5.0, 7.0]), np.array([1, 1, 2, 2])).table
    tests = {row.test: row for row in between_tests(table, estimate(table))}
    assert close(tests["F"].p_value, 1 - math.sqrt(12.5 / 14.5), 1e-12)
    assert tests["RLRT"].p_value == tests["F"].p_value
    # Balanced: RLRT = 3 log(29/6) + log 2 - (log 25 + 3 log 2), R = 29 at theta = 0 and 3 x 2 at the fit.
    assert close(tests["RLRT"].statistic, 3 * math.log(29 / 6) - math.log(12.5), 1e-13)
    assert close(tests["HLM chi-square"].statistic, 12.5, 1e-14)  # sum n (mean - 3.5)^2/2 = 25/2


def test_reml_positive_with_ml_zero() -> None:
    # {0, 2} and {1.8, 3.8}: F = 1.62.
    table = grouped(np.array([0.0, 2.0, 1.8, 3.8]), np.array([1, 1, 2, 2])).table
    assert lrt_test(table, estimate(table)).statistic > 0.0
    assert lrt_test(table, estimate(table, "ml")).statistic == 0.0
    assert lrt_test(table, estimate(table, "ml")).p_value == 1.0
    assert lrt_test(table, estimate(table)).p_value < 0.5


def slow_homogeneity(n: np.ndarray, ss: np.ndarray, least: int) -> tuple[float, float, int]:
    """Bartlett's statistic and H, group by group."""
    pairs = [(int(k) - 1, s / (k - 1)) for k, s in zip(n, ss, strict=True) if k > least and s > 0]
    total = sum(f for f, _ in pairs)
    pooled = sum(f * v for f, v in pairs) / total
    c = 1 + (sum(1 / f for f, _ in pairs) - 1 / total) / (3 * (len(pairs) - 1))
    bartlett = (total * math.log(pooled) - sum(f * math.log(v) for f, v in pairs)) / c
    centre = sum(f * math.log(v) for f, v in pairs) / total
    h = sum((math.log(v) - centre) ** 2 / (2 / f) for f, v in pairs)
    return bartlett, h, len(pairs)


@pytest.mark.parametrize("power", [0, 480, -480])
def test_homogeneity_against_group_by_group(power: int) -> None:
    for seed in range(5):
        groups = simulated(seed, groups=30, largest=25)
        ss = np.ldexp(np.where(np.arange(30) == 7, 0.0, groups.ss), 2 * power)
        bartlett, h, hlm = homogeneity_tests(groups.n, ss)
        slow = slow_homogeneity(groups.n, np.ldexp(ss, -2 * power), 1)
        assert bartlett.statistic == pytest.approx(slow[0], rel=1e-11)
        assert h.statistic == pytest.approx(slow[1], rel=1e-11)
        assert bartlett.n_groups == h.n_groups == slow[2]
        assert bartlett.p_value == chi2_tail(bartlett.statistic, slow[2] - 1)
        assert "left out" in bartlett.note
        slow = slow_homogeneity(groups.n, np.ldexp(ss, -2 * power), 10)
        assert hlm.statistic == pytest.approx(slow[1], rel=1e-11)
        assert hlm.n_groups == slow[2]
    few = homogeneity_tests(np.array([1, 1, 5]), np.array([0.0, 0.0, 3.0]))
    assert all(math.isnan(row.statistic) and "fewer than two" in row.note for row in few)


def test_scores_times_a_power_of_two_change_no_test() -> None:
    for seed, theta in ((1, 0.3), (2, 0.0)):
        for power in (-498, 498):
            one, other = simulated(seed, theta), simulated(seed, theta, y_unit=math.ldexp(1.0, power))
            a, b = (between_tests(g.table, estimate(g.table), draws=100, seed=3) for g in (one, other))
            assert repr(a) == repr(b)  # repr: NaN is not equal to itself
            assert repr(homogeneity_tests(one.n, one.ss)) == repr(homogeneity_tests(other.n, other.ss))
            effects = (design_effects(g.table, estimate(g.table)) for g in (one, other))
            assert next(effects) == next(effects)


def test_anova_of_a_large_table_is_that_of_its_groups() -> None:
    rng = np.random.default_rng(0)
    n = rng.integers(2, 60, 5000)
    means, ss = rng.normal(500, 30, 5000), rng.chisquare(n - 1) * 4900
    made = anova(reduce_sizes(n, means, np.zeros(5000), ss))
    grand = np.sum(n * means) / n.sum()
    ssb = np.sum(n * (means - grand) ** 2)
    assert made.ssb == pytest.approx(ssb, rel=1e-12)
    assert made.f == pytest.approx(ssb / 4999 / (ss.sum() / (n.sum() - 5000)), rel=1e-12)
    assert made.p_value == f_tail(made.f, 4999, n.sum() - 5000)


@pytest.mark.parametrize("shift", [1e3, 1e6, 2.0**30])
def test_adding_a_constant_changes_no_test(shift: float) -> None:
    rng = np.random.default_rng(4)
    group = rng.integers(0, 14, 200)
    # On a grid of 2^-20 a shift to 2^30, 1e9 standard deviations, is exact.
    y = np.round((rng.normal(size=200) + 0.5 * rng.normal(size=14)[group]) * 2**20) / 2**20
    one, other = grouped(y, group), grouped(y + shift, group)
    for method in ("reml", "ml"):
        a, b = (between_tests(g.table, estimate(g.table, method), draws=500, seed=3) for g in (one, other))
        for first, second in zip(a, b, strict=True):
            assert second.statistic == pytest.approx(first.statistic, rel=1e-10)
            assert second.p_value == pytest.approx(first.p_value, rel=1e-10)
    for first, second in zip(homogeneity_tests(one.n, one.ss), homogeneity_tests(other.n, other.ss), strict=True):
        assert second.statistic == pytest.approx(first.statistic, rel=1e-10)
