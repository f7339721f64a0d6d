"""Where a file is, and that it stays the same while it is read."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from fastml.errors import FastmlError, SourceError

__all__ = ["Location", "hold", "unchanged"]

_T = TypeVar("_T")

# Files of a call that are kept open from the first byte to the last, at most, and the share of what a process may have
# open: many threads may be at work. Others are opened again, and have to be the same then.
_MOST_HELD, _SHARE_HELD = 64, 16


class _Held:
    """A file that is open until it is forgotten."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.descriptor)


@dataclass(frozen=True)
class Location:
    """Where a file is.

    Attributes
    ----------
    path : str
        As the file system takes it.
    filesystem : pyarrow.fs.FileSystem or None
        None: the local one.
    shown : str
        The path for messages.
    held : _Held or None
        The file itself, open, where it has been held (`hold`).
    """

    path: str
    filesystem: Any = None
    shown: str = ""
    held: _Held | None = None

    @property
    def name(self) -> str:
        """The file, for messages."""
        return f"file {self.shown or self.path}"

    @property
    def open_path(self) -> str:
        """What to open: the file that is held, whatever has been put in its place meanwhile; else the path."""
        return self.path if self.held is None else f"/proc/self/fd/{self.held.descriptor}"

    def size(self) -> int:
        """Bytes."""
        if self.filesystem is None:
            return Path(self.open_path).stat().st_size
        return int(self.filesystem.get_file_info(self.path).size or 0)

    def open(self) -> Any:
        """Random-access file; the caller closes it."""
        return pa.OSFile(self.open_path) if self.filesystem is None else self.filesystem.open_input_file(self.path)

    def identity(self) -> tuple[Any, ...]:
        """What changes where the file does, or where another is put in its place; empty where there is none."""
        try:
            if self.filesystem is None:
                found = Path(self.open_path).stat()
                return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
            info = self.filesystem.get_file_info(self.path)
        except OSError:
            return ()
        return info.type, info.size, info.mtime_ns


def hold(locations: Sequence[Location]) -> list[Location]:
    """The same files, open until they are forgotten, so that all reading is of what was there at first.

    Parameters
    ----------
    locations : sequence of Location

    Returns
    -------
    list of Location
        As they were where the system can't open an open file anew (any but Linux), or a file can't be opened: who reads
        it says why.
    """
    held = list(locations)
    if not Path("/proc/self/fd").is_dir():
        return held
    import resource  # which Windows lacks

    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = _MOST_HELD if allowed < 0 else min(_MOST_HELD, allowed // _SHARE_HELD)
    for i, location in enumerate(held[:most]):
        if location.filesystem is None:
            with suppress(OSError):
                held[i] = replace(location, held=_Held(location.path))
    return held


def unchanged(items: Iterator[_T], locations: Sequence[Location], before: Sequence[Any]) -> Iterator[_T]:
    """Items read from files, and an error at their end where a file isn't any more what it was.

    Parameters
    ----------
    items : iterator
    locations : sequence of Location
    before : sequence
        The `Location.identity` of each, before the first byte was read.

    Yields
    ------
    The items.

    Raises
    ------
    SourceError
        A file was changed; also where reading fails, since that may be why.
    """
    try:
        yield from items
    except FastmlError:
        _check(locations, before)
        raise
    _check(locations, before)


def _check(locations: Sequence[Location], before: Sequence[Any]) -> None:
    for location, identity in zip(locations, before, strict=True):
        if location.identity() != identity:
            raise SourceError(f"{location.name} was changed while it was read; read it again when it is complete")
