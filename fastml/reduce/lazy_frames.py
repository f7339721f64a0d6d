"""GroupStats computed inside an engine: PySpark, DuckDB, Polars, Ibis through narwhals; Dask on its workers.

Nothing is collected but a row per cell. The engine sums y - c and (y - c)^2 over the rows of a cell, with c a rough
mean of the outcome. Where a cell's mean is so far from c, in units of its own spread, that the difference of the two
sums would lose digits, a second aggregate does the same about the cells' own means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import SourceError
from fastml.groupstats.statistics import GroupStats
from fastml.reduce.cell_tables import (
    as_records,
    check_finite,
    check_weights,
    column_of,
    is_one_value,
    statistics_of_cells,
)
from fastml.reduce.columns import CallColumns
from fastml.reduce.dask_frames import from_dask
from fastml.reduce.engine_sums import checked_columns, engine_name, sums_about, sums_about_own_means

__all__ = ["collected", "from_engine", "is_lazy"]

Floats = npt.NDArray[np.float64]

_LAZY = {
    ("pyspark", "DataFrame"), ("dask", "DataFrame"), ("dask_expr", "DataFrame"), ("_duckdb", "DuckDBPyRelation"),
    ("duckdb", "DuckDBPyRelation"), ("polars", "LazyFrame"), ("ibis", "Table"),
}  # fmt: skip

# n (mean - c)^2 / SS from which on the sums about c have lost too many digits.
FAR = 1e4
ROUGH_ROWS = 1000


def is_lazy(data: Any) -> bool:
    """Whether data are a frame of an engine that can aggregate by itself.

    Parameters
    ----------
    data : anything

    Returns
    -------
    bool
    """
    return (type(data).__module__.partition(".")[0], type(data).__name__) in _LAZY


def from_engine(data: Any, columns: CallColumns) -> GroupStats:
    """Group statistics of a lazy frame, computed by its engine.

    Parameters
    ----------
    data : PySpark or Dask DataFrame, DuckDB relation, Polars LazyFrame or Ibis table
    columns : CallColumns
        As in `fastml.reduce.workers.from_source`.

    Returns
    -------
    GroupStats

    Raises
    ------
    ColumnTypeError
        An outcome or a weight isn't numeric.
    ValueNotAllowedError
        An infinite outcome; a negative or infinite weight; a group weight that varies within a group.
    """
    columns.check()
    if type(data).__module__.partition(".")[0] in ("dask", "dask_expr"):
        return from_dask(data, columns)
    frame, inner = checked_columns(data, columns)
    centres = _rough_means(frame, inner, data)
    table = collected(sums_about(frame, inner, centres), data)
    check_weights(table, inner)
    moments, weighted = _moments(table, inner, np.tile(np.array(centres)[:, None], table.num_rows))
    check_finite(table, inner, moments)
    if _any_far(moments, centres):
        again = collected(sums_about_own_means(frame, inner), data)
        _put_in_place(table, again, inner, moments, weighted)
    stats = statistics_of_cells(table, inner, moments, weighted)
    return stats.tagged(dict(columns.constant)) if columns.constant else stats


def _rough_means(frame: Any, columns: CallColumns, data: Any) -> list[float]:
    """Mean of some rows of each outcome, taken in the engine; 0 where there is none."""
    import narwhals as nw

    means = []
    for name in columns.outcomes:
        some = frame.select(name).filter(~nw.col(name).is_null()).head(ROUGH_ROWS)
        mean = collected(some.select(nw.col(name).mean()), data)[name].to_pylist()
        value = mean[0] if mean and mean[0] is not None else 0.0
        means.append(value if math.isfinite(value) else 0.0)
    return means


def collected(frame: Any, data: Any) -> pa.Table:
    """Return the rows of a frame that an engine computes.

    Parameters
    ----------
    frame : narwhals.LazyFrame
    data : anything
        Of the engine, for messages.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    SourceError
        The engine failed.
    """
    try:
        return frame.collect("pyarrow").to_native()
    except Exception as error:
        if type(error).__module__.startswith("fastml"):
            raise
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{engine_name(data)} failed to aggregate: {line}") from error


def _moments(table: pa.Table, columns: CallColumns, centres: Floats) -> tuple[Floats, Floats | None]:
    """Moments (p, C, 4) and weighted ones (p, C, 5) of sums about the centres (p, C)."""
    p, n_cells = len(columns.outcomes), table.num_rows
    moments = np.zeros((p, n_cells, 4))
    weighted = np.zeros((p, n_cells, 5)) if columns.weighted else None
    for i in range(p):
        n, s, q = (column_of(table, f"{field}{i}_") for field in "nsq")
        moments[i] = _finished(n, s, q, centres[i])
        moments[i, is_one_value(moments[i]), 3] = 0.0
        if weighted is not None:
            w, ws, wq, w2 = (column_of(table, f"{field}{i}_") for field in ("w", "ws", "wq", "w2"))
            weighted[i, :, :4] = _finished(w, ws, wq, centres[i])
            weighted[i, moments[i, :, 3] == 0.0, 3] = 0.0
            weighted[i, :, 4] = w2
    return moments, weighted


def _finished(n: Floats, s: Floats, q: Floats, centre: Floats) -> Floats:
    """Columns n, mean, residual, ss (C, 4)."""
    # What isn't finite is refused later, by name.
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = np.divide(s, n, out=np.zeros_like(s), where=n > 0.0)
        return as_records(n, centre, deviation, q - s * deviation)


def _any_far(moments: Floats, centres: Sequence[float]) -> bool:
    n, mean, _, ss = np.moveaxis(moments, 2, 0)
    return bool(((n > 1.0) & (n * (mean - np.array(centres)[:, None]) ** 2 > FAR * ss)).any())


def _put_in_place(
    table: pa.Table, again: pa.Table, columns: CallColumns, moments: Floats, weighted: Floats | None
) -> None:
    """Put the second aggregate's moments in the place of the first's."""
    at = {label: row for row, label in enumerate(_labels(table, columns.keys))}
    rows = np.array([at[label] for label in _labels(again, columns.keys)], np.int64)
    p = len(columns.outcomes)
    own = np.array([column_of(again, f"m{i}_") for i in range(p)]).reshape(p, len(rows))
    better, better_weighted = _moments(again, columns, np.nan_to_num(own))
    moments[:, rows] = better
    if weighted is not None and better_weighted is not None:
        weighted[:, rows] = better_weighted


def _labels(table: pa.Table, keys: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in keys), strict=True))
