"""Plans: formulas by hand, power against simulation and mpmath, searches against brute force."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tables import grouped, simulated

from fastml.errors import ArgumentError, FastmlError, ModelError
from fastml.inference.conventions import design_effects
from fastml.inference.exact import exact_theta
from fastml.inference.size_spread import expected_icc_limits, own_sizes
from fastml.model.size_table import reduce_sizes
from fastml.model.variance_components import estimate
from fastml.planning import Plan, plan, plan_from_fit


def test_by_hand() -> None:
    made = plan(0.5, 20, 30, sd=100.0)
    assert made.n_obs == 600
    assert made.deff == 1 + 0.5 * 29
    assert made.n_eff == pytest.approx(600 / 15.5, rel=1e-15)
    assert made.se == pytest.approx(math.sqrt((5000 + 5000 / 30) / 20), rel=1e-15)  # sqrt((tau + sigma2/n)/J)
    assert made.df == 19.0
    assert made.margin == pytest.approx(2.093024054408263 * made.se, rel=1e-13)  # t's 97.5 % point, 19 df
    assert made.reliability == pytest.approx(5000 / (5000 + 5000 / 30), rel=1e-15)
    assert math.isnan(made.power_at_difference)
    two = plan(0.5, 20, 30, sd=100.0, arms=2)
    assert two.se == pytest.approx(2 * made.se, rel=1e-15)  # each arm has half of the schools: 2 x 2 V/J
    assert two.df == 18.0
    kish = plan(0.5, 20, 30, size_cv=0.5, estimator="kish")
    assert kish.deff == kish.deff_kish == pytest.approx(1 + 0.5 * (1.25 * 30 - 1), rel=1e-15)
    gls = plan(0.5, 20, 30, size_cv=0.5)
    assert gls.deff == gls.deff_gls
    assert made.deff < gls.deff < kish.deff
    assert (gls.deff_lecture, gls.deff_kish) == (made.deff, kish.deff)
    assert (
        str(gls).count(
            f"{made.deff:.2f} (lecture), {gls.deff:.2f} (gls: gamma00), {kish.deff:.2f} (kish: mean of all students)"
        )
        == 1
    )
    assert "by name" not in str(made)
    assert "standard error of the mean of all students" in str(kish)


def test_detectable_difference_has_the_power() -> None:
    for j, n, icc, power in ((4, 5, 0.0, 0.5), (30, 20, 0.2, 0.8), (500, 25, 0.6, 0.99), (3, 10, 0.3, 0.9)):
        made = plan(icc, j, n, power=power)
        assert plan(icc, j, n, difference=made.detectable).power_at_difference == pytest.approx(power, rel=1e-10)


@pytest.mark.parametrize("target", ["se", "margin", "icc_width", "difference"])
@pytest.mark.parametrize("arms", [1, 2])
@pytest.mark.parametrize("icc", [0.0, 0.1, 0.4])
def test_searches_against_trying_all(icc: float, arms: int, target: str) -> None:
    goal = {"se": 0.11, "margin": 0.25, "icc_width": 0.25, "difference": 0.4}[target]

    def reaches(made: Plan) -> bool:
        return getattr(made, "detectable" if target == "difference" else target) <= goal

    found = plan(icc, cluster_size=9, arms=arms, **{target: goal})
    slow = next(j for j in count(arms * 2, arms) if reaches(plan(icc, j, 9, arms=arms)))
    assert found.n_groups == slow
    assert found.solved_for == "n_groups"
    found = plan(icc, schools=60, arms=arms, **{target: goal}) if icc < 0.3 or target == "icc_width" else None
    if found is not None:
        slow = next(n for n in count(1) if reaches(plan(icc, 60, n, arms=arms)))
        assert found.group_size == slow


def test_what_no_size_reaches() -> None:
    # sd sqrt(icc/J) is the floor of the standard error: sqrt(0.2/50) = 0.0632.
    with pytest.raises(ModelError, match=r"se=0.06: it stays above 0.06325; raise schools"):
        plan(0.2, schools=50, se=0.06)
    assert plan(0.2, schools=50, se=0.064).group_size > 100


def test_the_search_goes_to_its_end() -> None:
    # sd^2 deff/(25 J) with deff 5.8: for 0.0017 about 803 million schools, past the last power of 2 before the end.
    found = plan(0.2, cluster_size=25, sd=100.0, se=0.0017).n_groups
    assert found == math.ceil(1e4 * 5.8 / 25 / 0.0017**2)
    last = plan(0.2, 10**9, 25, sd=100.0).se
    assert plan(0.2, cluster_size=25, sd=100.0, se=last).n_groups == 10**9
    assert plan(0.2, cluster_size=25, sd=100.0, arms=2, se=2.0 * last).n_groups == 10**9
    with pytest.raises(ModelError, match="stays above"):
        plan(0.2, cluster_size=25, sd=100.0, se=0.999 * last)


def test_numbers_of_any_kind_are_plain_in_the_plan(tmp_path: Path) -> None:
    made = plan(Fraction(1, 4), np.int64(50), np.int32(25), sd=100, arms=2.0, level=np.float32(0.5), difference=7)  # type: ignore[arg-type]
    assert made == plan(0.25, 50, 25, sd=100.0, arms=2, level=0.5, difference=7.0)
    assert json.loads(made.to_json()) == made.to_dict()
    made.write(tmp_path / "plan.parquet")
    single = plan(0.25, 50, 1)  # without an interval of the icc, and a difference
    assert pa.concat_tables([made.to_arrow(), single.to_arrow()])["icc_low"].to_pylist() == [made.icc_low, None]


@pytest.mark.parametrize("icc", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("n", [[32] * 20, [4, 60] * 10, [5] * 19 + [300], [8, 15, 20, 41] * 10])
def test_the_width_of_the_icc_interval_is_that_of_samples(n: list[int], icc: float) -> None:
    """Within 2 %, and what 1,500 samples leave."""
    rng, size, theta = np.random.default_rng(1), np.array(n), icc / (1 - icc)
    widths = []
    for _ in range(1500):
        means = rng.normal(size=len(n)) * np.sqrt(theta + 1 / size)
        table = reduce_sizes(size, means, np.zeros(len(n)), rng.chisquare(size - 1))
        low, high, _ = exact_theta(table, 0.95)
        widths.append(high / (1 + high) - low / (1 + low))
    low, high = expected_icc_limits(icc, own_sizes(table), (len(n), float(np.mean(n))), 1, 0.95)
    allowed = 0.02 * np.mean(widths) + 2.5 * np.std(widths) / math.sqrt(1500)
    assert high - low == pytest.approx(np.mean(widths), abs=allowed)
    if np.ptp(size) == 0:
        assert (plan(icc, 20, 32).icc_low, plan(icc, 20, 32).icc_high) == (low, high)


def test_no_interval_of_the_icc_from_one_student_a_school() -> None:
    assert math.isnan(plan(0.3, 12, 1).icc_width)


def test_narrow_intervals_are_told_apart() -> None:
    made = plan(0.2, 20_000, 25)
    assert "0.1963 to 0.2037" in str(made)
    assert plan(0.2, 50, 25, level=0.99999999).to_markdown().count("99.999999 % margin") == 1


def test_searches_keep_no_more_than_they_need() -> None:
    from fastml.inference.distributions import chi2_nodes

    for k in range(20):
        plan(0.2, cluster_size=25, difference=0.05 + 0.01 * k)
    assert chi2_nodes.cache_info().currsize <= 8


def test_a_level_next_to_one_takes_its_quantiles_from_the_tail() -> None:
    level = 1.0 - 2.0**-45
    made = plan(0.3, 2, 8, level=level, difference=1e14)
    assert made.df == 1.0  # where t is Cauchy
    cauchy = 1.0 / math.tan(math.pi * 2.0**-46)
    assert made.margin == pytest.approx(cauchy * made.se, rel=1e-12)
    assert 0.0 <= made.icc_low < 1e-9
    assert 0.999 < made.icc_high < 1.0


def test_sizes_told_one_by_one() -> None:
    n = [2, 3, 4, 5, 6, 10]
    group = np.repeat(np.arange(6), n)
    rng = np.random.default_rng(0)
    table = grouped(rng.normal(size=30) + rng.normal(size=6)[group], group).table
    vc = estimate(table)
    fitted = plan_from_fit(table, vc)
    made = plan(fitted.icc, 6, 5, sd=fitted.sd, sizes=n)
    for name in ("size_cv", "deff_gls", "deff_kish", "se", "icc_low", "icc_high"):
        assert getattr(made, name) == pytest.approx(getattr(fitted, name), rel=1e-12)
    # Their spread counts, not their number or mean.
    assert plan(fitted.icc, 6, 5, sd=fitted.sd, sizes=2 * [10 * size for size in n]).se == pytest.approx(
        made.se, rel=1e-13
    )
    equal, same = plan(0.2, 20, 25), plan(0.2, 20, 25, sizes=(30, 30))
    assert (same.se, same.icc_low, same.icc_high) == (equal.se, equal.icc_low, equal.icc_high)


def test_from_a_fit() -> None:
    group = np.repeat(np.arange(6), 5)
    rng = np.random.default_rng(0)
    table = grouped(rng.normal(size=30) + rng.normal(size=6)[group], group).table
    vc = estimate(table)
    made = plan_from_fit(table, vc)
    assert (made.n_groups, made.group_size, made.size_cv) == (6, 5, 0.0)
    # Equal sizes: the plan of the fit's own design has its standard error.
    assert made.se == pytest.approx(vc.se_gamma00, rel=1e-13)
    more = plan_from_fit(table, vc, cluster_size=5, se=vc.se_gamma00 / 2)
    assert more.n_groups == 24
    assert plan_from_fit(table, vc, se=vc.se_gamma00 / 2).n_groups == 24
    uneven = simulated(2, theta=0.4)
    made = plan_from_fit(uneven.table, estimate(uneven.table))
    assert made.size_cv == pytest.approx(np.std(uneven.n) / np.mean(uneven.n), rel=1e-13)
    # Unequal sizes too: it is planned with the fit's own.
    group = np.repeat(np.arange(6), [2, 3, 4, 5, 6, 10])
    table = grouped(rng.normal(size=30) + rng.normal(size=6)[group], group).table
    vc = estimate(table)
    made = plan_from_fit(table, vc)
    assert made.se == pytest.approx(vc.se_gamma00, rel=1e-13)
    named = {effect.name: effect.deff for effect in design_effects(table, vc)}
    assert (made.deff_lecture, made.deff_gls, made.deff_kish) == pytest.approx(
        (named["lecture"], named["gls"], named["kish"]), rel=1e-12
    )
    assert plan_from_fit(table, vc, size_cv=0.0).deff == pytest.approx(named["lecture"], rel=1e-12)
    with pytest.raises(FastmlError, match="option='sizes' is not one of 'sd', 'arms'"):
        plan_from_fit(table, vc, sizes=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"icc": 1.0}, {"icc": -0.1}, {"icc": math.nan}, {"sd": 0.0}, {"arms": 3}, {"size_cv": -1.0}, {"level": 95.0},
        {"power": 0.01}, {"schools": 1}, {"cluster_size": 0}, {"schools": 7, "arms": 2}, {"difference": -1.0},
        {"se": 0.1}, {"schools": None, "cluster_size": None}, {"schools": None}, {"schools": None, "se": -1.0},
        {"schools": None, "se": 0.1, "margin": 0.2},
    ],
)  # fmt: skip
def test_what_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(FastmlError) as caught:
        plan(**({"icc": 0.2, "schools": 20, "cluster_size": 10} | wrong))  # type: ignore[arg-type]
    assert isinstance(caught.value, ArgumentError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plan("a", 10, 5), "icc='a' can't be"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10.5, 5), "schools=10.5 can't be: it is a whole number of schools"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10.0, 5), "schools=10.0 can't be"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10, "x"), "cluster_size='x' can't be: it is a whole number of students"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10, 5, sd="a"), "sd='a' can't be"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10, se="a"), "se='a' can't be"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10, se=math.nan), "se=nan can't be"),
        (lambda: plan(0.2, 10, 5, level="a"), "level='a' can't be"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10, 5, size_cv=1e200), r"size_cv=1e\+200 can't be: it is a number from 0 to 1,000,000"),
        (lambda: plan(0.2, 10, 5, size_cv=0.5, sizes=[3, 4]), "size_cv=0.5 can't be: it is 0 beside sizes="),
        (lambda: plan(0.2, 10, 5, sizes=[3]), r"sizes=\[3\] can't be: it is two or more numbers of students"),
        (lambda: plan(0.2, 10, 5, sizes=[3, 0.5]), "two or more numbers of students, each from 1 to 1,000,000,000"),
        (lambda: plan(0.2, 10, 5, sizes=[3, math.nan]), "two or more numbers of students"),
        (lambda: plan(0.2, 10, 5, sizes="ab"), "sizes='ab' can't be"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10, 5, arms=np.array([1, 2])), "is not one of '1', '2'"),  # type: ignore[arg-type]
        (lambda: plan(0.2, 10, 5, se=3.0), "se=3.0 can't be: it is a target: leave schools or cluster_size out"),
        (lambda: plan(0.2, 10), "se=None can't be: it is needed to find the other size by"),
        (lambda: plan(0.2, 10, se=1.0, margin=2.0), "margin=2.0 can't be: it is one target too many beside se"),
        (lambda: plan(0.2, cluster_size=1, icc_width=0.2), "cluster_size=1 can't be: it is 2 or more for an interval of the icc"),
    ],
)  # fmt: skip
def test_arguments_of_another_kind(call: Callable[[], Plan], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()
