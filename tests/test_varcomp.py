"""What the likelihood of a set of groups can't have, said in one line that is true; group means at any offset."""

from __future__ import annotations

import numpy as np
import pytest

import fastml
from fastml import FastmlError, GroupStats


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
