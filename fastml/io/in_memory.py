"""Tables in memory -> a stream of Arrow record batches: pandas, Polars, Arrow, mappings of arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from fastml.errors import ColumnNotFoundError, SourceError, first_line, row_text
from fastml.io.arrays import as_arrow, as_numpy, lead_out
from fastml.io.origins import Origins
from fastml.io.python_values import check_objects

__all__ = ["Source", "check_has_columns", "check_indices", "is_pandas", "open_memory"]


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
        Batches of that schema, or what the `on_read` of `fastml.io.source.open_source` made of them. Closing it ends
        the threads that read ahead, unless they are of a caller's pool; so does its end, or an error in it.
    origins : callable, optional
        Of files: what was read, as of `fastml.io.dataset.Dataset`.
    """

    name: str
    schema: pa.Schema
    batches: Generator[pa.RecordBatch, None, None]
    origins: Origins | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that it reads; none of data in memory."""
        return () if self.origins is None else tuple(origin.name for origin in self.origins(None))


def open_memory(data: Any, wanted: list[str]) -> Source:
    """Open a table in memory for reading some of its columns, the indices of dictionaries not yet checked.

    Parameters
    ----------
    data : pandas, Polars or Arrow table, mapping of arrays, RecordBatchReader, or anything with ``__arrow_c_stream__``
    wanted : list of str
        Each once.

    Returns
    -------
    Source

    Raises
    ------
    SourceError
        The data are of a kind that can't be read.
    ColumnNotFoundError
    """
    if is_pandas(data):
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
        "the path of a Parquet, Arrow, CSV, SPSS, Stata or SAS file, or group statistics"
    )


def check_has_columns(data: Any) -> None:
    """Refuse what stands for a table's rows in groups, or is one of its columns.

    Raises
    ------
    SourceError
    """
    kind = type(data).__name__
    if kind.endswith("GroupBy"):
        raise SourceError(
            f"a {kind} has no rows of its own; give the table: fit(data, outcome='score', group='school'), or a fit "
            "for each part, fit_by(data, 'score', 'school', by='country')"
        )
    if kind == "Series" or isinstance(data, np.ndarray):
        what = "a Series is one column" if kind == "Series" else f"an {kind} holds no named columns"
        raise SourceError(
            f"{what}; give a table of scores and school ids, and the names of both: "
            "fit(data, outcome='score', group='school')"
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


def is_pandas(data: Any) -> bool:
    """Whether data are a pandas data frame; pandas isn't imported for it."""
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
        series = getattr(series, "sparse", series).to_dense()  # of a Series, or an array
    # Arrow would have the numbers of periods, which say nothing, in the place of their names.
    if type(series.dtype).__name__ == "PeriodDtype":
        series = series.astype("string")
    elif type(getattr(getattr(series.dtype, "categories", None), "dtype", None)).__name__ == "PeriodDtype":
        series = series.astype(object).astype("string")
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
    if type(values).__module__.partition(".")[0] == "pandas":  # whose export makes one kind of several
        return _pandas_array(values, column)
    if str(getattr(values, "dtype", "")) == "Object":
        raise SourceError(f"column {column!r} holds Python objects; give all its values one type")
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)
    if isinstance(values, (Mapping, Set)):
        raise SourceError(
            f"column {column!r} is a {type(values).__name__}, whose values have no rows; a column is an array or a list"
        )
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise SourceError(f"column {column!r} is a single {type(values).__name__}; a column is an array or a list")
    return _arrow_array(values, column)


def _arrow_array(values: Any, column: str, **options: Any) -> Any:
    dtype = getattr(values, "dtype", None)
    objects = getattr(dtype, "categories", values)  # of pandas
    if getattr(objects, "dtype", None) in (None, np.dtype(object)):
        check_objects(objects if "mask" not in options else objects[~options["mask"]], column)
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
                batch.validate()
                for field in schema:
                    _check_promise(field, batch, name)
                yield batch.select(wanted)
        except pa.ArrowException as error:
            raise SourceError(f"{name} can't be read: {first_line(error)}") from None

    return Source(name, schema, batches())


def check_indices(column: str, values: pa.Array, source: str, first_row: int) -> None:
    """Refuse an Arrow dictionary whose indices lead out of it: Arrow takes them as they are, for any label or none.

    Parameters
    ----------
    column : str
    values : pyarrow.Array
        Of any type; others pass.
    source : str
        What the data are, for the message.
    first_row : int
        Number of the first value's row in the data.

    Raises
    ------
    SourceError
    """
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    if not pa.types.is_dictionary(values.type):
        return
    indices, size = as_numpy(values.indices), len(values.dictionary)
    if not lead_out(indices, size):
        return
    out = (indices < 0) | (indices >= size)
    bad = np.flatnonzero(out & np.asarray(values.is_valid()))  # under a null there may be anything
    if len(bad):
        where = row_text(first_row + int(bad[0]))
        raise SourceError(
            f"column {column!r} of {source} has index {indices[bad[0]]} {where}, which leads out of its dictionary of "
            f"{size:,}; make the column anew"
        )


def _check_promise(field: pa.Field, batch: pa.RecordBatch, name: str) -> None:
    """Refuse a batch that has a column otherwise than its stream's schema says."""
    count = batch.schema.names.count(field.name)
    found = f"type {batch.schema.field(field.name).type}" if count == 1 else f"{count} of them"
    if count != 1 or batch.schema.field(field.name).type != field.type:
        raise SourceError(
            f"{name} says that column {field.name!r} has type {field.type}, but a batch has {found}; "
            "make its batches by its schema"
        )
