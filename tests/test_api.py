"""fit, fit_by and group_stats: what a call is checked for, and that they agree."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import countries_together

import fastml
from fastml import FastmlError


def test_a_boundary_fit_is_a_result() -> None:
    fit = fastml.fit({"y": [1.0, 9.0, 2.0, 8.0], "id": [1, 1, 2, 2]}, "y", "id")
    assert fit.singular
    assert (fit.tau00, fit.icc, fit.reliability, fit.deff) == (0, 0, 0, 1)
    assert fit.to_dict()["se_tau00"] is None


ROWS = {
    "country": ["N"] * 6 + ["S"] * 6,
    "school": [1, 1, 2, 2, 3, 3] * 2,
    "y": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0, 3.0, 1.0, 2.0, 7.0, 7.0, 6.0],
    "z": [float(k * k % 7) for k in range(12)],
}


def test_a_fit_of_rows_is_that_of_their_statistics() -> None:
    stats = fastml.group_stats(ROWS, "y", ["country", "school"])
    assert fastml.fit(stats).to_dict() == fastml.fit(ROWS, "y", ["country", "school"]).to_dict()
    assert fastml.fit(stats, "y", ["country", "school"]).to_dict() == fastml.fit(stats).to_dict()


def test_fit_by_is_a_fit_of_each_part() -> None:
    rows = fastml.fit_by(ROWS, ["y", "z"], "school", by="country").to_dict()
    saved = fastml.fit_by(fastml.group_stats(ROWS, ["y", "z"], "school", by="country")).to_dict()
    assert str(saved) == str(rows)
    for row in rows:
        alone = fastml.fit(ROWS, row["outcome"], "school", filter=f"country = '{row['country']}'")
        assert row["gamma00"] == pytest.approx(alone.gamma00, rel=1e-12)


def test_small_groups_and_tags() -> None:
    stats = fastml.group_stats({"g": [1, 1, 2], "y": [1.0, 2.0, 3.0]}, "y", "g", tags={"cycle": 2019}, min_group_size=2)
    assert stats.keys.to_pydict() == {"cycle": [2019], "g": [1]}


@countries_together
@pytest.mark.parametrize("method", ["REML", "Ml", "anova"])
def test_methods_in_any_case(method: str) -> None:
    assert (
        fastml.fit(ROWS, "y", "school", method=method).to_dict()
        == fastml.fit(ROWS, "y", "school", method=method.lower()).to_dict()
    )


STATS = fastml.group_stats(ROWS, ["y", "z"], "school")

REFUSED = [
    (lambda: fastml.fit(STATS), "outcome=None .*hold several: choose one"),
    (lambda: fastml.fit(STATS, "x"), "outcome='x' .*hold no other"),
    (lambda: fastml.fit(STATS, ["y"]), r"outcome=\['y'\]"),
    (lambda: fastml.fit(STATS, "y", "class"), "group='class', but the statistics are of groups by school"),
    (lambda: fastml.fit(STATS, "y", ["a", "b"]), r"group=\['a', 'b'\], but"),
    (lambda: fastml.fit(STATS, "y", filter="z > 1"), "saved statistics hold none"),
    (
        lambda: fastml.fit(STATS, "y", weights="w", group_weights="v"),
        "weights='w', but the statistics were gathered with weights=None",
    ),
    (lambda: fastml.fit_by(STATS), "not split: gather them with by=, or use fit"),
    (lambda: fastml.fit_by(STATS, by="country"), "by='country', but the statistics are split by nothing"),
    (lambda: fastml.fit(fastml.group_stats(ROWS, "y", "school", by="country")), "are split by country"),
    (lambda: fastml.fit_by(ROWS, "y", "school"), "outcome, group and by"),
    (lambda: fastml.fit(ROWS, "y", "school", method="mle"), "method='mle' is not one of"),
    (lambda: fastml.fit_by(ROWS, "y", "school", by="country", method=3), "method=3 is not one of"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_a_call_is_refused_for(call, message: str) -> None:
    with pytest.raises(FastmlError, match=message):
        call()


SWAPPED = {"school": [1, 1, 2, 2, 3, 3], "score": [400.25, 410.5, 433.0, 451.75, 512.5, 498.0]}


@pytest.mark.parametrize(
    "call",
    [
        lambda: fastml.fit(SWAPPED, "school", "score"),
        lambda: fastml.fit(pd.DataFrame(SWAPPED), "school", "score"),
        lambda: fastml.fit(pa.table(SWAPPED), "school ~ 1 + (1 | score)"),
        lambda: fastml.fit(pl.DataFrame(SWAPPED).lazy(), "school", "score"),
        lambda: fastml.fit(pl.DataFrame(SWAPPED).cast({"score": pl.Float32}), "school", "score"),
        lambda: fastml.fit(pa.table(SWAPPED).to_reader(2), "school", "score"),
        lambda: fastml.fit_by({**SWAPPED, "c": ["a"] * 6}, "school", "score", by="c"),
        lambda: fastml.group_stats(SWAPPED, "school", "score", tags={"cycle": 2019}),
        lambda: fastml.GroupStats.from_summary(group=SWAPPED["score"], n=[3] * 6, mean=[1.0] * 6, sd=[1.0] * 6),
        lambda: fastml.fit({"a": [1, 1, 2, 2], "b": [1.0, float("inf"), 2.0, 2.0]}, "a", "b"),
        lambda: fastml.fit({"a": [1, 1, 2, 2], "b": [1.0, 1.0, 2.0, 2.5]}, "a", ["b"]),
    ],
)
def test_fractions_are_no_ids(call: Callable[[], object]) -> None:
    """Scores taken for schools: the error names the column, and asks whether the two were swapped."""
    with pytest.raises(FastmlError) as caught:
        call()
    said = str(caught.value)
    assert "swapped" in said
    assert any(f"group column {name!r} has {value}" in said
               for name, value in (("score", "400.25"), ("group", "400.25"), ("b", "inf"), ("b", "2.5")))  # fmt: skip


def test_whole_numbers_as_doubles_are_ids() -> None:
    ids = {**SWAPPED, "school": [1.0, 1.0, 2.0, 2.0, 3e15, 3e15]}
    assert fastml.fit(ids, "score", "school").n_groups == 3
    assert fastml.fit_by({**ids, "part": [0.5] * 6}, "score", "school", by="part").to_dict()[0]["part"] == 0.5
