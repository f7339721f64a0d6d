"""Assessments: against a twin that re-weights every row and refits, figures of others on real files, and the traps."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import naive_survey
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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


SMALL_PISA = dataclasses.replace(designs.PISA, replicates=designs.Columns(("W_FSTURWT{r}",), 8))


def only(table: fastml.SurveyTable) -> dict:
    (row,) = table.to_dict()
    assert row["status"] == "ok", row["status"]
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


# Real files.

REAL = {
    "timss2019_g8_tur": ("timss", None),
    "timss2011_g4_aut_bifie01": ("timss_before_2015", None),
    "pisa2018_tur": ("pisa", "pisa2018_tur_sch.parquet"),
}


def test_real_files(assessments_folder: Path) -> None:
    for record in json.loads((assessments_folder / "expected_survey.json").read_text()):
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


# Countries.


def together(*countries: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([c[name] for c in countries]) for name in countries[0]}


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


# The school file.


def test_school_file_by_path_and_frame(tmp_path: Path) -> None:
    students, schools = pisa()
    file = tmp_path / "schools.parquet"
    pq.write_table(pa.table(schools), file)
    rows = [only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=x))
            for x in (schools, file, pd.DataFrame(schools), pl.DataFrame(schools))]  # fmt: skip
    assert all(row == rows[0] for row in rows)
    in_rows = {**students, "W_SCHGRNRABWT": schools["W_SCHGRNRABWT"][(students["CNTSCHID"] - 1).astype(int)]}
    assert only(fastml.fit_survey(in_rows, "MATH", SMALL_PISA)) == rows[0]


def test_schools_that_the_file_lacks_are_dropped_and_counted() -> None:
    students, schools = pisa()
    some = {name: column[3:] for name, column in schools.items()}
    row = only(fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=some))
    kept = students["CNTSCHID"] > 3
    assert row["dropped_weights"] == (~kept).sum()
    fewer = {name: column[kept] for name, column in students.items()}
    assert math.isclose(row["tau00"], only(fastml.fit_survey(fewer, "MATH", SMALL_PISA, school_data=schools))["tau00"])
    data = timss()
    weights = {"IDCNTRY": np.ones(16), "IDSCHOOL": np.arange(16) + 5001.0, "SCHWGT": np.arange(16) + 1.0}
    row = only(fastml.fit_survey(data, "BSMMAT", "timss", school_data=weights))
    assert row["dropped_weights"] == (data["IDSCHOOL"] == 5017.0).sum()


def test_school_ids_that_repeat_across_countries_need_the_country() -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    data = together(a, b)
    pairs = np.unique(np.stack([data["IDCNTRY"], data["IDSCHOOL"]]), axis=1)
    schools = {"IDCNTRY": pairs[0], "IDSCHOOL": pairs[1], "SCHWGT": pairs[0] + pairs[1] / 1000.0}
    table = fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY", school_data=schools)
    direct = {**data, "SCHWGT": data["IDCNTRY"] + data["IDSCHOOL"] / 1000.0}
    assert table.to_dict() == fastml.fit_survey(direct, "BSMMAT", "timss", by="IDCNTRY").to_dict()
    del schools["IDCNTRY"]
    with pytest.raises(fastml.FastmlError, match=r"IDSCHOOL 5001\.0 stands twice in the school data"):
        fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY", school_data=schools)


def test_classes_as_groups_take_their_weight_too() -> None:
    data = timss(8)
    data["IDCLASS"] = data["IDSCHOOL"] * 100.0 + np.arange(len(data["IDSCHOOL"])) % 2
    rng = np.random.default_rng(0)
    factor = dict(zip(np.unique(data["IDCLASS"]), rng.uniform(1.0, 3.0, 40), strict=False))
    data["WGTFAC2"] = np.array([factor[c] for c in data["IDCLASS"]])
    data["WGTADJ2"] = np.full(len(data["IDCLASS"]), 1.5)
    row = only(fastml.fit_survey(data, "BSMMAT", "timss", group="IDCLASS"))
    as_schools = {**data, "IDSCHOOL": data["IDCLASS"], "WGTADJ1": data["WGTADJ1"] * data["WGTFAC2"] * 1.5}
    compare(row, naive_timss(as_schools, "size"))


# Traps and laws.


def test_zones_of_any_number_of_schools_are_no_errors() -> None:
    row = only(fastml.fit_survey(timss(), "BSMMAT", "timss"))
    assert "zones have one half only" in row["notes"]
    # 8 zones, 5 plausible values: Barnard and Rubin's df lie below 8.
    assert 0.0 < row["df_gamma00"] < 8.0
    assert row["ci_low_gamma00"] < row["gamma00"] < row["ci_high_gamma00"]


@pytest.mark.parametrize("scaling", ["size", "effective", "gk", "group-only", "none"])
def test_a_constant_factor_of_the_school_weight_changes_nothing(scaling: str) -> None:
    data = timss()
    a = only(fastml.fit_survey(data, "BSMMAT", "timss", weight_scaling=scaling))
    b = only(fastml.fit_survey({**data, "WGTADJ1": data["WGTADJ1"] * 3.7}, "BSMMAT", "timss", weight_scaling=scaling))
    same = [math.isclose(a[p + name], b[p + name], rel_tol=1e-10)
            for name in ("gamma00", "tau00", "sigma2", "icc") for p in ("", "se_")]  # fmt: skip
    assert all(same) == (scaling != "none")


def test_missing_codes_never_enter_a_mean() -> None:
    data = timss()
    coded = {name: column.copy() for name, column in data.items()}
    for name in PV:
        coded[name][4:8] = 9999.0
    row = only(fastml.fit_survey(coded, "BSMMAT", "timss"))
    kept = np.ones(len(data["TOTWGT"]), bool)
    kept[4:8] = False
    compare(row, naive_timss({name: column[kept] for name, column in data.items()}, "size"))
    assert row["dropped_outcome"] == 4
    assert "20 values in all the data are missing codes" in row["notes"]


def test_a_row_that_lacks_a_plausible_value_is_left_out() -> None:
    data = timss()
    data["BSMMAT03"][2] = math.nan
    row = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    assert row["dropped_outcome"] == 1
    assert "1 rows in all the data lack some plausible values" in row["notes"]


def test_rows_are_dropped_by_cause() -> None:
    data = {name: column.copy() for name, column in timss().items()}
    data["TOTWGT"][0], data["TOTWGT"][1] = 0.0, math.nan
    data["IDSCHOOL"][2] = math.nan
    data["JKZONE"][0] = math.nan  # a row without weight needs no zone
    row = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    assert [row[f"dropped_{cause}"] for cause in ("zero_weight", "weights", "group", "outcome")] == [1, 1, 1, 0]
    assert row["n_dropped"] == 3


def test_a_score_without_plausible_values() -> None:
    data = timss()
    row = only(fastml.fit_survey({**data, "SCALE": data["BSMMAT01"]}, "SCALE", "timss"))
    first = naive_survey.survey(
        [data["BSMMAT01"]], data["IDSCHOOL"], data["TOTWGT"], data["WGTFAC1"] * data["WGTADJ1"],
        naive_survey.jackknife_totals(data["TOTWGT"], data["JKZONE"], data["JKREP"]),
    )  # fmt: skip
    compare(row, first)
    assert row["df_icc"] == 8.0


def test_several_outcomes_and_lower_case_columns() -> None:
    data = timss()
    data |= {f"BSSSCI{k:02d}": data[f"BSMMAT{k:02d}"] * 2.0 for k in range(1, 6)}
    table = fastml.fit_survey({name.lower(): column for name, column in data.items()}, ["BSMMAT", "BSSSCI"], "timss")
    maths, science = table.to_dict()
    assert (maths["outcome"], science["outcome"]) == ("BSMMAT", "BSSSCI")
    assert math.isclose(science["se_tau00"], 4.0 * maths["se_tau00"], rel_tol=1e-13)


def test_a_weight_that_varies_between_the_zones_of_a_school() -> None:
    data = timss()
    data["WGTFAC1"][(data["IDSCHOOL"] == 5016.0) & (data["JKZONE"] == 7.0)] += 1.0
    with pytest.raises(fastml.FastmlError, match=r"varies within a group.*IDCNTRY 1\.0, IDSCHOOL 5016"):
        fastml.fit_survey(data, "BSMMAT", "timss")


def test_nothing_to_fit() -> None:
    data = {name: column[:0] for name, column in timss().items()}
    with pytest.raises(fastml.FastmlError, match="no rows to fit"):
        fastml.fit_survey(data, "BSMMAT", "timss")
    students, schools = pisa()
    with pytest.raises(fastml.FastmlError, match="no rows to fit"):
        fastml.fit_survey({k: c[:0] for k, c in students.items()}, "MATH", SMALL_PISA, school_data=schools)
    data = timss()
    data["TOTWGT"][:] = 0.0
    (row,) = fastml.fit_survey(data, "BSMMAT", "timss").to_dict()
    assert row["status"] == "no row has a score and its weights"
    assert row["dropped_zero_weight"] == len(data["TOTWGT"])


def test_no_variance_between_schools_is_a_result() -> None:
    data = timss()
    for school in np.unique(data["IDSCHOOL"]):
        rows = data["IDSCHOOL"] == school
        for name in PV:
            data[name][rows] -= np.average(data[name][rows], weights=data["TOTWGT"][rows])
    row = only(fastml.fit_survey(data, "BSMMAT", "timss"))
    assert row["tau00"] == 0.0
    assert "tau00 is 0, on the boundary in plausible values 1, 2, 3, 4, 5" in row["notes"]


def test_neither_threads_nor_carriers_change_a_bit() -> None:
    data = timss()
    first = fastml.fit_survey(data, "BSMMAT", "timss", threads=1).to_dict()
    assert first == fastml.fit_survey(data, "BSMMAT", "timss", threads=4).to_dict()
    for carrier in (pd.DataFrame(data), pl.DataFrame(data), pa.table(data), pa.table(data).to_reader(7)):
        if isinstance(carrier, pa.RecordBatchReader):
            assert fastml.fit_survey(carrier, "BSMMAT", "timss").to_dict() == first
        else:
            assert fastml.fit_survey(carrier, "BSMMAT", "timss").to_dict() == first
    students, schools = pisa()
    first = fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools).to_dict()
    small = pa.table(students).to_reader(3)
    assert fastml.fit_survey(small, "MATH", SMALL_PISA, school_data=schools).to_dict() == first


def test_several_files(tmp_path: Path) -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    for name, data in (("a", a), ("b", b)):
        pq.write_table(pa.table(data), tmp_path / f"{name}.parquet")
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    table = fastml.fit_survey(files, "BSMMAT", "timss", by="IDCNTRY")
    assert table.to_dict() == fastml.fit_survey(together(a, b), "BSMMAT", "timss", by="IDCNTRY").to_dict()
    assert table.provenance["files"] == [str(file) for file in files]


def change(**columns: object) -> dict[str, np.ndarray]:
    data = {name: column.copy() for name, column in timss().items()}
    for name, value in columns.items():
        if value is None:
            del data[name]
        else:
            data[name][4] = value
    return data


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (change(WGTFAC1=None), {}, "no school weight .SCHWGT or WGTFAC1 x WGTADJ1.*give school_data="),
        (change(WGTFAC1=3.0), {}, "group_weights column 'WGTFAC1 x WGTADJ1' varies within a group.*5001"),
        (change(), {"design": "timms"}, "design='timms' is not one of .*did you mean 'timss'"),
        (change(BSMMAT03=None), {}, "'BSMMAT03' is not in .*plausible value 3 of the 5 of 'BSMMAT'"),
        (change(), {"outcome": "BSMMET"}, "'BSMMET01' is not in .*did you mean 'BSMMAT01'"),
        (change(JKREP=2.0), {}, "jackknife half 'JKREP' is 2.0 in .*IDSCHOOL 5001.0; it is 0 or 1"),
        (change(JKREP=math.nan), {}, "jackknife half 'JKREP' is missing"),
        (change(JKZONE=math.nan), {}, "jackknife zone 'JKZONE' is missing in .*IDSCHOOL 5001.0"),
        (change(JKZONE=None), {}, "'JKZONE' is not in .*TIMSS keeps the jackknife zone there"),
        (change(TOTWGT=-1.0), {}, "weights column 'TOTWGT' has -1 in row 4"),
        (change(TOTWGT=math.inf), {}, "weights column 'TOTWGT' has inf in row 4"),
        (change(TOTWGT=None), {}, "'TOTWGT' is not in .*students' total weight"),
        (change(BSMMAT02=math.inf), {}, "'BSMMAT02' has inf in row 4"),
        (change(), {"by": "COUNTRY"}, "'COUNTRY' is not in"),
        (change(), {"se": "hc1"}, "se='hc1' is not one of 'replicate', 'sandwich'"),
        (change(), {"weight_scaling": "x"}, "weight_scaling='x' is not one of"),
        (change(), {"level": 95}, "level=95 must be a number between 0 and 1"),
        (change(), {"outcome": []}, "outcome="),
        (change(), {"group": "IDCLASS"}, "'IDCLASS' is not in"),
        (change(), {"by": "IDSCHOOL"}, "'IDSCHOOL' is named as by and as group"),
    ],
)
def test_errors_of_a_jackknife(data: dict[str, np.ndarray], options: dict, message: str) -> None:
    call = {"outcome": "BSMMAT", "design": "timss", **options}
    with pytest.raises(fastml.FastmlError, match=message) as caught:
        fastml.fit_survey(data, **call)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("W_FSTURWT3", -1.0, "'W_FSTURWT3' has -1 in row 4"),
        ("W_FSTURWT3", math.nan, "'W_FSTURWT3' has nan in row 4"),
        ("W_FSTUWT", -2.0, "'W_FSTUWT' has -2 in row 4"),
        ("PV2MATH", math.inf, "'PV2MATH' has inf in row 4"),
        ("W_FSTURWT5", None, "'W_FSTURWT5' is not in .*replicate weight 5 of the 8 of PISA"),
    ],
)
def test_errors_of_replicate_columns(column: str, value: float | None, message: str) -> None:
    students, schools = pisa()
    if value is None:
        del students[column]
    else:
        students[column][4] = value
    with pytest.raises(fastml.FastmlError, match=message):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)


def test_errors_of_the_school_file() -> None:
    students, schools = pisa()
    with pytest.raises(fastml.FastmlError, match=r"no school weight .W_SCHGRNRABWT.*key CNTSCHID"):
        fastml.fit_survey(students, "MATH", SMALL_PISA)
    with pytest.raises(fastml.FastmlError, match=r"'CNTSCHID' is not in .*joined by it"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data={"W_SCHGRNRABWT": schools["W_SCHGRNRABWT"]})
    schools["W_SCHGRNRABWT"][2] = 0.0
    with pytest.raises(fastml.FastmlError, match="'W_SCHGRNRABWT' is 0 for CNTSCHID 3"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools)


# The table and the command.


def test_the_table(tmp_path: Path) -> None:
    table = fastml.fit_survey(timss(country=792.0), "BSMMAT", "timss", by="IDCNTRY", level=0.9)
    prefixes = ("", "se_", "sampling_variance_", "imputation_variance_", "df_", "ci_low_", "ci_high_")
    figures = ("gamma00", "tau00", "sigma2", "icc", "deff", "mean", "sd")
    expected = ["IDCNTRY", "outcome", "n_obs", "n_groups", *(p + name for name in figures for p in prefixes)]
    names = list(table.to_frame().columns)
    assert names[: len(expected)] == expected
    assert names[-2:] == ["status", "notes"]
    assert table.provenance["design"] == "TIMSS"
    assert table.provenance["level"] == 0.9
    assert table.provenance["group_weights"] == "WGTFAC1 x WGTADJ1"
    table.write(tmp_path / "table.parquet")
    assert pq.read_table(tmp_path / "table.parquet").equals(table.to_arrow(), check_metadata=True)
    (row,) = json.loads(table.to_json())
    assert row["n_groups"] == 17
    assert table.to_csv().count("\n") == 2
    assert "792  BSMMAT" in str(table)
    assert len(table) == 1


def test_the_command(tmp_path: Path) -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    lone = {name: column[b["IDSCHOOL"] == 5001.0] for name, column in b.items()}
    pq.write_table(pa.table(a), tmp_path / "a.parquet")
    pq.write_table(pa.table(lone), tmp_path / "b.parquet")

    def run(*call: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fastml", "survey", *map(str, call)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    file = tmp_path / "a.parquet"
    done = run(file, "--design", "timss", "-y", "BSMMAT", "--by", "IDCNTRY", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == fastml.fit_survey(file, "BSMMAT", "timss", by="IDCNTRY").to_dict()
    partial = run(file, tmp_path / "b.parquet", "--design", "timss", "-y", "BSMMAT", "--by", "IDCNTRY")
    assert partial.returncode == 3
    assert "there is one group only" in partial.stdout
    wrong = run(file, "--design", "tims", "-y", "BSMMAT")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    out = tmp_path / "out.parquet"
    assert run(file, "--design", "timss", "-y", "BSMMAT", "--format", "parquet", "-o", out).returncode == 0
    assert pq.read_table(out).num_rows == 1
