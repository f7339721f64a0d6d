"""What unequal sizes cost: design effects of a mean, and the width of the icc's interval, before there are data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fastml.inference.distributions import f_quantile, f_quantiles, f_upper, normal_nodes
from fastml.model.icc import design_effect, icc_of
from fastml.model.size_table import SizeTable

__all__ = ["SizeSpread", "expected_icc_limits", "gamma_sizes", "given_sizes", "own_sizes"]

Floats = npt.NDArray[np.float64]

_MOST_PARTS = 400
_DRAWN = 2_000  # sizes of all samples that are drawn


@dataclass(frozen=True, eq=False)
class SizeSpread:
    """How group sizes spread around their mean.

    Attributes
    ----------
    x : ndarray, shape (K,)
        Sizes over the mean size.
    share : ndarray, shape (K,)
        Shares of the students who are in groups of such a size; they add up to 1.
    cv : float
        Coefficient of variation of the sizes.
    law : bool
        Whether samples have sizes by chance, of a law; else they spread as these do.
    """

    x: Floats
    share: Floats
    cv: float
    law: bool = False

    def design_effects(self, icc: float, mean_size: float) -> dict[str, float]:
        """Design effects by name, of groups of that mean size.

        Parameters
        ----------
        icc, mean_size : float

        Returns
        -------
        dict
            "lecture": 1 + icc (n - 1), of equal groups; "gls": of the model's own mean, N SE^2/(tau00 + sigma2);
            "kish": of the mean of all students, 1 + icc ((1 + cv^2) n - 1) (Eldridge, Ashby and Kerry 2006).
        """
        usual = design_effect(icc, mean_size)
        reliability = mean_size * icc / usual
        kept = float(np.sum(self.share / (1.0 - reliability + reliability * self.x)))
        kish = design_effect(icc, (1.0 + self.cv**2) * mean_size)
        return {"lecture": usual, "gls": usual / kept, "kish": kish}

    def samples(self, n_groups: int, mean_size: float) -> Floats:
        """Sizes of samples of so many groups: of a law several, else one; of many groups one, of 400 parts.

        Every size of a sample is the mean size of its part of the law, and all samples together have those of all
        parts. Sums over a sample's groups are those of real sizes: what is expected of each sum on its own need not be,
        where groups are few and sizes differ much. No group has less than one student, of which a law that goes down to
        0 has many: theirs would count as groups, of whose means nothing is known.

        Parameters
        ----------
        n_groups : int
        mean_size : float
            Of the law, before its small groups have one student.

        Returns
        -------
        ndarray, shape (D, min(n_groups, 400))
            From samples of like sizes to those of unlike ones.
        """
        each = min(n_groups, _MOST_PARTS)
        parts = each * max(1, _DRAWN // each if self.law and n_groups <= _MOST_PARTS else 1)
        order = np.argsort(self.x)
        groups = np.append(0.0, np.cumsum(self.share[order] / self.x[order]))
        students = np.append(0.0, np.cumsum(self.share[order]))
        x = np.diff(np.interp(np.linspace(0.0, 1.0, parts + 1), groups / groups[-1], students))
        sizes: Floats = np.maximum(mean_size * parts * x / students[-1], 1.0)
        if parts == each:
            return sizes[None]
        drawn = np.random.default_rng(0).permutation(sizes).reshape(-1, each)
        return drawn[np.argsort((drawn**2).sum(axis=1) / drawn.sum(axis=1), kind="stable")]


@lru_cache(maxsize=8)
def gamma_sizes(cv: float) -> SizeSpread:
    """Sizes that follow a gamma law.

    Parameters
    ----------
    cv : float
        Their coefficient of variation.

    Returns
    -------
    SizeSpread
    """
    from scipy.special import gammainccinv, gammaincinv, ndtr

    if cv == 0.0:
        return SizeSpread(np.ones(1), np.ones(1), 0.0, law=True)
    # By students, sizes with mean 1 and shape 1/cv^2 have a shape that is 1 more.
    z, share = normal_nodes(1.0 / 16.0)
    shape, tail = 1.0 + cv**-2, ndtr(-np.abs(z))
    x = np.where(z < 0.0, gammaincinv(shape, tail), gammainccinv(shape, tail)) * cv**2
    return SizeSpread(x, share, cv, law=True)


def own_sizes(table: SizeTable) -> SizeSpread:
    """The sizes of a sample.

    Parameters
    ----------
    table : SizeTable

    Returns
    -------
    SizeSpread
    """
    return given_sizes(table.size, table.count)


def given_sizes(size: Floats, count: Floats) -> SizeSpread:
    """Sizes that are told one by one.

    Parameters
    ----------
    size, count : ndarray, shape (K,)
        Groups have that many members, and so many groups do.

    Returns
    -------
    SizeSpread
    """
    n_groups, n_obs = float(count.sum()), float(count @ size)
    x = size / (n_obs / n_groups)
    cv = float(np.sqrt(np.sum(count * (x - 1.0) ** 2) / n_groups))
    return SizeSpread(x, count * size / n_obs, cv)


def expected_icc_limits(
    icc: float, spread: SizeSpread, sizes: tuple[int, float], arms: int, level: float
) -> tuple[float, float]:
    """Limits of the exact interval of the icc, on average over samples.

    Parameters
    ----------
    icc : float
    spread : SizeSpread
    sizes : (int, float)
        Groups, and their mean size.
    arms : int
        Parts of the sample that have means of their own.
    level : float

    Returns
    -------
    low, high : float
        A limit is where the pivot F(theta) meets its quantile. In equal groups F(theta) is (1 + n true)/(1 + n theta)
        times an F variable; in others its mean square between groups, a weighted sum of chi-squares whose weights go by
        the sample's sizes, is taken for one of the same mean and variance, in the half of the samples whose sizes are
        more alike and in the other. Limits are averaged over the F variable's quantiles. From 20 groups on the width is
        that of simulated samples within 2 %, if sizes follow the law: mean and coefficient of variation alone don't
        tell it.
    """
    from scipy.special import ndtr

    n_groups, mean_size = sizes
    equal = float(np.ptp(spread.x)) == 0.0
    n = np.array([[float(mean_size)]]) if equal else spread.samples(n_groups, mean_size)
    true, between, within = icc / (1.0 - icc), float(n_groups - arms), n_groups * (mean_size - 1.0)
    tail = 0.5 * (1.0 - level)
    quantiles = f_upper(tail, between, within), f_quantile(tail, between, within)
    z, weight = normal_nodes(1.0 / 32.0 if equal else 0.5)
    tails, left = ndtr(-np.abs(z)), z < 0.0

    def ratios(df: float | Floats) -> Floats:
        """F variables at the nodes, with the degrees of freedom between groups, one or (T, 1)."""
        lower = f_quantiles(tails[left], df, within)
        return np.concatenate((lower, 1.0 / f_quantiles(tails[~left], within, df)), axis=-1)

    if equal:
        f = ratios(between) * (1.0 + mean_size * true)
        thetas = [np.maximum(0.0, (f / quantile - 1.0) / mean_size) for quantile in quantiles]
        low, high = (float(np.sum(weight * icc_of(theta))) for theta in thetas)
        return low, high
    theta, found = _grid(true, n), np.zeros(2)
    for half in np.array_split(n, min(2, len(n))):
        mean, df = _pivot(theta, true, half, n_groups, arms)
        f = np.log(np.maximum(mean[:, None] * ratios(df[:, None]), 1e-300))
        # It falls as theta grows; a node whose pivot begins below the quantile has the limit 0.
        limits = [
            np.sum(weight * [np.interp(-math.log(quantile), -column, icc_of(theta)) for column in f.T])
            for quantile in quantiles
        ]
        found += len(half) / len(n) * np.array(limits)
    return float(found[0]), float(found[1])


def _grid(true: float, n: Floats) -> Floats:
    """Thetas from 0 to far beyond the limits of any sample of groups of sizes n."""
    ends = math.log(1e-4 / float(n.mean())), math.log(1e3 * (true + 1.0 / float(n.min())))
    return np.append(0.0, np.exp(np.linspace(*ends, 80)))


def _pivot(theta: Floats, true: float, n: Floats, n_groups: int, arms: int) -> tuple[Floats, Floats]:
    """Expectation of the pivot's mean square between groups over sigma2 at thetas, and its degrees of freedom.

    Samples, with groups of the sizes n (D, K), each as often as any other, are one as likely as another.
    """
    w, v = n / (1.0 + theta[:, None, None] * n), true + 1.0 / n
    total, once, twice, squares, cubes = (
        n_groups * values.mean(axis=-1) for values in (w, w * v, w * w * v, (w * v) ** 2, w**3 * v * v)
    )
    trace = once - arms * twice / total
    of_squares = squares - arms * (2.0 * cubes / total - (twice / total) ** 2)
    mean = trace.mean(axis=1)
    return mean / (n_groups - arms), mean**2 / (of_squares.mean(axis=1) + 0.5 * trace.var(axis=1))
