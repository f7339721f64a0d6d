"""The pass as a whole against fractions, on tiles of a few rows: threads, tile edges, batches, slices, nulls, keys."""

from __future__ import annotations

import decimal
import gc
import math
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import naive
import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import fewer
from streams import KINDS, N_ROWS, check, rows, same

import fastml
from fastml.errors import FastmlError
from fastml.io.threads import thread_count
from fastml.reduce import workers

THREADS = [1, 2, 3, 8]


@pytest.fixture(autouse=True, params=[200] if numba.config.DISABLE_JIT else [64, 1000])  # interpreted tests are slow
def small_tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(workers, "TILE_ROWS", request.param)
    return int(request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_bits_do_not_depend_on_threads_or_batches(kind: str, small_tiles: int) -> None:
    table = rows(kind)
    first = fastml.group_stats(table, "y", "id", threads=1)
    check(first, table, ["id"])
    for threads in THREADS[1:]:
        assert same(first, fastml.group_stats(table, "y", "id", threads=threads)), threads
    for size in (1, 7, small_tiles - 1, small_tiles, small_tiles + 1):
        parts = pa.Table.from_batches(table.to_batches(max_chunksize=size))
        assert same(first, fastml.group_stats(parts, "y", "id", threads=2)), size


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 127, 128, 129, 999, 1000, 1001, 2000, 2001])
@pytest.mark.parametrize("kind", ["integers, clustered", "integers, shuffled"])
def test_tile_edges(n: int, kind: str) -> None:
    table = rows(kind, n)
    check(fastml.group_stats(table, "y", "id", threads=2), table, ["id"])


@pytest.mark.parametrize("kind", [k for k in KINDS if "nulls" in k])
def test_slices(kind: str) -> None:
    table = rows(kind)
    for first, length in ((0, N_ROWS // 2), (3, 3 * N_ROWS // 5), (8, 64), (65, 2 * N_ROWS // 3), (N_ROWS - 1, 1)):
        part = table.slice(first, length)
        check(fastml.group_stats(part, "y", "id"), part, ["id"])
        assert same(fastml.group_stats(part, "y", "id"), fastml.group_stats(part.take(list(range(length))), "y", "id"))


@pytest.mark.parametrize("keys", [["c", "id"], ["id", "c"], ["c", "z", "id"]])
@pytest.mark.parametrize("kind", KINDS)
def test_composite_keys(kind: str, keys: list[str]) -> None:
    table = rows(kind)
    first = fastml.group_stats(table, "y", keys, threads=1)
    check(first, table, keys)
    for threads in THREADS[1:]:
        assert same(first, fastml.group_stats(table, "y", keys, threads=threads))


def test_dictionaries_that_differ_per_batch() -> None:
    plain = rows("strings, shuffled")
    parts = []
    for k in range(0, N_ROWS, 50):
        part = plain.slice(k, 50).combine_chunks()
        order = np.random.default_rng(k).permutation(len(part["id"].unique()))
        dictionary = part["id"].combine_chunks().unique().take(pa.array(order))
        place = {label: i for i, label in enumerate(dictionary.to_pylist())}
        indices = pa.array([place[label] for label in part["id"].to_pylist()], pa.int32())
        parts.append(part.set_column(0, "id", pa.DictionaryArray.from_arrays(indices, dictionary)))
    table = pa.concat_tables(parts)
    assert table["id"].num_chunks == N_ROWS // 50
    for threads in THREADS:
        found = fastml.group_stats(table, "y", "id", threads=threads)
        check(found, plain, ["id"])
    stream = pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches()))
    assert same(found, fastml.group_stats(stream, "y", "id"))


