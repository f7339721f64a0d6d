"""Quantiles and tail probabilities of the normal, t, chi-square and F laws, and roots of monotone functions.

They stand on `scipy.special` alone, which is imported at the first call: `scipy.stats` takes over a second to
load. Both tails are taken from the tail itself, never from one minus the other, so that a p-value of 1e-200 keeps
its digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from numbers import Real
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import RangeError

__all__ = [
    "check_level",
    "chi2_nodes",
    "chi2_quantile",
    "chi2_tail",
    "chi2_upper",
    "f_density",
    "f_quantile",
    "f_quantiles",
    "f_tail",
    "f_tails",
    "f_upper",
    "half_width",
    "normal_nodes",
    "normal_quantile",
    "normal_tail",
    "root",
    "t_quantile",
    "t_quantiles",
    "t_tail",
]

Floats = npt.NDArray[np.float64]


def check_level(level: float, name: str = "level") -> None:
    """Refuse what is no probability strictly between 0 and 1.

    Parameters
    ----------
    level : float
    name : str
        Of the argument.

    Raises
    ------
    RangeError
    """
    if not isinstance(level, Real) or not 0.0 < level < 1.0:
        raise RangeError(name, level, "a number between 0 and 1")


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal law.

    >>> round(normal_quantile(0.975), 6)
    1.959964
    """
    from scipy.special import ndtri

    return float(ndtri(p))


def half_width(level: float) -> float:
    """Half the width of a normal interval, in standard errors; by Python's own quantile, which nothing is loaded for.

    >>> round(half_width(0.95), 6)
    1.959964
    """
    return -NormalDist().inv_cdf(0.5 - 0.5 * float(level))


def normal_tail(z: float) -> float:
    """P(Z > z) for a standard normal Z."""
    from scipy.special import ndtr

    return float(ndtr(-z))


def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t; `df` may be infinite.

    >>> round(t_quantile(0.975, 19.0), 6)
    2.093024
    """
    return float(t_quantiles(p, df))


def t_quantiles(p: float, df: float | Floats) -> Any:
    """Quantile of Student's t for one number of degrees of freedom, or for many at once."""
    from scipy.special import betainccinv, betaincinv

    normal, df = np.isinf(df), np.where(np.isinf(df), 1.0, df)
    # By the beta law of df/(df + t^2), or of its complement: SciPy's own quantile has 11 digits before 1.17.
    tails = 2.0 * min(p, 1.0 - p)
    x = betaincinv(0.5 * df, 0.5, tails)
    with np.errstate(divide="ignore"):
        y = np.where(x > 0.5, betainccinv(0.5, 0.5 * df, tails), 1.0 - x)
        found = np.sqrt(df * y / np.where(x > 0.5, 1.0 - y, x))
    return np.where(normal, normal_quantile(p), np.copysign(found, p - 0.5))


def t_tail(t: float, df: float) -> float:
    """P(T > t) for Student's t; `df` may be infinite."""
    from scipy.special import stdtr

    return normal_tail(t) if math.isinf(df) else float(stdtr(df, -t))


def chi2_quantile(p: float, df: float) -> float:
    """Quantile of the chi-square law.

    >>> round(chi2_quantile(0.95, 1.0), 6)
    3.841459
    """
    from scipy.special import gammaincinv

    return float(2.0 * gammaincinv(0.5 * df, p))


def chi2_upper(tail: float, df: float) -> float:
    """What a chi-square variable is above with probability `tail`.

    >>> round(chi2_upper(0.05, 1.0), 6)
    3.841459
    """
    from scipy.special import gammainccinv

    return float(2.0 * gammainccinv(0.5 * df, tail))


def chi2_tail(x: float, df: float) -> float:
    """P(X > x) for a chi-square X."""
    from scipy.special import gammaincc

    return float(gammaincc(0.5 * df, 0.5 * x))


