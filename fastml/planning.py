"""Sample size and precision of a sample of schools and of students in them, from an intraclass correlation.

A plan has J schools of n students each, on average. Its mean has the variance sd^2 deff/(J n), deff = 1 + icc (n - 1);
where sizes vary, that of the model's own mean or of the mean of all students (`SizeSpread.design_effects`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np

from fastml.errors import ArgumentError, ModelError, RangeError, called_as
from fastml.inference.distributions import check_level, t_quantile
from fastml.inference.power import detectable_shift, power_of_t
from fastml.inference.size_spread import SizeSpread, expected_icc_limits, gamma_sizes, given_sizes, own_sizes
from fastml.model.icc import icc_of
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents
from fastml.report import text
from fastml.report.exports import Record
from fastml.report.fields import PLAN, Fields
from fastml.report.grids import Grid, plan_grid
from fastml.report.provenance import provenance

__all__ = ["Plan", "plan", "plan_from_fit"]

Estimator = Literal["gls", "kish"]
ESTIMATORS = get_args(Estimator)

_MAX_CV = 1e6  # one school that has all students, among a billion schools, makes 3e4
MAX_COUNT = 10**9  # of schools, or of students a school, that a search goes to


@dataclass(frozen=True)
class Plan(Record):
    """What a clustered sample can tell: what `plan` and `OneWayFit.plan` give.

    Attributes
    ----------
    icc, sd : float
        What the plan assumes: intraclass correlation, and standard deviation of the scores.
    n_groups, group_size : int
        Schools (in all arms together) and students in each.
    arms : int
        1: one mean against a given value. 2: the difference of two halves of the schools, as in a trial.
    size_cv : float
        Coefficient of variation of the school sizes.
    estimator : {"gls", "kish"}
        The mean that is planned: the model's own (gamma00), or that of all students.
    level, power : float
        Confidence level, and the power that `detectable` is for.
    n_obs : int
        Students.
    deff, n_eff : float
        Design effect of the mean, and the students of a simple random sample as precise.
    deff_lecture, deff_gls, deff_kish : float
        Design effects by name: 1 + icc (n - 1), which belongs to no estimator where sizes differ; of gamma00; of the
        mean of all students.
    se, df, margin : float
        Standard error of the mean (of the difference, with 2 arms), its degrees of freedom, J - arms, and half the
        width of its confidence interval; in units of `sd`'s.
    detectable : float
        Least true difference found with probability `power` in a two-sided test at 1 - `level`.
    difference, power_at_difference : float
        A true difference of interest and the probability to find it; NaN if none was given.
    reliability : float
        Of a school mean.
    icc_low, icc_high, icc_width : float
        Exact interval of the icc that such samples give on average, and its width; with 2 arms the schools are
        compared within theirs. NaN with a `group_size` of 1.
    solved_for : str
        "n_groups", "group_size" or "".
    """

    icc: float
    sd: float
    n_groups: int
    group_size: int
    arms: int
    size_cv: float
    estimator: str
    level: float
    power: float
    n_obs: int
    deff: float
    n_eff: float
    deff_lecture: float
    deff_gls: float
    deff_kish: float
    se: float
    df: float
    margin: float
    detectable: float
    difference: float
    power_at_difference: float
    reliability: float
    icc_low: float
    icc_high: float
    icc_width: float
    solved_for: str

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the plan: version and schema."""
        return provenance("plan")

    def _fields(self) -> Fields:
        return PLAN

    def _figures(self) -> dict[str, Any]:
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in vars(self).items()
        }

    def _grid(self, level: float = 0.95) -> Grid:
        return plan_grid(self._figures())

    def __str__(self) -> str:
        return text.plan_text(self._figures())