@pytest.mark.parametrize("kind", ["integers, clustered, nulls", "strings, shuffled, nulls"])
def test_outcomes_do_not_touch_each_other(kind: str) -> None:
    table = rows(kind)
    both = fastml.group_stats(table, ["y", "z"], "id", threads=3)
    for name in ("y", "z"):
        alone = fastml.group_stats(table, name, "id")
        for field in ("n", "mean", "residual", "ss"):
            together, single = getattr(both.groups(name), field), getattr(alone.groups(name), field)
            assert together.tolist() == single.tolist()
        check(both, table, ["id"], name)


@pytest.mark.parametrize("p", range(1, 11))
def test_one_to_ten_outcomes(p: int) -> None:
    table = rows("integers, shuffled, nulls")
    rng = np.random.default_rng(p)
    names = [f"v{k}" for k in range(p)]
    for name in names:
        table = table.append_column(name, pa.array(rng.normal(size=N_ROWS), mask=rng.random(N_ROWS) < 0.1))
    found = fastml.group_stats(table, names, "id", threads=2)
    for name in names:
        check(found, table, ["id"], name)


@pytest.mark.parametrize("kind", ["integers, clustered, nulls", "unbounded, shuffled, nulls"])
def test_weights(kind: str) -> None:
    table = rows(kind)
    first = fastml.group_stats(table, "y", "id", weights="w", threads=1)
    for threads in THREADS[1:]:
        assert same(first, fastml.group_stats(table, "y", "id", weights="w", threads=threads))
    columns = [table[name].to_pylist() for name in ("id", "y", "w")]
    labels = first.keys["id"].to_pylist()
    assert first.weighted is not None
    for label, record in zip(labels, first.weighted[0].tolist(), strict=True):
        mine = [(math.nan if y is None else y, math.nan if w is None else w)
                for g, y, w in zip(*columns, strict=True) if g == label]  # fmt: skip
        twin = naive.weighted([y for y, _ in mine], [w for _, w in mine])
        expected = [float(twin.w), float(twin.mean), float(twin.ss), float(twin.w2)]
        assert [record[k] for k in (0, 1, 3, 4)] == pytest.approx(expected, rel=1e-12)


def test_shuffled_and_clustered_rows_agree_to_rounding() -> None:
    table = rows("integers, shuffled")
    one = fastml.group_stats(table, "y", "id").groups()
    other = fastml.group_stats(table.sort_by("id"), "y", "id").groups()
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-15)
    np.testing.assert_allclose(one.ss, other.ss, rtol=1e-13)


def test_many_groups_of_one_row_and_many_of_unbounded_ids() -> None:
    ids = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, 3_000)
    table = pa.table({"id": np.concatenate([ids, ids[::-1]]), "y": np.arange(6_000.0)})
    found = fastml.group_stats(table, "y", "id", threads=3)
    check(found, table, ["id"])
    assert len(found) == 3_000


@pytest.mark.parametrize("threads", THREADS)
def test_the_environment_says_how_many_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = rows("integers, shuffled")
    monkeypatch.setenv("FASTML_NUM_THREADS", str(threads))
    assert same(fastml.group_stats(table, "y", "id"), fastml.group_stats(table, "y", "id", threads=1))
    assert thread_count() == threads


@pytest.mark.parametrize("threads", THREADS)
def test_the_first_error_in_the_order_of_the_rows_is_raised(threads: int) -> None:
    table = rows("integers, shuffled", 5000)
    y = np.array(table["y"]).copy()
    y[[2_345, 2_346, 3_000, 4_999]] = math.inf
    with pytest.raises(fastml.FastmlError, match="has inf in row 2,345 "):
        fastml.group_stats({"y": y, "id": np.array(table["id"])}, "y", "id", threads=threads)


