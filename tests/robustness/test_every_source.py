"""What goes into a fit is the same from every source: ids, missing values and codes, and rows that add up."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError

pyreadstat = pytest.importorskip("pyreadstat")


def written(writer: Callable[[pd.DataFrame, Path], object], ending: str) -> Callable[[pd.DataFrame, Path], Path]:
    def make(frame: pd.DataFrame, folder: Path) -> Path:
        path = folder / f"t.{ending}"
        writer(frame, path)
        return path

    return make


def blank_as_null(frame: pd.DataFrame) -> pd.DataFrame:
    """Of writers that take no null among texts."""
    return frame.assign(**{name: frame[name].fillna("") for name in frame if frame[name].dtype.kind not in "fi"})


SOURCES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "pandas": lambda frame, _: frame,
    "pandas objects": lambda frame, _: frame.astype(object),
    "Polars": lambda frame, _: pl.from_pandas(frame),
    "dict": lambda frame, _: {name: list(frame[name]) for name in frame},
    "Arrow": lambda frame, _: pa.Table.from_pandas(frame),
    "stream": lambda frame, _: pa.Table.from_pandas(frame).to_reader(max_chunksize=3),
    "Parquet": written(lambda f, p: pq.write_table(pa.Table.from_pandas(f), p, row_group_size=4), "parquet"),
    "IPC": written(lambda f, p: feather.write_feather(pa.Table.from_pandas(f), p), "arrow"),
    "CSV": written(lambda f, p: f.convert_dtypes().to_csv(p, index=False), "csv"),
    "gzip": written(
        lambda f, p: p.write_bytes(gzip.compress(f.convert_dtypes().to_csv(index=False).encode())), "csv.gz"
    ),
    "sav": written(lambda f, p: pyreadstat.write_sav(blank_as_null(f), p), "sav"),
    "zsav": written(lambda f, p: pyreadstat.write_sav(blank_as_null(f), p, compress=True), "zsav"),
    "dta": written(lambda f, p: pyreadstat.write_dta(blank_as_null(f), p), "dta"),
    "xpt": written(lambda f, p: pyreadstat.write_xport(blank_as_null(f), p), "xpt"),
    "por": written(lambda f, p: pyreadstat.write_por(blank_as_null(f), p), "por"),
}
IDS = {
    "Namibia": (["NA", "NA", "ZA", "ZA", "AO", "AO"], ["AO", "NA", "ZA"]),
    "decimals in text": (["8.1", "8.1", "8.10", "8.10", "9", "9"], ["8.1", "8.10", "9"]),
    "zeros in front": (["007", "007", "07", "07", "7", "7"], ["007", "07", "7"]),
    "exponents": (["1E2", "1E2", "100", "100", "1e2", "1e2"], ["100", "1E2", "1e2"]),
    "signs": (["+7", "+7", "7", "7", "-7", "-7"], ["+7", "-7", "7"]),
    "times": (["10:30", "10:30", "10:30:00", "10:30:00", "x", "x"], ["10:30", "10:30:00", "x"]),
    "words for missing": (["null", "null", "nan", "nan", "None", "None"], ["None", "nan", "null"]),
    "letters": (["A b", "A b", "a b", "a b", "Ab", "Ab"], ["A b", "Ab", "a b"]),
    "blanks": (["a", "a", "b", "b", "", "  "], ["a", "b", None]),
    "nulls": (["a", "a", "b", "b", None, None], ["a", "b", None]),
    "numbers": ([1.0, 1.0, 2.0, 2.0, 30.0, 30.0], [1, 2, 30]),
    "numbers and null": ([1.0, 1.0, 2.0, 2.0, float("nan"), float("nan")], [1, 2, None]),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("ids", IDS)
def test_ids_are_what_they_are_in_every_source(ids: str, source: str, tmp_path: Path) -> None:
    labels, expected = IDS[ids]
    frame = pd.DataFrame({"S": labels, "Y": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]})
    stats = fastml.group_stats(SOURCES[source](frame, tmp_path), "Y", "S")
    assert stats.keys["S"].to_pylist() == expected
    assert stats.counts[:, 0].tolist() == [2, 2, 2]


@pytest.mark.parametrize("source", SOURCES)
def test_rows_add_up_and_codes_are_missing_in_every_source(source: str, tmp_path: Path) -> None:
    nan = float("nan")
    frame = pd.DataFrame({
        "S": ["a", "a", "b", "b", "", "c", "c", "c"], "Y": [1.0, 2.0, 4.0, 5.0, 9.0, 999.0, nan, 96.0], "B": [1.0] * 7 + [nan],
    })  # fmt: skip
    fit = fastml.fit(SOURCES[source](frame, tmp_path), "Y", "S", missing=[96, 999])
    assert (fit.n_obs, fit.n_groups, fit.n_dropped) == (4, 2, 4)
    assert (fit.dropped["group"], fit.dropped["outcome"]) == (1, 3)
    (part,) = fastml.fit_by(SOURCES[source](frame, tmp_path), "Y", "S", by="B", missing=[96, 999]).to_dict()
    assert (part["B"], part["n_obs"], part["n_dropped"]) == (1, 4, 3)


@pytest.mark.parametrize("source", [name for name in SOURCES if name not in ("CSV", "gzip")])
def test_fractions_are_no_ids_in_any_source(source: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"S": [1.0, 1.0, 2.5, 2.5], "Y": [1.0, 2.0, 4.0, 5.0]})
    with pytest.raises(FastmlError, match=r"column 'S' has 2\.5, which is no id"):
        fastml.group_stats(SOURCES[source](frame, tmp_path), "Y", "S")
