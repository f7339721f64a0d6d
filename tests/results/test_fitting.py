"""fit_by: a row per part and outcome, the same figures as a fit of that part alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import run
from conftest import countries_together

import fastml
from fastml import FastmlError, FitTable


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 4000
    country = rng.choice(["NOR", "SWE", "FIN", "ISL"], n)
    school = rng.integers(1, 40, n)  # the ids start again in each country
    effect = rng.normal(0, 40, (4, 40))[np.unique(country, return_inverse=True)[1], school]
    math_score = np.where(rng.random(n) < 0.03, np.nan, 500 + effect + rng.normal(0, 80, n))
    return pd.DataFrame({"country": country, "school": school, "math": math_score, "read": 480 + rng.normal(0, 90, n)})


@pytest.mark.parametrize("method", ["reml", "ml", "anova"])
def test_same_figures_as_each_part_alone(frame: pd.DataFrame, method: str) -> None:
    table = fastml.fit_by(frame, ["math", "read"], "school", by="country", method=method)
    assert isinstance(table, FitTable)
    rows = table.to_dict()
    assert [(row["country"], row["outcome"]) for row in rows] == [
        (country, outcome) for country in ("FIN", "ISL", "NOR", "SWE") for outcome in ("math", "read")
    ]
    for row in rows:
        alone = fastml.fit(frame[frame["country"] == row["country"]], row["outcome"], "school", method=method)
        figures = alone.to_dict()
        assert row["status"] == "ok"
        assert (row["message"], row["rows_without_by"]) == (None, 0)
        for name in figures["dropped"]:
            assert row[f"dropped_{name}"] == figures["dropped"][name]
        for name in set(row) & set(figures) - {"outcome", "provenance"}:
            if isinstance(row[name], float):
                assert math.isclose(row[name], figures[name], rel_tol=1e-12), name
            else:
                assert row[name] == figures[name], name
    assert table.complete


@countries_together
def test_every_scalar_field_is_there(frame: pd.DataFrame) -> None:
    table = fastml.fit_by(frame, "math", "school", by="country")
    figures = fastml.fit(frame, "math", "school").to_dict()
    scalars = {name for name, value in figures.items() if isinstance(value, (int, float, str))}
    assert scalars - {"group", "fastml", "schema"} <= set(table.to_frame().columns)
    assert list(table.to_frame().columns)[:2] == ["country", "outcome"]
    assert list(table.to_frame().columns)[-2:] == ["status", "message"]


@pytest.mark.parametrize("method", ["reml", "anova"])
def test_parts_without_a_result_have_a_row_and_a_reason(method: str) -> None:
    cases = {
        "a one group": ([1, 1, 1], [1.0, 2.0, 3.0], "one_group", "one group only"),
        "b singletons": ([1, 2, 3], [1.0, 2.0, 3.0], "singletons", "single observation"),
        "c constant": ([1, 1, 2], [5.0, 5.0, 5.0], "constant", "same value in every row"),
        "d constant inside": ([1, 1, 2], [5.0, 5.0, 6.0], "constant_in_groups", "constant inside every group"),
        "e nothing": ([1, 1, 2], [math.nan] * 3, "no_rows", "no observations"),
        "f fine": ([1, 1, 2], [5.0, 4.0, 9.0], "ok", ""),
        "g apart": ([1, 1, 2], [1.0, 1.0 + 1e-15, 1e150], "almost_constant_in_groups", "more between groups"),
    }
    frame = pd.concat(pd.DataFrame({"c": c, "id": ids, "y": y}) for c, (ids, y, *_) in cases.items())
    table = fastml.fit_by(frame, "y", "id", by="c", method=method)
    assert not table.complete
    for row, (c, (ids, y, status, message)) in zip(table.to_dict(), cases.items(), strict=True):
        used = [i for i, value in zip(ids, y, strict=True) if not math.isnan(value)]
        assert row["c"] == c
        assert row["status"] == status
        assert (row["message"] is None) == (status == "ok")
        assert message in (row["message"] or "")
        assert (row["gamma00"] is None) == (status != "ok")
        assert (row["n_obs"], row["n_groups"]) == (len(used), len(set(used)))
        assert row["n_dropped"] == row["dropped_outcome"] == sum(map(math.isnan, y))
        assert (f"{c} y: {row['message']}" in str(table)) == (status != "ok")
    assert table.to_frame().n_obs.dtype == table.to_frame().n_groups.dtype == "int64"
    json.loads(table.to_json(), parse_constant=pytest.fail)


def test_rows_without_a_label_belong_to_no_part() -> None:
    frame = {"a": ["x", "x", "x", "x", "x", None], "b": [1, 1, 1, 2, None, 1], "id": [1, 1, 2, 1, 1, 1],
             "y": [1.0, 2.0, 5.0, 1.0, 2.0, 3.0]}  # fmt: skip
    rows = fastml.fit_by(frame, "y", "id", by=["a", "b"]).to_dict()
    assert [(row["a"], row["b"], row["n_obs"]) for row in rows] == [("x", 1, 3), ("x", 2, 1)]
    assert [row["rows_without_by"] for row in rows] == [2, 2]


def test_statistics_saved_and_added(frame: pd.DataFrame, tmp_path: Path) -> None:
    direct = fastml.fit_by(frame, ["math", "read"], "school", by="country").to_dict()
    halves = [fastml.group_stats(part, ["math", "read"], "school", by="country") for part in (frame[:999], frame[999:])]
    whole = halves[0] + halves[1]
    whole.write(tmp_path / "s.parquet")
    for other in (fastml.fit_by(whole), fastml.fit_by(tmp_path / "s.parquet", by="country", group="school")):
        for row, true in zip(other.to_dict(), direct, strict=True):
            assert row["icc"] == pytest.approx(true["icc"], rel=1e-12)
    assert len(fastml.fit_by(whole, "read")) == 4


def test_weighted_parts(frame: pd.DataFrame) -> None:
    weighted = frame.assign(w=1.0 + frame.index % 3, v=1.0 + frame["school"] % 2)
    table = fastml.fit_by(weighted, "read", "school", by="country", weights="w", group_weights="v")
    for row in table.to_dict():
        part = weighted[weighted["country"] == row["country"]]
        alone = fastml.fit(part, "read", "school", weights="w", group_weights="v")
        assert row["tau00"] == pytest.approx(alone.tau00, rel=1e-12)
        assert row["aic"] is None


def test_refusals(frame: pd.DataFrame) -> None:
    split = fastml.group_stats(frame, "math", "school", by="country")
    plain = fastml.group_stats(frame, "math", "school")
    status = fastml.group_stats(frame.assign(status="public"), "math", "school", by="status")
    for call, message in (
        (lambda: fastml.fit_by(frame, "math", "school"), "name outcome, group and by"),
        (lambda: fastml.fit_by(plain), "the statistics are not split"),
        (lambda: fastml.fit_by(split, by="school"), "split by country"),
        (lambda: fastml.fit_by(split, "read"), "the statistics hold no other"),
        (lambda: fastml.fit(split), "are split by country"),
        (lambda: fastml.fit_by(frame, "math", "school", by="school"), "is named as by and as group"),
        (lambda: fastml.fit_by(frame.assign(t=1), "math", "school", by="t"), "by column 't' has the name of a column"),
        (lambda: fastml.fit_by(frame[:0], "math", "school", by="country"), "there are no rows to fit; check the files"),
        (lambda: fastml.fit_by(frame, "math", "school", by="country", filter="math > 1e9"), "there are no rows to fit"),
        (lambda: fastml.fit_by(status, by="status"), "by column 'status' has the name of a column of the table"),
    ):
        with pytest.raises(FastmlError, match=message):
            call()


def test_command_line(frame: pd.DataFrame, tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "t.parquet")
    call = ["fit", tmp_path / "t.parquet", "-y", "math", "-g", "school", "--by", "country"]
    done = run(*call, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    made = {"files": [str(tmp_path / "t.parquet")], "n_files": 1}
    rows = fastml.fit_by(frame, "math", "school", by="country").to_dict()
    assert json.loads(done.stdout) == [row | {"provenance": row["provenance"] | made} for row in rows]
    pq.write_table(pa.Table.from_pandas(frame[:30].assign(school=1)), tmp_path / "t.parquet")
    assert run(*call).returncode == 3
