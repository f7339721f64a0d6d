"""Columns of Python objects: of one kind, or refused. Arrow would make one of a date and a time, of text and bytes."""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastml.errors import SourceError

__all__ = ["check_objects"]

_MISSING = "nothing"
_NUMBERS = "numbers"

# The first that a type is of: a bool is an int, and a datetime a date.
_KINDS: list[tuple[tuple[type, ...], str]] = [
    ((bool, np.bool_), "true and false"),
    ((np.timedelta64, datetime.timedelta), "durations"),  # NumPy's is a number too
    ((numbers.Number, np.number), _NUMBERS),
    ((str,), "text"),
    ((bytes, bytearray, memoryview), "bytes"),
    ((datetime.datetime, np.datetime64), "times"),
    ((datetime.date,), "dates"),
    ((datetime.time,), "times of day"),
]


def check_objects(values: Iterable[Any], column: str) -> None:
    """Refuse a column whose values are of several kinds; None, NaN, NaT and NA are of none.

    Parameters
    ----------
    values : iterable
        Python objects.
    column : str

    Raises
    ------
    SourceError
        It names two values of different kinds.
    """
    kind_of = {one: _kind(one) for one in set(map(type, values))}
    kinds = set(kind_of.values()) - {_MISSING}
    if len(kinds) <= 1 and not kinds & {"times", "times of day"}:
        return
    seen: dict[str, Any] = {}
    for value in values:
        kind = kind_of[type(value)]
        if kind == _MISSING or (kind == _NUMBERS and value != value):
            continue
        if kind in ("times", "times of day") and getattr(value, "tzinfo", None) is not None:
            kind += " with a zone"
        seen.setdefault(kind, value)
        if len(seen) > 1:
            (one, first), (other, second) = seen.items()
            raise SourceError(
                f"column {column!r} can't be read as one Arrow type ({one} and {other}: {first!r}, {second!r}); "
                "give all its values one type"
            )
    if "times of day with a zone" in seen:
        raise SourceError(f"column {column!r} holds times of day with a zone, which Arrow has no type for; give texts")


def _kind(one: type) -> str:
    if one is type(None) or (one.__module__.startswith("pandas.") and one.__name__ in ("NaTType", "NAType")):
        return _MISSING
    for types, kind in _KINDS:
        if issubclass(one, types):
            return kind
    return f"values of type {one.__name__}"
