"""Many files, more rows than anybody wants in memory: peak memory and throughput, beside DuckDB and bare reads.

Run `python benchmarks/outofcore.py [--rows 100]` (millions). `fastml simulate` makes the rows in eight files, and a
tenth of them, in a temporary folder. Memory is the peak of the process of `fastml fit`, less that of one that has
imported fastml and the libraries it stands on. Each contestant has a process of its own, and its turn in each of
seven rounds. Times are medians: by the clock, and the seconds of processors, which other work on the machine disturbs
less; "command" is the whole `fastml fit`, start of Python included; "least" reads the row groups on all threads and
measures each as it lies, which is the least that fastml can do with this reader.

Then the same times for what many have on their disks: 12 million shuffled rows of 5,000 schools, in six files as
pyarrow writes them by default.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

# The parent process stays small: its memory counts in the peak of its children.
ROUNDS = 7
IDLE = "import fastml.cli.app, fastml.api, numba, numpy, pyarrow, pyarrow.parquet, scipy.special"
FIT = [sys.executable, "-m", "fastml", "fit"]
COLUMNS = ["-y", "score", "-g", "school"]
SHUFFLED_ROWS, SHUFFLED_SCHOOLS, SHUFFLED_FILES = 12_000_000, 5_000, 6


def peak_and_seconds(command: list[str], **environment: str) -> tuple[float, float]:
    """Peak memory (MB) and time of a process."""
    actions = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, {**os.environ, **environment}, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024, time.perf_counter() - start


def contestants(folder: str) -> dict[str, Callable[[], object]]:
    """What is timed, by name; each reads all rows of two columns."""
    files = sorted(map(str, Path(folder).iterdir()))

    def fit() -> object:
        import fastml

        return fastml.fit(folder, "score", "school").n_obs

    def group_by() -> object:
        import duckdb

        query = f"select school, count(score), avg(score), var_pop(score) from read_parquet('{folder}/*.parquet')"
        return duckdb.sql(query + " group by all").to_arrow_table().num_rows

    def least() -> object:
        """Measure each row group where it was read: without order, edges of tiles, and adding up."""
        import pyarrow.parquet as pq

        from fastml.io.file_formats import LOCAL_BUFFER
        from fastml.io.threads import thread_count
        from fastml.kernels.workspace import Workspace
        from fastml.reduce.columns import CallColumns
        from fastml.reduce.tile import TileRecords, measure

        columns, space = CallColumns(["score"], ["school"]), Workspace()

        def of_row_group(job: tuple[str, pq.FileMetaData, int]) -> TileRecords:
            path, metadata, index = job
            with pq.ParquetFile(path, metadata=metadata, buffer_size=LOCAL_BUFFER, pre_buffer=False) as file:
                table = file.read_row_group(index, columns=["school", "score"], use_threads=False)
            return measure(table.to_batches()[0], columns, 0, space).kept()

        feet = [(file, pq.read_metadata(file)) for file in files]
        jobs = [(file, metadata, i) for file, metadata in feet for i in range(metadata.num_row_groups)]
        with ThreadPoolExecutor(thread_count()) as pool:
            return len(list(pool.map(of_row_group, jobs)))

    def bare_pyarrow() -> object:
        import pyarrow.parquet as pq

        return sum(pq.ParquetFile(file).read(columns=["school", "score"]).num_rows for file in files)

    def bare_polars() -> object:
        import polars as pl

        scan = pl.scan_parquet(folder).select("school", "score")
        return sum(frame.height for frame in scan.collect_batches(chunk_size=1 << 20, lazy=True))

    return {
        "fastml": fit,
        "least": least,
        "DuckDB group by": group_by,
        "bare read (pyarrow)": bare_pyarrow,
        "bare read (Polars)": bare_polars,
    }


def measure(folder: str, name: str) -> None:
    """Run a contestant for each line of input; print its seconds on the clock and of processors, as JSON."""
    run = contestants(folder)[name]
    for _ in sys.stdin:
        start = time.perf_counter(), time.process_time()
        run()
        print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1]]), flush=True)


def in_turns(folder: Path) -> dict[str, list[float]]:
    """Median seconds of each contestant, on the clock and of processors, without the first turn, which warms up."""
    processes = {
        name: subprocess.Popen(
            [sys.executable, __file__, "--measure", str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in contestants(str(folder))
    }
    times: dict[str, list[list[float]]] = {name: [] for name in processes}
    for turn in range(ROUNDS + 1):
        # Who comes after whom changes: what one leaves to the system to be done may disturb the next.
        for name, process in (list, reversed)[turn % 2](processes.items()):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            times[name].append(json.loads(process.stdout.readline()))
    for process in processes.values():
        process.communicate()
    return {name: [median(column) for column in zip(*taken[1:], strict=True)] for name, taken in times.items()}


def memory(name: str, folder: Path, small: Path, idle: float) -> None:
    """Print peak memory against an idle import and against a tenth of the rows."""
    peaks: dict[Path, list[float]] = {folder: [], small: []}
    seconds = []
    for _ in range(3):
        for data, found in peaks.items():
            peak, taken = peak_and_seconds([*FIT, str(data), *COLUMNS])
            found.append(peak)
            if data is folder:
                seconds.append(taken)
    most, ratio = max(peaks[folder]), median(peaks[folder]) / median(peaks[small])
    print(f"{name:24} peak {most:4.0f} MB, {most - idle:4.0f} above an idle import; "
          f"{ratio:.2f} x that of a tenth of the rows; command {median(seconds):.2f} s")  # fmt: skip


def write_shuffled(folder: Path) -> None:
    """Write rows in any order, as pyarrow does by default."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    rng = np.random.default_rng(1)
    effect = rng.normal(0.0, 30.0, SHUFFLED_SCHOOLS)
    for k in range(SHUFFLED_FILES):
        school = rng.integers(0, SHUFFLED_SCHOOLS, int(SHUFFLED_ROWS / SHUFFLED_FILES))
        score = 500.0 + effect[school] + rng.normal(0.0, 80.0, len(school))
        pq.write_table(pa.table({"school": school, "score": score}), folder / f"{k}.parquet")


