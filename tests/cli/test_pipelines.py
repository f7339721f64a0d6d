"""The commands of pipelines: check, sql."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import bad, good, run

import fastml


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Yesterday's rows; and today's, without three schools and a point higher."""
    folder = tmp_path_factory.mktemp("nights")
    table = fastml.simulate(students=1000, schools=20, seed=4)
    table = table.append_column("country", pa.array(["NOR" if s < 10 else "SWE" for s in table["school"].to_pylist()]))
    pq.write_table(table, folder / "old.parquet")
    frame = table.to_pandas()
    frame = frame[frame.school > 3].assign(score=lambda rows: rows.score + 1.0)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "new.parquet")
    return folder / "new.parquet", folder / "old.parquet"


def test_check_prints_the_table_of_python_in_every_form(nights: tuple[Path, Path], tmp_path: Path) -> None:
    new, old = nights
    call = ["check", new, "--against", old, "-y", "score", "-g", "school", "--by", "country"]
    made = fastml.check(new, "score", "school", against=old, by="country")
    assert good(*call) == f"{made}\n"
    assert json.loads(good(*call, "--format", "json")) == json.loads(made.to_json())
    rows = list(csv.DictReader(io.StringIO(good(*call, "--format", "csv"))))
    assert [row["groups_lost"] for row in rows] == ["3", "0"]
    for name in ("t.md", "t.tex", "t.html", "t.txt", "t.json", "t.csv", "t.parquet"):
        assert good(*call, "-o", tmp_path / name) == ""
    assert pq.read_table(tmp_path / "t.parquet").equals(made.to_arrow())
    assert (tmp_path / "t.md").read_text() == made.to_markdown().rstrip("\n") + "\n"


def test_drift_ends_with_status_4_and_a_line_and_the_table_is_written_all_the_same(
    nights: tuple[Path, Path], tmp_path: Path
) -> None:
    new, old = nights
    call = ["check", new, "--against", old, "-y", "score", "-g", "school", "--by", "country"]
    done = run(*call, "--max-schools-lost", 0, "--max-mean-shift", 50, "-o", tmp_path / "check.json")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"fastml: {new} drifted from {old}: country NOR score (3 schools lost: 1, 2, 3 (limit 0))\n"
    nor, swe = json.loads((tmp_path / "check.json").read_text())
    assert (nor["status"], nor["drifted"], swe["status"], swe["drifted"]) == ("drift", "groups_lost", "ok", None)
    assert good(*call, "--max-schools-lost", "50%", "--max-mean-shift", 50, "--max-n-change", "50%")


def test_check_of_statistics_needs_no_columns(nights: tuple[Path, Path], tmp_path: Path) -> None:
    new, old = nights
    good("stats", old, "-y", "score", "-g", "school", "-o", tmp_path / "s.parquet")
    done = run("check", new, "--against", tmp_path / "s.parquet", "--max-schools-lost", "10%")
    assert done.returncode == 4
    assert "limit 10 %" in done.stderr


def test_errors_of_check_are_in_the_words_of_the_command_line(nights: tuple[Path, Path]) -> None:
    new, old = nights
    call = ["check", new, "--against", old, "-y", "score", "-g", "school"]
    assert "--max-n-change 10 can't be: it is a share" in bad(*call, "--max-n-change", 10)
    assert "--max-mean-shift: it takes a number" in bad(*call, "--max-mean-shift", "5%")
    assert "name an outcome and a group: -y SCORE -g SCHOOL" in bad("check", new, "--against", old)
    assert "nowhere.parquet does not exist" in bad(
        "check", new, "--against", "nowhere.parquet", "-y", "score", "-g", "school"
    )
    assert "would be replaced" in bad(*call, "-o", old)
    assert "--against" in bad("check", new)


def test_sql_prints_the_query_of_python_and_fit_takes_its_result(nights: tuple[Path, Path], tmp_path: Path) -> None:
    new, _ = nights
    call = ["sql", new, "-y", "score", "-g", "school", "--by", "country", "--filter", "score > 300", "--missing", 999]
    query = fastml.group_stats_sql(
        str(new), "score", "school", by="country", dialect="duckdb", filter="score > 300", missing=[999]
    )
    assert good(*call, "--dialect", "DuckDB") == f"{query}\n"
    assert good(*call, "--dialect", "duckdb", "-o", tmp_path / "q.sql") == ""
    assert (tmp_path / "q.sql").read_text() == f"{query}\n"
    with duckdb.connect() as connection:
        connection.sql(query).write_parquet(str(tmp_path / "schools.parquet"))
    found, truth = (
        json.loads(good("fit", path, "-y", "score", "-g", "school", "--by", "country", *more, "--format", "json"))
        for path, more in ((tmp_path / "schools.parquet", []), (new, ["--filter", "score > 300"]))
    )
    assert [row["icc"] for row in found] == pytest.approx([row["icc"] for row in truth], rel=1e-9)
    good(
        "stats",
        tmp_path / "schools.parquet",
        "-y",
        "score",
        "-g",
        "school",
        "--by",
        "country",
        "-o",
        tmp_path / "s.parquet",
    )
    good("check", new, "--against", tmp_path / "schools.parquet", "-y", "score", "-g", "school", "--by", "country")


def test_errors_of_sql_are_in_the_words_of_the_command_line(nights: tuple[Path, Path], tmp_path: Path) -> None:
    new, _ = nights
    call = ["sql", new, "-y", "score", "-g", "school"]
    assert "--dialect mysql is not one of 'duckdb'" in bad(*call, "--dialect", "mysql")
    assert "name it .sql" in bad(*call, "--dialect", "duckdb", "-o", new)
    assert "--dialect" in bad(*call)
    assert "--missing 'k.A.' can't be" in bad(*call, "--dialect", "duckdb", "--missing", "k.A.")
