"""What group statistics consist of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fastml import GroupStats
from fastml.groupstats.fields import GroupFields


def fields(**changed: Any) -> GroupFields:
    keys = pa.table({"cycle": [2019, 2019, None], "id": ["a", None, "b"]})
    counts, moments = np.zeros((3, 3)), np.zeros((1, 3, 4))
    given = {"keys": keys, "by": ("cycle",), "group": ("id",), "outcomes": ("y",), "counts": counts, "moments": moments}
    return GroupFields(**{**given, **changed})


def test_a_cell_is_labelled_where_no_label_is_null() -> None:
    assert fields().labelled_cells().tolist() == [True, False, False]
    full = pa.table({"id": ["a", "b", "c"]})
    assert fields(keys=full, by=()).labelled_cells().all()


def test_statistics_are_their_fields() -> None:
    assert issubclass(GroupStats, GroupFields)
    stats = GroupStats(**vars(fields(notes=("a note",))))
    assert (stats.notes, stats.weights, stats.labelled, len(stats)) == (("a note",), None, True, 1)
    with pytest.raises(AttributeError):
        stats.notes = ()  # type: ignore[misc]
