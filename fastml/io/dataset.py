"""Files -> one ordered stream of record batches of one schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa

from fastml.errors import ColumnNotFoundError, SourceError, first_line
from fastml.io.csv_format import open_csv
from fastml.io.csv_options import CsvOptions
from fastml.io.csv_values import as_type
from fastml.io.discovery import DataFile, find_files
from fastml.io.file_formats import File, Job, open_ipc, open_parquet
from fastml.io.filters import Filter, RowFilter
from fastml.io.locations import Location, hold, unchanged
from fastml.io.origins import Origin, Origins, file_origin
from fastml.io.partitions import check_folder, folder_column, folder_types
from fastml.io.prefetch import in_order
from fastml.io.statistical_files import ENDINGS, open_statistical
from fastml.kernels.threads import Pool, map_on_threads

__all__ = ["Dataset", "OnRead", "common_type", "dataset_columns", "open_dataset"]

OnRead = Callable[[pa.RecordBatch, int], Any]


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
    batches : iterator of (pyarrow.RecordBatch, int, int)
        With the number of its rows, and the bytes of the files that it accounts for. Where `on_read` made something of
        a batch, that stands in its place.
    origins : callable
        ``origins(use)``: what was read, and once it has been, of how many rows.
    """

    name: str
    schema: pa.Schema
    size: int
    batches: Iterator[tuple[Any, int, int]]
    origins: Origins


