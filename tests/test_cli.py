"""The command, as a user runs it: stdout, stderr, exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml


def run(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "fastml", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def call(lecture_file: Path) -> list[object]:
    return ["fit", lecture_file, "-y", "bsmmatxx", "-g", "idschool"]


def test_text(call: list[object], lecture_file: Path) -> None:
    done = run(*call)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == str(fastml.fit(lecture_file, "bsmmatxx", "idschool")) + "\n"


def test_json(call: list[object], lecture_file: Path) -> None:
    done = run(*call, "--format", "json", "--method", "ml")
    assert done.returncode == 0
    assert json.loads(done.stdout) == fastml.fit(lecture_file, "bsmmatxx", "idschool", method="ml").to_dict()


def test_csv(call: list[object]) -> None:
    done = run(*call, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["n_obs"] == "600"
    assert row["group"] == "idschool"


def test_formula_in_place_of_names(call: list[object], lecture_file: Path) -> None:
    assert run("fit", lecture_file, "-y", "bsmmatxx ~ 1 + (1 | idschool)").stdout == run(*call).stdout


def test_output_file(call: list[object], tmp_path: Path) -> None:
    target = tmp_path / "fit.json"
    target.write_text("old")
    done = run(*call, "--format", "json", "-o", target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(target.read_text())["n_groups"] == 20
    assert [p.name for p in tmp_path.iterdir()] == ["fit.json"]


def test_saved_statistics(call: list[object], lecture_file: Path, tmp_path: Path) -> None:
    fastml.group_stats(lecture_file, "bsmmatxx", "idschool").write(tmp_path / "s.parquet")
    assert run("fit", tmp_path / "s.parquet").stdout == run(*call).stdout


def test_composite_group(tmp_path: Path) -> None:
    table = pa.table({"c": ["N", "N", "S", "S", "S"], "id": [1, 1, 1, 1, 2], "y": [1.0, 2.0, 4.0, 7.0, 5.0]})
    pq.write_table(table, tmp_path / "t.parquet")
    done = run("fit", tmp_path / "t.parquet", "-y", "y", "-g", "c", "-g", "id", "--format", "json")
    assert json.loads(done.stdout)["n_groups"] == 3
    assert json.loads(done.stdout)["group"] == ["c", "id"]


BAD = {
    "no such file": (["fit", "no.parquet", "-y", "y", "-g", "g"], "file no.parquet does not exist"),
    "no such column": (["fit", "LECTURE", "-y", "bsmmat", "-g", "idschool"], "did you mean 'bsmmatxx'?"),
    "no group": (["fit", "LECTURE", "-y", "bsmmatxx"], "name an outcome and a group"),
    "unknown method": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "--method", "mle"],
        "'mle' is not one of",
    ),
    "unknown format": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "--format", "xls"],
        "'xls' is not one of",
    ),
    "unknown option": (["fit", "LECTURE", "--outcom", "y"], "No such option: --outcom"),
    "unknown command": (["fitt"], "No such command 'fitt'"),
    "no file": (["fit"], "Missing argument"),
    "formula": (["fit", "LECTURE", "-y", "bsmmatxx ~ idschool"], "fits the null model 'y ~ 1 + (1 | g)' only"),
    "output in no folder": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "-o", "no/x"],
        "can't write to no/x",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_are_one_line_and_status_2(case: str, lecture_file: Path) -> None:
    args, message = BAD[case]
    done = run(*[lecture_file if arg == "LECTURE" else arg for arg in args])
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("fastml: ")
    assert message in done.stderr


def test_help_and_version() -> None:
    assert run("--version").stdout == f"fastml {fastml.__version__}\n"
    assert "fit" in run("--help").stdout
    assert "Example: fastml fit" in run("fit", "--help").stdout
    nothing = run()
    assert nothing.returncode == 2
    assert "Usage" in nothing.stderr


def test_a_reader_that_leaves_is_no_error(call: list[object]) -> None:
    command = [sys.executable, "-m", "fastml", *map(str, call)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


def test_the_command_loads_no_pandas(call: list[object]) -> None:
    program = (
        "import sys; sys.argv[0] = 'fastml'\n"
        "from fastml.cli import main\n"
        "try: main()\n"
        "finally: print([m for m in ('pandas', 'scipy.stats', 'matplotlib') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *map(str, call)], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_same_bytes_whatever_the_hash_seed(call: list[object]) -> None:
    outputs = {run(*call, "--format", "json", env={**os.environ, "PYTHONHASHSEED": seed}).stdout for seed in "01"}
    assert len(outputs) == 1
