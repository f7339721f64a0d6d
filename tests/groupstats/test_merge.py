"""Statistics of many files are added in any order."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import countries_together, fewer
from group_statistics import assert_same, everything, gather, rows, students

import fastml
from fastml import FastmlError, GroupStats
from fastml.errors import MergeError
from fastml.groupstats.fields import GroupFields
from fastml.groupstats.merge import add, side_by_side
from fastml.reduce.build import merge

PIECES = fewer(50, times=5, at_least=10)


def tree(parts: Sequence[GroupStats], rng: np.random.Generator) -> GroupStats:
    """Add in a random order and grouping."""
    left = list(parts)
    while len(left) > 1:
        i, j = sorted(rng.choice(len(left), 2, replace=False))
        b, a = left.pop(j), left.pop(i)
        left.append(a + b if rng.random() < 0.5 else b + a)
    return left[0]


@countries_together
@pytest.mark.parametrize("icc", [0.3, 1 - 1e-6, 1 - 1e-12])
def test_fifty_files_in_any_order(icc: float, tmp_path: Path) -> None:
    table = students(icc)
    rng = np.random.default_rng(1)
    piece = rng.integers(0, PIECES, table.num_rows)
    paths = []
    for k in range(PIECES):
        gather(table.filter(pa.array(piece == k))).write(tmp_path / f"{k:02d}.parquet")
        paths.append(tmp_path / f"{k:02d}.parquet")
    whole = gather(table)
    truth = fastml.fit(whole)
    parts = [GroupStats.read(path) for path in paths]
    sums = [tree(parts, rng) for _ in range(5)]
    sums.append(merge(list(rng.permutation([str(p) for p in paths]))))
    for found in sums:
        assert found.keys.equals(whole.keys)
        assert np.array_equal(found.counts, whole.counts)
        for one, other in ((found.moments, whole.moments), (found.weighted, whole.weighted)):
            assert one is not None
            assert other is not None
            np.testing.assert_allclose(one[..., 0], other[..., 0], rtol=1e-13)
            np.testing.assert_allclose(one[..., 1] + one[..., 2], other[..., 1] + other[..., 2], rtol=1e-13)
            np.testing.assert_allclose(one[..., 3:], other[..., 3:], rtol=1e-13)
        fit = fastml.fit(found)
        for name in ("gamma00", "tau00", "sigma2", "icc", "loglik"):
            assert math.isclose(getattr(fit, name), getattr(truth, name), rel_tol=1e-13), name
    plain = [fastml.group_stats(table.filter(pa.array(piece == k)), "y", "school") for k in range(PIECES)]
    one = fastml.fit(table, "y", "school")
    for _ in range(3):
        other = fastml.fit(tree(plain, rng))
        for name in ("gamma00", "se_gamma00", "tau00", "sigma2", "df", "icc"):
            assert math.isclose(getattr(one, name), getattr(other, name), rel_tol=1e-13), name


def test_a_school_between_pieces_keeps_its_weight() -> None:
    table = students(0.2)
    a = gather(table.slice(0, 100))
    doubled = table.set_column(4, "v", pa.array(2 * table["v"].to_numpy()))
    b = gather(doubled.slice(100))
    label = r"group \w+, \d+ has group weight .* in one of the statistics and .* in the other"
    with pytest.raises(FastmlError, match=label):
        a + b


def test_a_list_of_statistics_is_fitted_as_their_sum() -> None:
    parts = [gather(students(0.3, seed, n=400)) for seed in (1, 2)]
    assert fastml.fit(parts).to_dict() == fastml.fit(parts[0] + parts[1]).to_dict()  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_sum_of_parts_in_any_order(seed: int) -> None:
    table = rows(seed)
    whole = everything(table)
    rng = np.random.default_rng(seed)
    piece = rng.integers(0, 6, table.num_rows)
    parts = [everything(table.filter(pa.array(piece == k))) for k in range(6)]
    orders = [list(rng.permutation(6)) for _ in range(3)]
    for order in orders:
        assert_same(sum((parts[k] for k in order[1:]), start=parts[order[0]]), whole, 1e-12)
    left = (parts[0] + parts[1]) + (parts[2] + parts[3])
    right = parts[3] + (parts[2] + (parts[1] + parts[0]))
    assert_same(left, right, 1e-12)
    assert_same(sum(parts), sum(parts[1:], start=parts[0]))


def test_addition_leaves_its_terms_alone() -> None:
    a, b = everything(rows(1)), everything(rows(2))
    before = a.moments.copy(), b.moments.copy()
    a + b
    assert np.array_equal(before[0], a.moments)
    assert np.array_equal(before[1], b.moments)


@pytest.mark.parametrize(("left", "right"), [
    (pa.int32(), pa.int64()), (pa.int64(), pa.float64()), (pa.string(), pa.large_string()),
])  # fmt: skip
def test_keys_of_two_types_that_mean_the_same(left: pa.DataType, right: pa.DataType) -> None:
    ids = pa.array(["7", "8", "8"] if pa.types.is_string(left) else [7, 8, 8])
    a, b = (fastml.group_stats(pa.table({"y": [1.0, 2.0, 4.0], "id": ids.cast(t)}), "y", "id") for t in (left, right))
    assert (a + b).groups().n.tolist() == [2, 4]
    assert (b + a).groups().n.tolist() == [2, 4]


REFUSED = {
    "outcomes": lambda t: fastml.group_stats(t, "read", "school"),
    "group": lambda t: fastml.group_stats(t, "math", "country"),
    "by": lambda t: fastml.group_stats(t, "math", "school", by="country"),
    "weights": lambda t: fastml.group_stats(t, "math", "school", weights="w"),
    "group_weights": lambda t: fastml.group_stats(t, "math", "school", group_weights="v"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_statistics_of_different_things_do_not_add(what: str) -> None:
    table = rows()
    with pytest.raises(FastmlError, match=rf"different {what} can't be added"):
        fastml.group_stats(table, "math", "school") + REFUSED[what](table)


def test_other_refusals_of_addition() -> None:
    a = fastml.group_stats({"y": [1.0, 2.0], "id": [1, 1]}, "y", "id")
    b = fastml.group_stats({"y": [1.0, 2.0], "id": ["1", "1.0"]}, "y", "id")
    with pytest.raises(
        FastmlError, match=r"key 'id' is of integers in one of the statistics, and holds the text '1.0'"
    ):
        a + b
    b = fastml.group_stats({"y": [1.0, 2.0], "id": [True, False]}, "y", "id")
    with pytest.raises(FastmlError, match="key 'id' has type int64 in one of the statistics and bool in the other"):
        a + b
    plain = GroupStats.from_summary(n=[2, 2], mean=[1, 2], sd=[1, 1])
    with pytest.raises(FastmlError, match="without labels can't be added"):
        plain + plain
    c, d = (fastml.group_stats({"y": [1.0], "id": [1], "v": [v]}, "y", "id", group_weights="v") for v in (2.0, 3.0))
    with pytest.raises(FastmlError, match=r"group 1 has group weight 2\.0 in .* and 3\.0 in the other"):
        c + d
    with pytest.raises(TypeError):
        a + 1


@pytest.mark.parametrize("seed", range(5))
def test_side_by_side_they_have_the_same_cells_and_are_what_they_were(seed: int) -> None:
    a, b = (everything(rows(seed).slice(0, 60)), everything(rows(seed + 50).slice(0, 60)))
    left, right = side_by_side(a, b)
    assert left.keys.equals(right.keys)
    assert left.keys.equals((a + b).keys)
    for made, before in ((left, a), (right, b)):
        assert [made.dropped(name) for name in made.outcomes] == [before.dropped(name) for name in before.outcomes]
        there = np.flatnonzero(made.counts[:, 0] > 0)
        assert_same(
            dataclasses.replace(
                made, keys=made.keys.take(pa.array(there)), counts=made.counts[there], moments=made.moments[:, there],
                weighted=made.weighted[:, there], group_weight=made.group_weight[there],  # type: ignore[index]
            ),
            before,
        )  # fmt: skip


def test_rows_without_a_label_are_counted_through_addition() -> None:
    a = fastml.group_stats({"y": [1.0, math.nan, 3.0, 5.0], "id": [1.0, 1.0, math.nan, 2.0]}, "y", "id")
    b = fastml.group_stats({"y": [None, 2.0, 7.0], "id": [None, 1.0, 2.0]}, "y", "id")
    assert a.dropped() == {"group": 1, "outcome": 1}
    assert (a + b).dropped() == {"group": 2, "outcome": 1}
    assert (a + b).groups().n.tolist() == [2, 2]
    assert len(a + b) == 2


def test_a_sum_is_of_the_class_of_its_first_term() -> None:
    stats, others = everything(rows()), everything(rows())
    assert isinstance(add(stats, others), GroupStats)
    plain = GroupFields(**vars(stats))
    assert type(add(plain, others)) is GroupFields


TWICE = "in both.*; its rows would count twice: leave one out, or gather both in one call if they are other students"


def csv_of(path: Path, shift: float) -> Path:
    path.write_text("".join(["s,y\n", *(f"{s},{s + k * k + shift}\n" for s in range(3) for k in range(4))]))
    return path


@pytest.mark.parametrize("way", ["again", "copy of the rows", "copy", "hard link", "read again"])
def test_the_same_is_not_added_twice(way: str, tmp_path: Path) -> None:
    """By whatever path it comes; also where it is in a sum already."""
    a, b = csv_of(tmp_path / "a.csv", 0.0), csv_of(tmp_path / "b.csv", 0.5)
    stats, others = (fastml.group_stats(path, "y", "s") for path in (a, b))
    stats.write(tmp_path / "a.stats")
    if way == "copy of the rows":
        shutil.copy(a, tmp_path / "c.csv")
        again = fastml.group_stats(tmp_path / "c.csv", "y", "s")
    elif way == "again":
        again = fastml.group_stats(a, "y", "s", threads=1)
    else:
        path = tmp_path / ("a.stats" if way == "read again" else "c.stats")
        if way == "copy":
            shutil.copy(tmp_path / "a.stats", path)
        elif way == "hard link":
            os.link(tmp_path / "a.stats", path)
        again = GroupStats.read(path)
    for left, right in ((stats, again), (stats + others, again), (again, others + stats)):
        with pytest.raises(MergeError, match=rf"a\.csv \(12 rows\) is {TWICE}" if way != "copy of the rows" else TWICE):
            left + right
    assert [(Path(o.name).name, o.rows) for o in (stats + others).origins] == [("a.csv", 12), ("b.csv", 12)]
    if way in ("copy", "hard link"):
        with pytest.raises(MergeError, match=rf"c\.stats can't be added to file .*a\.stats: .* is {TWICE}"):
            merge([tmp_path / "a.stats", tmp_path / "c.stats"])


WEIGHTED = {"weights": "w", "group_weights": "v"}


@pytest.mark.parametrize("by", [None, "c"])
@pytest.mark.parametrize("weights", [{}, WEIGHTED])
def test_statistics_that_a_fit_keeps_are_not_added_twice(
    by: str | None, weights: dict[str, str], tmp_path: Path
) -> None:
    """Not to themselves, to those of another fit of the file, or to those gathered of it; other files' add."""
    one, other = (tmp_path / name for name in ("one.csv", "other.csv"))
    for path, shift in ((one, 0.0), (other, 0.5)):
        lines = (f"{c},{s},{s * 3 + k * k + shift},1,2" for c in "ab" for s in range(3) for k in range(4))
        path.write_text("\n".join(["c,s,y,w,v", *lines]))

    def fitted(path: Path) -> GroupStats:
        if by is None:
            return fastml.fit(path, "y", "s", **weights).stats
        stats = fastml.fit_by(path, "y", "s", by=by, **weights).stats
        assert stats is not None
        return stats

    stats, gathered = fitted(one), fastml.group_stats(one, "y", "s", by=by, **weights)
    pairs = [(stats, stats), (stats, fitted(one)), (stats, gathered), (gathered, stats), (stats + fitted(other), stats)]
    for left, right in pairs:
        with pytest.raises(MergeError, match=rf"one\.csv \(24 rows\) is {TWICE}"):
            left + right
    total = gathered + fastml.group_stats(other, "y", "s", by=by, **weights)
    assert np.array_equal((stats + fitted(other)).moments, total.moments)


