"""Linear contrasts of estimates, of one sample and of several: their errors, degrees of freedom, tests, intervals.

Within a sample the covariance comes from the replicates, plausible value by plausible value; samples are independent of
each other. Everything is a quadratic form in two matrices of each sample: U, the sampling covariances, and B, the
covariances between the plausible values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fastml.inference.distributions import t_quantiles
from fastml.inference.rubin import barnard_rubin

__all__ = ["Contrasts", "Estimate", "adjusted", "combine", "on_log", "unpaired"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """One parameter of one row of a table, with all that its comparison to others needs.

    Attributes
    ----------
    values : ndarray, shape (M,)
        The full sample's estimates, one per plausible value; NaN without a result.
    deviations : ndarray, shape (R, K)
        What they are under each replicate, less `values`; K is M, or 1 where plausible value 1 alone is replicated. No
        row without replicates.
    replicates : tuple of str, length R
        What tells a replicate from others of the same sample: its zone and half, or its column.
    zoned : bool
        Whether replicates are of zones: rows that have no school in a zone are the full sample under its replicates.
    factor : float
        The sampling variance is this times the sum of squares of the deviations.
    variance : float
        The sampling variance, the mean over plausible values.
    complete : float
        Its degrees of freedom.
    """

    values: Floats
    deviations: Floats
    replicates: tuple[str, ...]
    zoned: bool
    factor: float
    variance: float
    complete: float


@dataclass(frozen=True, eq=False)
class Contrasts:
    """C linear contrasts.

    Attributes
    ----------
    estimate, se, df : ndarray, shape (C,)
        The square of the standard error is the sum of the three variances.
    sampling_variance, imputation_variance, linking_variance : ndarray, shape (C,)
    """

    estimate: Floats
    se: Floats
    df: Floats
    sampling_variance: Floats
    imputation_variance: Floats
    linking_variance: Floats

    def limits(self, level: float) -> tuple[Floats, Floats]:
        """Low and high limits (C,) by t; NaN without a standard error or degrees of freedom."""
        half = -t_quantiles(0.5 * (1.0 - level), _usable(self.df)) * self.se
        return self.estimate - half, self.estimate + half

    def tests(self) -> tuple[Floats, Floats]:
        """The t statistics of a contrast of 0 and their two-sided p values, shape (C,) each."""
        from scipy.special import stdtr

        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(self.se > 0.0, self.estimate / self.se, math.nan)
        return t, 2.0 * stdtr(_usable(self.df), -np.abs(t))


def _usable(df: Floats) -> Floats:
    return np.where(df > 0.0, df, math.nan)


def on_log(estimate: Estimate) -> Estimate:
    """The logarithm of a positive figure, replicate by replicate; NaN where a value is 0.

    Parameters
    ----------
    estimate : Estimate

    Returns
    -------
    Estimate
        Without replicates its variance is by the delta method.
    """
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        values = np.where(estimate.values > 0.0, np.log(estimate.values), math.nan)
        moved = np.log1p(estimate.deviations / estimate.values[: estimate.deviations.shape[1]])
        deviations = np.where(np.isfinite(moved), moved, math.nan)
        variance = float(estimate.variance / np.mean(estimate.values) ** 2)
    if len(deviations):
        variance = _sampling(deviations, estimate.factor)
    return replace(estimate, values=values, deviations=deviations, variance=variance)


def _sampling(deviations: Floats, factor: float) -> float:
    return float(factor * np.mean(np.sum(deviations**2, axis=0)))


@dataclass(frozen=True, eq=False)
class _Block:
    """U and B (n, n) of the n estimates that belong together, at these places among all, their M, and `shared`."""

    places: npt.NDArray[np.intp]
    u: Floats
    b: Floats
    m: npt.NDArray[np.int64]
    shared: npt.NDArray[np.bool_]


@np.errstate(over="ignore", invalid="ignore")
def combine(
    estimates: Sequence[Estimate],
    samples: Sequence[npt.NDArray[np.intp]],
    shared: npt.NDArray[np.bool_],
    weights: Sequence[Mapping[int, float]],
    linking: Floats | None = None,
) -> Contrasts:
    """Contrasts of estimates.

    Parameters
    ----------
    estimates : sequence of Estimate, length n
    samples : sequence of ndarray of int
        Places of the estimates that belong together; each is in one of them.
    shared : ndarray of bool, shape (n, n)
        Which two are of one sample, and pair (`unpaired`): a row that pools two countries is of one sample with each,
        which are not with each other.
    weights : sequence of mapping of int to float, length C
        For each contrast, the places of its estimates and their weights.
    linking : ndarray, shape (C,), optional
        Variance of the error of linking scales, which is taken as known.

    Returns
    -------
    Contrasts
        Within a sample U = f mean over k of sum over r of d_ik d_jk, B the covariance over k of the estimates, and
        T = U + (1 + 1/M) B as of one figure (Rubin 1987), degrees of freedom by Barnard and Rubin from the smallest
        complete ones of the estimates in it. Over samples variances add, and degrees of freedom are Welch and
        Satterthwaite's, T^2/sum(T_s^2/df_s). A sample s is what a contrast's own estimates make one, so that what else
        is in the call changes nothing.
    """
    values = np.array([float(np.mean(estimate.values)) for estimate in estimates])
    complete = np.array([estimate.complete for estimate in estimates])
    blocks = [_block([estimates[i] for i in rows.tolist()], rows, shared) for rows in samples]
    sums = np.empty((5, len(weights)))
    step = max(1, _CELLS // max(1, len(estimates)))
    for start in range(0, len(weights), step):
        some = weights[start : start + step]
        dense = np.zeros((len(some), len(estimates)))
        for row, of_rows in zip(dense, some, strict=True):
            row[list(of_rows)] = list(of_rows.values())
        sums[:, start : start + len(some)] = _sums(dense, values, complete, blocks)
    made, sampling, imputation, within, shares = sums
    linked = np.zeros(len(weights)) if linking is None else linking
    total = within + linked
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(shares == 0.0, math.inf, (total / within) ** 2 / shares)
    return Contrasts(made, np.sqrt(total), df, sampling, imputation, linked)


_CELLS = 1 << 22  # of a matrix of weights at a time: 32 MB


def _sums(weights: Floats, values: Floats, complete: Floats, blocks: Sequence[_Block]) -> Floats:
    """Estimate, U, (1 + 1/M) B, T and sum of (T_s/T)^2/df_s over samples, (5, C), of contrasts (C, n)."""
    alone = weights != 0.0  # of rows that are of one sample with no other of their contrast
    u, b = np.zeros((2, len(values)))
    m = np.ones(len(values), np.int64)
    for block in blocks:
        u[block.places], b[block.places] = np.diagonal(block.u), np.diagonal(block.b)
        m[block.places] = block.m
        if len(block.places) > 1:
            inside = alone[:, block.places]
            near = inside.astype(np.float32) @ block.shared.astype(np.float32)
            alone[:, block.places] = inside & (near == 1.0)
    # A sample of one row has the same degrees of freedom whatever its weight, so all such are summed at once.
    at, row = np.nonzero(alone)
    w = weights[at, row] ** 2
    samples = [(at, w * u[row], w * ((1.0 + 1.0 / m) * b)[row], barnard_rubin(u, b, m, complete)[row])]
    for block in blocks:
        if len(block.places) == 1:
            continue
        mine = weights[:, block.places]
        left = (mine != 0.0) & ~alone[:, block.places]
        used = np.flatnonzero(left.any(axis=1))
        for which, inside in _connected(left[used], block.shared):
            part = np.where(inside, mine[used[which]], 0.0)
            u, b = _form(part, block.u), _form(part, block.b)
            m = (inside * block.m).max(axis=1)
            df = barnard_rubin(u, b, m, np.where(inside, complete[block.places], math.inf).min(axis=1))
            samples.append((used[which], u, (1.0 + 1.0 / m) * b, df))

    def summed(terms: Iterable[tuple[npt.NDArray[np.intp], Floats]]) -> Floats:
        """Of each contrast; NaN where one is not finite."""
        found = sum(np.bincount(at, values, minlength=len(weights)) for at, values in terms)
        return np.where(np.isfinite(found), found, math.nan)

    at, row = np.nonzero(weights)
    made = summed([(at, weights[at, row] * values[row])])
    sampling = summed((at, u) for at, u, _, _ in samples)
    imputation = summed((at, b) for at, _, b, _ in samples)
    total = sampling + imputation
    return np.stack([made, sampling, imputation, total,
                     summed((at, _share(u + b, total[at], df)) for at, u, b, df in samples)])  # fmt: skip


def _connected(
    used: npt.NDArray[np.bool_], shared: npt.NDArray[np.bool_]
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]]:
    """The first sample of every contrast's rows (C, n), then the second of those that have one, and so on.

    Rows are of one sample directly or by others of the same contrast; each step gives the contrasts and their rows.
    """
    which, left, near = np.arange(len(used)), used, shared.astype(np.float32)
    while len(which):
        inside = left if shared.all() else left & shared[left.argmax(axis=1)]
        grows = np.flatnonzero((inside != left).any(axis=1))
        while len(grows):
            more = left[grows] & (inside[grows].astype(np.float32) @ near > 0.0)
            moved = (more != inside[grows]).any(axis=1)
            inside[grows] = more
            grows = grows[moved]
        yield which, inside
        left = left & ~inside
        more_to_come = left.any(axis=1)
        which, left = which[more_to_come], left[more_to_come]


def _share(t: Floats, total: Floats, df: Floats) -> Floats:
    """(T_s/T)^2/df_s of a sample; 0 where it has no variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t == 0.0, 0.0, (t / total) ** 2 / df)


