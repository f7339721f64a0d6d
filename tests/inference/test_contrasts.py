"""Contrasts of estimates against loops over replicates and plausible values, and figures worked by hand."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

from fastml.inference.contrasts import Contrasts, Estimate, adjusted, combine, on_log, unpaired
from fastml.inference.distributions import t_quantile, t_tail
from fastml.inference.rubin import barnard_rubin
from fastml.results.samples import components


def draw(seed: int, names: tuple[str, ...], m: int = 3, factor: float = 0.5, complete: float = 9.0) -> Estimate:
    rng = np.random.default_rng(seed)
    deviations = rng.normal(0.0, 2.0, (len(names), m))
    variance = factor * float(np.mean((deviations**2).sum(axis=0)))
    return Estimate(rng.normal(500.0, 5.0, m), deviations, names, True, factor, variance, complete)


def alone(values: list[float], variance: float, complete: float = math.inf) -> Estimate:
    return Estimate(np.array(values), np.empty((0, 1)), (), False, 0.0, variance, complete)


def together(*estimates: Estimate) -> tuple[list[Estimate], list[np.ndarray], np.ndarray]:
    n = len(estimates)
    return list(estimates), [np.arange(n)], np.ones((n, n), bool)


def apart(*estimates: Estimate) -> tuple[list[Estimate], list[np.ndarray], np.ndarray]:
    n = len(estimates)
    return list(estimates), [np.array([i]) for i in range(n)], np.eye(n, dtype=bool)


def naive(estimates: list[Estimate], weights: dict[int, float]) -> tuple[float, float, float]:
    """Estimate, U and B of one sample, by loops; a replicate that a row doesn't have is its full sample."""
    names = list(dict.fromkeys(name for row in estimates for name in row.replicates))
    m = len(estimates[0].values)
    values, variances = [], []
    for k in range(m):
        full = sum(w * estimates[i].values[k] for i, w in weights.items())
        total = 0.0
        for name in names:
            moved = 0.0
            for i, w in weights.items():
                row = estimates[i]
                step = row.deviations[row.replicates.index(name), k] if name in row.replicates else 0.0
                moved += w * (row.values[k] + step)
            total += (moved - full) ** 2
        values.append(full)
        variances.append(estimates[0].factor * total)
    return float(np.mean(values)), float(np.mean(variances)), float(np.var(values, ddof=1))


@pytest.mark.parametrize("seed", range(20))
def test_one_sample_is_as_loops_over_replicates_have_it(seed: int) -> None:
    """Rows that have some zones each, and any weights."""
    rng = np.random.default_rng(seed)
    zones = [f"zone {z}" for z in range(8)]
    rows = [draw(100 * seed + i, tuple(rng.permutation(zones)[: rng.integers(3, 9)])) for i in range(4)]
    weights = {i: float(w) for i, w in enumerate(rng.normal(size=4))}
    found = combine(*together(*rows), [weights])
    estimate, u, b = naive(rows, weights)
    assert found.estimate[0] == pytest.approx(estimate, rel=1e-12)
    assert found.sampling_variance[0] == pytest.approx(u, rel=1e-10)
    assert found.imputation_variance[0] == pytest.approx(4.0 / 3.0 * b, rel=1e-10)
    assert found.se[0] ** 2 == pytest.approx(u + 4.0 / 3.0 * b, rel=1e-10)
    assert found.df[0] == pytest.approx(float(barnard_rubin(u, b, 3, 9.0)), rel=1e-9)


def test_independent_samples_by_hand() -> None:
    """Variances 4 and 9, each with 10 degrees of freedom: 13^2/(16/10 + 81/10)."""
    found = combine(*apart(alone([3.0], 4.0, 10.0), alone([1.0], 9.0, 10.0)), [{0: 1.0, 1: -1.0}, {1: 2.0}])
    assert found.estimate.tolist() == [2.0, 2.0]
    assert found.se.tolist() == [math.sqrt(13.0), 6.0]
    assert found.df[0] == pytest.approx(169.0 / 9.7)
    assert found.df[1] == pytest.approx(10.0)
    low, high = found.limits(0.9)
    half = t_quantile(0.95, 169.0 / 9.7) * math.sqrt(13.0)
    assert (low[0], high[0]) == (pytest.approx(2.0 - half), pytest.approx(2.0 + half))
    t, p = found.tests()
    assert t[1] == pytest.approx(1.0 / 3.0)
    assert p[1] == pytest.approx(2.0 * t_tail(1.0 / 3.0, 10.0))


