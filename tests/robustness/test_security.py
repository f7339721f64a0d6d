"""What the code must not do: run what it reads, hand words to a shell, or call home."""

from __future__ import annotations

import ast
import re
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


TOLD = [*FILES, *ROOT.rglob("*.md"), ROOT / "pyproject.toml", ROOT / ".ci" / "run"]


def test_nobody_is_told_to_install_a_name_that_is_not_ours() -> None:
    """The index has no fastml-icc, and its fastml is another project: whoever takes the name could run code here."""
    for path in TOLD:
        if not path.exists() or path == Path(__file__) or ".venv" in str(path):
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not re.search(
                r"(pip|pipx|uv|conda|poetry)\b[^|;]*\b(install|add|run)\b[^&|;`]*[\s'\"]fastml(-icc)?(?![\w./-])", line
            ), f"{path}: {line}"
            assert not re.search(r"fastml-icc\[", line), f"{path}: {line}"
