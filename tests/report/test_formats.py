"""The formats of output: a text for each, by the method of its name, for every kind of result."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fastml
from fastml.report.formats import ENDINGS, FORMATS, Format

DATA = {"c": ["a"] * 6 + ["b"] * 6, "s": [1, 1, 2, 2, 3, 3] * 2, "y": [1.0, 2, 4, 6, 9, 8, 2, 3, 5, 9, 1, 7]}


@pytest.mark.parametrize("kind", ["fit", "fit_with_intervals", "table", "plan"])
def test_every_result_has_every_format(kind: str) -> None:
    fit = fastml.fit(DATA, "y", "s")
    table = fastml.fit_by(DATA, "y", "s", by="c")
    results = {"fit": fit, "fit_with_intervals": fit.with_intervals(), "table": table, "plan": fastml.plan(0.2, 9, 5)}
    texts = {name: write(results[kind]) for name, write in FORMATS.items()}
    assert len(set(texts.values())) == len(FORMATS)
    assert texts[Format.text] == str(results[kind])
    for name in set(FORMATS) - {Format.text}:
        assert texts[name] == getattr(results[kind], f"to_{name}")()


def test_every_format_but_parquet_is_text() -> None:
    assert set(Format) - set(FORMATS) == {Format.parquet}


def test_the_names_cost_the_command_line_nothing() -> None:
    program = (
        "import sys, fastml.report.formats\n"
        "print([m for m in sys.modules if m.startswith('fastml.') or m in ('numpy', 'pyarrow', 'csv')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['fastml._version', 'fastml.report', 'fastml.report.formats']\n"


def test_every_form_has_an_ending() -> None:
    assert sorted(ENDINGS.values()) == sorted(Format)