def _form(weights: Floats, matrix: Floats) -> Floats:
    """Quadratic forms (C,); NaN where a row with a weight has none, and never below 0 by rounding."""
    lost = np.isnan(np.diagonal(matrix))
    found = np.sum((weights @ np.where(np.isnan(matrix), 0.0, matrix)) * weights, axis=1)
    return np.where((weights[:, lost] != 0.0).any(axis=1), math.nan, np.maximum(found, 0.0))


def _block(rows: list[Estimate], places: npt.NDArray[np.intp], shared: npt.NDArray[np.bool_]) -> _Block:
    each_m = np.array([len(row.values) for row in rows])
    together = shared[np.ix_(places, places)]
    own_u = np.array([row.variance for row in rows])
    own_b = np.array([np.var(row.values, ddof=1) if len(row.values) > 1 else 0.0 for row in rows])
    if len(rows) == 1 or not any(row.replicates for row in rows):
        return _Block(places, np.diag(own_u), np.diag(own_b), each_m, together)
    names = {name: i for i, name in enumerate(dict.fromkeys(name for row in rows for name in row.replicates))}
    apart = np.zeros((len(rows), len(names), max(row.deviations.shape[1] for row in rows)))
    values = np.zeros((len(rows), int(each_m.max())))
    for i, row in enumerate(rows):  # one column stands for all; else a pair has those of either
        width = row.deviations.shape[1]
        apart[i, [names[name] for name in row.replicates], : width if width > 1 else None] = row.deviations
        values[i, : each_m[i]] = row.values - row.values.mean()
    flat = apart.reshape(len(rows), -1)
    width, m = (_in_common([array.shape[1] for array in arrays])
                for arrays in ([row.deviations for row in rows], [row.values[None] for row in rows]))  # fmt: skip
    factor = np.array([row.factor for row in rows])
    u = np.where(together, factor * (flat @ flat.T) / width, 0.0)
    b = np.where(together, values @ values.T / np.maximum(1, m - 1), 0.0)
    for i, row in enumerate(rows):  # what has no error, and what has no replicates
        if math.isnan(row.variance) or not row.replicates:
            u[i, i] = row.variance
    return _Block(places, u, b, each_m, together)


