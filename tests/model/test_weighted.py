"""Weighted fits: against a twin that works row by row, WeMix and a closed form on real files, and laws of weights."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import naive_survey
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import bad, good

import fastml
from fastml.model.weighted import SCALINGS, scale_weights
from fastml.results.weighting import Weighting, fit_weighted, total_weights

# data set -> (group, student weight, school weight, outcome of plausible value k)
FILES = {
    "pisa2012_usa_mlmusingr": ("schoolid", "w_fstuwt", "w_fschwt", "pv{}math"),
    "pisa2000_usa_stata": ("id_school", "w_fstuwt", "wnrschbw", "isei"),
    "timss2011_g4_aut_bifie01": ("idschool", "TOTWGT", "SCHWGT", "ASMMAT{:02d}"),
    "timss2019_g8_tur": ("IDSCHOOL", "TOTWGT", "SCHWGT", "BSMMAT{:02d}"),
    "pisa2018_tur": ("CNTSCHID", "W_FSTUWT", "W_SCHGRNRABWT", "PV{}MATH"),
    "sleepstudy": ("Subject", "w", "v", "Reaction"),
}

WEMIX = {"coef": 1e-5, "tau2": 1e-5, "sigma2": 1e-5, "icc": 1e-5, "loglik": 1e-9, "se_robust": 1e-4, "se_tau2": 1e-4,
         "se_sigma2": 1e-4}  # fmt: skip


def table(folder: Path, dataset: str) -> dict[str, np.ndarray]:
    found = pq.ParquetFile(folder / f"{dataset}.parquet").read()
    columns = {name: found[name].to_numpy() for name in found.column_names}
    if dataset == "timss2019_g8_tur":
        columns["SCHWGT"] = columns["WGTFAC1"] * columns["WGTADJ1"]
    if dataset == "pisa2018_tur":
        school = pq.ParquetFile(folder / "pisa2018_tur_sch.parquet").read(["CNTSCHID", "W_SCHGRNRABWT"]).to_pydict()
        known = dict(zip(school["CNTSCHID"], school["W_SCHGRNRABWT"], strict=True))
        columns["W_SCHGRNRABWT"] = np.array([known[label] for label in columns["CNTSCHID"]])
    return columns


def null_records(folder: Path, dataset: str, peer: str) -> list[dict]:
    every = json.loads((folder / "expected.json").read_text())
    return [r for r in every if r["dataset"] == dataset and r["peer"].startswith(peer) and " null " in r["call"]]


def fitted(columns: dict[str, np.ndarray], dataset: str, call: str, vcov: str) -> fastml.OneWayFit:
    """The fit that a record's call names."""
    group, weights, group_weights, outcome = FILES[dataset]
    call = call.split("[")[0]
    k = re.search(r"pv(\d+)", call)
    outcome = outcome.format(int(k[1]) if k else 1)
    scaling = "none"
    if dataset == "sleepstudy":
        heavy = np.where(np.isin(columns["Subject"].astype(str), ["308", "309", "310"]), 2.0, 1.0)
        ones = np.ones(len(heavy))
        w, v = {"unw": (ones, ones), "L1": (heavy, ones), "L2": (heavy, heavy)}[call.split()[2]]
        columns = {**columns, "w": w, "v": v}
    elif " unw" in call:
        ones = np.ones(len(columns[group]))
        columns = {**columns, weights: ones, group_weights: ones}
    else:
        scaling = next((s for key, s in (("effective", "effective"), ("size", "size"), ("level2", "group-only"))
                        if key in call), "none")  # fmt: skip
    data = {name: columns[name] for name in (outcome, group, weights, group_weights)}
    return fastml.fit(
        data, outcome, group, weights=weights, group_weights=group_weights, weight_scaling=scaling, vcov=vcov
    )


