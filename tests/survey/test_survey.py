"""Assessments: against a twin that re-weights every row and refits, and figures of others on real files."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import naive_survey
import numba
import numpy as np
import pyarrow as pa
import pytest
from surveys import FIGURES, PV, SMALL_PISA, compare, naive_timss, only, pisa, timss, together

import fastml
from fastml import designs

# The slow twin.


@pytest.mark.parametrize("scaling", ["size", "effective", "none", "gk", "group-only"])
def test_jackknife_twin(scaling: str) -> None:
    data = timss()
    row = only(fastml.fit_survey(data, "BSMMAT", designs.TIMSS, weight_scaling=scaling))
    compare(row, naive_timss(data, scaling))


@pytest.mark.parametrize("scaling", ["size", "gk"])
def test_jackknife_twin_of_the_old_scheme(scaling: str) -> None:
    data = timss(1)
    row = only(fastml.fit_survey(data, "BSMMAT", "timss_before_2015", weight_scaling=scaling))
    compare(row, naive_timss(data, scaling, both=False))


@pytest.mark.parametrize("scaling", ["size", "effective", "none", "gk", "group-only"])
def test_fay_twin(scaling: str) -> None:
    students, schools = pisa()
    row = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools, weight_scaling=scaling))
    replicates = np.array([students[f"W_FSTURWT{r}"] for r in range(1, 9)])
    v = schools["W_SCHGRNRABWT"][(students["CNTSCHID"] - 1).astype(int)]
    values = [students[f"PV{k}MATH"] for k in range(1, 11)]
    compare(row, naive_survey.survey(values, students["CNTSCHID"], students["W_FSTUWT"], v, replicates, scaling, 0.05))


@pytest.mark.parametrize("scaling", ["size", "none", "group-only"])
def test_columns_with_zeros_twin(scaling: str) -> None:
    """NAEP's columns drop schools and students: n counts rows of positive weight, an empty school leaves."""
    students, schools = pisa(3)
    rng = np.random.default_rng(4)
    for r in range(1, 9):
        students[f"W_FSTURWT{r}"] *= rng.random(len(students["CNTSCHID"])) < 0.8
        students[f"W_FSTURWT{r}"][students["CNTSCHID"] == r] = 0.0
    design = dataclasses.replace(SMALL_PISA, factor=1.0, first_only=True)
    row = only(fastml.fit_survey(students, "MATH", design, school_data=schools, weight_scaling=scaling))
    replicates = np.array([students[f"W_FSTURWT{r}"] for r in range(1, 9)])
    v = schools["W_SCHGRNRABWT"][(students["CNTSCHID"] - 1).astype(int)]
    values = [students[f"PV{k}MATH"] for k in range(1, 11)]
    compare(row, naive_survey.survey(values, students["CNTSCHID"], students["W_FSTUWT"], v, replicates, scaling,
                                     1.0, first_only=True))  # fmt: skip


def test_the_two_roads_agree() -> None:
    """The jackknife's replicates written out as columns give what its cells give."""
    data = timss(2)
    columns = naive_survey.jackknife_totals(data["TOTWGT"], data["JKZONE"], data["JKREP"])
    data |= {f"R{r}": column for r, column in enumerate(columns, 1)}
    written = dataclasses.replace(designs.TIMSS, replicates=designs.Columns(("R{r}",), len(columns)))
    for scaling in ("size", "gk"):
        cells = only(fastml.fit_survey(data, "BSMMAT", designs.TIMSS, weight_scaling=scaling))
        other = only(fastml.fit_survey(data, "BSMMAT", written, weight_scaling=scaling))
        for name in (*FIGURES, "deff"):
            assert math.isclose(cells[name], other[name], rel_tol=1e-12)
            assert math.isclose(cells[f"se_{name}"], other[f"se_{name}"], rel_tol=1e-10)


