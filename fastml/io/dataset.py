"""Paths, globs, folders, lists and URIs -> one ordered stream of record batches of one schema."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from fastml.errors import WORD, ColumnNotFoundError, SourceError, first_line
from fastml.io.csv_format import CsvOptions, open_csv
from fastml.io.file_formats import File, Job, Location, open_ipc, open_parquet, open_sav
from fastml.io.filters import apply_filter, filter_columns
from fastml.io.partitions import check_folder, folder_column, folder_types, folder_values
from fastml.io.prefetch import in_order

__all__ = ["Dataset", "Piece", "common_type", "dataset_columns", "find_pieces", "is_path", "open_dataset"]

_FORMATS = {
    "parquet": "parquet", "pq": "parquet", "arrow": "ipc", "arrows": "ipc", "feather": "ipc", "ipc": "ipc",
    "csv": "csv", "tsv": "csv", "txt": "csv", "sav": "sav", "zsav": "sav",
}  # fmt: skip

_COMPRESSED = {"gz", "bz2", "zst"}
_MAGIC = {b"PAR1": "parquet", b"ARRO": "ipc", b"\xff\xff\xff\xff": "ipc", b"$FL2": "sav", b"$FL3": "sav"}
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Piece:
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


@dataclass(frozen=True)
class Dataset:
    """A stream of batches from files.

    Attributes
    ----------
    name : str
    schema : pyarrow.Schema
        The wanted columns.
    size : int
        Bytes of all files.
    batches : iterator of (pyarrow.RecordBatch, int)
        With the bytes of the files that each accounts for.
    """

    name: str
    schema: pa.Schema
    size: int
    batches: Iterator[tuple[pa.RecordBatch, int]]


def is_path(data: Any) -> bool:
    """Whether data are named by a path, glob, folder or URI, or by a list of them."""
    if isinstance(data, (list, tuple)) and data:
        return all(isinstance(item, (str, os.PathLike)) for item in data)
    return isinstance(data, (str, os.PathLike))


def find_pieces(data: Any) -> tuple[str, list[Piece]]:
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
    pieces : list of Piece

    Raises
    ------
    SourceError
        There are none, or one is named twice.
    """
    if isinstance(data, (list, tuple)):
        pieces = [piece for item in data for piece in find_pieces(item)[1]]
        name = f"{len(pieces)} files" if len(pieces) > 1 else pieces[0].location.name
    else:
        text = os.fspath(data)
        pieces = _from_uri(text) if "://" in text else _from_local(text)
        name = pieces[0].location.name if len(pieces) == 1 else text
    seen: set[str] = set()
    for piece in pieces:
        path = piece.location.path
        path = str(Path(path).resolve()) if piece.location.filesystem is None else path
        if path in seen:
            raise SourceError(f"{piece.location.name} is named twice: its rows would count twice")
        seen.add(path)
    return name, pieces


def _from_local(text: str) -> list[Piece]:
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
        return _folder_pieces(text, [(str(p), rel) for p, rel in zip(files, relative, strict=True)], None)
    if _WILD.search(text) and not path.exists():
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207  # absolute too
        found = [path for path in matches if Path(path).is_file()]
        if found:
            return [_piece(Location(path)) for path in found]
        if not matches:
            raise SourceError(f"no file matches {text}")
        return [piece for folder in matches for piece in _from_local(folder)]
    if not path.exists():
        raise SourceError(f"file {text} does not exist")
    if path.is_fifo() or path.is_socket():
        # It can be read once only, and from its beginning; opening it would wait for a writer for ever.
        raise SourceError(f"file {text} is a pipe; write its content to a file first")
    return [_piece(Location(text))]


def _short(text: str) -> str:
    text = text.replace("\0", "\\0")
    return text if len(text) <= 100 else f"{text[:97]}..."


