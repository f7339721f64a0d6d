"""School means against the conditional law of the dense normal model."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from tables import simulated

from fastml.model.groups import Groups
from fastml.model.icc import reliabilities
from fastml.model.shrinkage import school_means
from fastml.model.variance_components import estimate


def test_reliabilities_at_the_ends() -> None:
    assert reliabilities([1, 10, 100], 0.0).tolist() == [0.0, 0.0, 0.0]
    assert reliabilities(4, 0.25) == 0.5
    assert reliabilities(np.array([5, 5]), np.array([0.2, 1.0])) == pytest.approx([0.5, 5 / 6])


@pytest.mark.parametrize("seed", range(4))
def test_against_the_dense_normal_law(seed: int) -> None:
    """Means and errors of u given the scores, by the joint covariance matrix of all group means."""
    made = simulated(seed, theta=0.6)
    groups = Groups(pa.table({"g": np.arange(len(made.n))}), made.n, made.shift, made.residual, made.ss)
    vc = estimate(made.table)
    found = school_means(groups, vc)
    mean = made.shift + made.residual
    v = np.diag(vc.tau00 + vc.sigma2 / made.n)
    inverse = np.linalg.inv(v)
    one = np.ones(len(made.n))
    variance = 1.0 / (one @ inverse @ one)
    gamma = variance * (one @ inverse @ mean)
    u = vc.tau00 * inverse @ (mean - gamma)
    assert found.u == pytest.approx(u, rel=1e-9, abs=1e-12)
    assert found.eb_mean == pytest.approx(gamma + u, rel=1e-9, abs=1e-12)
    conditional = vc.tau00 - vc.tau00**2 * np.diag(inverse)
    assert found.cond_se == pytest.approx(np.sqrt(conditional), rel=1e-9)
    rest = 1.0 - vc.tau00 * np.diag(inverse)
    assert found.eb_se == pytest.approx(np.sqrt(conditional + rest**2 * variance), rel=1e-9)
    assert abs(found.u.sum()) < 1e-9 * np.abs(found.u).sum() + 1e-300
    assert found.se_mean == pytest.approx(math.sqrt(vc.sigma2) / np.sqrt(made.n), rel=1e-14)
