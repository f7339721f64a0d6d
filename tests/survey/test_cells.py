"""Cells and parts: which rows belong to which country, and which to none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from surveys import FIGURES, SMALL_PISA, compare, naive_timss, only, pisa, timss, together

import fastml
from fastml.survey.cells import Cells
from fastml.survey.columns import SurveyColumns
from fastml.survey.school_file import SchoolWeights


def test_countries_apart_and_their_average() -> None:
    """School and zone numbers start again in every country."""
    a, b = timss(5, 40.0), timss(6, 792.0)
    table = fastml.fit_survey(together(b, a), "BSMMAT", "timss", by="IDCNTRY", average=True)
    first, second, mean = table.to_dict()
    assert (first["IDCNTRY"], second["IDCNTRY"], mean["IDCNTRY"]) == (40.0, 792.0, None)
    for row, data in ((first, a), (second, b)):
        alone = only(fastml.fit_survey(data, "BSMMAT", "timss"))
        for name in FIGURES:
            assert row[name] == alone[name]
            assert row[f"se_{name}"] == alone[f"se_{name}"]
        assert row["notes"] == alone["notes"]
    assert math.isclose(mean["icc"], (first["icc"] + second["icc"]) / 2.0)
    assert math.isclose(mean["se_icc"], math.hypot(first["se_icc"], second["se_icc"]) / 2.0)
    assert mean["n_obs"] == first["n_obs"] + second["n_obs"]
    assert mean["notes"] == "average of 2 of 2 parts"


def test_countries_pooled_keep_their_schools_and_zones() -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    row = only(fastml.fit_survey(together(a, b), "BSMMAT", "timss"))
    assert "2 countries are pooled as one" in row["notes"]
    assert row["n_groups"] == 34
    for data in (a, b):
        data["IDSCHOOL"] = data["IDSCHOOL"] + 10_000.0 * data["IDCNTRY"]
        data["JKZONE"] = data["JKZONE"] + 100.0 * data["IDCNTRY"]
    compare(row, naive_timss(together(a, b), "size"))
    other = only(fastml.fit_survey(together(a, b), "BSMMAT", "timss"))
    assert math.isclose(row["df_icc"], other["df_icc"])  # 16 zones


def test_split_by_another_variable() -> None:
    data = timss(7)
    data["ITSEX"] = np.arange(len(data["TOTWGT"])) % 2
    for row in fastml.fit_survey(data, "BSMMAT", "timss", by="ITSEX").to_dict():
        part = {name: column[data["ITSEX"] == row["ITSEX"]] for name, column in data.items()}
        compare(row, naive_timss(part, "size"))


def test_rows_without_a_part_are_counted() -> None:
    students, schools = pisa()
    labels = students["CNT"].astype(object)
    labels[:7] = None
    table = fastml.fit_survey({**students, "CNT": labels}, "MATH", SMALL_PISA, by="CNT",
                              school_data={"CNTSCHID": schools["CNTSCHID"], "W_SCHGRNRABWT": schools["W_SCHGRNRABWT"]})  # fmt: skip
    assert [row["CNT"] for row in table.to_dict()] == ["TUR"]
    assert only(table)["rows_without_by"] == 7
    assert "7 rows without CNT left out" in str(table)


def test_rows_are_dropped_by_cause() -> None:
    data = {name: column.copy() for name, column in timss().items()}
    data["TOTWGT"][0], data["TOTWGT"][1] = 0.0, math.nan
    data["IDSCHOOL"][2] = math.nan
    data["JKZONE"][0] = math.nan  # a row without weight needs no zone
    row = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    assert [row[f"dropped_{cause}"] for cause in ("zero_weight", "weights", "group", "outcome")] == [1, 1, 1, 0]
    assert row["n_dropped"] == 3


def test_integer_float_and_text_ids_are_the_same_schools() -> None:
    rows = []
    for form in (np.float64, np.int32, np.int64):
        data = timss()
        for name in ("IDCNTRY", "IDSCHOOL", "JKZONE", "JKREP"):
            data[name] = data[name].astype(form)
        rows.append(only(fastml.fit_survey(data, "BSMMAT", "timss")))
    data = timss()
    data["IDSCHOOL"] = data["IDSCHOOL"].astype(int).astype(str)
    rows.append(only(fastml.fit_survey(data, "BSMMAT", "timss")))
    assert all(row == rows[0] for row in rows)


def test_countries_of_any_type_of_text() -> None:
    """Categories that no row has make no part; views and unsigned indices are read."""
    (a, schools_a), (b, schools_b) = pisa(1), pisa(2)
    b["CNT"], schools_a["CNT"], schools_b["CNT"] = np.full(len(b["CNT"]), "AUT"), np.full(15, "TUR"), np.full(15, "AUT")
    students, schools = pd.DataFrame(together(a, b)), pd.DataFrame(together(schools_a, schools_b))
    first = fastml.fit_survey(students, "MATH", SMALL_PISA, by="CNT", school_data=schools).to_dict()
    assert [row["CNT"] for row in first] == ["AUT", "TUR"]
    categories = students.astype({"CNT": pd.CategoricalDtype(["USA", "TUR", "AUT"])})
    text = pl.DataFrame(students)
    for frame in (
        categories,
        students.astype({"CNT": object}),
        text,
        text.with_columns(pl.col("CNT").cast(pl.Categorical)),
    ):
        table = fastml.fit_survey(frame, "MATH", SMALL_PISA, by="CNT", school_data=pl.DataFrame(schools))
        assert table.to_dict() == first
        assert "AUT" in str(table)


COLUMNS = SurveyColumns(
    by=("land",), country=None, group="school", weight="w", group_weight=("v",), outcomes={"y": ["y"]}
)


@pytest.mark.parametrize("joined", [True, False])
def test_an_economy_without_school_ids_has_its_means(joined: bool) -> None:
    """PISA 2025: no school ids, so no model, but the mean and sd of all students with their replicate errors."""
    (a, schools), (b, others) = pisa(1), pisa(2)
    b["CNT"] = np.full(len(b["CNT"]), "BBB")
    alone = only(fastml.fit_survey(b, "MATH", SMALL_PISA, school_data=others))
    places = b["CNTSCHID"].astype(int) - 1
    b["CNTSCHID"] = np.full(len(places), np.nan)
    if joined:
        data, options = together(a, b), {"school_data": schools}
    else:
        a["W_SCHGRNRABWT"] = schools["W_SCHGRNRABWT"][a["CNTSCHID"].astype(int) - 1]
        b["W_SCHGRNRABWT"] = np.full(len(places), np.nan)
        data, options = together(a, b), {}
    table = fastml.fit_survey(data, "MATH", SMALL_PISA, by="CNT", **options)
    row, good = table.to_dict()
    assert good["status"] == "ok"
    assert (row["CNT"], row["status"], row["n_groups"]) == ("BBB", "no_school_ids", 0)
    assert "no row has a school id in 'CNTSCHID'" in row["message"]
    assert row["n_obs"] == len(places)
    assert row["n_dropped"] == 0
    for name in ("mean", "sd", "se_mean", "se_sd", "sampling_variance_sd", "imputation_variance_mean"):
        assert row[name] == pytest.approx(alone[name], rel=1e-12), name
    # The rank over rows: factors of .5 and 1.5 that are drawn for each row have all eight directions, less the mean's.
    assert row["df_sd"] == pytest.approx(alone["df_sd"], rel=1e-12)
    assert row["gamma00"] is None
    assert row["se_icc"] is None
    assert not table.complete


def test_text_ids_that_are_blank_are_none() -> None:
    students, _ = pisa()
    students["W_SCHGRNRABWT"] = np.full(len(students["CNT"]), 2.0)
    truth = fastml.fit_survey({**students, "CNTSCHID": np.full(len(students["CNT"]), np.nan)}, "MATH", SMALL_PISA)
    for blank in ("", "  "):
        data = {**students, "CNTSCHID": np.full(len(students["CNT"]), blank)}
        assert fastml.fit_survey(data, "MATH", SMALL_PISA).to_dict() == truth.to_dict()
        data["W_SCHGRNRABWT"] = np.full(len(students["CNT"]), np.nan)
        assert fastml.fit_survey(data, "MATH", SMALL_PISA).to_dict() == truth.to_dict()


def test_a_jackknife_without_school_ids_has_its_means() -> None:
    data = timss()
    truth = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    data["IDSCHOOL"][:] = np.nan
    (row,) = fastml.fit_survey(data, "BSMMAT", "timss").to_dict()
    assert row["status"] == "no_school_ids"
    for name in ("mean", "sd", "se_mean", "se_sd", "df_mean", "n_obs"):
        assert row[name] == pytest.approx(truth[name], rel=1e-12), name


def test_parts_of_cells_by_hand() -> None:
    """Cells by label, none without a label of its own: rows are counted once, in their part or as of none."""
    labels = {"land": ["A", "A", "A", "B", None], "school": [1, 2, None, 1, 5]}
    counts = np.array([[10, 1, 2], [4, 4, 0], [3, 0, 0], [5, 0, 0], [7, 0, 0]])
    cells = Cells(COLUMNS, labels, counts, np.array([2.0, 3.0, 1.0, 2.0, 1.0]))
    assert cells.used.tolist() == [True, False, False, True, False]
    asked = []
    parts, dropped_by = cells.parts({"y": np.array([6, 0, 3, 5, 7])}, lambda units: asked.append(units.tolist()))
    assert [part.labels for part in parts] == [{"land": "A"}, {"land": "B"}]
    assert asked == [[0], [3]]
    assert dropped_by == 7
    assert parts[0].dropped == {"y": {"group": 3, "weights": 5, "zero_weight": 2, "outcome": 1}}
    assert parts[1].dropped == {"y": {"group": 0, "weights": 0, "zero_weight": 0, "outcome": 0}}


def test_cells_of_schools_that_the_school_file_lacks() -> None:
    labels = {"land": ["A", "A", "A"], "school": [1, 1, 2]}
    cells = Cells(
        COLUMNS, labels, np.array([[3, 0, 0], [2, 0, 1], [4, 0, 0]]), SchoolWeights(("school",), {("2",): 5.0}, "v")
    )
    assert cells.used.tolist() == [False, False, True]
    (part,), _ = cells.parts({"y": np.array([3, 1, 4])}, lambda units: None)
    assert part.dropped["y"]["weights"] == 4
    assert part.notes == ["schools that the school data lack, whose rows are in no figure: 1"]
