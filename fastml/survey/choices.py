"""How a survey call is to be fitted: its arguments, checked, as one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from fastml.designs import Design, Jackknife, find_design
from fastml.errors import ArgumentError, FastmlError
from fastml.inference.distributions import check_level
from fastml.model.weighted import UNWEIGHTED_WITHIN
from fastml.reduce.columns import list_names
from fastml.reduce.missing_codes import missing_values
from fastml.results.weighting import check_options

__all__ = ["Choices", "check_choices", "check_names"]

Se = Literal["replicate", "sandwich"]
SES = get_args(Se)
Df = Literal["johnson-rust"]
DFS = get_args(Df)


@dataclass(frozen=True)
class Choices:
    """How to fit.

    Attributes
    ----------
    design : Design
        With the call's codes of missing answers among its own.
    scaling, se, vcov : str
        `weight_scaling`, kind of standard errors, and of sandwich.
    level : float
        Of the intervals.
    df : {"johnson-rust"} or None
        Degrees of freedom of the jackknife of zones; None for the number of zones.
    missing : tuple of float or None
        The call's codes; empty where it says that there are none, None where it says nothing of them.
    texts : tuple of str
        Its texts of missing values, of CSV files.
    """

    design: Design
    scaling: str
    se: str
    vcov: str
    level: float
    df: str | None = None
    missing: tuple[float, ...] | None = None
    texts: tuple[str, ...] = ()

    @property
    def replicated(self) -> bool:
        """Whether standard errors come from replicates."""
        return self.se == "replicate"

    @property
    def unweighted_within(self) -> bool:
        """Whether the scaling takes unweighted means and sums of squares within schools."""
        return self.scaling in UNWEIGHTED_WITHIN

    def replicates_value(self, k: int) -> bool:
        """Whether plausible value k, counted from 0, is fitted under the replicates too."""
        return self.replicated and not (self.design.first_only and k > 0)


def check_choices(
    design: Any, scaling: Any, se: Any, vcov: Any, level: Any, missing: Any, df: Any = None
) -> Choices:  # fmt: skip
    """Check these arguments of `fit_survey`.

    Raises
    ------
    FastmlError
        One can't be, by its name.
    """
    chosen = find_design(design)
    weighting = check_options("total", scaling, vcov)
    folded = se.lower() if isinstance(se, str) else se
    if folded not in SES:
        raise ArgumentError("se", se, SES)
    check_level(level)
    codes, texts = missing_values(missing)
    chosen = replace(chosen, missing=(*chosen.missing, *codes))
    named = None if missing is None or (texts and not codes) else codes
    return Choices(chosen, scaling, str(folded), weighting.vcov, float(level), _check_df(df, chosen, str(folded)),
                   named, texts)  # fmt: skip


def _check_df(df: Any, design: Design, se: str) -> str | None:
    """The degrees of freedom that are asked for, in lower case; they are of the jackknife of zones only."""
    if df is None:
        return None
    folded = df.lower() if isinstance(df, str) else df
    if folded not in DFS:
        raise ArgumentError("df", df, DFS)
    if se != "replicate" or not isinstance(design.replicates, Jackknife):
        raise FastmlError(f"df={df!r} is of the jackknife of zones (TIMSS, PIRLS, ICCS), which this call has none of")
    return str(folded)


def check_names(argument: str, names: str | Sequence[str] | None) -> list[str]:
    """The names as a list; a FastmlError where one is none, or stands twice."""
    found = list(list_names(names))
    if not all(isinstance(name, str) for name in found) or len(set(found)) < len(found):
        raise FastmlError(f"{argument}={names!r} must name one column or several different ones")
    return found
