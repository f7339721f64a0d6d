"""Fiducial intervals: hand-checked samples, dense covariance matrices with adaptive quadrature, laws."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from tables import Grouped, close, grouped, simulated, two_by_two

from fastml.inference.fiducial import fiducial_mean, fiducial_nodes, fiducial_tau00
from fastml.model.size_table import SizeTable


def mean_limits(table: SizeTable, level: float = 0.95) -> tuple[float, float]:
    low, high = fiducial_mean(table, level)
    return table.origin + table.unit * low, table.origin + table.unit * high


def test_a_known_interval() -> None:
    # By brute force over p, 50 digits, apart from this code.
    n, means = np.array([5, 5, 5, 5, 300]), np.array([510.0, 480, 530, 495, 500])
    ss = (n - 1) * np.array([70.0, 85, 77, 90, 80]) ** 2
    low, high = mean_limits(Grouped(n, means, np.zeros(5), ss).table)
    assert close(low, 488.428512427383, 1e-13)
    assert close(high, 513.893611304129, 1e-13)


def test_three_equal_groups_by_hand() -> None:
    # Means 0, 1000, 2000 of 2 scores each, SSW = 3 * 2: F is so large that p reaches 1 and the mixture is Student's t of
    # the means, t(2), whose quantile is (2 p - 1) sqrt(2/(4 p (1 - p))); MSB/N = 1e6/3.
    y = np.array([-1.0, 1.0, 999.0, 1001.0, 1999.0, 2001.0])
    low, high = mean_limits(grouped(y, np.repeat([1, 2, 3], 2)).table)
    reach = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025)) * math.sqrt(1e6 / 3)
    assert high - 1000 == pytest.approx(reach, rel=1e-7)  # p ends short of 1
    assert 1000 - low == pytest.approx(reach, rel=1e-7)


def test_groups_alike_by_hand() -> None:
    # F = 0: theta is 0 for sure, and the interval that of all scores alike; t(3) from R: qt(.975, 3).
    table = two_by_two(0.0)
    assert fiducial_nodes(table).weight.tolist() == [1.0] + [0.0] * 80
    low, high = mean_limits(table)
    assert (high - low) / 2 == pytest.approx(3.182446305284263 * math.sqrt(4 / 3 / 4), rel=1e-12)
    assert fiducial_tau00(table, 0.95)[:2] == (0.0, 0.0)
    assert "cut" in fiducial_tau00(table, 0.95)[2]


class Dense:
    """The fiducial law from rows: covariance matrices of all of them, theta by root finding, adaptive quadrature."""

    def __init__(self, y: np.ndarray, group: np.ndarray) -> None:
        self.y, self.same = y, np.equal.outer(group, group).astype(float)
        self.n_obs, self.n_groups = len(y), len(np.unique(group))
        self.df = self.n_groups - 1, self.n_obs - self.n_groups
        self.ssw = sum(((y[group == g] - y[group == g].mean()) ** 2).sum() for g in np.unique(group))
        self.most = stats.f.cdf(self.ratio(0.0), *self.df)

    def at(self, theta: float) -> tuple[float, float, float]:
        """Gamma, the sum of the weights and R, from V = I + theta Z Z'."""
        v = np.eye(self.n_obs) + theta * self.same
        solved = np.linalg.solve(v, np.stack([np.ones(self.n_obs), self.y], axis=1))
        weight = solved[:, 0].sum()
        gamma = solved[:, 1].sum() / weight
        return gamma, weight, float((self.y - gamma) @ np.linalg.solve(v, self.y - gamma))

    def ratio(self, theta: float) -> float:
        return (self.at(theta)[2] - self.ssw) / self.df[0] / (self.ssw / self.df[1])

    def mean_of(self, function: Callable[[float], float]) -> float:
        """Expectation of a function of theta."""

        def inside(u: float) -> float:
            wanted = stats.f.ppf(self.most * u**3, *self.df)
            theta = optimize.brentq(lambda x: self.ratio(np.exp(x)) - wanted, -40.0, 22.0, xtol=1e-13)
            return 3.0 * self.most * u * u * function(math.exp(theta))

        # Below u = 1e-2 is a millionth of the law, in which the dense sums have no digits left.
        value, _ = integrate.quad(inside, 1e-2, 1.0, epsabs=1e-12, epsrel=1e-11, limit=200)
        return (1.0 - self.most) * function(0.0) + value


