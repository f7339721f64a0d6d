"""Conditions on rows."""

from __future__ import annotations

import datetime
from pathlib import Path

import files
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from files import csv_text, same

import fastml
from fastml import FastmlError
from fastml.io.filters import as_expression

table = pytest.fixture(files.table, scope="module")
truth = pytest.fixture(files.truth, scope="module")


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("cycle = 2019", pc.field("cycle") == 2019),
        ("cycle <> 2019 AND id >= 30", (pc.field("cycle") != 2019) & (pc.field("id") >= 30)),
        ("country in ('TUR', 'FIN') or id < 3", (pc.field("country") == "TUR") | (pc.field("id") < 3)),
        ("not (country = 'TUR')", pc.field("country") != "TUR"),
        ("country not in ('TUR')", pc.field("country") != "TUR"),
        ("y is not null and y between 400 and 500", (pc.field("y") >= 400) & (pc.field("y") <= 500)),
        ('"y" is null', pc.field("y").is_null()),
        ("y > -1e3", pc.field("y") > -1000),
        ("`id` == 5", pc.field("id") == 5),
        ("not id != 5", pc.field("id") == 5),
    ],
)
def test_in_memory_and_in_files(text: str, expression: object, table: pa.Table, tmp_path: Path) -> None:
    wanted = fastml.group_stats(table.filter(expression), "y", "id")
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=100)
    feather.write_feather(table, tmp_path / "t.feather")
    (tmp_path / "t.csv").write_text(csv_text(table))
    sources = (table, tmp_path / "t.parquet", tmp_path / "t.feather", tmp_path / "t.csv", pl.from_arrow(table),
               table.to_pandas(), table.to_reader(max_chunksize=11),
               {name: table[name] for name in table.column_names})  # fmt: skip
    for data in sources:
        same(fastml.group_stats(data, "y", "id", filter=text), wanted)
    same(fastml.group_stats(table, "y", "id", filter=expression), wanted)


def test_row_groups_are_skipped(table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=100)
    read: list[int] = []
    inner = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda self, i, **k: read.append(i) or inner(self, i, **k))
    fastml.group_stats(tmp_path / "t.parquet", "y", "id", filter="id < 4")
    assert sorted(read) == list(range(len(read)))
    assert 1 <= len(read) < 6


@pytest.mark.parametrize(
    ("text", "place"),
    [("", "at its end"), ("cycle =", "at its end"), ("cycle ~ 3", "at '~ 3'"), ("cycle = 3)", "at '\\)'"),
     ("(cycle = 3", "at its end"), ("id in ()", "at '\\)'"), ("__import__('os')", "at \"\\('os'\\)\""), ("id = 3; drop", "at '; drop'"),
     ("cycle", "at its end"), ("d = DATE '2019-02-30'", "at \"'2019-02-30'\""), ("id is 3", "at '3'"), ("id = 'a", "at \"'a\"")],
)  # fmt: skip
def test_what_is_no_condition(text: str, place: str) -> None:
    with pytest.raises(FastmlError, match=place):
        as_expression(text)


@pytest.mark.parametrize("dtype", [pa.date32(), pa.date64(), pa.timestamp("us"), pa.timestamp("ns", "UTC")], ids=str)
def test_dates(dtype: pa.DataType, tmp_path: Path) -> None:
    days = pa.array([datetime.date(2019, 1, 1 + i % 20) for i in range(40)]).cast(pa.timestamp("ns"))
    zone = getattr(dtype, "tz", None)
    column = pc.assume_timezone(days, zone) if zone else days.cast(dtype)
    table = pa.table({"d": column, "y": np.arange(40.0), "g": np.arange(40) % 4})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=10)
    noon = f"TIMESTAMP '2019-01-10 12:00:00{'+00:00' if zone else ''}'"
    for data in (table, tmp_path / "t.parquet"):
        for text, n in (
            ("d >= DATE '2019-01-11'", 20), ("d between date '2019-01-02' and DATE '2019-01-03'", 4),
            ("d not in (DATE '2019-01-02', DATE '2019-01-05')", 36), (f"d > {noon}", 20), (f"not d < {noon}", 20),
        ):  # fmt: skip
            assert fastml.group_stats(data, "y", "g", filter=text).counts[:, 0].sum() == n
        with pytest.raises(FastmlError, match=r"a date is compared with text; write DATE '2019-01-31' for a column"):
            fastml.group_stats(data, "y", "g", filter="d >= '2019-01-11'")
        if pa.types.is_timestamp(dtype):
            other = "TIMESTAMP '2019-01-10 12:00:00" + ("'" if zone else "+00:00'")
            with pytest.raises(FastmlError, match="a time with a zone is compared with one without; write TIMESTAMP"):
                fastml.group_stats(data, "y", "g", filter=f"d > {other}")


def test_a_column_may_be_named_date() -> None:
    data = {"date": [1, 2, 2], "timestamp": ["a", "b", "b"], "y": [1.0, 2.0, 3.0], "g": [1, 1, 1]}
    for text in ("date = 2", "timestamp in ('b')", "2 <= date and timestamp > 'a'", "date = date and date > 1"):
        assert fastml.group_stats(data, "y", "g", filter=text).counts[:, 0].sum() == 2


