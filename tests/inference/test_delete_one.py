"""The jackknife over groups: refits from the rows that are left, closed forms by hand, and the Newton step beyond."""

from __future__ import annotations

import math
from functools import partial

import naive_survey
import numba
import numpy as np
import pytest
from weighted_groups import changed, drawn, without

import fastml
from fastml.inference.delete_one import EXACT_TO, delete_exactly, delete_one, one_step
from fastml.model.groups import WeightedGroups
from fastml.model.weighted import SCALINGS, pseudo_ml, reduce_weighted


def errors(groups: WeightedGroups) -> tuple[float, float, float]:
    made = delete_one(groups, pseudo_ml(reduce_weighted(groups)))
    return made.se_tau00, made.se_sigma2, made.se_icc


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_twin_fits_the_rows_that_are_left(scaling: str) -> None:
    rng = np.random.default_rng(5)
    school = np.repeat(np.arange(9), rng.integers(2, 9, 9))
    v = np.exp(rng.normal(1.0, 1.0, 9))[school]
    t = v * np.exp(rng.normal(0.5, 0.4, len(school)))
    y = 500.0 + rng.normal(0.0, 90.0, 9)[school] + rng.normal(0.0, 60.0, len(school))
    fit = fastml.fit({"y": y, "s": school, "t": t, "v": v}, "y", "s", weights="t", group_weights="v",
                     weight_scaling=scaling)  # fmt: skip
    full = naive_survey.fit(y, school, t, v, scaling)
    left = np.array([naive_survey.fit(*(x[school != s] for x in (y, school, t, v)), scaling) for s in range(9)])
    true = np.sqrt(8 / 9 * ((left - full) ** 2).sum(axis=0))
    np.testing.assert_allclose([fit.se_tau00, fit.se_sigma2, fit.se_icc], true[1:], rtol=1e-9)


def test_three_equal_groups_by_hand() -> None:
    """Interior and balanced: sigma2 is the pooled variance, tau00 the variance of the means (divisor J) less sigma2/3."""
    groups = WeightedGroups(np.full(3, 3), np.full(3, 3.0), np.full(3, 2.0), np.array([10.0, 20.0, 33.0]), np.zeros(3),
                            np.array([8.0, 6.0, 10.0]))  # fmt: skip
    sigma2, tau00 = 24 / 6, 266 / 3 - 4 / 3
    left = [(16 / 4, 13**2 / 4 - 4 / 3), (18 / 4, 23**2 / 4 - 4.5 / 3), (14 / 4, 10**2 / 4 - 3.5 / 3)]
    icc = [t / (t + s) - tau00 / (tau00 + sigma2) for s, t in left]
    expected = [math.sqrt(2 / 3 * sum(x * x for x in apart))
                for apart in ([t - tau00 for _, t in left], [s - sigma2 for s, _ in left], icc)]  # fmt: skip
    np.testing.assert_allclose(errors(groups), expected, rtol=1e-12)


def test_deleted_fits_are_fits_of_the_others() -> None:
    for seed in range(5):
        groups = drawn(12, 1.5, seed)
        vc = pseudo_ml(reduce_weighted(groups))
        made = delete_exactly(groups, vc)
        for j in range(12):
            other = pseudo_ml(reduce_weighted(without(groups, j)))
            assert made.tau00[j] * vc.sigma2 == pytest.approx(other.tau00, rel=1e-10, abs=1e-14)
            assert made.sigma2[j] * vc.sigma2 == pytest.approx(other.sigma2, rel=1e-11)


def test_no_unit_origin_or_factor_of_the_weights_matters() -> None:
    for n_groups in (9, EXACT_TO + 3):
        groups = drawn(n_groups, 1.0, 2)
        plain = np.array(errors(groups))
        for shift, factor, weight in ((0.0, 1.0, 7.3), (-1200.0, 1.0, 1.0), (3.0, -25.0, 1e-6), (0.0, 2.0**300, 1.0)):
            found = errors(changed(groups, shift, factor, weight))
            np.testing.assert_allclose(found, plain * [factor**2, factor**2, 1.0], rtol=1e-8)


def test_a_newton_step_by_derivatives_of_the_log_likelihood() -> None:
    """Differentiated in 40 digits, with the group left out; scores drawn on average for the second derivatives.

    Those are expected ones: of a log likelihood whose ss and squared deviations are what the model expects at the estimates.
    """
    mpmath = pytest.importorskip("mpmath")
    groups = drawn(5, 0.8, 7)
    vc = pseudo_ml(reduce_weighted(groups))
    made = one_step(groups, vc)
    order = np.eye(3, dtype=int)
    with mpmath.workdps(40):
        at = (mpmath.mpf(vc.gamma00) + mpmath.mpf(vc.gamma00_residual), mpmath.mpf(vc.tau00), mpmath.mpf(vc.sigma2))
        phi = [at[1] + at[2] / mpmath.mpf(a) for a in groups.size]

        def loglik(rows: list[int], expected: bool, gamma, tau, sigma2):
            total = mpmath.mpf(0)
            for k in rows:
                v, a = mpmath.mpf(groups.count[k]), mpmath.mpf(groups.size[k])
                square, ss = (mpmath.mpf(groups.mean[k]) - gamma) ** 2, mpmath.mpf(groups.ss[k])
                if expected:
                    square, ss = phi[k] + (at[0] - gamma) ** 2, (a - 1) * at[2]
                spread = sigma2 + a * tau
                total -= v * ((a - 1) * mpmath.log(sigma2) + mpmath.log(spread) + ss / sigma2 + a * square / spread) / 2
            return total

        for j in (0, 3):
            rows = [k for k in range(5) if k != j]
            gradient, hessian = mpmath.matrix(3, 1), mpmath.matrix(3, 3)
            for k in range(3):
                gradient[k] = mpmath.diff(partial(loglik, rows, False), at, tuple(order[k]))
                for m in range(3):
                    hessian[k, m] = mpmath.diff(partial(loglik, rows, True), at, tuple(order[k] + order[m]))
            step = mpmath.lu_solve(hessian, -gradient)
            assert made.tau00[j] * vc.sigma2 == pytest.approx(max(0.0, float(at[1] + step[1])), rel=1e-9)
            assert made.sigma2[j] * vc.sigma2 == pytest.approx(float(at[2] + step[2]), rel=1e-9)


