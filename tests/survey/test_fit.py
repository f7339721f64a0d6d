"""fit_survey: every design against a twin, figures of others on real files, and calls that are wrong."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import naive_survey
import numba
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from surveys import REAL, SMALL_PISA, change, compare, naive_timss, only, pisa, timss, together

import fastml
from fastml import designs


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
        values = len(table.provenance["outcomes"][record["outcome"]])
        for name, true in record["expected"].items():
            name = {"weighted_mean": "mean"}.get(name, name)
            assert math.isclose(row[name], true["estimate"], rel_tol=1e-12)
            for prefix, key in (("se", "se"), ("sampling_variance", "sampling_variance"),
                                ("imputation_variance", "imputation_variance")):  # fmt: skip
                more = 1 + 1 / values if key == "imputation_variance" else 1  # the file has Rubin's B
                assert math.isclose(row[f"{prefix}_{name}"], more * true[key], rel_tol=1e-11), (record["dataset"], name)


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
    assert math.isclose(row["imputation_variance_mean"], 1.1 * 0.83940887592334, rel_tol=1e-11)


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
    whole = fastml.fit_survey(together(a, b), "BSMMAT", "timss", by="IDCNTRY")
    assert table.to_arrow().equals(whole.to_arrow())
    assert table.provenance["files"] == [str(file) for file in files]


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
    assert (row["status"], row["message"]) == ("no_rows", "no row has a score and its weights")
    assert (row["n_obs"], row["n_groups"]) == (0, 0)
    assert row["dropped_zero_weight"] == len(data["TOTWGT"])


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (change(WGTFAC1=3.0), {}, "group_weights column 'WGTFAC1 x WGTADJ1' varies within a group.*5001"),
        (change(), {"design": "timms"}, "design='timms' is not one of .*did you mean 'timss'"),
        (change(BSMMAT03=None), {}, "'BSMMAT03' is not in .*plausible value 3 of the 5 of 'BSMMAT'"),
        (change(), {"outcome": "BSMMET"}, "'BSMMET01' is not in .*did you mean 'BSMMAT01'"),
        (change(JKREP=2.0), {}, "jackknife half 'JKREP' is 2.0 in .*IDSCHOOL 5001.0; it is 0 or 1"),
        (change(JKREP=math.nan), {}, "jackknife half 'JKREP' is missing"),
        (change(JKZONE=math.nan), {}, "jackknife zone 'JKZONE' is missing in .*IDSCHOOL 5001.0"),
        (
            change(JKZONE=None),
            {},
            "'JKZONE' is not in .*TIMSS keeps the jackknife zone there; without replicates there is se='sandwich'",
        ),
        (change(TOTWGT=-1.0), {}, "weights column 'TOTWGT' has -1 in row 4"),
        (change(TOTWGT=math.inf), {}, "weights column 'TOTWGT' has inf in row 4"),
        (change(TOTWGT=None), {}, "'TOTWGT' is not in .*students' total weight"),
        (change(BSMMAT02=math.inf), {}, "'BSMMAT02' has inf in row 4"),
        (change(), {"by": "COUNTRY"}, "'COUNTRY' is not in"),
        (change(), {"se": "hc1"}, "se='hc1' is not one of 'replicate', 'sandwich'"),
        (change(), {"weight_scaling": "x"}, "weight_scaling='x' is not one of"),
        (change(), {"level": 95}, "level=95 can't be: it is a number between 0 and 1"),
        (change(), {"outcome": []}, "outcome="),
        (change(), {"group": "IDCLASS"}, "'IDCLASS' is not in"),
        (change(), {"by": "IDSCHOOL"}, "'IDSCHOOL' is named as by and as group"),
        (change(), {"by": "JKREP"}, "'JKREP' is named as by and as half"),
        (
            {**timss(), "mean": timss()["IDCNTRY"]},
            {"by": "mean"},
            "by column 'mean' has the name of a column of the table of results; rename",
        ),
        (change(), {"outcome": "JKZONE", "missing": ()}, "'JKZONE' is named as zone and as outcome"),
        (change(), {"by": ["IDCNTRY", "IDCNTRY"]}, "by=.* must name one column or several different ones"),
        (change(), {"average": True}, "average=True is a mean over parts: name their column"),
        (change(), {"missing": {}.keys}, "missing=.* can't be: it is a number, a text, or a list of them"),
        (change(), {"missing": True}, "missing=True can't be: it is a number, a text, or a list of them"),
        (change(), {"threads": 0}, "threads=0 is not a number of threads"),
        (change(), {"filter": "IDSCHOOL >"}, "filter 'IDSCHOOL >' can't be read"),
    ],
)
def test_errors_of_a_jackknife(data: dict[str, np.ndarray], options: dict, message: str) -> None:
    call = {"outcome": "BSMMAT", "design": "timss", **options}
    with pytest.raises(fastml.FastmlError, match=message) as caught:
        fastml.fit_survey(data, **call)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [3, None, "no.parquet"])
def test_data_of_no_kind_that_can_be_read(data: object) -> None:
    with pytest.raises(fastml.FastmlError, match=r"can't be read|does not exist"):
        fastml.fit_survey(data, "BSMMAT", "timss")


NOT_UTF8 = pa.Array.from_buffers(
    pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], np.int32)), pa.py_buffer(b"\xff")]
)
UNSHOWN = {"text that is not UTF-8": NOT_UTF8, "a time no calendar has": pa.array([2**63 - 1], pa.timestamp("s")),
           "a day after 9999": pa.array([4_000_000], pa.date32())}  # fmt: skip


@pytest.mark.parametrize("what", UNSHOWN)
@pytest.mark.parametrize("se", ["replicate", "sandwich"])
def test_labels_that_nobody_can_show_name_their_column(what: str, se: str) -> None:
    data = {**timss(), "C": pa.concat_arrays([UNSHOWN[what]] * len(timss()["IDSCHOOL"]))}
    with pytest.raises(fastml.FastmlError, match=r"^column .C. holds labels that can.t be shown") as caught:
        fastml.fit_survey(data, "BSMMAT", "timss", by="C", se=se)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("step", "named"), [("find_columns", "a dict"), ("open_rows", "a dict"), ("read_school_weights", "a DataFrame")]
)
def test_what_a_library_raises_is_one_line(step: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    students, schools = pisa()
    monkeypatch.setattr(f"fastml.survey.fit.{step}", lambda *_: json.loads("{"))
    with pytest.raises(fastml.FastmlError, match=f"^{named}: Expecting property name"):
        fastml.fit_survey(students, "MATH", "pisa", school_data=pd.DataFrame(schools), se="sandwich")
