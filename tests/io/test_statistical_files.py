"""SPSS, Stata and SAS files: what they declare missing, dates, labels and encodings."""

from __future__ import annotations

import datetime as dt
import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from files import same

import fastml
from fastml import FastmlError
from fastml.io.source import Input, open_source

pyreadstat = pytest.importorskip("pyreadstat")

KINDS = ["sav", "zsav", "por", "dta", "xpt"]
DAY, WHEN = dt.date(2020, 1, 31), dt.datetime(2020, 1, 31, 12, 30)


def write(frame: pd.DataFrame, path: Path, **options: Any) -> Path:
    """Write a file of the kind that its ending says."""
    kind = path.suffix[1:]
    if kind == "zsav":
        options["compress"] = True
    writer = {"sav": "sav", "zsav": "sav", "xpt": "xport"}.get(kind, kind)
    getattr(pyreadstat, f"write_{writer}")(frame, path, **options)
    return path


def rows(path: Path, *columns: str, **options: Any) -> dict[str, list[Any]]:
    """The columns of a file."""
    source = open_source(Input(path, progress=False, **options), columns)
    return dict(pa.Table.from_batches(list(source.batches), source.schema).to_pydict())


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_every_kind_in_pieces(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastml.io.statistical_files.VALUES", 100)
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"ID": np.repeat(np.arange(20.0), 10), "Y": np.round(rng.normal(5, 2, 200), 2)})
    frame["NAME"] = np.where(frame["ID"] < 10, "a", "b")
    frame.loc[4, "Y"] = np.nan
    path = write(frame, tmp_path / f"t.{kind}")
    stats = fastml.group_stats(path, "Y", "ID")
    assert stats.groups().n.tolist() == [9, *[10] * 19]
    if kind != "por":  # whose numbers are decimal texts of some digits
        same(stats, fastml.group_stats(frame, "Y", "ID"))
    assert fastml.group_stats(path, "Y", "NAME").keys["NAME"].to_pylist() == ["a", "b"]
    assert fastml.group_stats(tmp_path, "Y", "ID", filter="NAME = 'a' and ID < 3").groups().n.tolist() == [9, 10, 10]


@pytest.mark.parametrize("kind", ["sav", "zsav"])
@pytest.mark.parametrize(("declared", "missing"), [
    ([99.0], [99.0]),
    ([97.0, 98.0, 99.0], [97.0, 98.0, 99.0]),
    ([{"lo": 97, "hi": 99}], [97.0, 98.0, 99.0]),
    ([{"lo": -1e308, "hi": 2}], [1.0, 2.0]),
    ([{"lo": 97, "hi": 1e308}], [97.0, 98.0, 99.0]),
    ([{"lo": 97, "hi": 98}, 1.0], [1.0, 97.0, 98.0]),
])  # fmt: skip
def test_user_missing_values_of_spss(kind: str, declared: list[Any], missing: list[float], tmp_path: Path) -> None:
    values = [1.0, 2, 3, 96.5, 97, 98, 99, 100]
    frame = pd.DataFrame({"y": values, "s": 1.0, "t": ["a", "XX", "b", "XX", "", " ", "c", "d"]})
    path = write(frame, tmp_path / f"t.{kind}", missing_ranges={"y": declared, "t": ["XX"]})
    kept = [None if y in missing or y > 1e307 else y for y in values]
    if {"lo": 97, "hi": 1e308} in declared:
        kept[-1] = None
    assert rows(path, "y")["y"] == kept
    assert fastml.group_stats(path, "s", "t").keys["t"].to_pylist() == ["a", "b", "c", "d", None]


@pytest.mark.parametrize("low_or_high", ["LO", "HI"])
def test_open_ranges_of_spss(low_or_high: str, tmp_path: Path) -> None:
    """LO is the second smallest double there, HI the largest."""
    path = tmp_path / "t.sav"
    write(pd.DataFrame({"y": [1.0, 2.0, 3.0, 4.0]}), path, missing_ranges={"y": [{"lo": -777.0, "hi": 777.0}]})
    marks = {"LO": (-777.0, -np.nextafter(np.finfo(float).max, 0)), "HI": (777.0, np.finfo(float).max)}
    other = {"LO": (777.0, 2.0), "HI": (-777.0, 3.0)}[low_or_high]
    content = path.read_bytes()
    for old, new in (marks[low_or_high], other):
        content = content.replace(struct.pack("<d", old), struct.pack("<d", new))
    path.write_bytes(content)
    assert rows(path, "y")["y"] == ([None, None, 3.0, 4.0] if low_or_high == "LO" else [1.0, 2.0, None, None])


