"""Every part and outcome of an assessment -> the pooled figures of its row in the table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.designs import Design, Jackknife
from fastml.errors import ModelError
from fastml.inference.robust import KINDS, robust_errors
from fastml.inference.sandwich import cr2_mean
from fastml.kernels.threads import map_on_threads
from fastml.model.weighted import pseudo_ml, reduce_weighted
from fastml.survey.cells import Part, Sample, Unfit
from fastml.survey.choices import Choices
from fastml.survey.degrees import johnson_rust
from fastml.survey.kept import Kept
from fastml.survey.pooling import Pooled, average, limits, pool, without_error
from fastml.survey.replication import FIGURES, CellMoments, figures, full_groups

__all__ = ["FittedPart", "average_row", "fit_part", "fit_parts"]

Floats = npt.NDArray[np.float64]
_GAMMA00, _MEAN, _SD, _TAU00, _ICC = map(FIGURES.index, ("gamma00", "mean", "sd", "tau00", "icc"))
_OF_MODEL = [i for i, name in enumerate(FIGURES) if name not in ("mean", "sd")]
_OF_TAU00 = ("tau00", "icc", "deff")


@dataclass(frozen=True)
class FittedPart:
    """One outcome in one part.

    Attributes
    ----------
    row : dict
        Columns of the table, but for the notes.
    pooled : list of Pooled
        In the order of `FIGURES`; empty without rows.
    notes : list of str
    kept : Kept or None
        None without rows.
    """

    row: dict[str, Any]
    pooled: list[Pooled]
    notes: list[str]
    kept: Kept | None = None


def fit_parts(
    parts: list[Part], notes: Mapping[str, list[str]], choices: Choices, average: bool, threads: int
) -> tuple[list[dict[str, Any]], list[Kept | None]]:
    """Fit every outcome in every part.

    Parameters
    ----------
    parts : list of Part
    notes : mapping
        Outcome to what its rows should say about all the data.
    choices : Choices
    average : bool
        Add a row per outcome with the mean over the parts.
    threads : int

    Returns
    -------
    rows : list of dict
        Rows of the table.
    kept : list of Kept or None
        What is kept of the parts, which come first among the rows.
    """
    tasks = list(product(parts, notes))
    workers = min(threads, len(tasks))

    def work(task: tuple[Part, str]) -> FittedPart:
        # One thread per part where there are several; else the fits of the one part share them.
        return fit_part(*task, choices, 1 if workers > 1 else threads)

    fitted = map_on_threads(work, tasks, workers)
    rows = [{**fit.row, "notes": "; ".join([*fit.notes, *notes[fit.row["outcome"]]])} for fit in fitted]
    rows += [average_row(outcome, fitted, choices) for outcome in notes] if average else []
    return rows, [fit.kept for fit in fitted]


@np.errstate(over="ignore", invalid="ignore")  # what has no finite value is null in the table
def fit_part(part: Part, outcome: str, choices: Choices, threads: int) -> FittedPart:
    """Fit all plausible values and replicates of an outcome in a part."""
    dropped = part.dropped[outcome]
    row: dict[str, Any] = {**part.labels, "outcome": outcome, "n_dropped": sum(dropped.values())}
    row |= {f"dropped_{cause}": count for cause, count in dropped.items()}
    sample = part.sample(outcome)
    if sample is None:
        none = Unfit("no_rows", "no row has a score and its weights")
        return FittedPart({**row, "n_obs": 0, "n_groups": 0, **vars(none)}, [], list(part.notes))
    first = sample.values[0]
    unfit = part.unfit or _unfit(sample, choices.scaling)
    row |= {"n_obs": int(first.rows[0].sum()), "n_groups": len(sample.v) if part.has_schools else 0}
    row |= {"status": "ok"} if unfit is None else vars(unfit)
    tables = figures(sample.values, sample.v, choices.scaling, threads)
    if part.unfit:
        for table in tables:
            table[:, _OF_MODEL] = math.nan
    notes = [*part.notes, *sample.notes]
    if choices.replicated:
        variances = _replicate_variances(tables, choices.design, notes)
        complete = _replicate_freedom(sample, tables, choices)
    else:
        variances, complete = _sandwich_variances(sample, tables, choices)
    notes += _boundary_note(tables)
    values = _values(tables, sample)
    pooled = []
    for i, name in enumerate(FIGURES):
        pooled.append(pool(values[0, :, i], variances[:, i], float(complete[i])))
        if name in _OF_TAU00 and not pooled[_TAU00].estimate:
            pooled[-1] = without_error(pooled[-1])  # on the boundary
    kept = Kept(values, np.array([figure.sampling_variance for figure in pooled]), complete, sample.replicates,
                isinstance(choices.design.replicates, Jackknife), choices.design.factor, choices.design.first_only,
                part.identity)  # fmt: skip
    return FittedPart(row | _columns(pooled, choices.level), pooled, notes, kept)


def _values(tables: list[Floats], sample: Sample) -> Floats:
    """The estimates (1 + R, M, 7) as `Kept` has them, of tables (1 + R, 7), or (1, 7), less the moments' origins."""
    values = np.full((max(map(len, tables)), len(tables), len(FIGURES)), math.nan)
    for k, (table, moments) in enumerate(zip(tables, sample.values, strict=True)):
        values[0, k] = table[0]
        values[1 : len(table), k] = table[1:] - table[0]
        values[0, k, [_GAMMA00, _MEAN]] += moments.origin
    return values


