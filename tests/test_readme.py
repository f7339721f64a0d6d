"""The README is the manual: its Python runs, prints what it says, and its commands are those of .ci/run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from conftest import ROOT
from foreign import ignore_foreign_warnings

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_python_blocks_print_what_the_text_blocks_after_them_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    ran = 0
    for i, (kind, code) in enumerate(BLOCKS):
        if kind != "python":
            continue
        with warnings.catch_warnings():
            ignore_foreign_warnings()
            exec(compile(code, f"README.md, block {i}", "exec"), names)
        printed = capsys.readouterr().out
        if i + 1 < len(BLOCKS) and BLOCKS[i + 1][0] == "text":
            assert printed == BLOCKS[i + 1][1], code
        ran += 1
    assert ran >= 5


def test_the_first_command_prints_the_table_that_follows() -> None:
    command = BLOCKS[0][1].strip().rsplit(" && ", 1)[1]
    assert command.startswith(".venv/bin/fastml ")
    words = [sys.executable, "-m", "fastml", *shlex.split(command)[1:]]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ})
    assert [kind for kind, _ in BLOCKS[:3]] == ["sh", "sh", "text"]
    assert done.stdout == BLOCKS[2][1]


def test_two_commands_each_with_its_own_environment() -> None:
    commands = [code.strip() for kind, code in BLOCKS if kind == "sh"][:2]
    environments = [shlex.split(command)[3] for command in commands]
    assert environments == [".venv", ".venv-test"]
    assert all("\n" not in command for command in commands)


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_links_within_the_page_lead_to_headings() -> None:
    heads = [
        re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", README, re.M)
    ]
    targets = re.findall(r"\]\(#([^)]+)\)", README)
    assert len(targets) > 5
    assert set(targets) <= set(heads)
