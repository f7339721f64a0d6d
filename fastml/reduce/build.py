"""What a call is given -> GroupStats: saved statistics, rows anywhere, or an engine's lazy frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastml.errors import (
    ArgumentError,
    ColumnNotFoundError,
    ColumnsMissingError,
    FastmlError,
    MergeError,
    SourceError,
    plain_errors,
)
from fastml.groupstats.statistics import GroupStats
from fastml.io.discovery import DataFile, find_files, is_path
from fastml.io.origins import origin_in_memory
from fastml.io.source import Input
from fastml.keys.key_table import check_labels
from fastml.reduce.columns import CallColumns
from fastml.reduce.lazy_frames import from_engine, is_lazy
from fastml.reduce.reduced_tables import from_reduced
from fastml.reduce.workers import from_source

__all__ = ["alike", "check_saved", "check_saved_by", "merge", "saved_statistics", "statistics"]


def saved_statistics(given: Input) -> GroupStats | None:
    """Statistics that the data are, or that their files hold, added; None where the data are rows.

    Parameters
    ----------
    given : Input

    Returns
    -------
    GroupStats or None

    Raises
    ------
    SourceError
        Some of the files hold statistics, others rows.
    MergeError
        Their statistics can't be added.
    FastmlError
        There is a filter, which is for rows.
    """
    found = given.data if isinstance(given.data, GroupStats) else _read_all(given.data)
    if found is not None and given.filter is not None:
        raise FastmlError("filter= chooses rows, and saved statistics hold none; filter when they are gathered")
    return found


def check_saved(stats: GroupStats, columns: CallColumns) -> None:
    """Refuse to fit saved statistics as one by columns that they were not gathered with.

    Parameters
    ----------
    stats : GroupStats
    columns : CallColumns
        One outcome, or none where the statistics hold one; a group and weights, if any.

    Raises
    ------
    FastmlError
    """
    _check_saved_outcomes(stats, columns)
    if not columns.outcomes and len(stats.outcomes) > 1:
        raise ArgumentError("outcome", None, stats.outcomes, "the statistics hold several: choose one")
    if stats.by:
        raise FastmlError(
            f"the statistics are split by {', '.join(stats.by)}; gather them without by= to fit them as one"
        )
    _check_saved_columns(stats, columns)


def check_saved_by(stats: GroupStats, columns: CallColumns) -> None:
    """Refuse to fit the parts of saved statistics by columns that they were not gathered with.

    Parameters
    ----------
    stats : GroupStats
    columns : CallColumns
        Outcomes, by-columns, a group and weights, if any.

    Raises
    ------
    FastmlError
    """
    if columns.by and columns.by != stats.by:
        raise FastmlError(
            f"by={_shown(columns.by)}, but the statistics are split by {', '.join(stats.by) or 'nothing'}"
        )
    if not stats.by:
        raise FastmlError("the statistics are not split: gather them with by=, or use fit")
    _check_saved_outcomes(stats, columns)
    _check_saved_columns(stats, columns)


def alike(new: Input, old: Input, columns: CallColumns) -> tuple[GroupStats, GroupStats]:
    """Gather two statistics alike, from rows, or as they were saved.

    Parameters
    ----------
    new, old : Input
        Filter and codes of missing values are for those of them that are rows.
    columns : CallColumns
        What they don't name is taken from saved statistics.

    Returns
    -------
    new, old : GroupStats
        Where both were saved, with all that they hold.

    Raises
    ------
    FastmlError
        The saved ones were gathered by other columns; both were, and there is a filter; or no columns are named.
    """
    held = [saved_statistics(replace(given, filter=None)) for given in (new, old)]
    if None not in held and (new.filter is not None or columns.missing):
        raise FastmlError("filter= and missing= are of rows, and both sides are saved statistics, which hold none")
    for stats in held:
        if stats is not None:
            columns = _filled(columns, stats)
            _check_saved_outcomes(stats, columns)
            _check_saved_columns(stats, replace(columns, missing=()))
    if not columns.outcomes or not columns.group:
        raise ColumnsMissingError("check(new, 'score', 'school', against=old)")
    return tuple(  # type: ignore[return-value]
        statistics(given, columns) if stats is None else stats for given, stats in zip((new, old), held, strict=True)
    )


def _filled(columns: CallColumns, stats: GroupStats) -> CallColumns:
    """The columns, with those of the statistics where none are named."""
    return replace(
        columns,
        outcomes=columns.outcomes or stats.outcomes,
        group=columns.group or stats.group,
        by=columns.by or stats.by,
        weights=columns.weights or stats.weights,
        group_weights=columns.group_weights or stats.group_weights,
    )


def _check_saved_outcomes(stats: GroupStats, columns: CallColumns) -> None:
    for name in columns.outcomes:
        if name not in stats.outcomes:
            raise ArgumentError("outcome", name, stats.outcomes, "the statistics hold no other")


def _check_saved_columns(stats: GroupStats, columns: CallColumns) -> None:
    if columns.group and columns.group != stats.group:
        raise FastmlError(
            f"group={_shown(columns.group)}, but the statistics are of groups by {', '.join(stats.group)}"
        )
    if columns.missing:
        raise FastmlError(
            "missing= names codes among rows, and saved statistics hold none; name them when rows are read"
        )
    for argument, asked, held in (
        ("weights", columns.weights, stats.weights),
        ("group_weights", columns.group_weights, stats.group_weights),
    ):
        if asked is not None and asked != held:
            raise FastmlError(f"{argument}={asked!r}, but the statistics were gathered with {argument}={held!r}")


def _shown(names: Sequence[str]) -> str:
    return repr(names[0] if len(names) == 1 else list(names))


def _read_all(data: Any, replacing: bool = False) -> GroupStats | None:
    if isinstance(data, (list, tuple)) and data and all(isinstance(part, GroupStats) for part in data):
        return _sum([(f"statistics {i + 1}", part) for i, part in enumerate(data)])
    if not is_path(data):
        return None
    files = find_files(data)[1]
    if any(file.location.filesystem is not None for file in files):
        return None
    first, *others = files
    if not _holds_statistics(first):
        return None
    for file in others:
        if not _holds_statistics(file):
            raise SourceError(
                f"{first.location.name} holds statistics, {file.location.name} doesn't; give files of one kind"
            )
    parts = [(file.location.name, GroupStats.read(file.location.path)) for file in files]
    return _sum(_newest(parts, [Path(file.location.path).stat().st_mtime_ns for file in files]) if replacing else parts)


def _newest(parts: list[tuple[str, GroupStats]], times: list[int]) -> list[tuple[str, GroupStats]]:
    """The parts without those that newer ones hold already, or hold anew under the same names."""
    kept: list[int] = []
    for i in sorted(range(len(parts)), key=lambda i: -times[i]):
        name, stats = parts[i]
        held = {origin.name: origin.digest or None for k in kept for origin in parts[k][1].origins}
        old = [origin for origin in stats.origins if origin.name in held or origin.digest in held.values()]
        if not old:
            kept.append(i)
        elif len(old) < len(stats.origins):
            raise MergeError(
                f"{name} holds {old[0].name} beside others, and can't be without it: it is a sum; merge its parts anew"
            )
    return [parts[i] for i in sorted(kept)]


def _holds_statistics(file: DataFile) -> bool:
    from fastml.groupstats.storage import is_stats_file

    return file.format == "parquet" and is_stats_file(file.location.path)


def _sum(parts: list[tuple[str, GroupStats]]) -> GroupStats:
    total = parts[0][1]
    for name, part in parts[1:]:
        try:
            total = total + part
        except MergeError as error:
            raise MergeError(f"{name} can't be added to {parts[0][0]}: {error}") from None
    return total


def merge(files: Sequence[Any], replace: bool = False) -> GroupStats:
    """Add the statistics of files.

    Parameters
    ----------
    files : sequence of str or path
        Files of `GroupStats.write`; globs and folders too.
    replace : bool
        Of two that were made of data of one name take that of the newer file, and leave out what another holds already.

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
    found = _read_all(list(files), replace)
    if found is None:
        name = find_files(list(files))[1][0].location.name
        raise SourceError(f"{name} holds no fastml statistics; make them: fastml stats FILE -y SCORE -g SCHOOL -o OUT")
    return found


