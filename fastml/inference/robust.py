"""Standard errors of weighted fits by every kind of `vcov`, and the intervals that go with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from fastml.errors import ArgumentError, ModelError
from fastml.inference.delete_one import Shifted, delete_one, on_logarithm
from fastml.inference.delta import log_limits, margin
from fastml.inference.distributions import check_level, t_quantile
from fastml.inference.information import StandardErrors
from fastml.inference.parameters import BASES, PARAMETERS, Interval, carry
from fastml.inference.sandwich import cr2, sandwich
from fastml.inference.wald import NEXT_TO_ZERO, wald_limits
from fastml.model.groups import WeightedGroups
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents

__all__ = ["KINDS", "VCOVS", "Kind", "RobustErrors", "default_method", "methods_of", "robust_errors", "robust_interval",
           "skewed_errors"]  # fmt: skip

AT_ZERO = "tau00 is estimated at its boundary, 0, where it has no robust standard error"
NOT_WITHOUT = "without one of its groups the model can't be fitted, so that there is no jackknife"


@dataclass(frozen=True)
class RobustErrors:
    """Robust standard errors of a weighted fit.

    Attributes
    ----------
    vcov : {"cr2", "joint", "block"}
    se_gamma00 : float
        Score points: by CR2, or by the sandwich times J/(J-1).
    df : float
        Degrees of freedom of gamma00: Bell and McCaffrey's with CR2, J - 1 with the others.
    se_tau00, se_sigma2, se_icc : float
        With CR2 by the delete-one-group jackknife, score points squared; NaN where there is none, and those of tau00
        and the icc at tau00 = 0.
    skew : float
        Of gamma00's error, with CR2; see `fastml.inference.sandwich.MeanError`.
    logs : dict
        Of `fastml.inference.delete_one.on_logarithm`, where "skewed" intervals are asked for.
    """

    vcov: str
    se_gamma00: float
    df: float
    se_tau00: float
    se_sigma2: float
    se_icc: float
    skew: float = 0.0
    logs: Mapping[str, Shifted] = field(default_factory=dict)


def _by_cr2(groups: WeightedGroups, vc: VarianceComponents, corrected: bool) -> RobustErrors:
    mean, others = cr2(groups, vc), delete_one(groups, vc, corrected)
    return RobustErrors("cr2", mean.se, mean.df, others.se_tau00, others.se_sigma2, others.se_icc, mean.skew)


def _by_joint(groups: WeightedGroups, vc: VarianceComponents, corrected: bool) -> RobustErrors:
    return _by_sandwich(groups, vc, "joint")


def _by_block(groups: WeightedGroups, vc: VarianceComponents, corrected: bool) -> RobustErrors:
    return _by_sandwich(groups, vc, "block")


def _by_sandwich(groups: WeightedGroups, vc: VarianceComponents, vcov: str) -> RobustErrors:
    made = sandwich(groups, vc, vcov)
    freedom = float(len(groups.n) - 1)
    return RobustErrors(vcov, made.se_gamma00, freedom, made.se_tau00, made.se_sigma2, made.se_icc)


@dataclass(frozen=True)
class Kind:
    """A kind of robust standard errors, with all that depends on which one it is.

    Attributes
    ----------
    errors : callable
        Makes the `RobustErrors` of weighted groups, their variance components, and whether tau00 is corrected.
    df : {"bell-mccaffrey", "hlm"}
        Usual degrees of freedom of gamma00.
    of_mean, of_others : str
        Usual methods of the intervals: of gamma00; of the variances, the icc and what follows from them.
    for_few : bool
        Whether it is meant for few schools: tables then take limits of the icc by t with J - 1, not by the normal law,
        and a survey's official mean has CR2 too.
    """

    errors: Callable[[WeightedGroups, VarianceComponents, bool], RobustErrors]
    df: str
    of_mean: str
    of_others: str
    for_few: bool


Vcov = Literal["cr2", "joint", "block"]
RobustDf = Literal["bell-mccaffrey", "hlm", "normal"]
RobustMethod = Literal["t", "skewed", "jackknife", "wald"]

KINDS: Mapping[str, Kind] = {
    "cr2": Kind(_by_cr2, "bell-mccaffrey", "t", "jackknife", for_few=True),
    "joint": Kind(_by_joint, "hlm", "wald", "wald", for_few=False),
    "block": Kind(_by_block, "hlm", "wald", "wald", for_few=False),
}
VCOVS = get_args(Vcov)


def robust_errors(
    groups: WeightedGroups, vc: VarianceComponents, vcov: str = "cr2", corrected: bool = False
) -> RobustErrors:
    """Robust standard errors: groups are the sampling units.

    Parameters
    ----------
    groups : WeightedGroups
    vc : VarianceComponents
        Of all groups.
    vcov : {"cr2", "joint", "block"}
        CR2 for gamma00 and the jackknife for the variances and the icc; else see `fastml.inference.sandwich.sandwich`.
    corrected : bool
        As in `fastml.inference.delete_one.delete_one`.

    Returns
    -------
    RobustErrors
    """
    return KINDS[vcov].errors(groups, vc, corrected)


def skewed_errors(
    errors: RobustErrors, groups: WeightedGroups, vc: VarianceComponents, parameter: str, corrected: bool
) -> RobustErrors:
    """The errors with what the "skewed" interval of a parameter needs besides; see `robust_interval`."""
    if BASES.get(parameter) == "gamma00":
        return replace(errors, skew=cr2(groups, vc).skew)
    return errors if vc.singular else replace(errors, logs=on_logarithm(groups, vc, corrected))


def methods_of(parameter: str, vcov: str) -> list[str]:
    """Methods of a parameter's interval, the usual one first."""
    usual = default_method(parameter, vcov)
    skewed = ("skewed",) if usual != "wald" and BASES[parameter] != "sigma2" else ()
    return list(dict.fromkeys((usual, *skewed, "wald")))


