"""Paths, globs, folders, lists and URIs -> the files that they stand for, in order."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from fastml.errors import SourceError, first_line
from fastml.io.locations import Location
from fastml.io.partitions import folder_values

__all__ = ["DataFile", "find_files", "is_path"]

_FORMATS = {
    "parquet": "parquet", "pq": "parquet", "arrow": "ipc", "arrows": "ipc", "feather": "ipc", "ipc": "ipc",
    "csv": "csv", "tsv": "csv", "txt": "csv", "sav": "sav", "zsav": "sav",
}  # fmt: skip

_COMPRESSED = {"gz", "bz2", "zst"}
_MAGIC = {b"PAR1": "parquet", b"ARRO": "ipc", b"\xff\xff\xff\xff": "ipc", b"$FL2": "sav", b"$FL3": "sav"}
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class DataFile:
    """A file of a data set.

    Attributes
    ----------
    location : Location
    format : str
    partition : dict
        Column values that the folders' names hold (``cycle=2019``), as text.
    """

    location: Location
    format: str
    partition: dict[str, str | None] = field(default_factory=dict)


def is_path(data: Any) -> bool:
    """Whether data are named by a path, glob, folder or URI, or by a list of them."""
    if isinstance(data, (list, tuple)) and data:
        return all(isinstance(item, (str, os.PathLike)) for item in data)
    return isinstance(data, (str, os.PathLike))


def find_files(data: Any) -> tuple[str, list[DataFile]]:
    """Find the files that a path, glob, folder, URI or list of them stands for.

    Files of a glob or a folder come in the order of their paths, those of a list in the list's. In folders only files
    of known endings count, and none whose name begins with a dot or an underscore.

    Parameters
    ----------
    data : str, path, or list of them

    Returns
    -------
    name : str
        For messages.
    files : list of DataFile

    Raises
    ------
    SourceError
        There are none, or one is named twice.
    """
    if isinstance(data, (list, tuple)):
        found = [file for item in data for file in find_files(item)[1]]
        name = f"{len(found)} files" if len(found) > 1 else found[0].location.name
    else:
        text = os.fspath(data)
        found = _from_uri(text) if "://" in text else _from_local(text)
        name = found[0].location.name if len(found) == 1 else text
    seen: set[str] = set()
    for file in found:
        path = file.location.path
        path = str(Path(path).resolve()) if file.location.filesystem is None else path
        if path in seen:
            raise SourceError(f"{file.location.name} is named twice: its rows would count twice")
        seen.add(path)
    return name, found


def _from_local(text: str) -> list[DataFile]:
    path = Path(text)
    if not text:
        raise SourceError("the path is empty; '.' is the current folder")
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise SourceError(f"file {_short(text)} can't be read: {getattr(error, 'strerror', None) or error}") from None
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        relative = [PurePosixPath(p.relative_to(path).as_posix()) for p in files]
        return _files_in_folder(text, [(str(p), rel) for p, rel in zip(files, relative, strict=True)], None)
    if _GLOB.search(text) and not path.exists():
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207  # absolute too
        found = [path for path in matches if Path(path).is_file()]
        if found:
            return [_data_file(Location(path)) for path in found]
        if not matches:
            raise SourceError(f"no file matches {text}")
        return [file for folder in matches for file in _from_local(folder)]
    if not path.exists():
        raise SourceError(f"file {text} does not exist")
    if path.is_fifo() or path.is_socket():
        # It can be read once only, and from its beginning; opening it would wait for a writer for ever.
        raise SourceError(f"file {text} is a pipe; write its content to a file first")
    return [_data_file(Location(text))]


def _short(text: str) -> str:
    text = text.replace("\0", "\\0")
    return text if len(text) <= 100 else f"{text[:97]}..."


def _from_uri(uri: str) -> list[DataFile]:
    from pyarrow import fs

    scheme = uri.partition("://")[0]
    plain = _GLOB.split(uri)[0].rpartition("/")[0] if _GLOB.search(uri) else uri
    try:
        filesystem, path = fs.FileSystem.from_uri(plain)
        located = None if isinstance(filesystem, fs.LocalFileSystem) else filesystem
        info = filesystem.get_file_info(path)
        if info.type == fs.FileType.File:
            return [_data_file(Location(path, located, uri))]
        found = filesystem.get_file_info(fs.FileSelector(path, recursive=True)) if info.type else []
    except (pa.ArrowException, OSError) as error:
        known = "file, s3, gs, abfs and hdfs URIs can be read"
        raise SourceError(f"{uri} can't be opened ({first_line(error)}); {known}") from None
    files = sorted(item.path for item in found if item.type == fs.FileType.File)
    if plain == uri:
        if info.type == fs.FileType.NotFound:
            raise SourceError(f"{uri} does not exist")
        return _files_in_folder(uri, [(p, PurePosixPath(p).relative_to(path)) for p in files], located, scheme)
    pattern = f"{path.rstrip('/')}/{uri[len(plain) :].lstrip('/')}"
    files = [p for p in files if fnmatch.fnmatchcase(p, pattern) and p.count("/") == pattern.count("/")]
    if not files:
        raise SourceError(f"no file matches {uri}")
    return [_data_file(Location(p, located, f"{scheme}://{p}")) for p in files]


def _files_in_folder(
    shown: str, files: list[tuple[str, PurePosixPath]], filesystem: Any, scheme: str = ""
) -> list[DataFile]:
    found = [
        _data_file(Location(path, filesystem, f"{scheme}://{path}" if scheme else ""))
        for path, relative in files
        if not any(part.startswith((".", "_")) for part in relative.parts) and _ending(path) in _FORMATS
    ]
    if not found:
        raise SourceError(f"folder {shown} holds no file ending in " + ", ".join(f".{end}" for end in _FORMATS))
    formats = {file.format: file for file in reversed(found)}
    if len(formats) > 1:
        one, other = list(formats.values())[:2]
        raise SourceError(
            f"folder {shown} holds files of several formats ({other.location.path}, {one.location.path}); "
            "name those of one by a glob such as folder/*.parquet"
        )
    return found


def _ending(path: str) -> str:
    parts = path.lower().rsplit("/", 1)[-1].split(".")
    if len(parts) > 2 and parts[-1] in _COMPRESSED:
        parts.pop()
    return parts[-1] if len(parts) > 1 else ""


def _data_file(location: Location) -> DataFile:
    """Return the file with its kind, and the columns of one value that its folders name: ``cycle=2019``."""
    if any("\ud800" <= character <= "\udfff" for character in location.path):  # bytes that Python couldn't decode
        raise SourceError(f"{location.name} has a path that isn't UTF-8, which Arrow doesn't open; rename it")
    kind = _FORMATS.get(_ending(location.path))
    if kind is None:
        try:
            with location.open() as source:
                kind = _MAGIC.get(bytes(source.read(4)))
        except OSError as error:
            raise SourceError(f"{location.name} can't be read: {first_line(error)}") from None
        if kind is None:
            raise SourceError(
                f"{location.name} is of no kind that can be read: Parquet, Arrow IPC or Feather, CSV, SPSS .sav"
            )
    return DataFile(location, kind, folder_values(location.path))
