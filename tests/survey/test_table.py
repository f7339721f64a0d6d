"""The table of assessments in all its forms, with what made it."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv as arrow_csv
from surveys import SMALL_PISA, only, pisa, timss, together

import fastml
from fastml.report.provenance import SCHEMA

FILTER = "IDSCHOOL > 5001"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("survey") / "bsg_m7.parquet"
    pq.write_table(pa.table(together(timss(5, 40.0), timss(6, 792.0))), path)
    return path


@pytest.fixture(scope="module")
def table(file: Path) -> fastml.SurveyTable:
    return fastml.fit_survey(file, "BSMMAT", "timss", by="IDCNTRY", average=True, filter=FILTER, level=0.9)


def test_columns_in_the_order_of_the_single_figures(table: fastml.SurveyTable) -> None:
    prefixes = ("", "se_", "sampling_variance_", "imputation_variance_", "df_", "ci_low_", "ci_high_")
    figures = ("gamma00", "tau00", "sigma2", "icc", "deff", "mean", "sd")
    expected = ["IDCNTRY", "outcome", "n_obs", "n_groups", *(p + name for name in figures for p in prefixes)]
    dropped = ["n_dropped", "dropped_group", "dropped_weights", "dropped_zero_weight", "dropped_outcome"]
    assert list(table.to_frame().columns) == [*expected, *dropped, "rows_without_by", "status", "message", "notes"]
    assert len(table) == 3
    first, *_ = table.to_dict()
    total = first["sampling_variance_icc"] + first["imputation_variance_icc"]
    assert first["se_icc"] ** 2 == pytest.approx(total, rel=1e-12)
    low, icc, high = (math.log(first[name] / (1.0 - first[name])) for name in ("ci_low_icc", "icc", "ci_high_icc"))
    half = 0.5 * (high - low)  # on the logit, whose error is that of the icc over icc (1 - icc)
    assert high - icc == pytest.approx(half, rel=1e-12)
    # The 95 % quantile of t with these degrees of freedom, by the integral of its density.
    mpmath = pytest.importorskip("mpmath")
    df, t = first["df_icc"], half / first["se_icc"] * first["icc"] * (1.0 - first["icc"])
    below = 1 - mpmath.betainc(df / 2, 0.5, 0, df / (df + t * t), regularized=True) / 2
    assert float(below) == pytest.approx(0.95, abs=1e-12)


def test_provenance(table: fastml.SurveyTable, file: Path) -> None:
    made = table.provenance
    assert made["fastml"] == fastml.__version__
    assert made["files"] == [str(file)]
    assert made["filter"] == FILTER
    assert made["design"] == "TIMSS"
    assert made["level"] == 0.9
    assert made["outcomes"] == {"BSMMAT": [f"BSMMAT0{k}" for k in range(1, 6)]}
    assert made["group_weights"] == "WGTFAC1 x WGTADJ1"
    assert made["replicates"] == "jackknife, both halves of zones JKZONE, halves JKREP"
    assert (made["factor"], made["sampling_variance"]) == (0.5, "all plausible values")
    students, schools = pisa()
    made = fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools, se="sandwich").provenance
    assert (made["replicates"], made["vcov"], made["school_data"], made["files"]) == (None, "cr2", True, [])
    made = fastml.fit_survey(
        students, "MATH", SMALL_PISA, school_data=schools, missing=[96, "k.A."], csv_options={"decimal": ","}
    ).provenance
    assert made["missing"] == [*SMALL_PISA.missing, 96.0, "k.A."]
    assert made["csv_options"] == {"decimal": ","}
    assert made["replicates"] == "8 columns W_FSTURWT1 to W_FSTURWT8"


def test_every_form_says_what_made_it(table: fastml.SurveyTable, file: Path, tmp_path: Path) -> None:
    table.write(tmp_path / "table.parquet")
    with pq.ParquetFile(tmp_path / "table.parquet") as written:
        again = written.read()
    # What else the file has is kept for comparisons: see test_kept.
    assert again.select(table.to_arrow().column_names).equals(table.to_arrow(), check_metadata=True)
    assert json.loads(again.schema.metadata[b"fastml"]) == table.provenance
    assert table.to_frame().attrs["provenance"] == table.provenance
    rows = json.loads(table.to_json(), parse_constant=pytest.fail)
    assert rows == table.to_dict()
    assert {(row["fastml"], row["schema"]) for row in rows} == {(fastml.__version__, SCHEMA)}
    assert all(row["provenance"] == table.provenance for row in rows)
    lines = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert [float(line["icc"]) for line in lines] == [row["icc"] for row in rows]
    assert json.loads(lines[0]["provenance"]) == table.provenance
    for text in (str(table), table.to_markdown(), table.to_latex(), table.to_html(), table.report_html()):
        plain = re.sub(r"\\textgreater{}|&gt;", ">", text).replace("\\", "")
        for part in (f"fastml {fastml.__version__}", file.name, FILTER, "TIMSS", "WGTFAC1 x WGTADJ1", "JKZONE",
                     "average of 2 of 2 parts", "792 BSMMAT: zones with one half only: 4 of 8"):  # fmt: skip
            assert part in plain, (part, text)


def test_the_average_is_no_part(table: fastml.SurveyTable) -> None:
    """It has no label, is named in print, and takes no rank."""
    assert [row["IDCNTRY"] for row in table.to_dict()] == [40.0, 792.0, None]
    assert [row["IDCNTRY"] for row in table.shown()] == [40, 792, "average"]
    page = table.report_html()
    assert "Of 2 results for" in page
    assert "average" in fastml.plots.icc_by(table).get_yticklabels()[1].get_text()


def test_a_page_without_parts() -> None:
    page = fastml.fit_survey(timss(), "BSMMAT", "timss").report_html()
    assert "<h1>BSMMAT</h1>" in page


def test_a_page_where_no_part_varies_between_schools() -> None:
    data = timss()
    data["SCALE"] = np.arange(len(data["TOTWGT"])) % 7 + 0.5
    table = fastml.fit_survey(data, "SCALE", "timss")
    assert only(table)["icc"] == 0.0
    assert "<svg" in table.report_html()


def test_csv_files_and_filters(tmp_path: Path) -> None:
    data = together(timss(5, 40.0), timss(6, 792.0))
    arrow_csv.write_csv(pa.table(data), tmp_path / "a.csv")
    read = fastml.fit_survey(tmp_path / "a.csv", "BSMMAT", "timss", filter="IDCNTRY = 792")
    assert only(read)["tau00"] == pytest.approx(only(fastml.fit_survey(timss(6, 792.0), "BSMMAT", "timss"))["tau00"])
    frame = pd.DataFrame(data)
    assert only(fastml.fit_survey(frame, "BSMMAT", "timss", filter="IDCNTRY = 792"))["n_obs"] == only(read)["n_obs"]
    with pytest.raises(fastml.FastmlError, match="no rows to fit"):
        fastml.fit_survey(frame, "BSMMAT", "timss", filter="IDCNTRY = 1")
