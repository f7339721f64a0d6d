"""Axes and figures that show themselves in a notebook, without pyplot. Needs matplotlib; loaded by what draws."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["ShownAxes", "ShownFigure", "lacking_letters"]

_SHARP = 2  # pixels of the picture to one of the page, as screens have today

Png = tuple[bytes, dict[str, int]]  # the picture, and its size on the page


class ShownFigure(Figure):
    """A figure that pyplot doesn't know; a notebook shows it where it is the last value of a cell."""

    def _repr_png_(self) -> Png:
        buffer = io.BytesIO()
        with lacking_letters():
            self.savefig(buffer, format="png", dpi=_SHARP * self.dpi)
        width, height = (round(self.dpi * inches) for inches in self.get_size_inches())
        return buffer.getvalue(), {"width": width, "height": height}


class ShownAxes(Axes):
    """Axes of such a figure, shown as the figure is."""

    def _repr_png_(self) -> Png | None:
        figure: Any = self.figure
        return figure._repr_png_() if isinstance(figure, ShownFigure) else None


@contextmanager
def lacking_letters() -> Iterator[None]:
    """Let a letter that the font lacks be a box, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield
