"""Which column of an assessment file plays which part under a design."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastml.designs import Design, Jackknife
from fastml.errors import ColumnNotFoundError, FastmlError
from fastml.io.source import column_names, open_source

__all__ = ["ColumnFinder", "Roles", "find_group_weight", "find_roles"]


@dataclass(frozen=True)
class Roles:
    """Columns of the data by what they are for.

    Attributes
    ----------
    by : tuple of str
        Columns that split the data.
    country : str or None
        The design's country column, where it isn't one of `by`.
    group : str
        School (or class) ids.
    weight : str
        Total weights.
    group_weight : tuple of str
        Columns whose product is the school's weight; empty where it is in the school file.
    outcomes : dict of str to list of str
        Outcome to the columns of its plausible values.
    zone, half : str or None
        Of a jackknife.
    replicates : tuple of str
        Columns of replicate weights.
    notes : dict of str to list of str
        Outcome to what its row should say about its columns.
    """

    by: tuple[str, ...]
    country: str | None
    group: str
    weight: str
    group_weight: tuple[str, ...]
    outcomes: Mapping[str, list[str]]
    zone: str | None = None
    half: str | None = None
    replicates: tuple[str, ...] = ()
    notes: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """Key columns that name a school."""
        return [*self.by, *([self.country] if self.country else []), self.group]

    @property
    def values(self) -> list[str]:
        """Columns of all plausible values."""
        return list(dict.fromkeys(column for columns in self.outcomes.values() for column in columns))

    @property
    def group_weight_name(self) -> str:
        """The school's weight, in words."""
        return " x ".join(self.group_weight)


class ColumnFinder:
    """Finds columns by their usual names, in upper or lower case.

    Parameters
    ----------
    data : anything `open_source` takes
    """

    def __init__(self, data: Any) -> None:
        self.source, self.names = column_names(data)
        if not self.names:
            open_source(data, [])  # says what is wrong with data of no kind that can be read
        self._folded = {name.casefold(): name for name in reversed(self.names)}

    def find(self, alternatives: Iterable[str]) -> str | None:
        """The first of the names that the data have, as they spell it; None where they have none."""
        for name in alternatives:
            if name in self.names:
                return name
            if name.casefold() in self._folded:
                return self._folded[name.casefold()]
        return None

    def need(self, alternatives: Sequence[str], hint: str = "") -> str:
        """The same; where there is none, an error that names the first and gives the hint."""
        found = self.find(alternatives)
        if found is None:
            raise ColumnNotFoundError(alternatives[0], self.names, self.source, hint)
        return found


def find_roles(
    data: Any,
    outcomes: Sequence[str],
    design: Design,
    by: Sequence[str],
    group: str | None,
    school_data: bool,
    replicated: bool,
) -> Roles:
    """Find the design's columns in the data.

    Parameters
    ----------
    data : anything `open_source` takes
    outcomes : sequence of str
    design : Design
    by : sequence of str
    group : str or None
        Another column of groups than the design's.
    school_data : bool
        Whether the school's weight will come from a school file.
    replicated : bool
        Whether zones or replicate weights are needed.

    Returns
    -------
    Roles

    Raises
    ------
    ColumnNotFoundError
        A column is missing; the message says which role it has in the design.
    FastmlError
        A column has two roles, or there is no school weight.
    """
    finder = ColumnFinder(data)
    by = tuple(finder.need([name]) for name in by)
    country = finder.find(design.country)
    group_column = finder.need(
        [group] if group else design.group, "" if group else f"{design.name} names its schools so"
    )
    classes = group_column.casefold() in (name.casefold() for name in design.class_group)
    if classes and school_data:
        raise FastmlError(
            f"group={group!r} makes classes the groups, whose weight is the school's times "
            f"{' x '.join(design.class_weight)} of the student file: leave the school file out"
        )
    weight = finder.need(design.weight, f"{design.name} keeps the students' total weight there")
    zone = half = None
    replicates: tuple[str, ...] = ()
    if replicated and isinstance(design.replicates, Jackknife):
        zone = finder.need(design.replicates.zone, f"{design.name} keeps the jackknife zone there")
        half = finder.need(design.replicates.half, f"{design.name} keeps the half of the jackknife zone there")
    elif replicated:
        replicates = _replicates(finder, design)
    roles = Roles(
        by=by,
        country=None if country in by or country == group_column else country,
        group=group_column,
        weight=weight,
        group_weight=() if school_data else find_group_weight(finder, design, classes),
        outcomes={name: _plausible_values(finder, design, name) for name in outcomes},
        zone=zone,
        half=half,
        replicates=replicates,
        notes={name: _one_of_several(finder, design, name) for name in outcomes},
    )
    _check_one_role(roles)
    return roles


