"""The hash table of strings, call by call, against a dict."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from fastml.kernels.keys import hash_strings


def encoded(strings: list[bytes], room: int = 600) -> tuple[int, int, list[int], list[bytes]]:
    """Row reached, number of labels, codes, labels; the data end with the last string's last byte."""
    data = np.frombuffer(b"".join(strings), np.uint8)
    ends = np.cumsum([0, *map(len, strings)]).astype(np.int32)
    slots, words = np.zeros(2048, np.int32), np.empty(2 * room + 2, np.int64)
    label_ends, label_data = np.zeros(room + 1, np.int64), np.empty(len(data) + 1, np.uint8)
    codes = np.full(len(strings), -1, np.int32)
    row, count = hash_strings.encode_strings(data, ends, 0, slots, words, label_ends, label_data, 0, codes)
    labels = [label_data[label_ends[c] : label_ends[c + 1]].tobytes() for c in range(count)]
    return row, count, codes.tolist(), labels


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("prefix", ["", "s", "a prefix of more than sixteen bytes, "])
def test_strings_against_a_dict(prefix: str, clustered: bool) -> None:
    at = np.random.default_rng(len(prefix)).integers(0, 90, 3_000)
    strings = [f"{prefix}{i * i}".encode() for i in (np.sort(at) if clustered else at)]
    expected, values = naive.codes(strings)
    assert encoded(strings) == (3_000, len(values), expected, list(values))


@pytest.mark.parametrize("length", range(20))
def test_strings_that_differ_in_one_byte_or_in_length(length: int) -> None:
    strings = [b"\0" * length, b"\0" * (length + 1)]
    strings += [b"\0" * k + b"x" + b"\0" * (length - k - 1) for k in range(length)]
    strings = [text for text in strings for _ in range(9)] + strings
    expected, values = naive.codes(strings)
    assert encoded(strings)[2:] == (expected, list(values))


def test_it_stops_before_a_block_that_has_no_room() -> None:
    row, count, _, labels = encoded([b"%d" % i for i in range(1_500)], room=400)
    assert (row, count) == (0, 400)
    assert labels == [b"%d" % i for i in range(400)]