@pytest.mark.parametrize(("seed", "groups", "theta"), [(1, 4, 0.0), (2, 5, 0.3), (3, 3, 2.0)])
def test_against_dense_matrices(seed: int, groups: int, theta: float) -> None:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rng.integers(1, 6, groups) + np.array([1, *[0] * (groups - 1)]))
    y = rng.normal(size=len(group)) + math.sqrt(theta) * rng.normal(size=groups)[group]
    table, dense = grouped(y, group).table, Dense(y, group)
    nodes = fiducial_nodes(table)
    assert float(np.sum(nodes.weight)) == pytest.approx(1.0, abs=1e-14)
    assert nodes.weight[0] == pytest.approx(1.0 - dense.most, rel=1e-9)
    tiny = 1e-6 * dense.most  # what the twin leaves out, all of it large thetas

    def left_of(g: float) -> Callable[[float], float]:
        def at(x: float) -> float:
            gamma, weight, r = dense.at(x)
            return float(stats.t.cdf((g - gamma) * math.sqrt((dense.n_obs - 1) * weight / r), dense.n_obs - 1))

        return at

    low, high = mean_limits(table)
    for limit, mass in ((low, 0.025), (high, 0.975)):
        # t is at a half, more or less, where theta is large
        assert dense.mean_of(left_of(limit)) + 0.5 * tiny == pytest.approx(mass, abs=0.1 * tiny + 1e-9)

    def below(t: float) -> Callable[[float], float]:
        return lambda x: float(stats.chi2.sf(x * dense.at(x)[2] / t, dense.n_obs - 1))

    low, high, _ = fiducial_tau00(table, 0.95)
    for limit, mass in ((low, 0.025), (high, 0.975)):
        if limit > 0.0:
            assert dense.mean_of(below(table.unit**2 * limit)) == pytest.approx(mass, abs=1e-9)
        else:
            assert 1.0 - dense.most >= mass


@pytest.mark.parametrize(("shift", "factor"), [(1e6, 1.0), (-3.0, 250.0), (7.0, -1e-3)])
def test_it_goes_with_the_unit(shift: float, factor: float) -> None:
    rng = np.random.default_rng(8)
    group = np.repeat(np.arange(6), [1, 2, 3, 9, 4, 30])
    y = rng.normal(size=49) + rng.normal(size=6)[group]
    plain, other = grouped(y, group).table, grouped(shift + factor * y, group).table
    expected = sorted(shift + factor * limit for limit in mean_limits(plain))
    assert mean_limits(other) == pytest.approx(expected, rel=1e-11 + 1e-15 * abs(shift / factor))
    one, two = (np.array(fiducial_tau00(t, 0.9)[:2]) * t.unit**2 for t in (plain, other))
    assert two == pytest.approx(factor**2 * one, rel=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_wider_with_the_level_to_its_very_end(seed: int) -> None:
    table = simulated(seed, theta=(0.0, 0.02, 0.3, 3.0, 1e3, 1e8)[seed], groups=2 + seed).table
    for limits in (fiducial_mean, lambda t, p: fiducial_tau00(t, p)[:2]):
        made = [limits(table, level) for level in (0.1, 0.5, 0.95, 0.999, 1 - 1e-9)]
        assert np.all(np.isfinite(made))
        assert all(a[0] >= b[0] and a[1] <= b[1] for a, b in pairwise(made))
        assert made[-2][1] < made[-1][1]
