"""Groups by size, against NumPy group by group."""

from __future__ import annotations

import math

import numpy as np

from fastml.kernels.likelihood import by_size


def test_two_parts_and_an_empty_one() -> None:
    n = np.array([3.0, 2.0, 3.0, 2.0, 5.0])
    groups = np.stack([n, [1.0, 2.0, 5.0, 4.0, 9.0], np.zeros(5), [4.0, 6.0, 0.5, 1.0, 8.0]])
    order, edges = np.array([1, 0, 2, 3, 4]), np.array([0, 3, 3, 5])
    columns, offsets, figures = np.zeros((4, 6)), np.empty(4, np.int64), np.empty((3, by_size.N_FIGURES))
    by_size.group_by_size(order, edges, groups, 1e50, np.empty(groups.shape[1]), columns, offsets, figures)
    assert offsets.tolist() == [0, 2, 2, 4]
    assert columns[:2, :4].tolist() == [[2.0, 3.0, 2.0, 5.0], [1.0, 2.0, 1.0, 1.0]]
    for k, mine in ((0, [0, 1, 2]), (2, [3, 4])):
        ssw, origin, low, high, unit, spread, n_obs = figures[k]
        assert (low, high, n_obs) == (groups[1, mine].min(), groups[1, mine].max(), n[mine].sum())
        assert origin == groups[1, mine].mean()
        assert ssw * unit**2 == groups[3, mine].sum()
        assert spread * unit == np.abs(groups[1, mine] - origin).max()
    origin, unit = figures[0, 1], figures[0, 4]
    values = (np.array([1.0, 5.0]) - origin) / unit
    assert columns[2, 1] == values.mean()
    assert columns[3, 1] == np.sum((values - values.mean()) ** 2)
    assert math.isnan(figures[1, 1])
    assert figures[1, 6] == 0.0


def test_what_is_too_far_is_cut() -> None:
    groups = np.stack([[2.0, 2.0], [0.0, math.inf], [0.0, 0.0], [1.0, 1.0]])
    columns, offsets, figures = np.zeros((4, 1)), np.empty(2, np.int64), np.empty((1, by_size.N_FIGURES))
    by_size.group_by_size(
        np.array([0, 1]), np.array([0, 2]), groups, 1e50, np.empty(groups.shape[1]), columns, offsets, figures
    )
    assert figures[0, 5] == 1e50
    assert np.isfinite(columns).all()
