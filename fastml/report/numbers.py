"""Numbers as text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = [
    "LEGEND",
    "cell",
    "cells",
    "complement",
    "decimals",
    "degrees",
    "fixed_share",
    "icc_text",
    "number",
    "number_range",
    "p_value",
    "percent",
    "percent_range",
    "points",
    "share",
    "share_range",
    "short_points",
    "stars",
    "told_apart",
    "whole_ids",
    "with_error",
]

_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
LEGEND = "stars: *** p < 0.001, ** p < 0.01, * p < 0.05, . p < 0.1"


def number(value: float | None, decimals: int = 3) -> str:
    """A figure in score points: fixed decimals at ordinary size, else six significant digits.

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


def with_error(value: float | None, error: float | None) -> str:
    """A figure to three decimals, or so many as show two digits of its standard error.

    Examples
    --------
    >>> with_error(-0.0206377, 3.478), with_error(0.0003, 0.00042), with_error(12.5, None)
    ('-0.021', '0.00030', '12.500')
    """
    if value is None or error is None or not 0.0 < error < math.inf:
        return number(value)
    places = max(3, 1 - math.floor(math.log10(error)))
    return f"{value:,.{places}f}" if places <= 12 and abs(value) < 1e13 else f"{value:.6g}"


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


def short_points(fit: Mapping[str, Any], value: float) -> str:
    """Score points where there is room for some digits only.

    Examples
    --------
    >>> short_points({"tau00": 5227.0, "sigma2": 4994.0}, 538.979), short_points({"tau00": 1e-9, "sigma2": 0.0}, 2e13)
    ('539.0', '2e+13')
    """
    shown = points(fit, value)
    return shown if len(shown) <= 14 else f"{value:.8g}"


def share(value: float | None, width: float = 0.0, least: int = 2) -> str:
    """A share between 0 and 1 with at least two digits of it and one of the rest, and two of an interval's width.

    Examples
    --------
    >>> share(0.9691), share(0.0433), share(0.99996), share(0.0), share(0.2006, 0.0031), share(0.2, least=3)
    ('0.97', '0.043', '0.99996', '0.00', '0.2006', '0.200')
    """
    if value is None:
        return "-"
    decimals = least
    if 0.0 < value < 1.0:
        decimals = max(least, 1 - math.floor(math.log10(value)), -math.floor(math.log10(1.0 - value)))
    return f"{value:.{min(max(decimals, _two_digits(width)), 15)}f}"


def _two_digits(width: float) -> int:
    """Decimals that show two digits of an interval's width."""
    return 1 - math.floor(math.log10(width)) if 0.0 < width < math.inf else 0


def fixed_share(value: float | None, decimals: int = 2, width: float = 0.0) -> str:
    """A share to these decimals, as columns have it, or two digits of an interval's width; more if these read 0 or 1.

    Examples
    --------
    >>> fixed_share(0.9691), fixed_share(0.0433), fixed_share(0.0012), fixed_share(0.0), fixed_share(None)
    ('0.97', '0.04', '0.0012', '0.00', '-')
    """
    if value is None:
        return "-"
    places = min(15, max(decimals, _two_digits(width)))
    hidden = 0.0 < value < 1.0 and round(value, places) in (0.0, 1.0)
    return share(value, width, decimals) if hidden else f"{value:.{places}f}"


def icc_text(value: float | None, width: float = 0.0) -> str:
    """An intraclass correlation: three decimals, more where these say nothing.

    Examples
    --------
    >>> icc_text(0.5114), icc_text(0.00433), icc_text(0.00043), icc_text(0.2006, 0.0031), icc_text(None)
    ('0.511', '0.004', '0.00043', '0.2006', '-')
    """
    return fixed_share(value, 3, width)


def share_range(low: float, high: float, least: int = 3) -> str:
    """Limits of a share, both to the digits that tell them apart; one that would seem to be 0 or 1 is beside it.

    Examples
    --------
    >>> share_range(0.3682, 0.6952), share_range(0.19907, 0.20257), share_range(1e-6, 0.34), share_range(0.0, 0.34)
    ('0.368 to 0.695', '0.1991 to 0.2026', '<0.001 to 0.340', '0.000 to 0.340')
    """
    if math.isnan(low) or math.isnan(high):
        return "-"
    decimals = min(15, max(least, _two_digits(high - low)))
    if low == high:
        decimals = len(share(low, least=least).partition(".")[2])
    step = 10.0**-decimals

    def text(limit: float) -> str:
        shown = round(limit, decimals)
        if 0.0 < limit < 1.0 and shown in (0.0, 1.0):
            return f"<{step:.{decimals}f}" if shown == 0.0 else f">{1.0 - step:.{decimals}f}"
        return f"{limit:.{decimals}f}"

    return f"{text(low)} to {text(high)}"


def number_range(low: float, high: float, decimals: int = 2) -> str:
    """Limits of a figure in score points, both to the same digits, two of their distance at least.

    Examples
    --------
    >>> number_range(504.6063, 573.351), number_range(0.0412, 3.4), number_range(0.00012, 0.00034)
    ('504.61 to 573.35', '0.04 to 3.40', '0.00012 to 0.00034')
    """
    if math.isnan(low) or math.isnan(high):
        return "-"
    places = max(decimals, _two_digits(high - low))
    if places > 6 or max(abs(low), abs(high)) >= 1e13:
        return f"{low:.6g} to {high:.6g}"
    return " to ".join(f"{round(limit, places) + 0.0:,.{places}f}" for limit in (low, high))


