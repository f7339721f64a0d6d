"""Files of several countries whose school ids start again in each: noticed where a fit doesn't name the country."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import replace

import pyarrow as pa

from fastml.designs import BY_NAME
from fastml.errors import FastmlError
from fastml.io.arrays import without_blanks
from fastml.io.column_finder import ColumnFinder
from fastml.io.conditions import AllOf, Column, Comparison, Condition
from fastml.io.csv_options import csv_options
from fastml.io.csv_values import MISSING_NUMBERS
from fastml.io.discovery import is_path
from fastml.io.filters import Filter, as_filter
from fastml.io.plain_arrays import plain_array
from fastml.io.source import Input, open_source
from fastml.reduce.lazy_frames import is_lazy

__all__ = ["country_column", "tell_countries"]

_USUAL_NAMES = tuple(dict.fromkeys(name for design in BY_NAME.values() for name in design.country))
_NAMIBIA = "NA"
_MISSING = {None, *MISSING_NUMBERS} - {_NAMIBIA}
_NUMBER = re.compile(r"-?\d+(\.\d*)?")
_ROWS = 1 << 16  # that are looked at together


def country_column(given: Input, named: Collection[str]) -> str | None:
    """Find a column of countries, by the name that a study gives it, that has several values and is not named.

    Parameters
    ----------
    given : Input
        With the filter of the call: what it leaves counts.
    named : collection of str
        Columns of the call's groups and parts.

    Returns
    -------
    str or None
    """
    finder = ColumnFinder(given)
    names = [finder.find([name]) for name in _USUAL_NAMES]
    found = [name for name in dict.fromkeys(names) if name]
    if any(name in named for name in found):
        return None
    return next((name for name in found if _has_several(given, name)), None)


def _has_several(given: Input, column: str) -> bool:
    with closing(_labels(given, column)) as labels:
        one = next((label for label in labels if label != _NAMIBIA), None)
    if one is None:
        return False
    found_namibia = False
    with closing(_labels(_without(given, column, one), column)) as labels:
        for other in labels:
            if other not in (one, _NAMIBIA):
                return True
            found_namibia |= other == _NAMIBIA
    return found_namibia and not _NUMBER.fullmatch(str(one))  # among numbers R writes a missing one so


def _labels(given: Input, column: str) -> Generator[object, None, None]:
    """The values of a column, some of them several times, none of them missing."""
    if is_path(given.data):
        # As texts, so that a text file is not read for what its ids are, before the first row is handed on.
        options = csv_options(given.csv_options)
        given = replace(given, csv_options=replace(options, types={**options.types, column: "string"}))
    with closing(open_source(replace(given, progress=False), [column], [column]).batches) as batches:
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS):
                labels = without_blanks(plain_array(batch.column(column).slice(start, _ROWS)).unique()).to_pylist()
                yield from (label for label in labels if label not in _MISSING and label == label)  # NaN is none


def _without(given: Input, column: str, label: object) -> Input:
    """The rows that have another label; of files whose statistics tell, most are never read."""
    if not isinstance(label, (str, int, float)):
        return given
    other: Condition = Comparison(Column(column), "<>", label)
    if given.filter is not None:
        asked = as_filter(given.filter).condition
        if not isinstance(asked, Condition):
            return given
        other = AllOf((asked, other))
    return replace(given, filter=Filter("another country", other))


def tell_countries(given: Input, named: Collection[str]) -> None:
    """Give notice of such a column of data that can be read again, to who calls the caller's caller.

    Parameters
    ----------
    given : Input
    named : collection of str
    """
    data = given.data
    held = isinstance(data, (Mapping, pa.Table, pa.RecordBatch)) or type(data).__name__ == "DataFrame"
    column = None
    if is_path(data) or (held and not is_lazy(data)):
        # A column that nobody asked for may be of anything.
        with suppress(FastmlError, pa.ArrowException, TypeError, OSError):
            column = country_column(given, named)
    if column:
        warnings.warn(
            f"column {column!r} has several countries, and school ids may start again in each: name it as "
            f"by={column!r} of fit_by for a fit of each, or in the group (group={column!r} beside the others) to keep "
            "their schools apart",
            stacklevel=4,
        )
