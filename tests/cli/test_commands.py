"""The commands stats, merge, simulate, and fit of many files: one line on errors, nothing half done."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from commandline import run_here

import fastml


def command(*args: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "fastml", *map(str, args)]


def run(*args: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*args), capture_output=True, text=True, check=False, **options)


def good(*args: object) -> str:
    done = run_here(*args)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def bad(*args: object) -> str:
    done = run_here(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fastml: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.fixture(scope="module")
def table() -> pa.Table:
    made = fastml.simulate(students=6000, schools=60, weights=True, seed=9)
    return made.append_column("cycle", pa.array([2019 if i % 2 else 2023 for i in range(6000)]))


@pytest.fixture
def days(table: pa.Table, tmp_path: Path) -> Path:
    folder = tmp_path / "days"
    folder.mkdir()
    for i in range(4):
        pq.write_table(table.slice(1500 * i, 1500), folder / f"{i}.parquet")
    return folder


def figures(*args: object) -> dict[str, Any]:
    return json.loads(good("fit", *args, "--format", "json"))


class TestStatsAndMerge:
    def test_files_are_added_and_fitted(self, days: Path, table: pa.Table, tmp_path: Path) -> None:
        for i in range(4):
            assert good("stats", days / f"{i}.parquet", "-y", "score", "-g", "school", "-o", tmp_path / f"{i}.s") == ""
        parts = [tmp_path / f"{i}.s" for i in range(4)]
        assert good("merge", *parts, "-o", tmp_path / "all.s") == ""
        found = figures(tmp_path / "all.s")
        truth = fastml.fit(table, "score", "school")
        assert found["n_obs"] == 6000
        assert found["icc"] == pytest.approx(truth.icc, rel=1e-13)
        # fit adds several files by itself.
        assert figures(*parts)["icc"] == pytest.approx(truth.icc, rel=1e-13)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["0.s", "1.s", "2.s", "3.s", "all.s", "days"]

    def test_a_daily_increment_in_place(self, days: Path, tmp_path: Path) -> None:
        total = tmp_path / "total.parquet"
        good("stats", days / "0.parquet", "-y", "score", "-g", "school", "-o", total)
        good("stats", days / "1.parquet", "-y", "score", "-g", "school", "-o", tmp_path / "day.parquet")
        good("merge", total, tmp_path / "day.parquet", "-o", total)
        assert figures(total)["n_obs"] == 3000

    def test_tags_keep_cycles_apart(self, days: Path, tmp_path: Path) -> None:
        call = ["stats", days / "0.parquet", "-y", "score", "-g", "school"]
        good(*call, "--tag", "cycle=2019", "--tag", "country=TUR", "-o", tmp_path / "a.s")
        good(*call, "--tag", "cycle=2023", "--tag", "country=TUR", "-o", tmp_path / "b.s")
        good("merge", tmp_path / "a.s", tmp_path / "b.s", "-o", tmp_path / "ab.s")
        stats = fastml.GroupStats.read(tmp_path / "ab.s")
        assert stats.group == ("cycle", "country", "school")
        assert stats.keys["cycle"].type == pa.int64()
        one = fastml.fit(days / "0.parquet", "score", "school")
        assert figures(tmp_path / "ab.s")["n_groups"] == 2 * one.n_groups

    def test_by_and_weights(self, days: Path, table: pa.Table, tmp_path: Path) -> None:
        good("stats", days, "-y", "score", "-g", "school", "--by", "cycle", "--weights", "student_weight",
             "--group-weights", "school_weight", "-o", tmp_path / "w.s")  # fmt: skip
        rows = json.loads(good("fit", tmp_path / "w.s", "--by", "cycle", "--format", "json"))
        weights = {"weights": "student_weight", "group_weights": "school_weight"}
        truth = fastml.fit_by(table, "score", "school", by="cycle", **weights).to_frame()
        assert [row["cycle"] for row in rows] == [2019, 2023]
        assert [row["icc"] for row in rows] == pytest.approx(truth["icc"].tolist(), rel=1e-12)

    def test_tags_are_as_they_are_written(self, days: Path, tmp_path: Path) -> None:
        call = ["stats", days / "0.parquet", "-y", "score", "-g", "school", "-o", tmp_path / "t.s"]
        tags = {"a": 2019, "b": -5, "c": 0, "d": "007", "e": "٣", "f": "x=y", "g": "-0"}
        good(*call, *(word for name, value in tags.items() for word in ("--tag", f"{name}={value}")))
        keys = fastml.GroupStats.read(tmp_path / "t.s").keys
        assert {name: keys[name][0].as_py() for name in tags} == tags
        assert "--tag gives 'a' twice, as 1 and '2'" in bad(*call, "--tag", "a=1", "--tag", "a=2")

    def test_small_groups_leave_with_a_record(self, days: Path, tmp_path: Path) -> None:
        good("stats", days, "-y", "score", "-g", "school", "--min-group-size", "80", "-o", tmp_path / "s")
        (note,) = fastml.GroupStats.read(tmp_path / "s").notes
        assert note.startswith("groups of fewer than 80 left out: ")

    def test_filter_folder_and_csv_options(self, days: Path, table: pa.Table, tmp_path: Path) -> None:
        wanted = fastml.fit(table, "score", "school", filter="cycle = 2019").to_dict()
        call = ["-y", "score", "-g", "school", "--filter", "cycle = 2019"]
        assert figures(days, *call) == wanted
        assert figures(f"{days}/*.parquet", *call, "--threads", "1") == wanted
        assert figures(days.as_uri(), *call) == wanted
        assert figures(*sorted(days.iterdir()), *call) == wanted
        pacsv.write_csv(table, tmp_path / "t.csv", pacsv.WriteOptions(delimiter=";", quoting_style="none"))
        path = tmp_path / "t.csv"
        path.write_bytes(path.read_bytes().replace(b".", b",").replace(b"cycle", "zyklüs".encode("latin-1")))
        call = ["-y", "score", "-g", "school", "--filter", "`zyklüs` = 2019", "--encoding", "latin-1", "--decimal", ","]
        assert figures(path, *call) == wanted
        assert figures(path, *call, "--delimiter", ";") == wanted
        (tmp_path / "t.txt").write_bytes(path.read_bytes().replace(b";", b"\t"))
        assert figures(tmp_path / "t.txt", *call, "--delimiter", r"\t") == wanted
        good("stats", path, *call, "-o", tmp_path / "csv.s")
        assert figures(tmp_path / "csv.s") == wanted


class TestRefusals:
    def test_statistics_that_do_not_add(self, days: Path, tmp_path: Path) -> None:
        calls = {
            "a": ["-y", "score", "-g", "school"],
            "outcomes": ["-y", "student_weight", "-g", "school"],
            "group": ["-y", "score", "-g", "cycle"],
            "by": ["-y", "score", "-g", "school", "--by", "cycle"],
            "group_weights": ["-y", "score", "-g", "school", "--group-weights", "school_weight"],
        }
        for name, call in calls.items():
            good("stats", days, *call, "-o", tmp_path / name)
        for name in list(calls)[1:]:
            message = bad("merge", tmp_path / "a", tmp_path / name, "-o", tmp_path / "sum")
            assert f"file {tmp_path / name} can't be added to file {tmp_path / 'a'}: " in message
            assert f"statistics of different {name} can't be added" in message
        unlabelled = fastml.GroupStats.from_summary(n=[2, 3], mean=[1.0, 2.0], sd=[1.0, 1.0], outcome="score")
        for name in ("u", "v"):
            unlabelled.write(tmp_path / name)
        assert "without labels" in bad("merge", tmp_path / "u", tmp_path / "v", "-o", tmp_path / "sum")
        assert not (tmp_path / "sum").exists()

    def test_a_school_of_two_weights(self, table: pa.Table, tmp_path: Path) -> None:
        for name, factor in (("a", 1.0), ("b", 2.0)):
            weight = pa.array(factor * table["school_weight"].to_numpy())
            pq.write_table(table.set_column(3, "school_weight", weight), tmp_path / f"{name}.parquet")
            good("stats", tmp_path / f"{name}.parquet", "-y", "score", "-g", "school", "--group-weights", "school_weight",
                 "-o", tmp_path / name)  # fmt: skip
        message = bad("merge", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "sum")
        assert "group 1 has group weight" in message

    def test_files_that_hold_no_statistics(self, days: Path, tmp_path: Path) -> None:
        good("stats", days, "-y", "score", "-g", "school", "-o", tmp_path / "s")
        rows = days / "0.parquet"
        assert "holds no fastml statistics" in bad("merge", rows, "-o", tmp_path / "sum")
        assert "give files of one kind" in bad("merge", tmp_path / "s", rows, "-o", tmp_path / "sum")
        assert "give files of one kind" in bad("fit", tmp_path / "s", rows)
        assert "named twice" in bad("merge", tmp_path / "s", tmp_path / "s", "-o", tmp_path / "sum")
        assert "saved statistics hold none" in bad("fit", tmp_path / "s", "--filter", "cycle = 2019")
        content = (tmp_path / "s").read_bytes()
        (tmp_path / "s").write_bytes(content[:-300])
        assert "is not a Parquet file that can be read" in bad("merge", tmp_path / "s", "-o", tmp_path / "sum")
        (tmp_path / "s").write_bytes(content.replace(b'"version": 1', b'"version": 7'))
        assert "version 7" in bad("fit", tmp_path / "s")
        assert not (tmp_path / "sum").exists()

    def test_calls_that_are_wrong(self, days: Path, tmp_path: Path) -> None:
        call = ["stats", days, "-y", "score", "-g", "school"]
        assert "Missing option '--output'" in bad(*call)
        assert "is not NAME=VALUE" in bad(*call, "--tag", "2019", "-o", tmp_path / "s")
        assert "school" in bad(*call, "--tag", "school=1", "-o", tmp_path / "s")
        assert "can't write to" in bad(*call, "-o", tmp_path / "no" / "s")
        assert "can't be read at" in bad(*call, "--filter", "cycle ~ 3", "-o", tmp_path / "s")
        assert "did you mean" in bad("stats", days, "-y", "scor", "-g", "school", "-o", tmp_path / "s")
        assert "is not a whole number" in bad("simulate", "--students", "2.5", "-o", tmp_path / "s")
        assert "more than students" in bad("simulate", "--students", "5", "--schools", "6", "-o", tmp_path / "s")
        assert list(tmp_path.iterdir()) == [days]

    def test_a_part_without_a_result_is_status_3(self, days: Path, tmp_path: Path) -> None:
        good("stats", days, "-y", "score", "-g", "cycle", "--by", "school", "-o", tmp_path / "s")
        one = pa.table({"score": [1.0, 2.0], "cycle": [2019, 2019], "school": [999, 999]})
        pq.write_table(one, tmp_path / "one.parquet")
        good("stats", tmp_path / "one.parquet", "-y", "score", "-g", "cycle", "--by", "school", "-o", tmp_path / "o")
        done = run("fit", tmp_path / "s", tmp_path / "o", "--by", "school", "--format", "csv")
        assert done.returncode == 3
        assert "one group only" in done.stdout


def test_simulate(tmp_path: Path) -> None:
    call = ["simulate", "--students", "1e4", "--schools", "2e2", "--seed", "3", "--weights", "--outcomes", "2"]
    assert good(*call, "-o", tmp_path / "one.parquet") == ""
    with pq.ParquetFile(tmp_path / "one.parquet") as file:
        found = file.read()
    assert found.equals(fastml.simulate(students=10_000, schools=200, seed=3, weights=True, outcomes=2))
    good(*call, "--files", "3", "-o", tmp_path / "many")
    assert figures(tmp_path / "many", "-y", "score1", "-g", "school") == figures(
        tmp_path / "one.parquet", "-y", "score1", "-g", "school"
    )


SLOW = """
import os, sys, time
import fastml.io.file_formats
read = fastml.io.file_formats._row_group_job
def slowly(*args):
    job = read(*args)
    def wait():
        os.write(1, b"a row group\\n")
        time.sleep(float(os.environ["PAUSE"]))
        yield from job()
    return wait
