"""Published tables of schools -> group statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from fastml.errors import ArgumentError, ValueNotAllowedError, row_text
from fastml.groupstats.fields import GroupFields
from fastml.io.arrays import as_arrow
from fastml.io.columns import as_floats, check_numeric
from fastml.io.origins import origin_in_memory
from fastml.io.plain_arrays import plain_array
from fastml.io.source import open_source
from fastml.keys.encoder import encode_tile
from fastml.keys.key_table import check_ids, check_key_type, check_labels
from fastml.keys.order import sort_order

__all__ = ["summary_fields"]


def summary_fields(*, n: Any, mean: Any, sd: Any, group: Any, outcome: str, group_name: str) -> GroupFields:
    """Return the statistics of a published table of schools; see `GroupStats.from_summary`."""
    for argument, given in (("outcome", outcome), ("group_name", group_name)):
        if not isinstance(given, str):
            raise ArgumentError(argument, given, ["a column's name"])
    columns = {"n": n, "mean": mean, "sd": sd}
    if group is not None:
        columns[group_name if group_name not in columns else "group"] = group
    source = open_source(columns, list(columns))
    table = pa.Table.from_batches(list(source.batches), source.schema)
    for name in ("n", "mean", "sd"):
        check_numeric(name, table.schema.field(name))
    for field in list(table.schema)[3:]:
        check_key_type("group", field)
    size, means, sds = (as_floats(table[name].combine_chunks()) for name in ("n", "mean", "sd"))
    for name, values, wrong, remedy in (
        ("n", size, ~((size >= 1) & (size <= 1e15)) | (size != np.floor(size)), "a group has 1 observation or more"),
        ("mean", means, ~np.isfinite(means), "a mean is a finite number"),
        ("sd", sds, (size > 1) & ~((sds >= 0) & np.isfinite(sds)), "an sd is 0 or more, null only where n is 1"),
        ("sd", sds, (size > 1) & (sds >= 1e145), "divide means and sds by a constant"),
        ("sd", sds, (size == 1) & (sds > 0), "one observation has no sd: give null"),
    ):
        if wrong.any():
            bad = int(np.argmax(wrong))
            raise ValueNotAllowedError(f"{name} is {values[bad]:g} {row_text(bad)}; {remedy}")
    labels = as_arrow(np.arange(len(size))) if group is None else plain_array(table.column(3).combine_chunks())
    check_labels(pa.table({group_name: labels}))
    check_ids(group_name, labels)
    keys = encode_tile([labels])
    if len(keys.labels[0]) < len(size) or keys.labels[0].null_count:
        raise ValueNotAllowedError("group has a label twice, or a null or blank one; a summary has one row per group")
    order = sort_order([labels])
    moments = np.column_stack([size, means, np.zeros(len(size)), np.where(size > 1, (size - 1) * sds**2, 0.0)])
    return GroupFields(
        keys=pa.table({group_name: labels.take(as_arrow(order))}),
        by=(),
        group=(group_name,),
        outcomes=(outcome,),
        counts=np.column_stack([size, np.zeros((len(size), 2))])[order],
        moments=moments[None, order],
        labelled=group is not None,
        origins=(origin_in_memory("a published table", int(size.sum())),),
    )
