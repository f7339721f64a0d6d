"""What the columns of a call are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastml.errors import ArgumentError, FastmlError

__all__ = ["LARGEST_WEIGHT", "SMALLEST_WEIGHT", "Roles", "check_names", "check_roles"]

# Weights outside of these, and products of them with squares, leave the range of doubles.
SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-100, 1e100


@dataclass(frozen=True)
class Roles:
    """Names of the columns that are read, by what they are for.

    Attributes
    ----------
    keys, outcomes : tuple of str
        The keys are the by-columns, then the group's.
    weights, group_weights : str or None

    Raises
    ------
    ArgumentError
        A weight that is no column's name.
    """

    keys: tuple[str, ...]
    outcomes: tuple[str, ...]
    weights: str | None = None
    group_weights: str | None = None

    def __post_init__(self) -> None:
        for role, name in (("weights", self.weights), ("group_weights", self.group_weights)):
            # An empty name, from a shell's variable that isn't set, must not mean "without weights".
            if name is not None and not (isinstance(name, str) and name):
                raise ArgumentError(role, name, ["a column's name"])

    @property
    def weighted(self) -> bool:
        """Whether rows have weights, their own or their group's."""
        return bool(self.weights or self.group_weights)

    def columns(self) -> list[str]:
        """All columns that are read."""
        return [*self.keys, *self.outcomes, *(name for name in (self.weights, self.group_weights) if name)]


def check_roles(outcomes: Sequence[str], group: Sequence[str], by: Sequence[str], tags: Mapping[str, Any]) -> None:
    """Refuse names that are none, and columns of two roles.

    Raises
    ------
    FastmlError
    """
    for role, names in (("outcome", outcomes), ("group", group), ("by", by), ("tags", list(tags))):
        check_names(role, names)
    if not outcomes or not group:
        raise FastmlError("name an outcome and a group: fit(data, outcome='score', group='school')")
    for first, second, shared in (
        ("outcome", "group", set(outcomes) & set(group)),
        ("outcome", "by", set(outcomes) & set(by)),
        ("by", "group", set(by) & set(group)),
        ("tags", "group", set(tags) & {*group, *by}),
    ):
        if shared:
            raise FastmlError(f"column {min(shared)!r} is named as {first} and as {second}; a column has one role")


def check_names(role: str, names: Sequence[Any]) -> None:
    """Refuse names that are none, or stand twice.

    Raises
    ------
    FastmlError
    """
    for name in names:
        if not isinstance(name, str):
            raise ArgumentError(role, name, ["a column's name"], "rename the column to a string")
    if len(set(names)) < len(names):
        raise FastmlError(f"{role}={list(names)!r} names a column twice")
