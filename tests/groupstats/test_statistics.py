"""GroupStats: records, dropped rows, tags, small groups."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from group_statistics import assert_same, everything, rows

import fastml
from fastml import FastmlError, GroupStats


def test_records_against_plain_arithmetic() -> None:
    table = rows()
    stats = everything(table)
    frame = table.to_pydict()
    keys = list(zip(stats.keys["country"].to_pylist(), stats.keys["school"].to_pylist(), strict=True))
    assert keys == sorted(set(zip(frame["country"], frame["school"], strict=True)))
    for cell, key in enumerate(keys):
        mine = [i for i in range(table.num_rows) if (frame["country"][i], frame["school"][i]) == key]
        assert stats.counts[cell].tolist() == [len(mine), 0, sum(frame["w"][i] == 0 for i in mine)]
        assert stats.group_weight is not None
        assert stats.group_weight[cell] == frame["v"][mine[0]]
        for k, outcome in enumerate(("math", "read")):
            used = [i for i in mine if frame["w"][i] > 0 and frame[outcome][i] is not None]
            y, w = ([frame[name][i] for i in used] for name in (outcome, "w"))
            n, mean, residual, ss = stats.moments[k, cell]
            assert n == len(used)
            if not used:
                continue
            true = math.fsum(y) / len(y)
            assert math.isclose(mean + residual, true, rel_tol=1e-15)
            assert math.isclose(ss, math.fsum((v - true) ** 2 for v in y), rel_tol=1e-12, abs_tol=1e-20)
            total, mean, residual, ss, squares = stats.weighted[k, cell]  # type: ignore[index]
            true = math.fsum(a * v for a, v in zip(w, y, strict=True)) / math.fsum(w)
            assert math.isclose(total, math.fsum(w), rel_tol=1e-14)
            assert math.isclose(squares, math.fsum(a * a for a in w), rel_tol=1e-14)
            assert math.isclose(mean + residual, true, rel_tol=1e-14)
            wss = math.fsum(a * (v - true) ** 2 for a, v in zip(w, y, strict=True))
            assert math.isclose(ss, wss, rel_tol=1e-12, abs_tol=1e-20)


@pytest.mark.parametrize("seed", range(3))
def test_write_then_read_is_exact(tmp_path: Path, seed: int) -> None:
    stats = everything(rows(seed))
    path = tmp_path / "stats.parquet"
    stats.write(path)
    again = GroupStats.read(path)
    assert_same(again, stats)
    assert np.array_equal(again.moments, stats.moments)
    assert again.to_arrow().equals(stats.to_arrow(), check_metadata=True)
    assert [p.name for p in tmp_path.iterdir()] == ["stats.parquet"]
    assert_same(GroupStats.from_arrow(stats.to_arrow()), stats)


def test_fit_of_a_file_of_statistics(tmp_path: Path, lecture_file: Path) -> None:
    stats = fastml.group_stats(lecture_file, "bsmmatxx", "idschool")
    stats.write(tmp_path / "s.parquet")
    direct = fastml.fit(lecture_file, "bsmmatxx", "idschool")
    for other in (fastml.fit(stats), fastml.fit(tmp_path / "s.parquet"), fastml.fit(str(tmp_path / "s.parquet"))):
        assert other.to_dict() == direct.to_dict()


def test_tags_keep_cycles_apart() -> None:
    a = fastml.group_stats({"y": [1.0, 2.0, 5.0], "id": [1, 1, 2]}, "y", "id", tags={"cycle": 2019})
    b = fastml.group_stats({"y": [3.0, 4.0, 9.0], "id": [1, 1, 2]}, "y", "id", tags={"cycle": 2023})
    both = a + b
    assert both.group == ("cycle", "id")
    assert both.keys.to_pydict() == {"cycle": [2019, 2019, 2023, 2023], "id": [1, 2, 1, 2]}
    table = fastml.fit(both).groups()
    assert list(table.columns[:3]) == ["cycle", "id", "n"]


def test_tags_may_split_the_data() -> None:
    tables = {2019: rows(1), 2023: rows(2)}
    call = {"outcome": "math", "group": "school", "weights": "w", "group_weights": "v"}
    parts = [fastml.group_stats(t, **call, by=["country", "cycle"], tags={"cycle": c}) for c, t in tables.items()]
    both = sum(parts[1:], start=parts[0])
    assert (both.by, both.group) == (("country", "cycle"), ("school",))
    together = pa.concat_tables([t.append_column("cycle", pa.array([c] * t.num_rows)) for c, t in tables.items()])
    whole = fastml.group_stats(together, **call, by=["country", "cycle"])
    assert both.keys.equals(whole.keys)
    np.testing.assert_allclose(both.moments[..., 3], whole.moments[..., 3], rtol=1e-12)
    icc = fastml.fit_by(both, by=["country", "cycle"]).to_frame()["icc"]
    np.testing.assert_allclose(icc, fastml.fit_by(whole).to_frame()["icc"], rtol=1e-10)
    with pytest.raises(FastmlError, match="has one role"):
        fastml.group_stats(tables[2019], "math", "school", by="school", tags={"school": 1})


def test_dropped_rows_by_cause() -> None:
    nan = math.nan
    table = {
        "c": ["A", None, "A", "A", "A", "A", "A"],
        "id": [1, 1, None, 1, 1, 1, 2],
        "y": [1.0, 2.0, 3.0, nan, 5.0, 6.0, 7.0],
        "w": [1.0, 1.0, nan, nan, nan, 0.0, 2.0],
        "v": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    }
    stats = fastml.group_stats(table, "y", "id", by="c", weights="w", group_weights="v")
    assert stats.dropped() == {"by": 1, "group": 1, "weights": 2, "zero_weight": 1, "outcome": 0}
    assert stats.groups().n.tolist() == [1, 1]


def test_repr() -> None:
    assert repr(everything(rows())).startswith("<GroupStats: math, read by school, by ['country']; 500 rows, ")


def test_an_outcome_has_to_be_named_where_there_are_two() -> None:
    stats = everything(rows())
    with pytest.raises(FastmlError, match="the statistics have 2 outcomes; choose one with outcome=: 'math', 'read'"):
        stats.groups()
    with pytest.raises(FastmlError, match=r"column 'reed' .*'read'"):
        stats.groups("reed")


def test_tags_that_can_not_be() -> None:
    with pytest.raises(FastmlError, match="without labels can't be tagged"):
        GroupStats.from_summary(n=[2, 2], mean=[1, 2], sd=[1, 1]).tagged({"cycle": 2019})
    with pytest.raises(FastmlError, match="tag 'school' is a key of the statistics already"):
        fastml.group_stats(rows(), "math", "school").tagged({"school": 1})


class TestSmallGroups:
    def test_they_leave_and_the_record_says_so(self, tmp_path: Path) -> None:
        table = pa.table({"id": [1] * 12 + [2] * 3 + [3] * 10 + [None] * 2, "y": np.arange(27.0)})
        stats = fastml.group_stats(table, "y", "id", min_group_size=10)
        assert stats.keys["id"].to_pylist() == [1, 3]
        # The rows without a school are a cell too, and so few that they could be told apart.
        assert stats.notes == ("groups of fewer than 10 left out: 2 groups, 5 rows",)
        stats.write(tmp_path / "s.parquet")
        assert GroupStats.read(tmp_path / "s.parquet").notes == stats.notes
        both = stats + fastml.group_stats(table, "y", "id")
        assert both.notes == stats.notes

    def test_a_group_with_few_values_of_one_outcome_goes(self) -> None:
        table = {"id": [1] * 6 + [2] * 6, "a": [1.0] * 12, "b": [1.0] * 7 + [None] * 5}
        assert fastml.group_stats(table, ["a", "b"], "id", min_group_size=3).keys["id"].to_pylist() == [1]

    @pytest.mark.parametrize("size", [0, -3, 2.5, True])
    def test_refusals(self, size: Any) -> None:
        with pytest.raises(FastmlError, match="min_group_size="):
            fastml.group_stats({"id": [1], "y": [1.0]}, "y", "id", min_group_size=size)


def test_one_of_several_outcomes_has_to_be_chosen() -> None:
    data = {"y": [1.0, 2.0, 4.0, 8.0], "z": [2.0, 1.0, 1.0, 0.0], "id": [1, 1, 2, 2]}
    stats = fastml.group_stats(data, ["y", "z"], "id")
    with pytest.raises(FastmlError, match="the statistics hold several: choose one"):
        fastml.fit(stats)
    assert fastml.fit(stats, "z").to_dict() == fastml.fit(data, "z", "id").to_dict()
