"""Every road of the keys: unbounded integers, strings, dictionaries, combinations; and the adding of statistics."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import rows as make

import fastml

ROWS = 10_000_000


@pytest.mark.parametrize("kind", [k for k in make.KINDS if k not in ("clustered", "shuffled")])
def bench_keys(benchmark: Any, kind: str, scale: float) -> None:
    table = make.pass_rows(kind, int(ROWS * scale))
    keys = ["c", "g"] if kind == "composite" else "g"
    stats = benchmark(fastml.group_stats, table, "y", keys, threads=2)
    assert int(stats.counts[:, 0].sum()) == table.num_rows


@pytest.mark.parametrize("width", ["int16", "int32", "uint64", "float64"])
def bench_integers_of_other_types(benchmark: Any, width: str, scale: float) -> None:
    table = make.pass_rows("shuffled", int(ROWS * scale))
    ids = pa.compute.bit_wise_and(table["g"], 0x3FFF).cast(pa.type_for_alias(width))
    stats = benchmark(fastml.group_stats, pa.table({"g": ids, "y": table["y"]}), "y", "g", threads=2)
    assert int(stats.counts[:, 0].sum()) == table.num_rows


def bench_add(benchmark: Any, scale: float) -> None:
    """A week's statistics: seven days of a million schools."""
    n = max(int(2_000_000 * scale), 1000)
    days = [
        fastml.group_stats(make.fit_rows(n, n // 2, seed), "y", "g") for seed in range(7)
    ]  # fmt: skip
    total = benchmark(sum, days)
    assert int(total.counts[:, 0].sum()) == 7 * n
