"""Machine code is kept privately, found by content, trusted by owner and rights, and no folder to write is no error."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest
from commandline import run as run_command
from conftest import ROOT

from fastml.kernels import cache, jit

ONE_KERNEL = """
import json
import numpy as np
from fastml.kernels import jit
from fastml.kernels.sums import moments
made = moments.fold(np.zeros((1, 4)), np.zeros(1, np.int32), np.zeros((1, 4)))
"""

TWO_KERNELS = (
    ONE_KERNEL
    + """
finished = np.array([[2.0, 1.0, 4.0, 9.0]])
moments.finish(finished)
made = finished.tolist()
"""
)

LOADED = """
loaded = {name: kernel for name, kernel in jit.KERNELS.items() if kernel.cached is not None}
folders = sorted({str(kernel.folder) for kernel in loaded.values()})
print(json.dumps([{name: kernel.cached for name, kernel in loaded.items()}, folders, made]))
"""

NAME = f"fastml-{cache.source_hash()}"
FIND, READABLE = cache.cache_folder.__wrapped__, cache.readable_folders.__wrapped__  # without their memory
compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="with JIT off nothing is compiled")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be other users too")


def run(package: Path, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    env.update(PYTHONPATH=str(package), PYTHONDONTWRITEBYTECODE="1", **environment)
    return subprocess.run(
        [sys.executable, "-c", program + LOADED], capture_output=True, text=True, env=env, check=True, cwd=package
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without machine code."""
    shutil.copytree(ROOT / "fastml", tmp_path / "fastml", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@compiled_only
def test_a_second_process_compiles_nothing_and_an_edit_is_seen(package: Path) -> None:
    done = run(package, TWO_KERNELS)
    first, folders, made = json.loads(done.stdout)
    assert done.stderr.splitlines() == [cache.COMPILING]  # once, though there are two kernels
    assert list(first.values()) == [False, False]
    assert folders == [str(package / "fastml" / "kernels" / "__pycache__" / NAME)]
    assert made[0][:2] == [2.0, 3.0]
    done = run(package, TWO_KERNELS)
    second, _, again = json.loads(done.stdout)
    assert not done.stderr
    assert second == dict.fromkeys(first, True)
    assert again == made
    # Edit a function that another file's result depends on, and keep the file's size and time.
    source = package / "fastml" / "kernels" / "exact.py"
    times = source.stat().st_atime_ns, source.stat().st_mtime_ns
    text = source.read_text()
    assert text.count("total = a + b") == 1
    source.write_text(text.replace("total = a + b", "total = a - b"))
    os.utime(source, ns=times)
    third, _, changed = json.loads(run(package, TWO_KERNELS).stdout)
    assert not any(third.values())
    assert changed != made


class _NoStream:
    """What some services put in the place of stderr."""


class _Full(_NoStream):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class _Closed(_NoStream):
    def write(self, text: str) -> int:
        raise ValueError("I/O operation on closed file")


@pytest.mark.parametrize("stderr", [None, _NoStream(), _Full(), _Closed()])
def test_that_nobody_hears_of_compiling_is_no_error(stderr: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    cache._tell.__wrapped__()


@compiled_only
def test_nothing_can_be_written(package: Path) -> None:
    program = "import tempfile; tempfile.tempdir = '/dev/null'\n" + ONE_KERNEL
    done = run(package, program, HOME="/dev/null", NUMBA_CACHE_DIR="/dev/null")
    loaded, folder, _ = json.loads(done.stdout)
    assert folder == ["None"]
    assert not any(loaded.values())
    assert done.stderr.count("compiles its kernels anew in each process") == 1


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for everything: package, user, temporary."""
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    for name in ("package", "user", "tmp"):
        (tmp_path / name).mkdir(0o755)
    yield tmp_path
    monkeypatch.undo()


def kept() -> Path | None:
    found: Path | None = FIND()
    return found


def read() -> list[Path]:
    return list(READABLE())


def block(path: Path) -> None:
    """Put a file where a folder should be, which stops root too."""
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("")


def test_the_first_folder_that_can_be_written_keeps_the_code(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept() == places / "package" / NAME
    block(places / "package")
    assert kept() == places / "user" / "fastml" / NAME
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(places / "told"))
    assert kept() == places / "told" / NAME
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(places / "package"))
    with pytest.warns(RuntimeWarning, match=r"keeps its compiled kernels in .*tmp.*; set NUMBA_CACHE_DIR"):
        found = kept()
    assert found is not None
    assert found.parent.parent == places / "tmp"
    block(places / "tmp")
    with pytest.warns(RuntimeWarning, match="compiles its kernels anew in each process"):
        assert kept() is None


@pytest.mark.skipif(os.name == "nt", reason="rights are those of POSIX")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_folders_are_private_whatever_the_umask(umask: int, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(places / "a" / "b"))
    before = os.umask(umask)
    try:
        found = kept()
    finally:
        os.umask(before)
    assert found is not None
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (found, *found.parents[:2])] == [0o700] * 3


@pytest.mark.skipif(os.name == "nt", reason="rights are those of POSIX")
@pytest.mark.parametrize(
    ("where", "mode"),
    [
        ("told/NAME", 0o777),
        ("told/NAME", 0o770),
        ("told/NAME", 0o702),
        ("told", 0o775),
        ("told", 0o777),
        ("told/..", 0o777),
    ],
)
def test_a_folder_that_others_can_write_to_is_not_used(
    where: str, mode: int, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(places / "deep" / "told"))
    assert kept() == places / "deep" / "told" / NAME
    assert read() == [places / "deep" / "told" / NAME]
    (places / "deep" / where.replace("NAME", NAME)).resolve().chmod(mode)
    assert read() == []
    with pytest.warns(RuntimeWarning, match="keeps its compiled kernels in"):
        assert kept() == cache._temporary() / NAME


@pytest.mark.skipif(os.name == "nt", reason="rights are those of POSIX")
def test_what_others_can_not_replace_is_used(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(places / "told"))
    (places / "told").mkdir()
    (places / "told").chmod(0o1777)  # as /tmp: entries are their owners'
    assert kept() == places / "told" / NAME
    assert read() == [places / "told" / NAME]
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    (places / "package").chmod(0o777)  # who may write there could change the package
    assert kept() == places / "package" / NAME


@pytest.mark.outside
@as_root
@pytest.mark.parametrize("planted", ["folder", "base", "link"])
def test_what_another_user_made_is_not_used_and_not_fatal(
    planted: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(places / "told"))
    folder = places / "told" / NAME
    theirs = places / "theirs" / NAME
    theirs.mkdir(parents=True)
    os.chown(theirs, 1234, 1234)
    if planted == "link":
        folder.parent.mkdir()
        folder.symlink_to(theirs)
    else:
        folder.mkdir(parents=True)
        os.chown(folder if planted == "folder" else folder.parent, 1234, 1234)
    assert read() == []
    with pytest.warns(RuntimeWarning, match="keeps its compiled kernels in"):
        assert kept() == cache._temporary() / NAME
    os.chown(cache._temporary(), 1234, 1234)  # the temporary one too
    with pytest.warns(RuntimeWarning, match="anew in each process"):
        assert kept() is None


def test_users_without_numbers_own_their_folders(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "package" / NAME).mkdir()
    (places / "package" / NAME).chmod(0o777)
    monkeypatch.delattr(os, "geteuid", raising=False)
    assert read() == [places / "package" / NAME]


def first(values):  # type: ignore[no-untyped-def]  # compiled, quickly
    return values[0]


@compiled_only
class TestOneKernel:
    @pytest.fixture(autouse=True)
    def _here(self, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = places / "package" / NAME
        monkeypatch.setattr(cache, "readable_folders", lambda: tuple(read()))
        monkeypatch.setattr(cache, "cache_folder", kept)
        monkeypatch.setattr(sys, "stderr", None)

    def load(self) -> jit.Kernel:
        before = dict(jit.KERNELS)
        kernel = jit.kernel(jit.F8_IN)(first)
        jit.KERNELS.clear()
        jit.KERNELS.update(before)
        kernel.load()
        return kernel

    def test_it_is_kept_and_found(self) -> None:
        one, two = self.load(), self.load()
        assert (one.cached, two.cached) == (False, True)
        assert one.folder == two.folder == self.folder

    @pytest.mark.parametrize("damage", [b"", b"no pickle", None])
    @pytest.mark.parametrize("ending", ["nbi", "nbc"])
    def test_damaged_files_are_made_anew(self, damage: bytes | None, ending: str) -> None:
        self.load()
        (path,) = self.folder.glob(f"*.{ending}")
        path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
        assert self.load().cached is False
        assert self.load().cached is True

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
    def test_a_full_disk_compiles_without_keeping(self, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(cache.FunctionCache, "save_overload", full)
        cache._tell_lost.cache_clear()
        with pytest.warns(RuntimeWarning, match=f"can't keep its compiled kernels in .*: {os.strerror(number)}"):
            kernel = self.load()
        assert (kernel.cached, kernel.folder) == (False, None)

    def test_what_one_folder_lacks_is_found_in_the_next(self, places: Path) -> None:
        self.load()
        (places / "user" / "fastml").mkdir()
        self.folder.rename(places / "user" / "fastml" / NAME)
        self.folder.mkdir()  # as one that was made on another type of processor
        kernel = self.load()
        assert (kernel.cached, kernel.folder) == (True, places / "user" / "fastml" / NAME)


SHARE = """
import os
os.umask(0o077)
from fastml.kernels import load
from fastml.kernels.sums import moments
load.import_module = lambda name: None  # these kernels are enough
made = len(load.load_all(shared=True)[1])
import json
from fastml.kernels import jit
"""


@pytest.mark.outside
@as_root
@compiled_only
def test_a_shared_cache_serves_other_users_and_read_only_folders() -> None:
    """As in a container: `fastml warmup --shared` as root, then another user, nothing to write anywhere."""
    top = Path(tempfile.mkdtemp())
    try:
        top.chmod(0o755)
        shutil.copytree(ROOT / "fastml", top / "fastml", ignore=shutil.ignore_patterns("__pycache__"))
        names = json.loads(run(top, SHARE).stdout)[2]
        (folder,) = top.rglob(NAME)
        assert folder.is_relative_to(top / "fastml")
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
        assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)} == {0o755}
        assert len(list(folder.glob("*.nbc"))) == names
        # Another user, whose home and temporary folder can't be written; then the whole tree read-only too, for root.
        nobody = f'setpriv --reuid 65534 --regid 65534 --clear-groups {sys.executable} -c "$PROGRAM"'
        read_only = f'mount --bind {top} {top} && mount -o remount,ro,bind {top} && {sys.executable} -c "$PROGRAM"'
        for shell in (["sh", "-c", nobody], ["unshare", "-m", "sh", "-c", read_only]):
            done = subprocess.run(shell, capture_output=True, text=True, check=False, cwd=top, env={
                **os.environ, "PROGRAM": ONE_KERNEL + LOADED, "PYTHONPATH": str(top), "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "TMPDIR": "/dev/null", "NUMBA_CACHE_DIR": ""})  # fmt: skip
            if "unshare failed" in done.stderr or "mount:" in done.stderr:
                pytest.skip("mounts are not allowed here")
            assert (done.returncode, done.stderr) == (0, "")
            loaded, found, _ = json.loads(done.stdout)
            assert list(loaded.values()) == [True]
            assert found == [str(folder)]
    finally:
        shutil.rmtree(top)


def test_who_can_not_share_is_told_why(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    done = run_command("warmup", "--shared")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "fastml: --shared: others load only what root has compiled; run it as root, or leave --shared out\n"
    )


@pytest.mark.outside
@as_root
def test_a_shared_folder_has_to_be_reached_and_be_roots(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(places / "told"))
    assert kept() == places / "told" / NAME  # private
    with pytest.raises(PermissionError, match=f"others can't enter {places}"):
        cache.share_folder()
    os.chown(places / "told", 1234, 1234)
    with pytest.raises(PermissionError, match="by others too, who could put anything there"):
        cache.share_folder()
    block(places / "told")
    with pytest.raises(PermissionError, match="can't be written"):
        cache.share_folder()
