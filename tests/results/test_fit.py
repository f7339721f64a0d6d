"""One fit: school means, naive answers, summary, intervals in every form."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError, OneWayFit


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


def test_groups(fit: OneWayFit) -> None:
    table = fit.groups()
    assert list(table.columns) == ["group", "n", "mean", "se_mean", "reliability", "eb_mean", "eb_se", "post_mean",
                                   "post_sd", "ci_low", "ci_high", "cond_se", "u"]  # fmt: skip
    assert len(table) == 20
    share = fit.tau00 / (fit.tau00 + fit.sigma2 / 30)
    np.testing.assert_allclose(table["reliability"], share, rtol=1e-12)
    np.testing.assert_allclose(table["se_mean"], math.sqrt(fit.sigma2 / 30), rtol=1e-12)
    np.testing.assert_allclose(table["eb_mean"], fit.gamma00 + share * (table["mean"] - fit.gamma00), rtol=1e-12)
    np.testing.assert_allclose(table["u"], share * (table["mean"] - fit.gamma00), rtol=1e-10)
    cond = fit.tau00 * (1 - share)
    np.testing.assert_allclose(table["cond_se"], math.sqrt(cond), rtol=1e-10)
    np.testing.assert_allclose(table["eb_se"], math.sqrt(cond + ((1 - share) * fit.se_gamma00) ** 2), rtol=1e-10)
    half = (table["ci_high"] - table["ci_low"]) / 2
    narrow = fit.groups(level=0.5)
    assert ((narrow["ci_high"] - narrow["ci_low"]) < 2 * half).all()
    # In twenty reliable schools the posterior is next to what takes tau00 as known.
    plug_in = fit.groups(interval="plug-in")
    np.testing.assert_allclose(
        (plug_in["ci_high"] - plug_in["ci_low"]) / 2, 1.959963984540054 * table["eb_se"], rtol=1e-10
    )
    np.testing.assert_allclose(half, 1.959963984540054 * table["eb_se"], rtol=0.02)
    np.testing.assert_allclose(table["post_mean"], table["eb_mean"], atol=0.1 * table["eb_se"].iloc[0])
    np.testing.assert_allclose(table["post_sd"], table["eb_se"], rtol=0.02)
    assert (table.attrs["interval"], plug_in.attrs["interval"]) == ("posterior", "plug-in")
    assert list(plug_in.columns) == list(table.columns)
    assert fit.groups_arrow().equals(pa.Table.from_pandas(table, preserve_index=False).cast(fit.groups_arrow().schema))


def test_the_posterior_counts_that_tau00_is_estimated() -> None:
    rng = np.random.default_rng(7)
    group = np.repeat(np.arange(6), 5)
    fit = fastml.fit({"y": rng.normal(size=30), "g": group}, "y", "g")
    assert fit.singular
    known, plug_in = fit.groups(), fit.groups(interval="plug-in")
    assert np.ptp(plug_in["ci_low"]) == 0.0  # tau00 = 0 for sure: all schools alike
    assert ((known["ci_high"] - known["ci_low"]) > 1.2 * (plug_in["ci_high"] - plug_in["ci_low"])).all()
    assert np.corrcoef(known["post_mean"], known["mean"])[0, 1] > 0.999
    few = fastml.fit({"y": [1.0, 3.0, 9.0], "g": [1, 1, 2]}, "y", "g").groups_arrow()
    assert few["post_sd"].null_count == 2


def test_weighted_fits_have_the_plug_in_interval(tmp_path: Path) -> None:
    data = {"y": [1.0, 3.0, 9.0, 8.0, 4.0, 5.0], "g": [1, 1, 2, 2, 3, 3], "v": [1.0, 1.0, 2.0, 2.0, 1.0, 1.0]}
    fit = fastml.fit(data, "y", "g", group_weights="v")
    table = fit.groups_arrow()
    assert table["post_mean"].null_count == table["post_sd"].null_count == 3
    assert table.schema.metadata[b"interval"] == b"plug-in"
    fit.write_groups(tmp_path / "groups.parquet")
    assert pq.read_schema(tmp_path / "groups.parquet").metadata[b"interval"] == b"plug-in"
    assert "take the estimated tau00 as known" in fit.report_html()
    with pytest.raises(FastmlError, match="interval='posterior' is not one of 'plug-in'; a weighted fit has no"):
        fit.groups(interval="posterior")
    with pytest.raises(FastmlError, match="interval='wald' is not one of 'posterior', 'plug-in'"):
        fastml.fit(data, "y", "g").groups(interval="wald")


def test_groups_sorted(fit: OneWayFit) -> None:
    assert fit.groups(sort="eb_mean")["eb_mean"].is_monotonic_increasing
    assert fit.groups()["group"].is_monotonic_increasing
    with pytest.raises(FastmlError, match="sort='size' is not one of 'group', 'n'"):
        fit.groups(sort="size")
    for level in (0, 1, 95):
        with pytest.raises(FastmlError, match="a number between 0 and 1"):
            fit.groups(level=level)


def test_naive_answers(fit: OneWayFit) -> None:
    naive = fit.naive
    means = fit.groups()["mean"]
    assert naive.variance_of_means == pytest.approx(means.var(), rel=1e-12)
    assert naive.mean_of_groups == pytest.approx(means.mean(), rel=1e-14)
    assert naive.error_variance == pytest.approx(fit.sigma2 / 30, rel=1e-14)
    assert naive.error_variance_of_mean == pytest.approx([fit.sigma2 / 30] * 20)
    assert naive.se_of_mean == pytest.approx([math.sqrt(fit.sigma2 / 30)] * 20)
    assert naive.one_sd_gap == pytest.approx(2 * 72.298, abs=1e-3)
    assert naive.one_sd_above - naive.one_sd_below == pytest.approx(naive.one_sd_gap)
    assert naive.range_low == pytest.approx(538.979 - 1.96 * 72.298, abs=0.01)
    assert naive.range_high == pytest.approx(538.979 + 1.96 * 72.298, abs=0.01)
    assert naive.se_gamma00 == fit.se_gamma00
    assert naive.se_ignoring_groups == pytest.approx(math.sqrt(5970578.0 / 599 / 600), rel=1e-4)
    assert set(naive.to_dict()) == {name for name in vars(naive) if not name.endswith("_of_mean")}


def test_naive_answers_of_unequal_groups() -> None:
    y, ids = np.array([1.0, 2.0, 3.0, 10.0, 12.0]), [1, 1, 1, 2, 2]
    naive = fastml.fit({"y": y, "id": ids}, "y", "id").naive
    assert naive.mean_of_students == pytest.approx(5.6)
    assert naive.mean_of_groups == pytest.approx(6.5)
    assert naive.se_ignoring_groups == pytest.approx(y.std(ddof=1) / math.sqrt(5))


@pytest.mark.parametrize("level", [np.float32(0.5), Fraction(1, 2)])
def test_intervals_in_every_form_at_a_level_of_any_kind(fit: OneWayFit, level: Any, tmp_path: Path) -> None:
    made = fit.with_intervals(level)
    low, high = fit.ci("icc", 0.5)
    assert json.loads(made.to_json()) == made.to_dict()
    made.write(tmp_path / "fit.parquet")
    for row in (made.to_dict(), made.to_frame().iloc[0], made.to_arrow().to_pylist()[0],
                pq.read_table(tmp_path / "fit.parquet").to_pylist()[0]):  # fmt: skip
        assert (row["level"], row["ci_low_icc"], row["ci_high_icc"]) == (0.5, low, high)
    with pytest.raises(FastmlError, match="level=2 can't be"):
        fit.with_intervals(2)


def test_summary_prints_table_intervals_and_sentences(fit: fastml.OneWayFit) -> None:
    summary = fit.summary()
    assert str(summary) == repr(summary)
    assert str(summary).startswith(str(fit))
    assert re.search(r"Intraclass correlation \(ICC\) +0\.368 to 0\.696\n", str(summary))
    assert max(map(len, str(summary).splitlines())) <= 100
    assert "<table" in summary._repr_html_()
    assert "90 % confidence intervals" in str(fit.summary(level=0.9))
