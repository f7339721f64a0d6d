"""Where a result goes, in which form, and what is never written over."""

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
from commandline import bad, good, run

import fastml
from fastml.cli.output import Format, check_output, check_page, show
from fastml.errors import FastmlError


def test_text(fit_call: list[object], lecture_file: Path) -> None:
    done = run(*fit_call)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == str(fastml.fit(lecture_file, "bsmmatxx", "idschool")) + "\n"


def test_json(fit_call: list[object], lecture_file: Path) -> None:
    done = run(*fit_call, "--format", "json", "--method", "ml")
    assert done.returncode == 0
    assert json.loads(done.stdout) == fastml.fit(lecture_file, "bsmmatxx", "idschool", method="ml").to_dict()


def test_csv(fit_call: list[object]) -> None:
    done = run(*fit_call, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["n_obs"] == "600"
    assert row["group"] == "idschool"


def test_output_file(fit_call: list[object], tmp_path: Path) -> None:
    target = tmp_path / "fit.json"
    target.write_text("old")
    done = run(*fit_call, "--format", "json", "-o", target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(target.read_text())["n_groups"] == 20
    assert [p.name for p in tmp_path.iterdir()] == ["fit.json"]


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


def test_a_reader_that_leaves_is_no_error(fit_call: list[object]) -> None:
    command = [sys.executable, "-m", "fastml", *map(str, fit_call)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(fit_call: list[object]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "fastml", *map(str, fit_call)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "fastml: can't write to stdout: No space left on device\n")


@pytest.mark.parametrize(
    ("closed", "status", "said"), [(1, 2, "fastml: stdout is closed; name a file with -o\n"), (2, 2, "")]
)
def test_a_closed_stream_is_no_traceback(closed: int, status: int, said: str, fit_call: list[object]) -> None:
    args = [
        sys.executable,
        "-m",
        "fastml",
        *map(str, fit_call if closed == 1 else ["fit", "no.parquet", "-y", "y", "-g", "g"]),
    ]
    shell = ["sh", "-c", f'"$@" {closed}>&-', "sh", *args]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)


def test_a_terminal_that_lacks_a_letter(fit_call: list[object]) -> None:
    done = run(*fit_call, "--format", "markdown", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03b300" in done.stdout


def test_what_can_not_be_delivered_is_refused_before_any_work(tmp_path: Path) -> None:
    check_output(Format.parquet, tmp_path / "t.parquet")
    check_output(Format.text, None)
    with pytest.raises(FastmlError, match="--format parquet needs a file: name it with -o"):
        check_output(Format.parquet, None)
    with pytest.raises(FastmlError, match=r"t\.json is Parquet; name it \.parquet, not \.json"):
        check_output(Format.parquet, tmp_path / "t.json")


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.parquet])
def test_every_form_ends_with_one_newline(form: Format, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = fastml.fit({"y": [1.0, 2.0, 4.0, 8.0], "g": [1, 1, 2, 2]}, "y", "g")
    show(fit, form, tmp_path / "out")
    show(fit, form, None)
    written = (tmp_path / "out").read_text()
    assert written == capsys.readouterr().out
    made = str(fit) if form is Format.text else getattr(fit, f"to_{form.value}")()
    assert written == made.rstrip("\n") + "\n"


def test_parquet_is_written_by_the_result(tmp_path: Path) -> None:
    fit = fastml.fit({"y": [1.0, 2.0, 4.0, 8.0], "g": [1, 1, 2, 2]}, "y", "g")
    show(fit, Format.parquet, tmp_path / "t.parquet")
    (row,) = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert row["icc"] == fit.icc


def test_verbose_says_once_what_was_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("y,g\n1,1\n2,1\n4,2\n8,2\n")
    for name in ("notes.md", "_SUCCESS"):
        (tmp_path / name).write_text("x")
    for command in (["fit", "-v"], ["report", "--verbose"], ["fit"]):
        done = run(command[0], tmp_path, "-y", "y", "-g", "g", *command[1:])
        told = sorted(line.removeprefix(f"fastml: {tmp_path}/") for line in done.stderr.splitlines())
        assert done.returncode == 0
        assert told == ([
            "_SUCCESS is passed over: its name begins with a dot or an underscore",
            "notes.md is passed over: its name is that of no data",
        ] if command[1:] else [])  # fmt: skip


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("o.json", Format.json), ("o.csv", Format.csv), ("o.parquet", Format.parquet), ("o.html", Format.html),
        ("o.tex", Format.latex), ("o.md", Format.markdown), ("o.txt", Format.text), ("a.b.JSON", Format.json),
        (os.devnull, Format.text),
    ],
)  # fmt: skip
def test_the_ending_of_the_output_decides_its_form(name: str, form: Format) -> None:
    assert check_output(None, Path(name)) is form
    assert check_output(Format.json, Path(name)) is Format.json  # what is asked for wins
    assert check_output(None, None) is Format.text


