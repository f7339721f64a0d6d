"""fit, fit_by, group_stats: check the call, wire the steps below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any, Literal, get_args

from fastml.errors import ArgumentError, ColumnsMissingError, RangeError, called_as
from fastml.groupstats.statistics import GroupStats
from fastml.io.in_memory import check_has_columns
from fastml.io.source import Input
from fastml.reduce.build import check_saved, check_saved_by, saved_statistics, statistics
from fastml.reduce.columns import CallColumns, Names, list_names, weight_product
from fastml.reduce.countries import tell_countries
from fastml.reduce.missing_codes import missing_values
from fastml.results.fit import OneWayFit
from fastml.results.fitting import fit_each_part, fit_stats
from fastml.results.table import FitTable, check_by
from fastml.results.weighting import Bias, WeightsAre, check_options, check_weights

if TYPE_CHECKING:
    from fastml.inference.information import Df
    from fastml.inference.robust import RobustDf, Vcov
    from fastml.model.weighted import Scaling

__all__ = ["fit", "fit_by", "group_stats"]

Method = Literal["reml", "ml", "anova"]
METHODS = get_args(Method)


@called_as("fit(data, outcome='score', group='school')")
def fit(
    data: Any,
    outcome: str | None = None,
    group: Names | None = None,
    *,
    method: Method | None = None,
    df: Df | RobustDf | None = None,
    weights: str | None = None,
    group_weights: Names | None = None,
    weights_are: WeightsAre = "total",
    weight_scaling: Scaling = "size",
    vcov: Vcov = "cr2",
    bias: Bias | None = None,
    missing: Any = None,
    filter: Any = None,
    threads: int | None = None,
    csv_options: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> OneWayFit:
    """Fit the one-way random-effects model Y_ij = gamma00 + u_0j + r_ij.

    Parameters
    ----------
    data : pandas, Polars or Arrow table, dict of arrays, RecordBatchReader, path, lazy frame, or GroupStats
        Rows of students; also anything with ``__arrow_c_stream__``. A path names a Parquet, Arrow, Feather, CSV, SPSS,
        Stata or SAS file, a folder of them (perhaps partitioned: ``cycle=2019/a.parquet``), a glob or an ``s3://`` URI;
        a list of paths is one table too. So are the files of `GroupStats.write`, which are added. A PySpark or Dask
        DataFrame, DuckDB relation, Polars LazyFrame or Ibis table is aggregated by its engine, and never collected.
        What a database made by the query of `group_stats_sql` stands for its rows.
        Rows whose outcome or group is null or NaN are dropped and counted. Where they have a column of several
        countries that the call doesn't name, a warning says that school ids may start again in each.
    outcome : str
        Column of scores, or the formula ``"y ~ 1 + (1 | g)"``, with or without its ``1 +``, in place of both names.
        Not needed for statistics of one outcome.
    group : str or list of str
        Column of school ids; several columns together name a school.
    method : {"reml", "ml", "anova"}, optional
        Restricted maximum likelihood, maximum likelihood, or the method of moments. REML without weights and (pseudo)
        ML with, where there is no other.
    df : {"satterthwaite", "kenward-roger", "bell-mccaffrey", "hlm", "normal"}, optional
        Degrees of freedom of gamma00. Satterthwaite by default; J - 1 ("hlm") for "anova"; with weights those of Bell
        and McCaffrey, or J - 1 where `vcov` is not "cr2".
    weights : str, optional
        Column of student weights; needs `group_weights`. Rows of weight 0 are dropped and counted.
    group_weights : str or list of str, optional
        Column of school weights, 1/P(the school is drawn), the same in all rows of a school; several are multiplied.
    weights_are : {"total", "conditional"}
        Whether student weights hold the school's too (TOTWGT, W_FSTUWT), or are those of a student within the school.
    weight_scaling : {"size", "effective", "none", "gk", "group-only"}
        How the conditional weights a are scaled: a n/sum a; a sum a/sum a^2; not (WeMix, SAS); a = 1 with the school
        weight times the mean a; a = 1. Under "none" with total weights the unit of the school weight matters, since
        it decides what the conditional weights are; under the others it doesn't.
    vcov : {"cr2", "joint", "block"}
        Robust standard errors over schools. "cr2": CR2 for gamma00 with the degrees of freedom of Bell and McCaffrey,
        and for the variances and the icc the jackknife that leaves out one school at a time; they hold with few
        schools and unequal weights. "joint", "block": the sandwich times J/(J - 1), joint in all three parameters, or
        in blocks (WeMix). Without weights only the defaults of `vcov`, `weight_scaling` and `weights_are` are taken.
    bias : {"corrected"}, optional
        Of weighted fits: correct tau00 for the few schools that gamma00 is estimated from. Pseudo ML has it too low;
        with equal weights and sizes the corrected estimates are those of REML.
    missing : float, str or list of them, optional
        Codes of missing values among the outcomes, such as 9 or [96, 99], and from two digits on among the weights;
        texts ("k.A.") are those of CSV files. Never of `group` and `by`. Without, values that look like such codes (6
        to 9, 96 to 99, 996 to 999, ... apart from all others) are told in a notice; ``missing=()`` says they are none.
    filter : str or pyarrow.compute.Expression, optional
        Which rows: ``"cycle = 2019 and country in ('TUR', 'USA')"``. Row groups of Parquet without such are skipped.
    threads : int, optional
        Threads to read with; without, as many as the environment variable FASTML_NUM_THREADS says, or else as there
        are processors, up to 8. The result is the same to the bit for any number.
    csv_options : mapping, optional
        Of text files: ``delimiter`` (found out), ``encoding`` ("utf-8"), ``decimal`` ("."), ``thousands``, ``missing``
        (texts, besides NA and its like), ``skip_rows``, ``comment``, ``quote``, ``types`` (of columns, in Arrow). Ids
        are texts there, integers only where all of them are the shortest texts of such. ``encoding`` is of SPSS, Stata
        and SAS files too, where it isn't what they declare.
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
    chosen = None if method is None else _one_of("method", method, METHODS)
    weighting = check_options(weights_are, weight_scaling, vcov, bias)
    group_weight, factors = weight_product(group_weights)
    check_weights(weights, group_weight)
    given, codes = _given(data, missing, filter, threads, csv_options, progress)
    columns = CallColumns(
        list_names(outcome),
        list_names(group),
        (),
        weights,
        group_weight,
        missing=codes,
        watch=not _is_empty(missing),
        factors=factors,
    )
    stats = saved_statistics(given)
    if stats is None:
        columns = columns.from_formula()
        if not columns.outcomes or not columns.group:
            raise ColumnsMissingError
    if not isinstance(outcome, str | None):
        raise RangeError("outcome", outcome, "the name of one column; fit_by takes several")
    if stats is None:
        weighting.check_used(weights, group_weight)
        stats = statistics(given, columns)
        tell_countries(given, columns.group)
    else:
        check_saved(stats, columns)
        weighting.check_used(stats.weights, stats.group_weights)
    name = stats.outcomes[0] if len(stats.outcomes) == 1 else outcome
    return fit_stats(stats, name, chosen, df, weighting)


