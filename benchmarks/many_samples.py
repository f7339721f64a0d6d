"""Many samples of the same schools at once: their fits, and what the fiducial laws say of the truth.

The formulas are those of `fastml.inference.fiducial` and `posterior`, for all samples in one array: whether an interval
holds the truth takes the law's mass to the left of it, not its limits. `few_schools_coverage.py` checks some samples
against the public functions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betainc, ndtr, stdtr, stdtrit

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

    def part(self, first: int, last: int) -> Samples:
        """Those samples only."""
        by_sample = {
            name: getattr(self, name)[first:last] for name in ("true", "mean", "ss", "means", "squares", "ssw")
        }
        return replace(self, **by_sample)


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
    """REML of every sample, shape (S,); `se` and `df`, Satterthwaite's, are of gamma."""

    theta: np.ndarray
    gamma: np.ndarray
    sigma2: np.ndarray
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
    return Fits(fits.theta, fits.gamma, fits.sigma2, np.sqrt(fits.sigma2 / terms.w1), df)


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


def posterior_law(samples: Samples) -> tuple[np.ndarray, np.ndarray, float]:
    """Thetas and their weights, shape (S, K), and the df: the posterior of four schools or more, else the fiducial."""
    n_groups, n_obs = len(samples.n), float(samples.n.sum())
    if n_groups < 4:
        return *fiducial_law(samples), n_obs - 1.0
    # The density by log theta rises as theta and falls as its root of J - 3; both ends are beyond 1e-9 of the highest.
    low, high = -np.log(samples.size[-1]) - 24.0, -np.log(samples.size[0]) + 12.0 + 42.0 / (n_groups - 3.0)
    u = np.arange(low, high, 0.2 if n_groups <= 10 else 0.1)
    theta = np.tile(np.exp(u), (len(samples.ssw), 1))
    found = at_thetas(samples, theta)
    log = u - 0.5 * (samples.count @ np.log1p(np.multiply.outer(samples.size, np.exp(u)))) - 0.5 * np.log(found.w1)
    log = log - 0.5 * (n_obs - 3.0) * np.log(samples.ssw[:, None] + found.between)
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    held = weight.max(axis=0) > 1e-10
    return theta[:, held], weight[:, held], n_obs - 3.0


def school_masses(samples: Samples) -> np.ndarray:
    """Posterior mass of every school's mean to the left of the true one, shape (S, J)."""
    masses, step = np.empty_like(samples.true), 200
    for first in range(0, len(masses), step):
        some = samples.part(first, first + step)
        theta, weight, df = posterior_law(some)
        found = at_thetas(some, theta)
        r = some.ssw[:, None] + found.between
        # Interpolated between a t law's masses 1e-3 apart on the normal scale, a tenth of the work of stdtr.
        scores = np.linspace(-8.0, 8.0, 16_001)
        t, left = stdtrit(df, ndtr(scores)), ndtr(scores)
        for j, n in enumerate(some.n):
            rest = 1.0 / (1.0 + n * theta)
            scale = np.sqrt(r / df * (theta * rest + rest**2 / found.w1))
            centre = found.gamma + n * theta * rest * (some.mean[:, j, None] - found.gamma)
            z = (some.true[:, j, None] - centre) / scale
            masses[first : first + step, j] = (weight * np.interp(z, t, left)).sum(axis=1)
    return masses


def plug_in_holds(samples: Samples, fits: Fits, z: float) -> np.ndarray:
    """Whether eb_mean give or take z eb_se holds the true mean, shape (S, J)."""
    theta, gamma, sigma2, se = (x[:, None] for x in (fits.theta, fits.gamma, fits.sigma2, fits.se))
    rest = 1.0 / (1.0 + samples.n * theta)
    centre = gamma + (1.0 - rest) * (samples.mean - gamma)
    held: np.ndarray = np.abs(samples.true - centre) <= z * np.sqrt(theta * sigma2 * rest + (rest * se) ** 2)
    return held