def _from_uri(uri: str) -> list[Piece]:
    from pyarrow import fs

    scheme = uri.partition("://")[0]
    plain = _WILD.split(uri)[0].rpartition("/")[0] if _WILD.search(uri) else uri
    try:
        filesystem, path = fs.FileSystem.from_uri(plain)
        info = filesystem.get_file_info(path)
        if info.type == fs.FileType.File:
            return [_piece(Location(path, filesystem, uri))]
        found = filesystem.get_file_info(fs.FileSelector(path, recursive=True)) if info.type else []
    except (pa.ArrowException, OSError) as error:
        known = "file, s3, gs, abfs and hdfs URIs can be read"
        raise SourceError(f"{uri} can't be opened ({first_line(error)}); {known}") from None
    files = sorted(item.path for item in found if item.type == fs.FileType.File)
    if plain == uri:
        if info.type == fs.FileType.NotFound:
            raise SourceError(f"{uri} does not exist")
        return _folder_pieces(uri, [(p, PurePosixPath(p).relative_to(path)) for p in files], filesystem, scheme)
    pattern = f"{path.rstrip('/')}/{uri[len(plain) :].lstrip('/')}"
    files = [p for p in files if fnmatch.fnmatchcase(p, pattern) and p.count("/") == pattern.count("/")]
    if not files:
        raise SourceError(f"no file matches {uri}")
    return [_piece(Location(p, filesystem, f"{scheme}://{p}")) for p in files]


def _folder_pieces(
    shown: str, files: list[tuple[str, PurePosixPath]], filesystem: Any, scheme: str = ""
) -> list[Piece]:
    pieces = [
        _piece(Location(path, filesystem, f"{scheme}://{path}" if scheme else ""))
        for path, relative in files
        if not any(part.startswith((".", "_")) for part in relative.parts) and _ending(path) in _FORMATS
    ]
    if not pieces:
        raise SourceError(f"folder {shown} holds no file ending in " + ", ".join(f".{end}" for end in _FORMATS))
    formats = {piece.format: piece for piece in reversed(pieces)}
    if len(formats) > 1:
        one, other = list(formats.values())[:2]
        raise SourceError(
            f"folder {shown} holds files of several formats ({other.location.path}, {one.location.path}); "
            "name those of one by a glob such as folder/*.parquet"
        )
    return pieces


def _ending(path: str) -> str:
    parts = path.lower().rsplit("/", 1)[-1].split(".")
    if len(parts) > 2 and parts[-1] in _COMPRESSED:
        parts.pop()
    return parts[-1] if len(parts) > 1 else ""


def _piece(location: Location) -> Piece:
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
    return Piece(location, kind, folder_values(location.path))


def open_dataset(
    data: Any, wanted: list[str], expression: Any = None, threads: int = 1, csv: CsvOptions | None = None
) -> Dataset:
    """Open files as one stream of the wanted columns, read on threads ahead of use.

    Parameters
    ----------
    data : str, path, or list of them
    wanted : list of str
    expression : pyarrow.compute.Expression, optional
        Which rows.
    threads : int
        Files or row groups to decode at a time.
    csv : CsvOptions, optional

    Returns
    -------
    Dataset

    Raises
    ------
    SourceError
        A file can't be read, or has a column of another kind than the files before it.
    ColumnNotFoundError
        A file lacks a column.
    """
    name, pieces = find_pieces(data)
    csv = csv or CsvOptions()
    partition_types = folder_types(piece.partition for piece in pieces)
    files = [_open(piece, csv, wanted, expression) for piece in pieces]
    first = files[0]
    names = list(dict.fromkeys([*first.schema.names, *partition_types]))
    used = list(dict.fromkeys([*wanted, *filter_columns(expression, names)])) if expression is not None else wanted
    schema = _unify(files, pieces, used, partition_types)
    kept = pa.schema([schema.field(column) for column in wanted])

    def jobs() -> Iterator[Job]:
        for file, piece in zip(files, pieces, strict=True):
            columns = [column for column in used if column in file.schema.names]
            twice = piece.partition.keys() & set(columns)
            # A filter on what the rows say would hide that the folder says otherwise.
            for job in file.jobs(columns, None if twice else expression):
                yield _conforming(job, file, piece, twice, schema, wanted, expression)

    return Dataset(name, kept, sum(file.size for file in files), in_order(jobs(), threads))


