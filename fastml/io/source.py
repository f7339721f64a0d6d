"""Anything tabular -> one stream of Arrow record batches of the needed columns."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from fastml.io.csv_format import CsvOptions
from fastml.io.dataset import dataset_columns, is_path, open_dataset
from fastml.io.file_formats import Location, open_parquet
from fastml.io.filters import apply_filter, filter_columns
from fastml.io.in_memory import Source, _is_pandas, _open_memory
from fastml.io.threads import thread_count

__all__ = ["Rows", "column_names", "open_source", "schema_metadata"]


@dataclass(frozen=True)
class Rows:
    """Data together with which of their rows to read, and how: `open_source` takes it in place of the data.

    Attributes
    ----------
    data : anything `open_source` takes
    filter : pyarrow.compute.Expression, optional
        Only rows for which it is true.
    threads : int, optional
        Files or row groups to decode at a time; as many as there are processors.
    csv : CsvOptions, optional
    watch : callable, optional
        ``watch(batches, size)`` wraps the iterator of (batch, bytes) as it is read, to show progress; ``size`` is the
        bytes of all files, 0 where unknown.
    """

    data: Any
    filter: Any = None
    threads: int | None = None
    csv: CsvOptions | None = None
    watch: Callable[[Iterator[tuple[pa.RecordBatch, int]], int], Iterator[tuple[pa.RecordBatch, int]]] | None = None


def open_source(data: Any, columns: Sequence[str]) -> Source:
    """Open data of any supported kind for reading some of its columns.

    Parameters
    ----------
    data : pandas, Polars or Arrow table, mapping of arrays, RecordBatchReader, or path
        Also any other object with ``__arrow_c_stream__``, and `Rows`. A path names a Parquet, Arrow IPC, Feather, CSV
        or SPSS file, a folder (perhaps partitioned: ``cycle=2019/x.parquet``), or is a glob, a URI, or a list of such.
    columns : sequence of str
        The columns to read; each is read once, however often it is named.

    Returns
    -------
    Source

    Raises
    ------
    SourceError
        The data are of a kind that can't be read, or the file can't.
    ColumnNotFoundError
        A column is missing.
    """
    wanted = list(dict.fromkeys(columns))
    rows = data if isinstance(data, Rows) else Rows(data)
    if is_path(rows.data):
        found = open_dataset(rows.data, wanted, rows.filter, thread_count(rows.threads), rows.csv)
        return Source(found.name, found.schema, _watched(found.batches, found.size, rows))
    if rows.filter is None:
        source = _open_memory(rows.data, wanted)
        return replace(source, batches=_watched(((batch, 0) for batch in source.batches), 0, rows))
    used = [*wanted, *(name for name in filter_columns(rows.filter, column_names(rows.data)[1]) if name not in wanted)]
    source = _open_memory(rows.data, used)
    kept = ((part, 0) for batch in source.batches for part in apply_filter(batch, rows.filter, wanted))
    schema = pa.schema([source.schema.field(column) for column in wanted])
    return Source(source.name, schema, _watched(kept, 0, rows))


def _watched(
    batches: Iterator[tuple[pa.RecordBatch, int]], size: int, rows: Rows
) -> Generator[pa.RecordBatch, None, None]:
    watched = rows.watch(batches, size) if rows.watch else batches
    try:
        for batch, _ in watched:
            yield batch
    finally:
        for iterator in (watched, batches):
            if isinstance(iterator, Generator):
                iterator.close()


def column_names(data: Any) -> tuple[str, list[str]]:
    """Return what the data are, for messages, and the names of all their columns.

    Parameters
    ----------
    data : anything `open_source` takes

    Returns
    -------
    name : str
    columns : list of str
    """
    if isinstance(data, Rows):
        if is_path(data.data):
            return dataset_columns(data.data, data.csv)
        data = data.data
    if is_path(data):
        return dataset_columns(data)
    if _is_pandas(data):
        return "the data frame", [name for name in data.columns if isinstance(name, str)]
    if isinstance(data, Mapping):
        return "the dict of arrays", [name for name in data if isinstance(name, str)]
    schema = getattr(data, "schema", None)
    names = schema.names if isinstance(schema, pa.Schema) else getattr(data, "columns", None)
    if names is None and hasattr(data, "__arrow_c_schema__"):
        names = pa.schema(data).names
    return f"the {type(data).__module__.split('.')[0]} {type(data).__name__}", [str(name) for name in names or ()]


def schema_metadata(path: str | os.PathLike[str]) -> dict[bytes, bytes]:
    """Metadata of a Parquet file's schema, to know what wrote it.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict
        Empty where the file has none.
    """
    return dict(open_parquet(Location(os.fspath(path))).schema.metadata or {})
