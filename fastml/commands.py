"""The commands about statistics rather than fits: stats, merge, simulate. No logic."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from fastml import options
from fastml.delivery import Format, Quiet, check_output
from fastml.errors import FastmlError

__all__ = ["merge", "simulate", "stats"]


def stats(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files or folders of students, or globs.")],
    outcome: Annotated[list[str], typer.Option("--outcome", "-y", help="Column of scores; again for further ones.")],
    group: Annotated[list[str], typer.Option("--group", "-g", help="Column of school ids; again for further ones.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the statistics.")],
    by: Annotated[list[str] | None, typer.Option("--by", help="Column that splits the data (countries).")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE",
                   help="Constant key, e.g. cycle=2019: school ids start again every cycle.")] = None,
    weights: options.Weights = None,
    group_weights: options.GroupWeights = None,
    min_group_size: Annotated[int | None, typer.Option(help="Leave out groups of fewer rows.", min=1)] = None,
    filter: options.Filter = None,
    delimiter: options.CsvDelimiter = None,
    encoding: options.CsvEncoding = "utf-8",
    decimal: options.CsvDecimal = ".",
    threads: options.Threads = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Reduce rows to statistics that add and can be fitted; save them.

    Example: fastml stats a.parquet b.parquet -y score -g school -o ab.parquet
    """
    from fastml import api

    check_output(Format.parquet, output, files)
    made = api.group_stats(
        options.one_or_all(files), outcome, group, by=by, weights=weights, group_weights=group_weights,
        tags=_tags(tag or []), min_group_size=min_group_size,
        **options.reading(filter, delimiter, encoding, decimal, threads, quiet),
    )  # fmt: skip
    made.write(output)


def _tags(texts: list[str]) -> dict[str, int | str]:
    tags: dict[str, int | str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise FastmlError(f"--tag {text!r} is not NAME=VALUE, such as cycle=2019")
        if name in tags:
            raise FastmlError(f"--tag gives {name!r} twice, as {tags[name]!r} and {value!r}")
        # A number as one writes it; 007 is a name.
        tags[name] = int(value) if re.fullmatch("0|-?[1-9][0-9]*", value) else value
    return tags


def merge(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files of statistics, folders, or globs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write their sum.")],
    quiet: Quiet = False,
) -> None:
    """Add saved statistics.

    Example: fastml merge monday.parquet tuesday.parquet -o week.parquet
    """
    from fastml.reduce.build import merge as merge_files

    check_output(Format.parquet, output)
    merge_files(files).write(output)


def _whole(number: float) -> int:
    if not (abs(number) < 1e15 and number == int(number)):
        raise FastmlError(f"{number:g} is not a whole number of ordinary size")
    return int(number)


def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="File; with --files the folder of the files.")],
    students: Annotated[float, typer.Option(help="Their number, e.g. 1e7.")] = 10_000,
    schools: Annotated[float, typer.Option(help="Their number, e.g. 1e5.")] = 400,
    gamma00: Annotated[float, typer.Option(help="Mean.")] = 500.0,
    tau00: Annotated[float, typer.Option(help="Variance between schools.")] = 3000.0,
    sigma2: Annotated[float, typer.Option(help="Variance within schools.")] = 7000.0,
    outcomes: Annotated[int, typer.Option(help="Plausible values of each student.")] = 1,
    weights: Annotated[bool, typer.Option("--weights", help="Add student and school weights.")] = False,
    order: Annotated[str, typer.Option(help="Of the rows: school or random.")] = "school",
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 0,
    files: Annotated[int, typer.Option(help="Number of files.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Draw students in schools from the model, to Parquet.

    Example: fastml simulate --students 1e6 --schools 2e4 -o scores.parquet
    """
    from fastml.simulation import simulate_files

    simulate_files(
        output, students=_whole(students), schools=_whole(schools), gamma00=gamma00, tau00=tau00, sigma2=sigma2,
        outcomes=outcomes, weights=weights, order=order, seed=seed, files=files,
    )  # fmt: skip
