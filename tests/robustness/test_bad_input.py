"""What comes of input nobody looked at: a table of cases, each with its exact outcome.

An outcome is the figures of a fit, or the class of an error and what its one line must say.
"""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from conftest import fewer

import fastml
from fastml.errors import (
    ArgumentError,
    ColumnNotFoundError,
    ColumnsMissingError,
    ColumnTypeError,
    FastmlError,
    FilterError,
    FormulaError,
    MergeError,
    ModelError,
    NotANumberError,
    RangeError,
    SourceError,
    ValueNotAllowedError,
    WeightVariesError,
)

NAN, INF = math.nan, math.inf
Y, ID = [1.0, 2.0, 4.0, 8.0], [1, 1, 2, 2]
W, V = [1.0, 2.0, 1.0, 2.0], [2.0, 2.0, 3.0, 3.0]
ROWS = {"y": Y, "id": ID, "w": W, "v": V}


@dataclass(frozen=True)
class Figures:
    """n_obs, n_groups, gamma00, tau00, sigma2 of a fit, and how many rows were dropped."""

    n_obs: int
    n_groups: int
    gamma00: float
    tau00: float
    sigma2: float
    dropped: int = 0


PLAIN = Figures(4, 2, 3.75, 8.0, 4.25)
ONE_LOST = Figures(3, 2, 3.9, 6.5, 8.0, 1)  # of Y without its second value
WEIGHTED = Figures(4, 2, 14 / 3, 34 / 9, 40 / 9)


def table(y: Any = Y, group: Any = ID) -> pa.Table:
    return pa.table({"y": y, "id": group})


def fit(data: Any, outcome: Any = "y", group: Any = "id", **options: Any) -> Any:
    return fastml.fit(data, outcome, group, **options)


def of(y: Any, group: Any = ID, **options: Any) -> Any:
    """Fit of plain doubles."""
    return fit({"y": np.array(y, float), "id": np.asarray(group)}, **options)


