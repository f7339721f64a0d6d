"""Draws are fitted as `find_minimum` fits them, or left to it."""

from __future__ import annotations

import numpy as np
import pytest
from tables import changed, simulated, two_scales

from fastml.kernels.likelihood import resample
from fastml.model.variance_components import estimate


@pytest.mark.parametrize("kind", ["plain", "two scales"])
def test_draws_are_fits_or_left_out(kind: str) -> None:
    table = simulated(3, groups=40).table if kind == "plain" else two_scales(1).table
    rng = np.random.default_rng(5)
    variance = 0.5 + 1.0 / table.size
    means = rng.standard_normal((60, table.size.size)) * np.sqrt(variance / table.count)
    sss = 2.0 * variance * rng.standard_gamma(0.5 * (table.count - 1.0), means.shape)
    ssws = rng.chisquare(table.n_obs - table.n_groups, 60)
    grid = np.exp(np.arange(np.log(1e-3 / table.size[-1]), np.log(1e3 / table.size[0]) + 0.5, 0.25))
    out = np.empty((60, 3))
    dof = float(table.n_obs)
    resample.fit_draws(grid, table.columns, means, sss, ssws, dof, False, out)
    left = np.isnan(out[:, 0])
    assert np.count_nonzero(left) < 60
    for b in range(60):
        drawn = changed(table, mean=means[b], ss=sss[b])
        fit = estimate(type(drawn)(drawn.columns, ssws[b], 0.0, 1.0, table.n_obs, table.n_groups), "ml")
        if left[b]:
            continue
        assert fit.optimum.n_optima == 1
        assert out[b] == pytest.approx([fit.theta, fit.sigma2, fit.gamma00], rel=1e-9, abs=1e-12)
