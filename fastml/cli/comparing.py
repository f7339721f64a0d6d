"""The command contrast: rows of tables that `fastml survey` or `fastml fit` wrote. No logic."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import typer

from fastml.cli import options
from fastml.cli.output import Columns, Form, Output, Quiet, check_columns, check_output, show
from fastml.errors import FastmlError, PartsMissingError

__all__ = ["contrast"]


def contrast(
    files: Annotated[list[str], typer.Argument(metavar="TABLE", help="What `fastml survey`, or `fastml fit --by`, "
                     "wrote by -o TABLE.parquet; of two each row of the first is compared to that of the second; with "
                     "--cycle trends over all.")],
    a: Annotated[list[str] | None, typer.Option("-a", metavar="ROWS",
                 help="A label, as 792, or COLUMN=LABEL,COLUMN=LABEL; again for further rows. Without, all.")] = None,
    b: Annotated[list[str] | None, typer.Option("-b", metavar="ROWS",
                 help="What they are compared to: the same, average, previous or trend; given again, the mean of "
                 "these rows. Without, each pair.")] = None,
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", metavar="WORD",
                         help="mean, sd (both of surveys), gamma00 (the default), tau00, sigma2, icc or deff; again "
                         "for more.")] = None,
    over: Annotated[str | None, typer.Option(metavar="COLUMN",
                    help="Along which there are averages, steps and trends.")] = None,
    cycle: Annotated[list[float] | None, typer.Option(metavar="YEAR", help="Of each table, in their order.")] = None,
    link: Annotated[list[str] | None, typer.Option(metavar="ERROR",
                    help="Of linking two cycles' scales; of more YEAR=ERROR, again for each but one.")] = None,
    adjust: Annotated[str | None, typer.Option(metavar="WORD", callback=options.word,
                      help="p values for the number of comparisons: holm or bh.")] = None,
    independent: Annotated[bool | None, typer.Option("--independent/--one-sample",
                           help="What the samples are, where the data don't tell.")] = None,
    level: options.LevelOfIntervals = 0.95,
    format: Form = None,
    output: Output = None,
    columns: Columns = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Compare rows of tables: differences, averages, trends.

    For example:
      fastml contrast timss.parquet -a ITSEX=1 -b ITSEX=2 -p mean
      fastml contrast pisa18.parquet pisa15.parquet -p mean --link 3.5 --adjust bh -o changes.csv
    """
    from fastml.results.contrasts import trend
    from fastml.survey.storage import read_compared

    form = check_output(format, output, files)
    check_columns(columns, form)
    tables = [read_compared(file) for file in files]
    terms: dict[str, Any] = {"parameter": parameter or "gamma00", "link": _link(link), "adjust": adjust,
                             "independent": independent, "level": level}  # fmt: skip
    if cycle or len(files) > 2:
        if len(cycle or []) != len(files):
            raise FastmlError(f"a trend needs the year of each table: give --cycle {len(files)} times")
        if len(files) < 2 or not all(map(math.isfinite, cycle or [])):
            raise FastmlError("a trend needs the tables of two cycles or more, and the year of each, as --cycle 2015")
        if a or b or over or len(set(cycle or [])) < len(files):
            raise FastmlError("a trend is of all rows, over different years: leave out -a, -b and --over")
        made = trend(dict(zip(map(_whole, cycle or []), tables, strict=True)), **terms)
    else:
        other: Any = tables[1] if len(files) > 1 else _rows(b, tables[0])
        if b and len(files) > 1:
            raise FastmlError("with two tables -b is the second; leave it out")
        made = tables[0].contrast(_rows(a, tables[0]), other, over=over, **terms)
    show(made, form, output, columns)
    if not made.complete:
        raise PartsMissingError([{**row, "outcome": made.name(row)} for row in made.to_dict()], ())


def _whole(year: float) -> float:
    return int(year) if year == int(year) else year


def _rows(texts: list[str] | None, table: Any) -> Any:
    """What an option names, as `contrast` takes it."""
    found = [_selector(text, [*table.by, "outcome"]) for text in texts or []]
    return None if not found else found[0] if len(found) == 1 else found


def _selector(text: str, columns: list[str]) -> str | dict[str, str]:
    if text.partition("=")[0] not in columns:
        return text
    named = "|".join(map(re.escape, columns))
    pairs = [pair.partition("=") for pair in re.split(rf",(?=(?:{named})=)", text)]  # a label may have a comma
    return {name: label for name, _, label in pairs}


def _link(texts: list[str] | None) -> float | dict[str, float] | None:
    """A linking error, or one for each cycle."""
    if not texts:
        return None
    pairs = [text.rpartition("=") for text in texts]
    try:
        errors = {name: float(error) for name, _, error in pairs}
    except ValueError:
        raise FastmlError(f"--link {' '.join(texts)} is no linking error, as 3.5, or 2015=3.5") from None
    if "" in errors and len(texts) > 1:
        raise FastmlError("--link of several cycles is YEAR=ERROR for each but one")
    return errors.get("", errors)
