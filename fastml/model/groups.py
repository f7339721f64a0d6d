"""Groups: what the data side hands to the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Groups", "WeightedGroups"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """One outcome's groups, those with observations.

    Attributes
    ----------
    labels : pyarrow.Table
        A row per group (J), the group's key columns.
    n : ndarray of int64, shape (J,)
        Observations.
    mean, residual : ndarray, shape (J,)
        Group means, and what the mean is more than that double.
    ss : ndarray, shape (J,)
        Sum of squares about the mean.
    """

    labels: pa.Table
    n: Int64s
    mean: Floats
    residual: Floats
    ss: Floats


@dataclass(frozen=True, eq=False)
class WeightedGroups:
    """Groups as the weighted likelihood sees them; all arrays have shape (J,).

    Attributes
    ----------
    n : ndarray of int64
        Rows.
    size : ndarray
        A, the sum of the scaled conditional weights.
    count : ndarray
        v, the group's weight.
    mean, residual : ndarray
        Weighted mean, and what it is more than that double.
    ss : ndarray
        S, the weighted sum of squares about the mean.
    """

    n: npt.NDArray[np.int64]
    size: Floats
    count: Floats
    mean: Floats
    residual: Floats
    ss: Floats
