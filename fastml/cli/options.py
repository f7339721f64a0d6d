"""What the commands that read files share: their options, declared once, and how the api takes them. No logic."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

__all__ = ["Bias", "By", "CsvDecimal", "CsvDelimiter", "CsvEncoding", "Files", "Filter", "Group", "GroupWeights",
           "Method", "Outcomes", "Scaling", "Threads", "Vcov", "Weights", "WeightsAre", "one_or_all",
           "reading"]  # fmt: skip


class Methods(StrEnum):
    """Estimation methods."""

    reml = "reml"
    ml = "ml"
    anova = "anova"


Files = Annotated[list[str], typer.Argument(metavar="FILE",
                  help="Files or folders of students, globs, URIs; or files of saved statistics.")]  # fmt: skip

Outcomes = Annotated[list[str] | None, typer.Option("--outcome", "-y",
                     help="Column of scores; with --by, give it again for each further one.")]  # fmt: skip

Group = Annotated[list[str] | None, typer.Option("--group", "-g",
                  help="Column of school ids; give it again for each further column.")]  # fmt: skip

By = Annotated[list[str] | None, typer.Option("--by",
               help="Column that splits the data (countries); a fit of each part.")]  # fmt: skip

Method = Annotated[Methods | None, typer.Option(help="Estimation method; reml, or ml with weights.")]
Weights = Annotated[str | None, typer.Option("--weights", help="Column of student weights.")]
GroupWeights = Annotated[str | None, typer.Option("--group-weights", help="Column of school weights.")]
WeightsAre = Annotated[str, typer.Option(help="What student weights are: total or conditional.")]
Scaling = Annotated[str, typer.Option(help="size, effective, none, gk or group-only.")]
Vcov = Annotated[str, typer.Option(help="Robust standard errors: cr2, joint or block.")]
Bias = Annotated[str | None, typer.Option(help="corrected: tau00 of a weighted fit, for few schools.")]
Filter = Annotated[str | None, typer.Option("--filter", help='Which rows: "cycle = 2019 and score is not null".')]
Threads = Annotated[int | None, typer.Option("--threads", help="Threads to read with.", min=1)]

CsvDelimiter = Annotated[
    str | None, typer.Option("--delimiter", help=r"Of CSV files, \t for a tab; found out by default.")
]

CsvEncoding = Annotated[str, typer.Option("--encoding", help="Of CSV files, such as latin-1.")]
CsvDecimal = Annotated[str, typer.Option("--decimal", help="Decimal point of CSV files.")]


def one_or_all(names: list[str]) -> str | list[str]:
    """Return the one name alone, as the api takes it, or all of several."""
    return names[0] if len(names) == 1 else names


def reading(
    filter: str | None, delimiter: str | None, encoding: str, decimal: str, threads: int | None, quiet: bool
) -> dict[str, Any]:
    """Return the options of reading as the api takes them."""
    tab = delimiter == r"\t"  # what a shell makes of it is two characters
    return {
        "filter": filter,
        "csv_options": {"delimiter": "\t" if tab else delimiter, "encoding": encoding, "decimal": decimal},
        "threads": threads,
        "progress": False if quiet else None,
    }
