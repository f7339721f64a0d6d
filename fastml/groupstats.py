"""GroupStats: the mergeable sufficient statistics of the model; their addition, Arrow and Parquet forms."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import (
    ArgumentError,
    ColumnNotFoundError,
    ColumnTypeError,
    FastmlError,
    MergeError,
    SourceError,
    ValueNotAllowedError,
)
from fastml.files import replace_file
from fastml.grids import Grid, statistics_grid
from fastml.keys import KeyTable, check_key_type, encode_tile, sort_order
from fastml.markup import GridFaces
from fastml.readers import first_line
from fastml.sources import arrow_numbers, open_source, schema_metadata

__all__ = ["GroupStats", "Groups", "as_floats", "check_numeric", "from_summary", "is_stats_file", "repeat_tag"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

_METADATA_KEY = b"fastml"
_VERSION = 1
_COUNTS = ("rows", "no_weight", "zero_weight")
_MOMENTS = ("n", "mean", "residual", "ss")
_WEIGHTED = ("w", "w_mean", "w_residual", "w_ss", "w2")


@dataclass(frozen=True)
class Groups:
    """One outcome's groups, those with observations.

    Attributes
    ----------
    labels : pyarrow.Table
        A row per group (J), the group's key columns.
    n : ndarray of int64, shape (J,)
        Observations.
    mean, residual : ndarray, shape (J,)
        Group means, and what the mean is more than that double.
    ss : ndarray, shape (J,)
        Sum of squares about the mean.
    """

    labels: pa.Table
    n: Int64s
    mean: Floats
    residual: Floats
    ss: Floats


@dataclass(frozen=True, eq=False)
class GroupStats(GridFaces):
    """Sufficient statistics of the one-way model, a record per cell (combination of by- and group labels).

    Two of them add (``+``) to one, to rounding in any order. They hold no rows.

    Attributes
    ----------
    keys : pyarrow.Table
        C rows, sorted: the by-columns, then the group columns. A null label gathers rows that are dropped.
    by, group, outcomes : tuple of str
        Names of the by-columns, the group columns and the p outcomes.
    counts : ndarray, shape (C, 3)
        Rows, rows without a weight, rows of weight zero.
    moments : ndarray, shape (p, C, 4)
        n, mean, residual, ss of each outcome and cell: the mean is ``mean + residual`` to some thirty digits, ss the
        sum of squares about it.
    weighted : ndarray, shape (p, C, 5), or None
        The same weighted: sum of weights, mean, residual, ss; and the sum of the squared weights.
    group_weight : ndarray, shape (C,), or None
        The group's own weight, NaN where unknown.
    weights, group_weights : str or None
        Names of the weight columns.
    labelled : bool
        Whether the groups have labels of their own. Without, the statistics can be fitted but not added.
    notes : tuple of str
        What was done to the statistics since they were gathered: groups left out.
    """

    keys: pa.Table
    by: tuple[str, ...]
    group: tuple[str, ...]
    outcomes: tuple[str, ...]
    counts: Floats
    moments: Floats
    weighted: Floats | None = None
    group_weight: Floats | None = None
    weights: str | None = None
    group_weights: str | None = None
    labelled: bool = True
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of cells whose labels are known."""
        return int(self.known().sum())

    def __repr__(self) -> str:
        by = f", by {list(self.by)}" if self.by else ""
        return (
            f"<GroupStats: {', '.join(self.outcomes)} by {', '.join(self.group)}{by}; "
            f"{int(self.counts[:, 0].sum()):,} rows, {len(self):,} groups>"
        )

    def _grid(self, level: float = 0.95) -> Grid:
        rows = []
        for name, record in zip(self.outcomes, self.moments, strict=True):
            n, mean, residual, _ = record[self.known()].T
            n_obs = float(n.sum())
            rows.append({
                "outcome": name, "n_obs": int(n_obs), "n_groups": int((n > 0).sum()),
                "smallest": int(n[n > 0].min(initial=n_obs)), "largest": int(n.max(initial=0.0)),
                "mean": float(np.average((mean + residual)[n > 0], weights=n[n > 0])) if n_obs else None,
                "n_dropped": int(self.counts[:, 0].sum() - n_obs),
            })  # fmt: skip
        return statistics_grid(repr(self).strip("<>"), rows, self.notes)

    def __add__(self, other: GroupStats) -> GroupStats:
        if not isinstance(other, GroupStats):
            return NotImplemented
        return _add(self, other)

    def __radd__(self, other: object) -> GroupStats:
        # sum() starts from 0.
        return self if other == 0 else NotImplemented

    def _missing(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Whether any of these labels is null, shape (C,)."""
        missing = np.zeros(self.keys.num_rows, bool)
        for name in names:
            if self.keys[name].null_count:
                missing |= np.asarray(self.keys[name].is_null())
        return missing

    def known(self) -> npt.NDArray[np.bool_]:
        """Whether a cell's labels are all known, shape (C,); the others hold rows that are dropped."""
        return ~self._missing(self.keys.column_names)

    def _index(self, outcome: str | None) -> int:
        if outcome is None:
            if len(self.outcomes) == 1:
                return 0
            raise FastmlError(
                f"the statistics have {len(self.outcomes)} outcomes; choose one with outcome=: "
                + ", ".join(map(repr, self.outcomes))
            )
        if outcome not in self.outcomes:
            raise ColumnNotFoundError(outcome, self.outcomes, "the statistics")
        return self.outcomes.index(outcome)

    def groups(self, outcome: str | None = None) -> Groups:
        """One outcome's groups, those with observations, sorted by label.

        Parameters
        ----------
        outcome : str, optional
            Needed where there are several.

        Returns
        -------
        Groups
        """
        table = self.moments[self._index(outcome)]
        used = self.known() & (table[:, 0] > 0)
        labels = self.keys.select(self.group) if self.labelled else self.keys
        if not used.all():
            labels = labels.take(arrow_numbers(np.flatnonzero(used)))
            table = table[used]
        n, mean, residual, ss = table.T
        return Groups(labels, n.astype(np.int64), *(np.ascontiguousarray(part) for part in (mean, residual, ss)))

    def dropped(self, outcome: str | None = None) -> dict[str, int]:
        """Rows that no group of one outcome counts, by cause.

        Parameters
        ----------
        outcome : str, optional
            Needed where there are several.

        Returns
        -------
        dict
            "by" and "group": the label is null or NaN; "weights": the weight is; "zero_weight"; "outcome". A row is
            counted once, under the first cause that applies. Causes that can't occur are left out.
        """
        n = self.moments[self._index(outcome), :, 0]
        counts = self.counts
        causes: dict[str, int] = {}
        for cause, names in (("by", self.by), ("group", self.group)):
            if names:
                causes[cause] = 0
        if any(column.null_count for column in self.keys.columns):
            left = np.ones(len(n), bool)
            for cause, names in (("by", self.by), ("group", self.group)):
                missing = self._missing(names)
                if names:
                    causes[cause] = int(counts[left & missing, 0].sum())
                left &= ~missing
            counts, n = counts[left], n[left]
        rows, no_weight, zero_weight = (int(counts[:, i].sum()) for i in range(3))
        if self.weights or self.group_weights:
            causes["weights"] = no_weight
        if self.weights:
            causes["zero_weight"] = zero_weight
        causes["outcome"] = rows - no_weight - zero_weight - int(n.sum())
        return causes

    def parts(self) -> list[tuple[dict[str, Any], slice]]:
        """Find the cells of each combination of by-labels; rows without a by-label belong to none.

        Returns
        -------
        list of (dict, slice)
            By-column to label, and the run of cells; sorted by label, as the cells are.
        """
        missing = self._missing(self.by)
        changes = np.zeros(max(len(missing) - 1, 0), bool)
        labels = {}
        for name in self.by:
            encoded = self.keys[name].combine_chunks().dictionary_encode()
            codes = np.asarray(encoded.indices.fill_null(-1))
            changes |= codes[1:] != codes[:-1]
            labels[name] = (codes, encoded.dictionary.to_pylist())
        edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(missing)]
        return [
            ({name: known[codes[start]] for name, (codes, known) in labels.items()}, slice(start, stop))
            for start, stop in pairwise(edges)
            if start < stop and not missing[start]
        ]

    def split(self) -> Iterator[tuple[dict[str, Any], GroupStats]]:
        """Give the statistics of each combination of by-labels, sorted.

        Yields
        ------
        labels : dict
            By-column to label.
        part : GroupStats
            The statistics of that part, without `by`; its arrays are views.
        """
        keys = self.keys.select(self.group)
        for labels, cells in self.parts():
            part = replace(
                self,
                keys=keys.slice(cells.start, cells.stop - cells.start),
                by=(),
                counts=self.counts[cells],
                moments=self.moments[:, cells],
                weighted=None if self.weighted is None else self.weighted[:, cells],
                group_weight=None if self.group_weight is None else self.group_weight[cells],
            )
            yield labels, part

    def tagged(self, tags: Mapping[str, Any]) -> GroupStats:
        """Add constant key columns in front of the group's, as ``tags=`` of `fastml.group_stats` does.

        Parameters
        ----------
        tags : mapping
            Name and value: a string, number or date.

        Returns
        -------
        GroupStats

        Raises
        ------
        MergeError
            The groups have no labels, or a key of that name.
        """
        if not self.labelled:
            raise MergeError("statistics without labels can't be tagged: their groups have no keys")
        columns = {name: self.keys[name] for name in self.keys.column_names}
        for name, value in tags.items():
            if name in columns:
                raise MergeError(f"tag {name!r} is a key of the statistics already")
            columns[name] = repeat_tag(name, value, self.keys.num_rows)
        group = (*tags, *self.group)
        return replace(self, keys=pa.table({name: columns[name] for name in (*self.by, *group)}), group=group)

    def without_small(self, min_group_size: int) -> GroupStats:
        """Leave out small groups, for statistics that leave a safe room; `notes` records how many.

        A group goes as a whole where it has fewer rows, or fewer observations of any outcome (but some), than asked
        for; so do the rows without a label where they are so few. Pooling small groups to one would make a school that
        isn't, and a wrong variance between schools; leaving them out makes the sample one of larger schools.

        Parameters
        ----------
        min_group_size : int

        Returns
        -------
        GroupStats

        Examples
        --------
        >>> stats = from_summary(n=[2, 30], mean=[4.0, 6.0], sd=[1.0, 2.0], group=["a", "b"])
        >>> stats.without_small(10).notes
        ('groups of fewer than 10 left out: 1 group, 2 rows',)
        """
        given: Any = min_group_size
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not given >= 1 or given % 1:
            raise FastmlError(f"min_group_size={min_group_size!r} is not a whole number of 1 or more")
        n = self.moments[:, :, 0]
        small = (self.counts[:, 0] < min_group_size) | ((n > 0) & (n < min_group_size)).any(axis=0)
        kept = np.flatnonzero(~small)
        groups, rows = int(small.sum()), int(self.counts[small, 0].sum())
        note = (
            f"groups of fewer than {min_group_size} left out: {groups:,} group{'' if groups == 1 else 's'}, "
            f"{rows:,} row{'' if rows == 1 else 's'}"
        )
        return replace(
            self,
            keys=self.keys.take(arrow_numbers(kept)),
            counts=self.counts[kept],
            moments=np.take(self.moments, kept, axis=1),
            weighted=None if self.weighted is None else np.take(self.weighted, kept, axis=1),
            group_weight=None if self.group_weight is None else self.group_weight[kept],
            notes=(*self.notes, note),
        )

    def to_arrow(self) -> pa.Table:
        """Return the statistics as one Arrow table with its description in the schema's metadata.

        Returns
        -------
        pyarrow.Table
            A row per cell. Columns ``key:NAME``; ``rows``, ``no_weight``, ``zero_weight``; for each outcome ``n:NAME``,
            ``mean:NAME``, ``residual:NAME``, ``ss:NAME`` (and ``w:``, ``w_mean:``, ``w_residual:``, ``w_ss:``,
            ``w2:``); ``group_weight``.
        """
        columns: dict[str, Any] = {f"key:{name}": self.keys[name] for name in self.keys.column_names}
        for i, name in enumerate(_COUNTS):
            columns[name] = np.ascontiguousarray(self.counts[:, i]).astype(np.int64)
        tables = [(_MOMENTS, self.moments)] + ([] if self.weighted is None else [(_WEIGHTED, self.weighted)])
        for fields, tensor in tables:
            for i, outcome in enumerate(self.outcomes):
                for j, field in enumerate(fields):
                    values = np.ascontiguousarray(tensor[i, :, j])
                    columns[f"{field}:{outcome}"] = values.astype(np.int64) if field == "n" else values
        if self.group_weight is not None:
            columns["group_weight"] = self.group_weight
        description = {
            "content": "group statistics",
            "version": _VERSION,
            "by": self.by,
            "group": self.group,
            "outcomes": self.outcomes,
            "weights": self.weights,
            "group_weights": self.group_weights,
            "labelled": self.labelled,
            "notes": self.notes,
        }
        return pa.table(columns).replace_schema_metadata({_METADATA_KEY: json.dumps(description).encode()})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> GroupStats:
        """Statistics from the table that `to_arrow` made.

        Parameters
        ----------
        table : pyarrow.Table

        Returns
        -------
        GroupStats

        Raises
        ------
        SourceError
            The table is another one, or of a version that this fastml doesn't know.
        """
        if not isinstance(table, pa.Table):
            raise SourceError(f"data of type {type(table).__name__} are no Arrow table")
        return _from_arrow(table, "the table")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the statistics to a Parquet file, exactly; the file is replaced whole or not at all.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        SourceError
            The file can't be written.
        """
        import pyarrow.parquet as pq

        replace_file(path, lambda file: pq.write_table(self.to_arrow(), file, write_page_checksum=True))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> GroupStats:
        """Statistics from the file that `write` made.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        GroupStats

        Raises
        ------
        SourceError
            The file can't be read, isn't one of group statistics, or is of a version this fastml doesn't know.
        """
        import pyarrow.parquet as pq

        if not is_stats_file(path):
            raise SourceError(f"file {path} holds no fastml statistics; fit it as data, with outcome and group")
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read()
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"file {path} can't be read: {first_line(error)}") from None
        return _from_arrow(table, f"file {path}")

    @staticmethod
    def from_summary(
        *, n: Any, mean: Any, sd: Any, group: Any = None, outcome: str = "y", group_name: str = "group"
    ) -> GroupStats:
        """Statistics from a published table of schools; see `from_summary` of this module."""
        return from_summary(n=n, mean=mean, sd=sd, group=group, outcome=outcome, group_name=group_name)


def repeat_tag(tag: str, value: Any, length: int) -> pa.Array:
    """Key column of one label throughout.

    Parameters
    ----------
    tag : str
        Its name, for messages.
    value : str, number or date
    length : int

    Returns
    -------
    pyarrow.Array

    Raises
    ------
    FastmlError
        The value is no label.
    """
    try:
        label = pa.scalar(value)
        good = not (pa.types.is_null(label.type) or pa.types.is_nested(label.type)) and value == value
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        good = False
    if not good:
        raise FastmlError(f"tag {tag!r} is {value!r}; a tag is one string, number or date")
    return pa.repeat(label, length)


def check_numeric(role: str, field: pa.Field) -> None:
    """Refuse a column that holds no numbers; booleans and decimals are numbers, strings of digits are not.

    Raises
    ------
    ColumnTypeError
    """
    dtype = field.type
    numeric = (
        pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)
        or pa.types.is_boolean(dtype) or pa.types.is_null(dtype)
    )  # fmt: skip
    if numeric:
        return
    text = pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype)
    remedy = "it must be numeric"
    if text:
        remedy += ", and digits in strings are not taken for numbers: convert the column first"
    elif pa.types.is_dictionary(dtype):
        remedy += ": decode the categories to numbers first"
    raise ColumnTypeError(role, field.name, dtype, remedy)


def as_floats(column: pa.Array) -> Floats:
    """Float64 values of a numeric column (n,), missing ones NaN; no copy where none is needed."""
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if not pa.types.is_float64(column.type):
        column = column.cast(pa.float64(), safe=False)
    if column.null_count:
        column = column.fill_null(np.nan)
    return np.asarray(column)


def _add(a: GroupStats, b: GroupStats) -> GroupStats:
    from fastml.kernels import moments as kernel

    for what in ("by", "group", "outcomes", "weights", "group_weights"):
        left, right = getattr(a, what), getattr(b, what)
        if left != right:
            raise MergeError(f"statistics of different {what} can't be added: {left!r} and {right!r}")
    if not (a.labelled and b.labelled):
        raise MergeError("statistics without labels can't be added: nobody can tell which groups are the same")
    types = [_common_type(name, a.keys[name].type, b.keys[name].type) for name in a.keys.column_names]
    table = KeyTable(types)
    parts = []
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
    labels_now = table.labels()
    for stats, codes in parts:
        counts[codes] += stats.counts
        if group_weight is not None and stats.group_weight is not None:
            bad = kernel.same_in_group(codes, stats.group_weight, group_weight)
            if bad >= 0:
                label = ", ".join(str(column[int(codes[bad])].as_py()) for column in labels_now)
                raise MergeError(
                    f"group {label} has group weight {group_weight[codes[bad]]!r} in one of the statistics and "
                    f"{stats.group_weight[bad]!r} in the other; a group has one weight"
                )
        for i in range(p):
            if weighted is not None and stats.weighted is not None:
                kernel.fold(weighted[i], codes, stats.weighted[i])
            kernel.fold(moments[i], codes, stats.moments[i])
    order = sort_order(labels_now)
    take = arrow_numbers(order)
    names = a.keys.column_names
    return replace(
        a,
        keys=pa.table({name: column.take(take) for name, column in zip(names, labels_now, strict=True)}),
        counts=counts[order],
        moments=np.take(moments, order, axis=1),
        weighted=None if weighted is None else np.take(weighted, order, axis=1),
        group_weight=None if group_weight is None else group_weight[order],
        notes=(*a.notes, *b.notes),
    )


def _as_type(name: str, labels: pa.Array, dtype: pa.DataType) -> pa.Array:
    try:
        return labels.cast(dtype)
    except pa.ArrowException as error:
        raise MergeError(
            f"key {name!r} of one of the statistics can't be {dtype}, as the other's: {first_line(error)}"
        ) from None


def _common_type(name: str, a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """Type that holds the labels of both; a file may have a school's id as integer, another as float or int32."""
    if a == b:
        return a
    text = (pa.types.is_string, pa.types.is_large_string)
    if any(is_kind(a) for is_kind in text) and any(is_kind(b) for is_kind in text):
        return pa.large_string()
    number = (pa.types.is_integer, pa.types.is_floating)
    if any(is_kind(a) for is_kind in number) and any(is_kind(b) for is_kind in number):
        return pa.int64() if pa.types.is_integer(a) and pa.types.is_integer(b) else pa.float64()
    if pa.types.is_null(a) or pa.types.is_null(b):
        return b if pa.types.is_null(a) else a
    raise MergeError(f"key {name!r} has type {a} in one of the statistics and {b} in the other; cast one of them")


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
    return _METADATA_KEY in schema_metadata(path)


