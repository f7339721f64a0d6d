"""Asking memory for what is needed soon; the processor looks ahead by itself, but across no page, nor past misses.

What is read once is asked for in the way of the processor that a kernel is compiled for. Told that it is used once,
AMD's bring it to the first-level cache alone, and it pushes nothing out of the second. So do Intel's, but the looking
ahead of their own stops with it: the kernels took half as long again, for rows in runs and in any order.
"""

from __future__ import annotations

from numba.core import cgutils, types

from fastml.kernels.jit import intrinsic, ir

__all__ = ["AHEAD", "LINE", "fetch", "fetch_next", "fetch_once", "prefetch", "prefetch_next"]

LINE = 8  # doubles, or keys, in a cache line
AHEAD = 256  # doubles, or keys, of one of several streams: how far ahead of their use to ask for them
_ONCE, _SECOND, _FIRST = 0, 2, 3  # LLVM's degrees of locality: used once; for the second-level cache; for the first
_NEXT = {_ONCE: 128, _SECOND: 1024}  # how far ahead in a single stream


def prefetch(context, builder, start, locality=_FIRST):
    """Ask for the cache line at `start`, which may lie behind the end: as of what is used again."""
    pointer, number = builder.bitcast(start, ir.IntType(8).as_pointer()), ir.IntType(32)
    shape = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
    builder.call(function, [pointer, number(0), number(locality), number(1)])
    return context.get_dummy_value()


def _read_once(context):
    """Locality of what is read once."""
    _, processor, _ = context.codegen().magic_tuple()
    return _ONCE if processor.startswith("znver") else _SECOND


def prefetch_next(context, builder, start):
    """Ask for what comes a while after `start`, in the only stream that is read."""
    locality = _read_once(context)
    return prefetch(context, builder, builder.gep(start, [ir.IntType(32)(_NEXT[locality])]), locality)


def _plain_fetch(values, at):
    pass


def _at(context, builder, signature, args):
    return builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])


@intrinsic(_plain_fetch)
def fetch(typing_context, values, at):
    """Ask for the cache line of a value that is used again."""

    def generate(context, builder, signature, args):
        return prefetch(context, builder, _at(context, builder, signature, args))

    return types.void(values, types.uint64), generate


@intrinsic(_plain_fetch)
def fetch_once(typing_context, values, at):
    """Ask for the cache line of a value that is read once."""

    def generate(context, builder, signature, args):
        return prefetch(context, builder, _at(context, builder, signature, args), _read_once(context))

    return types.void(values, types.uint64), generate


@intrinsic(_plain_fetch)
def fetch_next(typing_context, values, at):
    """As `prefetch_next`, of the value at `at`."""

    def generate(context, builder, signature, args):
        return prefetch_next(context, builder, _at(context, builder, signature, args))

    return types.void(values, types.uint64), generate