@called_as("fit_by(data, 'score', 'school', by='country')")
def fit_by(
    data: Any,
    outcome: Names | None = None,
    group: Names | None = None,
    *,
    by: Names | None = None,
    method: Method | None = None,
    df: Df | RobustDf | None = None,
    weights: str | None = None,
    group_weights: Names | None = None,
    weights_are: WeightsAre = "total",
    weight_scaling: Scaling = "size",
    vcov: Vcov = "cr2",
    bias: Bias | None = None,
    missing: Any = None,
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
    method, df, weights, group_weights, weights_are, weight_scaling, vcov, bias
        As in `fit`.
    missing, filter, threads, csv_options, progress
        As in `fit`.

    Returns
    -------
    FitTable
        A row per part and outcome, sorted by part. A part that can't be fitted has a row too: its ``status`` says why
        in a word, its ``message`` in a sentence; it keeps its counts, and its figures are null.

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
    ...     print(row["country"], row["n_groups"], row["status"], row["message"])
    N 2 ok None
    S 1 one_group there is one group only; the variance between groups needs at least two
    """
    chosen = None if method is None else _one_of("method", method, METHODS)
    weighting = check_options(weights_are, weight_scaling, vcov, bias)
    group_weight, factors = weight_product(group_weights)
    check_weights(weights, group_weight)
    given, codes = _given(data, missing, filter, threads, csv_options, progress)
    columns = CallColumns(
        list_names(outcome), list_names(group), list_names(by), weights, group_weight, missing=codes,
        watch=not _is_empty(missing), factors=factors,
    )  # fmt: skip
    stats = saved_statistics(given)
    if stats is None:
        columns = columns.from_formula()
        if not (columns.outcomes and columns.group and columns.by):
            raise ColumnsMissingError("fit_by(data, 'score', 'school', by='country')", "outcome, group and by")
        check_by(columns.by)  # before all rows are read
        weighting.check_used(weights, group_weight)
        stats = statistics(given, columns)
        tell_countries(given, [*columns.by, *columns.group])
    else:
        check_saved_by(stats, columns)
        weighting.check_used(stats.weights, stats.group_weights)
    return fit_each_part(stats, list(columns.outcomes or stats.outcomes), chosen, df, weighting)


@called_as("group_stats(data, outcome='score', group='school')")
def group_stats(
    data: Any,
    outcome: Names,
    group: Names,
    *,
    by: Names | None = None,
    weights: str | None = None,
    group_weights: Names | None = None,
    tags: Mapping[str, Any] | None = None,
    min_group_size: int | None = None,
    missing: Any = None,
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
    weights, group_weights : optional
        Columns of student and of school weights, as in `fit`.
    tags : mapping, optional
        Constant key columns, e.g. ``{"cycle": 2019}``: school ids start again every cycle. They name a school together
        with `group`, or split the data where `by` names them too.
    min_group_size : int, optional
        Leave out groups of fewer rows, for statistics that leave a safe room; see `GroupStats.without_small`.
    missing, filter, threads, csv_options, progress
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
    group_weight, factors = weight_product(group_weights)
    given, codes = _given(data, missing, filter, threads, csv_options, progress)
    columns = CallColumns(
        list_names(outcome), list_names(group), list_names(by), weights, group_weight, tags, codes,
        not _is_empty(missing), factors,
    )  # fmt: skip
    stats = statistics(given, columns)
    return stats if min_group_size is None else stats.without_small(min_group_size)


def _given(
    data: Any,
    missing: Any,
    filter: Any,
    threads: int | None,
    csv_options: Mapping[str, Any] | None,
    progress: bool | None,
) -> tuple[Input, tuple[float, ...]]:
    """The data with how to read them, and the codes of missing values; texts of such are of CSV files."""
    check_has_columns(data)
    codes, texts = missing_values(missing)
    return Input(data, filter, threads, csv_options, progress).with_missing(texts), codes


def _is_empty(missing: Any) -> bool:
    """Whether it is said that no value is a code."""
    return isinstance(missing, Sized) and not isinstance(missing, str) and not len(missing)


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return the allowed value that this is, whatever its case."""
    folded = value.lower() if isinstance(value, str) else value
    if folded not in allowed:
        raise ArgumentError(name, value, allowed)
    return str(folded)
