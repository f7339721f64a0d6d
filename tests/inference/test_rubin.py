"""Barnard and Rubin's degrees of freedom against figures worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastml.inference.rubin import barnard_rubin


@pytest.mark.parametrize(
    ("sampling", "imputation", "m", "complete", "df"),
    [
        # lambda = 3/8: old 256/9, observed (76/78) 75 (5/8) = 45.67307..., together 17.5279...
        (5.0, 2.5, 5, 75.0, 1.0 / (9.0 / 256.0 + 78.0 / (76.0 * 75.0 * 0.625))),
        # lambda = 1.1/2 by M = 10, U = 0.9, B = 1: old 9/0.3025, observed 80 (81/83) 0.45.
        (0.9, 1.0, 10, 80.0, 1.0 / (0.3025 / 9.0 + 83.0 / (81.0 * 80.0 * 0.45))),
        # No variance between plausible values: the observed df alone, 75 x 76/78.
        (5.0, 0.0, 5, 75.0, 75.0 * 76.0 / 78.0),
        # No sampling variance: lambda = 1, nothing observed.
        (0.0, 1.0, 5, 75.0, 0.0),
        # One value: nothing is imputed.
        (5.0, 0.0, 1, 75.0, 75.0),
        (5.0, 0.0, 5, math.inf, math.inf),
    ],
)
def test_barnard_rubin_by_hand(sampling: float, imputation: float, m: int, complete: float, df: float) -> None:
    if sampling == 0.0 and imputation > 0.0:
        lam = 1.0
        assert barnard_rubin(sampling, imputation, m, complete) == pytest.approx(0.0, abs=1e-12), lam
    else:
        assert barnard_rubin(sampling, imputation, m, complete) == pytest.approx(df, rel=1e-14)


def test_many_at_once_are_each_as_alone() -> None:
    sampling, imputation = np.array([5.0, 0.9, 5.0, 0.0]), np.array([2.5, 1.0, 0.0, 0.0])
    complete = np.array([75.0, 80.0, math.inf, 12.0])
    alone = [float(barnard_rubin(*x, 5, c)) for *x, c in zip(sampling, imputation, complete, strict=True)]
    np.testing.assert_array_equal(barnard_rubin(sampling, imputation, 5, complete), alone)
    assert np.isnan(barnard_rubin(math.nan, 1.0, 5, 75.0))
