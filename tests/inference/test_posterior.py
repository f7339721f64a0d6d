"""Posterior of the school means: closed forms of equal groups, dense matrices with adaptive quadrature, laws."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, special, stats
from tables import Grouped, grouped, two_scales

from fastml.inference import posterior
from fastml.inference.posterior import SchoolPosterior, school_posterior, theta_law
from fastml.model.groups import Groups


def of(groups: Grouped, level: float = 0.95) -> SchoolPosterior:
    return school_posterior(groups.table, Groups(None, groups.n, groups.shift, groups.residual, groups.ss), level)


def drawn(seed: int, n: np.ndarray, theta: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(n)), n)
    return rng.normal(size=len(group)) + math.sqrt(theta) * rng.normal(size=len(n))[group], group


def test_equal_groups_in_closed_form() -> None:
    # B = 1/(1 + n theta) has the density B^((J - 5)/2) (SSW + n S B)^(-(N - 3)/2) up to 1, S the squares of the means: an
    # incomplete beta law; the posterior mean of a school is its own, drawn by E(B) to the grand one.
    for groups, n, theta in ((6, 4, 0.2), (9, 3, 0.0), (5, 10, 2.0)):
        data = grouped(*drawn(groups, np.full(groups, n), theta))
        means, ssw = data.shift + data.residual, data.ss.sum()
        s = n * ((means - means.mean()) ** 2).sum()
        a, c = (groups - 3) / 2, (n * groups - 3) / 2
        ends = [special.betainc(a + k, c - a - k, s / (ssw + s)) * special.beta(a + k, c - a - k) for k in (0, 1)]
        drawn_by = ssw / s * ends[1] / ends[0]
        assert of(data).mean == pytest.approx(means + drawn_by * (means.mean() - means), rel=1e-9, abs=1e-9)


def test_three_groups_alike_by_hand() -> None:
    # F = 0, so that theta = 0 for sure: every school's mean is the grand one, by all scores alike. R: qt(.975, 5).
    y = np.array([-1.0, 1.0] * 3)
    made = of(grouped(y, np.repeat([1, 2, 3], 2)))
    half = 2.570581835636314 * math.sqrt(6 / 5 / 6)
    assert made.mean == pytest.approx(np.zeros(3), abs=1e-15)
    assert made.high == pytest.approx(np.full(3, half), rel=1e-12)
    assert made.low == pytest.approx(np.full(3, -half), rel=1e-12)
    assert made.sd == pytest.approx(np.full(3, math.sqrt(1 / 5 * 5 / 3)), rel=1e-12)  # of t: df/(df - 2)


class Dense:
    """The posterior from rows, by covariance matrices of all of them."""

    def __init__(self, y: np.ndarray, group: np.ndarray) -> None:
        self.y, self.group = y, group
        self.df = len(y) - 3
        self.scale = 0.0
        self.scale = max(self.at(u)[0] for u in np.linspace(-12, 12, 200))

    def at(self, u: float) -> tuple[float, np.ndarray, np.ndarray]:
        """Log of the density by u = log theta; centre and scale of every school's t law."""
        theta, ones = math.exp(u), np.ones(len(self.y))
        z = np.equal.outer(self.group, np.unique(self.group)).astype(float)
        v = np.eye(len(ones)) + theta * z @ z.T
        inverse = np.linalg.inv(v)
        weight = ones @ inverse @ ones
        gamma = ones @ inverse @ self.y / weight
        rest = self.y - gamma
        r = rest @ inverse @ rest
        log = -0.5 * np.linalg.slogdet(v)[1] - 0.5 * math.log(weight) - 0.5 * self.df * math.log(r) + u - self.scale
        missed = 1.0 - theta * z.T @ inverse @ ones
        variance = theta - theta**2 * np.diag(z.T @ inverse @ z) + missed**2 / weight
        return log, gamma + theta * z.T @ inverse @ rest, np.sqrt(r / self.df * variance)

    def mean_of(self, function: Callable[[np.ndarray, np.ndarray], float]) -> float:
        def inside(u: float) -> tuple[float, float]:
            log, centre, scale = self.at(u)
            return math.exp(log), math.exp(log) * function(centre, scale)

        pieces = [(-24.0, -6.0), (-6.0, 0.0), (0.0, 5.0), (5.0, 11.0)]
        total, other = (
            sum(integrate.quad(lambda u, k=k: inside(u)[k], *ends, epsabs=1e-13, epsrel=1e-11)[0] for ends in pieces)
            for k in (0, 1)
        )
        return other / total