def _from_arrow(table: pa.Table, source: str) -> GroupStats:
    try:
        description = json.loads((table.schema.metadata or {})[_METADATA_KEY])
        if description["content"] != "group statistics":
            raise KeyError
    except (KeyError, ValueError, TypeError):
        raise SourceError(f"{source} holds no fastml statistics") from None
    if description.get("version") != _VERSION:
        raise SourceError(
            f"{source} holds statistics of version {description.get('version')}; this fastml reads version {_VERSION}: "
            "upgrade fastml or write the file anew"
        )
    try:
        by, group, outcomes = (tuple(description[name]) for name in ("by", "group", "outcomes"))
        names = [name.removeprefix("key:") for name in table.column_names if name.startswith("key:")]

        def column(name: str) -> Floats:
            return np.asarray(table[name].combine_chunks().cast(pa.float64()))

        def tensor(fields: Iterable[str]) -> Floats:
            return np.array([np.column_stack([column(f"{field}:{y}") for field in fields]) for y in outcomes])

        read = GroupStats(
            keys=pa.table({name: table[f"key:{name}"].combine_chunks() for name in names}),
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
        )
        problem = _problem(read)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, pa.ArrowException) as error:
        problem = first_line(error)
    if problem:
        raise SourceError(f"{source} holds damaged fastml statistics ({problem})")
    return read


