"""Records of groups as the kernels make them, and what must be in them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import naive
import numpy as np
import numpy.typing as npt
import pytest

from fastml.kernels.sums import record, shuffled

Floats = npt.NDArray[np.float64]
ULP = 2.0**-52


def read_only(*arrays: npt.NDArray[Any]) -> None:
    for array in arrays:
        array.flags.writeable = False


def add_rows(keys: npt.NDArray[np.int64], low: int, y: Floats, table: Floats, missing: Floats) -> bool:
    """Add rows in any order to records of nothing, each about the first value of its group."""
    top = np.full(1, -math.inf)
    done = bool(shuffled.add_rows(keys, low, y, math.nan, table, missing, top))
    assert not done or top[0] == max((value for value in y.tolist() if value == value), default=-math.inf)
    return done


def off(table: Floats) -> list[bool]:
    """Which raw records (K, 4) have lost digits or aren't finite."""
    marks = np.full(len(table), 7, np.uint8)
    count = record.find_off(table, marks)
    assert count == marks.sum()
    return [bool(mark) for mark in marks]


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