def named(name: str) -> Any:
    """Fit, save, read and print with an outcome of this name, then with a group column of it."""
    import tempfile

    figures = set()
    for data, outcome, group in (({name: Y, "id": ID}, name, "id"), ({"y": Y, name: ID}, "y", name)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "s.parquet"
            fastml.group_stats(data, outcome, group).write(path)
            made = fastml.fit(path)
        for form in (made.__str__, made.to_json, made.to_html, made.to_latex, made.to_csv, made.to_markdown):
            assert form()
        assert len(made.groups()) == 2
        assert (made.outcome, made.group) == (outcome, (group,))
        figures.add((made.n_obs, made.n_groups, made.gamma00, made.tau00, made.sigma2))
    assert len(figures) == 1
    return made


def extension(storage: pa.DataType, values: Any, kind: pa.DataType) -> pa.Array:
    return pa.ExtensionArray.from_storage(kind, pa.array(values, storage))


def frame(y: Any = Y, group: Any = ID) -> pd.DataFrame:
    return pd.DataFrame({"y": y, "id": group})


def objects(*values: Any) -> pd.Series:
    return pd.Series(values, dtype=object)


def halves(one: Any, other: Any) -> list[Any]:
    return [one, one, other, other]


DAY, OTHER_DAY = dt.date(2020, 1, 1), dt.date(2021, 1, 1)
MOMENT = dt.datetime(2020, 1, 1)

UNION = pa.UnionArray.from_dense(
    pa.array([0, 1, 0, 1], pa.int8()), pa.array([0, 0, 1, 1], pa.int32()), [pa.array([1, 2]), pa.array(["a", "b"])]
)

not_numeric = (ColumnTypeError, r"outcome column 'y' has type .*; it must be numeric")
digits = (ColumnTypeError, r"outcome column 'y' has type .*string.*digits in strings are not taken for numbers")
not_one_type = (SourceError, r"column 'y' can't be read as one Arrow type")
no_label = (ColumnTypeError, r"group column 'id' has type .*; use a column of numbers, strings or dates")
one_group = (ModelError, r"there is one group only")
nothing = (ModelError, r"there are no observations to fit")
constant_inside = (ModelError, r"constant inside every group")
too_large = (ModelError, r"too large for double precision; divide the outcome by a constant")
too_small = (ModelError, r"too small to square .*; multiply it by a constant")
too_apart = (ModelError, r"differs so much more between groups than within")

LONG = fewer(10**6, times=100)  # letters of an id

TYPES = [
    # numbers
    ("int8", lambda: fit(table(pa.array([1, 2, 4, 8], pa.int8()))), PLAIN),
    ("uint64 past int64", lambda: fit(table(pa.array([2**63 + 2048 * k for k in (1, 2, 4, 8)], pa.uint64()))),
     Figures(4, 2, 2.0**63 + 7680, 8.0 * 2**22, 4.25 * 2**22)),
    ("float16", lambda: fit(table(pa.array(np.array(Y, np.float16)))), PLAIN),
    ("NumPy float16", lambda: fit({"y": np.array(Y, np.float16), "id": ID}), PLAIN),
    ("float32", lambda: fit(table(pa.array(Y, pa.float32()))), PLAIN),
    ("decimal", lambda: fit(table(pa.array([Decimal(1), Decimal(2), Decimal(4), Decimal(8)], pa.decimal128(9, 2)))), PLAIN),
    ("decimal256", lambda: fit(table(pa.array([Decimal(1), Decimal(2), Decimal(4), Decimal(8)], pa.decimal256(50, 1)))), PLAIN),
    ("Decimal objects", lambda: fit(frame(objects(Decimal("1"), Decimal(2), Decimal(4), Decimal("8.00")))), PLAIN),
    ("Decimal NaN is missing", lambda: fit(frame(objects(Decimal(1), Decimal("NaN"), Decimal(4), Decimal(8)))), ONE_LOST),
    ("Decimal and float", lambda: fit(frame(objects(Decimal(1), 2.0, 4.0, 8.0))), not_one_type),
    ("booleans are 0 and 1", lambda: fit(table([True, False, True, True])), Figures(4, 2, 0.75, 0.0, 0.25)),
    ("NumPy booleans", lambda: fit({"y": np.array([1, 0, 1, 1], bool), "id": ID}), Figures(4, 2, 0.75, 0.0, 0.25)),
    ("boolean objects and None", lambda: fit(frame(objects(True, False, True, None))), Figures(3, 2, 2 / 3, 0.0, 1 / 3, 1)),
    ("pandas boolean and NA", lambda: fit(frame(pd.array([True, False, None, True], "boolean"))), Figures(3, 2, 2 / 3, 0.0, 1 / 3, 1)),
    ("pandas Int64 and NA", lambda: fit(frame(pd.array([1, None, 4, 8], "Int64"))), ONE_LOST),
    ("pandas Arrow float", lambda: fit(frame(pd.array(Y, pd.ArrowDtype(pa.float32())))), PLAIN),
    ("pandas sparse", lambda: fit(frame(pd.arrays.SparseArray(Y))), PLAIN),
    ("ints and floats as objects", lambda: fit(frame(objects(1, 2.0, 4, 8))), PLAIN),
    ("big endian", lambda: fit({"y": np.array(Y, ">f8"), "id": np.array(ID, ">i2")}), PLAIN),
    ("masked", lambda: fit({"y": np.ma.array(Y, mask=[0, 1, 0, 0]), "id": ID}), ONE_LOST),
    ("Polars decimal", lambda: fit(pl.DataFrame({"y": pl.Series(["1", "2", "4", "8"]).cast(pl.Decimal(10, 2)), "id": ID})), PLAIN),
    # no numbers
    ("strings of digits", lambda: fit(table(["1", "2", "4", "8"])), digits),
    ("large strings of digits", lambda: fit(table(pa.array(["1", "2", "4", "8"], pa.large_string()))), digits),
    ("string views of digits", lambda: fit(table(pa.array(["1", "2", "4", "8"], pa.string_view()))), digits),
    ("NumPy strings of digits", lambda: fit({"y": np.array(["1", "2", "4", "8"]), "id": ID}), digits),
    ("string objects of digits", lambda: fit(frame(objects("1", "2", "4", "8"))), digits),
    ("bytes of digits", lambda: fit(table([b"1", b"2", b"4", b"8"])), not_numeric),
    ("dictionary of strings", lambda: fit(table(pa.array(["1", "2", "4", "8"]).dictionary_encode())), (ColumnTypeError, "decode the categories to numbers first")),
    ("categories of numbers", lambda: fit(frame(pd.Categorical(Y))), (ColumnTypeError, "decode the categories to numbers first")),
    ("dates", lambda: fit(table([DAY] * 4)), not_numeric),
    ("timestamps", lambda: fit(table([MOMENT] * 4)), not_numeric),
    ("timestamps of a zone", lambda: fit(table(pa.array([MOMENT] * 4, pa.timestamp("us", "UTC")))), not_numeric),
    ("times", lambda: fit(table([dt.time(1)] * 4)), not_numeric),
    ("durations", lambda: fit(table([dt.timedelta(1)] * 4)), not_numeric),
    ("intervals", lambda: fit(table([pa.MonthDayNano([1, 2, 3])] * 4)), not_numeric),
    ("lists", lambda: fit(table([[1.0]] * 4)), not_numeric),
    ("lists of a fixed size", lambda: fit(table(pa.array([[1.0, 2.0]] * 4, pa.list_(pa.float64(), 2)))), not_numeric),
    ("structs", lambda: fit(table([{"a": 1}] * 4)), not_numeric),
    ("maps", lambda: fit(table(pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int64())))), not_numeric),
    ("unions", lambda: fit(table(UNION)), not_numeric),
    ("an extension type", lambda: fit(table(extension(pa.float64(), Y, pa.opaque(pa.float64(), "a", "b")))), not_numeric),
    ("complex", lambda: fit({"y": np.array(Y, complex), "id": ID}), not_one_type),
    ("long double", lambda: fit({"y": np.array(Y, np.longdouble), "id": ID}), not_one_type if np.longdouble(1).itemsize > 8 else PLAIN),
    ("records", lambda: fit({"y": np.zeros(4, [("a", float)]), "id": ID}), not_one_type),
    ("mixed objects", lambda: fit(frame(objects(1.0, "2", 4, 8))), not_one_type),
    ("a boolean among ints", lambda: fit(frame(objects(True, 2, 4, 8))), not_one_type),
    ("an int past 64 bits", lambda: fit(frame(objects(2**70, 2, 4, 8))), not_one_type),
    ("Polars objects", lambda: fit(pl.DataFrame({"y": pl.Series([object()] * 4, dtype=pl.Object), "id": ID})), (SourceError, "column 'y' of the polars DataFrame holds Python objects")),
    ("Polars Int128", lambda: fit(pl.DataFrame({"y": pl.Series([1, 2, 4, 8], dtype=pl.Int128), "id": ID})), (SourceError, r"column 'y' of the polars DataFrame can't be read")),
    ("all null", lambda: fit(table(pa.nulls(4))), nothing),
    ("Polars null", lambda: fit(pl.DataFrame({"y": [None] * 4, "id": ID})), nothing),
    ("None among floats", lambda: fit({"y": [1.0, None, 4.0, 8.0], "id": ID}), ONE_LOST),
    # group labels
    ("float16 ids", lambda: fit(table(Y, pa.array(np.array([1, 1, 2, 2], np.float16)))), PLAIN),
    ("decimal ids", lambda: fit(table(Y, halves(Decimal("1.00"), Decimal("2.00")))), PLAIN),
    ("decimal ids with a fraction", lambda: fit(table(Y, halves(Decimal("1.1"), Decimal("2.2")))), (ValueNotAllowedError, "group column 'id' has 1.1, which is no id")),
    ("boolean ids", lambda: fit(table(Y, halves(True, False))), PLAIN),
    ("uint64 ids past int64", lambda: fit(table(Y, pa.array(halves(2**64 - 1, 2**63), pa.uint64()))), PLAIN),
    ("ids at both ends of int64", lambda: fit(table(Y, halves(-(2**63), 2**63 - 1))), PLAIN),
    ("huge float ids", lambda: fit(table(Y, halves(1e300, -1e300))), PLAIN),
    ("denormal ids", lambda: fit(table(Y, halves(5e-324, 1e-310))), (ValueNotAllowedError, "group column 'id' has 5e-324, which is no id")),
    ("0.0 and -0.0 are one id", lambda: fit(table(Y, [0.0, -0.0, 1.0, 1.0])), PLAIN),
    ("every NaN id is missing", lambda: fit(table([*Y, 9.0, 9.0], [*map(float, ID), NAN, -NAN])), Figures(4, 2, 3.75, 8.0, 4.25, 2)),
    ("null ids", lambda: fit(table(Y, pa.nulls(4))), nothing),
    ("categories without rows", lambda: fit(frame(Y, pd.Categorical(ID, [0, 1, 2, 3]))), PLAIN),
    ("a missing category", lambda: fit(frame([*Y, 9.0], pd.Categorical([*ID, None]))), Figures(4, 2, 3.75, 8.0, 4.25, 1)),
    ("Polars enum", lambda: fit(pl.DataFrame({"y": Y, "id": pl.Series(halves("a", "b"), dtype=pl.Enum(["z", "a", "b"]))})), PLAIN),
    ("run-end encoded ids", lambda: fit(table(Y, pa.RunEndEncodedArray.from_arrays([2, 4], [1, 2]))), PLAIN),
    ("uuid ids", lambda: fit(table(Y, extension(pa.binary(16), halves(b"a" * 16, b"b" * 16), pa.uuid()))), PLAIN),
    ("extension ids", lambda: fit(table(Y, extension(pa.int64(), ID, pa.opaque(pa.int64(), "a", "b")))), PLAIN),
    ("period ids", lambda: fit(frame(Y, pd.period_range("2020", "2023", freq="Y")[[0, 0, 1, 1]])), PLAIN),
    ("date ids", lambda: fit(table(Y, halves(DAY, OTHER_DAY))), PLAIN),
    ("timestamps with a zone", lambda: fit(frame(Y, pd.to_datetime(halves("2020-01-01", "2021-01-01"), utc=True))), PLAIN),
    ("ids of bytes", lambda: fit(table(Y, halves(b"a", b""))), PLAIN),
    ("an empty string is no id", lambda: fit(table([*Y, 9.0, 9.0], [*halves("a", "b"), "", "   "])), Figures(4, 2, 3.75, 8.0, 4.25, 2)),
    ("a tab and a line break are ids", lambda: fit(table(Y, halves("\t", "\n"))), PLAIN),
    ("a NUL makes another id", lambda: fit(table(Y, halves("a\0", "a"))), PLAIN),
    ("accents composed and not are two ids", lambda: fit(table(Y, halves("é", "e\u0301"))), PLAIN),
    ("ids of a million letters", lambda: fit(table(Y, halves("x" * LONG, "x" * LONG + "y"))), PLAIN),
    ("ids of mixed types", lambda: fit(frame(Y, objects(1, "1", 2, "2"))), (SourceError, "column 'id' can't be read as one Arrow type")),
    ("ids past 64 bits", lambda: fit(frame(Y, objects(*halves(2**70, 4)))), (SourceError, "column 'id' can't be read as one Arrow type")),
    ("ids with a lone surrogate", lambda: fit({"y": Y, "id": ["\ud800"] * 4}), (SourceError, "column 'id' can't be read as one Arrow type")),
    ("list ids", lambda: fit(table(Y, halves([1], [2]))), no_label),
    ("struct ids", lambda: fit(table(Y, [{"a": 1}] * 4)), no_label),
    ("union ids", lambda: fit(table(Y, UNION)), no_label),
    ("a dictionary of lists", lambda: fit(table(Y, pa.DictionaryArray.from_arrays([0, 0, 1, 1], pa.array([[1], [2]])))), no_label),
    ("calendar intervals", lambda: fit(table(Y, halves(pa.MonthDayNano([1, 2, 3]), pa.MonthDayNano([1, 2, 4])))), no_label),
    ("pandas intervals", lambda: fit(frame(Y, pd.interval_range(0, 2)[[0, 0, 1, 1]])), no_label),
]  # fmt: skip

