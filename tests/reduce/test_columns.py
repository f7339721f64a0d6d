"""The columns of a call: names, formula, what is refused."""

from __future__ import annotations

import pytest

import fastml
from fastml import FastmlError
from fastml.errors import ColumnsMissingError, FormulaError
from fastml.reduce.columns import CallColumns, list_names

ONE = {"y": [1.0, 2.0, 4.0, 8.0], "id": [1, 1, 2, 2]}


def test_formula() -> None:
    plain = fastml.fit(ONE, "y", "id").to_dict()
    for formula in ("y ~ 1 + (1 | id)", "y~1+(1|id)", " y  ~ 1 + ( 1 | `id` ) ", "y ~ (1 | id)"):
        assert fastml.fit(ONE, formula).to_dict() == plain
    assert fastml.fit({"a b": ONE["y"], "id": ONE["id"]}, "`a b` ~ 1 + (1 | id)").outcome == "a b"


def test_names_of_an_argument() -> None:
    assert list_names(None) == ()
    assert list_names("y") == ("y",)
    assert list_names(["y", "z"]) == ("y", "z")
    assert list_names(3) == (3,)


def test_what_is_read() -> None:
    columns = CallColumns(("y", "z"), ("g",), ("c", "cycle"), "w", "v", {"cycle": 2019})
    columns.check()
    assert columns.split == ("c",)
    assert columns.keys == ("c", "g")
    assert columns.to_read == ("c", "g", "y", "z", "w", "v")
    assert columns.weighted
    plain = CallColumns(("y",), ("g",))
    plain.check()
    assert plain.to_read == ("g", "y")
    assert not plain.weighted
    assert not plain.constant


def test_a_formula_stands_for_both() -> None:
    columns = CallColumns(("`a b` ~ (1 | g.h)",), (), (), "w").from_formula()
    assert (columns.outcomes, columns.group, columns.weights) == (("a b",), ("g.h",), "w")
    for unchanged in (
        CallColumns(("y ~ 1",), ("g",)),
        CallColumns(("y",), ()),
        CallColumns((3,), ()),
        CallColumns((), ()),
    ):  # type: ignore[arg-type]
        assert unchanged.from_formula() is unchanged
    with pytest.raises(FormulaError, match="x"):
        CallColumns(("y ~ x + (1 | g)",), ()).from_formula()


@pytest.mark.parametrize(("columns", "message"), [
    (CallColumns(("y",), ("g",), weights=""), "weights=''"),
    (CallColumns(("y",), ("g",), group_weights=3), "group_weights=3"),
    (CallColumns(("y",), ("g",), tags=["cycle"]), "tags="),
    (CallColumns(("y", "y"), ("g",)), "outcome=.* names a column twice"),
    (CallColumns(("y",), ("g", 3)), "group=3"),
    (CallColumns(("y",), ("g",), ("y",)), "'y' is named as outcome and as by"),
    (CallColumns(("y",), ("g",), ("g",)), "'g' is named as by and as group"),
    (CallColumns(("y",), ("g",), tags={"g": 1}), "'g' is named as tags and as group"),
])  # fmt: skip
def test_what_is_refused(columns: CallColumns, message: str) -> None:
    with pytest.raises(FastmlError, match=message):
        columns.check()


def test_rows_need_an_outcome_and_a_group() -> None:
    for columns in (CallColumns((), ("g",)), CallColumns(("y",), ())):
        with pytest.raises(ColumnsMissingError):
            columns.check()
