"""GroupStats: the mergeable sufficient statistics of the model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from fastml.errors import ColumnNotFoundError, FastmlError, MergeError, SourceError, first_line, visible
from fastml.groupstats.fields import GroupFields
from fastml.groupstats.merge import add
from fastml.groupstats.storage import find_problem, is_stats_file, read_fields, to_table
from fastml.groupstats.summary import summary_fields
from fastml.io.arrays import as_arrow
from fastml.io.writing import write_parquet
from fastml.keys.label_types import repeat_tag
from fastml.model.groups import Groups
from fastml.report.exports import TableForms
from fastml.report.grids import Grid, statistics_grid

__all__ = ["GroupStats"]


class GroupStats(GroupFields, TableForms):
    """Sufficient statistics of the one-way model, a record per cell (combination of by- and group labels).

    Two of them add (``+``) to one, to rounding in any order. They hold no rows.

    Attributes
    ----------
    keys : pyarrow.Table
        C rows, sorted: the by-columns, then the group columns. The rows of a null label are dropped.
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
        The group's own weight, NaN where it has none.
    weights, group_weights : str or None
        Names of the weight columns.
    labelled : bool
        Whether the groups have labels of their own. Without, the statistics can be fitted but not added.
    notes : tuple of str
        What was done to the statistics since the rows were read: groups left out.
    origins : tuple of Origin
        What they were made of: a name, the rows and a digest each. The same is not added twice.

    Examples
    --------
    >>> import fastml
    >>> rows = {"school": [1, 1, 2], "score": [3.0, 4.0, 5.0]}
    >>> stats = fastml.group_stats(rows, "score", "school")
    >>> len(stats), stats.groups().mean.tolist()
    (2, [3.5, 5.0])
    """

    def __len__(self) -> int:
        """Return the number of cells that have all their labels."""
        return int(self.labelled_cells().sum())

    def __repr__(self) -> str:
        by = f", by {list(self.by)}" if self.by else ""
        return visible(
            f"<GroupStats: {', '.join(self.outcomes)} by {', '.join(self.group)}{by}; "
            f"{int(self.counts[:, 0].sum()):,} rows, {len(self):,} groups>"
        )

    def _grid(self, level: float = 0.95) -> Grid:
        rows = []
        for name, record in zip(self.outcomes, self.moments, strict=True):
            n, mean, residual, _ = record[self.labelled_cells()].T
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
        return add(self, other)

    def __radd__(self, other: object) -> GroupStats:
        # sum() starts from 0.
        return self if other == 0 else NotImplemented

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
            A frozen record of J groups: ``labels``, a pyarrow.Table of their keys; arrays of shape (J,) of ``n``,
            ``mean``, its ``residual`` and the sum of squares ``ss`` about it.
        """
        table = self.moments[self._index(outcome)]
        used = self.labelled_cells() & (table[:, 0] > 0)
        labels = self.keys.select(self.group) if self.labelled else self.keys
        if not used.all():
            labels = labels.take(as_arrow(np.flatnonzero(used)))
            table = table[used]
        n, mean, residual, ss = np.ascontiguousarray(table.T)
        return Groups(labels, n.astype(np.int64), mean, residual, ss)

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
        no_weight = zero_weight = 0
        if self.weights or self.group_weights:
            no_weight, zero_weight = (int(column.sum()) for column in counts[:, 1:].T)
            causes["weights"] = no_weight
        if self.weights:
            causes["zero_weight"] = zero_weight
        causes["outcome"] = int(counts[:, 0].sum()) - no_weight - zero_weight - int(n.sum())
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
            ({name: found[codes[start]] for name, (codes, found) in labels.items()}, slice(start, stop))
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

        Examples
        --------
        >>> import fastml
        >>> rows = {"country": ["N", "N", "S"], "school": [1, 2, 1], "score": [3.0, 4.0, 5.0]}
        >>> stats = fastml.group_stats(rows, "score", "school", by="country")
        >>> [(labels["country"], len(part)) for labels, part in stats.split()]
        [('N', 2), ('S', 1)]
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
                origins=tuple(origin.marked(f"part {labels!r}") for origin in self.origins),
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
        keys = pa.table({name: columns[name] for name in (*self.by, *group)})
        origins = tuple(origin.marked(f"tags {sorted(tags.items())!r}") for origin in self.origins)
        return replace(self, keys=keys, group=group, origins=origins)

    def without_small(self, min_group_size: int) -> GroupStats:
        """Leave out small groups, for statistics that leave a safe room; `notes` records how many.

        A group goes as a whole where it has fewer rows, or fewer observations of any outcome (but some), than asked
        for; so do the rows without a label where they are so few. Pooling small groups to one would make a school that
        isn't, and a wrong variance between schools; leaving them out makes the sample one of larger schools.

        Parameters
        ----------
        min_group_size : int
            The least number of rows of a group that stays, 1 or more.

        Returns
        -------
        GroupStats

        Examples
        --------
        >>> stats = GroupStats.from_summary(n=[2, 30], mean=[4.0, 6.0], sd=[1.0, 2.0], group=["a", "b"])
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
            keys=self.keys.take(as_arrow(kept)),
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
        return to_table(self)

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
        return _from_table(table, "the table")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the statistics to a Parquet file, exactly; the file is replaced whole or not at all.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        SourceError
            The file can't be written.

        Examples
        --------
        >>> import tempfile, fastml
        >>> stats = fastml.group_stats({"school": [1, 1, 2], "score": [3.0, 4.0, 5.0]}, "score", "school")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     stats.write(f"{folder}/monday.stats")
        ...     len(GroupStats.read(f"{folder}/monday.stats"))
        2
        """
        write_parquet(self.to_arrow(), path, write_page_checksum=True)

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
        return _from_table(table, f"file {path}")

    @staticmethod
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
        >>> stats = GroupStats.from_summary(n=[2, 3], mean=[4.0, 6.0], sd=[1.0, 2.0], group=["a", "b"])
        >>> stats.groups().ss.tolist()
        [1.0, 8.0]
        """
        fields = summary_fields(n=n, mean=mean, sd=sd, group=group, outcome=outcome, group_name=group_name)
        return GroupStats(**vars(fields))


def _from_table(table: pa.Table, source: str) -> GroupStats:
    fields = read_fields(table, source)
    problem = find_problem(fields)
    if problem:
        raise SourceError(f"{source} holds damaged fastml statistics ({problem})")
    return GroupStats(**vars(fields))
