"""One fit as different programmes print it."""

from __future__ import annotations

import math

import numpy as np
from tables import grouped, simulated

from fastml.inference.conventions import conventions
from fastml.model.variance_components import estimate


def test_conventions_of_an_anova_fit_have_no_likelihood() -> None:
    table = simulated(1).table
    for row in conventions(table, estimate(table, "anova")):
        assert math.isnan(row.aic)
        assert math.isnan(row.bic)
    assert not math.isnan(conventions(table, estimate(table, "anova"))[-1].chi_square)


def test_sas_does_not_count_a_variance_at_zero() -> None:
    table = grouped(np.array([0.0, 2.0, 0.0, 2.0]), np.array([1, 1, 2, 2])).table
    for method, parameters in (("reml", 1), ("ml", 2)):
        row = next(r for r in conventions(table, estimate(table, method)) if r.program == "SAS")
        assert row.n_parameters == parameters
