"""The `fastml` command: parses, calls the api, prints its report. No logic."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastml._version import __version__
from fastml.errors import FastmlError
from fastml.files import replace_file

if TYPE_CHECKING:
    from fastml.results import OneWayFit
    from fastml.tables import FitTable

__all__ = ["main"]

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Fit the one-way random-effects (null multilevel) model of students in schools.",
)

# Typer's own errors, whichever click it stands on: UsageError and its base.
_USAGE_ERROR: Any = typer.BadParameter.__base__
_CLICK_ERROR: Any = _USAGE_ERROR.__base__


class Method(StrEnum):
    """Estimation methods."""

    reml = "reml"
    ml = "ml"
    anova = "anova"


class Format(StrEnum):
    """Forms of the output."""

    text = "text"
    json = "json"
    csv = "csv"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastml {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True,
                                          help="Print the version.")] = False,
) -> None:  # fmt: skip
    pass


@app.command()
def fit(
    file: Annotated[Path, typer.Argument(help="A Parquet file of students, or of saved statistics.")],
    outcome: Annotated[str | None, typer.Option("--outcome", "-y", help="Column of scores.")] = None,
    group: Annotated[list[str] | None, typer.Option("--group", "-g",
                     help="Column of school ids; give it again for each further column.")] = None,
    by: Annotated[list[str] | None, typer.Option("--by",
                  help="Column that splits the data (countries); a fit of each part.")] = None,
    method: Annotated[Method | None, typer.Option(help="Estimation method; reml, or ml with weights.")] = None,
    weights: Annotated[str | None, typer.Option(help="Column of student weights.")] = None,
    group_weights: Annotated[str | None, typer.Option(help="Column of school weights.")] = None,
    weights_are: Annotated[str, typer.Option(help="What student weights are: total or conditional.")] = "total",
    weight_scaling: Annotated[str, typer.Option(help="size, effective, none, gk or group-only.")] = "size",
    vcov: Annotated[str, typer.Option(help="Robust standard errors: joint or block.")] = "joint",
    format: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.text,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file, not to stdout.")] = None,
) -> None:  # fmt: skip
    """Fit the model and print its table.

    Example: fastml fit data/timss2019_usa_lecture.parquet -y bsmmatxx -g idschool
    """
    from fastml import api

    options: Any = {
        "method": None if method is None else method.value,
        "weights": weights,
        "group_weights": group_weights,
        "weights_are": weights_are,
        "weight_scaling": weight_scaling,
        "vcov": vcov,
    }
    result: OneWayFit | FitTable
    if by:
        result = api.fit_by(file, outcome, group or None, by=by, **options)
    else:
        result = api.fit(file, outcome, group or None, **options)
    texts = {Format.text: result.__str__, Format.json: result.to_json, Format.csv: result.to_csv}
    _deliver(texts[format]().rstrip("\n") + "\n", output)
    if by and not result.complete:
        raise typer.Exit(3)


def _deliver(text: str, output: Path | None) -> None:
    """Print the text, or replace a file by it, whole or not at all."""
    if output is None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader is gone (`fastml ... | head`): that is no error, and nothing more can be printed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    replace_file(output, lambda file: file.write(text.encode()))


def main() -> None:
    """Run the command; exit status 0, 2 with one line on stderr for a user's error, 3 when a part has no result."""
    try:
        code = app(standalone_mode=False)
    except FastmlError as error:
        _fail(str(error))
    except _CLICK_ERROR as error:
        if len(sys.argv) == 1:
            sys.stderr.write(error.format_message() + "\n")  # no arguments: the whole help
            raise SystemExit(2) from None
        _fail(error.format_message())
    except typer.Abort:
        _fail("interrupted")
    raise SystemExit(code or 0)


def _fail(message: str) -> None:
    sys.stderr.write(f"fastml: {' '.join(message.split())}\n")
    raise SystemExit(2)
