"""The faces in HTML and Markdown, the summary, and the page: whole, escaped, alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from commandline import run

import fastml
from fastml.report.markup import html_text, markdown_text
from fastml.report.sentences import fit_sentences, table_sentences

EVIL = [
    "<script>alert(1)</script>",
    "<script>document.title='RUN'</script>",
    "</style></svg><script>document.title='RUN'</script>",
    '"><img src=x onerror="document.title=\'RUN\'">',
    "--><script>document.title='RUN'</script>",
    "'; & <b> \x00 \x1b[31m\nline",
]

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """Elements in order, with what makes a page run or reach out; complains where tags don't match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def scores(schools: list[str]) -> dict[str, list[object]]:
    rng = np.random.default_rng(2)
    rows = [(part, school, 500.0 + 40.0 * i + rng.normal(0, 50)) for part in EVIL[:2]
            for i, school in enumerate(schools) for _ in range(6)]  # fmt: skip
    keys = ("<i>part</i>", "<b>school</b>", "y<script>")
    return {key: [row[k] for row in rows] for k, key in enumerate(keys)}


@pytest.fixture(scope="module")
def evil() -> fastml.OneWayFit:
    return fastml.fit(scores(EVIL), "y<script>", "<b>school</b>")


@pytest.fixture(scope="module")
def evil_table() -> fastml.FitTable:
    return fastml.fit_by(scores(EVIL), "y<script>", "<b>school</b>", by="<i>part</i>")


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> fastml.OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


