"""Many fits in one call: the front of the batch kernel, spread over threads.

Who has many small tables (countries, plausible values, replicates) lays them end to end in a `BatchTables`; every
fit gets its global optimum, whatever the number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["BatchFits", "BatchTables", "concatenate", "fit_batch"]

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

# Tables per task: enough work to hide the cost of handing it out.
_PER_TASK = 64


@dataclass(frozen=True, eq=False)
class BatchTables:
    """K tables end to end; table k is rows ``offsets[k]`` to ``offsets[k + 1]`` of the flat arrays.

    Attributes
    ----------
    offsets : ndarray of int64, shape (K + 1,)
    size, count, mean, ss : ndarray, shape (T,)
        As in `sizes.SizeTable`: sizes (or sums of weights A), groups of that size (or their weights v), mean and
        sum of squares of their means. Sizes may repeat and need no order; rows of count 0 weigh nothing. Means
        should be about an origin near them and everything in units near the scores' spread, as `SizeTable` has it.
    ssw : ndarray, shape (K,)
        Pooled within-group sums of squares; NaN marks a table that can't be fitted.
    dof : ndarray, shape (K,)
        Divisor of the profile: N - 1 (REML), N (ML), sum(count size) in weighted fits.
    """

    offsets: Int64s
    size: Floats
    count: Floats
    mean: Floats
    ss: Floats
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
        The fields of `varcomp.Terms`, in its order.
    score : ndarray
        theta times the derivative of the deviance there, the derivative itself at theta = 0.
    n_optima, evaluations : ndarray
        Local minima found, and evaluations of the profile.
    full_search : ndarray of bool
        Whether the scan was not one clean sign change, so that the search of `varcomp.estimate` was made.
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
        *(
            np.concatenate([getattr(table, name) for table in tables])
            for name in ("size", "count", "mean", "ss", "ssw", "dof")
        ),
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
    >>> one = BatchTables(np.array([0, 1]), np.array([2.0]), np.array([3.0]), np.array([0.0]), np.array([12.0]),
    ...                   np.array([1.5]), np.array([5.0]))
    >>> fits = fit_batch(one, restricted=True)
    >>> round(float(fits.tau00[0]), 9), round(float(fits.sigma2[0]), 9)
    (5.75, 0.5)
    """
    from fastml.kernels.likelihood import batch as kernel

    n_tables = len(tables)
    fits = np.empty((n_tables, kernel.FIELDS))
    arrays = (tables.offsets, tables.size, tables.count, tables.mean, tables.ss, tables.ssw, tables.dof)

    def work(first: int) -> None:
        kernel.fit_tables(*arrays, restricted, first, min(first + _PER_TASK, n_tables), fits)

    starts = range(0, n_tables, _PER_TASK)
    if threads == 1 or len(starts) < 2:
        for first in starts:
            work(first)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, starts))
    theta, r = fits[:, 0], fits[:, 5]
    sigma2 = r / tables.dof
    return BatchFits(
        theta=theta,
        gamma=fits[:, 1],
        sigma2=sigma2,
        tau00=theta * sigma2,
        terms=fits[:, 1:10],
        score=fits[:, 10],
        n_optima=fits[:, 11],
        evaluations=fits[:, 12],
        full_search=fits[:, 13] == 1.0,
    )
