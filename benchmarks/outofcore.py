"""Many files, more rows than anybody wants in memory: peak memory and throughput, beside DuckDB and the bare read.

Run `python benchmarks/outofcore.py [--rows 100]` (millions). `fastml simulate` makes the rows in eight files, and a
tenth of them, in a temporary folder. Memory is the peak of the process of `fastml fit`, less that of one that has
imported fastml and the libraries it stands on. Times are those of a warm process, the median of seven rounds in
which each contestant has its turn, and the seconds of processors, which other work on the machine disturbs less;
"command" is the whole `fastml fit`, start of Python included.
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
from pathlib import Path
from statistics import median

# The parent process stays small: its memory counts in the peak of its children.
ROUNDS = 7
IDLE = "import fastml.cli.app, fastml.api, numba, numpy, pyarrow, pyarrow.parquet, scipy.special"
FIT = [sys.executable, "-m", "fastml", "fit"]
COLUMNS = ["-y", "score", "-g", "school"]


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
    """What is timed, by name; each reads all rows."""
    import duckdb
    import polars as pl

    import fastml

    def fit(reader: str) -> object:
        os.environ["FASTML_READER"] = reader
        return fastml.fit(folder, "score", "school").n_obs

    def group_by() -> object:
        query = f"select school, count(score), avg(score), var_pop(score) from read_parquet('{folder}/*.parquet')"
        return duckdb.sql(query + " group by all").to_arrow_table().num_rows

    def bare() -> object:
        scan = pl.scan_parquet(folder).select("school", "score")
        return sum(frame.height for frame in scan.collect_batches(chunk_size=1 << 20, lazy=True))

    return {
        "fastml, extra fast": lambda: fit("polars"),
        "fastml, pyarrow alone": lambda: fit("pyarrow"),
        "DuckDB group by": group_by,
        "bare read (Polars)": bare,
    }


def measure(folder: str) -> None:
    """Print the median seconds of each contestant, on the clock and of processors, as JSON."""
    entries = contestants(folder)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in entries}
    for turn in range(ROUNDS + 1):
        for name, run in entries.items():
            start = time.perf_counter(), time.process_time()
            run()
            if turn:
                times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    medians = {name: [median(column) for column in zip(*taken, strict=True)] for name, taken in times.items()}
    print(json.dumps(medians))


def memory(name: str, folder: Path, small: Path, idle: float, **environment: str) -> None:
    """Print peak memory against an idle import and against a tenth of the rows."""
    peaks: dict[Path, list[float]] = {folder: [], small: []}
    seconds = []
    for _ in range(3):
        for data, found in peaks.items():
            peak, taken = peak_and_seconds([*FIT, str(data), *COLUMNS], **environment)
            found.append(peak)
            if data is folder:
                seconds.append(taken)
    most, ratio = max(peaks[folder]), median(peaks[folder]) / median(peaks[small])
    print(f"{name:24} peak {most:4.0f} MB, {most - idle:4.0f} above an idle import; "
          f"{ratio:.2f} x that of a tenth of the rows; command {median(seconds):.2f} s")  # fmt: skip


def main() -> None:
    """Make the files, measure, remove them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=100.0, help="millions")
    parser.add_argument("--schools", type=float, default=1e5)
    parser.add_argument("--measure", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory() as base:
        folder, small = Path(base) / "all", Path(base) / "tenth"
        for target, rows in ((folder, options.rows), (small, options.rows / 10)):
            command = ["simulate", "--students", str(rows * 1e6), "--schools", str(options.schools), "--files", "8"]
            subprocess.run([sys.executable, "-m", "fastml", *command, "-o", str(target)], check=True)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{options.rows:g} million rows, {size / 1e6:,.0f} MB in 8 files, {os.cpu_count()} processors")
        idle = peak_and_seconds([sys.executable, "-c", IDLE])[0]
        with_polars = peak_and_seconds([sys.executable, "-c", IDLE + ", polars"])[0]
        print(f"idle import {idle:.0f} MB, with Polars {with_polars:.0f} MB")
        memory("fastml fit", folder, small, idle)
        memory("the same through Polars", folder, small, with_polars, FASTML_READER="polars")
        done = subprocess.run(
            [sys.executable, __file__, "--measure", str(folder)], capture_output=True, text=True, check=True
        )
        times = json.loads(done.stdout)
        duckdb, bare = times["DuckDB group by"], times["bare read (Polars)"]
        for name, (taken, work) in times.items():
            print(f"{name:24} {taken:.3f} s, {options.rows / taken:5.0f} million rows/s; "
                  f"{duckdb[0] / taken:.2f} x DuckDB's speed, {taken / bare[0]:.2f} x the bare read's time; "
                  f"{work:.3f} s of processors, "
                  f"{work / bare[1]:.2f} x the bare read's")  # fmt: skip


if __name__ == "__main__":
    main()
