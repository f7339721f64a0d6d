"""What group statistics consist of: the arrays and names that `GroupStats` adds its methods to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.io.origins import Origin

__all__ = ["GroupFields"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class GroupFields:
    """The fields of `GroupStats`, which says what each is: a record for each of C cells and p outcomes."""

    keys: pa.Table
    by: tuple[str, ...]
    group: tuple[str, ...]
    outcomes: tuple[str, ...]
    counts: Floats  # (C, 3)
    moments: Floats  # (p, C, 4)
    weighted: Floats | None = None  # (p, C, 5)
    group_weight: Floats | None = None  # (C,)
    weights: str | None = None
    group_weights: str | None = None
    labelled: bool = True
    notes: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()

    def _missing(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Whether any of these labels is null, shape (C,)."""
        missing = np.zeros(self.keys.num_rows, bool)
        for name in names:
            if self.keys[name].null_count:
                missing |= np.asarray(self.keys[name].is_null())
        return missing

    def labelled_cells(self) -> npt.NDArray[np.bool_]:
        """Whether a cell has all its labels, shape (C,); the others hold rows that are dropped."""
        return ~self._missing(self.keys.column_names)
