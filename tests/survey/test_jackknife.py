"""The jackknife of zones: against a twin that re-weights every row, and what zones may look like."""

from __future__ import annotations

import dataclasses
import math

import naive_survey
import pytest
from surveys import FIGURES, compare, naive_timss, only, timss

import fastml
from fastml import designs


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