def statistics(given: Input, columns: CallColumns) -> GroupStats:
    """Gather the group statistics of rows, wherever they are.

    Parameters
    ----------
    given : Input
        Of anything `fastml.io.source.open_source` takes, or of a lazy frame; or of a table that a database reduced by
        the query of `fastml.group_stats_sql`.
    columns : CallColumns

    Returns
    -------
    GroupStats
    """
    lazy = is_lazy(given.data)
    if lazy and given.filter is not None:
        raise FastmlError(f"filter= is for rows that fastml reads; filter the {type(given.data).__name__} itself")
    with plain_errors(given.named()):
        try:
            if lazy:
                found = from_engine(given.data, columns)
            else:
                found = from_source(given.checked(), columns, threads=given.threads)
        except ColumnNotFoundError:
            reduced = from_reduced(given, columns)
            if reduced is None:
                raise
            found = reduced
        check_labels(found.keys)
    name, rows = f"the {type(given.data).__name__}", int(found.counts[:, 0].sum())
    condition, options = given.condition, given.said(columns.missing)
    origins = found.origins or (origin_in_memory(name, rows),)
    found = replace(found, origins=tuple(replace(one, filter=condition, options=options) for one in origins))
    return found if found.by == tuple(columns.by) else _split_by_tags(found, tuple(columns.by))


def _split_by_tags(stats: GroupStats, by: tuple[str, ...]) -> GroupStats:
    """Move tags from the groups' keys to those that split the data; being constant, they don't change the order."""
    group = tuple(name for name in stats.group if name not in by)
    return replace(stats, keys=stats.keys.select([*by, *group]), by=by, group=group)
