"""The same bytes out for the same bytes in: every command, in several processes, threads and hash seeds."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import fewer

# What a process may differ in: the seed of str.__hash__, threads, their switching, the place and the hour.
PROCESSES = [
    {"PYTHONHASHSEED": "0", "FASTML_NUM_THREADS": "1"},
    {"PYTHONHASHSEED": "1", "FASTML_NUM_THREADS": "2"},
    {"PYTHONHASHSEED": "4294967295", "FASTML_NUM_THREADS": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "COLUMNS": "40"},
]

PROGRAM = """
import contextlib, hashlib, io, json, os, sys
from fastml.cli import app
from fastml.reduce import workers

workers.TILE_ROWS = int(os.environ["TILE_ROWS"])
commands = json.load(sys.stdin)
outputs = {}
for name, words in commands.items():
    out = io.StringIO()
    sys.argv[1:] = words
    try:
        with contextlib.redirect_stdout(out):
            app.main()
    except SystemExit as end:
        assert not end.code, (name, end.code)
    written = [words[words.index("-o") + 1]] if "-o" in words else []
    files = [open(path, "rb").read() for path in written]
    outputs[name] = [out.getvalue(), *(hashlib.sha256(file).hexdigest() for file in files)]
print(json.dumps(outputs))
"""

pytestmark = pytest.mark.together

TILE_ROWS = 4096  # so that a small file has many tiles for the threads


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A national study of students, in school and in random order, with weights, plausible values and zones."""
    folder = tmp_path_factory.mktemp("rows")
    n, schools = fewer(60_000, times=30, at_least=2_000), fewer(240, times=4, at_least=60)
    rng = np.random.default_rng(11)
    school = np.sort(rng.integers(0, schools, n))
    mean = rng.normal(500, 50, schools)[school]
    values = {f"BSMMAT0{k}": mean + rng.normal(0, 80, n) for k in range(1, 6)}
    weight = rng.uniform(1, 20, schools)[school]
    table = pa.table({
        **values,
        "IDCNTRY": pa.array(np.where(school < schools // 2, 36, 792)),
        "IDSCHOOL": school + 5001,
        "name": pa.array([f"Škola {s}" for s in school]),
        "TOTWGT": weight * rng.uniform(5, 9, n),
        "SCHWGT": weight,
        "JKZONE": school // 2 % 60 + 1,
        "JKREP": school % 2,
    })  # fmt: skip
    pq.write_table(table, folder / "rows.parquet", row_group_size=n // 7)
    pq.write_table(table.take(rng.permutation(n)), folder / "shuffled.parquet", row_group_size=n // 5)
    pq.write_table(table.slice(0, n // 2), folder / "monday.parquet")
    pq.write_table(table.slice(n // 2), folder / "tuesday.parquet")
    return folder


def commands(folder: Path, where: Path) -> dict[str, list[str]]:
    rows, shuffled = str(folder / "rows.parquet"), str(folder / "shuffled.parquet")
    columns = ["-y", "BSMMAT01", "-g", "IDSCHOOL"]
    as_json = ["--format", "json"]
    weights = ["--weights", "TOTWGT", "--group-weights", "SCHWGT"]
    return {
        "fit": ["fit", rows, *columns, *as_json],
        "fit ml": ["fit", rows, *columns, "--method", "ml", *as_json],
        "fit shuffled": ["fit", shuffled, *columns, *as_json],
        "fit by name": ["fit", shuffled, "-y", "BSMMAT01", "-g", "IDCNTRY", "-g", "name", *as_json],
        "fit weighted": ["fit", shuffled, *columns, *weights, *as_json],
        "fit filtered": ["fit", rows, *columns, "--filter", "IDCNTRY = 36 and BSMMAT02 > 400", *as_json],
        "fit --by": ["fit", shuffled, *columns, "--by", "IDCNTRY", *as_json],
        "fit --by weighted": ["fit", rows, *columns, "--by", "IDCNTRY", *weights, *as_json],
        "survey": ["survey", rows, "--design", "timss", "-y", "BSMMAT", "--by", "IDCNTRY", *as_json],
        "stats": ["stats", shuffled, *columns, *weights, "--tag", "cycle=2019", "-o", str(where / "stats")],
        "monday": ["stats", str(folder / "monday.parquet"), *columns, "-o", str(where / "monday")],
        "tuesday": ["stats", str(folder / "tuesday.parquet"), *columns, "-o", str(where / "tuesday")],
        "merge": ["merge", str(where / "monday"), str(where / "tuesday"), "-o", str(where / "week")],
        "fit of the merged": ["fit", str(where / "week"), *as_json],
        "plan": ["plan", "--icc", "0.2", "--cluster-size", "25", "--sd", "100", "--se", "5", *as_json],
        "simulate": ["simulate", "--students", "3000", "--schools", "100", "--weights", "--seed", "4", "-q", "-o", str(where / "drawn")],
        "fit of the simulated": ["fit", str(where / "drawn"), "-y", "score", "-g", "school", *as_json],
        "report": ["report", rows, *columns, "-o", str(where / "report.html")],
        "report --by": ["report", rows, *columns, "--by", "IDCNTRY", "-o", str(where / "by.html")],
    }  # fmt: skip


@pytest.fixture(scope="module")
def outputs(folder: Path) -> list[dict[str, list[str]]]:
    """What each process printed, and the hashes of what it wrote."""
    found = []
    for environment in PROCESSES:
        # Where a file is named in its own result (a report's caption), the place must be the same.
        where = folder / "out"
        where.mkdir(exist_ok=True)
        told = commands(folder, where)
        if environment is PROCESSES[1]:  # pictures take most of the time, and two processes are enough to differ
            told = {name: words for name, words in told.items() if words[0] != "report"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], input=json.dumps(told), text=True, capture_output=True,
            timeout=600, check=False, env={**os.environ, "TILE_ROWS": str(TILE_ROWS), **environment},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        found.append(json.loads(done.stdout))
    return found


@pytest.mark.parametrize("name", list(commands(Path(), Path())))
def test_same_bytes(outputs: list[dict[str, list[str]]], name: str) -> None:
    first, *others = (found[name] for found in outputs if name in found)
    assert any(first)
    assert others
    for other in others:
        assert other == first


def test_the_commands_are_all(folder: Path) -> None:
    from fastml.cli.app import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    used = {words[0] for words in commands(folder, folder).values()}
    # warmup says where the cache is; the others read what these write, and are repeated in tests of their own.
    assert known - used == {"warmup", "check", "contrast", "sql"}


def test_json_is_strict(outputs: list[dict[str, list[str]]]) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in JSON")

    for name, (text, *_) in outputs[0].items():
        if text:
            assert json.loads(text, parse_constant=refuse), name


def test_rows_in_another_order_and_merged_differ_by_rounding_only(outputs: list[dict[str, list[str]]]) -> None:
    whole, merged, shuffled = (json.loads(outputs[0][name][0]) for name in ("fit", "fit of the merged", "fit shuffled"))
    for name in ("gamma00", "tau00", "sigma2", "deviance", "se_gamma00", "df"):
        assert merged[name] == pytest.approx(whole[name], rel=1e-12)
        assert shuffled[name] == pytest.approx(whole[name], rel=1e-11)


def test_no_path_of_the_process_or_time_in_what_is_written(folder: Path, outputs: list[dict[str, list[str]]]) -> None:
    assert outputs
    page = (folder / "out" / "report.html").read_bytes()
    assert str(folder).encode() not in page.replace(str(folder / "rows.parquet").encode(), b"")  # as the call names it
    assert hashlib.sha256(page).hexdigest() == outputs[-1]["report"][1]
