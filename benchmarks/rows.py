"""Rows to measure with: schools of students, in the orders and with the kinds of ids that real files have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["KINDS", "fit_rows", "parts", "pass_rows"]

KINDS = ("clustered", "shuffled", "unbounded", "strings clustered", "strings shuffled", "composite", "dictionary")

SIZES = (100, 2001)  # students of a school; one run of rows where rows are clustered


def pass_rows(kind: str, n: int, outcomes: int = 1, seed: int = 1, weights: bool = False) -> pa.Table:
    """Rows for the pass: `g` (two columns, `c` and `g`, where composite), `y`, or `y0`, `y1`, ..., and perhaps `w`.

    Twenty million rows have some 20,000 schools. Clustered rows come in runs of 100 to 2,000 of one school.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(*SIZES, n // SIZES[0] + 2)
    sizes = sizes[: np.searchsorted(np.cumsum(sizes), n) + 1]
    code = np.repeat(rng.permutation(len(sizes)), sizes)[:n]
    if "clustered" not in kind:
        code = rng.permutation(code)
    columns: dict[str, Any] = {}
    if kind == "unbounded":
        columns["g"] = rng.integers(-(2**63), 2**63 - 1, len(sizes))[code]
    elif "strings" in kind:
        columns["g"] = _strings(code + 1_000_000)
    elif kind == "composite":
        columns["c"], columns["g"] = code % 60, code // 60
    elif kind == "dictionary":
        columns["g"] = pa.DictionaryArray.from_arrays(
            code.astype(np.int32), _strings(np.arange(len(sizes)) + 1_000_000)
        )
    else:
        columns["g"] = code
    effect = rng.normal(0.0, 40.0, len(sizes))[code] + 500.0
    for k in range(outcomes):
        columns["y" if outcomes == 1 else f"y{k}"] = effect + rng.normal(0.0, 80.0, n)
    if weights:
        columns["w"] = rng.gamma(4.0, 25.0, n)
    return pa.table(columns)


def _strings(numbers: np.ndarray[Any, Any]) -> pa.Array:
    """Strings of 12 characters: ``SCH-`` and eight digits."""
    text = np.full((len(numbers), 12), ord("0"), np.uint8)
    text[:, :4] = np.frombuffer(b"SCH-", np.uint8)
    rest = numbers.copy()
    for place in range(11, 3, -1):
        text[:, place] += (rest % 10).astype(np.uint8)
        rest //= 10
    ends = np.arange(0, 12 * len(numbers) + 1, 12, dtype=np.int64 if len(numbers) > 10**8 else np.int32)
    dtype = pa.large_string() if ends.itemsize == 8 else pa.string()
    return pa.Array.from_buffers(dtype, len(numbers), [None, pa.py_buffer(ends), pa.py_buffer(text)])


def fit_rows(n: int, schools: int, seed: int = 1) -> pa.Table:
    """Rows for a whole fit, school after school, as a file of students has them."""
    rng = np.random.default_rng(seed)
    g = np.sort(rng.integers(0, schools, n))
    return pa.table({"g": g, "y": 500.0 + rng.normal(0.0, 40.0, schools)[g] + rng.normal(0.0, 80.0, n)})


def parts(n: int, cells: int, schools: int, outcomes: int, seed: int = 1) -> pa.Table:
    """Rows of `cells` countries, each with its `schools`; ids begin again in every country."""
    rng = np.random.default_rng(seed)
    both = np.sort(rng.integers(0, cells * schools, n))
    effect = rng.normal(0.0, 40.0, cells * schools)[both] + 500.0
    columns = {"cell": both // schools, "g": both % schools}
    return pa.table(columns | {f"y{k}": effect + rng.normal(0.0, 80.0, n) for k in range(outcomes)})
