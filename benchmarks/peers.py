"""fastml beside what people would use instead: every peer in a process of its own, in turns; a Markdown table.

    python benchmarks/peers.py                          # all cases; some minutes, and up to 10 GB of memory
    python benchmarks/peers.py --case fit --case cold   # some of them
    python benchmarks/peers.py --python OTHER/bin/python        # the peers' own environment (fastml stays in this one)
    python benchmarks/peers.py --json figures.json      # keep the figures; cases that were not run are kept as they are
    python benchmarks/peers.py --json figures.json --render --into benchmarks/README.md

A figure is the best of several rounds; in each round every peer runs once. Answers are checked against fastml's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))
import rows as make

HERE = Path(__file__).parent
LECTURE = HERE.parent / "data" / "timss2019_usa_lecture.parquet"
ENGINES = ["DuckDB", "Polars", "pandas", "pyarrow"]
FITTERS = ["mixedlm-rs", "mixedlm-rs, its arrays", "mixedlm", "lme-python", "glmm", "statsmodels", "lmer"]
BEGIN, END = "<!-- tables of peers.py -->", "<!-- end -->"
SLOW = 4.0  # seconds: a peer that takes so long runs in the first round only


@dataclass
class Settings:
    threads: int
    rounds: int
    scale: float
    python: str
    folder: Path
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


class Peer:
    """A process that computes at the word "go"."""

    def __init__(self, name: str, file: Path, n: int, settings: Settings) -> None:
        self.name = name
        self.seconds: list[float] = []
        self.answer: list[float] | None = None
        ours = name.startswith(("fastml", "read")) or name == "a loop of fastml fit"
        # -P: nobody shall import a file of this folder for a package of its name.
        command = [sys.executable if ours else settings.python, "-P", str(HERE / "contestants.py"), name, str(file),
                   str(settings.threads)]  # fmt: skip
        if name == "lmer":
            command = ["Rscript", "--vanilla", str(HERE / "lmer.R"), str(file.with_suffix(".bin")), str(n)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        hello = self._listen()
        self.ready = bool(hello.get("ready"))
        if self.ready:
            settings.versions[name] = hello["version"]
        else:
            settings.absent[name] = hello.get("why", "the process ended")

    def _listen(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.strip() else {}

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        said = self._listen()
        if "seconds" not in said:
            raise RuntimeError(f"{self.name} died while computing")
        self.seconds.append(said["seconds"])
        if self.answer is None:
            self.answer = said["answer"]

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def race(names: list[str], table: pa.Table, settings: Settings, tolerance: float) -> dict[str, float]:
    """Best seconds of each peer that could be had; answers must agree with the first one's."""
    file = settings.folder / "rows.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    if "lmer" in names:
        if shutil.which("Rscript") is None:
            settings.absent["lmer"] = "Rscript is not installed"
            names = [name for name in names if name != "lmer"]
        else:
            both = [np.asarray(table[name], dtype=float) for name in ("g", "y")]
            file.with_suffix(".bin").write_bytes(b"".join(column.tobytes() for column in both))
    peers = []
    for name in names:
        peer = Peer(name, file, table.num_rows, settings)
        if peer.ready:
            peers.append(peer)
        else:
            peer.stop()
    dead: list[Peer] = []
    for turn in range(settings.rounds + 1):  # the first one warms up, and is all that a slow peer has
        for peer in peers:
            if peer in dead or (turn > 0 and peer.seconds[0] > SLOW):
                continue
            try:
                peer.go()
            except RuntimeError as error:
                settings.absent[peer.name] = str(error)
                dead.append(peer)
    for peer in peers:
        peer.stop()
    file.unlink()
    truth = peers[0].answer
    figures = {}
    for peer in peers:
        if peer in dead:
            continue
        if truth is not None and peer.answer is not None:
            wrong = max(abs(a - b) / max(abs(b), 1e-300) for a, b in zip(peer.answer, truth, strict=True))
            if not wrong <= tolerance:
                raise SystemExit(f"{peer.name} answers {peer.answer}, {peers[0].name} {truth}: {wrong:.1e} apart")
        later = peer.seconds[1:]
        figures[peer.name] = min(later) if later else peer.seconds[0]
    return figures


def _pass(
    kind: str, limit: float, read_limit: float | None = None, *, outcomes: int = 1, weights: bool = False
) -> Callable[[Settings], Any]:
    def run(settings: Settings) -> dict[str, Any]:
        n = int(20_000_000 * settings.scale)
        names = ["fastml", *(["read"] if read_limit else []), *ENGINES]
        found = race(names, make.pass_rows(kind, n, outcomes, weights=weights), settings, 1e-9)
        speed = {name: n / seconds / 1e6 for name, seconds in found.items()}
        engine = max((name for name in speed if name in ENGINES), key=speed.__getitem__, default=None)
        ratios = []
        if engine:
            ratios.append([f"over {engine}", speed["fastml"] / speed[engine], limit])
        if read_limit:
            ratios.append(["of streaming read", speed["fastml"] / speed["read"], read_limit])
        return {"unit": "M rows/s", "figures": speed, "ratios": ratios}

    return run


