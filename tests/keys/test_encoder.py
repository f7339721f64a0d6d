"""Codes of every kind of key against a dict's: types, nulls, slices, dictionaries, runs, combinations, full tables."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import naive
import numpy as np
import pyarrow as pa
import pytest
from conftest import fewer

from fastml.errors import ColumnTypeError
from fastml.kernels.workspace import Spare, Workspace
from fastml.keys import dictionaries
from fastml.keys import hash_tables as label_tables
from fastml.keys.encoder import Encoder, encode_rows, encode_tile
from fastml.keys.hash_tables import NumberTable
from fastml.keys.key_table import KeyTable, check_key_type
from fastml.keys.label_types import plain_type
from fastml.keys.order import sort_order

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


def check(columns: list[pa.Array]) -> None:
    """Codes and labels of the columns are those of a dict."""
    expected = list(zip(*map(decoded, columns), strict=True))
    by_rows = encode_rows(columns)
    one_by_one = encode_tile(columns)
    for keys in (by_rows, one_by_one):
        labels = list(zip(*(found.to_pylist() for found in keys.labels), strict=True))
        assert [labels[code] for code in keys.by_row()] == expected
        used = [labels[code] for code in np.unique(keys.by_row())]
        assert len(set(used)) == len(used)
        records = keys.record_of_row().tolist()
        assert [keys.record_at(i) for i in range(len(expected))] == records
        shown = [keys.label_text(record) for record in records]
        assert shown == [", ".join(map(str, labels[code])) for code in keys.by_row()]
        assert [found.type for found in keys.labels] == [plain_type(c.type) for c in columns]
    if len(columns) == 1 and not columns[0].null_count:
        assert one_by_one.codes.tolist() == naive.codes(expected)[0]


@pytest.mark.parametrize("nulls", [False, True], ids=["full", "nulls"])
@pytest.mark.parametrize("order", ["clustered", "shuffled"])
@pytest.mark.parametrize("name", TYPES)
def test_every_type(name: str, order: str, nulls: bool) -> None:
    rows = column(name, 200, order, nulls)
    check([rows])
    check([rows.slice(13, 150)])
    check([rows.slice(7, 1)])
    check([rows.slice(200)])


@pytest.mark.parametrize("name", TYPES)
def test_every_type_in_a_combination(name: str) -> None:
    rows = column(name, 120, "shuffled", True)
    other = pa.array((np.arange(120) // 40).tolist(), pa.int16())
    check([rows, other])
    check([other, rows])
    check([other.slice(11), rows.slice(11), column("string", 120, "shuffled", True).slice(11)])


def test_run_end_encoded() -> None:
    rows = pa.RunEndEncodedArray.from_arrays([3, 5, 9], pa.array(["b", None, "a"]))
    keys = encode_rows([rows])
    assert [keys.labels[0][int(code)].as_py() for code in keys.by_row()] == ["b"] * 3 + [None] * 2 + ["a"] * 4


def test_nan_is_null_and_the_two_zeros_are_one() -> None:
    values = pa.array([0.0, -0.0, float("nan"), None, 1.5, -float("nan")])
    for keys in (encode_rows([values]), encode_tile([values])):
        found = [keys.labels[0][int(code)].as_py() for code in keys.by_row()]
        assert found[:2] == [0.0, 0.0]
        assert found[4] == 1.5
        assert len(set(keys.by_row()[:2].tolist())) == 1
        table = KeyTable([pa.float64()])
        into = table.codes_for(keys.labels)
        assert len({int(into[keys.by_row()[row]]) for row in (2, 3, 5)}) == 1
        assert table.labels()[0][int(into[keys.by_row()[2]])].as_py() is None


def test_a_dictionary_with_double_null_and_unused_labels() -> None:
    rows = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, None, 3, 0], pa.uint8()), pa.array(["b", "a", "b", None, "unused"])
    )
    check([rows])
    keys = encode_rows([rows])
    table = KeyTable([pa.string()])
    into = table.codes_for(keys.labels)[keys.by_row()]
    assert [table.labels()[0][int(code)].as_py() for code in into] == ["b", "a", "b", None, None, "b"]
    assert len(set(into.tolist())) == 3


def test_codes_of_dictionaries_are_not_trusted_across_batches() -> None:
    table = KeyTable([pa.string()])
    found = []
    for labels in (["x", "y"], ["y", "x"], ["z", "y"]):
        keys = encode_rows([pa.DictionaryArray.from_arrays(pa.array([0, 1, 1]), pa.array(labels))])
        found += table.codes_for(keys.labels)[keys.by_row()].tolist()
    assert [table.labels()[0][code].as_py() for code in found] == ["x", "y", "y", "y", "x", "x", "z", "y", "y"]


@pytest.mark.parametrize("length", [8, 9, 63, 64, 65, 127, 128, 129, 1000])
def test_runs(length: int) -> None:
    from fastml.kernels.keys import find_runs

    find = find_runs.find_runs
    rng = np.random.default_rng(length)
    for p in (0.0, 0.02, 0.05, 0.5, 1.0):
        keys = np.cumsum(rng.random(length) < p).astype(np.int64)
        expected = naive.runs(keys.tolist())
        starts, firsts = np.full(len(expected), -1, np.int32), np.full(len(expected), -1, np.int64)
        if len(expected) - 1 > length // find_runs.ROWS_PER_RUN:
            assert find(keys, length, starts, firsts) == -1
            continue
        assert find(keys, length, starts, firsts) == len(expected) - 1
        assert starts.tolist() == expected
        assert firsts[:-1].tolist() == keys[expected[:-1]].tolist()
    assert find(np.zeros(7, np.int64), 7, np.zeros(4, np.int32), np.zeros(4, np.int64)) == -1


def test_runs_end_with_their_tiles() -> None:
    from fastml.kernels.keys import find_runs

    find = find_runs.find_runs
    keys = np.repeat(np.arange(40), np.random.default_rng(4).integers(10, 90, 40)).astype(np.int64)
    for tile_rows in (64, 100, 128, 333, len(keys), 5000):
        starts, firsts = np.full(len(keys) // 8 + 1, -1, np.int32), np.full(len(keys) // 8, -1, np.int64)
        expected = []
        for first in range(0, len(keys), tile_rows):
            expected += [first + start for start in naive.runs(keys[first : first + tile_rows].tolist())[:-1]]
        if len(keys) % tile_rows < find_runs.ROWS_PER_RUN and tile_rows < len(keys):
            assert find(keys, tile_rows, starts, firsts) == -1  # the last tile has no room for a run
            continue
        assert find(keys, tile_rows, starts, firsts) == len(expected)
        assert starts[: len(expected) + 1].tolist() == [*expected, len(keys)]
        assert firsts[: len(expected)].tolist() == keys[expected].tolist()
    keys[200:300] = np.arange(100)  # one tile that isn't clustered
    assert find(keys, 100, starts, firsts) == -1


@pytest.mark.parametrize("where", [1, 62, 63, 64, 65, 66, 127, 128])
def test_a_run_that_ends_at_any_place_of_a_word_is_seen(where: int) -> None:
    keys = np.zeros(200, np.int64)
    keys[where:] = 2**40
    assert encode_rows([pa.array(keys)]).starts is not None
    check([pa.array(keys)])


def test_unbounded_integers_fill_the_table_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(-(2**63), 2**63 - 1, 9_000)
    rows = np.concatenate([values, rng.permutation(values), values[:5]])
    check([pa.array(rows)])
    monkeypatch.setattr(label_tables, "_SLOTS_FREE", 4)
    monkeypatch.setattr(label_tables, "_SLOTS_EACH", 0)
    check([pa.array((rows % 5_000).astype(np.int16))])


def test_integers_that_agree_in_their_low_or_high_bits() -> None:
    check([pa.array([i << shift for shift in (0, 32, 48) for i in range(64)] * 3)])
    # One slot for all: keys whose spread bits begin alike.
    golden = pow(0x9E3779B97F4A7C15, -1, 2**64)
    alike = [(h ^ (h >> 32)) for h in ((golden * k) % 2**64 for k in range(1, 200))]
    check([pa.array(np.array(alike * 2, np.uint64))])


@pytest.mark.parametrize("length", [1, 5, 12, 15, 16, 17, 40])
def test_strings_fill_the_table_many_times(length: int) -> None:
    rng = np.random.default_rng(length)
    pool = [f"{i:0{length}d}"[-length:] for i in range(fewer(6_000, times=3, at_least=2_000))]
    rows = pa.array(list(rng.permutation(pool)) + list(rng.permutation(pool)))
    check([rows])
    check([rows.slice(77, 3 * len(pool) // 2)])


def test_strings_of_all_lengths_in_one_column() -> None:
    rng = np.random.default_rng(1)
    rows = ["".join(rng.choice(list("ab"), n)) for n in rng.integers(0, 20, 3_000)]
    check([pa.array(rows)])
    check([pa.array(rows, pa.large_string())])


def test_number_table_takes_ranges_that_widen_on_either_side() -> None:
    table, twin = NumberTable(), {}
    for low, high in ((100, 200), (90, 210), (-5_000, 0), (300, 9_000), (-(2**62), 2**62), (0, 50)):
        keys = np.random.default_rng(high & 0xFF).integers(low, high, 500)
        codes = table.codes_for(keys)
        assert codes.tolist() == [twin.setdefault(key, len(twin)) for key in keys.tolist()]
    assert table.bits().tolist() == list(twin)
    assert len(table.codes_for(np.empty(0, np.int64))) == 0


def test_key_table_grows_over_tiles_of_combinations() -> None:
    table = KeyTable([pa.large_string(), pa.int64(), pa.float64()])
    twin: dict[Any, int] = {}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        columns = [
            pa.array([f"s{i}" if i else None for i in rng.integers(0, 9, 300)], pa.large_string()),
            pa.array(rng.integers(-(2**60), 2**60, 7)[rng.integers(0, 7, 300)]),
            pa.array(rng.integers(0, 3, 300) / 2.0),
        ]
        rows = list(zip(*(c.to_pylist() for c in columns), strict=True))
        for row, code in zip(rows, table.codes_for(columns).tolist(), strict=True):
            assert twin.setdefault(row, code) == code
    assert {row: code for code, row in enumerate(zip(*(c.to_pylist() for c in table.labels()), strict=True))} == twin
    assert len(table) == len(twin)


def global_codes(encoder: Encoder, whole: KeyTable, column: pa.Array) -> list[int]:
    """Global codes of the rows of a tile, as the pass gets them: assumed first, exactly if that was wrong."""
    keys = encoder.encode([column])
    if (
        keys.numbers is not None
        and not ((keys.numbers >= keys.low) & (keys.numbers - keys.low < len(keys.dictionary))).all()
    ):
        keys = encoder.encode([column], exact=True)
    keys.dictionary.look_up(whole, np.unique(keys.by_row()).astype(np.int64))
    return keys.dictionary.global_codes()[keys.by_row()].tolist()


def unbounded(n: int) -> Any:
    """Distinct integers of any size, the same for the same number."""
    return np.random.default_rng(0).integers(-(2**63), 2**63 - 1, n)


STREAMS: dict[str, Any] = {
    "a range that moves": lambda i, r: pa.array(r.integers(50 * i, 50 * i + 90, 600)),
    "a range that widens": lambda i, r: pa.array(r.integers(-10 * i, 90 + i, 600)),
    "a range too wide in the end": lambda i, r: pa.array(r.integers(0, 10 ** (2 + 2 * i), 600)),
    "whole floats": lambda i, r: pa.array(r.integers(0, 90 + i, 600) * 1.0),
    "floats, whole and not": lambda i, r: pa.array(r.integers(0, 90, 600) / (1.0 + i % 2)),
    "unbounded": lambda i, r: pa.array(unbounded(300)[r.integers(0, 300, 600)]),
    "unbounded, many rows each": lambda i, r: pa.array(unbounded(30)[r.integers(0, 30, 600)]),
    "unbounded, new ones in some tiles": (
        lambda i, r: pa.array(unbounded(40)[np.minimum(r.integers(0, 30 + i // 2, 600), r.integers(0, 60, 600))])
    ),
    "unbounded, others in each tile": lambda i, r: pa.array(unbounded(300)[30 * i + r.integers(0, 30, 600)]),
    "nulls now and then": (
        lambda i, r: pa.array(r.integers(0, 90, 600), mask=(r.random(600) < 0.1) if i % 2 else np.zeros(600, bool))
    ),
    "strings": lambda i, r: pa.array([f"s{k}" for k in r.integers(0, 50 + 20 * i, 600)]),
    "dictionaries": (
        lambda i, r: pa.DictionaryArray.from_arrays(
            pa.array(r.integers(0, 40, 600)), pa.array([f"s{k}" for k in r.permutation(100)[:40]])
        )
    ),
    "dictionaries with nulls and doubles": (
        lambda i, r: pa.DictionaryArray.from_arrays(
            pa.array(r.integers(0, 5, 600), mask=r.random(600) < 0.1), pa.array(["a", "b", None, "a", f"s{i % 3}"])
        )
    ),
    "clustered, then not": (
        lambda i, r: pa.array(np.sort(x) if i % 2 else x) if (x := r.integers(0, 30, 600)) is not None else None
    ),
}  # fmt: skip


@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize("stream", STREAMS)
def test_an_encoder_goes_on_from_tile_to_tile(stream: str, forgetful: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if forgetful:
        monkeypatch.setattr(dictionaries, "_LABELS_FREE", 20)
        monkeypatch.setattr(dictionaries, "_LABELS_PER_USED", 1)
    make = STREAMS[stream]
    rng = np.random.default_rng(5)
    tiles = [make(i, rng) for i in range(7)]
    whole, encoder = KeyTable([plain_type(tiles[0].type)]), Encoder(Workspace(Spare()))
    codes = [code for tile in tiles for code in global_codes(encoder, whole, tile)]
    labels = whole.labels()[0].to_pylist()
    expected = [value for tile in tiles for value in decoded(tile)]
    assert [labels[code] for code in codes] == expected
    assert len(set(labels)) == len(labels)


def test_a_dictionary_is_read_once_while_it_is_the_same() -> None:
    labels = pa.array(["b", "a", "c"])
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0] * 100), labels)
    encoder = Encoder(Workspace(Spare()))
    first = encoder.encode([column])
    table = first.dictionary
    assert table.dictionary_codes(column.dictionary) is table.dictionary_codes(column.slice(7).dictionary)
    other = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0] * 100), pa.array(["c", "b", "d"]))
    assert encoder.encode([other]).by_row()[:3].tolist() == [2, 0, 3]


def test_sort_order_is_by_value_and_nulls_last() -> None:
    order = sort_order([pa.array(["b", "a", None, "a"]), pa.array([1, 10, 3, 9])])
    assert order.tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
@pytest.mark.parametrize("span", [1, 3, 100])
def test_sort_order_of_integers_of_any_range(span: int, dtype: type) -> None:
    rng = np.random.default_rng(span)
    info = np.iinfo(dtype)
    for low in (info.min, 0, info.max - span * 100 if dtype is not np.int8 else 20):
        values = (low + rng.permutation(span * 100)[:100]).astype(dtype) if dtype is not np.int8 else rng.permutation(
            np.arange(-50, 50, dtype=dtype))  # fmt: skip
        assert values[sort_order([pa.array(values)])].tolist() == sorted(values.tolist())
    assert sort_order([pa.array([2, 1, 2, 1])]).tolist() == [1, 3, 0, 2]
    extremes = pa.array([2**63 - 1, -(2**63), 0])
    assert sort_order([extremes]).tolist() == [1, 2, 0]


@pytest.mark.parametrize("dtype", [pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.map_(pa.int8(), pa.int8())])
def test_nested_types_are_refused(dtype: pa.DataType) -> None:
    with pytest.raises(ColumnTypeError, match="'id'"):
        check_key_type("group", pa.field("id", dtype))
