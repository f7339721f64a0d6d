"""Eigenvalues and suprema, against dense matrices and a fine grid."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from tables import simulated, two_scales

from fastml.model.size_table import SizeTable


def dense_eigenvalues(table: SizeTable) -> np.ndarray:
    n = np.repeat(table.size, table.count.astype(int))
    return np.linalg.eigvalsh(np.diag(n) - np.outer(n, n) / n.sum())[1:]


@pytest.mark.parametrize("seed", range(6))
def test_eigenvalues(seed: int) -> None:
    from fastml.kernels.likelihood import rlrt

    table = simulated(seed, groups=5 + 10 * seed, largest=9).table
    roots = np.empty(table.size.size - 1)
    rlrt.within_roots(table.size, table.count, roots)
    ours = np.sort(np.concatenate((roots, np.repeat(table.size, (table.count - 1).astype(int)))))
    assert ours == pytest.approx(dense_eigenvalues(table), rel=1e-11)


def test_an_eigenvalue_between_two_sizes_far_apart_keeps_every_digit() -> None:
    from fastml.kernels.likelihood import rlrt

    # Of c n/(n - x) + d m/(m - x) = 0, in fractions.
    for (n, c), (m, d) in (((3, 917297), (7707295, 872095)), ((1, 1), (10**7, 10**6)), ((4, 41), (13422, 47))):
        roots = np.empty(1)
        rlrt.within_roots(np.array([n, m], float), np.array([c, d], float), roots)
        assert roots[0] == pytest.approx(float(Fraction(n * m * (c + d), c * n + d * m)), rel=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_suprema_against_a_fine_grid(seed: int) -> None:
    from fastml.kernels.likelihood import rlrt

    rng = np.random.default_rng(seed)
    table = (two_scales(seed) if seed == 3 else simulated(seed, groups=3 + 5 * seed)).table
    roots = np.empty(table.size.size - 1)
    rlrt.within_roots(table.size, table.count, roots)
    shared = table.count > 1
    mu = np.concatenate((table.size[shared], roots))
    freedom = np.concatenate((table.count[shared] - 1, np.ones(roots.size)))
    squares = rng.chisquare(freedom, (400, mu.size))
    totals = squares.sum(axis=1) + rng.chisquare(table.n_obs - table.n_groups, 400)
    dof = float(table.n_obs - 1)

    def heights(grid: np.ndarray) -> np.ndarray:
        x = np.outer(mu, grid)
        return -dof * np.log1p(-(squares @ (x / (1 + x))) / totals[:, None]) - freedom @ np.log1p(x)

    coarse = np.exp(np.arange(math.log(1e-3 / mu.max()), math.log(1e2 / mu.min()), 0.25))
    out = np.empty(400)
    rlrt.suprema(coarse, mu, freedom, heights(coarse), squares, totals, dof, out)
    fine = np.exp(np.arange(math.log(1e-7 / mu.max()), math.log(1e5 / mu.min()), 0.004))
    slow = np.maximum(0.0, heights(fine).max(axis=1))
    assert np.all(out >= slow - 1e-12)
    assert np.all(out - slow < 1e-4)
