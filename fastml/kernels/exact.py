"""Error-free transformations: sums and products with what rounding lost."""

from __future__ import annotations

from fastml.kernels.jit import exact

__all__ = ["two_product", "two_sum"]

_SPLIT = 134217729.0  # 2^27 + 1: splits a double in two halves of 26 bits (Veltkamp)


@exact
def two_sum(a, b):
    """a + b as a double and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@exact
def two_product(a, b):
    """a * b as a double and its rounding error (Dekker 1971)."""
    product = a * b
    a_split, b_split = _SPLIT * a, _SPLIT * b
    a_high, b_high = a_split - (a_split - a), b_split - (b_split - b)
    a_low, b_low = a - a_high, b - b_high
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
