"""Make the manual's pictures: ``python docs/make_pictures.py`` writes docs/*.svg.

From the lecture's example, and, where that is too small, from schools drawn with a fixed seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

import fastml
from fastml import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HERE = Path(__file__).parent
OF_THE_LECTURE = ("caterpillar", "school_distribution", "variance_shares", "icc_profile", "qq")
TAU_SD = {"Aland": 12.0, "Boland": 20.0, "Coland": 27.0, "Doland": 35.0, "Eland": 44.0, "Foland": 58.0, "Goland": 80.0}


def pictures() -> dict[str, Axes]:
    """Draw them.

    Returns
    -------
    dict of str to Axes
        Name of the file, without its end, to what is in it.
    """
    fit = fastml.fit(HERE.parent / "data" / "timss2019_usa_lecture.parquet", outcome="bsmmatxx", group="idschool")
    drawn = {name: getattr(plots, name)(fit) for name in OF_THE_LECTURE}
    drawn["caterpillar_bands"] = plots.caterpillar(fastml.fit(_schools(100_000, 40.0)))
    drawn["icc_by"] = plots.icc_by(_world(0.0, 0))
    drawn["contrasts"] = plots.contrasts(_world(2.0, 1).contrast(b="average"))
    cycles = {year: _world(gain, year, 3) for year, gain in ((2011, 0.0), (2015, 1.0), (2019, 3.0))}
    drawn["trend"] = plots.trend(fastml.trend(cycles, independent=True))
    return drawn


def _world(gain: float, seed: int, countries: int = 7) -> fastml.FitTable:
    """Countries whose schools differ more and more, and gain the more the later they come."""
    world: dict[str, list[object]] = {"country": [], "school": [], "score": []}
    for at, (country, tau_sd) in enumerate(list(TAU_SD.items())[:countries]):
        rng = np.random.default_rng(seed + len(world["score"]))
        for school, mean in enumerate(rng.normal(500.0 + 4.0 * at * gain, tau_sd, 40)):
            scores = rng.normal(mean, 75.0, 25).tolist()
            world["score"] += scores
            world["school"] += [school] * len(scores)
            world["country"] += [country] * len(scores)
    return fastml.fit_by(world, "score", "school", by="country")


def _schools(count: int, tau_sd: float) -> fastml.GroupStats:
    rng = np.random.default_rng(7)
    n = rng.integers(10, 60, count)
    mean = rng.normal(500.0, tau_sd, count) + rng.normal(size=count) * 80.0 / np.sqrt(n)
    return fastml.GroupStats.from_summary(
        group=np.arange(count), n=n, mean=mean, sd=np.full(count, 80.0), outcome="score"
    )


def main(folder: Path = HERE) -> None:
    """Write the pictures.

    Parameters
    ----------
    folder : Path
    """
    for name, ax in pictures().items():
        # A fixed salt and no date: the same bytes at every run. White paper, as pages may be dark.
        with mpl.rc_context({"svg.hashsalt": "fastml"}):
            ax.figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, facecolor="white")
        text = (folder / f"{name}.svg").read_text()
        (folder / f"{name}.svg").write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")


if __name__ == "__main__":
    main()