@pytest.mark.parametrize("name", ["o", "o.xlsx", "r.pdf", "o.json.gz", ".json", "o."])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(
        FastmlError, match=r"-o .*: its ending says no form; name it \.txt, \.json, .* or give --format"
    ):
        check_output(None, Path(name))
    assert check_output(Format.csv, Path(name)) is Format.csv


def test_the_form_of_what_is_written(fit_call: list[object], tmp_path: Path, lecture_file: Path) -> None:
    fit = fastml.fit(lecture_file, "bsmmatxx", "idschool")
    for name, text in (("o.json", fit.to_json()), ("o.md", fit.to_markdown()), ("o.tex", fit.to_latex())):
        assert run(*fit_call, "-o", tmp_path / name).returncode == 0
        assert (tmp_path / name).read_text() == text.rstrip("\n") + "\n"
    done = run(*fit_call, "-o", tmp_path / "o.xlsx")
    assert done.returncode == 2
    assert not (tmp_path / "o.xlsx").exists()


def test_a_report_is_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_page(tmp_path / "r.HTML", [])
    check_page(None, [])
    for name in ("r.pdf", "r", "r.txt"):
        with pytest.raises(FastmlError, match=r"the report is a page of HTML; name it \.html"):
            check_page(tmp_path / name, [])
    monkeypatch.setattr("fastml.cli.output.is_terminal", lambda stream: True)
    with pytest.raises(FastmlError, match=r"name a file with -o, such as -o report\.html"):
        check_page(None, [])


def test_columns_of_tables_are_those_asked_for(tmp_path: Path) -> None:
    rows = {"c": ["A"] * 6 + ["B"] * 6, "s": [1, 1, 2, 2, 3, 3] * 2,
            "y": [1.5, 2.5, 4.5, 5.5, 3.25, 2.25, 9.5, 8.0, 3.5, 4.5, 5.5, 1.0]}  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "y.parquet")
    call = ["fit", tmp_path / "y.parquet", "-y", "y", "-g", "s", "--by", "c"]
    table = fastml.fit_by(tmp_path / "y.parquet", "y", "s", by="c")
    names = ["icc", "icc_interval", "c"]
    for columns in (["icc,icc_interval,c"], ["icc", "icc_interval, c"], names):
        words = [word for text in columns for word in ("--columns", text)]
        assert good(*call, *words) == table.to_text(names) + "\n"
        assert good(*call, *words, "--format", "latex") == table.to_latex(columns=names) + "\n"
    assert good(*call, "-o", tmp_path / "y.md", "--columns", "c,icc") == ""
    assert (tmp_path / "y.md").read_text() == table.to_markdown(["c", "icc"]) + "\n"
    assert "fastml: --columns zz is not one of 'c', 'outcome', " in bad(*call, "--columns", "zz")
    assert "--columns is of tables of fits, which --by makes" in bad(*call[:-2], "--columns", "icc")
    for form in ("json", "csv"):
        assert f"html; {form} has all columns" in bad("fit", "no file", "-y", "y", "--columns", "icc", "--format", form)
    for words in (["--design", "timss", "-y", "y"], ["-o", "a.parquet"]):
        command = "survey" if "--design" in words else "contrast"
        assert "has all columns" in bad(command, "no file", *words, "--columns", "icc", "--format", "csv")
    check = ["check", tmp_path / "y.parquet", "--against", tmp_path / "y.parquet", "-y", "y", "-g", "s"]
    done = good(*check, "--columns", "outcome,n_obs_new,icc_new")
    assert "\noutcome  n_obs_new  icc_new\ny" in done
    pq.write_table(pa.table({"a,b": rows["c"], "s": rows["s"], "y": rows["y"]}), tmp_path / "comma.parquet")
    assert good("fit", tmp_path / "comma.parquet", *call[2:-1], "a,b", "--columns", "a,b").startswith("a,b\n")
