"""The pass over the rows for replicate weights that are columns of the file.

For every school, replicate r and plausible value p: rows of positive weight, and the sums of t, t^2, t d and t d^2,
d being the score less the first one seen in the school. One row touches one school's record, replicates side by side.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from fastml.kernels.jit import I4_IN, TABLE_IN, TABLE_OUT, kernel

__all__ = ["N_SHARED", "accumulate"]

N_SHARED = 3  # fields before those of the plausible values: rows, sum t, sum t^2
_BLOCK = 64
_SUMS = types.Array(types.float64, 3, "C")


@kernel(I4_IN, TABLE_IN, TABLE_IN, types.boolean, types.int64, types.int64, TABLE_OUT, _SUMS)
def accumulate(codes, values, totals, plain, first, last, shift, sums):
    """Add rows to the records of replicates `first` to `last`.

    `values` (M, n): the plausible values, NaN in all where a row is missing. `totals` (R, n): total weights, row 0
    those of the full sample; a row of weight 0 there is left out of every replicate. `shift` (C, M): first values,
    NaN where none was seen. `sums` (C, 3 + 2 M, R): rows, sum t, sum t^2, then sum u d and sum u d^2 of each
    plausible value, with u = t, or 1 where t > 0 if `plain`.

    Returns the first row, as row R + replicate of a flat index, whose weight is negative, infinite or missing; -1 if
    there is none.
    """
    n_rows = codes.shape[0]
    n_values = values.shape[0]
    width = last - first
    block = np.empty((_BLOCK, width))
    for start in range(0, n_rows, _BLOCK):
        stop = min(start + _BLOCK, n_rows)
        for r in range(width):
            column = totals[first + r]
            for i in range(start, stop):
                block[i - start, r] = column[i]
        for i in range(start, stop):
            if not totals[0, i] > 0.0 or values[0, i] != values[0, i]:
                continue
            c = codes[i]
            t = block[i - start]
            wrong = 0
            for r in range(width):
                wrong += 0 if 0.0 <= t[r] < math.inf else 1
            if wrong > 0:
                for r in range(width):
                    if not 0.0 <= t[r] < math.inf:
                        return i * totals.shape[0] + first + r
            # Slices, so that the loops over r are plain ones, which vectorise.
            rows, one, two = sums[c, 0, first:last], sums[c, 1, first:last], sums[c, 2, first:last]
            for r in range(width):
                rows[r] += 1.0 if t[r] > 0.0 else 0.0
                one[r] += t[r]
                two[r] += t[r] * t[r]
            if plain:
                for r in range(width):
                    t[r] = 1.0 if t[r] > 0.0 else 0.0
            for p in range(n_values):
                y = values[p, i]
                if shift[c, p] != shift[c, p]:
                    shift[c, p] = y
                d = y - shift[c, p]
                dd = d * d
                one, two = sums[c, 3 + 2 * p, first:last], sums[c, 4 + 2 * p, first:last]
                for r in range(width):
                    one[r] += t[r] * d
                    two[r] += t[r] * dd
    return -1
