"""Degrees of freedom and standard errors: the reference sets, dense twins, laws."""

from __future__ import annotations

import math
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from conftest import ROOT
from dense import deviance, small_set
from tables import SETS, close, from_file, grouped, reference, simulated

from fastml.errors import ArgumentError
from fastml.inference.information import (
    StandardErrors,
    degrees_of_freedom,
    expected_information,
    kenward_roger,
    mean_test,
    standard_errors,
    t_test,
)
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents, estimate


def expected_errors(table: SizeTable, vc: VarianceComponents) -> StandardErrors:
    """From the information that BCa intervals rest on, as SAS and HLM can print them."""
    covariance = np.linalg.inv(expected_information(table, vc))
    by_icc = np.array([1.0, -vc.theta]) / (1.0 + vc.theta) ** 2
    tau00, sigma2, icc = (math.sqrt(x) for x in (*np.diag(covariance), by_icc @ covariance @ by_icc))
    return StandardErrors(vc.sigma2 * tau00, vc.sigma2 * sigma2, icc)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", SETS)
def test_reference(reference_folder: Path, name: str, method: str) -> None:
    record, groups = reference(reference_folder, name)
    truth, table = record[method.upper()], groups.table
    vc = estimate(table, method)
    figures = {"df_satterthwaite": degrees_of_freedom(table, vc), "p_satterthwaite": mean_test(table, vc).p_value}
    figures["p_df_Jm1"] = mean_test(table, vc, "hlm").p_value
    if "KR_df" in truth:
        kr = mean_test(table, vc, "kenward-roger")
        figures |= {"KR_df": kr.df, "KR_se": kr.se, "KR_t": kr.t, "KR_p": kr.p_value}
    if not truth["boundary"]:
        for kind, se in (("obs", standard_errors(vc)), ("exp", expected_errors(table, vc))):
            figures[f"se_sigma2_{kind}"] = se.se_sigma2
            figures[f"se_tau00_{kind}"] = se.se_tau00
            figures[f"se_icc_delta_{kind}"] = se.se_icc
    for key, value in figures.items():
        assert close(value, truth[key], 1e-12), (key, value, truth[key])


# The 60-digit record of Dyestuff (Davies 1947), which is in the repository.
DYESTUFF = {
    "df_satterthwaite": 5.0,
    "KR_df": 5.0,
    "KR_se": 19.383412152318968,
    "se_sigma2_obs": 707.6149236755351,
    "se_tau00_obs": 1432.751252384144,
    "se_icc_delta_obs": 0.21620499061712786,
}

DYESTUFF_ML = {
    "df_satterthwaite": 6.0,
    "se_sigma2_obs": 707.6149236755351,
    "se_tau00_obs": 1093.794862836534,
    "se_icc_delta_obs": 0.20162494183854618,
}


def test_dyestuff() -> None:
    table = from_file(ROOT / "data" / "dyestuff.parquet").table
    for method, truth in (("reml", DYESTUFF), ("ml", DYESTUFF_ML)):
        vc = estimate(table, method)
        se = standard_errors(vc)
        figures = {
            "df_satterthwaite": degrees_of_freedom(table, vc),
            "se_sigma2_obs": se.se_sigma2,
            "se_tau00_obs": se.se_tau00,
            "se_icc_delta_obs": se.se_icc,
        }
        if method == "reml":
            figures |= {"KR_df": kenward_roger(table, vc).df, "KR_se": kenward_roger(table, vc).se}
        assert figures.keys() == truth.keys()
        for key, value in figures.items():
            assert close(value, truth[key], 1e-12), (key, value)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("seed", [1, 3, 4, 7, 8])  # none at the boundary, where there is no second derivative to take
