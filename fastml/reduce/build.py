"""What a call is given -> GroupStats: saved statistics, rows anywhere, or an engine's lazy frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastml.errors import FastmlError, MergeError, SourceError
from fastml.groupstats.statistics import GroupStats
from fastml.io.csv_format import csv_options as checked_csv_options
from fastml.io.dataset import find_pieces, is_path
from fastml.io.filters import as_expression
from fastml.io.progress import watcher
from fastml.io.source import Rows
from fastml.io.threads import thread_count
from fastml.reduce.columns import Roles
from fastml.reduce.lazy_frames import from_engine, is_lazy
from fastml.reduce.workers import from_source

__all__ = ["Reading", "merge", "saved_statistics", "statistics"]


@dataclass(frozen=True)
class Reading:
    """How the rows are to be read: arguments that `fit`, `fit_by` and `group_stats` hand on.

    Attributes
    ----------
    filter : str or pyarrow.compute.Expression, optional
    threads : int, optional
    csv_options : mapping, optional
    progress : bool, optional
    """

    filter: Any = None
    threads: int | None = None
    csv_options: Mapping[str, Any] | None = None
    progress: bool | None = None

    def rows(self, data: Any) -> Rows:
        """The data as `open_source` takes them, once these arguments are checked.

        Parameters
        ----------
        data : anything `open_source` takes

        Returns
        -------
        Rows

        Raises
        ------
        FastmlError
            No such number of threads; a filter or CSV options that can't be read.
        """
        return Rows(
            data,
            filter=None if self.filter is None else as_expression(self.filter),
            threads=thread_count(self.threads),
            csv=checked_csv_options(self.csv_options),
            watch=watcher(self.progress),
        )


def saved_statistics(data: Any, reading: Reading | None = None) -> GroupStats | None:
    """Statistics that the data are, or that their files hold, added; None where the data are rows.

    Parameters
    ----------
    data : anything
    reading : Reading, optional

    Returns
    -------
    GroupStats or None

    Raises
    ------
    SourceError
        Some of the files hold statistics, others rows.
    MergeError
        Their statistics can't be added.
    """
    found = data if isinstance(data, GroupStats) else _read_all(data)
    if found is not None and reading is not None and reading.filter is not None:
        raise FastmlError("filter= chooses rows, and saved statistics hold none; filter when they are gathered")
    return found


def _read_all(data: Any) -> GroupStats | None:
    if isinstance(data, (list, tuple)) and data and all(isinstance(part, GroupStats) for part in data):
        return _sum([(f"statistics {i + 1}", part) for i, part in enumerate(data)])
    if not is_path(data):
        return None
    pieces = find_pieces(data)[1]
    if any(piece.location.filesystem is not None for piece in pieces):
        return None
    held = [piece.format == "parquet" and _is_stats(piece.location.path) for piece in pieces[:1]]
    if not held[0]:
        return None
    for piece in pieces[1:]:
        if piece.format != "parquet" or not _is_stats(piece.location.path):
            raise SourceError(
                f"{pieces[0].location.name} holds statistics, {piece.location.name} doesn't; give files of one kind"
            )
    return _sum([(piece.location.name, GroupStats.read(piece.location.path)) for piece in pieces])


def _is_stats(path: str) -> bool:
    from fastml.groupstats.storage import is_stats_file

    return is_stats_file(path)


def _sum(parts: list[tuple[str, GroupStats]]) -> GroupStats:
    total = parts[0][1]
    for name, part in parts[1:]:
        try:
            total = total + part
        except MergeError as error:
            raise MergeError(f"{name} can't be added to {parts[0][0]}: {error}") from None
    return total


def merge(files: Sequence[Any]) -> GroupStats:
    """Add the statistics of files.

    Parameters
    ----------
    files : sequence of str or path
        Files of `GroupStats.write`; globs and folders too.

    Returns
    -------
    GroupStats

    Raises
    ------
    SourceError
        A file holds no statistics.
    MergeError
        They differ in keys, outcomes or weights, or a group's weight differs.
    """
    found = saved_statistics(list(files))
    if found is None:
        name = find_pieces(list(files))[1][0].location.name
        raise SourceError(f"{name} holds no fastml statistics; make them: fastml stats FILE -y SCORE -g SCHOOL -o OUT")
    return found


def statistics(data: Any, roles: Roles, reading: Reading | None = None) -> GroupStats:
    """Gather the group statistics of rows, wherever they are.

    Parameters
    ----------
    data : anything `fastml.io.source.open_source` takes, or a lazy frame
    roles : Roles
    reading : Reading, optional

    Returns
    -------
    GroupStats
    """
    reading = reading or Reading()
    if is_lazy(data):
        if reading.filter is not None:
            raise FastmlError(f"filter= is for rows that fastml reads; filter the {type(data).__name__} itself")
        found = from_engine(data, roles)
    else:
        found = from_source(reading.rows(data), roles, threads=reading.threads)
    return found if found.by == tuple(roles.by) else _split_by_tags(found, tuple(roles.by))


def _split_by_tags(stats: GroupStats, by: tuple[str, ...]) -> GroupStats:
    """Move tags from the groups' keys to those that split the data; being constant, they don't change the order."""
    group = tuple(name for name in stats.group if name not in by)
    return replace(stats, keys=stats.keys.select([*by, *group]), by=by, group=group)
