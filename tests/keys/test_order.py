"""The order of labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fastml.keys.order import sort_order


def test_sort_order_is_by_value_and_nulls_last() -> None:
    order = sort_order([pa.array(["b", "a", None, "a"]), pa.array([1, 10, 3, 9])])
    assert order.tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
@pytest.mark.parametrize("span", [1, 3, 100])
def test_sort_order_of_integers_of_any_range(span: int, dtype: type) -> None:
    rng = np.random.default_rng(span)
    info = np.iinfo(dtype)
    for low in (info.min, 0, info.max - span * 100 if dtype is not np.int8 else 20):
        values = (low + rng.permutation(span * 100)[:100]).astype(dtype) if dtype is not np.int8 else rng.permutation(
            np.arange(-50, 50, dtype=dtype))  # fmt: skip
        assert values[sort_order([pa.array(values)])].tolist() == sorted(values.tolist())
    assert sort_order([pa.array([2, 1, 2, 1])]).tolist() == [1, 3, 0, 2]
    extremes = pa.array([2**63 - 1, -(2**63), 0])
    assert sort_order([extremes]).tolist() == [1, 2, 0]
