"""What a notebook shows of Axes that no pyplot knows of."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import fastml
from fastml.report.notebook import ShownAxes


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> fastml.OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


def test_axes_and_figure_are_the_same_picture_twice_as_sharp(fit: fastml.OneWayFit) -> None:
    ax = fit.plot()
    for shown in (ax, ax.figure):
        png, size = shown._repr_png_()  # type: ignore[attr-defined]
        assert png.startswith(b"\x89PNG")
        assert struct.unpack(">II", png[16:24]) == (2 * size["width"], 2 * size["height"])
        assert size["width"] == 480


def test_pyplot_holds_no_figure(fit: fastml.OneWayFit) -> None:
    fit.plot()._repr_png_()  # type: ignore[attr-defined]
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_axes_of_another_figure_are_left_to_it(fit: fastml.OneWayFit) -> None:
    theirs = Figure().subplots()
    assert fit.plot(ax=theirs) is theirs
    assert not hasattr(theirs, "_repr_png_")
    moved = Figure().add_subplot(axes_class=ShownAxes)
    assert isinstance(moved, ShownAxes)
    assert moved._repr_png_() is None


def test_letters_that_the_font_lacks_are_no_warning() -> None:
    data = {"school": ["学校"] * 3 + ["မြန်မာ"] * 3, "score": [1.0, 2.0, 4.0, 8.0, 5.0, 7.0]}
    fastml.fit(data, "score", "school").plot()._repr_png_()  # type: ignore[attr-defined]
