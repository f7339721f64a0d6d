"""Codes by a slot for each value of a range, against a dict."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from fastml.kernels.keys import integer_range


def test_codes_of_a_range_against_a_dict() -> None:
    keys = np.random.default_rng(6).integers(-40, 60, 900)
    slots, labels, codes = np.zeros(100, np.int32), np.empty(101, np.int64), np.empty(900, np.int32)
    expected, values = naive.codes(keys.tolist())
    assert integer_range.encode_range(keys, 0, -40, slots, labels, 0, codes) == (900, len(values))
    assert codes.tolist() == expected
    assert labels[1 : len(values) + 1].tolist() == list(values)


@pytest.mark.parametrize("outside", [-41, 60, 2**63 - 1, -(2**63)])
def test_it_stops_at_a_key_outside_and_where_labels_have_no_room(outside: int) -> None:
    keys = np.array([3, 4, 3, outside, 5])
    slots, codes = np.zeros(100, np.int32), np.full(5, -1, np.int32)
    assert integer_range.encode_range(keys, 0, -40, slots, np.empty(101, np.int64), 0, codes) == (3, 2)
    assert codes.tolist() == [0, 1, 0, -1, -1]
    assert integer_range.encode_range(keys[:2], 0, -40, np.zeros(100, np.int32), np.empty(2, np.int64), 0, codes) == (
        1,
        1,
    )
