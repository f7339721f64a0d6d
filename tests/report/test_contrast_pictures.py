"""Pictures of differences and of trends: what is drawn is what the table says."""

from __future__ import annotations

import numpy as np
import pytest

import fastml
from fastml.errors import FastmlError
from fastml.report import contrast_pictures as pictures


def scores(seed: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(24), 6)
    far = np.where(school // 6 == 2, 80.0, 0.0)
    score = 500.0 + shift + far + rng.normal(0, 5, 24)[school] + rng.normal(0, 10, len(school))
    return {"country": np.array(["A", "B", "C", "D"])[school // 6], "school": school, "score": score}


@pytest.fixture(scope="module")
def table() -> fastml.FitTable:
    return fastml.fit_by(scores(1), "score", "school", by="country")


def test_differences_and_their_intervals(table: fastml.FitTable) -> None:
    compared = table.contrast()
    ax = pictures.contrasts(compared)
    rows = compared.to_dict()
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"{row['a']} − {row['b']}" for row in rows]
    lines, points = ax.collections
    np.testing.assert_allclose([path.vertices[:, 0] for path in lines.get_paths()],
                               [[row["ci_low"], row["ci_high"]] for row in rows])  # fmt: skip
    np.testing.assert_allclose(points.get_offsets()[:, 0], [row["difference"] for row in rows])
    filled = points.get_facecolor()[:, 0] < 0.5
    assert filled.tolist() == [row["ci_low"] > 0.0 or row["ci_high"] < 0.0 for row in rows]
    assert 0 < filled.sum() < len(rows)
    assert ax.get_xlabel() == "Difference in gamma00, 95 % interval"
    ordered = pictures.contrasts(compared, sort=True).collections[1].get_offsets()
    assert np.all(np.diff(ordered[np.argsort(-ordered[:, 1]), 0]) <= 0.0)
    assert compared.plot().get_xlabel() == ax.get_xlabel()


def test_many_differences_have_no_names(table: fastml.FitTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_NAMES", 3)
    assert pictures.contrasts(table.contrast()).get_yticklabels() == []


def test_what_is_left_out_is_counted() -> None:
    data = scores(2)
    data["school"] = np.where(data["country"] == "D", 99, data["school"])
    compared = fastml.fit_by(data, "score", "school", by="country").contrast()
    assert "3 of 6 without a result left out" in pictures.contrasts(compared).get_xlabel()


def test_a_trend() -> None:
    cycles = {year: fastml.fit_by(scores(year, year), "score", "school", by="country") for year in (2019, 2011, 2015)}
    found = fastml.trend(cycles, independent=True, level=0.9)
    ax = pictures.trend(found)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2011", "2015", "2019"]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["A", "B", "C", "D"]
    line, _, (bars,) = ax.containers[0]
    rows = [next(row for row in cycles[year].to_dict() if row["country"] == "A") for year in (2011, 2015, 2019)]
    np.testing.assert_allclose(line.get_ydata(), [row["gamma00"] for row in rows])
    compared = [fastml.fit_by(scores(year, year), "score", "school", by="country").contrast("A", "B", level=0.9)
                for year in (2011,)]  # fmt: skip
    assert compared[0].to_dict()[0]["estimate_a"] == rows[0]["gamma00"]
    widths = [float(np.ptp(path.vertices[:, 1])) for path in bars.get_paths()]
    assert all(
        2.0 * row["se_gamma00"] < width < 8.0 * row["se_gamma00"] for row, width in zip(rows, widths, strict=True)
    )
    assert found.plot().get_xlabel() == "Cycle; 90 % intervals of each estimate"


def test_many_lines_are_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    cycles = {year: fastml.fit_by(scores(year), "score", "school", by="country") for year in (2015, 2019)}
    monkeypatch.setattr(pictures, "MAX_LINES", 3)
    assert pictures.trend(fastml.trend(cycles, independent=True)).get_legend() is None


def test_what_is_no_table_of_comparisons(table: fastml.FitTable) -> None:
    for draw in (pictures.contrasts, pictures.trend):
        with pytest.raises(FastmlError, match="FitTable"):
            draw(table)
    two = table.contrast(parameter=["gamma00", "icc"])
    with pytest.raises(FastmlError, match="one parameter"):
        pictures.contrasts(two)
    with pytest.raises(FastmlError, match="ContrastTable has no cycles"):
        pictures.trend(two)
    cycles = {year: fastml.fit_by(scores(year), "score", "school", by="country") for year in (2015, 2019)}
    with pytest.raises(FastmlError, match="one parameter"):
        pictures.trend(fastml.trend(cycles, parameter=["gamma00", "icc"], independent=True))
    alone = fastml.fit_by(scores(1) | {"school": np.zeros(144)}, "score", "school", by="country")
    with pytest.raises(FastmlError, match="no comparison has a result"):
        pictures.contrasts(alone.contrast(independent=True))
