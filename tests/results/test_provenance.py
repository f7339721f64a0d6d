"""Every form of every result says what made it, wherever the rows came from."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml.report.provenance import SCHEMA

DATA = {
    "c": ["A"] * 8 + ["B"] * 4 + [None],
    "s": [1, 1, 2, 2, 3, 3, 4, 4, 1, 1, 1, 1, 1],
    "w": [1.0, 2.0] * 6 + [1.0],
    "v": [3.0] * 13,
    "y": [1.5, 2.5, 4.5, 5.5, 3.25, 2.25, 9.5, 8.0, 3.5, 4.5, 5.5, 1.0, 2.0],
}
FILTER = "y > 1.25"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("made")
    whole = pa.table(DATA)
    paths = [folder / "a.parquet", folder / "b.parquet"]
    for path, part in zip(paths, (whole.slice(0, 6), whole.slice(6)), strict=True):
        pq.write_table(part, path)
    return paths


def made_of(files: list[Path], by: bool) -> Any:
    columns = {"weights": "w", "group_weights": "v", "weight_scaling": "effective"}
    if by:
        return fastml.fit_by(files, "y", "s", by="c", filter=FILTER, **columns)  # type: ignore[arg-type]
    return fastml.fit(files, "y", ["c", "s"], filter=FILTER, **columns)  # type: ignore[arg-type]


@pytest.mark.parametrize("by", [False, True])
def test_every_form_says_version_schema_files_filter_and_columns(files: list[Path], by: bool, tmp_path: Path) -> None:
    result = made_of(files, by)
    made = result.provenance
    assert made == {
        "content": "fit table" if by else "fit", "fastml": fastml.__version__, "schema": SCHEMA,
        "files": [str(path) for path in files], "n_files": 2, "filter": FILTER, "missing": [], "csv_options": None,
        "outcomes": {"y": ["y"]},
        "by": ["c"] if by else [], "group": "s" if by else ["c", "s"], "weights": "w", "group_weights": "v",
        "weights_are": "total", "weight_scaling": "effective", "vcov": "cr2", "bias": None, "notes": [],
    }  # fmt: skip
    stamp = {"fastml": fastml.__version__, "schema": SCHEMA, "provenance": made}
    for one in (result, result.with_intervals(0.9)):
        rows = one.to_dict() if by else [one.to_dict()]
        assert all(list(row)[-3:] == list(stamp) and row.items() >= stamp.items() for row in rows)
        found = json.loads(one.to_json())
        assert found == (rows if by else rows[0])
        lines = list(csv.DictReader(io.StringIO(one.to_csv())))
        assert len(lines) == len(rows)
        for line in lines:
            said = (line["fastml"], int(line["schema"]), json.loads(line["provenance"]))
            assert said == tuple(stamp.values())
        assert one.to_frame().attrs["provenance"] == made
        one.write(tmp_path / "one.parquet")
        for table in (one.to_arrow(), pq.read_table(tmp_path / "one.parquet")):
            assert json.loads(table.schema.metadata[b"fastml"]) == made
    for text in (str(result), result.to_markdown(), result.to_latex(), result.to_html(), result.report_html()):
        plain = text.replace("\\textgreater{}", ">").replace("&gt;", ">").replace("\\", "")
        for said in (f"fastml {fastml.__version__}, schema {SCHEMA}", "a.parquet", "b.parquet", FILTER,
                     "total weights w, school weights v, scaling effective"):  # fmt: skip
            assert said in plain, said
        assert not by or "groups s" in plain


def test_statistics_say_what_they_were_made_of(files: list[Path], tmp_path: Path) -> None:
    """A fit of them has the files of the rows, not of the statistics; so has one of their sum."""
    for i, (path, condition) in enumerate(zip(files, (FILTER, None), strict=True)):
        stats = fastml.group_stats(path, "y", "s", by="c", filter=condition, min_group_size=1 + i)
        stats.write(tmp_path / f"{i}.parquet")
    made = fastml.fit_by([tmp_path / "0.parquet", tmp_path / "1.parquet"]).provenance
    assert made["files"] == [str(path) for path in files]
    assert made["filter"] == f"{FILTER}; none"
    assert made["notes"][-1].startswith("groups of fewer than 2 left out: ")
    alone = fastml.fit_by(tmp_path / "0.parquet")
    assert (alone.provenance["files"], alone.provenance["filter"]) == ([str(files[0])], FILTER)
    assert (alone.provenance["by"], alone.provenance["group"]) == (["c"], "s")


def test_rows_of_a_table_name_the_first_files_only(tmp_path: Path) -> None:
    """Forty files for each of forty countries are not named in each of forty rows; metadata name them all."""
    for i in range(24):
        pq.write_table(pa.table(DATA), tmp_path / f"{i:02}.parquet")
    table, one = fastml.fit_by(tmp_path, "y", "s", by="c"), fastml.fit(tmp_path, "y", "s")
    assert len(table.provenance["files"]) == len(one.to_dict()["provenance"]["files"]) == 24
    rows = [*table.to_dict(), *json.loads(table.to_json())]
    rows += [{"provenance": json.loads(line["provenance"])} for line in csv.DictReader(io.StringIO(table.to_csv()))]
    assert len(rows) == 6
    for row in rows:
        assert row["provenance"] == table.provenance | {"files": table.provenance["files"][:20]}
        assert row["provenance"]["n_files"] == 24
    assert f"24 files, {tmp_path / '00.parquet'} to {tmp_path / '23.parquet'}" in str(table)


def test_fits_of_rows_are_as_of_their_statistics(files: list[Path]) -> None:
    direct, through = (fastml.fit(source, "y", "s").provenance
                       for source in (files, fastml.group_stats(files, "y", "s")))  # fmt: skip
    assert direct == through


def test_data_in_memory_have_no_file_but_a_filter() -> None:
    made = fastml.fit(pd.DataFrame(DATA), "y", "s", filter="y > 2").provenance
    assert (made["files"], made["filter"]) == ([], "y > 2")
    table = fastml.GroupStats.from_summary(group=["a", "b"], n=[20, 31], mean=[540, 470], sd=[88, 79])
    assert (fastml.fit(table).provenance["files"], fastml.fit(table).provenance["filter"]) == ([], None)


def test_data_in_memory_beside_files_are_told_with_their_filter(files: list[Path], tmp_path: Path) -> None:
    def made(of_file: str | None, of_memory: str | None) -> str:
        added = fastml.group_stats(DATA, "y", "s", filter=of_memory) + fastml.group_stats(
            files[0], "y", "s", filter=of_file
        )
        added.write(tmp_path / "added.parquet")
        fit = fastml.fit(tmp_path / "added.parquet")
        assert fit.provenance == fastml.fit(added).provenance
        note = "; ".join(fit.provenance["notes"])
        filtered = f"; filter {of_file}" if of_file else ""
        assert f"; file {files[0]}{filtered}; {note}" in str(fit)
        assert (fit.provenance["files"], fit.provenance["filter"]) == ([str(files[0])], of_file)
        return note

    assert made(None, None) == "and data in memory"
    assert made(FILTER, FILTER) == "and data in memory"
    assert made(None, "y > 2") == "and data in memory, filter y > 2"
    assert made(FILTER, "y > 2") == "and data in memory, filter y > 2"
    assert made(FILTER, None) == "and data in memory, filter none"


CODES, OPTIONS = [99.0, "k.A."], {"decimal": ",", "missing": ["?"], "types": {"s": pa.string()}}


@pytest.mark.parametrize("by", [None, "c"])
def test_codes_of_missing_values_and_options_of_text_files_are_told(by: str | None, tmp_path: Path) -> None:
    """Of fits of rows, and of the statistics that were kept of them; of a sum, where its parts differ."""
    path = tmp_path / "a.csv"
    path.write_text(
        "c;s;y\n" + "".join(f"{c};{s};{s + k},5\n" for c in "ab" for s in range(3) for k in range(3)) + "a;1;99\n"
    )
    call = {"filter": "y > 1", "missing": CODES, "csv_options": OPTIONS}
    fit: Any = fastml.fit if by is None else partial(fastml.fit_by, by=by)
    made = fit(path, "y", "s", **call)
    said = made.provenance
    assert said["missing"] == [99.0, "?", "k.A."]
    assert said["csv_options"] == {"decimal": ",", "types": {"s": "string"}}
    assert f"; file {path}; filter y > 1; missing 99, ?, k.A." in str(made)
    fastml.group_stats(path, "y", "s", by=by, **call).write(tmp_path / "a.stats")
    kept = fastml.GroupStats.read(tmp_path / "a.stats")
    assert kept.origins == made.stats.origins
    again = fastml.fit(kept) if by is None else fastml.fit_by(kept)
    assert again.provenance == said
    b = tmp_path / "b.csv"
    b.write_text(path.read_text() + "b;2;9\n")
    both = kept + fastml.group_stats(b, "y", "s", by=by, missing=(), csv_options={**OPTIONS, "delimiter": ";"})
    said = (fastml.fit(both) if by is None else fastml.fit_by(both)).provenance
    assert (said["missing"], said["csv_options"]) == ([99.0, "?", "k.A."], None)
    assert said["notes"] == ["codes of missing values differ: 99, ?, k.A.; ?"]


def test_data_in_memory_have_codes_too() -> None:
    assert fastml.fit(DATA, "y", "s", missing=9.5).provenance["missing"] == [9.5]
    relation = duckdb.from_arrow(pa.table(DATA))
    assert fastml.fit(relation, "y", "s", missing=[9.5]).provenance["missing"] == [9.5]
    said = fastml.fit(DATA, "y", "s", missing=()).provenance
    assert (said["missing"], said["csv_options"]) == ([], None)


def test_statistics_that_a_fit_keeps_know_what_they_were_made_of(files: list[Path]) -> None:
    """As those that are gathered: of which file, so that its rows don't count twice."""
    gathered = fastml.group_stats(files, "y", "s").origins
    assert all(origin.digest and origin.is_file for origin in gathered)
    assert fastml.fit(files, "y", "s").stats.origins == gathered
    assert fastml.fit(fastml.group_stats(files, "y", "s")).stats.origins == gathered
    parts = fastml.fit_by(files, "y", "s", by="c").stats
    assert parts is not None
    assert parts.origins == gathered


