"""Every kind of table in memory gives the same answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import same

import fastml
from fastml import FastmlError
from fastml.io.in_memory import open_memory

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
        made = {"provenance": truth["provenance"]}  # a path is told, and nothing else differs
        assert fastml.fit(form, "y", "id").to_dict() | made == truth, name


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


def test_polars_frame_with_strings_and_categories() -> None:
    frame = pl.DataFrame({"y": [1.0, 2.0, 4.0, 8.0], "id": ["b", "b", "a", "a"]})
    plain = fastml.fit(frame, "y", "id")
    assert fastml.fit(frame.with_columns(pl.col("id").cast(pl.Categorical)), "y", "id").to_dict() == plain.to_dict()
    assert plain.groups()["group"].tolist() == ["a", "b"]
    assert plain.gamma00 == pytest.approx(3.75)


def test_pandas_categories_without_rows_are_no_groups() -> None:
    frame = pd.DataFrame({"y": [1.0, 2.0, 4.0, 8.0], "id": pd.Categorical(["b", "b", "a", "a"], list("zab"))})
    assert fastml.fit(frame, "y", "id").groups()["group"].tolist() == ["a", "b"]


def test_a_name_that_is_no_text() -> None:
    with pytest.raises(FastmlError, match="a name of a column of the dict of arrays is no text"):
        fastml.fit({"\udcff": [1, 1, 2, 2], "y": [1.0, 2.0, 4.0, 8.0]}, "y", "\udcff")


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
    truth = fastml.fit(dense, "y", "id").to_dict()
    assert fastml.fit(sparse, "y", "id").to_dict() == truth
    arrays = {"y": sparse["y"].array, "id": pd.arrays.SparseArray(dense["id"])}
    assert fastml.fit(arrays, "y", "id").to_dict() == truth


def test_a_reader_that_fails_midway() -> None:
    def batches():
        yield pa.record_batch({"y": [1.0, 2.0], "id": [1, 1]})
        raise OSError("the disk went away")

    schema = pa.schema({"y": pa.float64(), "id": pa.int64()})
    with pytest.raises((FastmlError, OSError), match="the disk went away"):
        fastml.fit(pa.RecordBatchReader.from_batches(schema, batches()), "y", "id")


def test_other_streams(table: pa.Table) -> None:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.from_arrow(table)
    same(fastml.group_stats(relation.arrow(), "y", "id"), fastml.group_stats(table, "y", "id"))


@pytest.mark.parametrize(
    ("freq", "names"), [("Y", ["2020", "2021"]), ("M", ["2020-01", "2020-02"]), ("D", ["2020-01-01", "2020-01-02"])]
)
@pytest.mark.parametrize("kind", ["period", "category", "index"])
def test_periods_of_pandas_have_their_names(freq: str, names: list[str], kind: str) -> None:
    periods = pd.Series([*pd.period_range("2020", periods=2, freq=freq), pd.NaT])
    column = {"period": periods, "category": periods.astype("category"), "index": pd.PeriodIndex(periods)}[kind]
    for data in ({"p": column}, pd.DataFrame({"p": column})):
        source = open_memory(data, ["p"])
        assert pa.Table.from_batches(source.batches)["p"].to_pylist() == [*names, None]


@pytest.mark.parametrize("index", [3, -1, 2**40])
@pytest.mark.parametrize("values", [["a", "b", "c"], [5, 6, 7]])
def test_indices_that_lead_out_of_a_dictionary(index: int, values: list, tmp_path: Path) -> None:
    """Without a look at them index 2**40 was label 0, as its last 32 bits say."""
    indices = pa.array([0, 0, 1, index, 2, 1])
    column = pa.DictionaryArray.from_buffers(
        pa.dictionary(pa.int64(), pa.array(values).type), 6, indices.buffers(), pa.array(values)
    )
    table = pa.table({"y": [1.0, 2.0, 3.0, 4.0, 6.0, 5.0], "id": column, "other": [1, 1, 2, 2, 3, 3]})
    named = f"column 'id' of the Arrow table has index {index} in row 3 .* out of its dictionary of 3; make"
    for call in (
        lambda data: fastml.fit(data, "y", "id"),
        lambda data: fastml.fit(data, "y", ["other", "id"]),
        lambda data: fastml.fit_by(data, "y", "other", by="id"),
        lambda data: fastml.fit(data, "y", "other", filter="id is not null and y > 0"),
    ):
        with pytest.raises(FastmlError, match=named):
            call(table)
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(FastmlError, match=rf"column 'id'.* out of bounds: {index}"):
        fastml.fit(tmp_path / "t.arrow", "y", "id")


def test_what_stands_under_a_null_of_a_dictionary_is_nothing() -> None:
    indices = pa.array(np.array([0, 0, 1, 99, 2, 1]), mask=np.arange(6) == 3)
    column = pa.DictionaryArray.from_buffers(
        pa.dictionary(pa.int64(), pa.string()), 6, indices.buffers(), pa.array(["a", "b", "c"])
    )
    fit = fastml.fit(pa.table({"y": [1.0, 2.0, 3.0, 4.0, 6.0, 5.0], "id": column}), "y", "id")
    assert (fit.n_obs, fit.n_dropped, fit.n_groups) == (5, 1, 3)
