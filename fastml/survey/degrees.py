"""Degrees of freedom of replicates that are columns: how many directions they have, not how many columns there are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["replicate_gram", "replicate_rank"]

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
