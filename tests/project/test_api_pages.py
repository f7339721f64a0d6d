"""The reference: everything public has a docstring, and pages can be made of them."""

from __future__ import annotations

import inspect
import runpy
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

import fastml
from fastml import designs, errors, plots
from fastml.inference import intervals

MODULES = (fastml, designs, errors, intervals, plots)


def public() -> Iterator[tuple[str, object]]:
    """Every public function and class, with the public methods and properties of its own or from its bases."""
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if not callable(thing) or isinstance(thing, types.ModuleType):
                continue
            yield f"{module.__name__}.{name}", thing
            if isinstance(thing, type) and thing.__module__.startswith("fastml"):
                for member, value in inspect.getmembers_static(thing):
                    if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                        yield f"{module.__name__}.{name}.{member}", value


def test_everything_public_has_a_docstring_with_its_parameters() -> None:
    seen = 0
    for name, thing in public():
        text = inspect.getdoc(thing)
        assert text, name
        seen += 1
        if not inspect.isfunction(thing):
            continue
        taken = [p for p in inspect.signature(thing).parameters.values() if p.name not in ("self", "cls")]
        if taken and "See `" not in text and "; see" not in text:
            assert "Parameters\n----------" in text, name
            for parameter in taken:
                assert parameter.name in text, f"{name}: {parameter.name}"
    assert seen > 100


def test_pages_can_be_made(tmp_path: Path) -> None:
    pytest.importorskip("pdoc", reason="needs pdoc")
    runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["main"](tmp_path)
    page = (tmp_path / "fastml.html").read_text()
    for name in fastml.__all__:
        assert name in page
    for place in ("fastml.html#OneWayFit.groups", "fastml.html#OneWayFit.summary", "fastml.html#GroupStats.from_summary", "fastml/plots.html#caterpillar",
                  "fastml/results/inference.html#FitInference.ci", "fastml/results/figures.html#FitFigures.deft",
                  "fastml/results/table.html#ResultTable.to_frame", "fastml/report/exports.html#TableForms.to_latex",
                  "fastml/report/exports.html#Exports.to_json", "fastml/report/exports.html#Record.to_frame"):  # fmt: skip
        file, anchor = place.split("#")
        assert f'id="{anchor}"' in (tmp_path / file).read_text(), place
        assert place.startswith("fastml.html") or place in page or file == "fastml/plots.html", place
