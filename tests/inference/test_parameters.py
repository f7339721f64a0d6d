"""What follows from a parameter follows in its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import fewer
from tables import simulated

from fastml.inference.bootstrap import DRAWS
from fastml.inference.intervals import METHODS, intervals
from fastml.inference.parameters import PARAMETERS, carry
from fastml.model.variance_components import estimate


def test_what_follows_from_a_parameter_follows_in_its_interval() -> None:
    table = simulated(8, theta=0.5).table
    vc = estimate(table)
    for method in METHODS:
        rows = dict(intervals(table, vc, method=method, draws=fewer(DRAWS, times=100, at_least=100), seed=5))
        assert tuple(rows) == PARAMETERS
        assert rows["sigma"].high ** 2 == pytest.approx(rows["sigma2"].high, rel=1e-15)
        assert rows["tau_sd"].low ** 2 == pytest.approx(rows["tau00"].low, rel=1e-15)
        theta = rows["theta"]
        assert rows["icc"].high == theta.high / (1 + theta.high)
        mean_size = table.n_obs / table.n_groups
        assert rows["deff"].low == 1 + rows["icc"].low * (mean_size - 1)
        assert rows["n_eff"].low == pytest.approx(table.n_obs / rows["deff"].high, rel=1e-15)
        assert rows["deft"].high == math.sqrt(rows["deff"].high)
        n = np.repeat(table.size, table.count.astype(int))
        assert rows["reliability"].high == pytest.approx(np.mean(n * theta.high / (1 + n * theta.high)), rel=1e-14)


def test_what_falls_with_theta_swaps_its_limits() -> None:
    table = simulated(8).table
    n_eff = carry(table, "n_eff", (0.0, 1.0), 0.9, "exact", "a note")
    assert n_eff.low < n_eff.high == table.n_obs
    assert (n_eff.level, n_eff.method, n_eff.note) == (0.9, "exact", "a note")
    mean = carry(table, "gamma00", (-1.0, 1.0), 0.9, "t")
    assert tuple(mean) == (table.origin - table.unit, table.origin + table.unit)
