"""Conditions on rows."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import files
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import random_filters
from files import csv_text, same

import fastml
from fastml import FastmlError
from fastml.io.filters import as_filter, comparable
from fastml.io.source import Input, open_source

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
    inner = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda self, *a, **k: read.extend(k["row_groups"]) or inner(self, *a, **k)
    )
    fastml.group_stats(tmp_path / "t.parquet", "y", "id", filter="id < 4")
    assert sorted(read) == list(range(len(read)))
    assert 1 <= len(read) < 6


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
        ("id < 'a'", "can't be applied: a number is compared with a text; texts stand in single quotes"),
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
    ("k in (1, 99999999999999999999)", 1), ("k = " + "0" * 5000 + "1", 1), ("u > 9223372036854775808.5", 1), ("u <= 9223372036854775808.5", 1),
    ("9223372036854775808 < 9223372036854775807.5", 0), ("u = 9223372036854775809.0", 1), ("y = 1.00000000000000000001", 1),
    ("k < 1.00000000000000000001", 1), ("k in (1.0, 2.00000000000000000000000001)", 1),
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
    with pytest.raises(FastmlError, match=r"can't be applied: a text is compared with a number"):
        fastml.fit(tmp_path / "t.csv", "y", "id", filter="'my col' = 3")


def test_nan_in_parquet_is_missing_too(tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": [1.0, np.nan], "id": [1, 2]}), tmp_path / "t.parquet")
    assert fastml.group_stats(tmp_path / "t.parquet", "y", "id", filter="y is null").keys["id"].to_pylist() == [2]


def test_null_is_neither_true_nor_false() -> None:
    data = {"y": [1.0, 2.0, 3.0, 4.0, 5.0], "id": [1, 1, 2, 2, 2], "k": [1, None, 2, None, 1]}
    for text, n in (("k = 1", 2), ("k != 1", 1), ("not k = 1", 1), ("k not in (1, 3)", 1), ("k is null", 2), ("k = 1 or id = 1", 3)):  # fmt: skip
        assert int(fastml.group_stats(data, "y", "id", filter=text).counts[:, 0].sum()) == n, text


def kept(data: object, condition: object) -> list[int]:
    source = open_source(Input(data, filter=condition, threads=1, progress=False), ["row"])
    return pa.Table.from_batches(source.batches, source.schema)["row"].to_pylist()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_filters_keep_what_the_where_of_duckdb_keeps(seed: int, tmp_path: Path) -> None:
    rows, filters = random_filters.table(seed), random_filters.Filters(seed)
    pq.write_table(rows, tmp_path / "t.parquet", row_group_size=60)
    feather.write_feather(rows, tmp_path / "t.arrow", chunksize=100)
    conditions = [filters.condition() for _ in range(120)]
    for i, (text, expected) in enumerate(zip(conditions, random_filters.kept_by_duckdb(rows, conditions), strict=True)):
        for data in (rows, tmp_path / "t.parquet", tmp_path / "t.arrow") if i % 3 == 0 else (rows,):
            assert kept(data, text) == expected, (text, data)


def in_all_carriers(rows: pa.Table, folder: Path) -> list[object]:
    pq.write_table(rows, folder / "rows.parquet", row_group_size=2)
    feather.write_feather(rows, folder / "rows.arrow")
    return [rows, folder / "rows.parquet", folder / "rows.arrow"]


@pytest.mark.parametrize("dtype", [pa.float64(), pa.float32(), pa.float16()], ids=str)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zero_has_no_sign(dtype: pa.DataType, zero: float, tmp_path: Path) -> None:
    x = pa.array(np.array([zero, -zero, 5.0, 99.0], dtype.to_pandas_dtype()), dtype)
    many = ", ".join(map(str, range(30)))
    for data in in_all_carriers(pa.table({"row": [0, 1, 2, 3], "x": x}), tmp_path):
        for text, rows in (
            (f"x in ({many})", [0, 1, 2]), (f"x not in ({many})", [3]), (f"x in (-0.0, {many[3:]})", [0, 1, 2]),
            ("x = 0", [0, 1]), ("x = -0.0", [0, 1]), ("x < 0", []), ("x >= -0.0", [0, 1, 2, 3]), ("x in (-0.0, 5)", [0, 1, 2]),
        ):  # fmt: skip
            assert kept(data, text) == rows, text


def test_nan_is_null_wherever_it_stands(tmp_path: Path) -> None:
    x = pa.array([1.0, np.nan, 3.0, 1.0, 1.0, np.nan])
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0, 0, None], pa.uint8()), x[:3])
    runs = pc.run_end_encode(x)
    views = pa.table({"row": range(6), "x": runs, "d": dictionary})
    for data in [*in_all_carriers(pa.table({"row": range(6), "x": x, "d": dictionary}), tmp_path), views]:
        for name in ("x", "d"):
            for text, rows in (
                (f"{name} <> 1", [2]), (f"not {name} = 1", [2]), (f"{name} is null", [1, 5]),
                (f"{name} is not null", [0, 2, 3, 4]), (f"{name} not in (1, 7)", [2]), (f"not {name} > 2", [0, 3, 4]),
            ):  # fmt: skip
                assert kept(data, text) == rows, text


def test_pyarrow_expressions_are_not_pruned_by_statistics_that_know_no_nan(tmp_path: Path) -> None:
    """Row group 1 of the file is 5.0 and NaN: the statistics of Parquet say 5 to 5, and no null."""
    data = in_all_carriers(pa.table({"row": range(4), "x": [1.0, 2.0, 5.0, np.nan]}), tmp_path)
    x = pc.field("x")
    for expression, rows in (
        (~x.is_valid(), [3]), (pc.coalesce(x, pc.scalar(0.0)) == 0.0, [3]), (x.isin([2.0, 5.0]), [1, 2]),
        (pc.if_else(x.is_valid(), x, 0.0) < 1.0, [3]), (x > 1.5, [1, 2]), (~(x > 1.5), [0]),
    ):  # fmt: skip
        for form in data:
            assert kept(form, expression) == rows, (expression, form)


def test_only_the_columns_of_a_filter_are_read(tmp_path: Path) -> None:
    """Columns whose names are part of its text aren't: not "a", nor "cycle", a mixture that nothing can read."""
    mixed = pd.DataFrame(
        {"row": [1, 2], "cycle_2019": [1, 2], "cycle": [object(), 3], "a": ["x", 2], "text": ["a", "cycle"]}
    )
    for condition in ("cycle_2019 = 2", "text = 'cycle'", '"cycle_2019" in (2)', pc.field("cycle_2019") == 2,
                      pc.field("text").isin(["cycle"])):  # fmt: skip
        assert kept(mixed, condition) == [2]
    table = pa.table({"row": [1, 2], "name": ["x", "am"], "am": [1, 2], "na": [[1], [2]]})
    pq.write_table(table, tmp_path / "t.parquet")
    for condition in ("name = 'am'", pc.field("name") == "am", pc.starts_with(pc.field("name"), "am")):
        assert as_filter(condition).columns(table.column_names) == ["name"]
        assert kept(tmp_path / "t.parquet", condition) == [2]
    assert as_filter("name = 'a' or am = 1 and not na is null").columns(table.column_names) == ["name", "am", "na"]
    with pytest.raises(FastmlError, match="filter 'AM = 1' can't be applied: there is no column 'AM'"):
        kept(table, "AM = 1")


