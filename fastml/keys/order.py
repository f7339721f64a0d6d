"""The order of labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.io.arrays import as_numpy
from fastml.kernels.sorting import integer_order

__all__ = ["sort_order"]

Int64s = npt.NDArray[np.int64]


def sort_order(labels: Sequence[pa.Array]) -> Int64s:
    """Order that sorts combinations of labels, column by column: numbers by value, strings by bytes, nulls last.

    Parameters
    ----------
    labels : sequence of pyarrow.Array, each of length C

    Returns
    -------
    ndarray of int64, shape (C,)
    """
    if len(labels) == 1:
        numbers = labels[0]
        if pa.types.is_signed_integer(numbers.type) and not numbers.null_count:
            # Files are often sorted; and NumPy sorts integers several times as fast.
            values = as_numpy(numbers)
            return np.arange(len(values)) if (values[1:] >= values[:-1]).all() else integer_order(values)
    # Late: importing it takes 20 ms.
    import pyarrow.compute as pc

    if len(labels) == 1:
        order = pc.array_sort_indices(labels[0])
    else:
        table = pa.table({str(i): column for i, column in enumerate(labels)})
        order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
    return as_numpy(order).view(np.int64)
