"""Every command killed, interrupted, on a full disk, with streams closed: nothing torn, nothing lost, no traceback.

`python tests/torture.py --runs 1000` makes so many runs in all and prints what it saw. Commands run in forked children of
one process that has loaded the package, so that most of the time they are at work, not at starting.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Torture"]

COMMANDS = {
    "fit": "fit students.parquet -y score -g school --format json -o {out}.json",
    "fit by": "fit students.parquet -y score -g school --by cycle --format csv -o {out}.csv",
    "fit to parquet": "fit students.csv -y score -g school --format parquet -o {out}.parquet",
    "groups": "fit students.parquet -y score -g school --format text -o /dev/null --groups {out}.parquet",
    "report": "report students.parquet -y score -g school -o {out}.html",
    "stats": "stats students.parquet -y score -g school -o {out}.parquet",
    "merge": "merge a.parquet b.parquet -o {out}.parquet",
    "survey": "survey timss.parquet --design timss -y BSMMAT --format json -o {out}.json",
    "check": "check b.parquet --against a.parquet --format json -o {out}.json",
    "contrast": "contrast cycles.parquet -p icc --format csv -o {out}.csv",
    "sql": "sql students.parquet -y score -g school --dialect duckdb -o {out}.sql",
    "simulate": "simulate --students 3e4 --schools 900 -o {out}.parquet",
    "simulate files": "simulate --students 3e4 --schools 900 --files 5 -o {out}",
    "plan": "plan --icc .2 --schools 90 --cluster-size 20 --format json -o {out}.json",
}
KINDS = ("killed", "interrupted", "full disk", "closed streams")
State = dict[str, bytes] | None


def state(path: Path) -> State:
    """What is at a path: a file's content, that of a folder's files by name, or nothing."""
    if path.is_dir():
        return {found.name: found.read_bytes() for found in path.iterdir()}
    return {"": path.read_bytes()} if path.exists() else None


@dataclass
class Run:
    """What became of a command."""

    status: int
    stderr: str
    seconds: float


class Torture:
    """Commands in a folder of their own, and what each writes when nothing is in its way."""

    def __init__(self, folder: Path, names: list[str], seed: int = 1) -> None:
        self.folder, self.names, self.wait = folder, names, random.Random(seed)
        self.counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self.faults: list[str] = []
        os.chdir(folder)
        self._load()
        self.whole = {}
        self.seconds = {}
        for name in names:
            for _ in range(2):  # the first loads what the second finds
                out = self._out(name)
                run = self.run(name)
                if run.status or (self.whole.setdefault(name, state(out)) != state(out)):
                    raise RuntimeError(f"{name}: status {run.status}, {run.stderr}")
                self.seconds[name] = run.seconds
                self._clear(out)

    def _load(self) -> None:
        """Load what commands use, in this process, which starts no threads; make their input in a child."""
        from importlib import import_module

        from fastml.kernels.load import load_all

        for module in ("fastml.cli.app", "fastml.api", "fastml.survey.fit", "fastml.simulation", "fastml.planning",
                       "pandas", "pyarrow.parquet", "pyarrow.compute", "scipy.special", "matplotlib.figure"):  # fmt: skip
            import_module(module)

        if os.fork() == 0:
            self._inputs()
            os._exit(0)
        os.wait()
        load_all()

    def _inputs(self) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet as pq
        from surveys import timss

        import fastml

        made = fastml.simulate(students=30_000, schools=900, seed=3)
        made = made.append_column("cycle", pa.array(np.arange(30_000) % 2))
        pq.write_table(made, "students.parquet", row_group_size=3000)
        pyarrow.csv.write_csv(made, "students.csv")
        pq.write_table(pa.table(timss()), "timss.parquet")
        for name, part in (("a", made.slice(0, 15_000)), ("b", made.slice(15_000))):
            fastml.group_stats(part, "score", "school").write(f"{name}.parquet")
        fit = ["fit", "students.parquet", "-y", "score", "-g", "school", "--by", "cycle", "-o", "cycles.parquet"]
        subprocess.run([sys.executable, "-m", "fastml", *fit], check=True)

    def _out(self, name: str) -> Path:
        ending = COMMANDS[name].partition("{out}")[2]
        return self.folder / "out" / f"{name.replace(' ', '_')}{ending}"

    def _clear(self, out: Path) -> None:
        out.parent.mkdir(exist_ok=True)
        for left in out.parent.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def run(self, name: str, kind: str = "", limit: int | None = None, closed: tuple[int, ...] = ()) -> Run:
        """Run a command in a child, with what the kind does to it."""
        self._out(name).parent.mkdir(exist_ok=True)
        words = COMMANDS[name].format(out=self._out(name).with_suffix("")).split()
        err = self.folder / "stderr"
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            self._child(words, err, limit, closed)
        if kind in ("killed", "interrupted"):
            time.sleep(self.wait.uniform(0.0, 1.1) * self.seconds[name])
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL if kind == "killed" else signal.SIGINT)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Run(status, err.read_text(errors="replace") if err.exists() else "", time.monotonic() - began)

    def _child(self, words: list[str], err: Path, limit: int | None, closed: tuple[int, ...]) -> None:
        status = 99
        try:
            from fastml.cli import app

            for number, target in ((1, os.devnull), (2, str(err))):
                os.dup2(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            for number in closed:
                os.close(number)
                if number:
                    setattr(sys, ("stdin", "stdout", "stderr")[number], None)
            sys.argv = ["fastml", *words]
            signal.signal(signal.SIGINT, signal.default_int_handler)
            app.main()
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            import traceback

            with contextlib.suppress(Exception):
                traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(status)

    def once(self, name: str, kind: str) -> None:
        """One run with something in its way, over what was there or over nothing; note what is wrong after it."""
        out = self._out(name)
        self._clear(out)
        before: State = None
        if self.wait.random() < 0.5:
            before = {"": b"what was there"}
            if name == "simulate files":
                before = dict.fromkeys(self.whole[name] or {}, b"what was there")
                out.mkdir()
            for file, content in before.items():
                (out / file if file else out).write_bytes(content)
        size = max(map(len, (self.whole[name] or {"": b""}).values()))
        run = self.run(
            name,
            kind,
            limit=self.wait.randrange(size) if kind == "full disk" else None,
            closed=tuple(self.wait.sample(range(3), self.wait.randint(1, 3))) if kind == "closed streams" else (),
        )
        after = state(out)
        done = "whole" if after == self.whole[name] else "as before" if after == before else "torn"
        expected = {"killed": {0, -9}, "interrupted": {0, 130, 2}, "full disk": {2}, "closed streams": {0}}[kind]
        wrong = []
        if done == "torn" or (run.status == 0 and done != "whole"):
            wrong.append(f"{done}, status {run.status}")
        if run.status not in expected:
            wrong.append(f"status {run.status}")
        if "Traceback" in run.stderr or run.stderr.count("\n") > 1:
            wrong.append(run.stderr[-600:])
        left = [found.name for found in out.parent.iterdir() if found != out]
        if left and (kind != "killed" or not all(file.startswith(".") for file in left)):
            wrong.append(f"left behind: {left}")
        self.counts[kind, done] += 1
        self.faults += [f"{name}, {kind}: {'; '.join(wrong)}"] if wrong else []

    def runs(self, number: int) -> None:
        """So many runs, over all commands and kinds in turn."""
        cases = [(name, kind) for name in self.names for kind in KINDS]
        for i in range(number):
            self.once(*cases[i % len(cases)])


def main() -> int:
    """Print what was seen; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        torture = Torture(Path(folder), asked.only, asked.seed)
        with contextlib.suppress(KeyboardInterrupt):  # enough
            torture.runs(asked.runs)
        os.chdir("/")
    for (kind, done), count in sorted(torture.counts.items()):
        print(f"{kind:16}{done:12}{count:6}")
    print(
        f"{sum(torture.counts.values())} runs of {len(asked.only)} commands, {len(torture.faults)} wrong",
        *torture.faults[:20],
        sep="\n",
    )
    return bool(torture.faults)


if __name__ == "__main__":
    sys.exit(main())
