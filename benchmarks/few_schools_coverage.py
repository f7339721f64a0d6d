"""How often the intervals cover where schools are few or unequal: gamma00, tau00 and the school means.

    python benchmarks/few_schools_coverage.py [--samples 3000] [--only mean|schools] [-o FILE]

Samples are the statistics of schools themselves: normal means, chi-square sums of squares. Every interval comes from
the public functions. Half an hour for both parts on one processor; the seed is fixed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np

from fastml.inference.fiducial import fiducial_tau00
from fastml.inference.intervals import interval
from fastml.inference.posterior import school_posterior
from fastml.model.groups import Groups
from fastml.model.shrinkage import school_means
from fastml.model.size_table import SizeTable, reduce_sizes
from fastml.model.variance_components import estimate

SEED = 20261128
ICCS = (0.0, 0.02, 0.1, 0.3)
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


def sample(n: np.ndarray, theta: float, rng: np.random.Generator) -> tuple[Groups, np.ndarray]:
    """Groups with sigma2 = 1 and gamma00 = 0, and their true means."""
    true = math.sqrt(theta) * rng.normal(size=n.size)
    means = true + rng.normal(size=n.size) / np.sqrt(n)
    ss = np.where(n > 1, rng.chisquare(np.maximum(n - 1, 1)), 0.0)
    return Groups(None, n, means, np.zeros(n.size), ss), true


def table_of(groups: Groups) -> SizeTable:
    return reduce_sizes(groups.n, groups.mean, groups.residual, groups.ss)


def mean_cell(name: str, icc: float, samples: int) -> str:
    """A row: coverage and median width of gamma00's intervals, coverage of tau00's."""
    rng = np.random.default_rng([SEED, list(MEAN_SIZES).index(name), round(1000 * icc)])
    n, theta = np.array(MEAN_SIZES[name]), icc / (1.0 - icc)
    made: dict[str, list[tuple[bool, float]]] = {
        key: [] for key in ("t", "default", "default at 0", "fiducial", "profile")
    }
    for k in range(samples):
        table = table_of(sample(n, theta, rng)[0])
        vc = estimate(table)
        for key, method in (("t", "t"), ("default", None)):
            low, high = interval(table, vc, "gamma00", method=method)
            made[key].append((low <= 0.0 <= high, high - low))
        if vc.singular:
            made["default at 0"].append(made["default"][-1])
        if k < samples // 10:
            low, high = (table.unit**2 * x for x in fiducial_tau00(table, 0.95)[:2])
            made["fiducial"].append((low <= theta <= high, high - low))
            low, high = interval(table, vc, "tau00")
            made["profile"].append((low <= theta <= high, high - low))

    def cover(key: str) -> str:
        return f"{100 * np.mean([hit for hit, _ in made[key]]):.1f}" if len(made[key]) >= 100 else "-"

    def width(key: str) -> str:
        return f"{np.median([width for _, width in made[key]]):.3g}"

    cells = (f"{cover('t')} ({width('t')})", f"{cover('default')} ({width('default')})", cover("default at 0"))
    return f"| {name} | {icc:g} | {' | '.join((*cells, cover('profile'), cover('fiducial')))} |"


def school_cell(count: int, name: str, icc: float, samples: int) -> str:
    """A row: coverage of the intervals of true school means."""
    rng = np.random.default_rng([SEED, count, list(SCHOOL_SIZES).index(name), round(1000 * icc)])
    n, theta = np.resize(SCHOOL_SIZES[name], count), icc / (1.0 - icc)
    samples = samples if count <= 10 else samples // 3 if count <= 20 else samples // 6
    known, plug_in, at_zero = np.zeros(samples), np.zeros(samples), []
    for k in range(samples):
        groups, true = sample(n, theta, rng)
        table = table_of(groups)
        vc = estimate(table)
        posterior = school_posterior(table, groups, 0.95)
        known[k] = np.mean((posterior.low <= true) & (true <= posterior.high))
        means = school_means(groups, vc)
        plug_in[k] = np.mean(np.abs(true - means.eb_mean) <= Z * means.eb_se)
        if vc.singular:
            at_zero.append((known[k], plug_in[k]))
    zero = np.mean(at_zero, axis=0) if len(at_zero) >= 50 else (math.nan, math.nan)
    error = 100 * known.std() / math.sqrt(samples)
    where = " | ".join("-" if math.isnan(x) else f"{100 * x:.1f}" for x in zero)
    covered = f"{100 * known.mean():.1f} ({error:.1f}) | {100 * plug_in.mean():.1f}"
    return f"| {count} | {name} | {icc:g} | {covered} | {where} |"


def mean_part(samples: int, write: Callable[[str], None]) -> None:
    write("## gamma00 and tau00\n")
    write(
        f"{samples:,} samples a cell, a tenth of them for tau00; 95 % intervals; in brackets the median width, "
        "sigma2 = 1. By t: Satterthwaite's degrees of freedom, as the coefficient line and other programs have it.\n"
    )
    write("| schools | icc | t | default | default where REML is at 0 | tau00, profile | tau00, fiducial |")
    write("|---|---|---|---|---|---|---|")
    for name, icc in product(MEAN_SIZES, ICCS):
        write(mean_cell(name, icc, samples))


def school_part(samples: int, write: Callable[[str], None]) -> None:
    write("\n## School means\n")
    write(
        f"{samples:,} samples a cell (a third at 20 schools, a sixth at 50), each with an interval a school; in "
        "brackets the Monte-Carlo error.\n"
    )
    write("| schools | sizes | icc | posterior | plug-in | posterior where REML is at 0 | plug-in there |")
    write("|---|---|---|---|---|---|---|")
    for count, name, icc in product(SCHOOLS, SCHOOL_SIZES, SCHOOL_ICCS):
        write(school_cell(count, name, icc, samples))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--only", choices=("mean", "schools"))
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    lines: list[str] = []

    def write(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    if args.only != "schools":
        mean_part(args.samples, write)
    if args.only != "mean":
        school_part(args.samples, write)
    if args.output:
        args.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
