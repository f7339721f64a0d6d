"""The table of school means."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fastml import FastmlError
from fastml.inference.posterior import SchoolPosterior
from fastml.model.shrinkage import SchoolMeans
from fastml.results.schools import INTERVALS, check_interval, schools_table


def made(labels: dict[str, list[int]], interval: str = "posterior", sd: float = 1.0) -> pa.Table:
    two = np.array([1.0, 2.0])
    means = SchoolMeans(np.array([3, 4]), two, two, two, two, two, two, two)
    posterior = SchoolPosterior(two, np.full(2, sd), two - 5, two + 5)
    return schools_table(pa.table(labels), means, posterior, interval, 0.95)


def test_columns_of_labels() -> None:
    assert made({"school": [1, 2]}).column_names[:2] == ["group", "n"]
    assert made({"country": [1, 2], "school": [3, 4]}).column_names[:3] == ["country", "school", "n"]
    with pytest.raises(FastmlError, match="group='u' is not one of 'another name'"):
        made({"country": [1, 2], "u": [3, 4]})


def test_limits() -> None:
    assert made({"s": [1, 2]})["ci_low"].to_pylist() == [-4.0, -3.0]
    assert made({"s": [1, 2]}, "plug-in")["ci_high"].to_pylist() == pytest.approx(
        [2.959963984540054, 5.919927969080108]
    )
    assert made({"s": [1, 2]}, sd=np.nan)["post_sd"].to_pylist() == [None, None]


def test_kinds_of_interval() -> None:
    assert [check_interval(None, weighted) for weighted in (False, True)] == ["posterior", "plug-in"]
    assert [check_interval(kind, False) for kind in INTERVALS] == list(INTERVALS)
