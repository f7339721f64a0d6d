"""The school file: how it is joined, and what is wrong with those that cannot be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from surveys import SMALL_PISA, iccs, only, pisa, timss, together

import fastml
from fastml.survey.school_file import SchoolWeights


def test_school_file_by_path_and_frame(tmp_path: Path) -> None:
    students, schools = pisa()
    file = tmp_path / "schools.parquet"
    pq.write_table(pa.table(schools), file)
    rows = [only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=x))
            for x in (schools, file, pd.DataFrame(schools), pl.DataFrame(schools))]  # fmt: skip
    assert all(row == rows[0] for row in rows)
    in_rows = {**students, "W_SCHGRNRABWT": schools["W_SCHGRNRABWT"][(students["CNTSCHID"] - 1).astype(int)]}
    assert only(fastml.fit_survey(in_rows, "MATH", SMALL_PISA)) == rows[0]


def test_schools_that_the_file_lacks_are_dropped_and_counted() -> None:
    students, schools = pisa()
    some = {name: column[3:] for name, column in schools.items()}
    row = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=some))
    kept = students["CNTSCHID"] > 3
    assert row["dropped_weights"] == (~kept).sum()
    fewer = {name: column[kept] for name, column in students.items()}
    assert math.isclose(row["tau00"], only(fastml.fit_survey(fewer, "MATH", SMALL_PISA, school_data=schools))["tau00"])
    data = timss()
    weights = {"IDCNTRY": np.ones(16), "IDSCHOOL": np.arange(16) + 5001.0, "SCHWGT": np.arange(16) + 1.0}
    row = only(fastml.fit_survey(data, "BSMMAT", "timss", school_data=weights))
    assert row["dropped_weights"] == (data["IDSCHOOL"] == 5017.0).sum()


def test_a_school_whose_weight_is_missing_is_one_that_the_file_lacks() -> None:
    students, schools = pisa()
    some = {name: column.astype(float).copy() for name, column in schools.items()}
    some["W_SCHGRNRABWT"][:3] = np.nan
    without = {name: column[3:] for name, column in schools.items()}
    rows = [only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=x)) for x in (some, without)]
    assert rows[0] == rows[1]


def test_rows_of_the_school_file_without_an_id_are_no_school() -> None:
    students, schools = pisa()
    truth = fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools).to_dict()
    ids, weights = schools["CNTSCHID"].tolist(), schools["W_SCHGRNRABWT"].tolist()
    more = pa.table({"CNTSCHID": [None, *ids, None, None], "W_SCHGRNRABWT": [3.0, *weights, 5.0, -1.0]})
    assert fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=more).to_dict() == truth


def test_school_ids_that_repeat_across_countries_need_the_country() -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    data = together(a, b)
    pairs = np.unique(np.stack([data["IDCNTRY"], data["IDSCHOOL"]]), axis=1)
    schools = {"IDCNTRY": pairs[0], "IDSCHOOL": pairs[1], "SCHWGT": pairs[0] + pairs[1] / 1000.0}
    table = fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY", school_data=schools)
    direct = {**data, "SCHWGT": data["IDCNTRY"] + data["IDSCHOOL"] / 1000.0}
    assert table.to_arrow().equals(fastml.fit_survey(direct, "BSMMAT", "timss", by="IDCNTRY").to_arrow())
    del schools["IDCNTRY"]
    with pytest.raises(fastml.FastmlError, match=r"IDSCHOOL 5001 stands twice in the school data"):
        fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY", school_data=schools)


@pytest.mark.parametrize("se", ["replicate", "sandwich"])
def test_without_a_school_file_there_are_the_official_means(se: str) -> None:
    students, schools = pisa()
    (row,) = fastml.fit_survey(students, "MATH", SMALL_PISA, se=se).to_dict()
    whole = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools, se=se))
    assert row["status"] == "no_school_weight"
    assert "no school weight (W_SCHGRNRABWT)" in row["message"]
    assert "give school_data=, the school questionnaire file, column W_SCHGRNRABWT, key CNTSCHID" in row["message"]
    for name in whole:
        if se == "sandwich" and name not in ("mean", "sd"):
            continue  # whose errors take the schools' weights as what the variance is made of
        if name.endswith(("_mean", "_sd")) or name in ("mean", "sd", "n_obs", "n_groups"):
            assert row[name] == pytest.approx(whole[name], rel=1e-13), name
        elif name.partition("_")[0] in ("gamma00", "tau00", "sigma2", "icc", "deff", "se", "ci", "df", "sampling"):
            assert row[name] is None, name
    data = {name: column for name, column in timss().items() if name != "WGTFAC1"}
    (row,) = fastml.fit_survey(data, "BSMMAT", "timss", se=se).to_dict()
    whole = only(fastml.fit_survey(timss(), "BSMMAT", "timss", se=se))
    assert (row["status"], row["mean"]) == ("no_school_weight", pytest.approx(whole["mean"], rel=1e-13))
    assert row["se_mean"] > 0.0
    assert "(SCHWGT or WGTFAC1 x WGTADJ1)" in row["message"]


def test_the_students_own_weight_goes_before_a_later_one_of_the_school_file() -> None:
    """ICCS: TOTWGTC is of questionnaires, and missing where the principal did not answer."""
    data = iccs()
    truth = only(fastml.fit_survey(data, "CIV", "iccs"))
    assert truth["mean"] == pytest.approx(526.8887853792568, rel=1e-12)
    file = {"IDCNTRY": np.ones(6), "IDSCHOOL": np.arange(6), "TOTWGTC": np.full(6, 2.2)}
    row = only(fastml.fit_survey(data, "CIV", "iccs", school_data=file))
    note = "the students have their school's weight (WGTFAC1 x WGTADJ1S), so the school data are not used"
    assert row == truth | {"notes": "; ".join(filter(None, [truth["notes"], note]))}
    with_file = {**data, "TOTWGTC": np.where(data["IDSCHOOL"] < 6, 2.2, np.nan)}
    assert only(fastml.fit_survey(with_file, "CIV", "iccs")) == truth


def test_errors_of_the_school_file() -> None:
    students, schools = pisa()
    with pytest.raises(fastml.FastmlError, match=r"school data have no school weight .W_SCHGRNRABWT.*has none either"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data={"CNTSCHID": schools["CNTSCHID"]})
    with pytest.raises(fastml.FastmlError, match=r"'CNTSCHID' is not in .*joined by it"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data={"W_SCHGRNRABWT": schools["W_SCHGRNRABWT"]})
    schools["W_SCHGRNRABWT"][2] = 0.0
    with pytest.raises(fastml.FastmlError, match="'W_SCHGRNRABWT' is 0 for CNTSCHID 3"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)


def test_schools_that_the_school_data_lack_are_counted() -> None:
    students, schools = pisa()
    row = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data={k: c[3:] for k, c in schools.items()}))
    assert "schools that the school data lack, whose rows are in no figure: 3" in row["notes"]


def test_a_school_file_of_another_kind_of_id() -> None:
    students, schools = pisa()
    schools["CNTSCHID"] = np.array([f"{int(x):07d}" for x in schools["CNTSCHID"]])
    with pytest.raises(fastml.FastmlError, match=r"none of the students' schools .*1\.0.*'0000001'.*same type"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)
    data = timss()
    other = {"IDSCHOOL": np.array([1.0, 2.0]), "SCHWGT": np.array([3.0, 4.0])}
    with pytest.raises(fastml.FastmlError, match="none of the students' schools"):
        fastml.fit_survey(data, "BSMMAT", "timss", school_data=other)


def test_school_files_with_ids_in_other_clothes() -> None:
    students, schools = pisa()
    truth = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools))
    place = students["CNTSCHID"].astype(int) - 1
    for dress in (
        lambda ids: pa.array([int(x).to_bytes(16) for x in ids], pa.binary(16)).cast(pa.uuid()),
        lambda ids: pa.array([str(int(x) + 100) for x in ids], pa.string_view()),
        lambda ids: pa.array([str(int(x) + 100) for x in ids]).dictionary_encode(),
    ):
        ids = dress(schools["CNTSCHID"])
        plain = {"CNTSCHID": ids, "W_SCHGRNRABWT": schools["W_SCHGRNRABWT"]}
        dressed = pa.table({**students, "CNTSCHID": dress(schools["CNTSCHID"][place])})
        row = only(fastml.fit_survey(dressed, "MATH", SMALL_PISA, school_data=pa.table(plain)))
        assert row == truth


def test_ids_of_a_text_file_and_of_another_are_joined_as_written() -> None:
    students, schools = pisa()
    truth = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools))
    for dress in (lambda x: x.astype(int), lambda x: [str(int(i)) for i in x]):
        other = {**schools, "CNTSCHID": dress(schools["CNTSCHID"])}
        assert only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=other)) == truth


def test_weights_by_the_labels_of_the_students() -> None:
    weights = SchoolWeights(("land", "school"), {("A", "1"): 2.0, ("B", "1"): 3.0}, "v")
    found = weights.of({"school": [1, 1, 2], "land": ["B", "A", "A"]}, 3)
    assert found[:2].tolist() == [3.0, 2.0]
    assert math.isnan(found[2])
    assert len(weights.of({"school": [], "land": []}, 0)) == 0
    with pytest.raises(fastml.FastmlError, match=r"none of the students' schools \(land 'C', school 1, ...\) is in"):
        weights.of({"school": [1], "land": ["C"]}, 1)
    with pytest.raises(fastml.FastmlError, match=r"no school with a weight, \.\.\."):
        SchoolWeights(("school",), {}, "v").of({"school": [1]}, 1)


def test_types_are_of_columns_of_either_file(tmp_path: Path) -> None:
    students, schools = pisa()
    pd.DataFrame(students).assign(note="x").to_csv(tmp_path / "stu.csv", index=False)
    pd.DataFrame(schools).assign(own="y").to_csv(tmp_path / "sch.csv", index=False)
    call = {"school_data": tmp_path / "sch.csv"}
    truth = only(fastml.fit_survey(tmp_path / "stu.csv", "MATH", SMALL_PISA, **call))
    both = {"note": "string", "own": "string", "CNTSCHID": "string"}
    told = only(fastml.fit_survey(tmp_path / "stu.csv", "MATH", SMALL_PISA, **call, csv_options={"types": both}))
    assert told["mean"] == truth["mean"]
    assert told["tau00"] == truth["tau00"]
    with pytest.raises(fastml.FastmlError, match=r"column .Note. is not in file .*stu.csv.* did you mean .note."):
        fastml.fit_survey(tmp_path / "stu.csv", "MATH", SMALL_PISA, **call, csv_options={"types": {"Note": "string"}})
