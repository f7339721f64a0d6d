"""What happens when something else fails: killed, full, interrupted, starved, forked, crowded.

Each fault is brought about in a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, fewer

import fastml
from fastml.errors import SourceError

COMPILED = not numba.config.DISABLE_JIT
compiled_only = pytest.mark.skipif(not COMPILED, reason="with JIT off nothing is compiled, so nothing is cached")


def start(program: str, *args: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip


def run(program: str, *args: object, **environment: str) -> str:
    process = start(program, *args, **environment)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err[-3000:]
    return out


def rows(n: int = 5000) -> pa.Table:
    rng = np.random.default_rng(3)
    return pa.table({"y": rng.normal(500, 100, n), "id": rng.integers(0, max(n // 20, 2), n)})


@pytest.fixture
def students(tmp_path: Path) -> Path:
    pq.write_table(rows(), tmp_path / "students.parquet", row_group_size=500)
    return tmp_path / "students.parquet"


KEEP_WRITING = """
import os, sys
import fastml
two = [fastml.group_stats({"y": [float(i + k) for i in range(2000)], "id": [i // 2 for i in range(2000)]}, "y", "id")
       for k in range(2)]
two[0].write(sys.argv[1])
for _ in sys.stdin:  # a child for each line, which spares it the start of a process
    child = os.fork()
    if child == 0:
        i = 0
        while True:
            two[i % 2].write(sys.argv[1])
            if i == 0:
                print(os.getpid(), flush=True)
            i += 1
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")
def test_killed_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    wait = random.Random(1)
    seen = set()
    process = start(KEEP_WRITING, path)
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(8):
        process.stdin.write("another\n")
        process.stdin.flush()
        child = int(process.stdout.readline())
        time.sleep(wait.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        assert process.stdout.readline() == "ended\n"
        stats = fastml.GroupStats.read(path)
        seen.add(float(stats.groups().mean[0]))
        # A half-written file may be left, under a name that a folder's reader passes over.
        assert all(p == path or p.name.startswith(".s.parquet.") for p in tmp_path.iterdir())
        assert fastml.fit(tmp_path).n_obs == 2000
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert seen <= {0.5, 1.5}


FULL = """
import resource, signal, sys
import fastml
from fastml.cli import app
from fastml.errors import SourceError

students, folder = sys.argv[1:3]
fit = fastml.fit(students, "y", "id")
table = fastml.fit_by({"y": [1.0, 2.0, 4.0, 8.0], "id": [1, 1, 2, 2], "c": [1, 1, 1, 1]}, "y", "id", by="c")
stats = fastml.group_stats(students, "y", "id")
stats.write(folder + "/stats")
page = fit.report_html()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # a disk with so much room: writing more gives an error
def command(*words):
    sys.argv[1:] = words
    try:
        app.main()
    except SystemExit as end:
        if end.code == 2:
            raise SourceError("as said on stderr")
for name, write in {
    "stats": lambda: stats.write(folder + "/stats"),
    "new": lambda: stats.write(folder + "/new"),
    "merged": lambda: command("merge", folder + "/stats", "-o", folder + "/merged"),
    "page.html": lambda: command("report", students, "-y", "y", "-g", "id", "-o", folder + "/page.html"),
    "simulated": lambda: command("simulate", "-o", folder + "/simulated", "--students", "1e4", "-q"),
    "groups": lambda: table.write(folder + "/groups.parquet"),
}.items():
    try:
        write()
    except SourceError as error:
        print(name, "refused", flush=True)
    else:
        print(name, "written", flush=True)
"""


def test_a_full_disk_leaves_what_was_there(students: Path, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    for name in ("stats", "merged", "page.html", "simulated"):
        (folder / name).write_text("what was there")
    process = start(FULL, students, folder)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.split("\n")[:-1] == [
        f"{name} refused" for name in ("stats", "new", "merged", "page.html", "simulated", "groups")
    ]
    assert fastml.fit(folder / "stats").n_obs == 5000
    for name in ("merged", "page.html", "simulated"):
        assert (folder / name).read_text() == "what was there"
    assert sorted(p.name for p in folder.iterdir()) == ["merged", "page.html", "simulated", "stats"]
    assert "Traceback" not in err
    assert all("can't write to" in line and "File too large" in line for line in err.splitlines())


SLOW_PASS = """
import os, sys, time
import fastml
from fastml.cli import app
from fastml.reduce import workers
measure = workers.measure
def slow(*args):
    os.write(1, b"a tile\\n")
    time.sleep(0.05)
    return measure(*args)
workers.measure, workers.TILE_ROWS = slow, 10
sys.argv[1:] = ["fit", *sys.argv[1:]]
app.main()
"""


@pytest.mark.parametrize("threads", [1, 4])
def test_interrupted(students: Path, tmp_path: Path, threads: int) -> None:
    output = tmp_path / "out.json"
    output.write_text("what was there")
    process = start(SLOW_PASS, students, "-y", "y", "-g", "id", "--threads", threads, "--format", "json", "-o", output)
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=180)
    assert out.count("a tile\n") < 400  # of 500
    assert seen == 3 * ["a tile\n"]
    assert process.returncode == 130
    assert err == "fastml: interrupted\n"
    assert output.read_text() == "what was there"


@pytest.mark.parametrize(
    "error", [OSError("the disk went away"), KeyboardInterrupt(), RuntimeError("a bug of the source")]
)
def test_a_source_that_fails_midway(error: BaseException) -> None:
    from fastml.reduce import workers

    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows().to_batches(max_chunksize=300)[:9]
        raise error

    before = threading.active_count()
    tile, workers.TILE_ROWS = workers.TILE_ROWS, 100
    try:
        reader = pa.RecordBatchReader.from_batches(rows().schema, batches())
        with pytest.raises((type(error), SourceError)) as caught:
            fastml.fit(reader, "y", "id", threads=4)
    finally:
        workers.TILE_ROWS = tile
    assert str(error) in str(caught.value)
    assert threading.active_count() == before
    assert fastml.fit(rows(), "y", "id").n_obs == 5000


STARVED = """
import resource, sys
import fastml
fastml.fit({"y": [1.0, 2.0, 4.0, 8.0], "id": [1, 1, 2, 2]}, "y", "id")
path, small, room = sys.argv[1], sys.argv[2], int(sys.argv[3])
fastml.fit(small, "y", "id", threads=2)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
fit = fastml.fit(path, "y", "id", threads=2)
print(fit.n_obs, fit.n_groups)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the size of a process is read from Linux' /proc")
def test_less_memory_than_the_file_has_bytes(students: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.parquet"
    groups, size, n = 500, fewer(1 << 19, at_least=1 << 12), 48
    rng = np.random.default_rng(1)
    part = pa.table({"y": rng.normal(size=size), "id": rng.integers(0, groups, size)})
    with pq.ParquetWriter(path, part.schema, compression="none", use_dictionary=False) as writer:
        for _ in range(n):
            writer.write_table(part)
    # A few row groups and tiles of a million rows are alive at a time, whatever the file's size.
    room = 320 << 20
    assert room < path.stat().st_size or not COMPILED
    out = run(
        STARVED, path, students, room, MALLOC_ARENA_MAX="1", ARROW_DEFAULT_MEMORY_POOL="system", OMP_NUM_THREADS="1"
    )
    assert out.split() == [str(n * size), str(groups)]
    path.unlink()


NO_MEMORY = """
import sys
import fastml
from fastml.cli import app
from fastml.reduce import workers
def none(*args):
    raise MemoryError("Unable to allocate 9 TiB")
workers.measure = none
sys.argv[1:] = ["fit", *sys.argv[1:]]
app.main()
"""


def test_no_memory_is_said_in_one_line(students: Path) -> None:
    process = start(NO_MEMORY, students, "-y", "y", "-g", "id")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == "fastml: there is not enough memory: Unable to allocate 9 TiB\n"


TWO_KERNELS = """
import json
import numpy as np
from fastml.kernels import jit
from fastml.kernels.sums import moments
finished = np.array([[2.0, 1.0, 4.0, 9.0]])
moments.finish(finished)
moments.fold(finished, np.zeros(1, np.int32), finished.copy())
loaded = [kernel.cached for kernel in jit.KERNELS.values() if kernel.cached is not None]
print(json.dumps([finished.tolist(), loaded]))
"""


@compiled_only
def test_processes_that_fill_one_kernel_cache(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "fastml", tmp_path / "fastml", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error"}
    together = [start(TWO_KERNELS, **environment) for _ in range(3)]
    answers = []
    for process in together:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        answers.append(json.loads(out)[0])
    assert answers == answers[:1] * 3
    last, loaded = json.loads(run(TWO_KERNELS, **environment))
    assert last == answers[0]
    assert loaded == [True, True]


CHILDREN = """
import json, multiprocessing, sys
import fastml

def fit(path):
    return fastml.fit(path, "y", "id", threads=2).to_json()

if __name__ == "__main__":
    path, method = sys.argv[1:]
    before = fit(path)
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        print(json.dumps([before, *pool.map(fit, [path] * 4)]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("default")
def test_children(students: Path, tmp_path: Path, method: str) -> None:
    program = tmp_path / "children.py"
    program.write_text(CHILDREN)
    done = subprocess.run(
        [sys.executable, program, students, method], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == 5
    assert len(set(answers)) == 1


CROWD = """
import sys
from threading import Barrier, Thread
import numpy as np, pandas as pd, pyarrow as pa, polars as pl
import fastml

path = sys.argv[1]
data = {"y": np.sin(np.arange(20000.0)), "id": np.arange(20000) % 77}
shared = [data, pd.DataFrame(data), pa.table(data), pl.DataFrame(data)]
ready, answers, errors = Barrier(16), [None] * 16, []
def work(k):
    ready.wait()
    try:
        # The first calls of this process: every kernel is loaded by several threads at once.
        fit = fastml.fit(shared[k % 4], "y", "id", threads=1 + k % 3)
        fit.groups(), fit.ci("icc"), fastml.fit(path, "y", "id")
        answers[k] = fit.to_json()
    except BaseException as error:
        errors.append(repr(error))
threads = [Thread(target=work, args=(k,)) for k in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not errors, errors
assert len(set(answers)) == 1
print(answers[0])
"""


def test_sixteen_threads_fit_at_once(students: Path) -> None:
    out = run(CROWD, students)
    data: dict[str, Any] = {"y": np.sin(np.arange(20000.0)), "id": np.arange(20000) % 77}
    assert json.loads(out) == json.loads(fastml.fit(data, "y", "id").to_json())
