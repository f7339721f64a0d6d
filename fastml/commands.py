"""The commands about statistics rather than fits: stats, merge, simulate. No logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fastml.delivery import Quiet
from fastml.errors import FastmlError

__all__ = ["CsvDecimal", "CsvDelimiter", "CsvEncoding", "Filter", "Threads", "csv_given", "merge", "simulate", "stats"]

Filter = Annotated[str | None, typer.Option("--filter", help='Which rows: "cycle = 2019 and score is not null".')]
Threads = Annotated[int | None, typer.Option("--threads", help="Threads to read with.", min=1)]
CsvDelimiter = Annotated[str | None, typer.Option("--delimiter", help="Of CSV files; found out by default.")]
CsvEncoding = Annotated[str, typer.Option("--encoding", help="Of CSV files, such as latin-1.")]
CsvDecimal = Annotated[str, typer.Option("--decimal", help="Decimal point of CSV files.")]


def csv_given(delimiter: str | None, encoding: str, decimal: str) -> dict[str, Any]:
    """Return the CSV options as the api takes them."""
    return {"delimiter": delimiter, "encoding": encoding, "decimal": decimal}


def stats(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files or folders of students, or globs.")],
    outcome: Annotated[list[str], typer.Option("--outcome", "-y", help="Column of scores; again for further ones.")],
    group: Annotated[list[str], typer.Option("--group", "-g", help="Column of school ids; again for further ones.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the statistics.")],
    by: Annotated[list[str] | None, typer.Option("--by", help="Column that splits the data (countries).")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE",
                   help="Constant key, e.g. cycle=2019: school ids start again every cycle.")] = None,
    weights: Annotated[str | None, typer.Option(help="Column of student weights.")] = None,
    group_weights: Annotated[str | None, typer.Option(help="Column of school weights.")] = None,
    min_group_size: Annotated[int | None, typer.Option(help="Leave out groups of fewer rows.", min=1)] = None,
    filter: Filter = None,
    delimiter: CsvDelimiter = None,
    encoding: CsvEncoding = "utf-8",
    decimal: CsvDecimal = ".",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Reduce rows to statistics that add and can be fitted; save them.

    Example: fastml stats a.parquet b.parquet -y score -g school -o ab.parquet
    """
    from fastml import api

    made = api.group_stats(
        files[0] if len(files) == 1 else files,
        outcome,
        group,
        by=by,
        weights=weights,
        group_weights=group_weights,
        tags=dict(map(_tag, tag or [])),
        min_group_size=min_group_size,
        filter=filter,
        threads=threads,
        csv_options=csv_given(delimiter, encoding, decimal),
        progress=False if quiet else None,
    )
    made.write(output)


def _tag(text: str) -> tuple[str, int | str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise FastmlError(f"--tag {text!r} is not NAME=VALUE, such as cycle=2019")
    return name, int(value) if value.removeprefix("-").isdecimal() else value


def merge(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files of statistics, folders, or globs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write their sum.")],
    quiet: Quiet = False,
) -> None:
    """Add saved statistics.

    Example: fastml merge monday.parquet tuesday.parquet -o week.parquet
    """
    from fastml.intake import merge as merge_files

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
