"""Degrees of freedom of replicates: of columns their directions; of zones, on request, by how much these differ."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["johnson_rust", "replicate_gram", "replicate_rank"]

Floats = npt.NDArray[np.float64]

# Of a direction's size to the largest; R's survey has the same.
_TOLERANCE = 1e-5


def replicate_gram(totals: Floats, full: Floats) -> Floats:
    """Inner products of the replicates' factors t^r/t: what their rank is found from, and what adds over batches.

    Parameters
    ----------
    totals : ndarray, shape (R, K)
        Weight of each school, or of each row, under every replicate.
    full : ndarray, shape (K,)
        The same in the full sample; those of 0 count nothing.

    Returns
    -------
    ndarray, shape (R, R)
    """
    factors = np.divide(totals, full, out=np.zeros(totals.shape), where=full > 0.0)
    return factors @ factors.T


def replicate_rank(gram: Floats) -> int:
    """Rank of the replicates, of which a standard error has one less as its degrees of freedom.

    Parameters
    ----------
    gram : ndarray, shape (R, R)
        Of `replicate_gram`; grams of several batches add.

    Returns
    -------
    int
        Number of directions that are above 1e-5 of the largest (as ``degf`` of R's survey has it): 80 columns of Fay
        for 10 strata of two schools have 11.

    Examples
    --------
    >>> import numpy as np
    >>> signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])  # two strata of two schools in four half-samples
    >>> factors = 1.0 + 0.5 * np.repeat(signs, 2, axis=1) * np.array([1, -1, 1, -1])
    >>> replicate_rank(replicate_gram(factors, np.ones(4)))
    3
    """
    if not gram.any():
        return 0
    squares = np.linalg.eigvalsh(gram)
    return int(np.count_nonzero(squares > _TOLERANCE**2 * squares[-1]))


def johnson_rust(terms: Floats) -> Floats:
    """Degrees of freedom of a jackknife from what its zones add to a variance: more unequal, fewer.

    Parameters
    ----------
    terms : ndarray, shape (Z, ...)
        Squared deviations of each zone's replicate, or their sum over its two.

    Returns
    -------
    ndarray, shape (...)
        (3.16 - 2.77/sqrt(Z)) times Welch and Satterthwaite's (sum of terms)^2/sum of their squares, which is too low by
        that factor on average (Johnson and Rust 1992, Proc. Surv. Res. Methods Sect., ASA); so EdSurvey. Z where all
        terms are 0.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(johnson_rust(np.full(25, 2.0))), 2)
    65.15
    """
    n_zones = len(terms)
    total, squares = terms.sum(axis=0), (terms**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (3.16 - 2.77 / math.sqrt(n_zones)) * total**2 / squares
    return np.where(squares == 0.0, float(n_zones), found)
