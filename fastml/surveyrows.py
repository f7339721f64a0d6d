"""Rows of an assessment file: which columns play which role under a design, and one cleaned stream of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.designs import Columns, Design, Jackknife
from fastml.errors import ColumnNotFoundError, FastmlError, ValueNotAllowedError
from fastml.groupstats import as_floats, check_numeric
from fastml.sources import Source, arrow_numbers, column_names, open_source

__all__ = ["Roles", "Rows", "SchoolWeights", "find_roles", "open_rows", "read_school_weights"]

Floats = npt.NDArray[np.float64]


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

    @property
    def keys(self) -> list[str]:
        """Key columns that name a school."""
        return [*self.by, *([self.country] if self.country else []), self.group]

    @property
    def values(self) -> list[str]:
        """Columns of all plausible values."""
        return [column for columns in self.outcomes.values() for column in columns]

    @property
    def group_weight_name(self) -> str:
        """The school's weight, in words."""
        return " x ".join(self.group_weight)


@dataclass
class Rows:
    """A cleaned stream; it can be read once.

    Attributes
    ----------
    schema : pyarrow.Schema
    batches : iterator of pyarrow.RecordBatch
        Keys, total weight, school weight (as `Roles.group_weight_name`), zone and half, plausible values as float64
        (a row lacking one of an outcome lacks all of them), replicates.
    recoded, partial : dict of str to int
        Values taken for missing codes, and rows with some but not all values, by outcome; counted while reading.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    recoded: dict[str, int] = field(default_factory=dict)
    partial: dict[str, int] = field(default_factory=dict)


class _Finder:
    """Finds columns by their usual names, in upper or lower case."""

    def __init__(self, source: str, names: Sequence[str]) -> None:
        self.source, self.names = source, list(names)
        self._folded = {name.casefold(): name for name in reversed(self.names)}

    def find(self, alternatives: Iterable[str]) -> str | None:
        for name in alternatives:
            if name in self.names:
                return name
            if name.casefold() in self._folded:
                return self._folded[name.casefold()]
        return None

    def need(self, alternatives: Sequence[str], hint: str = "") -> str:
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
    data : anything `open_source` takes, or a list of files
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
        The group is also a by-column.
    """
    finder = _Finder(*column_names(data[0] if isinstance(data, (list, tuple)) else data))
    by = tuple(finder.need([name]) for name in by)
    country = finder.find(design.country)
    group_column = finder.need(
        [group] if group else design.group, "" if group else f"{design.name} names its schools so"
    )
    weight = finder.need(design.weight, f"{design.name} keeps the students' total weight there")
    zone = half = None
    replicates: tuple[str, ...] = ()
    if group_column in by:
        raise FastmlError(f"column {group_column!r} is named as by and as group; a column has one role")
    if replicated and isinstance(design.replicates, Jackknife):
        zone = finder.need(design.replicates.zone, f"{design.name} keeps the jackknife zone there")
        half = finder.need(design.replicates.half, f"{design.name} keeps the half of the jackknife zone there")
    elif replicated and isinstance(design.replicates, Columns):
        replicates = tuple(
            finder.need(
                [pattern.format(r=r) for pattern in design.replicates.pattern],
                f"it is replicate weight {r} of the {design.replicates.count} of {design.name}",
            )
            for r in range(1, design.replicates.count + 1)
        )
    return Roles(
        by=by,
        country=None if country in by or country == group_column else country,
        group=group_column,
        weight=weight,
        group_weight=() if school_data else _group_weight(finder, design, group_column),
        outcomes={name: _plausible_values(finder, design, name) for name in outcomes},
        zone=zone,
        half=half,
        replicates=replicates,
    )


def _group_weight(finder: _Finder, design: Design, group: str) -> tuple[str, ...]:
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
    if group.casefold() in (name.casefold() for name in design.class_group):
        found += [finder.need([name], "a class as group needs it in its weight") for name in design.class_weight]
    return tuple(name for name in found if name)


def _plausible_values(finder: _Finder, design: Design, outcome: str) -> list[str]:
    for pattern in design.plausible:
        names = [pattern.format(outcome=outcome, k=k) for k in range(1, design.n_plausible + 1)]
        found = [finder.find([name]) for name in names]
        if any(found):
            for k, (name, column) in enumerate(zip(names, found, strict=True), 1):
                if column is None:
                    hint = f"it is plausible value {k} of the {design.n_plausible} of {outcome!r} in {design.name}"
                    raise ColumnNotFoundError(name, finder.names, finder.source, hint)
            return [name for name in found if name]
    alone = finder.find([outcome])
    if alone is not None:
        return [alone]  # a score measured once: no imputation variance
    first = design.plausible[0].format(outcome=outcome, k=1)
    raise ColumnNotFoundError(first, finder.names, finder.source)


