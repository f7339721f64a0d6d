"""Statistics from published tables of schools."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError, GroupStats


class TestSummary:
    def test_published_school_table(self, lecture_file: Path) -> None:
        direct = fastml.fit(lecture_file, "bsmmatxx", "idschool")
        with pq.ParquetFile(lecture_file) as file:
            frame = file.read().to_pandas()
        table = frame.groupby("idschool")["bsmmatxx"].agg(["size", "mean", "std"]).sample(frac=1, random_state=0)
        stats = GroupStats.from_summary(group=table.index, n=table["size"], mean=table["mean"], sd=table["std"])
        other = fastml.fit(stats)
        for name in ("gamma00", "tau00", "sigma2", "df", "loglik"):
            assert math.isclose(getattr(other, name), getattr(direct, name), rel_tol=1e-12)
        assert other.groups()["group"].tolist() == sorted(table.index)

    def test_sd_is_null_for_one_student(self) -> None:
        stats, others = (
            GroupStats.from_summary(group=["a", "b", "c"], n=[3, 1, 2], mean=[1, 2, 3], sd=[1.0, None, 2.0])
            for _ in range(2)
        )
        assert stats.groups().ss.tolist() == [2.0, 0.0, 4.0]
        assert (stats + others).groups().n.tolist() == [6, 2, 4]

    @pytest.mark.parametrize(("change", "message"), [
        ({"n": [0, 2]}, "n is 0 in row 0"),
        ({"n": [2.5, 2]}, "n is 2.5 in row 0"),
        ({"sd": [1, -1]}, "sd is -1 in row 1"),
        ({"sd": [None, 1]}, "sd is nan in row 0"),
        ({"n": [1, 2]}, "sd is 1 in row 0.*give null"),
        ({"mean": [1, math.inf]}, "mean is inf in row 1"),
        ({"group": ["a", "a"]}, "a label twice"),
        ({"group": ["a", None]}, "a label twice, or a null or blank one"),
        ({"group": ["a", " "]}, "a label twice, or a null or blank one"),
        ({"mean": [1.0]}, "differ in length"),
        ({"mean": ["x", "y"]}, "must be numeric"),
    ])  # fmt: skip
    def test_refusals(self, change: dict, message: str) -> None:
        call = {"group": ["a", "b"], "n": [2, 2], "mean": [1.0, 2.0], "sd": [1.0, 1.0]}
        with pytest.raises(FastmlError, match=message):
            GroupStats.from_summary(**{**call, **change})
