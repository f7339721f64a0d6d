"""What the likelihood of a set of groups can't have, said in one line that is true; group means at any offset."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import fewer
from tables import changed, two_scales

import fastml
from fastml import FastmlError, GroupStats
from fastml.kernels.likelihood import profile
from fastml.model.profile import evaluate_many, find_minimum
from fastml.model.size_table import SizeTable, check_groups
from fastml.model.variance_components import Terms


def test_constant_groups_far_apart_are_not_called_constant_data() -> None:
    # Beyond 1e50 within-group standard deviations the means are not told apart, but they do differ.
    for factor in (1e120, -1e120):
        with pytest.raises(FastmlError, match="constant inside every group"):
            fastml.fit({"y": factor * np.array([1.0, 1.0, 2.0, 2.0]), "g": [1, 1, 2, 2]}, "y", "g")


@pytest.mark.parametrize("size", [1e-155, 1e-161])
def test_squares_below_the_smallest_doubles_are_refused(size: float) -> None:
    # Their sum of squares keeps a few digits at most, or none.
    with pytest.raises(FastmlError, match="too small to square"):
        fastml.fit({"y": [-size, size] * 4, "g": [1, 1, 2, 2, 3, 3, 4, 4]}, "y", "g")
    near = GroupStats.from_summary(group=[1, 2], n=[5, 6], mean=[1e-139, 1e-139 * (1 + 1e-14)], sd=[size, size])
    with pytest.raises(FastmlError, match="too small to square"):
        fastml.fit(near)


def test_a_large_common_part_costs_the_random_effects_no_digit() -> None:
    rng = np.random.default_rng(8)
    group = np.repeat(np.arange(12), rng.integers(2, 9, 12))
    y = np.round(2**10 * (rng.normal(size=group.size) + rng.normal(size=12)[group])) / 2**10  # exact after a shift
    near, far = (fastml.fit({"y": y + shift, "g": group}, "y", "g").groups()["u"] for shift in (0.0, 2.0**40))
    np.testing.assert_allclose(far, near, rtol=1e-12)
    assert abs(far.sum()) < 1e-14 * abs(far).sum()


def scores(table: SizeTable, thetas: np.ndarray) -> np.ndarray:
    """Derivative of the restricted deviance by log theta, at many thetas."""
    found = evaluate_many(table.columns, thetas, 0.0, table.ssw, 1.0, False)
    terms = Terms(*found[:, : profile.N_TERMS].T)
    return thetas * (terms.w1 - (table.n_obs - 1) * terms.q2 / terms.r - terms.w2 / terms.w1)


def minima(table: SizeTable) -> np.ndarray:
    """Thetas of the local minima that are found."""
    found = find_minimum(table.columns, table.ssw, float(table.n_obs - 1), True)
    return np.empty(0) if found is None else found.thetas


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("depth", [3e-4, 1e-3])
@pytest.mark.parametrize("shift", [0.08, 0.0, 0.16][: fewer(3, times=3, at_least=1)])
def test_two_roots_between_two_points_of_the_grid_are_found(side: str, depth: float, shift: float) -> None:
    """The score only just crosses zero twice: by bisection of the spread of the small groups, to where it touches."""
    table = two_scales(4).table
    # The grid begins at a share of the largest size: so the roots come to lie elsewhere between its points.
    table = changed(table, size=table.size * np.array([1.0, math.exp(-shift)]))
    grid = np.exp(np.arange(math.log(5e-4), math.log(3.0), 0.004))
    extreme = np.min if side == "above" else np.max

    def spread(factor: float) -> SizeTable:
        return changed(table, ss=table.ss * np.array([factor, 1.0]))

    def touch(factor: float) -> float:
        """How far the score is from zero where it comes nearest: its dip above zero, or its hump below."""
        near = grid[grid > 0.05] if side == "above" else grid[grid < 0.05]
        return float(extreme(scores(spread(factor), near)))

    low, high = (0.2, 0.4) if side == "above" else (1.4, 2.2)
    wanted = -depth if side == "above" else depth
    for _ in range(24):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if touch(middle) > wanted else (low, middle)
    near = spread(0.5 * (low + high))
    values = scores(near, grid)
    rising = grid[:-1][(values[:-1] < 0.0) & (values[1:] >= 0.0)]
    falling = grid[:-1][(values[:-1] > 0.0) & (values[1:] <= 0.0)]
    (between,) = falling
    assert 0.0 < np.abs(np.log(rising / between)).min() < 0.25 / 2.0  # the grid's step is 0.25
    found = minima(near)
    for root in rising:
        assert np.any((root <= found) & (found < root * math.exp(0.004)))


FINE = {"n_groups": 3, "n_obs": 9, "ssw": 6.0, "same_mean": False, "largest": 5.0, "spread": 2.0, "unit": 1.0}


@pytest.mark.parametrize(("change", "message"), [
    ({"n_groups": 0, "n_obs": 0}, "there are no observations to fit"),
    ({"n_groups": 1}, "there is one group only"),
    ({"n_obs": 3}, "every one of the 3 groups has a single observation"),
    ({"ssw": np.inf}, "too large for double precision"),
    ({"largest": 1e300}, "too large for double precision"),
    ({"spread": 1e20, "unit": 1e134}, "too large for double precision"),
    ({"ssw": 1e-310, "largest": 1e-150}, r"too small to square .*means up to 1e-150"),
    ({"ssw": 1e-310}, r"too small to square .*sum of squares within groups 1e-310"),
    ({"ssw": 0.0, "same_mean": True}, "the same value in every row"),
    ({"ssw": 0.0}, "constant inside every group"),
    ({"spread": 1e50}, "so much more between groups than within them"),
    ({"spread": np.nan}, "so much more between groups than within them"),
])  # fmt: skip
def test_why_there_is_no_maximum(change: dict[str, float], message: str) -> None:
    check_groups(**FINE)
    with pytest.raises(FastmlError, match=message):
        check_groups(**{**FINE, **change})
