"""Make the API reference: ``pip install pdoc``, then ``python docs/make_reference.py FOLDER`` writes its pages."""

from __future__ import annotations

import sys
from pathlib import Path

import pdoc

# fastml's public names, then the modules whose classes those inherit from, so that every method has its place.
MODULES = ("fastml", "fastml.errors", "fastml.inference.intervals", "fastml.results.inference",
           "fastml.results.figures", "fastml.report.exports", "fastml.results.table")  # fmt: skip


def main(folder: Path) -> None:
    """Write the pages.

    Parameters
    ----------
    folder : Path
    """
    pdoc.render.configure(docformat="numpy")
    pdoc.pdoc(*MODULES, output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "reference"))
