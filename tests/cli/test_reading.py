"""The options of reading: on every command that reads files, and as the api takes them."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from commandline import bad, figures, good

import fastml
from fastml import FastmlError
from fastml.cli import commands
from fastml.cli.reading import Reading, reads

TEXT = "A title\n# a comment\nschool|score\n'1'|1.050,5\n1|1.225,5\n2|k.A.\n2|1.550,5\n2|1.400,5\n"
OPTIONS = ["--skip-rows", "1", "--comment", "#", "--delimiter", "|", "--quote", "'", "--thousands", ".", "--decimal",
           ",", "--missing", "k.A.", "--missing", "999", "--types", "school=string", "--encoding", "latin-1"]  # fmt: skip


def seen(**given: Any) -> Reading:
    """What a command sees of options; those that aren't given have their defaults."""
    found: list[Reading] = []

    @reads
    def command(*, reading: Reading) -> None:
        found.append(reading)

    defaults = {name: one.default for name, one in inspect.signature(command).parameters.items()}
    command(**{**defaults, **given})
    return found[0]


def test_options_of_reading_as_the_api_takes_them() -> None:
    plain = seen()
    assert plain.arguments == {
        "missing": None, "filter": None, "threads": None, "progress": None,
        "csv_options": {"delimiter": None, "encoding": None, "decimal": ".", "thousands": None, "skip_rows": 0,
                        "comment": None, "quote": '"', "types": {}},
    }  # fmt: skip
    asked = seen(delimiter=r"\t", missing=["k.A.", "99", "-9.0", "nan"], types=["a=b=int8"], quiet=True, filter="x > 1")
    assert asked.arguments["missing"] == ["k.A.", "99", "-9.0", "nan"]
    assert seen(missing=[""]).arguments["missing"] == []
    assert asked.arguments["progress"] is False
    assert asked.arguments["filter"] == "x > 1"
    csv = asked.arguments["csv_options"]
    assert (csv["delimiter"], csv["types"]) == ("\t", {"a=b": "int8"})
    for text in ("school", "=string", "school="):
        with pytest.raises(FastmlError, match=r"--types .* is not COLUMN=TYPE"):
            seen(types=[text])


def test_all_commands_that_read_have_the_same_options() -> None:
    def plain(*, reading: Reading) -> None: ...

    own = inspect.signature(reads(plain)).parameters
    for command in (commands.fit, commands.survey, commands.report, commands.stats):
        parameters = inspect.signature(command).parameters
        assert all(parameters[name] == one for name, one in own.items())


def test_every_option_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TEXT, "latin-1")
    call = ["-y", "score", "-g", "school", *OPTIONS]
    truth = fastml.fit({"score": [1050.5, 1225.5, 1550.5, 1400.5], "school": list("1122")}, "score", "school").to_dict()
    found = figures(path, *call)
    assert (found["gamma00"], found["n_dropped"]) == (truth["gamma00"], 1)
    good("stats", path, *call, "-o", tmp_path / "s.parquet")
    assert figures(tmp_path / "s.parquet") == found
    good("report", path, *call, "-o", tmp_path / "r.html")


def test_errors_name_the_options_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("school,score\n1,5\n1,absent\n2,7\n2,8\n")
    said = bad("fit", path, "-y", "score", "-g", "school")
    assert "'absent' in row 1" in said
    assert said.strip().endswith("give --missing absent")
    said = bad("fit", path, "-y", "score", "-g", "school", "--thousands", "x")
    assert "--thousands: 'x' is not one character" in said
