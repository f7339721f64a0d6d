"""A design's columns found in the data: names, plausible values, classes as groups."""

from __future__ import annotations

import math

import numpy as np
import pytest
from surveys import PV, SMALL_PISA, compare, iccs, naive_timss, only, pisa, timss

import fastml
from fastml.survey.choices import Choices, check_choices
from fastml.survey.columns import SurveyColumns, find_columns


def test_classes_as_groups_take_their_weight_too() -> None:
    data = timss(8)
    data["IDCLASS"] = data["IDSCHOOL"] * 100.0 + np.arange(len(data["IDSCHOOL"])) % 2
    rng = np.random.default_rng(0)
    factor = dict(zip(np.unique(data["IDCLASS"]), rng.uniform(1.0, 3.0, 40), strict=False))
    data["WGTFAC2"] = np.array([factor[c] for c in data["IDCLASS"]])
    data["WGTADJ2"] = np.full(len(data["IDCLASS"]), 1.5)
    row = only(fastml.fit_survey(data, "BSMMAT", "timss", group="IDCLASS"))
    as_schools = {**data, "IDSCHOOL": data["IDCLASS"], "WGTADJ1": data["WGTADJ1"] * data["WGTFAC2"] * 1.5}
    compare(row, naive_timss(as_schools, "size"))


def test_classes_of_iccs_take_their_own_factors() -> None:
    data = iccs()
    far = data["IDSCHOOL"] >= 6
    ones = np.ones(len(far))
    data |= {"IDCLASS": data["IDSCHOOL"], "WGTFAC2S": np.where(far, 5.0, 1.0), "WGTADJ2S": ones}
    data["TOTWGTS"] = data["TOTWGTS"] * data["WGTFAC2S"]
    found = find_columns(data, ["CIV"], choices("iccs"), [], "IDCLASS")
    assert found.group_weight == ("WGTFAC1", "WGTADJ1S", "WGTFAC2S", "WGTADJ2S")
    assert only(fastml.fit_survey(data, "CIV", "iccs", group="IDCLASS"))["gamma00"] == pytest.approx(566.0, rel=1e-3)


def test_classes_need_no_school_file() -> None:
    data = {**timss(), "IDCLASS": timss()["IDSCHOOL"] * 100.0}
    with pytest.raises(fastml.FastmlError, match="WGTFAC2 x WGTADJ2 of the student file: leave the school file out"):
        fastml.fit_survey(data, "BSMMAT", "timss", group="IDCLASS", school_data={"IDCLASS": [1.0], "SCHWGT": [1.0]})
    with pytest.raises(fastml.FastmlError, match=r"'WGTFAC2' is not in .*a class as group needs it"):
        fastml.fit_survey(data, "BSMMAT", "timss", group="IDCLASS")


def test_several_outcomes_and_lower_case_columns() -> None:
    data = timss()
    data |= {f"BSSSCI{k:02d}": data[f"BSMMAT{k:02d}"] * 2.0 for k in range(1, 6)}
    table = fastml.fit_survey({name.lower(): column for name, column in data.items()}, ["BSMMAT", "BSSSCI"], "timss")
    maths, science = table.to_dict()
    assert (maths["outcome"], science["outcome"]) == ("BSMMAT", "BSSSCI")
    assert math.isclose(science["se_tau00"], 4.0 * maths["se_tau00"], rel_tol=1e-13)


def test_one_plausible_value_alone_is_said_to_be_one() -> None:
    row = only(fastml.fit_survey(timss(), "BSMMAT02", "timss"))
    assert "BSMMAT02 is one plausible value of 5, so the errors lack their variance; name BSMMAT" in row["notes"]
    assert row["imputation_variance_icc"] == 0.0
    students, schools = pisa()
    row = only(fastml.fit_survey(students, "pv10math", SMALL_PISA, school_data=schools))
    assert "name math for all" in row["notes"]


def choices(design: str, se: str = "replicate") -> Choices:
    return check_choices(design, "size", se, "joint", 0.95, None)


def test_every_column_of_a_jackknife() -> None:
    found = find_columns(timss(), ["BSMMAT"], choices("timss"), ["IDCNTRY"], None)
    assert found == SurveyColumns(
        by=("IDCNTRY",), country=None, group="IDSCHOOL", weight="TOTWGT", group_weight=("WGTFAC1", "WGTADJ1"),
        outcomes={"BSMMAT": PV}, zone="JKZONE", half="JKREP", notes={"BSMMAT": []},
        place="IDCNTRY",
    )  # fmt: skip
    assert found.keys == ["IDCNTRY", "IDSCHOOL"]
    assert found.labels == ["IDCNTRY", "IDSCHOOL", "JKZONE", "JKREP"]
    assert found.weights == ["TOTWGT"]
    pooled = find_columns(timss(), ["BSMMAT"], choices("timss", "sandwich"), [], None)
    assert (pooled.country, pooled.zone, pooled.half) == ("IDCNTRY", "", "")
    assert pooled.labels == ["IDCNTRY", "IDSCHOOL"]


def test_replicate_weights_are_asked_for_only_where_they_are_needed() -> None:
    students, _ = pisa()  # eight of the eighty that PISA has
    found = find_columns(students, ["MATH"], choices("pisa", "sandwich"), [], None)
    assert (found.replicates, found.group_weight, found.group_weight_name) == ((), (), "")
    with pytest.raises(fastml.FastmlError, match=r"'W_FSTURWT9' is not in .*replicate weight 9 of the 80"):
        find_columns(students, ["MATH"], choices("pisa"), [], None)
