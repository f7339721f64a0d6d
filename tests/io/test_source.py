"""Every kind of table gives the same answer; data that can't be read end in one clear line."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError
from fastml.io.source import Input, column_names, open_source

N = 900


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(5)
    school = rng.integers(0, 40, N)
    y = rng.normal(500, 100, N) + rng.normal(0, 50, 40)[school]
    missing = rng.random(N) < 0.05
    return pa.table({"unused": np.arange(N), "y": pa.array(y, mask=missing), "id": school})


@pytest.fixture(scope="module")
def truth(table: pa.Table) -> dict:
    return fastml.fit(table, "y", "id").to_dict()


def forms(table: pa.Table, folder: Path) -> dict[str, object]:
    pq.write_table(table, folder / "t.parquet", row_group_size=100)
    frame = table.to_pandas()
    y, ids = frame["y"].to_numpy(), frame["id"].to_numpy()
    for array in (y, ids):
        array.setflags(write=False)
    strided = np.column_stack([y, y])[:, 0]
    assert not strided.flags.c_contiguous
    chunks = pa.concat_tables([table.slice(0, 1), table.slice(1, 400), table.slice(401, 0), table.slice(401)])
    nullable = frame.astype({"y": "Float64", "id": "Int16"})
    return {
        "table": table,
        "chunked": chunks,
        "sliced": pa.concat_tables([table.slice(7, 20), table]).slice(20),
        "batch": table.combine_chunks().to_batches()[0],
        "reader": table.to_reader(max_chunksize=37),
        "pandas": frame,
        "pandas nullable": nullable,
        "pandas arrow": table.to_pandas(types_mapper=pd.ArrowDtype),
        "polars": pl.from_arrow(table),
        "dict of arrays": {"y": y, "id": ids},
        "dict of lists": {"y": table["y"].to_pylist(), "id": table["id"].to_pylist()},
        "dict of series": {"y": frame["y"], "id": pl.Series(ids)},
        "dict of arrow": {"y": table["y"], "id": table["id"]},
        "strided": {"y": strided, "id": ids[::-1][::-1]},
        "big endian": {"y": y.astype(">f8"), "id": ids.astype(">i4")},
        "masked": {"y": np.ma.masked_invalid(y), "id": ids},
        "path": folder / "t.parquet",
        "path as text": str(folder / "t.parquet"),
    }


def test_every_form_gives_the_same_bits(table: pa.Table, truth: dict, tmp_path: Path) -> None:
    for name, form in forms(table, tmp_path).items():
        assert fastml.fit(form, "y", "id").to_dict() == truth, name


@pytest.mark.parametrize("clustered", [True, False])
@pytest.mark.parametrize("offset", [0, 3, 8])
def test_null_and_nan_give_the_same_bits(clustered: bool, offset: int) -> None:
    rng = np.random.default_rng(offset)
    school = rng.integers(0, 12, 2000)
    school = np.sort(school) if clustered else school
    # Some schools have missing values, others none: runs of these are summed as they'd be without the others, while rows
    # in any order are so about a shift of all.
    missing = (rng.random(2000) < 0.1) & (school % 3 == 0)
    y = rng.normal(500, 100, 2000)
    null = pa.table({"y": pa.array(y, mask=missing), "id": school}).slice(offset)
    nan = pa.table({"y": np.where(missing, np.nan, y), "id": school}).slice(offset)
    one, other = (fastml.group_stats(data, "y", "id") for data in (null, nan))
    assert one.to_arrow().equals(other.to_arrow())
    whole = pa.table({"y": y, "id": school}).slice(offset)
    untouched = np.unique(school[offset:]) % 3 != 0
    complete = fastml.group_stats(whole, "y", "id")
    found, expected = one.moments[0, untouched], complete.moments[0, untouched]
    if clustered:
        assert np.array_equal(found, expected)
    np.testing.assert_allclose(found[:, [0, 1, 3]], expected[:, [0, 1, 3]], rtol=1e-14)


@pytest.mark.parametrize("dtype", [
    pa.int8(), pa.int16(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(9, 1),
    pa.bool_(),
])  # fmt: skip
def test_numbers_of_every_type(dtype: pa.DataType) -> None:
    values = [0, 1, 1, 0, 0, 1, 0, 0] if pa.types.is_boolean(dtype) else [3, 5, 7, 1, 2, 2, 9, 8]
    ids = [1, 1, 2, 2, 3, 3, 4, 4]
    plain = fastml.fit({"y": np.array(values, float), "id": ids}, "y", "id").to_dict()
    column = [Decimal(v) for v in values] if pa.types.is_decimal(dtype) else values
    if pa.types.is_float16(dtype):
        column = np.array(values, np.float16)
    made = pa.array([bool(v) for v in values]) if pa.types.is_boolean(dtype) else pa.array(column, dtype)
    assert fastml.fit(pa.table({"y": made, "id": ids}), "y", "id").to_dict() == plain


def test_polars_frame_with_strings_and_categories() -> None:
    frame = pl.DataFrame({"y": [1.0, 2.0, 4.0, 8.0], "id": ["b", "b", "a", "a"]})
    plain = fastml.fit(frame, "y", "id")
    assert fastml.fit(frame.with_columns(pl.col("id").cast(pl.Categorical)), "y", "id").to_dict() == plain.to_dict()
    assert plain.groups()["group"].tolist() == ["a", "b"]
    assert plain.gamma00 == pytest.approx(3.75)


def test_pandas_categories_without_rows_are_no_groups() -> None:
    frame = pd.DataFrame({"y": [1.0, 2.0, 4.0, 8.0], "id": pd.Categorical(["b", "b", "a", "a"], list("zab"))})
    assert fastml.fit(frame, "y", "id").groups()["group"].tolist() == ["a", "b"]


def test_group_columns_of_two_kinds() -> None:
    frame = pd.DataFrame(
        {"y": [1.0, 2.0, 4.0, 8.0, 5.0, 7.0], "c": ["N", "N", "S", "S", "S", "S"], "id": [1, 1, 1, 1, 2, 2]}
    )
    means = fastml.fit(frame, "y", ["c", "id"]).groups()
    assert means[["c", "id", "n", "mean"]].values.tolist() == [["N", 1, 2, 1.5], ["S", 1, 2, 6.0], ["S", 2, 2, 6.0]]


def test_labels_come_back_as_they_went_in() -> None:
    y = [1.0, 2.0, 4.0, 8.0]
    for ids, dtype in (([7.0, 7.0, 3.0, 3.0], pa.float64()), ([-1, -1, 5, 5], pa.int16()), ([2**63 + 1] * 2 + [5, 5], pa.uint64()),
                       (["é", "é", "a", "a"], pa.string()), ([b"x", b"x", b"", b""], pa.binary())):  # fmt: skip
        labels = fastml.fit(pa.table({"y": y, "id": pa.array(ids, dtype)}), "y", "id").groups_arrow()["group"]
        assert labels.type == dtype
        assert labels.to_pylist() == sorted(set(ids))


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
    ("two outcomes", lambda: fastml.fit(ONE, ["y", "id"], "id"), r"one column's name"),
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


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"id,y\n1,2\n"), ("cut", b"PAR1" + bytes(50))):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(content)
        with pytest.raises(FastmlError, match="is not a Parquet file that can be read"):
            fastml.fit(path, "y", "id")
    with pytest.raises(FastmlError, match=r"cut\.parquet is not a Parquet file"):
        fastml.fit(tmp_path, "y", "id")


def test_a_damaged_page_is_an_error_not_a_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "t.parquet"
    table = pa.table({"y": rng.normal(size=20000), "id": rng.integers(0, 9, 20000)})
    # Parquet can tell only where the writer left checksums.
    pq.write_table(table, path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[2000:2400] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(FastmlError, match="can't be read"):
        fastml.fit(path, "y", "id")


def test_a_reader_that_fails_midway() -> None:
    def batches():
        yield pa.record_batch({"y": [1.0, 2.0], "id": [1, 1]})
        raise OSError("the disk went away")

    schema = pa.schema({"y": pa.float64(), "id": pa.int64()})
    with pytest.raises((FastmlError, OSError), match="the disk went away"):
        fastml.fit(pa.RecordBatchReader.from_batches(schema, batches()), "y", "id")


def test_formula() -> None:
    plain = fastml.fit(ONE, "y", "id").to_dict()
    for formula in ("y ~ 1 + (1 | id)", "y~1+(1|id)", " y  ~ 1 + ( 1 | `id` ) ", "y ~ (1 | id)"):
        assert fastml.fit(ONE, formula).to_dict() == plain
    assert fastml.fit({"a b": ONE["y"], "id": ONE["id"]}, "`a b` ~ 1 + (1 | id)").outcome == "a b"


def test_a_name_that_is_no_text() -> None:
    with pytest.raises(FastmlError, match="a name of a column of the dict of arrays is no text"):
        fastml.fit({"\udcff": ONE["id"], "y": ONE["y"]}, "y", "\udcff")


def test_a_boundary_fit_is_a_result() -> None:
    fit = fastml.fit({"y": [1.0, 9.0, 2.0, 8.0], "id": [1, 1, 2, 2]}, "y", "id")
    assert fit.singular
    assert (fit.tau00, fit.icc, fit.reliability, fit.deff) == (0, 0, 0, 1)
    assert fit.to_dict()["se_tau00"] is None


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


def test_polars_objects_are_refused_by_name() -> None:
    objects = pl.DataFrame({"y": pl.Series([object(), object()], dtype=pl.Object), "id": [1, 2]})
    with pytest.raises(FastmlError, match=r"column 'y' of the polars DataFrame holds Python objects"):
        fastml.fit(objects, "y", "id")


def test_a_polars_column_of_a_type_that_arrow_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"y": [1.0, 2.0], "id": [1, 2]})

    class Stream:
        """Fails for column id, as Polars does for a type that it can't export."""

        __module__ = "polars"

        def __init__(self, names: list[str]) -> None:
            self.columns, self.schema = names, dict.fromkeys(names, pl.Float64)

        def select(self, names: str | list[str]) -> Stream:
            return Stream([names] if isinstance(names, str) else names)

        def __arrow_c_stream__(self, requested: object = None) -> object:
            if "id" in self.columns:
                raise pa.ArrowNotImplementedError("no such type")
            return frame.select(self.columns).__arrow_c_stream__(requested)

    Stream.__name__ = "DataFrame"
    with pytest.raises(FastmlError, match=r"column 'id' of the polars DataFrame can't be read: no such type"):
        fastml.fit(Stream(["y", "id"]), "y", "id")


def test_a_sparse_column_is_its_values() -> None:
    dense = pd.DataFrame({"y": [0.0, 0.0, 3.0, 5.0, 0.0], "id": [1, 1, 2, 2, 2]})
    sparse = dense.astype({"y": pd.SparseDtype(float, 0.0)})
    assert fastml.fit(sparse, "y", "id").to_dict() == fastml.fit(dense, "y", "id").to_dict()


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