def in_files(folder: Path, table: pa.Table, lengths: list[int], per_row_group: int) -> Path:
    """Write rows as files of some lengths, in whole row groups from the start of each."""
    first = 0
    for i, length in enumerate(lengths):
        part = table.slice(first, length)
        pq.write_table(part, folder / f"{i}.parquet", row_group_size=per_row_group)
        first += length
    assert first == len(table)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_row_groups_that_are_tiles_have_the_bits_of_others(
    kind: str, small_tiles: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are measured by the thread that reads them, before it is their turn."""
    taken, take = list[int](), workers.Tiles.take

    def noted(self: Any, *args: Any) -> Any:
        task = take(self, *args)
        taken.extend([task.first_row] if task.slices else [])
        return task

    monkeypatch.setattr(workers.Tiles, "take", noted)
    table = rows(kind, 9 * small_tiles + 30)
    # Whole tiles; then tiles of pieces from two files, as rows are missing to a whole number; then whole tiles again.
    lengths = [3 * small_tiles, 2 * small_tiles - 10, small_tiles + 10, 3 * small_tiles, 30]
    folder = in_files(tmp_path, table, lengths, small_tiles)
    for columns in (["id"], ["c", "id"]):
        whole = fastml.group_stats(table, ["y", "z"], columns, weights="w")
        for threads in THREADS:
            taken.clear()
            assert same(fastml.group_stats(folder, ["y", "z"], columns, weights="w", threads=threads), whole)
            assert taken == [4 * small_tiles, 5 * small_tiles, 9 * small_tiles]


@pytest.mark.parametrize("threads", THREADS)
def test_an_error_in_a_row_group_that_is_a_tile_is_told_in_its_turn(
    threads: int, small_tiles: int, tmp_path: Path
) -> None:
    table = rows("integers, shuffled", 6 * small_tiles)
    y = np.array(table["y"]).copy()
    y[[small_tiles + 5, 2 * small_tiles + 5, 5 * small_tiles]] = math.inf, -math.inf, math.inf
    folder = in_files(tmp_path, table.set_column(1, "y", pa.array(y)), [6 * small_tiles], small_tiles)
    before = threading.active_count()
    with pytest.raises(fastml.FastmlError, match=f"has inf in row {small_tiles + 5:,} "):
        fastml.group_stats(folder, "y", "id", threads=threads)
    assert threading.active_count() == before
    y[:] = np.arange(len(y))
    y[small_tiles + 5] = math.inf
    folder = in_files(tmp_path, table.set_column(1, "y", pa.array(y)), [6 * small_tiles], small_tiles)
    read = fastml.group_stats(folder, "y", "id", filter=f"y < {2 * small_tiles}")
    assert read.groups().n.sum() == 2 * small_tiles - 1  # rows that are left out aren't counted, nor looked at


@pytest.mark.parametrize("threads", THREADS)
def test_an_error_in_the_source_ends_all_threads(threads: int) -> None:
    table = rows("integers, shuffled", 5000)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table.slice(0, 3000).to_batches(max_chunksize=100)
        raise pa.ArrowInvalid("the disk is gone")

    before = threading.active_count()
    reader = pa.RecordBatchReader.from_batches(table.schema, batches())
    with pytest.raises(fastml.FastmlError, match="the disk is gone"):
        fastml.group_stats(reader, "y", "id", threads=threads)
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_ends_all_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(rows: Any, columns: Any, first_row: int, *rest: Any) -> Any:
        if first_row >= 1000:
            raise KeyboardInterrupt
        return measure(rows, columns, first_row, *rest)

    measure = workers.measure
    monkeypatch.setattr(workers, "measure", interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        fastml.group_stats(rows("integers, shuffled", 5000), "y", "id", threads=threads)
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_in_a_row_group_that_is_a_tile_ends_all_threads(
    threads: int, small_tiles: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(rows: Any, columns: Any, first_row: int, *rest: Any) -> Any:
        if first_row >= 2 * small_tiles:
            raise KeyboardInterrupt
        return measure(rows, columns, first_row, *rest)

    measure = workers.measure
    monkeypatch.setattr(workers, "measure", interrupted)
    folder = in_files(tmp_path, rows("integers, shuffled", 9 * small_tiles), [9 * small_tiles], small_tiles)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        fastml.group_stats(folder, "y", "id", threads=threads)
    assert threading.active_count() == before


@pytest.mark.parametrize("at", [0, 1, 5])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_while_rows_are_taken_is_told(at: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0

    def interrupted(self: Any, *args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken > at:
            raise KeyboardInterrupt
        return take(self, *args)

    take = workers.Tiles.take
    monkeypatch.setattr(workers.Tiles, "take", interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        fastml.group_stats(rows("integers, shuffled", 9000), "y", "id", threads=threads)
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["integers, shuffled", "integers, clustered", "strings, shuffled"])
def test_at_most_twice_as_many_parts_as_threads_are_alive(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alive, most, lock = 0, 0, threading.Lock()

    def measured(*args: Any) -> Any:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return measure(*args)

    def added(self: Any, part: Any) -> None:
        nonlocal alive
        add(self, part)
        with lock:
            alive -= 1

    measure, add = workers.measure, workers.Accumulator.add
    monkeypatch.setattr(workers, "measure", measured)
    monkeypatch.setattr(workers.Accumulator, "add", added)
    monkeypatch.setattr(workers, "_TILES_AT_ONCE", 1)
    fastml.group_stats(rows(kind, 9000), "y", "id", threads=3)
    assert 1 < most <= 2 * 3


@pytest.mark.parametrize("small_tiles", [100], indirect=True)
def test_rows_that_were_measured_are_held_by_nobody() -> None:
    """However long the stream is, no more batches are alive than are being measured, waited for, or next."""
    scores: list[weakref.ref[Any]] = []
    most = 0
    gc.collect()
    gc.freeze()  # what other tests left is not looked through again with each batch

    class Held(np.ndarray):
        pass

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal most
        for k in range(40):
            y = np.arange(100.0).view(Held)
            scores.append(weakref.ref(y))
            yield pa.record_batch(
                {"id": np.arange(100) % 7 + k, "y": pa.Array.from_buffers(pa.float64(), 100, [None, pa.py_buffer(y)])}
            )
            del y
            gc.collect()
            most = max(most, sum(score() is not None for score in scores))

    schema = pa.schema([("id", pa.int64()), ("y", pa.float64())])
    for threads, bound in ((1, 4), (2, 7)):
        most = 0
        fastml.group_stats(pa.RecordBatchReader.from_batches(schema, batches()), "y", "id", threads=threads)
        assert 0 < most <= bound, threads
    gc.unfreeze()


@pytest.mark.parametrize("kind", KINDS)
def test_parts_that_wait_to_be_folded_have_the_same_bits(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread is slow now and then, so that others go on with new labels while their parts wait."""

    def slow(rows: Any, columns: Any, first_row: int, *rest: Any) -> Any:
        if first_row % 3 == 0:
            time.sleep(0.01)
        return measure(rows, columns, first_row, *rest)

    table = rows(kind, fewer(2000, times=3, at_least=700))
    alone = fastml.group_stats(table, ["y", "z"], "id", by="c", threads=1).to_arrow().to_pydict()
    one = fastml.group_stats(table, ["y", "z"], "id", threads=1).to_arrow().to_pydict()
    measure = workers.measure
    monkeypatch.setattr(workers, "measure", slow)
    for threads in (2, 8):
        both = fastml.group_stats(table, ["y", "z"], "id", by="c", threads=threads)
        assert str(both.to_arrow().to_pydict()) == str(alone)
        stats = fastml.group_stats(table, ["y", "z"], "id", threads=threads)
        assert str(stats.to_arrow().to_pydict()) == str(one)


@pytest.mark.parametrize("small_tiles", [64], indirect=True)
def test_an_error_in_folding_a_part_that_waited_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group's weight varies between tiles: that is seen when they are folded."""

    def slow(rows: Any, columns: Any, first_row: int, *rest: Any) -> Any:
        if first_row == 0:
            time.sleep(0.05)
        return measure(rows, columns, first_row, *rest)

    measure = workers.measure
    monkeypatch.setattr(workers, "measure", slow)
    weight = np.ones(640)
    weight[64:128] = 2.0
    table = pa.table({"id": np.arange(640) % 7, "y": np.arange(640.0), "v": weight})
    before = threading.active_count()
    for threads in (1, 2, 4):
        with pytest.raises(fastml.FastmlError, match=r"'v' varies within a group: 1\.0 and 2\.0 for id \d;"):
            fastml.group_stats(table, "y", "id", group_weights="v", threads=threads)
    assert threading.active_count() == before


@pytest.mark.parametrize("small_tiles", [100], indirect=True)
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("order", ["shuffled", "clustered"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "uint16", "bool", "decimal"])
def test_scores_of_any_type_with_nulls(dtype: str, order: str, weights: str | None) -> None:
    """A column that is cast may begin elsewhere than where it began: its nulls are where they were, in every tile."""
    rng = np.random.default_rng(5)
    n = fewer(900, times=2, at_least=450)
    ids = rng.integers(0, 20, n)
    ids = np.sort(ids) if order == "clustered" else ids
    score, missing, w = rng.integers(0, 2 if dtype == "bool" else 100, n), rng.random(n) < 0.2, rng.uniform(1.0, 2.0, n)
    kind = pa.decimal128(12, 2) if dtype == "decimal" else getattr(pa, dtype.replace("bool", "bool_"))()
    y = pa.array(score.astype(np.int32), mask=missing).cast(kind)
    table = pa.table({"y": y, "id": ids, "w": w})
    plain = {"y": np.where(missing, math.nan, score), "id": ids, "w": w}
    for first in (0, 3, 8, 205):
        expected = fastml.group_stats({k: v[first:] for k, v in plain.items()}, "y", "id", weights=weights, threads=1)
        for threads in THREADS:
            found = fastml.group_stats(table.slice(first), "y", "id", weights=weights, threads=threads)
            assert same(found, expected)
            assert found.dropped() == expected.dropped()


@pytest.mark.parametrize("precision", [7, 18, 30, 76])
def test_decimal_scores_are_the_nearest_doubles(precision: int) -> None:
    cents = np.random.default_rng(1).integers(-99_999, 99_999, 2_000)
    dtype = pa.decimal256(precision, 2) if precision > 38 else pa.decimal128(precision, 2)
    y = pa.array([None if k % 7 == 0 else decimal.Decimal(int(c)).scaleb(-2) for k, c in enumerate(cents)], dtype)
    table = pa.table({"y": y, "id": np.arange(2_000)})
    for first in (0, 3):
        found = fastml.group_stats(table.slice(first), "y", "id").groups()
        kept = [k for k in range(first, 2_000) if k % 7]
        expected = np.array([float(f"{cents[k] / 100:.2f}") for k in kept])
        assert found.labels["id"].to_pylist() == kept
        assert np.abs(found.mean - expected).max() <= (0.0 if precision <= 38 else 1e-12)
        assert (found.ss == 0.0).all()


@pytest.mark.parametrize("small_tiles", [64], indirect=True)
def test_decimals_beyond_doubles_are_the_nearest_that_arrow_gives() -> None:
    y = pa.array([decimal.Decimal("9007199254740993.25"), decimal.Decimal("-1e20"), None], pa.decimal128(30, 2))
    found = fastml.group_stats(pa.table({"y": y, "id": [1, 2, 3]}), "y", "id").groups()
    assert found.mean.tolist() == pytest.approx([9007199254740993.25, -1e20], rel=1e-15)


def test_rows_of_a_school_that_is_nan_may_have_any_school_weight() -> None:
    school = np.repeat([1.0, 2.0, math.nan], 40)
    weight = np.where(np.isnan(school), np.arange(120.0) + 1.0, school)
    for key in (pa.array(school), pa.array(school, from_pandas=True)):
        for order in (np.arange(120), np.random.default_rng(1).permutation(120)):
            table = pa.table({"id": key, "y": np.arange(120.0), "v": weight}).take(order)
            found = fastml.group_stats(table, "y", "id", group_weights="v")
            assert found.group_weight is not None
            assert np.array_equal(found.group_weight, [1.0, 2.0, math.nan], equal_nan=True)


@pytest.mark.parametrize("small_tiles", [40], indirect=True)
@pytest.mark.parametrize("kind", ["halves", "nulls"])
def test_dictionaries_that_arrow_cannot_unify(kind: str) -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 9, 300).astype(np.float64)
    chunks = []
    for first in range(0, 300, 25):
        found, places = np.unique(ids[first : first + 25], return_inverse=True)
        labels = pa.array(found.astype(np.float16 if kind == "halves" else np.float64))
        if kind == "nulls":
            labels = pa.concat_arrays([labels, pa.nulls(1, labels.type)])
        chunks.append(pa.DictionaryArray.from_arrays(places.astype(np.int32), labels))
    y = rng.normal(size=300)
    plain = fastml.group_stats({"id": ids, "y": y}, "y", "id")
    found = fastml.group_stats(pa.table({"id": pa.chunked_array(chunks), "y": y}), "y", "id")
    assert found.keys["id"].to_pylist() == plain.keys["id"].to_pylist()
    assert np.allclose(found.moments, plain.moments, rtol=1e-12)


