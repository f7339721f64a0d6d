"""Anything tabular -> one stream of Arrow record batches of the needed columns."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from fastml.io.csv_options import CsvOptions, csv_options
from fastml.io.dataset import OnRead, dataset_columns, open_dataset
from fastml.io.discovery import is_path
from fastml.io.file_formats import open_parquet
from fastml.io.filters import as_filter
from fastml.io.in_memory import Source, check_indices, is_pandas, open_memory
from fastml.io.locations import Location
from fastml.io.progress import Watch, watcher
from fastml.io.threads import thread_count
from fastml.kernels.threads import Pool

__all__ = ["Input", "column_names", "open_source", "schema_metadata"]


@dataclass(frozen=True)
class Input:
    """Data, and how to read them: what a call is given. `open_source` takes it in the place of the data.

    Attributes
    ----------
    data : anything `open_source` takes
    filter : str or pyarrow.compute.Expression, optional
        Only rows for which it is true.
    threads : int, optional
        Files or row groups to decode at a time; as many as there are processors.
    csv_options : mapping or CsvOptions, optional
    progress : bool, optional
        Whether to show progress; None: on a terminal only.
    """

    data: Any
    filter: Any = None
    threads: int | None = None
    csv_options: Mapping[str, Any] | CsvOptions | None = None
    progress: bool | None = None

    @property
    def condition(self) -> str | None:
        """The filter as text; None without one."""
        return None if self.filter is None else as_filter(self.filter).text

    def named(self) -> str:
        """Return what the data are, in a few words, for messages."""
        if not is_path(self.data):
            return f"a {type(self.data).__name__}"
        names = self.data if isinstance(self.data, (list, tuple)) else [self.data]
        return str(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")

    def with_missing(self, texts: Sequence[str]) -> Input:
        """Return the same with more texts that stand for missing numbers in CSV files."""
        if not texts or not isinstance(self.csv_options, Mapping | None):
            return self
        given = dict(self.csv_options or {})
        held = given.get("missing", ())
        return replace(self, csv_options=given | {"missing": [*([held] if isinstance(held, str) else held), *texts]})

    def said(self, codes: Sequence[float]) -> dict[str, Any]:
        """Return what the call says of how values are read, as plain values for `Origin`.

        Examples
        --------
        >>> Input("a.csv", csv_options={"decimal": ",", "missing": "k.A."}).said([9.0])
        {'missing': [9.0, 'k.A.'], 'csv_options': {'decimal': ','}}
        """
        usual, given = CsvOptions(), csv_options(self.csv_options)
        missing = [*codes, *given.missing]
        others = {name: value for name, value in vars(given).items() if value != getattr(usual, name)}
        others.pop("missing", None)
        if given.types:
            others["types"] = {name: str(kind) for name, kind in given.types.items()}
        return ({"missing": missing} if missing else {}) | ({"csv_options": others} if others else {})

    def checked(self) -> Input:
        """Return the same, the filter and the options parsed.

        Raises
        ------
        FastmlError
            No such number of threads; a filter or CSV options that can't be read.
        """
        return replace(
            self,
            filter=None if self.filter is None else as_filter(self.filter),
            threads=thread_count(self.threads),
            csv_options=csv_options(self.csv_options),
        )


def open_source(
    data: Any,
    columns: Sequence[str],
    ids: Sequence[str] = (),
    *,
    unchecked: str | None = None,
    pool: Pool | None = None,
    on_read: OnRead | None = None,
) -> Source:
    """Open data of any supported kind for reading some of its columns.

    Parameters
    ----------
    data : pandas, Polars or Arrow table, mapping of arrays, RecordBatchReader, or path
        Also any other object with ``__arrow_c_stream__``, and `Input`. A path names a Parquet, Arrow IPC, Feather,
        CSV, SPSS, Stata or SAS file, a folder (perhaps partitioned: ``cycle=2019/x.parquet``), or is a glob, a URI, or
        a list of such.
    columns : sequence of str
        The columns to read; each is read once, however often it is named.
    ids : sequence of str
        Which of them hold ids, which in text files are texts; the others hold numbers there.
    unchecked : str, optional
        The column whose indices, where it is a dictionary in memory, the caller checks by `check_indices`: to read them
        once more takes a fifth of a pass.
    pool : Pool, optional
        The caller's, to read files by; else one of as many threads as the data say.
    on_read : callable, optional
        What to make of batches of files, as of `fastml.io.dataset.open_dataset`.

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
    given = data if isinstance(data, Input) else Input(data, progress=False)
    watch = watcher(given.progress)
    condition = None if given.filter is None else as_filter(given.filter)
    if is_path(given.data):
        csv, threads = csv_options(given.csv_options), thread_count(given.threads)
        found = open_dataset(given.data, wanted, condition, threads, csv, ids, pool, on_read)
        return Source(found.name, found.schema, _watched(found.batches, found.size, watch), found.origins)
    if condition is None:
        source = open_memory(given.data, wanted)
        to_check = [f.name for f in source.schema if f.name != unchecked or not pa.types.is_dictionary(f.type)]
        checked = _checked(source, to_check)
        return replace(source, batches=_watched(_without_bytes(checked), 0, watch))
    filtered_by = condition.columns(column_names(given.data)[1])
    source = open_memory(given.data, list(dict.fromkeys([*wanted, *filtered_by])))
    of_rows = condition.on(source.schema)
    kept = _without_bytes(of_rows.rows(batch, wanted) for batch in _checked(source, source.schema.names))
    schema = pa.schema([source.schema.field(column) for column in wanted])
    return Source(source.name, schema, _watched(kept, 0, watch))


def _checked(source: Source, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches in memory; the indices of these columns don't lead out of their dictionaries."""
    first_row = 0
    for batch in source.batches:
        for name in columns:
            check_indices(name, batch.column(name), source.name, first_row)
        yield batch
        first_row += batch.num_rows


def _without_bytes(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, int, int]]:
    """Batches with their numbers of rows, of no file's bytes."""
    return ((batch, batch.num_rows, 0) for batch in batches)


def _watched(batches: Iterator[tuple[Any, int, int]], size: int, watch: Watch | None) -> Generator[Any, None, None]:
    watched = watch(batches, size) if watch else batches
    try:
        for batch, _, _ in watched:
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
    if isinstance(data, Input):
        if is_path(data.data):
            return dataset_columns(data.data, csv_options(data.csv_options))
        data = data.data
    if is_path(data):
        return dataset_columns(data)
    if is_pandas(data):
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
