"""Information matrices, standard errors, degrees of freedom and the test of the grand mean.

All derivatives are closed forms over the distinct group sizes, in units where sigma2 = 1: scores of any size give
the same digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fastml.errors import ArgumentError
from fastml.inference.distributions import t_tail
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import Terms, VarianceComponents, scaled_inverse

__all__ = [
    "KenwardRoger",
    "MeanTest",
    "StandardErrors",
    "degrees_of_freedom",
    "expected_information",
    "interior_errors",
    "interior_satterthwaite",
    "kenward_roger",
    "mean_test",
    "standard_errors",
    "t_test",
]

Floats = npt.NDArray[np.float64]
Df = Literal["satterthwaite", "kenward-roger", "hlm", "normal"]
DF = get_args(Df)


@dataclass(frozen=True)
class StandardErrors:
    """Standard errors of the variance components.

    On the boundary (tau00 = 0) `se_tau00` and `se_icc` are NaN, since the estimates are not normal around the truth,
    and `se_sigma2` is that of a model without groups. All are NaN for ANOVA estimates, which have no likelihood.

    Attributes
    ----------
    se_tau00, se_sigma2 : float
        Score points squared.
    se_icc : float
        By the delta method.
    """

    se_tau00: float
    se_sigma2: float
    se_icc: float


@dataclass(frozen=True)
class KenwardRoger:
    """Kenward and Roger's (1997) standard error and degrees of freedom of the grand mean.

    Attributes
    ----------
    se : float
        Score points; larger than the model-based one where sizes differ.
    df : float
        Denominator degrees of freedom.
    """

    se: float
    df: float


@dataclass(frozen=True)
class MeanTest:
    """Test of gamma00 = 0.

    Attributes
    ----------
    estimate, se : float
        Score points.
    df, t, p_value : float
        Two-sided; `df` is infinite for the normal test.
    """

    estimate: float
    se: float
    df: float
    t: float
    p_value: float


def _second_derivatives(t: Terms, dof: Any, restricted: bool) -> tuple[Any, Any, Any]:
    """Second derivatives of the deviance: by log sigma2, by both, by theta; the terms may be floats or arrays."""
    sigma2 = t.r / dof
    curvature = -t.w2 + 2.0 * (t.q3 - t.l2 * t.l2 / t.w1) / sigma2
    if restricted:
        curvature = curvature + 2.0 * t.w3 / t.w1 - (t.w2 / t.w1) ** 2
    return dof, t.q2 / sigma2, curvature


def interior_errors(terms: Terms, theta: Any, dof: Any, restricted: bool) -> tuple[Any, Any, Any]:
    """Standard errors at an optimum inside the parameter space, one fit or many at once.

    Parameters
    ----------
    terms : Terms
        Of floats, or of arrays of one shape.
    theta, dof : float or ndarray
    restricted : bool
        REML.

    Returns
    -------
    se_tau00, se_sigma2, se_icc : float or ndarray
        The first two in units of sigma2.
    """
    a, b, c = _second_derivatives(terms, dof, restricted)
    # The inverse of half of [[a, b], [b, c]], with the determinant a c (1 - b^2/(a c)).
    rest = 1.0 - (b / a) * (b / c)
    variance, covariance, theta_variance = 2.0 / (a * rest), -2.0 * (b / a) / (c * rest), 2.0 / (c * rest)
    # tau00 = theta sigma2, so its gradient by (log sigma2, theta) is sigma2 (theta, 1).
    tau00 = theta * theta * variance + 2.0 * theta * covariance + theta_variance
    return np.sqrt(tau00), np.sqrt(variance), np.sqrt(theta_variance) / (1.0 + theta) ** 2


def interior_satterthwaite(terms: Terms, dof: Any, restricted: bool) -> Any:
    """Satterthwaite's df of the grand mean at an optimum inside, one fit or many at once.

    Parameters
    ----------
    terms : Terms
        Of floats, or of arrays of one shape.
    dof : float or ndarray
    restricted : bool

    Returns
    -------
    float or ndarray
        2 V^2/Var(V) for V = Var(gamma00), from the gradient of log V, (1, W2/W1), and the inverse information.
    """
    a, b, c = _second_derivatives(terms, dof, restricted)
    slope = terms.w2 / terms.w1
    return (1.0 - (b / a) * (b / c)) / (1.0 / a - 2.0 * slope * (b / a) / c + slope * slope / c)


@dataclass(frozen=True, eq=False)
class _Moments:
    """Sums over groups of the expected information, parameters (tau00, sigma2), V = 1 + n theta (sigma2 = 1).

    phi = 1/sum(n/V); p (2,), q (2, 2), t (2, 2) as in Kenward and Roger (1997), for the one-way model.
    """

    phi: float
    p: Floats
    q: Floats
    t: Floats


def _moments(table: SizeTable, theta: float) -> _Moments:
    n, c = table.size, table.count
    v = 1.0 / (1.0 + n * theta)
    w = n * v

    def total(x: Floats) -> float:
        return float(np.sum(c * x))

    return _Moments(
        phi=1.0 / total(w),
        p=-np.array([total(w * w), total(w * v)]),
        q=np.array([[total(w**3), total(w * w * v)], [total(w * w * v), total(w * v * v)]]),
        t=np.array([[total(w * w), total(w * v)], [total(w * v), total((n - 1.0) + v * v)]]),
    )


def expected_information(table: SizeTable, vc: VarianceComponents) -> Floats:
    """Fisher information of (tau00, sigma2) at the estimates, in units where sigma2 = 1.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
        A REML or ML fit.

    Returns
    -------
    ndarray, shape (2, 2)
        sigma2 squared times its inverse is the covariance matrix of (tau00, sigma2). For REML it is
        (T - 2 Phi Q + Phi^2 P P')/2, for ML T/2 (Kenward and Roger 1997).
    """
    m = _moments(table, vc.theta)
    return 0.5 * m.t if vc.method == "ml" else _restricted_information(m)


def _restricted_information(m: _Moments) -> Floats:
    return 0.5 * (m.t - 2.0 * m.phi * m.q + m.phi**2 * np.outer(m.p, m.p))


def standard_errors(vc: VarianceComponents) -> StandardErrors:
    """Standard errors of tau00, sigma2 and the icc from the observed information.

    Parameters
    ----------
    vc : VarianceComponents

    Returns
    -------
    StandardErrors
    """
    if vc.method == "anova":
        return StandardErrors(math.nan, math.nan, math.nan)
    if vc.singular:
        return StandardErrors(math.nan, vc.sigma2 * math.sqrt(2.0 / vc.dof), math.nan)
    se_tau00, se_sigma2, se_icc = interior_errors(vc.terms, vc.theta, vc.dof, vc.method == "reml")
    return StandardErrors(float(vc.sigma2 * se_tau00), float(vc.sigma2 * se_sigma2), float(se_icc))


def _satterthwaite(vc: VarianceComponents) -> float:
    """At tau00 = 0 that variance component is held fixed, which leaves N - 1 (REML) or N (ML)."""
    return vc.dof if vc.singular else float(interior_satterthwaite(vc.terms, vc.dof, vc.method == "reml"))


def kenward_roger(table: SizeTable, vc: VarianceComponents) -> KenwardRoger:
    """Kenward and Roger's standard error and degrees of freedom of the grand mean, in closed form.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
        A REML fit; tau00 may be 0.

    Returns
    -------
    KenwardRoger
        df = 2/(Phi^2 P'WP) and se^2 = Phi + 2 Phi^2 sum(W o (Q - Phi P P')), W the inverse of the expected
        information (Kenward and Roger 1997, Biometrics 53, 983-997, for one fixed effect).

    Raises
    ------
    ArgumentError
        For a fit other than REML.

    Examples
    --------
    >>> import numpy as np
    >>> from fastml.model.size_table import reduce_sizes
    >>> from fastml.model.variance_components import estimate
    >>> means = np.array([1505.0, 1528.0, 1564.0, 1498.0, 1600.0, 1470.0])  # Dyestuff: six batches of five
    >>> ss = 4 * np.array([3975.0, 1107.5, 1442.5, 4720.0, 2500.0, 962.5])
    >>> table = reduce_sizes(np.full(6, 5), means, np.zeros(6), ss)
    >>> kr = kenward_roger(table, estimate(table))
    >>> round(kr.se, 4), round(kr.df, 4)
    (19.3834, 5.0)
    """
    if vc.method != "reml":
        raise ArgumentError("df", "kenward-roger", [d for d in DF if d != "kenward-roger"],
                            f"it is defined for method='reml', not {vc.method!r}")  # fmt: skip
    m = _moments(table, vc.theta)
    w = scaled_inverse(_restricted_information(m))
    df = 2.0 / (m.phi**2 * float(m.p @ w @ m.p))
    variance = m.phi + 2.0 * m.phi**2 * float(np.sum(w * (m.q - m.phi * np.outer(m.p, m.p))))
    return KenwardRoger(se=table.unit * math.sqrt(vc.terms.r / vc.dof * variance), df=df)


def degrees_of_freedom(table: SizeTable, vc: VarianceComponents, df: str | None = None) -> float:
    """Denominator degrees of freedom for the test of gamma00.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
    df : {"satterthwaite", "kenward-roger", "hlm", "normal"} or None
        Satterthwaite (1946) on the observed information, as lmerTest; Kenward and Roger (1997), for REML, which goes
        with a standard error of its own (`kenward_roger`); HLM's J - 1; or infinity. None is Satterthwaite for REML
        and ML and J - 1 for "anova".

    Returns
    -------
    float

    Raises
    ------
    ArgumentError
        For another name, Kenward-Roger without REML, or Satterthwaite with method "anova", which has no likelihood.
    """
    if df is None:
        df = "hlm" if vc.method == "anova" else "satterthwaite"
    if df not in DF:
        raise ArgumentError("df", df, DF)
    if df == "normal":
        return math.inf
    if df == "hlm":
        return float(table.n_groups - 1)
    if df == "kenward-roger":
        return kenward_roger(table, vc).df
    if vc.method == "anova":
        raise ArgumentError("df", df, ("hlm", "normal"), "method='anova' has no likelihood to take it from")
    return _satterthwaite(vc)


def t_test(estimate: float, se: float, df: float) -> tuple[float, float]:
    """Two-sided t test of estimate = 0.

    Parameters
    ----------
    estimate, se, df : float
        `df` may be infinite (the normal test).

    Returns
    -------
    t, p_value : float
        NaN where the standard error is 0: a sandwich of two groups with the same mean, say.
    """
    if se == 0.0:
        return math.nan, math.nan
    t = estimate / se
    return t, 2.0 * t_tail(abs(t), df)


def mean_test(table: SizeTable, vc: VarianceComponents, df: str | None = None) -> MeanTest:
    """Test gamma00 = 0 with the standard error that goes with the degrees of freedom.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
    df : str or None
        As in `degrees_of_freedom`. Kenward-Roger brings its own standard error; the others use the model's.

    Returns
    -------
    MeanTest
    """
    dof = degrees_of_freedom(table, vc, df)
    se = kenward_roger(table, vc).se if df == "kenward-roger" else vc.se_gamma00
    t, p_value = t_test(vc.gamma00, se, dof)
    return MeanTest(estimate=vc.gamma00, se=se, df=dof, t=t, p_value=p_value)