def test_observed_information_against_the_dense_likelihood(seed: int, restricted: bool) -> None:
    y, group = small_set(seed)
    table = grouped(y, group).table
    vc = estimate(table, "reml" if restricted else "ml")
    assert not vc.singular
    with mp.workdps(60):
        h = [mp.mpf(10) ** -12 * mp.mpf(vc.tau00), mp.mpf(10) ** -12 * mp.mpf(vc.sigma2)]

        def at(i: int, j: int) -> mp.mpf:
            return deviance(y.tolist(), group.tolist(), vc.tau00 + i * h[0], vc.sigma2 + j * h[1], restricted)

        # Of the dense deviance by (tau00, sigma2).
        centre = at(0, 0)
        tt = (at(1, 0) - 2 * centre + at(-1, 0)) / h[0] ** 2
        ss = (at(0, 1) - 2 * centre + at(0, -1)) / h[1] ** 2
        ts = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * h[0] * h[1])
        covariance = (mp.matrix([[tt, ts], [ts, ss]]) / 2) ** -1
        total = vc.tau00 + vc.sigma2
        by_icc = mp.matrix([vc.sigma2 / total**2, -vc.tau00 / total**2])
        se_icc = mp.sqrt((by_icc.T * covariance * by_icc)[0])
        # Var(gamma00) = 1/sum(n/(sigma2 + n tau00)) and its gradient.
        n, c = [int(x) for x in table.size], [int(x) for x in table.count]
        v = [vc.sigma2 + k * mp.mpf(vc.tau00) for k in n]
        info = sum(m * k / x for k, m, x in zip(n, c, v, strict=True))
        by_var = mp.matrix(
            [sum(m * mp.mpf(k) ** p / x**2 for k, m, x in zip(n, c, v, strict=True)) / info**2 for p in (2, 1)]
        )
        df = 2 / info**2 / (by_var.T * covariance * by_var)[0]
        truth = [float(x) for x in (mp.sqrt(covariance[0, 0]), mp.sqrt(covariance[1, 1]), se_icc, df)]
    se = standard_errors(vc)
    for value, true in zip((se.se_tau00, se.se_sigma2, se.se_icc, degrees_of_freedom(table, vc)), truth, strict=True):
        assert close(value, true, 1e-11)


def dense_kenward_roger(n: np.ndarray, tau00: float, sigma2: float) -> tuple[float, float]:
    """Kenward and Roger's (1997) general formulas with matrices of all observations."""
    group = np.repeat(np.arange(n.size), n)
    z = (group[:, None] == group[None, :]).astype(float)
    parts = [z, np.eye(group.size)]
    x = np.ones((group.size, 1))
    inverse = np.linalg.inv(tau00 * parts[0] + sigma2 * parts[1])
    phi = np.linalg.inv(x.T @ inverse @ x)
    p = [-x.T @ inverse @ part @ inverse @ x for part in parts]
    q = [[x.T @ inverse @ a @ inverse @ b @ inverse @ x for b in parts] for a in parts]
    information = np.empty((2, 2))
    for i, a in enumerate(parts):
        for j, b in enumerate(parts):
            trace = np.trace(inverse @ a @ inverse @ b)
            information[i, j] = 0.5 * (trace - 2 * np.trace(phi @ q[i][j]) + np.trace(phi @ p[i] @ phi @ p[j]))
    w = np.linalg.inv(information)
    middle = sum(w[i, j] * (q[i][j] - p[i] @ phi @ p[j]) for i in range(2) for j in range(2))
    adjusted = phi + 2 * phi @ middle @ phi
    # One fixed effect: A1 = A2 = sum w tr(Phi P_i Phi P_j), so that df is 2/A2.
    a2 = sum(w[i, j] * np.trace(phi @ p[i] @ phi @ p[j]) for i in range(2) for j in range(2))
    return math.sqrt(adjusted[0, 0]), 2.0 / a2


@pytest.mark.parametrize("seed", range(6))
def test_kenward_roger_against_dense_matrices(seed: int) -> None:
    groups = simulated(seed, theta=0.0 if seed % 3 == 0 else 0.4)
    vc = estimate(groups.table)
    se, df = dense_kenward_roger(groups.n, vc.tau00, vc.sigma2)
    kr = kenward_roger(groups.table, vc)
    assert close(kr.se, se, 1e-12)
    assert close(kr.df, df, 1e-11)


@pytest.mark.parametrize("seed", range(5))
def test_balanced(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(9), 6)
    groups = grouped(rng.normal(size=54) + rng.normal(size=9)[group], group)
    reml, ml = estimate(groups.table), estimate(groups.table, "ml")
    assert not reml.singular
    assert close(degrees_of_freedom(groups.table, reml), 8.0, 1e-12)
    assert close(degrees_of_freedom(groups.table, reml, "kenward-roger"), 8.0, 1e-12)
    assert close(kenward_roger(groups.table, reml).se, reml.se_gamma00, 1e-12)
    assert close(degrees_of_freedom(groups.table, ml), 9.0, 1e-12)
    # MSW is a chi-square with N - J = 45 degrees of freedom: its variance is 2 sigma2^2/45.
    assert close(standard_errors(reml).se_sigma2, reml.sigma2 * math.sqrt(2 / 45), 1e-12)


