"""Python objects of one kind are a column; of several they are refused, never made one."""

from __future__ import annotations

import datetime
import enum
import itertools
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastml
from fastml import FastmlError
from fastml.io.python_values import check_objects

UTC, EAST = datetime.UTC, datetime.timezone(datetime.timedelta(hours=3))
DAY, NOON = datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 12)


class Colour(enum.StrEnum):
    RED = "red"


KINDS: dict[str, list[Any]] = {
    "numbers": [3, 3.5, np.int64(3), np.float32(2.5), Decimal("1.5"), 2**70],
    "true and false": [True, np.bool_(False)],
    "text": ["a", np.str_("b"), Colour.RED],
    "bytes": [b"a", bytearray(b"b"), np.bytes_(b"c")],
    "dates": [DAY],
    "times": [NOON, pd.Timestamp(NOON), np.datetime64("2020-01-01T08"), np.datetime64("2020-01-01")],
    "times with a zone": [NOON.replace(tzinfo=UTC), pd.Timestamp(NOON, tz="Europe/Berlin")],
    "times of day": [datetime.time(8)],
    "durations": [datetime.timedelta(1), pd.Timedelta("2D"), np.timedelta64(1, "D")],
    "values of type UUID": [uuid.UUID(int=1)],
    "values of type list": [[1]],
}
MISSING = [None, float("nan"), pd.NaT, pd.NA, np.float64("nan")]


def test_values_of_two_kinds_are_refused_by_name() -> None:
    for (one, some), (other, others) in itertools.permutations(KINDS.items(), 2):
        for a, b in itertools.product(some, others):
            with pytest.raises(
                FastmlError, match=rf"column 'id' can't be read as one Arrow type \({one} and {other}: "
            ):
                check_objects([None, a, a, float("nan"), b], "id")


def test_values_of_one_kind_and_missing_ones_are_a_column() -> None:
    for values in KINDS.values():
        for several in (values, [*MISSING, *values], values + MISSING, []):
            check_objects(several, "id")
    check_objects(MISSING, "id")
    with pytest.raises(FastmlError, match="times of day with a zone, which Arrow has no type for"):
        check_objects([datetime.time(8, tzinfo=UTC), datetime.time(8, tzinfo=EAST)], "id")


def objects(values: list[Any]) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = values
    return made


MIXTURES = {
    "a date and a time": [DAY, NOON], "a time and a date": [NOON, DAY], "naive and aware": [NOON, NOON.replace(tzinfo=UTC)],
    "text and bytes": ["a", b"a"], "a number and a date": [18262, DAY], "a number and a time of day": [0, datetime.time()],
    "true and three": [np.bool_(True), 3], "a fraction and true": [1.5, True], "numbers and times of NumPy": [np.int64(1), np.datetime64("2020")],
}  # fmt: skip


@pytest.mark.parametrize("values", MIXTURES.values(), ids=MIXTURES)
def test_no_form_merges_them(values: list[Any]) -> None:
    y = [1.0, 2.0]
    forms = [
        {"y": y, "id": values}, {"y": y, "id": tuple(values)}, {"y": y, "id": objects(values)},
        {"y": y, "id": pd.Series(values, dtype=object)}, {"y": y, "id": pd.Index(values, dtype=object)},
        pd.DataFrame({"y": y, "id": pd.Series(values, dtype=object)}),
        {"y": y, "id": np.ma.masked_array(objects(values), [False, False])},
        pd.DataFrame({"y": y, "id": pd.Categorical.from_codes([0, 1], pd.Index(values, dtype=object))}),
    ]  # fmt: skip
    for data in forms:
        with pytest.raises(FastmlError, match="column 'id' can't be read as one Arrow type"):
            fastml.group_stats(data, "y", "id")
    with pytest.raises(FastmlError, match="can't be read as one Arrow type"):
        fastml.GroupStats.from_summary(group=values, n=[2, 3], mean=[1.0, 2.0], sd=[1.0, 1.0])


def test_masked_objects_are_missing() -> None:
    ids = np.ma.masked_array(objects(["a", DAY, "b"]), [False, True, False])
    assert fastml.group_stats({"y": [1.0, 2.0, 3.0], "id": ids}, "y", "id").keys["id"].to_pylist() == ["a", "b", None]


def test_one_instant_in_two_zones_is_one_label() -> None:
    ids = [NOON.replace(tzinfo=UTC), (NOON + datetime.timedelta(hours=3)).replace(tzinfo=EAST)]
    assert fastml.group_stats({"y": [1.0, 2.0], "id": ids}, "y", "id").groups().n.tolist() == [2]


@pytest.mark.parametrize("column", [{0: 1.0, 1: 2.0}, {1.0, 2.0}, frozenset([1.0]), pd.Series([1.0, 2.0]).to_dict()],
                         ids=["dict", "set", "frozenset", "to_dict"])  # fmt: skip
def test_what_has_no_rows_is_no_column(column: Any) -> None:
    kind = type(column).__name__
    with pytest.raises(FastmlError, match=rf"column 'y' is a {kind}, whose values have no rows; a column is an array"):
        fastml.fit({"y": column, "id": [1, 2]}, "y", "id")


def test_objects_of_polars_are_refused_in_every_place() -> None:
    made = pl.Series("o", [object(), object()], dtype=pl.Object)
    frame = pl.DataFrame({"o": made, "y": [1.0, 2.0], "id": [1, 2]})
    for data, outcome, group in (
        ({"o": made, "id": [1, 2]}, "o", "id"), ({"o": made, "y": [1, 2]}, "y", "o"), (frame, "o", "id"), (frame, "y", "o"),
        (frame.lazy(), "o", "id"), (frame.lazy(), "y", "o"),
    ):  # fmt: skip
        with pytest.raises(FastmlError, match=r"column 'o' .*(holds Python objects|has type Object)"):
            fastml.group_stats(data, outcome, group)
    assert len(fastml.group_stats(frame, "y", "id")) == 2


SCHEMA = pa.schema({"y": pa.float64(), "id": pa.int64()})
BROKEN = {
    "another type": pa.record_batch({"y": [1.0], "id": ["a"]}), "another width": pa.record_batch({"y": [1.0], "id": pa.array([1], pa.int32())}),
    "without a column": pa.record_batch({"y": [1.0]}), "a column twice": pa.record_batch([[1.0], [1], [2]], ["y", "id", "id"]),
    "whole numbers": pa.record_batch({"y": [1], "id": [1]}),
}  # fmt: skip


@pytest.mark.parametrize("batch", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("condition", [None, "y > 0"])
def test_a_stream_keeps_what_its_schema_says(batch: pa.RecordBatch, first: bool, condition: str | None) -> None:
    good = pa.record_batch({"y": [1.0, 2.0], "id": [1, 1]})
    reader = pa.RecordBatchReader.from_batches(SCHEMA, iter([batch, good] if first else [good, batch]))
    with pytest.raises(
        FastmlError, match=r"says that column '(y|id)' has type \w+, but a batch has .*; make its batches"
    ):
        fastml.group_stats(reader, "y", "id", filter=condition)
    others = pa.record_batch({"z": [0], "id": [2], "y": [5.0]})  # columns in another order, and more of them, are fine
    reader = pa.RecordBatchReader.from_batches(SCHEMA, iter([good, others]))
    assert fastml.group_stats(reader, "y", "id").groups().n.tolist() == [2, 1]