def test_keys_that_arrow_can_not_filter_are_decoded() -> None:
    views = pa.array([b"a", b"b", b"a"], pa.binary_view())
    for key in (views, pc.run_end_encode(pa.array([1, 2, 1])), pc.run_end_encode(pa.array(["a", "b", "a"]))):
        stats = fastml.group_stats(pa.table({"g": key, "y": [1.0, 2.0, 3.0]}), "y", "g", filter="y > 1")
        assert stats.groups().n.tolist() == [1, 1]


def test_what_cannot_be_computed(table: pa.Table) -> None:
    for text, message in (
        ("id < 'a'", "can't be applied: .*less"),
        ("nothing = 1", "there is no column 'nothing'"),
    ):
        with pytest.raises(FastmlError, match=message):
            fastml.fit(table, "y", "id", filter=text)
    with pytest.raises(FastmlError, match="is not one of 'a pyarrow expression'"):
        fastml.fit(table, "y", "id", filter=3)


def test_long_lists(table: pa.Table) -> None:
    data = {"y": [1.0, 2.0, 4.0, 7.0, 9.0, 3.0], "id": [1, 1, 2, 2, 2, 3], "k": [1, 2, 3, 4, None, 6],
            "t": ["a", "b", "a", None, "b", "c"]}  # fmt: skip
    numbers, texts = ", ".join(map(str, range(3, 50_000))), ", ".join(f"'{c}'" for c in "bdefghijklmnopqrstuvwxyz")
    for text, n in ((f"k in ({numbers})", 3), (f"k not in ({numbers})", 2), (f"not k in ({numbers})", 2),
                    (f"t in ({texts})", 2), (f"t not in ({texts})", 3)):  # fmt: skip
        assert int(fastml.group_stats(data, "y", "id", filter=text).counts[:, 0].sum()) == n, text[:30]
    # Arrow ends the process at some ten thousand of them.
    for text in (" or ".join(["k = 1"] * 1001), "k in (" + ", ".join(["k"] * 1000) + ")"):
        with pytest.raises(FastmlError, match="more than 1,000 comparisons; use IN for a list"):
            fastml.fit(data, "y", "id", filter=text)
    assert fastml.group_stats(data, "y", "id", filter=" or ".join(["k = 1"] * 1000)).counts[:, 0].sum() == 1


@pytest.mark.parametrize(("text", "n"), [
    ("k < 9999999999999999999999", 2), ("k > -" + "9" * 400, 2), ("k < " + "9" * 5000, 2), ("u > 9223372036854775808", 1),
    ("k in (1, 99999999999999999999)", 1), ("k = " + "0" * 5000 + "1", 1),
])  # fmt: skip
def test_numbers_beyond_64_bits(text: str, n: int) -> None:
    data = {"y": [1.0, 2.0], "id": [1, 2], "k": [1, 2], "u": np.array([2**63 + 1, 0], np.uint64)}
    assert int(fastml.group_stats(data, "y", "id", filter=text).counts[:, 0].sum()) == n


def test_names_and_text_of_every_kind(tmp_path: Path) -> None:
    names = ["my col", "id-country", "a'b", 'a"b', "1st", "a)b"]
    table = pa.table({"id": [1, 1, 2], "y": [1.0, 2.0, 4.0], **{name: [3, 3, 4] for name in names}})
    (tmp_path / "t.csv").write_text(csv_text(table))
    for name in names:
        condition = f'"{name.replace(chr(34), 2 * chr(34))}" = 3'
        for data in (table, tmp_path / "t.csv"):
            assert fastml.group_stats(data, "y", "id", filter=condition).keys.num_rows == 1
    with pytest.raises(FastmlError, match="half a character"):
        fastml.fit(table, "y", "id", filter="id = '\udcff'")
    with pytest.raises(FastmlError, match=r"can't be applied: Function 'equal'"):
        fastml.fit(tmp_path / "t.csv", "y", "id", filter="'my col' = 3")


def test_decimals_want_a_point() -> None:
    table = pa.table({"y": [1.0, 2.0], "id": [1, 2], "k": pa.array([1, 2], pa.int32()).cast(pa.decimal128(18, 0))})
    with pytest.raises(FastmlError, match=r"write the number with a point, as 1\.0"):
        fastml.fit(table, "y", "id", filter="k = 1")
    assert fastml.group_stats(table, "y", "id", filter="k = 1.0").keys.num_rows == 1


def test_nan_in_parquet_is_missing_too(tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": [1.0, np.nan], "id": [1, 2]}), tmp_path / "t.parquet")
    assert fastml.group_stats(tmp_path / "t.parquet", "y", "id", filter="y is null").keys["id"].to_pylist() == [2]


def test_null_is_neither_true_nor_false() -> None:
    data = {"y": [1.0, 2.0, 3.0, 4.0, 5.0], "id": [1, 1, 2, 2, 2], "k": [1, None, 2, None, 1]}
    for text, n in (("k = 1", 2), ("k != 1", 1), ("not k = 1", 1), ("k not in (1, 3)", 1), ("k is null", 2), ("k = 1 or id = 1", 3)):  # fmt: skip
        assert int(fastml.group_stats(data, "y", "id", filter=text).counts[:, 0].sum()) == n, text
