"""Rubin's rules: what plausible values add to the variance of an estimate, and the degrees of freedom that leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["barnard_rubin"]

Floats = npt.NDArray[np.float64]


@np.errstate(divide="ignore", invalid="ignore")
def barnard_rubin(sampling: Any, imputation: Any, m: Any, complete: Any) -> Floats:
    """Degrees of freedom of pooled estimates.

    Parameters
    ----------
    sampling, imputation : float or ndarray, shape (C,)
        U and B.
    m : int or ndarray, shape (C,)
        Plausible values M.
    complete : float or ndarray, shape (C,)
        Degrees of freedom without missing information; may be infinite.

    Returns
    -------
    ndarray, shape (C,), of one number without dimension
        1/(1/old + 1/observed), old = (M - 1)/lambda^2, observed = complete (complete + 1)/(complete + 3) (1 - lambda),
        lambda = (1 + 1/M) B/T (Barnard and Rubin 1999, Biometrika 86, 948-955). `complete` for one value.

    Examples
    --------
    >>> round(float(barnard_rubin(2.0, 1.0, 5, 75.0)), 3)
    17.528
    """
    given = (np.asarray(x, np.float64) for x in (sampling, imputation, complete))
    u, b, complete = np.broadcast_arrays(*given)
    total = u + (1.0 + 1.0 / m) * b
    share = (1.0 + 1.0 / m) * b / total
    finite = np.where(np.isinf(complete), 1.0, (complete + 1.0) / (complete + 3.0))
    observed = (1.0 - share) * (finite * complete)
    old = (m - 1) / share**2
    found = np.where(np.isinf(complete), old, old * observed / (old + observed))
    found = np.where(observed == 0.0, 0.0, np.where(share == 0.0, observed, found))
    found = np.where(total == 0.0, complete, np.where(np.isnan(total), np.nan, found))
    return np.asarray(np.where(np.equal(m, 1), complete, found), np.float64)
