"""Options taken as given have the values that typer's own converters give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import typer
import typer.main

from fastml import as_given, cli, commands, planning_command

WORDS: list[tuple[Callable[..., Any], str]] = [
    (cli.fit, "a.parquet -y score -g school"),
    (cli.fit, "a.parquet b.csv -y s1 -y s2 -g c -g id --by c --method ml --format json -o out.json -q"),
    (cli.fit, "a.csv --weights w --group-weights v --weights-are conditional --weight-scaling gk --vcov block"),
    (
        cli.fit,
        "a.csv --filter= --delimiter ; --encoding latin-1 --decimal , --level 0.9 --groups g.parquet --threads 2",
    ),
    (cli.survey, "a.sav --design timss -y BSMMAT --average --level 0.8 --missing 9 --missing 99.5 -g IDCLASS"),
    (cli.report, "a.csv -y score -g school --title 7 -o page.html"),
    (commands.stats, "a.csv -y s -g g -o o.parquet --tag cycle=2019 --tag c=007 --min-group-size 5"),
    (commands.merge, "a b c -o d"),
    (commands.simulate, "-o s.parquet --students 1e5 --schools 20 --weights --order random --seed 3"),
    (planning_command.plan, "--icc 0.2 --schools 40 --se 0.05"),
    (planning_command.warmup, ""),
]
WRONG = [
    "a.csv --level abc",
    "a.csv --method mle",
    "a.csv --threads 0",
    "a.csv --format xls",
    "",
    "a.csv --threads 1.5",
]


def parsed(command: Callable[..., Any], words: str, **options: Any) -> dict[str, Any]:
    """Values of all options of a command, after some words."""
    app = typer.Typer(add_completion=False)
    app.command(**options)(command)
    found: dict[str, Any] = typer.main.get_command(app).make_context("x", words.split()).params
    return found


@pytest.mark.parametrize(("command", "words"), WORDS, ids=[f"{c.__name__} {w}" for c, w in WORDS])
def test_the_same_values_and_types(command: Callable[..., Any], words: str) -> None:
    ours, own = (parsed(command, words, **options) for options in ({"cls": as_given.Command}, {}))
    assert ours == own
    assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in own.items()}


@pytest.mark.parametrize("words", WRONG)
def test_the_same_refusals(words: str) -> None:
    said = []
    for options in ({"cls": as_given.Command}, {}):
        with pytest.raises(cli._USAGE_ERROR) as caught:
            parsed(cli.fit, words, **options)
        said.append(caught.value.format_message())
    assert said[0] == said[1]
