"""Codes of missing values: named ones are taken out of outcomes and weights, others are told where they stand apart."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastml
from fastml.reduce.missing_codes import Seen, look, missing_values, without_codes

nan = math.nan


@pytest.mark.parametrize(
    ("missing", "codes", "texts"),
    [
        (None, (), ()),
        (9, (9.0,), ()),
        ((), (), ()),
        ([6, 96.0, np.int8(99)], (6.0, 96.0, 99.0), ()),
        ("k.A.", (), ("k.A.",)),
        (["k.A.", "99", "-9"], (99.0, -9.0), ("k.A.",)),
        (np.array([9, 99]), (9.0, 99.0), ()),
        ({999.0}, (999.0,), ()),
        (nan, (), ()),
        ("NaN", (), ()),
    ],
)
def test_numbers_and_texts(missing: Any, codes: tuple[float, ...], texts: tuple[str, ...]) -> None:
    assert missing_values(missing) == (codes, texts)


@pytest.mark.parametrize("missing", [True, [9, None], [[9]], object(), b"9", 10**400])
def test_what_can_be_no_code(missing: Any) -> None:
    if missing == b"9":
        assert missing_values(missing) == ((57.0,), ())  # bytes are numbers
        return
    with pytest.raises(fastml.FastmlError, match=r"missing=.* can't be: it is a number, a text, or a list of them"):
        missing_values(missing)


def test_values_without_codes() -> None:
    values = np.array([1.0, 9.0, nan, -9.0, 99.0])
    assert without_codes(values, ()) is values
    assert without_codes(values, (100.0,)) is values
    assert without_codes(values, (7.0,)) is values
    assert np.array_equal(without_codes(values, (99.0, -9.0)), [1.0, 9.0, nan, nan, nan], equal_nan=True)
    empty = np.empty(0)
    assert without_codes(empty, (9.0,)) is empty


def apart(values: list[float], weight: bool = False) -> list[float]:
    """Of all values at once; two of them add."""
    seen = look(np.array(values, float))
    found = seen.apart(weight=weight)
    assert {code: 2 * count for code, count in found.items()} == (seen + seen).apart(weight=weight)
    assert (Seen() + seen).apart(weight=weight) == found
    return list(found)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([10.0, 11, 12, 9, 10, 12, 13, 12, 999999], [999999.0]),
        ([1.0, 2, 3, 4] * 5 + [9], [9.0]),
        ([1.0, 2, 3, 4] * 5 + [5], []),
        ([1.0, 2, 3, 4] * 5 + [6, 9, 96, 99], [6.0, 9.0, 96.0, 99.0]),
        ([1.0, 2, 3, 4, 5] * 5 + [6, 9], [9.0]),  # 6 is the next answer
        ([0.0, 1] * 9 + [9, nan, nan], [9.0]),
        ([1.0, 2, 4, 6] * 9, []),  # a step like those between other answers
        ([1.0, 2, 4, 9] * 9, [9.0]),
        ([7.0, 8, 9] * 9, []),
        ([7.0, 8, 9] * 9 + [99], [99.0]),
        ([nan] * 9 + [99], []),
        ([480.5, 512.25, 530.0, 444.75, 501.5, 999.0], [999.0]),
        ([480.5, 512.25, 530.0, 444.75, 501.5, 96.0], []),  # below others
        ([-0.5, 1.25, 0.75, 2.5, -1.5, 99.0], [99.0]),
        ([-0.5, 1.25, 0.75, 2.5, -1.5, 9.0], []),  # of few digits, and no item
        ([1.0, 4, 9, 2, 3, 8], []),  # no item either: answers don't repeat
        ([450.0, 999.0], []),  # too few to tell
        ([99_990.5, 99_200.0, 88_000.0, 95_000.5, 90_100.0, 99_996.0], []),
        ([0.0, 20, 40, 60, 80, 97] * 9, []),
    ],
)
def test_codes_that_stand_apart(values: list[float], found: list[float]) -> None:
    assert apart(values) == found


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.5, 20.25, 33.0, 7.5, 2.0, 999999.0], [999999.0]),
        ([2.0, 2.0, 2.0, 2.0, 2.0, 8.0], []),
        ([2.0, 2.0, 2.0, 2.0, 2.0, 99.0], [99.0]),
        ([1.5, 20.25, 333.0, 7.5, 200.0, 999.0, 600.0], []),
    ],
)
def test_weights_that_stand_apart(values: list[float], found: list[float]) -> None:
    assert apart(values, weight=True) == found


SCORES = {"s": [1, 1, 1, 2, 2, 2, 3, 3, 3], "y": [10.0, 11, 12, 9, 10, 999999, 12, 13, 12]}


def test_codes_that_a_fit_names_are_missing() -> None:
    kept = {name: column[:5] + column[6:] for name, column in SCORES.items()}
    truth = fastml.fit(kept, "y", "s")
    for missing in (999999, [9996, 999999.0], "999999"):
        found = fastml.fit(SCORES, "y", "s", missing=missing)
        assert (found.gamma00, found.tau00, found.n_obs) == (truth.gamma00, truth.tau00, 8)
        assert found.dropped == {"group": 0, "outcome": 1}


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table, lambda data: pl.DataFrame(data).lazy()])
@pytest.mark.parametrize("weighted", [True, False])
def test_every_carrier_takes_codes(kind: Any, weighted: bool) -> None:
    data = {**SCORES, "w": [2.0, 9, 3, 1, 9999, 2, 3, 4, 2], "v": [2.0] * 3 + [9999.0] * 3 + [9.0] * 3}
    data["c"] = ["a"] * 9
    options = {"weights": "w", "group_weights": "v"} if weighted else {}
    (row,) = fastml.fit_by(kind(data), "y", "s", by="c", missing=[9, 9999, 999999], **options).to_dict()
    counts = {"outcome": 0, "weights": 3} if weighted else {"outcome": 2, "weights": 0}
    assert {cause: row[f"dropped_{cause}"] for cause in counts} == counts
    if weighted:  # 9 is a weight
        assert row["n_obs"] == 6


def test_labels_are_never_codes() -> None:
    data = {"c": [9] * 6, "s": [9, 9, 9, 99, 99, 99], "y": [1.0, 2, 4, 5, 9, 8]}
    (row,) = fastml.fit_by(data, "y", "s", by="c", missing=[9, 99]).to_dict()
    assert (row["c"], row["n_groups"], row["n_obs"]) == (9, 2, 5)
    stats = fastml.group_stats(data, "y", "s", missing=9)
    assert stats.keys["s"].to_pylist() == [9, 99]
    with pytest.raises(fastml.FastmlError, match="missing= names codes among rows, and saved statistics hold none"):
        fastml.fit(stats, missing=9)


@pytest.mark.parametrize("call", [fastml.fit, fastml.group_stats, lambda *a, **k: fastml.fit_by(*a, by="c", **k)])
def test_codes_that_nobody_named_are_told(call: Any, tmp_path: Path) -> None:
    data = pd.DataFrame(SCORES).assign(c=1)
    data.to_parquet(tmp_path / "a.parquet")
    for source in (data, tmp_path / "a.parquet"):
        with pytest.warns(UserWarning, match=r"column 'y' has 999999 \(1 row\), apart .*missing=999999.*missing=\(\)"):
            call(source, "y", "s")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call(source, "y", "s", missing=())
            call(source, "y", "s", missing=999999)


def test_codes_that_are_not_all_named_are_told() -> None:
    rng = np.random.default_rng(0)
    data = {"s": np.repeat(np.arange(10), 30), "y": rng.integers(1, 5, 300).astype(float)}
    data["y"][::17], data["y"][::23] = 96, 99
    with pytest.warns(UserWarning, match=r"'y' has 99 \(14 rows\).*missing=99 "):
        fastml.fit(data, "y", "s", missing=96)
    with pytest.warns(UserWarning, match=r"'y' has 96 \(17 rows\) and 99 \(14 rows\).*missing=\[96, 99\] "):
        fastml.fit(data, "y", "s")


def test_codes_among_school_weights_are_told() -> None:
    data = {"s": np.repeat(np.arange(10), 5), "y": np.random.default_rng(0).normal(500, 100, 50)}
    data["v"] = np.where(data["s"] == 3, 999999.0, 2.0 + data["s"])
    with pytest.warns(UserWarning, match="column 'v' has 999999 .5 rows"):
        fastml.fit(data, "y", "s", group_weights="v")
    found = fastml.fit(data, "y", "s", group_weights="v", missing=999999)
    assert found.dropped["weights"] == 5


def test_a_notice_does_not_depend_on_threads_or_batches() -> None:
    """Runs of several tiles are measured together, each of them looked at by itself."""
    n = 3 << 20
    data = pa.table({"s": np.arange(n) // 100, "y": np.where(np.arange(n) == n - 5, 999.0, 500.0 + np.arange(n) % 90)})
    said = []
    for source, threads in ((data, 1), (data, 4), (data.to_reader(100_000), 2)):
        with pytest.warns(UserWarning, match="apart") as caught:
            fastml.group_stats(source, "y", "s", threads=threads)
        said.append([str(notice.message) for notice in caught])
    assert said[0] == said[1] == said[2]
    assert len(said[0]) == 1


@pytest.mark.parametrize("seed", range(40))
def test_a_glance_finds_what_a_look_at_every_value_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(1, rng.integers(3, 12), 300).astype(float)
    values[rng.random(300) < 0.02] = rng.choice([6.0, 9.0, 97.0, 99.0, 7.5])
    values[rng.random(300) < 0.02 * (seed % 2)] = np.nan
    found = (look(values) + look(values[:7])).apart()
    monkeypatch.setattr("fastml.reduce.missing_codes._are_next_to_answers", lambda values, top: False)
    assert found == (look(values) + look(values[:7])).apart()
