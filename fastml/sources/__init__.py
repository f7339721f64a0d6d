"""Anything tabular -> one stream of Arrow record batches of the needed columns."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from fastml.arrays import as_arrow
from fastml.errors import ColumnNotFoundError, SourceError
from fastml.sources.datasets import dataset_columns, is_path, open_dataset
from fastml.sources.delimited import CsvOptions
from fastml.sources.filters import apply_filter, filter_columns
from fastml.sources.readers import Location, first_line, open_parquet
from fastml.threads import thread_count

__all__ = ["Rows", "Source", "column_names", "open_source", "schema_metadata"]


@dataclass(frozen=True)
class Source:
    """A stream of record batches; it can be read once.

    Attributes
    ----------
    name : str
        What the data are, for messages: "the data frame", "file x.parquet".
    schema : pyarrow.Schema
        The needed columns, in the order they were asked for.
    batches : generator of pyarrow.RecordBatch
        Batches of that schema. Closing it stops the threads that read ahead; so does its end, or an error in it.
    """

    name: str
    schema: pa.Schema
    batches: Generator[pa.RecordBatch, None, None]


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


def _open_memory(data: Any, wanted: list[str]) -> Source:
    if _is_pandas(data):
        return _from_pandas(data, wanted)
    if isinstance(data, Mapping):
        return _from_mapping(data, wanted)
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        _check_columns(wanted, data.schema.names, "the Arrow table")
        return _from_reader(data.select(wanted).to_reader(), wanted, "the Arrow table")
    if isinstance(data, pa.RecordBatchReader):
        return _from_reader(data, wanted, "the stream of record batches")
    kind = f"the {type(data).__module__.split('.')[0]} {type(data).__name__}"
    if hasattr(data, "__arrow_c_stream__"):
        if kind == "the polars DataFrame":
            # Only the needed columns cross over; Polars' own strings would be copied otherwise.
            _check_columns(wanted, data.columns, kind)
            data = data.select(wanted)
            for name, dtype in data.schema.items():
                if str(dtype) == "Object":  # which older releases of Polars end the process over
                    raise SourceError(f"column {name!r} of {kind} holds Python objects; give all its values one type")
        return _from_reader(_stream(data, wanted, kind), wanted, kind)
    raise SourceError(
        f"data of type {type(data).__name__} can't be read; give a pandas, Polars or Arrow table, a dict of arrays, "
        "the path of a Parquet, Arrow, CSV or SPSS file, or group statistics"
    )


def _stream(data: Any, wanted: list[str], kind: str) -> pa.RecordBatchReader:
    try:
        return pa.RecordBatchReader.from_stream(data)
    except pa.ArrowException as error:
        # A column of a type that Arrow hasn't, or one column where a table should be.
        if kind == "the polars DataFrame" and len(wanted) > 1:
            for name in wanted:
                _stream(data.select(name), [name], f"column {name!r} of {kind}")
        raise SourceError(f"{kind} can't be read: {first_line(error)}") from None


def _check_columns(wanted: Iterable[str], names: Sequence[Any], source: str, hint: str = "") -> None:
    counts = Counter(names)
    for name in wanted:
        if counts[name] == 0:
            raise ColumnNotFoundError(name, map(str, names), source, hint)
        if counts[name] > 1:
            raise SourceError(f"column {name!r} stands {counts[name]} times in {source}; rename all but one")


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and type(data).__name__ == "DataFrame"


def _from_pandas(frame: Any, wanted: list[str]) -> Source:
    name, columns = "the data frame", list(frame.columns)
    known = set(columns)
    missing = next((column for column in wanted if column not in known), None)
    hint = ""
    if missing is not None and missing in frame.index.names:
        hint = "it is in the index: use .reset_index() first"
    elif missing is not None and missing in map(str, columns):
        hint = "a column's name is that, but no string: use df.columns = df.columns.map(str) first"
    _check_columns(wanted, columns, name, hint)
    arrays = [_pandas_array(frame[column], column) for column in wanted]
    return _from_reader(_table(wanted, arrays, name).to_reader(), wanted, name)


def _pandas_array(series: Any, column: str) -> Any:
    """Arrow array of a pandas column, without a copy where pandas keeps a NumPy array of numbers."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiu" and series.dtype.itemsize <= 8:
        return as_arrow(series.to_numpy())
    if type(series.dtype).__name__ == "SparseDtype":
        series = series.sparse.to_dense()
    return _arrow_array(series, column)


def _from_mapping(columns: Mapping[Any, Any], wanted: list[str]) -> Source:
    name = "the dict of arrays"
    _check_columns(wanted, list(columns), name)
    arrays = [_mapping_array(columns[column], column) for column in wanted]
    return _from_reader(_table(wanted, arrays, name).to_reader(), wanted, name)


def _mapping_array(values: Any, column: str) -> Any:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise SourceError(f"column {column!r} has {values.ndim} dimensions; a column is a 1-d array")
        if isinstance(values, np.ma.MaskedArray):
            return _arrow_array(values.filled(0), column, mask=np.ma.getmaskarray(values))
        if values.dtype.kind in "fiu" and values.dtype.itemsize <= 8:
            return as_arrow(values)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise SourceError(f"column {column!r} is a single {type(values).__name__}; a column is an array or a list")
    return _arrow_array(values, column)


def _arrow_array(values: Any, column: str, **options: Any) -> Any:
    try:
        return pa.array(values, from_pandas=True, **options)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise SourceError(
            f"column {column!r} can't be read as one Arrow type ({first_line(error)}); give all its values one type"
        ) from None


def _table(names: list[str], arrays: list[Any], source: str) -> pa.Table:
    lengths = {name: len(array) for name, array in zip(names, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} has {length:,}" for name, length in lengths.items())
        raise SourceError(f"the columns of {source} differ in length: {shown} rows")
    try:
        return pa.table(dict(zip(names, arrays, strict=True)))
    except UnicodeEncodeError:
        raise SourceError(f"a name of a column of {source} is no text: {', '.join(map(ascii, names))}") from None


def _from_reader(reader: pa.RecordBatchReader, wanted: list[str], name: str) -> Source:
    _check_columns(wanted, reader.schema.names, name)
    schema = pa.schema([reader.schema.field(column) for column in wanted])

    def batches() -> Generator[pa.RecordBatch, None, None]:
        try:
            for batch in reader:
                yield batch.select(wanted)
        except pa.ArrowException as error:
            raise SourceError(f"{name} can't be read: {first_line(error)}") from None

    return Source(name, schema, batches())


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