@pytest.mark.parametrize("dataset", FILES)
def test_wemix(assessments_folder: Path, dataset: str) -> None:
    columns = table(assessments_folder, dataset)
    found = null_records(assessments_folder, dataset, "WeMix 4.0.4")
    assert found
    for record in found:
        fit = fitted(columns, dataset, record["call"], "block")
        ours = {"coef": fit.gamma00, "tau2": fit.tau00, "sigma2": fit.sigma2, "icc": fit.icc, "loglik": fit.loglik,
                "se_robust": fit.se_gamma00, "se_tau2": fit.se_tau00, "se_sigma2": fit.se_sigma2}  # fmt: skip
        for name, tolerance in WEMIX.items():
            assert math.isclose(ours[name], record["expected"][name], rel_tol=tolerance), (record["call"], name)
        assert (fit.n_obs, fit.n_groups) == (record["expected"]["n"], record["expected"]["groups"])
        assert abs(fit.optimum.score) < 1e-11 * fit.components.dof


@pytest.mark.parametrize("dataset", FILES)
def test_closed_form(assessments_folder: Path, dataset: str) -> None:
    columns = table(assessments_folder, dataset)
    found = null_records(assessments_folder, dataset, "closed-form")
    assert found
    for record in found:
        expected = record["expected"]
        for vcov, kind in (("joint", "full"), ("block", "block")):
            fit = fitted(columns, dataset, record["call"], vcov)
            assert math.isclose(fit.gamma00, expected["beta"][0], rel_tol=1e-13)
            for name, theirs in (("tau00", "tau2"), ("sigma2", "sigma2"), ("icc", "icc"), ("loglik", "loglik")):
                assert math.isclose(getattr(fit, name), expected[theirs], rel_tol=1e-12), (record["call"], name)
            ses = [*expected.get(f"se_beta_{kind}robust_JJ1", []), *expected.get(f"se_var_{kind}robust_JJ1", [])]
            for name, true in zip(("se_gamma00", "se_tau00", "se_sigma2"), ses, strict=False):
                assert math.isclose(getattr(fit, name), true, rel_tol=1e-10), (record["call"], vcov, name)


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    """Forty schools of one to thirty students with weights that say something about the scores."""
    rng = np.random.default_rng(6)
    school = np.repeat(np.arange(40), rng.integers(1, 30, 40))
    effect = rng.normal(0.0, 30.0, 40)
    v = np.round(np.exp(rng.normal(2.0, 0.6, 40) + effect / 80.0), 3)[school]
    a = np.exp(rng.normal(0.5, 0.4, len(school)))
    return {"school": school, "score": 500.0 + effect[school] + rng.normal(0.0, 70.0, len(school)), "v": v, "t": a * v}


def weighted(rows: dict[str, np.ndarray], **options: object) -> fastml.OneWayFit:
    return fastml.fit(rows, "score", "school", **{"weights": "t", "group_weights": "v", **options})


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_twin_row_by_row(rows: dict[str, np.ndarray], scaling: str) -> None:
    fit = weighted(rows, weight_scaling=scaling)
    data = (rows["score"], rows["school"], rows["t"], rows["v"], scaling)
    twin = naive_survey.fit(*data)
    ours = (fit.gamma00, fit.tau00, fit.sigma2, fit.icc)
    np.testing.assert_allclose(ours, twin, rtol=1e-11)
    assert math.isclose(fit.loglik, naive_survey.loglik(*data, *ours[:3]), rel_tol=1e-13)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_sandwich_is_the_textbooks(rows: dict[str, np.ndarray], scaling: str) -> None:
    """Derivatives by differences of the log likelihood: H^-1 meat H^-1 J/(J-1)."""
    fit = weighted(rows, weight_scaling=scaling, vcov="joint")
    schools = naive_survey.schools(rows["score"], rows["school"], rows["t"], rows["v"], scaling)
    at = np.array([fit.gamma00, fit.tau00, fit.sigma2])

    def terms(parameters: np.ndarray) -> np.ndarray:
        gamma, tau, sigma2 = parameters
        v, A, m, S = schools.T
        V = sigma2 + A * tau
        return -0.5 * v * ((A - 1) * np.log(sigma2) + np.log(V) + S / sigma2 + A * (m - gamma) ** 2 / V)

    step = 1e-4 * np.array([30.0, 900.0, 4900.0])
    shifts = np.diag(step)
    g = np.array([(terms(at + d) - terms(at - d)) / (2 * h) for d, h in zip(shifts, step, strict=True)])
    H = np.array([[(terms(at + d + e).sum() - terms(at + d - e).sum() - terms(at - d + e).sum()
                    + terms(at - d - e).sum()) / (4 * h * k) for e, k in zip(shifts, step, strict=True)]
                  for d, h in zip(shifts, step, strict=True)])  # fmt: skip
    J = len(schools)
    covariance = np.linalg.inv(H) @ (g @ g.T) @ np.linalg.inv(H) * J / (J - 1)
    ours = (fit.se_gamma00, fit.se_tau00, fit.se_sigma2)
    np.testing.assert_allclose(ours, np.sqrt(np.diag(covariance)), rtol=1e-4)
    by_icc = np.array([0.0, fit.sigma2, -fit.tau00]) / (fit.tau00 + fit.sigma2) ** 2
    assert math.isclose(fit.se_icc, math.sqrt(by_icc @ covariance @ by_icc), rel_tol=1e-4)
    assert math.isclose(fit.se_deff, fit.se_icc * (fit.n_obs / fit.n_groups - 1.0))


