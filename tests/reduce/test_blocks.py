"""Large groups, in any order: few of their rows are added up one by one, so that long sums keep their digits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import naive
import numba
import numpy as np
import pyarrow as pa
import pytest
from conftest import fewer
from streams import check, same

import fastml
from fastml.io.pieces import Pieces
from fastml.keys import row_codes
from fastml.reduce import row_sums, workers

KINDS = ["integers", "wide integers", "strings", "floats", "many"]


@pytest.fixture(params=[8, 200])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TILE_ROWS", 2000)
    monkeypatch.setattr(row_sums, "_ROWS_ADDED", request.param)


def rows(kind: str, holes: bool, n: int = 5000) -> pa.Table:
    """Rows of three groups, two of them large, or of those and many small ones."""
    rng = np.random.default_rng(len(kind))
    code = rng.choice(3, n, p=[0.6, 0.35, 0.05])
    if kind == "many":
        code = np.where(rng.random(n) < 0.5, rng.integers(3, 1000, n), code)
    ids = {"strings": [f"s{c}" for c in range(1000)], "floats": (np.arange(1000) * 2.0**60).tolist()}.get(kind)
    columns = {"id": code * (10**16 if "wide" in kind else 1) if ids is None else [ids[c] for c in code.tolist()]}
    columns |= {f"y{k}": rng.normal(500.0, 80.0, n) + code for k in range(4)}
    columns["w"] = rng.gamma(2.0, 3.0, n)
    mask = (rng.random(n) < 0.1) & holes
    return pa.table({name: pa.array(v, mask=mask if name in ("y0", "y2") else None) for name, v in columns.items()})


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_flushed_sums_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch, kind: str, holes: bool) -> None:
    table = rows(kind, holes, fewer(5000, times=2, at_least=2500))
    outcomes = ["y0", "y1", "y2", "y3"]
    asked: list[dict[str, Any]] = [{"outcome": outcomes}, {"outcome": "y0"}, {"outcome": ["y1", "y2"], "weights": "w"}]
    found = [fastml.group_stats(table, group="id", threads=1, **call) for call in asked]
    for call, one in zip(asked, found, strict=True):
        for threads in (2, 3):
            assert same(one, fastml.group_stats(table, group="id", threads=threads, **call))
        parts = pa.Table.from_batches(table.to_batches(max_chunksize=777))
        assert same(one, fastml.group_stats(parts, group="id", threads=2, **call))
        check(one, table, ["id"], call["outcome"] if call["outcome"] == "y0" else "y1")
    assert found[0].moments[0].tobytes() == found[1].moments[0].tobytes()
    monkeypatch.setattr(row_sums, "_ROWS_ADDED", 10**6)
    otherwise = False  # whether they were added up otherwise
    for call, one in zip(asked, found, strict=True):
        whole = fastml.group_stats(table, group="id", **call)
        assert whole.keys.equals(one.keys)
        assert whole.counts.tobytes() == one.counts.tobytes()
        for mine, truth in ((one.moments, whole.moments), (one.weighted, whole.weighted)):
            if mine is not None and truth is not None:
                np.testing.assert_allclose(np.delete(mine, 2, 2), np.delete(truth, 2, 2), rtol=1e-12)
                otherwise |= mine.tobytes() != truth.tobytes()
    assert otherwise


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("weighted", [False, True])
def test_groups_far_off_are_made_again_in_blocks(weighted: bool) -> None:
    """About their own values, where those lie far from all others', or their first one does."""
    rng = np.random.default_rng(5)
    code = rng.integers(0, 3, 4000)
    y = rng.normal(500.0, 1.0, 4000) + 1e4 * (code == 1)
    y[np.argmax(code == 2)] = -1e6
    data = {"id": code, "y": y, "z": y[::-1].copy(), "x": y + 1.0, "w": rng.gamma(2.0, 3.0, 4000)}
    for outcome in ("y", ["y", "z", "x"]):
        found = fastml.group_stats(data, outcome, "id", weights="w" if weighted else None)
        for name in outcome:
            check(found, pa.table(data), ["id"], name)
    if weighted:
        assert found.weighted is not None
        for g in range(3):
            twin = naive.weighted(y[code == g].tolist(), data["w"][code == g].tolist())
            assert found.weighted[0, g, 3] == pytest.approx(float(twin.ss), rel=1e-12)


@pytest.mark.usefixtures("small_blocks")
def test_what_is_wrong_is_found_in_its_row() -> None:
    code = np.random.default_rng(1).integers(0, 4, 500)
    data = {"id": code, "y": np.arange(500.0), "w": np.ones(500)}
    for name, value, message in (("y", math.inf, "'y' has inf in row 437 "), ("w", -1.0, "'w' has -1 in row 437 ")):
        wrong = data[name].copy()
        wrong[437] = value
        with pytest.raises(fastml.FastmlError, match=message):
            fastml.group_stats(data | {name: wrong}, "y", "id", weights="w")


@pytest.mark.parametrize("counts", [[9], [100, 1], [3, 500, 2, 2], [40] * 30])
def test_the_largest_share_does_not_depend_on_codes(counts: list[int]) -> None:
    rng = np.random.default_rng(len(counts))
    codes = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    shares = set()
    for order, cuts in ((np.arange(len(counts)), []), (rng.permutation(len(counts)), [4, 5, sum(counts) // 2])):
        mine = order[codes]
        labels = row_codes.TileDictionary((pa.array(range(len(counts))),))
        shares.add(row_codes.RowCodes(labels, mine.astype(np.int32)).largest_share())
        shares.add(
            row_codes.RowCodes(
                labels, None, None, Pieces(tuple(np.split(mine.astype(np.int64) - 7, cuts))), -7
            ).largest_share()
        )
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
