"""Mixtures of t laws, against scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fastml.inference.mixtures import mixture_of_t


def test_one_law() -> None:
    low, high = mixture_of_t(np.ones(1), np.array([[3.0], [0.0]]), np.array([[2.0], [1.0]]), 7.0, 0.025)
    t = 2.364624251592785  # R: qt(.975, 7)
    assert low == pytest.approx([3 - 2 * t, -t], rel=1e-13)
    assert high == pytest.approx([3 + 2 * t, t], rel=1e-13)


@pytest.mark.parametrize("tail", [0.49, 0.3, 1e-12])
@pytest.mark.parametrize("df", [1.0, 3.0, 1e6])
def test_the_mass_beyond_the_limits(df: float, tail: float) -> None:
    rng = np.random.default_rng(1)
    weight = np.array([0.6, 0.4, 0.0])
    centre, scale = 3.0 * rng.normal(size=(20, 3)), np.exp(2.0 * rng.normal(size=(20, 3)))
    low, high = mixture_of_t(weight, centre, scale, df, tail)
    left = stats.t.cdf((low[:, None] - centre) / scale, df) @ weight
    right = stats.t.sf((high[:, None] - centre) / scale, df) @ weight
    assert left == pytest.approx(np.full(20, tail), rel=1e-9)
    assert right == pytest.approx(np.full(20, tail), rel=1e-9)
