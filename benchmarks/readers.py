"""How fast each reader brings two columns of Parquet into memory, batch by batch.

Run `python benchmarks/readers.py FILE...`. Every reader runs in a process of its own; the figures are the best and
the median of five (seconds), and the peak memory of the process. Without files it makes 20 million rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

COLUMNS = ["school", "score"]
THREADS = 2


def _row_groups(files: list[str], **options: Any) -> Iterator[Any]:
    """Row groups on threads, a few ahead, in order; the file is opened once per thread and file."""
    import threading

    import pyarrow.parquet as pq

    held = threading.local()

    def read(path: str, index: int) -> Any:
        if getattr(held, "path", None) != path:
            held.path, held.file = path, pq.ParquetFile(path, **options)
        return held.file.read_row_group(index, columns=COLUMNS, use_threads=False)

    jobs = [(path, i) for path in files for i in range(pq.ParquetFile(path).num_row_groups)]
    with ThreadPoolExecutor(THREADS) as pool:
        yield from _ahead(pool, read, jobs)


def _ahead(pool: ThreadPoolExecutor, read: Callable[..., Any], jobs: list[Any]) -> Iterator[Any]:
    ahead: deque[Any] = deque()
    for job in jobs:
        ahead.append(pool.submit(read, *job))
        if len(ahead) > THREADS:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def pyarrow_iter_batches(files: list[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    for path in files:
        yield from pq.ParquetFile(path, pre_buffer=True).iter_batches(1 << 17, columns=COLUMNS, use_threads=True)


def pyarrow_row_groups(files: list[str]) -> Iterator[Any]:
    yield from _row_groups(files)


def pyarrow_row_groups_mapped(files: list[str]) -> Iterator[Any]:
    yield from _row_groups(files, memory_map=True)


def pyarrow_row_groups_checked(files: list[str]) -> Iterator[Any]:
    yield from _row_groups(files, memory_map=True, page_checksum_verification=True)


def pyarrow_row_groups_buffered(files: list[str]) -> Iterator[Any]:
    """As fastml reads them: a little of a column chunk at a time."""
    yield from _row_groups(files, buffer_size=1 << 18, page_checksum_verification=True)


def pyarrow_dataset(files: list[str]) -> Iterator[Any]:
    import pyarrow.dataset as ds

    yield from ds.dataset(files).to_batches(columns=COLUMNS, batch_readahead=4, fragment_readahead=1)


def polars_collect_batches(files: list[str]) -> Iterator[Any]:
    import polars as pl

    yield from (
        pl.scan_parquet(files).select(COLUMNS).collect_batches(chunk_size=1 << 20, maintain_order=True, lazy=True)
    )


def polars_collect_row_groups(files: list[str]) -> Iterator[Any]:
    import polars as pl
    import pyarrow.parquet as pq

    for path in files:
        scan = pl.scan_parquet(path).select(COLUMNS)
        meta = pq.ParquetFile(path).metadata
        start = 0
        for i in range(meta.num_row_groups):
            rows = meta.row_group(i).num_rows
            yield scan.slice(start, rows).collect()
            start += rows


def polars_row_groups_threads(files: list[str]) -> Iterator[Any]:
    import polars as pl
    import pyarrow.parquet as pq

    jobs: list[Any] = []
    for path in files:
        meta = pq.ParquetFile(path).metadata
        start = 0
        scan = pl.scan_parquet(path).select(COLUMNS)
        for i in range(meta.num_row_groups):
            rows = meta.row_group(i).num_rows
            jobs.append((scan, start, rows))
            start += rows

    def read(scan: Any, start: int, rows: int) -> Any:
        return scan.slice(start, rows).collect()

    with ThreadPoolExecutor(THREADS) as pool:
        yield from _ahead(pool, read, jobs)


def polars_whole_file(files: list[str]) -> Iterator[Any]:
    import polars as pl

    for path in files:
        yield pl.read_parquet(path, columns=COLUMNS)


def duckdb_group_by(files: list[str]) -> Iterator[Any]:
    import duckdb

    yield duckdb.sql(
        f"select school, count(score), avg(score), var_pop(score) from read_parquet({files!r}) group by all"
    ).to_arrow_table()


READERS = {f.__name__: f for f in (
    pyarrow_iter_batches, pyarrow_row_groups, pyarrow_row_groups_mapped, pyarrow_row_groups_checked,
    pyarrow_row_groups_buffered, pyarrow_dataset,
    polars_collect_batches, polars_collect_row_groups, polars_row_groups_threads, polars_whole_file, duckdb_group_by,
)}  # fmt: skip


def _measure(name: str, files: list[str]) -> dict[str, Any]:
    import resource

    times, rows = [], 0
    for _ in range(5):
        start, rows = time.perf_counter(), 0
        for batch in READERS[name](files):
            rows += len(batch)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"reader": name, "seconds": round(min(times), 3), "median": round(sorted(times)[2], 3),
            "rows": rows, "peak MB": round(peak)}  # fmt: skip


def main() -> None:
    """Measure every reader in a process of its own."""
    files = sys.argv[1:]
    if files and files[0] in READERS:
        print(json.dumps(_measure(files[0], files[1:])))
        return
    with tempfile.TemporaryDirectory() as folder:
        if not files:
            from fastml.simulation import simulate_files

            path = Path(folder) / "students.parquet"
            simulate_files(path, students=20_000_000, schools=20_000, seed=1)
            files = [str(path)]
        for name in READERS:
            subprocess.run([sys.executable, __file__, name, *files], check=True)


if __name__ == "__main__":
    main()
