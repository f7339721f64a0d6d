"""The manual's pictures are those that its script makes: what is written in them, and how much is drawn."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT

DOCS = ROOT / "docs"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    script().main(folder)
    return folder


def written(svg: Path) -> list[str]:
    """Every text in the picture; the drawing's comments spell what its paths draw."""
    return re.findall("<!-- (.*?) -->", svg.read_text())


def test_every_picture_is_there(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {path.name for path in DOCS.glob("*.svg")}


@pytest.mark.parametrize("name", sorted(path.name for path in DOCS.glob("*.svg")))
def test_the_picture_is_what_the_script_makes(name: str, made: Path) -> None:
    assert written(made / name)
    assert written(DOCS / name) == written(made / name)
