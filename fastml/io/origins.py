"""What statistics were made of: files, known by their content, and data in memory, known by the call that read them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from fastml.io.locations import Location

__all__ = ["Origin", "Origins", "file_origin", "origin_in_memory"]

# Of larger files the ends and pieces between are looked at: to read all again would take as long as the statistics.
_WHOLE, _END, _PIECE, _PIECES = 1 << 17, 1 << 15, 1 << 12, 8


@dataclass(frozen=True)
class Origin:
    """Rows that were read in one call.

    Attributes
    ----------
    name : str
        The path as it was given, or the kind of the data.
    rows : int
        Those that the filter kept.
    digest : str
        The same for the same content, read with the same filter and tags, wherever the file is. Empty where it was not
        taken.
    filter : str or None
        The condition that they fulfil.
    is_file : bool
        Whether the name is that of a file.
    options : dict
        How values were read, as plain values, where the call said so: ``missing``, codes and texts of missing values,
        and ``csv_options``, of text files.
    """

    name: str
    rows: int
    digest: str
    filter: str | None = None
    is_file: bool = True
    options: dict[str, Any] = field(default_factory=dict)

    def marked(self, mark: str) -> Origin:
        """Return the origin of what differs from this by a mark: a part of the rows, or tags."""
        if not self.digest:
            return self
        return replace(self, digest=blake2b(f"{self.digest}\n{mark}".encode(), digest_size=16).hexdigest())


# Of all files of a call, once they have been read, given the use of `file_origin`.
Origins = Callable[[str | None], tuple[Origin, ...]]


def file_origin(location: Location, rows: int, use: str | None) -> Origin:
    """Origin of rows of a file.

    Parameters
    ----------
    location : Location
    rows : int
    use : str or None
        Filter and tags, of which a digest is taken with the file's content; None: no digest.

    Returns
    -------
    Origin
    """
    name = location.shown or location.path
    if use is None:
        return Origin(name, rows, "")
    size = location.size()
    digest = blake2b(f"{size}\n{use}\n".encode(errors="surrogatepass"), digest_size=16)
    with location.open() as file:
        if size <= _WHOLE:
            digest.update(file.read())
        else:
            between = range(1, _PIECES + 1) if location.filesystem is None else ()  # elsewhere each takes a request
            places = [(0, _END), *((size * i // (_PIECES + 1), _PIECE) for i in between), (size - _END, _END)]
            for place, length in places:
                file.seek(place)
                digest.update(file.read(length))
    return Origin(name, rows, digest.hexdigest())


def origin_in_memory(name: str, rows: int) -> Origin:
    """Origin of rows that no file holds: another at each call.

    Parameters
    ----------
    name : str
    rows : int

    Returns
    -------
    Origin
    """
    return Origin(name, rows, uuid.uuid4().hex, is_file=False)
