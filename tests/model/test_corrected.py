"""tau00 corrected for few groups: REML where sizes and weights are equal, a slow twin by matrices elsewhere."""

from __future__ import annotations

import math

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import run_here
from weighted_groups import changed, drawn, without

import fastml
from fastml.errors import ArgumentError, FastmlError
from fastml.inference.delete_one import EXACT_TO, delete_exactly, delete_one
from fastml.model.corrected import corrected_ml, solve
from fastml.model.groups import WeightedGroups
from fastml.model.size_table import reduce_sizes
from fastml.model.variance_components import VarianceComponents, estimate
from fastml.model.weighted import pseudo_ml, reduce_weighted


def fitted(groups: WeightedGroups) -> VarianceComponents:
    table = reduce_weighted(groups)
    return corrected_ml(table, groups, pseudo_ml(table))


def scores(groups: WeightedGroups, tau00: float, sigma2: float) -> tuple[float, float]:
    """The corrected scores of tau00 and sigma2, with matrices over the groups."""
    a, v, m = groups.size, groups.count, groups.mean
    phi = tau00 + sigma2 / a
    share = v / phi / np.sum(v / phi)
    maker = np.eye(len(a)) - np.outer(np.ones(len(a)), share)
    expected = np.diag(maker @ np.diag(phi) @ maker.T)
    square = (maker @ m) ** 2 * phi / expected
    by_tau00 = np.sum(v * 0.5 * (square / phi**2 - 1.0 / phi))
    by_sigma2 = np.sum(v * 0.5 * (groups.ss / sigma2**2 - (a - 1.0) / sigma2 + (square / phi**2 - 1.0 / phi) / a))
    return by_tau00 * tau00 / v.sum(), by_sigma2 * sigma2 / np.sum(v * a)


def test_equal_sizes_and_weights_are_reml() -> None:
    for seed in range(20):
        groups = drawn(7, 0.0, seed, theta=0.15)
        n = np.full(7, 20)
        equal = WeightedGroups(n, n.astype(float), np.full(7, 3.7), groups.mean, groups.residual, groups.ss)
        made, reml = fitted(equal), estimate(reduce_sizes(n, groups.mean, groups.residual, groups.ss))
        assert made.tau00 == pytest.approx(reml.tau00, rel=1e-11, abs=1e-15)
        assert made.gamma00 == pytest.approx(reml.gamma00, rel=1e-15)
        if reml.tau00:  # at 0 a pseudo likelihood has no correction of sigma2's alone: R/N, not R/(N - 1)
            assert made.sigma2 == pytest.approx(reml.sigma2, rel=1e-11)


@pytest.mark.parametrize("cv", [0.0, 0.8, 1.5])
def test_the_scores_are_zero_by_the_twin(cv: float) -> None:
    for n_groups in (3, 10, 40):
        for seed in range(8):
            groups = drawn(n_groups, cv, seed, theta=0.4)
            made = fitted(groups)
            by_tau00, by_sigma2 = scores(groups, made.tau00, made.sigma2)
            assert abs(by_tau00) < 1e-12
            assert abs(by_sigma2) < 1e-12
            assert made.singular == (made.tau00 == 0.0)


def test_three_groups_by_hand() -> None:
    """Means 10, 20, 33 of three students each: 266/2 less sigma2/3, where the likelihood has 266/3."""
    groups = WeightedGroups(np.full(3, 3), np.full(3, 3.0), np.full(3, 2.0), np.array([10.0, 20.0, 33.0]), np.zeros(3),
                            np.array([8.0, 6.0, 10.0]))  # fmt: skip
    made = fitted(groups)
    assert made.sigma2 == pytest.approx(4.0, rel=1e-13)
    assert made.tau00 == pytest.approx(133.0 - 4.0 / 3.0, rel=1e-13)


def test_the_deviance_is_the_pseudo_likelihoods_at_the_estimates() -> None:
    groups = drawn(9, 0.8, 3)
    made = fitted(groups)
    spread = made.sigma2 + groups.size * made.tau00
    terms = ((groups.size - 1.0) * math.log(made.sigma2) + groups.size * math.log(2.0 * math.pi) + np.log(spread)
             + groups.ss / made.sigma2 + groups.size * (groups.mean - made.gamma00) ** 2 / spread)  # fmt: skip
    assert made.deviance == pytest.approx(float(groups.count @ terms), rel=1e-12)
    assert made.deviance > pseudo_ml(reduce_weighted(groups)).deviance