@called_as("plan(icc=0.2, schools=150, cluster_size=25)")
def plan(
    icc: float,
    schools: int | None = None,
    cluster_size: int | None = None,
    *,
    sd: float = 1.0,
    arms: int = 1,
    size_cv: float = 0.0,
    sizes: Sequence[float] | None = None,
    estimator: Estimator = "gls",
    level: float = 0.95,
    power: float = 0.8,
    difference: float | None = None,
    se: float | None = None,
    margin: float | None = None,
    icc_width: float | None = None,
) -> Plan:
    """Precision of a sample of schools, or the size that a precision takes.

    Parameters
    ----------
    icc : float
        Intraclass correlation, from 0 to below 1.
    schools, cluster_size : int or None
        Schools, and students in each. With both, the plan is evaluated. With one, the other is the smallest that
        reaches the target: `difference` (found with `power`), `se`, `margin` or `icc_width`, exactly one of them.
    sd : float
        Standard deviation of the scores, sqrt(tau00 + sigma2).
    arms : {1, 2}
        One mean, or the difference between two equal halves of the schools.
    size_cv : float
        Coefficient of variation of the sizes, which are taken to follow a gamma law; for the icc's interval no school
        has less than one student.
    sizes : sequence of float or None
        Sizes of schools like those to come, of last year's sample, say, in place of a law: they are scaled to
        `cluster_size`. Laws of one mean and `size_cv` share `deff_kish` only: from a `size_cv` of .6 on the widths of
        their icc's intervals differ by 2 % and more.
    estimator : {"gls", "kish"}
        What is planned: the model's own mean, gamma00, or the mean of all students, in which large schools weigh more.
        One where sizes are equal.
    level, power : float
        Confidence level of the intervals, and the power to find a difference with; both between 0 and 1.
    difference : float or None
        True difference of interest, in score points.
    se, margin, icc_width : float or None
        Targets: standard error, half the width of the mean's interval, width of the icc's interval.

    Returns
    -------
    Plan

    Raises
    ------
    ArgumentError
        For a value out of range or of another kind, or not one target for the size left open.
    ModelError
        When no size reaches the target.

    Examples
    --------
    >>> made = plan(0.2, 150, 25)
    >>> round(made.deff, 2), round(made.se, 4), round(made.n_eff)
    (5.8, 0.0393, 647)
    >>> plan(0.2, cluster_size=25, se=0.05).n_groups
    93
    """
    targets = {"se": se, "margin": margin, "icc_width": icc_width, "difference": difference}
    own = None if sizes is None else _spread_of(sizes, size_cv)
    asked = _Assumptions(
        icc, sd, arms, own.cv if own else size_cv, estimator, level, power,
        math.nan if difference is None else difference,
    )  # fmt: skip
    return _find(asked, own, (schools, cluster_size), targets)


def _spread_of(sizes: Sequence[float], size_cv: float) -> SizeSpread:
    if size_cv != 0.0:
        raise RangeError("size_cv", size_cv, "0 beside sizes=, which have their own")
    found = np.empty(0)
    with suppress(TypeError, ValueError):
        found = np.asarray(sizes, dtype=np.float64)
    if found.ndim != 1 or len(found) < 2 or not np.all((found >= 1.0) & (found <= MAX_COUNT)):
        raise RangeError("sizes", sizes, f"two or more numbers of students, each from 1 to {MAX_COUNT:,}")
    return given_sizes(found, np.ones(len(found)))


