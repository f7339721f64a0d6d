"""Pooled figures and their errors: sandwiches, intervals, averages, parts without a result."""

from __future__ import annotations

import json
import math
from pathlib import Path

import naive_survey
import numpy as np
import pyarrow as pa
import pytest
from surveys import PV, REAL, compare, iccs, only, timss, together

import fastml
from fastml.survey.cells import Part, Sample
from fastml.survey.choices import check_choices
from fastml.survey.estimates import fit_parts
from fastml.survey.replication import CellMoments


def test_sandwich_errors_pooled(assessments_folder: Path) -> None:
    """WeMix's own errors, pooled by Rubin's rules from closed-form fits."""
    pools = [r for r in json.loads((assessments_folder / "expected.json").read_text()) if r["peer"].startswith("Rubin")]
    checked = 0
    for record in pools:
        # The file of 2012 has no replicate weights, which a sandwich does without.
        design, schools = REAL.get(record["dataset"], ("pisa_before_2015", None))
        outcome = {"timss": "BSMMAT", "timss_before_2015": "ASMMAT"}.get(design, "MATH")
        row = only(fastml.fit_survey(
            assessments_folder / f"{record['dataset']}.parquet", outcome,
            # Every plausible value's own variance counts here, whatever the jackknife of the cycle does.
            design, school_data=None if schools is None else assessments_folder / schools,
            weight_scaling="none", se="sandwich", vcov="block",
        ))  # fmt: skip
        true = record["expected"]
        for name, theirs in (("gamma00", "beta0"), ("se_gamma00", "se"), ("sampling_variance_gamma00", "U"),
                             ("imputation_variance_gamma00", "B"), ("tau00", "tau2"), ("se_tau00", "se_tau2"),
                             ("sigma2", "sigma2"), ("se_sigma2", "se_sigma2"), ("icc", "mean_icc")):  # fmt: skip
            more = 1 + 1 / (10 if record["dataset"] == "pisa2018_tur" else 5)
            value = row[name] / more if theirs == "B" else row[name]
            assert math.isclose(value, true[theirs], rel_tol=1e-9), (record["dataset"], name)
        checked += 1
    assert checked == 4


def test_a_sandwich_needs_no_zones() -> None:
    """The linearised mean's error by its formula; the model's is the weighted fit's."""
    data = timss(9)
    del data["JKZONE"], data["JKREP"]
    row = only(fastml.fit_survey({**data, "ONE": data["BSMMAT01"]}, "ONE", "timss", se="sandwich"))
    v = data["WGTFAC1"] * data["WGTADJ1"]
    fit = fastml.fit({**data, "v": v}, "BSMMAT01", "IDSCHOOL", weights="TOTWGT", group_weights="v")
    for name in ("gamma00", "tau00", "sigma2", "icc", "deff"):
        assert math.isclose(row[name], getattr(fit, name), rel_tol=1e-12)
        assert math.isclose(row[f"se_{name}"], getattr(fit, f"se_{name}"), rel_tol=1e-11)
    assert math.isclose(row["df_gamma00"], fit.df, rel_tol=1e-11)
    assert row["df_tau00"] == row["df_sd"] == fit.n_groups - 1
    older = only(fastml.fit_survey({**data, "ONE": data["BSMMAT01"]}, "ONE", "timss", se="sandwich", vcov="joint"))
    assert older["df_gamma00"] == fit.n_groups - 1
    t, y, J = data["TOTWGT"], data["BSMMAT01"], fit.n_groups
    mean = np.average(y, weights=t)
    sd = math.sqrt(np.sum(t * (y - mean) ** 2) / (t.sum() - 1))
    # The mean by CR2, with matrices: schools' means, weighted by their totals, of the variances that the model has
    # where every school counts once.
    totals, n = (np.bincount((data["IDSCHOOL"] - 5001).astype(int), x) for x in (t, np.ones(len(t))))
    once = fastml.fit({**data, "v": np.ones(len(t))}, "BSMMAT01", "IDSCHOOL", weights="TOTWGT", group_weights="v")
    phi, share = once.tau00 + once.sigma2 / n, totals / totals.sum()
    e = np.bincount((data["IDSCHOOL"] - 5001).astype(int), t * y) / totals - mean
    maker = np.eye(J) - np.outer(np.ones(J), share)
    form = maker.T @ np.diag(share**2 * phi / np.diag(maker @ np.diag(phi) @ maker.T)) @ maker @ np.diag(phi)
    assert math.isclose(row["df_mean"], np.trace(form) ** 2 / np.trace(form @ form), rel_tol=1e-10)
    square = np.sum(share**2 * e**2 * phi / np.diag(maker @ np.diag(phi) @ maker.T))
    assert math.isclose(row["se_mean"], math.sqrt(square), rel_tol=1e-10)
    row = {**row, "se_mean": older["se_mean"]}
    for name, influence in (("mean", t * (y - mean)), ("sd", t * ((y - mean) ** 2 - sd**2) / (2 * sd))):
        per_school = np.array([influence[data["IDSCHOOL"] == s].sum() for s in np.unique(data["IDSCHOOL"])]) / t.sum()
        true = math.sqrt(J / (J - 1) * np.sum((per_school - per_school.mean()) ** 2))
        assert math.isclose(row[f"se_{name}"], true, rel_tol=1e-10), name


