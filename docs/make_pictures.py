"""Make the manual's pictures: ``python docs/make_pictures.py`` writes docs/*.svg from the lecture's example."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

import fastml
from fastml import plots

HERE = Path(__file__).parent
NAMES = ("caterpillar", "school_distribution", "variance_shares", "icc_profile", "qq")


def main(folder: Path = HERE) -> None:
    """Write the pictures.

    Parameters
    ----------
    folder : Path
    """
    fit = fastml.fit(HERE.parent / "data" / "timss2019_usa_lecture.parquet", outcome="bsmmatxx", group="idschool")
    for name in NAMES:
        figure = getattr(plots, name)(fit).figure
        # A fixed salt and no date: the same bytes at every run. White paper, as pages may be dark.
        with mpl.rc_context({"svg.hashsalt": "fastml"}):
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, facecolor="white")
        text = (folder / f"{name}.svg").read_text()
        (folder / f"{name}.svg").write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")


if __name__ == "__main__":
    main()
