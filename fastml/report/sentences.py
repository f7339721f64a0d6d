"""A result's figures -> plain sentences that say what each means for this data. Knows no statistics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastml.report.numbers import complement, degrees, icc_text, number, percent, percent_range, points
from fastml.report.text import fit_weights, named_effects

__all__ = ["HOW_TO_READ", "NO_LEAGUE_TABLE", "STATUSES", "SURE_ORDER", "contrast_sentences", "fit_sentences",
           "mean_note", "table_sentences"]  # fmt: skip

Limits = Mapping[str, tuple[float, float]]


def fit_sentences(
    fit: Mapping[str, Any],
    naive: Mapping[str, Any],
    sizes: tuple[int, int],
    limits: Limits,
    p_value: float | None = None,
    level: float = 0.95,
    effects: Mapping[str, float] | None = None,
    by_df: tuple[float, float] | None = None,
) -> dict[str, str]:
    """What the figures of a fit mean.

    Parameters
    ----------
    fit, naive, sizes, limits, level
        As in `text.fit_text` and `grids.fit_grid`.
    p_value : float, optional
        Of the test of no variance between groups.
    effects : mapping, optional
        Design effects by name; only the fit's own without.
    by_df : (float, float), optional
        The mean's t interval by the fit's degrees of freedom, where it is of another width than the usual one.

    Returns
    -------
    dict of str to str
        Topic ("mean", "gap", "shares", "reliability", "deff", "rows", "weights") to its sentences, in order of reading.
    """
    said = {
        "mean": _mean(fit, limits, level, by_df),
        "gap": _no_gap(limits, p_value) if fit["singular"] else _gap(fit, naive),
        "shares": _shares(fit, limits, level, p_value),
        "reliability": _reliability(fit, sizes),
        "deff": _deff(fit, naive, effects or {}),
    }
    lost = fit["n_dropped"]
    if lost:
        were = "row was" if lost == 1 else "rows were"
        said["rows"] = f"{lost:,} {were} left out for want of a score, a school or a weight."
    if fit_weights(fit):
        said["weights"] = f"The fit is weighted: {fit_weights(fit)[0]}."
    return said


def _interval(limits: Limits, name: str, level: float, form: Callable[[float, float], str]) -> str:
    """The interval in brackets, or nothing; `form` writes both limits."""
    return f" ({100 * level:.10g} % interval {form(*limits[name])})" if name in limits else ""


def mean_note(fit: Mapping[str, Any], limits: tuple[float, float], by_df: tuple[float, float]) -> str:
    """What tables say of the mean's interval where the degrees of freedom beside it would make another."""
    return (
        f"Interval of the grand mean: the {degrees(fit['df'])} degrees of freedom (df) of its line, which say how well "
        f"its standard error is known, would make it {_of_width(by_df, limits)}, as they take the estimated variances "
        "for the true ones."
    )


def _of_width(by_df: tuple[float, float], limits: tuple[float, float]) -> str:
    ratio = (by_df[1] - by_df[0]) / (limits[1] - limits[0])
    return f"{100.0 * abs(ratio - 1.0):.0f} % narrower" if ratio < 1.0 else f"{ratio:.2g} times as wide"


def _mean(fit: Mapping[str, Any], limits: Limits, level: float, by_df: tuple[float, float] | None) -> str:
    def form(value: float | None) -> str:
        return points(fit, value, fit["se_gamma00"])

    def both(low: float, high: float) -> str:
        return f"{form(low)} to {form(high)}"

    said = (
        f"The mean of {fit['outcome']} over all schools is estimated at {form(fit['gamma00'])}, with a standard error "
        f"of {form(fit['se_gamma00'])}{_interval(limits, 'gamma00', level, both)}."
    )
    if by_df is not None:
        said += (
            f" The {degrees(fit['df'])} degrees of freedom (df) in the line of the mean, which say how well its "
            f"standard error is known, would make it {form(by_df[0])} to {form(by_df[1])}, "
            f"{_of_width(by_df, limits['gamma00'])}: they take the estimated variances for the true ones, which fails "
            "where schools are few, their sizes unequal or their means alike. The interval given does not."
        )
    return said


def _no_gap(limits: Limits, p_value: float | None) -> str:
    highest = limits["icc"][1] if "icc" in limits else 0.0
    if p_value is not None and p_value < 0.05:
        return (
            "The variance between schools is estimated at 0, since the large schools, which tell most of it, hardly "
            "differ. The small ones do: a test that weighs all of them finds the means further apart than chance "
            "alone would have them, so one variance for all schools may not describe these data."
        )
    return (
        "The schools' means differ no more than chance alone would have them: the variance between schools is "
        "estimated at 0. That does not show that the schools are equal"
        + (f": an ICC of up to {icc_text(highest)} would agree with the data" if highest > 0.0 else "")
        + "."
    )


