"""Which rows a call compares, by their labels."""

from __future__ import annotations

from typing import Any

import pytest

from fastml.errors import FastmlError
from fastml.results.row_contrasts import RowContrast, Rows, compare, matches, slope_weights

YEARS = (2011, 2015.0, 2019)


def rows(usable: Any = lambda row: True) -> Rows:
    """Two countries x two sexes x three years, of one outcome; then a second outcome for country 792 alone."""
    made = [
        {"country": c, "sex": s, "year": y, "outcome": "MATH"} for c in (40, 792) for s in ("f", "m") for y in YEARS
    ]
    made += [{"country": 792, "sex": s, "year": y, "outcome": "SCIE"} for s in ("f", "m") for y in YEARS]
    return Rows([{**row, "usable": usable(row)} for row in made], ["country", "sex", "year", "outcome"])


def sides(found: list[RowContrast]) -> list[tuple[str, str, str]]:
    return [(" ".join(str(x) for x in one.labels.values()), one.a, one.b) for one in found]


def test_two_groups_in_each_of_the_other_parts() -> None:
    found = compare(rows(), {"sex": "f"}, {"sex": "m"}, None)
    assert sides(found)[:2] == [("40 2011 MATH", "f", "m"), ("40 2015.0 MATH", "f", "m")]
    assert len(found) == 9
    assert compare(rows(), "f", "m", None) == found
    assert all(set(one.weights.values()) == {1.0, -1.0} for one in found)


def test_every_way_to_name_a_row() -> None:
    table = rows()
    assert table.find((792, "f", 2015, "SCIE"))[0] == [13]
    assert table.find((792, "f", 2015))[0] == [7, 13]
    assert table.find({"country": "792", "year": "2015", "sex": "f"})[0] == [7, 13]
    assert table.find([{"country": 40, "year": 2011}, 2011])[0] == [0, 3, 6, 9, 12, 15]
    assert table.find(None) == (list(range(18)), frozenset())
    assert table.find("SCIE") == (list(range(12, 18)), {"outcome"})


def test_pairs_are_of_one_outcome() -> None:
    small = Rows(
        [{"country": c, "outcome": y, "usable": True} for c in "AB" for y in ("M", "S")], ["country", "outcome"]
    )
    assert sides(compare(small, None, None, None)) == [("M", "A", "B"), ("S", "A", "B")]
    assert sides(compare(small, "M", "S", None)) == [("A", "M", "S"), ("B", "M", "S")]
    assert sides(compare(small, "S", None, None)) == [("S", "A", "B")]
    one = Rows([{"outcome": y, "usable": True} for y in ("M", "S", "R")], ["outcome"])
    assert sides(compare(one, None, None, None)) == [("", "M", "S"), ("", "M", "R"), ("", "S", "R")]
    within = compare(rows(), {"country": 40}, None, "sex")
    assert sides(within) == [(f"40 {year} MATH", "f", "m") for year in YEARS]


def test_against_a_reference_and_the_mean_of_some() -> None:
    table = Rows([{"country": c, "outcome": "M", "usable": True} for c in (1, 2, 3, 4)], ["country", "outcome"])
    assert sides(compare(table, None, 2, None)) == [("M", f"country {c}", "country 2") for c in (1, 3, 4)]
    (found,) = compare(table, 1, [1, 3], None)
    assert found.weights == {0: 0.5, 2: -0.5}
    assert found.b == "mean of country 1, country 3"
    assert compare(table, [1, 2], [3, 4], None)[1].weights == {1: 1.0, 2: -0.5, 3: -0.5}


def test_averages_count_who_has_a_result() -> None:
    table = rows(lambda row: (row["country"], row["sex"], row["year"]) != (792, "f", 2019))
    found = compare(table, {"country": 792, "year": 2015}, "average", "country")
    assert sides(found) == [(f"{s} 2015.0 MATH", "country 792", "average") for s in ("f", "m")]
    assert found[0].weights == {7: 0.5, 1: -0.5}  # of the one outcome that 40 has too
    with pytest.raises(FastmlError, match="nothing is left"):
        compare(table, (40, "f", 2019, "MATH"), "average", "country")


