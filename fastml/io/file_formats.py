"""One file of one format -> its schema, and jobs that read its row groups or batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from fastml.errors import SourceError, first_line
from fastml.io.filters import Filter
from fastml.io.locations import Location
from fastml.io.plain_arrays import plain_type

__all__ = ["File", "Job", "open_ipc", "open_parquet"]

# Bytes of a column chunk that are read at a time: so few from a disk that they are still in the cache when decoded,
# more from where a request takes long.
LOCAL_BUFFER, REMOTE_BUFFER = 1 << 18, 1 << 20

# A row group that takes more than this (8 bytes a value) is decoded in batches, by one thread at a time. Batches of a
# power of two rows, or of a few less, take a sixth longer: pyarrow makes room for twice as many, and copies them (as of
# 26). Large batches of Arrow files are handed on in as many rows.
LARGE = 64 << 20
BATCH_ROWS = 200_000


@dataclass(frozen=True)
class Job:
    """How to read a part of a file; it may run on any thread, several jobs at a time.

    Attributes
    ----------
    read : callable
        ``read()``: record batches of the wanted columns, with the share of the file's bytes that each accounts for.
    n_rows : int or None
        How many rows it reads, where the file says so.
    """

    read: Callable[[], Iterator[tuple[pa.RecordBatch, int]]]
    n_rows: int | None = None


@dataclass(frozen=True)
class File:
    """An opened file: what is in it, and how to read it.

    Attributes
    ----------
    location : Location
    schema : pyarrow.Schema
    size : int
        Bytes.
    jobs : callable
        ``jobs(columns, condition)``: the jobs that read these columns of all rows, or of all but those of which the
        file's statistics say that the condition isn't true.
    texts : frozenset of str
        Columns whose batches hold the texts that stand in the file, to be made what `schema` and other files ask for.
    only_words : frozenset of str
        Columns of ids of which all are words, such as NA, that mean a missing one among integers.
    """

    location: Location
    schema: pa.Schema
    size: int
    jobs: Callable[[list[str], Filter | None], Iterator[Job]]
    texts: frozenset[str] = frozenset()
    only_words: frozenset[str] = frozenset()


@contextmanager
def _readable(location: Location, kind: str = "") -> Iterator[None]:
    """Turn what goes wrong in reading into one line that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise SourceError(f"{location.name} does not exist") from None
    except PermissionError:
        raise SourceError(f"{location.name} can't be read: permission denied") from None
    except (pa.ArrowException, OSError, UnicodeError) as error:
        problem = f"is not {kind} that can be read" if kind else "can't be read"
        raise SourceError(f"{location.name} {problem}: {first_line(error)}") from None


def _named(schema: pa.Schema) -> pa.Schema:
    """The schema, if its names can be decoded: pyarrow does that only when they are asked for."""
    schema.names  # noqa: B018
    return schema


def _open_parquet_file(location: Location, **options: Any) -> Any:
    import pyarrow.parquet as pq

    is_local = location.filesystem is None
    return pq.ParquetFile(
        location.open_path if is_local else location.open(),
        buffer_size=LOCAL_BUFFER if is_local else REMOTE_BUFFER,
        page_checksum_verification=True,
        **options,
    )


def open_parquet(location: Location) -> File:
    """Open a Parquet file; a job per row group."""
    with _readable(location, "a Parquet file"), _open_parquet_file(location) as file:
        schema, metadata = _named(file.schema_arrow), file.metadata
    n_rows, size = metadata.num_rows, location.size()

    def jobs(columns: list[str], condition: Filter | None) -> Iterator[Job]:
        kept = range(metadata.num_row_groups) if condition is None else _kept_row_groups(location, condition, schema)
        for i in kept:
            yield _row_group_job(location, metadata, i, columns, size / max(n_rows, 1))

    return File(location, schema, size, jobs)


def _row_group_job(location: Location, metadata: Any, index: int, columns: list[str], bytes_per_row: float) -> Job:
    rows = metadata.row_group(index).num_rows
    at_once = BATCH_ROWS if 8 * rows * len(columns) > LARGE else max(rows, 1)

    def read() -> Iterator[tuple[pa.RecordBatch, int]]:
        # All of a row group is asked for at once only where a request takes long.
        ahead = location.filesystem is not None and at_once >= rows
        with _readable(location), _open_parquet_file(location, metadata=metadata, pre_buffer=ahead) as file:
            for batch in file.iter_batches(at_once, row_groups=[index], columns=columns, use_threads=False):
                yield batch.select(columns), int(bytes_per_row * batch.num_rows)

    return Job(read, rows)


def _kept_row_groups(location: Location, condition: Filter, schema: pa.Schema) -> list[int]:
    """Row groups of which the statistics don't rule out that some row fulfils the condition."""
    import pyarrow.dataset as ds
    from pyarrow import fs

    filesystem = location.filesystem or fs.LocalFileSystem()
    fragment = ds.ParquetFileFormat().make_fragment(location.open_path, filesystem=filesystem)
    expression = condition.pruning(schema)
    plain = pa.schema([(field.name, plain_type(field.type)) for field in schema])
    try:
        if expression is not None:
            return [group.id for group in fragment.subset(filter=expression, schema=plain).row_groups]
    except pa.ArrowException:
        pass  # of a type that it can't compare: the rows will tell
    return [group.id for group in fragment.row_groups]


def open_ipc(location: Location) -> File:
    """Open an Arrow IPC file or stream (Feather version 2 is the former); one job."""
    with _readable(location, "an Arrow file"), location.open() as source:
        schema = _named(_ipc_reader(source, None)[0].schema)
    size = location.size()

    def jobs(columns: list[str], condition: Filter | None) -> Iterator[Job]:
        def read() -> Iterator[tuple[pa.RecordBatch, int]]:
            wanted = [schema.names.index(name) for name in columns]
            with _readable(location), location.open() as source:
                reader, is_file = _ipc_reader(source, pa.ipc.IpcReadOptions(included_fields=wanted))
                batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
                before = source.tell()
                for batch in batches:
                    # pyarrow takes the file's word for where its strings begin and end; a wrong one leads anywhere.
                    batch.validate()
                    _validate(batch)
                    # A file of a few large batches is handed on in smaller ones, of which the bytes come with the last.
                    at = source.tell()
                    for start in range(0, batch.num_rows, BATCH_ROWS):
                        part = batch.slice(start, BATCH_ROWS).select(columns)
                        yield part, max(at - before, 0) if start + BATCH_ROWS >= batch.num_rows else 0
                    before = at
                if not is_file and source.tell() == before:
                    raise pa.ArrowInvalid("it was cut: the mark of a stream's end is missing; write it anew")

        yield Job(read)

    return File(location, schema, size, jobs)


def _validate(batch: pa.RecordBatch) -> None:
    """Look at all that is in a batch, where the error names the column."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            raise pa.ArrowInvalid(f"column {name!r}: {error}") from None


def _ipc_reader(source: Any, options: Any) -> tuple[Any, bool]:
    magic = bytes(source.read(6))
    source.seek(0)
    if magic == b"ARROW1":
        return pa.ipc.open_file(source, options=options), True
    return pa.ipc.open_stream(source, options=options), False
