"""How a text file is written: the options of reading, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from fastml.errors import ArgumentError, FastmlError

__all__ = ["CsvOptions", "csv_options"]


@dataclass(frozen=True)
class CsvOptions:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter : str or None
        None: the one of comma, semicolon, tab and bar that splits the line of names into most parts.
    encoding : str or None
        None: UTF-8, or what the file's first bytes say; of SPSS, Stata and SAS files what they declare.
    decimal : str
        The decimal point.
    thousands : str or None
        What stands between groups of three digits: ``1,050.5``.
    quote : str
        What encloses a value that holds delimiters or line breaks; empty: nothing does.
    skip_rows : int
        Lines before the line of names.
    comment : str or None
        What a line that is no row begins with.
    missing : tuple of str
        Texts that stand for a missing number, besides the usual ones. Never of ids.
    types : mapping of str to str
        Arrow types of columns, where they are to be others than their use asks for.
    """

    delimiter: str | None = None
    encoding: str | None = None
    decimal: str = "."
    thousands: str | None = None
    quote: str = '"'
    skip_rows: int = 0
    comment: str | None = None
    missing: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, pa.DataType]:
        """Return the Arrow types of `types`.

        Raises
        ------
        FastmlError
        """
        return {name: _arrow_type(name, kind) for name, kind in self.types.items()}


def csv_options(options: Mapping[str, Any] | CsvOptions | None) -> CsvOptions:
    """Return the options of a call, checked.

    Parameters
    ----------
    options : mapping, CsvOptions or None

    Returns
    -------
    CsvOptions

    Raises
    ------
    FastmlError
    """
    if options is None or isinstance(options, CsvOptions):
        return options or CsvOptions()
    if not isinstance(options, Mapping):
        raise ArgumentError("csv_options", options, ["a mapping such as {'delimiter': ';'}"])
    allowed = list(CsvOptions.__dataclass_fields__)
    for name in options:
        if name not in allowed:
            raise ArgumentError("csv_options", name, allowed)
    given = dict(options)
    if isinstance(given.get("missing"), str) or not isinstance(given.get("missing", ()), Sequence):
        given["missing"] = [given["missing"]]
    given["missing"] = tuple(given.get("missing", ()))
    made = CsvOptions(**given)
    _check_characters(made)
    if isinstance(made.skip_rows, bool) or not isinstance(made.skip_rows, int) or made.skip_rows < 0:
        raise FastmlError(f"csv_options: skip_rows={made.skip_rows!r} is not a number of lines, 0 or more")
    if not all(isinstance(text, str) for text in made.missing):
        raise FastmlError(f"csv_options: missing={list(made.missing)!r} are not texts, such as 'k.A.'")
    if not isinstance(made.types, Mapping):
        raise FastmlError(f"csv_options: types={made.types!r} is not a mapping of columns to Arrow types")
    made.told()
    try:
        "".encode(made.encoding or "utf-8")
    except (LookupError, TypeError):
        raise FastmlError(f"csv_options: encoding={made.encoding!r} is not known; try 'utf-8' or 'latin-1'") from None
    return made


def _check_characters(made: CsvOptions) -> None:
    for name, none in (("delimiter", None), ("decimal", "."), ("quote", "")):
        value = getattr(made, name)
        if value != none and not (_is_character(value) and value.isascii() and (name == "quote" or value != '"')):
            raise FastmlError(
                f"csv_options: {name}={value!r} is not one character: an ASCII one, no quote or line break"
            )
    if made.thousands is not None and (not _is_character(made.thousands) or made.thousands.isalnum()):
        raise FastmlError(f"csv_options: thousands={made.thousands!r} is not one character such as ',' or a space")
    if made.thousands == made.decimal:
        raise FastmlError(
            f"csv_options: thousands and decimal are both {made.decimal!r}; numbers with a thousands "
            f"{'point' if made.decimal == '.' else 'comma'} have another decimal point: give that as decimal too"
        )
    comment = made.comment
    if comment is not None and (not isinstance(comment, str) or not comment.strip() or set(comment) & set("\r\n")):
        raise FastmlError(f"csv_options: comment={comment!r} is not what a line can begin with, such as '#'")


def _is_character(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 1 and value not in "\r\n"


def _arrow_type(name: str, kind: Any) -> pa.DataType:
    try:
        return kind if isinstance(kind, pa.DataType) else pa.type_for_alias(kind)
    except (ValueError, AttributeError, TypeError):
        raise FastmlError(f"csv_options: type {kind!r} of column {name!r} is not an Arrow type") from None
