"""What rounding lost in sums and products, against fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fastml.kernels import exact


def plain(function: Any) -> Callable[[float, float], tuple[float, float]]:
    """The function as Python: compiled, only kernels call it."""
    found: Callable[[float, float], tuple[float, float]] = getattr(function, "py_func", function)
    return found


def pairs(seed: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(200, 2)) * 10.0 ** rng.integers(-30, 30, (200, 2))
    return [(float(a), float(b)) for a, b in numbers] + [(0.0, 0.0), (1e16, 1.0), (1.0, -1.0), (0.1, -0.1)]


@pytest.mark.parametrize("seed", range(3))
def test_a_sum_and_its_error_are_the_exact_sum(seed: int) -> None:
    for a, b in pairs(seed):
        total, error = plain(exact.two_sum)(a, b)
        assert total == a + b
        assert Fraction(total) + Fraction(error) == Fraction(a) + Fraction(b)


@pytest.mark.parametrize("seed", range(3))
def test_a_product_and_its_error_are_the_exact_product(seed: int) -> None:
    for a, b in pairs(seed):
        product, error = plain(exact.two_product)(a, b)
        assert product == a * b
        assert Fraction(product) + Fraction(error) == Fraction(a) * Fraction(b)