def _five(settings: Settings) -> dict[str, Any]:
    n = int(20_000_000 * settings.scale)
    out: dict[str, Any] = {"unit": "s", "figures": {}, "ratios": []}
    for kind in ("clustered", "shuffled", "unbounded", "strings shuffled"):
        names = {"fastml": "five", "fastml, one of five": "one"}
        if kind == "clustered":  # what memory makes of it
            names |= {"read": "read of five", "read, one of five": "read of one"}
        found = race(list(names), make.pass_rows(kind, n, 5), settings, 1e-9)
        best = {name: found[contestant] for contestant, name in names.items()}
        out["figures"] |= {f"{kind}, {name}": seconds for name, seconds in best.items()}
        out["ratios"].append(
            [f"{kind}, five against one", best["five"] / best["one"], -5.0 if kind == "shuffled" else -2.5]
        )
        if kind == "clustered":
            out["ratios"] += [[f"clustered, {name}", best["read of five"] / best[of], None]
                              for name, of in (("read of five against read of one", "read of one"),
                                               ("read of five against one", "one"))]  # fmt: skip
    return out


def _fit(n: int, schools: int, limits: dict[str, float]) -> Callable[[Settings], Any]:
    def run(settings: Settings) -> dict[str, Any]:
        rows, groups = int(n * settings.scale), max(int(schools * settings.scale), 20)
        found = race(["fastml fit", *FITTERS], make.fit_rows(rows, groups), settings, 1e-2)
        ratios = [
            [f"over {name}", seconds / found["fastml fit"], limits.get(name)]
            for name, seconds in found.items() if name != "fastml fit"
        ]  # fmt: skip
        return {"unit": "s", "figures": found, "ratios": ratios}

    return run


