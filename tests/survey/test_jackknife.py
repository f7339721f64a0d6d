"""The jackknife of zones: against a twin that re-weights every row, and what zones may look like."""

from __future__ import annotations

import dataclasses
import math

import naive_survey
import numpy as np
import pytest
from surveys import FIGURES, compare, naive_timss, only, timss

import fastml
from fastml import designs
from fastml.survey.jackknife import jackknife_moments, plan_jackknife


@pytest.mark.parametrize("scaling", ["size", "effective", "none", "gk", "group-only"])
def test_jackknife_twin(scaling: str) -> None:
    data = timss()
    row = only(fastml.fit_survey(data, "BSMMAT", designs.TIMSS, weight_scaling=scaling))
    compare(row, naive_timss(data, scaling))


@pytest.mark.parametrize("scaling", ["size", "gk"])
def test_jackknife_twin_of_the_old_scheme(scaling: str) -> None:
    data = timss(1)
    row = only(fastml.fit_survey(data, "BSMMAT", "timss_before_2015", weight_scaling=scaling))
    compare(row, naive_timss(data, scaling, both=False))


def test_the_two_roads_agree() -> None:
    """The jackknife's replicates written out as columns give what its cells give."""
    data = timss(2)
    columns = naive_survey.jackknife_totals(data["TOTWGT"], data["JKZONE"], data["JKREP"])
    data |= {f"R{r}": column for r, column in enumerate(columns, 1)}
    written = dataclasses.replace(designs.TIMSS, replicates=designs.Columns(("R{r}",), len(columns)))
    for scaling in ("size", "gk"):
        cells = only(fastml.fit_survey(data, "BSMMAT", designs.TIMSS, weight_scaling=scaling))
        other = only(fastml.fit_survey(data, "BSMMAT", written, weight_scaling=scaling))
        for name in (*FIGURES, "deff"):
            assert math.isclose(cells[name], other[name], rel_tol=1e-12)
            assert math.isclose(cells[f"se_{name}"], other[f"se_{name}"], rel_tol=1e-10)


def test_zones_of_any_number_of_schools_are_no_errors() -> None:
    row = only(fastml.fit_survey(timss(), "BSMMAT", "timss"))
    assert "zones with one half only: 3 of 8" in row["notes"]
    # 8 zones, 5 plausible values: Barnard and Rubin's df lie below 8.
    assert 0.0 < row["df_gamma00"] < 8.0
    assert row["ci_low_gamma00"] < row["gamma00"] < row["ci_high_gamma00"]


def test_two_schools_in_one_zone() -> None:
    """No replicate has two schools left, so the model has no error; the mean still has one."""
    data = timss()
    row = only(fastml.fit_survey({name: c[data["IDSCHOOL"] < 5003.0] for name, c in data.items()}, "BSMMAT", "timss"))
    assert row["se_tau00"] is None
    assert row["se_mean"] > 0.0
    assert "no errors, as replicate fits have no result: 10 of 10" in row["notes"]


def test_a_weight_that_varies_between_the_zones_of_a_school() -> None:
    data = timss()
    data["WGTFAC1"][(data["IDSCHOOL"] == 5016.0) & (data["JKZONE"] == 7.0)] += 1.0
    with pytest.raises(fastml.FastmlError, match=r"varies within a group.*IDCNTRY 1\.0, IDSCHOOL 5016"):
        fastml.fit_survey(data, "BSMMAT", "timss")


@pytest.mark.parametrize("both", [True, False])
def test_replicates_of_cells_are_those_of_rows(both: bool) -> None:
    """A row per cell: school totals, means and sums of squares under each replicate, from weights written out."""
    rng = np.random.default_rng(3)
    school = np.array([0, 0, 1, 2, 2, 2, 3])
    zone, half = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    y, t = rng.normal(500.0, 100.0, 7), rng.uniform(1.0, 9.0, 7)
    nothing = np.zeros(7)
    plain = np.stack([np.ones(7), y, nothing, nothing], axis=1)
    weighted = np.stack([t, y, nothing, nothing, t**2], axis=1)
    plan = plan_jackknife(school, zone, half, both)
    assert (plan.n_zones, plan.n_half) == (3, 1)
    found = jackknife_moments(plan, plain, weighted, True)
    replicates = [t, *naive_survey.jackknife_totals(t, zone, half, both)]
    assert found.total.shape == (len(replicates), 4)
    for r, total in enumerate(replicates):
        for s in range(4):
            rows = (school == s) & (total > 0)
            assert found.rows[r, s] == rows.sum()
            assert found.total[r, s] == pytest.approx(total[rows].sum(), rel=1e-14)
            assert found.squares[r, s] == pytest.approx((total[rows] ** 2).sum(), rel=1e-14)
            if rows.any():
                mean = np.average(y[rows], weights=total[rows])
                assert found.origin + found.mean[r, s] == pytest.approx(mean, rel=1e-13)
                assert found.ss[r, s] == pytest.approx(np.sum(total[rows] * (y[rows] - mean) ** 2), abs=1e-7)
                assert found.plain_ss[r, s] == pytest.approx(np.sum((y[rows] - y[rows].mean()) ** 2), abs=1e-7)
    alone = jackknife_moments(plan, plain, weighted, False)
    assert np.array_equal(alone.total, found.total[:1])
