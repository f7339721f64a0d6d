"""The `fastml` command: parses, calls the api, prints its report. No logic."""

from __future__ import annotations

import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastml import commands, planning_command
from fastml._version import __version__
from fastml.commands import CsvDecimal, CsvDelimiter, CsvEncoding, Filter, Threads
from fastml.delivery import Form, Format, Output, Quiet, check_output, deliver, show
from fastml.errors import FastmlError

if TYPE_CHECKING:
    from fastml.results import OneWayFit
    from fastml.tables import FitTable

__all__ = ["main"]

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Fit the one-way random-effects (null multilevel) model of students in schools.",
)

# Typer's own errors, whichever click it stands on: UsageError and its base.
_USAGE_ERROR: Any = typer.BadParameter.__base__
_CLICK_ERROR: Any = _USAGE_ERROR.__base__


# What typer returns after Ctrl-C, as shells do: 128 and the signal's number.
_INTERRUPTED = 130


class Method(StrEnum):
    """Estimation methods."""

    reml = "reml"
    ml = "ml"
    anova = "anova"


Level = Annotated[float | None, typer.Option(help="Add confidence intervals of this level, such as 0.95.")]


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
    files: Annotated[list[str], typer.Argument(metavar="FILE",
                     help="Files or folders of students, globs, URIs; or files of saved statistics.")],
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
    format: Form = Format.text,
    output: Output = None,
    filter: Filter = None,
    delimiter: CsvDelimiter = None,
    encoding: CsvEncoding = "utf-8",
    decimal: CsvDecimal = ".",
    level: Level = None,
    groups: Annotated[Path | None, typer.Option("--groups", metavar="OUT.parquet",
                      help="Write the school means to a Parquet file too.")] = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fit the model and print its table.

    Example: fastml fit scores.parquet -y score -g school
    """
    from fastml import api

    check_output(format, output)
    if by and groups:
        raise FastmlError("--groups is of one fit; leave out --by, or fit one part with --filter")
    options: Any = {
        "method": None if method is None else method.value,
        "weights": weights,
        "group_weights": group_weights,
        "weights_are": weights_are,
        "weight_scaling": weight_scaling,
        "vcov": vcov,
        "filter": filter,
        "csv_options": commands.csv_given(delimiter, encoding, decimal),
        "threads": threads,
        "progress": False if quiet else None,
    }
    data = files[0] if len(files) == 1 else files
    result: OneWayFit | FitTable
    if by:
        result = api.fit_by(data, outcome, group or None, by=by, **options)
    else:
        result = one = api.fit(data, outcome, group or None, **options)
        if groups:
            one.write_groups(groups, 0.95 if level is None else level)
    show(result if level is None else result.with_intervals(level), format, output)
    if not getattr(result, "complete", True):
        raise typer.Exit(3)


@app.command()
def survey(
    files: Annotated[list[str], typer.Argument(help="Files or folders of students, globs, URIs.", metavar="FILE")],
    design: Annotated[str, typer.Option(help="timss, timss_before_2015, pirls, pisa, pisa_before_2015, iccs or naep.")],
    outcome: Annotated[list[str], typer.Option("--outcome", "-y",
                       help="A score: BSMMAT means its plausible values. Give it again for each further one.")],
    by: Annotated[list[str] | None, typer.Option("--by", help="Column that splits the data (countries).")] = None,
    group: Annotated[str | None, typer.Option("--group", "-g", help="Groups other than schools: IDCLASS.")] = None,
    school_file: Annotated[str | None, typer.Option(help="The school file, where it has the school weight.")] = None,
    weight_scaling: Annotated[str, typer.Option(help="size, effective, none, gk or group-only.")] = "size",
    se: Annotated[str, typer.Option(help="Standard errors: replicate or sandwich.")] = "replicate",
    vcov: Annotated[str, typer.Option(help="The sandwich: joint or block.")] = "joint",
    average: Annotated[bool, typer.Option("--average", help="Add the mean over the parts.")] = False,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    missing: Annotated[list[float] | None, typer.Option(
                       help="Code of a missing answer, as 9; again for each further one.")] = None,
    format: Form = Format.text,
    output: Output = None,
    filter: Filter = None,
    delimiter: CsvDelimiter = None,
    encoding: CsvEncoding = "utf-8",
    decimal: CsvDecimal = ".",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fit an assessment: plausible values, replicate weights.

    Example: fastml survey BSG*M7.sav --design timss -y BSMMAT --by IDCNTRY
    """
    from fastml.survey import fit_survey

    check_output(format, output)
    table = fit_survey(
        files[0] if len(files) == 1 else files,
        outcome,
        design,
        by=by,
        group=group,
        school_data=school_file,
        weight_scaling=weight_scaling,
        se=se,
        vcov=vcov,
        average=average,
        level=level,
        missing=missing or None,
        filter=filter,
        threads=threads,
        csv_options=commands.csv_given(delimiter, encoding, decimal),
        progress=False if quiet else None,
    )
    show(table, format, output)
    if not table.complete:
        raise typer.Exit(3)


