"""A condition knows its columns, and is an expression of Arrow's for columns of known types."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fastml.io.conditions import AllOf, AnyOf, Column, Comparison, IsIn, IsNull, Not, columns_of

A, B = Column("a"), Column("b")
TYPES = {"a": pa.int64(), "b": pa.string()}


@pytest.mark.parametrize(("condition", "columns", "expression"), [
    (Comparison(A, "<", 3), {"a"}, pc.field("a") < pa.scalar(3)),
    (Comparison(3, "<", A), {"a"}, pc.field("a") > pa.scalar(3)),
    (IsIn(A, (1, 2)), {"a"}, (pc.field("a") == pa.scalar(1)) | (pc.field("a") == pa.scalar(2))),
    (IsNull(B), {"b"}, pc.field("b").is_null()),
    (IsNull(3), set(), pc.scalar(False)),
    (Not(IsNull(B)), {"b"}, ~pc.field("b").is_null()),
    (AllOf((IsNull(A), IsNull(B))), {"a", "b"}, pc.field("a").is_null() & pc.field("b").is_null()),
    (AnyOf((IsNull(A), IsNull(B), IsNull(A))), {"a", "b"},
     (pc.field("a").is_null() | pc.field("b").is_null()) | pc.field("a").is_null()),
])  # fmt: skip
def test_expressions(condition: object, columns: set[str], expression: pc.Expression) -> None:
    assert columns_of(condition) == columns
    assert condition.expression(TYPES).equals(expression)


def test_names_in_texts_are_no_columns() -> None:
    assert columns_of(IsIn(A, ("b", B, "c"))) == {"a", "b"}
    assert columns_of(Comparison("a", "=", "b")) == set()