def test_school_means_and_results_are_rows_like_any_other(files: list[Path], tmp_path: Path) -> None:
    """They are no statistics, though their schema says what made them."""
    fit = fastml.fit(files, "y", ["c", "s"])
    fit.write_groups(tmp_path / "schools.parquet")
    said = json.loads(pq.read_table(tmp_path / "schools.parquet").schema.metadata[b"fastml"])
    assert said == fit.provenance | {"content": "school means"}
    again = fastml.fit(tmp_path / "schools.parquet", "mean", "c")
    assert (again.n_obs, again.n_groups) == (5, 2)
    with pytest.raises(fastml.FastmlError, match="holds no fastml statistics"):
        fastml.GroupStats.read(tmp_path / "schools.parquet")


def test_counts_are_integers_where_a_part_failed(tmp_path: Path) -> None:
    y = np.array(DATA["y"])
    for method in ("reml", "anova"):
        table = fastml.fit_by({**DATA, "y": np.where(np.arange(13) < 8, y, np.nan)}, "y", "s", by="c", method=method)
        assert [row["status"] for row in table.to_dict()] == ["ok", "no_rows"]
        for form in (str(table), table.to_html(), table.to_markdown(), table.to_latex(), table.report_html()):
            # The code with its message, in each form.
            assert re.search(r"there are no observations to fit.* \(no_rows\)", form.replace("\\", ""))
        frame = table.to_frame()
        counts = [name for name in frame.columns if name.startswith(("n_", "dropped_", "rows_"))
                  and name != "n_eff"]  # fmt: skip
        assert len(counts) == 8
        assert {str(frame[name].dtype) for name in counts} == {"int64"}
        assert str(frame["singular"].dtype) == "boolean"
        assert all(type(row[name]) is int for row in table.to_dict() for name in counts)
        (_, failed) = csv.DictReader(io.StringIO(table.to_csv()))
        assert [failed[name] for name in ("n_obs", "n_groups", "n_dropped")] == ["0", "0", "4"]
        assert '"n_obs": 0,' in table.to_json()
        table.write(tmp_path / "t.parquet")
        schema = pq.read_table(tmp_path / "t.parquet").schema
        assert {str(schema.field(name).type) for name in counts} == {"int64"}
