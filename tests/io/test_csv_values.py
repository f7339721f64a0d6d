"""What the texts of a column are, from all of them, and their values."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from fastml import FastmlError
from fastml.io.csv_options import CsvOptions
from fastml.io.csv_values import FilterKind, IdKind, Numbers, as_type


@pytest.mark.parametrize(("batches", "dtype", "only_words"), [
    ([["1", "2"], ["NA"]], pa.int64(), False),
    ([["NA"], ["", " "]], pa.null(), True),
    ([[""], []], pa.null(), False),
    ([["1"], ["01"]], pa.string(), False),
    ([["x"], ["NA"]], pa.string(), False),
])  # fmt: skip
def test_kinds_of_ids(batches: list[list[str]], dtype: pa.DataType, only_words: bool) -> None:
    for order in (batches, batches[::-1]):
        kind = IdKind()
        for texts in order:
            kind.note(pa.array(texts, pa.string()))
        assert (kind.type, kind.only_words) == (dtype, only_words)


DAY = dt.date(2020, 1, 31)


@pytest.mark.parametrize(("texts", "options", "dtype", "values"), [
    (["1", "NA", "007"], {}, pa.int64(), [1, None, 7]),
    (["1", "2.5", ""], {}, pa.float64(), [1.0, 2.5, None]),
    (["1,5", "2"], {"decimal": ","}, pa.float64(), [1.5, 2.0]),
    (["1,500", "2"], {"thousands": ","}, pa.int64(), [1500, 2]),
    (["true", "FALSE", "."], {}, pa.bool_(), [True, False, None]),
    (["2020-01-31", "NA"], {}, pa.date32(), [DAY, None]),
    (["2020-01-31 12:00:00", "2020-01-31"], {}, pa.timestamp("us"), [dt.datetime(2020, 1, 31, 12), dt.datetime(2020, 1, 31)]),
    (["2020-01-31", "x", "NA", ""], {}, pa.string(), ["2020-01-31", "x", "NA", None]),
    (["10000000000000001", "0.5"], {}, pa.string(), ["10000000000000001", "0.5"]),
    (["10000000000000001", "2"], {}, pa.int64(), [10000000000000001, 2]),
    (["99999999999999999999", "2"], {}, pa.string(), ["99999999999999999999", "2"]),
    (["k.A.", "2"], {"missing": ("k.A.",)}, pa.int64(), [None, 2]),
    (["", " "], {}, pa.null(), [None, None]),
])  # fmt: skip
def test_what_filters_compare(texts: list[str], options: dict[str, Any], dtype: pa.DataType, values: list[Any]) -> None:
    csv = CsvOptions(**options)
    for parts in ([texts], [texts[:1], texts[1:]]):
        kind = FilterKind(csv)
        for part in parts:
            kind.note(pa.array(part, pa.string()))
        assert kind.type == dtype
    assert as_type(pa.array(texts), dtype, csv).to_pylist() == values


def test_texts_that_are_of_another_type_than_was_found() -> None:
    with pytest.raises(pa.ArrowInvalid, match="not all of type int64"):
        as_type(pa.array(["1", "x"]), pa.int64(), CsvOptions())


def test_rows_are_counted_over_batches() -> None:
    numbers = Numbers("y", "file t.csv", CsvOptions())
    assert numbers.convert(pa.array(["1", "NA"])).to_pylist() == [1.0, None]
    with pytest.raises(FastmlError, match=r"column 'y' of file t\.csv has 'x' in row 4 "):
        numbers.convert(pa.array(["1", "2", "x", "z"]))
