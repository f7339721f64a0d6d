"""The columns of a survey call: a design's names, found in the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastml.designs import Design, Jackknife
from fastml.errors import ColumnNotFoundError, FastmlError
from fastml.io.source import column_names, open_source
from fastml.survey.choices import Choices

__all__ = ["ColumnFinder", "SurveyColumns", "find_columns", "find_group_weight"]


@dataclass(frozen=True)
class SurveyColumns:
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
    zone, half : str
        Of a jackknife; empty without.
    replicates : tuple of str
        Columns of replicate weights; empty without.
    notes : dict of str to list of str
        Outcome to what its row should say about its columns.
    """

    by: tuple[str, ...]
    country: str | None
    group: str
    weight: str
    group_weight: tuple[str, ...]
    outcomes: Mapping[str, list[str]]
    zone: str = ""
    half: str = ""
    replicates: tuple[str, ...] = ()
    notes: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """Key columns that name a school."""
        return [*self.by, *([self.country] if self.country else []), self.group]

    @property
    def labels(self) -> list[str]:
        """Columns that are read as labels: the keys, and what a jackknife needs."""
        return list(dict.fromkeys([*self.keys, *(name for name in (self.zone, self.half) if name)]))

    @property
    def weights(self) -> list[str]:
        """Columns of total weights: the full sample's, then the replicates'."""
        return [self.weight, *self.replicates]

    @property
    def values(self) -> list[str]:
        """Columns of all plausible values."""
        return list(dict.fromkeys(column for columns in self.outcomes.values() for column in columns))

    @property
    def group_weight_name(self) -> str:
        """The school's weight, in words."""
        return " x ".join(self.group_weight)


class ColumnFinder:
    """Finds columns of data by their usual names, in upper or lower case."""

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


def find_columns(
    data: Any, outcomes: Sequence[str], choices: Choices, by: Sequence[str], group: str | None, school_data: bool
) -> SurveyColumns:
    """Find the design's columns in the data.

    Parameters
    ----------
    data : anything `open_source` takes
    outcomes : sequence of str
    choices : Choices
        The design, and whether zones or replicate weights are needed.
    by : sequence of str
    group : str or None
        Another column of groups than the design's.
    school_data : bool
        Whether the school's weight will come from a school file.

    Returns
    -------
    SurveyColumns

    Raises
    ------
    ColumnNotFoundError
        A column is missing; the message says what the design keeps there.
    FastmlError
        A column is needed for two things, or there is no school weight.
    """
    finder, design = ColumnFinder(data), choices.design
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
    columns = SurveyColumns(
        by=by,
        country=None if country in by or country == group_column else country,
        group=group_column,
        weight=finder.need(design.weight, f"{design.name} keeps the students' total weight there"),
        **(_replicate_columns(finder, design) if choices.replicated else {}),
        group_weight=() if school_data else find_group_weight(finder, design, classes),
        outcomes={name: _plausible_values(finder, design, name) for name in outcomes},
        notes={name: _one_of_several(finder, design, name) for name in outcomes},
    )
    _check_distinct(columns)
    return columns


def _check_distinct(columns: SurveyColumns) -> None:
    uses = [*(("by", name) for name in columns.by), ("country", columns.country), ("group", columns.group),
            ("zone", columns.zone), ("half", columns.half), ("weights", columns.weight),
            *(("outcome", name) for name in columns.values)]  # fmt: skip
    words: dict[str, list[str]] = {}
    for use, name in uses:
        if name:
            words.setdefault(name, []).append(use)
    for name, several in words.items():
        if len(several) > 1:
            raise FastmlError(f"column {name!r} is named as {' and as '.join(several)}; a column has one role")


def _replicate_columns(finder: ColumnFinder, design: Design) -> dict[str, Any]:
    """What makes the replicates, under its names in `SurveyColumns`."""
    scheme = design.replicates
    if isinstance(scheme, Jackknife):
        return {
            "zone": finder.need(scheme.zone, f"{design.name} keeps the jackknife zone there"),
            "half": finder.need(scheme.half, f"{design.name} keeps the half of the jackknife zone there"),
        }
    columns = (
        finder.need(
            [pattern.format(r=r) for pattern in scheme.pattern],
            f"it is replicate weight {r} of the {scheme.count} of {design.name}",
        )
        for r in range(1, scheme.count + 1)
    )
    return {"replicates": tuple(columns)}


def find_group_weight(finder: ColumnFinder, design: Design, classes: bool = False) -> tuple[str, ...]:
    """Columns whose product is the groups' weight, of schools or of classes; a FastmlError where the data have none."""
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
