"""The commands that need no data: plan and warmup. No logic."""

from __future__ import annotations

from typing import Annotated

import typer

from fastml.delivery import Form, Format, Output, Quiet, check_output, deliver, show
from fastml.errors import FastmlError

__all__ = ["plan", "warmup"]

# What the function calls otherwise.
_OPTIONS = {"n_groups": "--schools", "group_size": "--cluster-size", "size_cv": "--size-cv", "icc_width": "--icc-width"}


def plan(
    icc: Annotated[float, typer.Option(help="Intraclass correlation to expect.")],
    schools: Annotated[int | None, typer.Option(help="Number of schools; found for a target without.")] = None,
    cluster_size: Annotated[int | None, typer.Option(help="Students in each; found for a target without.")] = None,
    sd: Annotated[float, typer.Option(help="Standard deviation of the scores.")] = 1.0,
    arms: Annotated[int, typer.Option(help="2 to compare two halves of the schools, as in a trial.")] = 1,
    size_cv: Annotated[float, typer.Option(help="Coefficient of variation of the school sizes.")] = 0.0,
    level: Annotated[float, typer.Option(help="Confidence level.")] = 0.95,
    power: Annotated[float, typer.Option(help="Power to aim at.")] = 0.8,
    difference: Annotated[float | None, typer.Option(help="Target or question: a true difference to find.")] = None,
    se: Annotated[float | None, typer.Option(help="Target: standard error of the mean.")] = None,
    margin: Annotated[float | None, typer.Option(help="Target: half the width of the mean's interval.")] = None,
    icc_width: Annotated[float | None, typer.Option(help="Target: width of the icc's interval.")] = None,
    format: Form = Format.text,
    output: Output = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Say what a sample of schools can tell, or how large one must be.

    Example: fastml plan --icc 0.2 --cluster-size 25 --sd 100 --se 5
    """
    from fastml.planning import plan as make_plan

    check_output(format, output)
    if schools is None and cluster_size is None:
        raise FastmlError("give --schools or --cluster-size with a target (--se, --margin, --icc-width, --difference), "
                          "or both of them")  # fmt: skip
    try:
        made = make_plan(
            icc, schools, cluster_size, sd=sd, arms=arms, size_cv=size_cv, level=level, power=power,
            difference=difference, se=se, margin=margin, icc_width=icc_width,
        )  # fmt: skip
    except FastmlError as error:
        words = str(error)
        for argument, option in _OPTIONS.items():
            words = words.replace(argument, option)
        raise FastmlError(words) from None
    show(made, format, output)


def warmup(quiet: Quiet = False) -> None:
    """Compile every kernel and keep it, as in a container image.

    Example: fastml warmup
    """
    from fastml.kernels.load import load_all

    folder, names = load_all()
    kept = f"kept in {folder}" if folder else "kept nowhere: no folder can be written"
    deliver(f"{len(names)} kernels, {kept}\n", None)