def f_quantile(p: float, df1: float, df2: float) -> float:
    """Quantile of the F law.

    >>> round(f_quantile(0.95, 3.0, 28.0), 6)
    2.946685
    """
    return float(f_quantiles(p, df1, df2))


def f_quantiles(p: float | Floats, df1: float | Floats, df2: float | Floats) -> Any:
    """Quantiles of the F law for one probability, or for many at once."""
    from scipy.special import betainccinv, betaincinv

    # x = df1 F/(df1 F + df2) is a beta variable; 1 - x comes from its own inverse, so that neither cancels.
    x = betaincinv(0.5 * df1, 0.5 * df2, p)
    return df2 / df1 * x / betainccinv(0.5 * df2, 0.5 * df1, p)


def f_upper(tail: float, df1: float, df2: float) -> float:
    """What an F variable is above with probability `tail`.

    >>> round(f_upper(0.05, 3.0, 28.0), 6)
    2.946685
    """
    return 1.0 / f_quantile(tail, df2, df1)


def f_tail(f: float, df1: float, df2: float) -> float:
    """P(X > f) for an F variable X."""
    return float(f_tails(f, df1, df2))


def f_tails(f: float | Floats, df1: float, df2: float) -> Any:
    """P(X > f) for an F variable X, at one value or at many."""
    from scipy.special import betainc

    return betainc(0.5 * df2, 0.5 * df1, df2 / (df2 + df1 * f))


def f_density(f: Floats, df1: float, df2: float) -> Floats:
    """Density of the F law at values above 0."""
    from scipy.special import betaln

    x = df1 * f / (df2 + df1 * f)
    log = 0.5 * df1 * np.log(x) + 0.5 * df2 * np.log1p(-x) - np.log(f) - betaln(0.5 * df1, 0.5 * df2)
    density: Floats = np.exp(log)
    return density


def normal_nodes(step: float) -> tuple[Floats, Floats]:
    """Values and weights, shape (K,), that integrate over the standard normal law.

    Whatever is a smooth function of a normal variable, as the quantiles of other laws are, the trapezoidal rule
    integrates at once.

    >>> z, weight = normal_nodes(0.5)
    >>> round(float(np.sum(weight * z**4)), 12)
    3.0
    """
    most = math.ceil(8.5 / step)  # beyond 8.5 there is 1e-17
    z = step * np.arange(-most, most + 1, dtype=np.float64)
    return z, step * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


@lru_cache(maxsize=8)
def chi2_nodes(df: float, step: float = 0.25) -> tuple[Floats, Floats]:
    """Values and weights, shape (K,), that integrate over the chi-square law."""
    from scipy.special import gammainccinv, gammaincinv, ndtr

    z, weight = normal_nodes(step)
    tail = ndtr(-np.abs(z))
    return 2.0 * np.where(z < 0.0, gammaincinv(0.5 * df, tail), gammainccinv(0.5 * df, tail)), weight


def root(
    function: Callable[[float], tuple[float, float]], low: float, high: float, start: float, iterations: int = 200
) -> float:
    """Root of a function in [low, high] across which it rises from negative to positive.

    Newton's method, kept inside the shrinking bracket by bisection.

    Parameters
    ----------
    function : callable
        Of x: the value and the derivative.
    low, high, start : float
        The bracket and the first guess.
    iterations : int
        At most so many evaluations.

    Returns
    -------
    float
        Where the next step is below rounding.

    Examples
    --------
    >>> round(root(lambda x: (x * x - 2.0, 2.0 * x), 0.0, 2.0, 1.0), 12)
    1.414213562373
    """
    x = start
    for _ in range(iterations):
        value, slope = function(x)
        if value == 0.0:
            return x
        if value < 0.0:
            low = x
        else:
            high = x
        step = value / slope if slope > 0.0 else math.inf
        new = x - step
        if not low <= new <= high:
            new = 0.5 * (low + high)
        if abs(new - x) <= 4e-16 * abs(new):
            return new
        x = new
    return x