def open_rows(data: Any, roles: Roles, design: Design) -> Rows:
    """Open the data as one cleaned stream.

    Parameters
    ----------
    data : anything `open_source` takes, or a list of files
    roles : Roles
    design : Design

    Returns
    -------
    Rows

    Raises
    ------
    ColumnTypeError
        A score or a weight isn't numeric.
    """
    extra = [name for name in (roles.zone, roles.half) if name]
    columns = [*roles.keys, *extra, roles.weight, *roles.group_weight, *roles.values, *roles.replicates]
    sources = [open_source(part, columns) for part in (data if isinstance(data, (list, tuple)) else [data])]
    first = sources[0]
    for role, names in (
        ("outcome", roles.values),
        ("weights", [roles.weight, *roles.replicates]),
        ("group_weights", roles.group_weight),
    ):
        for name in names:
            check_numeric(role, first.schema.field(name))
    fields = [first.schema.field(name) for name in dict.fromkeys([*roles.keys, *extra])]
    numbers = [
        roles.weight,
        *([roles.group_weight_name] if roles.group_weight else []),
        *roles.values,
        *roles.replicates,
    ]
    schema = pa.schema([*fields, *(pa.field(name, pa.float64()) for name in dict.fromkeys(numbers))])
    rows = Rows(schema, iter(()))
    rows.batches = _clean(sources, roles, design, rows)
    return rows


def _clean(sources: list[Source], roles: Roles, design: Design, rows: Rows) -> Iterator[pa.RecordBatch]:
    codes = np.array(sorted(design.missing))
    names = rows.schema.names
    for source in sources:
        for batch in source.batches:
            columns: dict[str, Any] = {name: batch.column(name) for name in names if name in batch.schema.names}
            for outcome, values in roles.outcomes.items():
                _clean_outcome(outcome, values, columns, codes, rows)
            if len(roles.group_weight) > 1:
                product = np.prod([as_floats(batch.column(name)) for name in roles.group_weight], axis=0)
                columns[roles.group_weight_name] = arrow_numbers(product)
            arrays = [columns[f.name].cast(f.type) if columns[f.name].type != f.type else columns[f.name]
                      for f in rows.schema]  # fmt: skip
            yield pa.RecordBatch.from_arrays(arrays, schema=rows.schema)


def _clean_outcome(outcome: str, values: list[str], columns: dict[str, Any], codes: Floats, rows: Rows) -> None:
    """Make missing codes missing, and a row that lacks one plausible value lack all."""
    scores = [as_floats(columns[name]) for name in values]
    for k, score in enumerate(scores):
        if len(codes) and len(score) and np.nanmax(np.append(score, -np.inf)) >= codes[0]:
            is_code = np.isin(score, codes)
            if is_code.any():
                rows.recoded[outcome] = rows.recoded.get(outcome, 0) + int(is_code.sum())
                scores[k] = np.where(is_code, np.nan, score)
    missing = [np.isnan(score) for score in scores]
    some, every = np.logical_or.reduce(missing), np.logical_and.reduce(missing)
    if (some != every).any():
        rows.partial[outcome] = rows.partial.get(outcome, 0) + int((some & ~every).sum())
        scores = [np.where(some, np.nan, score) for score in scores]
    for name, score in zip(values, scores, strict=True):
        columns[name] = arrow_numbers(score)


@dataclass(frozen=True)
class SchoolWeights:
    """The school file's weights.

    Attributes
    ----------
    keys : tuple of str
        Columns of the student data that name a school there: the group, with the country where both files have it.
    weight : dict of tuple to float
        Labels of those columns to weight.
    name : str
        The weight, in words.
    """

    keys: tuple[str, ...]
    weight: Mapping[tuple[Any, ...], float]
    name: str


def read_school_weights(school_data: Any, data: Any, roles: Roles, design: Design) -> SchoolWeights:
    """Read the school's weight from the school file.

    Parameters
    ----------
    school_data, data : anything `open_source` takes
        The school file, and the students'.
    roles : Roles
    design : Design

    Returns
    -------
    SchoolWeights

    Raises
    ------
    ValueNotAllowedError
        A school stands there twice with different weights, or with one that isn't above 0.
    """
    schools = _Finder(*column_names(school_data))
    students = _Finder(*column_names(data[0] if isinstance(data, (list, tuple)) else data))
    group = schools.need([roles.group], "the school file is joined by it")
    # A country column may have several names; one that both files have, and that the students' keys hold.
    country = next((c for c in (roles.country, *roles.by) if c and c in _countries(students, design)
                    and schools.find([c])), None)  # fmt: skip
    weights = _group_weight(schools, design, "")
    keys = [*([schools.need([country])] if country else []), group]
    source = open_source(school_data, [*keys, *weights])
    for name in weights:
        check_numeric("group_weights", source.schema.field(name))
    found: dict[tuple[Any, ...], float] = {}
    name = " x ".join(weights)
    for batch in source.batches:
        product = np.prod([as_floats(batch.column(column)) for column in weights], axis=0)
        for label, value in zip(
            zip(*(batch.column(k).to_pylist() for k in keys), strict=True), product.tolist(), strict=True
        ):
            if value != value:
                continue
            if not 0.0 < value < float("inf"):
                raise ValueNotAllowedError(
                    f"school weight {name!r} is {value:g} for {_words(keys, label)}; it must be a finite number above 0"
                )
            if found.setdefault(label, value) != value:
                raise ValueNotAllowedError(
                    f"{_words(keys, label)} stands twice in the school data, with {name} {found[label]!r} and "
                    f"{value!r}; a school has one weight (do ids repeat across countries? then both files need the "
                    "country column)"
                )
    return SchoolWeights((*([country] if country else []), roles.group), found, name)


def _countries(finder: _Finder, design: Design) -> set[str]:
    return {found for name in design.country if (found := finder.find([name]))}


def _words(keys: Sequence[str], label: tuple[Any, ...]) -> str:
    return ", ".join(f"{key} {value}" for key, value in zip(keys, label, strict=True))
