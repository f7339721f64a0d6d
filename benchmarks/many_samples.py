"""Many samples of the same schools at once: their fits, and what the fiducial laws say of the truth.

The formulas are those of `fastml.inference.fiducial`, for all samples in one array: whether an interval holds the
truth takes the law's mass to the left of it, not its limits. `few_schools_coverage.py` checks some samples against the
public functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, stdtr

from fastml.inference.distributions import chi2_nodes, f_quantiles, f_tails
from fastml.inference.information import interior_satterthwaite
from fastml.model.batch import BatchTables, fit_batch
from fastml.model.groups import Groups
from fastml.model.variance_components import Terms

NODES = 80


@dataclass(frozen=True, eq=False)
class Samples:
    """Statistics of S samples of J schools with D sizes; sigma2 = 1 and gamma00 = 0.

    Attributes
    ----------
    n : ndarray, shape (J,)
    true, mean, ss : ndarray, shape (S, J)
        Schools' true means, their means and sums of squares.
    size, count : ndarray, shape (D,)
    means, squares : ndarray, shape (S, D)
        By size: mean of the schools' means, and their squares about it.
    ssw : ndarray, shape (S,)
    """

    n: np.ndarray
    true: np.ndarray
    mean: np.ndarray
    ss: np.ndarray
    size: np.ndarray
    count: np.ndarray
    means: np.ndarray
    squares: np.ndarray
    ssw: np.ndarray

    @property
    def df(self) -> tuple[float, float]:
        return len(self.n) - 1.0, float(self.n.sum() - len(self.n))

    def groups(self, k: int) -> Groups:
        return Groups(None, self.n, self.mean[k], np.zeros(len(self.n)), self.ss[k])


def draw(n: np.ndarray, theta: float, samples: int, rng: np.random.Generator) -> Samples:
    shape = samples, len(n)
    true = np.sqrt(theta) * rng.normal(size=shape)
    mean = true + rng.normal(size=shape) / np.sqrt(n)
    ss = np.where(n > 1, rng.chisquare(np.maximum(n - 1, 1), shape), 0.0)
    size, place = np.unique(n, return_inverse=True)
    member = np.equal.outer(place, np.arange(len(size))).astype(float)
    count = member.sum(axis=0)
    means = mean @ member / count
    squares = (mean - means[:, place]) ** 2 @ member
    return Samples(n, true, mean, ss, size.astype(float), count, means, squares, ss.sum(axis=1))


@dataclass(frozen=True, eq=False)
class Fits:
    """REML of every sample, shape (S,); `df` is Satterthwaite's."""

    theta: np.ndarray
    gamma: np.ndarray
    se: np.ndarray
    df: np.ndarray


def fit(samples: Samples) -> Fits:
    many, sizes = samples.means.shape
    dof = float(samples.n.sum() - 1)
    columns = np.stack([
        np.tile(samples.size, many), np.tile(samples.count, many), samples.means.ravel(), samples.squares.ravel()
    ])  # fmt: skip
    tables = BatchTables(sizes * np.arange(many + 1), columns, samples.ssw, np.full(many, dof))
    fits = fit_batch(tables, restricted=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = Terms(*fits.terms.T)
        df = np.where(fits.theta > 0.0, interior_satterthwaite(terms, dof, True), dof)
    return Fits(fits.theta, fits.gamma, np.sqrt(fits.sigma2 / terms.w1), df)


@dataclass(frozen=True, eq=False)
class Sums:
    """Of each sample at thetas of its own, shape (S, K): the mean, sum w, sum w (mean - gamma)^2 and its falling."""

    gamma: np.ndarray
    w1: np.ndarray
    between: np.ndarray
    falling: np.ndarray


def at_thetas(samples: Samples, theta: np.ndarray) -> Sums:
    weights = [size / (1.0 + theta * size) for size in samples.size]
    columns = [column[:, None] for column in samples.means.T], [column[:, None] for column in samples.squares.T]
    w1 = sum(count * w for count, w in zip(samples.count, weights, strict=True))
    gamma = sum(count * w * mean for count, w, mean in zip(samples.count, weights, columns[0], strict=True)) / w1
    between, falling = np.zeros_like(theta), np.zeros_like(theta)
    for count, w, mean, squares in zip(samples.count, weights, *columns, strict=True):
        part = w * (squares + count * (mean - gamma) ** 2)
        between += part
        falling += w * part
    return Sums(gamma, w1, between, falling)


def ratio(samples: Samples, between: np.ndarray) -> np.ndarray:
    """F from what is between, shape (S, K)."""
    f: np.ndarray = between / samples.ssw[:, None] * (samples.df[1] / samples.df[0])
    return f


def fiducial_law(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Thetas and their weights, shape (S, 81)."""
    df, many = samples.df, len(samples.ssw)
    at_zero = ratio(samples, at_thetas(samples, np.zeros((many, 1))).between)
    above, below = f_tails(at_zero, *df), f_tails(1.0 / at_zero, df[1], df[0])
    x, width = np.polynomial.legendre.leggauss(NODES)
    v, rest = 0.5 * (1.0 + x), 0.5 * (1.0 - x)
    p, q = below * betainc(4.0, 3.0, v), above + below * betainc(3.0, 4.0, rest)
    low = p < q
    wanted = np.where(low, f_quantiles(np.where(low, p, 0.5), *df), 1.0 / f_quantiles(np.where(low, 0.5, q), *df[::-1]))
    theta = np.zeros_like(wanted)
    for _ in range(200):  # Newton on the inverse of F, which is concave, from 0
        found = at_thetas(samples, theta)
        step = np.maximum((ratio(samples, found.between) / wanted - 1.0) * found.between / found.falling, 0.0)
        theta += step
        if np.all(step <= 1e-9 * theta):
            break
    weight = np.concatenate([above, 30.0 * below * v**3 * rest**2 * width], axis=1)
    return np.concatenate([np.zeros((many, 1)), theta], axis=1), weight


def mean_mass(samples: Samples, at: float = 0.0) -> np.ndarray:
    """Fiducial mass of gamma00 to the left of a value, shape (S,)."""
    theta, weight = fiducial_law(samples)
    found = at_thetas(samples, theta)
    df = samples.n.sum() - 1.0
    scale = np.sqrt((samples.ssw[:, None] + found.between) / (df * found.w1))
    mass: np.ndarray = (weight * stdtr(df, (at - found.gamma) / scale)).sum(axis=1)
    return mass


def tau00_mass(samples: Samples, tau00: float) -> np.ndarray:
    """Fiducial mass of tau00 up to a value, shape (S,)."""
    chi2, weight = chi2_nodes(samples.n.sum() - 1.0)
    product = np.tile(tau00 * chi2, (len(samples.ssw), 1))
    theta = np.zeros_like(product)
    for _ in range(200):  # theta R(theta) is concave
        found = at_thetas(samples, theta)
        r = samples.ssw[:, None] + found.between
        step = np.maximum((product - theta * r) / (r - theta * found.falling), 0.0)
        theta += step
        if np.all(step <= 1e-9 * theta):
            break
    mass: np.ndarray = f_tails(ratio(samples, at_thetas(samples, theta).between), *samples.df) @ weight
    return mass
