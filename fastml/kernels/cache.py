"""Where machine code is kept, and which folders may be trusted with it.

Numba's cache files are pickles, and what is in them is run. So a folder counts only where nobody but root and this
user can have put anything there: they own it, and neither group nor others may write. It is named by the content of
all files of this room, so that an edited kernel, or one that calls into an edited file, is never served stale,
whatever the clock says.

Code is read from every such folder, and kept in the first that can be written: the one that NUMBA_CACHE_DIR names;
without it `__pycache__` beside this file, else the user's cache folder; then a temporary one; then none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache

__all__ = ["COMPILING", "KernelCache", "cache_folder", "readable_folders", "share_folder", "source_hash"]

COMPILING = "fastml: compiling for this machine, once; the next start needs no compiling"
_PACKAGE = Path(__file__).parent / "__pycache__"


@cache
def source_hash() -> str:
    """Hash of every kernel file: the key of the cache folder."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        digest.update(str(path.relative_to(here)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _name() -> str:
    return f"fastml-{source_hash()}"


def _permanent() -> list[Path]:
    """Folders to hold the machine code of this and other versions, the best first."""
    if config.CACHE_DIR:  # type: ignore[attr-defined]  # numba sets these when it is imported
        return [Path(config.CACHE_DIR)]  # type: ignore[attr-defined]
    user = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return [_PACKAGE, Path(user) / "fastml"]


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / (f"fastml-{os.geteuid()}" if hasattr(os, "geteuid") else "fastml")


def _owned(base: Path, users: set[int]) -> Path | None:
    """The folder of this version in `base`, links resolved, if it is there and only these users can have filled it."""
    try:
        folder = Path(os.path.realpath(base / _name()))
        # Who may write to the package could change its code just as well, so what is above the folder is not looked at.
        above = [] if base == _PACKAGE else list(folder.parents)
        for depth, part in enumerate([folder, *above]):
            found = part.lstat()
            if not stat.S_ISDIR(found.st_mode):
                return None
            if not hasattr(os, "geteuid"):
                continue  # without numbers of users folders are their own
            shared = found.st_mode & (0o022 if depth < 2 else 0o002)
            sticky = depth and found.st_mode & stat.S_ISVTX  # its entries can be replaced by their owners only
            if found.st_uid not in users or (shared and not sticky):
                return None
    except OSError:
        return None
    return folder


def _mine() -> set[int]:
    return {0, os.geteuid()} if hasattr(os, "geteuid") else set()


def _make(folder: Path, mode: int) -> None:
    """Make a folder and what is missing above it, with just these rights whatever the umask."""
    for part in reversed([folder, *folder.parents]):
        if not part.exists():
            with contextlib.suppress(FileExistsError):  # made by another process just now
                part.mkdir(mode)
                part.chmod(mode)


def _made(base: Path, mode: int = 0o700, users: set[int] | None = None) -> Path | None:
    """The folder of this version in `base`, made if need be; None where it can't be written, or not be trusted."""
    try:
        _make(base / _name(), mode)
        folder = _owned(base, _mine() if users is None else users)
        if folder is not None:
            with tempfile.TemporaryFile(dir=folder):
                return folder
    except OSError:
        pass
    return None


@cache
def readable_folders() -> tuple[Path, ...]:
    """Folders with machine code of this version of the kernels, also those that can't be written."""
    found = [_owned(base, _mine()) for base in (*_permanent(), _temporary())]
    return tuple(folder for folder in found if folder is not None)


@cache
def cache_folder() -> Path | None:
    """Folder to keep newly compiled code in, or None where there is none, with a notice.

    Returns
    -------
    pathlib.Path or None
    """
    for base in _permanent():
        if folder := _made(base):
            return folder
    refused = "no permanent folder can be written, or none that others can't write to"
    folder = _made(_temporary())
    kept = f"keeps its compiled kernels in {folder.parent}" if folder else "compiles its kernels anew in each process"
    _notice(f"{kept}: {refused}; set NUMBA_CACHE_DIR to a folder of your own")
    return folder


