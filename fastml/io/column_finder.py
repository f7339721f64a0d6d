"""Columns of data by the names that a study usually gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastml.errors import ColumnNotFoundError
from fastml.io.source import column_names, open_source

__all__ = ["ColumnFinder"]


class ColumnFinder:
    """Finds columns of data by their usual names, in upper or lower case."""

    def __init__(self, data: Any) -> None:
        self.source, self.names = column_names(data)
        if not self.names:
            open_source(data, [])  # says what is wrong with data of no kind that can be read
        self._folded = {name.casefold(): name for name in reversed(self.names)}

    def find(self, alternatives: Iterable[str]) -> str | None:
        """The first of the names that the data have, as they spell it; None where they have none."""
        for name in alternatives:
            if name in self.names:
                return name
            if name.casefold() in self._folded:
                return self._folded[name.casefold()]
        return None

    def need(self, alternatives: Sequence[str], hint: str = "") -> str:
        """The same; where there is none, an error that names the first and gives the hint."""
        found = self.find(alternatives)
        if found is None:
            raise ColumnNotFoundError(alternatives[0], self.names, self.source, hint)
        return found
