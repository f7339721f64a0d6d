"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastml import FastmlError
from fastml.io import writing
from fastml.io.writing import check_parquet_name, replace_file, replace_folder, write_parquet, write_text


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


posix = pytest.mark.skipif(os.name == "nt", reason="links, devices and pipes are those of POSIX")


@posix
@pytest.mark.parametrize("chain", [["real.txt"], ["b", "real.txt"], ["sub/../b", "sub/c", "../real.txt"]])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_replaced(chain: list[str], there: bool, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    link, links = tmp_path / "a", []
    for target in chain:
        link.symlink_to(target)
        links.append(link)
        link = link.parent / target
    if there:
        (tmp_path / "real.txt").write_text("old")
    write_text("new", tmp_path / "a")
    assert all(link.is_symlink() for link in links)
    assert (tmp_path / "real.txt").read_text() == "new"
    assert not (tmp_path / "real.txt").is_symlink()


@posix
def test_a_loop_of_links_and_a_folder_behind_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").symlink_to(tmp_path)
    for name, problem in (("loop", "Too many levels"), ("folder", "it is a folder")):
        with pytest.raises(FastmlError, match=f"can't write to .*{name}: {problem}"):
            write_text("x", tmp_path / name)


@posix
def test_devices_stay_devices(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    for path in ("/dev/null", tmp_path / "null"):
        write_text("gone", path)
        write_parquet(pa.table({"y": [1.0]}), path)
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(FastmlError, match="can't write to /dev/full: No space left"):
        write_parquet(pa.table({"y": [1.0]}), "/dev/full")
    assert [path.name for path in tmp_path.iterdir()] == ["null"]


@posix
def test_a_pipe_gets_the_whole_file(tmp_path: Path) -> None:
    pipe, table, got = tmp_path / "pipe", pa.table({"y": [float(i) for i in range(30_000)]}), []
    os.mkfifo(pipe)
    for write in (lambda: write_parquet(table, pipe), lambda: write_text("text", pipe)):
        reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
        reader.start()
        write()
        reader.join()
    assert pq.read_table(pa.BufferReader(got[0])).equals(table)
    assert got[1] == b"text"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_an_open_stream_goes_on_where_it_stands(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb", buffering=0) as log:
        log.write(b"before;")
        (tmp_path / "link").symlink_to(f"/dev/fd/{log.fileno()}")
        for path in (
            f"/dev/fd/{log.fileno()}",
            f"/proc/self/fd/{log.fileno()}",
            f"/proc/{os.getpid()}/fd/{log.fileno()}",
            tmp_path / "link",
        ):
            write_text("x;", path)
        log.write(b"after")
    assert (tmp_path / "log").read_text() == "before;x;x;x;x;after"
    with pytest.raises(FastmlError, match="/dev/fd/999: Bad file descriptor"):
        write_text("x", "/dev/fd/999")
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(FastmlError, match="Broken pipe"):
        write_text("x", f"/dev/fd/{write}")
    os.close(write)


@pytest.mark.outside
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may give files away")
def test_owner_and_group_are_those_of_the_file_before(tmp_path: Path) -> None:
    for mode in (0o640, 0o4750, 0o666):
        path = tmp_path / f"{mode:o}"
        path.write_text("")
        os.chown(path, 1234, 4321)
        path.chmod(mode)
        write_text("more", path)
        found = path.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 4321, mode)


@posix
def test_an_owner_that_can_not_be_kept_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, asked = tmp_path / "t.txt", []

    def refuse(*args: object) -> None:
        asked.append(args[1:])
        raise PermissionError

    path.write_text("old")
    before = path.stat()
    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(
        Path,
        "stat",
        lambda self, **_: os.stat_result(
            [before.st_mode, *before[1:4], 77 if self == path else 0, 88 if self == path else 0, *before[6:10]]
        ),
    )
    write_text("new", path)
    assert path.read_text() == "new"
    assert asked == [(-1, 88), (77, -1)]


def test_a_write_protected_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.txt"
    path.write_text("old")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)  # as it is for all but root
    with pytest.raises(FastmlError, match="it is write-protected"):
        write_text("new", path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("name", ["x" * 255, "ö" * 127, "💡" * 63])
def test_names_may_be_as_long_as_the_file_system_allows(name: str, tmp_path: Path) -> None:
    write_text("one", tmp_path / name)
    write_text("two", tmp_path / name)
    assert (tmp_path / name).read_text() == "two"
    with pytest.raises(FastmlError, match="File name too long"):
        write_text("x", tmp_path / (name + "long"))


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    for path, problem in ((tmp_path, "it is a folder"), (tmp_path / "no" / "t.txt", "No such file"), ("a\0b", "it is no path"), ("", "it is no path"), (3, "it is no path")):  # fmt: skip
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


NAMES = ["a.txt", "b.txt"]


def fill_folder(folder: Path) -> None:
    for name in NAMES:
        (folder / name).write_text("new")


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}


@pytest.fixture(params=[False, True], ids=["nothing there", "one there"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param:
        (tmp_path / "t").mkdir(mode=0o750)
        (tmp_path / "t" / "a.txt").write_text("old")
    return tmp_path / "t"


def test_a_folder_is_replaced_whole(target: Path) -> None:
    mode = target.stat().st_mode if target.exists() else None
    replace_folder(target, NAMES, fill_folder)
    assert content(target) == dict.fromkeys(NAMES, "new")
    assert list(target.parent.iterdir()) == [target]
    assert mode in (None, target.stat().st_mode)


@pytest.mark.parametrize("step", ["fill", "clean-up", "both", "move"])
def test_an_interrupted_folder_is_whole_or_as_before(step: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, remove, move, left = content(target), writing.shutil.rmtree, Path.replace, [1]

    def interrupt() -> None:
        if left and left.pop():
            raise KeyboardInterrupt

    def fill(folder: Path) -> None:
        fill_folder(folder)
        if step in ("fill", "both"):
            raise KeyboardInterrupt

    def remove_some(path: Path) -> None:
        if step in ("clean-up", "both"):
            for some in list(path.rglob("*.txt"))[:1]:
                some.unlink()
            interrupt()
        remove(path)

    def move_then(path: Path, to: Path) -> Path:
        moved = move(path, to)
        if step == "move":
            interrupt()
        return moved

    monkeypatch.setattr(writing.shutil, "rmtree", remove_some)
    monkeypatch.setattr(Path, "replace", move_then)
    with pytest.raises(KeyboardInterrupt):
        replace_folder(target, NAMES, fill)
    # Moved once, a folder that was not there is whole, and one that was there is back.
    whole = step == "clean-up" or (step == "move" and not before)
    assert content(target) == (dict.fromkeys(NAMES, "new") if whole else before)
    assert set(target.parent.iterdir()) <= {target}


@pytest.mark.parametrize("step", ["fill", "clean-up", "move"])
def test_an_interrupted_file_leaves_nothing_beside(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, unlink, move, left = tmp_path / "t.txt", Path.unlink, Path.replace, [1]
    path.write_text("before")

    def interrupt(when: str) -> None:
        if step == when and left and left.pop():
            raise KeyboardInterrupt

    def fill(file: Any) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    def unlink_later(path: Path, **options: bool) -> None:
        interrupt("clean-up")
        unlink(path, **options)

    def move_then(path: Path, to: Path) -> Path:
        moved = move(path, to)
        interrupt("move")
        return moved

    monkeypatch.setattr(Path, "unlink", unlink_later)
    monkeypatch.setattr(Path, "replace", move_then)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, fill if step != "move" else lambda file: file.write(b"after"))
    assert path.read_text() == ("after" if step == "move" else "before")
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_what_is_private_is_private_while_it_is_written(target: Path) -> None:
    def look(made: Path) -> None:
        assert made.parent.stat().st_mode & 0o077 == 0
        fill_folder(made)

    replace_folder(target, NAMES, look)
    path = target / "a.txt"
    path.chmod(0o600)
    seen: list[int] = []
    replace_file(path, lambda file: seen.append(os.fstat(file.fileno()).st_mode & 0o077))
    assert seen == [0]