VALUES = [
    ("NaN is missing", lambda: of([1, NAN, 4, 8]), ONE_LOST),
    ("a group of NaN only", lambda: of([NAN, NAN, *Y], [0, 0, *ID]), Figures(4, 2, 3.75, 8.0, 4.25, 2)),
    ("NaN first", lambda: of([NAN, *Y], [1, *ID]), Figures(4, 2, 3.75, 8.0, 4.25, 1)),
    ("infinity", lambda: of([1, INF, 4, 8]), (ValueNotAllowedError, r"outcome column 'y' has inf in row 1 .*id 1\); recode it")),
    ("minus infinity", lambda: of([1, 2, -INF, 8]), (ValueNotAllowedError, r"has -inf in row 2 .*id 2\)")),
    ("infinity after NaN", lambda: of([NAN, 2, INF, 8]), (ValueNotAllowedError, r"has inf in row 2")),
    ("1e308", lambda: of([1e308, 2, 4, 8]), (ValueNotAllowedError, r"too large to square \(up to 1e\+308\); divide it by a constant")),
    ("1e154", lambda: of([1e154, 2e154, 4e154, 8e154]), (ValueNotAllowedError, r"'y' has values too large to square")),
    ("1e153", lambda: of([1e153, 2e153, 4e153, 8e153]), Figures(4, 2, 3.75e153, 8e306, 4.25e306)),
    ("one large value, the same everywhere", lambda: of([1e308] * 4), too_large),
    ("large values, constant inside", lambda: of(halves(1e308, -1e308)), too_large),
    ("means whose sum overflows", lambda: of([1.7e308] * 4 + [1, 2], [1, 1, 2, 2, 3, 3]), too_large),
    ("means whose squares overflow", lambda: of([k * 1e155 * (1 + i) for k in (1, -1, 3) for i in (0, 1e-9)], [1, 1, 2, 2, 3, 3]), too_large),
    ("1e-140", lambda: of([1e-140, 2e-140, 4e-140, 8e-140]), Figures(4, 2, 3.75e-140, 8e-280, 4.25e-280)),
    ("1e-160", lambda: of([1e-160, 2e-160, 4e-160, 8e-160]), too_small),
    ("1e-300", lambda: of([1e-300, 2e-300, 4e-300, 8e-300]), too_small),
    ("denormals", lambda: of([5e-324, 1e-323, 2e-323, 4e-323]), too_small),
    ("denormals among others", lambda: of([5e-324, 2, 4, 8]), Figures(4, 2, 3.5, 10.0, 5.0)),
    ("-0.0", lambda: of([-0.0, 0.0, 1, 2]), Figures(4, 2, 0.75, 1.0, 0.25)),
    ("zeros of both signs", lambda: of([-0.0, 0.0, 0.0, -0.0]), (ModelError, "the same value in every row")),
    ("constant", lambda: of([0.1] * 4), (ModelError, "the same value in every row")),
    ("constant inside", lambda: of(halves(0.1, 0.2)), constant_inside),
    ("constant in one group", lambda: of([1, 1, 2, 4]), Figures(4, 2, 2.0, 1.5, 1.0)),
    ("one unit in the last place", lambda: of([1, 1 + 2**-52, 1, 1]), Figures(4, 2, 1.0, 0.0, 2.0**-106)),
    ("an offset of 1e15", lambda: of([1e15 + 1, 1e15 + 2, 1e15 + 4, 1e15 + 8]), Figures(4, 2, 1e15 + 3.75, 8.0, 4.25)),
    ("means 1e10 apart, 1e-16 inside", lambda: of([1, 1 + 2**-52, 1e10, 1e10]), Figures(4, 2, 5000000000.5, 0.5 * (1e10 - 1) ** 2, 2.0**-106)),
    ("means 1e60 apart", lambda: of([1, 2, 1e60, 1e60]), too_apart),
    ("means 1e150 apart, 1e-16 inside", lambda: of([1, 1 + 2**-52, 1e150, 1e150]), too_apart),
    ("no difference between means", lambda: of([0, 1e150, 0, 1e150]), Figures(4, 2, 5e149, 0.0, 1e300 / 3)),
]  # fmt: skip

MILLION, MILLIONS = 1_000_000, 10_000_000

SHAPES = [
    ("no rows", lambda: of([], np.empty(0, int)), nothing),
    ("an empty data frame", lambda: fit(pd.DataFrame({"y": [], "id": []})), nothing),
    ("no batches", lambda: fit(pa.RecordBatchReader.from_batches(table().schema, [])), nothing),
    ("a reader already read", lambda: fit(consumed()), nothing),
    ("no columns", lambda: fit(pa.table({})), (ColumnNotFoundError, "'id' is not in the Arrow table, which has no columns")),
    ("an empty mapping", lambda: fit({}), (ColumnNotFoundError, "'id' is not in the dict of arrays, which has no columns")),
    ("one row", lambda: of([1], [1]), one_group),
    ("one group", lambda: of([1, 2, 3], [7, 7, 7]), one_group),
    ("two rows of two groups", lambda: of([1, 2], [1, 2]), (ModelError, "every one of the 2 groups has a single observation")),
    ("the least there can be", lambda: of([1, 2, 3], [1, 1, 2]), Figures(3, 2, 13 / 6, 0.75, 0.5)),
    ("two groups", lambda: of([1, 2, 5, 4]), Figures(4, 2, 3.0, 4.25, 0.5)),
    ("empty chunks", lambda: fit(pa.table({"y": pa.chunked_array([[], [1.0, 2.0], [], [4.0, 8.0]], pa.float64()), "id": pa.chunked_array([[1], [], [1, 2, 2]], pa.int64())})), PLAIN),
    ("a slice of a longer table", lambda: fit(table([9.0, *Y, 9.0], [9, *ID, 9]).slice(1, 4)), PLAIN),
    ("a million singletons", lambda: of(*singletons(0, MILLION)), (ModelError, rf"every one of the {fewer(MILLION):,} groups has a single observation, .*id of students")),
    ("a million singletons but one pair", lambda: of(*singletons(1, MILLION)), "singletons"),
    ("a group of ten million and one of one", lambda: of(*lopsided()), "lopsided"),
    ("columns of different length", lambda: fit({"y": Y, "id": [1, 2]}), (SourceError, r"differ in length: 'id' has 2, 'y' has 4 rows")),
    ("two dimensions", lambda: fit({"y": np.zeros((4, 1)), "id": ID}), (SourceError, "column 'y' has 2 dimensions")),
    ("no dimension", lambda: fit({"y": np.array(1.0), "id": ID}), (SourceError, "column 'y' has 0 dimensions")),
    ("a number for a column", lambda: fit({"y": 3.0, "id": ID}), (SourceError, "column 'y' is a single float")),
    ("a string for a column", lambda: fit({"y": "1248", "id": ID}), (SourceError, "column 'y' is a single str")),
    ("a series for a table", lambda: fit(pd.Series(Y)), (SourceError, "a Series is one column")),
    ("a Polars series", lambda: fit(pl.Series("y", Y)), (SourceError, "a Series is one column")),
    ("an array of rows", lambda: fit(np.ones((4, 2))), (SourceError, "an ndarray holds no named columns")),
    ("a list of rows", lambda: fit([(1.0, 2)]), (SourceError, "data of type list can't be read")),
    ("None", lambda: fit(None), (SourceError, "data of type NoneType can't be read")),
]  # fmt: skip