def _in_common(columns: Sequence[int]) -> npt.NDArray[np.int64]:
    """How many columns two rows have (n, n), where one stands for all."""
    widest = max(columns)
    each = np.array([widest if count == 1 else count for count in columns], np.int64)
    return np.minimum.outer(each, each)


def unpaired(one: Estimate, other: Estimate) -> str | None:
    """Why two estimates of one sample can't be compared; None where each replicate and plausible value of both pair.

    Parameters
    ----------
    one, other : Estimate

    Returns
    -------
    str or None
    """
    if not (one.replicates and other.replicates):
        return (
            "estimates of one sample can't be compared by their separate standard errors, and these have no replicates "
            f"that tell how they vary together; fit_survey has, by se='replicate'. {_IF_OTHERS}"
        )
    counts = {len(row.values) for row in (one, other)} - {1}
    if len(counts) > 1:
        return (
            f"rows of one sample have {' and '.join(map(str, sorted(counts)))} plausible values, which don't pair; "
            f"fit both with the same number. {_IF_OTHERS}"
        )
    if (one.zoned, one.factor) != (other.zoned, other.factor) or not (one.zoned or one.replicates == other.replicates):
        return f"rows of one sample have replicates of different designs; fit both with the same design. {_IF_OTHERS}"
    return None


_IF_OTHERS = "Say independent=True if the samples are different"


def adjusted(p: Floats, method: str) -> Floats:
    """P values adjusted for the number of comparisons; those that are NaN don't count.

    Parameters
    ----------
    p : ndarray, shape (C,)
    method : {"holm", "bh"}
        Holm (1979), which holds the chance of any false finding; Benjamini and Hochberg (1995), which holds the
        expected share of false ones among the findings.

    Returns
    -------
    ndarray, shape (C,)

    Examples
    --------
    >>> import numpy as np
    >>> adjusted(np.array([0.01, 0.04, 0.03]), "holm"), adjusted(np.array([0.01, 0.04, 0.03]), "bh")
    (array([0.03, 0.06, 0.06]), array([0.03, 0.04, 0.04]))
    """
    found = np.full(len(p), math.nan)
    given = np.flatnonzero(~np.isnan(p))
    order = given[np.argsort(p[given], kind="stable")]
    count, rank = len(order), np.arange(1, len(order) + 1)
    if method == "holm":
        found[order] = np.minimum(1.0, np.maximum.accumulate((count - rank + 1) * p[order]))
    else:
        scaled = p[order] * count / rank
        found[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return found