def test_extended_missing_values_of_stata(tmp_path: Path) -> None:
    path = write(pd.DataFrame({"y": [1.5, 11111.0, 22222.0, np.nan, 5.0]}), tmp_path / "t.dta")
    content = path.read_bytes()
    for mark, letter in ((11111.0, 1), (22222.0, 26)):  # .a and .z, as Stata's manual of .dta files has them
        content = content.replace(struct.pack("<d", mark), bytes([0, 0, 0, 0, 0, letter, 0xE0, 0x7F]))
    path.write_bytes(content)
    assert rows(path, "y")["y"] == [1.5, None, None, None, 5.0]


def test_special_missing_values_of_sas(tmp_path: Path) -> None:
    path = write(pd.DataFrame({"Y": [1.0, 2.0, 3.0, 4.0, 5.0]}), tmp_path / "t.xpt")
    content = path.read_bytes()
    for number, letter in ((2, b"A"), (3, b"Z"), (4, b"_")):  # of IBM's floats: 2 is 0x41 20 ...
        content = content.replace(bytes([0x41, number << 4, 0, 0, 0, 0, 0, 0]), letter + bytes(7))
    path.write_bytes(content)
    assert rows(path, "Y")["Y"] == [1.0, None, None, None, 5.0]


@pytest.mark.parametrize("kind", KINDS)
def test_dates_are_dates(kind: str, tmp_path: Path) -> None:
    days = [DAY, dt.date(1899, 12, 31), None, dt.date(1600, 2, 29)]
    times = [WHEN, dt.datetime(1999, 12, 31, 23, 59, 59), None, dt.datetime(1961, 1, 1)]
    frame = pd.DataFrame({"D": pd.Series(days, dtype=object), "T": pd.Series(times, dtype=object), "Y": [1.0, 2, 3, 4]})
    path = write(frame, tmp_path / f"t.{kind}")
    assert rows(path, "D", "T") == {"D": days, "T": times}
    assert rows(path, "Y", filter="D > DATE '2000-01-01' and T = TIMESTAMP '2020-01-31 12:30:00'") == {"Y": [1.0]}


@pytest.mark.parametrize("far", [1e15, -1e15, 1e300])
@pytest.mark.parametrize("column", ["D", "T"])
def test_times_beyond_all_calendars_are_refused_not_wrapped(far: float, column: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"D": [DAY, DAY, dt.date(1999, 9, 9)], "T": [WHEN, WHEN, dt.datetime(1999, 9, 9, 9)], "Y": 1.0}
    )
    path = write(frame, tmp_path / "t.sav")
    last = {"D": dt.datetime(1999, 9, 9), "T": dt.datetime(1999, 9, 9, 9)}[column]
    mark = struct.pack("<d", (last - dt.datetime(1582, 10, 14)).total_seconds())
    assert path.read_bytes().count(mark) == 1
    path.write_bytes(path.read_bytes().replace(mark, struct.pack("<d", far)))
    assert fastml.group_stats(path, "Y", "D" if column == "T" else "T").counts[:, 0].tolist() == [1, 2]
    with pytest.raises(FastmlError, match=f"column '{column}' holds labels that can't be shown"):
        fastml.group_stats(path, "Y", column)


@pytest.mark.parametrize("kind", ["sav", "dta"])
def test_value_labels_are_not_values(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"s": [1.0, 1, 2, 2], "y": [1.0, 2, 4, 7]})
    path = write(frame, tmp_path / f"t.{kind}", variable_value_labels={"s": {1: "School A", 2: "School B"}})
    assert fastml.group_stats(path, "y", "s").keys["s"].to_pylist() == [1.0, 2.0]


def test_long_names_and_long_texts(tmp_path: Path) -> None:
    name, text = "a_name_of_more_than_thirty_two_letters_" + "x" * 20, "é" * 600
    frame = pd.DataFrame({name: [1.0, 2.0], "t": [text, text + "b"], "école": ["Ö", "ñ"]})
    path = write(frame, tmp_path / "t.sav")
    assert rows(path, name, "t", "école") == {name: [1.0, 2.0], "t": [text, text + "b"], "école": ["Ö", "ñ"]}


