"""Quantiles and tails against 40-digit arithmetic, and roots against ones known by hand."""

from __future__ import annotations

import math

import mpmath as mp
import pytest

from fastml.errors import RangeError
from fastml.inference.distributions import (
    check_level,
    chi2_quantile,
    chi2_tail,
    chi2_upper,
    f_quantile,
    f_tail,
    f_upper,
    half_width,
    normal_quantile,
    normal_tail,
    root,
    t_quantile,
    t_tail,
)


def true_chi2_tail(x: float, df: float) -> float:
    with mp.workdps(40):
        return float(mp.gammainc(mp.mpf(df) / 2, mp.mpf(x) / 2, regularized=True))


def true_beta(x: mp.mpf, a: float, b: float) -> float:
    return float(mp.betainc(a, b, 0, x, regularized=True))


@pytest.mark.parametrize("df", [1.0, 4.5, 100.0])
@pytest.mark.parametrize("x", [1e-3, 2.0, 80.0, 900.0])
def test_chi_square_tails_keep_their_digits(x: float, df: float) -> None:
    tail = true_chi2_tail(x, df)
    assert math.isclose(chi2_tail(x, df), tail, rel_tol=1e-11)
    if 1e-300 < tail < 0.9:
        assert math.isclose(chi2_upper(tail, df), x, rel_tol=1e-11)
    if 1e-3 < tail < 1.0:
        assert math.isclose(chi2_quantile(1.0 - tail, df), x, rel_tol=1e-9)


@pytest.mark.parametrize("df", [(3.0, 28.0), (1.0, 1e4), (250.0, 2.0)])
@pytest.mark.parametrize("x", [0.01, 1.0, 7.5])
def test_f_tails_keep_their_digits(x: float, df: tuple[float, float]) -> None:
    with mp.workdps(40):
        share = mp.mpf(df[1]) / (mp.mpf(df[1]) + df[0] * mp.mpf(x))
        tail = true_beta(share, 0.5 * df[1], 0.5 * df[0])
    assert math.isclose(f_tail(x, *df), tail, rel_tol=1e-10)
    if 1e-3 < tail < 0.999:
        assert math.isclose(f_upper(tail, *df), x, rel_tol=1e-9)
        assert math.isclose(f_quantile(1.0 - tail, *df), x, rel_tol=1e-9)


@pytest.mark.parametrize("df", [1.0, 7.3, 1e5])
@pytest.mark.parametrize("t", [1e-3, 1.0, 12.0])
def test_t_tails_and_their_inverse(t: float, df: float) -> None:
    with mp.workdps(40):
        tail = true_beta(mp.mpf(df) / (mp.mpf(df) + mp.mpf(t) ** 2), 0.5 * df, 0.5) / 2.0
    assert math.isclose(t_tail(t, df), tail, rel_tol=1e-10)
    assert math.isclose(t_quantile(tail, df), -t, rel_tol=1e-10)


def test_infinite_degrees_of_freedom_are_the_normal_law() -> None:
    assert t_quantile(0.9, math.inf) == normal_quantile(0.9)
    assert t_tail(3.0, math.inf) == normal_tail(3.0)
    assert math.isclose(half_width(0.9), normal_quantile(0.95), rel_tol=1e-14)
    assert math.isclose(normal_tail(30.0), float(mp.ncdf(-30)), rel_tol=1e-12)


@pytest.mark.parametrize("start", [0.0, 1.0, 99.0])
def test_roots_of_steep_and_flat_functions(start: float) -> None:
    assert math.isclose(root(lambda x: (x**3 - 8.0, 3.0 * x * x), 0.0, 100.0, start), 2.0, rel_tol=1e-15)
    assert math.isclose(root(lambda x: (math.atan(x - 5.0), 1.0 / (1.0 + (x - 5.0) ** 2)), 0.0, 100.0, start), 5.0)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, math.nan, "0.95"])
def test_what_is_no_level(level: float) -> None:
    check_level(0.5)
    with pytest.raises(RangeError, match="a number between 0 and 1"):
        check_level(level)
