"""Sums of replicate weights against a loop over rows, schools, replicates and plausible values."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from records import read_only

from fastml.kernels.sums.replicates import N_SHARED, accumulate

Floats = npt.NDArray[np.float64]
SCHOOLS, REPLICATES, VALUES = 5, 7, 2


def rows(n: int) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
    """Codes, plausible values and total weights; some rows without a score, or with weight 0 in some replicates."""
    rng = np.random.default_rng(n)
    codes = rng.integers(0, SCHOOLS, n).astype(np.int32)
    values = rng.normal(500.0, 80.0, (VALUES, n))
    values[:, rng.random(n) < 0.1] = math.nan
    totals = rng.uniform(0.5, 2.0, (REPLICATES, n)) * (rng.random((REPLICATES, n)) < 0.7)
    read_only(codes, values, totals)
    return codes, values, totals


def added(codes: Any, values: Floats, totals: Floats, plain: bool, cuts: list[int]) -> tuple[int, Floats, Floats]:
    shift = np.full((SCHOOLS, VALUES), math.nan)
    sums = np.zeros((SCHOOLS, N_SHARED + 2 * VALUES, REPLICATES))
    bad = -1
    for first, last in pairwise(cuts):
        bad = max(bad, int(accumulate(codes, values, totals, plain, first, last, shift, sums)))
    return bad, shift, sums


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 300])
def test_sums_are_those_of_a_loop(n: int, plain: bool) -> None:
    codes, values, totals = rows(n)
    bad, shift, sums = added(codes, values, totals, plain, [0, REPLICATES])
    assert bad == -1
    expected = np.zeros_like(sums)
    first: dict[int, int] = {}
    for i in range(n):
        if totals[0, i] == 0.0 or math.isnan(values[0, i]):
            continue
        c = int(codes[i])
        start = first.setdefault(c, i)
        for r in range(REPLICATES):
            t = totals[r, i]
            u = float(t > 0.0) if plain else t
            expected[c, :N_SHARED, r] += [float(t > 0.0), t, t * t]
            for p in range(VALUES):
                d = values[p, i] - values[p, start]
                expected[c, N_SHARED + 2 * p, r] += u * d
                expected[c, N_SHARED + 2 * p + 1, r] += u * d * d
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-9)
    for c, start in first.items():
        assert shift[c].tolist() == values[:, start].tolist()


def test_replicates_in_parts_have_the_same_bits() -> None:
    codes, values, totals = rows(300)
    whole, parts = (added(codes, values, totals, False, cuts) for cuts in ([0, REPLICATES], [0, 2, 3, REPLICATES]))
    assert whole[2].tobytes() == parts[2].tobytes()


@pytest.mark.parametrize("wrong", [-1.0, math.inf, math.nan])
def test_the_first_bad_weight_of_a_replicate_is_told(wrong: float) -> None:
    codes, values, totals = (array.copy() for array in rows(100))
    row = int(np.flatnonzero((totals[0] > 0.0) & ~np.isnan(values[0]))[3])
    totals[4, row] = wrong
    bad, _, _ = added(codes, values, totals, False, [0, REPLICATES])
    assert divmod(bad, REPLICATES) == (row, 4)
