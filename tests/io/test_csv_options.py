"""The options of reading text files, and those that can't be."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from fastml import FastmlError
from fastml.io.csv_options import CsvOptions, csv_options


def test_options_of_a_call() -> None:
    assert csv_options(None) == CsvOptions()
    made = csv_options({"missing": "k.A.", "types": {"id": "string", "n": pa.int8()}, "thousands": "\u2019"})
    assert made.missing == ("k.A.",)
    assert made.told() == {"id": pa.string(), "n": pa.int8()}
    assert csv_options(made) is made


@pytest.mark.parametrize(("options", "message"), [
    ("a", "csv_options='a' is not one of"),
    ({"sep": ";"}, "csv_options='sep' is not one of 'delimiter', 'encoding', 'decimal', 'thousands', 'quote', 'skip_rows'"),
    ({"delimiter": ";;"}, "delimiter=';;' is not one character"),
    ({"delimiter": '"'}, "is not one character"),
    ({"decimal": ""}, "is not one character"),
    ({"quote": "''"}, "quote=\"''\" is not one character"),
    ({"quote": "\n"}, "is not one character"),
    ({"thousands": ""}, "thousands='' is not one character"),
    ({"thousands": "1"}, "thousands='1' is not one character"),
    ({"thousands": "."}, "thousands and decimal are both '.'"),
    ({"skip_rows": -1}, "skip_rows=-1 is not a number of lines"),
    ({"skip_rows": 1.5}, "skip_rows=1.5 is not a number of lines"),
    ({"skip_rows": True}, "skip_rows=True is not a number of lines"),
    ({"comment": " "}, "comment=' ' is not what a line can begin with"),
    ({"comment": 1}, "comment=1 is not what a line can begin with"),
    ({"missing": [None]}, r"missing=\[None\] are not texts"),
    ({"encoding": "latin1000"}, "try 'utf-8' or 'latin-1'"),
    ({"types": {"y": "number"}}, "type 'number' of column 'y' is not an Arrow type"),
    ({"types": ["y"]}, r"types=\['y'\] is not a mapping"),
])  # fmt: skip
def test_options_that_cannot_be(options: Any, message: str) -> None:
    with pytest.raises(FastmlError, match=message):
        csv_options(options)
