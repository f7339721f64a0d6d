"""Laws that hold for any data, over many seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import fewer
from surveys import SMALL_PISA, only, pisa, timss

import fastml

FREE_OF_UNITS = ("icc", "df", "reliability", "deff")


def sample(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unequal groups, ids in no order; icc from 0 to .9."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 60, size=rng.integers(5, 40))
    ids = rng.permutation(1000)[: len(sizes)]
    group = np.repeat(ids, sizes)
    icc = rng.uniform(0, 0.9)
    u = rng.normal(0, math.sqrt(icc / (1 - icc)), len(sizes))
    y = np.repeat(u, sizes) + rng.normal(size=len(group))
    order = rng.permutation(len(y))
    return 500 + 100 * y[order], group[order]


def fit(y: np.ndarray, g: np.ndarray, **options: str) -> fastml.OneWayFit:
    return fastml.fit({"y": y, "g": g}, "y", "g", **options)


def close(a: float, b: float, tolerance: float = 1e-12) -> bool:
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=0) or (a == b == 0)


@pytest.mark.parametrize("method", ["reml", "ml", "anova"])
@pytest.mark.parametrize("seed", range(25))
def test_powers_of_two_change_no_digit(seed: int, method: str) -> None:
    y, g = sample(seed)
    plain = fit(y, g, method=method)
    for power in (-490, -40, 3, 490):
        b = 2.0**power
        scaled = fit(b * y, g, method=method)
        assert scaled.gamma00 == b * plain.gamma00
        assert scaled.se_gamma00 == b * plain.se_gamma00
        assert scaled.tau_sd == b * plain.tau_sd
        assert scaled.sigma2 == b * (b * plain.sigma2)
        assert (scaled.t, scaled.p_value) == (plain.t, plain.p_value)
        for name in FREE_OF_UNITS:
            assert getattr(scaled, name) == getattr(plain, name), name


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("seed", range(25))
def test_linear_change_of_scale(seed: int, method: str) -> None:
    y, g = sample(seed)
    y = np.round(y * 64) / 64  # so that the shifts below are exact
    plain = fit(y, g, method=method)
    for a, b in ((1e6, 1.0), (-(2.0**30), 1.0), (0.0, -4.0), (1024.0, 8.0)):
        moved = fit(a + b * y, g, method=method)
        assert close(moved.gamma00, a + b * plain.gamma00)
        assert close(moved.tau00, b * b * plain.tau00)
        assert close(moved.sigma2, b * b * plain.sigma2)
        for name in FREE_OF_UNITS:
            assert close(getattr(moved, name), getattr(plain, name)), name


@pytest.mark.parametrize("seed", range(25))
def test_order_of_rows_and_names_of_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, g = sample(seed)
    plain = fit(y, g).to_dict()
    order = rng.permutation(len(y))
    names = np.array([f"s{rng.integers(1 << 60)}" for _ in range(1000)])
    for other in (fit(y[order], g[order]), fit(y, -g), fastml.fit({"y": y, "g": names[g].tolist()}, "y", "g")):
        for name, value in other.to_dict().items():
            if isinstance(value, float):
                assert close(value, plain[name], 2e-12), name
            elif name != "group":
                assert value == plain[name], name


@pytest.mark.parametrize("seed", range(25))
def test_any_split_of_the_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, g = sample(seed)
    plain = fit(y, g)
    piece = rng.integers(0, rng.integers(2, 9), len(y))
    parts = [fastml.group_stats({"y": y[piece == k], "g": g[piece == k]}, "y", "g") for k in np.unique(piece)]
    merged = fastml.fit(sum(parts[1:], start=parts[0]))
    for name in ("gamma00", "tau00", "sigma2", "loglik", "df"):
        assert close(getattr(merged, name), getattr(plain, name)), name
    assert merged.groups_arrow()["group"].equals(plain.groups_arrow()["group"])


@pytest.mark.parametrize("seed", range(25))
def test_balanced_data_have_the_closed_form(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_groups, n = int(rng.integers(2, 30)), int(rng.integers(2, 30))
    y = rng.normal(size=(n_groups, n)) + rng.normal(0, rng.uniform(0, 1), (n_groups, 1))
    msb = n * y.mean(axis=1).var(ddof=1)
    msw = y.var(axis=1, ddof=1).mean()
    ours = fit(y.ravel(), np.repeat(np.arange(n_groups), n))
    if msb > msw:
        assert close(ours.tau00, (msb - msw) / n, 1e-9)
        assert close(ours.sigma2, msw, 1e-12)
        assert close(ours.df, n_groups - 1)
        assert close(ours.se_gamma00, math.sqrt(msb / (n * n_groups)), 1e-12)
    else:
        assert ours.tau00 == 0
        assert ours.singular
        assert ours.df == n_groups * n - 1
        assert close(ours.sigma2, y.var(ddof=1), 1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_moments_agree_with_reml_when_balanced(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(12, 7)) + rng.normal(size=(12, 1))
    g = np.repeat(np.arange(12), 7)
    anova, reml = fit(y.ravel(), g, method="anova"), fit(y.ravel(), g)
    assert close(anova.tau00, reml.tau00, 1e-11)
    assert close(anova.sigma2, reml.sigma2)
    assert anova.df == 11
    assert math.isnan(anova.loglik)
    assert anova.to_dict()["loglik"] is None


# What a parameter is multiplied by where scores are by b.
POWERS = {"gamma00": 1, "tau_sd": 1, "sigma": 1, "tau00": 2, "sigma2": 2}


@pytest.mark.parametrize("kind", ["fiducial", "exact", "at least", "t", "cr2", "skewed", "corrected", "joint"])
@pytest.mark.parametrize(("a", "b"), [(1e4, 0.01), (-3.0, -250.0)])
@pytest.mark.parametrize("seed", range(fewer(3, times=3, at_least=1)))
def test_every_interval_goes_with_the_scores(seed: int, a: float, b: float, kind: str) -> None:
    """y -> a + b y: the mean's interval does so too, those of variances by b^2, and the icc's stays."""
    y, g = sample(seed)
    rows = {"y": y, "g": g, "v": 1.0 + np.abs(np.sin(g.astype(float)))}
    if kind in ("exact", "at least"):
        noise = np.random.default_rng(seed).normal(size=(6, 5))
        noise -= noise.mean(axis=1, keepdims=True)
        apart = 3.0 if kind == "exact" else 0.02
        rows = {"y": (noise + apart * np.arange(6)[:, None]).ravel(), "g": np.repeat(np.arange(6), 5)}
    options: dict[str, str] = {}
    if kind in ("cr2", "skewed", "corrected", "joint"):
        options = {"group_weights": "v", "vcov": "joint" if kind == "joint" else "cr2"}
    if kind == "corrected":
        options["bias"] = "corrected"
    method = kind if kind in ("fiducial", "t", "skewed") else None
    plain, other = (
        fastml.fit({**rows, "y": shift + factor * rows["y"]}, "y", "g", **options)
        for shift, factor in ((0.0, 1.0), (a, b))
    )
    one, two = (made.intervals(method=method).set_index("parameter") for made in (plain, other))
    used = {"cr2": "t", "corrected": "t", "joint": "wald"}.get(kind, kind)
    assert one.loc["gamma00", "method"] == two.loc["gamma00", "method"] == used
    width = one.loc["gamma00", "high"] - one.loc["gamma00", "low"]
    for name, row in one.iterrows():
        ends = np.array([row["low"], row["high"]])
        expected = ends * abs(b) ** POWERS.get(str(name), 0) if name != "gamma00" else np.sort(a + b * ends)
        near = 1e-8 * abs(b) * width if name == "gamma00" else 0.0
        assert two.loc[name, ["low", "high"]].tolist() == pytest.approx(expected.tolist(), rel=1e-7, abs=near), name


@pytest.mark.parametrize(("a", "b"), [(1e4, 0.01), (-3.0, -250.0)])
def test_every_interval_of_an_assessment_goes_with_the_scores(a: float, b: float) -> None:
    students, schools = pisa()
    for data, call in (
        (timss(), {"outcome": "BSMMAT", "design": "timss"}),
        (timss(), {"outcome": "BSMMAT", "design": "timss", "df": "johnson-rust"}),
        (students, {"outcome": "MATH", "design": SMALL_PISA, "school_data": schools}),
    ):
        scores = [name for name in data if name.startswith(("BSMMAT", "PV"))]
        changed = {**data, **{name: a + b * data[name] for name in scores}}
        one, two = (only(fastml.fit_survey(rows, **call)) for rows in (data, changed))
        for name, power in (
            ("gamma00", 1),
            ("mean", 1),
            ("sd", 1),
            ("tau00", 2),
            ("sigma2", 2),
            ("icc", 0),
            ("deff", 0),
        ):
            ends = [one[f"ci_low_{name}"], one[f"ci_high_{name}"]]
            at = sorted(a + b * x for x in ends) if name in ("gamma00", "mean") else [abs(b) ** power * x for x in ends]
            assert [two[f"ci_low_{name}"], two[f"ci_high_{name}"]] == pytest.approx(at, rel=1e-9), name
