"""Replicates: the moments of schools under every replicate's weights, and the figures that follow from them.

A replicate with totals t^r in place of t acts on the school: its weight becomes v sum(t^r)/sum(t), the conditional
weights t^r over that, scaled as in the full sample; a school without any total left leaves. Row 0 is the full sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from fastml.model.batch import BatchTables, concatenate, fit_batch
from fastml.model.groups import WeightedGroups
from fastml.model.icc import design_effect, icc_of
from fastml.model.weighted import UNWEIGHTED_WITHIN, scaled_size

__all__ = ["FIGURES", "CellMoments", "figures", "full_groups", "scale_replicates"]

Floats = npt.NDArray[np.float64]

FIGURES = ("gamma00", "tau00", "sigma2", "icc", "deff", "mean", "sd")


@dataclass(frozen=True, eq=False)
class CellMoments:
    """One plausible value in the J schools of one part of the data, under R replicates (row 0: none).

    Attributes
    ----------
    origin : float
        Score points.
    rows, total, squares : ndarray, shape (R, J)
        Rows of positive weight, sum of total weights t, sum of t^2.
    mean, ss : ndarray, shape (R, J)
        t-weighted mean less `origin`, and sum of squares about it. Anything where `total` is 0.
    plain_mean, plain_ss : ndarray, shape (R, J)
        The same unweighted, over the rows of positive weight.
    """

    origin: float
    rows: Floats
    total: Floats
    squares: Floats
    mean: Floats
    ss: Floats
    plain_mean: Floats
    plain_ss: Floats


@dataclass(frozen=True, eq=False)
class _Scaled:
    """Tables of the likelihood, shape (R, J) each, as in `WeightedGroups`; `live` schools have a weight."""

    size: Floats
    count: Floats
    mean: Floats
    ss: Floats
    live: npt.NDArray[np.bool_]


def scale_replicates(moments: CellMoments, v: Floats, scaling: str) -> _Scaled:
    """Scale the weights of the schools, v (J,) in the full sample, and their moments under every replicate."""
    live = moments.total > 0.0
    total = np.where(live, moments.total, 1.0)
    rows = np.where(live, moments.rows, 1.0)
    squares = np.where(live, moments.squares, 1.0)
    full = moments.total[0]
    # sum a^r is that of the full sample, since v^r moves with the totals.
    size, count = scaled_size(rows, total, squares, full / v, v * (total / full), scaling)
    if scaling in UNWEIGHTED_WITHIN:
        mean, ss = moments.plain_mean, moments.plain_ss
    else:
        mean, ss = moments.mean, moments.ss * (size / total)
    count, size = np.where(live, count, 0.0), np.broadcast_to(size, total.shape)
    return _Scaled(size, count, np.where(live, mean, 0.0), np.where(live, ss, 0.0), live)


def full_groups(moments: CellMoments, v: Floats, scaling: str) -> WeightedGroups:
    """The full sample's schools, as `fastml.model.weighted` takes them; means less `origin`."""
    first_row = (getattr(moments, field.name)[:1] for field in fields(moments)[1:])
    scaled = scale_replicates(CellMoments(moments.origin, *first_row), v, scaling)
    first = (scaled.size[0], scaled.count[0], scaled.mean[0], np.zeros(len(v)), scaled.ss[0])
    return WeightedGroups(moments.rows[0].astype(np.int64), *map(np.ascontiguousarray, first))


def figures(values: list[CellMoments], v: Floats, scaling: str, threads: int) -> list[Floats]:
    """Every figure of every plausible value under every replicate.

    Parameters
    ----------
    values : list of CellMoments
        One per plausible value; they may have different numbers of replicates.
    v : ndarray, shape (J,)
    scaling : str
    threads : int

    Returns
    -------
    list of ndarray, shape (R, 7)
        `FIGURES` by column; gamma00 and mean less the moments' origin. NaN where a replicate has no fit. The design
        effect takes the full sample's students per school throughout.
    """
    tables, units = [], []
    for moments in values:
        scaled = scale_replicates(moments, v, scaling)
        table, unit = _tables(scaled, moments.rows)
        tables.append(table)
        units.append(unit)
    fits = fit_batch(concatenate(tables), threads=threads)
    found, start = [], 0
    for moments, table, unit in zip(values, tables, units, strict=True):
        k = slice(start, start + len(table))
        start += len(table)
        theta = fits.theta[k]
        icc = icc_of(theta)
        size = moments.rows[0].sum() / np.count_nonzero(moments.total[0])
        mean, sd = _mean_and_sd(moments)
        columns = (
            unit * fits.gamma[k],
            unit**2 * fits.tau00[k],
            unit**2 * fits.sigma2[k],
            icc,
            design_effect(icc, size),
        )
        found.append(np.column_stack([*columns, mean, sd]))
    return found


def _tables(scaled: _Scaled, rows: Floats) -> tuple[BatchTables, float]:
    """Batch tables of the replicates and the power of two that is their unit."""
    ssw = np.einsum("rj,rj->r", scaled.count, scaled.ss)
    dof = np.einsum("rj,rj->r", scaled.count, scaled.size)
    schools = scaled.live.sum(axis=1)
    fittable = (schools > 1) & (np.where(scaled.live, rows, 0.0).sum(axis=1) > schools) & (ssw > 0.0)
    unit = math.ldexp(1.0, math.frexp(ssw[0] / dof[0])[1] // 2) if fittable[0] else 1.0
    n_replicates, n_schools = scaled.size.shape
    tables = BatchTables(
        offsets=np.arange(n_replicates + 1, dtype=np.int64) * n_schools,
        columns=np.stack(
            [x.ravel() for x in (scaled.size, scaled.count, scaled.mean / unit, np.zeros(scaled.size.shape))]
        ),
        ssw=np.where(fittable, ssw, math.nan) / unit**2,
        dof=dof,
    )
    return tables, unit


def _mean_and_sd(moments: CellMoments) -> tuple[Floats, Floats]:
    """Weighted mean less `origin` and standard deviation (R,) of all rows; divisor sum(t) - 1, as the IEA and OECD."""
    total = moments.total
    mean = np.where(total > 0.0, moments.mean, 0.0)
    weight = total.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        average = np.einsum("rj,rj->r", total, mean) / weight
        within = np.einsum("rj->r", np.where(total > 0.0, moments.ss, 0.0))
        between = np.einsum("rj,rj->r", total, (mean - average[:, None]) ** 2)
        variance = np.where(weight > 1.0, (within + between) / (weight - 1.0), math.nan)
    return average, np.sqrt(variance)
