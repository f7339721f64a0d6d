"""Values in pieces are those of one array, however it is cut."""

from __future__ import annotations

import numpy as np
import pytest

from fastml.io.pieces import Pieces


@pytest.mark.parametrize("seed", range(40))
def test_pieces_have_the_values_of_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=rng.integers(0, 60))
    cuts = np.sort(rng.integers(0, len(whole) + 1, rng.integers(0, 6)))  # so that some are empty
    pieces = Pieces(tuple(np.split(whole, cuts)))
    assert len(pieces) == len(whole)
    assert pieces.dtype == whole.dtype
    assert pieces.joined.tolist() == whole.tolist()
    assert pieces.joined is pieces.joined
    for _ in range(20):
        start, stop = np.sort(rng.integers(0, len(whole) + 3, 2))
        found = pieces.between(start, stop)
        assert all(map(len, found))
        assert [value for part in found for value in part] == whole[start:stop].tolist()
        assert pieces.first(stop).tolist() == whole[:stop].tolist()
        step = int(rng.integers(1, 9))
        assert pieces.every(step).tolist() == whole[::step].tolist()
        places = rng.integers(0, len(whole), 9 if len(whole) else 0).astype(np.int32)
        assert pieces.take(places).tolist() == whole[places].tolist()


def test_nothing_is_copied_of_what_lies_in_one_piece() -> None:
    values = np.arange(9)
    pieces = Pieces((values[:5], values[5:]))
    for some in (Pieces((values,)).joined, pieces.first(5), *pieces.between(2, 8)):
        assert np.shares_memory(some, values)
    assert not np.shares_memory(pieces.joined, values)
