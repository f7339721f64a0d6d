"""What a fit prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import fastml
from fastml import OneWayFit
from fastml.report.text import rows_text


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


@pytest.fixture(scope="module")
def boundary() -> OneWayFit:
    return fastml.fit({"y": [1.0, 9.0, 2.0, 8.0], "id": [1, 1, 2, 2]}, "y", "id")


def test_printed_table(fit: OneWayFit) -> None:
    text = str(fit)
    for figure in ("538.979", "16.422", " 19 ", "32.821", "<0.0001 ***", "72.298", "70.666", "-3436.7", "6879.4", "6892.6",
                   "ICC 0.51", "reliability 0.97", "5,393.40", "DEFF 15.83", "166.5", "600 observations in 20 groups of 30",
                   "466.7", "611.3", "144.6", "397.3", "680.7"):  # fmt: skip
        assert figure in text, figure
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_figures_wider_than_their_columns_stay_apart() -> None:
    rng = np.random.default_rng(1)
    table = pa.table({"g": np.repeat(np.arange(6), 20), "y": 1e9 * (2.0 + 0.1 * rng.normal(size=120))})
    wide = fastml.fit(table, "y", "g")
    words = str(wide).split()
    for value in (wide.gamma00, wide.se_gamma00, wide.tau_sd, wide.naive.mean_of_groups):
        assert f"{value:,.3f}" in words


def test_printed_table_of_a_boundary_fit(boundary: OneWayFit) -> None:
    text = str(boundary)
    assert "tau00 is 0, on the boundary" in text
    assert "nan" not in text
    anova = str(fastml.fit({"y": [1.0, 2.0, 5.0, 7.0], "id": [1, 1, 2, 2]}, "y", "id", method="anova"))
    assert "log likelihood" not in anova
    assert "nan" not in anova


def test_design_effects_by_name_where_sizes_differ(fit: OneWayFit) -> None:
    unequal = fastml.fit({"y": [1.0, 2.0, 5.0, 7.0, 9.0, 3.0], "id": [1, 1, 2, 2, 2, 3]}, "y", "id")
    effects = unequal.design_effects().set_index("name")
    named = {name: f"{effects.loc[name, 'deff']:.2f}" for name in ("lecture", "gls", "kish")}
    line = f"DEFF {named['lecture']} (lecture), {named['gls']} (gls: gamma00), {named['kish']} (kish: mean of all students)"
    text = str(unequal).splitlines()
    at = next(k for k, row in enumerate(text) if row.endswith(line))
    assert text[at + 1].endswith("effective n " + ", ".join(f"{effects.loc[name, 'n_eff']:.1f}" for name in named))
    assert "gls" not in str(fit)  # they are one where sizes are equal
    page = unequal.to_markdown()
    assert f"| DEFF, gamma00 (gls) |  | {named['gls']} |" in page
    assert f"| DEFF, mean of all students (kish) |  | {named['kish']} |" in page
    weighted = fastml.fit(
        {"y": [1.0, 2, 5, 7, 9, 3], "g": [1, 1, 2, 2, 2, 3], "v": [1.0, 1, 3, 3, 3, 2]}, "y", "g", group_weights="v"
    )
    assert "(gabler-kish: weighted mean of all students)" in str(weighted)


def test_printed_table_counts_dropped_rows() -> None:
    table = {"y": [1.0, 2.0, None, 7.0, 8.0], "id": [1, 1, 1, 2, None]}
    text = str(fastml.fit(table, "y", "id"))
    assert "3 observations in 2 groups of 1 to 2; 2 rows dropped (1 no group label, 1 no outcome)" in text


def test_rows_are_aligned_and_text_stands_left() -> None:
    rows = [{"country": "NOR", "icc": 0.1234, "n": 1200}, {"country": "a long name", "icc": None, "n": 7}]
    assert rows_text(rows, ["country", "n", "icc"]).splitlines() == [
        "country         n    icc",
        "NOR          1200  0.123",
        "a long name     7      -",
    ]
    assert rows_text([], ["country", "icc"]) == "country  icc"


def test_a_plan_prints_its_figures() -> None:
    text = str(fastml.plan(0.2, 150, 25, difference=0.2)).splitlines()
    assert text[:2] == ["150 schools of 25 students, 3,750 in all", "icc 0.200, standard deviation 1.000"]
    assert text[3].split() == ["standard", "error", "of", "the", "mean", f"{(5.8 / 3750) ** 0.5:.6g}", "df", "149"]
    assert text[-2].startswith("power to find a difference of 0.200")
    assert str(fastml.plan(0.2, cluster_size=25, se=0.05)).startswith(
        "93 schools of 25 students, 2,325 in all (the number"
    )
