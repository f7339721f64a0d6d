"""How far new data may be from old ones: the limits of a check, and which of them are passed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastml.errors import RangeError

__all__ = ["Limit", "Limits"]


@dataclass(frozen=True)
class Limit:
    """The most that a figure may be.

    Attributes
    ----------
    figure : str
        The column of the table of a check.
    most : float
    relative : bool
        Whether it is a share of the old schools.
    shown : str
        For people.
    """

    figure: str
    most: float
    relative: bool
    shown: str

    def passed(self, row: Mapping[str, Any]) -> bool:
        """Whether the figure is beyond it; NaN, where there was nothing to compare with, is not.

        Parameters
        ----------
        row : mapping
            Figures by name; infinite where there was one in the old data and is none in the new.

        Returns
        -------
        bool
        """
        # Shares such as 0.29 are no doubles: 29 of 100 schools are within it.
        most = round(self.most * row["n_groups_old"], 9) if self.relative else self.most
        return bool(abs(row[self.figure]) > most)


# Limit to the figure it is for, and what kind of number it is.
_FIGURES = {
    "max_schools_lost": ("groups_lost", "schools"),
    "max_schools_new": ("groups_added", "schools"),
    "max_n_change": ("n_change", "share"),
    "max_missing": ("missing_new", "share"),
    "max_mean_shift": ("mean_shift", "number"),
    "max_mean_shift_sd": ("mean_shift_sd", "number"),
    "max_sd_change": ("sd_change", "share"),
    "max_icc_shift": ("icc_shift", "icc"),
}

_RULES = {
    "schools": "a number of schools, such as 3, or a share of the old ones, such as '2%'",
    "share": "a share, such as 0.1 or '10%'",
    "icc": "from 0 to 1, such as 0.05",
    "number": "0 or more, such as 5",
}


@dataclass(frozen=True)
class Limits:
    """The limits of a check.

    Attributes
    ----------
    given : tuple of Limit
    """

    given: tuple[Limit, ...] = ()

    @classmethod
    def of(cls, **limits: Any) -> Limits:
        """Return the limits that are not None.

        Parameters
        ----------
        **limits : float or str or None
            By the names of `fastml.check`.

        Returns
        -------
        Limits

        Raises
        ------
        RangeError
            One is no such number.

        Examples
        --------
        >>> Limits.of(max_schools_lost="2%", max_mean_shift=None).given
        (Limit(figure='groups_lost', most=0.02, relative=True, shown='2 %'),)
        """
        return cls(tuple(_limit(name, value) for name, value in limits.items() if value is not None))

    def of_figure(self, figure: str) -> str:
        """Return the limit of a figure for people; an empty text where it has none."""
        return next((limit.shown for limit in self.given if limit.figure == figure), "")

    def passed_by(self, row: Mapping[str, Any]) -> Iterator[Limit]:
        """Give those that a row of figures is beyond; see `Limit.passed`."""
        return (limit for limit in self.given if limit.passed(row))


def _limit(name: str, value: Any) -> Limit:
    figure, kind = _FIGURES[name]
    text = "".join(str(value).split())
    percent = text.endswith("%") and isinstance(value, str) and kind in ("schools", "share")
    try:
        if isinstance(value, bool):
            raise ValueError
        most = float(text.removesuffix("%")) / 100.0 if percent else float(text)
    except ValueError:
        raise RangeError(name, value, _RULES[kind]) from None
    whole = kind == "schools" and not percent
    # A share above 1 is a percentage that lacks its sign, and would let everything pass.
    if (
        not (0.0 <= most < math.inf)
        or (whole and most % 1)
        or (kind in ("share", "icc") and not percent and most > 1.0)
    ):
        raise RangeError(name, value, _RULES[kind])
    in_percent = percent or kind == "share"
    return Limit(figure, most, kind == "schools" and percent, f"{100 * most:.12g} %" if in_percent else f"{most:.15g}")
