"""Replicates that are columns: against a twin that re-weights every row, and weights that cannot be."""

from __future__ import annotations

import dataclasses
import math

import naive_survey
import numpy as np
import pyarrow as pa
import pytest
from surveys import SMALL_PISA, compare, only, pisa, timss

import fastml
from fastml.survey import replicate_weights
from fastml.survey.choices import check_choices
from fastml.survey.cleaning import open_rows
from fastml.survey.columns import find_columns
from fastml.survey.replicate_weights import column_parts
from fastml.survey.school_file import SchoolWeights


@pytest.mark.parametrize("scaling", ["size", "effective", "none", "gk", "group-only"])
def test_fay_twin(scaling: str) -> None:
    students, schools = pisa()
    row = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools, weight_scaling=scaling))
    replicates = np.array([students[f"W_FSTURWT{r}"] for r in range(1, 9)])
    v = schools["W_SCHGRNRABWT"][(students["CNTSCHID"] - 1).astype(int)]
    values = [students[f"PV{k}MATH"] for k in range(1, 11)]
    compare(row, naive_survey.survey(values, students["CNTSCHID"], students["W_FSTUWT"], v, replicates, scaling, 0.05))


@pytest.mark.parametrize("scaling", ["size", "none", "group-only"])
def test_columns_with_zeros_twin(scaling: str) -> None:
    """NAEP's columns drop schools and students: n counts rows of positive weight, an empty school leaves."""
    students, schools = pisa(3)
    rng = np.random.default_rng(4)
    for r in range(1, 9):
        students[f"W_FSTURWT{r}"] *= rng.random(len(students["CNTSCHID"])) < 0.8
        students[f"W_FSTURWT{r}"][students["CNTSCHID"] == r] = 0.0
    design = dataclasses.replace(SMALL_PISA, factor=1.0, first_only=True)
    row = only(fastml.fit_survey(students, "MATH", design, school_data=schools, weight_scaling=scaling))
    replicates = np.array([students[f"W_FSTURWT{r}"] for r in range(1, 9)])
    v = schools["W_SCHGRNRABWT"][(students["CNTSCHID"] - 1).astype(int)]
    values = [students[f"PV{k}MATH"] for k in range(1, 11)]
    compare(row, naive_survey.survey(values, students["CNTSCHID"], students["W_FSTUWT"], v, replicates, scaling,
                                     1.0, first_only=True))  # fmt: skip


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


def test_moments_are_sums_over_rows_under_each_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    students, schools = pisa(5)
    students["W_FSTURWT3"][students["CNTSCHID"] == 4.0] = 0.0  # a school that one replicate empties
    choices = check_choices(SMALL_PISA, "gk", "replicate", "joint", 0.95, None)
    columns = find_columns(students, ["MATH"], choices, [], None, schools)
    ids, v = schools["CNTSCHID"].tolist(), schools["W_SCHGRNRABWT"].tolist()
    weights = SchoolWeights(
        ("CNTSCHID",), {(str(int(name)),): weight for name, weight in zip(ids, v, strict=True)}, "v"
    )
    samples = []
    for rows_at_a_time in (1 << 16, 11):
        monkeypatch.setattr(replicate_weights, "_ROWS_AT_A_TIME", rows_at_a_time)
        rows = open_rows(pa.table(students), columns, choices.design.missing)
        (part,), dropped_by = column_parts(rows, weights, choices, 2)
        assert dropped_by == 0
        samples.append(part.sample("MATH"))
    sample, other = samples
    assert np.array_equal(sample.v, schools["W_SCHGRNRABWT"])
    assert sample.complete == 7.0  # eight replicates without a direction in common, less 1
    totals = [students["W_FSTUWT"], *(students[f"W_FSTURWT{r}"] for r in range(1, 9))]
    for k in (0, 9):
        moments, y = sample.values[k], students[f"PV{k + 1}MATH"]
        np.testing.assert_array_equal(moments.ss, other.values[k].ss)  # batches change no bit
        for r, t in enumerate(totals):
            for s, label in enumerate(schools["CNTSCHID"]):
                rows = (students["CNTSCHID"] == label) & (t > 0.0)
                assert moments.rows[r, s] == rows.sum()
                assert moments.total[r, s] == pytest.approx(t[rows].sum(), rel=1e-13)
                if rows.any():
                    mean = np.average(y[rows], weights=t[rows])
                    assert moments.origin + moments.mean[r, s] == pytest.approx(mean, rel=1e-12)
                    assert moments.ss[r, s] == pytest.approx(
                        np.sum(t[rows] * (y[rows] - mean) ** 2), rel=1e-9, abs=1e-7
                    )
                    assert moments.plain_ss[r, s] == pytest.approx(
                        np.sum((y[rows] - y[rows].mean()) ** 2), rel=1e-9, abs=1e-7
                    )
