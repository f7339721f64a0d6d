"""School means under a flat prior: their posterior counts that tau00 is estimated, which the plug-in interval does not.

The prior is flat in tau00 and gamma00, and 1/sigma2 (Morris 1983; Morris and Lysy 2012). Given theta = tau00/sigma2 a
school's true mean is a t variable around its shrunken one; theta itself has a posterior in one dimension, which is
integrated over.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastml.inference.fiducial import Nodes, at_thetas, fiducial_nodes
from fastml.inference.mixtures import mixture_of_t
from fastml.model.groups import Groups
from fastml.model.profile import evaluate_many, find_minimum
from fastml.model.size_table import SizeTable

__all__ = ["SchoolPosterior", "ThetaLaw", "school_posterior", "theta_law"]

Floats = npt.NDArray[np.float64]

FEWEST = 4  # groups, for the posterior to be proper
MOST_INVERTED = 100  # groups; of more, limits are interpolated
FEWEST_NODES = 32
# Where the nodes end, by the density over its maximum, and how well they integrate.
EXACT, CLOSE = (1e-12, 1e-10), (1e-8, 1e-5)
GRID_SIZES, GRID_MEANS = 8, 13  # between which limits are interpolated


@dataclass(frozen=True, eq=False)
class ThetaLaw:
    """The law of theta that the means are mixed over.

    Attributes
    ----------
    nodes : Nodes
    df : float
        Given theta, sigma2 is R(theta) over a chi-square of so many degrees of freedom.
    """

    nodes: Nodes
    df: float


@dataclass(frozen=True, eq=False)
class SchoolPosterior:
    """What is known of every school's true mean, in score points; all arrays have shape (J,).

    Attributes
    ----------
    mean, sd : ndarray
        `sd` is NaN where it has no bound: of five scores or less in all.
    low, high : ndarray
    """

    mean: Floats
    sd: Floats
    low: Floats
    high: Floats


def theta_law(table: SizeTable) -> ThetaLaw:
    """Posterior of theta under a flat prior on tau00 and gamma00, and 1/sigma2.

    Parameters
    ----------
    table : SizeTable

    Returns
    -------
    ThetaLaw
        Its density is prod (1 + n theta)^(-1/2) (sum w)^(-1/2) R^(-(N - 3)/2). The nodes are even in log theta, to
        where the density by log theta is negligible. With two or three groups it can't be normed: the law is the
        fiducial one then.
    """
    if table.n_groups < FEWEST:
        return ThetaLaw(fiducial_nodes(table), table.n_obs - 1.0)
    df = table.n_obs - 3.0
    found = find_minimum(table.columns, table.ssw, df, True)
    origin, modes = (found.theta, found.thetas) if found is not None else (0.0, np.zeros(1))

    def log_density(u: Floats) -> Floats:
        # The density is that of REML's deviance with two degrees of freedom less.
        height: Floats = u - 0.5 * evaluate_many(table.columns, np.exp(u), origin, table.ssw, df, True)[:, 9]
        return height

    negligible, fine = EXACT if table.n_groups <= MOST_INVERTED else CLOSE
    ends = _support(log_density, table, np.log(modes[modes > 0.0]), math.log(negligible))
    u = _even_nodes(log_density, *ends, fine)
    height = log_density(u)
    density = np.exp(height - height.max())
    return ThetaLaw(at_thetas(table, np.exp(u), density / density.sum()), df)


def _support(
    log_density: Callable[[Floats], Floats], table: SizeTable, modes: Floats, negligible: float
) -> tuple[float, float]:
    """Where log theta has more than a negligible density; `modes` are about where it is highest."""
    low = -math.log(table.size[-1]) - 45.0
    high = max(-math.log(table.size[0]), float(modes.max(initial=-math.inf))) + 90.0
    points = np.linspace(low, high, math.ceil(2.0 * (high - low)))
    while True:
        # A peak narrower than the step is not missed: its mode is among the points.
        points = np.sort(np.append(points, modes))
        height = log_density(points)
        held = np.flatnonzero(height > height.max() + negligible)
        before, after = points[max(held[0] - 1, 0)], points[min(held[-1] + 1, len(points) - 1)]
        if after - before > 0.7 * (high - low):
            return float(before), float(after)
        low, high = before, after
        modes = modes[(modes > low) & (modes < high)]
        points = np.linspace(low, high, 2 * FEWEST_NODES)


def _even_nodes(log_density: Callable[[Floats], Floats], low: float, high: float, fine: float) -> Floats:
    """Nodes of log theta, as many as it takes until those half way between give the same sums, to the share `fine`."""
    u = np.linspace(low, high, FEWEST_NODES + 1)
    at = log_density(u)
    for _ in range(8):
        middle = 0.5 * (u[1:] + u[:-1])
        between = log_density(middle)
        top = max(at.max(), between.max())
        mass, other = np.exp(at - top), np.exp(between - top)
        if abs(mass.sum() - other.sum()) <= fine * mass.sum() and abs(
            mass @ (u - low) - other @ (middle - low)
        ) <= fine * mass.sum() * (high - low):
            break
        order = np.argsort(np.append(u, middle))
        u, at = np.append(u, middle)[order], np.append(at, between)[order]
    return u


def school_posterior(table: SizeTable, groups: Groups, level: float) -> SchoolPosterior:
    """Posterior mean, standard deviation and limits of every school's true mean.

    Parameters
    ----------
    table : SizeTable
        Of the groups.
    groups : Groups
    level : float

    Returns
    -------
    SchoolPosterior
        The limits invert the mixture over theta; those of more than 100 schools are interpolated between inverted
        ones, in units of the standard deviation.
    """
    law = theta_law(table)
    origin = float(np.sum(law.nodes.weight * law.nodes.gamma))
    deviation = (((groups.mean - table.origin) + groups.residual) / table.unit) - origin
    place = np.searchsorted(table.size, groups.n)
    mean, sd = _moments(law, origin, table.size, place, deviation)
    tail = 0.5 * (1.0 - level)
    if table.n_groups <= MOST_INVERTED:
        laws = _given_theta(law, origin, table.size[place], deviation)
        low, high = mixture_of_t(law.nodes.weight, *laws, law.df, tail)
    else:
        low, high = (mean + sd * z for z in _interpolate(law, origin, table.size, place, deviation, tail))
    mean, low, high = (table.origin + table.unit * (origin + x) for x in (mean, low, high))
    return SchoolPosterior(mean, table.unit * sd, low, high)


def _given_theta(law: ThetaLaw, origin: float, n: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """Centre (less the origin) and scale of a true mean's t law at each theta; n and deviation (J,), these (J, K)."""
    share, scale = _by_size(law, n)
    gamma = law.nodes.gamma - origin
    return gamma + share * (deviation[:, None] - gamma), scale


