"""GroupStats of a Dask DataFrame: its workers reduce their partitions and add what others made; no row moves.

The pass over a partition is fastml's own, so nulls, weights and digits are those of data in memory. (Dask's groupby
would sum in a worse way, and narwhals is moving Dask out.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastml.errors import ColumnNotFoundError
from fastml.groupstats.statistics import GroupStats
from fastml.reduce.columns import CallColumns
from fastml.reduce.workers import from_source

__all__ = ["from_dask"]

# Statistics added at a time.
FAN_IN = 8


def from_dask(data: Any, columns: CallColumns) -> GroupStats:
    """Group statistics of a Dask DataFrame; fastml must be installed where its workers run.

    Parameters
    ----------
    data : dask.dataframe.DataFrame
    columns : CallColumns
        As in `fastml.reduce.workers.from_source`.

    Returns
    -------
    GroupStats
    """
    from dask.base import compute
    from dask.delayed import delayed

    columns = replace(columns, watch=False)
    names = list(dict.fromkeys(columns.to_read))
    for name in names:
        if name not in data.columns:
            raise ColumnNotFoundError(name, map(str, data.columns), "the Dask DataFrame")
    reduce_part = delayed(_partition_statistics, pure=True)
    parts = [reduce_part(part, columns) for part in data[names].to_delayed()]
    add = delayed(_add_all, pure=True)
    while len(parts) > 1:
        parts = [add(parts[i : i + FAN_IN]) for i in range(0, len(parts), FAN_IN)]
    made: GroupStats = compute(parts[0])[0]  # type: ignore[no-untyped-call]
    return made


def _partition_statistics(part: Any, columns: CallColumns) -> GroupStats:
    return from_source(part, columns, threads=1)


def _add_all(parts: list[GroupStats]) -> GroupStats:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
