"""Standard errors of weighted fits by kind, and their intervals, put together by hand from the parts."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import optimize, stats
from weighted_groups import drawn, without

import fastml
from fastml.errors import ArgumentError, ModelError
from fastml.inference.delete_one import delete_one
from fastml.inference.parameters import PARAMETERS
from fastml.inference.robust import VCOVS, RobustErrors, default_method, robust_errors, robust_interval, skewed_errors
from fastml.inference.sandwich import cr2, sandwich
from fastml.model.corrected import corrected_ml
from fastml.model.groups import WeightedGroups
from fastml.model.weighted import pseudo_ml, reduce_weighted

T7 = 2.364624251592785  # qt(.975, 7), from R


def test_errors_by_kind() -> None:
    groups = drawn(8, 0.8, 1)
    vc = pseudo_ml(reduce_weighted(groups))
    made = robust_errors(groups, vc)
    assert (made.vcov, made.se_gamma00, made.df) == ("cr2", cr2(groups, vc).se, cr2(groups, vc).df)
    assert (made.se_tau00, made.se_sigma2, made.se_icc) == tuple(vars(delete_one(groups, vc)).values())
    for vcov in VCOVS[1:]:
        made, true = robust_errors(groups, vc, vcov), sandwich(groups, vc, vcov)
        assert made.df == 7.0
        assert (made.se_gamma00, made.se_tau00, made.se_sigma2, made.se_icc) == tuple(vars(true).values())


def test_jackknife_intervals_by_hand() -> None:
    groups = drawn(8, 0.8, 1)
    table = reduce_weighted(groups)
    vc = pseudo_ml(table)
    errors = robust_errors(groups, vc)

    def limits(parameter: str, method: str | None = None) -> np.ndarray:
        made = robust_interval(table, vc, errors, parameter, 0.95, method)
        assert made.method == (method or default_method(parameter, "cr2"))
        return np.array([made.low, made.high])

    signs = np.array([-1.0, 1.0])
    for name, value, se in (("tau00", vc.tau00, errors.se_tau00), ("sigma2", vc.sigma2, errors.se_sigma2)):
        np.testing.assert_allclose(limits(name), value * np.exp(signs * T7 * se / value), rtol=1e-12)
    np.testing.assert_allclose(limits("tau_sd"), np.sqrt(limits("tau00")), rtol=1e-14)
    icc = vc.tau00 / (vc.tau00 + vc.sigma2)
    logit = math.log(icc / (1.0 - icc)) + signs * T7 * errors.se_icc / (icc * (1.0 - icc))
    np.testing.assert_allclose(limits("icc"), 1.0 / (1.0 + np.exp(-logit)), rtol=1e-12)
    mean_size = groups.n.sum() / 8
    np.testing.assert_allclose(limits("deff"), 1.0 + limits("icc") * (mean_size - 1.0), rtol=1e-13)
    np.testing.assert_allclose(limits("n_eff"), groups.n.sum() / limits("deff")[::-1], rtol=1e-13)
    low, high = limits("gamma00")
    assert low + high == pytest.approx(2.0 * vc.gamma00, rel=1e-14)
    # Wald's, of the same errors, by the normal law.
    z = 1.959963984540054
    np.testing.assert_allclose(limits("sigma2", "wald"), vc.sigma2 + signs * z * errors.se_sigma2, rtol=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_skewed_intervals_are_where_halls_transformation_of_t_is_at_its_quantiles(level: float) -> None:
    for seed in range(6):
        groups = drawn(8, 1.2, seed)
        table = reduce_weighted(groups)
        vc = pseudo_ml(table)
        errors = robust_errors(groups, vc)
        share = groups.count / (vc.tau00 + vc.sigma2 / groups.size)
        moved = share / share.sum() * (groups.mean + groups.residual - vc.gamma00)
        a = float(np.sum(moved**3) / np.sum(moved**2) ** 1.5)
        assert errors.skew == pytest.approx(a, rel=1e-9)

        def hall(truth: float, a: float = a, errors: RobustErrors = errors, centre: float = vc.gamma00) -> float:
            t = (centre - truth) / errors.se_gamma00
            return t + a * t**2 / 3.0 + a**2 * t**3 / 27.0 + a / 6.0

        most = stats.t.ppf(0.5 + 0.5 * level, errors.df)
        made = robust_interval(table, vc, errors, "gamma00", level, "skewed")
        reach = 1e3 * most * errors.se_gamma00
        for limit, goal in ((made.low, most), (made.high, -most)):
            slow = optimize.brentq(lambda x, g=goal: hall(x) - g, vc.gamma00 - reach, vc.gamma00 + reach, xtol=1e-13)
            assert limit == pytest.approx(slow, rel=1e-9, abs=1e-9 * errors.se_gamma00)
        plain = robust_interval(table, vc, dataclasses.replace(errors, skew=0.0), "gamma00", level, "skewed")
        half = most * errors.se_gamma00
        assert tuple(plain) == pytest.approx((vc.gamma00 - half, vc.gamma00 + half), rel=1e-12)


@pytest.mark.parametrize("corrected", [False, True])
def test_skewed_intervals_of_the_variances_are_by_pseudo_values_of_the_logarithm(corrected: bool) -> None:
    def fitted(groups: WeightedGroups) -> tuple[float, float]:
        vc = pseudo_ml(reduce_weighted(groups))
        vc = corrected_ml(reduce_weighted(groups), groups, vc) if corrected else vc
        return vc.tau00, vc.theta

    for seed in (1, 2, 3):
        groups = drawn(8, 1.2, seed)
        table = reduce_weighted(groups)
        vc = pseudo_ml(table)
        vc = corrected_ml(table, groups, vc) if corrected else vc
        errors = robust_errors(groups, vc, corrected=corrected)
        left = np.array([fitted(without(groups, j)) for j in range(8)])
        for k, name in enumerate(("tau00", "theta")):
            of_all = math.log(fitted(groups)[k])
            pseudo = [8.0 * of_all - 7.0 * max(math.log(max(x, 1e-300)), of_all - 3.0) for x in left[:, k]]
            reach = T7 * np.std(pseudo, ddof=1) / math.sqrt(8.0)
            slow = np.exp(np.mean(pseudo) + np.array([-reach, reach]))
            full = skewed_errors(errors, groups, vc, name, corrected)
            made = robust_interval(table, vc, full, name, 0.95, "skewed")
            assert tuple(made) == pytest.approx(tuple(slow), rel=1e-9)


def test_skewed_intervals_where_there_is_no_jackknife() -> None:
    """No row says nothing: tau00 at 0, and two schools."""
    rng = np.random.default_rng(0)
    apart = rng.normal(size=(6, 4))
    apart -= apart.mean(axis=1, keepdims=True)
    same = {"y": apart.ravel(), "s": np.repeat(np.arange(6), 4), "v": np.repeat(np.arange(1.0, 7.0), 4)}
    two = {"y": [1.0, 2.0, 5.0, 7.0], "s": [1, 1, 2, 2], "v": [1.0, 1.0, 2.0, 2.0]}
    for data, words in ((same, "estimated at its boundary"), (two, "without one of its groups")):
        made = fastml.fit(data, "y", "s", group_weights="v")
        with pytest.raises(ModelError, match=words):
            made.ci("tau00", method="skewed")
        shown = made.intervals(method="skewed").set_index("parameter")
        assert shown.loc["gamma00", "method"] == "skewed"
        assert shown.loc[["tau00", "icc"], ["low", "high"]].isna().all(axis=None)


def test_three_equal_groups_have_their_skewness_by_hand() -> None:
    """Deviations -11, -1, 12 from 21: cubes add up to 396, squares to 266."""
    groups = WeightedGroups(np.full(3, 3), np.full(3, 3.0), np.full(3, 7.0), np.array([10.0, 20.0, 33.0]), np.zeros(3),
                            np.array([8.0, 6.0, 10.0]))  # fmt: skip
    assert robust_errors(groups, pseudo_ml(reduce_weighted(groups))).skew == pytest.approx(396 / 266**1.5, rel=1e-12)


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    school = np.repeat(np.arange(8), rng.integers(3, 12, 8))
    v = np.exp(rng.normal(0.0, 0.8, 8))[school]
    y = 500.0 + rng.normal(0.0, 40.0, 8)[school] + rng.normal(0.0, 60.0, len(school))
    return {"y": y, "s": school, "t": v * rng.uniform(1.0, 3.0, len(school)), "v": v}


def fit(rows: dict[str, np.ndarray], **options: object) -> fastml.OneWayFit:
    return fastml.fit(rows, "y", "s", weights="t", group_weights="v", **options)


def test_intervals_of_a_fit(rows: dict[str, np.ndarray]) -> None:
    made = fit(rows)
    shown = made.intervals().set_index("parameter")
    assert list(shown.index) == list(PARAMETERS)
    assert (made.vcov, made.df_method) == ("cr2", "bell-mccaffrey")
    assert dict(shown["method"]) == {name: "t" if name == "gamma00" else "jackknife" for name in PARAMETERS}
    assert (shown["low"] <= shown["estimate"]).all()
    assert (shown["estimate"] <= shown["high"]).all()
    assert (shown["low"][1:] > 0.0).all()
    # The reliability is a mean over schools, whatever their weights, at the limits of theta.
    n = np.bincount(rows["s"])
    for end in ("low", "high"):
        theta = shown.loc["theta", end]
        assert shown.loc["reliability", end] == pytest.approx(np.mean(n * theta / (1.0 + n * theta)), rel=1e-12)
    for method in ("t", "jackknife"):
        assert made.intervals(method=method).equals(made.intervals())
    skewed = made.intervals(method="skewed").set_index("parameter")
    assert skewed.loc["gamma00", "method"] == "skewed"
    assert skewed.loc["gamma00", ["low", "high"]].tolist() == list(made.ci("gamma00", method="skewed"))
    plain = ["sigma2", "sigma"]
    assert skewed.loc[plain].equals(shown.loc[plain])
    assert (skewed.drop(plain)["method"] == "skewed").all()
    icc, theta = made.ci("icc", method="skewed"), made.ci("theta", method="skewed")
    assert tuple(icc) == pytest.approx([end / (1.0 + end) for end in theta], rel=1e-14)
    with pytest.raises(ArgumentError, match="method='skewed' is not one of 'jackknife', 'wald'"):
        made.ci("sigma2", method="skewed")
    assert set(made.intervals(method="wald")["method"]) == {"wald"}


def test_intervals_of_the_older_sandwiches_are_walds(rows: dict[str, np.ndarray]) -> None:
    for vcov in ("joint", "block"):
        made = fit(rows, vcov=vcov)
        assert (made.df, made.df_method) == (7.0, "hlm")
        assert set(made.intervals()["method"]) == {"wald"}
        tau00 = made.ci("tau00")
        assert tau00.high == pytest.approx(made.tau00 + 1.959963984540054 * made.se_tau00, rel=1e-12)
        with pytest.raises(ArgumentError, match="method='jackknife' is not one of 'wald'"):
            made.ci("tau00", method="jackknife")
        assert made.intervals(method="skewed").equals(made.intervals())


def test_degrees_of_freedom_on_request(rows: dict[str, np.ndarray]) -> None:
    made = fit(rows)
    assert fit(rows, df="bell-mccaffrey").df == made.df < 7.0
    assert fit(rows, df="hlm").df == 7.0
    normal = fit(rows, df="normal")
    assert normal.ci("gamma00").high == pytest.approx(made.gamma00 + 1.959963984540054 * made.se_gamma00, rel=1e-14)
    assert normal.ci("tau00") == made.ci("tau00")
    with pytest.raises(ArgumentError, match=r"df='bell-mccaffrey' is not one of 'hlm', 'normal'.*vcov='joint'"):
        fit(rows, vcov="joint", df="bell-mccaffrey")


def test_without_an_interval_the_reason_is_told(rows: dict[str, np.ndarray]) -> None:
    two = {name: column[rows["s"] < 2] for name, column in rows.items()}
    two["y"] = two["y"] + 400.0 * two["s"]
    made = fit(two)
    assert made.df == pytest.approx(1.0, rel=1e-12)
    assert math.isfinite(made.ci("gamma00").high)
    assert made.to_dict()["se_tau00"] is None
    with pytest.raises(ModelError, match="sigma2 has no interval: without one of its groups the model can't be fitted"):
        made.ci("sigma2")
    same = {**rows, "y": rows["y"] - np.array([rows["y"][rows["s"] == s].mean() for s in rows["s"]])}
    at_zero = fit(same, weight_scaling="group-only")
    with pytest.raises(ModelError, match="icc has no interval: tau00 is estimated at its boundary"):
        at_zero.ci("icc")
    assert at_zero.ci("sigma2").method == "jackknife"
    shown = at_zero.intervals().set_index("parameter")
    assert shown.loc["tau00", "note"].startswith("tau00 is estimated at its boundary")
    assert np.isnan(shown.loc["tau00", "low"])
    with pytest.raises(ArgumentError, match="'x' is not one of"):
        made.ci("x")


def test_a_table_of_fits_has_the_same_limits(rows: dict[str, np.ndarray]) -> None:
    both = {name: np.concatenate([column, column]) for name, column in rows.items()}
    both["y"] = np.concatenate([rows["y"], rows["y"] ** 1.01])
    both["c"] = np.repeat([1, 2], len(rows["y"]))
    for vcov in VCOVS:
        table = fastml.fit_by(both, "y", "s", by="c", weights="t", group_weights="v", vcov=vcov)
        one = fit(rows, vcov=vcov).ci("icc", 0.9)
        np.testing.assert_allclose(table.icc_limits(0.9)[1][0], (one.low, one.high), rtol=1e-13)
        again = table.with_intervals(0.9).icc_limits(0.9)[1][0]
        np.testing.assert_allclose(again, (one.low, one.high), rtol=1e-13)
