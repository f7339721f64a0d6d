"""A grid of cells -> HTML, LaTeX, Markdown. Every cell is escaped here, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from fastml.errors import visible
from fastml.report.grids import Cell, Grid, Symbol

__all__ = ["html_sentence", "html_table", "html_text", "html_with_sentences", "latex_table", "latex_text",
           "markdown_table", "markdown_text"]  # fmt: skip

# Control characters are allowed in none of the three.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")

_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "%": r"\%", "&": r"\&", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedblright{}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # at the start of a row, \\ would read one as its option
    "−": "$-$", "…": r"\ldots{}",
}  # fmt: skip

_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~$!])")
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe]+(?: +[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe]+)*"
)
_BELOW_ZERO = re.compile(r"(?<=[ (])-(?=\d)")  # in a sentence, where other hyphens are
_NEGATIVE = re.compile(r"-(?=\d)")


def html_text(text: object) -> str:
    """Text that HTML shows as it is, in an element or a quoted attribute.

    Examples
    --------
    >>> html_text("<b>'A & B'</b>")
    '&lt;b&gt;&#x27;A &amp; B&#x27;&lt;/b&gt;'
    """
    return escape(_CONTROL.sub("\ufffd", str(text)))


def html_sentence(text: object) -> str:
    r"""A sentence that HTML shows as it is; Hebrew and Arabic names don't turn the numbers beside them around.

    Examples
    --------
    >>> html_sentence("least in \u0627\u0644: 25 %") == "least in <bdi>\u0627\u0644</bdi>: 25 %"
    True
    """
    return _RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", _BELOW_ZERO.sub("−", html_text(text)))


def latex_text(text: object) -> str:
    r"""Text that LaTeX prints as it is.

    Examples
    --------
    >>> print(latex_text(r"50 % of A_1 & {B} \ C"))
    50 \% of A\_1 \& \{B\} \textbackslash{} C
    """
    clean = visible(" ".join(_CONTROL.sub("?", str(text)).split()))
    return "".join(_LATEX.get(letter, letter) for letter in clean)


def markdown_text(text: object) -> str:
    r"""Text that Markdown, in a cell of a table too, shows as it is.

    Examples
    --------
    >>> print(markdown_text("a|b <i> *c*"))
    a\|b &lt;i&gt; \*c\*
    """
    clean = visible(" ".join(_CONTROL.sub("\ufffd", str(text)).split()))
    return escape(_MARKDOWN.sub(r"\\\1", clean), quote=False)


def html_table(grid: Grid) -> str:
    """The grid as a ``<table class="fastml">`` without any style of its own; the notes are in its foot."""

    def line(cells: tuple[Cell, ...]) -> str:
        tags = ['th scope="row"' if i == 0 else f"td{_wordy(cell)}" for i, cell in enumerate(cells)]
        return "<tr>" + "".join(
            f"<{tag}{_right(number)}>{_html(cell)}</{tag[:2]}>"
            for tag, cell, number in zip(tags, cells, grid.numeric, strict=True)
        ) + "</tr>"  # fmt: skip

    span = len(grid.header)
    parts = ['<table class="fastml">']
    if grid.caption:
        parts.append(f"<caption>{html_text(grid.caption)}</caption>")
    heads = "".join(
        f'<th scope="col"{_right(number)}>{html_text(name)}</th>' if name else "<td></td>"
        for name, number in zip(grid.header, grid.numeric, strict=True)
    )
    parts.append(f"<thead><tr>{heads}</tr></thead>")
    for section in grid.sections:
        parts.append("<tbody>")
        if section.title:
            parts.append(
                f'<tr><th scope="rowgroup" colspan="{span}" class="section"{_LEFT}>{html_text(section.title)}</th></tr>'
            )
        parts += map(line, section.rows)
        parts.append("</tbody>")
    if grid.notes:
        notes = "".join(f'<tr><td colspan="{span}"{_LEFT}>{html_text(note)}</td></tr>' for note in grid.notes)
        parts.append(f"<tfoot>{notes}</tfoot>")
    parts.append("</table>")
    return "\n".join(parts)


def html_with_sentences(grid: Grid, sentences: Iterable[str]) -> str:
    """The grid as an HTML table, and a paragraph for each sentence."""
    return html_table(grid) + "".join(f"\n<p>{html_sentence(sentence)}</p>" for sentence in sentences)


def latex_table(grid: Grid, caption: str | None = None, label: str | None = None) -> str:
    r"""The grid as a LaTeX tabular; needs ``\usepackage{booktabs}``.

    Parameters
    ----------
    grid : Grid
    caption, label : str, optional
        With either, the tabular stands in a floating ``table`` with them. The caption is escaped, the label is not.
    """
    span = len(grid.header)
    columns = "".join("r" if number else "l" for number in grid.numeric)
    # In a group of its own: small, and close together, so that eight columns fit between the margins.
    lines = [r"{\small\setlength{\tabcolsep}{4pt}", rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}", r"\toprule",
             _latex_line(tuple(grid.header)), r"\midrule"]  # fmt: skip
    for i, section in enumerate(grid.sections):
        if i:
            lines.append(r"\addlinespace")
        if section.title:
            lines.append(rf"\multicolumn{{{span}}}{{l}}{{\textit{{{latex_text(section.title)}}}}} \\")
        lines += map(_latex_line, section.rows)
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if grid.notes:  # under it, as lines of text that break
        lines += [r"\par\smallskip\noindent", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines += [rf"{latex_text(note)}\par" for note in grid.notes]
        lines.append(r"\end{minipage}")
    if caption is not None or label is not None:
        head = [r"\begin{table}", r"\centering"]
        head += [] if caption is None else [rf"\caption{{{latex_text(caption)}}}"]
        head += [] if label is None else [rf"\label{{{label}}}"]
        lines = [*head, *lines, r"\end{table}"]
    return "\n".join(lines)


def markdown_table(grid: Grid) -> str:
    """The grid as a Markdown table (the pipe form of GitHub, Pandoc and Quarto)."""

    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cells) + " |"

    lines = [f"**{markdown_text(grid.caption)}**", ""] if grid.caption else []
    lines += [line(tuple(map(markdown_text, grid.header))),
              line(tuple("---:" if number else ":---" for number in grid.numeric))]  # fmt: skip
    for section in grid.sections:
        if section.title:
            lines.append(line((f"*{markdown_text(section.title)}*", *[""] * (len(grid.header) - 1))))
        lines += [line(tuple(_markdown(cell) for cell in row)) for row in section.rows]
    if grid.notes:
        lines += ["", "  \n".join(map(markdown_text, grid.notes))]
    return "\n".join(lines)


def _html(cell: Cell) -> str:
    return cell.value[1] if isinstance(cell, Symbol) else html_text(cell)


def _markdown(cell: Cell) -> str:
    return cell.value[0] if isinstance(cell, Symbol) else markdown_text(cell)


def _latex_line(cells: tuple[Cell, ...]) -> str:
    return " & ".join(_latex(cell) for cell in cells) + r" \\"


def _latex(cell: Cell) -> str:
    if isinstance(cell, Symbol):
        return cell.value[2]
    # A number's minus sign, not a hyphen in a name.
    return _NEGATIVE.sub("$-$", cell) if _FIGURE.fullmatch(cell) else latex_text(cell)


_FIGURE = re.compile(r"-?[\d,.]+(e[+-]?\d+)?( to -?[\d,.]+(e[+-]?\d+)?)?")


def _wordy(cell: Cell) -> str:
    """Mark a sentence in a cell, such as why there is no result, so that a page can give it room."""
    return ' class="words"' if isinstance(cell, str) and len(cell) > 24 else ""


def _right(number: bool) -> str:
    return ' style="text-align:right"' if number else _LEFT


_LEFT = ' style="text-align:left"'  # notebooks have all of a table to the right
