"""The columns that a call names, by what they are for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from fastml.errors import ArgumentError, ColumnsMissingError, FastmlError, FormulaError

__all__ = ["LARGEST_WEIGHT", "SMALLEST_WEIGHT", "CallColumns", "Names", "list_names", "weight_product"]

Names = str | Sequence[str]

# Weights outside of these, and products of them with squares, leave the range of doubles.
SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-100, 1e100

_NAME = r"(?:`([^`]+)`|([^\W\d][\w.]*))"
_FORMULA = re.compile(rf"\s*{_NAME}\s*~\s*(?:1\s*\+\s*)?\(\s*1\s*\|\s*{_NAME}\s*\)\s*")


@dataclass(frozen=True)
class CallColumns:
    """The columns that a call names; nothing is refused before `check`, as saved statistics need none.

    Attributes
    ----------
    outcomes, group, by : sequence of str
        Columns of scores, those that name a school, those that split the data; `by` may name tags too.
    weights, group_weights : str or None
        Columns of the rows' and the groups' weights; for a product the name of it.
    tags : mapping, or None
        Constant key columns to add in front of the group's, so that school 5007 of 2019 isn't school 5007 of 2023.
    missing : tuple of float
        Codes of missing values among outcomes and, from two digits on, weights; never among labels.
    watch : bool
        Whether to look for other such codes.
    factors : tuple of str
        Columns whose product is the groups' weight; empty where that is one column.
    """

    outcomes: Sequence[str]
    group: Sequence[str]
    by: Sequence[str] = ()
    weights: str | None = None
    group_weights: str | None = None
    tags: Mapping[str, Any] | None = None
    missing: tuple[float, ...] = ()
    watch: bool = False
    factors: tuple[str, ...] = ()

    @property
    def constant(self) -> Mapping[str, Any]:
        """The tags, none being an empty mapping."""
        return self.tags or {}

    @cached_property
    def split(self) -> tuple[str, ...]:
        """The by-columns that are read: those that are no tags."""
        return tuple(name for name in self.by if name not in self.constant)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The key columns that are read: the by-columns, then the group's."""
        return (*self.split, *self.group)

    @cached_property
    def weighted(self) -> bool:
        """Whether rows have weights, their own or their group's."""
        return bool(self.weights or self.group_weights)

    @cached_property
    def of_weights(self) -> tuple[str, ...]:
        """The columns of weights."""
        return tuple(name for name in (self.weights, *self.group_factors) if name)

    @property
    def group_factors(self) -> tuple[str, ...]:
        """The columns whose product is the groups' weight."""
        return self.factors or ((self.group_weights,) if self.group_weights else ())

    @cached_property
    def to_read(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*self.keys, *self.outcomes, *self.of_weights)

    def from_formula(self) -> CallColumns:
        """Return the columns that a formula stands for, where there is one in the place of outcome and group.

        Raises
        ------
        FormulaError
        """
        if len(self.outcomes) != 1 or not isinstance(self.outcomes[0], str):
            return self
        match = _FORMULA.fullmatch(self.outcomes[0])
        if self.group:
            if match:
                raise FastmlError(
                    f"the formula {self.outcomes[0]!r} names outcome and group both; leave out group={self.group[0]!r}"
                )
            formula = next((name for name in self.group if isinstance(name, str) and _FORMULA.fullmatch(name)), None)
            if formula is not None:
                raise FastmlError(
                    f"the formula {formula!r} names outcome and group both; give it alone, as the outcome"
                )
            return self
        if match:
            return replace(self, outcomes=(match[1] or match[2],), group=(match[3] or match[4],))
        if "~" in self.outcomes[0]:
            raise FormulaError(self.outcomes[0])
        return self

    def check(self) -> None:
        """Refuse names that are none, a column that is named twice, and rows without outcome or group.

        Raises
        ------
        FastmlError
        """
        for argument, name in (("weights", self.weights), ("group_weights", self.group_weights)):
            # An empty name, from a shell's variable that isn't set, must not mean "without weights".
            if name is not None and not (isinstance(name, str) and name):
                raise ArgumentError(argument, name, ["a column's name"])
        if self.tags is not None and (not isinstance(self.tags, Mapping) or "" in self.tags):
            raise ArgumentError("tags", self.tags, ["a mapping such as {'cycle': 2019}"])
        for argument, names in (
            ("group_weights", self.factors), ("by", self.by), ("outcome", self.outcomes), ("group", self.group),
            ("tags", list(self.constant)),
        ):  # fmt: skip
            _check_names(argument, names)
        if not self.outcomes or not self.group:
            raise ColumnsMissingError
        for first, second, shared in (
            ("outcome", "group", set(self.outcomes) & set(self.group)),
            ("outcome", "by", set(self.outcomes) & set(self.by)),
            ("by", "group", set(self.by) & set(self.group)),
            ("tags", "group", set(self.constant) & set(self.group)),
        ):
            if shared:
                raise FastmlError(f"column {min(shared)!r} is named as {first} and as {second}; a column has one role")


def list_names(names: Any) -> tuple[Any, ...]:
    """Return the names of an argument that takes one, several, or None.

    Parameters
    ----------
    names : str, sequence of str, or None

    Returns
    -------
    tuple
    """
    if names is None:
        return ()
    if hasattr(names, "__array__") and not isinstance(names, str):  # a Series, an array: the data, not their name
        name = getattr(names, "name", None)
        called = f" ({name!r})" if isinstance(name, str) else ""
        raise FastmlError(
            f"columns are given by name{called}, not as a {type(names).__name__}: "
            "fit(data, outcome='score', group='school'), where data is the table that holds them"
        )
    return tuple(names) if isinstance(names, Sequence) and not isinstance(names, str) else (names,)


def weight_product(names: Any) -> tuple[Any, tuple[str, ...]]:
    """Name of the groups' weight, and the columns whose product it is.

    Parameters
    ----------
    names : str, sequence of str, or None

    Returns
    -------
    name : str or None
    factors : tuple of str
        Empty where it is one column.

    Examples
    --------
    >>> weight_product(["WGTFAC1", "WGTADJ1"]), weight_product("SCHWGT")
    (('WGTFAC1 x WGTADJ1', ('WGTFAC1', 'WGTADJ1')), ('SCHWGT', ()))
    """
    found = list_names(names)
    if names is not None and not found:
        raise ArgumentError("group_weights", names, ["a column's name", "several, which are multiplied"])
    if len(found) < 2:
        return (found[0] if found else None), ()
    return " x ".join(map(str, found)), found


def _check_names(argument: str, names: Sequence[Any]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise ArgumentError(argument, name, ["a column's name"], "rename the column to a string")
    if len(set(names)) < len(names):
        raise FastmlError(f"{argument}={list(names)!r} names a column twice")
