"""The records of runs in pieces against those of the joined rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fastml.io.pieces import Pieces
from fastml.kernels.sums import runs
from fastml.reduce.run_sums import sum_runs


@pytest.mark.parametrize("seed", range(30))
def test_runs_in_pieces_have_the_bits_of_the_joined(seed: int) -> None:
    """Pieces begin where runs do, or within one, or lie within one; some are empty."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, [3, 40, 400][seed % 3], 50)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    n = int(starts[-1])
    y = 500.0 + rng.normal(size=n) + 1e9 * (rng.random(n) < 0.02)
    y[rng.random(n) < 0.1] = np.nan
    ends = np.sort(np.concatenate([[0, n], rng.integers(0, n + 1, 6), rng.choice(starts, 3), rng.integers(0, 4, 2)]))
    pieces = Pieces(tuple(y[a:b].copy() for a, b in pairwise(np.minimum(ends, n).tolist())))

    right, right_missing, right_top = np.empty((50, 4)), np.empty(50), np.empty(1)
    assert runs.sum_runs(starts, y, right, right_missing, right_top) == -1
    records, missing, top = np.empty((50, 4)), np.empty(50), np.empty(1)
    assert sum_runs(starts, pieces, records, missing, top)
    assert records.tobytes() == right.tobytes()
    assert missing.tolist() == right_missing.tolist()
    assert top.tolist() == right_top.tolist()
    for row in rng.integers(0, n, 3).tolist():
        for part, first in zip(pieces.parts, np.minimum(ends, n).tolist(), strict=False):
            if first <= row < first + len(part):
                part[row - first] = np.inf
        assert not sum_runs(starts, pieces, records, missing, top)


def test_no_rows_have_no_runs() -> None:
    assert sum_runs(np.zeros(1, np.int32), Pieces((np.empty(0),)), np.empty((0, 4)), np.empty(0), top := np.zeros(1))
    assert top[0] == -np.inf
