"""The columns of a survey call: a design's names, found in the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastml.designs import Design, Jackknife
from fastml.errors import FastmlError
from fastml.io.column_finder import ColumnFinder
from fastml.survey.choices import Choices
from fastml.survey.plausible_values import find_values, number_notes, part_notes

__all__ = ["SurveyColumns", "find_columns"]


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
    group_weight, school_file_weight : tuple of str
        Columns whose product is the school's weight, of these data or of the school file; the other is empty, and both
        are where there is none.
    outcomes : dict of str to list of str
        Outcome to the columns of its plausible values.
    lacks : str
        Why there is no school's weight: without it there are means of students only.
    zone, half : str
        Of a jackknife; empty without.
    replicates : tuple of str
        Columns of replicate weights; empty without.
    notes : dict of str to list of str
        Outcome to what its row should say about its columns.
    place : str or None
        The design's country column, also where it is one of `by`.
    """

    by: tuple[str, ...]
    country: str | None
    group: str
    weight: str
    group_weight: tuple[str, ...]
    outcomes: Mapping[str, list[str]]
    school_file_weight: tuple[str, ...] = ()
    lacks: str = ""
    zone: str = ""
    half: str = ""
    replicates: tuple[str, ...] = ()
    notes: Mapping[str, list[str]] = field(default_factory=dict)
    place: str | None = None

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


def find_columns(
    data: Any, outcomes: Sequence[str], choices: Choices, by: Sequence[str], group: str | None, school_data: Any = None
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
    school_data : as `data`, optional
        The school file.

    Returns
    -------
    SurveyColumns

    Raises
    ------
    ColumnNotFoundError
        A column is missing; the message says what the design keeps there.
    FastmlError
        A column is needed for two things, or there is a school file but no school weight.
    """
    finder, design = ColumnFinder(data), choices.design
    by = tuple(finder.need([name]) for name in by)
    country = finder.find(design.country)
    way_out = "another cycle may have another design, and group= names another column"
    named_so = "" if group else f"{design.name} names its schools so; {way_out}"
    group_column = finder.need([group] if group else design.group, named_so)
    classes = group_column.casefold() in (name.casefold() for name in design.class_group)
    if classes and school_data is not None:
        raise FastmlError(
            f"group={group!r} makes classes the groups, whose weight is the school's times "
            f"{' x '.join(design.class_weight)} of the student file: leave the school file out"
        )
    schools = None if school_data is None else ColumnFinder(school_data)
    values = {name: find_values(finder, design, name) for name in outcomes}
    own, joined = _group_weight(finder, schools, design, classes)
    notes = [_UNUSED.format(" x ".join(own))] if own and schools else []
    columns = SurveyColumns(
        by=by,
        country=None if country in by or country == group_column else country,
        place=None if country == group_column else country,
        group=group_column,
        weight=finder.need(design.weight, f"{design.name} keeps the students' total weight there"),
        **(_replicate_columns(finder, design) if choices.replicated else {}),
        group_weight=own,
        school_file_weight=joined,
        lacks="" if own or joined else _no_weight(finder, design),
        outcomes=values,
        notes={
            name: [*notes, *number_notes(design, name, found), *part_notes(finder, design, name)]
            for name, found in values.items()
        },
    )
    _check_distinct(columns)
    return columns


_OF_CLASS = "a class as group needs it in its weight"
_UNUSED = "the students have their school's weight ({}), so the school data are not used"


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
    scheme, without = design.replicates, "; without replicates there is se='sandwich'"
    if isinstance(scheme, Jackknife):
        return {
            "zone": finder.need(scheme.zone, f"{design.name} keeps the jackknife zone there{without}"),
            "half": finder.need(scheme.half, f"{design.name} keeps the half of the jackknife zone there{without}"),
        }
    columns = (
        finder.need(
            [pattern.format(r=r) for pattern in scheme.pattern],
            f"it is replicate weight {r} of the {scheme.count} of {design.name}{without}",
        )
        for r in range(1, scheme.count + 1)
    )
    return {"replicates": tuple(columns)}


def _group_weight(
    finder: ColumnFinder, schools: ColumnFinder | None, design: Design, classes: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns whose product is the groups' weight, of schools or of classes: those of the data, or of the school file.

    Both are empty where there is no school file and the data have none.
    """
    for names in design.group_weight:
        for source in (finder, schools):
            found = [source.find([name]) for name in names] if source else [None]
            columns = tuple(name for name in found if name)
            if len(columns) < len(names):
                continue
            if classes:
                columns += tuple(finder.need([name], _OF_CLASS) for name in design.class_weight)
            return (columns, ()) if source is finder else ((), columns)
    if schools is not None:
        raise FastmlError(
            f"the school data have no school weight ({_in_words(design)}), and {finder.source} has none either"
        )
    return (), ()


def _no_weight(finder: ColumnFinder, design: Design) -> str:
    return (
        f"{finder.source} has no school weight ({_in_words(design)}), and student weights alone can't be divided "
        f"between schools and students, so mean and sd are all there is; give school_data=, {design.school_file}"
    )


def _in_words(design: Design) -> str:
    """The columns of the design's school weight, for a message."""
    return " or ".join(" x ".join(names) for names in design.group_weight)
