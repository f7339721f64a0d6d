"""Which files a path, glob, folder, list or URI stands for."""

from __future__ import annotations

import os
from pathlib import Path

import files
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import same

import fastml
from fastml import FastmlError
from fastml.io.discovery import find_files, is_path

table = pytest.fixture(files.table, scope="module")
truth = pytest.fixture(files.truth, scope="module")
folder = pytest.fixture(files.folder)


def test_a_file_without_an_ending_is_known_by_its_content(
    table: pa.Table, truth: fastml.GroupStats, tmp_path: Path
) -> None:
    pq.write_table(table, tmp_path / "blob")
    same(fastml.group_stats(tmp_path / "blob", "y", "id"), truth)
    (tmp_path / "note").write_text("hello")
    with pytest.raises(FastmlError, match="note is of no kind that can be read"):
        fastml.fit(tmp_path / "note", "y", "id")


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
def test_a_path_that_is_no_utf_8_is_not_told_as_a_bad_file(kind: str, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"bad\xff." + kind.encode())
    try:
        file.write_bytes(b"id,y\n1,2\n")
    except OSError as error:  # macOS has no such names
        pytest.skip(f"the file system takes no such name: {error}")
    for data in (file, tmp_path, tmp_path / f"*.{kind}"):
        with pytest.raises(FastmlError, match=r"bad\\udcff\.\w+ has a path that isn't UTF-8, .* rename it"):
            fastml.fit(data, "y", "id")


def test_folder_glob_list_uri(folder: Path, truth: fastml.GroupStats) -> None:
    files = sorted(folder.glob("*.parquet"))
    for data in (folder, str(folder) + "/", f"{folder}/*.parquet", files, [str(f) for f in files], tuple(files),
                 [folder], folder.as_uri(), folder.as_uri() + "/part-*.parquet", [f.as_uri() for f in files]):  # fmt: skip
        for threads in (1, 3):
            same(fastml.group_stats(data, "y", "id", threads=threads), truth)
    same(fastml.group_stats(files[0].as_uri(), "y", "id"), fastml.group_stats(files[0], "y", "id"))


def test_refusals(folder: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": [1.0]}), folder / "late.arrow")
    (tmp_path / "empty").mkdir()
    for data, message in (
        (folder, r"holds files of several formats \(.*late\.arrow, .*part-0\.parquet\)"),
        (tmp_path / "empty", "folder .*empty holds no file ending in .parquet"),
        (f"{tmp_path}/*.csv", r"no file matches .*\*\.csv"),
        ([folder / "part-0.parquet"] * 2, "part-0.parquet is named twice: its rows would count twice"),
        ([folder / "part-0.parquet", folder / "part-9.parquet"], "part-9.parquet does not exist"),
        ("gopher://x/y.parquet", "gopher://x/y.parquet can't be opened"),
        (f"{folder.as_uri()}/no.parquet", "no.parquet does not exist"),
        (f"{folder.as_uri()}/no-*.parquet", "no file matches"),
        ([], "data of type list can't be read"),
    ):
        with pytest.raises(FastmlError, match=message) as caught:
            fastml.fit(data, "y", "id")
        assert "\n" not in str(caught.value)


def test_what_a_path_is(tmp_path: Path) -> None:
    for path in ("a.parquet", tmp_path, ["a", tmp_path], ("a",)):
        assert is_path(path)
    for other in (None, 3, [], [1], ["a", 1], {"a": 1}, b"a"):
        assert not is_path(other)


def test_formats_partitions_and_order(tmp_path: Path) -> None:
    for name in ("b=2/y.parquet", "b=2/x.parquet", "b=1/z.PQ", "a.parquet"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"PAR1")
    name, found = find_files(tmp_path)
    assert name == str(tmp_path)
    assert [file.location.path.removeprefix(f"{tmp_path}/") for file in found] == [
        "a.parquet", "b=1/z.PQ", "b=2/x.parquet", "b=2/y.parquet"
    ]  # fmt: skip
    assert [file.partition for file in found] == [{}, {"b": "1"}, {"b": "2"}, {"b": "2"}]
    assert {file.format for file in found} == {"parquet"}
    listed = find_files([tmp_path / "b=2/y.parquet", tmp_path / "a.parquet"])
    assert listed[0] == "2 files"
    assert [file.location.path for file in listed[1]] == [str(tmp_path / "b=2/y.parquet"), str(tmp_path / "a.parquet")]
    for name, expected in (("t.csv.gz", "csv"), ("t.feather", "ipc"), ("t.tsv", "csv"), ("t.ZSAV", "sav")):
        (tmp_path / name).write_bytes(b"")
        assert find_files(tmp_path / name)[1][0].format == expected
