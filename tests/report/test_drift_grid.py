"""The figures of a check as text and in words."""

from __future__ import annotations

import math
from typing import Any

import fastml
from fastml.report.drift_grid import check_grid, check_text, drift_words

ROW: dict[str, Any] = {
    "country": "NOR", "outcome": "score", "n_groups_old": 1200, "n_groups_new": 1198, "groups_lost": 3, "groups_added": 1,
    "first_lost": "5007, 5012, 5013", "first_added": "6001", "n_obs_old": 30000, "n_obs_new": 29000, "n_change": -0.0333,
    "missing_old": 0.0, "missing_new": 0.0123, "mean_old": 500.0, "mean_new": 512.5, "mean_shift": 12.5,
    "mean_shift_sd": 0.125, "sd_old": 100.0, "sd_new": 100.0, "sd_change": 0.0, "icc_old": 0.2, "icc_new": 0.2004,
    "icc_shift": 0.0004, "rows_without_by_old": 1, "rows_without_by_new": 0, "status": "drift",
    "drifted": "groups_lost, mean_shift",
}  # fmt: skip

TEXT = """\
a against b

                          old      new    change  limit
country NOR score
Schools                 1,200    1,198
  lost                                         3      2  beyond it: 5007, 5012, 5013
  new                                          1         6001
Observations           30,000   29,000    -3.3 %
Rows without a value      0 %    1.2 %
Mean                  500.000  512.500   +12.500      5  beyond it
  in old SDs                              +0.125
Standard deviation    100.000  100.000       0 %   10 %
ICC                   0.20000  0.20040  +0.00040

1 of 1 beyond a limit, marked so.
1 row of b without country left out"""


def test_the_text() -> None:
    limits = {"groups_lost": "2", "mean_shift": "5", "sd_change": "10 %"}
    grid = check_grid([ROW], ["country"], ("a", "b"), lambda figure: limits.get(figure, ""))
    assert check_text(grid) == TEXT


def test_what_does_not_exist_is_a_dash() -> None:
    gone = {name: None if isinstance(value, float) else value for name, value in ROW.items()}
    grid = check_grid([gone | {"drifted": None, "status": "ok"}], [], ("a", "b"), lambda figure: "")
    assert "Mean                       -       -       -\n" in check_text(grid)
    assert check_text(grid).endswith("No limits were given: nothing is judged.")


def test_words() -> None:
    for figure, words in (
        ("groups_lost", "3 schools lost: 5007, 5012, 5013 (limit L)"), ("groups_added", "1 school new: 6001 (limit L)"),
        ("n_change", "n changed by -3.3 % (limit L)"), ("missing_new", "1.2 % of the rows lack a value (limit L)"),
        ("mean_shift", "mean shifted by +12.500 (limit L)"), ("mean_shift_sd", "mean shifted by +0.125 SD (limit L)"),
        ("sd_change", "SD changed by 0 % (limit L)"), ("icc_shift", "ICC moved by +0.00040 (limit L)"),
    ):  # fmt: skip
        assert drift_words(figure, ROW, "L") == words
    assert drift_words("n_change", {"n_change": 12.5}, "L") == "n changed by +1,250 % (limit L)"
    for figure in ("missing_new", "mean_shift", "mean_shift_sd", "sd_change", "icc_shift"):
        assert "inf" not in drift_words(figure, {**ROW, figure: math.inf}, "L")


def test_names_can_do_nothing_to_a_terminal_or_a_page() -> None:
    names = {"s": ["\x1b[2J", "<b>", "x", "y"] * 2, "y": [float(i) for i in range(8)]}
    made = fastml.check({"s": ["x", "y"] * 2, "y": [1.0, 2.0, 3.0, 5.0]}, "y", "s", against=names)
    assert "\x1b" not in str(made)
    assert "<b>" not in made.to_html()
    assert "&lt;b&gt;" in made.to_html()
