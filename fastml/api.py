"""fit, fit_by, group_stats: check the call, wire the steps below."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastml.errors import ArgumentError, FastmlError, FormulaError, RolesMissingError
from fastml.groupstats.statistics import GroupStats
from fastml.reduce.build import Reading, saved_statistics, statistics
from fastml.reduce.columns import Roles
from fastml.results.fit import OneWayFit
from fastml.results.fitting import fit_cells, fit_stats
from fastml.results.table import FitTable, check_by
from fastml.results.weighting import Weighting, check_options, check_weights

__all__ = ["fit", "fit_by", "group_stats"]

Names = str | Sequence[str]

METHODS = ("reml", "ml", "anova")

_NAME = r"(?:`([^`]+)`|([^\W\d][\w.]*))"
_FORMULA = re.compile(rf"\s*{_NAME}\s*~\s*(?:1\s*\+\s*)?\(\s*1\s*\|\s*{_NAME}\s*\)\s*")


def fit(
    data: Any,
    outcome: str | None = None,
    group: Names | None = None,
    *,
    method: str | None = None,
    df: str | None = None,
    weights: str | None = None,
    group_weights: str | None = None,
    weights_are: str = "total",
    weight_scaling: str = "size",
    vcov: str = "joint",
    filter: Any = None,
    threads: int | None = None,
    csv_options: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> OneWayFit:
    """Fit the one-way random-effects model Y_ij = gamma00 + u_0j + r_ij.

    Parameters
    ----------
    data : pandas, Polars or Arrow table, dict of arrays, RecordBatchReader, path, lazy frame, or GroupStats
        Rows of students; also anything with ``__arrow_c_stream__``. A path names a Parquet, Arrow, Feather, CSV or SPSS
        file, a folder of them (perhaps partitioned: ``cycle=2019/a.parquet``), a glob or an ``s3://`` URI; a list of
        paths is one table too. So are the files of `GroupStats.write`, which are added. A PySpark or Dask DataFrame,
        DuckDB relation, Polars LazyFrame or Ibis table is aggregated by its engine, and never collected. Rows whose
        outcome or group is null or NaN are dropped and counted.
    outcome : str
        Column of scores, or the formula ``"y ~ 1 + (1 | g)"``, with or without its ``1 +``, in place of both names.
        Not needed for statistics of one outcome.
    group : str or list of str
        Column of school ids; several columns together name a school.
    method : {"reml", "ml", "anova"}, optional
        Restricted maximum likelihood, maximum likelihood, or the method of moments. REML without weights and (pseudo)
        ML with, where there is no other.
    df : {"satterthwaite", "kenward-roger", "hlm", "normal"}, optional
        Degrees of freedom of gamma00. Satterthwaite by default; J - 1 for "anova" and with weights.
    weights : str, optional
        Column of student weights; needs `group_weights`. Rows of weight 0 are dropped and counted.
    group_weights : str, optional
        Column of school weights, 1/P(the school is drawn), the same in all rows of a school.
    weights_are : {"total", "conditional"}
        Whether student weights hold the school's too (TOTWGT, W_FSTUWT), or are those of a student within the school.
    weight_scaling : {"size", "effective", "none", "gk", "group-only"}
        How the conditional weights a are scaled: a n/sum a; a sum a/sum a^2; not (WeMix, SAS); a = 1 with the school
        weight times the mean a; a = 1. Under "none" with total weights the unit of the school weight matters, since
        it decides what the conditional weights are; under the others it doesn't.
    vcov : {"joint", "block"}
        Sandwich over schools, times J/(J - 1), joint in all three parameters or in blocks (WeMix). Without weights this
        and the two before it are refused, but for their defaults: nothing is weighted then.
    filter : str or pyarrow.compute.Expression, optional
        Which rows: ``"cycle = 2019 and country in ('TUR', 'USA')"``. Row groups of Parquet without such are skipped.
    threads : int, optional
        Threads to read with, as many as there are processors, up to 8. The result is the same to the bit.
    csv_options : mapping, optional
        Of CSV: ``delimiter`` (found out), ``encoding`` ("utf-8"), ``decimal`` ("."), ``types`` (of columns, in Arrow).
    progress : bool, optional
        Show progress on stderr where it takes over a second. By default on a terminal only.

    Returns
    -------
    OneWayFit

    Raises
    ------
    FastmlError
        In one line: a column missing or of a wrong type, an infinite score, data that can't be read, fewer than two
        groups, only singletons, or no variation inside any group. A fit at tau00 = 0 is no error.

    Examples
    --------
    >>> import fastml
    >>> scores = {"school": ["a", "a", "b", "b", "c", "c"], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
    >>> m = fastml.fit(scores, outcome="score", group="school")
    >>> round(m.gamma00, 3), round(m.tau00, 3), round(m.sigma2, 3), round(m.icc, 3)
    (4.833, 12.083, 0.5, 0.96)
    """
    if method is not None:
        method = _one_of("method", method, METHODS)
    weighting = Weighting(*check_options(weights_are, weight_scaling, vcov))
    check_weights(weights, group_weights)
    reading = Reading(filter, threads, csv_options, progress)
    stats = _statistics(data, outcome, group, weights, group_weights, reading, weighting)
    name = stats.outcomes[0] if len(stats.outcomes) == 1 else outcome
    return fit_stats(stats, name, method, df, weighting)


def fit_by(
    data: Any,
    outcome: Names | None = None,
    group: Names | None = None,
    *,
    by: Names | None = None,
    method: str | None = None,
    df: str | None = None,
    weights: str | None = None,
    group_weights: str | None = None,
    weights_are: str = "total",
    weight_scaling: str = "size",
    vcov: str = "joint",
    filter: Any = None,
    threads: int | None = None,
    csv_options: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> FitTable:
    """Fit the model in every part of the data, and for every outcome, from one pass over the rows.

    Parameters
    ----------
    data : anything `fit` takes
        Or statistics gathered with ``by=``.
    outcome : str or list of str
        Columns of scores; not needed for statistics, whose outcomes are all fitted then.
    group : str or list of str
        Columns of school ids. They need be unique inside a part only.
    by : str or list of str
        Columns that split the data (countries). A row without such a label belongs to no part.
    method, df, weights, group_weights, weights_are, weight_scaling, vcov, filter, threads, csv_options, progress
        As in `fit`.

    Returns
    -------
    FitTable
        A row per part and outcome, sorted by part. A part that can't be fitted has a row too: its ``status`` says why,
        and its figures are null.

    Raises
    ------
    FastmlError
        As in `fit`, for what concerns all the data.

    Examples
    --------
    >>> import fastml
    >>> scores = {
    ...     "country": ["N", "N", "N", "N", "S", "S"],
    ...     "school": [1, 1, 2, 2, 1, 1],
    ...     "score": [1.0, 2.0, 5.0, 7.0, 3.0, 4.0],
    ... }
    >>> for row in fastml.fit_by(scores, "score", "school", by="country").to_dict():
    ...     print(row["country"], row["n_groups"], row["status"])
    N 2 ok
    S None there is one group only; the variance between groups needs at least two
    """
    if method is not None:
        method = _one_of("method", method, METHODS)
    weighting = Weighting(*check_options(weights_are, weight_scaling, vcov))
    check_weights(weights, group_weights)
    reading = Reading(filter, threads, csv_options, progress)
    stats = _split_statistics(data, outcome, group, by, weights, group_weights, reading, weighting)
    outcomes = _names(outcome) or list(stats.outcomes)
    return fit_cells(stats, outcomes, method, df, weighting)


def group_stats(
    data: Any,
    outcome: Names,
    group: Names,
    *,
    by: Names | None = None,
    weights: str | None = None,
    group_weights: str | None = None,
    tags: Mapping[str, Any] | None = None,
    min_group_size: int | None = None,
    filter: Any = None,
    threads: int | None = None,
    csv_options: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> GroupStats:
    """Reduce rows to the model's sufficient statistics, which add, can be saved, and can be fitted.

    Parameters
    ----------
    data : anything `fit` takes
    outcome : str or list of str
        One or more columns of scores.
    group : str or list of str
        Columns that name a school.
    by : str or list of str, optional
        Columns that split the data (countries), each part with its own schools.
    weights, group_weights : str, optional
        Columns of student and of school weights.
    tags : mapping, optional
        Constant key columns, e.g. ``{"cycle": 2019}``: school ids start again every cycle. They name a school together
        with `group`, or split the data where `by` names them too.
    min_group_size : int, optional
        Leave out groups of fewer rows, for statistics that leave a safe room; see `GroupStats.without_small`.
    filter, threads, csv_options, progress
        As in `fit`.

    Returns
    -------
    GroupStats

    Examples
    --------
    >>> import fastml
    >>> monday = fastml.group_stats({"school": [1, 1, 2], "score": [3.0, 4.0, 5.0]}, "score", "school")
    >>> tuesday = fastml.group_stats({"school": [2, 2], "score": [6.0, 8.0]}, "score", "school")
    >>> (monday + tuesday).groups().n.tolist()
    [2, 3]
    """
    roles = Roles(_names(outcome), _names(group), _names(by), weights, group_weights, tags)
    stats = statistics(data, roles, Reading(filter, threads, csv_options, progress))
    return stats if min_group_size is None else stats.without_small(min_group_size)


def _statistics(
    data: Any,
    outcome: str | None,
    group: Names | None,
    weights: str | None,
    group_weights: str | None,
    reading: Reading,
    weighting: Weighting,
) -> GroupStats:
    """Statistics of the call: as given, read from their files, or gathered from rows."""
    held = saved_statistics(data, reading)
    if held is not None:
        if outcome is not None and outcome not in held.outcomes:
            raise ArgumentError("outcome", outcome, held.outcomes, "the statistics hold no other")
        if outcome is None and len(held.outcomes) > 1:
            raise ArgumentError("outcome", outcome, held.outcomes, "the statistics hold several: choose one")
        if held.by:
            raise FastmlError(
                f"the statistics are split by {', '.join(held.by)}; gather them without by= to fit them as one"
            )
        _check_held(held, group, weights, group_weights)
        weighting.check_used(held.weights, held.group_weights)
        return held
    if isinstance(outcome, str) and group is None:
        match = _FORMULA.fullmatch(outcome)
        if match:
            outcome, group = match[1] or match[2], match[3] or match[4]
        elif "~" in outcome:
            raise FormulaError(outcome)
    if outcome is None or group is None:
        raise RolesMissingError
    if not isinstance(outcome, str):
        raise ArgumentError("outcome", outcome, ["one column's name"])
    weighting.check_used(weights, group_weights)
    return statistics(data, Roles([outcome], _names(group), (), weights, group_weights), reading)


def _split_statistics(
    data: Any, outcome: Names | None, group: Names | None, by: Names | None,
    weights: str | None, group_weights: str | None, reading: Reading, weighting: Weighting,
) -> GroupStats:  # fmt: skip
    """Statistics of the call of `fit_by`."""
    held = saved_statistics(data, reading)
    if held is not None:
        if by is not None and tuple(_names(by)) != held.by:
            raise FastmlError(f"by={by!r}, but the statistics are split by {', '.join(held.by) or 'nothing'}")
        if not held.by:
            raise FastmlError("the statistics are not split: gather them with by=, or use fit")
        for name in _names(outcome):
            if name not in held.outcomes:
                raise ArgumentError("outcome", name, held.outcomes, "the statistics hold no other")
        _check_held(held, group, weights, group_weights)
        weighting.check_used(held.weights, held.group_weights)
        return held
    if outcome is None or group is None or not _names(by):
        raise RolesMissingError("fit_by(data, 'score', 'school', by='country')", "outcome, group and by")
    # Before all rows are read.
    check_by(_names(by))
    weighting.check_used(weights, group_weights)
    return statistics(data, Roles(_names(outcome), _names(group), _names(by), weights, group_weights), reading)


def _check_held(stats: GroupStats, group: Names | None, weights: str | None, group_weights: str | None) -> None:
    """Refuse names that the statistics were not gathered with."""
    if group is not None and tuple(_names(group)) != stats.group:
        raise FastmlError(f"group={group!r}, but the statistics are of groups by {', '.join(stats.group)}")
    for role, asked, held in (
        ("weights", weights, stats.weights),
        ("group_weights", group_weights, stats.group_weights),
    ):
        if asked is not None and asked != held:
            raise FastmlError(f"{role}={asked!r}, but the statistics were gathered with {role}={held!r}")


def _names(names: Any) -> list[Any]:
    if names is None:
        return []
    return list(names) if isinstance(names, Sequence) and not isinstance(names, str) else [names]


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return the allowed value that this is, whatever its case."""
    folded = value.lower() if isinstance(value, str) else value
    if folded not in allowed:
        raise ArgumentError(name, value, allowed)
    return str(folded)
