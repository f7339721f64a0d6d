"""Errors of linking the scales of cycles, which all rows of a cycle have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import FastmlError
from fastml.results.row_contrasts import RowContrast
from fastml.results.samples import label_text

__all__ = ["linking_variance"]

Floats = npt.NDArray[np.float64]


def linking_variance(
    chosen: Sequence[RowContrast], rows: Sequence[Mapping[str, Any]], cycle: str | None, link: Any
) -> Floats:
    """Variance of the errors of linking scales in each contrast.

    Parameters
    ----------
    chosen : sequence of RowContrast, length C
    rows : sequence of mapping
        Labels of the rows that they are of.
    cycle : str or None
        Column of cycles.
    link : float, mapping or None
        See `ResultTable.contrast`.

    Returns
    -------
    ndarray, shape (C,)
        An error moves all rows of a cycle alike, so it counts by the square of the sum of their weights: once between
        two cycles, and not at all within one.

    Raises
    ------
    FastmlError
        There are no cycles, or an error is missing.
    """
    found = np.zeros(len(chosen))
    if link is None:
        return found
    if cycle is None:
        raise FastmlError("link= is the error of linking two cycles, and these rows are of one: compare "
                          "two tables, or name the column of cycles by over=")  # fmt: skip
    cycles = dict.fromkeys(label_text(row[cycle]) for row in rows)
    errors = {label_text(k): float(v) for k, v in link.items()} if isinstance(link, Mapping) else None
    if errors is not None:
        wrong, free = [k for k in errors if k not in cycles], [k for k in cycles if k not in errors]
        if wrong or len(free) > 1:
            named = f"{wrong[0]!r} is no cycle" if wrong else f"{' and '.join(free)} have none"
            raise FastmlError(f"link= names the error of each cycle but one, to whose scale they are linked: {named}")
    for c, one in enumerate(chosen):
        sums: dict[str, float] = {}
        for row, weight in one.weights.items():
            label = label_text(rows[row][cycle])
            sums[label] = sums.get(label, 0.0) + weight
        moved = {label: weight for label, weight in sums.items() if abs(weight) > 1e-12}
        if errors is not None:
            found[c] = sum((weight * errors.get(label, 0.0)) ** 2 for label, weight in moved.items())
        elif len(moved) <= 2:
            found[c] = max((weight**2 for weight in moved.values()), default=0.0) * float(link) ** 2
        else:
            raise FastmlError(f"link= of {len(moved)} cycles is a dict: the error of each but one, as {{2015: 1.8}}")
    return found