def _unfit(sample: Sample, scaling: str) -> Unfit | None:
    """Why the model can't be fitted to some plausible value; None where it can."""
    try:
        for moments in sample.values:
            reduce_weighted(full_groups(moments, sample.v, scaling))
    except ModelError as error:
        return Unfit(error.status, str(error))
    return None


def _boundary_note(tables: list[Floats]) -> list[str]:
    singular = [str(k) for k, table in enumerate(tables, 1) if table[0, _TAU00] == 0.0]
    if not singular:
        return []
    values = "" if len(tables) == 1 else f" in plausible value{'s' * (len(singular) > 1)} {', '.join(singular)}"
    return [f"tau00 is 0, on the boundary{values}"]


def _replicate_variances(tables: list[Floats], design: Design, notes: list[str]) -> Floats:
    """Sampling variances (M, 7), or (1, 7) of plausible value 1 alone; row 0 of a table (R, 7) is the full sample."""
    used = tables[:1] if design.first_only else tables
    failed = sum(int(np.isnan(table[1:]).any(axis=1).sum()) for table in used)
    if failed and not np.isnan(used[0][0]).any():
        notes.append(f"no errors, as replicate fits have no result: {failed} of {sum(len(t) - 1 for t in used)}")
    return np.array([design.factor * np.sum((table[1:] - table[0]) ** 2, axis=0) for table in used])


def _replicate_freedom(sample: Sample, tables: list[Floats], choices: Choices) -> Floats:
    """Degrees of freedom (7,) of the replicates before the plausible values are pooled."""
    scheme = choices.design.replicates
    if choices.df is None or not isinstance(scheme, Jackknife):
        return np.full(len(FIGURES), sample.complete)
    used = tables[:1] if choices.design.first_only else tables
    apart = np.mean([(table[1:] - table[0]) ** 2 for table in used], axis=0)
    return johnson_rust(apart.reshape(-1, 2 if scheme.both_halves else 1, len(FIGURES)).sum(axis=1))


def _sandwich_variances(sample: Sample, tables: list[Floats], choices: Choices) -> tuple[Floats, Floats]:
    """Sampling variances (M, 7) over schools, and their degrees of freedom (7,): the mean over plausible values."""
    found = np.full((len(tables), len(FIGURES)), math.nan)
    df = np.full(found.shape, len(sample.v) - 1.0)
    for k, (moments, table) in enumerate(zip(sample.values, tables, strict=True)):
        found[k, [_MEAN, _SD]] = _linearised(moments, table[0, _MEAN], table[0, _SD])
        if KINDS[choices.vcov].for_few and found[k, _MEAN] > 0.0:
            found[k, _MEAN], df[k, _MEAN] = _by_cr2(moments, table[0, _MEAN], found[k, _MEAN], df[k, _MEAN])
        if np.isnan(table[0, _TAU00]):
            continue
        groups = full_groups(moments, sample.v, choices.scaling)
        vc = pseudo_ml(reduce_weighted(groups))
        errors = robust_errors(groups, vc, choices.vcov)
        size = moments.rows[0].sum() / len(sample.v)
        ses = (errors.se_gamma00, errors.se_tau00, errors.se_sigma2, errors.se_icc, errors.se_icc * (size - 1.0))
        found[k, :5] = np.square(ses)
        df[k, _GAMMA00] = errors.df
    return found, df.mean(axis=0)


def _by_cr2(moments: CellMoments, mean: float, variance: float, df: float) -> tuple[float, float]:
    """Sampling variance of the weighted mean of students, which is one of the schools' means, and its df, by CR2.

    The model that it goes by counts every school once, so that it needs no school weight. `variance` and `df` are
    returned where that can't be fitted.
    """
    groups = full_groups(moments, np.ones(moments.total.shape[1]), "size")
    try:
        vc = pseudo_ml(reduce_weighted(groups))
    except ModelError:
        return variance, df
    made = cr2_mean(moments.total[0], vc.theta + 1.0 / groups.size, moments.mean[0] - mean, vc.sigma2)
    return made.se**2, made.df


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


def _columns(pooled: list[Pooled], level: float) -> dict[str, float]:
    """The columns of all figures."""
    row: dict[str, float] = {}
    for name, figure in zip(FIGURES, pooled, strict=True):
        low, high = limits(name, figure, pooled[_ICC], level)
        row |= {
            name: figure.estimate,
            f"se_{name}": figure.se,
            f"sampling_variance_{name}": figure.sampling_variance,
            f"imputation_variance_{name}": figure.imputation_variance,
            f"df_{name}": figure.df,
            f"ci_low_{name}": low,
            f"ci_high_{name}": high,
        }
    return row


def average_row(outcome: str, fitted: list[FittedPart], choices: Choices) -> dict[str, Any]:
    """Row of the mean over independent parts, each with the same weight; its by-labels are null."""
    mine = [fit for fit in fitted if fit.row["outcome"] == outcome]
    good = [fit for fit in mine if fit.row["status"] == "ok"]
    note = f"average of {len(good)} of {len(mine)} parts"
    countries = {name.casefold() for name in choices.design.country}
    if not any(name.casefold() in countries for name in mine[0].row):
        note += ", taken as independent, which parts of one country are not"
    row: dict[str, Any] = {"outcome": outcome, "notes": note}
    counts = [name for name in mine[0].row if name in ("n_obs", "n_groups", "n_dropped") or name.startswith("dropped_")]
    row |= {name: sum(fit.row[name] for fit in good) for name in counts}
    if not good:
        return row | {"status": "no_result", "message": "no part has a result"}
    row["status"] = "ok"
    return row | _columns([average([fit.pooled[i] for fit in good]) for i in range(len(FIGURES))], choices.level)
