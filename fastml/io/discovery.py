"""Paths, globs, folders, lists and URIs -> the files that they stand for, in order."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn
from urllib.parse import unquote

import pyarrow as pa

from fastml.errors import SourceError, first_line
from fastml.io.folders import GLOB, expand, files_below, is_hidden, pass_over
from fastml.io.foreign_kinds import line_that_reads, refuse_tables
from fastml.io.locations import Location
from fastml.io.partitions import folder_values
from fastml.io.remote import answered

__all__ = ["DataFile", "find_files", "is_path"]

_FORMATS = {
    "parquet": "parquet", "pq": "parquet", "arrow": "ipc", "arrows": "ipc", "feather": "ipc", "ipc": "ipc",
    "csv": "csv", "tsv": "csv", "txt": "csv", "sav": "sav", "zsav": "sav", "por": "por", "dta": "dta",
    "sas7bdat": "sas7bdat", "xpt": "xpt",
}  # fmt: skip

_COMPRESSED = {"gz", "bz2", "zst"}
_MAGIC = {b"PAR1": "parquet", b"ARRO": "ipc", b"\xff\xff\xff\xff": "ipc", b"$FL2": "sav", b"$FL3": "sav"}

# Endings of data, or of what is packed, that would be missed if it were passed over.
_UNREADABLE = frozenset(
    "7z accdb avro br dat db3 duckdb gpg h5 hdf5 jsonl lz4 lzma mdb ndjson npy npz ods orc pickle pkl rar rda "
    "rdata rds snappy sqlite tar tgz xls xlsb xlsm xlsx xz z zip".split()
)

# Endings of what stands beside data and is named by them: scores.csv.md5.
_BESIDE = frozenset(
    "asc bak crc doc docx html json log md md5 old orig pdf rst sas sha1 sha256 sha512 sig sps tex yaml yml".split()
)


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
        files = files_below(text)
        refuse_tables(files, text)
        return _files_in_folder(text, [Location(file) for file in files]) or _without_data(text)
    if GLOB.search(text) and not path.exists():
        return _files_of_glob(text)
    if not path.exists():
        raise SourceError(f"file {text} does not exist")
    return [_data_file(Location(text))]


def _short(text: str) -> str:
    text = text.replace("\0", "\\0")
    return text if len(text) <= 100 else f"{text[:97]}..."


def _files_of_glob(pattern: str) -> list[DataFile]:
    """The files that match, and those in the folders that do."""
    matches = expand(pattern)
    files = [path for path in matches if not Path(path).is_dir()]
    refuse_tables(files)
    found = {path: _data_file(Location(path)) for path in files}
    if not files or "**" not in pattern:  # which matches the files in folders too
        for folder in (path for path in matches if Path(path).is_dir()):
            below = files_below(folder)
            refuse_tables(below, folder)
            inside = _files_in_folder(folder, [Location(file) for file in below])
            if not inside:
                pass_over(folder, "it holds no data")
            found.update((file.location.path, file) for file in inside)
    if not matches:
        raise SourceError(f"no file matches {pattern}")
    return [found[path] for path in sorted(found, key=PurePosixPath)] or _without_data(pattern)


def _from_uri(uri: str) -> list[DataFile]:
    from pyarrow import fs

    scheme = uri.partition("://")[0]
    plain = GLOB.split(uri)[0].rpartition("/")[0] if GLOB.search(uri) else uri
    rest = uri[len(plain) :].lstrip("/")
    try:
        filesystem, path = answered(uri, lambda: fs.FileSystem.from_uri(plain))
        if isinstance(filesystem, fs.LocalFileSystem):
            return _from_local(f"{path.rstrip('/')}/{unquote(rest)}" if rest else path)
        info = answered(uri, lambda: filesystem.get_file_info(path))
        if info.type == fs.FileType.File:
            return [_data_file(Location(path, filesystem, uri))]
        selected = fs.FileSelector(path, recursive=True)
        found = answered(uri, lambda: filesystem.get_file_info(selected)) if info.type else []
    except (pa.ArrowException, OSError) as error:
        known = "file, s3, gs, abfs and hdfs URIs can be read"
        raise SourceError(f"{uri} can't be opened ({first_line(error)}); {known}") from None
    files = sorted(item.path for item in found if item.type == fs.FileType.File)
    if any(f"/{mark}/" in file for mark in ("_delta_log", ".hoodie") for file in files):
        raise SourceError(
            f"{uri} is a table of Delta Lake or Hudi, whose files hold old rows too: open it by DuckDB or Spark"
        )
    if not rest:
        if info.type == fs.FileType.NotFound:
            raise SourceError(f"{uri} does not exist")
        shown = [p for p in files if not any(map(is_hidden, PurePosixPath(p).relative_to(path).parts))]
        locations = [Location(p, filesystem, f"{scheme}://{p}") for p in shown]
        return _files_in_folder(uri, locations) or _without_data(uri)
    pattern = f"{path.rstrip('/')}/{rest}"
    files = [p for p in files if fnmatch.fnmatchcase(p, pattern) and p.count("/") == pattern.count("/")]
    if not files:
        raise SourceError(f"no file matches {uri}")
    return [_data_file(Location(p, filesystem, f"{scheme}://{p}")) for p in files]


def _files_in_folder(shown: str, locations: list[Location]) -> list[DataFile]:
    """The data among the files of a folder; an error where there is data that can't be read, or of several formats."""
    found = []
    for location in locations:
        if _ending(location.path) in _FORMATS:
            found.append(_data_file(location))
        else:
            _check_passed_over(location)
    formats = {file.format: file for file in reversed(found)}
    if len(formats) > 1:
        one, other = list(formats.values())[:2]
        raise SourceError(
            f"folder {shown} holds files of several formats ({other.location.path}, {one.location.path}); "
            "name those of one by a glob such as folder/*.parquet"
        )
    return found


