"""Small assessments for tests, and their twin's answers."""

from __future__ import annotations

import dataclasses
import math

import naive_survey
import numpy as np

import fastml
from fastml import designs

FIGURES = ("gamma00", "tau00", "sigma2", "icc", "mean", "sd")
PV = [f"BSMMAT{k:02d}" for k in range(1, 6)]


def timss(seed: int = 0, country: float = 1.0) -> dict[str, np.ndarray]:
    """A small country: zones of 1, 2, 3 and 4 schools, some with one half, schools split between halves and zones."""
    rng = np.random.default_rng(seed)
    zones = [1, 1, 2, 2, 3, 3, 3, 4, 5, 5, 5, 5, 6, 6, 7, 8, 8]
    halves = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 0, 1]
    size = rng.integers(2, 12, len(zones))
    school = np.repeat(np.arange(len(zones)), size)
    zone, half = np.array(zones)[school], np.array(halves)[school]
    half[school == 3] = np.arange((school == 3).sum()) % 2  # split between the halves of its zone
    zone[(school == 15) & (np.arange(len(school)) % 2 == 0)] = 7  # and one between zones
    v = np.round(rng.uniform(2.0, 30.0, len(zones)), 2)[school]
    total = v * rng.uniform(1.0, 3.0, len(school))
    effect = rng.normal(0.0, 30.0, len(zones))[school] + rng.normal(0.0, 60.0, len(school))
    data = {f"BSMMAT{k:02d}": 500.0 + effect + rng.normal(0.0, 15.0, len(school)) for k in range(1, 6)}
    # Two factors whose product is the weight exactly.
    return {**data, "IDCNTRY": np.full(len(school), country), "IDSCHOOL": school + 5001.0, "JKZONE": zone.astype(float),
            "JKREP": half.astype(float), "TOTWGT": total, "WGTFAC1": v / 2.0, "WGTADJ1": np.full(len(v), 2.0)}  # fmt: skip


def pisa(seed: int = 0, n_replicates: int = 8) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Students and their school file; Fay's factors vary within a school."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(15), rng.integers(2, 14, 15))
    v = np.round(rng.uniform(2.0, 30.0, 15), 2)
    total = v[school] * rng.uniform(1.0, 3.0, len(school))
    effect = rng.normal(0.0, 30.0, 15)[school] + rng.normal(0.0, 60.0, len(school))
    data = {f"PV{k}MATH": 450.0 + effect + rng.normal(0.0, 15.0, len(school)) for k in range(1, 11)}
    data |= {f"W_FSTURWT{r}": total * rng.choice([0.5, 1.5], len(school)) for r in range(1, n_replicates + 1)}
    students = {**data, "CNT": np.full(len(school), "TUR"), "CNTSCHID": school + 1.0, "W_FSTUWT": total}
    return students, {"CNTSCHID": np.arange(15) + 1.0, "W_SCHGRNRABWT": v}


def iccs(n_schools: int = 8, n: int = 6) -> dict[str, np.ndarray]:
    """Schools in pairs, the last two far above the others; all weigh 2, their students 4."""
    school = np.repeat(np.arange(n_schools), n)
    score = 500.0 + np.where(school >= n_schools - 2, 90.0, 0.0) + np.random.default_rng(0).normal(0, 20, len(school))
    ones = np.ones(len(school))
    return {"IDCNTRY": ones, "CNTRY": np.full(len(school), "AAA"), "IDSCHOOL": school, "JKZONES": school // 2 + 1,
            "JKREPS": school % 2, "TOTWGTS": 4 * ones, "WGTFAC1": 2 * ones, "WGTADJ1S": ones,
            **{f"PV{k}CIV": score + k for k in range(1, 6)}}  # fmt: skip


# Files of shared/assessments: design, and school file.
REAL = {
    "timss2019_g8_tur": ("timss", None),
    "timss2011_g4_aut_bifie01": ("timss_before_2015", None),
    "pisa2018_tur": ("pisa", "pisa2018_tur_sch.parquet"),
}

SMALL_PISA = dataclasses.replace(designs.PISA, replicates=designs.Columns(("W_FSTURWT{r}",), 8))


def only(table: fastml.SurveyTable) -> dict:
    """The figures of the only row, without what they were made of."""
    (row,) = table.to_dict()
    assert row["status"] == "ok", row["status"]
    del row["provenance"]
    return row


def compare(row: dict, twin: tuple[np.ndarray, ...], tolerance: float = 1e-9) -> None:
    for prefix, values in zip(("", "se_", "sampling_variance_", "imputation_variance_"), twin, strict=True):
        for name, true in zip(FIGURES, values, strict=True):
            assert math.isclose(row[prefix + name], true, rel_tol=tolerance), (prefix, name, row[prefix + name], true)


def naive_timss(data: dict[str, np.ndarray], scaling: str, both: bool = True) -> tuple[np.ndarray, ...]:
    v, total = data["WGTFAC1"] * data["WGTADJ1"], data["TOTWGT"]
    replicates = naive_survey.jackknife_totals(total, data["JKZONE"], data["JKREP"], both)
    return naive_survey.survey([data[name] for name in PV], data["IDSCHOOL"], total, v, replicates, scaling,
                               0.5 if both else 1.0, first_only=not both)  # fmt: skip


def together(*countries: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([c[name] for c in countries]) for name in countries[0]}


def change(**columns: object) -> dict[str, np.ndarray]:
    data = {name: column.copy() for name, column in timss().items()}
    for name, value in columns.items():
        if value is None:
            del data[name]
        else:
            data[name][4] = value
    return data