@pytest.mark.parametrize("kind", ["dict", "DataFrame", "Table", "DuckDBPyRelation", "published table"])
def test_statistics_of_no_file_are_not_added_to_themselves(kind: str) -> None:
    """Other rows that look the same add: of data in memory nobody can tell."""
    rows = {"y": [1.0, 2.0, 4.0, 7.0], "s": [1, 1, 2, 2]}

    def gathered() -> GroupStats:
        if kind == "published table":
            return GroupStats.from_summary(group=[1, 2], n=[2, 2], mean=[1.5, 5.5], sd=[0.7, 2.1])
        table = pa.table(rows)
        if kind == "DuckDBPyRelation":
            return fastml.fit(duckdb.from_arrow(table), "y", "s").stats
        return fastml.fit({"dict": rows, "DataFrame": pd.DataFrame(rows), "Table": table}[kind], "y", "s").stats

    stats, others = gathered(), gathered()
    for left, right in ((stats, stats), (stats, fastml.fit(stats).stats), (stats + others, others)):
        with pytest.raises(MergeError, match=rf"{kind} \(4 rows\) is {TWICE}"):
            left + right
    assert (stats + others).groups().n.tolist() == [4, 4]


def test_one_file_among_several_is_known(tmp_path: Path) -> None:
    a, b = csv_of(tmp_path / "a.csv", 0.0), csv_of(tmp_path / "b.csv", 0.5)
    both = fastml.group_stats([a, b], "y", "s")
    assert [origin.rows for origin in both.origins] == [12, 12]
    with pytest.raises(MergeError, match=TWICE):
        both + fastml.group_stats(b, "y", "s")