def test_the_step_ends_at_the_fit_in_equal_groups() -> None:
    groups = drawn(12, 0.0, 3, theta=1.0)
    equal = WeightedGroups(np.full(12, 20), np.full(12, 20.0), groups.count, groups.mean, groups.residual, groups.ss)
    vc = pseudo_ml(reduce_weighted(equal))
    exact, step = delete_exactly(equal, vc), one_step(equal, vc)
    # The step of gamma00 is 1/11 of a deviation, which it moves tau00 by the square of: all that is left out.
    e = equal.mean - equal.mean.mean()
    np.testing.assert_allclose(step.sigma2, exact.sigma2, rtol=1e-12)
    np.testing.assert_allclose((step.tau00 - exact.tau00) * vc.sigma2, (e / 11) ** 2, rtol=1e-8)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="interpreted, 500 fits take half a minute; fewer run above")
def test_the_step_serves_where_there_are_many_groups() -> None:
    """At 500 groups whose weights vary by .8 standard errors differ by 2 %, where sizes do; sigma2's less."""
    groups = drawn(EXACT_TO, 0.8, 1)
    vc = pseudo_ml(reduce_weighted(groups))
    exact, step = delete_exactly(groups, vc), one_step(groups, vc)
    for estimate, a, b, gap in ((vc.theta, exact.tau00, step.tau00, 0.02), (1.0, exact.sigma2, step.sigma2, 0.003)):
        assert np.linalg.norm(b - estimate) / np.linalg.norm(a - estimate) == pytest.approx(1.0, abs=gap)


def test_weights_of_less_than_a_student_take_the_observed_derivatives() -> None:
    """Conditional weights in a tiny unit: sigma2 alone is free, and its step is right whatever the unit."""
    groups = drawn(EXACT_TO + 100, 0.5, 2, theta=0.0)
    tiny = WeightedGroups(
        groups.n, groups.size * 2.0**-40, groups.count, groups.mean, groups.residual, groups.ss * 2.0**-40
    )
    plain = WeightedGroups(
        groups.n, groups.size * 2.0**-60, groups.count, groups.mean, groups.residual, groups.ss * 2.0**-60
    )
    assert pseudo_ml(reduce_weighted(tiny)).singular
    assert errors(tiny)[1] == pytest.approx(errors(plain)[1], rel=1e-9)
    vc = pseudo_ml(reduce_weighted(tiny))
    exact, step = delete_exactly(tiny, vc), one_step(tiny, vc)
    np.testing.assert_allclose(step.sigma2, exact.sigma2, rtol=1e-3)


def test_none_where_a_group_cannot_be_left_out() -> None:
    two = drawn(2, 0.0, 3)
    assert np.isnan(errors(two)).all()
    # The others are singletons without the one that varies within.
    lone = WeightedGroups(np.array([1, 1, 6]), np.array([1.0, 1.0, 6.0]), np.ones(3), np.array([1.0, 9.0, 4.0]),
                          np.zeros(3), np.array([0.0, 0.0, 5.0]))  # fmt: skip
    assert np.isnan(errors(lone)).all()


def test_at_the_boundary_sigma2_alone_has_an_error() -> None:
    for n_groups in (8, EXACT_TO + 1):
        groups = drawn(n_groups, 0.5, 1)
        alike = WeightedGroups(
            groups.n, groups.size, groups.count, np.full(n_groups, 5.0), np.zeros(n_groups), groups.ss
        )
        tau00, sigma2, icc = errors(alike)
        assert math.isnan(tau00)
        assert math.isnan(icc)
        assert sigma2 > 0.0


def test_tau00_of_0_without_any_group_is_no_certainty() -> None:
    """Two groups apart against one between: without any of them tau00 is 0, but its error is not."""
    groups = WeightedGroups(np.full(3, 4), np.full(3, 4.0), np.ones(3), np.array([0.0, 1.0, 2.0]), np.zeros(3),
                            np.full(3, 6.0))  # fmt: skip
    vc = pseudo_ml(reduce_weighted(groups))
    made = delete_exactly(groups, vc)
    assert vc.tau00 > 0.0
    assert errors(groups)[0] > vc.tau00 * (1.0 if made.tau00.any() else 1.4)
