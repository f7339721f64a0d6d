"""What people see of a table of results: its columns, their names, and each ICC with its interval."""

from __future__ import annotations

import pytest

import fastml
from fastml.results import shown_table
from fastml.results.shown_table import FITS_ON_A_PAGE, INTERVAL, table_grid, table_text


def row(country: str, icc: float | None, outcome: str = "math", n_dropped: int = 0) -> dict[str, object]:
    known = icc is not None
    return {"country": country, "outcome": outcome, "n_obs": 4028, "n_groups": 181, "n_dropped": n_dropped,
            "gamma00": 495.63 if known else None, "se_gamma00": 4.29 if known else None, "icc": icc,
            INTERVAL: (0.334, 0.431) if known else (float("nan"),) * 2, "deff": 9.0524 if known else None,
            "status": "ok" if known else "one_group"}  # fmt: skip


ROWS = [row("TUR", 0.3794), row("USA", None)]


def test_text_has_the_names_of_the_columns_and_the_interval() -> None:
    assert table_text(ROWS, ["country"], 0.9).splitlines() == [
        "country  outcome  n_obs  n_groups  gamma00  se_gamma00    icc   90 % interval  deff  status",
        "TUR      math     4,028       181  495.630       4.290  0.379  0.334 to 0.431  9.05  ok",
        "USA      math     4,028       181        -           -      -               -     -  one_group",
    ]
    assert "n_dropped" in table_text([row("TUR", 0.3, n_dropped=2)], ["country"], 0.9)


def test_a_paper_has_room_for_words_and_the_figures_that_are_published() -> None:
    grid = table_grid(ROWS, ["country"], 0.95, FITS_ON_A_PAGE)
    assert grid.caption == "math"
    assert grid.header == ("country", "Students", "Schools", "Grand mean", "SE", "ICC", "95 % interval", "DEFF")
    two = table_grid([row("TUR", 0.3), row("TUR", 0.2, "science")], ["country"], 0.95, FITS_ON_A_PAGE)
    assert (two.caption, two.header[1]) == ("", "Outcome")
    survey = table_grid([{**ROWS[0], "mean": 500.0, "se_mean": 2.0}], ["country"], 0.95, FITS_ON_A_PAGE)
    assert survey.header == ("country", "Students", "Schools", "Mean", "SE", "ICC", "95 % interval")


def test_columns_are_those_asked_for_in_their_order() -> None:
    data = {"c": ["a"] * 6, "s": [1, 1, 2, 2, 3, 3], "y": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
    table = fastml.fit_by(data, "y", "s", by="c")
    names = ["icc", INTERVAL, "c", "loglik"]
    assert table.to_markdown(columns=names).splitlines()[2] == "| ICC | 95 % interval | c | loglik |"
    assert r"\begin{tabular}{@{}rrlr@{}}" in table.to_latex(columns=names)
    assert '<th scope="col" style="text-align:right">loglik</th>' in table.to_html(columns=names)
    with pytest.raises(fastml.FastmlError, match="columns='icc_intervall' is not one of 'c', 'outcome', "):
        table.to_latex(columns=["icc_intervall"])


def test_many_rows_are_printed_without_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"c": ["a"] * 4 + ["b"] * 4, "s": [1, 1, 2, 2] * 2, "y": [1.0, 2, 4, 6, 2, 3, 5, 9]}
    table = fastml.fit_by(data, "y", "s", by="c")
    assert "95 % interval" in str(table)
    monkeypatch.setattr(shown_table, "_MAX_INTERVALS", 1)
    assert "interval" not in str(table)
    assert "interval" not in table.to_html()
