"""The naive answers, by hand and from the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastml
from fastml.model.naive import naive_answers


def sample(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(9), rng.integers(2, 12, 9))
    return rng.normal(500.0, 80.0, group.size) + rng.normal(0.0, 40.0, 9)[group], group


@pytest.mark.parametrize("seed", range(3))
def test_from_the_rows(seed: int) -> None:
    y, group = sample(seed)
    fit = fastml.fit({"y": y, "g": group}, "y", "g")
    naive = fit.naive
    means = np.array([y[group == g].mean() for g in range(9)])
    close = {"rel": 1e-12}
    assert naive.mean_of_students == pytest.approx(y.mean(), **close)
    assert naive.mean_of_groups == pytest.approx(means.mean(), **close)
    assert naive.variance_of_means == pytest.approx(means.var(ddof=1), **close)
    assert naive.se_ignoring_groups == pytest.approx(y.std(ddof=1) / math.sqrt(y.size), **close)
    assert naive.error_variance == pytest.approx(fit.sigma2 / (y.size / 9), **close)
    assert naive.se_of_mean == pytest.approx(np.sqrt(fit.sigma2 / np.bincount(group)), **close)
    assert naive.se_gamma00 == fit.se_gamma00
    assert naive.one_sd_gap == pytest.approx(naive.one_sd_above - naive.one_sd_below, **close)
    assert naive.range_high - naive.range_low == pytest.approx(2 * 1.959963984540054 * fit.tau_sd, **close)
    assert set(naive.to_dict()) == set(vars(naive)) - {"error_variance_of_mean", "se_of_mean"}


def test_weights_of_one_change_nothing_and_weights_of_two_are_groups_twice() -> None:
    y, group = sample(7)
    stats = fastml.group_stats({"y": y, "g": group}, "y", "g")
    groups = stats.groups()
    from fastml.model.size_table import reduce_sizes
    from fastml.model.variance_components import estimate

    vc = estimate(reduce_sizes(groups.n, groups.mean, groups.residual, groups.ss))
    size = groups.n.astype(float)
    assert naive_answers(groups, vc).to_dict() == naive_answers(groups, vc, size, np.ones(9)).to_dict()
    heavy = np.where(np.arange(9) == 0, 2.0, 1.0)
    found = naive_answers(groups, vc, size, heavy)
    assert found.mean_of_groups == pytest.approx(np.average(groups.mean, weights=heavy), rel=1e-13)
    assert found.mean_of_students == pytest.approx(np.average(groups.mean, weights=heavy * size), rel=1e-13)