def open_dataset(
    data: Any,
    wanted: list[str],
    condition: Filter | None = None,
    threads: int = 1,
    csv: CsvOptions | None = None,
    ids: Sequence[str] = (),
    pool: Pool | None = None,
    on_read: OnRead | None = None,
) -> Dataset:
    """Open files as one stream of the wanted columns, read on threads ahead of use.

    Parameters
    ----------
    data : str, path, or list of them
    wanted : list of str
    condition : Filter, optional
        Which rows.
    threads : int
        Files or row groups to decode at a time, where no pool is given.
    csv : CsvOptions, optional
    ids : sequence of str
        Which of the columns hold ids: in text files they are texts.
    pool : Pool, optional
        The caller's.
    on_read : callable, optional
        ``on_read(batch, first_row)``: what to make of a batch, or None to leave it. The thread that read the batch
        calls it, while the rows are in its caches, if files and filter tell how many rows there are before it.

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
    name, entries = find_files(data)
    locations = hold([entry.location for entry in entries])
    before = [location.identity() for location in locations]
    entries = [replace(entry, location=location) for entry, location in zip(entries, locations, strict=True)]
    csv = csv or CsvOptions()
    partition_types = folder_types(entry.partition for entry in entries)
    # To open a text file, all of it may have to be read; the error of a file before it would wait for that.
    at_once = 1 if any(entry.format == "csv" for entry in entries) else threads
    files = map_on_threads(lambda entry: _open(entry, csv, wanted, ids, condition), entries, at_once)
    _check_types(csv, [file for file, entry in zip(files, entries, strict=True) if entry.format == "csv"])
    first = files[0]
    names = list(dict.fromkeys([*first.schema.names, *partition_types]))
    used = wanted if condition is None else list(dict.fromkeys([*wanted, *condition.columns(names)]))
    schema = _unify(files, entries, used, partition_types)
    kept = pa.schema([schema.field(column) for column in wanted])
    of_rows = None if condition is None else condition.on(schema)

    rows: list[list[int]] = [[] for _ in files]  # of the batches of each, from all threads

    def jobs() -> Iterator[Callable[[], Iterator[tuple[Any, int, int]]]]:
        first_row: int | None = 0
        for file, entry, seen in zip(files, entries, rows, strict=True):
            columns = [column for column in used if column in file.schema.names]
            twice = entry.partition.keys() & set(columns)
            # A filter on what the rows say would hide that the folder says otherwise.
            for job in file.jobs(columns, None if twice else condition):
                job = _conforming(job, file, entry, twice, schema, wanted, of_rows, csv)
                yield partial(_read, job, seen, first_row, on_read)
                first_row = None if first_row is None or job.n_rows is None else first_row + job.n_rows

    def origins(use: str | None) -> tuple[Origin, ...]:
        def of(file: tuple[Location, list[int]]) -> Origin:
            return file_origin(file[0], sum(file[1]), use)

        # Each a few requests, where files are far away; none where only their names are asked for.
        return tuple(map_on_threads(of, list(zip(locations, rows, strict=True)), 1 if use is None else threads))

    batches = unchanged(in_order(jobs(), threads, pool), locations, before)
    return Dataset(name, kept, sum(file.size for file in files), batches, origins)


def _read(job: Job, rows: list[int], first_row: int | None, on_read: OnRead | None) -> Iterator[tuple[Any, int, int]]:
    """Batches of a job, or what is made of them; adds the number of rows of each to `rows`."""
    for batch, share in job.read():
        n_rows = batch.num_rows
        rows.append(n_rows)
        made = None
        if on_read is not None and first_row is not None:
            made = on_read(batch, first_row)
            first_row += n_rows
        yield batch if made is None else made, n_rows, share


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
    entry = find_files(data)[1][0]
    file = _open(entry, csv or CsvOptions(), [], [], None)
    return entry.location.name, list(dict.fromkeys([*file.schema.names, *entry.partition]))


def _open(entry: DataFile, csv: CsvOptions, wanted: list[str], ids: Sequence[str], condition: Filter | None) -> File:
    if entry.format == "csv":
        return open_csv(entry.location, csv, [name for name in wanted if name not in entry.partition], ids, condition)
    if entry.format in ENDINGS:
        return open_statistical(entry.location, entry.format, csv.encoding)
    return {"parquet": open_parquet, "ipc": open_ipc}[entry.format](entry.location)


def _check_types(csv: CsvOptions, files: Sequence[File]) -> None:
    """Refuse a type of a column that no text file has."""
    there = {name for file in files for name in file.schema.names}
    for name in csv.types if files else ():
        if name not in there:
            told = f"csv_options={{'types': {{{name!r}: {str(csv.types[name])!r}}}}}"
            raise ColumnNotFoundError(
                name, files[0].schema.names, f"{files[0].location.name}, though {told} gives its type"
            )


def _unify(
    files: Sequence[File], entries: Sequence[DataFile], columns: Iterable[str], partition_types: dict[str, pa.DataType]
) -> pa.Schema:
    fields = []
    for name in columns:
        common: pa.DataType | None = None
        before, of_words = "", False
        of_texts = [name in file.texts for file in files if name in file.schema.names]
        for file, entry in zip(files, entries, strict=True):
            count = file.schema.names.count(name)
            if count > 1:
                raise SourceError(f"column {name!r} stands {count} times in {file.location.name}; rename all but one")
            if count:
                dtype = file.schema.field(name).type
                of_words |= name in file.only_words
            elif name in entry.partition:
                dtype = partition_types[name]
            else:
                raise ColumnNotFoundError(name, [*file.schema.names, *entry.partition], file.location.name)
            unified = dtype if common is None else common_type(common, dtype)
            if unified is None and (all(of_texts) or (any(of_texts) and _are_ids(common, dtype))):
                unified = pa.string()
            if unified is None:
                raise SourceError(
                    f"column {name!r} has type {dtype} in {file.location.name} and {common} in {before}; "
                    "write one of them anew"
                )
            common, before = unified, before or file.location.name
        fields.append(pa.field(name, pa.string() if of_words and pa.types.is_null(common) else common))
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


def _are_ids(a: pa.DataType | None, b: pa.DataType) -> bool:
    """Whether one is of integers, the other of texts, so that integers as they are written are texts too."""
    kinds = [pa.types.is_integer(dtype) or (dtype is not None and _is_text(dtype)) for dtype in (a, b)]
    return all(kinds)


def _is_text(dtype: pa.DataType) -> bool:
    if pa.types.is_dictionary(dtype):
        return _is_text(dtype.value_type)
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype))


def _conforming(
    job: Job, file: File, entry: DataFile, twice: set[str], schema: pa.Schema, wanted: list[str],
    of_rows: RowFilter | None, csv: CsvOptions,
) -> Job:  # fmt: skip
    """Job whose batches have the common schema, the folders' columns, and only the rows of the filter.

    What stands `twice`, in the file and in its folder's name, has to be the same.
    """

    def read_conforming() -> Iterator[tuple[pa.RecordBatch, int]]:
        for batch, share in job.read():
            read = {name: batch.column(name) for name in batch.schema.names}
            read |= {name: _from_texts(read[name], schema.field(name), file, csv) for name in file.texts & read.keys()}
            for name in twice:
                check_folder(name, entry.partition[name], read[name], file.location.name)
            arrays = [
                _cast(read[field.name], field, file)
                if field.name in read
                else folder_column(entry.partition[field.name], field.type, batch.num_rows)
                for field in schema
            ]
            if not arrays:
                continue
            rows = pa.RecordBatch.from_arrays(arrays, schema=schema)
            yield rows if of_rows is None else of_rows.rows(rows, wanted), share

    return Job(read_conforming, job.n_rows if of_rows is None else None)


def _from_texts(column: pa.Array, field: pa.Field, file: File, csv: CsvOptions) -> pa.Array:
    try:
        return as_type(column, field.type, csv)
    except pa.ArrowException as error:
        raise SourceError(
            f"column {field.name!r} of {file.location.name} can't be read as {field.type}: {first_line(error)}; "
            f"csv_options={{'types': {{{field.name!r}: 'string'}}}} takes it for text"
        ) from None


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
