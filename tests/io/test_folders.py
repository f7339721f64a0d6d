"""Every file below a folder, and every match of a glob: links followed, each folder once, nothing lost in silence."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from fastml import FastmlError
from fastml.io.folders import expand, files_below, is_hidden


def tree(top: Path, *names: str) -> Path:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return top


def below(top: Path) -> list[str]:
    return [path.removeprefix(f"{top}/") for path in files_below(str(top))]


def test_files_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    tree(tmp_path, "b/2", "b/10", "a/x", "a-1/x", "c", "_h/x", ".g", "b/_SUCCESS")
    assert below(tmp_path) == ["a/x", "a-1/x", "b/10", "b/2", "c"]
    assert [is_hidden(name) for name in ("_a", ".a", "a_", "a.b")] == [True, True, False, False]


def test_links_to_folders_are_entered_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastml")
    data, far = tree(tmp_path / "data", "2019/a"), tree(tmp_path / "far", "b", "deep/c")
    (data / "2023").symlink_to(far)
    (data / "a first").symlink_to(data / "2019")  # of what is here already: under its own name
    (data / "2023 again").symlink_to(far)
    (data / "2019/up").symlink_to(data)
    (far / "deep/round").symlink_to(far)
    (data / "file").symlink_to(far / "b")
    assert below(data) == ["2019/a", "2023/b", "2023/deep/c", "file"]
    assert "a first is passed over: it is a link to" in caplog.text
    assert "which is read already" in caplog.text


def test_links_that_lead_nowhere_are_errors(tmp_path: Path) -> None:
    for name, target in (("gone.csv", "no/such"), ("2023", "no/such"), ("me", "me"), ("one", "two")):
        folder = tree(tmp_path / f"of {name}", "a.csv")
        (folder / name).symlink_to(target)
        if name == "one":
            (folder / "two").symlink_to("one")
        for look in (lambda folder=folder: files_below(str(folder)), lambda folder=folder: expand(f"{folder}/*")):
            with pytest.raises(FastmlError, match=rf"{name} is a link to {target}, which is not there; mend the link"):
                look()
    (tmp_path / "of gone.csv/.#lock").symlink_to("user@host:123")  # an editor's
    (tmp_path / "of gone.csv/gone.csv").unlink()
    assert below(tmp_path / "of gone.csv") == ["a.csv"]


# Root may read everything: then it is the system call that refuses.
@pytest.mark.parametrize("real", [True, False] if getattr(os, "geteuid", int)() else [False])
def test_a_folder_without_permission_is_an_error(real: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.csv", "closed/b.csv")
    if real:
        (tmp_path / "closed").chmod(0)
    else:
        scan = os.scandir

        def scan_most(path: str) -> object:
            if path.endswith("closed"):
                raise PermissionError(13, "Permission denied", path)
            return scan(path)

        monkeypatch.setattr(os, "scandir", scan_most)
    try:
        for look in (lambda: files_below(str(tmp_path)), lambda: expand(f"{tmp_path}/**/*.csv"), lambda: expand(f"{tmp_path}/*/*.csv")):  # fmt: skip
            with pytest.raises(FastmlError, match=r"folder .*closed can't be read: permission denied"):
                look()
    finally:
        (tmp_path / "closed").chmod(0o700)


@pytest.mark.parametrize(("pattern", "found"), [
    ("*.csv", ["a.csv", "b.csv"]), ("[ab].csv", ["a.csv", "b.csv"]), ("?.csv", ["a.csv", "b.csv"]), ("a.*", ["a.csv", "a.txt"]),
    ("*/a.csv", ["x/a.csv", "y/a.csv"]), ("**/a.csv", ["a.csv", "x/a.csv", "x/z/a.csv", "y/a.csv"]),
    ("x/**/a.csv", ["x/a.csv", "x/z/a.csv"]), ("x/**", ["x/_t", "x/a.csv", "x/z", "x/z/a.csv"]), ("*", ["a.csv", "a.txt", "b.csv", "x", "y"]),
    (".*", [".h.csv"]), ("[[]c].csv", []), ("no/*.csv", []), ("a.csv/*", []), ("./*/z", ["x/z"]),
])  # fmt: skip
def test_globs(pattern: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.csv", "b.csv", "a.txt", ".h.csv", "x/a.csv", "x/z/a.csv", "y/a.csv", "x/_t/a.csv")
    assert [path.removeprefix(f"{tmp_path}/") for path in expand(f"{tmp_path}/{pattern}")] == found
    monkeypatch.chdir(tmp_path)
    assert expand(pattern) == found


def test_a_glob_enters_links_once(tmp_path: Path) -> None:
    data, far = tree(tmp_path / "data", "2019/a"), tree(tmp_path / "far", "a")
    (data / "2023").symlink_to(far)
    (data / "2019/up").symlink_to(data)
    assert [path.removeprefix(f"{data}/") for path in expand(f"{data}/**/a")] == ["2019/a", "2023/a"]