@pytest.mark.parametrize("vcov", ["joint", "block"])
def test_a_sandwich_of_scores_that_do_not_vary(vcov: str) -> None:
    """Schools alike inside say nothing about the error of sigma2: 0 to rounding, never the root of less than 0."""
    school = np.repeat(np.arange(10), 4)
    rows = {"school": school, "score": np.tile([1.0, 2.0, 3.0, 4.0], 10) + school, "v": school + 1.0}
    fit = fastml.fit(rows, "score", "school", group_weights="v", vcov=vcov)
    # Equal sizes have a closed form: sigma2 is 5/3, tau00 the variance of the means less sigma2/4.
    v, mean = np.arange(10) + 1.0, np.arange(10) + 2.5
    e = mean - np.average(mean, weights=v)
    assert math.isclose(fit.sigma2, 5.0 / 3.0, rel_tol=1e-13)
    assert math.isclose(fit.tau00, np.average(e**2, weights=v) - fit.sigma2 / 4.0, rel_tol=1e-13)
    moved = v * (e**2 - np.average(e**2, weights=v)) / v.sum()
    assert math.isclose(fit.se_gamma00, math.sqrt(10.0 / 9.0 * np.sum((v * e / v.sum()) ** 2)), rel_tol=1e-12)
    assert math.isclose(fit.se_tau00, math.sqrt(10.0 / 9.0 * moved @ moved), rel_tol=1e-12)
    assert math.isclose(fit.se_icc, fit.se_tau00 * fit.sigma2 / (fit.tau00 + fit.sigma2) ** 2, rel_tol=1e-12)
    assert 0.0 <= fit.se_sigma2 < 1e-14 * fit.sigma2


def test_unit_weights_are_maximum_likelihood(rows: dict[str, np.ndarray]) -> None:
    ones = {**rows, "t": np.ones(len(rows["t"])), "v": np.ones(len(rows["t"]))}
    plain = fastml.fit(rows, "score", "school", method="ml")
    for scaling in SCALINGS:
        fit = weighted(ones, weight_scaling=scaling)
        for name in ("gamma00", "tau00", "sigma2", "icc", "deff", "reliability", "loglik"):
            assert math.isclose(getattr(fit, name), getattr(plain, name), rel_tol=4e-15), (scaling, name)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("weights_are", ["total", "conditional"])
def test_a_constant_factor_of_the_school_weight_changes_nothing(
    rows: dict[str, np.ndarray], scaling: str, weights_are: str
) -> None:
    options = {"weight_scaling": scaling, "weights_are": weights_are}
    fit = weighted(rows, **options)
    other = weighted({**rows, "v": rows["v"] * 7.3}, **options)
    same = [math.isclose(getattr(fit, name), getattr(other, name), rel_tol=1e-12)
            for name in ("gamma00", "tau00", "sigma2", "icc", "se_gamma00", "se_tau00", "se_sigma2", "se_icc")]  # fmt: skip
    # Under "none" the factor changes the conditional weights themselves.
    assert all(same) != (scaling == "none" and weights_are == "total")