def test_steps_and_trends_are_in_order_of_the_numbers() -> None:
    table = rows()
    found = compare(table, {"country": 40}, "previous", "year")
    assert [one.weights for one in found[:2]] == [{1: 1.0, 0: -1.0}, {2: 1.0, 1: -1.0}]
    assert len(found) == 4
    slopes = compare(table, {"country": 40, "sex": "f"}, "trend", None)
    assert slopes[0].weights == {0: -0.125, 2: 0.125}  # the middle year has no weight
    assert slopes[0].of_a == {0: -0.125, 1: 0.0, 2: 0.125}
    assert slopes[0].a == "slope over 2011, 2015, 2019"
    texts = Rows([{"grade": g, "outcome": "M", "usable": True} for g in ("b", "a")], ["grade", "outcome"])
    assert sides(compare(texts, None, "previous", None)) == [("M", "b", "a")]
    with pytest.raises(FastmlError, match="over numbers"):
        compare(texts, None, "trend", None)
    for labels in (("nan", "2015"), ("2_0", "2015"), ("2015", "inf")):  # numbers to Python only
        no_years = Rows([{"year": y, "outcome": "M", "usable": True} for y in labels], ["year", "outcome"])
        with pytest.raises(FastmlError, match="over numbers"):
            compare(no_years, None, "trend", None)
        (step,) = compare(no_years, None, "previous", None)  # in the order of the texts
        assert step.weights == {labels.index(max(labels)): 1.0, labels.index(min(labels)): -1.0}
    with pytest.raises(FastmlError, match="a trend needs two rows"):
        compare(Rows([{"year": 2015, "outcome": "M", "usable": True}], ["year", "outcome"]), None, "trend", None)
    with pytest.raises(FastmlError, match="two rows are year 2015 M"):
        Rows([{"year": y, "outcome": "M"} for y in (2015, 2015.0)], ["year", "outcome"])
    with pytest.raises(FastmlError, match="two different years"):
        slope_weights([2015.0, 2015.0])


def test_matching_rows_of_two_tables() -> None:
    made = [{"table": t, "country": c, "outcome": "M", "usable": True} for t in ("new", "old") for c in (1, 2, 3)][:5]
    table = Rows(made, ["table", "country", "outcome"])
    found = list(matches(table, [0, 1, 2], [3, 4], frozenset(["table"])))
    assert sides(found) == [("1 M", "new", "old"), ("2 M", "new", "old")]


@pytest.mark.parametrize(
    ("a", "b", "over", "said"),
    [
        ("x", None, None, "no row has 'x'"),
        ("MATHS", None, None, "did you mean MATH"),
        ({"country": 41}, None, None, "no row has '41' in 'country'; there are 40, 792"),
        ({"land": 40}, None, None, "no column of labels 'land'; it has country, sex, year, outcome"),
        ((40,), None, None, r"\(40,\) has 1 labels, of the columns country, sex, year, outcome"),
        (
            (40, "f", 2011, "SCIE"),
            None,
            None,
            "no row has country 40 and sex f and year 2011 and outcome SCIE together",
        ),
        ([], None, None, "an empty list"),
        ("f", [], None, "an empty list"),
        ("f", "f", None, "nothing is left"),
        ((40, "f", 2011), None, None, "nothing is left"),
        (None, "average", None, "over= one of country, sex, year"),
        (None, "average", "land", "over='land' is no column"),
    ],
)
def test_what_can_not_be(a: Any, b: Any, over: str | None, said: str) -> None:
    with pytest.raises(FastmlError, match=said):
        compare(rows(), a, b, over)


def test_a_label_of_two_columns() -> None:
    table = Rows([{"x": 1, "y": 1, "outcome": "M", "usable": True}], ["x", "y", "outcome"])
    with pytest.raises(FastmlError, match=r"'1' is a label of x and of y; say which, as \{'x': ...\}"):
        table.find(1)