def percent(value: float | None, width: float = 0.0) -> str:
    """A share between 0 and 1 in percent, with the digits of `share`: never 0 % or 100 % unless it is exactly that.

    Examples
    --------
    >>> percent(0.5114), percent(0.0433), percent(0.99996), percent(0.0)
    ('51 %', '4.3 %', '99.996 %', '0 %')
    """
    if value is None:
        return "-"
    decimals = len(share(value, width).partition(".")[2]) - 2 if 0.0 < value < 1.0 else 0
    return f"{100.0 * value:.{decimals}f} %"


def percent_range(low: float, high: float) -> str:
    """Limits of a share in percent, as `share_range` has them.

    Examples
    --------
    >>> percent_range(0.3682, 0.6952), percent_range(0.19907, 0.20257), percent_range(1e-6, 0.34)
    ('37 % to 70 %', '19.91 % to 20.26 %', 'less than 1 % to 34 %')
    """
    texts = []
    for text in share_range(low, high, 2).split(" to "):
        decimals = len(text.partition(".")[2]) - 2
        beside = {"<": "less than ", ">": "more than "}.get(text[0], "")
        texts.append(f"{beside}{100.0 * float(text.lstrip('<>')):.{decimals}f} %")
    return " to ".join(texts)


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
    """A p-value to four decimals, as the lecture prints it; a smaller one is below their last, and not 0.

    Examples
    --------
    >>> p_value(3.4e-18), p_value(0.0321)
    ('<0.0001', '0.0321')
    """
    return "-" if value is None else "<0.0001" if value < 1e-4 else f"{value:.4f}"


def stars(value: float | None) -> str:
    """Stars of a p-value.

    Examples
    --------
    >>> stars(3.4e-18), stars(0.03), stars(0.5)
    ('***', '*', '')
    """
    return "" if value is None else next((mark for bound, mark in _STARS if value < bound), "")


def cell(name: str, value: Any) -> str:
    """A figure of that name, as tables print it.

    Examples
    --------
    >>> cell("icc", 0.5114), cell("icc_interval", (0.3682, 0.6952)), cell("n_obs", 4028), cell("IDCNTRY", 4028)
    ('0.511', '0.368 to 0.695', '4,028', '4028')
    """
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return share_range(*value)
    if isinstance(value, float):
        return _CELLS.get(name, number)(value)
    return f"{value:,}" if name in _COUNTS else str(value)


def cells(row: Mapping[str, Any], names: Iterable[str], errors: Mapping[str, str] | None = None) -> list[str]:
    """Figures of a row as tables print them; those with a standard error in `errors` to the digits that it leaves.

    Examples
    --------
    >>> row = {"a": "girls", "difference": -0.00206377, "se": 0.0003478}
    >>> cells(row, ["a", "difference"]), cells(row, ["a", "difference"], {"difference": "se"})
    (['girls', '-0.00206377'], ['girls', '-0.00206'])
    """
    by = errors or {}
    return [with_error(row[name], row[by[name]]) if name in by else cell(name, row[name]) for name in names]


def _two_decimals(value: float) -> str:
    return number(value, 2)


_CELLS: Mapping[str, Callable[[float], str]] = {
    **dict.fromkeys(("icc", "se_icc", "ci_low_icc", "ci_high_icc"), icc_text),
    "reliability": fixed_share,
    "deff": _two_decimals,
    **dict.fromkeys(("p_value", "p_adjusted", "p_value_ratio", "p_adjusted_ratio"), p_value),
}
_COUNTS = ("n_obs", "n_groups", "n_dropped")


def whole_ids(row: Mapping[str, Any], labels: Iterable[str]) -> dict[str, Any]:
    """The row, with ids that came as whole floats as integers.

    Examples
    --------
    >>> whole_ids({"IDCNTRY": 792.0, "deff": 9.0}, ["IDCNTRY"])
    {'IDCNTRY': 792, 'deff': 9.0}
    """
    floats = [name for name in labels if isinstance(row[name], float) and row[name].is_integer()]
    return {**row, **{name: int(row[name]) for name in floats}}


def told_apart(names: Sequence[str]) -> list[str]:
    """Names in one line each; where spaces are all that two of them differ in, these are shown.

    Examples
    --------
    >>> told_apart(["School 1", "School 1 ", "School  1", " a"])
    ['School 1', 'School 1␣', 'School␣␣1', 'a']
    """
    plain = [" ".join(name.split()) for name in names]
    seen = Counter(dict(zip(names, plain, strict=True)).values())  # of different names
    return [
        text if seen[text] < 2 else _SPACES.sub(lambda at: "␣" * len(at[0]), name)
        for name, text in zip(names, plain, strict=True)
    ]


_SPACES = re.compile(r"^\s+|\s+$|\s{2,}")


def degrees(value: float | None) -> str:
    """Degrees of freedom: whole ones without decimals."""
    if value is None:
        return "inf"
    return f"{value:,.0f}" if abs(value - round(value)) < 5e-4 else f"{value:,.2f}"
