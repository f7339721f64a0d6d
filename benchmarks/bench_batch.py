"""The batch kernel: profile fits of thousands of tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastml.model.batch import BatchTables, fit_batch
from fastml.model.size_table import group_by_size


@pytest.mark.parametrize("icc", [0.0, 0.2, 0.9])
@pytest.mark.parametrize("kind", ["sizes", "weighted"])
def bench_batch(benchmark: Any, kind: str, icc: float, scale: float) -> None:
    """20,000 tables of 300 schools: by distinct sizes, and a row for each school, as weights make it."""
    tables = max(int(20_000 * scale), 20)
    rng = np.random.default_rng(1)
    part = np.repeat(np.arange(tables), 300)
    n = rng.integers(15, 46, len(part))
    mean = rng.normal(size=len(part)) * np.sqrt(icc / (1.0 - icc) + 1.0 / n)
    ss, zero = rng.chisquare(n - 1.0), np.zeros(len(part))
    if kind == "sizes":
        t = group_by_size(part, tables, n, mean, zero, ss)
        batch = BatchTables(t.offsets, t.columns, t.ssw, t.n_obs - 1.0)
    else:
        weight = rng.uniform(0.5, 2.0, len(part))
        columns = np.stack([n * rng.uniform(0.9, 1.1, len(part)), weight, mean, zero])
        batch = BatchTables(np.arange(0, len(part) + 1, 300), columns, np.bincount(part, ss * weight),
                            np.bincount(part, n * weight))  # fmt: skip
    fits = benchmark(fit_batch, batch, restricted=kind == "sizes", threads=2)
    assert np.isfinite(fits.theta).all()
