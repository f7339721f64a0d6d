"""check: rows and statistics on either side."""

from __future__ import annotations

from typing import Any

import pytest
from group_statistics import rows

import fastml
from fastml import FastmlError


def figures(made: Any) -> list[dict[str, Any]]:
    rows = made.to_arrow().to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def test_rows_and_statistics_give_the_same() -> None:
    new, old = rows(2), rows(1)
    words: dict[str, Any] = {"by": "country", "weights": "w", "group_weights": "v"}
    truth = figures(fastml.check(new, ["math", "read"], "school", against=old, **words))
    saved = fastml.group_stats(old, ["math", "read"], "school", **words)
    fresh = fastml.group_stats(new, ["math", "read"], "school", **words)
    assert figures(fastml.check(fresh, against=saved)) == truth
    # What isn't named is what the statistics were gathered by, on whichever side they are.
    assert figures(fastml.check(new, against=saved)) == truth
    assert figures(fastml.check(fresh, against=old)) == truth
    assert figures(fastml.check(new, "read", against=saved)) == truth[1::2]
    assert fastml.check(new, "math ~ 1 + (1 | school)", against=old).to_dict()[0]["outcome"] == "math"


def test_filter_and_codes_are_of_the_rows() -> None:
    old = fastml.group_stats(rows(1), "math", "school")
    new = rows(2)
    (row,) = fastml.check(new, against=old, filter="school > 20").to_dict()
    assert (row["n_groups_new"], row["groups_lost"], row["n_groups_old"]) == (9, 20, 29)
    with pytest.raises(FastmlError, match="are of rows, and both sides are saved"):
        fastml.check(old, against=old, filter="school > 20")
    with pytest.raises(FastmlError, match="are of rows, and both sides are saved"):
        fastml.check(old, against=old, missing=9)
    coded = {"school": [1, 1, 2, 2], "math": [1.0, 2.0, 3.0, 999.0]}
    (row,) = fastml.check(coded, "math", "school", against=coded, missing=999).to_dict()
    assert (row["n_obs_new"], row["n_obs_old"], row["missing_old"]) == (3, 3, 0.25)


def test_errors_name_what_is_wrong() -> None:
    saved = fastml.group_stats(rows(1), "math", "school")
    for call, message in (
        (lambda: fastml.check(rows(2), against=rows(1)), "name an outcome and a group: check"),
        (lambda: fastml.check(rows(2), "math", against=rows(1)), "name an outcome and a group: check"),
        (lambda: fastml.check(rows(2), "read", against=saved), "outcome='read' is not one of 'math'"),
        (lambda: fastml.check(rows(2), "math", "country", against=saved), "group='country', but the statistics"),
        (lambda: fastml.check(rows(2), "math", "school", by="country", against=saved), "by"),
        (lambda: fastml.check(rows(2), "math", "scool", against=rows(1)), "did you mean 'school'"),
        (lambda: fastml.check(rows(2).drop_columns("math"), against=saved), "column 'math' is not in"),
        (lambda: fastml.check(rows(2), "math", "school", against=rows(1), max_n_change=10), "max_n_change=10 can't be"),
        (lambda: fastml.check(rows(2), "math", "school", against=rows(1), filter="school >"), "can't be read"),
    ):  # fmt: skip
        with pytest.raises(FastmlError, match=message):
            call()
