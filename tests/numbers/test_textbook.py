"""The published figures of the lecture and the textbook sets; origins in data/README.md and the two JSON files."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

import fastml

DATA = ROOT / "data"
PUBLISHED = json.loads((DATA / "published.json").read_text())
NIST = json.loads((DATA / "nist_certified.json").read_text())["datasets"]


def as_printed(value: float, printed: str) -> bool:
    decimals = len(printed.partition(".")[2])
    return f"{value:.{decimals}f}" == printed


def columns(name: str) -> tuple[list[float], list[object]]:
    with pq.ParquetFile(DATA / f"{name}.parquet") as file:
        table = file.read()
    return table["y"].to_pylist(), table["group"].to_pylist()


@pytest.mark.parametrize("name", ["dyestuff", "dyestuff2"])
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_dyestuff(name: str, method: str) -> None:
    fit = fastml.fit(DATA / f"{name}.parquet", "y", "group", method=method)
    figures = PUBLISHED[name][method]
    assert len(figures) >= 4
    for figure, printed in figures.items():
        if isinstance(printed, str):
            assert as_printed(getattr(fit, figure), printed), (figure, getattr(fit, figure), printed)


def test_the_lecture(lecture_file: Path) -> None:
    fit = fastml.fit(lecture_file, "bsmmatxx ~ 1 + (1 | idschool)")
    printed = {
        "gamma00": "538.979", "se_gamma00": "16.422", "df": "19", "t": "32.821", "p_value": "0.0000",
        "tau_sd": "72.298", "sigma": "70.666", "tau00": "5227", "sigma2": "4994", "loglik": "-3436.7",
        "aic": "6879.4", "bic": "6892.6", "icc": "0.51", "reliability": "0.97", "deff": "15.83",
    }  # fmt: skip
    for name, text in printed.items():
        assert as_printed(getattr(fit, name), text), (name, getattr(fit, name))
    assert as_printed(fit.naive.mean_of_students, "538.98")
    assert as_printed(fit.naive.mean_of_groups, "538.98")
    assert as_printed(fit.naive.variance_of_means, "5393.40")
    assert as_printed(fit.naive.error_variance, "166.5")
    # The lecture's way to tau00, from the rounded figures it prints.
    assert 5393 - 166.5 == 5226.5


# The lecture's table of schools, slide "Naive approach: overall average math score".
SCHOOLS = {
    5007: 593.42, 5010: 611.54, 5022: 593.80, 5036: 481.27, 5059: 556.81, 5066: 535.31, 5067: 555.26, 5080: 619.64,
    5101: 395.52, 5110: 623.74, 5112: 370.68, 5133: 467.30, 5139: 587.14, 5144: 508.29, 5151: 515.44, 5164: 620.04,
    5205: 524.77, 5236: 503.73, 5237: 498.66, 5277: 617.22,
}  # fmt: skip


def test_the_lectures_schools(lecture_file: Path) -> None:
    table = fastml.fit(lecture_file, "bsmmatxx", "idschool").groups()
    assert dict(zip(table["group"], table["mean"].round(2), strict=True)) == SCHOOLS
    assert set(table["n"]) == {30}


@pytest.mark.parametrize("name", sorted(NIST))
def test_nist(name: str) -> None:
    certified = NIST[name]
    y, group = columns(name)
    fit = fastml.fit({"y": y, "g": group}, "y", "g")
    # The truth of the doubles as they are stored, by exact arithmetic.
    labels = sorted(set(group))
    exact = {label: [Fraction(v) for v, g in zip(y, group, strict=True) if g == label] for label in labels}
    means = {label: sum(values) / len(values) for label, values in exact.items()}
    grand = sum(map(sum, exact.values())) / len(y)
    within = sum((v - means[label]) ** 2 for label in labels for v in exact[label])
    between = sum(len(exact[label]) * (means[label] - grand) ** 2 for label in labels)
    msw = within / (len(y) - len(labels))
    msb = between / (len(labels) - 1)
    n = len(y) // len(labels)
    tau00 = (msb - msw) / n
    assert math.isclose(fit.sigma2, msw, rel_tol=1e-13)
    assert math.isclose(fit.tau00, tau00, rel_tol=1e-12)
    assert math.isclose(fit.gamma00, grand, rel_tol=1e-15)
    # NIST certifies the decimals. Storing them as doubles moves each by up to half a unit in the last place, and so
    # the root of a sum of squares by up to that times the root of N: a part in 10^3 for the hardest sets.
    stored = math.ulp(max(map(abs, y))) / 2 * math.sqrt(len(y))
    tolerance = 2 * stored / math.sqrt(certified["ss_within"]) + 1e-13
    groups = fit.stats.groups()
    assert math.isclose(groups.ss.sum(), certified["ss_within"], rel_tol=tolerance)
    assert math.isclose(fit.sigma, certified["residual_sd"], rel_tol=tolerance)
    assert math.isclose(fit.sigma2 + n * fit.tau00, certified["ms_between"], rel_tol=tolerance)
    assert (fit.n_obs, fit.n_groups) == (certified["n_obs"], certified["n_groups"])
    assert np.all(groups.n == n)
