"""A result's figures -> plain sentences that say what each means for this data. Knows no statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastml.report.numbers import complement, number, percent, share
from fastml.report.numbers import points as score_points
from fastml.report.text import fit_weights

__all__ = ["fit_sentences", "table_sentences"]

Limits = Mapping[str, tuple[float, float]]


def fit_sentences(
    fit: Mapping[str, Any],
    naive: Mapping[str, Any],
    sizes: tuple[int, int],
    limits: Limits,
    chance: float | None = None,
    level: float = 0.95,
) -> dict[str, str]:
    """What the figures of a fit mean.

    Parameters
    ----------
    fit : mapping
        `OneWayFit.to_dict()`.
    naive : mapping
        `Naive.to_dict()`.
    sizes : (int, int)
        Smallest and largest group.
    limits : mapping
        Parameter to its confidence limits.
    chance : float, optional
        p-value of the test of no variance between groups.
    level : float
        Of the limits.

    Returns
    -------
    dict of str to str
        Topic ("mean", "gap", "shares", "reliability", "deff", "rows", "weights") to its sentences, in order of reading.
    """
    outcome = fit["outcome"]
    sure = f"{100 * level:.10g} % interval"

    def limit(name: str, form: Callable[[float, float], str]) -> str:
        if name not in limits:
            return ""
        low, high = limits[name]
        return f"{form(low, high)} to {form(high, low)}"

    def points(value: float | None) -> str:
        return score_points(fit, value)

    def near_mean(value: float | None, _other: float | None = None) -> str:
        return score_points(fit, value, fit["se_gamma00"])

    said = {}
    interval = limit("gamma00", near_mean)
    said["mean"] = (
        f"The mean of {outcome} over all schools is estimated at {near_mean(fit['gamma00'])}, with a standard error of "
        f"{near_mean(fit['se_gamma00'])}" + (f" ({sure} {interval})." if interval else ".")
    )
    highest = limits["icc"][1] if "icc" in limits else 0.0
    if fit["singular"]:
        said["gap"] = (
            "The schools' means differ no more than chance alone would have them: the variance between schools is "
            "estimated at 0. That does not show that the schools are equal"
            + (f": an ICC of up to {share(limits['icc'][1])} would agree with the data" if highest > 0.0 else "")
            + "."
        )
    else:
        said["gap"] = (
            f"The true means of schools have a standard deviation of {points(fit['tau_sd'])}. A school one standard "
            f"deviation below the average has a true mean of {points(naive['one_sd_below'])}, one above it "
            f"{points(naive['one_sd_above'])}: a gap of {points(naive['one_sd_gap'])}. About 95 % of the true means "
            f"lie between {points(naive['range_low'])} and {points(naive['range_high'])}."
        )
        if naive["variance_of_means"] > fit["tau00"]:
            said["gap"] += (
                f" The observed means vary more (variance {points(naive['variance_of_means'])}, against "
                f"{points(fit['tau00'])} of the true ones), as they hold error too."
            )
    interval = limit("icc", lambda value, other: percent(value, abs(other - value)))
    said["shares"] = (
        f"{percent(fit['icc'])} of the variation in {outcome} lies between schools"
        + (f" ({sure} {interval})" if interval else "")
        + f", the other {complement(fit['icc'])} between students of the same school. That share is the intraclass "
        f"correlation (ICC), {share(fit['icc'])}: the correlation between two students of the same school."
    )
    if chance is not None:
        odds = "less than 1 in 10,000" if chance < 1e-4 else f"{chance:.4f}"
        said["shares"] += (
            f" Were the schools all alike, means as far apart as these would come with a probability of {odds}."
        )
    low, high = sizes
    average = "" if low == high else ", on average over the schools"
    said["reliability"] = (
        f"{percent(fit['reliability'])} of the variation seen between the school means reflects true differences"
        f"{average}; the other {complement(fit['reliability'])} is error, as "
        + (f"a school's mean rests on {low:,} students" if low == high else
           f"a school's mean rests on {low:,} to {high:,} students")
        + " only. The shrunken means are pulled towards the grand mean by that much."
    )  # fmt: skip
    said["deff"] = (
        f"For estimating the mean, the {fit['n_obs']:,} students are worth {number(fit['n_eff'], 1)} drawn one by one "
        f"(design effect {number(fit['deff'], 2)}). A standard error that ignores the schools has to be multiplied by "
        f"about {number(fit['deft'], 2)}: ignoring them gives {number(naive['se_ignoring_groups'], 2)}, the model "
        f"{number(fit['se_gamma00'], 2)}."
    )
    lost = fit["n_dropped"]
    if lost:
        were = "row was" if lost == 1 else "rows were"
        said["rows"] = f"{lost:,} {were} left out for want of a score, a school or a weight."
    if fit_weights(fit):
        said["weights"] = f"The fit is weighted: {fit_weights(fit)[0]}."
    return said


def table_sentences(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> list[str]:
    """What a table of results says.

    Parameters
    ----------
    rows : sequence of mapping
    by : sequence of str
        The columns that name a part.

    Returns
    -------
    list of str
    """
    said = []
    for outcome in dict.fromkeys(row["outcome"] for row in rows):
        mine = [row for row in rows if row["outcome"] == outcome]
        done = sorted((row for row in mine if row.get("icc") is not None), key=lambda row: row["icc"])
        if done:
            low, high = done[0], done[-1]
            text = f"Of the variation in {outcome}, {percent(high['icc'])} lies between schools in {_part(high, by)}"
            if len(done) > 1:
                text += f", the highest of {len(done):,}, and {percent(low['icc'])} in {_part(low, by)}, the lowest"
            said.append(text + ".")
        if len(done) < len(mine):
            missing = f"{len(mine) - len(done):,} of {len(mine):,} parts have no result for {outcome}"
            said.append(f"{missing}; the column status says why.")
    return said


def _part(row: Mapping[str, Any], by: Sequence[str]) -> str:
    return " ".join(f"{name} {row[name]}" for name in by)
