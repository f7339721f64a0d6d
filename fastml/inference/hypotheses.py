"""Tests: is there variance between groups, and is the variance within them the same everywhere; the ANOVA table."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.inference.distributions import chi2_tail, f_quantile, f_tail
from fastml.inference.draws import check_draws, generator
from fastml.inference.profiles import relative_deviance
from fastml.inference.rlrt import DRAWS, null_draws
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents, estimate, evaluate

__all__ = ["AnovaTable", "HypothesisTest", "anova", "between_tests", "hlm_test", "homogeneity_tests", "lrt_test",
           "rlrt_test"]  # fmt: skip

Floats = npt.NDArray[np.float64]

HLM_MIN_DF = 10


@dataclass(frozen=True)
class HypothesisTest:
    """One test.

    Attributes
    ----------
    test : str
        Name.
    statistic : float
    df, df2 : float
        Degrees of freedom; NaN where the test has none.
    p_value : float
    mc_se : float
        Monte-Carlo standard error of the p-value; 0 where it is exact.
    n_groups : int
        Groups that enter.
    note : str
    """

    test: str
    statistic: float
    df: float
    df2: float
    p_value: float
    mc_se: float
    n_groups: int
    note: str


@dataclass(frozen=True)
class AnovaTable:
    """One-way analysis of variance and what textbooks derive from it.

    Attributes
    ----------
    ssb, ssw, sst : float
        Sums of squares between, within and in all, score points squared.
    df_between, df_within : int
    msb, msw : float
        Mean squares.
    f, p_value : float
        F test of no variance between groups: exact for any sizes.
    grand_mean, mean_of_group_means : float
        Mean over observations and over groups, score points.
    var_of_group_means : float
        Their variance, divisor J - 1.
    n0, n_bar, n_harmonic : float
        (N - sum n^2/N)/(J - 1), mean and harmonic mean size.
    sigma_w : float
        Root of `msw`.
    tau00_mom, tau00_mom_trunc : float
        (MSB - MSW)/n0, and the same cut at 0.
    icc_mom_n0 : float
        tau00_mom/(tau00_mom + MSW): negative where F < 1.
    eta2, omega2 : float
        SSB/SST and (SSB - (J - 1) MSW)/(SST + MSW).
    icc1_multilevel, icc2_multilevel : float
        ICC(1) with the mean size, and ICC(2) = (MSB - MSW)/MSB, the reliability of a group mean (Bliese 2000).
    icc_low_searle, icc_high_searle : float
        Searle's (1971) interval with n0 in place of the size, not cut at 0: exact for equal sizes only, where
        ``interval(..., "icc")`` gives it too.
    """

    ssb: float
    ssw: float
    sst: float
    df_between: int
    df_within: int
    msb: float
    msw: float
    f: float
    p_value: float
    grand_mean: float
    mean_of_group_means: float
    var_of_group_means: float
    n0: float
    n_bar: float
    n_harmonic: float
    sigma_w: float
    tau00_mom: float
    tau00_mom_trunc: float
    icc_mom_n0: float
    eta2: float
    omega2: float
    icc1_multilevel: float
    icc2_multilevel: float
    icc_low_searle: float
    icc_high_searle: float


def anova(table: SizeTable, level: float = 0.95) -> AnovaTable:
    """One-way analysis of variance from group sizes.

    Parameters
    ----------
    table : SizeTable
    level : float
        Of Searle's interval.

    Returns
    -------
    AnovaTable

    Examples
    --------
    >>> import numpy as np
    >>> from fastml.model.size_table import reduce_sizes
    >>> means = np.array([1505.0, 1528.0, 1564.0, 1498.0, 1600.0, 1470.0])  # Dyestuff: six batches of five
    >>> ss = 4 * np.array([3975.0, 1107.5, 1442.5, 4720.0, 2500.0, 962.5])
    >>> table = reduce_sizes(np.full(6, 5), means, np.zeros(6), ss)
    >>> made = anova(table)
    >>> round(made.f, 4), round(made.p_value, 6), round(made.tau00_mom, 2)
    (4.5983, 0.004398, 1764.05)
    """
    n, c = table.size, table.count
    total, groups = table.n_obs, table.n_groups
    df_between, df_within = groups - 1, total - groups
    grand = evaluate(table, 0.0).gamma
    ssb = float(np.sum(n * (table.ss + c * (table.mean - grand) ** 2)))
    centre = float(np.sum(c * table.mean) / groups)
    msb, msw = ssb / df_between, table.ssw / df_within
    sst = ssb + table.ssw
    f = msb / msw
    n0 = (total - float(np.sum(c * n * n)) / total) / df_between
    n_bar = total / groups
    tau00 = (msb - msw) / n0
    square = table.unit**2
    tail = 0.5 * (1.0 - level)

    def searle(quantile: float) -> float:
        return (f / quantile - 1.0) / (f / quantile - 1.0 + n0)

    return AnovaTable(
        ssb=square * ssb,
        ssw=square * table.ssw,
        sst=square * sst,
        df_between=df_between,
        df_within=df_within,
        msb=square * msb,
        msw=square * msw,
        f=f,
        p_value=f_tail(f, df_between, df_within),
        grand_mean=table.origin + table.unit * grand,
        mean_of_group_means=table.origin + table.unit * centre,
        var_of_group_means=square * float(np.sum(table.ss + c * (table.mean - centre) ** 2)) / df_between,
        n0=n0,
        n_bar=n_bar,
        n_harmonic=groups / float(np.sum(c / n)),
        sigma_w=table.unit * math.sqrt(msw),
        tau00_mom=square * tau00,
        tau00_mom_trunc=square * max(0.0, tau00),
        icc_mom_n0=tau00 / (tau00 + msw),
        eta2=ssb / sst,
        omega2=(ssb - df_between * msw) / (sst + msw),
        icc1_multilevel=(msb - msw) / (msb + (n_bar - 1.0) * msw),
        icc2_multilevel=(msb - msw) / msb if msb > 0.0 else math.nan,
        icc_low_searle=searle(f_quantile(1.0 - tail, df_between, df_within)),
        icc_high_searle=searle(f_quantile(tail, df_between, df_within)),
    )


def rlrt_test(
    table: SizeTable,
    vc: VarianceComponents,
    draws: int = DRAWS,
    seed: int | np.random.Generator | None = None,
) -> HypothesisTest:
    """Exact restricted likelihood-ratio test of tau00 = 0.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
        Any fit; the statistic is of the REML one.
    draws : int
        Of the null distribution.
    seed : int, numpy.random.Generator or None

    Returns
    -------
    HypothesisTest
        p = (draws at least as large + 1)/(draws + 1). For equal sizes the test is the F test, exactly, and so is p.
    """
    check_draws(draws, 1)
    random = generator(seed)
    reml = vc if vc.method == "reml" else estimate(table, "reml")
    statistic = 0.0 if reml.singular else relative_deviance(table, reml, 0.0)
    p_value, mc_se, note = 1.0, 0.0, ""
    if statistic > 0.0 and table.size.size == 1:
        f = anova(table).f
        p_value = f_tail(f, table.n_groups - 1, table.n_obs - table.n_groups)
        note = "equal sizes: exact, by the F distribution"
    elif statistic > 0.0:
        null = null_draws(table, draws, random)
        p_value = (float(np.count_nonzero(null >= statistic)) + 1.0) / (draws + 1.0)
        mc_se = math.sqrt(p_value * (1.0 - p_value) / draws)
        note = f"{draws:,} draws of the exact null distribution"
    return HypothesisTest("RLRT", statistic, math.nan, math.nan, p_value, mc_se, table.n_groups, note)


def lrt_test(table: SizeTable, vc: VarianceComponents) -> HypothesisTest:
    """Likelihood-ratio test of tau00 = 0 against an equal mixture of chi-squares with 0 and 1 degrees of freedom.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
        The statistic is of its own deviance, of REML's for an ANOVA fit.

    Returns
    -------
    HypothesisTest
    """
    fit = estimate(table, "reml") if vc.method == "anova" else vc
    ratio = 0.0 if fit.singular else max(0.0, relative_deviance(table, fit, 0.0))
    p_value = 0.5 * chi2_tail(ratio, 1.0) if ratio > 0.0 else 1.0
    note = f"{fit.method.upper()} deviance; equal mixture of chi-square with 0 and 1 df"
    return HypothesisTest("LRT", ratio, math.nan, math.nan, p_value, 0.0, table.n_groups, note)


def hlm_test(table: SizeTable, vc: VarianceComponents) -> HypothesisTest:
    """HLM's chi-square test of tau00 = 0: sum n (mean - gamma00)^2/sigma2 with J - 1 degrees of freedom.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents

    Returns
    -------
    HypothesisTest
    """
    deviations = table.ss + table.count * (table.mean - vc.terms.gamma) ** 2
    statistic = float(np.sum(table.size * deviations)) / (vc.terms.r / vc.dof)
    df = table.n_groups - 1.0
    return HypothesisTest("HLM chi-square", statistic, df, math.nan, chi2_tail(statistic, df), 0.0, table.n_groups, "")


def between_tests(
    table: SizeTable,
    vc: VarianceComponents,
    *,
    draws: int = DRAWS,
    seed: int | np.random.Generator | None = None,
) -> tuple[HypothesisTest, ...]:
    """Tests of tau00 = 0.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
    draws, seed
        Of the simulation; see `rlrt_test`.

    Returns
    -------
    tuple of HypothesisTest
        "F": analysis of variance, exact for any sizes. "RLRT": exact, simulated. "LRT": on the fit's own deviance
        (REML's for an ANOVA fit), against an equal mixture of chi-squares with 0 and 1 degrees of freedom (Self and
        Liang 1987), conservative for few groups. "HLM chi-square": sum n (mean - gamma00)^2/sigma2, df J - 1.
    """
    square = anova(table)
    return (
        HypothesisTest("F", square.f, square.df_between, square.df_within, square.p_value, 0.0, table.n_groups, ""),
        rlrt_test(table, vc, draws, seed),
        lrt_test(table, vc),
        hlm_test(table, vc),
    )


def homogeneity_tests(n: npt.NDArray[np.int64], ss: Floats) -> tuple[HypothesisTest, ...]:
    """Tests that the variance within groups is the same in all of them.

    Parameters
    ----------
    n : ndarray, shape (J,)
        Group sizes.
    ss : ndarray, shape (J,)
        Within-group sums of squares.

    Returns
    -------
    tuple of HypothesisTest
        "Bartlett" (1937), "H" and "H (HLM)": Raudenbush and Bryk's (2002, p. 264) sum of squared standardised log
        variances, the last one over groups with 10 degrees of freedom or more, as HLM has it. Groups of one
        observation, or without any variation, have no log variance and stay out: see `n_groups`. NaN where fewer
        than two groups remain. All three take the scores to be normal.

    Examples
    --------
    >>> import numpy as np
    >>> ss = 4 * np.array([3975.0, 1107.5, 1442.5, 4720.0, 2500.0, 962.5])  # Dyestuff: six batches of five
    >>> bartlett, h, hlm = homogeneity_tests(np.full(6, 5), ss)
    >>> round(bartlett.statistic, 4), round(bartlett.p_value, 4), hlm.note
    (4.0145, 0.5473, 'fewer than two groups with a variance of their own')
    """
    f = n.astype(np.float64) - 1.0
    # A power of two brings the sums of squares near 1: scores times a power of two change no digit.
    scale = -math.frexp(float(np.max(ss, initial=0.0)))[1]
    variance = np.ldexp(ss, scale - scale % 2) / np.maximum(f, 1.0)
    usable = (f >= 1.0) & (variance > 0.0)
    left_out = int(n.size - np.count_nonzero(usable))
    note = f"{left_out:,} groups without a variance left out" if left_out else ""
    return (
        _bartlett(f[usable], variance[usable], note),
        _hlm_h("H", f[usable], variance[usable], note),
        _hlm_h("H (HLM)", f[usable & (f >= HLM_MIN_DF)], variance[usable & (f >= HLM_MIN_DF)],
               f"groups with {HLM_MIN_DF + 1} observations or more"),
    )  # fmt: skip


def _bartlett(f: Floats, variance: Floats, note: str) -> HypothesisTest:
    k, total = f.size, float(f.sum())
    if k < 2:
        return _too_few("Bartlett", k)
    pooled = float(np.sum(f * variance)) / total
    correction = 1.0 + (float(np.sum(1.0 / f)) - 1.0 / total) / (3.0 * (k - 1))
    statistic = -float(np.sum(f * np.log(variance / pooled))) / correction
    return HypothesisTest(
        "Bartlett", statistic, k - 1.0, math.nan, chi2_tail(max(0.0, statistic), k - 1.0), 0.0, k, note
    )


def _hlm_h(name: str, f: Floats, variance: Floats, note: str) -> HypothesisTest:
    k = f.size
    if k < 2:
        return _too_few(name, k)
    logs = np.log(variance)
    d = (logs - float(np.sum(f * logs)) / float(f.sum())) * np.sqrt(0.5 * f)
    statistic = float(np.sum(d * d))
    return HypothesisTest(name, statistic, k - 1.0, math.nan, chi2_tail(statistic, k - 1.0), 0.0, k, note)


def _too_few(name: str, k: int) -> HypothesisTest:
    return HypothesisTest(
        name, math.nan, math.nan, math.nan, math.nan, 0.0, k, "fewer than two groups with a variance of their own"
    )
