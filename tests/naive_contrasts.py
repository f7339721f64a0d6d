"""The slow twin of comparisons: every row re-weighted for both groups, every fit from scratch, then Rubin's rules.

`python tests/naive_contrasts.py` runs it on the real files of shared/assessments, which takes minutes, and writes what it
finds to tests/survey/contrasts_of_real_files.json; tests compare fastml to that, and to the twin itself on small data.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import naive_survey
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FIGURES = ("gamma00", "tau00", "sigma2", "icc", "mean", "sd")
ASSESSMENTS = Path(__file__).parents[2] / "shared" / "assessments"
RECORD = Path(__file__).parent / "survey" / "contrasts_of_real_files.json"


def figures(y, rows, school, total, v, replicates, scaling="size"):
    """The full sample's figures of a group of rows, and those under every replicate: (1 + R, 6)."""
    of = (y[rows], school[rows], total[rows])
    full = naive_survey.every_figure(*of, v[rows], scaling)
    moved = [naive_survey.replicate_figures(*of, t[rows], v[rows], scaling) for t in replicates]
    return np.array([full, *moved])


def contrast(tables_a, tables_b, factor):
    """Difference and its variances (6,) each, of tables (1 + R, 6), one per plausible value: of one sample.

    Returns difference, se, sampling and imputation variance, and the se as if the two were independent.
    """
    M = len(tables_a)
    apart = [a - b for a, b in zip(tables_a, tables_b, strict=True)]

    def pooled(tables):
        sampling = np.mean([factor * ((t[1:] - t[0]) ** 2).sum(axis=0) for t in tables], axis=0)
        values = [t[0] for t in tables]
        between = np.var(values, axis=0, ddof=1) if M > 1 else np.zeros(6)
        return np.mean(values, axis=0), sampling, (1 + 1 / M) * between

    estimate, sampling, imputation = pooled(apart)
    alone = sum(sum(pooled(tables)[1:]) for tables in (tables_a, tables_b))
    return estimate, np.sqrt(sampling + imputation), sampling, imputation, np.sqrt(alone)


def timss() -> tuple[pa.Table, str]:
    """TIMSS 2019, grade 8, Türkiye, with a column of its schools' places (BCBG05A: how many people live there)."""
    scores = [f"{stem}{k:02d}" for stem in ("BSMMAT", "BSSSCI") for k in range(1, 6)]
    names = ["IDCNTRY", "IDSCHOOL", "ITSEX", "TOTWGT", "WGTFAC1", "WGTADJ1", "JKZONE", "JKREP", *scores]
    return _with_type(names, "timss2019_g8_tur", "IDSCHOOL", "BCBG05A", 3.5), "timss 2019"


def pisa() -> tuple[pa.Table, str]:
    """PISA 2018, Türkiye, with a column of the kind of its schools (SC013Q01TA, public or private) and their weight."""
    scores = [f"PV{k}{stem}" for stem in ("MATH", "SCIE") for k in range(1, 11)]
    weights = ["W_FSTUWT", *(f"W_FSTURWT{r}" for r in range(1, 81))]
    names = ["CNT", "CNTSCHID", "ST004D01T", *weights, *scores]
    table = _with_type(names, "pisa2018_tur", "CNTSCHID", "SC013Q01TA", 1.5)
    of = pq.read_table(ASSESSMENTS / "pisa2018_tur_sch.parquet", columns=["CNTSCHID", "W_SCHGRNRABWT"])
    weight = dict(zip(*(of[name].to_pylist() for name in of.column_names), strict=True))
    column = pa.array([weight[school] for school in table["CNTSCHID"].to_pylist()], pa.float64())
    return table.append_column("W_SCHGRNRABWT", column), "pisa 2018"


def _with_type(names: list[str], file: str, key: str, column: str, edge: float) -> pa.Table:
    """The students, with the type of their school: whether a number of its questionnaire is above an edge."""
    students = pq.read_table(ASSESSMENTS / f"{file}.parquet", columns=names)
    schools = pq.read_table(ASSESSMENTS / f"{file}_sch.parquet", columns=[key, column])
    place = dict(zip(*(schools[name].to_pylist() for name in (key, column)), strict=True))
    found = [place.get(school) for school in students[key].to_pylist()]
    types = [None if x is None or math.isnan(x) or x > 90 else "high" if x > edge else "low" for x in found]
    return students.append_column("type", pa.array(types))


def survey(table: pa.Table, design: str):
    """Column of sexes, ids, totals, school weights, replicate totals, factor, outcomes by name, number of values."""

    def column(name):
        return table[name].to_numpy().astype(float)

    if design.startswith("timss"):
        total, school = column("TOTWGT"), column("IDSCHOOL")
        replicates = naive_survey.jackknife_totals(total, column("JKZONE"), column("JKREP"))
        scores = {stem: [column(f"{stem}{k:02d}") for k in range(1, 6)] for stem in ("BSMMAT", "BSSSCI")}
        return "ITSEX", school, total, column("WGTFAC1") * column("WGTADJ1"), replicates, 0.5, scores
    total, school = column("W_FSTUWT"), column("CNTSCHID")
    replicates = np.array([column(f"W_FSTURWT{r}") for r in range(1, 81)])
    scores = {stem: [column(f"PV{k}{stem}") for k in range(1, 11)] for stem in ("MATH", "SCIE")}
    return "ST004D01T", school, total, column("W_SCHGRNRABWT"), replicates, 0.05, scores


def main() -> None:
    found = []
    for make in (timss, pisa):
        table, design = make()
        sex, school, total, v, replicates, factor, scores = survey(table, design)
        first, second = scores
        everyone = np.ones(len(table), bool)

        def rows(name, label, table=table):
            return pc.fill_null(pc.equal(table[name], label), False).to_numpy(zero_copy_only=False)

        sides = {
            "sex": ((first, rows(sex, 1.0)), (first, rows(sex, 2.0))),
            "domain": ((first, everyone), (second, everyone)),
            "type": ((first, rows("type", "high")), (first, rows("type", "low"))),
            "whole": ((first, rows(sex, 1.0)), (first, everyone)),
        }
        kept = {}
        for name, pair in sides.items():
            tables = []
            for outcome, of in pair:
                key = outcome, of.tobytes()
                if key not in kept:
                    kept[key] = [figures(y, of, school, total, v, replicates) for y in scores[outcome]]
                tables.append(kept[key])
            values = contrast(*tables, factor)
            names = ("difference", "se", "sampling_variance", "imputation_variance", "se_independent")
            found.append({"file": make.__name__, "contrast": name, "a": pair[0][0], "b": pair[1][0],
                          **{n: dict(zip(FIGURES, x.tolist(), strict=True)) for n, x in zip(names, values, strict=True)}})  # fmt: skip
            print(found[-1], flush=True)
    RECORD.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
