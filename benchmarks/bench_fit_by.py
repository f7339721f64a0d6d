"""Fits of many parts: countries by outcomes from rows, and the cost of each part once gathered."""

from __future__ import annotations

from typing import Any

import pytest
import rows as make

import fastml


@pytest.mark.parametrize("cells", [60, 600])
def bench_fit_by(benchmark: Any, cells: int, scale: float) -> None:
    n = max(int(500_000 * scale), 40 * cells)
    frame = make.parts(n, cells, max(n // (cells * 28), 2), 5).to_pandas()
    table = benchmark(fastml.fit_by, frame, [f"y{k}" for k in range(5)], "g", by="cell")
    assert len(table) == 5 * cells


def bench_fit_by_of_statistics(benchmark: Any, scale: float) -> None:
    n = max(int(500_000 * scale), 3_000)
    stats = fastml.group_stats(make.parts(n, 60, max(n // 1_700, 2), 5), [f"y{k}" for k in range(5)], "g", by="cell")
    assert len(benchmark(fastml.fit_by, stats, list(stats.outcomes))) == 300