def test_total_weights_are_conditional_ones_times_the_schools(rows: dict[str, np.ndarray]) -> None:
    conditional = {**rows, "t": rows["t"] / rows["v"]}
    for scaling in SCALINGS:
        a, b = (weighted(rows, weight_scaling=scaling),
                weighted(conditional, weight_scaling=scaling, weights_are="conditional"))  # fmt: skip
        assert math.isclose(a.tau00, b.tau00, rel_tol=1e-12)
        assert math.isclose(a.se_gamma00, b.se_gamma00, rel_tol=1e-12)


def test_gk_is_group_only_under_weights_times_the_mean(rows: dict[str, np.ndarray]) -> None:
    mean_a = np.array([(rows["t"] / rows["v"])[rows["school"] == s].mean() for s in rows["school"]])
    gk = weighted(rows, weight_scaling="gk")
    other = weighted({**rows, "v": rows["v"] * mean_a}, weight_scaling="group-only")
    for name in ("gamma00", "tau00", "sigma2", "loglik", "se_gamma00", "se_tau00", "se_sigma2"):
        assert math.isclose(getattr(gk, name), getattr(other, name), rel_tol=1e-12)


def test_school_weights_alone(rows: dict[str, np.ndarray]) -> None:
    alone = weighted(rows, weights=None)
    assert math.isclose(alone.tau00, weighted(rows, weight_scaling="group-only").tau00, rel_tol=1e-13)
    assert alone.weights is None
    assert alone.group_weights == "v"
    # Each row's weight is then 1 within its school, whatever would be said of a column of weights, and however scaled.
    for weights_are in ("total", "conditional"):
        for scaling in SCALINGS:
            other = weighted(rows, weights=None, weights_are=weights_are, weight_scaling=scaling)
            assert math.isclose(other.tau00, alone.tau00, rel_tol=1e-13), (weights_are, scaling)
            np.testing.assert_allclose(other.design_effects()["deff"], alone.design_effects()["deff"], rtol=1e-13)


@pytest.mark.parametrize("weights_are", ["total", "conditional"])
def test_total_weights_by_hand(weights_are: str) -> None:
    data = {"y": [1.0, 2.0, 4.0, 8.0], "s": [1, 1, 1, 2], "w": [2.0, 6.0, 4.0, 3.0], "v": [2.0, 2.0, 2.0, 3.0]}
    both = fastml.group_stats(data, "y", "s", weights="w", group_weights="v")
    schools = fastml.group_stats(data, "y", "s", group_weights="v")
    factor = np.array([1.0, 1.0] if weights_are == "total" else [2.0, 3.0])
    total, squares = total_weights(both, "y", weights_are)
    assert total.tolist() == (factor * [12.0, 3.0]).tolist()
    assert squares.tolist() == (factor**2 * [56.0, 9.0]).tolist()
    # Without weights of their own, all rows of a school have the school's.
    total, squares = total_weights(schools, "y", weights_are)
    assert (total.tolist(), squares.tolist()) == ([6.0, 3.0], [12.0, 9.0])
    plain = scale_weights(np.array([[3.0, 2.0, 0.0, 4.0]]), None, None, weights_are, "effective")
    assert (plain.size.tolist(), plain.count.tolist(), plain.ss.tolist()) == ([3.0], [1.0], [4.0])


def test_the_result(rows: dict[str, np.ndarray]) -> None:
    fit = weighted(rows)
    assert fit.method == "ml"
    assert fit.df_method == "bell-mccaffrey"
    assert 1.0 < fit.df < fit.n_groups - 1
    assert weighted(rows, vcov="joint").df == fit.n_groups - 1
    assert fit.aic is None
    assert fit.bic is None
    assert fit.to_dict()["weight_scaling"] == "size"
    side_by_side = fit.scalings().set_index("weight_scaling")
    assert list(side_by_side.index) == list(SCALINGS)
    assert side_by_side.loc["size", "tau00"] == fit.tau00
    assert side_by_side.loc["effective", "se_icc"] == weighted(rows, weight_scaling="effective").se_icc
    schools = fit.groups()
    first = rows["school"] == 0
    assert math.isclose(schools["mean"][0], np.average(rows["score"][first], weights=rows["t"][first]), rel_tol=1e-14)
    share = first.sum() * fit.tau00 / (fit.sigma2 + first.sum() * fit.tau00)
    assert math.isclose(schools["reliability"][0], share, rel_tol=1e-13)
    assert math.isclose(schools["eb_mean"][0], fit.gamma00 + share * (schools["mean"][0] - fit.gamma00), rel_tol=1e-14)
    raw = weighted(rows, weight_scaling="none")
    A = (rows["t"] / rows["v"])[first].sum()
    assert math.isclose(raw.groups()["reliability"][0], A * raw.tau00 / (raw.sigma2 + A * raw.tau00), rel_tol=1e-13)
    assert math.isclose(raw.reliability, raw.groups()["reliability"].mean(), rel_tol=1e-14)
    assert math.isclose(fit.naive.mean_of_students, np.average(rows["score"], weights=rows["t"]), rel_tol=1e-14)
    text = str(fit)
    assert "weighted pseudo-ML" in text
    assert "scaling size" in text
    assert "AIC" not in text


