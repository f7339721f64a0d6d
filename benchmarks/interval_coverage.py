"""How often the intervals cover: a simulation over numbers of schools, their sizes and intraclass correlations.

    python benchmarks/interval_coverage.py --cells cells.jsonl -o docs/coverage.md

Samples are drawn as the sufficient statistics themselves, by distinct size: normal means, chi-square sums of
squares. Every figure comes from the public interval functions. Some minutes; see `coverage_tables.py` for what else can
be asked. Few or unequal schools, and the means of schools, are in `few_schools_coverage.py`, weights and replicates in
`robust_coverage.py`.
"""

from __future__ import annotations

import math
import sys
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from coverage_tables import Found, Row, Table, main, means, percent

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


def measure(row: Row, samples: int) -> Found:
    """Coverage by method; a tenth of the samples for the likelihood, three in a hundred for the bootstrap."""
    groups, kind, icc = int(row[0]), str(row[1]), float(row[2])
    key = [SEED, groups, SIZES.index(kind), ICCS.index(icc)]
    rng = np.random.default_rng(key)
    n = sizes_of(kind, groups, rng)
    theta = icc / (1.0 - icc)
    hits: dict[str, list[float]] = {}

    def note(name: str, low: float, high: float, truth: float = icc) -> None:
        hits.setdefault(name, []).append(low <= truth <= high)

    for k in range(samples):
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
        if k < samples // 10:
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
        if k < 3 * samples // 100:
            draws = bootstrap(table, vc, DRAWS, rng)
            low, high = percentile_limits(draws.theta, LEVEL)
            note("bootstrap", low / (1 + low), high / (1 + high))
            if vc.singular:
                note("bca", 1.0, 1.0)  # refused at the boundary
            else:
                low, high, _ = bca_limits(draws.theta, vc.theta, LEVEL, acceleration(table, vc, "theta"))
                note("bca", low / (1 + low), high / (1 + high))
    return means(hits)


ICC_COLUMNS = ("exact", "searle n0", *OTHERS, "bootstrap", "bca")
MEAN_COLUMNS = (*MEANS, "profile mean", "sigma2")


def show_icc(row: Row, got: Found) -> list[str]:
    return [f"{row[0]}", str(row[1]), f"{row[2]:g}", *(percent(got.get(name, math.nan)) for name in ICC_COLUMNS)]


def show_mean(row: Row, got: Found) -> list[str]:
    return [f"{row[0]}", str(row[1]), f"{row[2]:g}", *(percent(got.get(name, math.nan)) for name in MEAN_COLUMNS)]


def deviations(rows: list[Row], found: list[Found], samples: int) -> str:
    """How far the exact interval's rows are off their target, in Monte-Carlo errors."""
    target = np.array([0.975 if row[2] == 0.0 else 0.95 for row in rows])
    z = (np.array([got["exact"] for got in found]) - target) / np.sqrt(target * (1.0 - target) / samples)
    return (
        f"\nThe exact interval's {z.size} rows are {np.abs(z).max():.2f} Monte-Carlo errors off their target at most; "
        f"{int(np.sum(np.abs(z) > 1.96))} are beyond 1.96, where {0.05 * z.size:.0f} are expected;\nthe sum of squares "
        f"is {float(np.sum(z**2)):.1f}, expected {z.size} (standard error {math.sqrt(2 * z.size):.0f}).\n"
    )


HEADING = f"""# Coverage of 95 % intervals

By `python benchmarks/interval_coverage.py`; the seed is {SEED}. At icc = 0 the exact interval covers 97.5 %, since its
lower end is cut. A method that gives no interval at the boundary (wald, bca) misses there.
"""

ICC_TEXT = f"""## icc

{{samples}} samples a row, Monte-Carlo error {{error}} points at 95 %; a tenth of them for profile, profile-ml and wald,
three in a hundred, of {DRAWS} draws, for bootstrap and bca."""

MEAN_TEXT = """## gamma00 and sigma2

Of the same samples; a tenth of them for the last two columns."""

ROWS: list[Row] = list(product(GROUPS, SIZES, ICCS))
TABLES = [
    Table(
        name="cells", text=ICC_TEXT, head=("schools", "sizes", "icc", *ICC_COLUMNS), rows=ROWS, samples=10_000,
        measure=measure, show=show_icc, after=deviations,
    ),
    Table(
        name="cells", text=MEAN_TEXT, rows=ROWS, samples=10_000, measure=measure, show=show_mean,
        head=("schools", "sizes", "icc", "Satterthwaite", "Kenward-Roger", "t, J - 1", "normal", "profile (ML)",
              "sigma2, exact"),
    ),
]  # fmt: skip


if __name__ == "__main__":
    main(HEADING, TABLES)
