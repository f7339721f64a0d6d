"""The deviance, its derivatives and a root of the first against 40-digit arithmetic."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from tables import simulated

from fastml.kernels.likelihood import profile
from fastml.model.size_table import SizeTable


def deviance(table: SizeTable, theta: float, dof: float, restricted: bool) -> mp.mpf:
    columns = [[mp.mpf(float(x)) for x in row] for row in table.columns.T]
    w = [n / (1 + n * mp.mpf(theta)) for n, *_ in columns]
    w1 = mp.fsum(c * x for x, (_, c, _, _) in zip(w, columns, strict=True))
    gamma = mp.fsum(c * x * m for x, (_, c, m, _) in zip(w, columns, strict=True)) / w1
    r = table.ssw + mp.fsum(x * (s + c * (m - gamma) ** 2) for x, (_, c, m, s) in zip(w, columns, strict=True))
    logs = mp.fsum(c * mp.log(1 + n * mp.mpf(theta)) for n, c, _, _ in columns)
    return logs + (mp.log(w1) if restricted else 0) + dof * mp.log(r)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("origin", [0.0, 0.4])
def test_differences_and_derivatives_of_the_deviance(origin: float, restricted: bool) -> None:
    table = simulated(5, groups=30).table
    dof = float(table.n_obs - restricted)
    thetas = np.array([0.0, 1e-6, 0.4, 0.4 + 1e-9, 3.0, 1e5])
    rows = np.empty((1 + len(thetas), profile.N_FIELDS))
    profile.evaluate(np.array([origin, *thetas]), table.columns, table.ssw, dof, restricted, rows)
    rows = rows[1:]
    with mp.workdps(40):
        for theta, row in zip(thetas.tolist(), rows, strict=True):
            truth = deviance(table, theta, dof, restricted) - deviance(table, origin, dof, restricted)
            slope = mp.diff(lambda t: deviance(table, t, dof, restricted), theta)
            assert math.isclose(row[9], float(truth), rel_tol=1e-11, abs_tol=1e-15)
            assert math.isclose(row[10], float(slope), rel_tol=1e-9, abs_tol=1e-10)
            assert row[8] == pytest.approx(float(table.count @ np.log1p(table.size * theta)), rel=1e-13)


@pytest.mark.parametrize("restricted", [True, False])
def test_the_score_and_its_root(restricted: bool) -> None:
    table = simulated(5, groups=30).table
    dof = float(table.n_obs - restricted)
    thetas = np.array([0.0, 1e-6, 0.4, 3.0, 1e5])
    found = np.empty(len(thetas))
    profile.scores(thetas, table.columns, table.ssw, dof, restricted, found)
    with mp.workdps(40):
        for theta, slope in zip(thetas.tolist(), found.tolist(), strict=True):
            truth = mp.diff(lambda t: deviance(table, t, dof, restricted), theta)
            assert math.isclose(slope, float(truth), rel_tol=1e-9, abs_tol=1e-10)
        root, evaluations = profile.find_root(0.01, 0.0, 100.0, table.columns, table.ssw, dof, restricted)
        truth = mp.findroot(lambda x: mp.diff(lambda t: deviance(table, t, dof, restricted), x), root)
    assert root == pytest.approx(float(truth), rel=1e-12)
    assert 1 < evaluations < 40
