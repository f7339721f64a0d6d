"""The choices of a weighted fit, against sums over the rows."""

from __future__ import annotations

import numpy as np
import pytest

import fastml
from fastml.errors import ArgumentError, FastmlError
from fastml.results.weighting import (
    Weighting,
    check_options,
    check_weights,
    fit_weighted,
    total_weights,
    weighted_groups,
)

RNG = np.random.default_rng(6)
SCHOOL = np.repeat(np.arange(15), RNG.integers(2, 12, 15))
DATA = {
    "g": SCHOOL,
    "y": 500.0 + RNG.normal(0, 30, 15)[SCHOOL] + RNG.normal(0, 60, len(SCHOOL)),
    "w": RNG.uniform(1, 5, len(SCHOOL)),
    "v": RNG.uniform(1, 3, 15)[SCHOOL],
}


def by_group(values: np.ndarray) -> np.ndarray:
    return np.array([values[j == SCHOOL].sum() for j in range(15)])


@pytest.mark.parametrize(("weights_are", "factor"), [("total", 1.0), ("conditional", DATA["v"])])
def test_total_weights_are_sums_over_the_rows(weights_are: str, factor: np.ndarray | float) -> None:
    stats = fastml.group_stats(DATA, "y", "g", weights="w", group_weights="v")
    total, squares = total_weights(stats, "y", weights_are)
    np.testing.assert_allclose(total, by_group(factor * DATA["w"]), rtol=1e-13)
    np.testing.assert_allclose(squares, by_group((factor * DATA["w"]) ** 2), rtol=1e-13)


def test_school_weights_alone_are_conditional_weights_of_one() -> None:
    stats = fastml.group_stats(DATA, "y", "g", group_weights="v")
    ones = fastml.group_stats({**DATA, "one": np.ones(len(SCHOOL))}, "y", "g", weights="one", group_weights="v")
    alone, same = weighted_groups(stats, None, "total", "none"), weighted_groups(ones, None, "conditional", "none")
    np.testing.assert_allclose(alone.size, np.bincount(SCHOOL), rtol=1e-14)
    np.testing.assert_allclose(alone.size, same.size, rtol=1e-14)
    np.testing.assert_allclose(alone.mean + alone.residual, same.mean + same.residual, rtol=1e-14)


def test_the_scaling_by_size_makes_weights_add_to_the_size() -> None:
    stats = fastml.group_stats(DATA, "y", "g", weights="w", group_weights="v")
    np.testing.assert_allclose(weighted_groups(stats, "y", "total", "size").size, np.bincount(SCHOOL), rtol=1e-13)
    fitted = fit_weighted(stats, "y", Weighting(scaling="size"))
    fit = fastml.fit(stats)
    assert (fitted.components.gamma00, fitted.components.tau00) == (fit.gamma00, fit.tau00)
    assert (fitted.errors.se_tau00, fitted.components.se_gamma00) == (fit.se_tau00, fit.se_gamma00)
    rows = fit.scalings().set_index("weight_scaling")
    assert rows.loc["size", "icc"] == pytest.approx(fit.icc, rel=1e-14)
    assert len(rows) == 5


def test_choices_are_refused_without_weights_and_checked_with_them() -> None:
    Weighting().check_used(None, None)
    Weighting(vcov="block").check_used("w", "v")
    with pytest.raises(FastmlError, match="vcov='block' is of weighted fits, and this one has no weights"):
        Weighting(vcov="block").check_used(None, None)
    assert check_options("Total", "SIZE", "Joint") == Weighting("total", "size", "joint")
    for options, message in ((("total", "size", "cr9"), "vcov='cr9' is not one of 'cr2', 'joint', 'block'"),
                             ((None, "size", "joint"), "weights_are=None is not one of")):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            check_options(*options)
    check_weights(None, "v")
    with pytest.raises(FastmlError, match="weights='w' needs group_weights too"):
        check_weights("w", None)
