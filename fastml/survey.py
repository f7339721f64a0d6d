"""fit_survey: plausible values and replicate weights of a large-scale assessment, every country at once."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml._version import __version__
from fastml.batch import available_threads
from fastml.designs import Design, Jackknife, find_design
from fastml.distributions import t_quantile
from fastml.errors import ArgumentError, FastmlError, ModelError
from fastml.pooling import Pooled, average, pool
from fastml.replication import FIGURES, CellMoments, figures, full_groups
from fastml.scaling import UNWEIGHTED_WITHIN, check_options
from fastml.surveycolumns import column_parts
from fastml.surveyparts import Part, Sample
from fastml.surveyrows import Rows, find_roles, open_rows, read_school_weights
from fastml.surveytable import SurveyTable, survey_table
from fastml.surveyzones import zone_parts
from fastml.weighted import pseudo_ml, reduce_weighted, sandwich

__all__ = ["fit_survey"]

Floats = npt.NDArray[np.float64]

SES = ("replicate", "sandwich")


def fit_survey(
    data: Any,
    outcome: str | Sequence[str],
    design: Design | str,
    *,
    by: str | Sequence[str] | None = None,
    group: str | None = None,
    school_data: Any = None,
    weight_scaling: str = "size",
    se: str = "replicate",
    vcov: str = "joint",
    average: bool = False,
    level: float = 0.95,
    threads: int | None = None,
) -> SurveyTable:
    """Fit the weighted null model to an assessment, with its plausible values and replicate weights.

    Parameters
    ----------
    data : anything `fit` takes, or a list of files
        Rows of students.
    outcome : str or list of str
        Names of scores: "BSMMAT" means its plausible values (BSMMAT01 to BSMMAT05 in TIMSS, "MATH" PV1MATH to
        PV10MATH in PISA). A column without plausible values is taken as it is.
    design : Design or str
        One of `fastml.designs`, its name, or your own.
    by : str or list of str, optional
        Columns that split the data: countries. Without, several countries are fitted as one, their schools and zones
        kept apart, and a note says so.
    group : str, optional
        Another column of groups than the design's schools: "IDCLASS" in TIMSS, with the class's weight on level 2.
    school_data : as `data`, optional
        The school file, where the school's weight lives there (PISA); joined by school and country.
    weight_scaling : str
        As in `fit`.
    se : {"replicate", "sandwich"}
        Replicate standard errors by the design, or robust ones over schools.
    vcov : {"joint", "block"}
        Kind of sandwich.
    average : bool
        Add a row per outcome with the mean over the parts that have a result.
    level : float
        Of the intervals.
    threads : int, optional
        Results don't depend on it.

    Returns
    -------
    SurveyTable
        A row per part and outcome: gamma00, tau00, sigma2, icc, deff of the model and the official weighted mean and
        sd of the scores, each with its standard error, the error's parts from sampling and from imputation, degrees of
        freedom (Barnard and Rubin's) and interval.

    Raises
    ------
    FastmlError
        In one line: an unknown design; a column of it missing; no school weight; weights that are negative, infinite
        or vary within a school; a row without a zone; a half other than 0 or 1.

    Notes
    -----
    A replicate acts on the school: its weight becomes v sum(t^r)/sum(t) with t the total weights of its rows, and the
    conditional weights t^r over that are scaled as in the full sample. Intervals are t intervals, so that a variance's
    may reach below zero. The design effect takes the full sample's students per school as known.

    Examples
    --------
    >>> import numpy as np
    >>> import fastml
    >>> school = np.repeat(np.arange(12), 5)
    >>> score = 500.0 + 20.0 * np.sin(school) + 30.0 * np.cos(np.arange(60.0))
    >>> data = {"IDCNTRY": np.full(60, 1), "IDSCHOOL": school, "JKZONE": school // 2, "JKREP": school % 2,
    ...         "TOTWGT": np.full(60, 8.0), "SCHWGT": np.full(60, 2.0)}
    >>> data |= {f"BSMMAT0{k}": score + k for k in range(1, 6)}
    >>> table = fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY")
    >>> row = table.to_dict()[0]
    >>> row["n_groups"], round(row["mean"], 3), round(row["icc"], 4), row["imputation_variance_gamma00"]
    (12, 504.034, 0.2164, 2.5)
    """
    chosen = find_design(design)
    _, scaling, vcov = check_options("total", weight_scaling, vcov)
    se = se.lower() if isinstance(se, str) else se
    if se not in SES:
        raise ArgumentError("se", se, SES)
    if not 0.0 < level < 1.0:
        raise FastmlError(f"level={level!r} must be a number between 0 and 1, as 0.95")
    outcomes = [outcome] if isinstance(outcome, str) else list(outcome)
    if not outcomes or len(set(outcomes)) < len(outcomes):
        raise FastmlError(f"outcome={outcome!r} must name one score or several different ones")
    by = [by] if isinstance(by, str) else list(by or [])
    replicated = se == "replicate"
    roles = find_roles(data, outcomes, chosen, by, group, school_data is not None, replicated)
    schools = None if school_data is None else read_school_weights(school_data, data, roles, chosen)
    rows = open_rows(data, roles, chosen)
    if replicated and isinstance(chosen.replicates, Jackknife):
        parts, dropped_by = zone_parts(rows, roles, chosen.replicates, schools)
    else:
        plain = scaling in UNWEIGHTED_WITHIN
        parts, dropped_by = column_parts(rows, roles, schools, plain, replicated)
    if not parts:
        raise ModelError("there are no rows to fit; check the files and the by-columns")
    tasks = [(part, name) for part in parts for name in outcomes]
    workers = min(threads or available_threads(), max(len(tasks), 1))

    def work(task: tuple[Part, str]) -> tuple[dict[str, Any], list[Pooled]]:
        # One thread per part where there are several; else the fits of the one part share them.
        return _row(*task, chosen, scaling, se, vcov, level, 1 if workers > 1 else threads)

    with ThreadPoolExecutor(workers) as executor:
        results = list(executor.map(work, tasks))
    for row, _ in results:
        row["notes"] = "; ".join([*row["notes"], *_row_notes(rows, row["outcome"])])
    found = [row for row, _ in results]
    pooled = {
        name: [fitted for row, fitted in results if row["outcome"] == name and row["status"] == "ok"]
        for name in outcomes
    }
    if average:
        found += [_average(name, [r for r in found if r["outcome"] == name], pooled[name], level) for name in outcomes]
    provenance = {
        "content": "survey table",
        "fastml": __version__,
        "design": chosen.name,
        "files": _files(data),
        "school_files": _files(school_data),
        "outcomes": {name: list(columns) for name, columns in roles.outcomes.items()},
        "by": list(roles.by),
        "group": roles.group,
        "weights": roles.weight,
        "group_weights": roles.group_weight_name if schools is None else schools.name,
        "weight_scaling": scaling,
        "se": se,
        "vcov": vcov if se == "sandwich" else None,
        "level": level,
        "rows_without_by": dropped_by,
    }
    types = {name: rows.schema.field(name).type for name in roles.by}
    return survey_table(types, found, provenance)


def _row_notes(rows: Rows, outcome: str) -> list[str]:
    notes = []
    if rows.recoded.get(outcome):
        notes.append(f"{rows.recoded[outcome]:,} values in all the data are missing codes")
    if rows.partial.get(outcome):
        notes.append(f"{rows.partial[outcome]:,} rows in all the data lack some plausible values and were left out")
    return notes


def _row(
    part: Part, outcome: str, design: Design, scaling: str, se: str, vcov: str, level: float, threads: int | None
) -> tuple[dict[str, Any], list[Pooled]]:
    """One row of the table, and its pooled figures in the order of `FIGURES`."""
    dropped = part.dropped[outcome]
    row: dict[str, Any] = {
        **part.labels,
        "outcome": outcome,
        "n_dropped": sum(dropped.values()),
        "notes": list(part.notes),
    }
    row.update({f"dropped_{cause}": count for cause, count in dropped.items()})
    sample = part.sample(outcome, se == "replicate", design.first_only)
    if sample is None:
        return {**row, "status": "no row has a score and its weights"}, []
    first = sample.values[0]
    row["notes"] += sample.notes
    row["n_obs"], row["n_groups"] = int(first.rows[0].sum()), len(sample.v)
    row["status"] = "ok"
    try:
        for moments in sample.values:
            reduce_weighted(full_groups(moments, sample.v, scaling))
    except ModelError as error:
        row["status"] = str(error)
    tables = figures(sample.values, sample.v, scaling, threads)
    if se == "replicate":
        variances, complete = _replicate_variances(tables, design, row["notes"]), sample.complete
    else:
        variances, complete = _sandwich_variances(sample, tables, scaling, vcov), float(len(sample.v) - 1)
    origins = np.array([moments.origin for moments in sample.values])
    singular = [k + 1 for k, table in enumerate(tables) if table[0, FIGURES.index("tau00")] == 0.0]
    if singular:
        where = (
            ""
            if len(tables) == 1
            else f" in plausible value{'s' * (len(singular) > 1)} " + ", ".join(map(str, singular))
        )
        row["notes"].append(f"tau00 is 0, on the boundary{where}")
    fitted = []
    for i, name in enumerate(FIGURES):
        estimates = np.array([table[0, i] for table in tables])
        if name in ("gamma00", "mean"):
            estimates = estimates + origins
        fitted.append(pool(estimates, variances[:, i], complete))
        row.update(_columns(name, fitted[-1], level))
    return row, fitted


def _replicate_variances(tables: list[Floats], design: Design, notes: list[str]) -> Floats:
    """Sampling variances (M, 7), or (1, 7) of plausible value 1 alone; row 0 of a table (R, 7) is the full sample."""
    used = tables[:1] if design.first_only else tables
    failed = sum(int(np.isnan(table[1:]).any(axis=1).sum()) for table in used)
    if failed and not np.isnan(used[0][0]).any():
        notes.append(f"{failed} of {sum(len(table) - 1 for table in used)} replicate fits have no result, so no errors")
    return np.array([design.factor * np.sum((table[1:] - table[0]) ** 2, axis=0) for table in used])


def _sandwich_variances(sample: Sample, tables: list[Floats], scaling: str, vcov: str) -> Floats:
    """Sampling variances (M, 7) over schools."""
    found = np.full((len(tables), len(FIGURES)), math.nan)
    for k, (moments, table) in enumerate(zip(sample.values, tables, strict=True)):
        groups = full_groups(moments, sample.v, scaling)
        found[k, 5:] = _linearised(moments, table[0, 5], table[0, 6])
        if np.isnan(table[0, 0]):
            continue
        errors = sandwich(groups, pseudo_ml(reduce_weighted(groups)), vcov)
        size = moments.rows[0].sum() / len(sample.v)
        ses = (errors.se_gamma00, errors.se_tau00, errors.se_sigma2, errors.se_icc, errors.se_icc * (size - 1.0))
        found[k, :5] = np.square(ses)
    return found


def _linearised(moments: CellMoments, mean: float, sd: float) -> tuple[float, float]:
    """Sampling variances of the weighted mean and sd by linearisation, schools drawn with replacement."""
    total, deviation = moments.total[0], moments.mean[0] - mean
    n_schools, weight = len(total), float(total.sum())
    if n_schools < 2 or not sd > 0.0:
        return math.nan, math.nan
    by_mean = total * deviation / weight
    by_sd = (moments.ss[0] + total * (deviation**2 - sd**2)) / (2.0 * sd * weight)
    factor = n_schools / (n_schools - 1.0)
    return factor * float(by_mean @ by_mean), factor * float(np.sum((by_sd - by_sd.mean()) ** 2))


def _columns(name: str, pooled: Pooled, level: float) -> dict[str, float]:
    half = math.nan
    if pooled.df > 0.0 and not math.isnan(pooled.se):
        half = t_quantile(0.5 + 0.5 * level, pooled.df) * pooled.se
    return {
        name: pooled.estimate,
        f"se_{name}": pooled.se,
        f"sampling_variance_{name}": pooled.sampling_variance,
        f"imputation_variance_{name}": pooled.imputation_variance,
        f"df_{name}": pooled.df,
        f"ci_low_{name}": pooled.estimate - half,
        f"ci_high_{name}": pooled.estimate + half,
    }


def _average(outcome: str, rows: list[dict[str, Any]], fitted: list[list[Pooled]], level: float) -> dict[str, Any]:
    """Row of the mean over parts; by-labels are null."""
    row: dict[str, Any] = {
        "outcome": outcome,
        "status": "ok",
        "notes": f"average of {len(fitted)} of {len(rows)} parts",
    }
    if not fitted:
        return {**row, "status": "no part has a result"}
    for name in ("n_obs", "n_groups"):
        row[name] = sum(r[name] for r in rows if r["status"] == "ok")
    for i, name in enumerate(FIGURES):
        row.update(_columns(name, average([parts[i] for parts in fitted]), level))
    return row


def _files(data: Any) -> list[str]:
    paths = data if isinstance(data, (list, tuple)) else [data]
    return [os.fspath(path) for path in paths if isinstance(path, (str, os.PathLike))]
