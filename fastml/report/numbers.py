"""Numbers as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "LEGEND",
    "cell",
    "complement",
    "decimals",
    "degrees",
    "number",
    "p_value",
    "percent",
    "points",
    "share",
    "share_range",
    "short_points",
    "stars",
    "whole_ids",
]

_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
LEGEND = "stars: *** p < .001, ** p < .01, * p < .05, . p < .1"


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
    """A figure of that name, as tables print it."""
    if isinstance(value, float):
        return share(value) if name in ("icc", "se_icc", "ci_low_icc", "ci_high_icc", "reliability") else number(value)
    return "-" if value is None else str(value)


def whole_ids(row: Mapping[str, Any], labels: Iterable[str]) -> dict[str, Any]:
    """The row, with ids that came as whole floats as integers.

    Examples
    --------
    >>> whole_ids({"IDCNTRY": 792.0, "deff": 9.0}, ["IDCNTRY"])
    {'IDCNTRY': 792, 'deff': 9.0}
    """
    floats = [name for name in labels if isinstance(row[name], float) and row[name].is_integer()]
    return {**row, **{name: int(row[name]) for name in floats}}


def degrees(value: float | None) -> str:
    """Degrees of freedom: whole ones without decimals."""
    if value is None:
        return "inf"
    return f"{value:,.0f}" if abs(value - round(value)) < 5e-4 else f"{value:,.2f}"
