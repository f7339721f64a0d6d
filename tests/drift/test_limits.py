"""Limits: what each takes, and where it is passed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fastml import FastmlError
from fastml.drift.limits import Limits


def passed(row: dict[str, Any], **limits: Any) -> list[str]:
    return [limit.figure for limit in Limits.of(**limits).passed_by({"n_groups_old": 100, **row})]


def test_a_limit_may_be_reached_and_not_passed() -> None:
    for name, figure, limit, inside, outside in (
        ("max_schools_lost", "groups_lost", 3, 3, 4),
        ("max_schools_lost", "groups_lost", "29%", 29, 30),  # 0.29 is no double
        ("max_schools_new", "groups_added", "0", 0, 1),
        ("max_n_change", "n_change", "10%", -0.1, -0.1000001),
        ("max_n_change", "n_change", 0.1, 0.1, 0.11),
        ("max_n_change", "n_change", "150 %", 1.5, 1.51),
        ("max_missing", "missing_new", "5%", 0.05, 0.06),
        ("max_mean_shift", "mean_shift", 5, -5.0, -5.1),
        ("max_mean_shift_sd", "mean_shift_sd", "0.05", 0.05, 0.06),
        ("max_sd_change", "sd_change", "10%", 0.1, -0.2),
        ("max_icc_shift", "icc_shift", 0.05, 0.05, -0.06),
    ):
        assert passed({figure: inside}, **{name: limit}) == []
        assert passed({figure: outside}, **{name: limit}) == [figure]


def test_what_is_gone_passes_and_what_never_was_does_not() -> None:
    assert passed({"mean_shift": math.inf}, max_mean_shift=1e300) == ["mean_shift"]
    assert passed({"mean_shift": math.nan}, max_mean_shift=0) == []


def test_no_limits() -> None:
    assert Limits.of(max_mean_shift=None).given == ()
    assert Limits.of().of_figure("mean_shift") == ""


@pytest.mark.parametrize(("name", "value"), [
    ("max_n_change", 10), ("max_n_change", "10"),  # 10 % was meant: 1,000 % would let everything pass
    ("max_missing", 5), ("max_sd_change", "x"), ("max_icc_shift", 2), ("max_icc_shift", "5%"),
    ("max_mean_shift", -1), ("max_mean_shift", "5%"), ("max_mean_shift", math.nan), ("max_mean_shift", math.inf),
    ("max_schools_lost", 0.05), ("max_schools_lost", "-1"), ("max_schools_lost", True), ("max_mean_shift", [5]),
    ("max_schools_new", ""),
])  # fmt: skip
def test_other_numbers_are_refused_with_what_it_takes(name: str, value: Any) -> None:
    with pytest.raises(FastmlError, match=f"^{name}=.* can't be: it is ") as caught:
        Limits.of(**{name: value})
    assert "such as" in str(caught.value)


def test_they_are_shown_alike() -> None:
    limits = Limits.of(max_n_change=0.1, max_sd_change="2.5%", max_schools_lost="7 %", max_mean_shift="5.0")
    assert [limit.shown for limit in limits.given] == ["10 %", "2.5 %", "7 %", "5"]
