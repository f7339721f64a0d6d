"""Made-up files of every study, as its manuals describe them, and the figures worked out beside them.

What a study does stands in `FILES` once more, written from its documentation and not from `fastml.designs`: names of the
columns, where the school's weight is, how replicates make a variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import naive_survey
import numpy as np
import pandas as pd
import pytest

import fastml
from fastml import designs

N_SCHOOLS = 10


@dataclass(frozen=True)
class Study:
    """A study's file.

    Attributes
    ----------
    outcome, values : str
        The score, and its plausible values with ``{k}``; a score that is measured once has none.
    n_values : int
    group, country, weight : str
    school_weight : dict of str to float
        Factors of the school's weight; their numbers multiply the last one.
    of_school_file : bool
        Whether these are in the school file.
    zones : tuple of str
        Zone and half; empty where there are columns.
    replicates : str
        Columns with ``{r}``.
    n_replicates : int
        Of columns.
    both, factor, first_only
        As in the study's formula of the variance.
    decoys : tuple of str
        Columns that look like a school's weight and are none; 77 everywhere.
    """

    outcome: str
    values: str
    n_values: int
    group: str
    country: str
    weight: str
    school_weight: tuple[str, ...]
    factor: float
    of_school_file: bool = False
    zones: tuple[str, ...] = ()
    both: bool = False
    replicates: str = ""
    n_replicates: int = 0
    first_only: bool = False
    decoys: tuple[str, ...] = ()


# TIMSS 2023 and PIRLS 2021 international database guides: SCHWGT, JKZONE and JKREP; both halves of each zone.
TIMSS = Study("BSMMAT", "BSMMAT0{k}", 5, "IDSCHOOL", "IDCNTRY", "TOTWGT", ("WGTFAC1", "WGTADJ1"), 0.5,
              zones=("JKZONE", "JKREP"), both=True, decoys=("SENWGT", "HOUWGT"))  # fmt: skip
PIRLS = replace(TIMSS, outcome="ASRREA", values="ASRREA0{k}", school_weight=("SCHWGT",), of_school_file=True)
# PIRLS 2011 user guide: one replicate for each zone, variance of the first plausible value.
PIRLS_2011 = replace(PIRLS, factor=1.0, both=False, first_only=True, of_school_file=False, zones=("JKZONE", "JKREP"))
TIMSS_1995 = replace(TIMSS, factor=1.0, both=False, first_only=True)
TIMSS_2011 = replace(TIMSS_1995, outcome="ASMMAT", values="ASMMAT0{k}", school_weight=("SCHWGT",),
                     zones=("JKCZONE", "JKCREP"))  # fmt: skip
# The score of LaNA is drawn as that of TIMSS; ILSAstats names its variance, JK2-full, with theirs.
LANA = replace(TIMSS, outcome="ASMLAN", values="ASMLAN0{k}")
# PISA data analysis manual: Fay's factor .5, so 1/(80 x .25).
PISA = Study("MATH", "PV{k}MATH", 10, "CNTSCHID", "CNT", "W_FSTUWT", ("W_SCHGRNRABWT",), 0.05, of_school_file=True,
             replicates="W_FSTURWT{r}", n_replicates=80, decoys=("SENWT",))  # fmt: skip
PISA_2012 = replace(PISA, n_values=5, group="SCHOOLID", school_weight=("W_FSCHWT",), replicates="W_FSTR{r}")
PISA_2000 = replace(PISA_2012, outcome="READ", values="PV{k}READ", country="COUNTRY", school_weight=("WNRSCHBW",),
                    of_school_file=False)  # fmt: skip
# ICCS 2016 user guide: school factors of the students' file; TOTWGTC weights the school questionnaire.
ICCS = Study("CIV", "PV{k}CIV", 5, "IDSCHOOL", "IDCNTRY", "TOTWGTS", ("WGTFAC1", "WGTADJ1S"), 1.0,
             zones=("JKZONES", "JKREPS"), decoys=("TOTWGTC",))  # fmt: skip
ICILS = replace(ICCS, outcome="CIL", values="PV{k}CIL")
# Rrepest, svy="TALISTCH": TCHWGT, TRWGT1 to 100, 1/(100 x .25); OECD (2021): SCHWGT is the school weight, of principals.
TALIS = Study("T3SELF", "T3SELF", 1, "IDSCHOOL", "IDCNTRY", "TCHWGT", ("SCHWGT",), 0.04, of_school_file=True,
              replicates="TRWGT{r}", n_replicates=100)  # fmt: skip
# NAEP primer: five plausible values, SMSRSWT; variance of the first plausible value over 62 columns.
NAEP = Study("MRPCM", "MRPCM{k}", 5, "SCRPSU", "FIPS", "ORIGWT", ("SMSRSWT",), 1.0, replicates="SRWT{r:02d}",
             n_replicates=62, first_only=True)  # fmt: skip

FILES: list[tuple[str, Study]] = [
    ("TIMSS 2023", TIMSS), ("timss 2019", TIMSS), ("TIMSS 2011", TIMSS_2011), ("timss_1995", TIMSS_1995),
    ("PIRLS 2021", PIRLS), ("pirls 2016", PIRLS), ("PIRLS-2011", PIRLS_2011), ("LaNA 2023", LANA),
    ("PISA 2022", PISA), ("Pisa2015", PISA), ("PISA 2012", PISA_2012), ("pisa 2000", PISA_2000),
    ("ICCS 2022", ICCS), ("iccs_2009", ICCS), ("ICILS 2018", ICILS), ("icils 2023", ICILS),
    ("TALIS 2018", TALIS), ("naep 2013", NAEP),
]  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A made-up country: its two files, and what its figures are made of."""

    students: pd.DataFrame
    schools: pd.DataFrame
    values: list[np.ndarray]
    school: np.ndarray
    v: np.ndarray
    totals: np.ndarray