def test_other_rows_of_one_file_add(tmp_path: Path) -> None:
    """By another filter, under other tags, as parts of it; and in memory other rows that look the same."""
    a = csv_of(tmp_path / "a.csv", 0.0)
    low, high = (fastml.group_stats(a, "y", "s", filter=text) for text in ("y < 4", "y >= 4"))
    assert (low + high).groups().n.tolist() == [4, 4, 4]
    with pytest.raises(MergeError, match=TWICE):
        low + fastml.group_stats(a, "y", "s", filter="y < 4")
    one, other = (fastml.group_stats(a, "y", "s", tags={"cycle": cycle}) for cycle in (2019, 2023))
    assert len(one + other) == len(low.tagged({"c": 1}) + low.tagged({"c": 2})) == 6
    rows = {"y": [1.0, 2.0, 4.0], "s": [1, 1, 2], "c": ["a", "b", "b"]}
    parts = [part for _, part in fastml.group_stats(rows, "y", "s", by="c").split()]
    assert (parts[0] + parts[1]).groups().n.tolist() == [2, 1]
    first, second = (fastml.group_stats(rows, "y", "s") for _ in range(2))
    assert (first + second).groups().n.tolist() == [4, 2]
    with pytest.raises(MergeError, match=rf"the dict \(3 rows\) is {TWICE}"):
        first + second + first
    with pytest.raises(MergeError, match=TWICE):
        parts[0] + parts[0]


