"""GroupStats -> results: one fit, or one for each part and outcome."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastml.errors import ArgumentError, FastmlError, ModelError
from fastml.groupstats.statistics import GroupStats
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import VarianceComponents
from fastml.report.fields import DROPPED, FIT_TABLE
from fastml.results.figures import estimates
from fastml.results.fit import OneWayFit
from fastml.results.provenance import fit_provenance
from fastml.results.table import FitTable, check_by, fit_table
from fastml.results.weighting import Weighting

if TYPE_CHECKING:
    from fastml.inference.information import MeanTest, StandardErrors
    from fastml.inference.robust import RobustErrors

__all__ = ["fit_each_part", "fit_stats"]

NO_KENWARD_ROGER = (
    "Kenward and Roger's degrees of freedom mean nothing where tau00 is estimated at 0 and sizes differ (they go down "
    "to 0.01): these are Satterthwaite's; the interval of gamma00 holds there"
)


def fit_stats(
    stats: GroupStats, outcome: str | None, method: str | None, df: str | None, weighting: Weighting
) -> OneWayFit:
    """Fit the model to one outcome of the statistics, weighted where they are.

    Parameters
    ----------
    stats : GroupStats
        Not split by anything.
    outcome : str or None
        None for the only one.
    method : {"reml", "ml", "anova"} or None
        None: "reml", and "ml" with weights.
    df : {"satterthwaite", "kenward-roger", "bell-mccaffrey", "hlm", "normal"} or None
        Where Kenward and Roger's have no meaning (tau00 at 0, unequal sizes), Satterthwaite's, with a warning.
    weighting : Weighting
        Read where the statistics are weighted.

    Returns
    -------
    OneWayFit
    """
    groups = stats.groups(outcome)
    if not groups.n.any():
        raise ModelError(
            f"there are no observations to fit: {outcome or stats.outcomes[0]!r} has no value in rows with a school; "
            "check the filter and the missing values",
            "no_rows",
        )
    if stats.weights or stats.group_weights:
        return _fit_weighted(stats, outcome, method, df, weighting)
    from fastml.inference.information import mean_test, standard_errors
    from fastml.model.size_table import reduce_sizes
    from fastml.model.variance_components import estimate

    sizes = reduce_sizes(groups.n, groups.mean, groups.residual, groups.ss)
    vc = estimate(sizes, method or "reml")
    if df == "kenward-roger" and vc.method == "reml" and vc.singular and len(sizes.size) > 1:
        warnings.warn(NO_KENWARD_ROGER, stacklevel=4)
        df = "satterthwaite"
    return _result(
        stats,
        outcome,
        vc,
        sizes,
        (sizes.size, sizes.count),
        mean_test(sizes, vc, df),
        standard_errors(vc),
        method=method or "reml",
        df_method=df or ("hlm" if method == "anova" else "satterthwaite"),
    )


def _fit_weighted(
    stats: GroupStats, outcome: str | None, method: str | None, df: str | None, weighting: Weighting
) -> OneWayFit:
    from fastml.inference.information import MeanTest, t_test
    from fastml.inference.robust import KINDS
    from fastml.results.weighting import fit_weighted

    if method not in (None, "ml"):
        raise FastmlError(
            f"method={method!r} can't be weighted: a pseudo likelihood has no restricted form; "
            "leave method out or use method='ml'"
        )
    usual = KINDS[weighting.vcov].df
    allowed = list(dict.fromkeys((usual, "hlm", "normal")))
    if df not in (None, *allowed):
        raise ArgumentError("df", df, allowed, f"weighted fits with vcov={weighting.vcov!r} have {usual!r} by default")
    fitted = fit_weighted(stats, outcome, weighting)
    sizes, vc, df = fitted.sizes, fitted.components, df or usual
    freedom = {"normal": math.inf, "hlm": float(sizes.n_groups - 1)}.get(df, fitted.errors.df)
    test = MeanTest(vc.gamma00, vc.se_gamma00, freedom, *t_test(vc.gamma00, vc.se_gamma00, freedom))
    return _result(
        stats,
        outcome,
        vc,
        sizes,
        (fitted.groups.size, np.ones(len(fitted.groups.size))),
        test,
        fitted.errors,
        method="ml",
        df_method=df,
        weighting=weighting,
    )


def _result(
    stats: GroupStats,
    outcome: str | None,
    vc: VarianceComponents,
    sizes: SizeTable,
    reliable: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    mean: MeanTest,
    errors: StandardErrors | RobustErrors,
    **options: Any,
) -> OneWayFit:
    """Result of a fit; for `reliable` see `estimates`."""
    return OneWayFit(
        **estimates(vc, sizes, *reliable),
        n_obs=sizes.n_obs,
        n_groups=sizes.n_groups,
        dropped=stats.dropped(outcome),
        outcome=outcome or stats.outcomes[0],
        group=stats.group,
        stats=stats,
        components=vc,
        sizes=sizes,
        se_gamma00=mean.se,
        df=mean.df,
        t=mean.t,
        p_value=mean.p_value,
        se_tau00=errors.se_tau00,
        se_sigma2=errors.se_sigma2,
        se_icc=errors.se_icc,
        **options,
    )


def fit_each_part(
    stats: GroupStats, outcomes: list[str], method: str | None, df: str | None, weighting: Weighting
) -> FitTable:
    """Fit the model in every part of split statistics, and for every outcome.

    Parameters
    ----------
    stats : GroupStats
        Split by its `by` columns.
    outcomes : list of str
    method, df, weighting
        As in `fit_stats`.

    Returns
    -------
    FitTable
        A row per part and outcome; one that can't be fitted says why in its status and message.

    Raises
    ------
    FastmlError
        A `by` column has the name of a column of the table; no row is in any part.
    """
    check_by(stats.by)
    if not stats.parts():
        raise ModelError("there are no rows to fit; check the files, the filter and the by-columns")
    weighted = bool(stats.weights or stats.group_weights)
    if weighted or method == "anova" or df not in (None, "satterthwaite"):
        columns = _one_by_one(stats, outcomes, method, df, weighting)
    else:
        from fastml.results.batch_fitting import fit_parts

        columns = fit_parts(stats, outcomes, method or "reml")
    without_by = stats.dropped(outcomes[0])["by"]
    columns["rows_without_by"] = [without_by] * len(columns["status"])
    types = {name: stats.keys[name].type for name in stats.by}
    made = fit_provenance("fit table", stats, outcomes, weighting if weighted else None)
    return fit_table(types, columns, stats, weighting.vcov if weighted else None, made)


def _one_by_one(
    stats: GroupStats, outcomes: list[str], method: str | None, df: str | None, weighting: Weighting
) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in (*stats.by, *FIT_TABLE)}
    for labels, part in stats.split():
        for name in outcomes:
            n, dropped = part.groups(name).n, part.dropped(name)
            row = {"n_obs": int(n.sum()), "n_groups": len(n), "n_dropped": sum(dropped.values()), "status": "ok"}
            row |= {f"dropped_{cause}": count for cause, count in dropped.items()} | labels | {"outcome": name}
            try:
                row |= fit_stats(part, name, method, df, weighting)._figures()
            except ModelError as error:
                row |= {"status": error.status, "message": str(error)}
            for column, values in columns.items():
                values.append(row.get(column, 0 if column in DROPPED else None))
    return columns