def made(study: Study, seed: int = 0, country: Any = 792) -> Made:
    """Schools in pairs that make the zones; the first half of the pair is 1, the other 0."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(N_SCHOOLS), rng.integers(3, 8, N_SCHOOLS))
    v_of = np.round(rng.uniform(2.0, 30.0, N_SCHOOLS), 1)
    v = v_of[school]
    total = v * np.round(rng.uniform(1.0, 3.0, len(school)), 2)
    score = 500.0 + rng.normal(0.0, 40.0, N_SCHOOLS)[school] + rng.normal(0.0, 60.0, len(school))
    noise = 15.0 if study.n_values > 1 else 0.0
    values = [score + rng.normal(0.0, noise, len(school)) for _ in range(study.n_values)]
    students = pd.DataFrame({study.country: country, study.group: 101 + school, study.weight: total})
    for name in study.decoys:
        students[name] = 77.25
    for k, value in enumerate(values, 1):
        students[study.values.format(k=k)] = value
    if study.zones:
        zone, half = school // 2, 1 - school % 2
        students[study.zones[0]], students[study.zones[1]] = zone + 1, half
        totals = naive_survey.jackknife_totals(total, zone, half, study.both)
    else:
        totals = total * rng.choice([0.5, 1.5], (study.n_replicates, len(school)))
        columns = {study.replicates.format(r=r): column for r, column in enumerate(totals, 1)}
        students = pd.concat([students, pd.DataFrame(columns)], axis=1)
    schools = pd.DataFrame({study.country: country, study.group: 101 + np.arange(N_SCHOOLS), "TOTWGTC": 3.5})
    target, of = (schools, v_of) if study.of_school_file else (students, v)
    *others, last = study.school_weight
    target[last] = of / 2.0 ** len(others)
    for name in others:
        target[name] = 2.0
    return Made(students, schools, values, school, v, np.vstack([total, totals]))


def figures(study: Study, data: Made) -> dict[str, float]:
    """Mean, its error and its parts, and the fit's estimates: by NumPy and the twin of fits."""
    means = np.array([[np.average(y, weights=t) for t in data.totals] for y in data.values])
    sampling = study.factor * ((means[:, 1:] - means[:, :1]) ** 2).sum(axis=1)
    m = len(data.values)
    between = (1 + 1 / m) * means[:, 0].var(ddof=1) if m > 1 else 0.0
    within = sampling[0] if study.first_only else sampling.mean()
    fits = np.mean([naive_survey.fit(y, data.school, data.totals[0], data.v) for y in data.values], axis=0)
    return {
        "mean": means[:, 0].mean(),
        "se_mean": np.sqrt(within + between),
        "sampling_variance_mean": within,
        "imputation_variance_mean": between,
    } | dict(zip(("gamma00", "tau00", "sigma2", "icc"), fits, strict=True))


