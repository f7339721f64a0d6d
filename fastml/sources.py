"""Anything tabular -> one stream of Arrow record batches of the needed columns."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fastml.errors import ColumnNotFoundError, SourceError

__all__ = ["Source", "arrow_numbers", "open_source", "schema_metadata"]


@dataclass(frozen=True)
class Source:
    """A stream of record batches; it can be read once.

    Attributes
    ----------
    name : str
        What the data are, for messages: "the data frame", "file x.parquet".
    schema : pyarrow.Schema
        The needed columns, in the order they were asked for.
    batches : iterator of pyarrow.RecordBatch
        Batches of that schema.
    """

    name: str
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def open_source(data: Any, columns: Sequence[str]) -> Source:
    """Open data of any supported kind for reading some of its columns.

    Parameters
    ----------
    data : pandas, Polars or Arrow table, mapping of arrays, RecordBatchReader, or path of a Parquet file
        Also any other object with ``__arrow_c_stream__``.
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
    if isinstance(data, (str, os.PathLike)):
        return _from_parquet(Path(data), wanted)
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
        return _from_reader(pa.RecordBatchReader.from_stream(data), wanted, kind)
    raise SourceError(
        f"data of type {type(data).__name__} can't be read; give a pandas, Polars or Arrow table, a dict of arrays, "
        "the path of a Parquet file, or group statistics"
    )


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
    name = "the data frame"
    for column in wanted:
        in_index = column in frame.index.names and column not in frame.columns
        hint = "it is in the index: use .reset_index() first" if in_index else ""
        _check_columns([column], list(frame.columns), name, hint)
    arrays = [_pandas_array(frame[column], column) for column in wanted]
    return _from_reader(_table(wanted, arrays, name).to_reader(), wanted, name)


def _pandas_array(series: Any, column: str) -> Any:
    """Arrow array of a pandas column, without a copy where pandas keeps a NumPy array of numbers."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiu":
        return arrow_numbers(series.to_numpy())
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
        if values.dtype.kind in "fiu":
            return arrow_numbers(values)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise SourceError(f"column {column!r} is a single {type(values).__name__}; a column is an array or a list")
    return _arrow_array(values, column)


def arrow_numbers(values: np.ndarray[Any, Any]) -> pa.Array:
    """Arrow array over the memory of a NumPy array of integers or floats; NaN stays NaN.

    As ``pa.array(values)``, which would load pandas to ask whether the values are its own.

    Parameters
    ----------
    values : ndarray, shape (n,)

    Returns
    -------
    pyarrow.Array, length n
    """
    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _arrow_array(values: Any, column: str, **options: Any) -> Any:
    try:
        return pa.array(values, from_pandas=True, **options)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise SourceError(
            f"column {column!r} can't be read as one Arrow type ({_first_line(error)}); give all its values one type"
        ) from None


def _table(names: list[str], arrays: list[Any], source: str) -> pa.Table:
    lengths = {name: len(array) for name, array in zip(names, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} has {length:,}" for name, length in lengths.items())
        raise SourceError(f"the columns of {source} differ in length: {shown} rows")
    return pa.table(dict(zip(names, arrays, strict=True)))


def _from_reader(reader: pa.RecordBatchReader, wanted: list[str], name: str) -> Source:
    _check_columns(wanted, reader.schema.names, name)
    schema = pa.schema([reader.schema.field(column) for column in wanted])

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                yield batch.select(wanted)
        except pa.ArrowException as error:
            raise SourceError(f"{name} can't be read: {_first_line(error)}") from None

    return Source(name, schema, batches())


def _from_parquet(path: Path, wanted: list[str]) -> Source:
    file = _parquet_file(path)
    name = f"file {path}"
    _check_columns(wanted, file.schema_arrow.names, name)
    schema = pa.schema([file.schema_arrow.field(column) for column in wanted])

    def batches() -> Iterator[pa.RecordBatch]:
        with file:
            try:
                # The bound on rows keeps memory small; a row group of one file may be as large as the file.
                yield from file.iter_batches(batch_size=1 << 17, columns=wanted, use_threads=True)
            except (pa.ArrowException, OSError) as error:
                raise SourceError(f"{name} can't be read: {_first_line(error)}") from None

    return Source(name, schema, (batch.select(wanted) for batch in batches()))


def _parquet_file(path: Path) -> Any:
    import pyarrow.parquet as pq

    try:
        if path.is_dir():
            raise SourceError(f"{path} is a folder; name a Parquet file in it")
        return pq.ParquetFile(path, pre_buffer=True, page_checksum_verification=True)
    except FileNotFoundError:
        raise SourceError(f"file {path} does not exist") from None
    except PermissionError:
        raise SourceError(f"file {path} can't be read: permission denied") from None
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"file {path} is not a Parquet file that can be read: {_first_line(error)}") from None


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
    with _parquet_file(Path(path)) as file:
        return dict(file.schema_arrow.metadata or {})


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
