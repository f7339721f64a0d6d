"""What unequal sizes cost, against quadrature and against a sample's own figures."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from tables import simulated

from fastml.inference.conventions import design_effects
from fastml.inference.exact import exact_theta
from fastml.inference.size_spread import expected_icc_limits, gamma_sizes, given_sizes, own_sizes
from fastml.model.size_table import reduce_sizes
from fastml.model.variance_components import estimate


@pytest.mark.parametrize("cv", [0.1, 0.6, 1.5])
@pytest.mark.parametrize("icc", [0.02, 0.3, 0.9])
def test_gls_against_quadrature(icc: float, cv: float) -> None:
    # [1 + icc (n - 1)] lambda/E[x/(x + (1 - lambda)/lambda)], x of a gamma law with mean 1 and variance cv^2.
    n, shape = 25, mp.mpf(cv) ** -2
    reliability = mp.mpf(n) / (n + (1 - mp.mpf(icc)) / icc)

    def inside(x: mp.mpf) -> mp.mpf:
        density = shape**shape * x ** (shape - 1) * mp.exp(-shape * x) / mp.gamma(shape)
        return density * x / (x + (1 - reliability) / reliability)

    mean = mp.quad(inside, [0, mp.mpf("0.01"), 0.1, 0.5, 1, 2, 5, 20, 200])
    slow = (1 + mp.mpf(icc) * (n - 1)) * reliability / mean
    made = gamma_sizes(cv).design_effects(icc, n)
    assert made["gls"] == pytest.approx(float(slow), rel=1e-9)
    assert made["kish"] == pytest.approx(1 + icc * ((1 + cv**2) * n - 1), rel=1e-14)


def test_equal_sizes_are_the_lectures() -> None:
    spread = gamma_sizes(0.0)
    assert set(spread.design_effects(0.2, 25.0).values()) == {1 + 0.2 * 24}
    assert gamma_sizes(0.5).design_effects(0.0, 25.0) == pytest.approx({"lecture": 1.0, "gls": 1.0, "kish": 1.0})


def test_own_sizes_give_the_samples_design_effects() -> None:
    table = simulated(4, theta=0.4, groups=30).table
    vc = estimate(table)
    made = own_sizes(table).design_effects(vc.theta / (1 + vc.theta), table.n_obs / table.n_groups)
    for effect in design_effects(table, vc):
        assert made[effect.name] == pytest.approx(effect.deff, rel=1e-12)


@pytest.mark.parametrize(("n_groups", "cv"), [(3, 0.5), (7, 0.8), (40, 1.5), (1000, 0.3)])
def test_sizes_of_samples_are_together_the_means_of_parts_of_the_law(n_groups: int, cv: float) -> None:
    made = gamma_sizes(cv).samples(n_groups, 25.0)
    assert made.shape == (2000 // n_groups if n_groups <= 400 else 1, min(n_groups, 400))
    assert not (np.diff(made.ravel()) >= 0.0).all() or n_groups == 1000
    parts, every = made.size, np.sort(made, axis=None)
    law = stats.gamma(cv**-2, scale=25.0 * cv**2)
    for part in {0, parts // 2, parts - 1}:
        slow = parts * law.expect(lambda x: x, lb=law.ppf(part / parts), ub=law.ppf((part + 1) / parts))
        assert every[part] == pytest.approx(max(slow, 1.0), rel=0.04)  # between nodes of the law sizes are one
    assert every[0] >= 1.0
    if every[0] > 1.0:
        assert every.mean() == pytest.approx(25.0, rel=1e-12)


def test_a_sample_of_a_samples_own_number_has_its_sizes() -> None:
    table = simulated(4, theta=0.4, groups=30).table
    own = np.repeat(table.size, table.count.astype(int))
    assert own_sizes(table).samples(30, float(own.mean())) == pytest.approx(own[None], rel=1e-12)


@pytest.mark.parametrize("icc", [0.0, 0.05, 0.9])
@pytest.mark.parametrize("cv", [0.2, 1.2, 3.0, 1e6])
def test_there_are_limits_however_few_and_unequal_the_groups(icc: float, cv: float) -> None:
    for n_groups, mean_size in ((2, 2.0), (2, 400.0), (5, 25.0), (20, 400.0)):
        low, high = expected_icc_limits(icc, gamma_sizes(cv), (n_groups, mean_size), 1, 0.95)
        assert 0.0 <= low < high <= 1.0


Draw = Callable[[np.random.Generator], npt.NDArray[np.float64]]


def simulated_width(icc: float, draw: Draw, samples: int) -> tuple[float, float]:
    """Mean width of the exact interval, and its Monte-Carlo error, over samples of whole students, one at least."""
    rng, theta, widths = np.random.default_rng(1), icc / (1.0 - icc), []
    for _ in range(samples):
        n = np.maximum(1, np.round(draw(rng))).astype(np.int64)
        ss = np.where(n > 1, rng.chisquare(np.maximum(n - 1, 1)), 0.0)
        table = reduce_sizes(n, rng.normal(size=n.size) * np.sqrt(theta + 1.0 / n), np.zeros(n.size), ss)
        low, high, _ = exact_theta(table, 0.95)
        widths.append(high / (1.0 + high) - low / (1.0 + low))
    return float(np.mean(widths)), float(np.std(widths)) / samples**0.5


@pytest.mark.parametrize(("n", "cv", "icc"), [(100, 0.6, 0.05), (25, 1.0, 0.0), (100, 1.5, 0.05), (25, 2.0, 0.2)])
def test_the_expected_width_is_that_of_samples_whose_sizes_follow_the_law(n: int, cv: float, icc: float) -> None:
    """Within 2 %, and what 1,200 samples leave; `tests/test_planning.py` has samples of given sizes."""
    width, error = simulated_width(icc, lambda rng: rng.gamma(cv**-2, n * cv**2, 20), 1200)
    low, high = expected_icc_limits(icc, gamma_sizes(cv), (20, float(n)), 1, 0.95)
    assert high - low == pytest.approx(width, abs=0.02 * width + 2.5 * error)


def test_mean_and_cv_of_sizes_do_not_tell_the_width() -> None:
    """Two laws that share both have widths a quarter apart; sizes of a law that are given have the width of theirs."""
    icc, cv = 0.1, 1.5
    spread = np.log1p(cv**2) ** 0.5
    laws: dict[str, Draw] = {
        "lognormal": lambda rng: rng.lognormal(np.log(25.0) - 0.5 * spread**2, spread, 20),
        "gamma": lambda rng: rng.gamma(cv**-2, 25.0 * cv**2, 20),
    }
    found = {name: simulated_width(icc, draw, 600) for name, draw in laws.items()}
    assert found["gamma"][0] > 1.15 * found["lognormal"][0]
    many = np.concatenate([laws["lognormal"](rng) for rng in map(np.random.default_rng, range(500))])
    sizes = np.maximum(1.0, np.round(many))
    assert (sizes.mean(), sizes.std() / sizes.mean()) == pytest.approx((25.0, cv), rel=0.1)
    low, high = expected_icc_limits(icc, given_sizes(sizes, np.ones(len(sizes))), (20, float(sizes.mean())), 1, 0.95)
    width, error = found["lognormal"]
    assert high - low == pytest.approx(width, abs=0.02 * width + 2.5 * error)


def test_expected_limits_against_draws_of_mean_squares() -> None:
    rng = np.random.default_rng(3)
    icc, n, dfs = 0.1, 12.0, (19.0, 220.0)
    f = (1 + n * icc / (1 - icc)) * stats.f.rvs(*dfs, size=400_000, random_state=rng)
    limits = [np.maximum(0.0, (f / q - 1) / n) for q in stats.f.ppf([0.975, 0.025], *dfs)]
    slow = [float(np.mean(theta / (1 + theta))) for theta in limits]
    assert expected_icc_limits(icc, gamma_sizes(0.0), (20, n), 1, 0.95) == pytest.approx(slow, rel=0.005)
    # The way of unequal sizes, at sizes that hardly differ.
    assert expected_icc_limits(icc, gamma_sizes(1e-3), (20, n), 1, 0.95) == pytest.approx(slow, rel=0.01)