@pytest.mark.parametrize("small_tiles", [64], indirect=True)
@pytest.mark.skipif(not hasattr(pa, "decimal32"), reason="this pyarrow has no small decimals")
def test_small_decimals_are_ids_like_others() -> None:
    ids = [decimal.Decimal(k) for k in (3, -7, 1, 2, 3, 1)]
    for dtype in (pa.decimal32(5, 0), pa.decimal64(12, 0), pa.decimal128(12, 0)):
        table = pa.table({"id": pa.array(ids, dtype), "c": [1, 1, 1, 1, 2, 2], "y": np.arange(6.0)})
        assert [int(k) for k in fastml.group_stats(table, "y", "id").keys["id"].to_pylist()] == [-7, 1, 2, 3]
        both = fastml.group_stats(table, "y", ["c", "id"]).keys
        assert [int(k) for k in both["id"].to_pylist()] == [-7, 1, 2, 3, 1, 3]
        assert len(fastml.group_stats(table, "y", "c", by="id").parts()) == 4


@pytest.mark.parametrize("holes", ["none", "nan", "null", "wild"])
@pytest.mark.parametrize("ids", ["integers", "strings", "moving"])
@pytest.mark.parametrize("n_outcomes", [2, 3, 6] if numba.config.DISABLE_JIT else [2, 3, 4, 5, 6, 10])
@pytest.mark.parametrize("small_tiles", [fewer(700, times=3, at_least=233)], indirect=True)
def test_outcomes_together_have_the_bits_of_each_alone(n_outcomes: int, ids: str, holes: str, small_tiles: int) -> None:
    rng = np.random.default_rng(n_outcomes)
    n = 3 * small_tiles - 100
    keys = rng.integers(0, 40, n)
    if ids == "moving":
        keys[2 * small_tiles + 50 :] += 1_000  # the range that the second tile assumed does not hold for the third
    columns: dict[str, Any] = {"id": [f"school {k}" for k in keys] if ids == "strings" else keys}
    for k in range(n_outcomes):
        y = rng.normal(500.0, 80.0, n) + 10.0 * k * (keys % 7)
        if holes == "wild" and k % 3 == 1:
            y[keys == 3] *= 1e12
            y[np.flatnonzero(keys == 3)[0]] = -1e6
        if holes == "nan" and k % 2 == 0:
            y[rng.random(n) < 0.1] = math.nan
        missing = rng.random(n) < 0.1 if holes == "null" and k != 1 else np.zeros(n, bool)
        columns[f"y{k}"] = pa.array(y, mask=missing)
    table = pa.table(columns)
    names = [f"y{k}" for k in range(n_outcomes)]
    together = fastml.group_stats(table, names, "id", threads=2)
    for k, name in enumerate(names):
        alone = fastml.group_stats(table, name, "id", threads=1)
        assert together.moments[k].tobytes() == alone.moments[0].tobytes()
        assert k > 0 or together.counts.tobytes() == alone.counts.tobytes()
    bad = table.set_column(2, "y1", pa.array(np.where(np.arange(n) == n - 90, math.inf, 1.0)))
    with pytest.raises(fastml.FastmlError, match=f"outcome column 'y1' has inf in row {n - 90:,}"):
        fastml.group_stats(bad, names, "id")


