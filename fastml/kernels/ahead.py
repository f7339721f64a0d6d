"""Asking memory for what is needed soon; the processor looks ahead by itself, but across no page, nor past misses."""

from __future__ import annotations

from numba.core import cgutils, types

from fastml.kernels._jit import intrinsic, ir

__all__ = ["AHEAD", "LINE", "fetch", "prefetch"]

LINE = 8  # doubles, or keys, in a cache line
AHEAD = 256  # doubles, or keys: how far ahead of their use to ask for them


def prefetch(context, builder, start, locality):
    """Ask for the cache line at `start`, which may lie behind the end: used once (0), or many times (3)."""
    pointer, number = builder.bitcast(start, ir.IntType(8).as_pointer()), ir.IntType(32)
    shape = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
    builder.call(function, [pointer, number(0), number(locality), number(1)])
    return context.get_dummy_value()


def _plain_fetch(values, at):
    pass


@intrinsic(_plain_fetch)
def fetch(typing_context, values, at):
    """Ask for the cache line of a value that is read once."""

    def generate(context, builder, signature, args):
        start = builder.gep(context.make_array(values)(context, builder, args[0]).data, [args[1]])
        return prefetch(context, builder, start, 0)

    return types.void(values, types.uint64), generate
