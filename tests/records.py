"""Records of groups as the kernels make them, and what must be in them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import naive
import numpy as np
import numpy.typing as npt
import pytest

from fastml.kernels.sums import moments as kernel

Floats = npt.NDArray[np.float64]
NONE = np.empty(0, np.uint8)
WHOLE: Any = 0, np.empty((0, 0))  # nothing is set aside
ULP = 2.0**-52


def read_only(*arrays: npt.NDArray[Any]) -> None:
    for array in arrays:
        array.flags.writeable = False


def raw(n_groups: int, fields: int = kernel.N_FIELDS) -> Floats:
    table = np.zeros((n_groups, fields))
    table[:, 1] = math.nan
    return table


def bitmap(keep: npt.NDArray[np.bool_], offset: int) -> npt.NDArray[np.uint8]:
    """Arrow's validity bits, the first of them at bit `offset`."""
    return np.packbits(np.concatenate([np.ones(offset, bool), keep]), bitorder="little")


def finish(table: Floats) -> int:
    """Finish records where they lie."""
    return int(kernel.finish(table[:, None], np.arange(len(table)), table[None]))


def settle(table: Floats) -> int:
    return int(kernel.settle(table, False, np.empty(len(table), np.uint8)))


def check(table: Floats, missing: Floats, codes: list[int], y: list[float | None]) -> None:
    twin = naive.groups(codes, y)
    for g in range(len(table)):
        n, mean, residual, ss = table[g].tolist()
        found = twin.get(g, naive.Group())
        assert (n, missing[g]) == (found.n, found.missing)
        if found.n:
            spread = max(found.ss, Fraction(0))
            exact = Fraction(mean) + Fraction(residual)
            # The mean with its residual has the digits of the deviations, not of the scores.
            size = max((abs(v - found.values[0]) for v in found.values), default=Fraction(0))
            assert abs(exact - found.mean) <= Fraction(16 * ULP) * size + Fraction(ULP) ** 2 * abs(found.mean)
            assert ss == pytest.approx(float(spread), rel=1e-12, abs=0.0)
