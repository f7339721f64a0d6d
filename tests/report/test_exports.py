"""The forms of one result: JSON, CSV, a frame, Arrow, Parquet, and those of the command line."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pyarrow as pa
import pytest
from commandline import run

import fastml
from fastml import OneWayFit


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


@pytest.fixture(scope="module")
def boundary() -> OneWayFit:
    return fastml.fit({"y": [1.0, 9.0, 2.0, 8.0], "id": [1, 1, 2, 2]}, "y", "id")


def test_json_has_null_never_nan(fit: OneWayFit, boundary: OneWayFit) -> None:
    assert json.loads(fit.to_json()) == fit.to_dict()
    figures = json.loads(boundary.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert figures["se_tau00"] is None
    assert figures["singular"] is True
    infinite = fastml.fit({"y": [1.0, 2.0, 5.0, 6.0], "id": [1, 1, 2, 2]}, "y", "id", df="normal")
    assert infinite.df == math.inf
    assert json.loads(infinite.to_json())["df"] is None


def test_one_row_frame_and_csv(fit: OneWayFit) -> None:
    frame = fit.to_frame()
    assert frame.shape[0] == 1
    assert frame.loc[0, "gamma00"] == fit.gamma00
    assert frame.loc[0, "group"] == "idschool"
    assert frame.loc[0, "dropped_outcome"] == 0
    (values,) = csv.DictReader(io.StringIO(fit.to_csv()))
    assert float(values["tau00"]) == fit.tau00
    assert fit.to_csv().count("\n") == 2
    assert list(values) == [*frame.columns, "fastml", "schema", "provenance"]
    assert json.loads(values["provenance"]) == fit.provenance == frame.attrs["provenance"]


def test_every_fit_has_the_same_columns_of_the_same_types(boundary: OneWayFit) -> None:
    data = {"y": [1.0, 9.0, 2.0, 8.0, 5.5, 7.0], "id": [1, 1, 2, 2, 3, 3], "w": [1.0] * 6}
    weighted = fastml.fit({**data, "v": [2.0] * 6}, "y", "id", weights="w", group_weights="v")
    assert boundary.to_arrow()["se_tau00"].to_pylist() == [None]
    types = {field.name: field.type for field in fastml.fit(data, "y", "id").to_arrow().schema}
    for other in (boundary, weighted):
        found = {field.name: field.type for field in other.to_arrow().schema}
        assert found == types
    both = pa.concat_tables([boundary.to_arrow(), fastml.fit(data, "y", "id", method="anova").to_arrow()])
    assert both["loglik"].to_pylist() == [boundary.loglik, None]


def test_names_with_line_ends_come_back_from_csv() -> None:
    import pandas as pd

    table = pa.table(
        {"g\rh": ["a\rb", "a\rb", "c\nd", "c\nd", "e\r\nf", "e\r\nf"], "y": [1.0, 2.0, 5.0, 6.0, 1.0, 3.0]}
    )
    fit = fastml.fit(table, "y", "g\rh")
    back = pd.read_csv(io.StringIO(fit.to_csv(), newline=""))
    assert len(back) == 1
    assert back["group"][0] == "g\rh"
    assert fit.to_csv().endswith("\n")
    assert "\r\n" not in fit.to_csv()


@pytest.mark.parametrize("form", ["markdown", "latex", "html"])
def test_forms_on_the_command_line(form: str, fit: fastml.OneWayFit, lecture_file: Path) -> None:
    done = run("fit", lecture_file, "-y", "bsmmatxx", "-g", "idschool", "--format", form)
    assert done.returncode == 0
    assert done.stdout == getattr(fit, f"to_{form}")() + "\n"


def test_parquet_on_the_command_line(lecture_file: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    words = ["fit", lecture_file, "-y", "bsmmatxx", "-g", "idschool", "--format", "parquet"]
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastml: --format parquet needs a file: name it with -o\n"
    assert run(*words, "-o", tmp_path / "fit.parquet").returncode == 0
    assert pq.read_table(tmp_path / "fit.parquet")["icc"].to_pylist() == [pytest.approx(0.5114, abs=1e-4)]