def _gap(fit: Mapping[str, Any], naive: Mapping[str, Any]) -> str:
    names = ("one_sd_below", "one_sd_above", "one_sd_gap", "range_low", "range_high")
    below, above, gap, low, high = (points(fit, naive[name]) for name in names)
    said = (
        f"The true means of schools have a standard deviation of {points(fit, fit['tau_sd'])}. A school one standard "
        f"deviation below the average has a true mean of {below}, one above it {above}: a gap of {gap}. About 95 % of "
        f"the true means lie between {low} and {high}."
    )
    if naive["variance_of_means"] > fit["tau00"]:
        said += (
            f" The observed means vary more (variance {points(fit, naive['variance_of_means'])}, against "
            f"{points(fit, fit['tau00'])} of the true ones), as they hold error too."
        )
    return said


def _shares(fit: Mapping[str, Any], limits: Limits, level: float, p_value: float | None) -> str:
    interval = _interval(limits, "icc", level, percent_range)
    said = (
        f"{percent(fit['icc'])} of the variation in {fit['outcome']} lies between schools{interval}, the other "
        f"{complement(fit['icc'])} between students of the same school. That share is the intraclass correlation "
        f"(ICC), {icc_text(fit['icc'])}: the correlation between two students of the same school."
    )
    if p_value is not None:
        odds = "less than 1 in 10,000" if p_value < 1e-4 else f"{p_value:.4f}"
        said += f" Were the schools all alike, means as far apart as these would come with a probability of {odds}."
    return said


def _reliability(fit: Mapping[str, Any], sizes: tuple[int, int]) -> str:
    low, high = sizes
    average = "" if low == high else ", on average over the schools"
    students = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return (
        f"{percent(fit['reliability'])} of the variation seen between the school means reflects true differences"
        f"{average}; the other {complement(fit['reliability'])} is error, as a school's mean rests on {students} "
        "students only. The shrunken means are pulled towards the grand mean by that much."
    )


def _deff(fit: Mapping[str, Any], naive: Mapping[str, Any], effects: Mapping[str, float]) -> str:
    """The design effect of the estimator that is spoken of: gamma00, with weights the weighted mean of students."""
    n_obs = fit["n_obs"]
    deff = effects.get("gls", effects.get("gabler-kish", fit["deff"]))
    what = "the weighted mean of all students" if "gabler-kish" in effects else "the mean"
    said = (
        f"For estimating {what}, the {n_obs:,} students are worth {number(n_obs / deff, 1)} drawn one by one "
        f"(design effect {number(deff, 2)}). A standard error that ignores the schools has to be multiplied by "
        f"about {number(deff**0.5, 2)}"
    )
    if "gabler-kish" in effects:
        return said + "."
    said += f": ignoring them gives {number(naive['se_ignoring_groups'], 2)}, the model {number(fit['se_gamma00'], 2)}."
    kish = [deff for name, _, deff in named_effects(effects) if name == "kish"]
    if kish:
        said += (
            " For the plain mean of all students, in which large schools weigh more, they are worth "
            f"{number(n_obs / kish[0], 1)} (design effect {number(kish[0], 2)})."
        )
    return said


def table_sentences(rows: Sequence[Mapping[str, Any]], by: Sequence[str], level: float = 0.95) -> list[str]:
    """What a table of results says; the columns `by` name a part, `icc_interval` has limits of this level."""
    said = []
    for outcome in dict.fromkeys(row["outcome"] for row in rows):
        mine = [row for row in rows if row["outcome"] == outcome]
        done = sorted((row for row in mine if row.get("icc") is not None), key=lambda row: -row["icc"])
        if done:
            said.append(_extremes(outcome, done, by, level))
        missing = [row for row in mine if row.get("icc") is None]
        if missing:
            reasons = [
                f"{_part(row, by)} ({STATUSES.get(row['status'], row['status'])})" for row in missing[:_MOST_NAMED]
            ]
            more = f" and {len(missing) - _MOST_NAMED:,} more" if len(missing) > _MOST_NAMED else ""
            said.append(f"No result for {outcome} in {len(missing):,} of {len(mine):,}: {', '.join(reasons)}{more}.")
    return said


_MOST_NAMED = 5

