"""Large groups, in any order: few of their rows are added up one by one, so that long sums keep their digits."""

from __future__ import annotations

import math
from fractions import Fraction

import numba
import numpy as np
import pyarrow as pa
import pytest
from test_gather import KINDS, check, rows, same

import fastml
from fastml import gather, tile, tilekeys


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "TILE_ROWS", 300)
    monkeypatch.setattr(tile, "_ROWS_ADDED", 2)
    monkeypatch.setattr(tilekeys, "_FEW", 1)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("kind", KINDS)
def test_pieces_have_the_sums_of_the_whole(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    table = rows(kind, 700)
    asked = {"outcome": ["y", "z"], "group": "id", "weights": "w"}
    found = fastml.group_stats(table, **asked)
    plain = fastml.group_stats(table, "y", "id", threads=1)
    check(plain, table, ["id"])
    for threads in (2, 3):
        assert same(found, fastml.group_stats(table, **asked, threads=threads))
        parts = pa.Table.from_batches(table.to_batches(max_chunksize=77))
        assert same(plain, fastml.group_stats(parts, "y", "id", threads=threads))
    monkeypatch.setattr(tile, "_ROWS_ADDED", 10**6)
    whole = fastml.group_stats(table, **asked)
    assert whole.keys.equals(found.keys)
    assert whole.counts.tobytes() == found.counts.tobytes()
    for mine, truth in ((found.moments, whole.moments), (found.weighted, whole.weighted)):
        assert mine is not None
        assert truth is not None
        np.testing.assert_allclose(np.delete(mine, 2, axis=2), np.delete(truth, 2, axis=2), rtol=1e-13)
        assert "shuffled" not in kind or mine.tobytes() != truth.tobytes()  # they were added up otherwise


@pytest.mark.usefixtures("small_pieces")
def test_what_is_wrong_in_a_piece_is_found_in_its_row() -> None:
    code = np.random.default_rng(1).integers(0, 4, 500)
    data = {"id": code, "y": np.arange(500.0), "w": np.ones(500), "school": code + 1.0}
    found = fastml.group_stats(data, "y", "id", weights="w", group_weights="school")
    assert found.group_weight is not None
    assert found.group_weight.tolist() == [1.0, 2.0, 3.0, 4.0]
    for name, value, message in (
        ("y", math.inf, "'y' has inf in row 437 "),
        ("w", -1.0, "'w' has -1 in row 437 "),
        ("school", 9.0, "varies within a group"),
    ):
        wrong = data[name].copy()
        wrong[437] = value
        with pytest.raises(fastml.FastmlError, match=message):
            fastml.group_stats(data | {name: wrong}, "y", "id", weights="w", group_weights="school")


@pytest.mark.parametrize("counts", [[9], [100, 1], [3, 500, 2, 2], [40] * 30])
def test_the_largest_share_does_not_depend_on_codes(counts: list[int]) -> None:
    rng = np.random.default_rng(len(counts))
    codes = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    shares = set()
    for order in (np.arange(len(counts)), rng.permutation(len(counts))):
        mine = order[codes]
        labels = tilekeys.Fixed((pa.array(range(len(counts))),))
        shares.add(tilekeys.TileKeys(labels, mine.astype(np.int32)).largest_share())
        shares.add(tilekeys.TileKeys(labels, None, None, mine.astype(np.int64) - 7, -7).largest_share())
    (share,) = shares
    assert share == pytest.approx(max(counts) / sum(counts), abs=0.05)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="a million rows are too many")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("order", ["any", "any, wide ids", "sorted"])
def test_long_sums_of_few_different_values_keep_their_digits(order: str, holes: bool, seed: int) -> None:
    """Each addition of one of them rounds alike; with half a million rows to a group the eleventh digit was wrong."""
    rng = np.random.default_rng(seed)
    n, values = 1 << 20, np.round(rng.normal(5.0, 2.0, 3), 1)
    groups = [2, 3, 8][seed]
    ids = np.arange(groups) * (10**17 if "wide" in order else 1)
    code = rng.choice(groups, n, p=[0.2, 0.5, 0.3]) if groups == 3 else rng.integers(0, groups, n)
    code = np.sort(code) if order == "sorted" else code
    value = rng.integers(0, 3, n)
    y = values[value]
    y[:: 100 if holes else n] = math.nan
    found = fastml.group_stats({"id": ids[code], "y": y, "w": np.full(n, 0.3)}, "y", "id", weights="w")
    plain = fastml.group_stats({"id": ids[code], "y": y}, "y", "id")
    assert found.weighted is not None
    for g in range(groups):
        mine = value[(code == g) & ~np.isnan(y)]
        count = np.bincount(mine, minlength=3).tolist()
        exact = [Fraction(v) for v in values.tolist()]
        mean = sum(v * c for v, c in zip(exact, count, strict=True)) / len(mine)
        ss = sum((v - mean) ** 2 * c for v, c in zip(exact, count, strict=True))
        for record, times in (
            (plain.moments[0, g], 1),
            (found.moments[0, g], 1),
            (found.weighted[0, g], Fraction(0.3)),
        ):
            assert record[0] == pytest.approx(float(len(mine) * times), rel=1e-12)
            assert record[3] == pytest.approx(float(ss * times), rel=1e-12)
            assert abs(Fraction(record[1]) + Fraction(record[2]) - mean) < Fraction(1e-12) * abs(mean)