def _without_data(shown: str) -> NoReturn:
    raise SourceError(f"folder {shown} holds no file ending in " + ", ".join(f".{end}" for end in _FORMATS))


def _check_passed_over(location: Location) -> None:
    """Refuse to pass over a file that looks like data."""
    endings = location.path.lower().rpartition("/")[2].split(".")[1:]
    known = [ending for ending in endings if ending in _UNREADABLE or ending in _FORMATS]
    if known and endings[-1] not in _BESIDE:
        what = f"in a form that can't be read, .{'.'.join(endings[endings.index(known[0]) :])}"
    elif location.filesystem is None and (content := _content(location)):
        what = f"({content}) without its ending"
    else:
        pass_over(location.shown or location.path, "its name is that of no data")
        return
    line = line_that_reads(location.path)
    raise SourceError(
        f"{location.name} looks like data {what}, and would be left out; convert or rename it"
        f"{f' ({line})' if line else ''}, or name the files to read by a glob such as folder/*.csv"
    )


def _content(location: Location) -> str | None:
    """Format that the first bytes of a file tell."""
    try:
        if not Path(location.path).is_file():
            return None
        with location.open() as source:
            first = bytes(source.read(8))
            return next((kind for mark, kind in _MAGIC.items() if first.startswith(mark)), None)
    except OSError as error:
        raise SourceError(f"{location.name} can't be read: {first_line(error)}") from None


def _ending(path: str) -> str:
    parts = path.lower().rsplit("/", 1)[-1].split(".")
    if len(parts) > 2 and parts[-1] in _COMPRESSED:
        parts.pop()
    return parts[-1] if len(parts) > 1 else ""


def _data_file(location: Location) -> DataFile:
    """Return the file with its kind, and the columns of one value that its folders name: ``cycle=2019``."""
    if any("\ud800" <= character <= "\udfff" for character in location.path):  # bytes that Python couldn't decode
        raise SourceError(f"{location.name} has a path that isn't UTF-8, which Arrow doesn't open; rename it")
    path = Path(location.path)
    if location.filesystem is None and (path.is_fifo() or path.is_socket()):
        # It can be read once only, and from its beginning; opening it would wait for a writer for ever.
        raise SourceError(f"{location.name} is a pipe; write its content to a file first")
    kind = _FORMATS.get(_ending(location.path))
    if kind is None:
        kind = _content(location)
        if kind is None and (line := line_that_reads(location.path)):
            raise SourceError(f"{location.name} is of a kind that fastml doesn't read; this does: {line}")
        if kind is None:
            raise SourceError(
                f"{location.name} is of no kind that can be read: Parquet, Arrow IPC or Feather, CSV, SPSS, Stata, SAS"
            )
    return DataFile(location, kind, folder_values(location.path))
