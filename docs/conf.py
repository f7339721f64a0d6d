"""The site: ``python -m sphinx -W -c docs . site`` makes it of the pages, plain Markdown, and of the docstrings.

The source is the whole repository, so that the links of a page are the same here and on a code host; README.md is the
home page. The navigation stands here.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import fastml

if TYPE_CHECKING:
    from sphinx.application import Sphinx

NAVIGATION = {
    "Begin": ["docs/start", "docs/report", "docs/lecture", "docs/from_other_programs"],
    "Use": [
        "docs/guide", "docs/command_line", "docs/inference", "docs/pictures", "docs/outputs", "docs/files",
        "docs/scale", "docs/pipelines", "docs/check", "docs/sql", "docs/assessments", "docs/contrasts",
    ],
    "Judge": [
        "docs/methods", "docs/accuracy", "docs/coverage", "docs/coverage_few_schools", "docs/coverage_weights",
        "docs/coverage_contrasts",
        "benchmarks/README", "docs/security", "docs/limits",
    ],
    "Look up": ["docs/reference/index", "docs/glossary", "CHANGELOG"],
    "Work on it": ["docs/architecture", "CONTRIBUTING", "data/README", "tests/reference/README"],
}  # fmt: skip
_LISTED = {page for pages in NAVIGATION.values() for page in pages}
_PAGES = sorted(f"docs/{path.stem}" for path in Path(__file__).parent.glob("*.md"))
NAVIGATION["Use"] += [page for page in _PAGES if page not in _LISTED]  # new ones, until they have their place

project = "fastml"
author = "the authors of fastml"
copyright = "the authors of fastml, BSD-3-Clause"
release = fastml.__version__
root_doc = "README"
include_patterns = ["*.md", "docs/**", "benchmarks/README.md", "data/README.md", "tests/reference/README.md"]
exclude_patterns = [".*", "build", "dist", "site", "fastml"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]

myst_heading_anchors = 4  # links to headings, by the anchors that code hosts make
suppress_warnings = ["ref.python"]  # "table" is a word of the docstrings, and a method of two classes
autodoc_default_options = {"members": True, "inherited-members": True}
autodoc_typehints = "none"  # the docstrings say them, with shapes and units
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False  # autodoc has them

html_theme = "furo"
html_title = "fastml"
html_copy_source = False
html_show_sourcelink = False
pygments_style = "friendly"
pygments_dark_style = "native"


def navigate(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the navigation to the home page, where README.md has none; keep the search to what users look for."""
    if page in ("CHANGELOG", "CONTRIBUTING", "docs/architecture"):
        source[0] = f"---\nnosearch: true\n---\n{source[0]}"
    if page == root_doc:
        for caption, pages in NAVIGATION.items():
            source[0] += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def make_index(app: Sphinx, error: Exception | None) -> None:
    """The home page under the name that servers look for."""
    if error is None and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Called by Sphinx.

    Parameters
    ----------
    app : Sphinx
    """
    app.connect("source-read", navigate)
    app.connect("env-get-outdated", lambda *_: [root_doc])  # the navigation may have changed
    app.connect("build-finished", make_index)
