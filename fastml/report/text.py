"""A result's figures -> the text that it prints. Knows no statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastml.errors import visible
from fastml.report.numbers import (
    LEGEND,
    cells,
    degrees,
    fixed_share,
    icc_text,
    number,
    p_value,
    points,
    share,
    share_range,
    stars,
)

if TYPE_CHECKING:
    from fastml.inference.parameters import Interval

__all__ = ["fit_heading", "fit_rows", "fit_text", "fit_weights", "named_effects", "plan_heading", "plan_rows",
           "plan_text", "rows_text", "table_notes"]  # fmt: skip

_METHODS = {"reml": "REML", "ml": "maximum likelihood (ML)", "anova": "ANOVA moments"}

_CAUSES = {
    "by": "no by label",
    "group": "no group label",
    "weights": "no weight",
    "zero_weight": "weight zero",
    "outcome": "no outcome",
}


def rows_text(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    heads: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> str:
    """Rows as an aligned table: numbers to the right, text to the left; `heads` of columns in place of their names.

    `errors` are columns of standard errors, by those of the figures that are printed to the digits they leave.

    Examples
    --------
    >>> print(rows_text([{"country": "NOR", "icc": 0.1234}, {"country": "SE", "icc": None}], ["country", "icc"]))
    country    icc
    NOR      0.123
    SE           -
    """
    header = [visible((heads or {}).get(name, name)) for name in columns]
    shown = [[visible(text) for text in cells(row, columns, errors)] for row in rows]
    numeric = [not any(isinstance(row[name], str) for row in rows) for name in columns]
    widths = (
        [max(map(len, (name, *column))) for name, column in zip(header, zip(*shown, strict=True), strict=True)]
        if shown
        else [len(name) for name in header]
    )
    lines = []
    for line in (header, *shown):
        aligned = [f"{c:>{w}}" if n else f"{c:<{w}}" for c, w, n in zip(line, widths, numeric, strict=True)]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def dropped_text(dropped: Mapping[str, int]) -> str:
    """Rows left out by cause, in words.

    Examples
    --------
    >>> dropped_text({"group": 0, "outcome": 1}), dropped_text({"weights": 2, "outcome": 1000}), dropped_text({})
    ('1 row dropped (1 no outcome)', '1,002 rows dropped (2 no weight, 1,000 no outcome)', '0 rows dropped')
    """
    causes = ", ".join(f"{count:,} {_CAUSES[cause]}" for cause, count in dropped.items() if count)
    return f"{rows_of(sum(dropped.values()))} dropped" + (f" ({causes})" if causes else "")


def rows_of(count: int) -> str:
    """A number of rows, in words."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def table_notes(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> list[str]:
    """Lines under a table of results: the rows that are in no figure, why parts have no result, notes of intervals.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of a `ResultTable`.
    by : sequence of str
    """
    notes = []
    for outcome in dict.fromkeys(row["outcome"] for row in rows):
        mine = [row for row in rows if row["outcome"] == outcome]
        dropped = {cause: sum(row.get(f"dropped_{cause}") or 0 for row in mine) for cause in _CAUSES}
        if any(dropped.values()):
            used = sum(row["n_obs"] or 0 for row in mine)
            notes.append(f"{outcome}: {rows_of(used)} used, {dropped_text(dropped)}")
    without = rows[0]["rows_without_by"] if rows else 0
    if without:
        notes.append(f"{rows_of(without)} without {', '.join(by)} left out")
    for row in rows:
        label = " ".join(str(row[name]) for name in (*by, "outcome") if row[name] is not None)
        if row["message"]:
            notes.append(f"{label}: {row['message']} ({row['status']})")
        if row.get("ci_notes"):
            notes.append(f"{label}, interval of the ICC: {row['ci_notes']}")
    return notes


def plan_heading(plan: Mapping[str, Any]) -> tuple[str, str]:
    """The sample of a plan in a line, and what it assumes in another."""
    found = {"n_groups": " (the number of schools found)", "group_size": " (the school size found)"}
    return (
        f"{plan['n_groups']:,} schools of {plan['group_size']:,} students, {plan['n_obs']:,} in all"
        + found.get(plan["solved_for"], ""),
        f"icc {icc_text(plan['icc'])}, standard deviation {number(plan['sd'])}",
    )


