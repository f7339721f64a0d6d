"""The arguments of a survey call, checked, as one object."""

from __future__ import annotations

import dataclasses

import pytest

from fastml import designs
from fastml.errors import FastmlError
from fastml.survey.choices import check_choices, check_names


def test_codes_of_missing_answers_join_those_of_the_design() -> None:
    given = check_choices("timss", "size", "REPLICATE", "joint", 0.9, [9, 99])
    assert given.design == dataclasses.replace(designs.TIMSS, missing=(*designs.TIMSS.missing, 9.0, 99.0))
    assert (given.scaling, given.se, given.vcov, given.level) == ("size", "replicate", "joint", 0.9)
    assert check_choices("timss", "size", "replicate", "joint", 0.9, None).design is not None
    assert check_choices("timss", "size", "replicate", "joint", 0.9, 9).design.missing[-1] == 9.0


@pytest.mark.parametrize(
    ("design", "se", "fitted"),
    [
        ("timss", "replicate", [True, True]),
        ("timss_before_2015", "replicate", [True, False]),  # the sampling variance is plausible value 1's
        ("timss", "sandwich", [False, False]),
    ],
)
def test_which_plausible_values_are_replicated(design: str, se: str, fitted: list[bool]) -> None:
    choices = check_choices(design, "size", se, "joint", 0.95, None)
    assert [choices.replicates_value(k) for k in range(2)] == fitted
    assert choices.replicated == (se == "replicate")


def test_scalings_that_take_unweighted_moments() -> None:
    found = {
        scaling: check_choices("timss", scaling, "replicate", "joint", 0.95, None).unweighted_within
        for scaling in ("size", "effective", "none", "gk", "group-only")
    }
    assert found == {"size": False, "effective": False, "none": False, "gk": True, "group-only": True}


@pytest.mark.parametrize("names", [["a", "a"], [1], ["a", None]])
def test_names_that_can_not_be(names: list) -> None:
    with pytest.raises(FastmlError, match=r"by=.* must name one column or several different ones"):
        check_names("by", names)
    assert check_names("by", "ab") == ["ab"]
    assert check_names("by", None) == []
