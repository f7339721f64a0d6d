"""The `fastml` command: parses, calls the api, prints its report. No logic."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from fastml import commands, options, planning_command
from fastml._version import __version__
from fastml.as_given import Command, Group
from fastml.delivery import Form, Format, Output, Quiet, check_output, deliver, show
from fastml.errors import FastmlError, RolesMissingError

__all__ = ["main"]

app = typer.Typer(
    cls=Group,
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


@app.command(cls=Command)
def fit(
    files: options.Files,
    outcome: options.Outcomes = None,
    group: options.Group = None,
    by: options.By = None,
    method: options.Method = None,
    weights: options.Weights = None,
    group_weights: options.GroupWeights = None,
    weights_are: options.WeightsAre = "total",
    weight_scaling: options.Scaling = "size",
    vcov: options.Vcov = "joint",
    format: Form = Format.text,
    output: Output = None,
    filter: options.Filter = None,
    delimiter: options.CsvDelimiter = None,
    encoding: options.CsvEncoding = "utf-8",
    decimal: options.CsvDecimal = ".",
    level: Level = None,
    groups: Annotated[Path | None, typer.Option("--groups", metavar="OUT.parquet",
                      help="Write the school means to a Parquet file too.")] = None,
    threads: options.Threads = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fit the model and print its table.

    Example: fastml fit scores.parquet -y score -g school
    """
    check_output(format, output, files)
    if by and groups:
        raise FastmlError("--groups is of one fit; leave out --by, or fit one part with --filter")
    if groups:
        check_output(Format.parquet, groups, files)
        if output and output.resolve() == groups.resolve():
            raise FastmlError(f"-o and --groups both name {output}; give each a file of its own")
    result = _fitted(
        files, outcome, group, by, method, weights=weights, group_weights=group_weights, weights_are=weights_are,
        weight_scaling=weight_scaling, vcov=vcov,
        **options.reading(filter, delimiter, encoding, decimal, threads, quiet),
    )  # fmt: skip
    if groups:
        result.write_groups(groups, 0.95 if level is None else level)
    show(result if level is None else result.with_intervals(level), format, output)
    _tell_gaps(result)


def _fitted(
    files: list[str],
    outcomes: list[str] | None,
    group: list[str] | None,
    by: list[str] | None,
    method: options.Method,
    **others: Any,
) -> Any:
    """The fit of the call, or with --by the table of fits."""
    from fastml import api

    data, others = options.one_or_all(files), {"method": None if method is None else method.value, **others}
    if not by and outcomes and len(outcomes) > 1:
        raise FastmlError(f"-y names {len(outcomes)} columns; a fit has one, and a table of fits, with --by, several")
    try:
        if by:
            return api.fit_by(data, outcomes or None, group or None, by=by, **others)
        return api.fit(data, outcomes[0] if outcomes else None, group or None, **others)
    except RolesMissingError:  # files of statistics need none
        raise RolesMissingError("-y SCORE -g SCHOOL") from None


def _tell_gaps(result: Any) -> None:
    """End with status 3 where a part of a table has no result."""
    if not getattr(result, "complete", True):
        raise typer.Exit(3)


@app.command(cls=Command)
def survey(
    files: Annotated[list[str], typer.Argument(help="Files or folders of students, globs, URIs.", metavar="FILE")],
    design: Annotated[str, typer.Option(help="timss, timss_before_2015, pirls, pisa, pisa_before_2015, iccs or naep.")],
    outcome: Annotated[list[str], typer.Option("--outcome", "-y",
                       help="A score: BSMMAT means its plausible values. Give it again for each further one.")],
    by: options.By = None,
    group: Annotated[str | None, typer.Option("--group", "-g", help="Groups other than schools: IDCLASS.")] = None,
    school_file: Annotated[str | None, typer.Option(help="The school file, where it has the school weight.")] = None,
    weight_scaling: options.Scaling = "size",
    se: Annotated[str, typer.Option(help="Standard errors: replicate or sandwich.")] = "replicate",
    vcov: Annotated[str, typer.Option(help="The sandwich: joint or block.")] = "joint",
    average: Annotated[bool, typer.Option("--average", help="Add the mean over the parts.")] = False,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    missing: Annotated[list[float] | None, typer.Option(
                       help="Code of a missing answer, as 9; again for each further one.")] = None,
    format: Form = Format.text,
    output: Output = None,
    filter: options.Filter = None,
    delimiter: options.CsvDelimiter = None,
    encoding: options.CsvEncoding = "utf-8",
    decimal: options.CsvDecimal = ".",
    threads: options.Threads = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fit an assessment: plausible values, replicate weights.

    Example: fastml survey BSG*M7.sav --design timss -y BSMMAT --by IDCNTRY
    """
    from fastml.survey.fit import fit_survey

    check_output(format, output, [*files, school_file] if school_file else files)
    table = fit_survey(
        options.one_or_all(files), outcome, design, by=by, group=group, school_data=school_file,
        weight_scaling=weight_scaling, se=se, vcov=vcov, average=average, level=level, missing=missing or None,
        **options.reading(filter, delimiter, encoding, decimal, threads, quiet),
    )  # fmt: skip
    show(table, format, output)
    _tell_gaps(table)


@app.command(cls=Command)
def report(
    files: options.Files,
    outcome: options.Outcomes = None,
    group: options.Group = None,
    by: options.By = None,
    method: options.Method = None,
    weights: options.Weights = None,
    group_weights: options.GroupWeights = None,
    weights_are: options.WeightsAre = "total",
    weight_scaling: options.Scaling = "size",
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    output: Output = None,
    filter: options.Filter = None,
    delimiter: options.CsvDelimiter = None,
    encoding: options.CsvEncoding = "utf-8",
    decimal: options.CsvDecimal = ".",
    threads: options.Threads = None,
    quiet: Quiet = False,
) -> None:
    """Fit the model and write a page of tables and pictures.

    Example: fastml report scores.csv -y score -g school -o report.html
    """
    check_output(Format.html, output, files)
    result = _fitted(
        files, outcome, group, by, method, weights=weights, group_weights=group_weights, weights_are=weights_are,
        weight_scaling=weight_scaling, **options.reading(filter, delimiter, encoding, decimal, threads, quiet),
    )  # fmt: skip
    deliver(result.report_html(title, ", ".join(Path(file).name for file in files)), output)
    _tell_gaps(result)


for command in (commands.stats, commands.merge, commands.simulate, planning_command.plan, planning_command.warmup):
    app.command(cls=Command)(command)


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
    if sys.stderr is None:
        return  # closed: the status has to do
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty()
    name = "fastml:" if plain else f"\033[{colour}mfastml:\033[0m"
    sys.stderr.write(f"{name} {' '.join(message.split())}\n")


def _notice(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as a line, without the place in the code."""
    _say(str(message), "1")
