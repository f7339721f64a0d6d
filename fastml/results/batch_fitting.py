"""Fits of all parts of split statistics at once: the figures of `fit`, as columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.errors import ModelError, Status
from fastml.groupstats.statistics import GroupStats
from fastml.inference.information import interior_errors, interior_satterthwaite
from fastml.io.threads import thread_count
from fastml.model.batch import BatchTables, fit_batch
from fastml.model.icc import design_effect, icc_of, reliabilities
from fastml.model.size_table import SizeTables, check_part, group_by_size
from fastml.model.variance_components import Terms

__all__ = ["fit_parts"]


def fit_parts(stats: GroupStats, outcomes: list[str], method: str) -> dict[str, Any]:
    """Fit every part and outcome by REML or ML, with Satterthwaite's df.

    Parameters
    ----------
    stats : GroupStats
        Split, without weights.
    outcomes : list of str
        p of its outcomes.
    method : {"reml", "ml"}

    Returns
    -------
    dict of str to sequence, length K p
        The columns of `fit_table`, ordered by the K parts, then by outcome. Without a result a double is NaN and
        ``singular`` and ``method`` None; ``status`` and ``message`` say why.
    """
    parts = stats.parts()
    rows = [stats.outcomes.index(name) for name in outcomes]
    n_parts, p = len(parts), len(rows)
    part = np.full(len(stats.counts), -1)
    for k, (_, cells) in enumerate(parts):
        part[cells] = k
    records = stats.moments[rows]
    labelled = stats.labelled_cells()
    used = (records[:, :, 0] > 0) & labelled & (part >= 0)
    outcome, cell = np.nonzero(used)
    n, *moments = (records[:, :, field][used] for field in range(4))
    table = group_by_size(part[cell] * p + outcome, n_parts * p, n.astype(np.int64), *moments)
    reasons = [_reason(table, k) for k in range(n_parts * p)]
    fitted = np.array([status == "ok" for status, _ in reasons], bool)
    all_rows, with_group = (
        np.repeat(np.bincount(part[part >= 0], stats.counts[part >= 0, 0] * weight[part >= 0], n_parts), p)
        for weight in (np.ones(len(labelled)), labelled)
    )
    dropped = {"group": all_rows - with_group, "outcome": with_group - table.n_obs}
    figures = _figures(table, fitted, method)
    singular = figures.pop("singular")
    return {
        **{name: [labels[name] for labels, _ in parts for _ in outcomes] for name in stats.by},
        "outcome": outcomes * n_parts,
        **figures,
        "n_obs": table.n_obs.tolist(),
        "n_groups": table.n_groups.tolist(),
        "n_dropped": (all_rows - table.n_obs).astype(np.int64).tolist(),
        **{f"dropped_{cause}": count.astype(np.int64).tolist() for cause, count in dropped.items()},
        "singular": [value if ok else None for value, ok in zip(singular.tolist(), fitted, strict=True)],
        "method": [method if ok else None for ok in fitted],
        "df_method": ["satterthwaite" if ok else None for ok in fitted],
        "status": [status for status, _ in reasons],
        "message": [message for _, message in reasons],
    }


def _reason(table: SizeTables, k: int) -> tuple[Status, str | None]:
    """Status of a part and, where it can't be fitted, why."""
    try:
        check_part(table, k)
    except ModelError as error:
        return error.status, str(error)
    return "ok", None


def _figures(table: SizeTables, fitted: npt.NDArray[np.bool_], method: str) -> dict[str, npt.NDArray[Any]]:
    """The formulas of `fit` on arrays of shape (K,)."""
    from scipy.special import stdtr

    restricted = method == "reml"
    dof = table.n_obs.astype(np.float64) - (1.0 if restricted else 0.0)
    ssw = np.where(fitted, table.ssw, math.nan)
    fits = fit_batch(BatchTables(table.offsets, table.columns, ssw, dof), restricted, thread_count())
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = Terms(*fits.terms.T)
        theta, unit = fits.theta, table.unit
        inside = np.where(theta > 0.0, 1.0, math.nan)
        sigma2 = unit**2 * fits.sigma2
        se_tau00, se_sigma2, se_icc = interior_errors(terms, theta, dof, restricted)
        se_gamma00 = unit * np.sqrt(fits.sigma2 / terms.w1)
        gamma00 = table.origin + unit * fits.gamma
        df = np.where(theta > 0.0, interior_satterthwaite(terms, dof, restricted), dof)
        t = gamma00 / se_gamma00
        icc = icc_of(theta)
        deff = design_effect(icc, table.n_obs / table.n_groups)
        deviance = terms.logs + dof * (1.0 + np.log(2.0 * math.pi * terms.r / dof) + 2.0 * np.log(unit))
        if restricted:
            deviance += np.log(terms.w1)
        of_part = np.repeat(np.arange(len(theta)), np.diff(table.offsets))
        share = np.bincount(of_part, table.count * reliabilities(table.size, theta[of_part]), len(theta))
        figures = {
            "gamma00": gamma00,
            "se_gamma00": se_gamma00,
            "df": df,
            "t": t,
            "p_value": 2.0 * stdtr(df, -np.abs(t)),
            "tau00": unit**2 * fits.tau00,
            "sigma2": sigma2,
            "tau_sd": unit * np.sqrt(fits.tau00),
            "sigma": np.sqrt(sigma2),
            "se_tau00": sigma2 * se_tau00 * inside,
            "se_sigma2": sigma2 * np.where(theta > 0.0, se_sigma2, np.sqrt(2.0 / dof)),
            "se_icc": se_icc * inside,
            "se_deff": se_icc * inside * (table.n_obs / table.n_groups - 1.0),
            "icc": icc,
            "deff": deff,
            "deft": np.sqrt(deff),
            "n_eff": table.n_obs / deff,
            "reliability": share / table.n_groups,
            "loglik": -0.5 * deviance,
            "deviance": deviance,
            "aic": deviance + 6.0,
            "bic": deviance + 3.0 * np.log(table.n_obs),
        }
    return {name: np.where(fitted, values, math.nan) for name, values in figures.items()} | {"singular": theta == 0.0}
