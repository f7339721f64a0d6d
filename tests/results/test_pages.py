"""The pages: complete, escaped, self-contained."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from commandline import run
from webpages import EVIL, Reader, evil_fit, evil_fits, page

import fastml
from fastml import FitTable, OneWayFit
from fastml.results import pages


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


@pytest.mark.parametrize("which", ["evil", "evil table"])
def test_no_name_becomes_markup(which: str) -> None:
    result: OneWayFit | FitTable = evil_fit() if which == "evil" else evil_fits()
    for text in (page(which), result.to_html(), result._repr_html_()):
        seen = Reader(text)
        assert not {"script", "img", "b", "i", "iframe", "object", "link"} & set(seen.tags)
        assert not [name for name, _ in seen.attributes if name.startswith("on")]
        assert "\x00" not in text
    assert any(EVIL[0] in word for word in seen.words) or "<b>school</b>" in "".join(seen.words)


@pytest.mark.outside
def test_the_page_runs_nothing_in_a_browser(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here: a parser looks for what would run, above")
    evil_fit().write_report(tmp_path / "evil.html", source=EVIL[1])
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


@pytest.mark.parametrize("which", ["lecture", "evil table"])
def test_the_page_stands_alone(which: str) -> None:
    text = page(which)
    seen = Reader(text)
    assert "svg" in seen.tags
    reaching = [value for name, value in seen.attributes if name in ("src", "href", "xlink:href") and value]
    assert all(value.startswith("#") for value in reaching)
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", text)
    ids = [value for name, value in seen.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in reaching if value} <= set(filter(None, ids))
    assert "prefers-color-scheme: dark" in text


def test_the_page_says_what_the_figures_mean() -> None:
    text = " ".join("".join(Reader(page("lecture")).words).split())
    for said in (
        "51 % of the variation in bsmmatxx lies between schools (95 % interval 37 % to 70 %)",
        "one standard deviation below the average has a true mean of 466.7, one above it 611.3: a gap of 144.6",
        "97 % of the variation seen between the school means reflects true differences; the other 3 % is error",
        "the 600 students are worth 37.9",
        "estimated at 539.0, with a standard error of 16.4 (95 % interval 504.6 to 573.3)",
        "600 students in 20 schools of 30",
        "600 observations in 20 groups of 30; 0 rows dropped",
        "most ranks are less sure than they look. Differences between schools are what was observed",
        "So this is no league table, neither of schools nor of systems.",
    ):
        assert said in text
    assert page("lecture").count("<svg") == 4


def test_the_page_is_the_same_each_time(lecture_file: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        done = run("report", lecture_file, "-y", "bsmmatxx", "-g", "idschool", "-o", tmp_path / name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").stat().st_size < 400_000
    assert lecture_file.name in (tmp_path / "a.html").read_text()


def test_many_schools_show_both_ends() -> None:
    rng = np.random.default_rng(1)
    mean = 500.0 + rng.normal(0, 30, 3000)
    stats = fastml.GroupStats.from_summary(
        group=np.arange(3000), n=np.full(3000, 20), mean=mean, sd=np.full(3000, 80.0)
    )
    text = fastml.fit(stats).report_html()
    assert text.count('<th scope="row"') == 10 + 4 + 40
    assert "The 20 highest" in text
    assert len(text) < 500_000


def test_a_singular_and_a_weighted_fit_have_pages() -> None:
    data = {"s": [i // 4 for i in range(40)], "y": [1.0, 2.0, 3.0, 4.0] * 10, "v": [i // 4 + 1.0 for i in range(40)]}
    assert "differ no more than chance alone" in fastml.fit(data, "y", "s").report_html()
    data["y"] = [y + i // 4 for i, y in enumerate(data["y"])]
    weighted = fastml.fit(data, "y", "s", group_weights="v")
    text = weighted.report_html()
    assert "The fit is weighted: school weights v, scaling size" in text
    robust = weighted.ci("icc")
    assert f"{robust.low:.3f} to {robust.high:.3f}" in str(weighted.summary())
    assert text.count("<svg") == 4


def test_a_title_of_bytes_that_are_no_text_is_written(
    fit: fastml.OneWayFit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "can_draw", lambda: False)  # pictures take a second, and have no title
    fit.write_report(tmp_path / "page.html", title="bad\udcff")
    assert r"bad\udcff" in (tmp_path / "page.html").read_text()


def test_a_table_says_what_an_icc_is_and_what_it_is_not() -> None:
    rows = {"c": ["a"] * 6 + ["b"], "s": [1, 1, 2, 2, 3, 3, 1], "y": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0, 3.0]}
    text = " ".join("".join(Reader(fastml.fit_by(rows, "y", "s", by="c").report_html()).words).split())
    for said in (
        "No result for y in 1 of 2: b (one school only).",
        "is called the intraclass correlation (ICC). It is 0 where schools have the same mean but for chance",
        "Two results whose intervals overlap may be the other way round.",
        "So this is no league table, neither of schools nor of systems.",
        "The ICC of each c with its 95 % interval, the highest first.",
        "SE: standard error of the figure before it.",
    ):
        assert said in text
    assert text.count("one_group") == text.count("(one_group)") == 1  # the code is beside its words, in a note
