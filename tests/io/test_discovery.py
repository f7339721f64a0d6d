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


@pytest.mark.parametrize(("name", "what"), [
    ("b.csv.zip", r"in a form that can't be read, \.csv\.zip"), ("b.xlsx", r"in a form that can't be read, \.xlsx"),
    ("b.csv.part", r"in a form that can't be read, \.csv\.part"), ("b.TAR.gz", r"in a form that can't be read, \.tar\.gz"), ("b.csv.xz", r"in a form that can't be read, \.csv\.xz"), ("sub/b.rds", r"in a form that can't be read, \.rds"),
    ("part-00000", r"\(parquet\) without its ending"), ("b.old", r"\(parquet\) without its ending"),
])  # fmt: skip
def test_what_looks_like_data_is_not_left_out(name: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("s,y\n1,2\n1,3\n2,5\n2,9\n")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"PAR1" if "parquet" in what else b"PK")
    with pytest.raises(FastmlError, match=rf"{Path(name).name} looks like data {what}, and would be left out; convert"):
        find_files(tmp_path)
    assert len(find_files(f"{tmp_path}/*.csv")[1]) == 1


def test_what_stands_beside_data_is_passed_over_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("s,y\n1,2\n")
    beside = ("a.csv.md5", "a.csv.bak", "codebook.pdf", "read.sps", "schema.json", "noending", "_SUCCESS", ".a.csv.crc")
    for name in beside:
        (tmp_path / name).write_text("x")
    caplog.set_level("INFO", "fastml")
    assert [file.location.path for file in find_files(tmp_path)[1]] == [str(tmp_path / "a.csv")]
    for name in beside:
        assert f"{name} is passed over: its name" in caplog.text


def test_a_glob_of_files_and_folders_is_all_of_them(tmp_path: Path) -> None:
    for name in ("a.csv", "2019/b.csv", "2019/deep/c.csv", "docs/readme.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("s,y\n1,2\n")

    def found(pattern: str) -> list[str]:
        return [file.location.path.removeprefix(f"{tmp_path}/") for file in find_files(f"{tmp_path}/{pattern}")[1]]

    assert found("*") == ["2019/b.csv", "2019/deep/c.csv", "a.csv"]
    assert found("**/*.csv") == ["2019/b.csv", "2019/deep/c.csv", "a.csv"]
    assert found("20*") == ["2019/b.csv", "2019/deep/c.csv"]
    with pytest.raises(FastmlError, match=r"folder .*doc\* holds no file ending in"):
        find_files(f"{tmp_path}/doc*")
    (tmp_path / "2019/b.xlsx").write_text("")
    with pytest.raises(FastmlError, match=r"b\.xlsx looks like data"):
        find_files(f"{tmp_path}/*")


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("s,y\n1,2\n")
    os.mkfifo(tmp_path / "b.csv")
    for data in (tmp_path, tmp_path / "b.csv", f"{tmp_path}/*.csv"):
        with pytest.raises(FastmlError, match=r"b\.csv is a pipe; write its content to a file first"):
            find_files(data)
    (tmp_path / "b.csv").unlink()
    os.mkfifo(tmp_path / "control")
    assert len(find_files(tmp_path)[1]) == 1


def test_linked_folders_are_part_of_the_data(tmp_path: Path) -> None:
    """A partition may be a link: its column comes from the link's name."""
    far = tmp_path / "far"
    far.mkdir()
    pq.write_table(pa.table({"y": [1.0, 2.0, 4.0, 8.0], "id": [1, 1, 2, 2]}), far / "b.parquet")
    data = tmp_path / "data"
    (data / "cycle=2019").mkdir(parents=True)
    (data / "cycle=2023").symlink_to(far)
    pq.write_table(pa.table({"y": [1.0, 2.0, 4.0, 9.0], "id": [1, 1, 2, 2]}), data / "cycle=2019/a.parquet")
    stats = fastml.group_stats(data, "y", "id", by="cycle")
    assert stats.keys["cycle"].to_pylist() == [2019, 2019, 2023, 2023]
    (data / "again.parquet").symlink_to(far / "b.parquet")
    with pytest.raises(FastmlError, match=r"b\.parquet is named twice"):
        fastml.group_stats(data, "y", "id")