def test_saved_statistics_keep_their_weights(rows: dict[str, np.ndarray], tmp_path: Path) -> None:
    stats = fastml.group_stats(rows, "score", "school", weights="t", group_weights="v")
    stats.write(tmp_path / "stats.parquet")
    assert fastml.fit(tmp_path / "stats.parquet").to_dict() == weighted(rows).to_dict()
    with pytest.raises(fastml.FastmlError, match="gathered with weights='t'"):
        fastml.fit(stats, weights="other", group_weights="v")


def test_zero_weights_are_dropped_and_counted(rows: dict[str, np.ndarray]) -> None:
    t = rows["t"].copy()
    t[::5] = 0.0
    fit = weighted({**rows, "t": t})
    kept = t > 0
    assert fit.dropped["zero_weight"] == (~kept).sum()
    without = weighted({name: column[kept] for name, column in rows.items()})
    assert fit.tau00 == pytest.approx(without.tau00, rel=1e-13)  # their runs are whole: summed in another order


def test_no_variance_between_schools(rows: dict[str, np.ndarray]) -> None:
    score = rows["score"].copy()
    for school in np.unique(rows["school"]):
        score[rows["school"] == school] -= score[rows["school"] == school].mean()
    fit = weighted({**rows, "score": score}, weight_scaling="group-only")
    assert fit.singular
    assert fit.tau00 == 0.0
    assert math.isfinite(fit.se_gamma00)
    assert math.isfinite(fit.se_sigma2)
    assert fit.to_dict()["se_tau00"] is None
    assert fit.to_dict()["se_icc"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_weights": None}, "weights='t' needs group_weights"),
        ({"method": "reml"}, "method='reml' can't be weighted.*leave method out"),
        ({"method": "anova"}, "method='anova' can't be weighted"),
        ({"df": "satterthwaite"}, "weighted fits with vcov='cr2' have 'bell-mccaffrey' by default"),
        ({"weight_scaling": "cluster"}, "weight_scaling='cluster' is not one of 'size'"),
        ({"weights_are": "raw"}, "weights_are='raw' is not one of"),
        ({"vcov": "hc1"}, "vcov='hc1' is not one of"),
        ({"weights": "negative"}, "weights column 'negative' has -1 .*0 or more"),
        ({"weights": "infinite"}, "weights column 'infinite' has inf"),
        ({"group_weights": "t"}, "group_weights column 't' varies within a group: .*school 0"),
        ({"group_weights": "none"}, "group_weights column 'none' has 0 .*above 0"),
    ],
)
def test_wrong_calls(rows: dict[str, np.ndarray], options: dict[str, object], message: str) -> None:
    bad = rows["t"].copy()
    bad[7] = -1.0
    infinite = rows["t"].copy()
    infinite[7] = math.inf
    data = {**rows, "negative": bad, "infinite": infinite, "none": np.zeros(len(bad))}
    with pytest.raises(fastml.FastmlError, match=message) as caught:
        weighted(data, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"weights_are": "conditional"}, {"weight_scaling": "gk"}, {"weight_scaling": "NONE"}, {"vcov": "block"}]
)
def test_a_choice_about_weights_needs_weights(rows: dict[str, np.ndarray], options: dict[str, str]) -> None:
    ((name, value),) = options.items()
    message = f"{name}='{value.lower()}' is of weighted fits, and this one has no weights; name them with weights="
    stats = fastml.group_stats(rows, "score", "school")
    for call in (
        lambda: fastml.fit(rows, "score", "school", **options),
        lambda: fastml.fit(stats, **options),
        lambda: fastml.fit_by({**rows, "c": np.arange(len(rows["v"])) % 2}, "score", "school", by="c", **options),
    ):
        with pytest.raises(fastml.FastmlError, match=message):
            call()
    fastml.fit(rows, "score", "school", group_weights="v", **options)