def _by_size(law: ThetaLaw, n: Floats) -> tuple[Floats, Floats]:
    """Reliability, and scale of a true mean's t law, of schools of sizes n at each theta, shape (J, K)."""
    nodes = law.nodes
    rest = 1.0 / (1.0 + n[:, None] * nodes.theta)
    scale = np.sqrt(nodes.r / law.df * (nodes.theta * rest + rest * rest / nodes.w1))
    return n[:, None] * nodes.theta * rest, scale


def _moments(
    law: ThetaLaw, origin: float, size: Floats, place: npt.NDArray[np.intp], deviation: Floats
) -> tuple[Floats, Floats]:
    """Mean, less the origin, and standard deviation of the schools' true means, shape (J,).

    Given theta a mean is a + b d, d the school's deviation, give or take a variance v; a, b and v go by the size. So
    both moments are polynomials in d, whose coefficients, sums over theta, are found by size.
    """
    b, scale = _by_size(law, size)
    a = (1.0 - b) * (law.nodes.gamma - origin)

    def over_theta(values: Floats) -> Floats:
        total: Floats = (law.nodes.weight * values).sum(axis=1)
        return total

    mean_a, mean_b = over_theta(a), over_theta(b)
    a, b = a - mean_a[:, None], b - mean_b[:, None]
    v = scale * scale * (law.df / (law.df - 2.0)) if law.df > 2.0 else np.full_like(scale, np.nan)
    variance = (over_theta(a * a + v), 2.0 * over_theta(a * b), over_theta(b * b))
    constant, linear, square = (coefficient[place] for coefficient in variance)
    return mean_a[place] + mean_b[place] * deviation, np.sqrt(constant + deviation * (linear + deviation * square))


def _interpolate(
    law: ThetaLaw, origin: float, size: Floats, place: npt.NDArray[np.intp], deviation: Floats, tail: float
) -> tuple[Floats, Floats]:
    """Limits in standard deviations from the mean, shape (J,).

    They hardly depend on the school. What they have of its deviation, in standard errors, is a polynomial through
    limits that are inverted at Chebyshev's points; what they have of the log of its size another, where sizes are many.
    """
    from numpy.polynomial import chebyshev

    expected = float(np.sum(law.nodes.weight * law.nodes.theta))

    def error(n: Floats) -> Floats:
        root: Floats = np.sqrt(expected + 1.0 / n)
        return root

    x, x_points, x_basis = _scaled(deviation / error(size)[place], GRID_MEANS)
    few = len(size) <= GRID_SIZES
    log_size, size_points, size_basis = _scaled(np.log(size), GRID_SIZES)
    n = size if few else np.exp(size_points)
    every = np.repeat(np.arange(len(n)), GRID_MEANS)
    d = np.tile(x_points, len(n)) * error(n)[every]
    mean, sd = _moments(law, origin, n, every, d)
    made = []
    for limit in mixture_of_t(law.nodes.weight, *_given_theta(law, origin, n[every], d), law.df, tail):
        coefficients = np.linalg.solve(x_basis, ((limit - mean) / sd).reshape(-1, GRID_MEANS).T)
        if not few:
            by_size = np.linalg.solve(size_basis, coefficients.T)
            coefficients = (chebyshev.chebvander(log_size, GRID_SIZES - 1) @ by_size).T
        made.append(_chebyshev_sum(x, np.asarray(coefficients, np.float64), place))
    return made[0], made[1]


def _chebyshev_sum(x: Floats, coefficients: Floats, place: npt.NDArray[np.intp]) -> Floats:
    """Sums of Chebyshev's polynomials at x (J,) by Clenshaw, of the coefficients (K, D) at each place.

    NumPy's takes coefficients for each x, (K, J), which cost more to gather and copy than all the sums.
    """
    twice, last, before = 2.0 * x, np.zeros_like(x), np.zeros_like(x)
    for row in coefficients[:0:-1]:
        last, before = row[place] + twice * last - before, last
    made: Floats = coefficients[0][place] + x * last - before
    return made


def _scaled(values: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """Values on (-1, 1), Chebyshev's points between their ends, and his polynomials at those, shape (count, count)."""
    from numpy.polynomial import chebyshev

    low, high = float(values.min()), float(values.max())
    middle, half = 0.5 * (low + high), 0.5 * (high - low) or 1.0
    points = chebyshev.chebpts1(count).astype(np.float64)
    basis = chebyshev.chebvander(points, count - 1).astype(np.float64)
    return (values - middle) / half, middle + half * points, basis
