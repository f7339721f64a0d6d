"""The README is the manual: its Python runs, prints what it says, and its commands are those of .ci/run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_python_blocks_print_what_the_text_blocks_after_them_say(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    blocks = [
        (code, after) for (kind, code), after in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True) if kind == "python"
    ]
    assert len(blocks) >= 5
    (tmp_path / "blocks.json").write_text(json.dumps([code for code, _ in blocks]))
    command = [sys.executable, str(ROOT / "tests" / "run_blocks.py"), "blocks.json", "printed.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for (code, (kind, text)), printed in zip(blocks, json.loads((tmp_path / "printed.json").read_text()), strict=True):
        assert kind != "text" or printed == text, code


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
