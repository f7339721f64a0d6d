"""Many fits in one call: the front of the batch kernel, spread over threads.

Who has many small tables (countries, plausible values, replicates) lays them end to end in a `BatchTables`; every
fit gets its global optimum, whatever the number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.kernels.threads import map_on_threads
from fastml.model.profile import find_minimum, search_ranges

__all__ = ["BatchFits", "BatchTables", "concatenate", "fit_batch"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

# Tables per task: enough work to hide the cost of handing it out.
_PER_TASK = 128


@dataclass(frozen=True, eq=False)
class BatchTables:
    """K tables end to end; table k is columns ``offsets[k]`` to ``offsets[k + 1]``.

    Attributes
    ----------
    offsets : ndarray of int64, shape (K + 1,)
    columns : ndarray, shape (4, T)
        As in `size_table.SizeTable`: sizes (or sums of weights A), groups of that size (or their weights v), mean and
        sum of squares of their means. Sizes may repeat and need no order; columns of count 0 weigh nothing. Means
        should be about an origin near them and everything in units near the scores' spread, as `SizeTable` has it.
    ssw : ndarray, shape (K,)
        Pooled within-group sums of squares; NaN marks a table that can't be fitted.
    dof : ndarray, shape (K,)
        Divisor of the profile: N - 1 (REML), N (ML), sum(count size) in weighted fits.
    """

    offsets: Int64s
    columns: Floats
    ssw: Floats
    dof: Floats

    def __len__(self) -> int:
        return len(self.ssw)


@dataclass(frozen=True, eq=False)
class BatchFits:
    """K fits in the units of their tables; all arrays have shape (K,) but `terms`. NaN where there is no fit.

    Attributes
    ----------
    theta, gamma, sigma2, tau00 : ndarray
        Estimates: theta = tau00/sigma2 at the global minimum of the deviance, gamma about the tables' origin.
    terms : ndarray, shape (K, 9)
        The fields of `variance_components.Terms`, in its order.
    score : ndarray
        theta times the derivative of the deviance there, the derivative itself at theta = 0.
    n_optima, evaluations : ndarray
        Local minima found, and evaluations of the profile.
    full_search : ndarray of bool
        Whether the scan was not one clean sign change, so that the search of `variance_components.estimate` was made.
    """

    theta: Floats
    gamma: Floats
    sigma2: Floats
    tau00: Floats
    terms: Floats
    score: Floats
    n_optima: Floats
    evaluations: Floats
    full_search: npt.NDArray[np.bool_]


def concatenate(tables: list[BatchTables]) -> BatchTables:
    """Lay several batches end to end.

    Parameters
    ----------
    tables : list of BatchTables
        One or more.

    Returns
    -------
    BatchTables
    """
    starts = np.cumsum([0, *(table.offsets[-1] for table in tables)])
    return BatchTables(
        np.concatenate([[0], *(table.offsets[1:] + start for table, start in zip(tables, starts, strict=False))]),
        np.concatenate([table.columns for table in tables], axis=1),
        np.concatenate([table.ssw for table in tables]),
        np.concatenate([table.dof for table in tables]),
    )


def fit_batch(tables: BatchTables, restricted: bool = False, threads: int = 1) -> BatchFits:
    """Fit every table, each to the global optimum of its own deviance.

    Parameters
    ----------
    tables : BatchTables
    restricted : bool
        REML; else ML. Weighted fits are ML.
    threads : int
        Threads to use. The results are the same bits for any number.

    Returns
    -------
    BatchFits

    Examples
    --------
    >>> import numpy as np
    >>> one = BatchTables(np.array([0, 1]), np.array([[2.0], [3.0], [0.0], [12.0]]), np.array([1.5]), np.array([5.0]))
    >>> fits = fit_batch(one, restricted=True)
    >>> round(float(fits.tau00[0]), 9), round(float(fits.sigma2[0]), 9)
    (5.75, 0.5)
    """
    from fastml.kernels.likelihood import batch as kernel

    n_tables = len(tables)
    fits = np.empty((n_tables, kernel.FIELDS))
    ranges = search_ranges(tables.columns, tables.offsets, tables.ssw, tables.dof, restricted)
    arrays = (tables.offsets, tables.columns, tables.ssw, tables.dof, ranges)

    def work(first: int) -> None:
        last = min(first + _PER_TASK, n_tables)
        kernel.fit_tables(*arrays, restricted, first, last, fits)
        for k in first + np.flatnonzero(fits[first:last, 11] == 0.0):
            _search(tables, int(k), restricted, fits[k])

    map_on_threads(work, range(0, n_tables, _PER_TASK), threads)
    theta, r = fits[:, 0], fits[:, 5]
    sigma2 = r / tables.dof
    return BatchFits(
        theta=theta,
        gamma=fits[:, 1],
        sigma2=sigma2,
        tau00=theta * sigma2,
        terms=fits[:, 1:10],
        score=fits[:, 10],
        n_optima=np.abs(fits[:, 11]),
        evaluations=fits[:, 12],
        full_search=fits[:, 11] < 0.0,
    )


def _search(tables: BatchTables, k: int, restricted: bool, row: Floats) -> None:
    """Fill a table's `row` (FIELDS,) of fits by the search of a single fit; it is marked by a negative sign."""
    columns = np.ascontiguousarray(tables.columns[:, tables.offsets[k] : tables.offsets[k + 1]])
    found = find_minimum(columns, float(tables.ssw[k]), float(tables.dof[k]), restricted)
    if found is None:
        row[:] = math.nan
        return
    row[0], row[1:10] = found.theta, found.fields[:9]
    row[10] = found.fields[10] * (found.theta or 1.0)
    row[11] = -len(found.thetas)
    row[12] += found.evaluations
