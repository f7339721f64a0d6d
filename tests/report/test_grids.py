"""Grids of formatted cells."""

from __future__ import annotations

from webpages import Reader

import fastml
from fastml.report.grids import Grid, Section, first_rows, fit_grid, rows_grid, schools_grid


def test_statistics_show_what_they_hold() -> None:
    data = {"c": ["a", "a", "b", "b", None], "s": [1, 1, 1, 2, 3], "<y>": [1.0, 2.0, 3.0, None, 5.0]}
    stats = fastml.group_stats(data, "<y>", "s", by="c")
    page = stats._repr_html_()
    words = [word for word in Reader(page).words if word.strip()]
    assert words[1:8] == ["Outcome", "Students", "Groups", "Smallest", "Largest", "Mean", "Rows left out"]
    assert words[8:] == ["<y>", "3", "2", "1", "2", "2.000", "2"]
    assert "| 3 | 2 | 1 | 2 | 2.000 | 2 |" in stats.to_markdown()
    assert (str(stats.summary()), stats.summary()._repr_html_()) == (repr(stats), page)


def test_the_grid_of_a_fit_marks_what_does_not_exist_by_nothing() -> None:
    fit = fastml.fit({"y": [1.0, 9.0, 2.0, 8.0], "id": [1, 1, 2, 2]}, "y", "id")
    grid = fit_grid(fit.to_dict(), (2, 2), {"icc": (0.0, 0.9), "deff": (1.0, 1.9)}, 0.9)
    assert grid.header[4] == "90 % interval"
    assert grid.notes[-1] == "The variance between groups is 0, on the boundary."
    rows = {row[0]: row for section in grid.sections for row in section.rows}
    assert all(len(row) == len(grid.header) == len(grid.numeric) for row in rows.values())
    assert rows["Between groups"][2:5] == ("0.000", "", "")
    assert rows["Intraclass correlation (ICC)"][4] == "0.000 to 0.900"
    assert rows["Design effect (DEFF)"][4] == "1.00 to 1.90"
    assert [row[5:] for name, row in rows.items() if name != "Grand mean"] == [("", "", "")] * 9


def test_a_notebook_shows_the_first_rows_and_what_made_them() -> None:
    short = Grid("", ("n",), (Section("", (("1",),) * 100),), (True,), ("one", "made"))
    assert first_rows(short) is short
    rows, notes = tuple((str(i),) for i in range(1101)), tuple(f"note {i}" for i in range(200))
    cut = first_rows(Grid("", ("n",), (Section("", rows),), (True,), (*notes, "made")))
    assert cut.sections[0].rows == rows[:100]
    assert cut.notes == ("The first 100 of 1,101 rows; to_frame() has all.", *notes[:100], "made")


def test_columns_of_text_are_aligned_to_the_left() -> None:
    grid = rows_grid([{"c": 7, "d": None, "e": 0.25}, {"c": "x", "d": 1, "e": None}], ["c", "e", "d"])
    assert grid.numeric == (False, True, True)
    assert grid.sections[0].rows == (("7", "0.250", "-"), ("x", "-", "1"))


def test_schools_by_heading() -> None:
    row = {"a": 1, "b": "x", "n": 1200, "mean": 1.25, "eb_mean": 1.5, "ci_low": 1.0, "ci_high": 2.0, "reliability": 0.9}
    grid = schools_grid({"high": [row], "low": [row, row]}, ["a", "b"], ["id", "class"], 2, 0.5)
    assert grid.caption == "School means, the shrunken ones with their 50 % interval"
    assert [(section.title, len(section.rows)) for section in grid.sections] == [("high", 1), ("low", 2)]
    assert grid.sections[0].rows[0] == ("1", "x", "1,200", "1.25", "1.50", "1.00", "2.00", "0.90")
    assert len(grid.header) == len(grid.numeric) == 8


def test_schools_that_differ_in_spaces_only_are_told_apart() -> None:
    row = {"n": 3, "mean": 1.0, "eb_mean": 1.0, "ci_low": 0.0, "ci_high": 2.0, "reliability": 0.5}
    rows = [{"group": name, **row} for name in ("School 1", "School 1 ", "School  1", "a ")]
    grid = schools_grid({"": rows[:1], "others": rows[1:]}, ["group"], ["id"])
    assert [cells[0] for section in grid.sections for cells in section.rows] == [
        "School 1",
        "School 1␣",
        "School␣␣1",
        "a",
    ]