def _find(
    asked: _Assumptions,
    own: SizeSpread | None,
    sizes: tuple[int | None, int | None],
    asked_for: dict[str, float | None],
) -> Plan:
    """The plan of sizes, or of the one left open that reaches a target; `own` sizes stand for those of a law."""
    schools, cluster_size = sizes
    difference, icc_width = asked_for["difference"], asked_for["icc_width"]
    _check(asked, schools, cluster_size)
    for name, value in asked_for.items():
        if value is not None and not (isinstance(value, Real) and 0.0 < value < math.inf):
            raise RangeError(name, value, "a number above 0")
    given = {name: value for name, value in asked_for.items() if value is not None and name != "difference"}
    assumed = asked.plain()
    arms, spread = assumed.arms, own or gamma_sizes(assumed.size_cv)
    schools, cluster_size = (None if n is None else int(n) for n in (schools, cluster_size))
    if schools is not None and cluster_size is not None:
        if given:
            raise RangeError(*next(iter(given.items())),
                             "a target: leave schools or cluster_size out, to have it found")  # fmt: skip
        return _evaluate(assumed, spread, (schools, cluster_size), "")
    if schools is None and cluster_size is None:
        raise RangeError("schools", None, "a number of schools; give it or cluster_size, and the other is found")
    if not given and difference is not None:
        given = {"detectable": difference}
    if not given:
        raise RangeError("se", None, "needed to find the other size by, or else difference=, margin= or icc_width=; "
                                     "or give both schools and cluster_size")  # fmt: skip
    if len(given) > 1:
        first, second = list(given)[:2]
        raise RangeError(second, given[second], f"one target too many beside {first}")
    if icc_width is not None and cluster_size == 1:
        raise RangeError(
            "cluster_size", 1, "2 or more for an interval of the icc, which one student a school says nothing of"
        )
    (name, goal), solved = next(iter(given.items())), "schools" if schools is None else "cluster_size"

    def at(count: int, only: str = name) -> Plan:
        sizes = (count, cluster_size or 1) if schools is None else (schools, count)
        return _evaluate(assumed, spread, sizes, solved, only)

    least = arms + 1 if schools is None else (2 if name == "icc_width" else 1)
    step = arms if schools is None else 1
    least += -least % step
    # What misses the goal by rounding alone reaches it: a fit's own error, halved, takes four times its schools.
    count = _smallest(lambda k: bool(getattr(at(k), name) <= goal * (1.0 + 1e-12)), least, step)
    if count is None:
        best = getattr(at(MAX_COUNT), name)
        other = "schools" if solved == "cluster_size" else "cluster_size"
        target = "difference" if name == "detectable" else name
        raise ModelError(f"no {solved} reaches {target}={goal:g}: it stays above {best:.4g}; raise {other}")
    return at(count, "")


def plan_from_fit(
    table: SizeTable,
    vc: VarianceComponents,
    schools: int | None = None,
    cluster_size: int | None = None,
    **options: float | int | None,
) -> Plan:
    """Plan a sample like a fitted one: with its icc, standard deviation and spread of sizes.

    Parameters
    ----------
    table : SizeTable
    vc : VarianceComponents
    schools, cluster_size : int or None
        As in `plan`; the fit's own number of schools and mean size (rounded) where both are None and no target is
        given.
    **options
        As in `plan`; `sd` overrides the fit's, and `size_cv` its own sizes.

    Returns
    -------
    Plan
    """
    own = own_sizes(table)
    targets: dict[str, Any] = {name: options.pop(name, None) for name in ("se", "margin", "icc_width", "difference")}
    if schools is None and cluster_size is None:
        wanted = any(targets[name] is not None for name in ("se", "margin", "icc_width"))
        schools = None if wanted else table.n_groups
        cluster_size = round(table.n_obs / table.n_groups)
    sd = table.unit * math.sqrt((1.0 + vc.theta) * vc.terms.r / vc.dof)
    usual = {"sd": sd, "arms": 1, "size_cv": own.cv, "estimator": "gls", "level": 0.95, "power": 0.8}
    for name in options:
        if name not in usual:
            raise ArgumentError("option", name, [*usual, *targets])
    difference = math.nan if targets["difference"] is None else targets["difference"]
    asked = _Assumptions(icc=icc_of(vc.theta), difference=difference, **(usual | options))  # type: ignore[arg-type]
    return _find(asked, None if "size_cv" in options else own, (schools, cluster_size), targets)