def default_method(parameter: str, vcov: str) -> str:
    """Method of a parameter's interval where none is asked for."""
    kind = KINDS[vcov]
    return kind.of_mean if parameter == "gamma00" else kind.of_others


def robust_interval(
    table: SizeTable, vc: VarianceComponents, errors: RobustErrors, parameter: str, level: float, method: str | None
) -> Interval:
    """Confidence interval of a weighted fit.

    Parameters
    ----------
    table : SizeTable
        `size` is A; `count`, which the reliability is averaged over, is the number of groups.
    vc : VarianceComponents
        With the robust standard error of gamma00.
    errors : RobustErrors
    parameter : str
        One of `PARAMETERS`.
    level : float
    method : {"t", "skewed", "jackknife", "wald"} or None
        "t": gamma00 by t with its degrees of freedom. "skewed": with CR2, for weights that go by the groups' means:
        gamma00 by Hall's (1992, J. R. Stat. Soc. B 54) transformation of t; tau00, and the icc and what follows from
        it, by the jackknife of the logarithm itself (Miller 1968, Ann. Math. Stat. 39), t with J - 1. "jackknife":
        tau00 and sigma2 on the logarithm, the icc and what follows from it on its logit, by t with J - 1. "wald": by
        the normal law, the variances as they are and cut at 0; gamma00 as under "t". None: "t" and "jackknife" with
        CR2, else "wald", which there is no other than.

    Returns
    -------
    Interval

    Raises
    ------
    ArgumentError
        For an unknown name, or a method that has no interval for the parameter.
    ModelError
        There is no standard error.
    """
    if parameter not in PARAMETERS:
        raise ArgumentError("parm", parameter, PARAMETERS)
    check_level(level)
    allowed = methods_of(parameter, errors.vcov)
    if method not in (None, *allowed):
        raise ArgumentError("method", method, allowed, "a weighted fit has robust standard errors, no likelihood")
    base, method, level = BASES[parameter], method or allowed[0], float(level)
    if base != "gamma00" and math.isnan(_error(errors, base)):
        raise ModelError(f"{parameter} has no interval: {AT_ZERO if vc.singular else NOT_WITHOUT}")
    if method == "jackknife":
        limits = _jackknife_limits(table, vc, errors, base, level)
    elif method == "skewed" and base == "gamma00":
        limits = _skewed_limits(table, vc, errors, level)
    elif method == "skewed":
        limits = _logarithm_limits(table, vc, errors, base, level)
    else:
        others = StandardErrors(errors.se_tau00, errors.se_sigma2, errors.se_icc)
        limits = wald_limits(table, vc, base, level, others, errors.df)
    return carry(table, parameter, limits[:2], level, method, limits[2])


def _skewed_limits(
    table: SizeTable, vc: VarianceComponents, errors: RobustErrors, level: float
) -> tuple[float, float, str]:
    """Limits of gamma00 in the table's unit and from its origin.

    [(1 + a t/3)^3 - 1]/a + a/6, a the skewness, is at the quantiles of t with the degrees of freedom.
    """
    most = -t_quantile(0.5 * (1.0 - level), errors.df)

    def t_of(x: float) -> float:
        z = errors.skew * (x - errors.skew / 6.0)
        if abs(z) < 1e-12:
            return x - errors.skew / 6.0
        third = math.expm1(math.log1p(z) / 3.0) if z > -1.0 else -((-1.0 - z) ** (1.0 / 3.0)) - 1.0
        return 3.0 * third / errors.skew

    se = errors.se_gamma00 / table.unit
    return vc.terms.gamma - se * t_of(most), vc.terms.gamma - se * t_of(-most), ""


def _error(errors: RobustErrors, base: str) -> float:
    return {"tau00": errors.se_tau00, "sigma2": errors.se_sigma2, "theta": errors.se_icc}[base]


def _jackknife_limits(
    table: SizeTable, vc: VarianceComponents, errors: RobustErrors, base: str, level: float
) -> tuple[float, float, str]:
    """Limits in the table's units, and a note."""
    df = float(table.n_groups - 1)
    if base == "theta":
        # The logarithm of theta is the logit of the icc, whose standard error goes over by the delta method.
        value, se = vc.theta, errors.se_icc * (1.0 + vc.theta) ** 2
    else:
        value, se = getattr(vc, base) / table.unit**2, _error(errors, base) / table.unit**2
    low, high = log_limits(value, se, df, level)
    return low, high, NEXT_TO_ZERO if margin(se, df, level) > 300.0 * value else ""


def _logarithm_limits(
    table: SizeTable, vc: VarianceComponents, errors: RobustErrors, base: str, level: float
) -> tuple[float, float, str]:
    """Limits of tau00 or theta in the table's unit: the logarithm of theta is the logit of the icc."""
    log = errors.logs[base]
    centre = math.exp(log.shift) * (vc.theta if base == "theta" else vc.tau00 / table.unit**2)
    low, high = log_limits(centre, centre * log.se, float(table.n_groups - 1), level)
    return low, high, ""
