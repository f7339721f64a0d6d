"""How often the intervals of differences cover, of rows of one sample and as if they were of two.

    python benchmarks/contrast_coverage.py --cells contrasts.jsonl -o docs/coverage_contrasts.md

Assessments as in `robust_coverage.py`, with two groups in each school, two scores of the same students, or two types of
school. A quarter of an hour or so on one processor; see `coverage_tables.py` for what else can be asked.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from coverage_tables import Found, Row, Table, main, means, percent
from robust_coverage import PLAUSIBLE, RELIABLE, STUDENTS, THETA, factors

from fastml.inference.contrasts import Estimate, combine, on_log
from fastml.survey.degrees import replicate_gram, replicate_rank
from fastml.survey.replication import FIGURES, CellMoments, figures

SEED = 20261128
LEVEL = 0.95
OWN = 0.1  # of the schools' variance, that is not common to both groups, or scores
DOMAINS = 0.8  # correlation of two scores of a student in the school

ROWS = [("groups", "JK2", 25, 0.8), ("groups", "JK2", 75, 0.8), ("groups", "Fay 80", 75, 0.8),
        ("scores", "JK2", 75, 0.8), ("scores", "Fay 80", 75, 0.8), ("types", "Fay 80", 75, 0.8)]  # fmt: skip
SHOWN = ("mean", "gamma00", "sd", "tau00", "ratio of tau00", "icc")


def draw_two(kind: str, schools: int, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """The plausible values of both sides, each (J, students): draws of the scores given a test of them.

    They are from the posterior of the model with its variances known and its two means not, so that Rubin's rules hold.
    """
    size = STUDENTS // 2 if kind == "groups" else STUDENTS
    alike = np.array([[1.0, DOMAINS], [DOMAINS, 1.0]]) if kind == "scores" else np.eye(2)  # within schools

    def normal(covariance: np.ndarray, *shape: int) -> np.ndarray:
        """Draws (2, ...) for the two sides."""
        return np.tensordot(np.linalg.cholesky(covariance), rng.normal(size=(2, *shape)), axes=1)

    between = THETA * ((1.0 - OWN) * np.ones((2, 2)) + OWN * np.eye(2))
    seen = normal(between, schools, 1) + normal(alike / RELIABLE, schools, size)  # the score and its error
    mean = seen.mean(axis=2, keepdims=True)
    of_mean = between + alike / (RELIABLE * size)
    shrink = between @ np.linalg.inv(of_mean)
    grand = mean.mean(axis=1, keepdims=True)
    values = []
    for _ in range(PLAUSIBLE):
        centre = grand + normal(of_mean / schools, 1, 1)
        true = centre + np.tensordot(shrink, mean - centre, axes=1) + normal(between - shrink @ between, schools, 1)
        values.append(true + RELIABLE * (seen - true) + normal((1.0 - RELIABLE) * alike, schools, size))
    return [[value[i] for value in values] for i in range(2)]


def tables(values: list[np.ndarray], v: np.ndarray, factor: np.ndarray) -> list[np.ndarray]:
    """Figures (1 + R, 7) of each plausible value (J, students), the factors' first row the full sample."""
    size = values[0].shape[1]
    total = factor * v * size
    rows = np.where(total > 0.0, float(size), 0.0)
    made = []
    for y in values:
        mean, ss = (np.broadcast_to(x, total.shape) for x in (y.mean(axis=1), size * y.var(axis=1)))
        made.append(CellMoments(0.0, rows, total, factor**2 * v**2 * size, mean, factor * v * ss, mean, ss))
    return figures(made, v, "size", 1)


def estimate(found: list[np.ndarray], name: str, times: float, complete: float, zoned: bool) -> Estimate:
    i = FIGURES.index(name)
    values = np.array([table[0, i] for table in found])
    apart = np.array([table[1:, i] - table[0, i] for table in found]).T
    names = tuple(map(str, range(len(apart))))
    variance = float(times * (apart**2).sum(axis=0).mean()) if values.any() else math.nan
    return Estimate(values, apart, names, zoned, times, variance, complete)


