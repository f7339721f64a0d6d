"""Rows of an assessment file as one cleaned stream: no missing code and no incomplete score gets into a mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import FastmlError, ValueNotAllowedError
from fastml.groupstats.statistics import GroupStats
from fastml.io.arrays import as_arrow, without_blanks
from fastml.io.columns import as_floats, check_numeric, check_whole
from fastml.io.in_memory import Source
from fastml.io.origins import origin_in_memory
from fastml.io.plain_arrays import plain_array
from fastml.io.source import open_source
from fastml.reduce.lazy_frames import is_lazy
from fastml.reduce.missing_codes import Seen, as_argument, codes_of_weights, in_words, look, without_codes
from fastml.survey.columns import SurveyColumns

__all__ = ["CleanRows", "check_codes", "check_ends", "check_has_rows", "open_rows"]

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
        Labels, weights and school weight (as `SurveyColumns.group_weight_name`), plausible values; all but labels as
        float64. A row that lacks one plausible value of an outcome lacks all of them.
    columns : SurveyColumns
        Those of the stream. A column of several outcomes is there once for each: which rows lack a value depends on
        the others of its outcome.
    recoded, partial : dict of str to int
        Values taken for missing codes, and rows with some but not all values, by outcome; counted while reading.
    largest : dict of str to float
        Largest value of each score that is measured once; infinite where one isn't a whole number.
    seen : dict of str to Seen
        What looks like a code in every column of numbers.
    digests : callable
        Of the files that were read, once they have been; of data in memory one that no other call has.
    files : tuple of str
        Names of the files; none of data in memory.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    columns: SurveyColumns
    recoded: dict[str, int] = field(default_factory=dict)
    partial: dict[str, int] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    digests: Callable[[], tuple[str, ...]] = tuple
    files: tuple[str, ...] = ()

    def look(self, column: str, values: Floats) -> Floats:
        """Look at values of a column for codes, and return them."""
        self.seen[column] = self.seen.get(column, Seen()) + look(values)
        return values

    def notes(self, outcome: str) -> list[str]:
        """What was seen while reading; it concerns all parts of the data together."""
        found = []
        if self.recoded.get(outcome):
            found.append(f"missing codes among the scores of all the data: {self.recoded[outcome]:,}")
        if self.partial.get(outcome):
            found.append(f"rows of all the data that lack a plausible value, left out: {self.partial[outcome]:,}")
        return found


def check_has_rows(data: Any) -> Any:
    """The data; a FastmlError where they hold no rows of students, or not yet."""
    if isinstance(data, GroupStats):
        raise FastmlError("fit_survey needs rows of students, and these are statistics of groups; use fit or fit_by")
    if is_lazy(data) and not hasattr(data, "__arrow_c_stream__"):
        raise FastmlError(
            f"fit_survey reads rows, which a {type(data).__module__.partition('.')[0]} {type(data).__name__} doesn't "
            "hold yet: collect the columns it needs first, or give the path of the files"
        )
    return data


def open_rows(
    data: Any, columns: SurveyColumns, missing: tuple[float, ...], named: tuple[float, ...] = ()
) -> CleanRows:
    """Open the data as one cleaned stream.

    Parameters
    ----------
    data : anything `open_source` takes
    columns : SurveyColumns
    missing : tuple of float
        Codes that are no score.
    named : tuple of float
        Those of them that the call names, which may be no weight either.

    Returns
    -------
    CleanRows

    Raises
    ------
    ColumnTypeError
        A score or a weight isn't numeric.
    """
    to_read = [*columns.labels, *columns.weights, *columns.group_weight, *columns.values]
    source = open_source(data, to_read, columns.keys)
    for use, names in (
        ("outcome", columns.values), ("weights", columns.weights), ("group_weights", columns.group_weight)
    ):  # fmt: skip
        for name in names:
            check_numeric(use, source.schema.field(name))
    outcomes: dict[str, list[str]] = {}
    seen: set[str] = set()
    for outcome, values in columns.outcomes.items():
        outcomes[outcome] = [f"{name} (of {outcome})" if name in seen else name for name in values]
        seen.update(values)
    cleaned = replace(columns, outcomes=outcomes)
    product = [columns.group_weight_name] if columns.group_weight else []
    numbers = dict.fromkeys([*columns.weights, *product, *cleaned.values])
    labels = map(source.schema.field, columns.labels)
    schema = pa.schema([*labels, *(pa.field(name, pa.float64()) for name in numbers)])
    rows = CleanRows(schema, iter(()), cleaned, digests=partial(_digests, source), files=source.files)
    rows.batches = _clean(source, columns, np.array(sorted(missing)), codes_of_weights(named), rows)
    return rows


def _digests(source: Source) -> tuple[str, ...]:
    origins = (origin_in_memory(source.name, 0),) if source.origins is None else source.origins("")
    return tuple(origin.digest for origin in origins)


def check_codes(seen: Mapping[str, Seen], missing: tuple[float, ...] | None, weights: Collection[str] = ()) -> None:
    """Refuse what looks like a code of a missing answer and is not named, unless it is said that there is none.

    Parameters
    ----------
    seen : mapping
        Column to what was seen in it.
    missing : tuple of float or None
        The call's codes.
    weights : collection of str
        Those of the columns that hold weights.
    """
    if missing == ():
        return
    for column, found in seen.items():
        codes = found.apart(weight=column in weights)
        if codes:
            named = as_argument([*(missing or ()), *codes])
            raise ValueNotAllowedError(
                f"{in_words(column, codes)}; assessments write so for a missing answer: say {named} if they are such, "
                "missing=() if they are values like others"
            )


def check_ends(rows: CleanRows) -> None:
    """Refuse a score of whole numbers up to 9 or 99, once all is read: those may mean a missing answer."""
    for outcome, largest in rows.largest.items():
        several = any(len(rows.seen[name].apart()) > 1 for name in rows.columns.outcomes[outcome] if name in rows.seen)
        if largest in _DOUBTFUL and not several:
            raise ValueNotAllowedError(
                f"column {outcome!r} has whole numbers up to {largest:g}, which assessments write for a missing "
                f"answer; say missing={largest:g} (and any other code) if it is one here, missing=() if it is a score"
            )


def _clean(
    source: Source, columns: SurveyColumns, codes: Floats, of_weights: tuple[float, ...], rows: CleanRows
) -> Iterator[pa.RecordBatch]:
    def weights(batch: pa.RecordBatch, name: str) -> Floats:
        return rows.look(name, without_codes(as_floats(batch.column(name)), of_weights))

    for batch in source.batches:
        arrays: dict[str, Any] = {name: batch.column(name) for name in rows.schema.names if name in batch.schema.names}
        for outcome, values in columns.outcomes.items():
            scores = _clean_outcome(outcome, [as_floats(batch.column(name)) for name in values], codes, rows)
            for name, score in zip(values, scores, strict=True):
                check_whole(name, batch.column(name), score)
            if len(values) == 1:  # plausible values are drawn, and have no codes but the design's
                rows.look(values[0], scores[0])
            arrays |= zip(rows.columns.outcomes[outcome], map(as_arrow, scores), strict=True)
        arrays[columns.weight] = as_arrow(weights(batch, columns.weight))
        if columns.group_weight:
            factors = [weights(batch, name) for name in columns.group_weight]
            arrays[columns.group_weight_name] = as_arrow(_school_weight(factors, batch.column(columns.group)))
        cast = [arrays[f.name].cast(f.type) if arrays[f.name].type != f.type else arrays[f.name] for f in rows.schema]
        yield pa.RecordBatch.from_arrays(cast, schema=rows.schema)


def _school_weight(factors: list[Floats], ids: pa.Array) -> Floats:
    """Their product; 1 where there is no school to have a weight, so that its students keep theirs."""
    weight: Floats = np.prod(factors, axis=0)
    nameless = np.asarray(without_blanks(plain_array(ids)).is_null(nan_is_null=True))
    return np.where(nameless & np.isnan(weight), 1.0, weight)


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
    given = score[~np.isnan(score)]
    if (given != np.floor(given)).any():
        return math.inf
    return float(given.max(initial=-math.inf))
