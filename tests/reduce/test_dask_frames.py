"""Dask: partitions are reduced apart and added; the answer is that in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from foreign import ignore_foreign_warnings

import fastml
from fastml import FastmlError
from fastml.reduce import dask_frames
from fastml.reduce.columns import CallColumns

N = 600


@pytest.fixture(autouse=True)
def _here() -> Iterator[None]:
    """In this process, one partition after another."""
    with warnings.catch_warnings():
        ignore_foreign_warnings()
        import dask

        with dask.config.set(scheduler="synchronous"):
            yield


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    school = rng.integers(0, 30, N)
    y = np.where(rng.random(N) < 0.05, np.nan, rng.normal(500.0, 80.0, N) + school)
    return pd.DataFrame({"y": y, "school": school, "w": rng.uniform(0.5, 2.0, N), "v": 1.0 + school % 4})


def partitioned(frame: pd.DataFrame, parts: int) -> object:
    import dask.dataframe as dd

    return dd.from_pandas(frame, npartitions=parts)


@pytest.mark.parametrize("parts", [1, 2, 9, 20])
@pytest.mark.parametrize("weights", [{}, {"weights": "w", "group_weights": "v"}])
def test_partitions_are_added(parts: int, weights: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_frames, "FAN_IN", 3)
    frame = rows()
    found = fastml.group_stats(partitioned(frame, parts), "y", "school", **weights)
    expected = fastml.group_stats(frame, "y", "school", **weights)
    assert found.keys.to_pydict() == expected.keys.to_pydict()
    assert np.array_equal(found.counts, expected.counts)
    np.testing.assert_allclose(found.moments[..., [0, 1, 3]], expected.moments[..., [0, 1, 3]], rtol=1e-12)
    if weights:
        np.testing.assert_allclose(found.weighted[..., [0, 1, 3, 4]], expected.weighted[..., [0, 1, 3, 4]], rtol=1e-12)
        assert np.array_equal(found.group_weight, expected.group_weight)


def test_partitions_without_rows() -> None:
    frame = partitioned(rows(), 4)
    some = frame[frame["school"] == 7]  # type: ignore[index]
    found = fastml.group_stats(some, "y", "school")
    expected = fastml.group_stats(rows(), "y", "school", filter="school = 7")
    assert found.counts.tolist() == expected.counts.tolist()


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(FastmlError, match=r"column 'Y' is not in the Dask DataFrame; did you mean 'y'\?"):
        dask_frames.from_dask(partitioned(rows(), 2), CallColumns(("Y",), ("school",)))
