"""Asking memory for what is needed soon; the processor looks ahead by itself, but across no page, nor past misses.

What is read once is asked for in the way of the processor that a kernel is compiled for. Told that it is used once,
AMD's bring it to the first-level cache alone, where it pushes no record out of the second. Intel's stop their own
looking ahead at such a hint, so they are told to bring it to the second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from fastml.kernels.jit import inner

__all__ = ["AHEAD", "fetch", "fetch_ahead", "fetch_once"]

AHEAD = 256  # rows that are read once: how long before their turn to ask for them
_LINE = 8  # doubles of a cache line

_ONCE, _SECOND_LEVEL, _FIRST_LEVEL = 0, 2, 3  # LLVM's degrees of locality
_READ, _DATA = 0, 1


def _hint(doc: str, locality_on: Callable[[str], int]) -> Any:
    """Make a function that asks for the cache line of the value at a place, which may lie outside of the array."""

    def hint(typing_context: Any, values: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _, processor, _ = context.codegen().magic_tuple()
            data = context.make_array(signature.args[0])(context, builder, args[0]).data
            place = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
            number = ir.IntType(32)
            shape = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
            prefetch = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
            builder.call(prefetch, [place, *map(number, (_READ, locality_on(processor), _DATA))])
            return context.get_dummy_value()

        return types.void(values, types.uint64), generate

    hint.__doc__ = doc
    return _nothing if config.DISABLE_JIT else intrinsic(hint)  # type: ignore[attr-defined]


def _nothing(values: Any, at: Any) -> None:
    """A hint changes no result."""


fetch = _hint("Ask for what is used again.", lambda processor: _FIRST_LEVEL)
fetch_once = _hint(
    "Ask for what is read once.", lambda processor: _ONCE if processor.startswith("znver") else _SECOND_LEVEL
)


@inner
def fetch_ahead(values, start, stop):
    """Ask for the rows that come `AHEAD` after those from `start` to `stop`, which are read once."""
    for i in range(start, stop, np.uint64(_LINE)):
        fetch_once(values, i + np.uint64(AHEAD))
