"""Whole fits, from a pandas frame to the result and its printed table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rows as make

import fastml

FITS = {"1 M rows x 20,000 schools": (1_000_000, 20_000), "10 M rows x 200,000 schools": (10_000_000, 200_000)}


@pytest.mark.parametrize("size", FITS)
@pytest.mark.parametrize("method", ["reml", "ml", "anova"])
def bench_fit(benchmark: Any, size: str, method: str, scale: float) -> None:
    n, schools = FITS[size]
    frame = make.fit_rows(max(int(n * scale), 200), max(int(schools * scale), 10)).to_pandas()
    fit = benchmark(fastml.fit, frame, "y", "g", method=method)
    assert fit.n_obs == len(frame)


def bench_fit_of_statistics(benchmark: Any, scale: float) -> None:
    """What is left when the rows are read: a fit of a million schools' statistics."""
    schools = max(int(1_000_000 * scale), 50)
    rng = np.random.default_rng(1)
    n = rng.integers(5, 60, schools)
    mean, sd = 500.0 + rng.normal(0.0, 40.0, schools), rng.uniform(60.0, 100.0, schools)
    stats = fastml.GroupStats.from_summary(n=n, mean=mean, sd=sd)
    assert benchmark(fastml.fit, stats).n_groups == schools


@pytest.mark.parametrize("sizes", [1, 50, 1000])
def bench_optimum(benchmark: Any, sizes: int, scale: float) -> None:
    """The global optimum of the profile, by the number of distinct sizes."""
    from fastml.model.size_table import reduce_sizes  # a base may not have it
    from fastml.model.variance_components import estimate

    schools = max(int(100_000 * scale), sizes)
    rng = np.random.default_rng(1)
    n = np.resize(np.arange(2, 2 + sizes), schools)
    mean = rng.normal(size=schools) * np.sqrt(0.25 + 1.0 / n)
    table = reduce_sizes(n, mean, np.zeros(schools), rng.chisquare(n - 1.0))
    assert table.size.size == sizes
    assert abs(benchmark(estimate, table).optimum.score) < 1e-6


def bench_print(benchmark: Any, scale: float) -> None:
    fit = fastml.fit(make.fit_rows(max(int(100_000 * scale), 200), 20), "y", "g")
    assert "ICC" in benchmark(str, fit)