def consumed() -> pa.RecordBatchReader:
    reader = table().to_reader()
    list(reader)
    return reader


def singletons(pairs: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    size = fewer(groups)
    return np.arange(size + pairs, dtype=float), np.append(np.arange(size), np.arange(pairs))


def lopsided() -> tuple[np.ndarray, np.ndarray]:
    size = fewer(MILLIONS)
    return np.arange(size + 1) % 2.0, np.append(np.zeros(size, int), 1)


def check_singletons(made: Any) -> None:
    # Values 0, 1, ..., n - 1 are a group each; n joins 0 in its group. The within-group variance is n^2/2.
    n = fewer(MILLION)
    assert (made.n_obs, made.n_groups, made.tau00) == (n + 1, n, 0.0)
    assert made.gamma00 == pytest.approx(n / 2, rel=1e-12)
    assert made.sigma2 == pytest.approx((n + 1) * (n + 2) / 12, rel=1e-12)


def check_lopsided(made: Any) -> None:
    n = fewer(MILLIONS)
    assert (made.n_obs, made.n_groups, made.tau00) == (n + 1, 2, 0.0)
    assert made.gamma00 == pytest.approx(n / 2 / (n + 1), rel=1e-12)


def at_boundary() -> Any:
    """A weighted fit of equal means: tau00 is 0, and so is the sandwich of gamma00."""
    data = {"y": [0.0, -2.0, 2.0, 5.0, -5.0], "id": [1, 6, 6, 7, 7], "w": [1.0] * 5, "v": [1.0] * 5}
    return fit(data, weights="w", group_weights="v")


def check_boundary(made: Any) -> None:
    assert (made.gamma00, made.se_gamma00, made.tau00) == (0.0, 0.0, 0.0)
    assert math.isnan(made.t)
    assert made.to_dict()["p_value"] is None
    table = made.intervals().set_index("parameter")
    assert table.loc["gamma00", ["low", "high"]].tolist() == [0.0, 0.0]
    assert np.isfinite(table.loc["sigma2", "high"])
    assert np.isnan(table.loc["icc", "low"])
    assert "boundary" in table.loc["icc", "note"]


CHECKS = {"at the boundary": check_boundary, "singletons": check_singletons, "lopsided": check_lopsided}

NAMES = [
    *((f"the name {name[:12]!r}", lambda name=name: named(name), PLAIN) for name in (
        "", " ", "a b", "é", "😀", "select * from x; drop table x --", "y\nz", "a`b", '"quoted"', "0", "n:y", "key:y", "rows",
        "group", "n", "mean", "group_weight", "NaN", "None", "<b>&amp;", r"\alpha_{1}", "\u202e", "y" * 1000,
    )),
    ("an outcome twice", lambda: fit(pa.table([Y, Y, ID], ["y", "y", "id"])), (SourceError, "column 'y' stands 2 times in the Arrow table")),
    ("a group twice", lambda: fit(pa.table([Y, ID, ID], ["y", "id", "id"])), (SourceError, "column 'id' stands 2 times")),
    ("twice in a data frame", lambda: fit(pd.DataFrame([[1.0, 1, 1]] * 4, columns=["y", "id", "id"])), (SourceError, "column 'id' stands 2 times in the data frame")),
    ("twice, but not asked for", lambda: fit(pa.table([Y, ID, ID, ID], ["y", "id", "z", "z"])), PLAIN),
    ("another case", lambda: fit({"Y": Y, "ID": ID}), (ColumnNotFoundError, r"column 'id' .*did you mean 'ID'\?")),
    ("numbers as names", lambda: fit(pd.DataFrame(np.ones((4, 2))), "0", "1"), (ColumnNotFoundError, r"a column's name is that, but no string: use df.columns = df.columns.map\(str\)")),
    ("a missing name before the others", lambda: fit(pd.DataFrame(np.ones((4, 2)), columns=pd.Index([pd.NA, "y"], dtype=object)), "y", "id"), (ColumnNotFoundError, r"its columns are '<NA>', 'y'")),
    ("names of two levels", lambda: fit(pd.DataFrame(np.ones((4, 2)), columns=pd.MultiIndex.from_tuples([("y", "a"), ("id", "b")]))), (ColumnNotFoundError, "column 'id' is not in the data frame")),
    ("in the index", lambda: fit(frame().set_index("id")), (ColumnNotFoundError, r"use \.reset_index\(\) first")),
    ("a number for the outcome", lambda: fit(ROWS, 0), (RangeError, "outcome=0 can't be: it is the name of one column")),
    ("bytes for the outcome", lambda: fit(ROWS, b"y"), (RangeError, "outcome=b'y'")),
    ("an array for the outcome", lambda: fit(ROWS, np.array(Y)), (FastmlError, "columns are given by name, not as a ")),
    ("a series for the group", lambda: fit(ROWS, "y", pd.Series(ID)), (FastmlError, "columns are given by name, not as a ")),
    ("a nested list for the group", lambda: fit(ROWS, "y", [["id"]]), (ArgumentError, r"group=\['id'\]")),
    ("no group", lambda: fit(ROWS, "y", []), (ColumnsMissingError, "name an outcome and a group")),
    ("a group named twice", lambda: fit(ROWS, "y", ["id", "id"]), (FastmlError, "names a column twice")),
    ("one column in two roles", lambda: fit(ROWS, "y", "y"), (FastmlError, "column 'y' is named as outcome and as group")),
    ("a formula with a covariate", lambda: fastml.fit(ROWS, "y ~ w + (1 | id)"), (FormulaError, r"fits the null model")),
    ("a formula with code", lambda: fastml.fit(ROWS, "__import__('os') ~ 1"), (FormulaError, r"fits the null model")),
]  # fmt: skip


def parquet(path: Path, data: pa.Table | None = None, **options: Any) -> Path:
    pq.write_table(table() if data is None else data, path, **options)
    return path


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def content(folder: Path) -> bytes:
    return parquet(folder / "source.parquet").read_bytes()


CSV = "y,id\n1,1\n2,1\n4,2\n8,2\n"


def csv(folder: Path, text: bytes | str, **options: Any) -> Any:
    return fit(written(folder / "t.csv", text), csv_options=options or None)


def two(folder: Path, first: dict[str, Any], second: dict[str, Any]) -> Any:
    return fit([parquet(folder / "a.parquet", pa.table(first)), parquet(folder / "b.parquet", pa.table(second))])


def damaged(folder: Path, **options: Any) -> Path:
    rows = 20_000
    data = pa.table({"y": np.random.default_rng(0).normal(size=rows), "id": np.arange(rows) % 9})
    path = parquet(folder / "damaged.parquet", data, **options)
    raw = bytearray(path.read_bytes())
    raw[3000:3100] = bytes(100)
    return written(path, bytes(raw))


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


def folder_of(path: Path, **files: bytes) -> Path:
    path.mkdir()
    for name, raw in files.items():
        written(path / name.replace("_", "."), raw)
    return path


@contextmanager
def nobody() -> Iterator[None]:
    """As a user who owns nothing; root may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def forbidden(folder: Path) -> Any:
    fit(ROWS)  # what is loaded at first use must be readable
    path = parquet(folder / "t.parquet")
    path.chmod(0)
    with nobody():
        return fit(path)


def stats_file(folder: Path) -> Path:
    fastml.group_stats(ROWS, "y", "id").write(folder / "s.parquet")
    return folder / "s.parquet"


def feather_file(path: Path) -> Path:
    feather.write_feather(table(), path)
    return path


not_parquet = (SourceError, r"file \S+\.parquet is not a Parquet file that can be read: ")
not_readable = (SourceError, r"file \S+\.parquet can't be read: ")
no_kind = (
    SourceError,
    r"file \S+ is of no kind that can be read: Parquet, Arrow IPC or Feather, CSV, SPSS, Stata, SAS",
)
not_csv = (SourceError, r"file \S+\.csv is not a CSV file that can be read: ")

FILES = [
    ("no such file", lambda d: fit(d / "x.parquet"), (SourceError, r"x\.parquet does not exist")),
    ("no such folder", lambda d: fit(d / "x" / "y.csv"), (SourceError, r"y\.csv does not exist")),
    ("a file for a folder", lambda d: fit(parquet(d / "a.parquet") / "b.parquet"), (SourceError, r"b\.parquet does not exist")),
    ("a link to nothing", lambda d: fit(link(d / "a.parquet", "gone")), (SourceError, r"a\.parquet does not exist")),
    ("a link to itself", lambda d: fit(link(d / "a.parquet", "a.parquet")), (SourceError, r"a\.parquet (does not exist|can't be read)")),
    ("an empty path", lambda d: fit(""), (SourceError, "the path is empty")),
    ("a path of 5,000 letters", lambda d: fit("a" * 5000), (SourceError, r"aaa\.\.\. can't be read: File name too long")),
    ("a NUL in the path", lambda d: fit("a\0b.parquet"), (SourceError, "b.parquet (can't be read|does not exist)")),
    ("no file matches", lambda d: fit(d / "*.parquet"), (SourceError, r"no file matches .*\*\.parquet")),
    ("an empty folder", lambda d: fit(folder_of(d / "f")), (SourceError, r"folder \S+ holds no file ending in \.parquet")),
    ("a folder named as a file", lambda d: fit(folder_of(d / "f.parquet")), (SourceError, r"holds no file ending in")),
    ("a folder of two kinds", lambda d: fit(folder_of(d / "f", a_parquet=content(d), b_csv=CSV.encode())), (SourceError, "holds files of several formats")),
    ("hidden files don't count", lambda d: fit(folder_of(d / "f", a_parquet=content(d), **{".tmp_parquet": b""})), PLAIN),
    ("a pipe", lambda d: fit(pipe(d / "p.parquet")), (SourceError, r"p\.parquet is a pipe; write its content to a file")),
    ("a pipe of text", lambda d: fit(pipe(d / "p.csv")), (SourceError, r"p\.csv is a pipe")),
    ("the null device", lambda d: fit("/dev/null"), no_kind),
    ("no permission", forbidden, (SourceError, r"(?i)t\.parquet can't be read: permission denied")),
    ("an unknown scheme", lambda d: fit("foo://bar/x.parquet"), (SourceError, "foo://bar/x.parquet can't be opened")),
    ("named twice", lambda d: fit([parquet(d / "a.parquet"), d / "a.parquet"]), (SourceError, r"a\.parquet is named twice: its rows would count twice")),
    ("an empty Parquet file", lambda d: fit(written(d / "t.parquet", b"")), not_parquet),
    ("an empty CSV file", lambda d: fit(written(d / "t.csv", b"")), not_csv),
    ("an empty Arrow file", lambda d: fit(written(d / "t.arrow", b"")), (SourceError, "is not an Arrow file that can be read")),
    ("an empty SPSS file", lambda d: fit(written(d / "t.sav", b"")), (SourceError, "is not an SPSS file that can be read")),
    ("an empty file of no kind", lambda d: fit(written(d / "t", b"")), no_kind),
    ("cut at its end", lambda d: fit(written(d / "t.parquet", content(d)[:-10])), not_parquet),
    ("cut at its beginning", lambda d: fit(written(d / "t.parquet", content(d)[10:])), not_readable),
    ("cut inside", lambda d: fit(written(d / "t.parquet", content(d)[:100] + content(d)[200:])), not_readable),
    ("a wrong magic", lambda d: fit(written(d / "t.parquet", content(d)[:-4] + b"XXXX")), not_parquet),
    ("a magic of encryption", lambda d: fit(written(d / "t.parquet", b"PARE" + content(d)[4:-4] + b"PARE")), not_parquet),
    ("a corrupted page", lambda d: fit(damaged(d, write_page_checksum=True)), (SourceError, r"can't be read: could not verify page integrity")),
    ("a corrupted compressed page", lambda d: fit(damaged(d, compression="gzip")), not_readable),
    ("Parquet named as CSV", lambda d: fit(written(d / "t.csv", content(d))), (SourceError, r"t\.csv is not text in utf-8")),
    ("CSV named as Parquet", lambda d: fit(written(d / "t.parquet", CSV)), not_parquet),
    ("Parquet named as Feather", lambda d: fit(written(d / "t.feather", content(d))), (SourceError, "is not an Arrow file that can be read")),
    ("Feather named as Parquet", lambda d: fit(feather_file(d / "t.parquet")), not_parquet),
    ("Parquet named as SPSS", lambda d: fit(written(d / "t.sav", content(d))), (SourceError, "is not an SPSS file that can be read")),
    ("Parquet of no ending", lambda d: fit(written(d / "t", content(d))), PLAIN),
    ("a spreadsheet", lambda d: fit(written(d / "t.xlsx", b"PK\3\4" + bytes(50))), (SourceError, r"t\.xlsx is of a kind that fastml doesn't read; this does: fastml\.fit\(pandas\.read_excel")),
    ("a cut Feather file", lambda d: fit(written(d / "t.feather", feather_file(d / "a").read_bytes()[:-20])), (SourceError, "is not an Arrow file that can be read")),
    ("no rows", lambda d: fit(parquet(d / "t.parquet", table().slice(0, 0))), nothing),
    ("no row groups", lambda d: fit(no_row_groups(d / "t.parquet")), nothing),
    ("no row groups, then rows", lambda d: fit([no_row_groups(d / "a.parquet"), parquet(d / "b.parquet")]), PLAIN),
    ("a column twice", lambda d: fit(parquet(d / "t.parquet", pa.table([Y, Y, ID], ["y", "y", "id"]))), (SourceError, r"column 'y' stands 2 times in file \S+t\.parquet")),
    ("another name in the second file", lambda d: two(d, ROWS, {"y": Y, "school": ID}), (ColumnNotFoundError, r"column 'id' is not in file \S+b\.parquet")),
    ("strings in the second file", lambda d: two(d, ROWS, {"y": Y, "id": list("1122")}), (SourceError, r"column 'id' has type string in file \S+b\.parquet and int64 in file \S+a\.parquet")),
    ("scores as strings in the second", lambda d: two(d, ROWS, {"y": list("1248"), "id": ID}), (SourceError, r"column 'y' has type string in file \S+b\.parquet and double in")),
    ("booleans in the second", lambda d: two(d, ROWS, {"y": [True] * 4, "id": ID}), (SourceError, r"column 'y' has type bool in file \S+b\.parquet")),
    ("dates in the second", lambda d: two(d, ROWS, {"y": Y, "id": [DAY] * 4}), (SourceError, r"column 'id' has type date32\[day\] in file \S+b\.parquet")),
    ("whole scores in the second", lambda d: two(d, {"y": Y[:2], "id": ID[:2]}, {"y": [4, 8], "id": [2, 2]}), PLAIN),
    ("ids as floats in the second", lambda d: two(d, {"y": Y[:2], "id": ID[:2]}, {"y": [4.0, 8.0], "id": [2.0, 2.0]}), PLAIN),
    ("categories in the second", lambda d: two(d, {"y": Y[:2], "id": ["a", "a"]}, {"y": [4.0, 8.0], "id": pa.array(["b", "b"]).dictionary_encode()}), PLAIN),
    ("ids too large for the first's type", lambda d: two(d, ROWS, {"y": Y, "id": pa.array([2**63 + 1] * 4, pa.uint64())}), (SourceError, r"column 'id' of file \S+b\.parquet can't be read as int64")),
    ("ids that floats would merge", lambda d: two(d, {"y": Y, "id": halves(2**53, 2**53 + 1)}, {"y": Y, "id": [1.5] * 4}), (SourceError, r"column 'id' of file \S+a\.parquet can't be read as double")),
    ("null ids in the second", lambda d: two(d, ROWS, {"y": Y, "id": pa.nulls(4)}), Figures(4, 2, 3.75, 8.0, 4.25, 4)),
    ("a damaged second file", lambda d: fit([parquet(d / "a.parquet"), written(d / "b.parquet", b"PAR1")]), (SourceError, r"b\.parquet is not a Parquet file")),
    ("statistics among rows", lambda d: fit([stats_file(d), parquet(d / "t.parquet")]), (SourceError, r"s\.parquet holds statistics, file \S+t\.parquet doesn't")),
    ("rows where statistics should be", lambda d: fastml.GroupStats.read(parquet(d / "t.parquet")), (SourceError, r"t\.parquet holds no fastml statistics")),
    ("statistics without another outcome", lambda d: fastml.fit(stats_file(d), "z"), (ArgumentError, "outcome='z' is not one of 'y'")),
    ("statistics of other groups", lambda d: fastml.fit(stats_file(d), "y", "z"), (FastmlError, "the statistics are of groups by id")),
    ("statistics have no weights", lambda d: fastml.fit(stats_file(d), weights="w", group_weights="v"), (FastmlError, "gathered with weights=None")),
    ("statistics have no rows", lambda d: fastml.fit(stats_file(d), filter="y > 1"), (FastmlError, "saved statistics hold none")),
    ("statistics written over a folder", lambda d: fastml.group_stats(ROWS, "y", "id").write(d), (SourceError, "it is a folder")),
    ("statistics written to no folder", lambda d: fastml.group_stats(ROWS, "y", "id").write(d / "x" / "s"), (SourceError, "No such file or directory")),
    ("statistics written to a number", lambda d: fastml.group_stats(ROWS, "y", "id").write(3), (SourceError, "3: it is no path")),
    ("a NUL in the path to write", lambda d: fastml.group_stats(ROWS, "y", "id").write("a\0b"), (SourceError, "it is no path")),
    ("CSV", lambda d: csv(d, CSV), PLAIN),
    ("CSV with a byte order mark", lambda d: csv(d, "\ufeff" + CSV), PLAIN),
    ("CSV with Windows' line ends", lambda d: csv(d, CSV.replace("\n", "\r\n")), PLAIN),
    ("CSV with the old Mac's line ends", lambda d: csv(d, CSV.replace("\n", "\r")), PLAIN),
    ("CSV in UTF-16", lambda d: csv(d, CSV.encode("utf-16"), encoding="utf-16"), PLAIN),
    ("CSV with semicolons and commas", lambda d: csv(d, CSV.replace(",", ";").replace("1;", "1,0;"), decimal=","), PLAIN),
    ("CSV without its rows", lambda d: csv(d, "y,id\n"), nothing),
    ("CSV with a short row", lambda d: csv(d, "y,id\n1,1\n2\n"), not_csv),
    ("CSV with a long row", lambda d: csv(d, "y,id\n1,1,9\n1,2,9\n"), not_csv),
    ("CSV with text among numbers", lambda d: csv(d, CSV.replace("4", "four")), (NotANumberError, r"column 'y' of file \S+ has 'four' in row 2 .*, which is no number; if it means a missing value, give csv_options=\{'missing': \['four'\]\}")),
    ("CSV with another column", lambda d: csv(d, CSV.replace("y", "score")), (ColumnNotFoundError, r"column 'y' is not in file \S+t\.csv; its columns are 'score', 'id'")),
    ("CSV with a column twice", lambda d: csv(d, "y,y,id\n1,1,1\n"), (SourceError, "column 'y' stands 2 times")),
    ("CSV with nameless columns", lambda d: csv(d, "y,id,,\n1,1,,\n2,1,,\n4,2,,\n8,2,,\n"), PLAIN),
    ("CSV with Latin-1 ids", lambda d: csv(d, "y,id\n1,é\n2,é\n4,b\n8,b\n".encode("latin-1")), (SourceError, r"t\.csv is not text in utf-8; give csv_options=\{'encoding': 'latin-1'\}")),
    ("CSV with Latin-1 ids, told", lambda d: csv(d, "y,id\n1,é\n2,é\n4,b\n8,b\n".encode("latin-1"), encoding="latin-1"), PLAIN),
    ("CSV of NULs", lambda d: csv(d, bytes(100)), (ColumnNotFoundError, "column 'id' is not in file")),
    ("CSV with an open quote", lambda d: csv(d, 'y,id\n"1,1\n2,1\n'), (SourceError, r"file \S+\.csv has a quote in line 2 that begins a value and is not closed")),
    ("CSV with infinity", lambda d: csv(d, CSV.replace("4", "inf")), (ValueNotAllowedError, "outcome column 'y' has inf in row 2")),
    ("CSV with a number past doubles", lambda d: csv(d, CSV.replace("4", "1e999")), (ValueNotAllowedError, "outcome column 'y' has inf in row 2")),
    ("CSV with SAS' missing", lambda d: csv(d, CSV.replace("2,1", ".,1")), ONE_LOST),
    ("CSV no gzip", lambda d: fit(written(d / "t.csv.gz", CSV)), PLAIN),
    ("options of CSV that are no mapping", lambda d: fit(written(d / "t.csv", CSV), csv_options=";"), (ArgumentError, "csv_options=';' is not one of .*a mapping such as")),
    ("an unknown option of CSV", lambda d: csv(d, CSV, sep=","), (ArgumentError, "csv_options='sep' is not one of 'delimiter'")),
    ("a delimiter of two", lambda d: csv(d, CSV, delimiter="::"), (FastmlError, "delimiter='::' is not one character")),
    ("a delimiter past ASCII", lambda d: csv(d, CSV, delimiter="é"), (FastmlError, "delimiter='é' is not one character")),
    ("a quote as delimiter", lambda d: csv(d, CSV, delimiter='"'), (FastmlError, "delimiter='\"' is not one character")),
    ("an unknown encoding", lambda d: csv(d, CSV, encoding="klingon"), (FastmlError, "encoding='klingon' is not known")),
    ("an unknown type", lambda d: csv(d, CSV, types={"y": "blob"}), (FastmlError, "type 'blob' of column 'y' is not an Arrow type")),
    ("a number for a type", lambda d: csv(d, CSV, types={"y": 3}), (FastmlError, "type 3 of column 'y' is not an Arrow type")),
    ("a list of types", lambda d: csv(d, CSV, types=["y"]), (FastmlError, r"types=\['y'\] is not a mapping")),
]  # fmt: skip


def no_row_groups(path: Path) -> Path:
    pq.ParquetWriter(path, table().schema).close()
    return path


def weighted(w: Any = W, v: Any = V, **options: Any) -> Any:
    options = {"weights": "w", "group_weights": "v"} | options
    return fit({"y": Y, "id": ID, "w": w, "v": v}, **options)


w_role = r"weights column 'w' has type"
w_range = r"a weight is from 1e-100 to 1e\+100: multiply the column by a constant"

WEIGHTS = [
    ("weights", weighted, WEIGHTED),
    ("a negative weight", lambda: weighted([1, -1, 1, 1]), (ValueNotAllowedError, r"weights column 'w' has -1 in row 1 \(the first is 0; id 1\); a weight is a finite number, 0 or more")),
    ("an infinite weight", lambda: weighted([1, INF, 1, 1]), (ValueNotAllowedError, r"weights column 'w' has inf in row 1")),
    ("a missing weight", lambda: weighted([1, NAN, 1, 1], [1.0] * 4), Figures(3, 2, 13 / 3, 0.0, 74 / 9, 1)),
    ("a weight of zero", lambda: weighted([1, 0, 1, 1], [1.0] * 4), Figures(3, 2, 13 / 3, 0.0, 74 / 9, 1)),
    ("all weights zero", lambda: weighted([0] * 4), nothing),
    ("all weights missing", lambda: weighted([NAN] * 4), nothing),
    ("weights as strings", lambda: weighted(["1"] * 4), (ColumnTypeError, w_role)),
    ("weights as dates", lambda: weighted([DAY] * 4), (ColumnTypeError, w_role)),
    ("weights as decimals", lambda: weighted([Decimal(int(w)) for w in W]), WEIGHTED),
    ("the largest doubles", lambda: weighted([1e308] * 4), (ValueNotAllowedError, rf"weights column 'w' has 1e\+308 in row 0 .*{w_range}")),
    ("denormal weights", lambda: weighted([1.0, 5e-324, 1.0, 1.0]), (ValueNotAllowedError, rf"weights column 'w' has 4.94066e-324 in row 1 .*{w_range}")),
    ("weights of 1e90", lambda: weighted([1e90 * w for w in W], [1e90 * v for v in V]), WEIGHTED),
    ("weights of 1e-90", lambda: weighted([1e-90 * w for w in W], [1e-90 * v for v in V]), WEIGHTED),
    ("a negative school weight", lambda: weighted(v=[-1, -1, 1, 1]), (ValueNotAllowedError, r"group_weights column 'v' has -1 in row 0")),
    ("a school weight of zero", lambda: weighted(v=[0, 0, 1, 1]), (ValueNotAllowedError, r"group_weights column 'v' has 0 in row 0 .*a finite number above 0")),
    ("an infinite school weight", lambda: weighted(v=[INF, INF, 1, 1]), (ValueNotAllowedError, r"group_weights column 'v' has inf in row 0")),
    ("a denormal school weight", lambda: weighted(v=[5e-324] * 4), (ValueNotAllowedError, rf"group_weights column 'v' has .*{w_range}")),
    ("a large school weight", lambda: weighted(v=[1e308] * 4), (ValueNotAllowedError, rf"group_weights column 'v' has .*{w_range}")),
    ("a school without a weight", lambda: weighted(v=[NAN, NAN, 1, 1]), one_group),
    ("a school weight missing in a row", lambda: weighted([1.0] * 4, [1.0, NAN, 1.0, 1.0]), Figures(3, 2, 13 / 3, 0.0, 74 / 9, 1)),
    ("a school weight that varies", lambda: weighted(v=[1, 2, 1, 1]), (WeightVariesError, r"group_weights column 'v' varies within a group: 2\.0 and 1\.0 in row 1 .*id 1\); a group has one weight")),
    ("school weights as strings", lambda: weighted(v=["a"] * 4), (ColumnTypeError, "group_weights column 'v' has type string")),
    ("student weights alone", lambda: weighted(group_weights=None), (FastmlError, "weights='w' needs group_weights too")),
    ("no such weight", lambda: weighted(weights="weight"), (ColumnNotFoundError, "column 'weight' is not in")),
    ("a list for the weight", lambda: weighted(weights=["w"]), (ArgumentError, r"weights=\['w'\]")),
    ("an array for the weight", lambda: weighted(weights=np.array(W)), (ArgumentError, r"weights=array")),
    ("a number for the school weight", lambda: weighted(group_weights=3), (ArgumentError, r"group_weights=3")),
    ("a number for the weight, in statistics", lambda: fastml.group_stats(ROWS, "y", "id", weights=3), (ArgumentError, "weights=3")),
    ("an empty name for the weight", lambda: weighted(weights=""), (ArgumentError, "weights='' is not one of \"a column's name\"")),
    ("an empty name for the weight alone", lambda: weighted(weights="", group_weights=None), (FastmlError, "weights='' needs group_weights too")),
    ("an empty name for the school weight", lambda: weighted(weights=None, group_weights=""), (ArgumentError, "group_weights=''")),
    ("an empty name for the school weight beside a weight", lambda: weighted(group_weights=""), (ArgumentError, "group_weights=''")),
    ("an empty name for the weight, in statistics", lambda: fastml.group_stats(ROWS, "y", "id", weights=""), (ArgumentError, "weights=''")),
    ("an empty name for the weight, in an engine", lambda: fastml.group_stats(pl.LazyFrame(ROWS), "y", "id", weights=""), (ArgumentError, "weights=''")),
    ("REML with weights", lambda: weighted(method="reml"), (FastmlError, "method='reml' can't be weighted")),
    ("Satterthwaite with weights", lambda: weighted(df="satterthwaite"), (ArgumentError, "df='satterthwaite' is not one of 'bell-mccaffrey', 'hlm', 'normal'")),
    ("no interval at the boundary", lambda: at_boundary().ci("icc"), (ModelError, "icc has no interval: tau00 is estimated at its boundary")),
    ("intervals at the boundary", lambda: at_boundary(), "at the boundary"),
    ("an unknown scaling", lambda: weighted(weight_scaling="sz"), (ArgumentError, "weight_scaling='sz' is not one of 'size', 'effective'")),
    ("no scaling", lambda: weighted(weight_scaling=None), (ArgumentError, "weight_scaling=None is not one of")),
    ("unknown kind of weights", lambda: weighted(weights_are="x"), (ArgumentError, "weights_are='x' is not one of 'total', 'conditional'")),
    ("unknown sandwich", lambda: weighted(vcov="x"), (ArgumentError, "vcov='x' is not one of 'cr2', 'joint', 'block'")),
]  # fmt: skip


def summary(n: Any = (2, 2), mean: Any = (1.5, 6.0), sd: Any = (0.5, 2.0), **options: Any) -> Any:
    return fastml.fit(fastml.GroupStats.from_summary(n=n, mean=mean, sd=sd, **options))


def statistics(**options: Any) -> Any:
    return fastml.group_stats(ROWS, "y", "id", **options)


def plain_fit() -> Any:
    return fit(ROWS)


no_level = (RangeError, "level=.* can't be: it is a number between 0 and 1")
no_threads = (FastmlError, "threads=.* is not a number of threads; give a whole number, 1 or more")
no_size = (FastmlError, "min_group_size=.* is not a whole number of 1 or more")
no_tag = (FastmlError, "tag 'c' is .*; a tag is one string, number or date")

ARGUMENTS = [
    *((f"threads={v!r}", lambda v=v: fit(ROWS, threads=v), no_threads) for v in (0, -1, 1.5, "2", True, [1])),
    ("more threads than rows", lambda: fit(ROWS, threads=10**9), PLAIN),
    *((f"method={v!r}", lambda v=v: fit(ROWS, method=v), (ArgumentError, "method=.* is not one of 'reml', 'ml', 'anova'")) for v in ("mle", 3, ["reml"], "", b"reml")),
    ("a method in capitals", lambda: fit(ROWS, method="REML"), PLAIN),
    *((f"df={v!r}", lambda v=v: fit(ROWS, df=v), (ArgumentError, "df=.* is not one of 'satterthwaite', 'kenward-roger'")) for v in ("kr", 3, ["hlm"], "")),
    *((f"filter {v!r}", lambda v=v: fit(ROWS, filter=v), (FilterError, r"filter .* can't be read at ")) for v in (
        "", "y >", "y > 1 and", "y + 1", "1", "y > 1; drop table x", "id in ()", "y is", "y = = 1", "y > 2 or (id = 1", "y like '%'", "not", "y > -", "y > 1 y", "__import__('os')")),
    ("a filter nested 5,000 deep", lambda: fit(ROWS, filter="(" * 5000), (FilterError, "nested too deep")),
    ("a filter of no column", lambda: fit(ROWS, filter="nope > 1"), (FilterError, "there is no column 'nope'")),
    ("a filter of two types", lambda: fit(ROWS, filter="y > 'a'"), (FilterError, r"can't be applied: a number is compared with a text")),
    ("a filter that is no condition", lambda: fit(ROWS, filter=pc.field("y") + 1), (FilterError, "must evaluate to bool")),
    ("a filter of another kind", lambda: fit(ROWS, filter=3), (ArgumentError, "filter=3 is not one of 'a pyarrow expression'")),
    ("a filter that leaves nothing", lambda: fit(ROWS, filter="y > 100"), nothing),
    *((f"ci level={v!r}", lambda v=v: plain_fit().ci("icc", level=v), no_level) for v in (0, 1, -1, 95, NAN, INF, "0.9", None, True)),
    *((f"groups level={v!r}", lambda v=v: plain_fit().groups(level=v), no_level) for v in (0, 95, "0.9", None)),
    *((f"intervals level={v!r}", lambda v=v: plain_fit().intervals(level=v), no_level) for v in (1, NAN, "0.9")),
    *((f"ci of {v!r}", lambda v=v: plain_fit().ci(v), (ArgumentError, "is not one of 'gamma00', 'tau00'")) for v in ("nope", 3, None)),
    *((f"ci method={v!r}", lambda v=v: plain_fit().ci("tau00", method=v), (ArgumentError, "method=.* is not one of")) for v in ("exact", "x", 3)),
    ("no by", lambda: fastml.fit_by(ROWS, "y", "id"), (ColumnsMissingError, "name outcome, group and by")),
    ("by the group", lambda: fastml.fit_by(ROWS, "y", "id", by="id"), (FastmlError, "column 'id' is named as by and as group")),
    ("by the outcome", lambda: fastml.fit_by(ROWS, "y", "id", by="y"), (FastmlError, "column 'y' is named as outcome and as by")),
    ("by a number", lambda: fastml.fit_by(ROWS, "y", "id", by=3), (ArgumentError, "by=3")),
    ("by no column", lambda: fastml.fit_by(ROWS, "y", "id", by="nope"), (ColumnNotFoundError, "column 'nope'")),
    ("split statistics as one", lambda: fastml.fit(statistics(by="w")), (FastmlError, "the statistics are split by w")),
    *((f"min_group_size={v!r}", lambda v=v: statistics(min_group_size=v), no_size) for v in (0, -1, 1.5, "3", NAN, True)),
    *((f"tag {v!r}", lambda v=v: statistics(tags={"c": v}), no_tag) for v in (None, NAN, 2**80, [1], {"a": 1}, np.array([1, 2]), object)),
    ("tags in a list", lambda: statistics(tags=["a"]), (ArgumentError, r"tags=\['a'\] is not one of .*\{'cycle': 2019\}")),
    ("tags in a string", lambda: statistics(tags="cycle=2019"), (ArgumentError, "tags='cycle=2019'")),
    ("a tag that splits twice", lambda: statistics(tags={"c": 1}, by=["c", "c"]), (FastmlError, r"by=\['c', 'c'\] names a column twice")),
    ("a list in the by-columns beside a tag", lambda: statistics(tags={"c": 1}, by=[["c"]]), (ArgumentError, r"by=\['c'\] is not one of")),
    ("a tag without a name", lambda: statistics(tags={"": 1}), (ArgumentError, "tags={'': 1} is not one of")),
    ("a tag named by a number", lambda: statistics(tags={3: 1}), (ArgumentError, "tags=3")),
    ("a tag named as the group", lambda: statistics(tags={"id": 1}), (FastmlError, "column 'id' is named as tags and as group")),
    ("a summary", summary, Figures(4, 2, 3.75, 9.0625, 2.125)),
    *((f"a group of {v!r}", lambda v=v: summary(n=[v, 2]), (ValueNotAllowedError, r"n is .* in row 0")) for v in (0, -1, 1.5, NAN, INF, 1e300, 1e18)),
    ("an infinite mean", lambda: summary(mean=[INF, 1]), (ValueNotAllowedError, "mean is inf in row 0")),
    ("means of 1e300", lambda: summary(mean=[1e300, -1e300]), too_large),
    ("a negative sd", lambda: summary(sd=[-1, 1]), (ValueNotAllowedError, "sd is -1 in row 0")),
    ("a missing sd", lambda: summary(sd=[NAN, 1]), (ValueNotAllowedError, "sd is nan in row 0 .*null only where n is 1")),
    ("an sd of one observation", lambda: summary(n=[1, 2]), (ValueNotAllowedError, "one observation has no sd")),
    ("an sd of 1e200", lambda: summary(sd=[1e200, 1]), (ValueNotAllowedError, r"sd is 1e\+200 in row 0 .*divide means and sds")),
    ("sds as strings", lambda: summary(sd=["1", "2"]), (ColumnTypeError, "sd column 'sd' has type string")),
    ("numbers for lists", lambda: summary(2, 1.0, 1.0), (SourceError, "column 'n' is a single int")),
    ("no groups", lambda: summary([], [], []), nothing),
    ("a label twice", lambda: summary(group=["a", "a"]), (ValueNotAllowedError, "group has a label twice, or a null or blank one")),
    ("a label that is a list", lambda: summary(group=[["a"], ["b"]]), (ColumnTypeError, "group column 'group' has type list")),
    ("a number as group_name", lambda: summary(group=["a", "b"], group_name=3), (ArgumentError, "group_name=3")),
    ("statistics and a number", lambda: statistics() + 1, TypeError),
    ("other outcomes added", lambda: statistics() + fastml.group_stats(ROWS, "w", "id"), (MergeError, r"different outcomes .*\('y',\) and \('w',\)")),
    ("weights added to none", lambda: statistics() + statistics(weights="w", group_weights="v"), (MergeError, "different weights")),
    ("strings added to integers", lambda: statistics() + fastml.group_stats({**ROWS, "id": list("aabb")}, "y", "id"), (MergeError, "key 'id' is of integers in one of the statistics, and holds the text 'a' in the other")),
    ("uint64 added to int64", lambda: fastml.group_stats({"y": Y, "id": np.array(halves(2**63 + 1, 1), np.uint64)}, "y", "id") + statistics(), (MergeError, "key 'id' of one of the statistics can't be int64")),
    ("floats added to long integers", lambda: fastml.group_stats({"y": Y, "id": halves(2**53 + 1, 2**53)}, "y", "id") + fastml.group_stats({"y": Y, "id": [1.0] * 4}, "y", "id"), (MergeError, "key 'id' of one of the statistics can't be double")),
    ("groups without labels added", lambda: fastml.GroupStats.from_summary(n=[2], mean=[1], sd=[1]) + fastml.GroupStats.from_summary(n=[2], mean=[1], sd=[1]), (MergeError, "statistics without labels can't be added")),
    ("a table of rows as statistics", lambda: fastml.GroupStats.from_arrow(pa.table(ROWS)), (SourceError, "the table holds no fastml statistics")),
    ("a number as statistics", lambda: fastml.GroupStats.from_arrow(3), (SourceError, "data of type int are no Arrow table")),
]  # fmt: skip

KINDS = {
    "type": TYPES,
    "value": VALUES,
    "shape": SHAPES,
    "name": NAMES,
    "file": FILES,
    "weight": WEIGHTS,
    "argument": ARGUMENTS,
}

CASES = [
    pytest.param(kind, make, outcome, id=f"{kind}: {name}")
    for kind, cases in KINDS.items()
    for name, make, outcome in cases
]


@pytest.mark.parametrize(("kind", "make", "outcome"), CASES)
def test_outcome(kind: str, make: Callable[..., Any], outcome: Any, tmp_path: Path) -> None:
    arguments = (tmp_path,) if kind == "file" else ()
    if isinstance(outcome, type):
        with pytest.raises(outcome):
            make(*arguments)
    elif isinstance(outcome, tuple):
        expected, message = outcome
        with pytest.raises(FastmlError, match=message) as caught:
            make(*arguments)
        assert type(caught.value) is expected
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000
    elif isinstance(outcome, str):
        CHECKS[outcome](make())
    else:
        made = make(*arguments)
        counts = made.n_obs, made.n_groups, made.n_dropped
        assert counts == (outcome.n_obs, outcome.n_groups, outcome.dropped)
        figures = made.gamma00, made.tau00, made.sigma2
        assert figures == pytest.approx((outcome.gamma00, outcome.tau00, outcome.sigma2), rel=1e-12, abs=0.0)


def test_the_table_is_long() -> None:
    assert len(CASES) >= 150
