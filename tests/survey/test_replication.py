"""Figures under replicate weights: their laws, and where they have no value."""

from __future__ import annotations

import math

import naive_survey
import numpy as np
import pytest
from surveys import PV, only, timss

import fastml
from fastml.survey.replication import CellMoments, figures, scale_replicates


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
    assert row["status"] == "constant_in_groups"
    assert "constant inside every group" in row["message"]
    assert row["tau00"] is None
    assert row["se_mean"] > 0.0


def test_scores_of_any_size() -> None:
    data = timss()
    huge = {**data, **{name: data[name] * 1e150 for name in PV}}
    assert only(fastml.fit_survey(huge, "BSMMAT", "timss"))["icc"] == pytest.approx(
        only(fastml.fit_survey(data, "BSMMAT", "timss"))["icc"], rel=1e-12
    )


def moments_of(school: np.ndarray, y: np.ndarray, totals: list[np.ndarray]) -> CellMoments:
    """Moments about 0 of every school under every replicate, from rows."""
    found = np.zeros((7, len(totals), int(school.max()) + 1))
    for r, t in enumerate(totals):
        for s in range(found.shape[2]):
            rows = (school == s) & (t > 0.0)
            if rows.any():
                mean, plain = np.average(y[rows], weights=t[rows]), y[rows].mean()
                found[:, r, s] = (rows.sum(), t[rows].sum(), (t[rows] ** 2).sum(), mean,
                                  np.sum(t[rows] * (y[rows] - mean) ** 2), plain, np.sum((y[rows] - plain) ** 2))  # fmt: skip
    return CellMoments(0.0, *found)


@pytest.mark.parametrize("scaling", ["size", "effective", "none", "gk", "group-only"])
def test_figures_are_those_of_rows(scaling: str) -> None:
    """A replicate that empties a school, and one that leaves a school only, which has no fit."""
    rng = np.random.default_rng(7)
    school = np.repeat(np.arange(6), 7)
    v = rng.uniform(2.0, 9.0, 6)
    t = v[school] * rng.uniform(1.0, 3.0, len(school))
    y = rng.normal(0.0, 20.0, 6)[school] + rng.normal(0.0, 30.0, len(school))
    totals = [t, np.where(school == 2, 0.0, t * rng.choice([0.5, 1.5], len(t))), np.where(school == 1, t, 0.0)]
    moments = moments_of(school, y, totals)
    (found,) = figures([moments], v, scaling, 1)
    (gamma00, tau00, sigma2, icc), (mean, sd) = (
        naive_survey.fit(y, school, t, v[school], scaling),
        naive_survey.mean_and_sd(y, t),
    )
    assert found[0] == pytest.approx([gamma00, tau00, sigma2, icc, 1.0 + 6.0 * icc, mean, sd], rel=1e-9)
    moved = naive_survey.replicate_figures(y, school, t, totals[1], v[school], scaling)
    assert found[1, [0, 1, 2, 3, 5, 6]] == pytest.approx(moved, rel=1e-9)
    assert np.isnan(found[2, :5]).all()
    assert found[2, 5:] == pytest.approx(naive_survey.mean_and_sd(y[school == 1], t[school == 1]), rel=1e-12)


def test_scaled_weights_of_a_school_add_up_to_its_rows() -> None:
    rng = np.random.default_rng(8)
    school = np.repeat(np.arange(4), 5)
    t = rng.uniform(1.0, 9.0, 20)
    moments = moments_of(school, t, [t, np.where(school == 3, 0.0, 2.0 * t)])
    scaled = scale_replicates(moments, np.array([1.0, 2.0, 3.0, 4.0]), "size")
    assert scaled.size[scaled.live] == pytest.approx(5.0)
    assert scaled.count == pytest.approx(
        np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 0.0]])
    )  # a school moves with its rows
    assert scaled.live.tolist() == [[True] * 4, [True] * 3 + [False]]