# What a status says where there is no result.
STATUSES: Mapping[str, str] = {
    "ok": "estimated",
    "one_group": "one school only",
    "singletons": "one student in each school",
    "no_rows": "no scores",
    "constant_in_groups": "no differences within schools",
    "almost_constant_in_groups": "no differences within schools",
    "too_small": "scores too small to compute with",
    "too_large": "scores too large to compute with",
    "no_school_ids": "no school ids",
    "no_school_weight": "no school weight",
    "no_result": "no result",
}


def _extremes(outcome: str, done: Sequence[Mapping[str, Any]], by: Sequence[str], level: float) -> str:
    """Where schools differ most and least, and how sure that order is; the rows are in order, the highest first."""

    def share(row: Mapping[str, Any]) -> str:
        low, high = row.get("icc_interval") or (math.nan, math.nan)
        interval = "" if math.isnan(low) else f" ({100 * level:.10g} % interval {percent_range(low, high)})"
        return percent(row["icc"]) + interval

    high, low = done[0], done[-1]
    if len(done) == 1:
        where = f" in {_part(high, by)}" if by else ""
        return f"{share(high)} of the variation in {outcome} lies between schools{where}."
    said = (
        f"Of {len(done):,} results for {outcome}, schools differ most in {_part(high, by)}, where {share(high)} of the "
        f"variation lies between them, and least in {_part(low, by)}: {share(low)}."
    )
    limits = [row["icc_interval"] for row in done if row.get("icc_interval") is not None]
    close = sum(pair[1] >= limits[0][0] for pair in limits[1:]) if limits else 0
    if close:
        said += (
            f" The interval of {_part(high, by)} overlaps with {'that' if close == 1 else 'those'} of {close:,} "
            f"other{'' if close == 1 else 's'}, so its first place may be due to chance."
        )
    return said


HOW_TO_READ = (
    "The share of the variation that lies between schools is called the intraclass correlation (ICC). It is 0 where "
    "schools have the same mean but for chance, and 1 where all students of a school have the same score.",
    "The interval says how far chance may have moved a figure, as only a sample of schools and students was tested. "
    "Two results whose intervals overlap may be the other way round.",
)
"""What a reader of a table of ICCs must know."""

NO_LEAGUE_TABLE = (
    "Differences between schools are what was observed: they include whom schools take in, and not only what they "
    "do. So this is no league table, neither of schools nor of systems."
)

SURE_ORDER = "Schools whose intervals overlap may be in the other order: most ranks are less sure than they look. "


def _part(row: Mapping[str, Any], by: Sequence[str]) -> str:
    """A part by its labels; those that are no words with the names of their columns."""
    return ", ".join(row[name] if isinstance(row[name], str) else f"{name} {row[name]}" for name in by) or "the data"


def contrast_sentences(rows: Sequence[Mapping[str, Any]], by: Sequence[str], level: float) -> list[str]:
    """What a table of comparisons says: how many differences are more than chance, and which is the largest.

    Examples
    --------
    >>> row = {"parameter": "mean", "a": "girls", "b": "boys", "outcome": "BSMMAT", "difference": 11.05, "se": 5.4,
    ...        "p_value": 0.045, "p_adjusted": None, "ci_low": 0.3, "ci_high": 21.8}
    >>> print(contrast_sentences([row], [], 0.95)[0])
    Of BSMMAT, girls less boys: 11.05 in mean (95 % interval 0.30 to 21.80), more than chance would bring.
    """
    said = []
    for parameter in dict.fromkeys(row["parameter"] for row in rows):
        done = [row for row in rows if row["parameter"] == parameter and row["se"] is not None]
        name, adjusted = "p_value", [row for row in done if row["p_adjusted"] is not None]
        if adjusted:
            done, name = adjusted, "p_adjusted"
        found = [row for row in done if row[name] is not None and row[name] < 1.0 - level]
        if len(done) > 1:
            how = ", the p values adjusted for their number" if adjusted else ""
            said.append(f"{len(found):,} of {len(done):,} differences in {parameter} are more than chance would bring "
                        f"(p below {1.0 - level:.10g}{how}).")  # fmt: skip
        if done:
            row = max(done, key=lambda row: abs(row["difference"]))
            chance = "more than" if row in found else "no more than"
            which = " ".join(str(row[key]) for key in by if key != "outcome")
            what = " less ".join(filter(None, (row["a"], row["b"])))
            begin = "The largest: of" if len(done) > 1 else "Of"
            place = " ".join(filter(None, (row["outcome"], which))) or "the outcomes"
            interval = f"{100 * level:.10g} % interval {number(row['ci_low'], 2)} to {number(row['ci_high'], 2)}"
            said.append(
                f"{begin} {place}, {what}: {number(row['difference'], 2)} in {parameter} ({interval}), {chance} chance "
                "would bring."
            )
    return said
