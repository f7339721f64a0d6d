"""The frame of a page: what is given stands in it, escaped, and nothing else does."""

from __future__ import annotations

from webpages import EVIL, Reader

import fastml
from fastml.report.grids import Grid, Section
from fastml.report.page import fit_page, table_page

SAID = {"shares": "s", "mean": "m", "gap": "g", "reliability": "r", "deff": "d"}


def grid(name: str) -> Grid:
    return Grid(name, ("", "x"), (Section("", (("row", "1"),)),), (False, True), (f"note of {name}",))


def words(page: str) -> list[str]:
    return [word.strip() for word in Reader(page).words if word.strip()]


def test_a_fit_has_its_sections_in_order_and_the_pictures_it_has() -> None:
    tables = [grid(name) for name in ("model", "naive", "schools")]
    page = fit_page("title", "source", SAID, *tables, {"qq": ("<svg></svg>", "a caption")})
    seen = words(page)
    order = ["title", "source", "s", "The model", "m", "model", "note of model", "Where the variance lies", "g", "r",
             "a caption", "d", "naive", "The schools", "schools", "note of schools"]  # fmt: skip
    assert [seen.index(word, 1) for word in order] == sorted(seen.index(word, 1) for word in order)
    assert page.count("<figure>") == page.count("<svg>") == 1
    assert f"fastml {fastml.__version__}" in page
    assert "no pictures" not in page
    assert "<p>no pictures</p>" in fit_page("t", "", {**SAID, "rows": "3 rows"}, *tables, {}, "no pictures")
    assert "3 rows" in words(fit_page("t", "", {**SAID, "rows": "3 rows"}, *tables, {}))


def test_a_table_has_sentences_pictures_and_rows_all_escaped() -> None:
    page = table_page(EVIL[0], EVIL[1], EVIL[2:4], grid(EVIL[4]), [("<svg></svg>", EVIL[3])], EVIL[5], [EVIL[2]])
    seen = Reader(page)
    assert not {"script", "img", "b"} & set(seen.tags)
    text = "".join(seen.words)
    for name in EVIL[:5]:
        assert name in text
    assert seen.tags.count("figure") == 1
    assert seen.tags.count("h2") == 2
