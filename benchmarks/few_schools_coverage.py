"""How often the intervals cover where schools are few or unequal: gamma00, tau00 and the school means.

    python benchmarks/few_schools_coverage.py --cells few.jsonl -o docs/coverage_few_schools.md

Samples are the statistics of schools themselves: normal means, chi-square sums of squares. Whether an interval holds
the truth is read off the mass that its law has to the left of it, for all samples at once, which is a hundredth of the
work of finding limits; some of each row are checked against the intervals of the public functions. Ten minutes or so
on one processor; see `coverage_tables.py` for what else can be asked.
"""

from __future__ import annotations

import math
import sys
from itertools import product
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

sys.path.insert(0, str(Path(__file__).parent))

from coverage_tables import Found, Row, Table, main, percent
from many_samples import Samples, draw, fit, mean_mass, plug_in_holds, school_masses, tau00_mass

from fastml.inference.intervals import interval
from fastml.inference.posterior import school_posterior
from fastml.model.groups import Groups
from fastml.model.shrinkage import school_means
from fastml.model.size_table import SizeTable, reduce_sizes
from fastml.model.variance_components import estimate

SEED = 20261128
ICCS = (0.0, 0.02, 0.05, 0.1, 0.3)
MEAN_SIZES = {
    "2 of 10": [10, 10], "5, 20": [5, 20],
    "3 of 20": [20] * 3, "5, 6, 5": [5, 6, 5], "20, 21, 20": [20, 21, 20], "5, 5, 300": [5, 5, 300],
    "5 of 20": [20] * 5, "5 of 4 or 60": [4, 60, 4, 60, 4], "4 of 5, one of 300": [5] * 4 + [300],
    "10 of 20": [20] * 10, "10 of 4 or 60": [4, 60] * 5, "9 of 5, one of 300": [5] * 9 + [300],
    "30 of 4 or 60": [4, 60] * 15, "29 of 5, one of 300": [5] * 29 + [300],
}  # fmt: skip
SCHOOL_SIZES = {"2": [2], "5": [5], "30": [30], "5 or 30": [5, 30]}
SCHOOLS = (2, 3, 4, 5, 10, 20, 50)
SCHOOL_ICCS = (0.05, 0.2)
Z = 1.959963984540054
LEVEL = 0.95
CHECKED = 20  # samples of school means, and of tau00's fiducial law, whose limits are found too
PROFILED = 300  # samples of which tau00 has a profile, and gamma00 its limits
FEWEST_AT_ZERO = 100  # samples with REML at 0, for their coverage to be told


def table_of(groups: Groups) -> SizeTable:
    return reduce_sizes(groups.n, groups.mean, groups.residual, groups.ss)


def holds(mass: np.ndarray) -> np.ndarray:
    """Whether the interval holds the truth, of the law's mass to the left of it."""
    held: np.ndarray = np.abs(mass - 0.5) <= 0.5 * LEVEL
    return held


