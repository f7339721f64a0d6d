"""Columns by the names that a study gives them, as the data spell them."""

from __future__ import annotations

import pytest

import fastml
from fastml.io.column_finder import ColumnFinder


def test_a_name_as_the_data_spell_it() -> None:
    finder = ColumnFinder({"Weight": [1.0], "weight": [2.0], "IdSchool": [1]})
    assert finder.find(["WEIGHT"]) == "Weight"  # the first of those that differ in case only
    assert finder.find(["weight"]) == "weight"
    assert finder.find(["none", "IDSCHOOL"]) == "IdSchool"
    assert finder.find(["none"]) is None
    with pytest.raises(fastml.FastmlError, match=r"'none' is not in .*; said so"):
        finder.need(["none", "neither"], "said so")