def test_a_level_next_to_one_takes_its_quantile_from_the_tail() -> None:
    data = {name: column[np.isin(timss(9)["IDSCHOOL"], (5001, 5002))] for name, column in timss(9).items()}
    table = fastml.fit_survey({**data, "ONE": data["BSMMAT01"]}, "ONE", "timss", se="sandwich", vcov="joint",
                              level=1.0 - 2.0**-45)  # fmt: skip
    row = only(table)
    assert row["df_mean"] == 1.0  # where t is Cauchy
    reach = row["se_mean"] / math.tan(math.pi * 2.0**-46)
    assert math.isclose(row["ci_high_mean"] - row["mean"], reach, rel_tol=1e-11)
    row = {**row, "icc": 0.5, "se_icc": 0.1, "df_icc": 1.0}
    table = type(table)(pa.Table.from_pylist([row], metadata=table.table.schema.metadata), ())
    ((low, high),) = table.icc_limits()[1]
    assert 0.0 < low < 1e-130  # the logit reaches 300 to both sides at most
    assert high == 1.0
    row["se_icc"] = 2.0**-46  # the logit's error is 4 of these
    table = type(table)(pa.Table.from_pylist([row], metadata=table.table.schema.metadata), ())
    ((low, high),) = table.icc_limits()[1]
    assert math.isclose(math.log(high / (1.0 - high)), 2.0**-44 / math.tan(math.pi * 2.0**-46), rel_tol=1e-11)


def test_a_score_without_plausible_values() -> None:
    data = timss()
    row = only(fastml.fit_survey({**data, "SCALE": data["BSMMAT01"]}, "SCALE", "timss"))
    first = naive_survey.survey(
        [data["BSMMAT01"]], data["IDSCHOOL"], data["TOTWGT"], data["WGTFAC1"] * data["WGTADJ1"],
        naive_survey.jackknife_totals(data["TOTWGT"], data["JKZONE"], data["JKREP"]),
    )  # fmt: skip
    compare(row, first)
    assert row["df_icc"] == 8.0


def test_a_part_without_a_result_says_why() -> None:
    a, b = timss(5, 40.0), timss(6, 792.0)
    lone = {name: column[b["IDSCHOOL"] == 5001.0] for name, column in b.items()}
    table = fastml.fit_survey(together(a, lone), "BSMMAT", "timss", by="IDCNTRY", average=True)
    good, bad, mean = table.to_dict()
    assert good["status"] == "ok"
    assert (bad["status"], bad["n_groups"], bad["n_obs"]) == ("one_group", 1, len(lone["TOTWGT"]))
    assert bad["message"].startswith("there is one group only")
    assert f"792 BSMMAT: {bad['message']}" in str(table)
    assert bad["tau00"] is None
    assert math.isclose(bad["mean"], np.mean([np.average(lone[k], weights=lone["TOTWGT"]) for k in PV]))
    assert mean["notes"] == "average of 1 of 2 parts"
    assert not table.complete


