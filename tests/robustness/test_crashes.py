"""What ended in a traceback, an abort or a hang: each is a line that says what is at hand, or works."""

from __future__ import annotations

import datetime
import decimal
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import command, run

import fastml
from fastml import FastmlError, GroupStats
from fastml.cli import app
from fastml.errors import FastmlBugError, SourceError, plain_errors
from fastml.io import prefetch
from fastml.io.progress import is_terminal, watcher

Y, S = [1.0, 2.0, 4.0, 8.0], [1, 1, 2, 2]


def summary(labels: Any, n: tuple[int, ...] = (5, 4, 3, 6)) -> GroupStats:
    return GroupStats.from_summary(group=labels, n=list(n), mean=[1.0, 2, 3, 5], sd=[1.0, 1, 2, 1])


LABELS = {
    "categorical": pd.Categorical(list("abcd")),
    "dictionary": pa.array(list("abcd")).dictionary_encode(),
    "dictionary of views": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3], pa.uint8()), pa.array(list("abcd"), pa.string_view())),
    "views": pa.array(list("abcd"), pa.string_view()),
    "bytes": [b"a", b"b", b"c", b"d"],
    "dates": [datetime.date(2020, 1, i + 1) for i in range(4)],
    "decimals": [decimal.Decimal(i) for i in range(4)],
    "half floats": pa.array(np.array([1, 2, 3, 4], np.float16)),
    "run ends": pa.RunEndEncodedArray.from_arrays([1, 2, 3, 4], list("abcd")),
    "runs of views": pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3, 4], pa.int32()), pa.array(list("abcd"), pa.string_view())),
    "chunks": pa.chunked_array([["a", "b"], ["c", "d"]]),
}  # fmt: skip


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_summaries_with_labels_of_any_type_add_and_are_kept(labels: Any, tmp_path: Path) -> None:
    both = summary(labels) + summary(labels, (2, 2, 2, 2))
    assert both.groups().n.tolist() == [7, 6, 5, 8]
    both.write(tmp_path / "s.parquet")
    again = GroupStats.read(tmp_path / "s.parquet") + summary(labels, (7, 6, 5, 8))
    assert again.groups().n.tolist() == [14, 12, 10, 16]


def test_different_dictionaries_add() -> None:
    one = GroupStats.from_summary(
        group=pd.Categorical(["a", "b"], categories=["b", "a"]), n=[3, 4], mean=[1.0, 2], sd=[1.0, 1]
    )
    two = GroupStats.from_summary(group=pd.Categorical(["c", "a"]), n=[2, 5], mean=[1.0, 2], sd=[1.0, 1])
    made = (one + two).to_arrow()
    assert made.select(["key:group", "rows"]).to_pydict() == {"key:group": ["a", "b", "c"], "rows": [8, 4, 2]}


def test_statistics_whose_keys_came_back_as_dictionaries_add(tmp_path: Path) -> None:
    table = summary(list("abcd")).to_arrow()
    table = table.set_column(0, "key:group", table["key:group"].combine_chunks().dictionary_encode())
    pq.write_table(table, tmp_path / "s.parquet")
    read = GroupStats.read(tmp_path / "s.parquet")
    assert (read + summary(list("abcd"))).groups().n.tolist() == [10, 8, 6, 12]


NOT_UTF8 = {
    dtype: pa.Array.from_buffers(dtype, 4, [None, pa.py_buffer((np.arange(5) * 2).astype(kind)), pa.py_buffer(b"\xff\xfeab" * 2)])
    for dtype, kind in ((pa.string(), np.int32), (pa.large_string(), np.int64))
}  # fmt: skip
SHOWN_BY_NOBODY = {
    **{f"{dtype} that is not UTF-8": (array, "UTF") for dtype, array in NOT_UTF8.items()},
    "dictionary that is not UTF-8": (NOT_UTF8[pa.string()].dictionary_encode(), "UTF"),
    "date": (pa.array([4_000_000, 1, 4_000_000, 1], pa.date32()), "out of range"),
    "date before": (pa.array([-4_000_000, 1, -4_000_000, 1], pa.date32()), "out of range"),
    "date in milliseconds": (pa.array([4_000_000 * 86_400_000, 0] * 2, pa.date64()), "out of range"),
    "time stamp": (pa.array([10**15, 1, 10**15, 1], pa.timestamp("s")), "column 's'"),
    "time zone": (pa.array([1, 2, 1, 2], pa.timestamp("s", "No/Where")), "column 's'"),
}  # fmt: skip


