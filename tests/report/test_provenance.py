"""What every output says of itself."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fastml
from fastml.report.fields import PROVENANCE, STAMP_FIELDS
from fastml.report.provenance import (
    SCHEMA,
    STAMP,
    data_text,
    made_text,
    provenance,
    read_metadata,
    stamp,
    with_metadata,
)

MADE = provenance("fit", files=["a.csv"], filter="x > 1", outcomes={"y": ("y1", "y2")}, group=["c", "s"], level=0.9)


def test_the_names_are_those_of_the_manual_then_the_options() -> None:
    assert list(MADE) == [*PROVENANCE, "level"]
    assert (MADE["fastml"], MADE["schema"], MADE["group"]) == (fastml.__version__, SCHEMA, ["c", "s"])
    assert MADE["outcomes"] == {"y": ["y1", "y2"]}
    assert provenance("fit", group=("s",))["group"] == "s"


def test_a_row_ends_with_the_stamp() -> None:
    assert tuple(stamp(MADE)) == STAMP == tuple(STAMP_FIELDS)
    assert stamp(MADE)["provenance"] == MADE
    many = provenance("fit table", files=list("x" * 30))
    assert stamp(many)["provenance"] == many
    assert stamp(many, 2)["provenance"] == many | {"files": list("x" * 20)}


def test_a_table_keeps_it_beside_what_its_schema_says_already() -> None:
    table = with_metadata(pa.table({"x": [1]}).replace_schema_metadata({"interval": "plug-in"}), MADE)
    assert read_metadata(table) == MADE
    assert table.schema.metadata[b"interval"] == b"plug-in"
    assert read_metadata(table.add_column(0, "z", [["a"]]).slice(0, 0)) == MADE
    assert read_metadata(pa.table({"x": [1]})) == provenance("table")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ({}, "fastml 1, schema 2"),
        ({"files": ["a"]}, "fastml 1, schema 2; file a"),
        ({"files": list("abc"), "filter": "x = 1"}, "fastml 1, schema 2; files a, b, c; filter x = 1"),
        ({"files": list("a" * 1999 + "z")}, "fastml 1, schema 2; 2,000 files, a to z"),
        ({"notes": ["3 groups left out"]}, "fastml 1, schema 2; 3 groups left out"),
        ({"missing": [9.0, "k.A."], "filter": "x"}, "fastml 1, schema 2; filter x; missing 9, k.A."),
        ({"missing": [float(i) for i in range(9)]}, "fastml 1, schema 2"),
    ],
)
def test_a_line_names_a_few_files(made: dict[str, object], text: str) -> None:
    given = {"fastml": "1", "schema": 2, "files": [], "filter": None, "group": None} | made
    assert data_text(given) == made_text(given) == text
    assert made_text({**given, "group": "s"}) == f"groups s; {text}"
    assert made_text({**given, "group": ["c", "s"]}) == f"groups c, s; {text}"
