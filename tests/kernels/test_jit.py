"""Compiled code: one signature a kernel, compiled once, never stale, and no folder to write is no error."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest
from conftest import ROOT

from fastml.kernels import jit
from fastml.kernels.load import load_all

LOADED = """
loaded = {name: kernel.cached for name, kernel in jit.KERNELS.items() if kernel.cached is not None}
print(json.dumps([loaded, str(jit.cache_folder()), gamma00]))
"""

FIT = (
    """
import json, sys, warnings
import fastml
from fastml.kernels import jit
gamma00 = fastml.fit({"y": [1.0, 2.0, 4.0, 8.0, 3.0], "id": [1, 1, 2, 2, 3]}, "y", "id").gamma00
"""
    + LOADED
)

ONE_KERNEL = (
    """
import json
import numpy as np
from fastml.kernels import jit
from fastml.kernels.sums import moments
gamma00 = moments.fold(np.zeros((1, 4)), np.zeros(1, np.int32), np.zeros((1, 4)))
"""
    + LOADED
)

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="with JIT off nothing is compiled")


def run(package: Path, program: str = FIT, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    env.update(PYTHONPATH=str(package), PYTHONDONTWRITEBYTECODE="1", **environment)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=env, check=True, cwd=package
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without machine code."""
    shutil.copytree(ROOT / "fastml", tmp_path / "fastml", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_each_kernel_has_one_signature() -> None:
    load_all()
    assert jit.KERNELS
    for kernel in jit.KERNELS.values():
        assert len(kernel.load().signatures) == 1, kernel.name


def test_a_second_process_compiles_nothing_and_an_edit_is_seen(package: Path) -> None:
    done = run(package)
    first, folder, gamma00 = json.loads(done.stdout)
    assert done.stderr.splitlines() == [jit.COMPILING]  # once, though there are many kernels
    assert len(first) > 1
    assert not any(first.values())
    assert folder.startswith(str(package / "fastml" / "kernels" / "__pycache__"))
    done = run(package)
    second, _, again = json.loads(done.stdout)
    assert not done.stderr
    assert second == dict.fromkeys(first, True)
    assert again == gamma00
    # Edit a function that another file's result depends on, and keep the file's size and time.
    source = package / "fastml" / "kernels" / "likelihood" / "profile.py"
    times = source.stat().st_atime_ns, source.stat().st_mtime_ns
    text = source.read_text()
    assert text.count("gamma = wm / w1") == 1
    source.write_text(text.replace("gamma = wm / w1", "gamma = wm * w1"))
    os.utime(source, ns=times)
    third, _, changed = json.loads(run(package).stdout)
    assert not any(third.values())
    assert changed != gamma00


@pytest.mark.parametrize("stderr", ["None", "open('/dev/full', 'w')", "sys.stderr; sys.stderr.close()"])
def test_kernels_compile_where_stderr_can_not_be_written(package: Path, stderr: str) -> None:
    done = run(package, f"import sys; sys.stderr = {stderr}\n" + ONE_KERNEL + "sys.stderr = None\n")
    assert not any(json.loads(done.stdout)[0].values())


def test_the_package_can_not_be_written(package: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    block = package / "fastml" / "kernels" / "__pycache__"
    block.write_text("a file where the folder should be, which stops root too")
    _, folder, _ = json.loads(run(package, ONE_KERNEL, HOME=str(home)).stdout)
    assert folder.startswith(str(home / ".cache" / "fastml"))


def test_neither_package_nor_home_can_be_written(package: Path, tmp_path: Path) -> None:
    (package / "fastml" / "kernels" / "__pycache__").write_text("")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = run(package, ONE_KERNEL, HOME="/dev/null", TMPDIR=str(temporary))
    _, folder, _ = json.loads(done.stdout)
    assert folder.startswith(str(temporary))
    assert stat.S_IMODE((Path(folder).parent).stat().st_mode) == 0o700
    assert done.stderr.count("RuntimeWarning") == 1
    second, _, _ = json.loads(run(package, ONE_KERNEL, HOME="/dev/null", TMPDIR=str(temporary)).stdout)
    assert len(second) == 1
    assert all(second.values())


def test_nothing_can_be_written(package: Path) -> None:
    program = "import tempfile; tempfile.tempdir = '/dev/null'\n" + FIT
    done = run(package, program, HOME="/dev/null", NUMBA_CACHE_DIR="/dev/null")
    loaded, folder, _ = json.loads(done.stdout)
    assert folder == "None"
    assert not any(loaded.values())
    assert done.stderr.count("compiles its kernels anew") == 1


def test_where_machine_code_may_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = jit.cache_folder.__wrapped__  # without its memory
    name = f"fastml-{jit.source_hash()}"
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be, which stops root too")
    monkeypatch.setattr(jit, "source_hash", lambda: name.removeprefix("fastml-"))
    monkeypatch.setattr(jit, "__file__", str(blocked / "jit.py"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "told"))
    assert find() == tmp_path / "told" / name
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert find() == tmp_path / "user" / "fastml" / name
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.warns(RuntimeWarning, match="no permanent folder can be written; set NUMBA_CACHE_DIR"):
        found = find()
    assert found is not None
    assert found.name == name
    assert found.parent.parent == tmp_path
    assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700
    monkeypatch.setattr(tempfile, "tempdir", str(blocked))
    with pytest.warns(RuntimeWarning, match="compiles its kernels anew in this process"):
        assert find() is None


def test_a_folder_of_another_user_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert jit._private(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1, raising=False)
    assert not jit._private(tmp_path)
    monkeypatch.delattr(os, "getuid")
    assert jit._private(tmp_path)  # where users have no numbers, their temporary folders are their own


def test_a_signature_of_another_length_is_refused() -> None:
    with pytest.raises(TypeError, match=r"its signature has 1 types"):
        jit.kernel(jit.F8_IN)(lambda one, two: None)
