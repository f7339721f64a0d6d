"""fit and group_stats: check the call, wire the steps below."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastml.errors import ArgumentError, FastmlError, FormulaError
from fastml.gather import from_source
from fastml.groupstats import GroupStats, is_stats_file
from fastml.results import OneWayFit
from fastml.weighted import Weighting, check_options, check_weights, fit_weighted

__all__ = ["fit", "group_stats"]

Names = str | Sequence[str]

METHODS = ("reml", "ml", "anova")

_NAME = r"(?:`([^`]+)`|([^\W\d][\w.]*))"
_FORMULA = re.compile(rf"\s*{_NAME}\s*~\s*1\s*\+\s*\(\s*1\s*\|\s*{_NAME}\s*\)\s*")


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
) -> OneWayFit:
    """Fit the one-way random-effects model Y_ij = gamma00 + u_0j + r_ij.

    Parameters
    ----------
    data : pandas, Polars or Arrow table, dict of arrays, RecordBatchReader, Parquet path, or GroupStats
        Rows of students; also anything with ``__arrow_c_stream__``, and the file of `GroupStats.write`. Rows whose
        outcome or group is null or NaN are dropped and counted.
    outcome : str
        Column of scores, or the formula ``"y ~ 1 + (1 | g)"`` in place of both names. Not needed for statistics of
        one outcome.
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
        Sandwich over schools, times J/(J - 1), joint in all three parameters or in blocks (WeMix).

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
    stats = _statistics(data, outcome, group, weights, group_weights)
    name = stats.outcomes[0] if len(stats.outcomes) == 1 else outcome
    if stats.weights or stats.group_weights:
        return _fit_weighted(stats, name, method, df, weighting)
    return _fit_stats(stats, name, method or "reml", df)


def group_stats(
    data: Any,
    outcome: Names,
    group: Names,
    *,
    by: Names | None = None,
    weights: str | None = None,
    group_weights: str | None = None,
    tags: Mapping[str, Any] | None = None,
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
        Constant key columns, e.g. ``{"cycle": 2019}``: school ids start again every cycle.

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
    return from_source(
        data,
        _names(outcome),
        _names(group),
        _names(by),
        weights=weights,
        group_weights=group_weights,
        tags=tags,
    )


def _statistics(
    data: Any,
    outcome: str | None,
    group: Names | None,
    weights: str | None = None,
    group_weights: str | None = None,
) -> GroupStats:
    """Statistics of the call: as given, read from their file, or gathered from rows."""
    if is_stats_file(data):
        data = GroupStats.read(data)
    if isinstance(data, GroupStats):
        if group is not None and tuple(_names(group)) != data.group:
            raise FastmlError(f"group={group!r}, but the statistics are of groups by {', '.join(data.group)}")
        if outcome is not None and outcome not in data.outcomes:
            raise ArgumentError("outcome", outcome, data.outcomes, "the statistics hold no other")
        if outcome is None and len(data.outcomes) > 1:
            raise ArgumentError("outcome", outcome, data.outcomes, "the statistics hold several: choose one")
        if data.by:
            raise FastmlError(
                f"the statistics are split by {', '.join(data.by)}; gather them without by= to fit them as one"
            )
        for role, asked, held in (
            ("weights", weights, data.weights),
            ("group_weights", group_weights, data.group_weights),
        ):
            if asked is not None and asked != held:
                raise FastmlError(f"{role}={asked!r}, but the statistics were gathered with {role}={held!r}")
        return data
    if isinstance(outcome, str) and group is None:
        match = _FORMULA.fullmatch(outcome)
        if match:
            outcome, group = match[1] or match[2], match[3] or match[4]
        elif "~" in outcome:
            raise FormulaError(outcome)
    if outcome is None or group is None:
        raise FastmlError("name an outcome and a group: fit(data, outcome='score', group='school')")
    if not isinstance(outcome, str):
        raise ArgumentError("outcome", outcome, ["one column's name"])
    return from_source(data, [outcome], _names(group), weights=weights, group_weights=group_weights)


def _fit_stats(stats: GroupStats, outcome: str | None, method: str, df: str | None) -> OneWayFit:
    from fastml.inference import degrees_of_freedom, standard_errors, t_test
    from fastml.shrinkage import reliabilities
    from fastml.varcomp import estimate, reduce_sizes

    groups = stats.groups(outcome)
    sizes = reduce_sizes(groups.n, groups.mean, groups.residual, groups.ss)
    vc = estimate(sizes, method)
    errors = standard_errors(vc)
    freedom = degrees_of_freedom(sizes, vc, df)
    t, p = t_test(vc.gamma00, vc.se_gamma00, freedom)
    icc = vc.theta / (1.0 + vc.theta)
    return OneWayFit(
        gamma00=vc.gamma00,
        se_gamma00=vc.se_gamma00,
        df=freedom,
        t=t,
        p_value=p,
        tau00=vc.tau00,
        sigma2=vc.sigma2,
        se_tau00=errors.se_tau00,
        se_sigma2=errors.se_sigma2,
        se_icc=errors.se_icc,
        icc=icc,
        deff=1.0 + icc * (sizes.n_obs / sizes.n_groups - 1.0),
        reliability=float(sizes.count @ reliabilities(sizes.size, vc.theta)) / sizes.n_groups,
        loglik=-0.5 * vc.deviance,
        n_obs=sizes.n_obs,
        n_groups=sizes.n_groups,
        dropped=stats.dropped(outcome),
        method=method,
        df_method=df or ("hlm" if method == "anova" else "satterthwaite"),
        outcome=outcome or stats.outcomes[0],
        group=stats.group,
        stats=stats,
        components=vc,
        sizes=sizes,
    )


def _fit_weighted(
    stats: GroupStats, outcome: str | None, method: str | None, df: str | None, weighting: Weighting
) -> OneWayFit:
    from fastml.inference import t_test
    from fastml.shrinkage import reliabilities

    if method not in (None, "ml"):
        raise ArgumentError("method", method, ["ml"], "with weights there is pseudo-ML alone: leave method out")
    if df not in (None, "hlm", "normal"):
        raise ArgumentError("df", df, ["hlm", "normal"], "weighted fits have J - 1 degrees of freedom ('hlm')")
    fitted = fit_weighted(stats, outcome, weighting.weights_are, weighting.scaling, weighting.vcov)
    sizes, vc, errors = fitted.sizes, fitted.components, fitted.errors
    freedom = math.inf if df == "normal" else float(sizes.n_groups - 1)
    t, p = t_test(vc.gamma00, vc.se_gamma00, freedom)
    icc = vc.theta / (1.0 + vc.theta)
    return OneWayFit(
        gamma00=vc.gamma00,
        se_gamma00=vc.se_gamma00,
        df=freedom,
        t=t,
        p_value=p,
        tau00=vc.tau00,
        sigma2=vc.sigma2,
        se_tau00=errors.se_tau00,
        se_sigma2=errors.se_sigma2,
        se_icc=errors.se_icc,
        icc=icc,
        deff=1.0 + icc * (sizes.n_obs / sizes.n_groups - 1.0),
        reliability=float(reliabilities(fitted.groups.size, vc.theta).mean()),
        loglik=-0.5 * vc.deviance,
        n_obs=sizes.n_obs,
        n_groups=sizes.n_groups,
        dropped=stats.dropped(outcome),
        method="ml",
        df_method=df or "hlm",
        outcome=outcome or stats.outcomes[0],
        group=stats.group,
        stats=stats,
        components=vc,
        sizes=sizes,
        weighting=weighting,
    )


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