def _problem(stats: GroupStats) -> str:
    """What can't be in statistics that `to_arrow` made, or an empty string."""
    texts = [*stats.by, *stats.group, *stats.outcomes, *stats.notes]
    texts += [name for name in (stats.weights, stats.group_weights) if name is not None]
    if not all(isinstance(text, str) for text in texts) or not (stats.group and stats.outcomes):
        return "its names are no names"
    if tuple(stats.keys.column_names) != (*stats.by, *stats.group):
        return "its keys are others than it says"
    if (stats.weighted is None) != (not (stats.weights or stats.group_weights)):
        return "its weights are others than it says"
    whole = np.concatenate([stats.counts.ravel(), stats.moments[:, :, 0].ravel()])
    if not np.all((whole >= 0.0) & (whole == np.floor(whole)) & (whole < 2.0**63)):
        return "a number of rows is no whole number"
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


def from_summary(
    *, n: Any, mean: Any, sd: Any, group: Any = None, outcome: str = "y", group_name: str = "group"
) -> GroupStats:
    """Statistics from a published table of schools.

    Parameters
    ----------
    n, mean, sd : array_like, shape (J,)
        Observations, mean and standard deviation (divisor n - 1) of each group; sd is null or NaN where n is 1.
    group : array_like, shape (J,), optional
        Labels, each once. Without, the statistics can be fitted but not added to others.
    outcome, group_name : str
        Names to give to the outcome and the group.

    Returns
    -------
    GroupStats

    Examples
    --------
    >>> stats = from_summary(n=[2, 3], mean=[4.0, 6.0], sd=[1.0, 2.0], group=["a", "b"])
    >>> stats.groups().ss.tolist()
    [1.0, 8.0]
    """
    for role, given in (("outcome", outcome), ("group_name", group_name)):
        if not isinstance(given, str):
            raise ArgumentError(role, given, ["a column's name"])
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
            raise ValueNotAllowedError(f"{name} is {values[bad]:g} in row {bad} (the first is 0); {remedy}")
    labels = arrow_numbers(np.arange(len(size))) if group is None else table.column(3).combine_chunks()
    keys = encode_tile([labels])
    if len(keys.labels[0]) < len(size) or labels.null_count:
        raise ValueNotAllowedError("group has a label twice or a null one; a summary has one row per group")
    order = sort_order([labels])
    moments = np.column_stack([size, means, np.zeros(len(size)), np.where(size > 1, (size - 1) * sds**2, 0.0)])
    return GroupStats(
        keys=pa.table({group_name: labels.take(arrow_numbers(order))}),
        by=(),
        group=(group_name,),
        outcomes=(outcome,),
        counts=np.column_stack([size, np.zeros((len(size), 2))])[order],
        moments=moments[None, order],
        labelled=group is not None,
    )