fastml.io.file_formats._row_group_job = slowly
from fastml.cli.app import main
sys.argv[0] = "fastml"
main()
"""


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A file of 600 row groups, each of which takes `SLOW` a pause."""
    pq.write_table(fastml.simulate(students=60_000, schools=100), tmp_path / "long.parquet", row_group_size=100)
    return tmp_path / "long.parquet"


def test_interrupt_stops_and_leaves_nothing(long: Path, tmp_path: Path) -> None:
    target = tmp_path / "s.parquet"
    for args in (["stats", long, "-y", "score", "-g", "school", "-o", target],
                 ["fit", long, "-y", "score", "-g", "school", "-o", target, "--format", "json"]):  # fmt: skip
        target.write_text("old")
        child = subprocess.Popen(
            [sys.executable, "-c", SLOW, *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PAUSE": "0.2"},
        )  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "a row group\n"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
        assert child.returncode in (2, 130)
        assert (out.replace("a row group\n", ""), err) == ("", "fastml: interrupted\n")
        assert target.read_text() == "old"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["long.parquet", "s.parquet"]


def test_interrupted_simulation_leaves_whole_files_only(tmp_path: Path) -> None:
    child = subprocess.Popen(
        command("simulate", "--students", "1e9", "--files", "100", "-o", tmp_path / "many"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("many/part*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)  # all files would take minutes
    assert (child.returncode in (2, 130), err) == (True, "fastml: interrupted\n")
    left = list((tmp_path / "many").iterdir())
    assert all(path.name.startswith("part-") for path in left)
    assert all(pq.ParquetFile(path).metadata.num_rows == 10_000_000 for path in left)


def test_progress_is_silent_in_a_pipe(long: Path) -> None:
    call = [sys.executable, "-c", SLOW, "fit", str(long), "-y", "score", "-g", "school", "--threads", "8"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, env={**os.environ, "PAUSE": "0.02"})
    assert done.stderr == ""
    assert "ICC" in done.stdout


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_is_shown_on_a_terminal(quiet: bool, long: Path) -> None:
    call = [sys.executable, "-c", SLOW, "fit", str(long), "-y", "score", "-g", "school", "--threads", "8"]
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*call, *(["-q"] if quiet else [])],
        stdout=subprocess.PIPE, stderr=theirs, text=True, env={**os.environ, "PAUSE": "0.02"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while child.poll() is None or select.select([ours], [], [], 0)[0]:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break
    out = child.communicate()[0]
    os.close(ours)
    assert child.returncode == 0
    assert "ICC" in out
    if quiet:
        assert shown == b""
    else:
        text = shown.decode()
        assert all(part in text for part in ("rows", "million/s", "%", "s left"))
        # The line is taken away in the end.
        assert text.rstrip().endswith(("\x1b[2K", "\x1b[?25h\r\x1b[1A\x1b[2K"))
