"""Columns of one value that the names of folders hold: ``cycle=2019/country=TUR/x.parquet``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from urllib.parse import unquote

import pyarrow as pa

from fastml.errors import SourceError
from fastml.io.filters import comparable

__all__ = ["check_folder", "folder_column", "folder_types", "folder_values"]

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def folder_values(path: str) -> dict[str, str | None]:
    """Name and text of each such column; None is null.

    Parameters
    ----------
    path : str
        That of a file.

    Returns
    -------
    dict
    """
    values: dict[str, str | None] = {}
    for part in PurePath(path).parts[:-1]:
        name, sign, value = part.partition("=")
        if sign and name:
            values[unquote(name)] = None if value == _NO_VALUE else unquote(value)
    return values


def folder_types(files: Iterable[Mapping[str, str | None]]) -> dict[str, pa.DataType]:
    """Types of the columns: integer where all values are, else text.

    Parameters
    ----------
    files : iterable of mapping
        `folder_values` of each file.

    Returns
    -------
    dict
    """
    values: dict[str, list[str]] = {}
    for file in files:
        for name, value in file.items():
            values.setdefault(name, [])
            if value is not None:
                values[name].append(value)
    whole = re.compile(r"-?(0|[1-9]\d{0,17})")
    return {
        name: pa.int64() if texts and all(map(whole.fullmatch, texts)) else pa.dictionary(pa.int32(), pa.string())
        for name, texts in values.items()
    }


def folder_column(value: str | None, dtype: pa.DataType, length: int) -> pa.Array:
    """Column of what a folder says.

    Parameters
    ----------
    value : str or None
    dtype : pyarrow.DataType
        What other files or folders ask for.
    length : int

    Returns
    -------
    pyarrow.Array
    """
    if value is None:
        return pa.nulls(length, dtype)
    if pa.types.is_dictionary(dtype):
        return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), length), pa.array([value]))
    return pa.repeat(pa.scalar(value).cast(dtype), length)


def check_folder(name: str, value: str | None, column: pa.Array, file: str) -> None:
    """Refuse rows that say otherwise than their folder.

    Parameters
    ----------
    name : str
    value : str or None
        What the folder says.
    column : pyarrow.Array
        What the rows of the file say.
    file : str
        Its name, for messages.

    Raises
    ------
    SourceError
    """
    import pyarrow.compute as pc

    column = comparable(column)
    if value is None:
        other = column.is_valid()
    else:
        try:
            other = pc.not_equal(column, pa.scalar(value).cast(column.type)).fill_null(True)
        except pa.ArrowException:  # of a type that can't be what the folder says
            other = pa.repeat(pa.scalar(True), len(column))
    if pc.any(other).as_py():
        found = column.filter(other)[0].as_py()
        raise SourceError(
            f"column {name!r} of {file} holds {'nothing' if found is None else repr(found)} where its folder is "
            f"{name}={_NO_VALUE if value is None else value}; rename the folder or the column, whichever is wrong"
        )
