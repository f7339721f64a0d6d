"""Degrees of freedom of columns of replicates: the rank that NumPy finds by singular values, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.linalg import hadamard
from surveys import SMALL_PISA, only, pisa, timss, together

import fastml
from fastml.errors import ArgumentError, FastmlError
from fastml.survey.degrees import johnson_rust, replicate_gram, replicate_rank


def rank(totals: np.ndarray, full: np.ndarray) -> int:
    return replicate_rank(replicate_gram(totals, full))


def twin(totals: np.ndarray, full: np.ndarray) -> int:
    table = (totals / full)[:, full > 0.0]
    return int(np.linalg.matrix_rank(table, tol=1e-5 * np.linalg.norm(table, 2)))


def fay(strata: int, n_replicates: int = 80) -> np.ndarray:
    """Factors (R, 2 strata) of half-samples by a Hadamard matrix of 128 rows, cut."""
    signs = hadamard(128)[:n_replicates, 1 : strata + 1]
    return 1.0 + 0.5 * np.repeat(signs, 2, axis=1) * np.tile([1.0, -1.0], strata)


@pytest.mark.parametrize("strata", [1, 2, 5, 10, 25, 60])
def test_fay_has_a_degree_of_freedom_for_each_stratum(strata: int) -> None:
    full = np.random.default_rng(1).uniform(1.0, 50.0, 2 * strata)
    assert rank(fay(strata) * full, full) - 1 == strata


def test_limits_are_those_of_r() -> None:
    """20 schools in 10 strata with 80 replicates of Fay, rho = .5: survey 4.1-1 in R, by svrepdesign, svymean and degf."""
    rng = np.random.default_rng(5)
    school = np.repeat(np.arange(20), 15)
    v = np.exp(rng.normal(2.0, 0.6, 20))
    total = np.round(v[school] * rng.uniform(1.0, 2.0, 300), 5)
    score = 500.0 + rng.normal(0.0, 40.0, 20)[school] + rng.normal(0.0, 60.0, 300)
    columns = {f"W_FSTURWT{r + 1}": np.round(x[school] * total, 5) for r, x in enumerate(fay(10))}
    row = only(fastml.fit_survey({"CNT": np.full(300, "A"), "CNTSCHID": school + 1, "W_FSTUWT": total,
                                  "W_SCHGRNRABWT": v[school], "Y": score, **columns}, "Y", "pisa"))  # fmt: skip
    assert row["df_mean"] == 10.0
    found = [row[name] for name in ("mean", "se_mean", "ci_low_mean", "ci_high_mean")]
    assert found == pytest.approx([502.6844, 8.119361, 484.5933, 520.7754], rel=1e-7)


def test_limits_of_a_real_file_are_those_of_r(assessments_folder: Path) -> None:
    """The first plausible value of PISA 2018, Türkiye, as if it were a score: survey 4.1-1, as above."""
    file = assessments_folder / "pisa2018_tur.parquet"
    table = pq.ParquetFile(file).read()
    table = table.append_column("ONE", table["PV1MATH"])
    row = only(fastml.fit_survey(table, "ONE", "pisa", school_data=assessments_folder / "pisa2018_tur_sch.parquet"))
    assert row["df_mean"] == 79.0
    found = [row[name] for name in ("mean", "se_mean", "ci_low_mean", "ci_high_mean")]
    assert found == pytest.approx([453.6263, 2.100228, 449.4459, 457.8066], rel=2e-7)


def test_no_more_directions_than_replicates() -> None:
    full = np.ones(120)
    assert rank(fay(60, 20), full) == 20
    # Delete-one replicates of J schools have J - 1 degrees of freedom.
    assert rank(12.0 / 11.0 * (1.0 - np.eye(12)), np.ones(12)) - 1 == 11


def test_the_twin_over_schools_and_over_rows() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n_replicates, schools, directions = rng.integers(2, 30), rng.integers(2, 40), rng.integers(1, 12)
        factors = np.abs(
            1.0 + 0.2 * rng.normal(size=(n_replicates, directions)) @ rng.normal(size=(directions, schools))
        )
        if seed % 3 == 0:
            factors *= rng.random(factors.shape) < 0.9  # schools that a replicate leaves out
        full = np.exp(rng.normal(3.0, 2.0, schools))
        expected = twin(factors * full, full)
        assert rank(factors * full, full) == expected, seed
        # Rows of the schools, in two batches, have the rank of the schools; no unit of the weights matters.
        school = np.repeat(np.arange(schools), rng.integers(1, 9, schools))
        t = full[school] * rng.uniform(0.5, 2.0, len(school))
        halves = np.array_split(np.arange(len(school)), 2)
        gram = sum(replicate_gram(factors[:, school[rows]] * t[rows], t[rows]) for rows in halves)
        assert replicate_rank(gram) == expected, seed
        assert rank(factors * full * 1e9, full * 1e9) == expected, seed


def test_the_rounding_of_published_weights_is_no_direction() -> None:
    full = np.round(np.random.default_rng(2).uniform(5.0, 80.0, 20), 5)
    assert rank(np.round(fay(10) * full, 5), full) == 11


def test_weights_of_zero_count_nothing() -> None:
    full = np.array([1.0, 2.0, 0.0])
    assert rank(np.array([[1.0, 2.0, 7.0], [2.0, 4.0, 0.0]]), full) == 1
    assert rank(np.zeros((3, 2)), np.zeros(2)) == 0


def test_every_part_has_its_own() -> None:
    """Two countries, one of 15 schools and one of 3: eight replicates have no more directions than it has schools."""
    students, schools = pisa()
    rows = students["CNTSCHID"] <= 3.0
    small = {name: column[rows] for name, column in students.items()} | {"CNT": np.full(rows.sum(), "USA")}
    for r in range(1, 9):  # one factor a school
        small[f"W_FSTURWT{r}"] = (
            small["W_FSTUWT"] * np.array([0.5, 0.5, 1.5, 1.5])[(small["CNTSCHID"] + r).astype(int) % 4]
        )
    school_file = {name: np.concatenate([column, column[:3]]) for name, column in schools.items()}
    school_file["CNT"] = np.repeat(["TUR", "USA"], [15, 3])
    values = [f"PV{k}MATH" for k in range(1, 11)]
    one = {**together(students, small), "ONE": np.concatenate([students[values[0]], small[values[0]]])}
    table = fastml.fit_survey(one, "ONE", SMALL_PISA, school_data=school_file, by="CNT").to_dict()
    assert [row["df_mean"] for row in table] == [7.0, 2.0]  # one value: the complete-data df itself
    alone = fastml.fit_survey({**small, "ONE": small[values[0]]}, "ONE", SMALL_PISA, school_data=schools)
    assert only(alone)["df_icc"] == 2.0


def test_johnson_and_rust_by_hand() -> None:
    """Terms 1, 2, 3, 4: (10^2)/30, times 3.16 - 2.77/2; equal terms have their number; none, the number of zones."""
    factor = 3.16 - 2.77 / 2.0
    assert float(johnson_rust(np.array([1.0, 2.0, 3.0, 4.0]))) == pytest.approx(factor * 100.0 / 30.0, rel=1e-14)
    found = johnson_rust(np.array([[5.0, 0.0], [5.0, 0.0], [5.0, 0.0], [5.0, 0.0]]))
    assert found == pytest.approx([factor * 4.0, 4.0], rel=1e-14)
    assert johnson_rust(2.0**60 * np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(factor * 100.0 / 30.0, rel=1e-14)


@pytest.mark.parametrize("design", ["timss", "timss_before_2015"])
def test_johnson_and_rust_of_an_assessment(design: str) -> None:
    """The official mean under every replicate, from the rows; the two replicates of a zone are one term."""
    data = timss()
    row = only(fastml.fit_survey({**data, "ONE": data["BSMMAT01"]}, "ONE", design, df="Johnson-Rust"))
    plain = only(fastml.fit_survey({**data, "ONE": data["BSMMAT01"]}, "ONE", design))
    y, t = data["BSMMAT01"], data["TOTWGT"]
    mean, terms = np.average(y, weights=t), []
    for zone in np.unique(data["JKZONE"]):
        term = 0.0
        for doubled in (1, 0) if design == "timss" else (1,):
            factor = np.where(data["JKZONE"] == zone, np.where(data["JKREP"] == doubled, 2.0, 0.0), 1.0)
            term += (np.average(y, weights=t * factor) - mean) ** 2
        terms.append(term)
    expected = (3.16 - 2.77 / np.sqrt(len(terms))) * np.sum(terms) ** 2 / np.sum(np.square(terms))
    assert row["df_mean"] == pytest.approx(expected, rel=1e-9)  # one value: the complete-data df itself
    assert row["se_mean"] == plain["se_mean"]
    assert plain["df_mean"] == len(terms)
    assert row["df_icc"] != row["df_mean"]


def test_johnson_and_rust_is_of_zones_only() -> None:
    students, schools = pisa()
    with pytest.raises(FastmlError, match="df='johnson-rust' is of the jackknife of zones"):
        fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools, df="johnson-rust")
    with pytest.raises(FastmlError, match="df='johnson-rust' is of the jackknife of zones"):
        fastml.fit_survey(timss(), "BSMMAT", "timss", se="sandwich", df="johnson-rust")
    with pytest.raises(ArgumentError, match="df='zones' is not one of 'johnson-rust'"):
        fastml.fit_survey(timss(), "BSMMAT", "timss", df="zones")
    table = fastml.fit_survey(timss(), "BSMMAT", "timss", df="johnson-rust")
    assert table.provenance["df"] == "johnson-rust"
    assert "degrees of freedom by Johnson and Rust" in str(table)
