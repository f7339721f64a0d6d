"""The sum of two group statistics: which cells are the same, and why they may not be added."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import MergeError, first_line
from fastml.groupstats.fields import GroupFields
from fastml.io.arrays import are_shortest_integers
from fastml.keys.key_table import KeyTable

__all__ = ["add", "side_by_side"]

Stats = TypeVar("Stats", bound=GroupFields)


def add(a: Stats, b: GroupFields) -> Stats:
    """Add statistics of the same outcomes, keys and weights.

    Parameters
    ----------
    a, b : GroupFields

    Returns
    -------
    GroupFields
        Of the class of `a`.

    Raises
    ------
    MergeError
        They are of different things, without labels, made of the same rows, or a group's own weight differs.
    """
    from fastml.kernels.sums import moments as kernel
    from fastml.kernels.sums.weighted import same_in_group

    for what in ("by", "group", "outcomes", "weights", "group_weights"):
        left, right = getattr(a, what), getattr(b, what)
        if left != right:
            raise MergeError(f"statistics of different {what} can't be added: {left!r} and {right!r}")
    if not (a.labelled and b.labelled):
        raise MergeError("statistics without labels can't be added: nobody can tell which groups are the same")
    _check_origins(a, b)
    types = [_common_type(name, a.keys[name], b.keys[name]) for name in a.keys.column_names]
    table = KeyTable(types)
    parts: list[tuple[GroupFields, npt.NDArray[np.int32]]] = []
    for stats in (a, b):
        labels = [
            _as_type(name, stats.keys[name].combine_chunks(), dtype)
            for name, dtype in zip(stats.keys.column_names, types, strict=True)
        ]
        parts.append((stats, table.codes_for(labels)))
    p, n_cells = len(a.outcomes), len(table)
    counts, moments = np.zeros((n_cells, 3)), np.zeros((p, n_cells, 4))
    weighted = None if a.weighted is None else np.zeros((p, n_cells, 5))
    group_weight = None if a.group_weight is None else np.full(n_cells, np.nan)
    for stats, codes in parts:
        counts[codes] += stats.counts
        if group_weight is not None and stats.group_weight is not None:
            bad = same_in_group(codes, stats.group_weight, group_weight)
            if bad >= 0:
                label = ", ".join(str(column[int(codes[bad])].as_py()) for column in table.labels())
                raise MergeError(
                    f"group {label} has group weight {float(group_weight[codes[bad]])!r} in one of the statistics and "
                    f"{float(stats.group_weight[bad])!r} in the other; a group has one weight"
                )
        for i in range(p):
            if weighted is not None and stats.weighted is not None:
                kernel.fold(weighted[i], codes, stats.weighted[i])
            kernel.fold(moments[i], codes, stats.moments[i])
    order, columns = table.sorted()
    return replace(
        a,
        keys=pa.table(dict(zip(a.keys.column_names, columns, strict=True))),
        counts=counts[order],
        moments=np.take(moments, order, axis=1),
        weighted=None if weighted is None else np.take(weighted, order, axis=1),
        group_weight=None if group_weight is None else group_weight[order],
        notes=(*a.notes, *b.notes),
        origins=(*a.origins, *b.origins),
    )


def side_by_side(a: Stats, b: Stats) -> tuple[Stats, Stats]:
    """Return both with the cells of both, in one order: what one of them lacks has no rows there.

    Parameters
    ----------
    a, b : GroupFields
        Of the same keys, outcomes and weights, with labels.

    Returns
    -------
    a, b : GroupFields

    Raises
    ------
    MergeError
        Their keys are of different kinds.
    """
    return add(_unoriginated(a), _emptied(b)), add(_unoriginated(b), _emptied(a))


def _unoriginated(stats: Stats) -> Stats:
    return replace(stats, origins=())


def _emptied(stats: Stats) -> Stats:
    """The same cells without rows."""
    return replace(
        stats,
        counts=np.zeros_like(stats.counts),
        moments=np.zeros_like(stats.moments),
        weighted=None if stats.weighted is None else np.zeros_like(stats.weighted),
        group_weight=None if stats.group_weight is None else np.full_like(stats.group_weight, np.nan),
        notes=(),
        origins=(),
    )


def _check_origins(a: GroupFields, b: GroupFields) -> None:
    known = {origin.digest: origin for origin in a.origins if origin.rows and origin.digest}
    for origin in b.origins:
        if origin.digest in known:
            other = known[origin.digest].name
            copy = "" if other == origin.name else f", as {other}"
            rows = f"{origin.rows:,} row{'' if origin.rows == 1 else 's'}"
            raise MergeError(
                f"{origin.name} ({rows}) is in both{copy}; its rows would count twice: leave one out, or gather "
                "both in one call if they are other students"
            )


def _as_type(name: str, labels: pa.Array, dtype: pa.DataType) -> pa.Array:
    try:
        return labels.cast(dtype)
    except pa.ArrowException as error:
        raise MergeError(
            f"key {name!r} of one of the statistics can't be {dtype}, as the other's: {first_line(error)}"
        ) from None


def _common_type(name: str, one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.DataType:
    """Type that holds the labels of both; a file may have a school's id as integer, another as float, int32 or text."""
    a, b = one.type, other.type
    if a == b:
        return a
    if _is_text(a) and _is_text(b):
        return pa.large_string()
    number = (pa.types.is_integer, pa.types.is_floating)
    if any(is_kind(a) for is_kind in number) and any(is_kind(b) for is_kind in number):
        return pa.int64() if pa.types.is_integer(a) and pa.types.is_integer(b) else pa.float64()
    if pa.types.is_null(a) or pa.types.is_null(b):
        return b if pa.types.is_null(a) else a
    if (_is_text(a) and pa.types.is_integer(b)) or (_is_text(b) and pa.types.is_integer(a)):
        texts = (one if _is_text(a) else other).combine_chunks()
        if are_shortest_integers(texts):
            return pa.int64()
        text = next(x for x in texts.to_pylist() if x is not None and not are_shortest_integers(pa.array([x])))
        raise MergeError(
            f"key {name!r} is of integers in one of the statistics, and holds the text {text!r} in the other; gather "
            f"the former from texts: of a text file by csv_options={{'types': {{{name!r}: 'string'}}}}"
        )
    raise MergeError(f"key {name!r} has type {a} in one of the statistics and {b} in the other; cast one of them")


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))
