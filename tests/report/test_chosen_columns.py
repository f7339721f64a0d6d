"""Tables show the columns asked for, in every form that people read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from surveys import timss

import fastml

ROWS = {
    "c": ["A"] * 8 + ["B"] * 8,
    "s": [1, 1, 2, 2, 3, 3, 4, 4] * 2,
    "y": [1.5, 2.5, 4.5, 5.5, 3.25, 2.25, 9.5, 8.0, 3.5, 4.5, 5.5, 1.0, 2.0, 7.5, 6.0, 4.0],
}


def tables() -> dict[str, tuple[Any, list[str]]]:
    """A table of each kind, and some of its columns in another order than the table's."""
    fits = fastml.fit_by(ROWS, "y", "s", by="c")
    return {
        "fits": (fits, ["icc", "icc_interval", "c", "loglik"]),
        "survey": (fastml.fit_survey(timss(), "BSMMAT", "timss", by="IDCNTRY"), ["sd", "IDCNTRY", "df_icc"]),
        "contrast": (fits.contrast(independent=True), ["se", "a", "samples", "b"]),
        "check": (fastml.check(ROWS, "y", "s", by="c", against=ROWS), ["sd_new", "c", "missing_new"]),
    }


@pytest.fixture(scope="module", params=["fits", "survey", "contrast", "check"])
def case(request: pytest.FixtureRequest) -> tuple[Any, list[str]]:
    return tables()[request.param]


def test_every_form_has_the_columns_asked_for_and_the_lines_under_them(case: tuple[Any, list[str]]) -> None:
    table, names = case
    header = ["95 % interval" if name == "icc_interval" else name for name in names]
    words = [word for line in table.to_text(names).splitlines() for word in [re.split(r"  +", line.strip())]]
    assert header in words
    heads = table._grid(columns=names).header
    assert [head.lower() for head in heads] == [name.lower() for name in header]
    assert f"| {' | '.join(heads)} |".replace("_", "\\_") in table.to_markdown(names)
    assert " & ".join(heads).replace("_", r"\_").replace("%", r"\%") in table.to_latex(columns=names)
    assert re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table.to_html(names)) == list(heads)
    made = f"fastml {fastml.__version__}"
    usual = [form() for form in (table.to_text, table.to_markdown, table.to_latex, table.to_html)]
    chosen = [table.to_text(names), table.to_markdown(names), table.to_latex(columns=names), table.to_html(names)]
    assert all(made in text for text in (*usual, *chosen))
    assert not set(usual) & set(chosen)
    assert str(table) == repr(table) == table.to_text()


def test_one_name_is_one_column(case: tuple[Any, list[str]]) -> None:
    table, names = case
    assert table.to_text(names[0]) == table.to_text(names[:1])


def test_columns_that_are_not_there(case: tuple[Any, list[str]]) -> None:
    table, names = case
    for form in (table.to_text, table.to_markdown, table.to_html):
        with pytest.raises(fastml.FastmlError, match=r"^columns='zz' is not one of '"):
            form([*names, "zz"])
    with pytest.raises(fastml.FastmlError, match=r"^columns=\[\] can.t be: it is the name of a column, or several"):
        table.to_latex(columns=[])


def test_the_interval_is_there_in_long_tables_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastml.results.shown_table._MAX_INTERVALS", 1)
    table = fastml.fit_by(ROWS, "y", "s", by="c")
    assert "interval" not in table.to_text()
    assert " to 0." in table.to_text("icc_interval")
