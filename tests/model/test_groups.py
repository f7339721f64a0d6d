"""Groups, as the data side hands them to the model."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import fastml
from fastml.model.groups import Groups, WeightedGroups
from fastml.model.weighted import scale_weights

ROWS = {"y": [5.0, 7.0, 1.0, 2.0, 6.0, 9.0], "g": ["b", "b", "a", "a", "a", "c"]}


def test_the_groups_of_statistics_are_those_of_the_rows() -> None:
    groups = fastml.group_stats(ROWS, "y", "g").groups()
    assert isinstance(groups, Groups)
    found = {
        label: (n, mean + residual, ss)
        for label, n, mean, residual, ss in zip(groups.labels["g"].to_pylist(), groups.n, groups.mean,
                                                groups.residual, groups.ss, strict=True)
    }  # fmt: skip
    assert found == {"a": (3, 3.0, 14.0), "b": (2, 6.0, 2.0), "c": (1, 9.0, 0.0)}
    with pytest.raises(FrozenInstanceError):
        groups.n = groups.n[:1]  # type: ignore[misc]


def test_weighted_groups_have_contiguous_arrays_of_one_shape() -> None:
    plain = np.array([[2.0, 5.0, 0.0, 2.0], [3.0, 1.0, 0.0, 4.0]])
    groups = scale_weights(plain, None, np.array([2.0, 1.0]), "total", "none")
    assert isinstance(groups, WeightedGroups)
    arrays = vars(groups)
    assert all(values.shape == (2,) and values.flags.c_contiguous for values in arrays.values())
    assert groups.n.dtype == np.int64
