"""What the commands that fit share: their options, declared once. No logic."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["Bias", "By", "Files", "Group", "GroupWeights", "Method", "Outcomes", "Scaling", "Vcov", "Weights",
           "WeightsAre", "one_or_all"]  # fmt: skip


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


def one_or_all(names: list[str]) -> str | list[str]:
    """Return the one name alone, as the api takes it, or all of several."""
    return names[0] if len(names) == 1 else names