def test_days_without_rows_add_again() -> None:
    empty = fastml.group_stats({"s": np.empty(0, int), "y": np.empty(0)}, "y", "s")
    assert len(empty + empty) == 0


def test_replace_takes_the_newer_of_one_name(tmp_path: Path) -> None:
    monday, tuesday = tmp_path / "monday.csv", csv_of(tmp_path / "tuesday.csv", 0.5)
    for i, shift in enumerate((0.0, 100.0)):
        csv_of(monday, shift)
        fastml.group_stats(monday, "y", "s").write(tmp_path / f"monday{i}")
        os.utime(tmp_path / f"monday{i}", (10 + i, 10 + i))
    fastml.group_stats(tuesday, "y", "s").write(tmp_path / "tuesday")
    right = merge([tmp_path / "monday1", tmp_path / "tuesday"])
    names = ["monday0", "monday1", "tuesday"]
    for order in (names, names[::-1]):
        found = merge([tmp_path / name for name in order], replace=True)
        np.testing.assert_allclose(found.moments[..., [0, 1, 3]], right.moments[..., [0, 1, 3]], rtol=1e-14)
    assert merge([tmp_path / name for name in names]).groups().n.tolist() == [12, 12, 12]  # different: they add
    right.write(tmp_path / "week")
    held = merge([tmp_path / "week", tmp_path / "tuesday"], replace=True)  # holds it already
    assert np.array_equal(held.moments, right.moments)
    os.utime(tmp_path / "week", (5, 5))
    with pytest.raises(
        MergeError, match=r"week holds .*monday\.csv beside others, and can't be without it: it is a sum"
    ):
        merge([tmp_path / "week", tmp_path / "monday0"], replace=True)
