"""The pass over the rows: clustered and shuffled, one outcome and five, weighted, with nulls, on one thread and two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import rows as make

import fastml

ROWS = 20_000_000


@pytest.fixture(scope="module", params=["clustered", "shuffled"])
def table(request: pytest.FixtureRequest, scale: float) -> pa.Table:
    return make.pass_rows(request.param, int(ROWS * scale), outcomes=5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("outcomes", [1, 5])
def bench_pass(benchmark: Any, table: pa.Table, outcomes: int, threads: int) -> None:
    names = [f"y{k}" for k in range(outcomes)]
    stats = benchmark(fastml.group_stats, table, names, "g", threads=threads)
    assert int(stats.counts[:, 0].sum()) == table.num_rows


def bench_pass_with_nulls(benchmark: Any, table: pa.Table) -> None:
    rng = np.random.default_rng(2)
    y = pa.array(np.array(table["y0"]), mask=rng.random(table.num_rows) < 0.05)
    stats = benchmark(fastml.group_stats, pa.table({"g": table["g"], "y": y}), "y", "g", threads=2)
    assert stats.dropped()["outcome"] == y.null_count


def bench_pass_weighted(benchmark: Any, table: pa.Table) -> None:
    weighted = table.append_column("w", pa.array(np.random.default_rng(3).uniform(0.5, 2.0, table.num_rows)))
    stats = benchmark(fastml.group_stats, weighted, "y0", "g", weights="w", threads=2)
    assert stats.weighted is not None


@pytest.mark.parametrize("width", ["float32", "int16"])
def bench_pass_of_other_widths(benchmark: Any, table: pa.Table, width: str) -> None:
    y = table["y0"].cast(pa.type_for_alias(width), safe=False)
    stats = benchmark(fastml.group_stats, pa.table({"g": table["g"], "y": y}), "y", "g", threads=2)
    assert int(stats.counts[:, 0].sum()) == table.num_rows
