"""The options of reading, declared once for every command that reads files."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import typer

from fastml.cli.output import Quiet, Verbose
from fastml.errors import FastmlError

__all__ = ["Reading", "reads"]


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes
    ----------
    arguments : dict
        missing, filter, csv_options, threads and progress, as the api takes them.
    """

    arguments: dict[str, Any]


def _reading(
    filter: Annotated[str | None, typer.Option("--filter", metavar="TEXT",
                      help="Which rows: \"cycle = 2019 and country = 'TUR'\".")] = None,
    missing: Annotated[list[str] | None, typer.Option("--missing", metavar="CODE",
                       help="Code of a missing value: 99 or k.A.; again for more; '' for none.")] = None,
    delimiter: Annotated[str | None, typer.Option("--delimiter", metavar="SIGN",
                         help=r"Of text files, \t for a tab; found out by default.")] = None,
    encoding: Annotated[str | None, typer.Option("--encoding", metavar="NAME",
                        help="Of text, SPSS, Stata and SAS files, as latin-1.")] = None,
    decimal: Annotated[str, typer.Option("--decimal", metavar="SIGN", help="Decimal point of text files.")] = ".",
    thousands: Annotated[str | None, typer.Option("--thousands", metavar="SIGN",
                         help="Between groups of three digits of text files.")] = None,
    skip_rows: Annotated[int, typer.Option("--skip-rows", min=0, metavar="N",
                         help="Lines of text files before the line of names.")] = 0,
    comment: Annotated[str | None, typer.Option("--comment", metavar="SIGN",
                       help="Begins lines of text files that are no rows.")] = None,
    quote: Annotated[str, typer.Option("--quote", metavar="SIGN", help="Quote of text files; '' for none.")] = '"',
    types: Annotated[list[str] | None, typer.Option("--types", metavar="COLUMN=TYPE",
                     help="Of a column of text files, as school=string; again for more.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads to read with.", min=1)] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> Reading:  # fmt: skip
    csv = {
        "delimiter": "\t" if delimiter == r"\t" else delimiter,  # what a shell makes of it is two characters
        "encoding": encoding, "decimal": decimal, "thousands": thousands, "skip_rows": skip_rows, "comment": comment,
        "quote": quote, "types": _types(types or []),
    }  # fmt: skip
    # One empty text says that there are no codes.
    codes = [text for text in missing if text] if missing else None
    return Reading({
        "missing": codes, "filter": filter, "csv_options": csv, "threads": threads,
        "progress": False if quiet else None,
    })  # fmt: skip


_PARAMETERS = [
    one.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY)
    for one, hint in zip(
        inspect.signature(_reading).parameters.values(),
        get_type_hints(_reading, include_extras=True).values(),  # the last is of what it returns
        strict=False,
    )
]


def _types(texts: list[str]) -> dict[str, str]:
    types = {}
    for text in texts:
        name, sign, kind = text.rpartition("=")
        if not (name and sign and kind):
            raise FastmlError(f"--types {text!r} is not COLUMN=TYPE, such as school=string")
        types[name] = kind
    return types


def reads(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of reading; it takes them as one `Reading`, under the name of reading.

    Parameters
    ----------
    command : callable
        With a parameter ``reading``, in whose place the options come.

    Returns
    -------
    callable
    """
    hints = get_type_hints(command, include_extras=True)
    own = [
        one.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, one in inspect.signature(command).parameters.items()
        if name != "reading"
    ]

    def read(**given: Any) -> None:
        """Call the command."""
        reading = _reading(**{one.name: given.pop(one.name) for one in _PARAMETERS})
        command(**given, reading=reading)

    read.__name__, read.__doc__ = command.__name__, command.__doc__
    read.__signature__ = inspect.Signature([*own, *_PARAMETERS])  # type: ignore[attr-defined]
    read.__annotations__ = {one.name: one.annotation for one in [*own, *_PARAMETERS]}
    return read
