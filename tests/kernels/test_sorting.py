"""Sorting by counting, against Python's own sort."""

from __future__ import annotations

import numpy as np
import pytest

from fastml.kernels.sorting import integer_order, place


def test_a_pass_of_the_counting_sort_is_stable() -> None:
    rng = np.random.default_rng(7)
    keys, order = rng.integers(0, 9, 300), rng.permutation(300)
    next_place = np.cumsum([0, *np.bincount(keys, minlength=9)])
    ends, found = next_place[1:].tolist(), np.empty(300, np.int64)
    place(keys, order, next_place[:9], found)
    assert found.tolist() == sorted(order.tolist(), key=lambda i: keys[i])
    assert next_place[:9].tolist() == ends


@pytest.mark.parametrize("span", [1, 100, 2**16 - 1, 2**16, 2**62])
@pytest.mark.parametrize("low", [-(2**62), 0, 5])
def test_integers_are_sorted_stably_in_any_range(low: int, span: int) -> None:
    values = low + np.random.default_rng(8).integers(0, span, 500, endpoint=True)
    values[:2] = low, low + span
    assert integer_order(values).tolist() == sorted(range(500), key=lambda i: values[i])
    assert integer_order(values[:0]).tolist() == []
