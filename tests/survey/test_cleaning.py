"""Missing codes and incomplete scores never enter a mean."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from surveys import PV, SMALL_PISA, change, compare, naive_timss, only, pisa, timss

import fastml
from fastml.survey.choices import check_choices
from fastml.survey.cleaning import CleanRows, open_rows
from fastml.survey.columns import find_columns


def test_missing_codes_never_enter_a_mean() -> None:
    data = timss()
    coded = {name: column.copy() for name, column in data.items()}
    for name in PV:
        coded[name][4:8] = 9999.0
    row = only(fastml.fit_survey(coded, "BSMMAT", "timss"))
    kept = np.ones(len(data["TOTWGT"]), bool)
    kept[4:8] = False
    compare(row, naive_timss({name: column[kept] for name, column in data.items()}, "size"))
    assert row["dropped_outcome"] == 4
    assert "missing codes among the scores of all the data: 20" in row["notes"]


def test_a_row_that_lacks_a_plausible_value_is_left_out() -> None:
    data = timss()
    data["BSMMAT03"][2] = math.nan
    row = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    assert row["dropped_outcome"] == 1
    assert "rows of all the data that lack a plausible value, left out: 1" in row["notes"]


def test_what_spss_calls_missing_never_enters_a_mean(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    data = {**timss(), "BOOKS": np.random.default_rng(0).integers(1, 6, len(timss()["TOTWGT"])).astype(float)}
    data["BOOKS"][[5, 9]] = 9.0
    pyreadstat.write_sav(pd.DataFrame(data), tmp_path / "BSGXXXM7.sav", missing_ranges={"BOOKS": [9.0]})
    read = fastml.fit_survey(tmp_path / "BSGXXXM7.sav", ["BSMMAT", "BOOKS"], "timss", by="IDCNTRY").to_dict()
    known = fastml.fit_survey(data, ["BSMMAT", "BOOKS"], "timss", by="IDCNTRY", missing=9).to_dict()
    for row, other in zip(read, known, strict=True):
        assert row["dropped_outcome"] == other["dropped_outcome"]
        assert row["mean"] == other["mean"]
        assert row["se_tau00"] == pytest.approx(other["se_tau00"], rel=1e-12)


@pytest.mark.parametrize("code", [999.0, 9996.0, 999999.0])
def test_codes_of_three_nines_or_more_are_no_score_anywhere(code: float) -> None:
    data = timss()
    data["SCALE"] = data["BSMMAT01"] / 50.0
    clean = only(fastml.fit_survey({name: column[3:] for name, column in data.items()}, "SCALE", "timss"))
    data["SCALE"][:3] = code
    row = only(fastml.fit_survey(data, "SCALE", "timss"))
    assert row["tau00"] == pytest.approx(clean["tau00"], rel=1e-12)
    assert row["dropped_outcome"] == 3
    assert "missing codes among the scores of all the data: 3" in row["notes"]


@pytest.mark.parametrize("code", [9.0, 99.0])
def test_whole_numbers_that_end_at_nine_are_refused_until_it_is_said_what_they_are(code: float) -> None:
    data = timss()
    n = len(data["TOTWGT"])
    data["BOOKS"] = np.random.default_rng(0).integers(1, 6, n).astype(float)
    data["BOOKS"][[5, 9]] = code
    with pytest.raises(fastml.FastmlError, match=f"'BOOKS' has whole numbers up to {code:g}.*missing={code:g}"):
        fastml.fit_survey(data, "BOOKS", "timss")
    kept = data["BOOKS"] != code
    clean = only(fastml.fit_survey({name: column[kept] for name, column in data.items()}, "BOOKS", "timss"))
    row = only(fastml.fit_survey(data, "BOOKS", "timss", missing=code))
    assert row["mean"] == pytest.approx(clean["mean"], rel=1e-13)
    assert row["dropped_outcome"] == 2
    as_score = only(fastml.fit_survey(data, "BOOKS", "timss", missing=()))
    assert as_score["mean"] == pytest.approx(np.average(data["BOOKS"], weights=data["TOTWGT"]), rel=1e-13)


@pytest.mark.parametrize(
    "kind", [np.int64, np.float32, lambda code: [np.int8(code)], lambda code: np.array([code]), lambda c: {c}]
)
def test_codes_of_any_kind_of_number(kind: Any) -> None:
    data = {**timss(), "ITEM": np.arange(len(timss()["IDSCHOOL"])) % 10.0}
    found = fastml.fit_survey(data, "ITEM", "timss", missing=kind(9)).to_dict()
    assert found == fastml.fit_survey(data, "ITEM", "timss", missing=9).to_dict()


def item(*answers: float, rows: dict[int, float]) -> dict[str, np.ndarray]:
    """The small country with an item: its answers in turn, and these values in some rows."""
    data = timss()
    n = len(data["TOTWGT"])
    data["ITEM"] = np.resize(np.array(answers, float), n)
    for first, code in rows.items():
        data["ITEM"][first::13] = code
    return data


@pytest.mark.parametrize(
    ("data", "named", "told"),
    [
        (item(1, 2, 3, 4, rows={2: 96}), None, "missing=96"),
        (item(1, 2, 3, 4, rows={2: 6}), None, "missing=6"),
        (item(1, 2, 3, 4, rows={2: 6, 5: 96, 7: 99}), None, r"missing=\[6, 96, 99\]"),
        (item(1, 2, 3, 4, rows={2: 6, 5: 96, 7: 99}), 99, r"missing=\[99, 6, 96\]"),
        (item(1, 2, 3, 4, rows={2: 6, 5: 96, 7: 99}), [99, 6], r"missing=\[99, 6, 96\]"),
        (item(0, 1, rows={2: 7, 5: 8}), None, r"missing=\[7, 8\]"),
        (item(0, 1, rows={2: 97}), None, "missing=97"),
        (item(*range(11), rows={2: 98}), None, "missing=98"),
        (item(0.5, 1.25, -1.5, rows={2: 97}), None, "missing=97"),
        (item(1, 2, 3, 4, rows={2: 96}), "k.A.", "missing=96"),
        ({**timss(), "ITEM": timss()["BSMMAT01"], "TOTWGT": np.where(np.arange(117) % 9, 3.5, 999999.0)}, None,
         "'TOTWGT' has 999999 .*missing=999999"),
        ({**timss(), "ITEM": timss()["BSMMAT01"], "WGTFAC1": np.where(timss()["IDSCHOOL"] < 5003, 999.0, 3.25)}, None,
         "'WGTFAC1' has 999 .*missing=999"),
    ],
)  # fmt: skip
def test_codes_apart_from_all_answers_are_refused(data: dict[str, np.ndarray], named: Any, told: str) -> None:
    """Whatever code it is, several at once, some named while others stay; weights too. `missing=` or `()` settles it."""
    n = len(data["IDSCHOOL"])
    data["TOTWGT"] = data["TOTWGT"][:n]
    with pytest.raises(fastml.FastmlError, match=told) as caught:
        fastml.fit_survey(data, "ITEM", "timss", missing=named)
    assert "\n" not in str(caught.value)
    words = str(caught.value).partition("missing=")[2].partition(" if")[0]
    codes = [float(word) for word in words.strip("[]").split(", ")]
    (row,) = fastml.fit_survey(data, "ITEM", "timss", missing=codes).to_dict()
    coded = np.isin(data["ITEM"], codes) | np.isin(data["TOTWGT"], codes) | np.isin(data["WGTFAC1"], codes)
    assert row["n_dropped"] == coded.sum() > 0
    assert row["n_obs"] + row["n_dropped"] == n
    mean = np.average(data["ITEM"][~coded], weights=data["TOTWGT"][~coded])
    assert row["mean"] == pytest.approx(mean, rel=1e-12)
    (row,) = fastml.fit_survey(data, "ITEM", "timss", missing=()).to_dict()
    assert row["n_obs"] == n


@pytest.mark.parametrize(
    "data",
    [
        item(1, 2, 3, 4, 5, rows={2: 6}),  # six answers
        item(*range(1, 8), rows={}),
        item(*range(11), rows={}),  # 0 to 10
        item(7, 8, rows={}),  # grades
        item(1, 1.5, 2, 3.5, 5.5, rows={2: 6}),  # marks
        item(*range(0, 101, 5), rows={2: 96}),  # per cent
    ],
)
def test_values_like_codes_next_to_others_are_answers(data: dict[str, np.ndarray]) -> None:
    (row,) = fastml.fit_survey(data, "ITEM", "timss").to_dict()
    assert row["n_dropped"] == 0


def test_codes_of_the_school_file() -> None:
    students, schools = pisa()
    schools["W_SCHGRNRABWT"][[2, 5]] = 9999.0
    with pytest.raises(fastml.FastmlError, match=r"'W_SCHGRNRABWT' has 9999 .2 rows.*missing=9999"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)
    row = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools, missing=9999))
    assert row["dropped_weights"] == np.isin(students["CNTSCHID"], (3, 6)).sum()


def test_codes_in_the_middle_of_scores_are_scores() -> None:
    data = timss()
    data["SHARE"] = data["BSMMAT01"] / 10.0
    data["SHARE"][0] = 99.0
    assert only(fastml.fit_survey(data, "SHARE", "timss"))["dropped_outcome"] == 0


@pytest.mark.parametrize("se", ["replicate", "sandwich"])
@pytest.mark.parametrize("turn", [1, -1])
def test_outcomes_may_share_columns(turn: int, se: str) -> None:
    """Rows that lack another plausible value are left out of the scores that need it, and of no others."""
    data = timss()
    data["BSMMAT05"] = np.where(np.arange(len(data["BSMMAT05"])) % 4 == 0, math.nan, data["BSMMAT05"])
    outcomes = ["BSMMAT", "BSMMAT03"][::turn]
    both = fastml.fit_survey(data, outcomes, "timss", se=se)
    alone = [only(fastml.fit_survey(data, name, "timss", se=se)) for name in outcomes]
    rows = [{name: value for name, value in row.items() if name != "provenance"} for row in both.to_dict()]
    assert rows == alone
    assert {row["outcome"]: row["dropped_outcome"] > 0 for row in alone} == {"BSMMAT": True, "BSMMAT03": False}
    data["BSMMAT03"][7] = math.inf
    with pytest.raises(fastml.FastmlError, match=r"column 'BSMMAT03( \(of BSMMAT(03)?\))?' has inf"):
        fastml.fit_survey(data, outcomes, "timss", se=se)


def test_what_holds_no_rows() -> None:
    stats = fastml.group_stats(timss(), "BSMMAT01", "IDSCHOOL")
    with pytest.raises(fastml.FastmlError, match="needs rows of students"):
        fastml.fit_survey(stats, "BSMMAT", "timss")
    with pytest.raises(fastml.FastmlError, match="a polars LazyFrame doesn't hold yet"):
        fastml.fit_survey(pl.DataFrame(timss()).lazy(), "BSMMAT", "timss")


def opened(data: object) -> tuple[pa.Table, CleanRows]:
    choices = check_choices("timss", "size", "replicate", "joint", 0.95, None)
    columns = find_columns(data, ["BSMMAT", "BSMMAT02"], choices, [], None)
    rows = open_rows(data, columns, choices.design.missing)
    return pa.Table.from_batches(rows.batches, rows.schema), rows


def test_the_stream_has_what_the_schemes_read() -> None:
    data = change(BSMMAT02=9999.0, BSMMAT05=math.nan)
    table, rows = opened(pa.table(data))
    columns = rows.columns
    assert table.schema.names == [*columns.labels, *columns.weights, "WGTFAC1 x WGTADJ1", *columns.values]
    assert columns.outcomes == {"BSMMAT": PV, "BSMMAT02": ["BSMMAT02 (of BSMMAT02)"]}
    assert np.array_equal(table["WGTFAC1 x WGTADJ1"].to_numpy(), data["WGTFAC1"] * data["WGTADJ1"])
    for name in columns.values:  # row 4 lacks all plausible values, and its one
        assert np.isnan(table[name].to_numpy()).nonzero()[0].tolist() == [4]
    assert (rows.recoded, rows.partial) == ({"BSMMAT": 1, "BSMMAT02": 1}, {"BSMMAT": 1})
    assert rows.notes("BSMMAT02") == ["missing codes among the scores of all the data: 1"]


def test_batches_change_nothing() -> None:
    data = pa.table(change(BSMMAT02=9999.0))
    (table, rows), (other, others) = opened(data), opened(data.to_reader(7))
    assert other.to_pandas().equals(table.to_pandas())  # where NaN is NaN
    assert (others.recoded, others.partial, others.largest) == (rows.recoded, rows.partial, rows.largest)
