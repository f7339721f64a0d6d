"""Which rows are of one sample."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fastml.results.samples import SampleIdentity, components, same_samples, school_number


def identity(countries: str, schools: str, data: str = "file", known: bool = True) -> SampleIdentity:
    """Schools are letters, whose weight is that of the alphabet; capitals are schools of weight 1."""
    weights = {school_number(letter.lower()): 1.0 if letter.isupper() else float(ord(letter)) for letter in schools}
    return SampleIdentity(tuple(countries.split()), known, weights, tuple(data.split()))


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
        (identity("TUR", "Abcd", "girls"), identity("TUR", "Abcd", "boys"), True),  # one weight is 1
        (identity("TUR", "ABCDef", "old"), identity("TUR", "ABCDEF", "new"), False),  # most are sure
        (identity("TUR", "ABCDef", "old"), identity("TUR", "aBCDef", "new"), False),
        (identity("TUR", "ABCD", "old"), identity("TUR", "CXYZ", "new"), False),
        (identity("TUR", "abcd"), identity("TUR", "dxyz"), True),  # of one file
        (identity("TUR", "ABCD"), identity("TUR", "ABCD"), True),
        (identity("", "abcd", "", known=False), identity("", "dxyz", "", known=False), True),  # fits
        (SampleIdentity(("TUR",), True, None, ()), SampleIdentity(("GRC",), True, None, ()), False),  # read from a file
        (identity("", "", "", known=False), identity("", "ab", "", known=False), False),
        (identity("TUR", ""), identity("TUR", ""), True),
        (identity("TUR", "", "old"), identity("GRC", "", "new"), False),
        (identity("TUR-2015", "", "old"), identity("TUR-2019", "", "new"), False),
    ],
)
def test_two_rows(one: SampleIdentity, other: SampleIdentity, same: bool) -> None:
    found = same_samples([one, other], None)
    assert (found.shared.tolist(), found.refused) == ([[True, same], [same, True]], {})
    assert same_samples([one, other], True).shared.tolist() == [[True, False], [False, True]]
    assert same_samples([one, other], False).shared.all()


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (identity("", "ab", known=False), identity("", "cd", known=False), "no column of countries"),
        # Girls and boys by two calls, or two cycles: without a school's weight its id doesn't tell.
        (identity("TUR", "", "one"), identity("TUR", "", "other"), "no school weights or no school ids"),
        (identity("TUR", "", "one"), identity("TUR", "ab", "other"), "no school weights or no school ids"),
        (identity("TUR", "ab", ""), identity("TUR", "ab", "survey"), "no school weights or no school ids"),  # a fit
        (
            SampleIdentity(("TUR",), True, None, ()),
            SampleIdentity(("TUR",), True, None, ()),
            "fits without their statistics",
        ),
        # Nor does a weight that all schools have.
        (identity("TUR", "ABCD", "one"), identity("TUR", "ABC", "other"), "ids, all of one weight"),
        (identity("TUR", "ABcd", "one"), identity("TUR", "ABx", "other"), "ids, all of one weight"),
    ],
)
def test_what_can_not_be_told_is_asked(one: SampleIdentity, other: SampleIdentity, said: str) -> None:
    for rows in ([one, other], [other, one]):
        found = same_samples(rows, None)
        assert list(found.refused) == [(0, 1)]
        assert re.search(f"{said}.*independent=True.*independent=False", found.refused[0, 1])
        assert found.why_not([1, 0]) == found.refused[0, 1]
        assert not found.shared[0, 1]
        assert same_samples(rows, True).refused == {}


def test_others_are_told_beside_what_is_not() -> None:
    rows = [identity("TUR", "", "old"), identity("TUR", "", "new"), None, identity("GRC", "ab"), identity("GRC", "ab")]
    found = same_samples(rows, None)
    assert list(found.refused) == [(0, 1)]
    assert found.shared[3, 4]
    assert found.why_not([0, 3, 4]) is found.why_not([2]) is None
    assert found.why_not({4: 1.0, 1: 0.5, 0: 0.5}) == found.refused[0, 1]


def test_ids_are_the_same_whatever_their_type() -> None:
    assert school_number(5001.0) == school_number(5001) == school_number("5001") != school_number("05001")
    assert school_number("a", 1) != school_number("a1")
    assert school_number("\udc80") != school_number("")


def test_rows_belong_together_by_others_between_them() -> None:
    shared = np.eye(5, dtype=bool)
    for i, j in ((0, 3), (3, 4)):
        shared[i, j] = shared[j, i] = True
    assert [rows.tolist() for rows in components(shared, [4, 1, 0, 3])] == [[0, 3, 4], [1]]
