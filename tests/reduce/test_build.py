"""What a call is given -> statistics: saved ones, in memory or in files, or those of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError
from fastml.io.source import Input
from fastml.reduce.build import check_saved, check_saved_by, merge, saved_statistics, statistics
from fastml.reduce.columns import CallColumns

ROWS = pa.table({
    "c": ["N", "N", "N", "S", "S", "S"], "g": [1, 1, 2, 1, 2, 2], "y": [1.0, 2.0, 4.0, 8.0, 3.0, 5.0], "z": np.arange(6.0),
})  # fmt: skip
PLAIN = CallColumns(("y",), ("g",))


def same(a: fastml.GroupStats, b: fastml.GroupStats) -> bool:
    return bool(a.to_arrow().equals(b.to_arrow()))


def test_rows_are_no_saved_statistics(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "t.parquet")
    for data in (ROWS, tmp_path / "t.parquet", [], None):
        assert saved_statistics(Input(data)) is None


def test_saved_statistics_are_found_and_added(tmp_path: Path) -> None:
    halves = [statistics(Input(ROWS.slice(first, 3)), PLAIN) for first in (0, 3)]
    for k, half in enumerate(halves):
        half.write(tmp_path / f"{k}.parquet")
    total = halves[0] + halves[1]
    for data in (total, halves, tmp_path, [tmp_path / "0.parquet", tmp_path / "1.parquet"]):
        found = saved_statistics(Input(data))
        assert found is not None
        assert same(found, total)
    assert same(merge([tmp_path / "*.parquet"]), total)
    with pytest.raises(FastmlError, match="filter= chooses rows, and saved statistics hold none"):
        saved_statistics(Input(tmp_path, filter="y > 1"))


def test_files_of_two_kinds_and_statistics_that_do_not_add(tmp_path: Path) -> None:
    statistics(Input(ROWS), PLAIN).write(tmp_path / "a.parquet")
    statistics(Input(ROWS), CallColumns(("z",), ("g",))).write(tmp_path / "b.parquet")
    with pytest.raises(
        FastmlError, match=r"file .*b\.parquet can't be added to file .*a\.parquet: statistics of different"
    ):
        saved_statistics(Input(tmp_path))
    pq.write_table(ROWS, tmp_path / "b.parquet")
    with pytest.raises(FastmlError, match=r"a\.parquet holds statistics, file .*b\.parquet doesn't"):
        saved_statistics(Input(tmp_path))
    with pytest.raises(FastmlError, match=r"b\.parquet holds no fastml statistics; make them: fastml stats"):
        merge([tmp_path / "b.parquet"])


def test_a_tag_may_split() -> None:
    columns = CallColumns(("y",), ("g",), ("cycle", "c"), tags={"cycle": 2019})
    found = statistics(Input(ROWS), columns)
    assert found.by == ("cycle", "c")
    assert found.group == ("g",)
    plain = statistics(Input(ROWS), CallColumns(("y",), ("g",), ("c",)))
    assert found.keys.drop_columns("cycle").equals(plain.keys)
    assert np.array_equal(found.moments, plain.moments)


def test_a_lazy_frame_takes_no_filter() -> None:
    duckdb = pytest.importorskip("duckdb")
    with pytest.raises(FastmlError, match="filter the DuckDBPyRelation itself"):
        statistics(Input(duckdb.from_arrow(ROWS), filter="y > 1"), PLAIN)


def test_names_that_saved_statistics_were_gathered_with_are_taken() -> None:
    both = CallColumns(("y", "z"), ("g",))
    stats, split = (
        statistics(Input(ROWS), columns) for columns in (both, CallColumns(both.outcomes, both.group, ("c",)))
    )
    for columns in (CallColumns(("z",), ()), PLAIN):
        check_saved(stats, columns)
    for columns in (CallColumns((), ()), CallColumns(("y",), ("g",), ("c",)), CallColumns(("z", "y"), ())):
        check_saved_by(split, columns)
    refused = [
        (check_saved, stats, CallColumns((), ()), "hold several: choose one"),
        (check_saved, stats, CallColumns(("x",), ()), "outcome='x' .*hold no other"),
        (check_saved, split, PLAIN, "are split by c; gather them without by="),
        (check_saved, stats, CallColumns(("y",), ("c",)), "group='c', but the statistics are of groups by g"),
        (check_saved, stats, CallColumns(("y",), (), (), "w"), "weights='w', but .* weights=None"),
        (check_saved, stats, CallColumns(("y",), (), (), None, "v"), "group_weights='v', but .* group_weights=None"),
        (check_saved_by, stats, CallColumns((), ()), "not split: gather them with by="),
        (check_saved_by, split, CallColumns((), (), ("g",)), "by='g', but the statistics are split by c"),
        (check_saved_by, split, CallColumns(("x",), ()), "outcome='x'"),
    ]
    for check, held, columns, message in refused:
        with pytest.raises(FastmlError, match=message):
            check(held, columns)
