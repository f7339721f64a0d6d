"""The school file of an assessment: the school's weight, where the students' file hasn't got it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import ValueNotAllowedError
from fastml.io.arrays import without_blanks
from fastml.io.column_finder import ColumnFinder
from fastml.io.columns import as_floats, check_numeric
from fastml.io.csv_options import CsvOptions
from fastml.io.plain_arrays import plain_array
from fastml.io.source import Input, column_names, open_source
from fastml.reduce.missing_codes import Seen, codes_of_weights, look, without_codes
from fastml.survey.choices import Choices
from fastml.survey.cleaning import check_codes
from fastml.survey.columns import SurveyColumns

__all__ = ["SchoolWeights", "read_school_weights", "with_own_types"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SchoolWeights:
    """The school file's weights.

    Attributes
    ----------
    keys : tuple of str
        Columns of the student data that name a school there: the group, with the country where both files have it.
    weight : dict of tuple to float
        Labels of those columns, as `_as_written` has them, to weight.
    name : str
        The weight, in words.
    files : tuple of str
        Those that it was read from.
    """

    keys: tuple[str, ...]
    weight: Mapping[tuple[Any, ...], float]
    name: str
    files: tuple[str, ...] = ()

    def of(self, labels: Mapping[str, list[Any]], length: int) -> Floats:
        """Weights of the schools that the labels (column to the labels of each) name; NaN where the file has none.

        Raises
        ------
        ValueNotAllowedError
            It has none of them: the two files don't belong together, or write their ids differently.
        """
        asked = list(zip(*(labels[name] for name in self.keys), strict=True))
        found = np.fromiter((self.weight.get(_as_written(key), np.nan) for key in asked), np.float64, length)
        named = [key for key in asked if None not in key]
        if named and np.isnan(found).all():
            there = _words(self.keys, next(iter(self.weight)), repr) if self.weight else "no school with a weight"
            raise ValueNotAllowedError(
                f"none of the students' schools ({_words(self.keys, named[0], repr)}, ...) is in the school data "
                f"({there}, ...); give the file of the same study and cycle, with ids of the same type"
            )
        return found


def with_own_types(students: Input, schools: Input) -> tuple[Input, Input]:
    """Return the two with the types of their own columns: a call has one set of types, for the columns of either.

    Parameters
    ----------
    students, schools : Input
        Checked.

    Returns
    -------
    students, schools : Input
        The former with the types of columns that neither has, which are refused when it is read.
    """
    options = students.csv_options
    if not isinstance(options, CsvOptions) or not options.types:
        return students, schools
    own, others = set(column_names(students)[1]), set(column_names(schools)[1])

    def with_types(given: Input, kept: Callable[[str], bool]) -> Input:
        types = {name: dtype for name, dtype in options.types.items() if kept(name)}
        return replace(given, csv_options=replace(options, types=types))

    return with_types(students, lambda name: name in own or name not in others), with_types(
        schools, others.__contains__
    )


def read_school_weights(school_data: Any, data: Any, columns: SurveyColumns, choices: Choices) -> SchoolWeights:
    """Read the school's weight from the school file.

    Parameters
    ----------
    school_data, data : anything `open_source` takes
        The school file, and the students'.
    columns : SurveyColumns
    choices : Choices

    Returns
    -------
    SchoolWeights

    Raises
    ------
    ValueNotAllowedError
        A school stands there twice with different weights, or with one that isn't above 0, or looks like a code.
    """
    schools, students = ColumnFinder(school_data), ColumnFinder(data)
    group = schools.need([columns.group], "the school file is joined by it")
    # A country column may have several names; one that both files have, and that the students' keys hold.
    countries = {students.find([name]) for name in choices.design.country}
    country = next((c for c in (columns.country, *columns.by) if c and c in countries and schools.find([c])), None)
    weights = columns.school_file_weight
    keys = [*([schools.need([country])] if country else []), group]
    source = open_source(school_data, [*keys, *weights], keys)
    for column in weights:
        check_numeric("group_weights", source.schema.field(column))
    found: dict[tuple[Any, ...], float] = {}
    name = " x ".join(weights)
    codes, seen = codes_of_weights(choices.missing or ()), dict[str, Seen]()
    for batch in source.batches:
        factors = [without_codes(as_floats(batch.column(column)), codes) for column in weights]
        seen = {column: seen.get(column, Seen()) + look(f) for column, f in zip(weights, factors, strict=True)}
        product = np.prod(factors, axis=0)
        labels = zip(*(without_blanks(plain_array(batch.column(k))).to_pylist() for k in keys), strict=True)
        for label, value in zip(labels, product.tolist(), strict=True):
            if value != value or None in label:
                continue  # no school's weight, or the weight of none
            if not 0.0 < value < float("inf"):
                raise ValueNotAllowedError(
                    f"school weight {name!r} is {value:g} for {_words(keys, label)}; it must be a finite number above 0"
                )
            label = _as_written(label)
            if found.setdefault(label, value) != value:
                raise ValueNotAllowedError(
                    f"{_words(keys, label)} stands twice in the school data, with {name} {found[label]!r} and "
                    f"{value!r}; a school has one weight (do ids repeat across countries? then both files need the "
                    "country column)"
                )
    check_codes(seen, choices.missing, weights)
    return SchoolWeights((*([country] if country else []), columns.group), found, name, source.files)


def _as_written(label: tuple[Any, ...]) -> tuple[Any, ...]:
    """The label with its whole numbers as text files have them: one of the two files may be one, or have floats."""
    return tuple(
        str(int(part)) if isinstance(part, int) or (isinstance(part, float) and part.is_integer()) else part
        for part in label
    )


def _words(keys: Sequence[str], label: tuple[Any, ...], form: Any = str) -> str:
    return ", ".join(f"{key} {form(value)}" for key, value in zip(keys, label, strict=True))
