"""Filters in engines: the rows that stay are those that stay in memory."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import polars as pl
import pyarrow as pa
import pytest

from fastml import FastmlError
from fastml.io.filter_language import parse
from fastml.io.filters import as_filter
from fastml.reduce.engine_filters import engine_condition, kinds_of, without_constants

ROWS = pa.table({
    "x": pa.array([1.0, float("nan"), None, 2.5, -3.0, 9.0]),
    "k": pa.array([1, 2, 3, None, 5, 2**53 + 1]),
    "t": pa.array(["a", "b", None, "it's", "", "B"]),
    "b": pa.array([True, False, None, True, False, True]),
    "d": pa.array(["2019-01-31", None, "2020-02-29", "2019-02-01", "2018-12-31", "2021-01-01"]).cast(pa.date32()),
})  # fmt: skip

FILTERS = (
    "x > 1", "x <> 1", "not x > 1", "x is null", "x is not null", "x in (1, 9)", "x not in (1, 9)", "x between -3 and 1",
    "k = 9007199254740993", "k <= 3 and not (t = 'a' or t = 'b')", "t = 'it''s'", "t <> 'a'", "t in ('a', 'B')",
    "t not in ('a')", "b", "b = true", "not b = true", "d > date '2019-01-31'", "date '2019-01-31' >= d", "5 < k",
    "x < k", "k in (x, 2)", "x > 1 or t is null", "x = 1 and t = 'a' and k = 1",
)  # fmt: skip


@pytest.mark.parametrize("text", [text for text in FILTERS if text != "b"])
def test_the_rows_are_those_of_memory(text: str) -> None:
    batch = ROWS.to_batches()[0]
    (truth,) = (as_filter(text).on(ROWS.schema).rows(batch, ROWS.column_names).to_pylist(),)
    frame = nw.from_native(pl.from_arrow(ROWS).lazy())
    found = (
        frame.filter(engine_condition(parse(text), frame.collect_schema())).collect("pyarrow").to_native().to_pylist()
    )
    assert repr(found) == repr(truth)


@pytest.mark.parametrize(
    "text",
    ["1 = 1", "5 <> 5", "1 in (2, 1)", "'a' = 'b'", "'a' not in ('a', 'b')", "1 is null", "not 1 = 2", "true > false",
     "1 = 1.0", "date '2019-01-31' < timestamp '2019-01-31 12:00:00'", "1 = 1 and k = 1", "1 = 2 and k = 1",
     "k = 1 or 1 = 1", "k = 1 or 1 = 2", "not (k = 1 or 1 = 2)", "not (k = 1 and 1 = 1)", "1 in (k, 3)",
     "5 not in (k, 1)", "1 in (k, 1)", "(1 = 1 or k = 1) and (1 = 2 or 2 = 2)"],
)  # fmt: skip
def test_constants_are_compared_before_the_engine_is_asked(text: str) -> None:
    (batch,) = ROWS.to_batches()
    truth = as_filter(text).on(ROWS.schema).rows(batch, ROWS.column_names).to_pylist()
    left = without_constants(parse(text), text)
    if isinstance(left, bool):
        assert repr(truth) == repr(ROWS.to_pylist() if left else [])
        return
    frame = nw.from_native(pl.from_arrow(ROWS).lazy())
    found = frame.filter(engine_condition(left, frame.collect_schema())).collect("pyarrow").to_native().to_pylist()
    assert repr(found) == repr(truth)


def test_constants_that_can_not_be_compared_are_refused() -> None:
    for text, message in (("1 = 'a'", "a number is compared with a text"), ("k = 1 or 1 = true", "true or false"),
                          ("k in (1, 99999999999999999999999)", "has no place in 64 bits; write it with an exponent")):  # fmt: skip
        with pytest.raises(FastmlError, match=message) as refused:
            without_constants(parse(text), text)
        assert text in str(refused.value)


def test_kinds_are_those_of_what_a_column_is_compared_with() -> None:
    def kinds(text: str) -> dict[str, Any]:
        return {name: kind.__name__ for name, kind in kinds_of(parse(text), text).items()}

    assert kinds("x > 1 and t in ('a') and (b = true or not d < date '2019-01-31')") == {
        "x": "float", "t": "str", "b": "bool", "d": "date",
    }  # fmt: skip
    assert kinds("x = 1 or x = 1.5") == {"x": "float"}
    assert kinds("x < y and z is null") == {}
    assert kinds("a = b and b = c and c = 'x' and d in (e, 3)") == dict.fromkeys("abc", "str") | {
        "d": "float", "e": "float",
    }  # fmt: skip
    assert kinds_of(parse("y > a and b in (a, y)"), "", ["y"]) == dict.fromkeys("yab", float)
    with pytest.raises(FastmlError, match="'x' is compared with values of two kinds"):
        kinds("x = 1 or x = 'a'")
