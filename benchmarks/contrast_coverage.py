"""How often the intervals of differences cover, of rows of one sample and as if they were of two.

    python benchmarks/contrast_coverage.py --cells contrasts.jsonl -o docs/coverage_contrasts.md

Assessments as in `robust_coverage.py`, with two groups in each school, two scores of the same students, or two types of
school. A quarter of an hour or so on one processor; see `coverage_tables.py` for what else can be asked.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from dataclasses import dataclass
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
IMPUTED = ROWS[0]
WAYS = {
    "true": "the scores themselves",
    "drawn": "plausible values",
    "known": "plausible values, variances known",
}


def normal(covariance: np.ndarray, rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draws (p, ...) of the p sides together."""
    made: np.ndarray = np.tensordot(np.linalg.cholesky(covariance), rng.normal(size=(len(covariance), *shape)), axes=1)
    return made


@dataclass(frozen=True)
class Law:
    """What scores are drawn from, of the two sides: covariances (2, 2) of school effects, students, and test errors."""

    size: int
    between: np.ndarray
    within: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, kind: str) -> Law:
        within = np.array([[1.0, DOMAINS], [DOMAINS, 1.0]]) if kind == "scores" else np.eye(2)
        between = THETA * ((1.0 - OWN) * np.ones((2, 2)) + OWN * np.eye(2))
        return cls(STUDENTS // 2 if kind == "groups" else STUDENTS, between, within, within * (1.0 / RELIABLE - 1.0))

    def draw(self, schools: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Scores and what a test sees of them, (2, schools, students)."""
        true = normal(self.between, rng, schools, 1) + normal(self.within, rng, schools, self.size)
        return true, true + normal(self.error, rng, schools, self.size)


def plausible_values(
    seen: np.ndarray, v: np.ndarray, error: np.ndarray, known: Law | None, rng: np.random.Generator
) -> list[np.ndarray]:
    """Draws of the scores (p, J, students) given a test of them, for Rubin's rules.

    Each is by a mean and covariances of its own, those of a Bayesian bootstrap of the schools with their weights v
    (Rubin 1981, Annals of Statistics 9, 130-134), so that it has the error of the analysis; or by covariances that are
    known. Given these, means of schools and what is apart from them are normal.
    """
    size = seen.shape[2]
    mean = seen.mean(axis=2)
    apart = seen - mean[:, :, None]
    values = []
    for _ in range(PLAUSIBLE):
        w = v * rng.exponential(size=len(v))
        w /= w.sum()
        centre = mean @ w
        off = mean - centre[:, None]
        if known is None:
            of_mean = (w * off) @ off.T / (1.0 - w @ w)
            within = np.einsum("j,ajk,bjk->ab", w, apart, apart) / (size - 1)
        else:
            within = known.within + known.error
            of_mean = known.between + within / size
        lost, share = error / size @ np.linalg.inv(of_mean), error @ np.linalg.inv(within)
        moved = mean - lost @ off + normal(error / size - lost @ error / size, rng, len(v))
        noise = normal(error - share @ error, rng, len(v), size)
        noise -= noise.mean(axis=2, keepdims=True)
        values.append(moved[:, :, None] + apart - np.tensordot(share, apart, axes=1) + noise)
    return values


def draw_two(
    kind: str, way: str, v: np.ndarray, sides: list[np.ndarray], rng: np.random.Generator
) -> list[list[np.ndarray]]:
    """The scores of both sides in their schools, each (J, students), or plausible values of them."""
    law = Law.of(kind)
    true, seen = law.draw(len(v), rng)
    if way == "true":
        return [[true[i, of]] for i, of in enumerate(sides)]
    known = law if way == "known" else None
    if kind == "types":  # each from its own schools
        return [
            [value[0] for value in plausible_values(seen[i : i + 1, of], v[of], law.error[:1, :1], known, rng)]
            for i, of in enumerate(sides)
        ]
    values = plausible_values(seen, v, law.error, known, rng)
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


def contrast_row(row: Row, samples: int, way: str = "drawn") -> Found:
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
        drawn = draw_two(kind, way, v, sides, rng)
        found = [tables(values, v[of], factor[:, of]) for of, values in zip(sides, drawn, strict=True)]
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
                notes[f"{shown} {how} total"].append(float(made.se[0]) ** 2)
            notes[f"{shown} squared"].append(float(made.estimate[0]) ** 2)  # the truth is 0
    return means(notes)


def way_row(row: Row, samples: int) -> Found:
    return contrast_row(IMPUTED, samples, str(row[0]))


def show_contrasts(row: Row, got: Found) -> list[str]:
    cells = [f"{percent(got[f'{name} shared'])} ({percent(got[f'{name} independent'])})" for name in SHOWN]
    wider = got["mean independent width"] / got["mean shared width"]
    return [f"{row[0]}, {row[1]}, {row[2]}, {row[3]:g}", *cells, f"{wider:.2f}"]


def show_way(row: Row, got: Found) -> list[str]:
    cells = [
        f"{percent(got[f'{name} shared'])} ({got[f'{name} shared total'] / got[f'{name} squared']:.2f})"
        for name in SHOWN
    ]
    return [WAYS[str(row[0])], *cells]


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
brackets what the interval covers that takes the two as independent, and last how much wider it is, for the mean. Each
plausible value is drawn by means and variances of its own, those of the schools resampled with their weights. What is
below 95 is as with [single estimates](coverage_weights.md): replicates of unequally weighted schools vary a little less
than the estimates do."""

WAYS_TEXT = f"""## What plausible values do to it

{{samples}} samples of the row "{IMPUTED[0]}, {IMPUTED[1]}, {IMPUTED[2]}, {IMPUTED[3]:g}" above, Monte-Carlo error
{{error}} points; in brackets the mean of the squared standard error, over the mean square of the error. Rubin's
variance, U + (1 + 1/M) B, is right of values that are drawn with the error of the mean and the variances by which they
are drawn: then it covers as without plausible values, or a point or two more. Where the variances are known in place of
estimated, the mean of the values comes nearer to the truth than the scores themselves do, by B, so that the squared
error of what follows from the variances is too large by 2 B, and covers too often, in any program."""

TABLES = [
    Table(
        name="contrasts", text=TEXT, rows=ROWS, samples=2400, measure=contrast_row, show=show_contrasts,
        head=("rows, scheme, zones, cv", *SHOWN, "wider by"),
    ),
    Table(
        name="ways", text=WAYS_TEXT, rows=[(way,) for way in WAYS], samples=2400, measure=way_row, show=show_way,
        head=("estimates from", *SHOWN),
    ),
]  # fmt: skip


if __name__ == "__main__":
    main(HEADING, TABLES)
