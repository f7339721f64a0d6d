"""Files of several countries whose school ids start again in each: noticed where a fit doesn't name the country."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace

import pyarrow as pa

from fastml.designs import BY_NAME
from fastml.errors import FastmlError
from fastml.io.column_finder import ColumnFinder
from fastml.io.discovery import is_path
from fastml.io.plain_arrays import plain_array
from fastml.io.source import Input, open_source
from fastml.reduce.lazy_frames import is_lazy

__all__ = ["country_column", "tell_countries"]


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
    names = [finder.find([name]) for design in BY_NAME.values() for name in design.country]
    found = [name for name in dict.fromkeys(names) if name]
    if any(name in named for name in found):
        return None
    return next((name for name in found if _has_several(given, name)), None)


def _has_several(given: Input, column: str) -> bool:
    seen: set[object] = set()
    for batch in open_source(replace(given, progress=False), [column], [column]).batches:
        labels = plain_array(batch.column(column)).unique().to_pylist()
        seen.update(label for label in labels if label is not None and label == label)  # NaN is none
        if len(seen) > 1:
            return True
    return False


def tell_countries(given: Input, named: Collection[str]) -> None:
    """Give notice of such a column of data that can be read again.

    Parameters
    ----------
    given : Input
    named : collection of str
    """
    data = given.data
    held = isinstance(data, (Mapping, pa.Table, pa.RecordBatch)) or type(data).__name__ == "DataFrame"
    column = None
    if is_path(data) or (held and not is_lazy(data)):
        with suppress(FastmlError, pa.ArrowException, TypeError):  # a column that nobody asked for may be of anything
            column = country_column(given, named)
    if column:
        warnings.warn(
            f"column {column!r} has several countries, and school ids may start again in each: name it as "
            f"by={column!r} for a fit of each, or in the group (group={column!r}) to keep their schools apart",
            stacklevel=3,
        )