def share_folder() -> Path:
    """Make the folder for code that all users load.

    Returns
    -------
    pathlib.Path
        In NUMBA_CACHE_DIR, else in the package; 0755, as all that is made above it.

    Raises
    ------
    PermissionError
        Others would not trust it, or not get there; the message says why.
    """
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        raise PermissionError("others load only what root has compiled; run it as root, or leave --shared out")
    base = _permanent()[0]
    folder = _made(base, 0o755, users={0})
    if folder is None:
        raise PermissionError(
            f"{base} can't be written, or by others too, who could put anything there; set NUMBA_CACHE_DIR to another"
        )
    for part in (folder, *([base] if base == _PACKAGE else [])):
        part.chmod(0o755)
    closed = [part for part in folder.parents if not part.stat().st_mode & 0o001]
    if closed:
        raise PermissionError(f"others can't enter {closed[0]}; open it, or set NUMBA_CACHE_DIR to another folder")
    return folder


def _notice(text: str) -> None:
    warnings.warn(f"fastml {text}", RuntimeWarning, stacklevel=2)


class _Locator:
    """Tells numba's cache where a kernel's machine code is; the folder's name is the stamp."""

    def __init__(self, folder: Path, line: int = 0) -> None:
        self._folder, self._line = folder, line

    def ensure_cache_path(self) -> None:
        """Nothing: who made the locator has made the folder."""

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._folder.name

    def get_disambiguator(self) -> str:
        return str(self._line)

    def from_function(self, py_func: Callable[..., Any], py_file: str) -> _Locator:
        return _Locator(self._folder, py_func.__code__.co_firstlineno)


class _Impl(CompileResultCacheImpl):
    def check_cachable(self, cres: Any) -> bool:
        """Whether the code can be kept: not where places in memory are written into it, as Numba does unoptimised."""
        if cres.library.has_dynamic_globals:
            raise OSError("Numba can't keep code that it compiles without optimising, as NUMBA_OPT=0 has it")
        return True


def _files(function: Callable[..., Any], folder: Path) -> FunctionCache:
    """Numba's cache of a function, in this folder."""
    impl = type("_Impl", (_Impl,), {"_locator_classes": [_Locator(folder)]})
    made: FunctionCache = type("_Cache", (FunctionCache,), {"_impl_class": impl})(function)
    return made


@cache
def _tell() -> None:
    """Say on stderr, once, what a user who waits for seconds would like to know."""
    with contextlib.suppress(Exception):  # it is none, closed, or nobody reads it: no reason to fail
        sys.stderr.write(COMPILING + "\n")
        sys.stderr.flush()


@cache
def _tell_lost(folder: Path, reason: str) -> None:
    _notice(f"can't keep its compiled kernels in {folder}: {reason}; the next start compiles again")


class KernelCache(NullCache):
    """Numba's cache of one kernel, over several folders.

    Attributes
    ----------
    folder : pathlib.Path or None
        Where its code was found or kept.
    """

    def __init__(self, function: Callable[..., Any], only: Path | None = None) -> None:
        self._function, self._only = function, only
        self.folder: Path | None = None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code of the first folder that has it, or None."""
        for folder in (self._only,) if self._only else readable_folders():
            found = self._load(_files(self._function, folder), sig, target_context)
            if found is not None:
                self.folder = folder
                return found
        _tell()
        return None

    def _load(self, files: FunctionCache, sig: Any, target_context: Any) -> Any:
        try:
            return files.load_overload(sig, target_context)
        except OSError:  # not for this user
            return None
        except Exception:  # damaged, as by a full disk: it is made anew
            with contextlib.suppress(OSError):
                files.flush()
            return None

    def save_overload(self, sig: Any, cres: Any) -> None:
        """Keep the code, if there is where."""
        folder = self._only or cache_folder()
        if folder is None:
            return
        try:
            _files(self._function, folder).save_overload(sig, cres)
            self.folder = folder
        except OSError as error:
            if self._only:
                raise
            _tell_lost(folder, error.strerror or str(error))
