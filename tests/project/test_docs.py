"""The pages are the manual: what they show runs and prints what they say, and what they link to is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import typer
from conftest import ROOT

from fastml.cli.app import app

MANUAL = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
PAGES = {page: (ROOT / page).read_text() for page in [*MANUAL, "CONTRIBUTING.md", "benchmarks/README.md"]}
Blocks = list[tuple[str, str]]


def blocks(page: str) -> Blocks:
    """Language and text of each block between fences; no language where it is only shown."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)


@cache
def has_r() -> bool:
    """Whether R is here, with the packages that the pages use."""
    ask = 'q(status = !all(sapply(c("haven", "jsonlite", "lme4"), requireNamespace, quietly = TRUE)))'
    return shutil.which("Rscript") is not None and subprocess.run(["Rscript", "-e", ask], check=False).returncode == 0


def runs(kind: str, code: str) -> bool:
    return kind in ("python", "r") or (kind == "sh" and code.startswith("fastml "))


def of_others(kind: str, code: str) -> bool:
    """Whether a block needs what pip doesn't install."""
    return kind == "r" or "pyspark" in code


def without_others(found: Blocks) -> Blocks:
    """The blocks that need no other program. What follows a block of R reads what that wrote, and is left out too."""
    languages = [kind for kind, _ in found]
    end = languages.index("r") if "r" in languages else None
    return [block for block in found[:end] if not of_others(*block)]


def after(found: Blocks) -> list[tuple[str, str]]:
    """The block that follows each."""
    return [*found, ("", "")][1:]


def test_blocks_print_what_the_text_after_them_says(tmp_path: Path) -> None:
    pages = {page: without_others([block for block in blocks(page) if runs(*block)]) for page in MANUAL}
    names = ("guide", "inference", "pictures", "scale", "assessments", "command_line")
    assert all(pages[page] for page in ("README.md", *(f"docs/{name}.md" for name in names)))
    assert sum(map(len, pages.values())) >= 25
    assert_prints({page: code for page, code in pages.items() if code}, tmp_path)


@pytest.mark.outside
def test_pages_with_blocks_of_r_and_spark_print_what_they_say(tmp_path: Path) -> None:
    """All pages in one process: Spark is started once."""
    pages = {page: [block for block in blocks(page) if runs(*block)] for page in MANUAL}
    pages = {page: code for page, code in pages.items() if any(of_others(*block) for block in code)}
    assert pages.keys() == {"README.md", "docs/scale.md", "docs/from_other_programs.md"}
    pytest.importorskip(
        "pyspark", reason="no pyspark here (extra spark): the blocks of R and Spark in the pages were not run"
    )
    if not has_r():
        pytest.skip("no R with haven, jsonlite and lme4 here: the blocks of R and Spark in the pages were not run")
    assert_prints(pages, tmp_path)


def assert_prints(pages: dict[str, Blocks], tmp_path: Path) -> None:
    """Run the blocks, all in one process, and compare what each prints with the text after it."""
    (tmp_path / "pages.json").write_text(json.dumps(pages))
    command = [sys.executable, str(ROOT / "tests" / "run_blocks.py"), "pages.json", "printed.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page, printed in json.loads((tmp_path / "printed.json").read_text()).items():
        found = blocks(page)
        pairs = [pair for pair in zip(found, after(found), strict=True) if pair[0] in pages[page]]
        for ((_, code), (kind, text)), shown in zip(pairs, printed, strict=True):
            assert kind != "text" or shown == text, f"{page}\n{code}"


@pytest.mark.parametrize("page", MANUAL)
def test_every_block_runs_or_is_shown_only(page: str) -> None:
    found = blocks(page)
    assert {kind for kind, _ in found} <= {"python", "sh", "r", "dockerfile", "text", ""}
    others = [code for kind, code in found if kind == "sh" and not runs(kind, code)]
    assert len(others) == (3 if page == "README.md" else 0), others  # those that make an environment, and one of it


def commands_shown() -> list[str]:
    """Commands of fastml in all pages: lines of blocks, and words between backticks."""
    found = set()
    for text in PAGES.values():
        lines = re.findall(r"^(?:(?: {4})|```sh\n|```\n|fastml .+\n)(?=(fastml [a-z]+ .+)$)", text, re.MULTILINE)
        found.update(line for line in lines if "[" not in line)
        found.update(" ".join(code.split()) for code in re.findall(r"(?<!`)`(fastml [a-z]+(?: [^`]+)?)`(?!`)", text))
    return sorted(found)


@pytest.mark.parametrize("line", commands_shown())
def test_commands_that_are_shown_have_the_options_they_name(line: str) -> None:
    _, name, *words = shlex.split(line)
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if re.match(r"--?[a-z]", word)} <= options | {"--help"}


def test_the_first_command_prints_the_table_that_follows() -> None:
    first, second, table = blocks("README.md")[:3]
    assert (first[0], second[0], table[0]) == ("sh", "sh", "text")
    command = first[1].strip().rsplit(" && ", 1)[1]
    assert command.startswith(".venv/bin/fastml ")
    words = [sys.executable, "-m", "fastml", *shlex.split(command)[1:]]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ})
    assert done.stdout == table[1]


def test_two_commands_each_with_its_own_environment() -> None:
    commands = [code.strip() for kind, code in blocks("README.md") if kind == "sh"][:2]
    environments = [shlex.split(command)[3] for command in commands]
    assert environments == [".venv", ".venv-test"]
    assert all("\n" not in command for command in commands)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_readme_is_short_and_leads_to_every_page() -> None:
    text = PAGES["README.md"]
    assert text.count("\n") <= 180
    for page in PAGES:
        assert page == "README.md" or f"]({page})" in text, page


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_files_that_are_named_exist(page: str) -> None:
    named = set(re.findall(r"\b(?:fastml|tests|benchmarks|docs|data)/[\w/.<>]*\w", PAGES[page]))
    assert len(named) >= 5
    assert not [name for name in named if "<" not in name and not (ROOT / name).exists()]


def test_functions_that_are_named_with_their_file_are_there() -> None:
    named = re.findall(r"`([\w.]+)` in\s+`(fastml/[\w/]+\.py)`", PAGES["docs/architecture.md"])
    assert len(named) >= 8
    for name, file in named:
        assert re.search(rf"^\s*(?:def |class )?{name.split('.')[-1]}\b", (ROOT / file).read_text(), re.MULTILINE), name


def test_figures_of_the_readme_are_those_of_the_pages_they_are_from() -> None:
    """Each row of its table says where its figures stand; measured anew they may differ a little, speeds by a third."""
    rows = re.findall(
        r"^\| (.+) \| (.+) \| (.+) \| \[\w+\]\(([\w/.]+)(?:#[\w-]+)?\) \|$", PAGES["README.md"], re.MULTILINE
    )
    assert len(rows) == 5
    for _, ours, others, page in rows:
        there = [float(x.replace(",", "")) for x in re.findall(r"\d[\d,]*\.?\d*", (ROOT / page).read_text())]
        for figure in re.findall(
            r"(?<![\w.])\d+\.?\d*(?= (?:s|ms|h)\b|,|$| \(| %)|(?<=\()\d+\.\d", f"{ours}, {others}"
        ):
            value = float(figure) / (1000.0 if f"{figure} ms" in ours + others else 1.0)
            near = 0.33 if page.startswith("benchmarks") else 0.005
            assert any(abs(x - value) <= near * value for x in there), (figure, page)