def _fit_by(settings: Settings) -> dict[str, Any]:
    n = max(int(500_000 * settings.scale), 9_000)
    table = make.parts(n, 60, n // 1_666, 5)
    found = race(["fastml fit_by", "a loop of fastml fit"], table, settings, 1e-9)
    ratio = found["a loop of fastml fit"] / found["fastml fit_by"]
    return {"unit": "s", "figures": found, "ratios": [["over a loop of fit", ratio, 10.0]]}


def _batch(settings: Settings) -> dict[str, Any]:
    """Fits per second of tables of 300 schools: plain ones, which have as many rows as distinct sizes, and weighted."""
    from fastml.model.batch import BatchTables, fit_batch
    from fastml.model.size_table import group_by_size

    n_tables = max(int(20_000 * settings.scale), 200)
    rng = np.random.default_rng(1)
    part = np.repeat(np.arange(n_tables), 300)
    n = rng.integers(15, 46, len(part))
    mean = rng.normal(0.0, 1.0, len(part)) * np.sqrt(0.2 + 1.0 / n)
    ss = rng.chisquare(n - 1.0)

    def plain() -> BatchTables:
        t = group_by_size(part, n_tables, n, mean, np.zeros(len(part)), ss)
        return BatchTables(t.offsets, t.columns, t.ssw, t.n_obs - 1.0)

    weight = rng.uniform(0.5, 2.0, len(part))
    sum_n = np.bincount(part, n * weight)
    tables = plain()
    columns = np.stack([n * rng.uniform(0.9, 1.1, len(part)), weight, mean, np.zeros(len(part))])
    weighted = BatchTables(np.arange(0, len(part) + 1, 300), columns, np.bincount(part, ss * weight), sum_n)
    cases: dict[str, Callable[[], Any]] = {
        "fits of 31 sizes": lambda: fit_batch(tables, restricted=True, threads=settings.threads),
        "with the schools gathered by size": lambda: fit_batch(plain(), restricted=True, threads=settings.threads),
        "weighted, 300 sizes": lambda: fit_batch(weighted, threads=settings.threads),
    }
    best = dict.fromkeys(cases, float("inf"))
    for turn in range(settings.rounds + 1):
        for name, run in cases.items():
            begin = time.perf_counter()
            run()
            if turn:
                best[name] = min(best[name], time.perf_counter() - begin)
    speed = {name: n_tables / seconds for name, seconds in best.items()}
    first = speed["fits of 31 sizes"]
    return {"unit": "fits/s", "figures": speed, "ratios": [["fits per second", first, 50_000.0]]}


def _cold(settings: Settings) -> dict[str, Any]:
    """Seconds of whole processes; the first of each fills the caches of bytecode and machine code."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    commands = {
        "fastml fit": [sys.executable, "-P", "-m", "fastml", "fit", str(LECTURE), "-y", "bsmmatxx", "-g", "idschool"],
        "a bare process": [sys.executable, "-P", str(HERE / "bare.py"), str(LECTURE), "bsmmatxx"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(4 * settings.rounds + 1):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    best = {name: min(values) for name, values in seconds.items()}
    best |= {f"{name}, median": float(np.median(values)) for name, values in seconds.items()}
    ratio = best["fastml fit"] / best["a bare process"]
    middle = best["fastml fit, median"] / best["a bare process, median"]
    ratios = [["of the bare process", ratio, -1.2], ["of the bare process, medians", middle, -1.2]]
    return {"unit": "s", "figures": best, "ratios": ratios}


# Name: (words for the table, what runs). A limit below 0 is one from above.
CASES: dict[str, tuple[str, Callable[[Settings], Any]]] = {
    "clustered": ("pass, int64 ids, clustered (runs of 100 to 2,000)", _pass("clustered", 8.0, 0.75)),
    "shuffled": ("pass, int64 ids, shuffled", _pass("shuffled", 3.5, 0.35)),
    "strings-clustered": ("pass, 12-character ids, clustered", _pass("strings clustered", 3.0)),
    "strings-shuffled": ("pass, 12-character ids, shuffled", _pass("strings shuffled", 3.0)),
    "unbounded": ("pass, int64 ids of unbounded range, shuffled", _pass("unbounded", 2.5)),
    "five": ("five outcomes in one pass", _five),
    "fit": ("whole fit, 1 M rows x 20,000 schools, pandas", _fit(
        1_000_000, 20_000, {"mixedlm-rs": 20.0, "lmer": 1000.0, "statsmodels": 2000.0})),
    "fit-by": ("fit_by, 60 cells x 5 outcomes, 500,000 rows", _fit_by),
    "batch": ("profile fits in a batch, 300 schools each", _batch),
    "cold": ("`fastml fit` on the lecture's file, second process", _cold),
    "composite": ("pass, two key columns, shuffled", _pass("composite", 1.0)),
    "dictionary": ("pass, Arrow dictionary of strings, shuffled", _pass("dictionary", 1.0)),
    "weighted": ("pass with weights, int64 ids, clustered", _pass("clustered", 1.0, weights=True)),
    "weighted-shuffled": ("pass with weights, int64 ids, shuffled", _pass("shuffled", 1.0, weights=True)),
}  # fmt: skip


def machine(threads: int) -> str:
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} processors, {threads} threads used; {system}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def render(found: dict[str, Any]) -> str:
    """The figures as Markdown: the ratios, then every figure, then machine and versions."""
    lines = ["| case | ratio | measured | asked for |", "|---|---|---:|---:|"]
    for name in (name for name in CASES if name in found["cases"]):
        for what, value, limit in found["cases"][name]["ratios"]:
            asked = "" if limit is None else f"{'at most' if limit < 0 else 'at least'} {abs(limit):,g}"
            met = limit is None or (value <= -limit if limit < 0 else value >= limit)
            shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
            lines.append(f"| {CASES[name][0]} | {what} | {shown if met else f'**{shown}**'} | {asked} |")
    lines += ["", "A figure in bold falls short.", "", "| case | | |", "|---|---|---:|"]
    for name in (name for name in CASES if name in found["cases"]):
        case = found["cases"][name]
        for who, value in case["figures"].items():
            shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
            lines.append(f"| {CASES[name][0]} | {who} | {shown} {case['unit']} |")
    versions = sorted(set(found["versions"].values()))
    lines += ["", f"{found['date']}; {found['machine']}; {'; '.join(versions)}."]
    lines += [f"{name}: not measured ({why})." for name, why in found["absent"].items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this one; may be given again")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the rows: 0.001 to try it out")
    parser.add_argument("--json", type=Path, help="a file of figures to add to")
    parser.add_argument("--into", type=Path, help="a page whose part between the two marks is replaced by the tables")
    parser.add_argument("--render", action="store_true", help="measure nothing: the tables of the file of figures")
    args = parser.parse_args(arguments)
    found: dict[str, Any] = {"cases": {}, "versions": {}, "absent": {}}
    if args.json and args.json.exists():
        found = json.loads(args.json.read_text())
    if not args.render:
        found |= {"date": time.strftime("%Y-%m-%d"), "machine": machine(args.threads)}
        # A first turn that compiles would look like a slow peer's only one.
        subprocess.run([sys.executable, "-P", "-m", "fastml", "warmup", "-q"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(args.threads, args.rounds, args.scale, args.python, Path(folder))
        for name in [] if args.render else args.case or CASES:
            print(f"{name} ...", file=sys.stderr, flush=True)
            found["cases"][name] = CASES[name][1](settings)
            found["versions"] |= settings.versions
            found["absent"] = {k: v for k, v in found["absent"].items() if k not in found["versions"]} | settings.absent
            if args.json:
                args.json.write_text(json.dumps(found, indent=1))
    text = render(found)
    print(text, end="")
    if args.into:
        before, _, rest = args.into.read_text().partition(BEGIN)
        args.into.write_text(f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