def _check(asked: _Assumptions, schools: int | None, cluster_size: int | None) -> None:
    icc, sd, arms, size_cv, level, power = asked.icc, asked.sd, asked.arms, asked.size_cv, asked.level, asked.power
    if not (isinstance(icc, Real) and 0.0 <= icc < 1.0):
        raise RangeError("icc", icc, "a number from 0 to below 1")
    if not (isinstance(sd, Real) and 0.0 < sd < math.inf):
        raise RangeError("sd", sd, "a number above 0")
    if not (isinstance(arms, Real) and arms in (1, 2)):
        raise ArgumentError("arms", arms, ("1", "2"))
    if not (isinstance(size_cv, Real) and 0.0 <= size_cv <= _MAX_CV):
        raise RangeError("size_cv", size_cv, f"a number from 0 to {_MAX_CV:,.0f}")
    if asked.estimator not in ESTIMATORS:
        raise ArgumentError("estimator", asked.estimator, ESTIMATORS)
    check_level(level)
    check_level(power, "power")
    if power <= 1.0 - level:
        raise RangeError("power", power, "more than the size of the test, 1 - level")
    if schools is not None and not (isinstance(schools, Integral) and arms < schools <= MAX_COUNT):
        raise RangeError("schools", schools, f"a whole number of schools, from {arms + 1} to {MAX_COUNT:,}")
    if schools is not None and schools % arms:
        raise RangeError("schools", schools, "an even number, the same in both arms")
    if cluster_size is not None and not (isinstance(cluster_size, Integral) and 1 <= cluster_size <= MAX_COUNT):
        raise RangeError("cluster_size", cluster_size, f"a whole number of students, from 1 to {MAX_COUNT:,}")


@dataclass(frozen=True)
class _Assumptions:
    """What a plan takes as given; the fields are those of `Plan`."""

    icc: float
    sd: float
    arms: int
    size_cv: float
    estimator: str
    level: float
    power: float
    difference: float

    def plain(self) -> _Assumptions:
        """The same as plain numbers, whatever type was given, since JSON has no others."""
        numbers = {name: float(value) for name, value in vars(self).items() if name not in ("arms", "estimator")}
        return _Assumptions(arms=int(self.arms), estimator=self.estimator, **numbers)


def _evaluate(given: _Assumptions, spread: SizeSpread, sizes: tuple[int, int], solved_for: str, only: str = "") -> Plan:
    """The plan; with `only` one figure of it that is needed, as powers and the icc's interval take milliseconds."""
    icc, arms, level = given.icc, given.arms, given.level
    schools, cluster_size = sizes
    n_obs = schools * cluster_size
    effects = spread.design_effects(icc, cluster_size)
    deff = effects[given.estimator]
    # Two arms: each mean has half of the schools, and their variances add.
    se = arms * given.sd * math.sqrt(deff / n_obs)
    df = float(schools - arms)
    low, high = math.nan, math.nan
    if cluster_size > 1 and only in ("", "icc_width"):
        low, high = expected_icc_limits(icc, spread, sizes, arms, level)
    with_power = only in ("", "detectable")
    with_difference = with_power and not math.isnan(given.difference)
    return Plan(
        **vars(given),
        n_groups=schools,
        group_size=cluster_size,
        n_obs=n_obs,
        deff=deff,
        n_eff=n_obs / deff,
        deff_lecture=effects["lecture"],
        deff_gls=effects["gls"],
        deff_kish=effects["kish"],
        se=se,
        df=df,
        margin=-t_quantile(0.5 * (1.0 - level), df) * se,
        detectable=detectable_shift(df, level, given.power) * se if with_power else math.nan,
        power_at_difference=power_of_t(abs(given.difference) / se, df, level) if with_difference else math.nan,
        reliability=cluster_size * icc / (1.0 + icc * (cluster_size - 1.0)),
        icc_low=low,
        icc_high=high,
        icc_width=high - low,
        solved_for={"schools": "n_groups", "cluster_size": "group_size"}.get(solved_for, ""),
    )


def _smallest(reached: Callable[[int], bool], least: int, step: int) -> int | None:
    """Smallest count, in steps, that reaches a target which larger counts reach too; None if none does."""
    if reached(least):
        return least
    low, high = 0, 1
    last = (MAX_COUNT - least) // step
    while not reached(least + high * step):
        if high == last:
            return None
        low, high = high, min(2 * high, last)
    while high - low > 1:
        middle = (low + high) // 2
        if reached(least + middle * step):
            high = middle
        else:
            low = middle
    return least + high * step
