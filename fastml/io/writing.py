"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from fastml.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_parquet_name", "replace_file", "replace_folder", "write_parquet", "write_text"]

_OTHERS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".md", ".tex", ".html", ".htm", ".xls", ".xlsx", ".sav",
           ".zsav", ".por", ".dta", ".sas7bdat", ".xpt", ".arrow", ".feather", ".gz"}  # fmt: skip
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def replace_file(path: str | os.PathLike[str], fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place, then put it there in one step: what was there stays whole until then.

    A link stays one: what it points to is replaced, with the owner and the rights it had. What can't be replaced, such
    as a pipe, a device or an open stream (``/dev/stdout``), is written to as it comes.

    Parameters
    ----------
    path : str or path
    fill : callable
        Writes the content to the binary file it is given.

    Raises
    ------
    SourceError
        The file can't be written; nothing is left behind.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path) or "\0" in os.fspath(path):
        raise SourceError(f"can't write to {path!r}: it is no path")
    try:
        stream = _open_stream(path)
        if stream is not None:
            with stream:
                fill(cast(IO[bytes], _Forwards(stream)))
        else:
            _replace(Path(os.path.realpath(path)), fill)
    except OSError as error:
        raise SourceError(f"can't write to {os.fspath(path)}: {error.strerror or error}") from None


def _open_stream(path: str | os.PathLike[str]) -> IO[bytes] | None:
    """Open what is no file to be replaced; None for a file, there or not yet."""
    number = _stream_number(path)
    if number is not None:
        # A copy of the stream goes on where it stands; its path would begin anew.
        return os.fdopen(os.dup(number), "wb")
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    return None if stat.S_ISREG(mode) else Path(path).open("wb")


def _stream_number(path: str | os.PathLike[str]) -> int | None:
    """The number of this process's open stream that the path, by any links, names: 1 for /dev/stdout."""
    for _ in range(40):  # links that a system follows
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  # without following links
        if name.isdecimal() and os.path.realpath(folder) == f"/proc/{os.getpid()}/fd":
            return int(name)
        if not Path(path).is_symlink():
            return None
        path = Path(folder) / Path(path).readlink()
    return None


def _replace(target: Path, fill: Callable[[IO[bytes]], object]) -> None:
    before = target.stat() if target.exists() else None
    if before is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")
    made = _beside(target)
    try:
        # What takes the place of a file is its maker's alone until it has the rights of the one before.
        with os.fdopen(os.open(made, _NEW, 0o666 if before is None else 0o600), "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            _give_to(before, made)
            made.chmod(stat.S_IMODE(before.st_mode))
        made.replace(target)
    finally:
        _remove(made)


def _beside(target: Path) -> Path:
    """A hidden name of its own beside a place; cut, since a name that is just short enough has no room for more."""
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}")


def _remove(path: Path) -> None:
    """Remove what may be there, also where that is interrupted."""
    try:
        _remove_once(path)
    except KeyboardInterrupt:
        _remove_once(path)
        raise


def _remove_once(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _give_to(before: os.stat_result, made: Path) -> None:
    """Give a file the owner and group of the one it replaces, as far as this user may."""
    now = made.stat()
    if hasattr(os, "chown") and (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        for owner, group in ((-1, before.st_gid), (before.st_uid, -1)):
            with contextlib.suppress(PermissionError):
                os.chown(made, owner, group)


class _Forwards(io.RawIOBase):
    """A stream that can't be sought but tells how far it is, which writers of Parquet ask."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._at = stream, 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        count = self._stream.write(data)
        self._at += count
        return count

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        self._stream.flush()


def replace_folder(path: str | os.PathLike[str], names: Sequence[str], fill: Callable[[Path], object]) -> None:
    """Write the files of a folder beside its place, then put it there: a part of them is never there.

    Parameters
    ----------
    path : str or path
        Made with what is missing above it; one that is there already may hold files of these names only.
    names : sequence of str
        All files of the new folder.
    fill : callable
        Writes the files to the folder it is given.

    Raises
    ------
    SourceError
        The folder holds others, or can't be written; nothing is left behind.
    """
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        others = sorted({found.name for found in target.iterdir()} - set(names)) if target.exists() else []
        if others:
            raise SourceError(
                f"folder {os.fspath(path)} holds {others[0]}; remove it first, or name a folder of its own"
            )
        beside = _beside(target)
        try:
            beside.mkdir(0o700)
            made = beside / "new"
            made.mkdir()
            fill(made)
            _put(made, target, beside / "old")
        finally:
            _remove(beside)
    except OSError as error:
        raise SourceError(f"can't write to {os.fspath(path)}: {error.strerror or error}") from None


def _put(made: Path, target: Path, old: Path) -> None:
    """Put a folder in the place of another, which is moved away."""
    if not target.exists():
        made.replace(target)
        return
    made.chmod(stat.S_IMODE(target.stat().st_mode))
    try:
        target.replace(old)
        made.replace(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.replace(target)
        raise


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write a text file, whole or not at all; what is no text, such as half a surrogate, as its number.

    Parameters
    ----------
    text : str
    path : str or path

    Raises
    ------
    SourceError
        The file can't be written.
    """
    replace_file(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def write_parquet(table: pa.Table, path: str | os.PathLike[str], **options: bool) -> None:
    """Write a table to a Parquet file, whole or not at all.

    Parameters
    ----------
    table : pyarrow.Table
    path : str or path
    **options
        As `pyarrow.parquet.write_table` takes them.

    Raises
    ------
    SourceError
        The file can't be written, or its name is that of another format.
    """
    import pyarrow.parquet as pq

    check_parquet_name(path)
    replace_file(path, lambda file: pq.write_table(table, file, **options))


def check_parquet_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name that says other than Parquet: who opens `x.csv` later, fastml too, takes it for text.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    SourceError
    """
    suffix = Path(path).suffix if isinstance(path, (str, os.PathLike)) else ""
    if suffix.lower() in _OTHERS:
        raise SourceError(f"what would be written to {os.fspath(path)} is Parquet; name it .parquet, not {suffix}")
