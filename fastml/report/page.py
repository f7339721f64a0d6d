"""A result -> one self-contained HTML page: sentences, tables, pictures. No script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fastml._version import __version__
from fastml.report.grids import Grid
from fastml.report.markup import html_sentence, html_table, html_text
from fastml.report.sentences import NO_LEAGUE_TABLE, SURE_ORDER

__all__ = ["fit_page", "table_page"]

# The pictures use the same colours (canvas.py).
_STYLE = """
:root { --paper: #ffffff; --ink: #1a1a1a; --soft: #555555; --rule: #cccccc; --blue: #0072b2;
  --vermilion: #d55e00; --pale: #9ecae9; --grey: #8a8a8a; --band: #dddddd; --other: #f2d9c6; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e8e6e3; --soft: #aaa8a4; --rule: #44474b;
  --blue: #56b4e9; --vermilion: #ff9d52; --pale: #2b5573; --grey: #9a9a9a; --band: #3b3e42; --other: #5c4434; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .5rem 0; }
.source, .heading, .note, footer, figcaption { color: var(--soft); font-size: .875rem; }
.heading { margin-top: 1rem; }
.note { margin: .15rem 0; }
.lead { font-size: 1.1rem; }
figure { margin: 1rem 0; }
svg { display: block; fill: var(--ink); width: 100%; max-width: 36rem; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
.wide { overflow-x: auto; margin: .4rem 0; border-bottom: 1px solid var(--rule);
  background: linear-gradient(to left, var(--paper) 40%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--band), transparent) right / 1rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; width: 100%; }
th, td { padding: .25rem .6rem .25rem 0; text-align: left; font-weight: normal; vertical-align: top; }
thead th { border-bottom: 1px solid var(--ink); color: var(--soft); }
th:last-child, td:last-child { padding-right: 0; }
tbody th { min-width: 7rem; max-width: 16rem; overflow-wrap: anywhere; }
tbody th[scope=row] { position: sticky; left: 0; background: var(--paper); }
td[style*=right] { white-space: nowrap; }
td.words { min-width: 7.5rem; }
tbody th.section { font-weight: 600; padding-top: .7rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: .5rem; }
body.table { max-width: 78rem; }
body.table > p, body.table > figure { max-width: 44rem; }
@media (max-width: 30rem) { table { font-size: .8rem; } th, td { padding-right: .4rem; }
  tbody th { min-width: 5.6rem; max-width: 7.5rem; } }
@media print { body { max-width: none; } }
"""

Drawing = tuple[str, str]  # SVG, what it shows


def fit_page(
    title: str,
    source: str,
    said: Mapping[str, str],
    model: Grid,
    naive: Grid,
    schools: Grid,
    pictures: Mapping[str, Drawing],
    note: str = "",
) -> str:
    """The page of one fit.

    Parameters
    ----------
    title, source : str
        Plain text.
    said : mapping
        `sentences.fit_sentences`.
    model, naive, schools : Grid
    pictures : mapping
        Name of the function of `plots` to its picture; one that is missing is left out.
    note : str
        Why there are no pictures; shown in their place.
    """

    def words(*topics: str) -> str:
        return "".join(_paragraph(said[topic]) for topic in topics if topic in said)

    def figure(name: str) -> str:
        return _figure(pictures[name]) if name in pictures else ""

    body = [
        _paragraph(said["shares"], ' class="lead"'),
        words("weights", "rows"),
        _paragraph(note) if note else "",
        "<h2>The model</h2>\n", words("mean"), _wide(model),
        "<h2>Where the variance lies</h2>\n", figure("variance_shares"),
        "<h2>How far schools differ</h2>\n", words("gap"), figure("school_distribution"),
        "<h2>What the school means are worth</h2>\n", words("reliability"),
        _paragraph(SURE_ORDER + NO_LEAGUE_TABLE), figure("caterpillar"), figure("qq"),
        "<h2>What ignoring schools would do</h2>\n", words("deff"), _wide(naive),
        "<h2>The schools</h2>\n", _wide(schools),
    ]  # fmt: skip
    return _page(title, source, body, "fit")


def table_page(
    title: str,
    source: str,
    said: Sequence[str],
    results: Grid,
    pictures: Sequence[Drawing],
    note: str = "",
    reading: Sequence[str] = (),
) -> str:
    """The page of a table of fits; see `fit_page`. `reading` are sentences on how to read it."""
    body = [
        *map(_paragraph, said), *map(_paragraph, [note] if note else []), *map(_figure, pictures),
        *(["<h2>How to read this</h2>\n", *map(_paragraph, reading)] if reading else []),
        "<h2>All results</h2>\n", _wide(results),
    ]  # fmt: skip
    return _page(title, source, body, "table")


def _paragraph(text: str, attributes: str = "") -> str:
    """Text whose percent signs stay with their numbers."""
    return f"<p{attributes}>{html_sentence(text).replace(' %', '&nbsp;%')}</p>\n"


def _figure(picture: Drawing) -> str:
    svg, caption = picture
    return f"<figure>\n{svg}\n<figcaption>{html_sentence(caption)}</figcaption>\n</figure>\n"


def _wide(grid: Grid) -> str:
    """A table that scrolls sideways where it is wider than the screen; its caption and notes do not."""
    heading = f'<p class="heading">{html_text(grid.caption)}</p>\n' if grid.caption else ""
    notes = "".join(f'<p class="note">{html_text(note)}</p>\n' for note in grid.notes)
    table = html_table(replace(grid, caption="", notes=()))
    name = html_text(grid.caption or "Table")
    return f'{heading}<div class="wide" role="region" tabindex="0" aria-label="{name}">\n{table}\n</div>\n{notes}'


def _page(title: str, source: str, body: Sequence[str], kind: str) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"  # markup that slipped through would not run
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body class="{kind}">\n'
        f'<h1>{html_text(title)}</h1>\n<p class="source">{html_text(source)}</p>\n'
        + "".join(body)
        + f"<footer>fastml {__version__}: one-way random-effects (null multilevel) model.</footer>\n</body>\n</html>\n"
    )
