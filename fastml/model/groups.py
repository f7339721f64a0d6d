"""Groups: what the data side hands to the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Groups"]


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
