"""Data that can be read are a stream; others end in one clear line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError
from fastml.io.source import Input, column_names, open_source, schema_metadata


def test_labels_come_back_as_they_went_in() -> None:
    y = [1.0, 2.0, 4.0, 8.0]
    for ids, dtype in (([7.0, 7.0, 3.0, 3.0], pa.float64()), ([-1, -1, 5, 5], pa.int16()), ([2**63 + 1] * 2 + [5, 5], pa.uint64()),
                       (["é", "é", "a", "a"], pa.string()), ([b"x", b"x", b"", b""], pa.binary())):  # fmt: skip
        labels = fastml.fit(pa.table({"y": y, "id": pa.array(ids, dtype)}), "y", "id").groups_arrow()["group"]
        assert labels.type == dtype
        assert labels.to_pylist() == sorted(set(ids))


def test_group_columns_of_two_kinds() -> None:
    frame = pd.DataFrame(
        {"y": [1.0, 2.0, 4.0, 8.0, 5.0, 7.0], "c": ["N", "N", "S", "S", "S", "S"], "id": [1, 1, 1, 1, 2, 2]}
    )
    means = fastml.fit(frame, "y", ["c", "id"]).groups()
    assert means[["c", "id", "n", "mean"]].values.tolist() == [["N", 1, 2, 1.5], ["S", 1, 2, 6.0], ["S", 2, 2, 6.0]]


ONE = {"y": [1.0, 2.0, 4.0, 8.0], "id": [1, 1, 2, 2]}


BAD = [
    ("missing, close", lambda: fastml.fit(ONE, "Y", "id"), r"column 'Y' is not in the dict of arrays; did you mean 'y'\?"),
    ("missing, far", lambda: fastml.fit(ONE, "score", "id"), r"column 'score' is not in .*; its columns are 'y', 'id'"),
    ("group missing", lambda: fastml.fit(pa.table(ONE), "y", "school"), r"column 'school' is not in the Arrow table"),
    ("in the index", lambda: fastml.fit(pd.DataFrame(ONE).set_index("id"), "y", "id"), r"use \.reset_index\(\) first"),
    ("twice", lambda: fastml.fit(pa.table([[1.0], [2.0], [3]], ["y", "y", "id"]), "y", "id"), r"column 'y' stands 2 times"),
    ("string outcome", lambda: fastml.fit({**ONE, "y": ["1", "2", "3", "4"]}, "y", "id"),
     r"outcome column 'y' has type string; .*digits in strings are not taken for numbers: convert the column first"),
    ("category outcome", lambda: fastml.fit(pd.DataFrame(ONE).astype({"y": "category"}), "y", "id"), r"decode the categories"),
    ("date outcome", lambda: fastml.fit({**ONE, "y": np.array(["2024-01-01"] * 4, "M8[D]")}, "y", "id"), r"must be numeric"),
    ("nested group", lambda: fastml.fit({**ONE, "id": [[1], [1], [2], [2]]}, "y", "id"), r"group column 'id' has type list"),
    ("infinite", lambda: fastml.fit({**ONE, "y": [1.0, 2.0, math.inf, 8.0]}, "y", "id"),
     r"outcome column 'y' has inf in row 2 .*id 2\); recode it to missing or drop the row"),
    ("first is infinite", lambda: fastml.fit({**ONE, "y": [-math.inf, 2.0, 3.0, 8.0]}, "y", "id"), r"has -inf in row 0"),
    ("too large", lambda: fastml.fit({**ONE, "y": [1e300, -1e300, 3.0, 8.0]}, "y", "id"), r"too large to square"),
    ("one group", lambda: fastml.fit({"y": [1.0, 2.0], "id": [1, 1]}, "y", "id"), r"one group only"),
    ("singletons", lambda: fastml.fit({"y": [1.0, 2.0, 3.0], "id": [1, 2, 3]}, "y", "id"), r"every one of the 3 groups"),
    ("constant", lambda: fastml.fit({**ONE, "y": [5.0] * 4}, "y", "id"), r"same value in every row"),
    ("constant inside", lambda: fastml.fit({**ONE, "y": [5.0, 5.0, 6.0, 6.0]}, "y", "id"), r"constant inside every group"),
    ("empty", lambda: fastml.fit({"y": np.empty(0), "id": np.empty(0, int)}, "y", "id"), r"no observations"),
    ("all missing", lambda: fastml.fit({"y": [None, None], "id": [1, 2]}, "y", "id"), r"no observations"),
    ("no columns", lambda: fastml.fit(pd.DataFrame(), "y", "id"), r"column 'id' is not in the data frame, which has no columns"),
    ("unknown method", lambda: fastml.fit(ONE, "y", "id", method="mle"), r"method='mle' is not one of 'reml', 'ml', 'anova'"),
    ("unknown df", lambda: fastml.fit(ONE, "y", "id", df="kr"), r"df='kr' is not one of"),
    ("formula with covariate", lambda: fastml.fit(ONE, "y ~ x + (1 | id)"), r"fits the null model 'y ~ 1 \+ \(1 \| g\)' only"),
    ("formula with slope", lambda: fastml.fit(ONE, "y ~ 1 + (x | id)"), r"is not one fastml fits"),
    ("no group", lambda: fastml.fit(ONE, "y"), r"name an outcome and a group"),
    ("no outcome", lambda: fastml.fit(ONE, group="id"), r"name an outcome and a group"),
    ("two outcomes", lambda: fastml.fit(ONE, ["y", "id"], "id"), r"the name of one column; fit_by takes several"),
    ("same column", lambda: fastml.fit(ONE, "y", "y"), r"column 'y' is named as outcome and as group"),
    ("group twice", lambda: fastml.fit(ONE, "y", ["id", "id"]), r"names a column twice"),
    ("number as name", lambda: fastml.group_stats(ONE, 3, "id"), r"a column's name"),
    ("ragged", lambda: fastml.fit({"y": [1.0], "id": [1, 2]}, "y", "id"), r"'id' has 2, 'y' has 1 rows"),
    ("two dimensions", lambda: fastml.fit({**ONE, "y": np.zeros((4, 1))}, "y", "id"), r"has 2 dimensions"),
    ("a scalar", lambda: fastml.fit({**ONE, "y": 3.0}, "y", "id"), r"column 'y' is a single float"),
    ("mixed", lambda: fastml.fit(pd.DataFrame({"y": [1.0, "a"], "id": [1, 2]}), "y", "id"), r"column 'y' can't be read as one Arrow type"),
    ("a list of rows", lambda: fastml.fit([(1.0, 2)], "y", "id"), r"data of type list can't be read"),
    ("none", lambda: fastml.fit(None, "y", "id"), r"data of type NoneType can't be read"),
    ("no such file", lambda: fastml.fit("no/such.parquet", "y", "id"), r"file no/such\.parquet does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_one_clear_line(call, message: str) -> None:
    with pytest.raises(FastmlError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_column_names_of_every_kind(tmp_path: Path) -> None:
    table = pa.table({"y": [1.0], "id": [1]})
    pq.write_table(table, tmp_path / "t.parquet")

    class Exported:
        """Speaks Arrow's C interface, and no more."""

        def __arrow_c_schema__(self) -> object:
            return table.schema.__arrow_c_schema__()

    for data in (tmp_path / "t.parquet", table, table.to_pandas(), pl.from_arrow(table), {"y": [1.0], "id": [1]},
                 Exported()):  # fmt: skip
        assert column_names(data)[1] == ["y", "id"], type(data)
    assert column_names(3)[1] == []


