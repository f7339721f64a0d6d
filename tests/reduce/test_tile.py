"""A tile of rows becomes the records of its groups, and several tiles of runs those of each."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

import fastml
from fastml.kernels.workspace import Workspace
from fastml.reduce.columns import CallColumns
from fastml.reduce.tile import TileRecords, measure, measure_pieces, measure_runs

COLUMNS = CallColumns(["y"], ["id"])


def batch(ids: Any, y: Any, **more: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"id": ids, "y": y, **more})


def by_label(tile: TileRecords) -> dict[Any, list[float]]:
    """n, sum of y and sum of y^2 of each label, from the raw records about their shifts."""
    found: dict[Any, list[float]] = {}
    labels = tile.keys.labels[0].to_pylist()
    codes = range(tile.keys.n_records) if tile.keys.codes is None else tile.keys.codes.tolist()
    records = tile.moments[0]
    if tile.keys.starts is None:
        codes = range(len(labels))
    for code, (n, shift, total, squares) in zip(codes, records.tolist(), strict=True):
        sums = found.setdefault(labels[code], [0.0, 0.0, 0.0])
        for i, more in enumerate((n, total + n * shift, squares + 2.0 * shift * total + n * shift * shift)):
            sums[i] += more
    return {label: sums for label, sums in found.items() if sums[0]}


def expected(ids: npt.NDArray[Any], y: npt.NDArray[np.float64]) -> dict[Any, list[float]]:
    some = ~np.isnan(y)
    return {
        label.item(): [float(part.size), float(part.sum()), float((part * part).sum())]
        for label in np.unique(ids[some])
        if (part := y[some & (ids == label)]).size
    }


@pytest.mark.parametrize("order", ["clustered", "shuffled"])
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_records_are_the_sums_of_the_groups(order: str, holes: float) -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 30, 900)
    ids = np.sort(ids) if order == "clustered" else ids
    y = rng.normal(size=900)
    y[rng.random(900) < holes] = math.nan
    tile = measure(batch(ids, y), COLUMNS, 0)
    assert (tile.keys.starts is not None) == (order == "clustered")
    found, right = by_label(tile), expected(ids, y)
    assert found.keys() == right.keys()
    for label, sums in right.items():
        np.testing.assert_allclose(found[label], sums, rtol=1e-12, atol=1e-12)
    assert (tile.counts is None) == (holes == 0.0)
    if tile.counts is not None:
        assert tile.counts[:, 0].sum() == np.isnan(y).sum()


def test_several_tiles_of_runs_have_the_records_of_each() -> None:
    rng = np.random.default_rng(2)
    ids, y = np.repeat(np.arange(60), 50), rng.normal(size=3000)
    together = measure_runs(batch(ids, y), 1000, COLUMNS, 0, Workspace())
    assert together is not None
    tiles = [
        measure(batch(ids[first : first + 1000], y[first : first + 1000]), COLUMNS, first) for first in (0, 1000, 2000)
    ]
    assert together.moments.tobytes() == np.concatenate([tile.moments for tile in tiles], axis=1).tobytes()
    assert measure_runs(batch(rng.permutation(ids), y), 1000, COLUMNS, 0, Workspace()) is None


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_an_infinite_score_is_told_by_its_row_in_the_data(order: slice) -> None:
    ids, y = np.repeat([7, 8], 40)[order], np.zeros(80)
    y[50] = math.inf
    label = int(ids[50])
    with pytest.raises(
        fastml.FastmlError, match=rf"outcome column 'y' has inf in row 1,050 \(the first is 0; id {label}\)"
    ):
        measure(batch(ids, y), COLUMNS, 1000)


def in_pieces(rows: pa.RecordBatch, seed: int) -> list[pa.RecordBatch]:
    rng = np.random.default_rng(seed)
    ends = [0, *np.sort(rng.integers(0, rows.num_rows + 1, rng.integers(1, 6))).tolist(), rows.num_rows]
    return [rows.slice(first, end - first) for first, end in pairwise(ends)]


def outcomes_of(kind: str, ids: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    y = np.round(500.0 + 30.0 * rng.normal(size=ids.max() + 1)[ids] + 80.0 * rng.normal(size=len(ids)), 3)
    if kind == "lost digits":  # some groups lie so far from all others that they are summed anew
        y[ids % 7 == 3] = 1e9 + ids[ids % 7 == 3] + 1e-3 * rng.normal(size=(ids % 7 == 3).sum())
    elif kind == "each about its own":
        y = 1e7 * ids + y
    elif kind == "codes":
        y[rng.random(len(y)) < 0.02] = 9999.0
    return y


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_groups", [3, 40, 900])
@pytest.mark.parametrize("kind", ["usual", "missing", "lost digits", "each about its own", "codes"])
def test_a_tile_in_pieces_has_the_bits_of_the_whole(kind: str, n_groups: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, n_groups, 30_000)
    y, z = (outcomes_of(kind, ids, rng) for _ in range(2))
    mask = rng.random(len(y)) < 0.1 if kind == "missing" else None
    rows = batch(ids, pa.array(y, mask=mask), z=z)
    columns = CallColumns(["y", "z"], ["id"], missing=(9998.0,), watch=True)
    whole = measure(rows, columns, 0)
    found = measure_pieces(in_pieces(rows, seed), columns, 0, Workspace())
    assert found is not None
    labels = [tile.keys.labels[0].to_numpy() for tile in (whole, found)]
    assert labels[0].tolist() == labels[1].tolist()
    assert whole.moments.tobytes() == found.moments.tobytes()
    assert (whole.counts is None) == (found.counts is None) == (kind != "missing")
    assert np.array_equal(whole.counts, found.counts) if whole.counts is not None else True
    assert whole.seen == found.seen
    assert bool(whole.seen["y"].codes) == (kind == "codes")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("length", [9, 40, 3000, 29_000])
@pytest.mark.parametrize("kind", ["usual", "missing", "lost digits", "each about its own", "codes"])
@pytest.mark.parametrize("keys", ["integers", "floats"])
def test_a_tile_of_runs_in_pieces_has_the_bits_of_the_whole(keys: str, kind: str, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(30_000 // length + 1), length)[-30_000:]
    y, z = (outcomes_of(kind, ids, rng) for _ in range(2))
    mask = rng.random(len(y)) < 0.1 if kind == "missing" else None
    rows = batch(ids if keys == "integers" else ids / 2.0, pa.array(y, mask=mask), z=z)
    columns = CallColumns(["y", "z"], ["id"], missing=(9998.0,), watch=True)
    whole = measure(rows, columns, 0)
    found = measure_pieces(in_pieces(rows, seed), columns, 0, Workspace())
    assert found is not None
    assert found.keys.starts is not None
    assert whole.keys.starts is not None
    assert found.keys.starts.tolist() == whole.keys.starts.tolist()
    assert found.keys.labels[0].equals(whole.keys.labels[0])
    assert whole.moments.tobytes() == found.moments.tobytes()
    assert (whole.counts is None) == (found.counts is None) == (kind != "missing")
    assert np.array_equal(whole.counts, found.counts) if whole.counts is not None else True
    assert whole.seen == found.seen


def test_an_infinite_outcome_in_a_piece_is_told_by_its_row() -> None:
    ids, y = np.random.default_rng(0).integers(0, 40, 20_000), np.arange(20_000.0)
    y[15_000] = -math.inf
    rows = batch(ids, y)
    with pytest.raises(fastml.FastmlError, match=rf"'y' has -inf in row 15,100 \(.* id {ids[15_000]}\)"):
        measure_pieces([rows.slice(0, 9000), rows.slice(9000)], COLUMNS, 100, Workspace())


def test_pieces_whose_keys_leave_the_range_are_joined() -> None:
    ids = np.random.default_rng(0).integers(0, 40, 200_000)
    ids[150_000] = 5000
    rows = batch(ids, np.ones(len(ids)))
    assert measure_pieces([rows.slice(0, 90_000), rows.slice(90_000)], COLUMNS, 0, Workspace()) is None


def test_a_whole_number_in_a_piece_that_is_no_double_is_told_by_its_row() -> None:
    ids, y = np.random.default_rng(0).integers(0, 40, 20_000), np.arange(20_000)
    y[15_000] = 2**53 + 1
    rows = batch(ids, y)
    with pytest.raises(fastml.FastmlError, match=rf"9007199254740993 in row 15,100 \(.* id {ids[15_000]}\)"):
        measure_pieces([rows.slice(0, 9000), rows.slice(9000)], COLUMNS, 100, Workspace())
