"""Tables of rows of every kind of key, and what their statistics must be."""

from __future__ import annotations

from typing import Any

import naive
import numpy as np
import pyarrow as pa
from conftest import fewer

import fastml

N_ROWS = fewer(1500, times=3, at_least=500)


def rows(kind: str, n: int = N_ROWS, seed: int = 0) -> pa.Table:
    """Rows of some kind of keys, with nulls among keys and scores."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, 40, n)
    if "clustered" in kind:
        code = np.sort(code)
    if "unbounded" in kind:
        keys: Any = rng.integers(-(2**63), 2**63 - 1, 40)[code]
    elif "string" in kind:
        keys = [("a school with a long name, " if c % 2 else "s") + str(c) for c in code.tolist()]
    elif "floats" in kind:
        keys = code + 5000.0
    elif "dictionary" in kind:
        keys = pa.array([f"s{c}" for c in code.tolist()]).dictionary_encode()
    else:
        keys = code
    y = rng.normal(500.0, 80.0, n) + code
    columns: dict[str, Any] = {"id": keys, "y": y, "z": rng.integers(0, 9, n), "w": rng.uniform(0.5, 2.0, n)}
    if "nulls" in kind:
        columns["id"] = pa.array(keys, mask=rng.random(n) < 0.05) if "dictionary" not in kind else keys
        columns["y"] = pa.array(y, mask=rng.random(n) < 0.1)
        columns["w"] = pa.array(columns["w"], mask=rng.random(n) < 0.02)
    columns["c"] = pa.array((code % 3).tolist(), pa.int8())
    return pa.table(columns)


KINDS = [
    f"{keys}, {order}{nulls}"
    for keys in ("integers", "unbounded", "strings", "floats", "dictionary")
    for order in ("clustered", "shuffled")
    for nulls in ("", ", nulls")
]


def check(stats: fastml.GroupStats, table: pa.Table, keys: list[str], outcome: str = "y") -> None:
    columns = [table[name].to_pylist() for name in keys]
    labels = [row if None not in row else None for row in zip(*columns, strict=True)]
    twin = naive.groups(labels, table[outcome].to_pylist())
    dropped = len(twin.pop(None, naive.Group()).values) if None in twin else 0
    groups = stats.groups(outcome)
    found = list(zip(*(groups.labels[name].to_pylist() for name in keys), strict=True))
    assert found == sorted(label for label, group in twin.items() if group.n)
    expected = [twin[label] for label in found]
    assert groups.n.tolist() == [group.n for group in expected]
    np.testing.assert_allclose(groups.mean, [float(group.mean) for group in expected], rtol=1e-15, atol=1e-12)
    np.testing.assert_allclose(groups.ss, [float(group.ss) for group in expected], rtol=1e-12, atol=0.0)
    assert dropped >= 0


def same(a: fastml.GroupStats, b: fastml.GroupStats) -> bool:
    """Whether every bit agrees."""
    return bool(a.to_arrow().combine_chunks().equals(b.to_arrow().combine_chunks()))