def test_polars_categories_are_what_they_say() -> None:
    frame = pl.DataFrame({"row": [1, 2, 3, 4], "c": ["b", "a", None, "b"]})
    for dtype in (pl.Categorical, pl.Enum(["a", "b", "z"]), pl.String):
        typed = frame.with_columns(pl.col("c").cast(dtype))
        for text, rows in (("c = 'b'", [1, 4]), ("c <> 'b'", [2]), ("c in ('a', 'b')", [1, 2, 4]), ("c is null", [3]),
                           ("c >= 'b'", [1, 4])):  # fmt: skip
            assert kept(typed, text) == rows, (dtype, text)
        stats = fastml.group_stats(typed.with_columns(y=pl.lit(1.0)), "y", "c", filter="c <> 'z'")
        assert stats.keys["c"].to_pylist() == ["a", "b"]


def test_whole_numbers_beyond_single_precision(tmp_path: Path) -> None:
    rows = pa.table({"row": range(4), "n": [20_000_001, 5, 30_000_000, None],
                     "single": pa.array([20_000_002.0, 0.1, 16_777_216.0, None], pa.float32()),
                     "dec": pa.array([Decimal("2.50"), Decimal(7), None, Decimal(-1)])})  # fmt: skip
    for data in in_all_carriers(rows, tmp_path):
        for text, expected in (
            ("n >= 2e7", [0, 2]), ("n = 20000001.0", [0]), ("n > 20000000.5", [0, 2]), ("n <> 2e7", [0, 1, 2]),
            ("single >= 20000001", [0]), ("single = 16777217", []), ("single = 0.1", [1]), ("n = single", []),
            ("n > single", [1, 2]), ("dec = 2.5", [0]), ("dec = 7", [1]), ("dec > 2", [0, 1]), ("dec in (7, -1)", [1, 3]),
            ("n > dec", [0]), ("n between -1e300 and 2.5e7", [0, 1]),
        ):  # fmt: skip
            assert kept(data, text) == expected, text


def test_an_expression_that_is_no_condition_is_refused() -> None:
    for expression in (pc.field("row") + 1, pc.scalar(3)):
        with pytest.raises(FastmlError, match="can't be applied: it must evaluate to booleans, and gives int64"):
            kept(pa.table({"row": [1]}), expression)
    for text, rows in (("1 = 1", [1, 2]), ("1 = 2", []), ("'a' is null", [])):
        assert kept(pa.table({"row": [1, 2]}), text) == rows
    with pytest.raises(FastmlError, match=r"not in range.*; write it as text, such as 'n >= 2e7'"):
        kept(pa.table({"row": [20_000_001]}), pc.field("row") >= 2e7)


def test_what_is_compared_has_no_nan_and_no_minus_zero() -> None:
    column = pa.array([-0.0, np.nan, None, 1.5])
    for given in (column, column.cast(pa.float32()), column.dictionary_encode(), pc.run_end_encode(column)):
        found = comparable(given)
        assert found.to_pylist() == [0.0, None, None, 1.5]
        assert np.signbit(found.to_numpy(zero_copy_only=False)[0]) == np.False_
