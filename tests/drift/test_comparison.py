"""New statistics beside old ones: the figures of a slow twin, whatever is there on one side only."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import countries_together
from group_statistics import rows

import fastml
from fastml import FastmlError, GroupStats
from fastml.drift.comparison import compare
from fastml.drift.limits import Limits
from fastml.errors import DriftError
from fastml.report.provenance import SCHEMA


def twin(new: pd.DataFrame, old: pd.DataFrame, outcome: str) -> dict[str, Any]:
    """The figures of all rows, by pandas."""
    left, right = (frame.dropna(subset=[outcome, "school"]) for frame in (old, new))
    before, after = set(left.school), set(right.school)
    return {
        "n_groups_old": len(before),
        "n_groups_new": len(after),
        "groups_lost": len(before - after),
        "groups_added": len(after - before),
        "n_obs_old": len(left),
        "n_obs_new": len(right),
        "n_change": len(right) / len(left) - 1.0,
        "missing_old": 1.0 - len(left) / len(old),
        "missing_new": 1.0 - len(right) / len(new),
        "mean_old": left[outcome].mean(),
        "mean_new": right[outcome].mean(),
        "mean_shift": right[outcome].mean() - left[outcome].mean(),
        "mean_shift_sd": (right[outcome].mean() - left[outcome].mean()) / left[outcome].std(),
        "sd_old": left[outcome].std(),
        "sd_new": right[outcome].std(),
        "sd_change": right[outcome].std() / left[outcome].std() - 1.0,
        "icc_old": fastml.fit(left, outcome, "school").icc,
        "icc_new": fastml.fit(right, outcome, "school").icc,
    }


def assert_figures(row: dict[str, Any], truth: dict[str, Any]) -> None:
    for name, value in truth.items():
        assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


@countries_together
@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_those_of_a_slow_twin(seed: int) -> None:
    old, new = rows(seed).to_pandas(), rows(100 + seed).to_pandas()
    old = old[(old.school > seed) & ((old.country == "NOR") | (old.school != 20))]
    new.loc[new.index[::7], "school"] = None
    for outcomes in ("math", ["read", "math"]):
        made = fastml.check(new, outcomes, "school", against=old).to_dict()
        assert [row["outcome"] for row in made] == list(np.atleast_1d(outcomes))
        for row in made:
            assert_figures(row, twin(new, old, row["outcome"]))
    for row in fastml.check(new, "math", "school", against=old, by="country").to_dict():
        parts = (frame[frame.country == row["country"]] for frame in (new, old))
        assert_figures(row, twin(*parts, "math"))


@pytest.mark.parametrize("seed", range(20))
def test_the_other_way_round_gains_are_losses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = (rows(int(s), 300) for s in rng.integers(0, 1000, 2))
    old, new = (table.slice(int(rng.integers(0, 250)), 40) for table in (old, new))
    there = fastml.check(new, "math", "school", against=old).to_dict()[0]
    back = fastml.check(old, "math", "school", against=new).to_dict()[0]
    assert (there["groups_lost"], there["first_lost"]) == (back["groups_added"], back["first_added"])
    for name in ("n_groups", "n_obs", "missing", "mean", "sd", "icc"):
        assert there[f"{name}_new"] == back[f"{name}_old"]
    assert there["mean_shift"] == -back["mean_shift"]
    assert (there["icc_shift"] is None) == (back["icc_shift"] is None)


def test_large_means_keep_their_digits() -> None:
    rng = np.random.default_rng(2)
    school, y = np.repeat(np.arange(20), 10), 1e9 + rng.normal(0, 1e-3, 200)
    (row,) = fastml.check({"s": school, "y": y}, "y", "s", against={"s": school, "y": y + 1e-3}).to_dict()
    assert row["mean_shift"] == pytest.approx((y - (y + 1e-3)).mean(), abs=2.5e-7)  # doubles there are 1.2e-7 apart
    assert row["sd_new"] == pytest.approx((y - 1e9).std(ddof=1), rel=1e-9)


def test_weighted_figures() -> None:
    old, new = (rows(seed).to_pandas() for seed in (1, 2))
    words = {"by": "country", "weights": "w", "group_weights": "v"}
    made = fastml.check(new, "math", "school", against=old, **words).to_dict()
    fits = fastml.fit_by(new, "math", "school", **words).to_dict()
    for row, fit in zip(made, fits, strict=True):
        part = new[(new.country == row["country"]) & new.math.notna()]
        mean = np.average(part.math, weights=part.w)
        assert row["mean_new"] == pytest.approx(mean, rel=1e-12)
        assert row["sd_new"] == pytest.approx(math.sqrt(np.average((part.math - mean) ** 2, weights=part.w)), rel=1e-10)
        assert row["icc_new"] == pytest.approx(fit["icc"], rel=1e-9)
        rows_of_part = (new.country == row["country"]).sum()
        assert row["missing_new"] == pytest.approx(
            fit["dropped_outcome"] / rows_of_part
        )  # rows of weight 0 have values
    alone = fastml.check(new, "math", "school", against=old, by="country", group_weights="v").to_dict()
    part = new[(new.country == alone[0]["country"]) & new.math.notna()]
    assert alone[0]["mean_new"] == pytest.approx(np.average(part.math, weights=part.v), rel=1e-12)


def stats(schools: Any, means: Any = None, n: int = 10, sd: float = 100.0, name: str = "y") -> GroupStats:
    schools = list(schools)
    means = [500.0 + 10.0 * i for i in range(len(schools))] if means is None else means
    return GroupStats.from_summary(
        n=[n] * len(schools), mean=means, sd=[sd] * len(schools), group=schools, outcome=name
    )


def row_of(new: GroupStats, old: GroupStats, **limits: Any) -> dict[str, Any]:
    (row,) = fastml.check(new, against=old, **limits).to_dict()
    return row


def test_the_first_names_of_schools() -> None:
    row = row_of(stats(range(5, 40)), stats(range(20)))
    assert (row["groups_lost"], row["first_lost"]) == (5, "0, 1, 2, 3, 4")
    assert (row["groups_added"], row["first_added"]) == (20, "20, 21, 22, 23, 24, 25, 26, 27, 28, 29, ...")
    assert row_of(stats("ab"), stats("ab"))["first_lost"] is None
    two = {"school": [1, 1, 2, 2], "cycle": [2019] * 4, "y": [1.0, 2.0, 3.0, 5.0]}
    (row,) = fastml.check(two, "y", ["cycle", "school"], against={**two, "school": [1, 1, 3, 3]}).to_dict()
    assert (row["first_lost"], row["first_added"]) == ("2019 / 3", "2019 / 2")


def test_integer_and_text_ids_of_one_school_set_are_the_same_schools() -> None:
    numbers, texts = stats(range(1, 15)), stats(map(str, range(1, 15)))
    for new, old in ((numbers, texts), (texts, numbers)):
        row = row_of(new, old, max_schools_lost=0, max_schools_new=0, max_mean_shift=0)
        assert (row["groups_lost"], row["groups_added"], row["status"], row["mean_shift"]) == (0, 0, "ok", 0.0)
    with pytest.raises(FastmlError, match="holds the text '007'"):
        fastml.check(stats(["007", "8"]), against=stats([7, 8]))
    by_text = {"c": ["1", "1", "10", "10", "9", "9"], "s": [1, 2, 1, 2, 1, 2], "y": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    by_number = {**by_text, "c": [1, 1, 10, 10, 9, 9]}
    made = fastml.check(by_text, "y", "s", against=by_number, by="c").to_dict()
    assert [(row["c"], row["groups_lost"], row["mean_shift"]) for row in made] == [(1, 0, 0), (9, 0, 0), (10, 0, 0)]


PARTS = {"c": list("AABB"), "s": [1, 2, 1, 2], "y": [1.0, 2.0, 4.0, 8.0]}


def only(part: str) -> dict[str, Any]:
    keep = [i for i, c in enumerate(PARTS["c"]) if c == part]
    return {name: [column[i] for i in keep] for name, column in PARTS.items()}


def test_a_part_that_is_gone_passes_every_limit_and_a_new_one_only_that_of_new_schools() -> None:
    limits = {"max_schools_lost": 0, "max_schools_new": 0, "max_n_change": "10%", "max_missing": "1%",
              "max_mean_shift": 99, "max_mean_shift_sd": 99, "max_sd_change": "900%", "max_icc_shift": 1}  # fmt: skip
    for name, limit in limits.items():
        gone, kept = fastml.check(only("B"), "y", "s", by="c", against=PARTS, **{name: limit}).to_dict()
        # One row a school: there is no ICC on either side, and yet it is gone.
        assert (gone["c"], gone["status"]) == ("A", "ok" if name == "max_schools_new" else "drift")
        assert (kept["c"], kept["status"], kept["message"]) == ("B", "ok", None)
        assert (gone["n_obs_new"], gone["mean_new"], gone["mean_shift"]) == (0, None, None)
        new, kept = fastml.check(PARTS, "y", "s", by="c", against=only("B"), **{name: limit}).to_dict()
        assert (new["c"], new["status"]) == ("A", "drift" if name == "max_schools_new" else "ok")
        assert kept["status"] == "ok"


def test_one_old_score_that_is_gone_passes_limits_of_figures_that_it_lacks() -> None:
    old, none = {"s": [1], "y": [5.0]}, {"s": [1, 1], "y": [None, None]}
    for limit in ("max_mean_shift_sd", "max_sd_change", "max_icc_shift"):
        (row,) = fastml.check(none, "y", "s", against=old, **{limit: 0.1}).to_dict()
        assert (row["sd_old"], row["icc_old"], row["drifted"]) == (None, None, limit.removeprefix("max_"))
        assert row["message"].endswith("(limit 10 %)" if limit == "max_sd_change" else "(limit 0.1)")
        # One that has only moved has no deviation to measure it by, and one that stayed none to lose.
        for new in ({**old, "y": [6.0]}, old):
            assert fastml.check(new, "y", "s", against=old, **{limit: 0.1}).within


def test_no_schools_in_common() -> None:
    row = row_of(stats("ab"), stats("cde"), max_schools_lost="99%")
    assert (row["groups_lost"], row["groups_added"], row["status"]) == (3, 2, "drift")
    assert row["message"] == "3 schools lost: c, d, e (limit 99 %)"


def test_a_constant_outcome_has_no_measure_of_a_shift() -> None:
    flat, other = stats("abc", [5.0] * 3, sd=0.0), stats("abc", [6.0] * 3, sd=0.0)
    same = row_of(flat, flat, max_mean_shift_sd=0, max_sd_change=0, max_icc_shift=0)
    assert (same["status"], same["mean_shift_sd"], same["sd_change"], same["icc_old"]) == ("ok", 0.0, 0.0, None)
    moved = row_of(other, flat, max_mean_shift_sd=5)
    assert (moved["mean_shift"], moved["mean_shift_sd"], moved["drifted"]) == (1.0, None, "mean_shift_sd")
    assert row_of(stats("abc"), flat, max_sd_change="1000%")["drifted"] == "sd_change"
    # The ICC that there was is gone.
    assert row_of(flat, stats("abc"), max_icc_shift=1)["message"] == "the new data have no ICC (limit 1)"


def test_empty_tables() -> None:
    some = {"s": [1, 1, 2, 2], "y": [1.0, 2.0, 4.0, 8.0]}
    none = pa.table({"s": pa.array([], pa.int64()), "y": pa.array([], pa.float64())})
    (row,) = fastml.check(none, "y", "s", against=some, max_n_change="50%", max_mean_shift=1).to_dict()
    assert (row["n_obs_new"], row["n_change"], row["drifted"]) == (0, -1.0, "n_change, mean_shift")
    for against in (none, {"s": [None, None], "y": [1.0, 2.0]}):
        with pytest.raises(FastmlError, match="has no observations to compare with"):
            fastml.check(some, "y", "s", against=against)


def test_rows_of_no_part_are_counted_and_told() -> None:
    new = {**PARTS, "c": ["A", "A", "B", None]}
    made = fastml.check(new, "y", "s", by="c", against=PARTS)
    assert [(row["rows_without_by_old"], row["rows_without_by_new"]) for row in made.to_dict()] == [(0, 1)] * 2
    assert "1 row of a dict without c left out" in str(made)


def test_null_ids_are_no_schools() -> None:
    new = {"s": [1, 1, 2, 2, None], "y": [1.0, 2.0, 4.0, 8.0, 9.0]}
    (row,) = fastml.check(new, "y", "s", against={"s": [1, 1, 2, 2], "y": [1.0, 2.0, 4.0, 8.0]}).to_dict()
    assert (row["n_groups_new"], row["groups_added"], row["n_obs_new"], row["missing_new"]) == (2, 0, 4, 0.2)


def test_statistics_of_other_things_are_refused() -> None:
    one = fastml.group_stats(rows(1), "math", "school")
    for other, message in (
        (fastml.group_stats(rows(1), "math", "school", by="country"), "has by"),
        (fastml.group_stats(rows(1), "math", "school", weights="w", group_weights="v"), "has weights"),
        (GroupStats.from_summary(n=[2, 2], mean=[1.0, 2.0], sd=[1.0, 1.0], group_name="school"), "without labels"),
    ):
        with pytest.raises(FastmlError, match=message):
            compare(one, other, ["math"], Limits(), ("new", "old"))
    with pytest.raises(FastmlError, match="needs group_weights too"):
        fastml.check(rows(1), "math", "school", against=rows(2), weights="w")
    with pytest.raises(FastmlError, match="by column 'n_change' has the name"):
        fastml.check(
            {**PARTS, "n_change": PARTS["c"]}, "y", "s", by="n_change", against={**PARTS, "n_change": PARTS["c"]}
        )


def test_the_same_file_may_stand_on_both_sides(tmp_path: Any) -> None:
    fastml.group_stats(rows(1), "math", "school").write(tmp_path / "s.parquet")
    made = fastml.check(tmp_path / "s.parquet", against=tmp_path / "s.parquet", max_mean_shift=0, max_schools_lost=0)
    assert made.within
    made.require()


def test_notes_of_statistics_are_kept() -> None:
    new = fastml.group_stats(rows(1), "math", "school", min_group_size=15)
    made = fastml.check(new, against=fastml.group_stats(rows(1), "math", "school"))
    assert made.notes[0].startswith("a GroupStats: groups of fewer than 15 left out")
    assert made.notes[0] in str(made)


def test_a_table_says_what_was_compared(tmp_path: Path) -> None:
    for name, seed in (("new", 2), ("old", 1)):
        rows(seed).to_pandas().to_csv(tmp_path / f"{name}.csv")
    made = fastml.check(
        tmp_path / "new.csv",
        "math",
        "school",
        by="country",
        against=tmp_path / "old.csv",
        filter="math > 2",
        missing=99,
    )
    said = made.provenance
    assert [Path(name).name for name in said["files"]] == ["new.csv", "old.csv"]
    assert (said["filter"], said["missing"], said["by"], said["group"]) == ("math > 2", [99.0], ["country"], "school")
    assert (said["names"], said["outcomes"]) == (list(made.names), {"math": ["math"]})
    line = (
        f"groups school; fastml {fastml.__version__}, schema {SCHEMA}; files {tmp_path / 'new.csv'}, "
        f"{tmp_path / 'old.csv'}; filter math > 2; missing 99"
    )
    assert str(made).splitlines()[-1] == line


def test_every_form_of_the_table() -> None:
    made = fastml.check(rows(2), "math", "school", by="country", against=rows(1), max_mean_shift=0.5)
    table = made.to_arrow()
    assert list(made.to_frame().columns) == table.column_names
    assert len(made) == 2
    assert {row["provenance"]["content"] for row in json.loads(made.to_json())} == {"check"}
    assert made.provenance["limits"] == {"mean_shift": "0.5"}
    assert json.loads(table.schema.metadata[b"fastml"]) == made.provenance
    assert made.to_csv().splitlines()[0] == ",".join([*table.column_names, "fastml", "schema", "provenance"])
    for text in (str(made), repr(made), made.to_markdown(), made.to_latex(), made.to_html()):
        assert "beyond it" in text
        assert "country NOR math" in text
        assert f"groups school; fastml {fastml.__version__}, schema {SCHEMA}" in text
    with pytest.raises(DriftError, match=r"^a Table drifted from a Table: country SWE math \(mean shifted by "):
        made.require()


def test_a_notebook_shows_some_of_many_parts_those_that_drifted_first() -> None:
    old = {"c": [i // 4 for i in range(400)], "s": [0, 0, 1, 1] * 100, "y": [float(i % 7) for i in range(400)]}
    new = {**old, "y": [y + 9.0 * (c == 77) for y, c in zip(old["y"], old["c"], strict=True)]}
    made = fastml.check(new, "y", "s", by="c", against=old, max_mean_shift=1)
    shown = made._repr_html_()
    assert shown.index("c 77 y") < shown.index("c 0 y")
    assert "c 60 y" not in shown
    assert "50 of 100 parts, those that drifted first; to_frame() has all." in shown
    assert "c 60 y" in made.to_html()


# Name and type of each column, which jobs rely on.
FIELDS = {
    "country": "string", "outcome": "string", "n_groups_old": "int64", "n_groups_new": "int64", "groups_lost": "int64",
    "groups_added": "int64", "first_lost": "string", "first_added": "string", "n_obs_old": "int64", "n_obs_new": "int64",
    "n_change": "double", "missing_old": "double", "missing_new": "double", "mean_old": "double", "mean_new": "double",
    "mean_shift": "double", "mean_shift_sd": "double", "sd_old": "double", "sd_new": "double", "sd_change": "double",
    "icc_old": "double", "icc_new": "double", "icc_shift": "double", "rows_without_by_old": "int64",
    "rows_without_by_new": "int64", "status": "string", "drifted": "string", "message": "string",
}  # fmt: skip


def test_the_fields_and_their_types_also_where_all_is_empty() -> None:
    gone = fastml.check(only("B"), "y", "s", by="c", against=only("A"))
    full = fastml.check(rows(2), "math", "school", by="country", against=rows(1), max_mean_shift=0)
    for made in (gone, full):
        fields = {field.name: str(field.type) for field in made.to_arrow().schema}
        assert list(fields.values()) == list(FIELDS.values())
    assert fields == FIELDS