@pytest.mark.parametrize("case", SHOWN_BY_NOBODY)
def test_labels_that_nobody_can_show_name_their_column(case: str, tmp_path: Path) -> None:
    labels, said = SHOWN_BY_NOBODY[case]
    table = pa.table({"y": Y * 2, "g": S * 2, "s": pa.chunked_array([labels, labels])})
    pq.write_table(table, tmp_path / "t.parquet")
    for call in (
        lambda: fastml.fit(table, "y", "s"),
        lambda: fastml.fit_by(table, "y", "g", by="s"),
        lambda: fastml.fit(tmp_path / "t.parquet", "y", "s"),
        lambda: GroupStats.from_summary(group=labels[:2], n=[5, 4], mean=[1.0, 2], sd=[1.0, 1], group_name="s"),
    ):
        with pytest.raises(FastmlError, match=f"(?s)column 's' .*{said}|column 's'"):
            call()


def changed(table: pa.Table, **description: object) -> pa.Table:
    made = {**json.loads(table.schema.metadata[b"fastml"]), **description}
    return table.replace_schema_metadata({b"fastml": json.dumps(made).encode()})


def damaged() -> Iterator[tuple[str, pa.Table]]:
    good = fastml.group_stats({"y": Y, "s": S}, "y", "s").to_arrow()
    for name, text in (
        ("deep list", b"[" * 100_000 + b"]" * 100_000),
        ("deep object", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        ("list", b"[1]"),
        ("bytes", b"\xff\xfe"),
        ("null", b"null"),
    ):
        yield name, good.replace_schema_metadata({b"fastml": text})
    for name, keys in (("list keys", [[1], [2]]), ("struct keys", [{"a": 1}, {"a": 2}]), ("no keys", [None, None])):
        yield name, good.set_column(0, "key:s", pa.array(keys))
    yield "map keys", good.set_column(0, "key:s", pa.array([[("a", 1)]] * 2, pa.map_(pa.string(), pa.int64())))
    for description in (
        {"group": 5},
        {"group": [["s"]]},
        {"outcomes": [1]},
        {"notes": 5},
        {"version": [1]},
        {"version": 10**400},
        {"weights": 5},
    ):
        yield str(description)[:40], changed(good, **description)


@pytest.mark.parametrize(("name", "table"), list(damaged()))
def test_damaged_statistics_are_refused(name: str, table: pa.Table, tmp_path: Path) -> None:
    pq.write_table(table, tmp_path / "s.parquet")
    if name == "no keys":  # of rows without a school: there is no one group twice
        table = table.slice(0, 0)
    for call in (lambda: fastml.fit(GroupStats.from_arrow(table)), lambda: fastml.fit(tmp_path / "s.parquet")):
        with pytest.raises(FastmlError):
            call()


MIXED = {
    "dictionaries": [{1: 1}, {"a": 2}] * 2,
    "objects": [object()] * 4,
    "a number": 5,
    "a text": "abcd",
    "bytes": b"1234",
    "nothing": None,
    "an iterator": iter(S),
    "a table": pa.table({"a": S}),
    "a frame": pd.DataFrame({"a": S, "b": S}),
    "records": np.array(S, dtype=[("a", "i8")]),
}


@pytest.mark.parametrize("role", ["y", "s"])
@pytest.mark.parametrize("column", MIXED.values(), ids=MIXED)
def test_columns_of_anything_are_a_line(column: Any, role: str) -> None:
    with pytest.raises(FastmlError):
        fastml.fit({**{"y": Y, "s": S}, role: column}, "y", "s")


# --- no stderr, full disks, no threads, no folder -----------------------------------------------------------------


class _Bare:
    """A stderr of some services: it can be written to, and that is all."""

    def write(self, text: str) -> int:
        return len(text)


@pytest.mark.parametrize("stderr", [None, _Bare(), object()])
def test_a_stderr_that_is_none_or_lacks_things(stderr: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    assert fastml.fit({"y": Y, "s": S}, "y", "s").n_obs == 4
    assert watcher() is None
    if stderr is None:
        assert watcher(True) is None
    assert not is_terminal(stderr)


def test_a_closed_stderr_is_no_terminal(tmp_path: Path) -> None:
    with (tmp_path / "x").open("w") as file:
        pass
    assert not is_terminal(file)


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 2>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")
def test_closed_streams_are_no_obstacle(closed: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": Y, "s": S}), tmp_path / "t.parquet")
    words = command("fit", tmp_path / "t.parquet", "-y", "y", "-g", "s", "--format", "json", "-o", tmp_path / "o.json")
    done = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *words], check=False)
    assert done.returncode == 0
    assert json.loads((tmp_path / "o.json").read_text())["n_obs"] == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["--help"], ["fit", "--help"], ["--version"]])