def by_t(estimate: np.ndarray, se: np.ndarray, df: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Whether an interval by t holds 0, and its width."""
    reach = stdtrit(df, 0.5 * (1.0 + LEVEL)) * se
    return np.abs(estimate) <= reach, 2.0 * reach


def default_holds(samples: Samples, singular: np.ndarray) -> np.ndarray:
    """Whether the default interval of gamma00 holds 0: t in schools of one size, the wider of two at 0."""
    if len(samples.size) > 1:
        return holds(mean_mass(samples))
    n_obs, df = samples.n.sum(), samples.df[0]
    between = samples.size[0] * samples.squares[:, 0]
    exact, width = by_t(samples.means[:, 0], np.sqrt(between / df / n_obs), df)
    pooled, other = by_t(samples.means[:, 0], np.sqrt((samples.ssw + between) / (n_obs - 1.0) / n_obs), n_obs - 1.0)
    return np.where(singular & (other > width), pooled, exact)


def mean_row(row: Row, count: int) -> Found:
    """Coverage and median width of gamma00's intervals, coverage of tau00's."""
    name, icc = str(row[0]), float(row[1])
    rng = np.random.default_rng([SEED, list(MEAN_SIZES).index(name), round(1000 * icc)])
    theta = icc / (1.0 - icc)
    samples = draw(np.array(MEAN_SIZES[name]), theta, count, rng)
    fits = fit(samples)
    singular = fits.theta == 0.0
    held, width = by_t(fits.gamma, fits.se, fits.df)
    default = default_holds(samples, singular)
    fiducial = holds(tau00_mass(samples, theta)) if theta > 0.0 else np.full(count, math.nan)
    widths, profile = [], []
    for k in range(min(count, PROFILED)):
        table = table_of(samples.groups(k))
        vc = estimate(table)
        low, high = interval(table, vc, "gamma00")
        widths.append(high - low)
        assert (low <= 0.0 <= high) == default[k]
        low, high = interval(table, vc, "gamma00", method="t")
        assert math.isclose(high - low, width[k], rel_tol=1e-6)
        low, high = interval(table, vc, "tau00")
        profile.append(low <= theta <= high)
        if k < CHECKED and theta > 0.0:
            low, high = interval(table, vc, "tau00", method="fiducial")
            assert (low <= theta <= high) == fiducial[k]
    return {
        "t": float(held.mean()), "t width": float(np.median(width)),
        "default": float(default.mean()), "default width": float(np.median(widths)),
        "at 0": float(default[singular].mean()) if singular.sum() >= FEWEST_AT_ZERO else math.nan,
        "profile": float(np.mean(profile)), "fiducial": float(fiducial.mean()),
    }  # fmt: skip


def show_mean(row: Row, got: Found) -> list[str]:
    cells = [f"{percent(got[key])} ({got[f'{key} width']:.3g})" for key in ("t", "default")]
    return [str(row[0]), f"{row[1]:g}", *cells, *(percent(got[key]) for key in ("at 0", "profile", "fiducial"))]


def school_row(row: Row, samples: int) -> Found:
    """Coverage of the intervals of true school means, all and where REML is at 0, and its Monte-Carlo error."""
    count, name, icc = int(row[0]), str(row[1]), float(row[2])
    rng = np.random.default_rng([SEED, count, list(SCHOOL_SIZES).index(name), round(1000 * icc)])
    drawn = draw(np.resize(SCHOOL_SIZES[name], count), icc / (1.0 - icc), samples, rng)
    fits = fit(drawn)
    held, plug_in, singular = holds(school_masses(drawn)), plug_in_holds(drawn, fits, Z), fits.theta == 0.0
    for k in range(min(samples, CHECKED)):
        groups = drawn.groups(k)
        table = table_of(groups)
        found, plain = school_posterior(table, groups, LEVEL), school_means(groups, estimate(table))
        assert np.array_equal(held[k], (found.low <= drawn.true[k]) & (drawn.true[k] <= found.high))
        assert np.array_equal(plug_in[k], np.abs(drawn.true[k] - plain.eb_mean) <= Z * plain.eb_se)
    at_zero = (held[singular], plug_in[singular]) if singular.sum() >= FEWEST_AT_ZERO else (math.nan, math.nan)
    return {
        "posterior": float(held.mean()), "error": float(np.std(held.mean(axis=1))) / math.sqrt(samples),
        "plug-in": float(plug_in.mean()),
        "posterior at 0": float(np.mean(at_zero[0])), "plug-in at 0": float(np.mean(at_zero[1])),
    }  # fmt: skip


def show_school(row: Row, got: Found) -> list[str]:
    names = ("plug-in", "posterior at 0", "plug-in at 0")
    covered = f"{percent(got['posterior'])} ({100.0 * got['error']:.1f})"
    return [f"{row[0]:g}", str(row[1]), f"{row[2]:g}", covered, *(percent(got[name]) for name in names)]


HEADING = """# Coverage with few and unequal schools

How often 95 % intervals hold the truth, by `python benchmarks/few_schools_coverage.py`; sigma2 = 1.
"""

MEAN = f"""## gamma00 and tau00

{{samples}} samples a row, Monte-Carlo error {{error}} points at 95 %; {PROFILED} for tau00's profile and the width of
the default. In brackets the median width. "t" is by Satterthwaite's degrees of freedom, as the coefficient line and
other programs have it. The default is exact in schools of one size ("at least" where REML is at 0) and fiducial in
others; above 97.7 % it is with two or three schools, or at an ICC near 0 only. Given that REML is at 0 no interval
covers 95 %: those samples are the ones whose means happen to agree."""

SCHOOL = """## School means

{samples} samples a row, each with an interval a school; in brackets the Monte-Carlo error. Above 97.5 % the
posterior covers where tau00 is less than its own standard error (two students a school, an ICC of .05): the posterior
can't put tau00 below 0, so it has it too high. Where REML is at 0 the plug-in interval takes all schools for alike."""

TABLES = [
    Table(
        name="mean", text=MEAN, rows=list(product(MEAN_SIZES, ICCS)), samples=6_000, measure=mean_row, show=show_mean,
        head=("schools", "icc", "t", "default", "default where REML is at 0", "tau00, profile", "tau00, fiducial"),
    ),
    Table(
        name="schools", text=SCHOOL, rows=list(product(SCHOOLS, SCHOOL_SIZES, SCHOOL_ICCS)), samples=3_000,
        measure=school_row, show=show_school,
        head=("schools", "sizes", "icc", "posterior", "plug-in", "posterior where REML is at 0", "plug-in there"),
    ),
]  # fmt: skip


if __name__ == "__main__":
    main(HEADING, TABLES)