def check(row: dict, study: Study, data: Made) -> None:
    assert row["status"] == "ok", row["message"]
    assert (row["n_obs"], row["n_groups"]) == (len(data.school), N_SCHOOLS)
    for name, value in figures(study, data).items():
        assert row[name] == pytest.approx(value, rel=1e-9), name


def school_file(study: Study, data: Made) -> pd.DataFrame | None:
    return data.schools if study.of_school_file else None


@pytest.mark.parametrize(("name", "study"), FILES, ids=[name for name, _ in FILES])
def test_each_study_by_its_name_and_year(name: str, study: Study) -> None:
    data = made(study)
    (row,) = fastml.fit_survey(data.students, study.outcome, name, school_data=school_file(study, data)).to_dict()
    check(row, study, data)


BY_KIND = [FILES[i] for i in (0, 4, 10, 12, 16, 17)]


@pytest.mark.parametrize(("name", "study"), BY_KIND, ids=[name for name, _ in BY_KIND])
def test_lower_case_names_and_two_countries_in_files(name: str, study: Study, tmp_path: Path) -> None:
    """Schools and zones start again in each country; in text and in Stata's files, whose numbers are all doubles."""
    texts = study.country in ("CNT", "COUNTRY")
    labels = ["AUT", "TUR"] if texts else [40, 792]
    parts = [made(study, seed, label) for seed, label in enumerate(labels)]
    for ending in ("csv", "dta"):
        files = []
        for which in ("students", "schools"):
            frame = pd.concat([getattr(part, which) for part in parts], ignore_index=True).rename(columns=str.lower)
            files.append(tmp_path / f"{which}.{ending}")
            frame.to_csv(files[-1], index=False) if ending == "csv" else frame.to_stata(files[-1], write_index=False)
        table = fastml.fit_survey(files[0], study.outcome.lower(), name, by=study.country.lower(),
                                  school_data=files[1] if study.of_school_file else None)  # fmt: skip
        for row, part, label in zip(table.to_dict(), parts, labels, strict=True):
            assert row[study.country.lower()] == label
            check(row, study, part)


Change = Callable[[Made], Any]


def without(*names: str) -> Change:
    return lambda data: (data.students.drop(columns=list(names)), data.schools)


def renamed(**names: str) -> Change:
    return lambda data: (data.students.rename(columns=names), data.schools)


def with_value(column: str, value: Any) -> Change:
    return lambda data: (data.students.assign(**{column: data.students[column].where(data.students.index != 4, value)}),
                         data.schools)  # fmt: skip