def contrast_row(row: Row, samples: int) -> Found:
    """Coverage of the difference by figure, and of the independent formula's interval; of tau00's ratio too."""
    kind, scheme, zones, cv = str(row[0]), str(row[1]), int(row[2]), float(row[3])
    rng = np.random.default_rng([SEED, len(kind), len(scheme), zones, int(10 * cv)])
    factor, times = factors(scheme, zones)
    rank = replicate_rank(replicate_gram(factor, np.ones(factor.shape[1]))) - 1.0
    factor = np.vstack([np.ones(factor.shape[1]), factor])
    sides = [np.arange(2 * zones)] * 2
    if kind == "types":  # whole zones, and zones with a school of either
        sides = [np.flatnonzero(np.arange(2 * zones) % 8 < 3), np.flatnonzero(np.arange(2 * zones) % 8 >= 3)]
    notes: dict[str, list[float]] = defaultdict(list)
    together = [np.arange(2)], np.ones((2, 2), bool)
    apart = [np.array([0]), np.array([1])], np.eye(2, dtype=bool)
    for _ in range(samples):
        v = np.exp(rng.normal(0.0, math.sqrt(math.log1p(cv**2)), 2 * zones))
        drawn = draw_two(kind, 2 * zones, rng)
        found = [tables([y[of] for y in values], v[of], factor[:, of]) for of, values in zip(sides, drawn, strict=True)]
        for shown in SHOWN:
            name = shown.split()[-1]
            both = [estimate(side, name, times, zones if scheme == "JK2" else rank, scheme == "JK2") for side in found]
            if shown.startswith("ratio"):
                both = [on_log(one) for one in both]
            for how, (groups, shared) in (("shared", together), ("independent", apart)):
                made = combine(both, groups, shared, [{0: 1.0, 1: -1.0}])
                low, high = (float(x[0]) for x in made.limits(LEVEL))
                notes[f"{shown} {how}"].append(math.nan if math.isnan(low) else low <= 0.0 <= high)
                notes[f"{shown} {how} width"].append(high - low)
    return means(notes)


def show_contrasts(row: Row, got: Found) -> list[str]:
    cells = [f"{percent(got[f'{name} shared'])} ({percent(got[f'{name} independent'])})" for name in SHOWN]
    wider = got["mean independent width"] / got["mean shared width"]
    return [f"{row[0]}, {row[1]}, {row[2]}, {row[3]:g}", *cells, f"{wider:.2f}"]


HEADING = f"""# Coverage of differences

How often 95 % intervals of a difference hold the truth, by `python benchmarks/contrast_coverage.py`; the seed is
{SEED}.
"""

TEXT = f"""## Rows of one sample

{{samples}} samples a row, Monte-Carlo error {{error}} points; zones of two schools, {PLAUSIBLE} plausible values of
a test of reliability {RELIABLE}, lognormal school weights of the cv told, variance between schools {THETA} of that
within. "groups": {STUDENTS // 2} students of each of two groups in every school, whose effects on the two have
{1 - OWN:g} of their variance in common; "scores": two scores of {STUDENTS} students, of correlation {DOMAINS:g} within
schools; "types": three schools of each eight against the others, some in zones of their own and some in mixed ones. In
brackets what the interval covers that takes the two as independent, and last how much wider it is, for the mean. The
plausible values are drawn with the variances known, not estimated, so that Rubin's error of the sd, and of what follows
from the variances, is a little too large."""

TABLES = [
    Table(
        name="contrasts", text=TEXT, rows=ROWS, samples=800, measure=contrast_row, show=show_contrasts,
        head=("rows, scheme, zones, cv", *SHOWN, "wider by"),
    ),
]  # fmt: skip


if __name__ == "__main__":
    main(HEADING, TABLES)
