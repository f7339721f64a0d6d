"""Engines aggregate by themselves: the answer in memory, to 1e-10, from a row per cell."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import narwhals as nw
import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from engine_rows import CALLS, N, assert_same_schools, students
from foreign import ignore_foreign_warnings

import fastml
from fastml import FastmlError, GroupStats

pytestmark = pytest.mark.together

# Spark takes the longest, and no kernel: interpreted, the others have its turn.
SPARK = [] if numba.config.DISABLE_JIT else [pytest.param("spark", marks=pytest.mark.outside)]
ENGINES = [*SPARK, "dask", "duckdb", "polars", "ibis"]
OPEN = dict[str, Callable[[Path], Any]]


@pytest.fixture(autouse=True)
def _foreign() -> Iterator[None]:
    with warnings.catch_warnings():
        ignore_foreign_warnings()
        yield


@pytest.fixture(scope="module")
def engines() -> Iterator[OPEN]:
    """Real Spark in local mode, a real Dask cluster of two workers, and the engines that run in this process."""
    with warnings.catch_warnings():
        ignore_foreign_warnings()
        import dask.dataframe as dd
        import duckdb
        import ibis
        import polars as pl
        from dask.distributed import Client, LocalCluster

        base = ibis.duckdb.connect()
        duck = duckdb.connect()
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
            Client(cluster),
        ):
            yield {
                "spark": lambda folder: _spark().read.parquet(str(folder)),
                "dask": lambda folder: dd.read_parquet(str(folder)),
                "duckdb": lambda folder: duck.read_parquet(f"{folder}/*.parquet"),
                "polars": lambda folder: pl.scan_parquet(f"{folder}/*.parquet"),
                "ibis": lambda folder: base.read_parquet(f"{folder}/*.parquet"),
            }
        if _spark.cache_info().currsize:
            _spark().stop()
        base.disconnect()
        duck.close()


@cache
def _spark() -> Any:
    SparkSession = pytest.importorskip("pyspark.sql", reason="no pyspark here (extra spark)").SparkSession
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("no Java here, which Spark needs: the other engines are asked the same")

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", False)
        .config("spark.sql.shuffle.partitions", 2)
        .config("spark.sql.codegen.wholeStage", False)  # small queries: compilers would take most of the time
        .config("spark.sql.adaptive.enabled", False)
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def folder_of(table: pa.Table, folder: Path) -> Path:
    """Two files, so that partitions have to be added."""
    folder.mkdir(exist_ok=True)
    half = table.num_rows // 2
    pq.write_table(table.slice(0, half), folder / "a.parquet")
    pq.write_table(table.slice(half), folder / "b.parquet")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(students(), tmp_path_factory.mktemp("students"))


def assert_agree(found: GroupStats, truth: GroupStats, tolerance: float = 1e-10) -> None:
    for name in ("by", "group", "outcomes", "weights", "group_weights"):
        assert getattr(found, name) == getattr(truth, name)
    assert found.keys.to_pydict() == truth.keys.to_pydict()
    assert np.array_equal(found.counts, truth.counts)
    for one, other in ((found.moments, truth.moments), (found.weighted, truth.weighted)):
        assert (one is None) == (other is None)
        if one is None or other is None:
            continue
        np.testing.assert_allclose(one[..., 0], other[..., 0], rtol=tolerance)
        np.testing.assert_allclose(one[..., 1] + one[..., 2], other[..., 1] + other[..., 2], rtol=tolerance)
        np.testing.assert_allclose(one[..., 3:], other[..., 3:], rtol=tolerance, atol=0)
    if truth.group_weight is not None:
        np.testing.assert_array_equal(found.group_weight, truth.group_weight)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("call", CALLS)
def test_statistics_are_those_in_memory(engine: str, call: str, engines: OPEN, folder: Path) -> None:
    found = fastml.group_stats(engines[engine](folder), **CALLS[call])
    assert_agree(found, fastml.group_stats(folder, **CALLS[call]))


@pytest.mark.parametrize("engine", ENGINES)
def test_fits_are_those_in_memory(engine: str, engines: OPEN, folder: Path) -> None:
    frame = engines[engine](folder)
    for options in ({}, {"weights": "w", "group_weights": "v"}):
        found = fastml.fit(frame, "math", ["country", "school"], **options)
        truth = fastml.fit(folder, "math", ["country", "school"], **options)
        for name in ("gamma00", "se_gamma00", "tau00", "sigma2", "icc", "loglik", "reliability"):
            assert math.isclose(getattr(found, name), getattr(truth, name), rel_tol=1e-10), name
        assert found.dropped == truth.dropped
    table = fastml.fit_by(frame, ["math", "read"], "school", by="country").to_frame()
    direct = fastml.fit_by(folder, ["math", "read"], "school", by="country").to_frame()
    assert table["country"].tolist() == direct["country"].tolist()
    np.testing.assert_allclose(table["icc"], direct["icc"], rtol=1e-10)


def hard(icc: float, mean: float, seed: int = 3) -> pa.Table:
    """Students whose sd is 1 in all: schools take the share icc of the variance."""
    rng = np.random.default_rng(seed)
    school = rng.integers(0, 30, N)
    y = mean + rng.normal(0, math.sqrt(icc), 30)[school] + rng.normal(0, math.sqrt(1 - icc), N)
    return pa.table({"school": school, "y": y, "w": rng.uniform(1, 2, N), "v": 1.0 + school % 3})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("icc", "mean"), [(1 - 1e-9, 0.0), (0.2, 1e6), (1 - 1e-9, 1e6)])
def test_hard_numbers(engine: str, icc: float, mean: float, engines: OPEN, tmp_path: Path) -> None:
    folder = folder_of(hard(icc, mean), tmp_path / "hard")
    options: dict[str, Any]
    for options in ({}, {"weights": "w", "group_weights": "v"}):
        found = fastml.group_stats(engines[engine](folder), "y", "school", **options)
        truth = fastml.group_stats(folder, "y", "school", **options)
        assert_agree(found, truth)
        one, other = fastml.fit(found), fastml.fit(truth)
        for name in ("gamma00", "tau00", "sigma2", "icc"):
            assert math.isclose(getattr(one, name), getattr(other, name), rel_tol=1e-10), name


@pytest.mark.parametrize("engine", [*SPARK, "duckdb", "polars", "ibis"])
def test_a_wild_first_row_costs_no_digits(engine: str, engines: OPEN, tmp_path: Path) -> None:
    table = hard(0.3, 500.0)
    y = table["y"].to_numpy().copy()
    y[0] = 9e9
    folder = folder_of(table.set_column(1, "y", pa.array(y)), tmp_path / "wild")
    found = fastml.group_stats(engines[engine](folder), "y", "school")
    assert_agree(found, fastml.group_stats(folder, "y", "school"))


PLANS: dict[str, tuple[Callable[[Any], str], str]] = {
    "spark": (lambda native: native._jdf.queryExecution().executedPlan().toString(), "HashAggregate"),
    "duckdb": (lambda native: native.explain().upper().replace("_", " "), "HASH GROUP BY"),  # before 1.2 HASH_GROUP_BY
    "polars": (lambda native: native.explain(), "AGGREGATE"),
    "ibis": (lambda native: __import__("ibis").to_sql(native), "GROUP BY"),
}


@pytest.mark.parametrize("engine", [engine for engine in PLANS if engine in ENGINES])
@pytest.mark.parametrize("icc", [0.2, 1 - 1e-9])
def test_the_engine_aggregates_and_a_row_per_cell_comes_back(
    engine: str, icc: float, engines: OPEN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[tuple[str, int]] = []
    plan, sign = PLANS[engine]
    folder_of(hard(icc, 0.0), tmp_path / "h")
    original = nw.LazyFrame.collect

    def spy(self: Any, *args: Any, **kwargs: Any) -> Any:
        table = original(self, *args, **kwargs)
        collected.append((plan(self.to_native()), len(table)))
        return table

    monkeypatch.setattr(nw.LazyFrame, "collect", spy)
    fastml.fit(engines[engine](tmp_path / "h"), "y", "school")
    rough, *aggregates = collected
    assert rough[1] == 1
    # A second aggregate only where the first lost digits; both of them made by the engine, from rows it keeps.
    assert [rows for _, rows in aggregates] == ([30] if icc == 0.2 else [30, 30])
    assert all(sign in text for text, _ in aggregates)


def test_dask_reduces_on_its_workers(engines: OPEN, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("rows were reduced in the client")

    monkeypatch.setattr("fastml.reduce.dask_frames.from_source", never)
    monkeypatch.setattr("fastml.reduce.workers.from_source", never)
    frame = engines["dask"](folder)
    assert frame.npartitions == 2
    assert fastml.group_stats(frame, "read", "school").counts.sum() == N


def test_dask_partitions_without_rows_or_of_one_school(engines: OPEN, folder: Path) -> None:
    frame = engines["dask"](folder)
    some = frame[frame["school"] == 7]
    assert_agree(
        fastml.group_stats(some, "read", "school"), fastml.group_stats(folder, "read", "school", filter="school = 7")
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_blank_labels_are_missing(engine: str, engines: OPEN, tmp_path: Path) -> None:
    table = students()
    blank = np.random.default_rng(5).integers(0, 6, N)
    names = [("", "   ", *names)[min(b, 2)] for b, names in zip(blank, zip(table["country"].to_pylist()), strict=True)]
    table = table.set_column(0, "country", pa.array(names))
    found = fastml.group_stats(engines[engine](folder_of(table, tmp_path / "blank")), "math", "school", by="country")
    expected = fastml.group_stats(table, "math", "school", by="country")
    assert found.dropped() == expected.dropped()
    assert expected.dropped()["by"] == sum(name is None or not name.strip() for name in names)
    assert found.groups().labels["school"].to_pylist() == expected.groups().labels["school"].to_pylist()


@pytest.mark.parametrize("engine", ENGINES)
def test_refusals(engine: str, engines: OPEN, tmp_path: Path) -> None:
    table = students().append_column("text", pa.array(["a"] * N))
    bad = table["read"].to_numpy().astype(float).copy()
    bad[700] = math.inf
    table = table.append_column("bad", pa.array(bad))
    table = table.append_column("neg", pa.array(np.where(np.arange(N) == 5, -1.0, 1.0)))
    frame = engines[engine](folder_of(table, tmp_path / "bad"))
    for call, message in (
        ({"outcome": "maths", "group": "school"}, r"column 'maths' is not in the .*; did you mean 'math'\?"),
        ({"outcome": "text", "group": "school"}, "outcome column 'text' has type"),
        ({"outcome": "bad", "group": "school"}, "outcome column 'bad' has .*inf"),
        ({"outcome": "math", "group": "school", "weights": "neg", "group_weights": "v"}, "weights column 'neg' has "),
        ({"outcome": "math", "group": "school", "group_weights": "w"}, "group_weights column 'w' "),
        ({"outcome": "math", "group": "country", "group_weights": "v"}, "varies within a group"),
        ({"outcome": "math", "group": "school", "filter": "math > 3"}, "filter= is for rows that fastml reads"),
        ({"outcome": "math", "group": "math"}, "has one role"),
        ({"outcome": "math", "group": "school", "tags": {"school": 1}}, "'school'"),
    ):
        with pytest.raises(FastmlError, match=message) as caught:
            fastml.group_stats(frame, **call)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("engine", ["duckdb", "polars", "ibis", *SPARK])
def test_types_of_columns(engine: str, engines: OPEN, tmp_path: Path) -> None:
    table = pa.table(
        {
            "y": pa.array([True, False, True, True, None, False], pa.bool_()),
            "d": pa.array([Decimal(v) for v in (1, 2, 3, 4, 5, 7)], pa.decimal128(12, 2)),
            "f": pa.array([1, 2, 4, 8, 16, 3], pa.float32()),
            "id": pa.array([1.0, -0.0, math.nan, 0.0, 1.0, None]),
            "day": pa.array([1, 1, 1, 2, 2, 2], pa.int32()).cast(pa.date32()),
        }
    )
    frame = engines[engine](folder_of(table, tmp_path / "types"))
    for outcome in ("y", "d", "f"):
        for group in ("id", "day", ["day", "id"]):
            assert_agree(fastml.group_stats(frame, outcome, group), fastml.group_stats(table, outcome, group))


def test_an_interval_is_no_label() -> None:
    import duckdb

    rows = duckdb.sql("select to_days(i::int // 2) span, 1.0 * i y from range(6) t(i)")
    with pytest.raises(FastmlError, match="group column 'span' has type month_day_nano_interval; use a column of"):
        fastml.fit(rows, "y", "span")


@pytest.mark.parametrize("engine", ENGINES)
def test_schools_of_one_value(engine: str, engines: OPEN, tmp_path: Path) -> None:
    table = pa.table({"y": [0.1, 0.1, 0.1, 7.7, 7.7, 3.3, 3.3, 3.3], "id": [1, 1, 1, 2, 2, 3, 3, 3]})
    frame = engines[engine](folder_of(table, tmp_path / "same"))
    assert fastml.group_stats(frame, "y", "id").moments[0, :, 3].tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(FastmlError, match="constant inside every group"):
        fastml.fit(frame, "y", "id")


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows(engine: str, engines: OPEN, tmp_path: Path) -> None:
    frame = engines[engine](folder_of(students().slice(0, 0), tmp_path / "empty"))
    with pytest.raises(FastmlError, match="no observations"):
        fastml.fit(frame, "math", "school")


def test_an_engine_that_fails_is_one_line(engines: OPEN, tmp_path: Path) -> None:
    folder = folder_of(students(), tmp_path / "gone")
    frame = engines["polars"](folder)
    (folder / "b.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(FastmlError, match="polars failed") as caught:
        fastml.fit(frame, "math", "school")
    assert "\n" not in str(caught.value)


def test_statistics_of_an_engine_add_to_those_of_files(engines: OPEN, folder: Path) -> None:
    a = fastml.group_stats(engines["duckdb"](folder), "math", "school", tags={"cycle": 2019})
    b = fastml.group_stats(folder / "a.parquet", "math", "school", tags={"cycle": 2023})
    assert len(a + b) == len(a) + len(b)
    assert replace(a, notes=()).outcomes == b.outcomes


def test_no_engine_is_imported_for_it() -> None:
    program = (
        "import sys, fastml\n"
        "fastml.fit({'y': [1.0, 2.0, 4.0, 8.0], 'id': [1, 1, 2, 2]}, 'y', 'id')\n"
        "print([m for m in ('narwhals', 'dask', 'pyspark', 'duckdb', 'ibis', 'polars', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["rows_", "w_", "W_", "n0_", "m0_", "key0_", "bad_", "v_low_", "_w_"])
@pytest.mark.parametrize("role", ["outcome", "group", "weights", "group_weights"])
def test_columns_named_as_those_of_the_sums(role: str, name: str) -> None:
    import duckdb
    import polars as pl

    data = {"y": [1.0, 2.0, 4.0, 8.0, 3.0, 5.0], "s": [1, 1, 2, 2, 3, 3], "w": [1.0, 2.0, 1.0, 2.0, 1.0, 3.0]}
    data["v"] = [2.0, 2.0, 3.0, 3.0, 4.0, 4.0]
    roles = {"outcome": "y", "group": "s", "weights": "w", "group_weights": "v"}
    renamed = pa.table({name if column == roles[role] else column: values for column, values in data.items()})
    call = roles | {role: name}
    memory = fastml.fit(renamed, **call)
    for lazy in (duckdb.from_arrow(renamed), pl.from_arrow(renamed).lazy()):
        found = fastml.fit(lazy, **call)
        assert (found.outcome, found.group, found.weights, found.group_weights) == (
            memory.outcome, memory.group, memory.weights, memory.group_weights
        )  # fmt: skip
        for figure in ("gamma00", "tau00", "sigma2", "se_gamma00"):
            assert math.isclose(getattr(found, figure), getattr(memory, figure), rel_tol=1e-10, abs_tol=1e-10)


@pytest.mark.parametrize("case", ["by", "weights"])
@pytest.mark.parametrize("engine", SPARK)
def test_spark_runs_the_query_of_the_reduction(engine: str, case: str, engines: OPEN, folder: Path) -> None:
    """The other dialects are in test_sql_text.py; here is a Spark already."""
    rows, words = engines[engine](folder), dict(CALLS[case])
    rows.createOrReplaceTempView("students")
    for table in ("students", f"{folder}/*.parquet"):
        made = rows.sparkSession.sql(fastml.group_stats_sql(table, dialect="spark", **words))
        assert_same_schools(fastml.group_stats(made, **words), fastml.group_stats(students(), **words))


@pytest.mark.parametrize("engine", SPARK)
def test_spark_keeps_the_digits_of_a_high_icc_in_the_query(engine: str, engines: OPEN, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    school = rng.integers(0, 40, 2000)
    table = pa.table({"school": school, "y": 1e9 * (1 + school) + rng.normal(0, 1e-3, 2000)})
    session = engines[engine](folder_of(table, tmp_path / "rows")).sparkSession
    made = session.sql(fastml.group_stats_sql(f"{tmp_path}/rows/*.parquet", "y", "school", dialect="spark"))
    assert_same_schools(fastml.group_stats(made, "y", "school"), fastml.group_stats(table, "y", "school"))
