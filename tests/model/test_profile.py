"""The minima of a deviance against a fine grid; where to look for them, table by table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tables import simulated, two_scales

from fastml.model.profile import evaluate_many, find_minimum, search_ranges


@pytest.mark.parametrize("seed", range(6))
def test_every_minimum_of_a_fine_grid_is_found(seed: int) -> None:
    table = two_scales(seed).table
    dof = float(table.n_obs)
    grid = np.concatenate(([0.0], np.exp(np.arange(-14.0, 8.0, 0.01))))
    rows = evaluate_many(table.columns, grid, 0.0, table.ssw, dof, False)
    heights = np.concatenate(([math.inf], rows[:, 9], [math.inf]))
    lowest = grid[(heights[1:-1] < heights[:-2]) & (heights[1:-1] < heights[2:])]
    found = find_minimum(table.columns, table.ssw, dof, False)
    assert found is not None
    assert found.evaluations >= len(found.thetas) == len(lowest)
    assert found.theta == found.thetas[np.argmin(found.relative)]
    for theta, near in zip(found.thetas, lowest, strict=True):
        assert theta == near == 0.0 or abs(math.log(theta / near)) < 0.02


@pytest.mark.parametrize("restricted", [True, False])
def test_the_range_of_a_table_is_its_own_and_its_deviance_rises_beyond(restricted: bool) -> None:
    tables = [simulated(seed, groups=12).table for seed in range(5)]
    offsets = np.cumsum(
        [0, *(table.columns.shape[1] for table in tables[:3]), 0, *(t.size.size for t in tables[3:]), 0]
    )
    columns = np.concatenate([table.columns for table in tables], axis=1)
    tables.insert(3, tables[0])  # stands for the two without columns
    tables.append(tables[0])
    ssw = np.array([table.ssw for table in tables])
    dof = np.array([float(table.n_obs - restricted) for table in tables])
    ranges = search_ranges(columns, offsets, ssw, dof, restricted)
    assert np.isnan(ranges[[3, 6]]).all()
    for k in (0, 1, 2, 4, 5):
        table = tables[k]
        alone = search_ranges(table.columns, np.array([0, table.size.size]), ssw[k : k + 1], dof[k : k + 1], restricted)
        np.testing.assert_array_equal(alone[0], ranges[k])
        low, high = np.exp(ranges[k])
        slopes = evaluate_many(table.columns, np.array([0.0, low, high]), 0.0, table.ssw, dof[k], restricted)[:, 10]
        assert slopes[1] == pytest.approx(slopes[0], rel=0.02, abs=0.02 * abs(table.n_obs))
        assert slopes[2] > 0.0


def test_no_range_without_tables() -> None:
    assert search_ranges(np.empty((4, 0)), np.zeros(1, np.int64), np.empty(0), np.empty(0), True).shape == (0, 2)
