"""Groups gathered by size, against exact fractions; a part's figures are its own, whatever parts are beside it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fastml.errors import ModelError
from fastml.model.size_table import LARGEST_SPREAD, SizeTables, check_part, group_by_size, reduce_sizes

Groups = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]


def groups(rng: np.random.Generator, count: int, largest: int, offset: float = 500.0) -> Groups:
    n = rng.integers(1, largest + 1, count)
    mean = offset + rng.normal(size=count)
    return n, mean, mean * 2.0**-54 * rng.uniform(-1, 1, count), rng.chisquare(n)


def part_of(tables: SizeTables, k: int) -> dict[str, Any]:
    rows = slice(tables.offsets[k], tables.offsets[k + 1])
    flat = {name: getattr(tables, name)[rows] for name in ("size", "count", "mean", "ss")}
    return flat | {
        name: getattr(tables, name)[k]
        for name in ("ssw", "origin", "unit", "n_obs", "n_groups", "same_mean", "largest", "spread")
    }


def twin(
    n: npt.NDArray[np.int64], exact: list[Fraction], origin: float, unit: float
) -> dict[int, tuple[int, Fraction, Fraction]]:
    """By size: groups, mean and sum of squares of their means about the origin, in the unit; as fractions."""
    found = {}
    for size in np.unique(n).tolist():
        values = [(exact[j] - Fraction(origin)) / Fraction(unit) for j in np.flatnonzero(n == size)]
        mean = sum(values, Fraction(0)) / len(values)
        found[size] = len(values), mean, sum(((value - mean) ** 2 for value in values), Fraction(0))
    return found


@pytest.mark.parametrize("largest", [1, 3, 40, 10**9])
@pytest.mark.parametrize("offset", [0.0, 500.0, 1e9])
@pytest.mark.parametrize("seed", range(3))
def test_every_part_against_fractions(seed: int, offset: float, largest: int) -> None:
    rng = np.random.default_rng([seed, largest])
    n, mean, residual, ss = groups(rng, 90, largest, offset)
    part = rng.choice([0, 1, 3, 5], 90)  # 2 and 4 are empty
    tables = group_by_size(part, 6, n, mean, residual, ss)
    assert (len(tables.offsets), tables.offsets[0], tables.offsets[-1]) == (7, 0, len(tables.size))
    for k in range(6):
        mine = np.flatnonzero(part == k)
        found = part_of(tables, k)
        exact = [Fraction(float(mean[j])) + Fraction(float(residual[j])) for j in mine]
        expected = twin(n[mine], exact, found["origin"] if len(mine) else 0.0, found["unit"])
        assert found["size"].tolist() == list(expected)
        assert found["count"].tolist() == [count for count, _, _ in expected.values()]
        assert (found["n_groups"], found["n_obs"]) == (len(mine), n[mine].sum())
        for got_mean, got_ss, (count, true_mean, true_ss) in zip(
            found["mean"], found["ss"], expected.values(), strict=True
        ):
            assert got_mean == pytest.approx(float(true_mean), rel=1e-14, abs=1e-15)
            rounding = found["spread"] * 2.0**-52  # of each deviation from the origin
            assert got_ss == pytest.approx(float(true_ss), rel=1e-14, abs=rounding * 4.0 * math.sqrt(true_ss * count))
        assert found["ssw"] * found["unit"] ** 2 == pytest.approx(math.fsum(ss[mine]), rel=4e-16)
        assert math.frexp(found["unit"])[0] == 0.5
        if len(mine):
            away = np.abs([float((value - Fraction(found["origin"])) / Fraction(found["unit"])) for value in exact])
            assert found["spread"] == pytest.approx(away.max(), rel=1e-15)
            assert found["largest"] == np.abs(mean[mine]).max()
            assert found["origin"] == pytest.approx(mean[mine].mean(), rel=1e-14, abs=1e-14)


def test_many_groups_of_one_size_cost_no_digits() -> None:
    rng = np.random.default_rng(1)
    count = 20_000
    n = np.full(count, 7)
    mean, ss = 1e6 + rng.normal(size=count), rng.chisquare(6, count)
    found = reduce_sizes(n, mean, np.zeros(count), ss)
    values = [(Fraction(m) - Fraction(found.origin)) / Fraction(found.unit) for m in mean.tolist()]
    centre = sum(values, Fraction(0)) / count
    assert found.mean[0] == pytest.approx(float(centre), rel=0, abs=2.0**-53)  # of means near 1
    squares = sum(((value - centre) ** 2 for value in values), Fraction(0))
    assert found.ss[0] == pytest.approx(float(squares), rel=4e-15)
    assert found.ssw * found.unit**2 == pytest.approx(math.fsum(ss), rel=2e-16)


@pytest.mark.parametrize("largest", [5, 400])
def test_a_part_has_the_same_bits_alone(largest: int) -> None:
    rng = np.random.default_rng(largest)
    n, *more = groups(rng, 200, largest)
    part = rng.integers(0, 4, 200)
    tables = group_by_size(part, 4, n, *more)
    for k in range(4):
        mine = part == k
        alone = group_by_size(np.zeros(mine.sum(), np.int64), 1, n[mine], *(values[mine] for values in more))
        assert {name: values.tolist() for name, values in part_of(tables, k).items()} == {
            name: values.tolist() for name, values in part_of(alone, 0).items()
        }


def test_no_groups_at_all() -> None:
    none = np.empty(0)
    tables = group_by_size(np.empty(0, np.int64), 2, np.empty(0, np.int64), none, none, none)
    assert (tables.offsets.tolist(), tables.n_groups.tolist(), tables.size.size) == ([0, 0, 0], [0, 0], 0)
    with pytest.raises(ModelError, match="no observations"):
        check_part(tables, 1)


def test_a_part_out_of_range_spoils_no_other() -> None:
    n = np.array([5, 6, 5, 6, 5, 6])
    part = np.array([0, 0, 1, 1, 2, 2])
    mean = np.array([1e200, -1e200, math.inf, 0.0, 1.0, 2.0])
    tables = group_by_size(part, 3, n, mean, np.zeros(6), np.array([1e-9, 1e-9, 1.0, 1.0, 1.0, 1.0]))
    assert tables.spread[:2].tolist() == [LARGEST_SPREAD, LARGEST_SPREAD]
    assert np.isfinite(tables.mean).all()
    assert np.isfinite(tables.ss).all()
    for k, message in ((0, "so much more between groups"), (1, "too large for double")):
        with pytest.raises(ModelError, match=message):
            check_part(tables, k)
    check_part(tables, 2)
