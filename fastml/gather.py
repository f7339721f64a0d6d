"""The pass over the rows: source -> keys -> GroupStats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ArgumentError, FastmlError, ValueNotAllowedError
from fastml.groupstats import GroupStats, as_floats, check_numeric
from fastml.keys import KeyTable, TileKeys, check_key_type, encode_tile, plain_type, sort_order
from fastml.sources import Source, open_source

__all__ = ["from_source"]

Floats = npt.NDArray[np.float64]

# Rows per tile, counted from the start of the stream: the unit of work, and of the order of additions, so that the
# result doesn't depend on how the rows came.
TILE_ROWS = 1 << 17


def from_source(
    data: Any,
    outcomes: Sequence[str],
    group: Sequence[str],
    by: Sequence[str] = (),
    *,
    weights: str | None = None,
    group_weights: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> GroupStats:
    """Read data once and gather its group statistics: source -> keys -> moments.

    Parameters
    ----------
    data : anything `fastml.sources.open_source` takes
    outcomes, group, by : sequence of str
        Columns.
    weights, group_weights : str, optional
        Columns of the rows' and the groups' weights.
    tags : mapping, optional
        Constant key columns to add in front of the group's, so that school 5007 of 2019 isn't school 5007 of 2023.

    Returns
    -------
    GroupStats

    Raises
    ------
    ColumnTypeError
        An outcome or a weight isn't numeric, a key is nested.
    ValueNotAllowedError
        An infinite outcome; a negative or infinite weight; a group weight that varies within a group.
    """
    tags = dict(tags or {})
    keys = [*by, *group]
    _check_roles(outcomes, group, by, tags)
    source = open_source(data, [*keys, *outcomes, *(name for name in (weights, group_weights) if name)])
    for name in outcomes:
        check_numeric("outcome", source.schema.field(name))
    for role, column in (("weights", weights), ("group_weights", group_weights)):
        if column:
            check_numeric(role, source.schema.field(column))
    for name in keys:
        check_key_type("by" if name in by else "group", source.schema.field(name))
    gather = _Gather(source, keys, list(outcomes), weights, group_weights)
    for tile in _tiles(source):
        gather.add(tile)
    return gather.finish(tuple(by), tuple(group), tags)


def _check_roles(outcomes: Sequence[str], group: Sequence[str], by: Sequence[str], tags: Mapping[str, Any]) -> None:
    for role, names in (("outcome", outcomes), ("group", group), ("by", by)):
        for name in names:
            if not isinstance(name, str):
                raise ArgumentError(role, name, ["a column's name"], "rename the column to a string")
        if len(set(names)) < len(names):
            raise FastmlError(f"{role}={list(names)!r} names a column twice")
    if not outcomes or not group:
        raise FastmlError("name an outcome and a group: fit(data, outcome='score', group='school')")
    for first, second, shared in (
        ("outcome", "group", set(outcomes) & set(group)),
        ("outcome", "by", set(outcomes) & set(by)),
        ("by", "group", set(by) & set(group)),
        ("tags", "group", set(tags) & {*group, *by}),
    ):
        if shared:
            raise FastmlError(f"column {min(shared)!r} is named as {first} and as {second}; a column has one role")


def _tiles(source: Source) -> Iterator[pa.RecordBatch]:
    """Cut the stream into tiles of TILE_ROWS rows; a tile across an edge of batches is copied."""
    held: list[pa.RecordBatch] = []
    room = TILE_ROWS
    for batch in source.batches:
        at = 0
        while batch.num_rows - at >= room:
            held.append(batch.slice(at, room))
            at += room
            yield _join(held)
            held, room = [], TILE_ROWS
        if at < batch.num_rows:
            held.append(batch.slice(at))
            room -= batch.num_rows - at
    if held:
        yield _join(held)


def _join(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


class _Gather:
    """Folds tiles of rows into growing tables."""

    def __init__(
        self, source: Source, keys: list[str], outcomes: list[str], weights: str | None, group_weights: str | None
    ) -> None:
        self._source = source
        self._names = (keys, outcomes, weights, group_weights)
        self._table = KeyTable([plain_type(source.schema.field(name).type) for name in keys])
        self._counts = np.zeros((0, 3))
        self._moments = np.zeros((len(outcomes), 0, 4))
        self._weighted = np.zeros((len(outcomes), 0, 5)) if weights else None
        self._group_weight = np.empty(0) if group_weights else None
        self._rows = 0

    def add(self, tile: pa.RecordBatch) -> None:
        """Fold one tile of rows in."""
        from fastml.kernels import moments as kernel

        key_names, outcomes, weights, group_weights = self._names
        keys = encode_tile([tile.column(name) for name in key_names])
        n_labels = len(keys.labels[0])
        into = self._table.codes_for(keys.labels)
        self._grow(len(self._table))
        weight, group_weight = self._tile_weights(tile)

        counts = np.zeros((n_labels, 3))
        bad = kernel.count_rows(keys.codes, weight if weight is not None else np.empty(0), counts)
        if bad >= 0 and weight is not None:
            name = weights or group_weights
            raise ValueNotAllowedError(
                f"weights column {name!r} has {weight[bad]:g} {self._place(keys, bad)}; "
                "a weight is a finite number, 0 or more"
            )
        if group_weight is not None and self._group_weight is not None:
            self._note_group_weight(keys, into, group_weight)
        self._counts[into] += counts
        for i, name in enumerate(outcomes):
            y = as_floats(tile.column(name))
            if weight is not None:
                y = np.where(weight > 0.0, y, np.nan)
            part = np.zeros((n_labels, kernel.N_FIELDS))
            kernel.accumulate(keys.codes, y, part)
            if kernel.finish(part) >= 0:
                self._refuse_infinite(keys, name, y)
            kernel.fold(self._moments[i], into, part)
            if self._weighted is not None and weight is not None:
                part = np.zeros((n_labels, kernel.N_WEIGHTED))
                kernel.accumulate_weighted(keys.codes, y, weight, part)
                kernel.finish(part)
                kernel.fold(self._weighted[i], into, part)
        self._rows += tile.num_rows

    def _tile_weights(self, tile: pa.RecordBatch) -> tuple[Floats | None, Floats | None]:
        """Weights of the rows (1 where only groups have weights; NaN where any weight is missing) and of their groups."""
        _, _, weights, group_weights = self._names
        weight = as_floats(tile.column(weights)) if weights else None
        group_weight = as_floats(tile.column(group_weights)) if group_weights else None
        if group_weight is not None:
            weight = np.where(np.isnan(group_weight), np.nan, 1.0 if weight is None else weight)
        return weight, group_weight

    def _note_group_weight(self, keys: TileKeys, into: npt.NDArray[np.int32], group_weight: Floats) -> None:
        from fastml.kernels import moments as kernel

        assert self._group_weight is not None
        name = self._names[3]
        wrong = ~np.isnan(group_weight) & ~((group_weight > 0.0) & np.isfinite(group_weight))
        if wrong.any():
            bad = int(np.argmax(wrong))
            raise ValueNotAllowedError(
                f"group_weights column {name!r} has {group_weight[bad]:g} {self._place(keys, bad)}; "
                "a group's weight is a finite number above 0"
            )
        local = self._group_weight[into]
        bad = kernel.same_in_group(keys.codes, group_weight, local)
        if bad >= 0:
            raise ValueNotAllowedError(
                f"group_weights column {name!r} varies within a group: {group_weight[bad]!r} and "
                f"{local[keys.codes[bad]]!r} {self._place(keys, bad)}; a group has one weight"
            )
        self._group_weight[into] = local

    def _refuse_infinite(self, keys: TileKeys, name: str, y: Floats) -> None:
        infinite = np.isinf(y)
        if not infinite.any():
            raise ValueNotAllowedError(
                f"outcome column {name!r} has values too large to square (up to {np.nanmax(np.abs(y)):g}); "
                "divide it by a constant"
            )
        bad = int(np.argmax(infinite))
        raise ValueNotAllowedError(
            f"outcome column {name!r} has {y[bad]} {self._place(keys, bad)}; recode it to missing or drop the row"
        )

    def _place(self, keys: TileKeys, row: int) -> str:
        """Where a row of the tile is, in words."""
        label = ", ".join(str(labels[int(keys.codes[row])].as_py()) for labels in keys.labels)
        return f"in row {self._rows + row:,} (the first is 0; {', '.join(self._names[0])} {label})"

    def _grow(self, n_cells: int) -> None:
        have = self._counts.shape[0]
        if n_cells <= have:
            return
        room = max(64, n_cells, 2 * have)
        self._counts = _with_room(self._counts, 0, room)
        self._moments = _with_room(self._moments, 1, room)
        if self._weighted is not None:
            self._weighted = _with_room(self._weighted, 1, room)
        if self._group_weight is not None:
            grown = np.full(room, np.nan)
            grown[:have] = self._group_weight
            self._group_weight = grown

    def finish(self, by: tuple[str, ...], group: tuple[str, ...], tags: Mapping[str, Any]) -> GroupStats:
        """Sort the cells by label, leave out labels without rows, and add the tags."""
        key_names, outcomes, weights, group_weights = self._names
        columns = self._table.labels()
        seen = self._counts[: len(self._table), 0] > 0
        order = sort_order(columns)
        order = order[seen[order]]
        take = pa.array(order)
        keys = {name: column.take(take) for name, column in zip(key_names, columns, strict=True)}
        for tag, value in tags.items():
            keys[tag] = _repeat(tag, value, len(order))
        group = (*tags, *group)
        return GroupStats(
            keys=pa.table({name: keys[name] for name in (*by, *group)}),
            by=by,
            group=group,
            outcomes=tuple(outcomes),
            counts=self._counts[order],
            moments=np.take(self._moments, order, axis=1),
            weighted=None if self._weighted is None else np.take(self._weighted, order, axis=1),
            group_weight=None if self._group_weight is None else self._group_weight[order],
            weights=weights,
            group_weights=group_weights,
        )


def _repeat(tag: str, value: Any, length: int) -> pa.Array:
    if value is None or isinstance(value, (list, dict, tuple, set)):
        raise FastmlError(f"tag {tag!r} is {value!r}; a tag is one string, number or date")
    return pa.repeat(pa.scalar(value), length)


def _with_room(array: Floats, axis: int, room: int) -> Floats:
    shape = list(array.shape)
    shape[axis] = room
    grown = np.zeros(shape)
    grown[tuple(slice(length) for length in array.shape)] = array
    return grown
