"""What theta = tau00/sigma2 says of a sample: intraclass correlation, design effect, reliability of its means."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["design_effect", "icc_of", "reliabilities"]

Floats = npt.NDArray[np.float64]
_F = TypeVar("_F", float, Floats)


def icc_of(theta: _F) -> _F:
    """Intraclass correlation tau00/(tau00 + sigma2), the share of variance between groups.

    Parameters
    ----------
    theta : float or ndarray
        tau00/sigma2.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> icc_of(0.25)
    0.2
    """
    return theta / (1.0 + theta)


def design_effect(icc: _F, size: Any) -> _F:
    """Design effect 1 + icc (size - 1) of the mean of a clustered sample (Kish 1965).

    Parameters
    ----------
    icc : float or ndarray
    size : float or ndarray
        Mean group size N/J, or another one that stands for it (sum n^2/N, say).

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> round(design_effect(0.2, 26.0), 12)
    6.0
    """
    effect: _F = 1.0 + icc * (size - 1.0)
    return effect


def reliabilities(n: npt.ArrayLike, theta: npt.ArrayLike) -> Floats:
    """Reliability of a mean of n observations, n theta/(1 + n theta).

    Parameters
    ----------
    n : array_like
    theta : float or array_like
        tau00/sigma2, one or one for each n.

    Returns
    -------
    ndarray, of the shape of `n`

    Examples
    --------
    >>> reliabilities([1, 30], 1.0).round(3).tolist()
    [0.5, 0.968]
    """
    information = np.multiply(n, theta, dtype=np.float64)
    share: Floats = information / (1.0 + information)
    return share
