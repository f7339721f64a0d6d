"""Every figure of the 44 reference sets to a relative 1e-12; truth from 60-digit arithmetic, see tests/reference/README.md.

test_truth.py checks the truth itself; test_dense_twin.py computes more of it.
"""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, fewer
from tables import SETS

import fastml

# Our names for the record's, and the tolerance of all.
FIGURES = {
    "gamma00": "gamma00",
    "se_gamma00": "se_gamma00",
    "tau00": "tau00",
    "sigma2": "sigma2",
    "icc": "icc",
    "loglik": "logLik",
    "aic": "AIC",
    "bic": "BIC",
    "df": "df_satterthwaite",
    "t": "t",
    "reliability": "reliability_mean_of_groups",
    "deff": "deff_nbar",
    "n_eff": "neff_nbar",
}

RELATIVE = 1e-12


def check(fit: fastml.OneWayFit, truth: dict) -> None:
    for ours, theirs in FIGURES.items():
        value, true = getattr(fit, ours), truth[theirs]
        if true == 0:
            assert value == 0, (ours, value)
        else:
            assert math.isclose(value, true, rel_tol=RELATIVE, abs_tol=0), (ours, value, true, value / true - 1)
    assert fit.singular == truth["boundary"]


def record(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())


def data(folder: Path, name: str) -> pa.Table:
    with pq.ParquetFile(folder / "data" / f"{name}.parquet") as file:
        return file.read()


def test_no_set_is_left_out(reference_folder: Path) -> None:
    assert sorted(path.stem for path in reference_folder.glob("*.json")) == sorted(SETS)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", SETS)
def test_figures(reference_folder: Path, name: str, method: str) -> None:
    truth = record(reference_folder, name)
    fit = fastml.fit(reference_folder / "data" / f"{name}.parquet", "y", "group", method=method)
    check(fit, truth[method.upper()])
    assert (fit.n_obs, fit.n_groups) == (truth["N"], truth["J"])
    assert fit.optimum is not None
    assert fit.optimum.n_optima == len(truth[method.upper()]["local_optima"])


def variants(table: pa.Table, rng: np.random.Generator) -> dict[str, object]:
    """The same data in other forms: rows shuffled, groups of other types, statistics added."""
    shuffled = table.take(pa.array(rng.permutation(table.num_rows)))
    index = shuffled["group"].combine_chunks().dictionary_encode().indices.to_numpy()
    # Ids as real files have them: unordered, with gaps.
    ids = rng.permutation(5 * (index.max() + 1))[: index.max() + 1][index] + 5000
    y = shuffled["y"].combine_chunks().cast(pa.float64())
    names = pa.array([f"school {i}" for i in ids])
    return {
        "integer": pa.table({"y": y, "group": ids.astype(np.int32)}),
        "float": pa.table({"y": y, "group": ids.astype(np.float64)}),
        "string": pa.table({"y": y, "group": names}),
        "large_string": pa.table({"y": y, "group": names.cast(pa.large_string())}),
        "dictionary": pa.table({"y": y, "group": names.dictionary_encode()}),
        "unbounded integer": pa.table({"y": y, "group": ids * 2**40}),
    }


@pytest.mark.parametrize("name", SETS)
def test_other_forms_of_the_same_data(reference_folder: Path, name: str) -> None:
    truth = record(reference_folder, name)
    rng = np.random.default_rng(20241)
    forms = list(variants(data(reference_folder, name), rng).values())
    # Interpreted, every form has its turn with some of the sets.
    some = fewer(len(forms), times=len(forms), at_least=1)
    first = SETS.index(name)
    for k in range(first, first + some):
        for method in ("reml", "ml"):
            table = forms[k % len(forms)]
            check(fastml.fit(table, "y", "group", method=method), truth[method.upper()])


@pytest.mark.parametrize("name", SETS)
def test_split_in_pieces_and_added(reference_folder: Path, name: str) -> None:
    truth = record(reference_folder, name)
    rng = np.random.default_rng(7)
    table = data(reference_folder, name)
    piece = rng.integers(0, 5, table.num_rows)
    parts = [fastml.group_stats(table.filter(pa.array(piece == k)), "y", "group") for k in rng.permutation(5)]
    whole = sum(parts[1:], start=parts[0])
    for method in ("reml", "ml"):
        check(fastml.fit(whole, method=method), truth[method.upper()])


def test_missing_rows_are_dropped_and_counted(reference_folder: Path) -> None:
    truth = record(reference_folder, "star_math_sch")
    fit = fastml.fit(reference_folder / "data" / "star_math_sch__withna.parquet", "y", "group")
    check(fit, truth["REML"])
    assert fit.n_dropped == data(reference_folder, "star_math_sch__withna").num_rows - truth["N"] > 0


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", SETS)
def test_school_means(reference_folder: Path, name: str, method: str) -> None:
    truth = record(reference_folder, name)["ranef_" + method.upper()]
    fit = fastml.fit(reference_folder / "data" / f"{name}.parquet", "y", "group", method=method)
    table = fit.groups_arrow().to_pydict()
    for i, row in enumerate(truth["first5"]):
        assert str(table["group"][i]) == row["group"]
        assert table["n"][i] == row["n"]
        for ours, theirs in (("mean", "mean"), ("reliability", "reliability"), ("cond_se", "cond_sd"),
                             ("eb_mean", "eb_mean"), ("eb_se", "pred_sd")):  # fmt: skip
            assert math.isclose(table[ours][i], row[theirs], rel_tol=1e-11, abs_tol=1e-300), (ours, i)
    # A fixed effect shared by all rows of an offset must not cost the random effects a digit.
    u = table["u"]
    assert abs(math.fsum(u)) <= 1e-10 * truth["sumabs"]
    for found, true in (
        (math.fsum(map(abs, u)), truth["sumabs"]),
        (math.fsum(x * x for x in u), truth["sumsq"]),
        (math.fsum(table["cond_se"]), truth["sum_cond_sd"]),
        (math.fsum(table["eb_se"]), truth["sum_pred_sd"]),
        *((u[list(map(str, table["group"])).index(truth[end]["group"])], truth[end]["u"]) for end in ("min", "max")),
    ):
        assert math.isclose(found, true, rel_tol=1e-10, abs_tol=1e-300), (found, true)


def test_the_page_of_accuracy_says_how_many_digits_programs_get(reference_folder: Path) -> None:
    """Of tau_sd; for the other programs as they are on record."""
    page = (ROOT / "docs" / "accuracy.md").read_text()
    truths = {name: record(reference_folder, name) for name in SETS}
    programs = {"lme4": "lmer_default", "nlme": "nlme", "glmmTMB": "glmmTMB", "statsmodels": "statsmodels"}
    for method in ("REML", "ML"):
        digits = {
            program: [truth["agreement_digits"].get(f"{key}_{method}", {}).get("tau_sd") for truth in truths.values()]
            for program, key in programs.items()
        }
        digits["fastml"] = []
        for name, truth in truths.items():
            fit = fastml.fit(reference_folder / "data" / f"{name}.parquet", "y", "group", method=method.lower())
            if true := truth[method]["tau_sd"]:
                error = abs(fit.tau_sd / true - 1.0)
                digits["fastml"].append(-math.log10(max(error, 2.0**-53)))
        for program, found in digits.items():
            values = sorted(value for value in found if value is not None)
            few = sum(value < 3 for value in values)
            middle = statistics.median(values)
            if program == "fastml":  # its last digits may differ by processor
                assert middle > 15
                assert values[0] > 13
            else:
                assert f"| {program} | {method} | {len(values)} | {middle:.1f} | {values[0]:.1f} | {few} |" in page
