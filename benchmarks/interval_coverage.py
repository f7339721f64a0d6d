"""How often the intervals cover: a simulation over numbers of schools, their sizes and intraclass correlations.

    python benchmarks/interval_coverage.py [--exact 10000] [--others 1000] [--bootstrap 300] [--processes 2] [-o FILE]

Samples are drawn as the sufficient statistics themselves, by distinct size: normal means, chi-square sums of
squares. Every figure comes from the public interval functions. Some minutes; the seed is fixed. Few or unequal
schools, and the means of schools, are in `few_schools_coverage.py`, weights and replicates in `robust_coverage.py`.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from itertools import product
from pathlib import Path

import numpy as np

from fastml.errors import FastmlError
from fastml.inference.bootstrap import acceleration, bca_limits, bootstrap, percentile_limits
from fastml.inference.distributions import t_quantile
from fastml.inference.hypotheses import anova
from fastml.inference.information import mean_test
from fastml.inference.intervals import interval
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import estimate

SEED = 20250114
GROUPS = (5, 10, 30, 100)
SIZES = ("equal 20", "4 or 60", "lognormal")
ICCS = (0.0, 0.02, 0.1, 0.3, 0.8)
LEVEL = 0.95
DRAWS = 999
OTHERS = ("profile", "profile-ml", "wald")
MEANS = ("satterthwaite", "kenward-roger", "hlm", "normal")


def sizes_of(kind: str, groups: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "equal 20":
        return np.full(groups, 20)
    if kind == "4 or 60":
        return np.where(np.arange(groups) % 2 == 0, 4, 60)
    return np.maximum(2, np.round(rng.lognormal(math.log(20.0), 0.7, groups))).astype(int)


def sample(n: np.ndarray, theta: float, rng: np.random.Generator) -> SizeTable:
    size, count = np.unique(n, return_counts=True)
    variance = theta + 1.0 / size
    return SizeTable(
        columns=np.stack(
            [
                size,
                count,
                rng.normal(size=size.size) * np.sqrt(variance / count),
                2.0 * variance * rng.standard_gamma(0.5 * (count - 1)),
            ]
        ),
        ssw=float(rng.chisquare(n.sum() - n.size)),
        origin=0.0,
        unit=1.0,
        n_obs=int(n.sum()),
        n_groups=n.size,
    )


def cell(task: tuple[int, str, float, int, int, int]) -> dict[str, float]:
    groups, kind, icc, exact, others, boots = task
    key = [SEED, groups, SIZES.index(kind), ICCS.index(icc)]
    rng = np.random.default_rng(key)
    n = sizes_of(kind, groups, rng)
    theta = icc / (1.0 - icc)
    hits: dict[str, list[bool]] = {}

    def note(name: str, low: float, high: float, truth: float = icc) -> None:
        hits.setdefault(name, []).append(low <= truth <= high)

    for k in range(exact):
        table = sample(n, theta, rng)
        vc = estimate(table)
        made = interval(table, vc, "icc", method="exact")
        note("exact", made.low, made.high)
        square = anova(table)
        # Searle's is cut at 0 as the exact one is.
        note("searle n0", max(0.0, square.icc_low_searle), max(0.0, square.icc_high_searle))
        for df in MEANS:
            test = mean_test(table, vc, df)
            reach = t_quantile(0.5 * (1.0 + LEVEL), test.df) * test.se
            note(df, test.estimate - reach, test.estimate + reach, 0.0)
        if k < others:
            for method in OTHERS:
                try:
                    made = interval(table, vc, "icc", method=method)
                    note(method, made.low, made.high)
                except FastmlError:  # wald at the boundary: no interval, which covers nothing
                    note(method, 1.0, 1.0)
            made = interval(table, vc, "gamma00", method="profile")
            note("profile mean", made.low, made.high, 0.0)
            sigma2 = interval(table, vc, "sigma2")
            note("sigma2", sigma2.low, sigma2.high, 1.0)
        if k < boots:
            draws = bootstrap(table, vc, DRAWS, rng)
            low, high = percentile_limits(draws.theta, LEVEL)
            note("bootstrap", low / (1 + low), high / (1 + high))
            if vc.singular:
                note("bca", 1.0, 1.0)  # refused at the boundary
            else:
                low, high = bca_limits(draws.theta, vc.theta, LEVEL, acceleration(table, vc, "theta"))
                note("bca", low / (1 + low), high / (1 + high))
    return {name: float(np.mean(values)) for name, values in hits.items()}


def report(cells: list[tuple[int, str, float]], results: list[dict[str, float]], args: argparse.Namespace) -> str:
    columns = ["exact", "searle n0", *OTHERS, "bootstrap", "bca"]
    lines = [
        "# Coverage of 95 % intervals",
        "",
        f"Seed {SEED}. Samples a cell: {args.exact:,} (exact, searle n0, and the mean's t intervals), {args.others:,} "
        f"(profile, profile-ml, wald), {args.bootstrap:,} of {DRAWS} draws (bootstrap, bca). Monte-Carlo standard "
        f"errors at 95 %: {100 * math.sqrt(0.0475 / args.exact):.2f}, {100 * math.sqrt(0.0475 / args.others):.2f} and "
        f"{100 * math.sqrt(0.0475 / args.bootstrap):.2f} points. At icc = 0 the exact interval covers 97.5 %, since "
        "its lower end is cut. A method that gives no interval at the boundary (wald, bca) misses there. "
        "Made by `python benchmarks/interval_coverage.py`.",
        "",
        "## icc",
        "",
        "| schools | sizes | icc | " + " | ".join(columns) + " |",
        "|---|---|---|" + "---|" * len(columns),
    ]
    z = []
    for (groups, kind, icc), got in zip(cells, results, strict=True):
        target = 0.975 if icc == 0.0 else 0.95
        z.append((got["exact"] - target) / math.sqrt(target * (1 - target) / args.exact))
        lines.append(f"| {groups} | {kind} | {icc:g} | " + " | ".join(f"{100 * got[c]:.1f}" for c in columns) + " |")
    z2 = np.array(z)
    lines += [
        "",
        f"The exact interval's {z2.size} cells are {np.abs(z2).max():.2f} Monte-Carlo standard errors off their target "
        f"at most; {int(np.sum(np.abs(z2) > 1.96))} are beyond 1.96, where {0.05 * z2.size:.0f} are expected; "
        f"the sum of squares is {float(np.sum(z2**2)):.1f}, expected {z2.size} (standard error "
        f"{math.sqrt(2 * z2.size):.0f}).",
        "",
        "## gamma00 and sigma2",
        "",
        "| schools | sizes | icc | Satterthwaite | Kenward-Roger | t, J - 1 | normal | profile (ML) | sigma2, exact |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (groups, kind, icc), got in zip(cells, results, strict=True):
        names = [*MEANS, "profile mean", "sigma2"]
        lines.append(f"| {groups} | {kind} | {icc:g} | " + " | ".join(f"{100 * got[c]:.1f}" for c in names) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exact", type=int, default=10_000)
    parser.add_argument("--others", type=int, default=1_000)
    parser.add_argument("--bootstrap", type=int, default=300)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    cells = list(product(GROUPS, SIZES, ICCS))
    tasks = [(*c, args.exact, args.others, args.bootstrap) for c in cells]
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(args.processes) as pool:
        results = pool.map(cell, tasks, chunksize=1)
    text = report(cells, results, args)
    print(text)
    print(f"{time.perf_counter() - start:.0f} s")
    if args.output:
        args.output.write_text(text)


if __name__ == "__main__":
    main()
