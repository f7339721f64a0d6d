"""Plausible values: Rubin's rules, with the degrees of freedom of Barnard and Rubin; averages over countries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.inference.delta import log_limits, logit_limits, margin
from fastml.inference.rubin import barnard_rubin

__all__ = ["Pooled", "average", "limits", "pool", "without_error"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """A quantity pooled over plausible values.

    Attributes
    ----------
    estimate : float
        Mean over the plausible values.
    se : float
        Root of sampling_variance + imputation_variance; NaN without a sampling variance.
    sampling_variance : float
        U, the mean of the variances within plausible values.
    imputation_variance : float
        (1 + 1/M) B, with B the variance between the estimates (divisor M - 1); 0 for one value.
    df : float
        Degrees of freedom.
    """

    estimate: float
    se: float
    sampling_variance: float
    imputation_variance: float
    df: float


def pool(estimates: Floats, variances: Floats, complete: float) -> Pooled:
    """Pool one quantity over plausible values by Rubin's rules.

    Parameters
    ----------
    estimates : ndarray, shape (M,)
        One per plausible value.
    variances : ndarray, shape (M,) or (1,)
        Their sampling variances; one where a design takes it from plausible value 1 alone.
    complete : float
        Degrees of freedom of one value's own standard error.

    Returns
    -------
    Pooled

    Examples
    --------
    >>> import numpy as np
    >>> pooled = pool(np.array([500.0, 502.0, 498.0]), np.array([9.0, 10.0, 11.0]), 75.0)
    >>> pooled.estimate, round(pooled.se, 6), pooled.imputation_variance
    (500.0, 3.91578, 5.333333333333333)
    """
    m = len(estimates)
    sampling = float(np.mean(variances))
    between = float(np.var(estimates, ddof=1)) if m > 1 else 0.0
    imputation = (1.0 + 1.0 / m) * between
    return Pooled(
        estimate=float(np.mean(estimates)),
        se=math.sqrt(sampling + imputation),
        sampling_variance=sampling,
        imputation_variance=imputation,
        df=float(barnard_rubin(sampling, between, m, complete)),
    )


def without_error(pooled: Pooled) -> Pooled:
    """The estimate alone, where it is on the boundary and no standard error exists."""
    return Pooled(pooled.estimate, *[math.nan] * 4)


def average(pooled: list[Pooled]) -> Pooled:
    """Mean of independent estimates (countries), each with the same weight.

    Parameters
    ----------
    pooled : list of Pooled
        C of them.

    Returns
    -------
    Pooled
        Variances are sums over C^2; degrees of freedom by Welch and Satterthwaite, T^2/sum(T_c^2/df_c).
    """
    c = len(pooled)
    total = np.array([p.se**2 for p in pooled])
    df = np.array([p.df for p in pooled])
    with np.errstate(divide="ignore", invalid="ignore"):  # a part may have no degree of freedom
        squares = float(np.sum(total**2 / df))
    return Pooled(
        estimate=float(np.mean([p.estimate for p in pooled])),
        se=math.sqrt(total.sum()) / c,
        sampling_variance=float(np.sum([p.sampling_variance for p in pooled])) / c**2,
        imputation_variance=float(np.sum([p.imputation_variance for p in pooled])) / c**2,
        df=float(total.sum()) ** 2 / squares if squares > 0.0 else math.nan,
    )


_ON_LOG = ("tau00", "sigma2", "sd")


def limits(name: str, pooled: Pooled, icc: Pooled, level: float) -> tuple[float, float]:
    """Confidence limits of a figure of the table, by t with its degrees of freedom.

    Parameters
    ----------
    name : str
        One of `fastml.survey.replication.FIGURES`: variances and the sd have theirs on the logarithm, the icc on its
        logit, and deff, which is 1 + icc times a number, those that follow; gamma00 and the mean as they are.
    pooled, icc : Pooled
        The figure, and the icc of the same row.
    level : float

    Returns
    -------
    low, high : float
        NaN without a standard error or degrees of freedom; of a variance and what follows from it where that is 0.

    Examples
    --------
    >>> low, high = limits("tau00", Pooled(900.0, 500.0, 250e3, 0.0, 10.0), Pooled(0.1, 0.05, 25e-4, 0.0, 10.0), 0.95)
    >>> round(low), round(high)
    (261, 3103)
    """
    value, se, df = pooled.estimate, pooled.se, pooled.df
    if name in _ON_LOG:
        return log_limits(value, se, df, level)
    if name == "icc":
        return logit_limits(value, se, df, level)
    if name == "deff":
        # In an average over parts its error is its own, relative to what it has beyond 1.
        times = (value - 1.0) / icc.estimate if icc.estimate else math.nan
        low, high = logit_limits(icc.estimate, se / times if times else math.nan, df, level)
        return 1.0 + times * low, 1.0 + times * high
    half = margin(se, df, level)
    return value - half, value + half
