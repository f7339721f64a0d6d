"""What the code must not do: run what it reads, hand words to a shell, or call home."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT

FILES = sorted(path for folder in ("fastml", "benchmarks", "data", "docs") for path in (ROOT / folder).rglob("*.py"))
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp", "subprocess.getoutput"}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
HOME = {"socket", "http", "urllib.request", "requests", "ftplib", "smtplib"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_read_is_run(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in CALLS, f"line {node.lineno}"
            for keyword in node.keywords:
                assert keyword.arg != "shell", f"line {node.lineno}: a shell"
                assert keyword.arg != "allow_pickle", f"line {node.lineno}: pickle"
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] not in MODULES, f"line {node.lineno}: {name}"
            if path.is_relative_to(ROOT / "fastml"):
                assert not {name, name.split(".")[0]} & HOME, f"line {node.lineno}: {name}"


TEXTS = {".md", ".py", ".toml", ".cff", ".in", ".txt", ".yml", ".yaml", ".html", ".cfg", ""}


def names_ours(line: str) -> bool:
    """Whether a line has somebody install our name from the index, where it is another's or nobody's."""
    installs = r"(pip|pipx|uv|uvx|conda|mamba|poetry|pdm)\b[^|;]*\b(install|add|run)\b[^&|;`]*"
    ours = r"[\s'\"]fastml(-icc)?(\[[\w,]*\])?([=<>~!@]=?[\d.]+)?(?![\w./-])"
    return bool(re.search(installs + ours, line) or re.search(r"(uvx|pipx run) fastml|fastml-icc\[", line))


@pytest.mark.parametrize("line", [
    "pip install fastml", "pip install 'fastml-icc'", "pip install -U \"fastml[plot]\"", "uv add fastml-icc==0.1.0",
    "RUN pip install --no-cache-dir fastml && true", "uvx fastml fit", "python -m pip install fastml>=0.1", "fastml-icc[test]",
])  # fmt: skip
def test_lines_that_install_our_name_are_found(line: str) -> None:
    assert names_ours(line)


@pytest.mark.parametrize("line", [
    "pip install . && fastml fit t.parquet", "pip install /tmp/fastml && rm -r /tmp/fastml", "pip install '.[plot]'",
    "pip install matplotlib; fastml report", "pip install dist/fastml_icc-0.1.0-py3-none-any.whl", "name = 'fastml-icc'",
])  # fmt: skip
def test_lines_that_install_what_is_here_are_not(line: str) -> None:
    assert not names_ours(line)


def test_nobody_is_told_to_install_a_name_that_is_not_ours() -> None:
    """The index has no fastml-icc, and its fastml is another project: whoever takes the name could run code here."""
    listed = [path for path in ROOT.rglob("*") if path.suffix in TEXTS and path != Path(__file__)]
    ours = [path for path in listed if re.match(r"[^.]|\.ci/|\.github/", path.relative_to(ROOT).as_posix())]
    told = [path for path in ours if path.is_file() and not {"site", "build", "dist", ".venv"} & set(path.parts)]
    assert len(told) > 300
    for path in told:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not names_ours(line), f"{path}: {line}"


def test_the_package_depends_on_no_name_like_its_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    needed += [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    assert not [one for one in needed if one.lower().startswith("fastml")]
