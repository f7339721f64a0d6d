"""The parametric bootstrap: its fits are the fits of the simulated samples, and its draws have the right law."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from conftest import fewer
from tables import Grouped, changed, close, simulated, two_scales

from fastml.errors import ArgumentError, ModelError
from fastml.inference.bootstrap import _fit, acceleration, bca_limits, bootstrap, percentile_limits
from fastml.model.size_table import SizeTable, reduce_sizes
from fastml.model.variance_components import estimate


def balanced(groups: int, size: int, theta: float) -> SizeTable:
    """Equal sizes, with mean squares exactly as expected."""
    n = np.full(groups, size)
    means = np.linspace(-1.0, 1.0, groups)
    means *= math.sqrt((theta + 1 / size) / np.var(means, ddof=1))
    return reduce_sizes(n, means, np.zeros(groups), np.full(groups, size - 1.0))


def samples(table: SizeTable, theta: float, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means by size, their sums of squares and the within sums, of groups simulated one by one."""
    rng = np.random.default_rng(seed)
    means, sss = np.empty((draws, table.size.size)), np.zeros((draws, table.size.size))
    for s, (size, count) in enumerate(zip(table.size, table.count, strict=True)):
        groups = rng.normal(size=(draws, int(count))) * math.sqrt(theta + 1 / size)
        means[:, s] = groups.mean(axis=1)
        sss[:, s] = ((groups - groups.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return means, sss, rng.chisquare(table.n_obs - table.n_groups, draws)


@pytest.mark.parametrize("method", ["reml", "ml", "anova"])
@pytest.mark.parametrize("case", ["small", "no variance", "two scales", "high icc", "balanced"])
def test_each_draw_is_fitted_as_a_sample_is(case: str, method: str) -> None:
    made: dict[str, tuple[SizeTable, float]] = {
        "small": (simulated(1).table, 0.4),
        "no variance": (simulated(2).table, 0.0),
        "two scales": (two_scales(3).table, 0.5),
        "high icc": (simulated(4).table, 1e7),
        "balanced": (balanced(7, 4, 0.3), 0.2),
    }
    table, theta = made[case]
    draws = fewer(200, times=5, at_least=40)
    means, sss, ssws = samples(table, theta, draws, 9)
    vc = estimate(table, method)
    out = np.empty((draws, 3))
    _fit(table, vc, means, sss, ssws, out)
    for b in range(draws):
        drawn = changed(table, mean=means[b], ss=sss[b])
        sample = dataclasses.replace(drawn, ssw=float(ssws[b]), origin=0.0, unit=1.0)
        fit = estimate(sample, method)
        assert out[b, 0] == pytest.approx(fit.theta, rel=1e-12, abs=0 if fit.theta else 1e-300)
        assert out[b, 1] == pytest.approx(fit.sigma2, rel=1e-13)
        assert out[b, 2] == pytest.approx(fit.gamma00, rel=1e-9, abs=1e-13)


def test_draws_have_the_law_of_the_model() -> None:
    """Balanced REML: sigma2 and MSB are independent chi-squares; compared by their means and variances."""
    table = balanced(30, 8, 2.0)
    vc = estimate(table)
    assert vc.sigma2 == pytest.approx(1.0, rel=1e-12)
    for seed in range(3):
        draws = bootstrap(table, vc, 20_000, seed)
        msw, msb = draws.sigma2, draws.sigma2 * (1 + 8 * draws.theta)
        sigma2, expected = vc.terms.r / vc.dof, vc.terms.r / vc.dof * (1 + 8 * vc.theta)
        for values, mean, freedom in ((msw, sigma2, 210), (msb, expected, 29)):
            spread = mean * math.sqrt(2 / freedom)
            assert abs(values.mean() - mean) < 5 * spread / math.sqrt(20_000)
            assert values.std() == pytest.approx(spread, rel=0.04)
        assert abs(np.corrcoef(msw, msb)[0, 1]) < 5 / math.sqrt(20_000)
        assert draws.gamma.std() == pytest.approx(vc.se_gamma00 / table.unit, rel=0.04)
        assert np.array_equal(draws.tau00, draws.theta * draws.sigma2)


def test_unbalanced_draws_have_the_law_of_rows() -> None:
    """Against samples simulated row by row and fitted through group statistics: quartiles agree."""
    groups = simulated(6, theta=0.5, groups=10, largest=12)
    table = groups.table
    vc = estimate(table)
    drawn, simulated_rows = fewer(8000, times=10, at_least=800), fewer(3000, times=10, at_least=300)
    draws = bootstrap(table, vc, drawn, 1)
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(groups.n.size), groups.n)
    rows = []
    for _ in range(simulated_rows):
        y = math.sqrt(vc.tau00) * rng.normal(size=groups.n.size)[group] + math.sqrt(vc.sigma2) * rng.normal(
            size=group.size
        )
        means = np.bincount(group, y) / groups.n
        ss = np.bincount(group, (y - means[group]) ** 2)
        rows.append(estimate(Grouped(groups.n, means, np.zeros(groups.n.size), ss).table).theta)
    slow = np.array(rows)
    for p in (0.25, 0.5, 0.75, 0.95):
        at = np.quantile(slow, p)
        assert abs(np.mean(draws.theta <= at) - p) < 5 * math.sqrt(p * (1 - p) * (1 / drawn + 1 / simulated_rows))


def test_the_same_seed_gives_the_same_draws() -> None:
    table = simulated(5).table
    vc = estimate(table)
    a, b, c = (bootstrap(table, vc, 500, seed) for seed in (3, 3, 4))
    assert np.array_equal(a.theta, b.theta)
    assert not np.array_equal(a.theta, c.theta)
    assert np.array_equal(bootstrap(table, vc, 500, np.random.default_rng(3)).sigma2, a.sigma2)


def test_acceleration_of_a_single_variance() -> None:
    # One chi-square with f degrees of freedom: a = sqrt(2/f)/3 (Efron 1987, section 2: 0.1081 for 19).
    assert math.sqrt(2 / 19) / 3 == pytest.approx(0.1081, abs=5e-5)
    table = balanced(500, 3, 1e9)
    # At a huge theta the group means say nothing of sigma2: only the N - J = 1000 within degrees of freedom count.
    assert acceleration(table, estimate(table), "sigma2") == pytest.approx(math.sqrt(2 / 1000) / 3, rel=1e-6)
    # And log(theta) is a difference of two log variances, one of 1000 and one of J degrees of freedom.
    assert acceleration(table, estimate(table), "gamma00") == 0.0


@pytest.mark.parametrize("groups", [2, 3, 5, 20])
def test_acceleration_of_few_groups(groups: int) -> None:
    """At a huge theta tau00 is a chi-square of the group means, which has J - 1 degrees of freedom by REML, J by ML."""
    table = balanced(groups, 1_000, 1e6)
    for method, freedom in (("reml", groups - 1), ("anova", groups - 1), ("ml", groups)):
        found = acceleration(table, estimate(table, method), "tau00")
        assert found == pytest.approx(math.sqrt(2 / freedom) / 3, rel=1e-5)


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("parameter", ["tau00", "sigma2", "theta"])
def test_acceleration_is_the_skewness_of_simulated_scores(parameter: str, method: str) -> None:
    table = simulated(3, theta=0.7, groups=8).table
    vc = estimate(table, method)
    rng = np.random.default_rng(1)
    n, c = np.repeat(table.size, table.count.astype(int)), table.n_groups
    v = 1.0 + n * vc.theta
    z = rng.normal(size=(400_000, c))
    if method == "reml":  # the means are less the estimated gamma00
        along = np.sqrt((n / v) / np.sum(n / v))
        z -= (z @ along)[:, None] * along
    z2 = z**2
    within = rng.chisquare(table.n_obs - c, 400_000) - (table.n_obs - c)
    score = np.column_stack((z2 @ (n / (2 * v)), z2 @ (1 / (2 * v)) + within / 2))
    information = np.cov(score.T)
    gradient = {"tau00": (1.0, 0.0), "sigma2": (0.0, 1.0), "theta": (1.0, -vc.theta)}[parameter]
    along = score @ np.linalg.solve(information, gradient)
    skewness = np.mean((along - along.mean()) ** 3) / along.std() ** 3
    assert acceleration(table, vc, parameter) == pytest.approx(skewness / 6, abs=0.006)


def test_bca_without_bias_or_acceleration_is_the_percentile() -> None:
    values = np.arange(-500.0, 501.0)
    assert bca_limits(values, 0.0, 0.9, 0.0)[:2] == pytest.approx(percentile_limits(values, 0.9), rel=1e-12)
    low, high, note = bca_limits(values, 100.0, 0.9, 0.0)  # the estimate is above the median: both limits go up
    assert low > percentile_limits(values, 0.9)[0]
    assert high > percentile_limits(values, 0.9)[1]
    assert note == ""
    note = bca_limits(values, 0.0, 0.9999, 0.1)[2]
    assert note == "the upper limit is the largest draw, where it lies beyond them all: use another method"
    assert (
        "the lower limit is the smallest draw and the upper limit is the largest draw, "
        in bca_limits(values, 0.0, 0.99999, 0.0)[2]
    )
    with pytest.raises(ModelError, match="percentile"):
        bca_limits(values, 1e9, 0.9, 0.0)


def test_bca_of_a_variance_is_near_its_exact_interval() -> None:
    # Efron's example: sigma2 from a chi-square; the exact limits are ssw over its quantiles.
    from fastml.inference.intervals import interval

    table = balanced(6, 10, 1e9)  # 54 degrees of freedom within, and nothing else to tell sigma2 from
    vc = estimate(table)
    exact, bca, plain = (interval(table, vc, "sigma2", method=m, draws=40_000, seed=1) for m in
                         ("exact", "bca", "bootstrap"))  # fmt: skip
    assert abs(bca.low / exact.low - 1) < 0.02
    assert abs(bca.high / exact.high - 1) < 0.02
    assert abs(plain.high / exact.high - 1) > 0.05
    assert close(exact.low, 54 * vc.sigma2 / 76.192048166250046, 1e-13)  # R: qchisq(.975, 54)


def test_what_is_refused() -> None:
    table = simulated(1).table
    with pytest.raises(ArgumentError, match="from 40 to"):
        bootstrap(table, estimate(table), 10)