@pytest.mark.parametrize("which", ["evil", "evil_table"])
def test_no_name_becomes_markup(which: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(which)
    for page in (result.report_html(EVIL[1], EVIL[2]), result.to_html(), result._repr_html_()):
        seen = Reader(page)
        assert not {"script", "img", "b", "i", "iframe", "object", "link"} & set(seen.tags)
        assert not [name for name, _ in seen.attributes if name.startswith("on")]
        assert "\x00" not in page
    assert any(EVIL[0] in word for word in seen.words) or "<b>school</b>" in "".join(seen.words)


def test_the_page_runs_nothing_in_a_browser(evil: fastml.OneWayFit, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium")
    evil.write_report(tmp_path / "evil.html", source=EVIL[1])
    control = tmp_path / "control.html"
    control.write_text(f"<title>x</title>{EVIL[1]}")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]  # fmt: skip
    titles = []
    for file in (control, tmp_path / "evil.html"):
        done = subprocess.run([browser, *options, "--dump-dom", file.as_uri()], capture_output=True, text=True,
                              timeout=120, check=True)  # fmt: skip
        titles.append(re.findall("<title>(.*?)</title>", done.stdout)[0])
    assert titles == ["RUN", "y&lt;script&gt; in schools (&lt;b&gt;school&lt;/b&gt;)"]


def test_the_page_stands_alone(fit: fastml.OneWayFit, evil_table: fastml.FitTable) -> None:
    for page in (fit.report_html(), evil_table.report_html()):
        seen = Reader(page)
        assert "svg" in seen.tags
        reaching = [value for name, value in seen.attributes if name in ("src", "href", "xlink:href") and value]
        assert all(value.startswith("#") for value in reaching)
        assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", page)
        ids = [value for name, value in seen.attributes if name == "id"]
        assert len(ids) == len(set(ids))
        assert {value[1:] for value in reaching if value} <= set(filter(None, ids))
        assert "prefers-color-scheme: dark" in page


def test_the_page_says_what_the_figures_mean(fit: fastml.OneWayFit) -> None:
    text = " ".join("".join(Reader(fit.report_html()).words).split())
    for said in (
        "51 % of the variation in bsmmatxx lies between schools (95 % interval 37 % to 70 %)",
        "one standard deviation below the average has a true mean of 466.7, one above it 611.3: a gap of 144.6",
        "97 % of the variation seen between the school means reflects true differences; the other 3 % is error",
        "the 600 students are worth 37.9",
        "estimated at 539.0, with a standard error of 16.4 (95 % interval 504.6 to 573.3)",
        "600 observations in 20 groups of 30; 0 rows dropped",
    ):
        assert said in text
    assert fit.report_html().count("<svg") == 5


def test_the_page_is_the_same_each_time(lecture_file: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = run("report", lecture_file, "-y", "bsmmatxx", "-g", "idschool", "-o", tmp_path / name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").stat().st_size < 400_000
    assert lecture_file.name in (tmp_path / "a").read_text()


def test_many_schools_show_both_ends() -> None:
    rng = np.random.default_rng(1)
    mean = 500.0 + rng.normal(0, 30, 3000)
    stats = fastml.GroupStats.from_summary(
        group=np.arange(3000), n=np.full(3000, 20), mean=mean, sd=np.full(3000, 80.0)
    )
    page = fastml.fit(stats).report_html()
    assert page.count('<th scope="row">') == 10 + 4 + 40
    assert "The 20 highest" in page
    assert len(page) < 500_000


def test_a_singular_and_a_weighted_fit_have_pages() -> None:
    data = {"s": [i // 4 for i in range(40)], "y": [1.0, 2.0, 3.0, 4.0] * 10, "v": [i // 4 + 1.0 for i in range(40)]}
    page = fastml.fit(data, "y", "s").report_html()
    assert "differ no more than chance alone" in page
    data["y"] = [y + i // 4 for i, y in enumerate(data["y"])]
    weighted = fastml.fit(data, "y", "s", group_weights="v")
    assert "The fit is weighted: school weights v, scaling size" in weighted.report_html()
    robust = weighted.ci("icc")
    assert f"{robust.low:.2f} to {robust.high:.2f}" in str(weighted.summary())
    assert weighted.report_html().count("<svg") == 4


def test_sentences_of_rows_left_out_and_of_figures_that_are_not_there() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(30), 8)
    y = rng.normal(size=30)[group] + rng.normal(size=240)
    full = fastml.fit({"s": group, "y": y}, "y", "s")
    lost = fastml.fit({"s": group, "y": np.where(np.arange(240) < 3, np.nan, y)}, "y", "s")
    one = fastml.fit({"s": group, "y": np.where(np.arange(240) < 1, np.nan, y)}, "y", "s")
    assert "left out" not in str(full.summary())
    assert "3 rows were left out for want of a score, a school or a weight." in str(lost.summary())
    assert "1 row was left out" in str(one.summary())
    plain = fit_sentences(full.to_dict(), full.naive.to_dict(), (8, 8), {})
    assert "interval" not in plain["mean"] + plain["shares"]
    assert "The observed means vary more" in plain["gap"]
    naive = {**full.naive.to_dict(), "variance_of_means": 0.0}
    assert "The observed means vary more" not in fit_sentences(full.to_dict(), naive, (8, 8), {})["gap"]


def test_sentences_tell_narrow_intervals_apart() -> None:
    """Of 40,000 schools: to two digits of the interval's width, and of the standard error."""
    rng = np.random.default_rng(1)
    n = np.full(40_000, 30)
    means = 500.0 + rng.normal(size=len(n)) * np.sqrt(2000.0 + 8000.0 / 30)
    sds = np.sqrt(8000.0 * rng.chisquare(29, len(n)) / 29)
    fit = fastml.fit(fastml.GroupStats.from_summary(n=n, mean=means, sd=sds))
    said = " ".join(str(fit.summary()).split())
    mean, icc = fit.ci("gamma00"), fit.ci("icc")
    assert f"standard error of {fit.se_gamma00:.2f} (95 % interval {mean.low:.2f} to {mean.high:.2f})" in said
    assert f"(95 % interval {100 * icc.low:.2f} % to {100 * icc.high:.2f} %)" in said


def test_a_title_of_bytes_that_are_no_text_is_written(fit: fastml.OneWayFit, tmp_path: Path) -> None:
    fit.write_report(tmp_path / "page.html", title="bad\udcff")
    assert r"bad\udcff" in (tmp_path / "page.html").read_text()


def test_sentences_of_parts_without_a_result() -> None:
    rows = [{"c": "a", "outcome": "y", "icc": None}, {"c": "b", "outcome": "y", "icc": None}]
    missing = "2 of 2 parts have no result for y; the column status says why."
    assert table_sentences(rows, ["c"]) == [missing]
    rows[0]["icc"] = 0.25
    assert table_sentences(rows, ["c"]) == [
        "Of the variation in y, 25 % lies between schools in c a.",
        missing.replace("2 of", "1 of"),
    ]


def test_summary_prints_table_intervals_and_sentences(fit: fastml.OneWayFit) -> None:
    summary = fit.summary()
    assert str(summary) == repr(summary)
    assert str(summary).startswith(str(fit))
    assert re.search(r"Intraclass correlation \(ICC\) +0\.37 to 0\.70\n", str(summary))
    assert max(map(len, str(summary).splitlines())) <= 100
    assert "<table" in summary._repr_html_()
    assert "90 % confidence intervals" in str(fit.summary(level=0.9))


def test_html_table_of_the_lecture(fit: fastml.OneWayFit) -> None:
    seen = Reader(fit.to_html())
    words = [word.strip() for word in seen.words if word.strip()]
    assert seen.tags[0] == "table"
    at = words.index("Grand mean")
    assert words[at : at + 8] == ["Grand mean", "γ", "00", "538.979", "16.422", "504.61 to 573.35", "19", "32.821"]


def test_markdown(fit: fastml.OneWayFit, evil_table: fastml.FitTable) -> None:
    lines = fit.to_markdown().splitlines()
    assert "| Grand mean | γ00 | 538.979 | 16.422 | 504.61 to 573.35 | 19 | 32.821 | 0.0000 |" in lines
    table = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "<script" not in evil_table.to_markdown()
    assert markdown_text("a|b\n*c*") == r"a\|b \*c\*"
    assert html_text('"\x07"') == "&quot;\ufffd&quot;"


@pytest.mark.parametrize("form", ["markdown", "latex", "html"])
def test_forms_on_the_command_line(form: str, fit: fastml.OneWayFit, lecture_file: Path) -> None:
    done = run("fit", lecture_file, "-y", "bsmmatxx", "-g", "idschool", "--format", form)
    assert done.returncode == 0
    assert done.stdout == getattr(fit, f"to_{form}")() + "\n"


def test_parquet_on_the_command_line(lecture_file: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    words = ["fit", lecture_file, "-y", "bsmmatxx", "-g", "idschool", "--format", "parquet"]
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastml: --format parquet needs a file: name it with -o\n"
    assert run(*words, "-o", tmp_path / "fit.parquet").returncode == 0
    assert pq.read_table(tmp_path / "fit.parquet")["icc"].to_pylist() == [pytest.approx(0.5114, abs=1e-4)]


def test_statistics_show_what_they_hold() -> None:
    data = {"c": ["a", "a", "b", "b", None], "s": [1, 1, 1, 2, 3], "<y>": [1.0, 2.0, 3.0, None, 5.0]}
    stats = fastml.group_stats(data, "<y>", "s", by="c")
    page = stats._repr_html_()
    words = [word for word in Reader(page).words if word.strip()]
    assert words[1:8] == ["Outcome", "Students", "Groups", "Smallest", "Largest", "Mean", "Rows left out"]
    assert words[8:] == ["<y>", "3", "2", "1", "2", "2.000", "2"]
    assert "| 3 | 2 | 1 | 2 | 2.000 | 2 |" in stats.to_markdown()
    assert (str(stats.summary()), stats.summary()._repr_html_()) == (repr(stats), page)


def test_a_long_table_is_cut_in_a_notebook_and_nowhere_else() -> None:
    data = {
        "c": [i // 4 for i in range(600)],
        "s": [i // 2 % 2 for i in range(600)],
        "y": [float(i % 7) for i in range(600)],
    }
    table = fastml.fit_by(data, "y", "s", by="c")
    assert table.to_html().count("<tr>") == 1 + 150
    assert table._repr_html_().count("<tr>") == 1 + 100 + 1
    assert "The first 100 of 150 rows" in table._repr_html_()


def test_summary_of_a_table(evil_table: fastml.FitTable) -> None:
    summary = evil_table.summary()
    assert str(summary).startswith(str(evil_table))
    assert "lies between schools in <i>part</i>" in str(summary)
    assert "&lt;i&gt;part&lt;/i&gt;" in summary._repr_html_()
    assert "script" not in Reader(summary._repr_html_()).tags


def test_html_has_no_error_that_a_strict_parser_sees(
    fit: fastml.OneWayFit, evil: fastml.OneWayFit, evil_table: fastml.FitTable
) -> None:
    html5lib = pytest.importorskip("html5lib", reason="needs html5lib")
    plan = fastml.plan(0.2, 50, 20)
    tables = [shown._repr_html_() for shown in (fit, evil, evil_table, evil.stats, plan, evil.summary())]
    page = f'<!DOCTYPE html><html lang="en"><head><title>x</title></head><body>{"".join(tables)}</body></html>'
    for text in (fit.report_html(), evil.report_html(EVIL[1], EVIL[2]), evil_table.report_html(), page):
        parser = html5lib.HTMLParser(strict=True)  # raises at the first error
        parser.parse(text)
    with pytest.raises(html5lib.html5parser.ParseError):
        html5lib.HTMLParser(strict=True).parse(page.replace("<td", "<p><td", 1))
