"""HTML, LaTeX and Markdown: tables, escapes, and documents that a strict reader takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from webpages import Reader, evil_fit, evil_fits, page

import fastml
from fastml import OneWayFit
from fastml.report.markup import html_sentence, html_text, latex_text, markdown_text

NAMES = [
    r"50 % of A_1 & B",
    r"#$ {x} ~ ^ \ end",
    '[2] * "quoted" <i> a|b -- `tick\'',
    r"\input{/etc/passwd}",
    "a\x07b\nc",
]


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


@pytest.fixture(scope="module")
def evil() -> fastml.OneWayFit:
    return evil_fit()


@pytest.fixture(scope="module")
def evil_table() -> fastml.FitTable:
    return evil_fits()


def test_every_special_character_is_escaped() -> None:
    assert latex_text("%_&#${}") == r"\%\_\&\#\$\{\}"
    assert latex_text("~^\\") == r"\textasciitilde{}\textasciicircum{}\textbackslash{}"
    assert latex_text("[1] * a") == "{[}1{]} {*} a"
    assert latex_text("a\nb\x00") == "a b?"


def test_the_lectures_table(lecture_file: Path) -> None:
    fit = fastml.fit(lecture_file, "bsmmatxx", "idschool")
    lines = fit.to_latex().splitlines()
    assert lines[:2] == [r"{\small\setlength{\tabcolsep}{4pt}", r"\begin{tabular}{@{}llrrr@{}}"]
    assert r"Grand mean & $\gamma_{00}$ & 538.979 & 16.422 & 504.61 to 573.35 \\" in lines
    assert r"Grand mean: df 19, t 32.821, p \textless{}0.0001.\par" in lines
    assert lines[-1] == r"\end{minipage}"
    floating = fit.to_latex("50 % & more", "tab:icc")
    assert floating.startswith("\\begin{table}\n\\centering\n\\caption{50 \\% \\& more}\n\\label{tab:icc}\n")
    assert floating.endswith(r"\end{table}")


def test_minus_signs() -> None:
    fit = fastml.fit({"s": [1, 1, 2, 2, 3, 3], "y": [-1.0, -2.0, -4.0, -5.5, -9.0, -8.0]}, "y", "s")
    assert "$-$4.917" in fit.to_latex()


@pytest.mark.outside
def test_a_document_of_awkward_names_compiles(tmp_path: Path) -> None:
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("no pdflatex here: Debian has it in texlive-latex-base, booktabs in texlive-latex-recommended")
    data = {
        NAMES[0]: [name for name in NAMES for _ in range(6)],
        NAMES[1]: [1, 1, 2, 2, 3, 3] * len(NAMES),
        NAMES[2]: [float((7 * i) % 13) - 5.0 for i in range(6 * len(NAMES))],
    }
    table = fastml.fit_by(data, NAMES[2], NAMES[1], by=NAMES[0])
    fit = fastml.fit(data, NAMES[2], NAMES[1])
    made = [table, fit, fit.stats, fastml.plan(0.2, 50, 20), fit.with_intervals(0.9), table.with_intervals(0.9)]
    floating = [fit.to_latex(NAMES[2], "tab:fit"), r"Table~\ref{tab:fit}"]
    body = "\n\n".join([result.to_latex() for result in made] + floating)
    source = tmp_path / "t.tex"
    source.write_text(rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{body}\end{{document}}")
    done = subprocess.run(
        [latex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", source.name],
        cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 10_000


def test_html_table_of_the_lecture(fit: fastml.OneWayFit) -> None:
    seen = Reader(fit.to_html())
    words = [word.strip() for word in seen.words if word.strip()]
    assert seen.tags[0] == "table"
    at = words.index("Grand mean")
    assert words[at : at + 8] == ["Grand mean", "γ", "00", "538.979", "16.422", "504.61 to 573.35", "19", "32.821"]


def test_markdown(fit: fastml.OneWayFit, evil_table: fastml.FitTable) -> None:
    lines = fit.to_markdown().splitlines()
    assert "| Grand mean | γ00 | 538.979 | 16.422 | 504.61 to 573.35 |" in lines
    assert "Grand mean: df 19, t 32.821, p &lt;0.0001.  " in lines
    table = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "<script" not in evil_table.to_markdown()
    assert markdown_text("a|b\n*c*") == r"a\|b \*c\*"
    assert html_text('"\x07"') == "&quot;\ufffd&quot;"


def test_html_has_no_error_that_a_strict_parser_sees(
    fit: fastml.OneWayFit, evil: fastml.OneWayFit, evil_table: fastml.FitTable
) -> None:
    html5lib = pytest.importorskip("html5lib", reason="needs html5lib")
    plan = fastml.plan(0.2, 50, 20)
    tables = [made._repr_html_() for made in (fit, evil, evil_table, evil.stats, plan, evil.summary())]
    shown = f'<!DOCTYPE html><html lang="en"><head><title>x</title></head><body>{"".join(tables)}</body></html>'
    for text in (page("lecture"), page("evil"), page("evil table"), shown):
        parser = html5lib.HTMLParser(strict=True)  # raises at the first error
        parser.parse(text)
    with pytest.raises(html5lib.html5parser.ParseError):
        html5lib.HTMLParser(strict=True).parse(shown.replace("<td", "<p><td", 1))


def test_names_from_right_to_left_are_set_apart_in_sentences() -> None:
    arabic, hebrew = "\u0627\u0644\u0633\u0639\u0648\u062f\u064a\u0629", "\u05d0\u05d1 \u05d2\u05d3"
    said = html_sentence(f"most in {hebrew}: 33 %; least in <{arabic}>: 25 %")
    assert said == f"most in <bdi>{hebrew}</bdi>: 33 %; least in &lt;<bdi>{arabic}</bdi>&gt;: 25 %"
    assert html_sentence("A & B: -3.5 to 2, (-1) of 2019-20") == "A &amp; B: −3.5 to 2, (−1) of 2019-20"
