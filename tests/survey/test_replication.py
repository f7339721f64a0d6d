"""Figures under replicate weights: their laws, and where they have no value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from surveys import PV, only, timss

import fastml


def test_the_design_effect_takes_the_school_size_as_known() -> None:
    row = only(fastml.fit_survey(timss(), "BSMMAT", "timss"))
    size = row["n_obs"] / row["n_groups"]
    assert math.isclose(row["deff"], 1.0 + row["icc"] * (size - 1.0), rel_tol=1e-14)
    assert math.isclose(row["se_deff"], row["se_icc"] * (size - 1.0), rel_tol=1e-12)


@pytest.mark.parametrize("scaling", ["size", "effective", "gk", "group-only", "none"])
def test_a_constant_factor_of_the_school_weight_changes_nothing(scaling: str) -> None:
    data = timss()
    a = only(fastml.fit_survey(data, "BSMMAT", "timss", weight_scaling=scaling))
    b = only(fastml.fit_survey({**data, "WGTADJ1": data["WGTADJ1"] * 3.7}, "BSMMAT", "timss", weight_scaling=scaling))
    same = [math.isclose(a[p + name], b[p + name], rel_tol=1e-10)
            for name in ("gamma00", "tau00", "sigma2", "icc") for p in ("", "se_")]  # fmt: skip
    assert all(same) == (scaling != "none")


def test_no_variance_between_schools_is_a_result() -> None:
    data = timss()
    for school in np.unique(data["IDSCHOOL"]):
        rows = data["IDSCHOOL"] == school
        for name in PV:
            data[name][rows] -= np.average(data[name][rows], weights=data["TOTWGT"][rows])
    row = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    assert row["tau00"] == 0.0
    assert "tau00 is 0, on the boundary in plausible values 1, 2, 3, 4, 5" in row["notes"]


@pytest.mark.parametrize("se", ["replicate", "sandwich"])
def test_a_score_that_is_constant_inside_schools_has_no_result(se: str) -> None:
    """Schools split between halves too: their cells add up to no variance at all, not to one of rounding."""
    data = timss()
    data |= {name: np.round(data["IDSCHOOL"] / 7.0, 3) for name in PV}
    (row,) = fastml.fit_survey(data, "BSMMAT", "timss", se=se).to_dict()
    assert "constant inside every group" in row["status"]
    assert row["tau00"] is None
    assert row["se_mean"] > 0.0


def test_scores_of_any_size() -> None:
    data = timss()
    huge = {**data, **{name: data[name] * 1e150 for name in PV}}
    assert only(fastml.fit_survey(huge, "BSMMAT", "timss"))["icc"] == pytest.approx(
        only(fastml.fit_survey(data, "BSMMAT", "timss"))["icc"], rel=1e-12
    )
