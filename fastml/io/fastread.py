"""Parquet through Polars' reader, where it is installed: all files as one stream, decoded on its own threads.

Its streaming engine overlaps files and row groups better than jobs on our threads do, and decodes columns of plain
numbers at close to the cost of decompressing them. Batches come over the Arrow C interface without a copy. What it
can't read, or wouldn't check, is left to pyarrow.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pyarrow as pa

from fastml.io.file_formats import LARGE, File, Location

__all__ = ["fast_batches", "is_fast"]

# Loading Polars takes as long as its reader saves on this many rows; where it is loaded, few make up for the start.
WORTH_LOADING = 400_000_000
WORTH_STARTING = 4_000_000

# Rows of a batch: a tile's.
BATCH = 1 << 20

# Row groups that Polars may have read ahead of each thread: by default so many that memory holds hundreds of megabytes,
# and no faster.
_AHEAD = "POLARS_ROW_GROUP_PREFETCH_SIZE", "1"


def is_fast(files: Sequence[File], columns: Sequence[str], schema: pa.Schema) -> bool:
    """Whether Polars reads the columns of these files faster, with the same types, checks and bounds on memory.

    Parameters
    ----------
    files : sequence of File
    columns : sequence of str
    schema : pyarrow.Schema
        The common types of the columns.

    Returns
    -------
    bool
    """
    told = os.environ.get("FASTML_READER")
    plain = all(pa.types.is_integer(t) or pa.types.is_float32(t) or pa.types.is_float64(t) for t in schema.types)
    if told == "pyarrow" or not plain or len(set(columns)) < len(columns):
        return False
    enough = WORTH_STARTING if "polars" in sys.modules else WORTH_LOADING
    if told != "polars" and (sum(file.n_rows for file in files) < enough or find_spec("polars") is None):
        return False
    if not all(file.parquet is not None and file.location.filesystem is None for file in files):
        return False
    import polars as pl

    return hasattr(pl.LazyFrame, "collect_batches") and all(_is_plain(file, columns, schema) for file in files)


def _is_plain(file: File, columns: Sequence[str], schema: pa.Schema) -> bool:
    """Whether a file has these columns in these types, row groups of modest size, and no checksums."""
    if any(
        name not in file.schema.names or file.schema.field(name).type != schema.field(name).type for name in columns
    ):
        return False
    groups = [file.parquet.row_group(i) for i in range(file.parquet.num_row_groups)]
    if any(8 * group.num_rows * len(columns) > LARGE for group in groups):
        return False
    return not groups or not _has_checksum(file.location, groups[0].column(0))


def _has_checksum(location: Location, chunk: Any) -> bool:
    """Whether the first page of a column chunk has a checksum, which Polars doesn't verify.

    The page's header is a Thrift struct in compact form: three int32 (type, sizes), then perhaps the checksum.
    """
    at = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    with location.open() as source:
        source.seek(at)
        header = bytes(source.read(40))
    next_i32 = 0x15
    at = 0
    for _ in range(3):
        if header[at : at + 1] != bytes([next_i32]):
            return True  # no header that we know: leave it to pyarrow
        at += 1
        while at < len(header) and header[at] & 0x80:
            at += 1
        at += 1
    return header[at : at + 1] == bytes([next_i32])


def fast_batches(
    files: Sequence[File],
    columns: list[str],
    otherwise: Callable[[], Iterator[tuple[pa.RecordBatch, int]]],
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Read files for which `is_fast` is true.

    Parameters
    ----------
    files : sequence of File
    columns : list of str
    otherwise : callable
        Returns the batches as pyarrow reads them: where Polars fails it goes on, or says what is wrong with which file.

    Yields
    ------
    batch : pyarrow.RecordBatch
    share : int
        Bytes of the files that it accounts for.
    """
    import polars as pl

    bytes_per_row = sum(file.size for file in files) / max(sum(file.n_rows for file in files), 1)
    scan = pl.scan_parquet([file.location.path for file in files], glob=False, hive_partitioning=False)
    seen = 0
    try:
        frames = iter(scan.select(columns).collect_batches(chunk_size=BATCH, maintain_order=True, lazy=True))
        with _bounded():
            frame = next(frames, None)
        while frame is not None:
            parts = list(pa.RecordBatchReader.from_stream(frame))[::-1]
            frame = None  # held by nobody while the reader works on it
            while parts:
                n_rows = parts[-1].num_rows
                seen += n_rows
                yield parts.pop(), int(bytes_per_row * n_rows)
            frame = next(frames, None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        yield from _after(seen, otherwise())
        return
    if seen < sum(file.n_rows for file in files):  # Polars before 1.37 ends early, and silently, at a damaged page
        yield from _after(seen, otherwise())


@contextmanager
def _bounded() -> Iterator[None]:
    """Have a query that starts in here read few row groups ahead, unless the user said how many."""
    name, value = _AHEAD
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)


def _after(rows: int, batches: Iterator[tuple[pa.RecordBatch, int]]) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches without their first rows."""
    for batch, share in batches:
        if rows < batch.num_rows:
            yield batch.slice(rows), share
        rows = max(rows - batch.num_rows, 0)