def throughput(title: str, rows: float, folder: Path) -> None:
    """Print how fast each contestant reads the rows (millions) of a folder."""
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{title}: {rows:g} million rows, {size / 1e6:,.0f} MB")
    times = in_turns(folder)
    duckdb, bare = times["DuckDB group by"], times["bare read (pyarrow)"]
    for name, (taken, work) in times.items():
        print(f"{name:24} {taken:.3f} s, {rows / taken:5.0f} million rows/s; "
              f"{duckdb[0] / taken:.2f} x DuckDB's speed, {taken / bare[0]:.2f} x the time of pyarrow's bare read; "
              f"{work:.3f} s of processors, {work / bare[1]:.2f} x the bare read's")  # fmt: skip


def main() -> None:
    """Make the files, measure, remove them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=100.0, help="millions")
    parser.add_argument("--schools", type=float, default=1e5)
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "CONTESTANT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    with tempfile.TemporaryDirectory() as base:
        folder, small, shuffled = (Path(base) / name for name in ("all", "tenth", "shuffled"))
        for target, rows in ((folder, options.rows), (small, options.rows / 10)):
            command = ["simulate", "--students", str(rows * 1e6), "--schools", str(options.schools), "--files", "8"]
            subprocess.run([sys.executable, "-m", "fastml", *command, "-o", str(target)], check=True)
        idle = peak_and_seconds([sys.executable, "-c", IDLE])[0]
        print(f"{os.cpu_count()} processors; idle import {idle:.0f} MB")
        memory("fastml fit", folder, small, idle)
        throughput("eight files of fastml simulate", options.rows, folder)
        write_shuffled(shuffled)
        throughput("six files of shuffled rows, by pyarrow's defaults", SHUFFLED_ROWS / 1e6, shuffled)


if __name__ == "__main__":
    main()
