"""Exact null distribution of the restricted likelihood-ratio test of tau00 = 0, by simulation on its spectrum."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fastml.inference.draws import check_draws, generator
from fastml.model.size_table import SizeTable

__all__ = ["DRAWS", "null_draws"]

Floats = npt.NDArray[np.float64]

DRAWS = 10_000
_CHUNK = 1 << 19  # cells of draws x eigenvalues simulated at a time: 4 MB


def null_draws(table: SizeTable, draws: int = DRAWS, seed: int | np.random.Generator | None = None) -> Floats:
    """Draws from the exact null distribution of the restricted likelihood-ratio statistic of tau00 = 0.

    Parameters
    ----------
    table : SizeTable
        Only the sizes matter.
    draws : int
    seed : int, numpy.random.Generator or None

    Returns
    -------
    ndarray, shape (draws,)

    Notes
    -----
    Crainiceanu and Ruppert (2004, JRSS B 66, 165-185): the supremum over theta of (N - 1) log(1 + N(theta)/D(theta))
    - sum log(1 + theta mu), with mu the eigenvalues of diag(n) - nn'/N. Groups of one size share an eigenvalue and
    need one chi-square between them.
    """
    from fastml.kernels.likelihood import rlrt

    check_draws(draws, 1)
    rng = generator(seed)
    roots = np.empty(table.size.size - 1)
    rlrt.within_roots(table.size, table.count, roots)
    shared = table.count > 1.0
    eigenvalues = np.concatenate((table.size[shared], roots))
    multiplicity = np.concatenate((table.count[shared] - 1.0, np.ones(roots.size)))
    largest = float(eigenvalues.max())
    low = math.log(1e-2 / (largest * math.sqrt(table.n_groups)))
    high = math.log(1e2 / float(eigenvalues.min()))
    grid = np.exp(np.linspace(low, high, max(3, math.ceil((high - low) / 0.25))))
    x = np.outer(eigenvalues, grid)
    explained = x / (1.0 + x)
    logs = multiplicity @ np.log1p(x)
    dof = float(table.n_obs - 1)
    out = np.empty(draws)
    step = max(1, _CHUNK // eigenvalues.size)
    blocks = int(np.count_nonzero(shared))
    for start in range(0, draws, step):
        part = out[start : start + step]
        squares = np.empty((part.size, eigenvalues.size))
        squares[:, :blocks] = rng.standard_gamma(0.5 * multiplicity[:blocks], (part.size, blocks))
        squares[:, :blocks] *= 2.0
        np.square(rng.standard_normal((part.size, roots.size)), out=squares[:, blocks:])
        within = 2.0 * rng.standard_gamma(0.5 * (table.n_obs - table.n_groups), part.size)
        totals = within + squares.sum(axis=1)
        heights = -dof * np.log1p(-(squares @ explained) / totals[:, None]) - logs
        rlrt.suprema(grid, eigenvalues, multiplicity, heights, squares, totals, dof, part)
    return out
