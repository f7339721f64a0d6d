"""Rows for engines to reduce, the calls that reduce them, and when the schools of two statistics are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from fastml import GroupStats

__all__ = ["CALLS", "N", "assert_same_schools", "students"]

N = 3000


def students(seed: int = 1) -> pa.Table:
    """Rows with all that can be missing."""
    rng = np.random.default_rng(seed)
    school = rng.integers(1, 40, N)
    country = rng.choice(["FIN", "NOR", "SWE"], N)
    y = rng.normal(500, 80, N) + rng.normal(0, 50, 41)[school]
    return pa.table(
        {
            "country": pa.array(country, mask=rng.random(N) < 0.01),
            "school": pa.array(school, mask=rng.random(N) < 0.01),
            "math": pa.array(np.where(rng.random(N) < 0.03, np.nan, y), mask=rng.random(N) < 0.03),
            "read": pa.array(np.round(y).astype(np.int32), mask=rng.random(N) < 0.05),
            "w": pa.array(np.where(rng.random(N) < 0.05, 0.0, rng.uniform(0.5, 3, N)), mask=rng.random(N) < 0.02),
            "v": pa.array(1.0 + school % 4, mask=rng.random(N) < 0.02),
        }
    )


CALLS: dict[str, dict[str, Any]] = {
    "plain": {"outcome": "math", "group": "school"},
    "two outcomes": {"outcome": ["math", "read"], "group": "school"},
    "composite group": {"outcome": "math", "group": ["country", "school"]},
    "by": {"outcome": ["read", "math"], "group": "school", "by": "country"},
    "weights": {"outcome": ["math", "read"], "group": ["country", "school"], "weights": "w", "group_weights": "v"},
    "group weights": {"outcome": "math", "group": "school", "group_weights": "v"},
    "all": {"outcome": ["math", "read"], "group": "school", "by": "country", "weights": "w", "group_weights": "v",
            "tags": {"cycle": 2019}},
    "by a tag": {"outcome": "math", "group": "school", "by": ["cycle", "country"], "tags": {"cycle": 2019, "wave": "a"}},
}  # fmt: skip


def assert_same_schools(found: GroupStats, truth: GroupStats, tolerance: float = 1e-10) -> None:
    """Whether all that has a label is the same, and as many rows have none."""
    for name in ("by", "group", "outcomes", "weights", "group_weights"):
        assert getattr(found, name) == getattr(truth, name)
    one, other = found.labelled_cells(), truth.labelled_cells()
    assert found.keys.filter(pa.array(one)).to_pydict() == truth.keys.filter(pa.array(other)).to_pydict()
    assert [found.dropped(name) for name in found.outcomes] == [truth.dropped(name) for name in truth.outcomes]
    np.testing.assert_array_equal(found.counts[one], truth.counts[other])
    for a, b in ((found.moments, truth.moments), (found.weighted, truth.weighted)):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            a, b = a[:, one], b[:, other]
            np.testing.assert_allclose(a[..., 0], b[..., 0], rtol=tolerance)
            np.testing.assert_allclose(a[..., 1] + a[..., 2], b[..., 1] + b[..., 2], rtol=tolerance)
            np.testing.assert_allclose(a[..., 3:], b[..., 3:], rtol=tolerance, atol=0)
    if truth.group_weight is not None and found.group_weight is not None:
        np.testing.assert_array_equal(found.group_weight[one], truth.group_weight[other])