def test_the_design_effect_takes_the_school_size_as_known() -> None:
    row = only(fastml.fit_survey(timss(), "BSMMAT", "timss"))
    size = row["n_obs"] / row["n_groups"]
    assert math.isclose(row["deff"], 1.0 + row["icc"] * (size - 1.0), rel_tol=1e-14)
    assert math.isclose(row["se_deff"], row["se_icc"] * (size - 1.0), rel_tol=1e-12)


# Every design.


def draw(seed: int, n_schools: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """School of each student, the schools' weights, total weights, and an effect on the score."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), rng.integers(3, 9, n_schools))
    v = np.round(rng.uniform(2.0, 30.0, n_schools), 2)
    effect = rng.normal(0.0, 30.0, n_schools)[school] + rng.normal(0.0, 60.0, len(school))
    return school, v, v[school] * rng.uniform(1.0, 3.0, len(school)), 500.0 + effect


def test_pirls() -> None:
    data = timss(11)
    data |= {f"ASRREA{k:02d}": data[f"BSMMAT{k:02d}"] for k in range(1, 6)}
    compare(only(fastml.fit_survey(data, "ASRREA", designs.PIRLS)), naive_timss(data, "size"))


def test_iccs() -> None:
    """One half of each zone, averaged over plausible values; its own names of weights and zones."""
    school, v, total, score = draw(12)
    rng = np.random.default_rng(1)
    values = [score + rng.normal(0.0, 15.0, len(school)) for _ in range(5)]
    zone, half = school // 2, school % 2
    data = {"IDCNTRY": np.full(len(school), 7), "IDSCHOOL": school, "TOTWGTS": total, "WGTFAC1": v[school],
            "WGTADJ1S": np.ones(len(school)), "JKZONES": zone, "JKREPS": half,
            **{f"PV{k}CIV": y for k, y in enumerate(values, 1)}}  # fmt: skip
    replicates = naive_survey.jackknife_totals(total, zone, half, both=False)
    row = only(fastml.fit_survey(data, "CIV", "iccs"))
    compare(row, naive_survey.survey(values, school, total, v[school], replicates, factor=1.0))


def test_pisa_before_2015() -> None:
    """Eighty columns, ids as text that start again in each country, the school's weight in the school file."""
    twins, students, schools = {}, [], []
    for seed, country in ((13, "AUT"), (14, "USA")):
        school, v, total, score = draw(seed, 5)
        rng = np.random.default_rng(seed)
        values = [score + rng.normal(0.0, 15.0, len(school)) for _ in range(5)]
        replicates = total * rng.choice([0.5, 1.5], (80, len(school)))
        ids = np.array([f"{s + 1:05d}" for s in range(5)])
        students.append({"CNT": np.full(len(school), country), "SCHOOLID": ids[school], "W_FSTUWT": total,
                         **{f"W_FSTR{r}": column for r, column in enumerate(replicates, 1)},
                         **{f"PV{k}MATH": y for k, y in enumerate(values, 1)}})  # fmt: skip
        schools.append({"CNT": np.full(5, country), "SCHOOLID": ids, "W_FSCHWT": v})
        twins[country] = naive_survey.survey(values, school, total, v[school], replicates, factor=0.05)
    table = fastml.fit_survey(
        together(*students), "MATH", designs.PISA_BEFORE_2015, by="CNT", school_data=together(*schools)
    )
    for row in table.to_dict():
        compare(row, twins[row["CNT"]])
        assert row["df_mean"] < 80.0


@pytest.mark.parametrize("first_only", [True, False])
def test_naep(first_only: bool) -> None:
    """62 columns; the sampling variance of plausible value 1, or of all on request."""
    school, v, total, score = draw(15, 5)
    rng = np.random.default_rng(15)
    values = [score + rng.normal(0.0, 15.0, len(school)) for _ in range(3)]
    replicates = total * rng.choice([0.0, 1.0, 2.0], (62, len(school)), p=[0.1, 0.8, 0.1])
    data = {"FIPS": np.full(len(school), 6), "SCRPSU": school, "ORIGWT": total, "SCHWT": v[school],
            **{f"SRWT{r:02d}": column for r, column in enumerate(replicates, 1)},
            **{f"MRPCM{k}": y for k, y in enumerate(values, 1)}}  # fmt: skip
    design = dataclasses.replace(designs.NAEP, n_plausible=3, first_only=first_only)
    row = only(fastml.fit_survey(data, "MRPCM", design))
    compare(row, naive_survey.survey(values, school, total, v[school], replicates, factor=1.0, first_only=first_only))


def test_a_design_of_ones_own() -> None:
    """Other names, another number of plausible values, delete-one groups with the factor (R - 1)/R."""
    school, v, total, score = draw(16)
    rng = np.random.default_rng(16)
    values = [score + rng.normal(0.0, 15.0, len(school)) for _ in range(3)]
    replicates = np.array([np.where(school % 4 == r, 0.0, total * 4.0 / 3.0) for r in range(4)])
    own = designs.Design(
        name="ours", group=("school",), country=("land",), plausible=("{outcome}_pv{k}",), n_plausible=3,
        weight=("w",), group_weight=(("v1", "v2"),), replicates=designs.Columns(("jk_{r}",), 4), factor=0.75,
    )  # fmt: skip
    data = {"school": school, "w": total, "v1": v[school] / 4.0, "v2": np.full(len(school), 4.0),
            **{f"jk_{r}": column for r, column in enumerate(replicates, 1)},
            **{f"maths_pv{k}": y for k, y in enumerate(values, 1)}}  # fmt: skip
    row = only(fastml.fit_survey(data, "maths", own))
    compare(row, naive_survey.survey(values, school, total, v[school], replicates, factor=0.75))


# Real files.

REAL = {
    "timss2019_g8_tur": ("timss", None),
    "timss2011_g4_aut_bifie01": ("timss_before_2015", None),
    "pisa2018_tur": ("pisa", "pisa2018_tur_sch.parquet"),
}


def test_real_files(assessments_folder: Path) -> None:
    records = json.loads((assessments_folder / "expected_survey.json").read_text())
    if numba.config.DISABLE_JIT:  # the files can't be smaller: one scaling of each
        records = list({record["dataset"]: record for record in records[::-1]}.values())
    for record in records:
        design, schools = REAL[record["dataset"]]
        table = fastml.fit_survey(
            assessments_folder / f"{record['dataset']}.parquet",
            record["outcome"],
            design,
            weight_scaling=record["weight_scaling"],
            school_data=None if schools is None else assessments_folder / schools,
        )
        row = only(table)
        assert (row["n_obs"], row["n_groups"]) == (record["n"], record["schools"])
        for name, true in record["expected"].items():
            name = {"weighted_mean": "mean"}.get(name, name)
            assert math.isclose(row[name], true["estimate"], rel_tol=1e-12)
            for prefix, key in (("se", "se"), ("sampling_variance", "sampling_variance"),
                                ("imputation_variance", "imputation_variance")):  # fmt: skip
                assert math.isclose(row[f"{prefix}_{name}"], true[key], rel_tol=1e-11), (record["dataset"], name, key)


def test_means_that_published_software_gives(assessments_folder: Path) -> None:
    """ILSAstats 0.4 and R survey's svrepdesign; the SDs too, which TIMSS and PISA divide by sum(w) - 1."""
    row = only(fastml.fit_survey(assessments_folder / "timss2019_g8_tur.parquet", "BSMMAT", "timss"))
    assert math.isclose(row["mean"], 495.629700171496, rel_tol=1e-13)
    assert math.isclose(row["se_mean"], 4.2943487993675, rel_tol=1e-13)
    assert math.isclose(row["sd"], 109.362150555782, rel_tol=1e-13)
    assert math.isclose(row["se_sd"], 2.3896438702003, rel_tol=1e-6)
    if numba.config.DISABLE_JIT:
        return  # the file of PISA is read in the test of the real files
    schools = assessments_folder / "pisa2018_tur_sch.parquet"
    row = only(fastml.fit_survey(assessments_folder / "pisa2018_tur.parquet", "MATH", "pisa", school_data=schools))
    assert math.isclose(row["mean"], 453.507777946146, rel_tol=1e-13)
    assert math.isclose(row["se_mean"], 2.26040688252979, rel_tol=1e-13)
    assert math.isclose(row["sampling_variance_mean"], 4.18608951107238, rel_tol=1e-11)
    assert math.isclose(row["imputation_variance_mean"], 0.83940887592334, rel_tol=1e-11)


def test_sandwich_errors_pooled(assessments_folder: Path) -> None:
    """WeMix's own errors, pooled by Rubin's rules from closed-form fits."""
    pools = [r for r in json.loads((assessments_folder / "expected.json").read_text()) if r["peer"].startswith("Rubin")]
    checked = 0
    for record in pools:
        # The file of 2012 has no replicate weights, which a sandwich does without.
        design, schools = REAL.get(record["dataset"], ("pisa_before_2015", None))
        outcome = {"timss": "BSMMAT", "timss_before_2015": "ASMMAT"}.get(design, "MATH")
        row = only(fastml.fit_survey(
            assessments_folder / f"{record['dataset']}.parquet", outcome,
            # Every plausible value's own variance counts here, whatever the jackknife of the cycle does.
            design, school_data=None if schools is None else assessments_folder / schools,
            weight_scaling="none", se="sandwich", vcov="block",
        ))  # fmt: skip
        true = record["expected"]
        for name, theirs in (("gamma00", "beta0"), ("se_gamma00", "se"), ("sampling_variance_gamma00", "U"),
                             ("imputation_variance_gamma00", "B"), ("tau00", "tau2"), ("se_tau00", "se_tau2"),
                             ("sigma2", "sigma2"), ("se_sigma2", "se_sigma2"), ("icc", "mean_icc")):  # fmt: skip
            assert math.isclose(row[name], true[theirs], rel_tol=1e-9), (record["dataset"], name)
        checked += 1
    assert checked == 4


def test_a_sandwich_needs_no_zones() -> None:
    """The linearised mean's error by its formula; the model's is the weighted fit's."""
    data = timss(9)
    del data["JKZONE"], data["JKREP"]
    row = only(fastml.fit_survey({**data, "ONE": data["BSMMAT01"]}, "ONE", "timss", se="sandwich"))
    v = data["WGTFAC1"] * data["WGTADJ1"]
    fit = fastml.fit({**data, "v": v}, "BSMMAT01", "IDSCHOOL", weights="TOTWGT", group_weights="v")
    for name in ("gamma00", "tau00", "sigma2", "icc", "deff"):
        assert math.isclose(row[name], getattr(fit, name), rel_tol=1e-12)
        assert math.isclose(row[f"se_{name}"], getattr(fit, f"se_{name}"), rel_tol=1e-11)
    assert row["df_gamma00"] == fit.n_groups - 1
    t, y, J = data["TOTWGT"], data["BSMMAT01"], fit.n_groups
    mean = np.average(y, weights=t)
    sd = math.sqrt(np.sum(t * (y - mean) ** 2) / (t.sum() - 1))
    for name, influence in (("mean", t * (y - mean)), ("sd", t * ((y - mean) ** 2 - sd**2) / (2 * sd))):
        per_school = np.array([influence[data["IDSCHOOL"] == s].sum() for s in np.unique(data["IDSCHOOL"])]) / t.sum()
        true = math.sqrt(J / (J - 1) * np.sum((per_school - per_school.mean()) ** 2))
        assert math.isclose(row[f"se_{name}"], true, rel_tol=1e-10), name


def test_a_level_next_to_one_takes_its_quantile_from_the_tail() -> None:
    data = {name: column[np.isin(timss(9)["IDSCHOOL"], (5001, 5002))] for name, column in timss(9).items()}
    table = fastml.fit_survey({**data, "ONE": data["BSMMAT01"]}, "ONE", "timss", se="sandwich", level=1.0 - 2.0**-45)
    row = only(table)
    assert row["df_mean"] == 1.0  # where t is Cauchy
    reach = row["se_mean"] / math.tan(math.pi * 2.0**-46)
    assert math.isclose(row["ci_high_mean"] - row["mean"], reach, rel_tol=1e-11)
    row = {**row, "icc": 0.5, "se_icc": 0.1, "df_icc": 1.0}
    table = type(table)(pa.Table.from_pylist([row], metadata=table.table.schema.metadata), ())
    ((low, high),) = table.icc_limits()[1]
    assert math.isclose(high - low, 0.2 / math.tan(math.pi * 2.0**-46), rel_tol=1e-11)


# Countries.


def test_countries_apart_and_their_average() -> None:
    """School and zone numbers start again in every country."""
    a, b = timss(5, 40.0), timss(6, 792.0)
    table = fastml.fit_survey(together(b, a), "BSMMAT", "timss", by="IDCNTRY", average=True)
    first, second, mean = table.to_dict()
    assert (first["IDCNTRY"], second["IDCNTRY"], mean["IDCNTRY"]) == (40.0, 792.0, None)
    for row, data in ((first, a), (second, b)):
        alone = only(fastml.fit_survey(data, "BSMMAT", "timss"))
        for name in FIGURES:
            assert row[name] == alone[name]
            assert row[f"se_{name}"] == alone[f"se_{name}"]
        assert row["notes"] == alone["notes"]
    assert math.isclose(mean["icc"], (first["icc"] + second["icc"]) / 2.0)
    assert math.isclose(mean["se_icc"], math.hypot(first["se_icc"], second["se_icc"]) / 2.0)
    assert mean["n_obs"] == first["n_obs"] + second["n_obs"]
    assert mean["notes"] == "average of 2 of 2 parts"


def test_countries_pooled_keep_their_schools_and_zones() -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    row = only(fastml.fit_survey(together(a, b), "BSMMAT", "timss"))
    assert "2 countries are pooled as one" in row["notes"]
    assert row["n_groups"] == 34
    for data in (a, b):
        data["IDSCHOOL"] = data["IDSCHOOL"] + 10_000.0 * data["IDCNTRY"]
        data["JKZONE"] = data["JKZONE"] + 100.0 * data["IDCNTRY"]
    compare(row, naive_timss(together(a, b), "size"))
    other = only(fastml.fit_survey(together(a, b), "BSMMAT", "timss"))
    assert math.isclose(row["df_icc"], other["df_icc"])  # 16 zones


def test_split_by_another_variable() -> None:
    data = timss(7)
    data["ITSEX"] = np.arange(len(data["TOTWGT"])) % 2
    for row in fastml.fit_survey(data, "BSMMAT", "timss", by="ITSEX").to_dict():
        part = {name: column[data["ITSEX"] == row["ITSEX"]] for name, column in data.items()}
        compare(row, naive_timss(part, "size"))


def test_a_part_without_a_result_says_why() -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    lone = {name: column[b["IDSCHOOL"] == 5001.0] for name, column in b.items()}
    table = fastml.fit_survey(together(a, lone), "BSMMAT", "timss", by="IDCNTRY", average=True)
    good, bad, mean = table.to_dict()
    assert good["status"] == "ok"
    assert bad["status"].startswith("there is one group only")
    assert bad["tau00"] is None
    assert math.isclose(bad["mean"], np.mean([np.average(lone[k], weights=lone["TOTWGT"]) for k in PV]))
    assert mean["notes"] == "average of 1 of 2 parts"
    assert not table.complete
