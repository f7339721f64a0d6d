"""The lists of fields: a change takes a new schema number, the manual prints them, and outputs have these and no others."""

from __future__ import annotations

import csv
import io
import json
import runpy
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import ROOT
from surveys import timss

import fastml
from fastml.errors import Status
from fastml.inference.parameters import PARAMETERS
from fastml.report import fields
from fastml.report.provenance import SCHEMA, STAMP
from fastml.survey.replication import FIGURES

OUTPUTS = runpy.run_path(str(ROOT / "docs" / "make_outputs.py"))

ROWS = {
    "c": ["A"] * 8 + ["B"] * 4,
    "s": [1, 1, 2, 2, 3, 3, 4, 4, 1, 1, 1, 1],
    "w": [1.0, 2.0] * 6,
    "v": [3.0] * 12,
    "y": [1.5, 2.5, 4.5, 5.5, 3.25, 2.25, 9.5, 8.0, 3.5, 4.5, 5.5, 1.0],
}
WEIGHTED = {"weights": "w", "group_weights": "v"}


def test_a_field_changes_with_the_number_of_the_schema_only() -> None:
    """Or else: give SCHEMA the next number, and run docs/make_outputs.py, which writes the new list."""
    kept = json.loads(OUTPUTS["file_of"](SCHEMA).read_text())
    made = OUTPUTS["schema"]()
    assert made.keys() == kept.keys()
    for name in made:
        assert list(made[name].items() if isinstance(made[name], dict) else made[name]) == list(
            kept[name].items() if isinstance(kept[name], dict) else kept[name]
        ), name
    numbers = sorted(int(path.stem) for path in OUTPUTS["file_of"](SCHEMA).parent.glob("*.json"))
    assert numbers == list(range(1, SCHEMA + 1))


def test_the_manual_prints_the_lists() -> None:
    text = OUTPUTS["PAGE"].read_text()
    assert OUTPUTS["page"](text) == text
    for found in OUTPUTS["LISTS"].values():
        pooled = {prefix + name for name in fields.SURVEY_FIGURES for prefix in fields.PARTS_OF_ERROR}
        assert all(f"| `{name}` | " in text for name in found if name not in pooled)
    assert f'row["schema"] == {SCHEMA}' in text


def test_names_are_those_of_the_rooms_that_make_them() -> None:
    assert tuple(fields.STATUSES) == get_args(Status)
    assert tuple(fields.SURVEY_FIGURES) == FIGURES
    assert [name.removeprefix("ci_low_") for name in fields.FIT_INTERVALS if name.startswith("ci_low")] == list(
        PARAMETERS
    )
    assert set(fields.FIT) <= {*vars(fastml.OneWayFit), *fastml.OneWayFit.__dataclass_fields__, *dir(fastml.OneWayFit),
                               *fields.DROPPED}  # fmt: skip


def outputs() -> dict[str, tuple[Any, list[str], dict[str, Any]]]:
    """Results of every kind: the result, its by-columns, and the fields that follow."""
    fit = fastml.fit(ROWS, "y", ["c", "s"])
    boundary = fastml.fit({"y": [1.0, 9.0, 2.0, 8.0], "s": [1, 1, 2, 2]}, "y", "s", method="anova")
    weighted = fastml.fit(ROWS, "y", "s", **WEIGHTED)  # type: ignore[arg-type]
    with_limits = {**fields.FIT, **fields.FIT_INTERVALS}
    table = fastml.fit_by(ROWS, "y", "s", by="c")
    heavy = fastml.fit_by(ROWS, "y", "s", by="c", **WEIGHTED)  # type: ignore[arg-type]
    names = list(fields.FIT_TABLE)
    wide = {name: fields.FIT_TABLE[name] for name in names[:-2]} | {**fields.FIT_TABLE_INTERVALS}
    wide |= {name: fields.FIT_TABLE[name] for name in names[-2:]}
    data = timss()
    data["IDCNTRY"] = np.where(np.arange(len(data["TOTWGT"])) < 90, 40, 792)
    survey = fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY", average=True)
    return {
        "fit": (fit, [], dict(fields.FIT)),
        "fit on the boundary": (boundary, [], dict(fields.FIT)),
        "weighted fit": (weighted, [], dict(fields.FIT)),
        "fit with intervals": (fit.with_intervals(), [], with_limits),
        "boundary with intervals": (boundary.with_intervals(), [], with_limits),
        "weighted with intervals": (weighted.with_intervals(0.9), [], with_limits),
        "table": (table, ["c"], dict(fields.FIT_TABLE)),
        "weighted table": (heavy, ["c"], dict(fields.FIT_TABLE)),
        "table with intervals": (table.with_intervals(), ["c"], wide),
        "survey": (survey, ["IDCNTRY"], dict(fields.SURVEY_TABLE)),
        "check": (fastml.check(ROWS, "y", "s", by="c", against=ROWS), ["c"], dict(fields.CHECK_TABLE)),
        "plan": (fastml.plan(0.2, 100, 20), [], dict(fields.PLAN)),
    }


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[Any, list[str], dict[str, Any]]]:
    return outputs()


