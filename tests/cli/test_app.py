"""The command, as a user runs it: stdout, stderr, exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from commandline import run

import fastml
from fastml import __main__
from fastml.cli import app


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
        "weights='' needs group_weights too",
    ),
    "output and groups in one file": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "-o", "no/x", "--groups", "no/../no/x"],
        "-o and --groups both name no/x; give each a file of its own",
    ),
    "a choice about weights without any": (
        ["fit", "LECTURE", "-y", "bsmmatxx", "-g", "idschool", "--vcov", "block"],
        "vcov='block' is of weighted fits, and this one has no weights",
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
    assert run("fit", "-h").stdout == run("fit", "--help").stdout
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
        "from fastml.cli.app import main\n"
        "try: main()\n"
        "finally: print([m for m in ('pandas', 'scipy.stats', 'matplotlib') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *map(str, call)], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_the_report_loads_no_pandas(lecture_file: Path, tmp_path: Path) -> None:
    program = "import sys; from fastml.cli.app import main\ntry: main()\nfinally: print('pandas' in sys.modules)"
    words = ["report", str(lecture_file), "-y", "bsmmatxx", "-g", "idschool", "-o", str(tmp_path / "r.html")]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_same_bytes_whatever_the_hash_seed(call: list[object]) -> None:
    outputs = {run(*call, "--format", "json", env={**os.environ, "PYTHONHASHSEED": seed}).stdout for seed in "01"}
    assert len(outputs) == 1


COMMANDS = ("fit", "survey", "report", "stats", "merge", "simulate", "plan", "warmup")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example_on_one_line_and_quiet(command: str) -> None:
    text = run(command, "--help", cwd=None).stdout  # which program it is called by is the process's
    (example,) = re.findall(r"^  Example: (fastml .*)$", text, re.MULTILINE)
    assert example.split()[1] == command
    assert len(example) < 68
    assert example.count('"') % 2 == 0
    assert "-q, --quiet" in text
    assert "\x1b" not in text
    assert f"Usage: python -m fastml {command} " in text


def test_the_list_of_commands_is_whole() -> None:
    text = run("--help").stdout
    listed = re.findall(r"^  (\w+)  +(.*)$", text.partition("Commands:\n")[2], re.MULTILINE)
    assert tuple(name for name, _ in listed) == COMMANDS
    assert not [what for _, what in listed if what.endswith("...")]


def test_level_adds_intervals(call: list[object], lecture_file: Path) -> None:
    fit = fastml.fit(lecture_file, "bsmmatxx", "idschool")
    assert run(*call, "--level", 0.9).stdout == f"{fit.summary(0.9)}\n"
    low, high = fit.ci("icc", 0.9)
    made = json.loads(run(*call, "--level", 0.9, "--format", "json").stdout)
    assert (made["level"], made["ci_low_icc"], made["ci_high_icc"]) == (0.9, low, high)
    assert {name: made[name] for name in fit.to_dict()} == fit.to_dict()
    (row,) = csv.DictReader(io.StringIO(run(*call, "--level", 0.9, "--format", "csv").stdout))
    assert float(row["ci_low_icc"]) == low
    assert "90 % interval" in run(*call, "--level", 0.9, "--format", "markdown").stdout
    assert run(*call, "--level", 1).stderr == "fastml: level=1.0 can't be: it is a number between 0 and 1\n"


def test_level_of_a_table(lecture_file: Path, tmp_path: Path) -> None:
    table = pq.read_table(lecture_file)
    pq.write_table(table.append_column("part", pa.array(["a", "b"] * 300)), tmp_path / "t.parquet")
    words = ["fit", tmp_path / "t.parquet", "-y", "bsmmatxx", "-g", "idschool", "--by", "part"]
    rows = json.loads(run(*words, "--level", 0.8, "--format", "json").stdout)
    frame = table.to_pandas().iloc[::2]
    low, high = fastml.fit(frame, "bsmmatxx", "idschool").ci("icc", 0.8)
    assert rows[0]["ci_low_icc"] == pytest.approx(low)
    assert rows[0]["ci_high_icc"] == pytest.approx(high)
    assert "ci_low_icc" in run(*words, "--level", 0.8).stdout
    refused = run(*words, "--groups", tmp_path / "g.parquet")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("fastml: --groups is of one fit")


def test_groups_to_a_file(call: list[object], lecture_file: Path, tmp_path: Path) -> None:
    assert run(*call, "--groups", tmp_path / "schools.parquet", "--level", 0.5).returncode == 0
    assert pq.read_table(tmp_path / "schools.parquet").equals(
        fastml.fit(lecture_file, "bsmmatxx", "idschool").groups_arrow(0.5)
    )
    assert run(*call, "--groups", tmp_path / "no" / "x").stderr.startswith("fastml: can't write to ")


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(call: list[object]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "fastml", *map(str, call)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "fastml: can't write to stdout: No space left on device\n")


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    rows = "y,g,c\n1,1,1\n2,1,1\n4,2,1\n8,2,1\n"
    folder = tmp_path / "rows"
    folder.mkdir()
    path = folder / "in.csv"
    path.write_text(rows)
    (tmp_path / "link").symlink_to(path)
    call = ["-y", "y", "-g", "g"]
    design = ["--design", "timss", "-y", "BSMMAT"]
    for args, output in (
        (["fit", path, *call, "-o"], path),
        (["fit", path, *call, "--by", "c", "-o"], path),
        (["fit", path, *call, "--groups"], path),
        (["report", f"{folder}/*.csv", *call, "-o"], folder / ".." / "rows" / "in.csv"),
        (["stats", folder, *call, "-o"], path),
        (["fit", path, *call, "-o"], tmp_path / "link"),
        (["survey", path, *design, "-o"], path),
        (["survey", folder / "in.csv", *design, "--school-file", path, "-o"], path),
    ):
        done = run(*args, output)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"fastml: {output} is one of the files to read, and would be replaced; write to another\n"
        assert path.read_text() == rows
    assert run("report", folder, *call, "-o", folder / "r.html").returncode == 0  # beside it is no matter
    assert run("report", folder, *call, "-o", folder / "r.html").returncode == 0


@pytest.mark.parametrize(
    ("closed", "status", "said"), [(1, 2, "fastml: stdout is closed; name a file with -o\n"), (2, 2, "")]
)
def test_a_closed_stream_is_no_traceback(closed: int, status: int, said: str, call: list[object]) -> None:
    args = [
        sys.executable,
        "-m",
        "fastml",
        *map(str, call if closed == 1 else ["fit", "no.parquet", "-y", "y", "-g", "g"]),
    ]
    shell = ["sh", "-c", f'"$@" {closed}>&-', "sh", *args]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)


def test_a_table_of_several_outcomes(tmp_path: Path) -> None:
    data = {"y": [1.0, 2.0, 4.0, 8.0], "z": [1.0, 3.0, 4.0, 9.0], "g": [1, 1, 2, 2], "c": [7, 7, 7, 7]}
    pq.write_table(pa.table(data), tmp_path / "t.parquet")
    done = run("fit", tmp_path / "t.parquet", "-y", "y", "-y", "z", "-g", "g", "--by", "c", "--format", "json")
    assert json.loads(done.stdout) == fastml.fit_by(data, ["y", "z"], "g", by="c").to_dict()


def test_a_terminal_that_lacks_a_letter(call: list[object]) -> None:
    done = run(*call, "--format", "markdown", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03b300" in done.stdout


@pytest.mark.parametrize("count", ["nan", "inf", "1e30", "1.5"])
def test_counts_that_are_none(count: str, tmp_path: Path) -> None:
    done = run("simulate", "--students", count, "-o", tmp_path / "s.parquet")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"fastml: .* is not a whole number of ordinary size\n", done.stderr)


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


def test_report_of_parts(tmp_path: Path) -> None:
    table = pa.table({"c": ["a"] * 4 + ["b"] * 4, "id": [1, 1, 2, 2] + [1] * 4, "y": [1.0, 2.0, 5.0, 7.0] * 2})
    pq.write_table(table, tmp_path / "t.parquet")
    done = run("report", tmp_path / "t.parquet", "-y", "y", "-g", "id", "--by", "c", "-o", tmp_path / "r.html")
    assert (done.returncode, done.stderr) == (3, "")  # b has one group
    assert "there is one group only" in (tmp_path / "r.html").read_text()