def test_help_on_a_full_disk(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command(*words), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "fastml: can't write to stdout: No space left on device\n")


def test_the_working_folder_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Path:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "cwd", gone)
    for words in (["fit", "/x.csv", "-y", "y", "-g", "g"], ["simulate", "-o", "x"], ["plan", "--icc", ".1"]):
        done = run(*words)
        assert (done.returncode, done.stderr) == (
            2,
            "fastml: the working folder doesn't exist any more; cd to one that does\n",
        )


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="with JIT off nothing is compiled")
def test_code_that_is_not_optimised_is_not_kept(tmp_path: Path) -> None:
    program = "import numpy as np; from fastml.kernels.sums import moments; moments.fold(np.zeros((1, 4)), np.zeros(1, np.int32), np.zeros((1, 4)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NUMBA_OPT": "0", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "without optimising, as NUMBA_OPT=0 has it" in done.stderr


@pytest.mark.parametrize("room", [0, 1, 3])
def test_fits_go_on_where_threads_can_not_start(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    table = pa.table({"y": rng.normal(size=4000), "s": np.arange(4000) // 20, "c": np.arange(4000) // 1000})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=200)
    path = tmp_path / "t.parquet"
    before = fastml.fit(path, "y", "s"), fastml.fit_by(path, "y", "s", by="c").to_dict()
    start, started = threading.Thread.start, []

    def limited(self: threading.Thread) -> None:
        if len(started) >= room:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)
    fit = fastml.fit(tmp_path / "t.parquet", "y", "s", threads=4)
    assert fit.to_dict() == before[0].to_dict()
    assert fastml.fit_by(tmp_path / "t.parquet", "y", "s", by="c", threads=4).to_dict() == before[1]
    monkeypatch.setattr(threading.Thread, "start", start)
    for left in range(4):  # a job's items stay in order, each once
        started.clear()
        monkeypatch.setattr(threading.Thread, "start", limited)
        jobs = [lambda i=i: iter(range(10 * i, 10 * i + 10)) for i in range(left * 3)]
        assert list(prefetch.in_order(jobs, 4)) == list(range(30 * left))


# --- the one place ------------------------------------------------------------------------------------------------


def test_faults_of_ones_own_ask_to_be_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from fastml.keys import key_table

    monkeypatch.setattr(
        key_table.plain_type,
        "__code__",
        (lambda dtype: [][len("own")]).__code__.replace(co_filename=key_table.__file__),
    )
    with pytest.raises(
        FastmlBugError, match=r"a dict: this is a fault of fastml, not of the call \(IndexError: .*; please report"
    ) as caught:
        fastml.fit({"y": Y, "s": S}, "y", "s")
    assert isinstance(caught.value.__cause__, IndexError)
    (tmp_path / "t.csv").write_text("y,s\n1,1\n2,1\n4,2\n8,2\n")
    done = run("fit", tmp_path / "t.csv", "-y", "y", "-g", "s")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "t.csv: this is a fault of fastml" in done.stderr
    assert "FASTML_TRACEBACK=1 shows where" in done.stderr


def test_what_a_library_raises_names_what_is_at_hand() -> None:
    with pytest.raises(SourceError, match=r"^file x: .*No such file"), plain_errors("file x"):
        Path("/no/such/file").read_text()
    with pytest.raises(SourceError, match=r"^column 'd': .*day is out of range"), plain_errors("column 'd'"):
        json.loads("1", parse_int=lambda _: pd.Timestamp(2020, 1, 32))
    with pytest.raises(SourceError, match=r"^option z: it holds text that is not UTF-8"), plain_errors("option z"):
        json.loads(b'"\xff"')


@pytest.mark.parametrize(
    "error",
    [
        ValueError("mine"),
        KeyError("mine"),
        UserWarning("mine"),
        MemoryError(),
        KeyboardInterrupt(),
        FastmlError("mine"),
    ],
)
def test_what_the_callers_code_raises_comes_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, plain_errors("the data"):
        raise error
    assert caught.value is error


def test_a_stream_that_fails_says_why_in_its_own_words() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"y": Y, "s": S})
        raise LookupError("the database is gone")

    stream = pa.RecordBatchReader.from_batches(pa.schema([("y", pa.float64()), ("s", pa.int64())]), batches())
    with pytest.raises((FastmlError, LookupError), match="the database is gone"):
        fastml.fit(stream, "y", "s")


