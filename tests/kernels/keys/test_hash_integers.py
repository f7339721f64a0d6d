"""The hash table of integers, call by call, against a dict."""

from __future__ import annotations

from typing import Any

import naive
import numpy as np
import pytest

from fastml.kernels.keys import hash_integers


def keys_of(kind: str, n: int) -> Any:
    rng = np.random.default_rng(n)
    if kind == "any":
        return rng.integers(-(2**63), 2**63 - 1, n)
    if kind == "consecutive":
        return np.arange(n) - n // 2
    return np.arange(n) << 46


@pytest.mark.parametrize("kind", ["any", "consecutive", "multiples of 2^46"])
def test_it_stops_when_full_and_goes_on(kind: str) -> None:
    rng = np.random.default_rng(1)
    keys = keys_of(kind, 700)[rng.integers(0, 700, 5_000)]
    slots, labels, count, row = np.zeros(1024, np.int32), np.empty(301, np.int64), 0, 0
    codes = np.empty(len(keys), np.int32)
    row, count = hash_integers.encode_int64(keys, row, slots, labels, count, codes)
    assert (row % hash_integers.BLOCK, count) == (0, 300)
    labels, slots = np.append(labels, np.empty(500, np.int64)), np.zeros(2048, np.int32)
    hash_integers.rehash_int64(labels, count, slots)
    assert hash_integers.encode_int64(keys, row, slots, labels, count, codes) == (5_000, 700)
    expected, values = naive.codes(keys.tolist())
    assert codes.tolist() == expected
    assert labels[1:701].tolist() == list(values)


def test_keys_of_one_slot_are_told_apart() -> None:
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    alike = [h ^ (h >> 32) for h in (inverse * k % 2**64 for k in range(1, 200))]
    keys = np.array(alike * 2, np.uint64).view(np.int64)
    slots, labels, codes = np.zeros(1024, np.int32), np.empty(257, np.int64), np.empty(len(keys), np.int32)
    assert hash_integers.encode_int64(keys, 0, slots, labels, 0, codes) == (398, 199)
    assert codes.tolist() == list(range(199)) * 2