def test_boundary() -> None:
    groups = from_file(ROOT / "data" / "dyestuff2.parquet")  # 6 batches of 5
    reml, ml = estimate(groups.table), estimate(groups.table, "ml")
    assert reml.singular
    assert degrees_of_freedom(groups.table, reml) == 29.0
    assert degrees_of_freedom(groups.table, ml) == 30.0
    se = standard_errors(reml)
    assert math.isnan(se.se_tau00)
    assert math.isnan(se.se_icc)
    assert close(se.se_sigma2, reml.sigma2 * math.sqrt(2 / 29), 1e-15)
    # Balanced, at tau00 = 0: P'WP = 1/Phi^2 2/(J - 1), whatever tau00.
    assert close(degrees_of_freedom(groups.table, reml, "kenward-roger"), 5.0, 1e-12)


def test_two_groups() -> None:
    table = grouped(np.array([0.0, 2.0, 5.0, 7.0]), np.array([1, 1, 2, 2])).table
    vc = estimate(table)
    # MSB = 25, MSW = 2: tau00 = 23/2, gamma00 = 3.5, SE = sqrt(25/4), df = J - 1.
    test = mean_test(table, vc)
    assert close(vc.tau00, 11.5, 1e-14)
    assert close(test.se, 2.5, 1e-14)
    assert close(test.df, 1.0, 1e-13)
    # t = 1.4 with 1 df: p = 1 - 2 atan(1.4)/pi.
    assert close(test.p_value, 1 - 2 * math.atan(1.4) / math.pi, 1e-13)


@pytest.mark.parametrize("power", [-498, -33, 7, 498])
def test_powers_of_two_change_no_digit(power: int) -> None:
    for seed in range(4):
        one, other = simulated(seed), simulated(seed, y_unit=math.ldexp(1.0, power))
        for method in ("reml", "ml"):
            a, b = estimate(one.table, method), estimate(other.table, method)
            for df in ("satterthwaite", "hlm", *(["kenward-roger"] if method == "reml" else [])):
                first, second = mean_test(one.table, a, df), mean_test(other.table, b, df)
                assert (first.df, first.t, first.p_value) == (second.df, second.t, second.p_value)
                assert math.ldexp(first.se, power) == second.se
            assert standard_errors(a).se_icc == pytest.approx(standard_errors(b).se_icc, rel=0, abs=0, nan_ok=True)


def test_what_is_refused() -> None:
    table = simulated(1).table
    with pytest.raises(ArgumentError, match="'satterthwaite', 'kenward-roger', 'hlm', 'normal'"):
        degrees_of_freedom(table, estimate(table), "welch")
    with pytest.raises(ArgumentError, match="method='reml', not 'ml'"):
        degrees_of_freedom(table, estimate(table, "ml"), "kenward-roger")
    with pytest.raises(ArgumentError, match="no likelihood"):
        degrees_of_freedom(table, estimate(table, "anova"), "satterthwaite")
    assert degrees_of_freedom(table, estimate(table, "anova")) == table.n_groups - 1
    assert math.isnan(standard_errors(estimate(table, "anova")).se_sigma2)


def test_normal_test() -> None:
    assert t_test(1.959963984540054, 1.0, math.inf)[1] == pytest.approx(0.05, rel=1e-14)


def test_a_mean_without_error_has_no_test() -> None:
    assert all(math.isnan(value) for value in t_test(3.0, 0.0, 5.0))


@pytest.mark.parametrize("shift", [1e3, 1e6, 2.0**30])
def test_adding_a_constant_changes_no_degrees_of_freedom(shift: float) -> None:
    rng = np.random.default_rng(4)
    group = rng.integers(0, 14, 200)
    # On a grid of 2^-20 a shift to 2^30, 1e9 standard deviations, is exact.
    y = np.round((rng.normal(size=200) + 0.5 * rng.normal(size=14)[group]) * 2**20) / 2**20
    one, other = grouped(y, group).table, grouped(y + shift, group).table
    for df in ("satterthwaite", "kenward-roger"):
        first, second = mean_test(one, estimate(one), df), mean_test(other, estimate(other), df)
        assert close(second.df, first.df, 1e-10)
        assert close(second.se, first.se, 1e-10)
    assert close(standard_errors(estimate(other)).se_icc, standard_errors(estimate(one)).se_icc, 1e-10)