REFUSED: list[tuple[str, Study, Change, str]] = [
    # Replicates that are not there.
    ("PISA 2018", PISA, without("W_FSTURWT80"), "'W_FSTURWT80' is not in .*replicate weight 80 of the 80 of PISA; .*se='sandwich'"),
    ("TALIS 2018", TALIS, without("TRWGT100"), "'TRWGT100' is not in .*replicate weight 100 of the 100 of TALIS"),
    ("NAEP 2013", NAEP, without("SRWT01"), "'SRWT01' is not in .*replicate weight 1 of the 62 of NAEP"),
    ("TIMSS 2019", TIMSS, without("JKZONE"), "'JKZONE' is not in .*jackknife zone there; .*se='sandwich'"),
    ("ICCS 2016", ICCS, without("JKREPS"), "'JKREPS' is not in .*half of the jackknife zone there"),
    # The file of another cycle, or of another study.
    ("PISA 2012", PISA, without(), "'SCHOOLID' is not in .*PISA before 2015 names its schools so; another cycle may have another design, and group= names"),
    ("PISA 2022", PISA_2012, without(), "'CNTSCHID' is not in .*PISA names its schools so"),
    ("TIMSS 2019", ICCS, without(), "outcome 'CIV': column 'CIV01' is not in"),
    ("ICCS 2016", PIRLS, without(), "outcome 'ASRREA': column 'PV1ASRREA' is not in .*did you mean 'ASRREA05'"),
    ("TIMSS 2019", replace(ICCS, outcome="BSMMAT", values="BSMMAT0{k}"), without(), "'TOTWGT' is not in .*students' total weight"),
    ("NAEP 2013", PISA, without(), "'SCRPSU' is not in .*NAEP names its schools so"),
    # Codes that are off.
    ("TIMSS 2019", TIMSS, with_value("JKREP", 2), "half 'JKREP' is 2 in IDCNTRY 792, IDSCHOOL 101; it is 0 or 1 .*the design the file's own"),
    ("TIMSS 2019", TIMSS, with_value("JKZONE", np.nan), "zone 'JKZONE' is missing in IDCNTRY 792, IDSCHOOL 101"),
    ("TIMSS 2019", TIMSS, with_value("TOTWGT", -1.0), "column 'TOTWGT' has -1 in row 4"),
    ("TIMSS 2019", TIMSS, with_value("WGTFAC1", 5000.0), "column 'WGTFAC1 x WGTADJ1' varies within a group: .* in row 4"),
    ("PISA 2018", PISA, with_value("W_FSTURWT7", np.inf), "column 'W_FSTURWT7' has inf in row 4"),
    ("ICCS 2016", ICCS, with_value("IDSCHOOL", 101.5), r"group column 'IDSCHOOL' has 101\.5, which is no id"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "study", "change", "message"), REFUSED, ids=[f"{i} {r[0]}" for i, r in enumerate(REFUSED)]
)
def test_what_a_file_lacks_or_has_wrong_is_named(name: str, study: Study, change: Change, message: str) -> None:
    students, schools = change(made(study))
    with pytest.raises(fastml.FastmlError, match=message) as caught:
        fastml.fit_survey(students, study.outcome, name, school_data=schools if study.of_school_file else None)
    assert "\n" not in str(caught.value)
    assert "this is a fault of fastml" not in str(caught.value)


@pytest.mark.parametrize(("name", "study", "missing"), [
    ("TALIS 2018", TALIS, "SCHWGT"), ("PISA 2022", PISA, "W_SCHGRNRABWT"), ("PIRLS 2021", PIRLS, "SCHWGT or WGTFAC1 x WGTADJ1"),
    ("ICCS 2016", replace(ICCS, of_school_file=True), "WGTFAC1 x WGTADJ1S"),
])  # fmt: skip
def test_without_a_school_weight_there_are_means_and_what_is_missing(name: str, study: Study, missing: str) -> None:
    data = made(study)
    (row,) = fastml.fit_survey(data.students, study.outcome, name).to_dict()
    assert (row["status"], row["icc"]) == ("no_school_weight", None)
    assert missing in row["message"]
    for figure in ("mean", "se_mean"):
        assert row[figure] == pytest.approx(figures(study, data)[figure], rel=1e-9)


def test_the_factors_of_other_studies_are_not_guessed_for_talis() -> None:
    """Nobody says that these make the weight of a school of TALIS; who knows better says so."""
    data = made(TALIS)
    students = data.students.assign(WGTFAC1=2.0, WGTADJ1=data.v / 2.0)
    (row,) = fastml.fit_survey(students, "T3SELF", "talis").to_dict()
    assert row["status"] == "no_school_weight"
    own = replace(designs.TALIS, group_weight=(("WGTFAC1", "WGTADJ1"),))
    check(fastml.fit_survey(students, "T3SELF", own).to_dict()[0], TALIS, data)


def test_codes_of_missing_answers_enter_no_mean() -> None:
    for name, study in (FILES[0], FILES[8], FILES[12]):
        data = made(study)
        column = study.values.format(k=2)
        coded = data.students.assign(**{column: data.students[column].where(data.students.index % 9 != 0, 9999.0)})
        kept = data.students.index % 9 != 0
        fewer = Made(data.students[kept], data.schools, [y[kept] for y in data.values], data.school[kept], data.v[kept],
                     data.totals[:, kept])  # fmt: skip
        (row,) = fastml.fit_survey(coded, study.outcome, name, school_data=school_file(study, data)).to_dict()
        check(row, study, fewer)
        assert row["n_obs"] + row["n_dropped"] == len(coded)
        assert "9999" in str(row["notes"]) or "codes" in str(row["notes"])


