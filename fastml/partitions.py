"""GroupStats of a Dask DataFrame: its workers reduce their partitions and add what others made; no row moves.

The pass over a partition is fastml's own, so nulls, weights and digits are those of data in memory. (Dask's groupby
would sum in a worse way, and narwhals is moving Dask out.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastml.errors import ColumnNotFoundError
from fastml.gather import from_source
from fastml.groupstats import GroupStats

__all__ = ["from_dask"]

# Statistics added at a time.
FAN_IN = 8


def from_dask(
    data: Any, outcomes: Sequence[str], group: Sequence[str], by: Sequence[str], weights: str | None,
    group_weights: str | None, tags: Mapping[str, Any] | None,
) -> GroupStats:  # fmt: skip
    """Group statistics of a Dask DataFrame; fastml must be installed where its workers run.

    Parameters
    ----------
    data : dask.dataframe.DataFrame
    outcomes, group, by, weights, group_weights, tags
        As in `fastml.gather.from_source`.

    Returns
    -------
    GroupStats
    """
    from dask.base import compute
    from dask.delayed import delayed

    names = [*by, *group, *outcomes, *(name for name in (weights, group_weights) if name)]
    for name in names:
        if name not in data.columns:
            raise ColumnNotFoundError(name, map(str, data.columns), "the Dask DataFrame")
    options = {"weights": weights, "group_weights": group_weights, "tags": dict(tags or {}), "threads": 1}
    reduce_part = delayed(_partition_statistics, pure=True)
    parts = [
        reduce_part(part, list(outcomes), list(group), list(by), options)
        for part in data[list(dict.fromkeys(names))].to_delayed()
    ]
    add = delayed(_add_all, pure=True)
    while len(parts) > 1:
        parts = [add(parts[i : i + FAN_IN]) for i in range(0, len(parts), FAN_IN)]
    made: GroupStats = compute(parts[0])[0]  # type: ignore[no-untyped-call]
    return made


def _partition_statistics(
    part: Any, outcomes: list[str], group: list[str], by: list[str], options: dict[str, Any]
) -> GroupStats:
    return from_source(part, outcomes, group, by, **options)


def _add_all(parts: list[GroupStats]) -> GroupStats:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
