"""Drawing primitives: colours, names, bins, ends of axes, SVG for a page."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import fastml
from fastml import OneWayFit, plots
from fastml.report import canvas
from fastml.report.canvas import inline_svg


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


def test_what_lies_side_by_side_differs_in_grey() -> None:
    """By CIE lightness, 0 to 100, on which grey printing and every eye agree."""

    def lightness(colour: str) -> float:
        rgb = np.array([int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(116.0 * np.cbrt(linear @ np.array([0.2126, 0.7152, 0.0722])) - 16.0)

    white = "#ffffff"
    pairs = [(canvas.BLUE, canvas.OTHER), (canvas.PALE, canvas.INK), (canvas.PALE, white), (canvas.BLUE, canvas.BAND),
             (canvas.VERMILION, canvas.PALE), (canvas.VERMILION, white), (canvas.GREY, white), (canvas.BAND, canvas.INK)]  # fmt: skip
    for one, other in pairs:
        assert abs(lightness(one) - lightness(other)) > 15.0, (one, other)


def test_svg_is_the_same_each_time_and_its_ids_are_its_own(fit: fastml.OneWayFit) -> None:
    once, again = (inline_svg(plots.caterpillar(fit), "one-", "a picture") for _ in range(2))
    assert once == again
    assert once.startswith("<svg ")
    assert once.count('id="') == once.count('id="one-')
    assert "<style" not in once
    assert "<metadata" not in once


def test_letters_without_a_glyph_are_no_warning() -> None:
    fit = fastml.fit({"s": ["学校", "学校", "b", "b", "c", "c"], "y": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}, "y", "s")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inline_svg(plots.caterpillar(fit), "x", "x")


def test_bins_are_few_whatever_the_outlier() -> None:
    values = np.random.default_rng(0).normal(size=500)
    assert 10 < len(canvas.bins(values)) < 40
    assert len(canvas.bins(np.append(values, 1e9))) == 61
    edges = canvas.bins(np.full(3, 7.0))
    assert edges.tolist() == [6.5, 7.5]
    for made in (canvas.bins(values), canvas.bins(values[:3])):
        assert (np.diff(made) > 0).all()
        assert len(made) >= 2


def test_an_axis_ends_where_the_curve_crosses_or_past_what_has_to_be_seen() -> None:
    def curve(x: float) -> float:
        return 100.0 * (x - 0.5) ** 2

    assert canvas.axis_end(curve, 0.5, 1.0, 4.0, 0.6) == pytest.approx(0.7)
    assert canvas.axis_end(curve, 0.5, 0.0, 4.0, 0.4) == pytest.approx(0.3)
    assert canvas.axis_end(curve, 0.5, 1.0, 4.0, 0.9) == pytest.approx(0.9 + 0.03 * 0.4)
    assert canvas.axis_end(curve, 0.5, 1.0, 400.0, 0.6) == 1.0  # it never gets there
    assert canvas.axis_end(curve, 0.5, 0.0, 4.0, 0.0) == 0.0


def test_names_are_cut_and_are_no_formulas() -> None:
    assert canvas.plain("a  b\nc$d$") == r"a b c\$d\$"
    assert canvas.plain("x" * 50, 10) == "x" * 9 + "…"