def plan_rows(plan: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The figures of a plan: what each is, its value, and what goes with it."""
    percent = f"{100 * plan['level']:.10g} %"
    mean = "mean" if plan["estimator"] == "gls" else "mean of all students"
    what = mean if plan["arms"] == 1 else "difference of the two arms"
    effects = ""
    if plan["size_cv"] > 0.0:
        named = (("lecture", "lecture"), ("gls", "gls: gamma00"), ("kish", "kish: mean of all students"))
        effects = ", ".join(f"{number(plan['deff_' + name], 2)} ({what_of})" for name, what_of in named)
    rows = [
        (f"standard error of the {what}", number(plan["se"]), f"df {degrees(plan['df'])}"),
        (f"{percent} margin", number(plan["margin"]), ""),
        ("design effect", number(plan["deff"], 2), f"effective n {number(plan['n_eff'], 1)}"),
        *([("by name", "", effects)] if effects else []),
        ("reliability of a school mean", share(plan["reliability"]), ""),
        (f"least difference found with power {plan['power']:.10g}", number(plan["detectable"]), ""),
    ]
    if plan["power_at_difference"] is not None:
        rows.append(
            (f"power to find a difference of {number(plan['difference'])}", share(plan["power_at_difference"]), "")
        )
    if plan["icc_low"] is not None:
        limits = share_range(plan["icc_low"], plan["icc_high"])
        rows.append((f"{percent} interval of the icc, as expected", limits, ""))
    return rows


def plan_text(plan: Mapping[str, Any]) -> str:
    """What a plan prints; it is given as the figures of a `Plan`."""
    rows = [f"{name:<50}{value:>12}   {more}".rstrip() for name, value, more in plan_rows(plan)]
    return "\n".join([*plan_heading(plan), "", *rows])


def fit_text(
    fit: Mapping[str, Any],
    naive: Mapping[str, Any],
    sizes: tuple[int, int],
    effects: Mapping[str, float] | None = None,
    mean_limits: tuple[float, float] | None = None,
    interval: Interval | None = None,
    made: str = "",
) -> str:
    """The table that a fit prints.

    Parameters
    ----------
    fit : mapping
        `OneWayFit.to_dict()`.
    naive : mapping
        `Naive.to_dict()`.
    sizes : (int, int)
        Smallest and largest group.
    effects : mapping, optional
        Design effects by name; only "lecture" without.
    mean_limits : (float, float), optional
        The usual 95 % interval of the mean, where the degrees of freedom of its line would make another.
    interval : Interval, optional
        Of the ICC.
    made : str
        What made it, in a line.
    """
    lines = [
        fit_heading(fit),
        fit_rows(fit, sizes),
        *fit_weights(fit),
        "",
        _line("", "Estimate", "Std. error", "df", "t", "p-value"),
        _line("gamma00  grand mean", number(fit["gamma00"]), number(fit["se_gamma00"]), degrees(fit["df"]),
              number(fit["t"]), p_value(fit["p_value"]), stars(fit["p_value"])),
        *_apart(fit, mean_limits),
        "",
        _line("", "Variance", "Std. error", "Std. dev."),
        _line("tau00    between groups", number(fit["tau00"]), number(fit["se_tau00"]), number(fit["tau_sd"])),
        _line("sigma2   within groups", number(fit["sigma2"]), number(fit["se_sigma2"]), number(fit["sigma"])),
        "",
        *_clustering(fit, effects or {}, interval),
    ]  # fmt: skip
    if fit["loglik"] is not None:
        lines.append(
            f"log likelihood {fit['loglik']:.1f}   AIC {fit['aic']:.1f}   BIC {fit['bic']:.1f}   "
            f"deviance {fit['deviance']:.1f}"
            if fit["aic"] is not None
            else f"pseudo log likelihood {fit['loglik']:.1f}   deviance {fit['deviance']:.1f}"
        )
    if fit["singular"]:
        lines.append("tau00 is 0, on the boundary: no variance between groups has the highest likelihood")
    lines += ["", *_naive(fit, naive), "", LEGEND, *([visible(made)] if made else [])]
    return "\n".join(lines)


def _apart(fit: Mapping[str, Any], limits: tuple[float, float] | None) -> list[str]:
    """A line that gives the mean's interval where that of its degrees of freedom is another, or none."""
    if limits is None:
        return []
    low, high = (points(fit, limit, fit["se_gamma00"]) for limit in limits)
    return [f"  its 95 % interval is {low} to {high}: this df takes the estimated variances for the true ones"]


# What each design effect is of.
_EFFECT_OF = {"gls": "gamma00", "kish": "mean of all students", "gabler-kish": "weighted mean of all students"}


def named_effects(effects: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Name, estimator and design effect of those that differ from the lecture's, which is of no one estimator."""
    usual = effects.get("lecture", 1.0)
    known = [(name, what, effects[name]) for name, what in _EFFECT_OF.items() if name in effects]
    return known if any(abs(x - usual) > 1e-9 * usual for _, _, x in known) else []


def _clustering(fit: Mapping[str, Any], effects: Mapping[str, float], interval: Interval | None) -> list[str]:
    """The ICC's lines, and where sizes differ the design effects by name."""
    limits = ""
    if interval is not None:
        limits = f"{100 * interval.level:.10g} % interval {share_range(interval.low, interval.high)}   "
    others = named_effects(effects)
    deff = ", ".join(
        [
            f"DEFF {number(fit['deff'], 2)}" + (" (lecture)" if others else ""),
            *(f"{number(x, 2)} ({name}: {what})" for name, what, x in others),
        ]
    )
    every = [fit["deff"], *(x for _, _, x in others)]
    rest = (
        f"DEFT {', '.join(number(x**0.5, 2) for x in every)}   "
        f"effective n {', '.join(number(fit['n_obs'] / x, 1) for x in every)}"
    )
    return [
        f"ICC {icc_text(fit['icc'])}   {limits}reliability {fixed_share(fit['reliability'])}",
        *([f"interval of the ICC: {interval.note}"] if interval is not None and interval.note else []),
        *([deff, rest] if others else [f"{deff}   {rest}"]),
    ]


def fit_heading(fit: Mapping[str, Any]) -> str:
    """The model in a line."""
    group = fit["group"] if isinstance(fit["group"], str) else ":".join(fit["group"])
    return visible(f"One-way random-effects model by {_method(fit)}:  {fit['outcome']} ~ 1 + (1 | {group})")


def _method(fit: Mapping[str, Any]) -> str:
    return "weighted pseudo-ML" if fit.get("weight_scaling") else _METHODS[fit["method"]]


def fit_weights(fit: Mapping[str, Any]) -> list[str]:
    """How the fit was weighted: a line, or none."""
    if not fit.get("weight_scaling"):
        return []
    students = f"{fit['weights_are']} weights {fit['weights']}, " if fit["weights"] else ""
    schools = f"school weights {fit['group_weights']}, " if fit["group_weights"] else ""
    errors = f"robust standard errors ({fit['vcov']})"
    corrected = ", tau00 corrected for few schools" if fit.get("bias") else ""
    return [visible(f"{students}{schools}scaling {fit['weight_scaling']}, {errors}{corrected}")]


def _line(name: str, *cells: str) -> str:
    widths = (15, 12, 12, 10, 9)
    # The space before a cell stays even where the cell is wider than its column.
    body = "".join(f" {cell:>{width - 1}}" for cell, width in zip(cells, widths, strict=False))
    return f"{name:<24}{body} {' '.join(cells[len(widths) :])}".rstrip()


def fit_rows(fit: Mapping[str, Any], sizes: tuple[int, int]) -> str:
    """How many observations, groups, and rows left out."""
    low, high = sizes
    size = f"of {low:,}" if low == high else f"of {low:,} to {high:,}"
    return f"{fit['n_obs']:,} observations in {fit['n_groups']:,} groups {size}; {dropped_text(fit['dropped'])}"


def _naive(fit: Mapping[str, Any], naive: Mapping[str, Any]) -> list[str]:
    return [
        _line("Without the model", "naive", "model"),
        _line("mean of all students", number(naive["mean_of_students"]), number(fit["gamma00"])),
        _line("mean of school means", number(naive["mean_of_groups"]), number(fit["gamma00"])),
        _line("its standard error", number(naive["se_ignoring_groups"]), number(fit["se_gamma00"])),
        _line("variance of the means", number(naive["variance_of_means"], 2), number(fit["tau00"], 2))
        + f"   (error variance sigma2/nbar {number(naive['error_variance'], 1)})",
        *_spread(fit, naive),
    ]


def _spread(fit: Mapping[str, Any], naive: Mapping[str, Any]) -> list[str]:
    """What the variance between schools means for their true means."""
    if fit["singular"]:
        return ["No gap between schools is estimated, which does not show that their true means are equal."]
    return [
        f"A school one SD below average has a true mean of {points(fit, naive['one_sd_below'])}, one SD above "
        f"{points(fit, naive['one_sd_above'])}: a gap of {points(fit, naive['one_sd_gap'])}.",
        f"95 % of true school means lie between {points(fit, naive['range_low'])} and "
        f"{points(fit, naive['range_high'])}.",
    ]