def test_a_reader_without_a_close_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher may give any iterator; only generators are closed."""
    batches = [pa.record_batch({"y": [1.0, 2.0, 4.0], "id": [1, 1, 2]})]
    closed = []

    def watch(given: object, size: int) -> object:
        closed.append(size)
        return iter(list(given))  # type: ignore[call-overload]

    monkeypatch.setattr("fastml.io.source.watcher", lambda wanted: watch)
    source = open_source(Input(pa.Table.from_batches(batches), progress=True), ["y", "id"])
    assert [batch.num_rows for batch in source.batches] == [3]
    assert closed == [0]


def test_an_input_is_checked_once_and_reads_the_same(tmp_path: Path) -> None:
    pq.write_table(pa.table(ONE), tmp_path / "t.parquet")
    for data in (ONE, tmp_path / "t.parquet"):
        given = Input(data, filter="y > 1.5", threads=2, csv_options={"decimal": ","}, progress=False)
        checked = given.checked()
        assert checked.checked() == checked
        assert checked.csv_options.decimal == ","
        for each in (given, checked):
            source = open_source(each, ["id", "id"])
            assert source.schema.names == ["id"]
            assert pa.Table.from_batches(source.batches)["id"].to_pylist() == [1, 2, 2]
            assert column_names(each)[1] == ["y", "id"]


@pytest.mark.parametrize(("options", "message"), [
    ({"filter": "y >"}, "filter"), ({"threads": 0}, "threads=0"), ({"csv_options": {"sep": ";"}}, "'sep'"),
])  # fmt: skip
def test_an_input_that_is_wrong_is_told_before_a_row_is_read(options: dict, message: str) -> None:
    with pytest.raises(FastmlError, match=message):
        Input("no/such.parquet", **options).checked()


def test_metadata_of_a_schema(tmp_path: Path) -> None:
    table = pa.table(ONE)
    pq.write_table(table, tmp_path / "plain.parquet")
    pq.write_table(table.replace_schema_metadata({"made": "here"}), tmp_path / "t.parquet")
    assert schema_metadata(tmp_path / "plain.parquet") == {}
    assert schema_metadata(tmp_path / "t.parquet")[b"made"] == b"here"