INDEX_TYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("bad", [-1, 5, 6, 100])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", ["clustered", "shuffled", "in batches", "behind a larger dictionary", "of numbers"])
@pytest.mark.parametrize("nulls", [False, True])
def test_indices_that_lead_out_of_their_dictionary(bad: int, weighted: bool, order: str, nulls: bool) -> None:
    """Wherever they are seen first: in the pass, in the encoder, or where a tile is joined from batches."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 5, 900)
    codes = np.sort(codes) if order == "clustered" else codes
    labels = pa.array([3, 4, 5, 6, 7] if order == "of numbers" else list("abcde"))
    names = ["int32", "uint32"] if numba.config.DISABLE_JIT else INDEX_TYPES
    for dtype in map(np.dtype, names):
        wrong = codes.astype(dtype)
        wrong[850] = np.array(bad, np.int64).astype(dtype)
        missing = np.arange(900) == 700 if nulls else None
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(each.astype(dtype), mask=missing), values, safe=False)
            for each, values in ((codes, pa.array(list("abcdefgh"))), (wrong, labels))
        ]
        if order != "behind a larger dictionary":
            columns = columns[1:]
        tables = [pa.table({"y": rng.normal(size=900), "w": np.ones(900), "id": column}) for column in columns]
        table = pa.Table.from_batches([b for t in tables for b in t.to_batches(30 if order == "in batches" else None)])
        for threads in (1, 2):
            row = 1750 if order == "behind a larger dictionary" else 850
            told = rf"column 'id' of the Arrow table has index {wrong[850]} in row {row:,} .* dictionary of 5;"
            with pytest.raises(FastmlError, match=told):
                fastml.group_stats(table, "y", "id", threads=threads, **({"weights": "w"} if weighted else {}))


def test_what_is_under_a_null_is_no_index() -> None:
    indices = pa.Array.from_buffers(
        pa.int32(), 4, [pa.py_buffer(b"\x0b"), pa.py_buffer(np.array([1, 0, 99, 1], np.int32))]
    )
    table = pa.table({"y": [1.0, 2.0, 3.0, 4.0], "id": pa.DictionaryArray.from_arrays(indices, ["a", "b"], safe=False)})
    stats = fastml.group_stats(table, "y", "id")
    assert stats.groups().n.tolist() == [1, 2]


@pytest.mark.parametrize("index", [-1, 5])
def test_an_index_that_leads_out_where_the_outcome_is_refused_too(index: int) -> None:
    """The message about the outcome would name the school."""
    indices, y = np.tile(np.arange(5, dtype=np.int32), 40), np.arange(200)
    indices[150], y[150] = index, 2**53 + 1
    column = pa.DictionaryArray.from_arrays(pa.array(indices), list("abcde"), safe=False)
    with pytest.raises(FastmlError, match=rf"column 'id' of the Arrow table has index {index} in row 150 "):
        fastml.group_stats(pa.table({"y": y, "id": column}), "y", "id")
