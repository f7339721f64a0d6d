"""The batch kernel alone: what it fits, and what it leaves to the full search."""

from __future__ import annotations

import math

import numpy as np
from tables import simulated, two_scales

from fastml.kernels.likelihood import batch, profile
from fastml.model.profile import search_ranges
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import estimate


def rows(tables: list[SizeTable], restricted: bool = False) -> np.ndarray:
    offsets = np.cumsum([0, *(table.columns.shape[1] for table in tables)])
    columns = np.concatenate([table.columns for table in tables], axis=1)
    ssw = np.array([table.ssw for table in tables])
    dof = np.array([float(table.n_obs - restricted) for table in tables])
    fits = np.empty((len(tables), batch.FIELDS))
    ranges = search_ranges(columns, offsets, ssw, dof, restricted)
    batch.fit_tables(offsets, columns, ssw, dof, ranges, restricted, 0, len(tables), fits)
    return fits


def test_a_clean_table_is_fitted_and_its_terms_are_those_at_theta() -> None:
    tables = [simulated(seed, theta=0.5, groups=20).table for seed in range(8)]
    for table, row in zip(tables, rows(tables, restricted=True), strict=True):
        one = estimate(table)
        assert row[11] == 1.0
        assert math.isclose(row[0], one.theta, rel_tol=1e-11)
        out = np.empty((1, profile.N_FIELDS))
        profile.evaluate(row[:1], table.columns, table.ssw, table.n_obs - 1.0, True, out)
        np.testing.assert_allclose(row[1:10], out[0, :9], rtol=1e-14)


def test_two_minima_are_left_to_the_full_search() -> None:
    tables = [two_scales(seed).table for seed in range(40)]
    several = [estimate(table, "ml").optimum.n_optima > 1 for table in tables]
    assert any(several)
    for more, row in zip(several, rows(tables), strict=True):
        assert not more or (row[11] == 0.0 and math.isnan(row[0]) and row[12] > 0.0)


def test_only_the_tables_asked_for_are_touched() -> None:
    table = simulated(1).table
    fits = np.full((3, batch.FIELDS), -7.0)
    s = table.columns.shape[1]
    args = (np.arange(4) * s, np.tile(table.columns, 3), np.full(3, table.ssw), np.full(3, float(table.n_obs)))
    ranges = search_ranges(args[1], args[0], *args[2:], False)
    batch.fit_tables(*args, ranges, False, 1, 2, fits)
    assert np.all(fits[[0, 2]] == -7.0)
    assert fits[1, 11] >= 0.0
