"""Profile limits: the reference's, nested searches of the joint deviance, laws."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import fewer
from tables import SETS, TWO_OPTIMA, Grouped, changed, close, reference, simulated, two_scales

from fastml.inference.intervals import interval
from fastml.inference.profiles import profile_set, relative_deviance
from fastml.model.variance_components import estimate


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", [name for name in SETS if name not in TWO_OPTIMA])
def test_reference_profile(reference_folder: Path, name: str, method: str) -> None:
    record, groups = reference(reference_folder, name)
    table = groups.table
    vc = estimate(table, method)
    truth = record["profile_ci95_ML"]
    for parameter in ("sigma", "tau_sd", "gamma00"):
        made = interval(table, vc, parameter, method="profile-ml")
        for value, true in zip((made.low, made.high), truth[parameter], strict=True):
            assert close(value, true, 1e-12), (parameter, value, true)
        if method == "ml" or parameter == "gamma00":
            same = interval(table, vc, parameter, method="profile")
            assert (same.low, same.high) == (made.low, made.high)


def joint_deviance(groups: Grouped, restricted: bool) -> Callable[[float, float, float | None], float]:
    """-2 log likelihood less constants, of tau00, sigma2 and gamma00 (None: its best), over the groups."""
    n = groups.n.astype(float)
    means, ssw = groups.shift + groups.residual, float(groups.ss.sum())

    def value(tau00: float, sigma2: float, gamma: float | None) -> float:
        v = sigma2 + n * tau00
        w = n / v
        centre = float(np.sum(w * means) / np.sum(w)) if gamma is None else gamma
        total = float(np.sum(np.log(v))) + (n.sum() - n.size) * math.log(sigma2) + ssw / sigma2
        total += float(np.sum(w * (means - centre) ** 2))
        return total + (math.log(float(np.sum(w))) if restricted else 0.0)

    return value


def golden(function: Callable[[float], float], low: float, high: float) -> float:
    """Least value of a function with one minimum in [low, high]."""
    ratio = 0.6180339887498949
    for _ in range(40):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if function(a) < function(b):
            high = b
        else:
            low = a
    return function(0.5 * (low + high))


def bisect(function: Callable[[float], float], inside: float, outside: float) -> float:
    for _ in range(34):
        middle = 0.5 * (inside + outside)
        if function(middle) <= 0.0:
            inside = middle
        else:
            outside = middle
    return inside


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_profile_against_nested_searches(seed: int, restricted: bool) -> None:
    groups = simulated(seed + 20, theta=0.6)
    table = groups.table
    vc = estimate(table, "reml" if restricted else "ml")
    value = joint_deviance(groups, restricted)
    limit = value(vc.tau00, vc.sigma2, None) + 3.841458820694124
    span = math.log(100.0)

    def for_tau00(tau00: float) -> float:
        centre = math.log(vc.sigma2)
        return golden(lambda u: value(tau00, math.exp(u), None), centre - span, centre + span) - limit

    def for_sigma2(sigma2: float) -> float:
        return golden(lambda t: value(t, sigma2, None), 0.0, 30.0) - limit

    tau00 = interval(table, vc, "tau00", method="profile")
    assert tau00.high == pytest.approx(bisect(for_tau00, vc.tau00, 50.0), rel=1e-7)
    if tau00.low > 0.0:
        assert tau00.low == pytest.approx(bisect(for_tau00, vc.tau00, 0.0), rel=1e-7)
    else:
        assert for_tau00(0.0) <= 0.0
    sigma2 = interval(table, vc, "sigma2", method="profile")
    assert sigma2.high == pytest.approx(bisect(for_sigma2, vc.sigma2, 20.0), rel=1e-7)
    assert sigma2.low == pytest.approx(bisect(for_sigma2, vc.sigma2, 0.01), rel=1e-7)
    if not restricted:

        def for_gamma(gamma: float) -> float:
            def over_theta(theta: float) -> float:
                # At a theta and a gamma00 sigma2 is the mean of the weighted squares.
                r = value(theta, 1.0, gamma) - value(theta, 1.0, None) + table.unit**2 * slow_r(groups, theta)
                s = r / table.n_obs
                return value(theta * s, s, gamma)

            return golden(over_theta, 0.0, 30.0) - limit

        def slow_r(groups: Grouped, theta: float) -> float:
            w = groups.n / (1 + groups.n * theta)
            means = groups.shift + groups.residual
            gamma = np.sum(w * means) / np.sum(w)
            return float(groups.ss.sum() + np.sum(w * (means - gamma) ** 2)) / table.unit**2

        made = interval(table, vc, "gamma00", method="profile")
        assert made.high == pytest.approx(bisect(for_gamma, vc.gamma00, vc.gamma00 + 9.0), rel=1e-7)
        assert made.low == pytest.approx(bisect(for_gamma, vc.gamma00, vc.gamma00 - 9.0), rel=1e-7)


def test_profile_limits_lie_on_the_limit() -> None:
    for seed in range(30):
        table = simulated(seed, theta=(0.0, 0.2, 5.0)[seed % 3], groups=3 + seed).table
        for method in ("reml", "ml"):
            vc = estimate(table, method)
            for level in (0.5, 0.95, 0.999):
                region = profile_set(table, vc, level)
                for low, high in region.pieces:
                    assert relative_deviance(table, vc, high) == pytest.approx(region.drop, rel=1e-11)
                    if low > 0.0:
                        assert relative_deviance(table, vc, low) == pytest.approx(region.drop, rel=1e-11)
                    else:
                        assert relative_deviance(table, vc, 0.0) <= region.drop


def test_several_optima_are_several_pieces() -> None:
    """The set of theta is the one a fine grid shows; the interval is the piece around the global optimum."""
    seen = 0
    grid = np.concatenate(
        ([0.0], np.exp(np.linspace(math.log(1e-6), math.log(1e4), fewer(800, times=4, at_least=200))))
    )
    for seed in range(40):
        table = two_scales(seed).table
        for method in ("reml", "ml"):
            vc = estimate(table, method)
            assert vc.optimum is not None
            if vc.optimum.n_optima < 2:
                continue
            deviances = np.array([relative_deviance(table, vc, t) for t in grid])
            for level in (0.5, 0.9, 0.95, 0.99, 0.9999):
                region = profile_set(table, vc, level)
                inside = deviances <= region.drop
                starts = np.flatnonzero(inside & ~np.concatenate(([False], inside[:-1])))
                ends = np.flatnonzero(inside & ~np.concatenate((inside[1:], [False])))
                for start, end in zip(starts, ends, strict=True):
                    assert any(low <= grid[start] and grid[end] <= high for low, high in region.pieces)
                assert len(region.pieces) >= len(starts)  # a grid can miss a narrow one
                low, high = region.pieces[region.main]
                assert low <= vc.theta <= high
                made = interval(table, vc, "icc", level, "profile")
                assert made.low <= vc.theta / (1 + vc.theta) <= made.high
                assert ("pieces" in made.note) == (len(region.pieces) > 1)
                # The other parameters' pieces can only overlap more.
                for limits in (region.limits_tau00(), region.limits_sigma2()):
                    assert 1 <= limits.pieces <= len(region.pieces)
                seen += len(region.pieces) > 1
    assert seen >= 5


@pytest.mark.parametrize("level", [5e-324, 1e-17, 1e-12, 1e-6])
@pytest.mark.parametrize("theta", [0.0, 0.8])
def test_a_profile_at_a_level_next_to_zero_is_the_estimate(theta: float, level: float) -> None:
    groups = simulated(3, theta=0.8, groups=15)
    table = groups.table if theta else changed(groups.table, mean=0.0 * groups.table.mean)
    table = table if theta else changed(table, ss=1e-3 * table.ss)
    vc = estimate(table, "reml")
    assert vc.singular == (theta == 0.0)
    for parameter, value in (("tau00", vc.tau00), ("sigma2", vc.sigma2), ("icc", vc.theta / (1.0 + vc.theta))):
        made = interval(table, vc, parameter, level, "profile")
        assert made.low <= value * (1.0 + 1e-12)
        assert made.high >= value * (1.0 - 1e-12)
        assert made.high - made.low == pytest.approx(0.0, abs=10.0 * level + 1e-7)  # rounding of a deviance of 0