def test_known_variances_have_normal_intervals() -> None:
    found = combine(*apart(alone([3.0], 4.0), alone([1.0], 5.0)), [{0: 1.0, 1: -1.0}])
    assert math.isinf(found.df[0])
    assert found.limits(0.95)[1][0] == pytest.approx(2.0 + 3.0 * 1.959963984540054)
    assert found.tests()[1][0] == pytest.approx(2.0 * t_tail(2.0 / 3.0, math.inf))


def test_a_country_against_the_average_that_contains_it() -> None:
    """The formula of the OECD: ((C - 1)^2 - 1) V_i + sum of all V, over C^2."""
    variances = [4.0, 9.0, 1.0, 25.0, 16.0]
    rows = [alone([float(i)], v, 40.0) for i, v in enumerate(variances)]
    weights = {i: (1.0 if i == 2 else 0.0) - 0.2 for i in range(5)}
    found = combine(*apart(*rows), [weights])
    assert found.se[0] ** 2 == pytest.approx(((5 - 1) ** 2 - 1) / 25 * variances[2] + sum(variances) / 25)


def test_linking_errors_are_added_as_known() -> None:
    rows = apart(alone([3.0], 4.0, 10.0), alone([1.0], 9.0, 10.0))
    found = combine(*rows, [{0: 1.0, 1: -1.0}], np.array([3.0]))
    assert found.se[0] == pytest.approx(4.0)
    assert found.linking_variance[0] == 3.0
    assert found.df[0] == pytest.approx(256.0 / 9.7)


def test_samples_and_rows_of_both_kinds() -> None:
    """Two of one sample, one of another: the first two's U, the other's added; df by Welch and Satterthwaite."""
    a, b, c = draw(1, ("x", "y")), draw(2, ("y", "z")), draw(3, ("x", "z"), m=2, complete=20.0)
    shared = np.eye(3, dtype=bool)
    shared[:2, :2] = True
    found = combine([a, b, c], [np.array([0, 1]), np.array([2])], shared, [{0: 0.5, 1: 0.5, 2: -1.0}])
    _, u, between = naive([a, b], {0: 0.5, 1: 0.5})
    other = float(np.var(c.values, ddof=1))
    first, second = u + 4.0 / 3.0 * between, c.variance + 1.5 * other
    df = [float(barnard_rubin(u, between, 3, 9.0)), float(barnard_rubin(c.variance, other, 2, 20.0))]
    assert found.se[0] ** 2 == pytest.approx(first + second, rel=1e-12)
    assert found.df[0] == pytest.approx((first + second) ** 2 / (first**2 / df[0] + second**2 / df[1]), rel=1e-12)


def test_rows_that_are_of_one_sample_with_a_third_only() -> None:
    """Two countries and their pool: the two are independent of each other."""
    a, b, pool = draw(1, ("1", "2")), draw(2, ("1", "2")), draw(3, ("1", "2"))
    shared = np.ones((3, 3), bool)
    shared[0, 1] = shared[1, 0] = False
    found = combine([a, b, pool], [np.arange(3)], shared, [{0: 1.0, 1: -1.0}])
    assert found.sampling_variance[0] == pytest.approx(a.variance + b.variance, rel=1e-12)