def test_an_average_over_countries_by_another_of_their_names() -> None:
    """ICCS has countries as CNTRY too; where they are the parts, these are independent."""
    data = iccs()
    twice = {name: np.concatenate([column, column]) for name, column in data.items()}
    twice["CNTRY"] = np.repeat(["ITA", "NLD"], len(data["IDSCHOOL"]))
    *_, mean = fastml.fit_survey(twice, "CIV", "iccs", by="CNTRY", average=True).to_dict()
    assert mean["notes"].startswith("average of 2 of 2 parts")
    assert "one country" not in mean["notes"]


def test_no_error_on_the_boundary() -> None:
    """At tau00 = 0 there is no standard error of it, nor of what follows from it, as in `fit`."""
    data = timss()
    for name in PV:
        data[name] = np.tile([1.0, 2.5, 4.0, 6.0], len(data[name]))[: len(data[name])]
    for se in ("replicate", "sandwich"):
        row = only(fastml.fit_survey(data, "BSMMAT", "timss", se=se))
        assert row["tau00"] == row["icc"] == 0.0
        assert row["deff"] == 1.0
        for name in ("tau00", "icc", "deff"):
            for prefix in ("se_", "sampling_variance_", "imputation_variance_", "df_", "ci_low_", "ci_high_"):
                assert row[prefix + name] is None, (prefix, name)
        assert row["se_gamma00"] > 0.0


def test_an_average_of_parts_that_are_no_countries_says_so() -> None:
    data = timss(7)
    data["ITSEX"] = np.arange(len(data["TOTWGT"])) % 2 + 1.0
    *_, mean = fastml.fit_survey(data, "BSMMAT", "timss", by="ITSEX", average=True).to_dict()
    assert mean["notes"] == "average of 2 of 2 parts, taken as independent, which parts of one country are not"


def normal_part(name: str, seed: int) -> Part:
    """A part of one plausible value, 12 schools and a replicate without each."""
    rng = np.random.default_rng(seed)
    rows = np.full((13, 12), 5.0)
    rows[np.arange(1, 13), np.arange(12)] = 0.0
    mean = np.broadcast_to(rng.normal(0.0, 3.0, 12), (13, 12))
    ss = np.broadcast_to(rng.uniform(10.0, 40.0, 12), (13, 12))
    moments = CellMoments(500.0, rows, 2.0 * rows, 4.0 * rows, mean, 2.0 * ss, mean, ss)
    dropped = {"y": {"group": 1, "weights": 0, "zero_weight": 0, "outcome": 2}}
    return Part({"land": name}, dropped, lambda outcome: Sample(np.full(12, 2.0), [moments], 12.0, ["said of it"]))


def test_rows_of_parts_in_any_number_of_threads() -> None:
    choices = check_choices("pisa", "size", "replicate", "joint", 0.9, None)
    parts = [normal_part("A", 1), normal_part("B", 2), Part({"land": "C"}, {"y": {"group": 4}}, lambda outcome: None)]
    rows, kept = fit_parts(parts, {"y": ["of all"]}, choices, True, 1)
    assert repr(fit_parts(parts, {"y": ["of all"]}, choices, True, 3)[0]) == repr(rows)  # where NaN is NaN
    assert [None if one is None else one.values.shape for one in kept] == [(13, 1, 7), (13, 1, 7), None]
    a, b, c, mean = rows
    assert [row.get("land") for row in rows] == ["A", "B", "C", None]
    assert (a["n_dropped"], a["dropped_outcome"], a["notes"]) == (3, 2, "said of it; of all")
    assert (c["status"], c["n_obs"], c["n_groups"], c["n_dropped"]) == ("no_rows", 0, 0, 4)
    assert c["message"] == "no row has a score and its weights"
    assert (mean["n_dropped"], mean["dropped_outcome"]) == (6, 4)
    assert mean["notes"].startswith("average of 2 of 3 parts")
    assert mean["gamma00"] == pytest.approx((a["gamma00"] + b["gamma00"]) / 2, rel=1e-15)
    # The variance is the design's factor times the squares of the replicates' deviations.
    moments = parts[0].sample("y").values[0]
    means = [np.average(moments.mean[r], weights=moments.total[r]) for r in range(13)]
    assert a["mean"] == pytest.approx(500.0 + means[0], rel=1e-13)
    assert a["sampling_variance_mean"] == pytest.approx(0.05 * np.sum((np.array(means[1:]) - means[0]) ** 2), rel=1e-11)