def dataset_columns(data: Any, csv: CsvOptions | None = None) -> tuple[str, list[str]]:
    """Return the first file's name, for messages, and its columns, with those that its folders hold.

    Parameters
    ----------
    data : str, path, or list of them
    csv : CsvOptions, optional

    Returns
    -------
    name : str
    columns : list of str
    """
    piece = find_pieces(data)[1][0]
    file = _open(piece, csv or CsvOptions(), [], None)
    return piece.location.name, list(dict.fromkeys([*file.schema.names, *piece.partition]))


def _open(piece: Piece, csv: CsvOptions, wanted: list[str], expression: Any) -> File:
    if piece.format == "csv":
        return open_csv(piece.location, csv, wanted, expression)
    return {"parquet": open_parquet, "ipc": open_ipc, "sav": open_sav}[piece.format](piece.location)


def _unify(
    files: Sequence[File], pieces: Sequence[Piece], columns: Iterable[str], partition_types: dict[str, pa.DataType]
) -> pa.Schema:
    fields = []
    for name in columns:
        common: pa.DataType | None = None
        before, word = "", b""
        for file, piece in zip(files, pieces, strict=True):
            count = file.schema.names.count(name)
            if count > 1:
                raise SourceError(f"column {name!r} stands {count} times in {file.location.name}; rename all but one")
            if count:
                found = file.schema.field(name)
                dtype, word = found.type, word or (found.metadata or {}).get(WORD, b"")
            elif name in piece.partition:
                dtype = partition_types[name]
            else:
                raise ColumnNotFoundError(name, [*file.schema.names, *piece.partition], file.location.name)
            unified = dtype if common is None else common_type(common, dtype)
            if unified is None:
                raise SourceError(
                    f"column {name!r} has type {dtype} in {file.location.name} and {common} in {before}; "
                    "write one of them anew"
                )
            common, before = unified, before or file.location.name
        fields.append(pa.field(name, common, metadata={WORD: word} if word else None))
    return pa.schema(fields)


def common_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Type that holds the values of both, or None where they are of different kinds.

    Parameters
    ----------
    a, b : pyarrow.DataType

    Returns
    -------
    pyarrow.DataType or None
    """
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if pa.types.is_integer(a) and pa.types.is_integer(b):
        return pa.int64()
    if all(pa.types.is_integer(t) or pa.types.is_floating(t) for t in (a, b)):
        return pa.float64()
    if pa.types.is_decimal(a) and pa.types.is_decimal(b):
        # Not doubles: ids may have more digits than those hold, and Arrow's cast to them doesn't tell.
        scale = max(a.scale, b.scale)
        precision = max(a.precision - a.scale, b.precision - b.scale) + scale
        if precision > 76:
            return None
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    if _is_text(a) and _is_text(b):
        return pa.large_string()
    return None


def _is_text(dtype: pa.DataType) -> bool:
    if pa.types.is_dictionary(dtype):
        return _is_text(dtype.value_type)
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype))


def _conforming(
    job: Job, file: File, piece: Piece, twice: set[str], schema: pa.Schema, wanted: list[str], expression: Any
) -> Job:  # fmt: skip
    """Job whose batches have the common schema, the folders' columns, and only the rows of the filter.

    What stands `twice`, in the file and in its folder's name, has to be the same.
    """

    def read() -> Iterator[tuple[pa.RecordBatch, int]]:
        for batch, share in job():
            for name in twice:
                check_folder(name, piece.partition[name], batch.column(name), file.location.name)
            arrays = [
                _cast(batch.column(field.name), field, file)
                if field.name in batch.schema.names
                else folder_column(piece.partition[field.name], field.type, batch.num_rows)
                for field in schema
            ]
            if not arrays:
                continue
            whole = pa.RecordBatch.from_arrays(arrays, schema=schema)
            if expression is None:
                yield whole, share
                continue
            parts = apply_filter(whole, expression, wanted)
            for part in parts:
                yield part, share // len(parts)

    return read


def _cast(column: pa.Array, field: pa.Field, file: File) -> pa.Array:
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise SourceError(
            f"column {field.name!r} of {file.location.name} can't be read as {field.type}, which other files ask for: "
            f"{first_line(error)}"
        ) from None
