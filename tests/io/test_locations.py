"""A file that changes while it is read: all of what was there at first, or an error that names it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

import fastml
from fastml import FastmlError
from fastml.io.locations import Location, hold, unchanged
from fastml.io.source import Input, open_source

N = 60_000
CHANGED = r"a\.\w+ was changed while it was read; read it again when it is complete"


def write_sav(table: pa.Table, path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    pyreadstat.write_sav(pd.DataFrame({"y": table["y"].to_numpy()}), path)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    "parquet": lambda table, path: pq.write_table(table, path, row_group_size=1000, compression="none"),
    "arrow": lambda table, path: feather.write_feather(table, path, compression="uncompressed", chunksize=1000),
    "csv": lambda table, path: path.write_text("y\n" + "".join(f"{y:.1f}{'0' * 100}\n" for y in table["y"].to_numpy())),
    "sav": write_sav,
}


def files(kind: str, folder: Path) -> tuple[Path, Path]:
    for name, shift in (("a", 100.5), ("b", 500.5)):
        WRITERS[kind](pa.table({"y": np.full(N, shift)}), folder / f"{name}.{kind}")
    return folder / f"a.{kind}", folder / f"b.{kind}"


def read_with(change: Callable[[], object], path: Path | list[Path]) -> set[float]:
    """What is read of a file that changes behind the first batch."""
    batches = open_source(Input(path, threads=1, progress=False), ["y"]).batches
    found = set(next(batches)["y"].to_pylist())
    change()
    for batch in batches:
        found |= set(batch["y"].to_pylist())
    return found


@pytest.mark.parametrize("kind", WRITERS)
def test_another_file_in_its_place_is_not_seen(kind: str, tmp_path: Path) -> None:
    a, b = files(kind, tmp_path)
    if Path("/proc/self/fd").is_dir():
        assert read_with(lambda: b.replace(a), a) == {100.5}
        assert read_with(a.unlink, a) == {500.5}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_written_over_is_an_error(kind: str, tmp_path: Path) -> None:
    a, b = files(kind, tmp_path)

    def write_over() -> None:
        with a.open("r+b") as file:
            file.write(b.read_bytes())
        os.utime(a, ns=(0, 12345))

    with pytest.raises(FastmlError, match=CHANGED):
        read_with(write_over, a)


@pytest.mark.parametrize("change", ["cut", "grown", "emptied"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_that_is_not_complete_yet_is_an_error(kind: str, change: str, tmp_path: Path) -> None:
    """Whatever the reader makes of what it finds there, the message says that it changed."""
    a, _ = files(kind, tmp_path)

    def rewrite() -> None:
        if change == "grown":
            with a.open("ab") as file:
                file.write(b"1\n")
        else:
            os.truncate(a, 5000 if change == "cut" else 0)

    with pytest.raises(FastmlError, match=CHANGED):
        read_with(rewrite, a)


def test_files_that_can_not_be_held_must_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of files most are closed meanwhile, and anywhere but on Linux all are."""
    monkeypatch.setattr("fastml.io.locations._MOST_HELD", 1)
    a, b = files("parquet", tmp_path)
    shutil.copy(b, tmp_path / "c.parquet")
    assert read_with(lambda: None, [b, a]) == {100.5, 500.5}
    for change in (lambda: (tmp_path / "c.parquet").replace(a), a.unlink):
        files("parquet", tmp_path)
        shutil.copy(b, tmp_path / "c.parquet")
        with pytest.raises(FastmlError, match=CHANGED):
            read_with(change, [b, a])


def test_files_are_let_go(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the system doesn't list what is open")
    a, b = files("parquet", tmp_path)

    def opened() -> list[str]:
        links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return [link for link in links if link.startswith(str(tmp_path))]

    batches = open_source(Input([a, b], threads=1, progress=False), ["y"]).batches
    next(batches)
    assert opened()
    batches.close()
    del batches
    assert opened() == []
    source = open_source(Input([a, b], progress=False), ["y"])
    assert source.schema.names == ["y"]
    del source
    assert opened() == []
    with pytest.raises(FastmlError, match="column 'z'"):
        open_source(a, ["z"])
    assert opened() == []


def test_a_file_elsewhere_is_known_by_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    location = Location("x", fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), "s3://bucket/x")
    assert hold([location]) == [location]
    before = location.identity()
    assert list(unchanged(iter([1, 2]), [location], [before])) == [1, 2]
    os.utime(tmp_path / "x", ns=(0, 5))
    with pytest.raises(FastmlError, match="file s3://bucket/x was changed while it was read"):
        list(unchanged(iter([1, 2]), [location], [before]))
    (tmp_path / "x").unlink()
    with pytest.raises(FastmlError, match="was changed"):
        list(unchanged(iter([1, 2]), [location], [before]))


def test_few_files_are_held_where_few_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    for i in range(5):
        (tmp_path / str(i)).write_text("x")
    locations = [Location(str(tmp_path / str(i))) for i in range(5)]
    for allowed, most in ((64, 4), (8, 0), (-1, 5), (1024, 5)):
        monkeypatch.setattr(resource, "getrlimit", lambda which, allowed=allowed: (allowed, allowed))
        held = sum(location.held is not None for location in hold(locations))
        assert held == (most if Path("/proc/self/fd").is_dir() else 0)


def test_what_can_not_be_opened_is_left_to_its_reader(tmp_path: Path) -> None:
    missing = Location(str(tmp_path / "no"))
    assert hold([missing]) == [missing]
    assert missing.identity() == ()
    with pytest.raises(FastmlError, match="does not exist"):
        fastml.fit(tmp_path / "no", "y", "id")
