"""What every command shares: the form of its result, where it goes, and whether notices are wanted. No logic."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from fastml.errors import FastmlError, visible
from fastml.io.progress import is_terminal
from fastml.io.writing import check_parquet_name, write_text
from fastml.report.formats import ENDINGS, FORMATS, Format

__all__ = ["Columns", "Form", "Format", "Output", "Quiet", "Result", "Verbose", "check_columns", "check_output",
           "check_page", "check_query", "deliver", "printing", "show"]  # fmt: skip


_DATA = (Format.json, Format.csv, Format.parquet)


def _silence(wanted: bool) -> bool:
    if wanted:
        warnings.simplefilter("ignore")
    return wanted  # what a callback returns is the option's value


class _Told(logging.Handler):
    """Lines on stderr, each once, however often a command looks at its files."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        line = visible(" ".join(record.getMessage().split()))
        if line not in self._lines and sys.stderr is not None:
            sys.stderr.write(f"fastml: {line}\n")
        self._lines.add(line)


def _listen(wanted: bool) -> bool:
    log = logging.getLogger("fastml")
    for handler in [handler for handler in log.handlers if isinstance(handler, _Told)]:  # of a command before
        log.removeHandler(handler)
    if wanted:
        log.setLevel(logging.INFO)
        log.addHandler(_Told())
    return wanted


Form = Annotated[Format | None, typer.Option("--format", metavar="FORM", case_sensitive=False,
                 help="text, json, csv, markdown, latex, html or parquet; else what -o ends in.")]  # fmt: skip
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file, not to stdout.")]
Columns = Annotated[list[str] | None, typer.Option("--columns", metavar="NAME,...",
                    help="Columns to print of a table: country,icc,deff.")]  # fmt: skip
Quiet = Annotated[bool, typer.Option("--quiet", "-q", callback=_silence, help="No notices, no progress on stderr.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", callback=_listen, help="Say on stderr what in folders was passed over.")
]


class Result(Protocol):
    """What can be shown: fits, tables of fits, plans."""

    def to_json(self) -> str: ...  # noqa: D102
    def to_csv(self) -> str: ...  # noqa: D102
    def to_markdown(self) -> str: ...  # noqa: D102
    def to_latex(self) -> str: ...  # noqa: D102
    def to_html(self) -> str: ...  # noqa: D102
    def write(self, path: Path) -> None: ...  # noqa: D102


def check_output(format: Format | None, output: Path | None, files: Sequence[str] = ()) -> Format:
    """Return the form of the output, before any work is done: what the ending of its name says, where none is asked.

    Refused are to write over what is read, a form that can't be printed, and a name that says no form or another.
    """
    _check_not_read(output, files)
    format = format or _form_of(output)
    if format is Format.parquet:
        if output is None:
            raise FastmlError("--format parquet needs a file: name it with -o")
        check_parquet_name(output)
    return format


def check_columns(columns: list[str] | None, format: Format) -> None:
    """Refuse to choose columns of data, before any work is done: they have all, for programs."""
    if columns and format in _DATA:
        raise FastmlError(f"--columns is of tables to read: text, markdown, latex, html; {format} has all columns")


def check_page(output: Path | None, files: Sequence[str]) -> None:
    """As `check_output`, of a page of HTML, which isn't for a terminal either."""
    if output is None and is_terminal(sys.stdout):
        raise FastmlError("the report is a page of HTML: name a file with -o, such as -o report.html")
    _check_not_read(output, files)
    if output is not None and output.suffix.lower() != ".html" and not _is_special(output):
        raise FastmlError(f"-o {output}: the report is a page of HTML; name it .html")


def check_query(output: Path | None) -> None:
    """Refuse to write a query to a file of another kind, such as that of the table."""
    if output is not None and output.suffix.lower() != ".sql" and not _is_special(output):
        raise FastmlError(f"-o {output}: the query is SQL; name it .sql")


def _check_not_read(output: Path | None, files: Sequence[str]) -> None:
    if output is None or not output.is_file():
        return
    from fastml.io.discovery import find_files

    pieces = [piece for file in files if "://" not in file for piece in find_files(file)[1]]
    if any(output.samefile(piece.location.path) for piece in pieces):
        raise FastmlError(f"{output} is one of the files to read, and would be replaced; write to another")


def _is_special(output: Path) -> bool:
    """Whether it is a device or a pipe."""
    return output.exists() and not output.is_file() and not output.is_dir()


def _form_of(output: Path | None) -> Format:
    if output is None or _is_special(output):
        return Format.text
    if output.suffix.lower() not in ENDINGS:
        raise FastmlError(f"-o {output}: its ending says no form; name it {', '.join(ENDINGS)}, or give --format")
    return ENDINGS[output.suffix.lower()]


def show(result: Result, format: Format, output: Path | None, columns: list[str] | None = None) -> None:
    """Deliver the result in the form asked for, a table perhaps with the columns asked for."""
    if format is Format.parquet and output is not None:
        result.write(output)
        return
    text = getattr(result, f"to_{format}")(columns=_listed(columns, result)) if columns else FORMATS[format](result)
    deliver(text.rstrip("\n") + "\n", output)


def _listed(columns: list[str], table: Any) -> list[str]:
    """The names of the option, each of which may be several: icc,deff."""
    there = table.to_arrow().column_names
    return [name.strip() for text in columns for name in ([text] if text in there else text.split(","))]


def deliver(text: str, output: Path | None) -> None:
    """Print the text, or replace a file by it, whole or not at all."""
    if output is not None:
        write_text(text, output)
        return
    if sys.stdout is None:
        raise FastmlError("stdout is closed; name a file with -o")
    with printing():
        if hasattr(sys.stdout, "reconfigure"):
            # A terminal that can't show a letter of a school's name gets its number, rather than nothing.
            sys.stdout.reconfigure(errors="backslashreplace")
        # What names of schools would do to a terminal; into files and pipes the text goes as it is.
        sys.stdout.write(visible(text, but="\n") if is_terminal(sys.stdout) else text)
        sys.stdout.flush()


@contextmanager
def printing() -> Iterator[None]:
    """Say in a line that stdout can't be written to; a reader that is gone, as of `fastml ... | head`, is no error."""
    try:
        yield
    except OSError as error:
        # Nothing more can be printed, at the end of the process neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise FastmlError(f"can't write to stdout: {error.strerror or error}") from None
