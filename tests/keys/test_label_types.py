"""Labels as 64 bits and back, and types that are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from key_columns import TYPES, column

from fastml.errors import FastmlError
from fastml.io.plain_arrays import plain_array, plain_type
from fastml.keys.label_types import bits_of, from_bits, has_bits, repeat_tag, take


@pytest.mark.parametrize("name", [name for name, (dtype, _) in TYPES.items() if has_bits(plain_type(dtype))])
def test_bits_make_the_labels_again(name: str) -> None:
    labels = plain_array(column(name, 50, "shuffled", False))
    bits = bits_of(labels)
    assert bits.dtype == np.int64
    assert from_bits(bits, labels.type).equals(labels)
    places = np.array([7, 0, 7, 49])
    assert take(labels, places).to_pylist() == [labels[int(place)].as_py() for place in places]
    equal = [[a == b for b in labels.to_pylist()] for a in labels.to_pylist()]
    assert np.array_equal(bits[:, None] == bits, equal)


def test_types_that_hold_the_same_are_one() -> None:
    for dtype in (pa.dictionary(pa.int8(), pa.string()), pa.run_end_encoded(pa.int32(), pa.string()), pa.string()):
        assert plain_type(dtype) == pa.string()
    assert plain_type(pa.string_view()) == pa.large_string()
    assert plain_type(pa.decimal128(9, 2)) == pa.decimal128(9, 2)
    assert not any(map(has_bits, (pa.string(), pa.decimal128(9, 2), pa.binary(3), pa.null())))


def test_a_tag_is_a_label_throughout() -> None:
    assert repeat_tag("cycle", 2019, 3).to_pylist() == [2019] * 3


@pytest.mark.parametrize("value", [None, float("nan"), [1], {"a": 1}, object(), 2**70, "", "  "])
def test_what_is_no_label_is_no_tag(value: Any) -> None:
    with pytest.raises(FastmlError, match=r"tag 'cycle' is .*; a tag is one string, number or date"):
        repeat_tag("cycle", value, 3)
