"""Confidence intervals of the model's parameters by every method that has one for them."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fastml.errors import ArgumentError, FastmlError, ModelError
from fastml.inference.bootstrap import (
    DRAWS,
    BootstrapDraws,
    acceleration,
    bca_limits,
    bootstrap,
    percentile_limits,
)
from fastml.inference.distributions import check_level, chi2_quantile, chi2_upper, t_quantile
from fastml.inference.exact import CUT_AT_ZERO, between_ratio, exact_mean, exact_theta, pooled_mean
from fastml.inference.fiducial import fiducial_mean, fiducial_tau00
from fastml.inference.information import mean_test
from fastml.inference.parameters import BASES, PARAMETERS, Interval, carry
from fastml.inference.profiles import ProfileLimits, ProfileSet, profile_set
from fastml.inference.wald import at_zero, wald_limits, without_likelihood
from fastml.model.icc import icc_of
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents, estimate

__all__ = ["METHODS", "PARAMETERS", "Interval", "icc_interval", "interval", "intervals"]

Floats = npt.NDArray[np.float64]

Method = Literal["exact", "at least", "fiducial", "t", "profile", "profile-ml", "bootstrap", "bca", "wald"]
METHODS = get_args(Method)

# Of the methods that not every parameter has: those that have it.
_OF = {
    "exact": ("theta", "sigma2", "gamma00"),
    "at least": ("gamma00",),
    "fiducial": ("gamma00", "tau00"),
    "t": ("gamma00",),
}

EMPTY = "the group means differ less than chance alone would have them, and the exact interval is empty"
LEAVES_OUT = "the exact interval leaves the estimate out"
INSTEAD = "; this is the {} interval"
AT_LEAST = "the means differ less than by chance; it covers at least its level"
COLLAPSES = "the means happen to agree, so that this interval is short; method='at least' is not"


def interval(
    table: SizeTable,
    vc: VarianceComponents,
    parameter: str,
    level: float = 0.95,
    method: str | None = None,
    *,
    df: str | None = None,
    draws: int = DRAWS,
    seed: int | np.random.Generator | None = None,
) -> Interval:
    """Confidence interval of one parameter.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
    parameter : str
        One of `PARAMETERS`.
    level : float
        Confidence level, between 0 and 1.
    method : str or None
        One of `METHODS`. "exact": theta, icc, deff, deft, n_eff and reliability by Wald (1940) and Harville and Fenech
        (1985), which cover exactly whatever the sizes; sigma2 and sigma by chi-square; gamma00 in groups of one size,
        by t of the means. "at least": gamma00 in groups of one size, the wider of that and of t from all scores alike.
        "fiducial": gamma00 and tau00 in groups of any sizes (`fiducial_mean`, `fiducial_tau00`). "t": gamma00 by its
        standard error and `df`. "profile": on the deviance of the fit, gamma00 on that of ML. "profile-ml": all on that
        of ML, as lme4's ``confint``. "bootstrap", "bca": parametric, by percentiles or Efron's (1987) corrected ones.
        "wald": estimate and standard error, for theta and all that follows from it on the logit of the icc.
        None: of gamma00 "exact" in groups of one size, "at least" there where the means differ less than by chance,
        else "fiducial"; of tau00 "profile"; of all others "exact", but the profile's where the exact set is empty or
        leaves the estimate out. Without a likelihood "bootstrap" takes the place of "profile".
    df : str or None
        Of the t interval of gamma00; see `degrees_of_freedom`.
    draws, seed
        Of the bootstrap; see `bootstrap`.

    Returns
    -------
    Interval

    Raises
    ------
    ArgumentError
        For an unknown name, or a method that has no interval for the parameter.
    ModelError
        For a method that this fit doesn't allow.

    Examples
    --------
    >>> import numpy as np
    >>> from fastml.model.size_table import reduce_sizes
    >>> from fastml.model.variance_components import estimate
    >>> means = np.array([1505.0, 1528.0, 1564.0, 1498.0, 1600.0, 1470.0])  # Dyestuff: six batches of five
    >>> ss = 4 * np.array([3975.0, 1107.5, 1442.5, 4720.0, 2500.0, 962.5])
    >>> table = reduce_sizes(np.full(6, 5), means, np.zeros(6), ss)
    >>> made = interval(table, estimate(table), "icc")
    >>> round(made.low, 4), round(made.high, 4), made.method
    (0.0838, 0.8479, 'exact')
    """
    if parameter not in PARAMETERS:
        raise ArgumentError("parm", parameter, PARAMETERS)
    return _Intervals(table, vc, level, df, draws, seed).of(parameter, method)


def intervals(
    table: SizeTable,
    vc: VarianceComponents,
    level: float = 0.95,
    method: str | None = None,
    *,
    df: str | None = None,
    draws: int = DRAWS,
    seed: int | np.random.Generator | None = None,
) -> tuple[tuple[str, Interval], ...]:
    """Confidence intervals of all parameters.

    Parameters
    ----------
    table, vc, level, method, df, draws, seed
        As in `interval`. A parameter for which `method` has no interval (tau00: "exact"; at the boundary: "wald")
        gets its default one; the interval says by which method it was made.

    Returns
    -------
    tuple of (parameter, Interval)
        In the order of `PARAMETERS`.
    """
    if method is not None and method not in METHODS:
        raise ArgumentError("method", method, METHODS)
    made = _Intervals(table, vc, level, df, draws, seed)
    rows = []
    for name in PARAMETERS:
        try:
            rows.append((name, made.of(name, method)))
        except FastmlError:
            if method is None:
                raise
            rows.append((name, made.of(name, None)))
    return tuple(rows)


def icc_interval(table: SizeTable, icc: float, method: str, level: float) -> Interval:
    """The default interval of the icc of a fit that is known by its estimate.

    Parameters
    ----------
    table : SizeTable
    icc : float
        The estimate.
    method : {"reml", "ml", "anova"}
        Of the fit, which is repeated only where the exact interval won't do.
    level : float

    Returns
    -------
    Interval
    """
    low, high, note = exact_theta(table, level)
    if note or not icc_of(low) <= icc <= icc_of(high):
        return interval(table, estimate(table, method), "icc", level, seed=0)
    return carry(table, "icc", (low, high), float(level), "exact")


class _Intervals:
    """The intervals of one fit, sharing its profile sets and bootstrap draws."""

    def __init__(
        self,
        table: SizeTable,
        vc: VarianceComponents,
        level: float,
        df: str | None,
        draws: int,
        seed: int | np.random.Generator | None,
    ) -> None:
        check_level(level)
        self.table, self.vc, self.level, self.df = table, vc, float(level), df
        self._draws, self._seed = draws, seed

    @cached_property
    def own_set(self) -> ProfileSet:
        return profile_set(self.table, self.vc, self.level)

    @cached_property
    def ml_set(self) -> ProfileSet:
        if self.vc.method == "ml":
            return self.own_set
        return profile_set(self.table, estimate(self.table, "ml"), self.level)

    @cached_property
    def draws(self) -> BootstrapDraws:
        return bootstrap(self.table, self.vc, self._draws, self._seed)

    def of(self, parameter: str, method: str | None) -> Interval:
        base = BASES[parameter]
        note = ""
        if method is None:
            method, note = self._default(base)
        if method not in METHODS:
            raise ArgumentError("method", method, METHODS)
        if base not in _OF.get(method, (base,)):
            why = "tau00 has no exact interval; the icc has one" if (base, method) == ("tau00", "exact") else ""
            raise ArgumentError("method", method, [m for m in METHODS if base in _OF.get(m, (base,))], why)
        low, high, own_note = getattr(self, "_" + method.replace("-", "_").replace(" ", "_"))(base)
        notes = "; ".join(filter(None, (note, own_note)))
        return carry(self.table, parameter, (low, high), self.level, method, notes)

    def _default(self, base: str) -> tuple[str, str]:
        """The method for a parameter, and why where it is not the usual one."""
        profile = "profile" if self.vc.optimum is not None else "bootstrap"
        if base == "gamma00":
            if self.table.size.size > 1:
                return "fiducial", ""
            return ("exact" if self._differ() else "at least"), ""
        if base == "tau00":
            return profile, ""
        if base == "theta":
            _, _, note = self._exact_theta
            if note:
                return profile, (EMPTY if note == CUT_AT_ZERO else note) + INSTEAD.format(profile)
        return "exact", ""

    def _differ(self) -> bool:
        """Whether the means differ more than by chance: F above 1, where REML is above 0 in groups of one size."""
        return bool(between_ratio(self.table, np.zeros(1))[0][0] > 1.0)

    @cached_property
    def _exact_theta(self) -> tuple[float, float, str]:
        low, high, note = exact_theta(self.table, self.level)
        return low, high, note if note or low <= self.vc.theta <= high else LEAVES_OUT

    # Each returns low, high, note for "theta", "tau00", "sigma2" or "gamma00", in the table's units and origin.

    def _exact(self, base: str) -> tuple[float, float, str]:
        table = self.table
        if base == "theta":
            return self._exact_theta
        if base == "gamma00":
            self._need_equal_sizes("exact")
            return *exact_mean(table, self.level), "" if self._differ() else COLLAPSES
        tail, freedom = 0.5 * (1.0 - self.level), float(table.n_obs - table.n_groups)
        return table.ssw / chi2_upper(tail, freedom), table.ssw / chi2_quantile(tail, freedom), ""

    def _at_least(self, base: str) -> tuple[float, float, str]:
        self._need_equal_sizes("at least")
        one, other = exact_mean(self.table, self.level), pooled_mean(self.table, self.level)
        return min(one[0], other[0]), max(one[1], other[1]), "" if self._differ() else AT_LEAST

    def _need_equal_sizes(self, method: str) -> None:
        if self.table.size.size > 1:
            others = [m for m in METHODS if m not in ("exact", "at least")]
            raise ArgumentError("method", method, others, "that of gamma00 is for groups of one size only")

    def _fiducial(self, base: str) -> tuple[float, float, str]:
        if base == "tau00":
            return fiducial_tau00(self.table, self.level)
        return *fiducial_mean(self.table, self.level), ""

    def _t(self, base: str) -> tuple[float, float, str]:
        test = mean_test(self.table, self.vc, self.df)
        reach = -t_quantile(0.5 * (1.0 - self.level), test.df) * test.se / self.table.unit
        return self.vc.terms.gamma - reach, self.vc.terms.gamma + reach, ""

    def _profile(self, base: str) -> tuple[float, float, str]:
        if self.vc.optimum is None and base != "gamma00":
            raise ModelError("method='anova' has no likelihood to profile; "
                             f"use method={without_likelihood(base)!r}")  # fmt: skip
        return _limits(self.ml_set if base == "gamma00" else self.own_set, base)

    def _profile_ml(self, base: str) -> tuple[float, float, str]:
        return _limits(self.ml_set, base)

    def _values(self, base: str) -> Floats:
        values: Floats = getattr(self.draws, "gamma" if base == "gamma00" else base)
        return values

    def _bootstrap(self, base: str) -> tuple[float, float, str]:
        return *percentile_limits(self._values(base), self.level), ""

    def _bca(self, base: str) -> tuple[float, float, str]:
        if self.vc.singular and base in ("theta", "tau00"):
            raise ModelError("tau00 is estimated at its boundary, 0, where BCa has nothing to correct by; "
                             f"use method={at_zero(self.vc, base)!r}")  # fmt: skip
        sigma2 = self.vc.terms.r / self.vc.dof
        own = {"theta": self.vc.theta, "tau00": self.vc.theta * sigma2, "sigma2": sigma2}
        value = own.get(base, self.vc.terms.gamma)
        return bca_limits(self._values(base), value, self.level, acceleration(self.table, self.vc, base))

    def _wald(self, base: str) -> tuple[float, float, str]:
        return wald_limits(self.table, self.vc, base, self.level)


def _limits(region: ProfileSet, base: str) -> tuple[float, float, str]:
    limits: ProfileLimits = getattr(region, "limits_" + base)()
    note = ""
    if limits.pieces > 1:
        note = f"the set has {limits.pieces} separate pieces; this is the one around the optimum"
    return limits.low, limits.high, note