def test_no_unit_origin_or_factor_of_the_weights_matters() -> None:
    groups = drawn(9, 1.0, 2)
    made = fitted(groups)
    for shift, factor, weight in ((0.0, 1.0, 7.3), (-1200.0, 1.0, 1.0), (3.0, -25.0, 1e-6), (0.0, 2.0**300, 1.0)):
        other = fitted(changed(groups, shift, factor, weight))
        assert other.tau00 == pytest.approx(factor**2 * made.tau00, rel=1e-9)
        assert other.sigma2 == pytest.approx(factor**2 * made.sigma2, rel=1e-11)


def test_without_variation_between_groups_it_is_0() -> None:
    groups = drawn(8, 0.8, 1)
    alike = WeightedGroups(groups.n, groups.size, groups.count, np.full(8, 5.0), np.zeros(8), groups.ss)
    assert fitted(alike).singular


def test_several_sets_of_weights_at_once() -> None:
    groups = drawn(6, 0.8, 4, theta=1.0)
    count = np.where(np.eye(6, dtype=bool), 0.0, groups.count)
    start = np.array([pseudo_ml(reduce_weighted(without(groups, j))).theta for j in range(6)])
    start[2] = np.nan
    theta, sigma2 = solve(groups.size, count, groups.mean - 500.0, groups.ss, start)
    for j in range(6):
        other = fitted(without(groups, j))
        if j == 2:
            assert np.isnan([theta[j], sigma2[j]]).all()
        else:
            assert (theta[j], sigma2[j]) == pytest.approx((other.theta, other.sigma2), rel=1e-10)


def test_the_jackknife_is_of_corrected_fits() -> None:
    groups = drawn(8, 0.8, 5, theta=1.0)
    made = fitted(groups)
    left = np.array([[x.tau00, x.sigma2] for x in (fitted(without(groups, j)) for j in range(8))])
    true = np.sqrt(7 / 8 * ((left - [made.tau00, made.sigma2]) ** 2).sum(axis=0))
    errors = delete_one(groups, made, corrected=True)
    np.testing.assert_allclose([errors.se_tau00, errors.se_sigma2], true, rtol=1e-9)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="interpreted, 500 fits take half a minute; fewer run above")
def test_the_jackknife_of_many_groups_steps_from_the_corrected_estimates() -> None:
    """The likelihood's steps: within 2 % of the fits of each that are left, whatever the correction."""
    many = drawn(EXACT_TO + 20, 0.5, 1)
    made = fitted(many)
    exact = delete_exactly(many, made, corrected=True)
    whole = math.sqrt(np.sum((exact.tau00 - made.theta) ** 2)) * made.sigma2
    assert delete_one(many, made, corrected=True).se_tau00 == pytest.approx(whole, rel=0.02)


def test_fits_on_request(tmp_path: object) -> None:
    rng = np.random.default_rng(4)
    school = np.repeat(np.arange(12), rng.integers(3, 12, 12))
    v = np.exp(rng.normal(0.0, 0.5, 12))[school]
    y = 500.0 + rng.normal(0.0, 40.0, 12)[school] + rng.normal(0.0, 60.0, len(school))
    rows = {"y": y, "s": school, "t": v * rng.uniform(1.0, 3.0, len(school)), "v": v}
    options = {"weights": "t", "group_weights": "v"}
    plain, made = fastml.fit(rows, "y", "s", **options), fastml.fit(rows, "y", "s", bias="Corrected", **options)
    assert (plain.bias, made.bias) == (None, "corrected")
    assert made.tau00 > plain.tau00
    assert made.to_dict()["bias"] == "corrected"
    assert "tau00 corrected for few schools" in str(made)
    assert "corrected" not in str(plain)
    assert made.scalings().set_index("weight_scaling").loc["size", "tau00"] == made.tau00
    table = fastml.fit_by({**rows, "c": np.ones(len(y), int)}, "y", "s", by="c", bias="corrected", **options)
    assert table.to_dict()[0]["tau00"] == made.tau00
    file = tmp_path / "rows.csv"  # type: ignore[operator]
    pq.write_table(pa.table(rows), file.with_suffix(".parquet"))
    shown = run_here("fit", str(file.with_suffix(".parquet")), "-y", "y", "-g", "s", "--weights", "t", "--group-weights", "v",
                     "--bias", "corrected", "--format", "json")  # fmt: skip
    assert f'"tau00": {made.tau00!r}' in shown.stdout
    with pytest.raises(ArgumentError, match="bias='up' is not one of 'corrected'"):
        fastml.fit(rows, "y", "s", bias="up", **options)
    with pytest.raises(FastmlError, match="bias='corrected' is of weighted fits, and this one has no weights"):
        fastml.fit(rows, "y", "s", bias="corrected")
