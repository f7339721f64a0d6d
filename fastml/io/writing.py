"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fastml.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_parquet_name", "replace_file", "write_parquet", "write_text"]

_OTHERS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".md", ".tex", ".html", ".htm", ".xls", ".xlsx", ".sav",
           ".arrow", ".feather", ".gz"}  # fmt: skip


def replace_file(path: str | os.PathLike[str], fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place, then put it there in one step: what was there stays whole until then.

    Parameters
    ----------
    path : str or path
    fill : callable
        Writes the content to the binary file it is given.

    Raises
    ------
    SourceError
        The file can't be written; nothing is left behind.
    """
    if not isinstance(path, (str, os.PathLike)) or "\0" in os.fspath(path):
        raise SourceError(f"can't write to {path!r}: it is no path")
    target = Path(path)
    if target.is_dir():
        raise SourceError(f"can't write to {target}: it is a folder")
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            try:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
                # A temporary file is its maker's alone; the result has the rights any new file has.
                Path(file.name).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
                Path(file.name).replace(target)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise SourceError(f"can't write to {target}: {error.strerror or error}") from None


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write a text file, whole or not at all; what is no text, such as half a surrogate, as its number.

    Parameters
    ----------
    text : str
    path : str or path

    Raises
    ------
    SourceError
        The file can't be written.
    """
    replace_file(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def write_parquet(table: pa.Table, path: str | os.PathLike[str], **options: bool) -> None:
    """Write a table to a Parquet file, whole or not at all.

    Parameters
    ----------
    table : pyarrow.Table
    path : str or path
    **options
        As `pyarrow.parquet.write_table` takes them.

    Raises
    ------
    SourceError
        The file can't be written, or its name is that of another format.
    """
    import pyarrow.parquet as pq

    check_parquet_name(path)
    replace_file(path, lambda file: pq.write_table(table, file, **options))


def check_parquet_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name that says other than Parquet: who opens `x.csv` later, fastml too, takes it for text.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    SourceError
    """
    suffix = Path(path).suffix if isinstance(path, (str, os.PathLike)) else ""
    if suffix.lower() in _OTHERS:
        raise SourceError(f"what would be written to {os.fspath(path)} is Parquet; name it .parquet, not {suffix}")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
