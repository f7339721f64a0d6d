"""check: the gate of jobs that load data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastml.drift.comparison import CheckTable, compare
from fastml.drift.limits import Limits
from fastml.io.source import Input
from fastml.reduce.build import alike
from fastml.reduce.columns import CallColumns, Names, list_names, weight_product
from fastml.reduce.missing_codes import missing_values

__all__ = ["check"]


def check(
    data: Any,
    outcome: Names | None = None,
    group: Names | None = None,
    *,
    against: Any,
    by: Names | None = None,
    weights: str | None = None,
    group_weights: Names | None = None,
    max_schools_lost: float | str | None = None,
    max_schools_new: float | str | None = None,
    max_n_change: float | str | None = None,
    max_missing: float | str | None = None,
    max_mean_shift: float | None = None,
    max_mean_shift_sd: float | None = None,
    max_sd_change: float | str | None = None,
    max_icc_shift: float | None = None,
    missing: Any = None,
    filter: Any = None,
    threads: int | None = None,
    csv_options: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> CheckTable:
    """Compare new data with old ones of the same kind: a gate for jobs that load data.

    Nothing is judged but what has a limit. A figure that the old data have and the new ones lack, as where a country is
    gone, is beyond its limit; one that the old data lack is beyond none, as there is nothing to compare with.

    Parameters
    ----------
    data : anything `fit` takes
        The new data: rows, or statistics.
    outcome, group, by, weights, group_weights : optional
        As in `group_stats`; weights are total ones. What is left out is taken from statistics, where the new or the
        old data are such.
    against : anything `fit` takes
        The old data.
    max_schools_lost, max_schools_new : int or str, optional
        Schools of one side only, in each part: a number, or a share of the old schools (``"2%"``).
    max_n_change : float or str, optional
        Change of the number of observations, as a share of the old ones: 0.1 or ``"10%"``, upwards or downwards.
    max_missing : float or str, optional
        Share of the new rows that lack a score, a school or a weight.
    max_mean_shift : float, optional
        Change of the mean of all students, in score points.
    max_mean_shift_sd : float, optional
        The same in standard deviations of the old scores.
    max_sd_change : float or str, optional
        Change of the standard deviation of all scores, as a share of the old one.
    max_icc_shift : float, optional
        Change of the icc.
    missing, filter, threads, csv_options, progress
        As in `fit`: of the rows on either side.

    Returns
    -------
    CheckTable
        A row per part and outcome. ``within`` says whether all figures are within their limits, ``require()`` raises
        an error where one is beyond its own.

    Examples
    --------
    >>> import fastml
    >>> old = {"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
    >>> new = {"school": [1, 1, 2, 2, 4, 4], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
    >>> made = fastml.check(new, "score", "school", against=old, max_schools_lost=0, max_mean_shift=1)
    >>> made.within, made.to_dict()[0]["message"]
    (False, '1 school lost: 3 (limit 0)')
    """
    limits = Limits.of(
        max_schools_lost=max_schools_lost, max_schools_new=max_schools_new, max_n_change=max_n_change,
        max_missing=max_missing, max_mean_shift=max_mean_shift, max_mean_shift_sd=max_mean_shift_sd,
        max_sd_change=max_sd_change, max_icc_shift=max_icc_shift,
    )  # fmt: skip
    group_weight, factors = weight_product(group_weights)
    codes, texts = missing_values(missing)
    given = Input(data, filter, threads, csv_options, progress).with_missing(texts)
    columns = CallColumns(
        list_names(outcome), list_names(group), list_names(by), weights, group_weight, missing=codes,
        watch=missing is None or bool(codes or texts), factors=factors,
    ).from_formula()  # fmt: skip
    new, old = alike(given, replace(given, data=against), columns)
    names = (given.named(), replace(given, data=against).named())
    return compare(new, old, columns.outcomes or new.outcomes, limits, names)