@pytest.mark.parametrize("kind", ["sav", "zsav", "dta"])
def test_labels_that_nobody_asked_for_may_be_in_any_encoding(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"s": [1.0, 1, 2, 2], "y": [1.0, 2, 4, 7], "t": ["a", "a", "b", "b"], "sex": [1.0, 2, 1, 2]})
    labels = {"sex": {1: "MXdchen", 2: "Junge"}}
    path = write(frame, tmp_path / f"t.{kind}", variable_value_labels=labels, file_label="file")
    path.write_bytes(path.read_bytes().replace(b"MXdchen", b"M\xe4dchen"))
    assert fastml.fit(path, "y", "s").n_obs == 4
    assert fastml.group_stats(path, "y", "t").keys["t"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize("kind", ["sav", "dta", "xpt"])
def test_texts_in_another_encoding_than_declared_are_told_and_read(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"Y": [1.0, 2, 4, 7], "T": ["MXa", "MXa", "MXb", "MXb"]})
    path = write(frame, tmp_path / f"t.{kind}")
    path.write_bytes(path.read_bytes().replace(b"MX", b"M\xe4"))
    with pytest.raises(FastmlError, match=r"column 'T' of file .* holds text that is not .*'encoding': 'latin-1'"):
        fastml.fit(path, "Y", "T")
    found = fastml.group_stats(path, "Y", "T", csv_options={"encoding": "latin-1"})
    assert found.keys["T"].to_pylist() == ["Mäa", "Mäb"]


@pytest.mark.parametrize("kind", ["sav", "por", "dta", "xpt", "sas7bdat"])
def test_damaged_files(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"bad.{kind}"
    for content in (b"", b"$FL2" + bytes(400), b"<stata_dta><header><release>118</release>"):
        path.write_bytes(content)
        with pytest.raises(FastmlError, match=rf"bad\.{kind} is not an? \w+ file that can be read"):
            fastml.fit(path, "y", "id")
    monkeypatch.setattr("fastml.io.statistical_files.find_spec", lambda name: None)
    with pytest.raises(FastmlError, match=rf"bad\.{kind} is an? \w+ file, which pyreadstat reads: pip install"):
        fastml.fit(path, "y", "id")


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    path = write(pd.DataFrame({"y": [1.0], "t": ["x"]}), tmp_path / "t.dta")
    with pytest.raises(FastmlError, match=r"column 'Y' is not in file .*did you mean 'y'"):
        fastml.fit(path, "Y", "t")
    with pytest.raises(FastmlError, match="outcome column 't' has type string"):
        fastml.fit(path, "t", "y")


def test_a_file_that_sas_wrote(tmp_path: Path) -> None:
    """haven's example of iris (MIT, the haven authors); the means are R's, by haven: `tapply(x$Sepal_Length, x$Species, mean)`."""
    path = tmp_path / "iris.sas7bdat"
    path.write_bytes(gzip.decompress((Path(__file__).parent / "iris.sas7bdat.gz").read_bytes()))
    stats = fastml.group_stats(path, ["Sepal_Length", "Petal_Width"], "Species")
    assert stats.keys["Species"].to_pylist() == ["setosa", "versic", "virgin"]
    assert stats.groups("Sepal_Length").mean.tolist() == pytest.approx([5.006, 5.936, 6.588], rel=1e-14)
    assert stats.groups("Petal_Width").n.tolist() == [50, 50, 50]
    kept = fastml.group_stats(path, "Sepal_Length", "Species", filter="Species <> 'setosa' and Petal_Width > 2")
    assert kept.groups().n.tolist() == [23]


def test_a_damaged_file_of_sas_is_refused_with_no_row_lost(tmp_path: Path) -> None:
    content = gzip.decompress((Path(__file__).parent / "iris.sas7bdat.gz").read_bytes())
    for i, damaged in enumerate((content[:70_000], content[:1000], b"\0" * 32 + content[32:])):
        path = tmp_path / f"{i}.sas7bdat"
        path.write_bytes(damaged)
        with pytest.raises(FastmlError, match=rf"{i}\.sas7bdat is not an SAS file that can be read"):
            fastml.group_stats(path, "Sepal_Length", "Species")
