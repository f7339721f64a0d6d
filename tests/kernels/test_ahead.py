"""Hints change nothing, wherever they point."""

from __future__ import annotations

import numba
import numpy as np
from numba.core import types

from fastml.kernels.ahead import fetch, fetch_once
from fastml.kernels.jit import F8_IN, OPTIONS


def test_a_hint_may_point_anywhere_and_changes_nothing() -> None:
    @numba.njit((F8_IN, types.uint64), **OPTIONS)
    def hint_and_read(values, at):
        fetch(values, at)
        fetch_once(values, at)
        return values[0]

    values = np.array([3.0])
    values.flags.writeable = False
    for at in (0, 1, 256, 2**40, 2**61, 2**64 - 1):
        assert hint_and_read(values, np.uint64(at)) == 3.0
