"""Records of tiles add up to those of all rows, whatever the order of labels in them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import fastml
from fastml.io.source import open_source
from fastml.kernels.workspace import Workspace
from fastml.reduce.accumulator import Accumulator
from fastml.reduce.columns import CallColumns
from fastml.reduce.tile import measure


def accumulated(table: pa.Table, columns: CallColumns, rows_each: int) -> fastml.GroupStats:
    source = open_source(table, columns.to_read)
    accumulator, space = Accumulator(source, columns), Workspace()
    (rows,) = table.combine_chunks().to_batches()
    for first in range(0, rows.num_rows, rows_each):
        accumulator.add(measure(rows.slice(first, rows_each), columns, first, space).kept())
    return accumulator.finish()


@pytest.mark.parametrize("ids", ["integers", "wide", "names"])
@pytest.mark.parametrize("rows_each", [1, 7, 100, 1000])
def test_tiles_add_to_the_whole(ids: str, rows_each: int) -> None:
    rng = np.random.default_rng(3)
    numbers = rng.integers(0, 90, 1000)
    label = {"integers": numbers, "wide": numbers * 10**15, "names": [f"school {i}" for i in numbers]}[ids]
    table = pa.table({"id": label, "y": rng.normal(500.0, 80.0, 1000)})
    columns = CallColumns(["y"], ["id"])
    found, whole = accumulated(table, columns, rows_each), accumulated(table, columns, 1000)
    assert found.keys.equals(whole.keys)
    assert found.keys["id"].to_pylist() == sorted(set(table["id"].to_pylist()))
    assert found.counts.tolist() == whole.counts.tolist()
    np.testing.assert_allclose(found.moments[0, :, [0, 1, 3]], whole.moments[0, :, [0, 1, 3]], rtol=1e-12)


def test_a_school_weight_that_differs_between_tiles_is_refused() -> None:
    table = pa.table({"id": [1, 2, 1], "y": [1.0, 2.0, 3.0], "v": [5.0, 6.0, 7.0]})
    columns = CallColumns(["y"], ["id"], group_weights="v")
    with pytest.raises(
        fastml.FastmlError, match=r"'v' varies within a group: 5.0 and 7.0 for id 1; a group has one weight"
    ):
        accumulated(table, columns, 2)


def test_nothing_is_a_table_without_groups() -> None:
    table = pa.table({"id": pa.array([], pa.int64()), "y": pa.array([], pa.float64())})
    columns = CallColumns(["y"], ["id"])
    assert len(Accumulator(open_source(table, columns.to_read), columns).finish()) == 0


@pytest.mark.parametrize("weights", [None, "w"])
def test_the_records_of_each_outcome_are_sorted_by_label(weights: str | None) -> None:
    rng = np.random.default_rng(5)
    ids = rng.permutation(np.repeat(np.arange(50), 8))
    table = pa.table(
        {"id": ids, "w": rng.uniform(1.0, 2.0, 400), **{f"y{k}": rng.normal(500.0, 9.0, 400) for k in range(3)}}
    )
    columns = CallColumns(["y0", "y1", "y2"], ["id"], weights=weights)
    found = accumulated(table, columns, 130)
    for k, name in enumerate(columns.outcomes):
        y, w = table[name].to_numpy(), table["w"].to_numpy()
        means = [y[ids == g].mean() for g in range(50)]
        np.testing.assert_allclose(found.moments[k, :, 1], means, rtol=1e-13)
        if weights:
            assert found.weighted is not None
            means = [np.average(y[ids == g], weights=w[ids == g]) for g in range(50)]
            np.testing.assert_allclose(found.weighted[k, :, 1], means, rtol=1e-13)


def test_sums_of_several_tiles_that_overflow_name_their_outcome() -> None:
    large = [1.2e154, -1.2e154] * 4
    table = pa.table({"id": [1, 2] * 4, "fine": np.arange(8.0), "large": large[:4] + [-y for y in large[4:]]})
    with pytest.raises(fastml.FastmlError, match="outcome column 'large' has values too large to square"):
        accumulated(table, CallColumns(["fine", "large"], ["id"]), 4)
