"""What tells that a record has lost digits, and how sums of large groups are flushed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from records import off

from fastml.kernels.sums import record


def test_records_whose_shift_is_far_from_the_mean_are_off() -> None:
    near, far, none = [3.0, 500.0, 3.0, 5.0], [2.0, 500.0, 200.0, 20000.001], [0.0, 0.0, 0.0, 0.0]
    assert off(np.array([near, far, none])) == [False, True, False]


@pytest.mark.parametrize("field", [1, 3])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_records_that_are_not_finite_are_off(field: int, value: float) -> None:
    table = np.array([[3.0, 500.0, 3.0, 5.0]] * 2)
    table[1, field] = value
    assert off(table) == [False, True]


@pytest.mark.parametrize(("n", "limit"), [(10, 64.0), (256, 64.0), (1024, 16.0), (4096, 4.0), (10**6, 4.0)])
def test_the_more_rows_the_nearer_the_shift_has_to_be(n: int, limit: float) -> None:
    """Sums of squares about the shift may be so many times those about the mean."""
    for factor, expected in ((0.99, False), (1.01, True)):
        total = math.sqrt((limit * factor - 1.0) * n)  # about the mean the squares sum to 1
        assert off(np.array([[n, 0.0, total, limit * factor]])) == [expected]


@pytest.mark.parametrize("fields", [record.N_FIELDS, record.N_BOTH])
def test_the_sums_of_large_groups_are_flushed(fields: int) -> None:
    table = np.random.default_rng(1).normal(size=(3, fields))
    table[:, 0] = 63.0, 64.0, 1000.0
    before, accumulator = table.copy(), np.ones((3, fields))
    record.flush(table, accumulator)
    assert table[0].tobytes() == before[0].tobytes()
    assert not table[1:, 2:].any()
    assert table[:, :2].tobytes() == before[:, :2].tobytes()
    assert (accumulator[0] == 1.0).all()
    assert (accumulator[1:, 2:] == 1.0 + before[1:, 2:]).all()
