"""Pictures of many schools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastml


def bench_caterpillar(benchmark: Any, scale: float) -> None:
    """As for 100,000 schools, which are drawn as bands."""
    pytest.importorskip("matplotlib").use("agg")
    from fastml import plots

    schools = max(int(100_000 * scale), 400)
    rng = np.random.default_rng(5)
    n, mean = rng.integers(2, 60, schools), 500.0 + rng.normal(0.0, 40.0, schools)
    fit = fastml.fit(fastml.GroupStats.from_summary(n=n, mean=mean, sd=np.full(schools, 80.0)))
    assert benchmark(lambda: plots.caterpillar(fit)) is not None