PYTHON = {"double": float, "int64": int, "string": str, "bool": bool}
PANDAS = {"double": {"float64"}, "int64": {"int64"}, "string": {"str", "object", "string"}, "bool": {"bool", "boolean"}}


def test_every_form_has_the_fields_of_its_list_and_no_others(made: dict[str, Any]) -> None:
    for kind, (result, by, expected) in made.items():
        table = result.to_arrow()
        assert table.column_names == [*by, *expected], kind
        for name, field in expected.items():
            assert table.schema.field(name).type == field.arrow, (kind, name)
        frame = result.to_frame()
        assert list(frame.columns) == table.column_names, kind
        for name, field in expected.items():
            assert str(frame[name].dtype) in PANDAS[field.type], (kind, name, frame[name].dtype)
        header = next(csv.reader(io.StringIO(result.to_csv())))
        assert header == [*table.column_names, *STAMP], kind


def test_json_has_them_with_plain_values_of_their_types(made: dict[str, Any]) -> None:
    for kind, (result, by, expected) in made.items():
        found = json.loads(result.to_json())
        for row in found if isinstance(found, list) else [found]:
            names = list(dict.fromkeys("dropped" if n in fields.DROPPED and not by else n for n in expected))
            assert list(row) == [*by, *names, *STAMP], kind
            if "dropped" in row:
                assert [f"dropped_{cause}" for cause in row["dropped"]] == list(fields.DROPPED)
                assert all(type(count) is int for count in row["dropped"].values())
            for name, field in expected.items():
                value = row.get(name)
                several = name == "group" and isinstance(value, list)
                assert value is None or several or type(value) is PYTHON[field.type], (kind, name, value)
            assert set(fields.PROVENANCE) <= set(row["provenance"]), kind


def test_counts_are_never_missing(made: dict[str, Any]) -> None:
    for kind, (result, _, expected) in made.items():
        table = result.to_arrow()
        for name, field in expected.items():
            assert field.type != "int64" or table[name].null_count == 0, (kind, name)


def test_by_columns_of_integers_stay_such_beside_an_average(made: dict[str, Any]) -> None:
    frame = made["survey"][0].to_frame()
    assert frame["IDCNTRY"].dtype == pd.Int64Dtype()
    assert frame["IDCNTRY"].tolist() == [40, 792, pd.NA]


def test_school_means(made: dict[str, Any]) -> None:
    schema = made["fit"][0].groups_arrow().schema
    assert schema.names == ["c", "s", *fields.SCHOOLS]
    assert all(schema.field(name).type == field.arrow for name, field in fields.SCHOOLS.items())


def test_a_field_knows_its_type() -> None:
    assert fields.Field("int64", "", "").arrow == pa.int64()
    assert fields.Field("double", "", "").arrow == pa.float64()


def test_by_columns_may_not_be_called_as_a_field() -> None:
    for name in ("schema", "provenance", "fastml", "level", "ci_notes", "df_method", "rows_without_by"):
        with pytest.raises(fastml.FastmlError, match=f"by column '{name}' has the name of a column"):
            fastml.fit_by({**ROWS, name: ROWS["c"]}, "y", "s", by=name)
