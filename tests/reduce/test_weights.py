"""The weights of a tile's rows and groups: what is refused, and which rows are counted as without one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fastml

DATA: dict[str, Any] = {
    "id": np.array([1, 2, 1, 2]),
    "y": np.arange(4.0),
    "w": np.array([1.0, 2.0, 0.0, math.nan]),
    "v": np.array([3.0, 4.0, 3.0, 4.0]),
}


def test_rows_without_a_weight_are_counted_by_group() -> None:
    found = fastml.group_stats(DATA, "y", "id", weights="w", group_weights="v")
    assert found.counts[:, 1].tolist() == [0.0, 1.0]
    assert found.counts[:, 2].tolist() == [1.0, 0.0]
    assert found.group_weight is not None
    assert found.group_weight.tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("w", -1.0, "weights column 'w' has -1 in row 2 .*a weight is a finite number, 0 or more"),
        ("w", math.inf, "weights column 'w' has inf in row 2 "),
        ("v", 0.0, "group_weights column 'v' has 0 in row 2 .*a group's weight is a finite number above 0"),
        ("v", 7.0, "group_weights column 'v' varies within a group: 7.0 and 3.0 in row 2 "),
    ],
)
def test_what_can_not_be_a_weight_is_refused(column: str, value: float, message: str) -> None:
    wrong = DATA[column].copy()
    wrong[2] = value
    with pytest.raises(fastml.FastmlError, match=message):
        fastml.group_stats(DATA | {column: wrong}, "y", "id", weights="w", group_weights="v")
