"""The same fit as different programmes print it, and the design effects that different books define."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.inference.distributions import chi2_tail
from fastml.inference.hypotheses import hlm_test, lrt_test
from fastml.inference.information import degrees_of_freedom, t_test
from fastml.model.icc import design_effect, icc_of
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents

__all__ = ["Convention", "DesignEffect", "conventions", "design_effects", "weighted_design_effects"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DesignEffect:
    """One definition of the design effect.

    Attributes
    ----------
    name : {"lecture", "kish", "gls", "gabler-kish"}
    deff, deft, n_eff : float
        Design effect, its root, and N over it.
    description : str
    """

    name: str
    deff: float
    deft: float
    n_eff: float
    description: str


@dataclass(frozen=True)
class Convention:
    """What one programme prints for a fit.

    Attributes
    ----------
    program : str
    se_gamma00, df, p_value : float
        Of the grand mean; `df` is infinite where the programme tests by the normal law.
    n_parameters : int
        That its AIC and BIC count.
    aic, bic : float
        NaN where it prints none.
    chi_square, chi_square_df, chi_square_p : float
        Its test of tau00 = 0; NaN where it has none by default.
    note : str
        Where the figures come from.
    """

    program: str
    se_gamma00: float
    df: float
    p_value: float
    n_parameters: int
    aic: float
    bic: float
    chi_square: float
    chi_square_df: float
    chi_square_p: float
    note: str


def design_effects(table: SizeTable, vc: VarianceComponents) -> tuple[DesignEffect, ...]:
    """Design effects of the mean of a clustered sample.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents

    Returns
    -------
    tuple of DesignEffect
        "lecture": 1 + icc (nbar - 1) with the mean size; "kish": the same with sum n^2/N, exact for the plain mean of
        all observations (Kish 1965); "gls": N SE(gamma00)^2/(tau00 + sigma2), of the model's own mean.
    """
    total, groups = float(table.n_obs), float(table.n_groups)
    icc = icc_of(vc.theta)
    squares = float(np.sum(table.count * table.size**2))
    rows = (
        ("lecture", design_effect(icc, total / groups), "1 + icc (mean size - 1)"),
        ("kish", design_effect(icc, squares / total), "1 + icc (sum n^2/N - 1): the mean of all observations"),
        ("gls", total / (vc.terms.w1 * (1.0 + vc.theta)), "N SE^2/(tau00 + sigma2): the model's mean"),
    )
    return tuple(DesignEffect(name, deff, math.sqrt(deff), total / deff, text) for name, deff, text in rows)


def weighted_design_effects(
    n_obs: int, n_groups: int, icc: float, total: Floats, squares: Floats
) -> tuple[DesignEffect, ...]:
    """Design effects of the weighted mean of a clustered sample.

    Parameters
    ----------
    n_obs, n_groups : int
    icc : float
    total, squares : ndarray, shape (J,)
        Sums over each group's rows of the total weights w and of their squares.

    Returns
    -------
    tuple of DesignEffect
        "lecture": 1 + icc (nbar - 1); "gabler-kish": [n sum w^2/(sum w)^2] [1 + icc (b - 1)] with
        b = sum_j(sum_i w)^2/sum w^2, unequal weights times clustering (Gabler, Haeder and Lahiri 1999).

    Examples
    --------
    >>> [e.deff for e in weighted_design_effects(4, 2, 0.5, np.array([2.0, 2.0]), np.array([2.0, 2.0]))]
    [1.5, 1.5]
    """
    all_squares = float(squares.sum())
    unequal = n_obs * all_squares / float(total.sum()) ** 2
    b = float(total @ total) / all_squares
    rows = (
        ("lecture", design_effect(icc, n_obs / n_groups), "1 + icc (mean size - 1)"),
        (
            "gabler-kish",
            unequal * design_effect(icc, b),
            "[n sum w^2/(sum w)^2] [1 + icc (b - 1)]: the weighted mean",
        ),
    )
    return tuple(DesignEffect(name, deff, math.sqrt(deff), n_obs / deff, text) for name, deff, text in rows)


def conventions(table: SizeTable, vc: VarianceComponents) -> tuple[Convention, ...]:
    """Degrees of freedom, AIC, BIC and chi-square of this fit as five programmes print them.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
        A REML or ML fit gives all rows; for ANOVA, which has no likelihood, AIC, BIC and likelihood ratios are NaN.

    Returns
    -------
    tuple of Convention
        lme4 (with lmerTest), nlme, SAS PROC MIXED, Stata mixed, HLM.

    Notes
    -----
    All print the deviance of the fit itself. lme4 and Stata count 3 parameters and log N. nlme counts 3, with
    log(N - 1) under REML; its ML standard error has N/(N - 1) in the variance; df N - J. SAS counts the covariance
    parameters under REML (without one that is at 0) and adds the mean under ML; BIC takes log J. HLM counts 2 under
    REML and 3 under ML, prints no AIC or BIC, and tests by sum n (mean - gamma00)^2/sigma2. lmerTest's ``ranova`` and
    nlme's ``anova`` compare the likelihood ratio with a chi-square of 1 df, Stata with an equal mixture of 0 and 1.
    """
    nan = math.nan
    total, groups, deviance = table.n_obs, table.n_groups, vc.deviance
    restricted, likelihood = vc.method == "reml", vc.optimum is not None
    lrt = lrt_test(table, vc) if likelihood else None
    ratio, half_p, df_ratio = (lrt.statistic, lrt.p_value, 1.0) if lrt else (nan, nan, nan)
    ratio_p = chi2_tail(ratio, 1.0) if lrt else nan
    hlm = hlm_test(table, vc)
    sas = (1 if vc.singular else 2) + (0 if restricted else 1)
    ml_factor = math.sqrt(total / (total - 1.0)) if vc.method == "ml" else 1.0

    def row(
        program: str, df: float, parameters: int, bic_n: float, chi: tuple[float, float, float], note: str,
        factor: float = 1.0,
    ) -> Convention:  # fmt: skip
        se = vc.se_gamma00 * factor
        return Convention(program, se, df, t_test(vc.gamma00, se, df)[1], parameters,
                          deviance + 2.0 * parameters if bic_n else nan,
                          deviance + parameters * math.log(bic_n) if bic_n else nan, *chi, note)  # fmt: skip

    lme4_df = degrees_of_freedom(table, vc, "satterthwaite") if likelihood else nan
    return (
        row("lme4", lme4_df, 3, total, (ratio, df_ratio, ratio_p),
            "df of lmerTest (Satterthwaite), chi-square of its ranova"),
        row("nlme", float(total - groups), 3, total - 1 if restricted else total, (ratio, df_ratio, ratio_p),
            "df N - J; chi-square of anova() against gls()", ml_factor),
        row("SAS", groups - 1.0, sas, groups, (nan, nan, nan),
            "PROC MIXED: df by containment, BIC with log J; a variance at 0 is not counted"),
        row("Stata", math.inf, 3, total, (ratio, nan, half_p),
            "mixed: normal test; chibar2(01), half of a chi-square's p"),
        row("HLM", groups - 1.0, 2 if restricted else 3, 0.0, (hlm.statistic, hlm.df, hlm.p_value),
            "df J - 1; prints the deviance, no AIC or BIC"),
    )  # fmt: skip