def test_degrees_of_freedom_are_those_of_a_contrast_s_own_rows() -> None:
    """The same where the block has the rows that join them, of more plausible values, and where each is alone."""
    a, b, pool = draw(1, ("1", "2"), m=1), draw(2, ("1", "2"), m=1, complete=20.0), draw(3, ("1", "2"))
    shared = np.ones((3, 3), bool)
    shared[0, 1] = shared[1, 0] = False
    pair = {0: 1.0, 1: -1.0}
    among = combine([a, b, pool], [np.arange(3)], shared, [{0: 1.0, 2: -1.0}, pair, {0: 0.5, 1: 0.5, 2: -1.0}])
    by_hand = (a.variance + b.variance) ** 2 / (a.variance**2 / 9.0 + b.variance**2 / 20.0)
    assert among.df[1] == pytest.approx(by_hand, rel=1e-12)
    assert among.df[1] == pytest.approx(combine(*apart(a, b), [pair]).df[0], rel=1e-12)
    assert among.se[1] == pytest.approx(combine(*apart(a, b), [pair]).se[0], rel=1e-12)
    one = among.sampling_variance[2], 0.75 * among.imputation_variance[2]  # the pool joins the two
    assert among.df[2] == pytest.approx(float(barnard_rubin(*one, 3, 9.0)), rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_samples_of_a_contrast_are_found_whatever_joins_them(seed: int) -> None:
    """Each contrast among others as it is with blocks of its own rows, by a walk from row to row."""
    rng = np.random.default_rng(seed)
    rows = [draw(100 * seed + i, ("x", "y", "z"), complete=float(5 + i)) for i in range(7)]
    shared = rng.random((7, 7)) < 0.25
    shared = shared | shared.T | np.eye(7, dtype=bool)
    weights = [dict(zip(rng.permutation(7)[:k].tolist(), rng.normal(size=k), strict=True)) for k in (1, 2, 2, 3, 5, 7)]
    found = combine(rows, components(shared, range(7)), shared, weights)
    for c, one in enumerate(weights):
        alone = combine(rows, components(shared & np.isin(range(7), list(one)), one), shared, [one])
        for of in ("estimate", "se", "df", "sampling_variance", "imputation_variance"):
            assert getattr(found, of)[c] == pytest.approx(getattr(alone, of)[0], rel=1e-9), of


def test_a_score_without_plausible_values_beside_one_with() -> None:
    many, one = draw(1, ("x", "y")), draw(2, ("x", "y"), m=1)
    found = combine(*together(many, one), [{0: 1.0, 1: -1.0}])
    repeated = dataclasses.replace(
        one, values=np.repeat(one.values, 3), deviations=np.repeat(one.deviations, 3, axis=1)
    )
    _, u, b = naive([many, repeated], {0: 1.0, 1: -1.0})
    assert found.sampling_variance[0] == pytest.approx(u, rel=1e-12)
    assert found.imputation_variance[0] == pytest.approx(4.0 / 3.0 * b, rel=1e-12)


def test_replicates_of_the_first_value_alone() -> None:
    a, b = (dataclasses.replace(draw(i, ("x", "y")), deviations=draw(i, ("x", "y")).deviations[:, :1]) for i in (1, 2))
    found = combine(*together(a, b), [{0: 1.0, 1: -1.0}])
    assert found.sampling_variance[0] == pytest.approx(
        0.5 * float(np.sum((a.deviations - b.deviations) ** 2)), rel=1e-12
    )


def test_a_row_without_a_result_spoils_its_own_contrasts_only() -> None:
    a, b, c = draw(1, ("x", "y")), draw(2, ("x", "y")), draw(3, ("x", "y"))
    failed = np.array(c.deviations)
    failed[1, 0] = math.nan
    broken = dataclasses.replace(c, deviations=failed, variance=math.nan)
    none = dataclasses.replace(c, values=np.full(3, math.nan))
    for bad, has_estimate in ((broken, True), (none, False)):
        found = combine(*together(a, b, bad), [{0: 1.0, 1: -1.0}, {0: 1.0, 2: -1.0}])
        assert found.se[0] == pytest.approx(combine(*together(a, b), [{0: 1.0, 1: -1.0}]).se[0], rel=1e-12)
        assert math.isnan(found.se[1])
        assert math.isnan(found.estimate[1]) != has_estimate
        assert np.isnan([found.df[1], found.limits(0.95)[0][1], found.tests()[1][1]]).all()
        single = combine(*apart(a, b, bad), [{0: 1.0, 1: -1.0}, {0: 1.0, 2: -1.0}])
        assert np.isfinite(single.se[0])
        assert math.isnan(single.se[1])


def test_what_does_not_pair() -> None:
    def why(one: Estimate, other: Estimate) -> str:
        assert unpaired(one, other) == unpaired(other, one)
        return unpaired(one, other) or ""

    x = draw(1, ("x",))
    assert re.search(r"3 and 5 plausible values.*independent=True", why(x, draw(2, ("x",), m=5)))
    assert re.search(r"different designs.*independent=True", why(x, draw(2, ("x",), factor=1.0)))
    columns = [dataclasses.replace(draw(1, names), zoned=False) for names in (("W1", "W2"), ("W1", "W2", "W3"))]
    assert "different designs" in why(*columns)
    assert "se='replicate'" in why(x, draw(2, ()))
    for other in (draw(2, ("y", "z")), draw(2, ("x",), m=1)):
        assert unpaired(x, other) is None
    assert unpaired(columns[0], columns[0]) is None


def test_what_does_not_pair_stands_beside_what_does() -> None:
    """One score pairs with plausible values of two numbers, which don't pair with each other."""
    rows = [draw(1, ("x", "y")), draw(2, ("x", "y"), m=1), draw(3, ("x", "y"), m=5), draw(4, ("x", "y"), factor=1.0)]
    shared = np.ones((4, 4), bool)
    for i in range(4):
        for j in range(i):
            shared[i, j] = shared[j, i] = unpaired(rows[i], rows[j]) is None
    assert shared.sum() == 4 + 4
    weights = [{0: 1.0, 1: -1.0}, {1: 1.0, 2: -1.0}, {3: 1.0}]
    found = combine(rows, components(shared, range(4)), shared, weights)
    for c, of_rows in enumerate(weights):
        alone = combine(rows, components(shared, of_rows), shared, [of_rows])
        pairs = combine(*together(*(rows[i] for i in of_rows)), [dict(enumerate(of_rows.values()))])
        for of in ("estimate", "se", "df"):
            assert getattr(found, of)[c] == pytest.approx(getattr(alone, of)[0], rel=1e-12)
            assert getattr(found, of)[c] == pytest.approx(getattr(pairs, of)[0], rel=1e-12)


def test_many_contrasts_in_blocks_are_each_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [draw(i, ("x", "y", "z")) for i in range(5)]
    weights = [{i: 1.0, j: -1.0} for i in range(5) for j in range(i)]
    whole = combine(*together(*rows), weights)
    monkeypatch.setattr("fastml.inference.contrasts._CELLS", 15)
    assert combine(*together(*rows), weights).se == pytest.approx(whole.se, rel=1e-14)
    assert combine(*together(*rows), []).se.shape == (0,)


def test_logarithms() -> None:
    """Replicate by replicate; of a figure without replicates by the delta method; none where a value is 0."""
    row = dataclasses.replace(draw(1, ("x", "y")), values=np.array([100.0, 120.0, 90.0]))
    logs = on_log(row)
    expected = np.log(row.values + row.deviations) - np.log(row.values)
    np.testing.assert_allclose(logs.deviations, expected, rtol=1e-12)
    assert logs.variance == pytest.approx(0.5 * float(np.mean((expected**2).sum(axis=0))), rel=1e-12)
    assert on_log(alone([10.0], 4.0)).variance == pytest.approx(0.04)
    zero = on_log(dataclasses.replace(row, values=np.array([100.0, 0.0, 90.0])))
    assert math.isnan(zero.values[1])
    gone = on_log(dataclasses.replace(row, deviations=np.array([[-100.0] * 3, [1.0] * 3])))
    assert math.isnan(gone.variance)
    assert np.isfinite(gone.values).all()


def test_adjusted_by_hand() -> None:
    """The worked examples of R's p.adjust, c(.01, .02, .03, .04, .05): Holm .05 .08 .09 .09 .09, BH all .05."""
    p = np.array([0.03, 0.01, math.nan, 0.05, 0.02, 0.04])
    holm, bh = adjusted(p, "holm"), adjusted(p, "bh")
    np.testing.assert_allclose(holm, [0.09, 0.05, math.nan, 0.09, 0.08, 0.09])
    np.testing.assert_allclose(bh, [0.05, 0.05, math.nan, 0.05, 0.05, 0.05])
    assert adjusted(np.array([0.7, 0.9]), "holm").tolist() == [1.0, 1.0]
    assert len(adjusted(np.empty(0), "bh")) == 0


def test_nothing_varies() -> None:
    same = Contrasts(*(np.zeros(1) for _ in range(2)), np.array([math.inf]), *(np.zeros(1) for _ in range(3)))
    t, p = same.tests()
    assert np.isnan([t[0], p[0]]).all()
