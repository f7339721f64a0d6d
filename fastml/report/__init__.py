"""A result's figures -> text and CSV. Knows no statistics."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["cell", "complement", "csv_text", "decimals", "degrees", "fit_heading", "fit_rows", "fit_text",
           "fit_weights", "flat", "number", "p_value", "percent", "plan_heading", "plan_rows", "plan_text",
           "points", "rows_text", "share", "share_range", "stars", "whole_ids"]  # fmt: skip

_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
_LEGEND = "stars: *** p < .001, ** p < .01, * p < .05, . p < .1"
_METHODS = {"reml": "REML", "ml": "maximum likelihood (ML)", "anova": "ANOVA moments"}
_CAUSES = {
    "by": "no by label",
    "group": "no group label",
    "weights": "no weight",
    "zero_weight": "weight zero",
    "outcome": "no outcome",
}


def number(value: float | None, decimals: int = 3) -> str:
    """A figure in score points: fixed decimals at ordinary size, else six significant digits.

    Parameters
    ----------
    value : float or None
    decimals : int

    Returns
    -------
    str

    Examples
    --------
    >>> number(5393.4, 2), number(0.00012345), number(None), number(0.0)
    ('5,393.40', '0.00012345', '-', '0.000')
    """
    if value is None:
        return "-"
    if value == 0.0 or 0.1 <= abs(value) < 1e13:
        return f"{value:,.{decimals}f}"
    return f"{value:.6g}"


def decimals(fit: Mapping[str, Any]) -> int:
    """Decimals to print score points to: one where their standard deviation is in the tens, as the lecture's is.

    Examples
    --------
    >>> decimals({"tau00": 5227.0, "sigma2": 4994.0}), decimals({"tau00": 0.2, "sigma2": 0.8})
    (1, 2)
    """
    sd = math.sqrt(fit["tau00"] + fit["sigma2"])
    return min(12, max(1, 2 - math.floor(math.log10(sd)))) if 0.0 < sd < math.inf else 1


def points(fit: Mapping[str, Any], value: float | None, error: float | None = None) -> str:
    """Score points, to the decimals that the scores of the fit need, and two digits of a standard error.

    Examples
    --------
    >>> points({"tau00": 5227.0, "sigma2": 4994.0}, 538.979), points({"tau00": 0.2, "sigma2": 0.8}, -0.001)
    ('539.0', '0.00')
    >>> points({"tau00": 5227.0, "sigma2": 4994.0}, 538.9793, 0.0476)
    '538.979'
    """
    places = decimals(fit)
    if error is not None and 0.0 < error < math.inf:
        places = max(places, 1 - math.floor(math.log10(error)))
    if value is None or places > 6 or abs(value) >= 1e13:
        return "-" if value is None else f"{value:.6g}"
    return f"{round(value, places) + 0.0:,.{places}f}"


def share(value: float | None, width: float = 0.0) -> str:
    """A share between 0 and 1 with at least two digits of it and one of the rest, and two of an interval's width.

    Examples
    --------
    >>> share(0.5114), share(0.0433), share(0.99996), share(0.0), share(0.2006, 0.0031)
    ('0.51', '0.043', '0.99996', '0.00', '0.2006')
    """
    if value is None:
        return "-"
    decimals = 2
    if 0.0 < value < 1.0:
        decimals = max(2, 1 - math.floor(math.log10(value)), -math.floor(math.log10(1.0 - value)))
    if width > 0.0:
        decimals = max(decimals, 1 - math.floor(math.log10(width)))
    return f"{value:.{min(decimals, 15)}f}"


def share_range(low: float, high: float) -> str:
    """Limits of a share, to as many digits as tell them apart.

    Examples
    --------
    >>> share_range(0.3682, 0.6952), share_range(0.19907, 0.20257)
    ('0.37 to 0.70', '0.1991 to 0.2026')
    """
    return f"{share(low, high - low)} to {share(high, high - low)}"


def percent(value: float | None, width: float = 0.0) -> str:
    """A share between 0 and 1 in percent; what is not all or nothing isn't called so. Digits as of `share`.

    Examples
    --------
    >>> percent(0.5114), percent(0.0433), percent(0.99996), percent(0.0)
    ('51 %', '4.3 %', '99.996 %', '0 %')
    """
    if value is None:
        return "-"
    decimals = len(share(value, width).partition(".")[2]) - 2 if 0.0 < value < 1.0 else 0
    return f"{100.0 * value:.{decimals}f} %"


def complement(value: float) -> str:
    """The rest of a share in percent, to the decimals of the share itself: the two add to 100 %.

    Examples
    --------
    >>> percent(0.969), complement(0.969)
    ('97 %', '3 %')
    """
    decimals = len(percent(value).removesuffix(" %").partition(".")[2])
    return f"{100.0 - round(100.0 * value, decimals):.{decimals}f} %"


def p_value(value: float | None) -> str:
    """A p-value to four decimals, as the lecture prints it.

    Examples
    --------
    >>> p_value(3.4e-18), p_value(0.0321)
    ('0.0000', '0.0321')
    """
    return "-" if value is None else f"{value:.4f}"


def stars(value: float | None) -> str:
    """Stars of a p-value.

    Examples
    --------
    >>> stars(3.4e-18), stars(0.03), stars(0.5)
    ('***', '*', '')
    """
    return "" if value is None else next((mark for bound, mark in _STARS if value < bound), "")


def flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of a result as one row: a dict inside is spread over columns, a list is joined.

    Examples
    --------
    >>> flat({"n": 3, "dropped": {"group": 1}, "group": ["a", "b"]})
    {'n': 3, 'dropped_group': 1, 'group': 'a, b'}
    """
    row: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            row.update({f"{name}_{key}": inside for key, inside in value.items()})
        else:
            row[name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return row


class _Lines(list[str]):
    """Takes what a csv writer writes: a row at a time."""

    def write(self, line: str) -> None:
        self.append(line)


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV with a header; what doesn't exist is empty.

    Parameters
    ----------
    rows : sequence of mapping
    columns : sequence of str

    Returns
    -------
    str
    """
    lines = _Lines()
    # What stands in a row's end is put in quotes in a value: both, though rows end with one of them here.
    writer = csv.DictWriter(lines, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def rows_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as an aligned table: numbers to the right, text to the left.

    Parameters
    ----------
    rows : sequence of mapping
    columns : sequence of str

    Returns
    -------
    str

    Examples
    --------
    >>> print(rows_text([{"country": "NOR", "icc": 0.1234}, {"country": "SE", "icc": None}], ["country", "icc"]))
    country   icc
    NOR      0.12
    SE          -
    """
    cells = [[cell(name, row[name]) for name in columns] for row in rows]
    numeric = [not any(isinstance(row[name], str) for row in rows) for name in columns]
    widths = (
        [max(map(len, (name, *column))) for name, column in zip(columns, zip(*cells, strict=True), strict=True)]
        if cells
        else [len(name) for name in columns]
    )
    lines = []
    for line in ([*columns], *cells):
        aligned = [f"{c:>{w}}" if n else f"{c:<{w}}" for c, w, n in zip(line, widths, numeric, strict=True)]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def cell(name: str, value: Any) -> str:
    """A figure of that name, as tables print it."""
    if isinstance(value, float):
        return share(value) if name in ("icc", "se_icc", "ci_low_icc", "ci_high_icc", "reliability") else number(value)
    return "-" if value is None else str(value)


def whole_ids(row: Mapping[str, Any], labels: Iterable[str]) -> dict[str, Any]:
    """The row, with ids that came as floats as they are meant.

    Examples
    --------
    >>> whole_ids({"IDCNTRY": 792.0, "deff": 9.0}, ["IDCNTRY"])
    {'IDCNTRY': 792, 'deff': 9.0}
    """
    floats = [name for name in labels if isinstance(row[name], float) and row[name].is_integer()]
    return {**row, **{name: int(row[name]) for name in floats}}


def plan_heading(plan: Mapping[str, Any]) -> tuple[str, str]:
    """The sample of a plan in a line, and what it takes for true in another."""
    found = {"n_groups": " (the number of schools found)", "group_size": " (the school size found)"}
    return (
        f"{plan['n_groups']:,} schools of {plan['group_size']:,} students, {plan['n_obs']:,} in all"
        + found.get(plan["solved_for"], ""),
        f"icc {share(plan['icc'])}, standard deviation {number(plan['sd'])}",
    )


def plan_rows(plan: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The figures of a plan: what each is, its value, and what goes with it.

    Parameters
    ----------
    plan : mapping
        `Plan.to_dict()`.

    Returns
    -------
    list of (str, str, str)
    """
    percent = f"{100 * plan['level']:.10g} %"
    what = "mean" if plan["arms"] == 1 else "difference of the two arms"
    rows = [
        (f"standard error of the {what}", number(plan["se"]), f"df {degrees(plan['df'])}"),
        (f"{percent} margin", number(plan["margin"]), ""),
        ("design effect", number(plan["deff"], 2), f"effective n {number(plan['n_eff'], 1)}"),
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
    """What a plan prints.

    Parameters
    ----------
    plan : mapping
        `Plan.to_dict()`.

    Returns
    -------
    str
    """
    rows = [f"{name:<50}{value:>12}   {more}".rstrip() for name, value, more in plan_rows(plan)]
    return "\n".join([*plan_heading(plan), "", *rows])


def fit_text(fit: Mapping[str, Any], naive: Mapping[str, Any], sizes: tuple[int, int]) -> str:
    """The table that a fit prints.

    Parameters
    ----------
    fit : mapping
        `OneWayFit.to_dict()`.
    naive : mapping
        `Naive.to_dict()`.
    sizes : (int, int)
        Smallest and largest group.

    Returns
    -------
    str
    """
    lines = [
        fit_heading(fit),
        fit_rows(fit, sizes),
        *fit_weights(fit),
        "",
        _line("", "Estimate", "Std. error", "df", "t", "p-value"),
        _line("gamma00  grand mean", number(fit["gamma00"]), number(fit["se_gamma00"]), degrees(fit["df"]),
              number(fit["t"]), p_value(fit["p_value"]), stars(fit["p_value"])),
        "",
        _line("", "Variance", "Std. error", "Std. dev."),
        _line("tau00    between groups", number(fit["tau00"]), number(fit["se_tau00"]), number(fit["tau_sd"])),
        _line("sigma2   within groups", number(fit["sigma2"]), number(fit["se_sigma2"]), number(fit["sigma"])),
        "",
        f"ICC {share(fit['icc'])}   reliability {share(fit['reliability'])}   DEFF {number(fit['deff'], 2)}   "
        f"DEFT {number(fit['deft'], 2)}   effective n {number(fit['n_eff'], 1)}",
    ]  # fmt: skip
    if fit["loglik"] is not None:
        lines.append(
            f"log likelihood {fit['loglik']:.1f}   AIC {fit['aic']:.1f}   BIC {fit['bic']:.1f}   "
            f"deviance {fit['deviance']:.1f}"
            if fit["aic"] is not None
            else f"pseudo log likelihood {fit['loglik']:.1f}   deviance {fit['deviance']:.1f}"
        )
    if fit["singular"]:
        lines.append("tau00 is 0, on the boundary: the groups differ no more than chance would have them")
    lines += ["", *_naive(fit, naive), "", _LEGEND]
    return "\n".join(lines)


def fit_heading(fit: Mapping[str, Any]) -> str:
    """The model in a line."""
    group = fit["group"] if isinstance(fit["group"], str) else ":".join(fit["group"])
    return f"One-way random-effects model by {_method(fit)}:  {fit['outcome']} ~ 1 + (1 | {group})"


def _method(fit: Mapping[str, Any]) -> str:
    return "weighted pseudo-ML" if fit.get("weight_scaling") else _METHODS[fit["method"]]


def fit_weights(fit: Mapping[str, Any]) -> list[str]:
    """How the fit was weighted: a line, or none."""
    if not fit.get("weight_scaling"):
        return []
    students = f"{fit['weights_are']} weights {fit['weights']}, " if fit["weights"] else ""
    schools = f"school weights {fit['group_weights']}, " if fit["group_weights"] else ""
    return [f"{students}{schools}scaling {fit['weight_scaling']}, robust standard errors ({fit['vcov']})"]


def _line(name: str, *cells: str) -> str:
    widths = (15, 12, 12, 10, 9)
    # The blank stays where a figure is wider than its column.
    body = "".join(f" {cell:>{width - 1}}" for cell, width in zip(cells, widths, strict=False))
    return f"{name:<24}{body} {' '.join(cells[len(widths) :])}".rstrip()


def degrees(value: float | None) -> str:
    """Degrees of freedom: whole ones without decimals."""
    if value is None:
        return "inf"
    return f"{value:,.0f}" if abs(value - round(value)) < 5e-4 else f"{value:,.2f}"


def fit_rows(fit: Mapping[str, Any], sizes: tuple[int, int]) -> str:
    """How many observations, groups, and rows left out."""
    low, high = sizes
    size = f"of {low:,}" if low == high else f"of {low:,} to {high:,}"
    causes = ", ".join(f"{count:,} {_CAUSES[cause]}" for cause, count in fit["dropped"].items() if count)
    dropped = f"{fit['n_dropped']:,} rows dropped" + (f" ({causes})" if causes else "")
    return f"{fit['n_obs']:,} observations in {fit['n_groups']:,} groups {size}; {dropped}"


def _naive(fit: Mapping[str, Any], naive: Mapping[str, Any]) -> list[str]:
    return [
        _line("Without the model", "naive", "model"),
        _line("mean of all students", number(naive["mean_of_students"]), number(fit["gamma00"])),
        _line("mean of school means", number(naive["mean_of_groups"]), number(fit["gamma00"])),
        _line("its standard error", number(naive["se_ignoring_groups"]), number(fit["se_gamma00"])),
        _line("variance of the means", number(naive["variance_of_means"], 2), number(fit["tau00"], 2))
        + f"   (error variance sigma2/nbar {number(naive['error_variance'], 1)})",
        f"A school one SD below average has a true mean of {points(fit, naive['one_sd_below'])}, one SD above "
        f"{points(fit, naive['one_sd_above'])}: a gap of {points(fit, naive['one_sd_gap'])}.",
        f"95 % of true school means lie between {points(fit, naive['range_low'])} and "
        f"{points(fit, naive['range_high'])}.",
    ]
