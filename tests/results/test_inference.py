"""The methods of a fit that ask for intervals, tests and conventions; the figures behind them have tests of their own."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import fastml
from fastml import FastmlError, OneWayFit
from fastml.inference.distributions import t_quantile
from fastml.inference.intervals import PARAMETERS


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


@pytest.fixture(scope="module")
def weighted() -> OneWayFit:
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(30), rng.integers(5, 30, 30))
    table = {
        "y": rng.normal(500, 80, len(school)) + rng.normal(0, 50, 30)[school],
        "g": school,
        "w": rng.uniform(1, 4, len(school)),
        "v": 1.0 + school % 3,
    }
    return fastml.fit(table, "y", "g", weights="w", group_weights="v")


def test_icc_interval_of_the_lecture(fit: OneWayFit) -> None:
    # Searle's closed form, exact for equal sizes, from the ANOVA table of this file: F = 32.401332, df 19 and 580, n = 30;
    # quantiles of F(19, 580) from R's qf(c(.975, .025), 19, 580) = 1.755044, 0.4656353.
    f = 32.40133231
    low, high = ((f / q - 1) / (f / q + 29) for q in (1.755044, 0.4656353))
    ci = fit.ci("icc")
    assert (ci.method, ci.level) == ("exact", 0.95)
    assert math.isclose(ci.low, low, rel_tol=1e-3)
    assert math.isclose(ci.high, high, rel_tol=1e-3)
    assert fit.ci("icc", 0.5).low > ci.low
    assert tuple(fit.ci(parm="icc", level=0.95)) == (ci.low, ci.high)


def test_intervals_have_a_row_per_parameter(fit: OneWayFit) -> None:
    table = fit.intervals()
    assert list(table["parameter"]) == list(PARAMETERS)
    assert list(table.columns) == ["parameter", "estimate", "low", "high", "level", "method", "note"]
    assert ((table["low"] < table["estimate"]) & (table["estimate"] < table["high"])).all()
    for row in table.itertuples():
        ci = fit.ci(row.parameter)
        assert (ci.low, ci.high) == (row.low, row.high)
    assert set(fit.intervals(method="profile")["method"]) == {"profile"}


def test_the_t_interval_of_the_mean_goes_with_the_df(lecture_file: Path) -> None:
    widths = {}
    for df in ("satterthwaite", "kenward-roger", "hlm", "normal"):
        fit = fastml.fit(lecture_file, "bsmmatxx", "idschool", df=df)
        ci = fit.ci("gamma00", method="t")
        widths[df] = ci.high - ci.low
        assert fit.ci("gamma00").method == "exact"
        assert fit.df_method == df
    assert widths["satterthwaite"] == pytest.approx(2 * 2.093024 * 16.421632, rel=1e-6)  # qt(.975, 19)
    assert widths["normal"] == pytest.approx(2 * 1.959964 * 16.421632, rel=1e-6)
    assert widths["hlm"] == pytest.approx(widths["kenward-roger"], rel=1e-9)


def test_kenward_roger_brings_its_own_standard_error() -> None:
    table = {"y": [1.0, 2.0, 4.0, 8.0, 9.0, 3.0, 2.5], "g": [1, 1, 2, 2, 2, 3, 3]}
    plain, kr = fastml.fit(table, "y", "g"), fastml.fit(table, "y", "g", df="kenward-roger")
    assert kr.se_gamma00 > plain.se_gamma00
    assert kr.t == pytest.approx(kr.gamma00 / kr.se_gamma00)


def test_kenward_roger_where_it_means_nothing() -> None:
    table = {"y": [1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 5.0], "g": [1, 1, 2, 2, 3, 3, 3]}
    with pytest.warns(UserWarning, match="mean nothing where tau00 is estimated at 0"):
        kr = fastml.fit(table, "y", "g", df="kenward-roger")
    plain = fastml.fit(table, "y", "g")
    assert (kr.singular, kr.df_method, kr.df, kr.se_gamma00) == (True, "satterthwaite", plain.df, plain.se_gamma00)
    equal = fastml.fit({"y": table["y"][:6], "g": table["g"][:6]}, "y", "g", df="kenward-roger")  # there it does
    assert (equal.singular, equal.df_method) == (True, "kenward-roger")
    with pytest.raises(FastmlError, match="it is defined for method='reml'"):
        fastml.fit(table, "y", "g", method="ml", df="kenward-roger")


def test_bootstrap_is_seeded(fit: OneWayFit) -> None:
    first, again, other = (fit.ci("tau00", method="bootstrap", draws=500, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    unset = [fit.ci("tau00", method="bootstrap", draws=500) for _ in range(2)]
    fresh = [fit.ci("tau00", method="bootstrap", draws=500, seed=None) for _ in range(2)]
    assert unset[0] == unset[1]
    assert fresh[0] != fresh[1]


def test_tests_of_no_variance_between(fit: OneWayFit) -> None:
    table = fit.test_between(seed=0)
    assert list(table["test"]) == ["F", "RLRT", "LRT", "HLM chi-square"]
    assert (table["p_value"] < 1e-70).all()
    assert table["statistic"][0] == pytest.approx(32.4013, abs=1e-4)
    homogeneity = fit.test_homogeneity()
    assert homogeneity["p_value"].between(0.5, 1).all()


def test_anova_table(fit: OneWayFit) -> None:
    table = fit.anova()
    assert list(table["source"]) == ["between", "within", "total"]
    assert table["ss"][0] + table["ss"][1] == pytest.approx(table["ss"][2])
    assert table["ms"][1] == pytest.approx(fit.sigma2)
    assert table.attrs["tau00_mom"] == pytest.approx(fit.tau00)


def test_design_effects_and_conventions(fit: OneWayFit) -> None:
    effects = fit.design_effects().set_index("name")
    assert effects.loc["lecture", "deff"] == fit.deff
    programs = fit.conventions().set_index("program")
    assert programs.loc["lme4", "bic"] == pytest.approx(fit.bic)
    assert list(programs.index) == ["lme4", "nlme", "SAS", "Stata", "HLM"]


def test_levels_next_to_one_have_finite_limits(fit: OneWayFit) -> None:
    # The tails are taken as they are: one less a tail of 5e-17 is one.
    for level in (1 - 1e-9, np.nextafter(1, 0)):
        for name in PARAMETERS:
            ci = fit.ci(name, level)
            assert 0 <= ci.low < ci.high < math.inf
            assert name == "gamma00" or ci.low < fit.ci(name, 0.99).low
    assert fit.ci("icc", np.float32(0.5)).level == 0.5


def test_refusals(fit: OneWayFit) -> None:
    for call, message in (
        (lambda: fit.ci("rho"), "parm='rho' is not one of"),
        (lambda: fit.ci("icc", method="magic"), "'magic' is not one of"),
        (lambda: fit.ci("tau00", method="exact"), "tau00 has no exact interval"),
        (lambda: fit.ci("icc", level=95), "a number between 0 and 1"),
        (lambda: fit.ci("icc", method="bootstrap", draws=1e3), "draws=1000.0 can't be"),
        (lambda: fit.ci("icc", method="bootstrap", draws="a"), "draws='a' can't be"),
        (lambda: fit.ci("icc", method="bootstrap", draws=10**13), "draws=10000000000000 can't be"),
        (lambda: fit.ci("icc", method="bootstrap", seed=-1), "seed=-1 can't be"),
        (lambda: fit.ci("icc", method="bca", seed="a"), "seed='a' can't be"),
        (lambda: fit.test_between(draws=0), "draws=0 can't be"),
        (lambda: fit.test_between(seed=1.5), "seed=1.5 can't be"),
    ):
        with pytest.raises(FastmlError, match=message):
            call()


def test_weighted_fits_have_robust_intervals_only(weighted: OneWayFit) -> None:
    mean = weighted.ci("gamma00")
    assert mean.method == "t"
    assert weighted.df_method == "bell-mccaffrey"
    assert mean.high - weighted.gamma00 == pytest.approx(
        t_quantile(0.975, weighted.df) * weighted.se_gamma00, rel=1e-12
    )
    # By t with J - 1 degrees of freedom, qt(.975, 29) = 2.04523, on the logarithm and on the logit.
    tau00 = weighted.ci("tau00")
    assert math.log(tau00.high / weighted.tau00) == pytest.approx(
        2.04523 * weighted.se_tau00 / weighted.tau00, rel=1e-5
    )
    icc = weighted.ci("icc")
    logit = math.log(weighted.icc / (1 - weighted.icc))
    reach = 2.04523 * weighted.se_icc / (weighted.icc * (1 - weighted.icc))
    assert icc.low == pytest.approx(1 / (1 + math.exp(reach - logit)), rel=1e-5)
    assert weighted.ci("deff").low == pytest.approx(1 + icc.low * (weighted.n_obs / 30 - 1))
    wald = weighted.ci("tau00", method="wald")
    assert wald.high - weighted.tau00 == pytest.approx(1.959964 * weighted.se_tau00, rel=1e-6)
    assert "reliability" in set(weighted.intervals()["parameter"])
    for call, message in (
        (lambda: weighted.ci("icc", method="exact"), "method='exact' is not one of 'jackknife', 'skewed', 'wald'"),
        (weighted.test_between, "are of unweighted fits"),
        (weighted.test_homogeneity, "are of unweighted fits"),
        (weighted.anova, "are of unweighted fits"),
        (weighted.conventions, "are of unweighted fits"),
    ):
        with pytest.raises(FastmlError, match=message):
            call()


def test_design_effect_of_the_weighted_mean(weighted: OneWayFit) -> None:
    # Gabler, Haeder and Lahiri's formula, from the rows.
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(30), rng.integers(5, 30, 30))
    rng.normal(500, 80, len(school)), rng.normal(0, 50, 30)
    w = rng.uniform(1, 4, len(school))
    per_school = np.array([w[school == j].sum() for j in range(30)])
    b = (per_school**2).sum() / (w**2).sum()
    expected = len(w) * (w**2).sum() / w.sum() ** 2 * (1 + weighted.icc * (b - 1))
    effects = weighted.design_effects().set_index("name")
    assert effects.loc["gabler-kish", "deff"] == pytest.approx(expected, rel=1e-12)
    assert effects.loc["lecture", "deff"] == weighted.deff


def test_a_plan_from_the_fit_is_of_its_own_figures(lecture_file: Path) -> None:
    fit = fastml.fit(lecture_file, "bsmmatxx", "idschool")
    planned = fit.plan(cluster_size=30, se=10.0)
    by_hand = fastml.plan(fit.icc, cluster_size=30, sd=math.sqrt(fit.tau00 + fit.sigma2), se=10.0)
    assert planned.n_groups == by_hand.n_groups
    assert str(planned) == str(by_hand)
