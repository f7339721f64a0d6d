"""How fastml compiles: one decorator for entry points, one for what they call, and where the machine code is kept.

A kernel has exactly one signature, written at its definition; callers cast to it. It is compiled, or loaded from
the cache, at its first call, so that a process loads only the kernels it uses. Arguments marked read-only
(`F8_IN` and its kin) take Arrow's and pandas' buffers as they are.

Places in arrays are unsigned in loops over rows: a signed one may count from the end, and to ask whether it does takes
Numba half a dozen instructions each time, where LLVM can't tell that it never does.

The cache is keyed by the content of all the files in this folder, so an edited kernel, or one that calls into an
edited file, is never served stale, whatever the clock says. It lives beside the package; where that can't be
written, in the user's cache folder; then in a temporary folder; then nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config, types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache

__all__ = [
    "COMPILING",
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
    "cache_folder",
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
COMPILING = "fastml: compiling for this machine, once; the next start needs no compiling"
_F = TypeVar("_F", bound=Callable[..., Any])


def inner(function: _F) -> _F:
    """Compile a function that only kernels call; it can't make arrays."""
    compiled: _F = numba.njit(**INNER_OPTIONS)(function)
    return compiled


def exact(function: _F) -> _F:
    """Compile as `inner`, with every rounding kept where it is written: for error-free transformations."""
    compiled: _F = numba.njit(**{**INNER_OPTIONS, "fastmath": False})(function)
    return compiled


@cache
def source_hash() -> str:
    """Hash of every kernel file: the key of the cache folder."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        digest.update(str(path.relative_to(here)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def cache_folder() -> Path | None:
    """Folder that holds the machine code of this version of the kernels, or None where nothing can be written.

    Returns
    -------
    pathlib.Path or None
        ``NUMBA_CACHE_DIR`` if that is set, else ``__pycache__`` of this package, else the user's cache folder, else
        a temporary folder of this user.
    """
    name = f"fastml-{source_hash()}"
    if config.CACHE_DIR:  # type: ignore[attr-defined]  # numba sets these when it is imported
        candidates = [Path(config.CACHE_DIR)]  # type: ignore[attr-defined]
    else:
        user = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        candidates = [Path(__file__).parent / "__pycache__", Path(user) / "fastml"]
    for base in candidates:
        if _writable(base / name):
            return base / name
    # A folder of this user's own: code loaded from a shared one could be anybody's.
    base = Path(tempfile.gettempdir()) / f"fastml-{os.getuid() if hasattr(os, 'getuid') else os.getlogin()}"
    if _writable(base / name) and _private(base):
        warnings.warn(f"fastml keeps its compiled kernels in {base}: no permanent folder can be written; "
                      "set NUMBA_CACHE_DIR to one that can", RuntimeWarning, stacklevel=2)  # fmt: skip
        return base / name
    warnings.warn("fastml compiles its kernels anew in this process: no cache folder can be written; "
                  "set NUMBA_CACHE_DIR to one that can", RuntimeWarning, stacklevel=2)  # fmt: skip
    return None


def _private(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True
    folder.chmod(0o700)
    return folder.stat().st_uid == os.getuid()


class _Locator:
    """Tells numba's cache where a kernel's machine code is; the folder's name is the stamp."""

    def __init__(self, folder: Path, line: int) -> None:
        self._folder, self._line = folder, line

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._folder.name

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator | None:
        folder = cache_folder()
        return None if folder is None else cls(folder, py_func.__code__.co_firstlineno)


class _CacheImpl(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012  # numba's own class attribute


@cache
def _tell() -> None:
    """Say on stderr, once, what a user who waits for seconds would like to know."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # it is closed, or nobody reads it
            sys.stderr.write(COMPILING + "\n")
            sys.stderr.flush()


class _KernelCache(FunctionCache):
    _impl_class = _CacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = super().load_overload(sig, target_context)
        if found is None:
            _tell()
        return found


class _NoCache(NullCache):
    def load_overload(self, sig: Any, target_context: Any) -> None:
        _tell()


class Kernel:
    """A compiled entry point with one signature, compiled or loaded at its first call.

    Attributes
    ----------
    name : str
        ``file.function``.
    signature : tuple
        numba types of the arguments.
    """

    def __init__(self, function: Callable[..., Any], signature: tuple[Any, ...]) -> None:
        self.function = function
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

    def load(self) -> Callable[..., Any]:
        """Compile the kernel, or load it from the cache."""
        if config.DISABLE_JIT:  # type: ignore[attr-defined]
            self._compiled = self._interpreted
            return self._interpreted
        dispatcher = numba.njit(**OPTIONS)(self.function)
        dispatcher._cache = _NoCache() if cache_folder() is None else _KernelCache(self.function)
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


KERNELS: dict[str, Kernel] = {}


def kernel(*signature: Any) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a `Kernel` of a function; the arguments are the numba types of its arguments."""
    return lambda function: Kernel(function, signature)