def test_a_school_whose_weight_is_missing_is_left_out_and_counted() -> None:
    data = made(PIRLS)
    schools = data.schools.assign(SCHWGT=data.schools["SCHWGT"].where(data.schools.index != 3))
    (row,) = fastml.fit_survey(data.students, "ASRREA", "PIRLS 2021", school_data=schools).to_dict()
    assert row["n_groups"] == N_SCHOOLS - 1
    assert row["dropped_weights"] == (data.school == 3).sum()


def test_an_economy_without_school_ids_has_its_mean() -> None:
    one, other = made(PISA, 1, "AUT"), made(PISA, 2, "TUR")
    students = pd.concat([one.students, other.students.assign(CNTSCHID=np.nan)], ignore_index=True)
    rows = fastml.fit_survey(students, "MATH", "PISA 2025", by="CNT", school_data=one.schools).to_dict()
    check(rows[0], PISA, one)
    assert (rows[1]["status"], rows[1]["icc"]) == ("no_school_ids", None)
    for figure in ("mean", "se_mean"):
        assert rows[1][figure] == pytest.approx(figures(PISA, other)[figure], rel=1e-9)


def test_classes_are_groups_with_their_own_factors() -> None:
    data = made(ICCS)
    rng = np.random.default_rng(3)
    factor = np.round(rng.uniform(1.0, 4.0, N_SCHOOLS), 1)[data.school]
    students = data.students.assign(IDCLASS=1000 + data.school, WGTFAC2S=factor, WGTADJ2S=1.5)
    as_schools = replace(data, v=data.v * factor * 1.5)
    check(fastml.fit_survey(students, "CIV", "ICCS 2022", group="IDCLASS").to_dict()[0], ICCS, as_schools)


def test_countries_together_keep_their_schools_and_zones_apart() -> None:
    """What is pooled is said; twenty schools, although both countries number them alike."""
    for name, study in (FILES[0], FILES[12]):
        parts = [made(study, seed, label) for seed, label in enumerate((40, 792))]
        students = pd.concat([part.students for part in parts], ignore_index=True)
        (row,) = fastml.fit_survey(students, study.outcome, name).to_dict()
        assert row["n_groups"] == 2 * N_SCHOOLS
        assert "IDCNTRY" in str(row["notes"])
        both = Made(students, parts[0].schools, [np.concatenate(y) for y in zip(*(p.values for p in parts), strict=True)],
                    np.concatenate([parts[0].school, 50 + parts[1].school]), np.concatenate([p.v for p in parts]),
                    _side_by_side(*(p.totals for p in parts)))  # fmt: skip
        for figure, value in figures(study, both).items():
            assert row[figure] == pytest.approx(value, rel=1e-9), (name, figure)


def _side_by_side(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Full totals, then the replicates of one country while the other keeps its own."""
    full = np.concatenate([one[0], other[0]])
    first = [np.concatenate([row, other[0]]) for row in one[1:]]
    second = [np.concatenate([one[0], row]) for row in other[1:]]
    return np.vstack([full, *first, *second])


def test_a_design_of_ones_own_like_naeps() -> None:
    """A jackknife of columns, first plausible value only, for a national study."""
    study = Study("read", "read_{k}", 3, "sch", "land", "w", ("v",), 0.9, replicates="rw{r:03d}", n_replicates=12,
                  first_only=True)  # fmt: skip
    own = designs.Design(
        name="ours", group=("sch",), country=("land",), plausible=("{outcome}_{k}",), n_plausible=3, weight=("w",),
        group_weight=(("v",),), replicates=designs.Columns(("rw{r:03d}",), 12), factor=0.9, first_only=True,
    )  # fmt: skip
    data = made(study)
    check(fastml.fit_survey(data.students, "read", own).to_dict()[0], study, data)


def test_studies_that_are_none_of_these_are_refused() -> None:
    """PIAAC samples households: it has no schools."""
    data = made(TIMSS)
    for name in ("PIAAC", "PIAAC 2023", "TIMSS Advanced 2015", "TALIS Starting Strong 2018"):
        with pytest.raises(fastml.FastmlError, match=r"give a fastml\.designs\.Design of your own"):
            fastml.fit_survey(data.students, "BSMMAT", name)
