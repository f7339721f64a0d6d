"""The source distribution holds what its tests need, and the README's pictures."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import ROOT

MANIFEST = ROOT / "MANIFEST.in"
NEEDED = ("benchmarks", "data", "docs", "tests")


def test_the_manifest_names_all_that_is_not_the_package() -> None:
    grafted = re.findall(r"^graft (\S+)$", MANIFEST.read_text(), re.MULTILINE)
    assert set(NEEDED) <= set(grafted)
    assert all((ROOT / folder).is_dir() for folder in grafted if folder in NEEDED)
    told = {path.parts[0] for path in map(Path, re.findall(r"\]\(([\w./-]+)\)", (ROOT / "README.md").read_text()))}
    assert {name for name in told if not name.endswith((".md", ".cff")) and name not in ("LICENSE", "http:")} <= {
        *grafted,
        "fastml",
    }


def test_a_built_one_holds_every_file(tmp_path: Path) -> None:
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip("this setuptools can't read the licence in pyproject.toml")
    copy = tmp_path / "copy"
    for name in (
        *NEEDED,
        "fastml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "pyproject.toml",
        "MANIFEST.in",
    ):
        kept = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / name, copy / name, ignore=kept) if (ROOT / name).is_dir() else shutil.copy(
            ROOT / name, copy / name
        )
    program = "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"
    subprocess.run([sys.executable, "-c", program], cwd=copy, check=True, capture_output=True)
    (made,) = (copy / "dist").iterdir()
    with tarfile.open(made) as file:
        held = {Path(*Path(name).parts[1:]) for name in file.getnames()}
    there = {
        path.relative_to(copy)
        for path in copy.rglob("*")
        if path.is_file() and "dist" not in path.parts and "egg-info" not in str(path)
    }
    assert there <= held
