"""Unweighted figures of real TIMSS and PISA files: lme4 and WeMix to 1e-6, their own accuracy; closed form 1e-9."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import numba
import pyarrow.parquet as pq
import pytest

import fastml

# data set -> (file, group)
FILES = {
    "timss2019_g8_tur": ("timss2019_g8_tur.parquet", "IDSCHOOL", "BSMMAT01"),
    "timss2011_g4_aut_bifie01": ("timss2011_g4_aut_bifie01.parquet", "idschool", "ASMMAT01"),
    "pisa2018_tur": ("pisa2018_tur.parquet", "CNTSCHID", "PV1MATH"),
    "pisa2012_usa_mlmusingr": ("pisa2012_usa_mlmusingr.parquet", "schoolid", "pv1math"),
    "pisa2000_usa_stata": ("pisa2000_usa_stata.parquet", "id_school", "isei"),
    "sleepstudy": ("sleepstudy.parquet", "Subject", "Reaction"),
}
NAMES = {
    "gamma00": ("coef", "beta"),
    "tau00": ("tau2",),
    "sigma2": ("sigma2",),
    "icc": ("icc",),
    "loglik": ("loglik",),
}


def records(folder: Path, dataset: str, peer: str) -> list[dict]:
    every = json.loads((folder / "expected.json").read_text())
    return [r for r in every if r["dataset"] == dataset and r["peer"].startswith(peer)]


def compare(fit: fastml.OneWayFit, expected: dict, tolerance: float) -> int:
    compared = 0
    for ours, theirs in NAMES.items():
        for name in theirs:
            if name in expected:
                true = expected[name][0] if isinstance(expected[name], list) else expected[name]
                assert math.isclose(getattr(fit, ours), true, rel_tol=tolerance), (ours, getattr(fit, ours), true)
                compared += 1
    return compared


@pytest.mark.parametrize(("peer", "tolerance"), [("WeMix", 1e-6), ("closed-form", 1e-9)])
@pytest.mark.parametrize("dataset", FILES)
def test_unweighted_maximum_likelihood(assessments_folder: Path, dataset: str, peer: str, tolerance: float) -> None:
    file, group, outcome = FILES[dataset]
    found = [r for r in records(assessments_folder, dataset, peer) if re.search(r"null unw\b", r["call"])]
    fit = fastml.fit(assessments_folder / file, outcome, group, method="ml")
    assert found
    for record in found:
        assert compare(fit, record["expected"], tolerance) == len(NAMES)
        assert (fit.n_obs, fit.n_groups) == (record["expected"]["n"], record["expected"]["groups"])


def test_only_two_of_455_columns_are_read(assessments_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    for name in ("read_row_group", "iter_batches"):
        original = getattr(pq.ParquetFile, name)

        def spy(self, *args, original=original, **kwargs):
            read.append(kwargs["columns"])
            return original(self, *args, **kwargs)

        monkeypatch.setattr(pq.ParquetFile, name, spy)
    monkeypatch.setitem(sys.modules, "polars", None)  # its reader, where there is one, has a test of its own
    fit = fastml.fit(assessments_folder / "timss2019_g8_tur.parquet", "BSMMAT01", "IDSCHOOL")
    assert read[0] == ["IDSCHOOL", "BSMMAT01"]
    assert all(columns in (["IDSCHOOL", "BSMMAT01"], ["IDCNTRY"]) for columns in read)  # is there one country only?
    assert (fit.n_obs, fit.n_groups) == (4077, 181)


# Interpreted, 43 countries take the time of all others together.
ALL_COUNTRIES = [] if numba.config.DISABLE_JIT else ["pisa2000_all_learningtower"]
LME4 = {"gamma00": "beta0", "se_gamma00": "se", "tau00": "tau2", "sigma2": "sigma2", "icc": "icc", "loglik": "loglik"}


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("dataset", [*FILES, *ALL_COUNTRIES])
def test_lme4(assessments_folder: Path, dataset: str, method: str) -> None:
    # School ids repeat across the 43 countries of the last one.
    files = {
        **FILES,
        "pisa2000_all_learningtower": ("pisa2000_all_learningtower.parquet", ["country", "school_id"], "read"),
    }
    file, group, outcome = files[dataset]
    fit = fastml.fit(assessments_folder / file, outcome, group, method=method)
    (record,) = records(assessments_folder, dataset, "lme4")
    assert (fit.n_obs, fit.n_groups) == (record["expected"]["n"], record["expected"]["groups"])
    for ours, theirs in LME4.items():
        assert math.isclose(getattr(fit, ours), record["expected"][method.upper()][theirs], rel_tol=1e-6), ours
