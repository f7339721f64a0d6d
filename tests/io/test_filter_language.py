"""The text of a filter is a tree of conditions, or refused where it stops making sense."""

from __future__ import annotations

import datetime

import pytest

from fastml import FastmlError
from fastml.io.conditions import AllOf, AnyOf, Column, Comparison, IsIn, IsNull, Not
from fastml.io.filter_language import parse


@pytest.mark.parametrize(
    ("text", "place"),
    [("", "at its end"), ("cycle =", "at its end"), ("cycle ~ 3", "at '~ 3'"), ("cycle = 3)", "at '\\)'"),
     ("(cycle = 3", "at its end"), ("id in ()", "at '\\)'"), ("__import__('os')", "at \"\\('os'\\)\""), ("id = 3; drop", "at '; drop'"),
     ("cycle", "at its end"), ("d = DATE '2019-02-30'", "at \"'2019-02-30'\""), ("id is 3", "at '3'"), ("id = 'a", "at \"'a\"")],
)  # fmt: skip
def test_what_is_no_condition(text: str, place: str) -> None:
    with pytest.raises(FastmlError, match=place):
        parse(text)


@pytest.mark.parametrize(("text", "tree"), [
    ("a = 1", Comparison(Column("a"), "=", 1)),
    ("a == 1.5", Comparison(Column("a"), "=", 1.5)),
    ("`a b` != 'it''s'", Comparison(Column("a b"), "<>", "it's")),
    ('"a""b" is not null', Not(IsNull(Column('a"b')))),
    ("not not a <= b", Comparison(Column("a"), "<=", Column("b"))),
    ("not not not a is null", Not(IsNull(Column("a")))),
    ("a not in (1, TRUE, 'x')", Not(IsIn(Column("a"), (1, True, "x")))),
    ("a between 1 and 2", AllOf((Comparison(Column("a"), ">=", 1), Comparison(Column("a"), "<=", 2)))),
    ("a > date '2020-02-29'", Comparison(Column("a"), ">", datetime.date(2020, 2, 29))),
    ("a = 1 or b = 2 and c = 3", AnyOf((Comparison(Column("a"), "=", 1),
                                        AllOf((Comparison(Column("b"), "=", 2), Comparison(Column("c"), "=", 3)))))),
])  # fmt: skip
def test_trees(text: str, tree: object) -> None:
    assert parse(text) == tree


def test_numbers_keep_every_digit_that_a_column_holds() -> None:
    for digits in ("9" * 38, "-" + "9" * 38, "18446744073709551615"):
        assert parse(f"k = {digits}") == Comparison(Column("k"), "=", int(digits))
    assert parse("k = 1e999") == Comparison(Column("k"), "=", float("inf"))


def test_what_would_be_too_much_is_refused() -> None:
    for text, message in (
        ("(" * 60 + "a = 1" + ")" * 60, "nested too deep"),
        (" or ".join(["a = 1"] * 1001), "more than 1,000 comparisons; use IN"),
        (f"a in ({', '.join(['b'] * 1001)})", "more than 1,000 comparisons"),
        ("a = '\udcff'", "half a character"),
    ):
        with pytest.raises(FastmlError, match=message):
            parse(text)
    assert len(parse(" or ".join(["a = 1"] * 1000)).conditions) == 1000
    assert len(parse(f"a in ({', '.join(['1'] * 5000)})").values) == 5000
    assert parse("(" * 40 + "a = 1" + ")" * 40) == parse("a = 1") == parse("not " * 5000 + "a = 1")
