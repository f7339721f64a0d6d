"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastml import FastmlError
from fastml.io.writing import check_parquet_name, replace_file, write_parquet, write_text


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    write_text("one", path)
    write_text("zwölf \udcff", path)
    assert path.read_text(encoding="utf-8") == "zwölf \\udcff"
    assert [file.name for file in tmp_path.iterdir()] == ["t.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_there_stays_where_writing_fails(error: type[BaseException], tmp_path: Path) -> None:
    def fill(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise error

    path = tmp_path / "t.txt"
    path.write_text("before")
    with pytest.raises(error):
        replace_file(path, fill)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["t.txt"]


@pytest.mark.skipif(os.name == "nt", reason="rights are those of POSIX")
def test_rights_are_those_of_a_new_file_or_of_the_one_before(tmp_path: Path) -> None:
    path, plain = tmp_path / "t.txt", tmp_path / "plain.txt"
    plain.write_text("")
    write_text("", path)
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    write_text("more", path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    for path, problem in ((tmp_path, "it is a folder"), (tmp_path / "no" / "t.txt", "No such file"), ("a\0b", "it is no path"), (3, "it is no path")):  # fmt: skip
        with pytest.raises(FastmlError, match=f"can't write to .*{problem}"):
            write_text("x", path)  # type: ignore[arg-type]


def test_parquet_has_a_name_of_its_own(tmp_path: Path) -> None:
    table = pa.table({"y": [1.0, 2.0]})
    for name in ("t.parquet", "t.pq", "t", "t.stats"):
        write_parquet(table, tmp_path / name)
        assert pq.read_table(tmp_path / name).equals(table)
    for name in ("t.csv", "T.CSV", "t.sav", "t.json.gz"):
        with pytest.raises(FastmlError, match=r"is Parquet; name it \.parquet, not \."):
            check_parquet_name(tmp_path / name)
        with pytest.raises(FastmlError, match="is Parquet"):
            write_parquet(table, tmp_path / name)
        assert not (tmp_path / name).exists()
