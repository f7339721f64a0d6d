"""How fastml compiles: one decorator for entry points, one for what they call.

A kernel has exactly one signature, written at its definition; callers cast to it. It is compiled, or loaded from
the cache, at its first call, so that a process loads only the kernels it uses. Arguments marked read-only
(`F8_IN` and its kin) take Arrow's and pandas' buffers as they are.

Places in arrays are unsigned in loops over rows: a signed one may count from the end, and to ask whether it does takes
Numba half a dozen instructions each time, where LLVM can't tell that it never does.

`cache.py` says where machine code is kept.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config, types

from fastml.kernels.cache import KernelCache

__all__ = [
    "F8_IN",
    "F8_OUT",
    "I4_IN",
    "I4_OUT",
    "I8_IN",
    "I8_OUT",
    "KERNELS",
    "TABLES_IN",
    "TABLES_OUT",
    "TABLE_IN",
    "TABLE_OUT",
    "U1_IN",
    "U1_OUT",
    "Kernel",
    "exact",
    "inner",
    "kernel",
]

F8_IN = types.Array(types.float64, 1, "C", readonly=True)
F8_OUT = types.Array(types.float64, 1, "C")
I4_IN = types.Array(types.int32, 1, "C", readonly=True)
I4_OUT = types.Array(types.int32, 1, "C")
I8_IN = types.Array(types.int64, 1, "C", readonly=True)
I8_OUT = types.Array(types.int64, 1, "C")
U1_IN = types.Array(types.uint8, 1, "C", readonly=True)
U1_OUT = types.Array(types.uint8, 1, "C")
TABLE_IN = types.Array(types.float64, 2, "C", readonly=True)
TABLE_OUT = types.Array(types.float64, 2, "C")
TABLES_IN = types.Array(types.float64, 3, "C", readonly=True)
TABLES_OUT = types.Array(types.float64, 3, "C")

# Sums may be reordered and fused, so that they vectorise; NaN, infinities and signed zeros keep their meaning.
FASTMATH = {"reassoc", "contract"}
OPTIONS: dict[str, Any] = {
    "nogil": True, "error_model": "numpy", "boundscheck": False, "fastmath": FASTMATH, "no_cfunc_wrapper": True,
}  # fmt: skip

# Without Numba's runtime, references to arrays aren't counted: in a loop that calls a function for each row, counting
# is most of the work.
# Nor are they called from Python: wrappers that nobody needs are a sixth of the time that compiling takes.
INNER_OPTIONS: dict[str, Any] = {**OPTIONS, "_nrt": False, "no_cpython_wrapper": True}
_F = TypeVar("_F", bound=Callable[..., Any])


def inner(function: _F) -> _F:
    """Compile a function that only kernels call; it can't make arrays."""
    compiled: _F = numba.njit(**INNER_OPTIONS)(function)
    return compiled


def exact(function: _F) -> _F:
    """Compile as `inner`, with every rounding kept where it is written: for error-free transformations."""
    compiled: _F = numba.njit(**{**INNER_OPTIONS, "fastmath": False})(function)
    return compiled


@contextmanager
def _collector_held() -> Iterator[None]:
    """Keep the garbage collector from looking, again and again, through all that Numba makes while it compiles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Kernel:
    """A compiled entry point with one signature, compiled or loaded at its first call.

    Attributes
    ----------
    name : str
        ``file.function``.
    signature : tuple
        numba types of the arguments.
    packed : bool
        Whether neighbouring fields are loaded, added and stored in one instruction (LLVM's SLP vectoriser).
    """

    def __init__(self, function: Callable[..., Any], signature: tuple[Any, ...], packed: bool = False) -> None:
        self.function, self.packed = function, packed
        self.name = f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}"
        self.signature = signature
        self._compiled: Callable[..., Any] | None = None
        self.__doc__ = function.__doc__
        if len(inspect.signature(function).parameters) != len(signature):
            raise TypeError(f"kernel {self.name}: its signature has {len(signature)} types")
        KERNELS[self.name] = self

    def __call__(self, *args: Any) -> Any:
        """Run it, compiled or loaded first where need be."""
        return (self._compiled or self.load())(*args)

    def load(self, only: Path | None = None) -> Callable[..., Any]:
        """Compile the kernel, or load it from the cache; with `only` from and to this folder."""
        if config.DISABLE_JIT:  # type: ignore[attr-defined]
            self._compiled = self._interpreted
            return self._interpreted
        dispatcher = numba.njit(**OPTIONS)(self.function)
        dispatcher._cache = KernelCache(self.function, only)
        with _packing(self.packed), _collector_held():
            dispatcher.compile(self.signature)
        dispatcher.disable_compile()
        self._compiled = dispatcher
        return dispatcher  # type: ignore[no-any-return]

    def _interpreted(self, *args: Any) -> Any:
        """The kernel where JIT is off; like compiled code it warns of nothing, such as integers that wrap around."""
        with np.errstate(all="ignore"):
            return self.function(*args)

    @property
    def cached(self) -> bool | None:
        """Whether the loaded machine code came from the cache; None before the first call."""
        stats = getattr(self._compiled, "stats", None)
        return None if stats is None else bool(stats.cache_hits)

    @property
    def folder(self) -> Path | None:
        """Where its machine code was found or kept; None where it is kept nowhere."""
        held = getattr(self._compiled, "_cache", None)
        return None if held is None else held.folder


KERNELS: dict[str, Kernel] = {}


@contextmanager
def _packing(wanted: bool) -> Iterator[None]:
    """Set Numba's switch of the SLP vectoriser, which is off and global, while a kernel is compiled."""
    before = config.SLP_VECTORIZE  # type: ignore[attr-defined]
    config.SLP_VECTORIZE = int(wanted)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        config.SLP_VECTORIZE = before  # type: ignore[attr-defined]


def kernel(*signature: Any, packed: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a `Kernel` of a function; the arguments are the numba types of its arguments, and whether it is packed."""
    return lambda function: Kernel(function, signature, packed)
