"""Error-free transformations: sums and products with what rounding lost."""

from __future__ import annotations

from numba.core import types

from fastml.kernels.jit import exact, intrinsic

__all__ = ["two_sum"]

_SPLIT = 134217729.0  # 2^27 + 1: splits a double in two halves of 26 bits (Dekker 1971)


@exact
def two_sum(a, b):
    """a + b as a double and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _plain_rest(a, b, product):
    """What a * b is more than its double (Dekker, Veltkamp)."""
    halves = []
    for factor in (a, b):
        c = _SPLIT * factor
        high = c - (c - factor)
        halves += [high, factor - high]
    a_high, a_low, b_high, b_low = halves
    return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


@intrinsic(_plain_rest)
def _rest(typing_context, a, b, product):
    """What a * b is more than its double, by one fused multiplication in place of seventeen operations."""

    def generate(context, builder, signature, args):
        return builder.fma(args[0], args[1], builder.fneg(args[2]))

    return types.float64(types.float64, types.float64, types.float64), generate


@exact
def _two_product(a, b):
    """a * b as a double and its rounding error."""
    product = a * b
    return product, _rest(a, b, product)