@pytest.mark.parametrize(("n", "theta"), [([2, 3, 1, 4, 2, 5, 1, 3], 0.3), ([6, 1, 1, 2, 3, 4, 1, 2], 0.0)])
def test_against_dense_matrices(n: list[int], theta: float) -> None:
    y, group = drawn(3, np.array(n), theta)
    made, dense = of(grouped(y, group)), Dense(y, group)
    for j in (0, 3):
        mean = dense.mean_of(lambda centre, scale, j=j: centre[j])
        assert made.mean[j] == pytest.approx(mean, rel=1e-9, abs=1e-9)
        wide = dense.df / (dense.df - 2)
        square = dense.mean_of(
            lambda centre, scale, j=j, mean=mean, wide=wide: (centre[j] - mean) ** 2 + wide * scale[j] ** 2
        )
        assert made.sd[j] == pytest.approx(math.sqrt(square), rel=1e-9)
        for limit, mass in ((made.low[j], 0.025), (made.high[j], 0.975)):
            left = dense.mean_of(lambda centre, scale, j=j, x=limit: stats.t.cdf((x - centre[j]) / scale[j], dense.df))
            assert left == pytest.approx(mass, abs=1e-9)


@pytest.mark.parametrize("seed", [1, 10, 34, 45])
def test_two_peaks_are_both_counted(seed: int) -> None:
    """Of sets whose likelihood has two maxima, against a sum over 20,000 nodes."""
    table = two_scales(seed).table
    nodes = theta_law(table).nodes
    u = np.linspace(-30.0, 25.0, 20_001)
    theta = np.exp(u)[:, None]
    w = table.size / (1 + theta * table.size)
    gamma = (table.count * w * table.mean).sum(1) / (table.count * w).sum(1)
    r = table.ssw + (w * (table.ss + table.count * (table.mean - gamma[:, None]) ** 2)).sum(1)
    log = u - 0.5 * (table.count * np.log1p(theta * table.size)).sum(1) - 0.5 * np.log((table.count * w).sum(1))
    log = log - 0.5 * (table.n_obs - 3) * np.log(r)
    density = np.exp(log - log.max())
    for n in (2.0, 50.0, 4000.0):
        slow = (density * np.exp(u) * n / (1 + n * np.exp(u))).sum() / density.sum()
        assert float(np.sum(nodes.weight * nodes.theta * n / (1 + n * nodes.theta))) == pytest.approx(slow, rel=1e-8)


@pytest.mark.parametrize(("shift", "factor"), [(1e6, 1.0), (-3.0, 250.0), (7.0, -1e-3)])
@pytest.mark.parametrize("groups", [3, 12, 150])
def test_it_goes_with_the_unit(groups: int, shift: float, factor: float) -> None:
    y, group = drawn(2, np.arange(groups) % 7 + 1, 0.3)
    plain, other = of(grouped(y, group), 0.9), of(grouped(shift + factor * y, group), 0.9)
    low, high = (plain.low, plain.high) if factor > 0 else (plain.high, plain.low)
    near = {"rel": 1e-9, "abs": 1e-9 * abs(factor) + 1e-14 * abs(shift)}
    assert other.mean == pytest.approx(shift + factor * plain.mean, **near)
    assert other.sd == pytest.approx(abs(factor) * plain.sd, rel=1e-8)
    assert other.low == pytest.approx(shift + factor * low, **near)
    assert other.high == pytest.approx(shift + factor * high, **near)


@pytest.mark.parametrize("sizes", ["equal", "few sizes", "many sizes"])
@pytest.mark.parametrize("theta", [0.0, 0.02, 0.5])
def test_interpolated_limits(sizes: str, theta: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    n = {"equal": np.full(150, 5), "few sizes": rng.integers(2, 7, 150), "many sizes": rng.integers(1, 200, 150)}[sizes]
    means = rng.normal(size=150) * np.sqrt(theta + 1 / n)
    data = Grouped(n, means, np.zeros(150), np.where(n > 1, rng.chisquare(np.maximum(n - 1, 1)), 0.0))
    quick = of(data)
    monkeypatch.setattr(posterior, "MOST_INVERTED", 150)
    slow = of(data)
    width = slow.high - slow.low
    assert quick.mean == pytest.approx(slow.mean, abs=1e-6)
    assert np.max(np.abs(quick.low - slow.low) / width) < 5e-4
    assert np.max(np.abs(quick.high - slow.high) / width) < 5e-4


def test_the_fewest_scores() -> None:
    # Two schools of three scores: t with 2 degrees of freedom, whose variance has no bound.
    made = of(grouped(np.array([1.0, 3.0, 9.0]), np.array([1, 1, 2])))
    assert np.isnan(made.sd).all()
    assert np.all((made.low < made.mean) & (made.mean < made.high))
    five = of(grouped(np.array([1.0, 3.0, 9.0, 4.0, 6.0]), np.array([1, 1, 2, 3, 4])))
    assert np.isnan(five.sd).all()
    six = of(grouped(np.array([1.0, 3.0, 9.0, 4.0, 6.0, 5.0]), np.array([1, 1, 2, 3, 4, 4])))
    assert np.isfinite(six.sd).all()


def test_an_icc_of_one_leaves_every_school_its_own_mean() -> None:
    y, group = drawn(4, np.array([3, 5, 2, 8, 4, 6]), 1e12)
    data = grouped(y, group)
    made, means = of(data), data.shift + data.residual
    assert made.mean == pytest.approx(means, rel=1e-10)
    within = math.sqrt(data.ss.sum() / (28 - 6))
    assert made.sd == pytest.approx(within / np.sqrt(data.n), rel=0.1)
