"""CR2 and its degrees of freedom against dense matrices and hand-worked groups; the sandwiches' laws."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from weighted_groups import changed, drawn

from fastml.inference.sandwich import MeanError, cr2, derivatives, sandwich
from fastml.model.groups import WeightedGroups
from fastml.model.variance_components import VarianceComponents
from fastml.model.weighted import pseudo_ml, reduce_weighted


def fitted(groups: WeightedGroups) -> VarianceComponents:
    return pseudo_ml(reduce_weighted(groups))


def dense(groups: WeightedGroups, vc: VarianceComponents) -> MeanError:
    """CR2 with matrices over the groups' means: an adjustment for each residual, and its moments by traces."""
    phi = vc.tau00 + vc.sigma2 / groups.size
    x = np.ones((len(phi), 1))
    weight = np.diag(groups.count / phi)
    bread = np.linalg.inv(x.T @ weight @ x)
    residual_maker = np.eye(len(phi)) - x @ bread @ x.T @ weight
    covariance = residual_maker @ np.diag(phi) @ residual_maker.T
    adjusted = np.sqrt(phi / np.diag(covariance))
    e = residual_maker @ (groups.mean + groups.residual)
    score = weight @ np.diag(adjusted)
    variance = (bread @ x.T @ score @ np.diag(e**2) @ score.T @ x @ bread)[0, 0]
    form = residual_maker.T @ np.diag(np.diag(score) ** 2) @ residual_maker * bread[0, 0] ** 2 @ np.diag(phi)
    return MeanError(math.sqrt(variance), float(np.trace(form) ** 2 / np.trace(form @ form)))


@pytest.mark.parametrize("cv", [0.0, 0.8, 1.5])
def test_the_dense_twin(cv: float) -> None:
    for n_groups in (2, 3, 5, 12, 40):
        for seed in range(8):
            groups = drawn(n_groups, cv, seed)
            made, twin = cr2(groups, fitted(groups)), dense(groups, fitted(groups))
            assert made.se == pytest.approx(twin.se, rel=1e-9), (n_groups, seed)
            assert made.df == pytest.approx(twin.df, rel=1e-9), (n_groups, seed)
            assert 1.0 - 1e-12 <= made.df <= n_groups - 1 + 1e-9


def test_equal_groups_have_the_textbooks_error_by_hand() -> None:
    """Means 10, 20, 33: deviations -11, -1, 12 from 21, so 266/(3 x 2), with two degrees of freedom."""
    groups = WeightedGroups(np.full(3, 3), np.full(3, 3.0), np.full(3, 7.0), np.array([10.0, 20.0, 33.0]), np.zeros(3),
                            np.array([8.0, 6.0, 10.0]))  # fmt: skip
    made = cr2(groups, fitted(groups))
    assert made.se == pytest.approx(math.sqrt(266.0 / 6.0), rel=1e-13)
    assert made.df == pytest.approx(2.0, rel=1e-13)


def test_two_groups_have_one_degree_of_freedom_by_hand() -> None:
    """Shares c and 1 - c of means d apart, phi alike: each residual is the other's share of d, its variance half of d^2's.

    V = [c^2 (1-c)^2 + (1-c)^2 c^2] d^2 phi/Var(e), Var(e) = phi [(1-c)^2 + (1-c)^2] for the first, 2 c^2 phi for the other.
    """
    for share in (0.5, 0.8, 0.999, 1.0 - 1e-9):
        count = np.array([share, 1.0 - share])
        groups = WeightedGroups(
            np.full(2, 9), np.full(2, 9.0), count, np.array([0.0, 6.0]), np.zeros(2), np.full(2, 8.0)
        )
        made = cr2(groups, fitted(groups))
        # The heavy group's deviation is what is left of its mean less gamma00.
        tolerance = 1e-13 + 2e-16 / (1.0 - share)
        assert made.se == pytest.approx(6.0 * math.sqrt(0.5 * (share**2 + (1.0 - share) ** 2)), rel=tolerance), share
        assert made.df == pytest.approx(1.0, rel=1e-13), share


def test_a_group_that_has_nearly_all_the_weight_costs_no_digits() -> None:
    """Against the dense twin in 60 digits."""
    mpmath = pytest.importorskip("mpmath")
    groups = drawn(7, 0.8, 3)
    groups = dataclasses.replace(groups, count=groups.count * np.array([1.0, 1.0, 1e9, 1.0, 1.0, 1e-7, 1.0]))
    vc = fitted(groups)
    with mpmath.workdps(60):
        phi = [mpmath.mpf(vc.theta) + 1 / mpmath.mpf(a) for a in groups.size]
        c = [mpmath.mpf(v) / p for v, p in zip(groups.count, phi, strict=True)]
        c = [x / sum(c) for x in c]
        s = sum(x * x * p for x, p in zip(c, phi, strict=True))
        g = [[(phi[j] if j == k else 0) + s - c[j] * phi[j] - c[k] * phi[k] for k in range(7)] for j in range(7)]
        d = [c[j] ** 2 * phi[j] / g[j][j] for j in range(7)]
        squares = sum(d[j] * d[k] * g[j][k] ** 2 for j in range(7) for k in range(7))
        df = sum(d[j] * g[j][j] for j in range(7)) ** 2 / squares
        e = [mpmath.mpf(m) for m in groups.mean]
        centre = sum(x * m for x, m in zip(c, e, strict=True))
        se = mpmath.sqrt(sum(d[j] * (e[j] - centre) ** 2 for j in range(7)))
    made = cr2(groups, vc)
    assert made.df == pytest.approx(float(df), rel=1e-11)
    assert made.se == pytest.approx(float(se), rel=1e-6)  # the heavy group's deviation has 9 digits less


def test_no_unit_origin_or_factor_of_the_weights_matters() -> None:
    groups = drawn(9, 1.2, 4)
    vc = fitted(groups)
    made, plain = cr2(groups, vc), sandwich(groups, vc)
    for shift, factor, weight in ((0.0, 1.0, 7.3), (-1200.0, 1.0, 1.0), (3.0, -25.0, 1e-6), (0.0, 2.0**300, 1.0)):
        other = changed(groups, shift, factor, weight)
        moved = fitted(other)
        assert cr2(other, moved).se == pytest.approx(abs(factor) * made.se, rel=1e-10)
        assert cr2(other, moved).df == pytest.approx(made.df, rel=1e-10)
        assert sandwich(other, moved).se_tau00 == pytest.approx(factor**2 * plain.se_tau00, rel=1e-9)


def test_scores_add_up_to_zero_at_the_estimates() -> None:
    groups = drawn(12, 0.8, 1)
    at = derivatives(groups, fitted(groups))
    assert np.abs(at.scores @ groups.count).max() < 1e-10
    assert at.free == [0, 1, 2]
    alike = dataclasses.replace(groups, mean=np.full(12, 500.0))
    assert derivatives(alike, fitted(alike)).free == [0, 2]
