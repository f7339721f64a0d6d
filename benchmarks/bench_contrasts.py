"""Comparisons of a table's rows: all pairs of 60 countries in three cycles, and of 60 groups of one sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastml.inference.contrasts import Estimate
from fastml.results.contrasts import Compared, ContrastTerms, contrast_rows


def drawn(rng: np.random.Generator) -> Estimate:
    """A mean of five plausible values under 150 replicates."""
    names = tuple(f"zone {zone}, half {half}" for zone in range(75) for half in (1, 0))
    deviations = rng.normal(0.0, 0.4, (150, 5))
    variance = 0.5 * float((deviations**2).sum(axis=0).mean())
    return Estimate(rng.normal(500.0, 2.0, 5), deviations, names, True, 0.5, variance, 75.0)


@pytest.mark.parametrize(("rows", "independent"), [(180, True), (60, False)])
def bench_contrasts(benchmark: Any, rows: int, independent: bool, scale: float) -> None:
    """Every pair, adjusted: 16,110 of 180 independent rows, 1,770 of 60 rows of one sample."""
    count = max(int(rows * scale), 3)
    rng = np.random.default_rng(1)
    labels = [{"year": 2011 + 4 * (i // 60), "IDCNTRY": i % 60, "outcome": "BSMMAT"} for i in range(count)]
    estimates = [drawn(rng) for _ in labels]
    table = Compared("", ("year", "IDCNTRY"), labels, lambda: [None] * count, lambda _: list(estimates), ("mean",), {})
    terms = ContrastTerms("mean", adjust="bh", independent=independent)
    made = benchmark(contrast_rows, table, None, None, terms)
    assert len(made) == count * (count - 1) // 2
