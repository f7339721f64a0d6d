"""The formats of output, by the names that ``--format`` takes.

A new one is a member of `Format`, a line of `ENDINGS` and of `FORMATS`, and the method that the latter calls, in
`exports`. The command line imports this module at its start, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

__all__ = ["ENDINGS", "FORMATS", "Format"]


class Format(StrEnum):
    """Formats of the output."""

    text = "text"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"
    html = "html"
    parquet = "parquet"


# The form that the ending of a file's name says.
ENDINGS: Mapping[str, Format] = {
    ".txt": Format.text,
    ".json": Format.json,
    ".csv": Format.csv,
    ".md": Format.markdown,
    ".tex": Format.latex,
    ".html": Format.html,
    ".parquet": Format.parquet,
}

# What makes the text of a result. Parquet is not text: `write` of a result makes the file.
FORMATS: Mapping[Format, Callable[[Any], str]] = {
    Format.text: str,
    Format.json: lambda result: result.to_json(),
    Format.csv: lambda result: result.to_csv(),
    Format.markdown: lambda result: result.to_markdown(),
    Format.latex: lambda result: result.to_latex(),
    Format.html: lambda result: result.to_html(),
}
