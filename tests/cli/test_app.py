"""The command, as a user runs it: errors, help, interrupts, progress, what it loads."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from commandline import command, run

import fastml
from fastml import __main__
from fastml.cli import app

BAD = {
    "no such file": (["fit", "no.parquet", "-y", "y", "-g", "g"], "file no.parquet does not exist"),
    "no such column": (["fit", "LECTURE", "-y", "bsmmat", "-g", "idschool"], "did you mean 'bsmmatxx'?"),
    "no group": (["fit", "LECTURE", "-y", "bsmmatxx"], "name an outcome and a group: -y SCORE -g SCHOOL"),
    "no outcome": (["report", "LECTURE", "-g", "idschool"], "name an outcome and a group: -y SCORE -g SCHOOL"),
    "no group of parts": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "--by", "idschool"],
        "name an outcome and a group: -y SC",
    ),
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
    "two outcomes of one fit": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-y", "bsmmatxx", "-g", "idschool"],
        "-y names 2 columns; a fit has one, and a table of fits, with --by, several",
    ),
    "an empty weight": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "--weights", ""],
        "--weights '' needs --group-weights too",
    ),
    "output and groups in one file": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "-o", "no/x.parquet", "--groups", "no/../no/x.parquet"],
        "-o and --groups both name no/x.parquet; give each a file of its own",
    ),
    "a choice about weights without any": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "--vcov", "block"],
        "--vcov block is of weighted fits, and this one has no weights",
    ),
    "Parquet under the name of text": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "--groups", "schools.csv"],
        "what would be written to schools.csv is Parquet; name it .parquet, not .csv",
    ),
    "Parquet under the name of text, by --format": (
        ["fit", "no.parquet", "-y", "y", "-g", "g", "--format", "parquet", "-o", "fits.JSON"],
        "what would be written to fits.JSON is Parquet; name it .parquet, not .JSON",
    ),
    "statistics under the name of text": (
        ["stats", "no.parquet", "-y", "y", "-g", "g", "-o", "t.tsv"],
        "what would be written to t.tsv is Parquet",
    ),
    "their sum under the name of text": (["merge", "no.parquet", "-o", "t.txt"], "what would be written to t.txt is"),
    "simulated rows under the name of text": (["simulate", "-o", "t.csv"], "what would be written to t.csv is Parquet"),
    "a plan of nothing": (["plan", "--icc", "0.2"], "give --schools or --cluster-size with a target (--se, "),
    "output in no folder": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "-o", "no/x.txt"],
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
    assert "For example:\n    fastml fit " in run("fit", "--help").stdout
    assert run("fit", "-h").stdout == run("fit", "--help").stdout
    nothing = run()
    assert nothing.returncode == 2
    assert "Usage" in nothing.stderr


COMMANDS = ("fit", "survey", "contrast", "report", "stats", "merge", "check", "sql", "simulate", "plan", "warmup")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_is_one_screen_with_two_examples(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, lines in ((80, 50), (100, 43)):
        monkeypatch.setenv("COLUMNS", str(columns))
        text = run(command, "--help").stdout
        assert len(text.splitlines()) <= lines
        *_, example, other = text.splitlines()
        assert text.splitlines()[-3] == "  For example:"
        for words in (example.split(), other.split()):
            assert words[:2] == ["fastml", command]
            assert len(" ".join(words)) < 100
            assert " ".join(words).count('"') % 2 == 0
    assert example != other or command == "warmup"
    assert "-q, --quiet" in text
    assert "\x1b" not in text
    assert re.match(rf"Usage: .*fastml {command} ", text)
    assert not re.search(r"\b(str|int|float|list|path|range)\b[\]>]", text)  # Python's types


def test_help_names_the_program_as_it_was_called() -> None:
    assert "Usage: python -m fastml fit " in run("fit", "--help", cwd=None).stdout  # in a process of its own


def test_the_list_of_commands_is_whole() -> None:
    text = run("--help").stdout
    listed = re.findall(r"^  (\w+)  +(.*)$", text.partition("Commands:\n")[2], re.MULTILINE)
    assert tuple(name for name, _ in listed) == COMMANDS
    assert not [what for _, what in listed if what.endswith("...")]


def test_help_to_a_reader_that_leaves() -> None:
    for words in (["--help"], ["fit", "--help"], ["plan", "--icc", "0.2", "--schools", "9", "--cluster-size", "9"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "fastml", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait() == 0


def test_shell_completion() -> None:
    words = {"_FASTML_COMPLETE": "complete_bash", "COMP_WORDS": "fastml f", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", "import sys; sys.argv = ['fastml']; from fastml.cli.app import main; main()"]
    done = subprocess.run(command, env={**os.environ, **words}, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["fit"]
    words |= {"COMP_WORDS": "fastml fit --form", "COMP_CWORD": "2"}
    done = subprocess.run(command, env={**os.environ, **words}, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["--format"]


@pytest.mark.parametrize(("settings", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_on_a_terminal_only(settings: dict[str, str], coloured: bool) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo terminals here")
    ours, theirs = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"} | settings
    subprocess.run([sys.executable, "-m", "fastml", "fitt"], stderr=theirs, check=False, env=env)
    os.close(theirs)
    said = os.read(ours, 1000).decode()
    os.close(ours)
    assert ("\x1b[" in said) == coloured
    assert "No such command 'fitt'" in said
    assert "\x1b" not in run("fitt").stderr


def test_the_report_loads_no_pandas(lecture_file: Path, tmp_path: Path) -> None:
    program = "import sys; from fastml.cli.app import main\ntry: main()\nfinally: print('pandas' in sys.modules)"
    words = ["report", str(lecture_file), "-y", "bsmmatxx", "-g", "idschool", "-o", str(tmp_path / "r.html")]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_module_runs_only_as_a_program() -> None:
    assert callable(__main__.main)  # the import above ran no command


@pytest.mark.parametrize(("words", "status"), [(["--version"], 0), (["fitt"], 2)])
def test_the_program_ends_without_looking_through_its_objects(words: list[str], status: int) -> None:
    program = (
        "import atexit, gc, sys\n"
        "from fastml.__main__ import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000, gc.isenabled()))\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (status, "True True")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (MemoryError("unable to allocate 8 TiB"), "fastml: there is not enough memory: unable to allocate 8 TiB\n"),
        (MemoryError(), "fastml: there is not enough memory\n"),
        (typer.Abort(), "fastml: interrupted\n"),
    ],
)
def test_what_no_command_foresees_is_a_line(
    raised: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(**_: object) -> None:
        warnings.warn("a word\nof warning", UserWarning, stacklevel=1)
        raise raised

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which main puts its own in place of
    monkeypatch.setattr(app, "app", failing)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        with pytest.raises(SystemExit) as end:
            app.main()
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "fastml: a word of warning\n" + said)


SLOW = """
import os, sys, time
from dataclasses import replace
import fastml.io.file_formats
read = fastml.io.file_formats._row_group_job
def slowly(*args):
    job = read(*args)
    def wait():
        os.write(1, b"a row group\\n")
        time.sleep(float(os.environ["PAUSE"]))
        yield from job.read()
    return replace(job, read=wait)
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
        out, err = child.communicate(timeout=60)
        assert child.returncode in (2, 130)
        assert (out.replace("a row group\n", ""), err) == ("", "fastml: interrupted\n")
        assert target.read_text() == "old"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["long.parquet", "s.parquet"]


def test_interrupted_simulation_leaves_nothing(tmp_path: Path) -> None:
    child = subprocess.Popen(
        command("simulate", "--students", "1e9", "--files", "1000", "-o", tmp_path / "many"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".many.*/new/part*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)  # all files would take minutes
    assert (child.returncode in (2, 130), err) == (True, "fastml: interrupted\n")
    assert list(tmp_path.iterdir()) == []


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
