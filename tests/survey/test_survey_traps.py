"""Assessments: the traps of real files, each a clear error, a recorded note, or no trap; laws of weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import naive_survey
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from surveys import PV, SMALL_PISA, change, compare, naive_timss, only, pisa, timss, together

import fastml

# The school file.


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


def test_a_school_weight_in_the_rows_that_varies_within_a_school() -> None:
    students, schools = pisa()
    in_rows = {**students, "W_SCHGRNRABWT": schools["W_SCHGRNRABWT"][(students["CNTSCHID"] - 1).astype(int)]}
    in_rows["W_SCHGRNRABWT"][1] += 0.5
    message = r"'W_SCHGRNRABWT' varies within a group: .* in row 1 .*CNTSCHID 1\.0\); a group has one weight"
    with pytest.raises(fastml.FastmlError, match=message):
        fastml.fit_survey(in_rows, "MATH", SMALL_PISA)


@pytest.mark.parametrize("key", ["IDSCHOOL", "IDCNTRY"])
@pytest.mark.parametrize("se", ["replicate", "sandwich"])
def test_rows_without_a_school_may_have_any_school_weight(key: str, se: str) -> None:
    data = {name: column.copy() for name, column in timss().items()}
    chosen = [3, 17, 40]
    assert len(set(data["WGTFAC1"][chosen])) == 3
    rest = {name: np.delete(column, chosen) for name, column in data.items()}
    data[key][chosen] = math.nan
    row, kept = (only(fastml.fit_survey(some, "BSMMAT", "timss", se=se)) for some in (data, rest))
    assert row == {**kept, "n_dropped": 3, "dropped_group": 3}
    data["WGTFAC1"][17] = -1.0
    with pytest.raises(fastml.FastmlError, match=r"'WGTFAC1 x WGTADJ1' has -2 in row 17 .*above 0"):
        fastml.fit_survey(data, "BSMMAT", "timss", se=se)


def test_replicate_weights_matter_only_where_the_total_weight_is_above_zero() -> None:
    students, schools = pisa()
    students = {name: column.copy() for name, column in students.items()}
    students["W_FSTUWT"][5] = 0.0
    plain = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools))
    students["W_FSTURWT2"][5] = -1.0
    assert only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)) == plain
    students["W_FSTURWT2"][6] = -1.0
    with pytest.raises(
        fastml.FastmlError, match=r"'W_FSTURWT2' has -1 in row 6 .* wherever the total weight is above 0"
    ):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)


def test_rows_without_a_part_are_counted() -> None:
    students, schools = pisa()
    labels = students["CNT"].astype(object)
    labels[:7] = None
    table = fastml.fit_survey({**students, "CNT": labels}, "MATH", SMALL_PISA, by="CNT",
                              school_data={"CNTSCHID": schools["CNTSCHID"], "W_SCHGRNRABWT": schools["W_SCHGRNRABWT"]})  # fmt: skip
    assert [row["CNT"] for row in table.to_dict()] == ["TUR"]
    assert table.provenance["rows_without_by"] == 7
    assert "7 rows without CNT left out" in str(table)


def test_school_ids_that_repeat_across_countries_need_the_country() -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    data = together(a, b)
    pairs = np.unique(np.stack([data["IDCNTRY"], data["IDSCHOOL"]]), axis=1)
    schools = {"IDCNTRY": pairs[0], "IDSCHOOL": pairs[1], "SCHWGT": pairs[0] + pairs[1] / 1000.0}
    table = fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY", school_data=schools)
    direct = {**data, "SCHWGT": data["IDCNTRY"] + data["IDSCHOOL"] / 1000.0}
    assert table.to_dict() == fastml.fit_survey(direct, "BSMMAT", "timss", by="IDCNTRY").to_dict()
    del schools["IDCNTRY"]
    with pytest.raises(fastml.FastmlError, match=r"IDSCHOOL 5001\.0 stands twice in the school data"):
        fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY", school_data=schools)


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


# Traps and laws.


def test_zones_of_any_number_of_schools_are_no_errors() -> None:
    row = only(fastml.fit_survey(timss(), "BSMMAT", "timss"))
    assert "zones with one half only: 3 of 8" in row["notes"]
    # 8 zones, 5 plausible values: Barnard and Rubin's df lie below 8.
    assert 0.0 < row["df_gamma00"] < 8.0
    assert row["ci_low_gamma00"] < row["gamma00"] < row["ci_high_gamma00"]


@pytest.mark.parametrize("scaling", ["size", "effective", "gk", "group-only", "none"])
def test_a_constant_factor_of_the_school_weight_changes_nothing(scaling: str) -> None:
    data = timss()
    a = only(fastml.fit_survey(data, "BSMMAT", "timss", weight_scaling=scaling))
    b = only(fastml.fit_survey({**data, "WGTADJ1": data["WGTADJ1"] * 3.7}, "BSMMAT", "timss", weight_scaling=scaling))
    same = [math.isclose(a[p + name], b[p + name], rel_tol=1e-10)
            for name in ("gamma00", "tau00", "sigma2", "icc") for p in ("", "se_")]  # fmt: skip
    assert all(same) == (scaling != "none")


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


def test_rows_are_dropped_by_cause() -> None:
    data = {name: column.copy() for name, column in timss().items()}
    data["TOTWGT"][0], data["TOTWGT"][1] = 0.0, math.nan
    data["IDSCHOOL"][2] = math.nan
    data["JKZONE"][0] = math.nan  # a row without weight needs no zone
    row = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    assert [row[f"dropped_{cause}"] for cause in ("zero_weight", "weights", "group", "outcome")] == [1, 1, 1, 0]
    assert row["n_dropped"] == 3


def test_a_score_without_plausible_values() -> None:
    data = timss()
    row = only(fastml.fit_survey({**data, "SCALE": data["BSMMAT01"]}, "SCALE", "timss"))
    first = naive_survey.survey(
        [data["BSMMAT01"]], data["IDSCHOOL"], data["TOTWGT"], data["WGTFAC1"] * data["WGTADJ1"],
        naive_survey.jackknife_totals(data["TOTWGT"], data["JKZONE"], data["JKREP"]),
    )  # fmt: skip
    compare(row, first)
    assert row["df_icc"] == 8.0


def test_several_outcomes_and_lower_case_columns() -> None:
    data = timss()
    data |= {f"BSSSCI{k:02d}": data[f"BSMMAT{k:02d}"] * 2.0 for k in range(1, 6)}
    table = fastml.fit_survey({name.lower(): column for name, column in data.items()}, ["BSMMAT", "BSSSCI"], "timss")
    maths, science = table.to_dict()
    assert (maths["outcome"], science["outcome"]) == ("BSMMAT", "BSSSCI")
    assert math.isclose(science["se_tau00"], 4.0 * maths["se_tau00"], rel_tol=1e-13)


def test_a_weight_that_varies_between_the_zones_of_a_school() -> None:
    data = timss()
    data["WGTFAC1"][(data["IDSCHOOL"] == 5016.0) & (data["JKZONE"] == 7.0)] += 1.0
    with pytest.raises(fastml.FastmlError, match=r"varies within a group.*IDCNTRY 1\.0, IDSCHOOL 5016"):
        fastml.fit_survey(data, "BSMMAT", "timss")


def test_nothing_to_fit() -> None:
    data = {name: column[:0] for name, column in timss().items()}
    with pytest.raises(fastml.FastmlError, match="no rows to fit"):
        fastml.fit_survey(data, "BSMMAT", "timss")
    students, schools = pisa()
    with pytest.raises(fastml.FastmlError, match="no rows to fit"):
        fastml.fit_survey({k: c[:0] for k, c in students.items()}, "MATH", SMALL_PISA, school_data=schools)
    data = timss()
    data["TOTWGT"][:] = 0.0
    (row,) = fastml.fit_survey(data, "BSMMAT", "timss").to_dict()
    assert row["status"] == "no row has a score and its weights"
    assert row["dropped_zero_weight"] == len(data["TOTWGT"])


def test_no_variance_between_schools_is_a_result() -> None:
    data = timss()
    for school in np.unique(data["IDSCHOOL"]):
        rows = data["IDSCHOOL"] == school
        for name in PV:
            data[name][rows] -= np.average(data[name][rows], weights=data["TOTWGT"][rows])
    row = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    assert row["tau00"] == 0.0
    assert "tau00 is 0, on the boundary in plausible values 1, 2, 3, 4, 5" in row["notes"]


def test_neither_threads_nor_carriers_change_a_bit() -> None:
    data = timss()
    first = fastml.fit_survey(data, "BSMMAT", "timss", threads=1).to_dict()
    assert first == fastml.fit_survey(data, "BSMMAT", "timss", threads=4).to_dict()
    for carrier in (pd.DataFrame(data), pl.DataFrame(data), pa.table(data), pa.table(data).to_reader(7)):
        if isinstance(carrier, pa.RecordBatchReader):
            assert fastml.fit_survey(carrier, "BSMMAT", "timss").to_dict() == first
        else:
            assert fastml.fit_survey(carrier, "BSMMAT", "timss").to_dict() == first
    students, schools = pisa()
    first = fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools).to_dict()
    small = pa.table(students).to_reader(3)
    assert fastml.fit_survey(small, "MATH", SMALL_PISA, school_data=schools).to_dict() == first


def test_several_files(tmp_path: Path) -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    for name, data in (("a", a), ("b", b)):
        pq.write_table(pa.table(data), tmp_path / f"{name}.parquet")
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    table = fastml.fit_survey(files, "BSMMAT", "timss", by="IDCNTRY")
    assert table.to_dict() == fastml.fit_survey(together(a, b), "BSMMAT", "timss", by="IDCNTRY").to_dict()
    assert table.provenance["files"] == [str(file) for file in files]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (change(WGTFAC1=None), {}, "no school weight .SCHWGT or WGTFAC1 x WGTADJ1.*give school_data="),
        (change(WGTFAC1=3.0), {}, "group_weights column 'WGTFAC1 x WGTADJ1' varies within a group.*5001"),
        (change(), {"design": "timms"}, "design='timms' is not one of .*did you mean 'timss'"),
        (change(BSMMAT03=None), {}, "'BSMMAT03' is not in .*plausible value 3 of the 5 of 'BSMMAT'"),
        (change(), {"outcome": "BSMMET"}, "'BSMMET01' is not in .*did you mean 'BSMMAT01'"),
        (change(JKREP=2.0), {}, "jackknife half 'JKREP' is 2.0 in .*IDSCHOOL 5001.0; it is 0 or 1"),
        (change(JKREP=math.nan), {}, "jackknife half 'JKREP' is missing"),
        (change(JKZONE=math.nan), {}, "jackknife zone 'JKZONE' is missing in .*IDSCHOOL 5001.0"),
        (change(JKZONE=None), {}, "'JKZONE' is not in .*TIMSS keeps the jackknife zone there"),
        (change(TOTWGT=-1.0), {}, "weights column 'TOTWGT' has -1 in row 4"),
        (change(TOTWGT=math.inf), {}, "weights column 'TOTWGT' has inf in row 4"),
        (change(TOTWGT=None), {}, "'TOTWGT' is not in .*students' total weight"),
        (change(BSMMAT02=math.inf), {}, "'BSMMAT02' has inf in row 4"),
        (change(), {"by": "COUNTRY"}, "'COUNTRY' is not in"),
        (change(), {"se": "hc1"}, "se='hc1' is not one of 'replicate', 'sandwich'"),
        (change(), {"weight_scaling": "x"}, "weight_scaling='x' is not one of"),
        (change(), {"level": 95}, "level=95 can't be: it is a number between 0 and 1"),
        (change(), {"outcome": []}, "outcome="),
        (change(), {"group": "IDCLASS"}, "'IDCLASS' is not in"),
        (change(), {"by": "IDSCHOOL"}, "'IDSCHOOL' is named as by and as group"),
        (change(), {"by": "JKREP"}, "'JKREP' is named as by and as half"),
        (
            {**timss(), "mean": timss()["IDCNTRY"]},
            {"by": "mean"},
            "by column 'mean' has the name of a column of the table of results; rename",
        ),
        (change(), {"outcome": "JKZONE", "missing": ()}, "'JKZONE' is named as zone and as outcome"),
        (change(), {"by": ["IDCNTRY", "IDCNTRY"]}, "by=.* must name one column or several different ones"),
        (change(), {"average": True}, "average=True is a mean over parts: name their column"),
        (change(), {"missing": "9"}, "missing='9' can't be: it is a number or a list"),
        (change(), {"missing": True}, "missing=True can't be: it is a number or a list"),
        (change(), {"threads": 0}, "threads=0 is not a number of threads"),
        (change(), {"filter": "IDSCHOOL >"}, "filter 'IDSCHOOL >' can't be read"),
    ],
)
def test_errors_of_a_jackknife(data: dict[str, np.ndarray], options: dict, message: str) -> None:
    call = {"outcome": "BSMMAT", "design": "timss", **options}
    with pytest.raises(fastml.FastmlError, match=message) as caught:
        fastml.fit_survey(data, **call)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("W_FSTURWT3", -1.0, "'W_FSTURWT3' has -1 in row 4"),
        ("W_FSTURWT3", math.nan, "'W_FSTURWT3' has nan in row 4"),
        ("W_FSTUWT", -2.0, "'W_FSTUWT' has -2 in row 4"),
        ("PV2MATH", math.inf, "'PV2MATH' has inf in row 4"),
        ("W_FSTURWT5", None, "'W_FSTURWT5' is not in .*replicate weight 5 of the 8 of PISA"),
    ],
)
def test_errors_of_replicate_columns(column: str, value: float | None, message: str) -> None:
    students, schools = pisa()
    if value is None:
        del students[column]
    else:
        students[column][4] = value
    with pytest.raises(fastml.FastmlError, match=message):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)


def test_errors_of_the_school_file() -> None:
    students, schools = pisa()
    with pytest.raises(fastml.FastmlError, match=r"no school weight .W_SCHGRNRABWT.*key CNTSCHID"):
        fastml.fit_survey(students, "MATH", SMALL_PISA)
    with pytest.raises(fastml.FastmlError, match=r"'CNTSCHID' is not in .*joined by it"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data={"W_SCHGRNRABWT": schools["W_SCHGRNRABWT"]})
    schools["W_SCHGRNRABWT"][2] = 0.0
    with pytest.raises(fastml.FastmlError, match="'W_SCHGRNRABWT' is 0 for CNTSCHID 3"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)


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


def test_codes_in_the_middle_of_scores_are_scores() -> None:
    data = timss()
    data["SHARE"] = data["BSMMAT01"] / 10.0
    data["SHARE"][0] = 99.0
    assert only(fastml.fit_survey(data, "SHARE", "timss"))["dropped_outcome"] == 0


def test_one_plausible_value_alone_is_said_to_be_one() -> None:
    row = only(fastml.fit_survey(timss(), "BSMMAT02", "timss"))
    assert "BSMMAT02 is one plausible value of 5, so the errors lack their variance; name BSMMAT" in row["notes"]
    assert row["imputation_variance_icc"] == 0.0
    students, schools = pisa()
    row = only(fastml.fit_survey(students, "pv10math", SMALL_PISA, school_data=schools))
    assert "name math for all" in row["notes"]


@pytest.mark.parametrize("se", ["replicate", "sandwich"])
@pytest.mark.parametrize("turn", [1, -1])
def test_outcomes_may_share_columns(turn: int, se: str) -> None:
    """Rows that lack another plausible value are left out of the scores that need it, and of no others."""
    data = timss()
    data["BSMMAT05"] = np.where(np.arange(len(data["BSMMAT05"])) % 4 == 0, math.nan, data["BSMMAT05"])
    outcomes = ["BSMMAT", "BSMMAT03"][::turn]
    both = fastml.fit_survey(data, outcomes, "timss", se=se)
    alone = [only(fastml.fit_survey(data, name, "timss", se=se)) for name in outcomes]
    assert both.to_dict() == alone
    assert {row["outcome"]: row["dropped_outcome"] > 0 for row in alone} == {"BSMMAT": True, "BSMMAT03": False}
    data["BSMMAT03"][7] = math.inf
    with pytest.raises(fastml.FastmlError, match=r"column 'BSMMAT03( \(of BSMMAT(03)?\))?' has inf"):
        fastml.fit_survey(data, outcomes, "timss", se=se)


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


def test_classes_need_no_school_file() -> None:
    data = {**timss(), "IDCLASS": timss()["IDSCHOOL"] * 100.0}
    with pytest.raises(fastml.FastmlError, match="WGTFAC2 x WGTADJ2 of the student file: leave the school file out"):
        fastml.fit_survey(data, "BSMMAT", "timss", group="IDCLASS", school_data={"IDCLASS": [1.0], "SCHWGT": [1.0]})
    with pytest.raises(fastml.FastmlError, match=r"'WGTFAC2' is not in .*a class as group needs it"):
        fastml.fit_survey(data, "BSMMAT", "timss", group="IDCLASS")


def test_what_holds_no_rows() -> None:
    stats = fastml.group_stats(timss(), "BSMMAT01", "IDSCHOOL")
    with pytest.raises(fastml.FastmlError, match="needs rows of students"):
        fastml.fit_survey(stats, "BSMMAT", "timss")
    with pytest.raises(fastml.FastmlError, match="a polars LazyFrame doesn't hold yet"):
        fastml.fit_survey(pl.DataFrame(timss()).lazy(), "BSMMAT", "timss")


def test_an_average_of_parts_that_are_no_countries_says_so() -> None:
    data = timss(7)
    data["ITSEX"] = np.arange(len(data["TOTWGT"])) % 2 + 1.0
    *_, mean = fastml.fit_survey(data, "BSMMAT", "timss", by="ITSEX", average=True).to_dict()
    assert mean["notes"] == "average of 2 of 2 parts, taken as independent, which parts of one country are not"


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


@pytest.mark.parametrize("data", [3, None, "no.parquet"])
def test_data_of_no_kind_that_can_be_read(data: object) -> None:
    with pytest.raises(fastml.FastmlError, match=r"can't be read|does not exist"):
        fastml.fit_survey(data, "BSMMAT", "timss")


@pytest.mark.parametrize("se", ["replicate", "sandwich"])
def test_a_score_that_is_constant_inside_schools_has_no_result(se: str) -> None:
    """Schools split between halves too: their cells add up to no variance at all, not to one of rounding."""
    data = timss()
    data |= {name: np.round(data["IDSCHOOL"] / 7.0, 3) for name in PV}
    (row,) = fastml.fit_survey(data, "BSMMAT", "timss", se=se).to_dict()
    assert "constant inside every group" in row["status"]
    assert row["tau00"] is None
    assert row["se_mean"] > 0.0


def test_two_schools_in_one_zone() -> None:
    """No replicate has two schools left, so the model has no error; the mean still has one."""
    data = timss()
    row = only(fastml.fit_survey({name: c[data["IDSCHOOL"] < 5003.0] for name, c in data.items()}, "BSMMAT", "timss"))
    assert row["se_tau00"] is None
    assert row["se_mean"] > 0.0
    assert "no errors, as replicate fits have no result: 10 of 10" in row["notes"]


def test_scores_of_any_size() -> None:
    data = timss()
    huge = {**data, **{name: data[name] * 1e150 for name in PV}}
    assert only(fastml.fit_survey(huge, "BSMMAT", "timss"))["icc"] == pytest.approx(
        only(fastml.fit_survey(data, "BSMMAT", "timss"))["icc"], rel=1e-12
    )
