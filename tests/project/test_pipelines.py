"""The page on nightly jobs, replayed: two nights, a rerun, a correction, exit statuses, the table in databases."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from commandline import good, run
from conftest import ROOT

import fastml
from fastml.report.provenance import SCHEMA

PAGE = (ROOT / "docs" / "pipelines.md").read_text()
NIGHTS = {"2026-11-01": {"NOR": 1, "SWE": 2}, "2026-11-02": {"NOR": 3}}


def script() -> list[str]:
    """The lines of the page's script that run fastml."""
    (text,) = re.findall(r"^```\n(#!/bin/sh\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(r"fastml (?:stats|merge|fit) [^&|;\n]+", text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deliveries of two nights: a few files a country."""
    made = tmp_path_factory.mktemp("night")
    for night, countries in NIGHTS.items():
        (made / "incoming" / night).mkdir(parents=True)
        for country, seed in countries.items():
            fastml.simulate_files(made / "incoming" / night / country, students=600, schools=12, files=4, seed=seed)
    (made / "stats").mkdir()
    return made


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def night(date: str) -> int:
    """What the script does, line by line, in this process; the exit status of the fit."""
    stats, merge, fit, again = script()
    for country in sorted(path.name for path in (Path("incoming") / date).iterdir()):
        names = {"$folder": f"incoming/{date}/{country}", '"$country"': country, "$night": date, "$country": country}
        line = stats
        for name, value in names.items():
            line = line.replace(name, value)
        assert good(*shlex.split(line)[1:]) == ""
    assert good("merge", *sorted(Path("stats").iterdir()), *shlex.split(merge)[3:]) == ""
    done = run(*shlex.split(fit)[1:])
    assert run(*shlex.split(again)[1:]).returncode == done.returncode
    return done.returncode


def table() -> list[dict[str, str]]:
    with Path("fits.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_two_nights_a_rerun_and_a_correction(folder: Path) -> None:
    assert night("2026-11-01") == 0
    first = Path("fits.parquet").read_bytes(), table()
    assert [(row["country"], row["n_obs"]) for row in first[1]] == [("NOR", "600"), ("SWE", "600")]
    assert night("2026-11-01") == 0  # runs again: nothing counts twice
    assert (Path("fits.parquet").read_bytes(), table()) == first
    assert night("2026-11-02") == 0
    second = table()
    assert [(row["country"], row["n_obs"]) for row in second] == [("NOR", "1200"), ("SWE", "600")]
    made = json.loads(pq.read_table("fits.parquet").schema.metadata[b"fastml"])
    assert (made["n_files"], made["files"][-1]) == (12, "incoming/2026-11-02/NOR/part-3.parquet")
    whole = [*Path("incoming/2026-11-01/NOR").iterdir(), *Path("incoming/2026-11-02/NOR").iterdir()]
    direct = fastml.fit([str(path) for path in whole], "score", "school")
    assert float(second[0]["icc"]) == pytest.approx(direct.icc, rel=1e-10)
    # A correction is a delivery in the place of another.
    fastml.simulate_files("incoming/2026-11-01/SWE", students=640, schools=12, files=4, seed=9)
    assert night("2026-11-01") == 0
    assert [row["n_obs"] for row in table()] == ["1200", "640"]
    assert next(row["icc"] for row in table()) == second[0]["icc"]


def test_the_same_delivery_under_another_name_is_refused(folder: Path) -> None:
    for out in ("one.stats", "copy.stats"):
        good("stats", "incoming/2026-11-01/NOR", "-y", "score", "-g", "school", "-o", out)
    done = run("merge", "one.stats", "copy.stats", "-q", "-o", "both.stats")
    assert done.returncode == 2
    assert re.fullmatch(r"fastml: file copy\.stats can't be added to file one\.stats: "
                        r"incoming/2026-11-01/NOR/part-0\.parquet \(\d+ rows\) is in both; .*\n", done.stderr)  # fmt: skip
    assert not Path("both.stats").exists()
    shown = re.search(r"^fastml: file copy\.stats can't be added to .* is in both; \.\.\.$", PAGE, re.MULTILINE)
    assert shown is not None
    assert good("merge", "one.stats", "copy.stats", "--replace", "-q", "-o", "both.stats") == ""
    assert fastml.fit("both.stats").n_obs == 600


def test_exit_statuses_are_those_of_the_page(folder: Path) -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert sorted(codes) == [0, 1, 2, 3, 4, 130]
    Path("few.csv").write_text("c,s,y\n" + "".join(f"A,{i // 2},{i * 7 % 5}\n" for i in range(8)) + "B,1,2\nB,1,3\n")
    call = ["fit", "few.csv", "-y", "y", "-g", "s", "--by", "c", "-q", "-o", "few.json"]
    done = run(*call)
    assert done.returncode == 3  # and the table is there
    assert re.fullmatch(r"fastml: 1 of 2 parts has no result: c B \(there is one group only.*\)\n", done.stderr)
    assert [(row["c"], row["status"], row["n_obs"]) for row in json.loads(Path("few.json").read_text())] == [
        ("A", "ok", 8), ("B", "one_group", 2)]  # fmt: skip
    before = Path("few.json").read_bytes()
    assert run(*call[:3], "nothing", *call[4:]).returncode == 2
    assert Path("few.json").read_bytes() == before


def test_the_columns_of_postgresql_are_those_of_the_file(folder: Path) -> None:
    """DuckDB, which has no jsonb, takes the statement all the same; the constraint refuses another schema."""
    assert night("2026-11-01") == 0
    (statement,) = re.findall(r"^create table fits \(.*?^\);", PAGE, re.MULTILINE | re.DOTALL)
    names = re.findall(r"(\w+) (?:text|bigint|float8|boolean|integer|jsonb)\b", statement)
    with Path("fits.csv").open(newline="") as file:
        assert names == next(csv.reader(file))
    with duckdb.connect() as database:
        database.execute(statement.replace("jsonb", "json"))
        database.execute("copy fits from 'fits.csv' (header)")
        found = database.execute("select country, icc, provenance->>'$.by[0]' from fits where status = 'ok'").fetchall()
        assert [(row[0], row[2]) for row in found] == [("NOR", "country"), ("SWE", "country")]
        assert [row[1] for row in found] == pq.read_table("fits.parquet")["icc"].to_pylist()
        text = Path("fits.csv").read_text().replace(f',{SCHEMA},"{{', f',{SCHEMA + 1},"{{')
        Path("other.csv").write_text(text)
        with pytest.raises(duckdb.ConstraintException):
            database.execute("copy fits from 'other.csv' (header)")
