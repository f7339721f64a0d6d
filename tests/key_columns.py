"""Key columns of every type, and a check of their codes against a dict's."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import naive
import numpy as np
import pyarrow as pa

from fastml.io.plain_arrays import plain_type
from fastml.keys.encoder import encode_rows, encode_tile

DAY = dt.date(2019, 4, 1)

NOON = dt.datetime(2019, 4, 1, 12)

LONG = "a school whose name is longer than two words of memory, "

ZONE = dt.UTC

TYPES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int8": (pa.int8(), [3, -128, 127]),
    "int16": (pa.int16(), [3, -(2**15), 2**15 - 1]),
    "int32": (pa.int32(), [3, -(2**31), 2**31 - 1]),
    "int64": (pa.int64(), [3, -(2**63), 2**63 - 1, 0, 2**32, 2**32 + 3]),
    "int64 of small range": (pa.int64(), [5_000_000_007, 5_000_000_000, 5_000_000_001]),
    "int64, negative": (pa.int64(), [-7, -1, -9]),
    "uint8": (pa.uint8(), [3, 255, 0]),
    "uint16": (pa.uint16(), [3, 2**16 - 1, 0]),
    "uint32": (pa.uint32(), [3, 2**32 - 1, 0]),
    "uint64": (pa.uint64(), [3, 2**64 - 1, 2**63]),
    "float16": (pa.float16(), [np.float16(1.5), np.float16(-2.0), np.float16(0.0)]),
    "float32": (pa.float32(), [1.5, -2.0, 0.0]),
    "float64": (pa.float64(), [1.5, -2.25, 1e300, float("inf")]),
    "float64, whole": (pa.float64(), [5001.0, 5003.0, -5002.0, 0.0]),
    "float64, large and whole": (pa.float64(), [2.0**53, 2.0**60, -(2.0**70)]),
    "bool": (pa.bool_(), [True, False]),
    "date32": (pa.date32(), [DAY, DAY + dt.timedelta(1), dt.date(1960, 1, 1)]),
    "date64": (pa.date64(), [DAY, DAY + dt.timedelta(1)]),
    "time32": (pa.time32("s"), [dt.time(12), dt.time(0)]),
    "time64": (pa.time64("us"), [dt.time(12, 0, 0, 7), dt.time(0)]),
    "timestamp": (pa.timestamp("us"), [NOON, NOON + dt.timedelta(1)]),
    "timestamp with zone": (pa.timestamp("ms", "UTC"), [NOON.replace(tzinfo=ZONE), dt.datetime(2020, 1, 1, tzinfo=ZONE)]),
    "duration": (pa.duration("s"), [dt.timedelta(1), dt.timedelta(-1)]),
    "string": (pa.string(), ["b", "", "a", "ab", "a\0", "a" * 7, "a" * 8, "a" * 15, "é"]),
    "large_string": (pa.large_string(), ["b", "", "a" * 15, "a" * 16]),
    "string_view": (pa.string_view(), ["b", "", "a" * 12, "a" * 13]),
    "long strings": (pa.string(), [LONG + "A", LONG + "B", LONG, "x" + LONG, "a" * 16, "a" * 17, "a" * 16 + "b"]),
    "binary": (pa.binary(), [b"b", b"", b"\0", b"\0\0"]),
    "large_binary": (pa.large_binary(), [b"b", b"", b"\xff" * 20]),
    "binary_view": (pa.binary_view(), [b"b", b"", b"\xff" * 20]),
    "fixed binary": (pa.binary(3), [b"abc", b"abd", b"\0\0\0"]),
    "decimal128": (pa.decimal128(9, 2), [Decimal("1.50"), Decimal("-1.50"), Decimal("0.00")]),
    "decimal256": (pa.decimal256(50, 2), [Decimal("1.50"), Decimal("-1.50")]),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), ["b", "a", "c"]),
    "dictionary, unsigned": (pa.dictionary(pa.uint32(), pa.large_string()), ["b", "a", "c"]),
    "dictionary of numbers": (pa.dictionary(pa.int32(), pa.int64()), [2**40, 7, -1]),
    "null": (pa.null(), [None]),
}  # fmt: skip


def column(name: str, n: int, order: str, nulls: bool, seed: int = 0) -> pa.Array:
    """Rows of the values of a type, clustered or shuffled, some null."""
    dtype, values = TYPES[name]
    rng = np.random.default_rng(seed)
    at = rng.integers(0, len(values), n)
    at = np.sort(at) if order == "clustered" else at
    rows = [values[i] for i in at]
    if nulls:
        rows = [None if drop else value for value, drop in zip(rows, rng.random(n) < 0.2, strict=True)]
    if pa.types.is_dictionary(dtype):  # pyarrow before 23 makes none with unsigned indices of rows
        made = pa.array(rows, dtype.value_type).dictionary_encode()
        return pa.DictionaryArray.from_arrays(made.indices.cast(dtype.index_type), made.dictionary)
    return pa.array(rows, dtype)


def decoded(column: pa.Array) -> list[Any]:
    """The labels as Python's own objects."""
    dtype = plain_type(column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(dtype).to_pylist() if column.type != dtype else column.to_pylist()


def without_blank(label: tuple[Any, ...]) -> tuple[Any, ...]:
    """The label as all tables of keys have it: a blank text is missing."""
    return tuple(None if isinstance(part, str) and not part.strip(" ") else part for part in label)


def check(columns: list[pa.Array]) -> None:
    """Codes and labels of the columns are those of a dict."""
    expected = [without_blank(label) for label in zip(*map(decoded, columns), strict=True)]
    by_rows = encode_rows(columns)
    one_by_one = encode_tile(columns)
    for keys in (by_rows, one_by_one):
        labels = list(zip(*(found.to_pylist() for found in keys.labels), strict=True))
        assert [without_blank(labels[code]) for code in keys.by_row()] == expected
        used = [labels[code] for code in np.unique(keys.by_row())]
        assert len(set(used)) == len(used)
        records = keys.record_of_row().tolist()
        assert [keys.record_at(i) for i in range(len(expected))] == records
        texts = {record: keys.label_text(record) for record in set(records)}
        assert [texts[record] for record in records] == [", ".join(map(str, labels[code])) for code in keys.by_row()]
        assert [found.type for found in keys.labels] == [plain_type(c.type) for c in columns]
    if len(columns) == 1 and (None,) not in expected:
        assert one_by_one.codes.tolist() == naive.codes(expected)[0]
