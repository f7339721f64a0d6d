"""What group statistics are made of, from and to the world: Arrow tables, their files, published summaries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml._version import __version__
from fastml.errors import SourceError, first_line
from fastml.groupstats.fields import GroupFields
from fastml.io.origins import Origin
from fastml.io.plain_arrays import plain_array
from fastml.io.source import schema_metadata
from fastml.keys.encoder import encode_tile
from fastml.keys.key_table import check_labels
from fastml.keys.order import sort_order

__all__ = ["find_problem", "is_stats_file", "read_fields", "to_table"]

Floats = npt.NDArray[np.float64]
VERSION = 1
_METADATA_KEY = b"fastml"
_COUNTS = ("rows", "no_weight", "zero_weight")
_MOMENTS = ("n", "mean", "residual", "ss")
_WEIGHTED = ("w", "w_mean", "w_residual", "w_ss", "w2")


def to_table(stats: GroupFields) -> pa.Table:
    """Return the table of `GroupStats.to_arrow`."""
    columns: dict[str, Any] = {f"key:{name}": stats.keys[name] for name in stats.keys.column_names}
    for i, name in enumerate(_COUNTS):
        columns[name] = np.ascontiguousarray(stats.counts[:, i]).astype(np.int64)
    tables = [(_MOMENTS, stats.moments)] + ([] if stats.weighted is None else [(_WEIGHTED, stats.weighted)])
    for fields, tensor in tables:
        for i, outcome in enumerate(stats.outcomes):
            for j, field in enumerate(fields):
                values = np.ascontiguousarray(tensor[i, :, j])
                columns[f"{field}:{outcome}"] = values.astype(np.int64) if field == "n" else values
    if stats.group_weight is not None:
        columns["group_weight"] = stats.group_weight
    description = {
        "content": "group statistics",
        "version": VERSION,
        "fastml": __version__,
        "by": stats.by,
        "group": stats.group,
        "outcomes": stats.outcomes,
        "weights": stats.weights,
        "group_weights": stats.group_weights,
        "labelled": stats.labelled,
        "notes": stats.notes,
        "origins": [list(astuple(origin)) for origin in stats.origins],
    }
    return pa.table(columns).replace_schema_metadata({_METADATA_KEY: json.dumps(description).encode()})


def is_stats_file(path: Any) -> bool:
    """Whether a path names a Parquet file that `GroupStats.write` made.

    Parameters
    ----------
    path : str, path or anything

    Returns
    -------
    bool
    """
    if not isinstance(path, (str, os.PathLike)) or Path(path).is_dir():
        return False
    said = schema_metadata(path).get(_METADATA_KEY)
    if said is None:
        return False
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return True  # damaged, which who reads it says
    # Tables of results have a schema's number there (`fastml.report.provenance`), and are rows like any other.
    return not (isinstance(found, dict) and "schema" in found)


def read_fields(table: pa.Table, source: str) -> GroupFields:
    """Return the statistics that a table holds.

    Parameters
    ----------
    table : pyarrow.Table
    source : str
        What it is, for messages.

    Returns
    -------
    GroupFields

    Raises
    ------
    SourceError
        The table holds none, or of a version that this fastml doesn't know, or lacks some of it.
    """
    try:
        description = json.loads((table.schema.metadata or {})[_METADATA_KEY])
        if description["content"] != "group statistics":
            raise KeyError
    except (KeyError, ValueError, TypeError, RecursionError):
        raise SourceError(f"{source} holds no fastml statistics") from None
    if description.get("version") != VERSION:
        raise SourceError(
            f"{source} holds statistics of version {description.get('version')}; this fastml reads version {VERSION}: "
            "upgrade fastml or write the file anew"
        )
    try:
        by, group, outcomes = (tuple(description[name]) for name in ("by", "group", "outcomes"))
        names = [name.removeprefix("key:") for name in table.column_names if name.startswith("key:")]

        def column(name: str) -> Floats:
            return np.asarray(table[name].combine_chunks().cast(pa.float64()))

        def tensor(fields: Iterable[str]) -> Floats:
            return np.array([np.column_stack([column(f"{field}:{y}") for field in fields]) for y in outcomes])

        check_labels(keys := pa.table({name: plain_array(table[f"key:{name}"].combine_chunks()) for name in names}))
        return GroupFields(
            keys=keys,
            by=by,
            group=group,
            outcomes=outcomes,
            counts=np.column_stack([column(name) for name in _COUNTS]),
            moments=tensor(_MOMENTS),
            weighted=tensor(_WEIGHTED) if f"w:{outcomes[0]}" in table.column_names else None,
            group_weight=column("group_weight") if "group_weight" in table.column_names else None,
            weights=description["weights"],
            group_weights=description["group_weights"],
            labelled=description["labelled"],
            notes=tuple(description.get("notes", ())),
            origins=tuple(Origin(*origin) for origin in description.get("origins", ())),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, pa.ArrowException) as error:
        raise SourceError(f"{source} holds damaged fastml statistics ({first_line(error)})") from None


def find_problem(stats: GroupFields) -> str:
    """What can't be in statistics that `to_arrow` made, or an empty string."""
    texts = [*stats.by, *stats.group, *stats.outcomes, *stats.notes]
    texts += [text for origin in stats.origins for text in (origin.name, origin.digest, origin.filter or "")]
    texts += [name for name in (stats.weights, stats.group_weights) if name is not None]
    if not all(isinstance(text, str) for text in texts) or not (stats.group and stats.outcomes):
        return "its names are no names"
    if not all(isinstance(origin.rows, int) and origin.rows >= 0 for origin in stats.origins):
        return "a number of rows is no whole number"
    if not all(_are_options(origin.options) for origin in stats.origins):
        return "its options are none"
    if tuple(stats.keys.column_names) != (*stats.by, *stats.group):
        return "its keys are others than it says"
    if (stats.weighted is None) != (not (stats.weights or stats.group_weights)):
        return "its weights are others than it says"
    whole = np.concatenate([stats.counts.ravel(), stats.moments[:, :, 0].ravel()])
    if not np.all((whole >= 0.0) & (whole == np.floor(whole)) & (whole < 2.0**63)):
        return "a number of rows is no whole number"
    if (stats.moments[:, :, 0] + stats.counts[:, 1:].sum(axis=1) > stats.counts[:, 0]).any():
        return "a group counts more observations than it has rows"
    for what, tensor in (("", stats.moments), ("weighted ", stats.weighted)):
        if tensor is not None and not (np.isfinite(tensor).all() and (tensor[:, :, [0, 3]] >= 0.0).all()):
            return f"a {what}mean or sum of squares is no number"
    if stats.group_weight is not None and not (stats.group_weight[~np.isnan(stats.group_weight)] > 0.0).all():
        return "a group's weight is no number above 0"
    keys = [column.combine_chunks() for column in stats.keys.columns]
    if len(encode_tile(keys).labels[0]) < stats.keys.num_rows:
        return "a group is there twice"
    if stats.by and not np.array_equal(sort_order(keys), np.arange(stats.keys.num_rows)):
        return "its groups are not in order"
    return ""


def _are_options(options: Any) -> bool:
    """Whether these can be the options of an origin."""
    if not isinstance(options, dict):
        return False
    missing, csv = options.get("missing", []), options.get("csv_options", {})
    return isinstance(missing, list) and isinstance(csv, dict) and all(isinstance(x, (float, str)) for x in missing)
