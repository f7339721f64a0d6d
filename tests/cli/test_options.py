"""The options that commands share, and how the api takes them."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from commandline import figures, good, run

import fastml
from fastml.cli import commands, options


def test_filter_folder_and_csv_options(days: Path, table: pa.Table, tmp_path: Path) -> None:
    wanted = fastml.fit(table, "score", "school", filter="cycle = 2019").to_dict()
    del wanted["provenance"]
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


def test_composite_group(tmp_path: Path) -> None:
    table = pa.table({"c": ["N", "N", "S", "S", "S"], "id": [1, 1, 1, 1, 2], "y": [1.0, 2.0, 4.0, 7.0, 5.0]})
    pq.write_table(table, tmp_path / "t.parquet")
    done = run("fit", tmp_path / "t.parquet", "-y", "y", "-g", "c", "-g", "id", "--format", "json")
    assert json.loads(done.stdout)["n_groups"] == 3
    assert json.loads(done.stdout)["group"] == ["c", "id"]


def test_formula_in_place_of_names(fit_call: list[object], lecture_file: Path) -> None:
    assert run("fit", lecture_file, "-y", "bsmmatxx ~ 1 + (1 | idschool)").stdout == run(*fit_call).stdout


def test_one_name_is_no_list() -> None:
    assert options.one_or_all(["a.csv"]) == "a.csv"
    assert options.one_or_all(["a.csv", "b.csv"]) == ["a.csv", "b.csv"]


def test_an_option_that_commands_share_is_declared_once() -> None:
    shared = {"weights", "group_weights", "weight_scaling"}
    declared: dict[str, set[object]] = {}
    for command in (commands.fit, commands.survey, commands.report, commands.stats):
        for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
            if name in shared:
                declared.setdefault(name, set()).add(id(parameter.annotation))
    assert {name: len(found) for name, found in declared.items()} == dict.fromkeys(shared, 1)
