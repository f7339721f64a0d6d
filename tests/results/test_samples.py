"""Which rows are of one sample."""

from __future__ import annotations

import numpy as np
import pytest

from fastml.errors import FastmlError
from fastml.results.samples import SampleIdentity, components, same_samples, school_number


def identity(countries: str, schools: str, data: str = "file", known: bool = True) -> SampleIdentity:
    return SampleIdentity(tuple(countries.split()), known, frozenset(map(school_number, schools)), tuple(data.split()))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (identity("TUR", "ab"), identity("TUR", "bc"), True),  # girls and boys
        (identity("TUR", "ab"), identity("TUR", "cd"), True),  # school types
        (identity("TUR", "ab"), identity("GRC", "ab"), False),  # ids start again
        (identity("TUR", "ab"), identity("TUR GRC", "abcd"), True),  # a country and a pool of it
        (identity("TUR", "ab", "old"), identity("TUR", "cd", "new"), False),  # cycles
        (identity("TUR", "ab", "girls"), identity("TUR", "ab", "boys"), True),  # in two files
        (identity("", "ab", known=False), identity("", "bc", known=False), True),
        (identity("", "ab", "x", known=False), identity("", "cd", "y", known=False), False),
        (identity("2015", "ab", known=False), identity("2019", "ab", known=False), False),
        (identity("TUR", "abcd", "old"), identity("TUR", "cxyz", "new"), False),  # a school by chance
        (identity("TUR", "abcd", "old"), identity("TUR", "cdyz", "new"), False),
        (identity("TUR", "abcd", "girls"), identity("TUR", "bcxyz", "boys"), False),
        (identity("TUR", "abcdefgh", "whole"), identity("TUR", "abx", "part"), True),  # most of the fewer
        (identity("TUR", "abcd"), identity("TUR", "dxyz"), True),  # of one file
        (identity("", "abcd", "", known=False), identity("", "dxyz", "", known=False), True),  # fits
        (identity("", "", "", known=False), identity("", "ab", "", known=False), False),
        (identity("TUR", ""), identity("TUR", ""), True),
        (identity("TUR", "", "old"), identity("GRC", "", "new"), False),
        (identity("TUR-2015", "", "old"), identity("TUR-2019", "", "new"), False),
    ],
)
def test_two_rows(one: SampleIdentity, other: SampleIdentity, same: bool) -> None:
    assert same_samples([one, other], None).tolist() == [[True, same], [same, True]]
    assert same_samples([one, other], True).tolist() == [[True, False], [False, True]]
    assert same_samples([one, other], False).all()


def test_what_can_not_be_told_is_asked() -> None:
    rows = [identity("", "ab", known=False), identity("", "cd", known=False)]
    with pytest.raises(FastmlError, match="no column of countries"):
        same_samples(rows, None)
    assert same_samples([None, rows[0], None], None).tolist() == np.eye(3, dtype=bool).tolist()


@pytest.mark.parametrize("schools", ["", "ab"])
def test_other_data_without_schools_are_asked_of(schools: str) -> None:
    """Girls and boys by two calls, or two cycles: without a school's weight its id doesn't tell."""
    rows = [identity("TUR", "", "one"), identity("TUR", schools, "other")]
    for of in (rows, rows[::-1]):
        with pytest.raises(FastmlError, match=r"no school weights or no school ids.*independent=True.*=False"):
            same_samples(of, None)
    assert same_samples(rows, True).tolist() == np.eye(2, dtype=bool).tolist()


def test_ids_are_the_same_whatever_their_type() -> None:
    assert school_number(5001.0) == school_number(5001) == school_number("5001") != school_number("05001")
    assert school_number("a", 1) != school_number("a1")
    assert school_number("\udc80") != school_number("")


def test_rows_belong_together_by_others_between_them() -> None:
    shared = np.eye(5, dtype=bool)
    for i, j in ((0, 3), (3, 4)):
        shared[i, j] = shared[j, i] = True
    assert [rows.tolist() for rows in components(shared, [4, 1, 0, 3])] == [[0, 3, 4], [1]]