@app.command()
def report(
    files: Annotated[list[str], typer.Argument(metavar="FILE",
                     help="Files or folders of students, globs, URIs; or files of saved statistics.")],
    outcome: Annotated[str | None, typer.Option("--outcome", "-y", help="Column of scores.")] = None,
    group: Annotated[list[str] | None, typer.Option("--group", "-g",
                     help="Column of school ids; give it again for each further column.")] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Column that splits the data (countries).")] = None,
    method: Annotated[Method | None, typer.Option(help="Estimation method; reml, or ml with weights.")] = None,
    weights: Annotated[str | None, typer.Option(help="Column of student weights.")] = None,
    group_weights: Annotated[str | None, typer.Option(help="Column of school weights.")] = None,
    weights_are: Annotated[str, typer.Option(help="What student weights are: total or conditional.")] = "total",
    weight_scaling: Annotated[str, typer.Option(help="size, effective, none, gk or group-only.")] = "size",
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    output: Output = None,
    filter: Filter = None,
    delimiter: CsvDelimiter = None,
    encoding: CsvEncoding = "utf-8",
    decimal: CsvDecimal = ".",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fit the model and write a page of tables and pictures.

    Example: fastml report scores.csv -y score -g school -o report.html
    """
    from fastml import api

    options: Any = {
        "method": None if method is None else method.value,
        "weights": weights,
        "group_weights": group_weights,
        "weights_are": weights_are,
        "weight_scaling": weight_scaling,
        "filter": filter,
        "csv_options": commands.csv_given(delimiter, encoding, decimal),
        "threads": threads,
        "progress": False if quiet else None,
    }
    data = files[0] if len(files) == 1 else files
    result: OneWayFit | FitTable
    if by:
        result = api.fit_by(data, outcome, group or None, by=by, **options)
    else:
        result = api.fit(data, outcome, group or None, **options)
    deliver(result.report_html(title, ", ".join(Path(file).name for file in files)), output)
    if not getattr(result, "complete", True):
        raise typer.Exit(3)


for command in (commands.stats, commands.merge, commands.simulate, planning_command.plan, planning_command.warmup):
    app.command()(command)


def main() -> None:
    """Run the command; exit status 0, 2 with one line on stderr for a user's error, 3 when a part has no result."""
    warnings.showwarning = _notice
    try:
        code = app(standalone_mode=False)
    except FastmlError as error:
        _fail(str(error))
    except _CLICK_ERROR as error:
        if len(sys.argv) == 1:
            sys.stderr.write(error.format_message() + "\n")  # no arguments: the whole help
            raise SystemExit(2) from None
        _fail(error.format_message())
    except MemoryError as error:
        _fail(f"there is not enough memory: {error}" if str(error) else "there is not enough memory")
    except typer.Abort:
        _fail("interrupted")
    except SystemExit:  # typer's, when the reader of the help is gone: `fastml --help | head` is no error
        code = 0
    if code == _INTERRUPTED:
        _say("interrupted", "1;31")
    raise SystemExit(code or 0)


def _fail(message: str) -> None:
    _say(message, "1;31")
    raise SystemExit(2)


def _say(message: str, colour: str) -> None:
    """A line on stderr, its first word in colour on a terminal (unless NO_COLOR is set)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty()
    name = "fastml:" if plain else f"\033[{colour}mfastml:\033[0m"
    sys.stderr.write(f"{name} {' '.join(message.split())}\n")


def _notice(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as a line, without the place in the code."""
    _say(str(message), "1")
