"""Rows of an assessment file as one cleaned stream: no missing code and no half-known score gets into a mean."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ValueNotAllowedError
from fastml.io.arrays import as_arrow
from fastml.io.columns import as_floats, check_numeric
from fastml.io.in_memory import Source
from fastml.io.source import open_source
from fastml.survey.columns import Roles

__all__ = ["CleanRows", "check_codes", "open_rows"]

Floats = npt.NDArray[np.float64]

# What assessments write for a missing answer to a question of few categories, where it may be a score elsewhere.
_DOUBTFUL = (9.0, 99.0)


@dataclass
class CleanRows:
    """A cleaned stream; it can be read once.

    Attributes
    ----------
    schema : pyarrow.Schema
    batches : iterator of pyarrow.RecordBatch
        Keys, total weight, school weight (as `Roles.group_weight_name`), zone and half, plausible values as float64
        (a row lacking one of an outcome lacks all of them), replicates.
    outcomes : dict of str to list of str
        Outcome to the columns here of its plausible values. A column of several outcomes is there once for each: which
        rows lack a value depends on the others of its outcome.
    recoded, partial : dict of str to int
        Values taken for missing codes, and rows with some but not all values, by outcome; counted while reading.
    largest : dict of str to float
        Largest value of each score that is measured once; infinite where one isn't a whole number.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    outcomes: dict[str, list[str]]
    recoded: dict[str, int] = field(default_factory=dict)
    partial: dict[str, int] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)

    def notes(self, outcome: str) -> list[str]:
        """What was seen while reading; it concerns all parts of the data together."""
        found = []
        if self.recoded.get(outcome):
            found.append(f"missing codes among the scores of all the data: {self.recoded[outcome]:,}")
        if self.partial.get(outcome):
            found.append(f"rows of all the data that lack a plausible value, left out: {self.partial[outcome]:,}")
        return found


def open_rows(data: Any, roles: Roles, missing: tuple[float, ...]) -> CleanRows:
    """Open the data as one cleaned stream.

    Parameters
    ----------
    data : anything `open_source` takes
    roles : Roles
    missing : tuple of float
        Codes that are no score.

    Returns
    -------
    CleanRows

    Raises
    ------
    ColumnTypeError
        A score or a weight isn't numeric.
    """
    keys = list(dict.fromkeys([*roles.keys, *(name for name in (roles.zone, roles.half) if name)]))
    weights = [roles.weight, *roles.replicates]
    source = open_source(data, [*keys, *weights, *roles.group_weight, *roles.values])
    for role, names in (("outcome", roles.values), ("weights", weights), ("group_weights", roles.group_weight)):
        for name in names:
            check_numeric(role, source.schema.field(name))
    product = [roles.group_weight_name] if roles.group_weight else []
    outcomes: dict[str, list[str]] = {}
    seen: set[str] = set()
    for outcome, columns in roles.outcomes.items():
        outcomes[outcome] = [f"{name} (of {outcome})" if name in seen else name for name in columns]
        seen.update(columns)
    numbers = dict.fromkeys([*weights, *product, *(name for names in outcomes.values() for name in names)])
    schema = pa.schema([*map(source.schema.field, keys), *(pa.field(name, pa.float64()) for name in numbers)])
    rows = CleanRows(schema, iter(()), outcomes)
    rows.batches = _clean(source, roles, np.array(sorted(missing)), rows)
    return rows


def check_codes(rows: CleanRows) -> None:
    """Refuse a score of whole numbers up to 9 or 99, once all is read: those may mean a missing answer.

    Parameters
    ----------
    rows : CleanRows

    Raises
    ------
    ValueNotAllowedError
    """
    for outcome, largest in rows.largest.items():
        if largest in _DOUBTFUL:
            raise ValueNotAllowedError(
                f"column {outcome!r} has whole numbers up to {largest:g}, which assessments write for a missing "
                f"answer; say missing={largest:g} (and any other code) if it is one here, missing=() if it is a score"
            )


def _clean(source: Source, roles: Roles, codes: Floats, rows: CleanRows) -> Iterator[pa.RecordBatch]:
    for batch in source.batches:
        columns: dict[str, Any] = {name: batch.column(name) for name in rows.schema.names if name in batch.schema.names}
        for outcome, values in roles.outcomes.items():
            scores = [as_floats(batch.column(name)) for name in values]
            for name, score in zip(rows.outcomes[outcome], _clean_outcome(outcome, scores, codes, rows), strict=True):
                columns[name] = as_arrow(score)
        if len(roles.group_weight) > 1:
            factors = [as_floats(batch.column(name)) for name in roles.group_weight]
            columns[roles.group_weight_name] = as_arrow(np.prod(factors, axis=0))
        arrays = [columns[f.name].cast(f.type) if columns[f.name].type != f.type else columns[f.name]
                  for f in rows.schema]  # fmt: skip
        yield pa.RecordBatch.from_arrays(arrays, schema=rows.schema)


def _clean_outcome(outcome: str, scores: list[Floats], codes: Floats, rows: CleanRows) -> list[Floats]:
    """Make missing codes missing, and a row that lacks one plausible value lack all."""
    for k, score in enumerate(scores):
        if len(codes) and np.fmax.reduce(score, initial=-math.inf) >= codes[0]:
            is_code = np.isin(score, codes)
            if is_code.any():
                rows.recoded[outcome] = rows.recoded.get(outcome, 0) + int(is_code.sum())
                scores[k] = np.where(is_code, np.nan, score)
    if len(scores) == 1:
        rows.largest[outcome] = max(rows.largest.get(outcome, -math.inf), _largest_whole(scores[0]))
    missing = [np.isnan(score) for score in scores]
    some, every = np.logical_or.reduce(missing), np.logical_and.reduce(missing)
    if (some != every).any():
        rows.partial[outcome] = rows.partial.get(outcome, 0) + int((some & ~every).sum())
        scores = [np.where(some, np.nan, score) for score in scores]
    return scores


def _largest_whole(score: Floats) -> float:
    """The largest value; infinity where any isn't a whole number."""
    known = score[~np.isnan(score)]
    if len(known) and (known != np.floor(known)).any():
        return math.inf
    return float(known.max(initial=-math.inf))