def test_a_choice_about_weights_is_refused_before_rows_are_read(rows: dict[str, np.ndarray]) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        raise AssertionError("a batch was read")
        yield

    schema = pa.table(rows).schema
    for fit in (fastml.fit, partial(fastml.fit_by, by="v")):
        with pytest.raises(fastml.FastmlError, match="this one has no weights"):
            fit(pa.RecordBatchReader.from_batches(schema, batches()), "score", "school", vcov="block")


def test_scalings_need_weights(rows: dict[str, np.ndarray]) -> None:
    with pytest.raises(fastml.FastmlError, match="no weights"):
        fastml.fit(rows, "score", "school").scalings()


@pytest.mark.parametrize("vcov", ["joint", "block"])
def test_robust_errors_are_those_of_scores_without_a_large_part_in_common(vcov: str) -> None:
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(12), 8)
    y = np.round((rng.standard_normal(12)[school] * 0.6 + rng.standard_normal(96)) * 1024) / 1024
    v = np.round(rng.uniform(1, 5, 12) * 64)[school] / 64
    data = {"school": school, "t": v * np.round(rng.uniform(0.5, 2, 96) * 64) / 64, "v": v}
    found = []
    for offset in (0.0, 500.0, 2.0**30, 2.0**42):
        assert np.all((y + offset) - offset == y)
        fit = fastml.fit({**data, "y": y + offset}, "y", "school", weights="t", group_weights="v", vcov=vcov)
        found.append((fit.se_gamma00, fit.se_tau00, fit.se_sigma2, fit.se_icc))
    for errors in found[1:]:  # rounded about another origin: the last digit may differ
        assert errors == pytest.approx(found[0], rel=1e-13)


def test_tiny_conditional_weights_cost_no_digits_of_robust_errors() -> None:
    rng = np.random.default_rng(3)
    school = np.repeat(np.arange(10), 6)
    y, a = rng.standard_normal(60), np.exp(rng.normal(size=60) * 0.5)
    data = {"y": y, "school": school, "v": np.exp(rng.normal(size=10))[school]}
    fits = [
        fastml.fit(
            {**data, "a": a * 2.0**power}, "y", "school", weights="a", group_weights="v",
            weights_are="conditional", weight_scaling="none",
        )
        for power in (0, -40, -67)
    ]  # fmt: skip
    assert all(fit.singular for fit in fits)  # where the error of sigma2 doesn't depend on the unit of the weights
    assert [fit.se_sigma2 for fit in fits] == pytest.approx([fits[0].se_sigma2] * 3, rel=1e-13)


def test_a_huge_unit_of_the_scores_changes_no_digit(rows: dict[str, np.ndarray]) -> None:
    stats = fastml.group_stats(rows, "score", "school", weights="t", group_weights="v")
    far = fastml.group_stats(
        {**rows, "score": rows["score"] * 2.0**300}, "score", "school", weights="t", group_weights="v"
    )
    a, b = fit_weighted(stats, None, Weighting()), fit_weighted(far, None, Weighting())
    assert b.components.theta == a.components.theta
    assert b.errors.se_gamma00 == a.errors.se_gamma00 * 2.0**300


def test_the_command(rows: dict[str, np.ndarray], tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table(rows), file)
    words = ["fit", file, "-y", "score", "-g", "school", "--weights", "t",
             "--group-weights", "v", "--weights-are", "total", "--weight-scaling", "effective", "--vcov", "block"]  # fmt: skip
    fit = weighted(file, weight_scaling="effective", vcov="block")
    assert json.loads(good(*words, "--format", "json")) == fit.to_dict()
    bad(*words, "--method", "reml")
