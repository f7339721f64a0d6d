"""What is kept of a row's estimates, so that it can be compared to others without the rows of the data.

A Parquet file of a table has them too, in columns of their own after those of the table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import SourceError
from fastml.inference.contrasts import Estimate
from fastml.results.samples import SampleIdentity
from fastml.survey.replication import FIGURES

__all__ = ["KEPT", "Kept", "kept_columns", "read_kept"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Kept:
    """Every estimate of one row of a table.

    Attributes
    ----------
    values : ndarray, shape (1 + R, M, 7)
        Row 0: the full sample's estimates of `FIGURES`, one per plausible value. The others: what each replicate's
        differ from them by, which keeps more digits than the estimates would; NaN where there is none. R is 0 without
        replicates.
    variances : ndarray, shape (7,)
        Sampling variances.
    complete : ndarray, shape (7,)
        Their degrees of freedom before plausible values are pooled.
    replicates : tuple of str, length R
        Name of each replicate: its zone and half, or its column.
    zoned : bool
        Whether replicates are of zones.
    factor : float
        The sampling variance is this times the sum of squares of a value's rows 1 to R.
    first_only : bool
        Whether plausible value 1 alone is replicated.
    sample : SampleIdentity
    """

    values: Floats
    variances: Floats
    complete: Floats
    replicates: tuple[str, ...]
    zoned: bool
    factor: float
    first_only: bool
    sample: SampleIdentity

    def of(self, data: tuple[str, ...]) -> Kept:
        """The same with what the data were."""
        return replace(self, sample=replace(self.sample, data=data))

    def estimate(self, parameter: str) -> Estimate:
        """The estimates of one of `FIGURES`; without deviations where it has no error, as tau00 at 0."""
        i = FIGURES.index(parameter)
        deviations = self.values[1:, : 1 if self.first_only else None, i]
        if math.isnan(self.variances[i]):
            deviations = np.full(deviations.shape, math.nan)
        return Estimate(self.values[0, :, i], deviations, self.replicates, self.zoned, self.factor,
                        float(self.variances[i]), float(self.complete[i]))  # fmt: skip


KEPT: dict[str, pa.DataType] = {
    **{f"kept_{name}": pa.list_(pa.float64()) for name in (*FIGURES, "variances", "complete")},
    "kept_replicates": pa.list_(pa.string()),
    "kept_schools": pa.list_(pa.int64()),
    "kept_school_weights": pa.list_(pa.float64()),
    "kept": pa.string(),
}
"""Columns of a file: values of each figure (1 + R, M) row by row, and the rest."""


def kept_columns(rows: Sequence[Kept | None]) -> dict[str, pa.Array]:
    """The columns of `KEPT`; null for a row without estimates.

    Parameters
    ----------
    rows : sequence of Kept or None

    Returns
    -------
    dict of str to pyarrow.Array
    """

    def cells(row: Kept | None) -> dict[str, object]:
        if row is None:
            return dict.fromkeys(KEPT)
        rest = {"zoned": row.zoned, "factor": row.factor, "first_only": row.first_only,
                "plausible": row.values.shape[1], "countries": row.sample.countries,
                "known": row.sample.known, "data": row.sample.data}  # fmt: skip
        schools = sorted((row.sample.schools or {}).items())
        return {
            **{f"kept_{name}": row.values[:, :, i].ravel() for i, name in enumerate(FIGURES)},
            "kept_variances": row.variances,
            "kept_complete": row.complete,
            "kept_replicates": row.replicates,
            "kept_schools": [school for school, _ in schools],
            "kept_school_weights": [v for _, v in schools],
            "kept": json.dumps(rest, ensure_ascii=False),
        }

    made = [cells(row) for row in rows]
    return {name: pa.array([row[name] for row in made], dtype) for name, dtype in KEPT.items()}


def read_kept(table: pa.Table) -> list[Kept | None]:
    """What `kept_columns` made, from a table that has its columns.

    Raises
    ------
    SourceError
        They can't be read.
    """
    try:
        return [_kept(row) for row in table.select(list(KEPT)).to_pylist()]
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"the estimates kept with the table can't be read: {error}") from None


def _kept(row: dict[str, Any]) -> Kept | None:
    if row["kept"] is None:
        return None
    rest = json.loads(row["kept"])
    columns = [np.array(row[f"kept_{name}"], np.float64).reshape(-1, rest["plausible"]) for name in FIGURES]
    schools = dict(zip(row["kept_schools"], row["kept_school_weights"], strict=True))
    sample = SampleIdentity(tuple(rest["countries"]), rest["known"], schools, tuple(rest["data"]))
    return Kept(np.stack(columns, axis=2), np.array(row["kept_variances"]), np.array(row["kept_complete"]),
                tuple(row["kept_replicates"]), rest["zoned"], rest["factor"], rest["first_only"], sample)  # fmt: skip
