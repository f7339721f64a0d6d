"""Rows of an assessment, their group statistics, and when two of those are the same."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

import fastml
from fastml import GroupStats


def rows(seed: int = 0, n: int = 500) -> pa.Table:
    rng = np.random.default_rng(seed)
    school = rng.integers(1, 30, n)
    return pa.table({
        "country": pa.array(rng.choice(["NOR", "SWE"], n)),
        "school": school,
        "math": pa.array(rng.normal(500, 100, n), mask=rng.random(n) < 0.1),
        "read": rng.normal(480, 90, n),
        "w": np.where(rng.random(n) < 0.05, 0.0, rng.uniform(0.5, 3, n)),
        "v": 1.0 + school % 4,
    })  # fmt: skip


def everything(table: pa.Table) -> GroupStats:
    return fastml.group_stats(table, ["math", "read"], "school", by="country", weights="w", group_weights="v")


def assert_same(a: GroupStats, b: GroupStats, tolerance: float = 0.0) -> None:
    assert a.keys.equals(b.keys)
    for name in ("by", "group", "outcomes", "weights", "group_weights", "labelled"):
        assert getattr(a, name) == getattr(b, name)
    assert np.array_equal(a.counts, b.counts)
    for left, right in ((a.moments, b.moments), (a.weighted, b.weighted)):
        assert left is not None
        assert right is not None
        left, right = left.copy(), right.copy()
        # mean + residual is the mean; which double comes first is a matter of rounding.
        for tensor in (left, right):
            tensor[..., 1] += tensor[..., 2]
            tensor[..., 2] = 0.0
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=0)
    np.testing.assert_array_equal(a.group_weight, b.group_weight)


def students(icc: float, seed: int = 4, n: int = 20_000, schools: int = 80) -> pa.Table:
    rng = np.random.default_rng(seed)
    school = rng.integers(0, schools, n)
    y = 500 + rng.normal(0, 100 * math.sqrt(icc), schools)[school] + rng.normal(0, 100 * math.sqrt(1 - icc), n)
    return pa.table({
        "country": pa.array(np.where(school % 2, "NOR", "SWE")), "school": school, "y": y,
        "w": rng.uniform(0.5, 4, n), "v": 1.0 + school % 5,
    })  # fmt: skip


def gather(table: pa.Table) -> GroupStats:
    return fastml.group_stats(table, "y", ["country", "school"], weights="w", group_weights="v")
