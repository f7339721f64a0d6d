"""Inverses of information matrices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["scaled_inverse"]

Floats = npt.NDArray[np.float64]


def scaled_inverse(matrix: Floats) -> Floats:
    """Inverse of a symmetric matrix whose diagonal may span many powers of ten.

    Parameters
    ----------
    matrix : ndarray, shape (k, k)
        Definite, positive or negative.

    Returns
    -------
    ndarray, shape (k, k)
    """
    scale = np.sqrt(np.abs(np.diag(matrix)))
    inverse: Floats = np.linalg.inv(matrix / np.outer(scale, scale)) / np.outer(scale, scale)
    return inverse
