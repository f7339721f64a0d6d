"""What bounds the pass over the rows: the kernels alone, without Python between them, beside a bare read of the bytes.

python benchmarks/bounds.py [--rows 20] [--threads 2]        # millions of rows

Every figure is the best of several rounds in which all cases take turns, all threads at work. "The pass" is
`fastml.group_stats`, with all that is Python: what it takes longer than its kernels.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))
import rows as make

import fastml
from fastml.kernels.keys import find_runs
from fastml.kernels.sums import record, runs
from fastml.kernels.sums import shuffled as any_order
from fastml.kernels.workspace import Workspace
from fastml.keys.encoder import Encoder

SCHOOLS = (500, 5_000, 20_000, 50_000, 100_000)
TILE = 1 << 20

Work = Callable[[slice, "Thread"], Any]


@numba.njit(numba.int64(numba.types.Array(numba.types.int64, 1, "C", readonly=True)), nogil=True)  # type: ignore[untyped-decorator]
def add(values: Any) -> int:
    total = 0
    for i in range(values.shape[0]):
        total += values[i]
    return total


class Thread:
    """What a thread needs for itself: where runs and records go."""

    def __init__(self) -> None:
        self.starts, self.firsts = np.empty(TILE // 8 + 1, np.int32), np.empty(TILE // 8, np.int64)
        self.table, self.missing, self.top = np.empty((TILE // 8, 4)), np.empty(TILE // 8), np.empty(1)
        self.encoder = Encoder(Workspace())


def read(columns: list[np.ndarray[Any, Any]]) -> Work:
    """The sums of the bytes of columns, as integers."""
    words = [column.view(np.int64) for column in columns]
    return lambda part, thread: [add(column[part]) for column in words]


def sum_rows(numbers: np.ndarray[Any, Any], y: np.ndarray[Any, Any], n: int, thread: Thread) -> None:
    """The records of n groups."""
    table, missing = thread.table[:n], thread.missing[:n]
    table[:], missing[:] = 0.0, 0.0
    table[:, 1] = 500.0
    any_order.add_rows(numbers, 0, y, 500.0, table, missing, thread.top)
    record.find_off(table, np.empty(n, np.uint8))


def shuffled(keys: np.ndarray[Any, Any], outcomes: list[np.ndarray[Any, Any]], schools: int) -> Work:
    def work(part: slice, thread: Thread) -> None:
        for y in outcomes:
            sum_rows(keys[part], y[part], schools, thread)

    return work


def clustered(keys: np.ndarray[Any, Any], outcomes: list[np.ndarray[Any, Any]]) -> Work:
    def work(part: slice, thread: Thread) -> None:
        count = find_runs.find_runs(keys[part], 0, 0, thread.starts, thread.firsts)
        thread.starts[count] = len(keys[part])
        for y in outcomes:
            runs.sum_runs(thread.starts[: count + 1], y[part], thread.table[:count], thread.missing, thread.top)

    return work


def hashed(keys: pa.Array, y: np.ndarray[Any, Any] | None) -> Work:
    """Codes of labels that are known from the second tile on, and, with an outcome, the sums by code."""

    def work(part: slice, thread: Thread) -> None:
        found = thread.encoder.encode([keys[part]])
        if y is not None:
            sum_rows(found.codes.astype(np.int64), y[part], found.n_records, thread)

    return work


def measure(cases: dict[str, Work | pa.Table], n: int, threads: int, rounds: int) -> dict[str, float]:
    """Nanoseconds of a row, on all threads together; of the pass over a table where that is the case."""
    spaces = [Thread() for _ in range(threads)]
    best = dict.fromkeys(cases, float("inf"))
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            for name, work in cases.items():
                parts = iter([slice(first, first + TILE) for first in range(0, n, TILE)])
                begin = time.perf_counter()
                if isinstance(work, pa.Table):
                    fastml.group_stats(work, work.column_names[1:], "g", threads=threads)
                else:
                    list(pool.map(lambda space, work=work, parts=parts: [work(part, space) for part in parts], spaces))
                best[name] = min(best[name], (time.perf_counter() - begin) / n * 1e9)
    return best


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=20.0, help="millions")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args(arguments)
    n = max(int(args.rows * 1e6), 1 << 16)
    rng = np.random.default_rng(1)
    ys = [rng.normal(500.0, 90.0, n) for _ in range(5)]
    outcomes = {f"y{k}": y for k, y in enumerate(ys)}
    kinds = "clustered", "shuffled", "unbounded", "strings"
    passes = {kind: make.pass_rows(kind, n).combine_chunks() for kind in kinds}
    runs_of, wide, names = (passes[kind]["g"].chunk(0) for kind in ("clustered", "unbounded", "strings"))
    runs_of = np.asarray(runs_of)
    cases: dict[str, Work | pa.Table] = {
        "read of 16 bytes a row": read([runs_of, ys[0]]),
        "read of 48 bytes a row": read([runs_of, *ys]),
        "clustered, one outcome": clustered(runs_of, ys[:1]),
        "clustered, one outcome, the pass": passes["clustered"],
        "clustered, five outcomes": clustered(runs_of, ys),
        "clustered, five outcomes, the pass": pa.table({"g": runs_of, **outcomes}),
        "hashed integers, codes only": hashed(wide, None),
        "hashed integers, one outcome": hashed(wide, ys[0]),
        "hashed integers, one outcome, the pass": passes["unbounded"],
        "strings of 12 characters, codes only": hashed(names, None),
        "strings of 12 characters, one outcome": hashed(names, ys[0]),
        "strings of 12 characters, one outcome, the pass": passes["strings"],
    }
    for schools in SCHOOLS:
        keys = rng.integers(0, schools, n)
        cases |= {
            f"shuffled over {schools:,} schools": shuffled(keys, ys[:1], schools),
            f"shuffled over {schools:,} schools, five outcomes": shuffled(keys, ys, schools),
        }
    cases["shuffled over 20,000 schools, the pass"] = passes["shuffled"]
    found = measure(cases, n, args.threads, args.rounds)
    base = {size: found[f"read of {size} bytes a row"] for size in (16, 48)}
    print(f"| {args.threads} threads | ns a row | M rows/s | of the read | against one outcome |")
    print("|---|---:|---:|---:|---:|")
    for name, cost in found.items():
        five = "five" in name or "48" in name
        one = name.replace("48", "16").replace("five outcomes", "one outcome" if "clustered" in name else "")
        against = f"{cost / found[one.strip(', ')]:.2f}" if five else ""
        no_read = any(word in name for word in ("only", "strings"))
        share = "" if no_read else f"{base[48 if five else 16] / cost:.2f}"
        print(f"| {name} | {cost:.2f} | {1e3 / cost:,.0f} | {share} | {against} |")


if __name__ == "__main__":
    main()