@pytest.mark.parametrize("backend", ["nosuch", "module://no.such"])
def test_a_backend_of_matplotlib_that_is_not_there(backend: str) -> None:
    program = "import fastml, sys\nfit = fastml.fit({'y': [1., 2, 4, 8], 's': [1, 1, 2, 2]}, 'y', 's')\ntry: print(len(fit.report_html()) > 9999)\nexcept fastml.FastmlError as e: print(e)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n" or "pictures need matplotlib, which can't be loaded" in done.stdout


def test_parts_without_a_result_are_named(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "c": ["A"] * 6 + ["B"] * 3,
            "s": [1, 1, 2, 2, 3, 3, 1, 1, 1],
            "y": [1.5, 2.5, 4.5, 5.5, 3.25, 2.25, 3.5, 4.5, 5.5],
        }
    )
    frame.assign(z=frame.y * 2).to_parquet(tmp_path / "t.parquet")
    done = run("fit", tmp_path / "t.parquet", "-y", "y", "-g", "s", "--by", "c")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith("fastml: 1 of 2 parts has no result: c B (")
    done = run("fit", tmp_path / "t.parquet", "-y", "y", "-y", "z", "-g", "s", "--by", "c")
    assert "2 of 4 parts have no result: c B y (" in done.stderr
    assert ", c B z (" in done.stderr
    many = pd.concat([frame.assign(c=f"{k}") for k in range(4)] + [frame[6:].assign(c=f"x{k}") for k in range(9)])
    many.to_parquet(tmp_path / "m.parquet")
    assert done.returncode == 3
    assert ", and 4 more\n" in run("fit", tmp_path / "m.parquet", "-y", "y", "-g", "s", "--by", "c").stderr


def test_the_command_line_has_one_net(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise Warning("a warning made an error")

    monkeypatch.setattr(app, "app", broken)
    done = run("plan")
    assert (done.returncode, done.stderr) == (2, "fastml: a warning made an error\n")
