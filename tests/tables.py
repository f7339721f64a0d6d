"""Size tables for the tests of inference: of the reference sets, of small ones made here, and slow twins on groups."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from fastml.model.size_table import SizeTable, reduce_sizes

Floats = npt.NDArray[np.float64]

SETS = """
apipop_dnum bh1996_wbeing cake_recipe chem97_school dyestuff dyestuff2 exam hard_J2 hard_J3 hard_all_sizes_distinct
hard_base hard_bimodal_low_global hard_bimodal_near_tie hard_dominant_group hard_icc_1em4 hard_icc_99999
hard_offset1e9 hard_pairs hard_reml_pos_ml_zero hard_scale1e8 hard_scale1em8 hard_singletons_but_one hard_tau0_unbal
hard_unbal_1_1e4 hsb82 insteval_s lecture lecture_b nist_AtmWtAg nist_SiRstv nist_SmLs01 nist_SmLs02 nist_SmLs04
nist_SmLs05 nist_SmLs07 nist_SmLs08 oxboys pastes_batch pastes_sample penicillin_plate rail scotssec_second
sleepstudy star_math_sch
""".split()
EQUAL_SIZES = """
cake_recipe dyestuff dyestuff2 hard_pairs hard_reml_pos_ml_zero lecture lecture_b nist_AtmWtAg nist_SiRstv
nist_SmLs01 nist_SmLs02 nist_SmLs04 nist_SmLs05 nist_SmLs07 nist_SmLs08 oxboys pastes_batch pastes_sample
penicillin_plate rail sleepstudy
""".split()
TWO_OPTIMA = (
    "hard_bimodal_low_global",
    "hard_bimodal_near_tie",
    "hard_dominant_group",
)  # have no profile limits on record


@dataclass(frozen=True)
class Grouped:
    """Group statistics: size, first score, mean less it, sum of squares; all of shape (J,)."""

    n: npt.NDArray[np.int64]
    shift: Floats
    residual: Floats
    ss: Floats

    @property
    def table(self) -> SizeTable:
        return reduce_sizes(self.n, self.shift, self.residual, self.ss)


def grouped(y: Floats, group: npt.NDArray[Any]) -> Grouped:
    """Group statistics by exact sums of the deviations from each group's first score."""
    code = np.unique(group, return_inverse=True)[1]
    order = np.argsort(code, kind="stable")
    y, code = np.asarray(y, dtype=np.float64)[order], code[order]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(code) > 0)))
    ends = np.append(starts[1:], y.size)
    residual, ss = np.empty(starts.size), np.empty(starts.size)
    for j, (a, b) in enumerate(zip(starts, ends, strict=True)):
        deviation = y[a:b] - y[a]
        residual[j] = math.fsum(deviation) / (b - a)
        centred = deviation - residual[j]
        ss[j] = math.fsum(centred * centred) - math.fsum(centred) ** 2 / (b - a)
    return Grouped(ends - starts, y[starts], residual, ss)


@cache
def from_file(path: Path) -> Grouped:
    with pq.ParquetFile(path) as file:
        table = file.read()
    return grouped(table["y"].to_numpy().astype(np.float64), np.array(table["group"].to_pylist()))


def reference(folder: Path, name: str) -> tuple[dict[str, Any], Grouped]:
    """The record of a reference set and its group statistics."""
    return json.loads((folder / f"{name}.json").read_text()), from_file(folder / "data" / f"{name}.parquet")


def simulated(seed: int, theta: float = 0.3, groups: int = 12, largest: int = 20, y_unit: float = 1.0) -> Grouped:
    """A small unbalanced sample."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, largest + 1, groups)
    n[0] += 1
    group = np.repeat(np.arange(groups), n)
    y = rng.normal(size=n.sum()) + math.sqrt(theta) * rng.normal(size=groups)[group]
    return grouped(y_unit * y, group)


def two_scales(seed: int) -> Grouped:
    """One large group apart from many small ones that differ much: the deviance may have a minimum at each scale."""
    rng = np.random.default_rng(seed)
    n = np.array([4000] * 3 + [2] * 12)
    means = np.concatenate((rng.normal(0, 0.03, 3), rng.normal(0, 2.2, 12)))
    ss = np.concatenate((rng.chisquare(3999, 3), rng.chisquare(1, 12)))
    return Grouped(n, means, np.zeros(15), ss)


def changed(table: SizeTable, **rows: Floats) -> SizeTable:
    """The table with other sizes, counts, means or sums of squares."""
    names = ("size", "count", "mean", "ss")
    return replace(table, columns=np.stack([rows.get(name, getattr(table, name)) for name in names]))


def two_by_two(gap: float) -> SizeTable:
    """Groups {0, 2} and {gap, gap + 2}: MSW = 2, MSB = gap^2, F = gap^2/2."""
    return grouped(np.array([0.0, 2.0, gap, gap + 2.0]), np.array([1, 1, 2, 2])).table


def close(value: float, truth: float, relative: float) -> bool:
    return math.isclose(value, truth, rel_tol=relative, abs_tol=0.0) or (truth == 0.0 and abs(value) < 1e-300)
