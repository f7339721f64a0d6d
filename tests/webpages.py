"""Names that would be markup if they were not escaped, and a reader of HTML."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser

import numpy as np
from conftest import ROOT

import fastml

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


@cache
def evil_fit() -> fastml.OneWayFit:
    return fastml.fit(scores(EVIL), "y<script>", "<b>school</b>")


@cache
def evil_fits() -> fastml.FitTable:
    return fastml.fit_by(scores(EVIL), "y<script>", "<b>school</b>", by="<i>part</i>")


@cache
def page(of: str) -> str:
    """The page of the lecture's fit, of the fit of evil names, or of their table, whose pictures take a second."""
    if of == "lecture":
        return fastml.fit(ROOT / "data" / "timss2019_usa_lecture.parquet", "bsmmatxx", "idschool").report_html()
    return evil_fit().report_html(EVIL[1], EVIL[2]) if of == "evil" else evil_fits().report_html()
