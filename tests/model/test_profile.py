"""The minima of a deviance against a fine grid; where to look for them, table by table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tables import simulated, two_scales

from fastml.model.batch import BatchTables, fit_batch
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
        rows = evaluate_many(table.columns, np.array([0.0, low, high]), 0.0, table.ssw, dof[k], restricted)
        _, w1, _, _, r, q2 = rows[0, :6]
        # Each weight is a thousandth smaller there at most; the score has their sum and, in q2/r, their squares.
        assert abs(rows[1, 10] - rows[0, 10]) < 0.003 * (w1 + dof[k] * q2 / r)
        assert rows[2, 10] > 0.0


def test_no_range_without_tables() -> None:
    assert search_ranges(np.empty((4, 0)), np.zeros(1, np.int64), np.empty(0), np.empty(0), True).shape == (0, 2)


def test_columns_without_weight_and_what_is_no_number_do_not_move_the_range() -> None:
    table = simulated(3, groups=12).table
    plain = find_minimum(table.columns, table.ssw, 99.0, True)
    ends, one = np.array([0, table.size.size]), (np.array([table.ssw]), np.array([99.0]))
    ranges = search_ranges(table.columns, ends, *one, True)
    empty = np.array([[table.size[0]], [0.0], [math.nan], [0.0]])
    wider = np.concatenate([table.columns, empty], axis=1)
    np.testing.assert_array_equal(search_ranges(wider, np.array([0, wider.shape[1]]), *one, True), ranges)
    assert plain is not None
    assert ranges[0, 0] < math.log(plain.theta) < ranges[0, 1]


def test_a_table_without_weight_has_no_minimum() -> None:
    """A replicate may leave out every school of a country; it is no warning either."""
    nothing = np.zeros((4, 3))
    assert find_minimum(nothing, 5.0, 50.0, True) is None
    fits = fit_batch(BatchTables(np.array([0, 3]), nothing, np.array([5.0]), np.array([50.0])))
    assert np.isnan([fits.theta[0], fits.gamma[0], fits.sigma2[0]]).all()
