"""What a fit gives: every field, tables, text; figures of the lecture by hand."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastml
from fastml import FastmlError, OneWayFit

KEYS = """
gamma00 se_gamma00 df t p_value tau00 sigma2 tau_sd sigma icc deff deft n_eff reliability loglik deviance aic
bic n_obs n_groups n_dropped dropped singular method outcome group se_tau00 se_sigma2 se_icc
""".split()


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


@pytest.fixture(scope="module")
def boundary() -> OneWayFit:
    return fastml.fit({"y": [1.0, 9.0, 2.0, 8.0], "id": [1, 1, 2, 2]}, "y", "id")


def test_every_field(fit: OneWayFit) -> None:
    figures = fit.to_dict()
    assert set(KEYS) <= set(figures)
    for name in KEYS:
        value = getattr(fit, name)
        assert figures[name] == (value[0] if name == "group" else value), name
    assert fit.group == ("idschool",)
    assert fit.tau_sd**2 == pytest.approx(fit.tau00)
    assert fit.deft**2 == pytest.approx(fit.deff)
    assert fit.n_eff * fit.deff == pytest.approx(600)
    assert fit.deviance == -2 * fit.loglik
    assert fit.aic == fit.deviance + 6
    assert fit.bic == pytest.approx(fit.deviance + 3 * math.log(600))
    assert fit.optimum is not None
    assert abs(fit.optimum.score) < 1e-12
    assert isinstance(fit.stats, fastml.GroupStats)


def test_results_are_frozen(fit: OneWayFit) -> None:
    with pytest.raises(AttributeError):
        fit.gamma00 = 1.0  # type: ignore[misc]


def test_json_has_null_never_nan(fit: OneWayFit, boundary: OneWayFit) -> None:
    assert json.loads(fit.to_json()) == fit.to_dict()
    figures = json.loads(boundary.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert figures["se_tau00"] is None
    assert figures["singular"] is True
    infinite = fastml.fit({"y": [1.0, 2.0, 5.0, 6.0], "id": [1, 1, 2, 2]}, "y", "id", df="normal")
    assert infinite.df == math.inf
    assert json.loads(infinite.to_json())["df"] is None


def test_one_row_frame_and_csv(fit: OneWayFit) -> None:
    frame = fit.to_frame()
    assert frame.shape[0] == 1
    assert frame.loc[0, "gamma00"] == fit.gamma00
    assert frame.loc[0, "group"] == "idschool"
    assert frame.loc[0, "dropped_outcome"] == 0
    header, row, rest = fit.to_csv().split("\n")
    values = dict(zip(header.split(","), row.split(","), strict=True))
    assert float(values["tau00"]) == fit.tau00
    assert rest == ""


def test_every_fit_has_the_same_columns_of_the_same_types(boundary: OneWayFit) -> None:
    data = {"y": [1.0, 9.0, 2.0, 8.0, 5.5, 7.0], "id": [1, 1, 2, 2, 3, 3], "w": [1.0] * 6}
    weighted = fastml.fit({**data, "v": [2.0] * 6}, "y", "id", weights="w", group_weights="v")
    assert boundary.to_arrow()["se_tau00"].to_pylist() == [None]
    types = {field.name: field.type for field in fastml.fit(data, "y", "id").to_arrow().schema}
    for other in (boundary, weighted):
        found = {field.name: field.type for field in other.to_arrow().schema}
        assert types.items() <= found.items()
        assert set(found) - set(types) <= {"dropped_weights", "dropped_zero_weight"}
    both = pa.concat_tables([boundary.to_arrow(), fastml.fit(data, "y", "id", method="anova").to_arrow()])
    assert both["loglik"].to_pylist() == [boundary.loglik, None]


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


def test_groups(fit: OneWayFit) -> None:
    table = fit.groups()
    assert list(table.columns) == ["group", "n", "mean", "se_mean", "reliability", "eb_mean", "eb_se", "ci_low",
                                   "ci_high", "cond_se", "u"]  # fmt: skip
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
    np.testing.assert_allclose(half, 1.959963984540054 * table["eb_se"], rtol=1e-10)
    narrow = fit.groups(level=0.5)
    assert ((narrow["ci_high"] - narrow["ci_low"]) < 2 * half).all()
    assert fit.groups_arrow().equals(pa.Table.from_pandas(table, preserve_index=False).cast(fit.groups_arrow().schema))


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


def test_printed_table(fit: OneWayFit) -> None:
    text = str(fit)
    for figure in ("538.979", "16.422", " 19 ", "32.821", "0.0000 ***", "72.298", "70.666", "-3436.7", "6879.4", "6892.6",
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


def test_names_with_line_ends_come_back_from_csv() -> None:
    import io

    import pandas as pd

    table = pa.table(
        {"g\rh": ["a\rb", "a\rb", "c\nd", "c\nd", "e\r\nf", "e\r\nf"], "y": [1.0, 2.0, 5.0, 6.0, 1.0, 3.0]}
    )
    fit = fastml.fit(table, "y", "g\rh")
    back = pd.read_csv(io.StringIO(fit.to_csv(), newline=""))
    assert len(back) == 1
    assert back["group"][0] == "g\rh"
    assert fit.to_csv().endswith("\n")
    assert "\r\n" not in fit.to_csv()


def test_printed_table_of_a_boundary_fit(boundary: OneWayFit) -> None:
    text = str(boundary)
    assert "tau00 is 0, on the boundary" in text
    assert "nan" not in text
    anova = str(fastml.fit({"y": [1.0, 2.0, 5.0, 7.0], "id": [1, 1, 2, 2]}, "y", "id", method="anova"))
    assert "log likelihood" not in anova
    assert "nan" not in anova


def test_printed_table_counts_dropped_rows() -> None:
    table = {"y": [1.0, 2.0, None, 7.0, 8.0], "id": [1, 1, 1, 2, None]}
    text = str(fastml.fit(table, "y", "id"))
    assert "3 observations in 2 groups of 1 to 2; 2 rows dropped (1 no group label, 1 no outcome)" in text