def _check_one_role(roles: Roles) -> None:
    named = [*(("by", name) for name in roles.by), ("country", roles.country), ("group", roles.group),
             ("zone", roles.zone), ("half", roles.half), ("weights", roles.weight),
             *(("outcome", name) for name in roles.values)]  # fmt: skip
    words: dict[str, list[str]] = {}
    for role, name in named:
        if name:
            words.setdefault(name, []).append(role)
    for name, roles_of_it in words.items():
        if len(roles_of_it) > 1:
            raise FastmlError(f"column {name!r} is named as {' and as '.join(roles_of_it)}; a column has one role")


def _replicates(finder: ColumnFinder, design: Design) -> tuple[str, ...]:
    assert not isinstance(design.replicates, Jackknife)
    return tuple(
        finder.need(
            [pattern.format(r=r) for pattern in design.replicates.pattern],
            f"it is replicate weight {r} of the {design.replicates.count} of {design.name}",
        )
        for r in range(1, design.replicates.count + 1)
    )


def find_group_weight(finder: ColumnFinder, design: Design, classes: bool = False) -> tuple[str, ...]:
    """Columns whose product is the level-2 weight.

    Parameters
    ----------
    finder : ColumnFinder
    design : Design
    classes : bool
        Whether classes are the groups.

    Returns
    -------
    tuple of str

    Raises
    ------
    FastmlError
        The data have none of the design's.
    """
    for names in design.group_weight:
        found = [finder.find([name]) for name in names]
        if all(found):
            break
    else:
        raise FastmlError(
            f"{finder.source} has no school weight ({' or '.join(' x '.join(n) for n in design.group_weight)}), and "
            f"student weights alone can't be divided between schools and students; give school_data=, "
            f"{design.school_file}"
        )
    if classes:
        found += [finder.need([name], "a class as group needs it in its weight") for name in design.class_weight]
    return tuple(name for name in found if name)


def _plausible_values(finder: ColumnFinder, design: Design, outcome: str) -> list[str]:
    for pattern in design.plausible:
        names = [pattern.format(outcome=outcome, k=k) for k in range(1, design.n_plausible + 1)]
        found = [finder.find([name]) for name in names]
        if any(found):
            for k, (name, column) in enumerate(zip(names, found, strict=True), 1):
                if column is None:
                    hint = (
                        f"it is plausible value {k} of the {design.n_plausible} of {outcome!r} in {design.name}; for "
                        "another number of them give a design with another n_plausible"
                    )
                    raise ColumnNotFoundError(name, finder.names, finder.source, hint)
            return [name for name in found if name]
    alone = finder.find([outcome])
    if alone is not None:
        return [alone]  # a score measured once: no imputation variance
    first = design.plausible[0].format(outcome=outcome, k=1)
    raise ColumnNotFoundError(first, finder.names, finder.source)


def _one_of_several(finder: ColumnFinder, design: Design, outcome: str) -> list[str]:
    """What to say where the outcome is itself one plausible value, whose standard error would be too small."""
    count = range(1, design.n_plausible + 1)
    for pattern in design.plausible:
        for k in count:
            before, after = pattern.format(outcome="\0", k=k).casefold().split("\0")
            name = outcome.casefold()
            if not (name.startswith(before) and name.endswith(after)):
                continue
            stem = outcome[len(before) : len(outcome) - len(after)]
            if stem and all(finder.find([pattern.format(outcome=stem, k=i)]) for i in count):
                return [
                    f"{outcome} is one plausible value of {design.n_plausible}, so the errors lack their variance; "
                    f"name {stem} for all"
                ]
    return []
