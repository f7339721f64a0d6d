"""What the commands that fit share: their options, declared once. No logic."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["Bias", "By", "Files", "Group", "GroupWeights", "Level", "LevelOfIntervals",
           "Method", "Outcomes", "Scaling", "Vcov", "Weights", "WeightsAre", "any_or_none", "one_or_all", "share",
           "word"]  # fmt: skip


class Methods(StrEnum):
    """Estimation methods."""

    reml = "reml"
    ml = "ml"
    anova = "anova"


Files = Annotated[list[str], typer.Argument(metavar="FILE",
                  help="Files or folders of students, globs, URIs; or files of saved statistics.")]  # fmt: skip


def word(text: str | None) -> str | None:
    """Return a choice of words as it is written: REML is reml."""
    return None if text is None else text.lower()


def share(level: float | None) -> float | None:
    """Return a confidence level as a share: 95 is 0.95."""
    return level / 100.0 if level is not None and _LEAST_PERCENT <= level < 100.0 else level


_LEAST_PERCENT = 50.0

Outcomes = Annotated[list[str] | None, typer.Option("--outcome", "-y", metavar="COLUMN",
                     help="Column of scores; with --by, again for each further one.")]  # fmt: skip

Group = Annotated[list[str] | None, typer.Option("--group", "-g", metavar="COLUMN",
                  help="Column of school ids; again for each further column.")]  # fmt: skip

By = Annotated[list[str] | None, typer.Option("--by", metavar="COLUMN",
               help="Column that splits the data (countries); a fit each.")]  # fmt: skip

Method = Annotated[Methods | None, typer.Option(metavar="WORD", case_sensitive=False,
                   help="reml, ml or anova; reml is the default, ml with weights.")]  # fmt: skip
Level = Annotated[float | None, typer.Option(metavar="LEVEL", callback=share,
                  help="Add confidence intervals of this level: 0.95 or 95.")]  # fmt: skip
LevelOfIntervals = Annotated[float, typer.Option(metavar="LEVEL", callback=share,
                             help="Level of the intervals: 0.95 or 95.")]  # fmt: skip
Weights = Annotated[str | None, typer.Option("--weights", metavar="COLUMN", help="Column of student weights.")]
GroupWeights = Annotated[list[str] | None, typer.Option("--group-weights", metavar="COLUMN",
                         help="Column of school weights; again for further factors of it.")]  # fmt: skip
WeightsAre = Annotated[str, typer.Option(metavar="WORD", callback=word, help="Weights are total or conditional.")]
Scaling = Annotated[str, typer.Option(metavar="WORD", callback=word, help="size, effective, none, gk or group-only.")]
Vcov = Annotated[str, typer.Option(metavar="WORD", callback=word, help="Robust errors: cr2, joint or block.")]
Bias = Annotated[str | None, typer.Option(metavar="WORD", callback=word,
                 help="corrected: tau00 of a weighted fit, for few schools.")]  # fmt: skip


def one_or_all(names: list[str]) -> str | list[str]:
    """Return the one name alone, as the api takes it, or all of several."""
    return names[0] if len(names) == 1 else names


def any_or_none(names: list[str] | None) -> str | list[str] | None:
    """Return the same of an option, None where it isn't given."""
    return one_or_all(names) if names else None
