"""The batch fit: every table's global optimum, as the single fit finds it, with fewer evaluations."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import fewer

import fastml
from fastml.model.batch import BatchTables, concatenate, fit_batch
from fastml.model.size_table import SizeTable, reduce_sizes
from fastml.model.variance_components import estimate, evaluate


def tables(rng: np.random.Generator, K: int, J: int, weighted: bool, noise: float = 1.0) -> BatchTables:
    n = rng.integers(1, 40, (K, J)) + 1.0
    size = n * rng.uniform(0.7, 1.4, (K, J)) if weighted else n
    theta = np.exp(rng.uniform(math.log(1e-3), math.log(10.0), (K, 1)))
    mean = rng.standard_t(2, (K, J)) * np.sqrt(theta + noise / n)
    v = np.exp(rng.normal(size=(K, J))) if weighted else np.ones((K, J))
    ssw = (v * rng.chisquare(n - 1)).sum(axis=1)
    dof = (v * size).sum(axis=1)
    return BatchTables(
        np.arange(K + 1) * J, np.stack([size.ravel(), v.ravel(), mean.ravel(), np.zeros(K * J)]), ssw, dof
    )


def single(batch: BatchTables, k: int) -> SizeTable:
    rows = slice(batch.offsets[k], batch.offsets[k + 1])
    length = int(batch.offsets[k + 1] - batch.offsets[k])
    columns = np.ascontiguousarray(batch.columns[:, rows])
    return SizeTable(columns, float(batch.ssw[k]), 0.0, 1.0, round(batch.dof[k]), length)


@pytest.mark.parametrize("J", [2, 3, 5, 12, 60])
@pytest.mark.parametrize("restricted", [False, True])
def test_the_optimum_of_the_single_fit(J: int, restricted: bool) -> None:
    rng = np.random.default_rng(J)
    batch = tables(rng, fewer(400, times=8, at_least=50), J, weighted=not restricted)
    if restricted:
        batch.dof[:] -= 1.0
    fits = fit_batch(batch, restricted)
    for k in range(len(batch)):
        one = estimate(single(batch, k), "reml" if restricted else "ml", dof=float(batch.dof[k]))
        assert (fits.theta[k] == 0.0) == (one.theta == 0.0)
        assert math.isclose(fits.theta[k], one.theta, rel_tol=1e-10)
        assert math.isclose(fits.sigma2[k], one.sigma2, rel_tol=1e-11)
        assert math.isclose(fits.gamma[k], one.gamma00, rel_tol=1e-10, abs_tol=1e-12)
    assert fits.evaluations.mean() < 60
    assert np.all(np.abs(fits.score[fits.theta > 0]) < 1e-11 * batch.dof[fits.theta > 0])


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_reference_sets_in_one_call(reference_folder: Path, method: str) -> None:
    """Four of the sets have several optima, in some of which other programs end."""
    truths, parts = [], []
    for path in sorted(reference_folder.glob("*.json")):
        groups = fastml.group_stats(
            pq.ParquetFile(reference_folder / "data" / f"{path.stem}.parquet").read(), "y", "group"
        ).groups()
        sizes = reduce_sizes(groups.n, groups.mean, groups.residual, groups.ss)
        truths.append((path.stem, sizes, json.loads(path.read_text())[method]))
        dof = sizes.n_obs - (method == "REML")
        parts.append(BatchTables(np.array([0, len(sizes.size)]), sizes.columns,
                                 np.array([sizes.ssw]), np.array([float(dof)])))  # fmt: skip
    fits = fit_batch(concatenate(parts), restricted=method == "REML")
    for k, (name, sizes, truth) in enumerate(truths):
        one = estimate(sizes, method.lower())
        # As good as the single fit, whose digits test_reference.py holds against the truth.
        assert math.isclose(fits.theta[k], one.theta, rel_tol=1e-11), name
        assert math.isclose(sizes.unit**2 * fits.sigma2[k], truth["sigma2"], rel_tol=1e-11), name
        if truth["n_local_optima"] > 1:
            assert fits.full_search[k], name


def test_several_optima_are_never_passed_over() -> None:
    """A few far schools and one large one: tables made to have two minima go to the full search."""
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(40):
        n = np.concatenate([np.full(3, 2000.0), rng.integers(1, 4, 40)])
        mean = np.concatenate([rng.normal(0.0, 0.05, 3), rng.normal(0.0, 1.5, 40)])
        sizes = reduce_sizes(n.astype(np.int64), mean, np.zeros(43), np.maximum(n - 1.0, 0.0))
        batch = BatchTables(np.array([0, len(sizes.size)]), sizes.columns,
                            np.array([sizes.ssw]), np.array([float(sizes.n_obs)]))  # fmt: skip
        one, fits = estimate(sizes, "ml"), fit_batch(batch)
        assert math.isclose(fits.theta[0], one.theta, rel_tol=1e-10)
        if one.optimum.n_optima > 1:
            found += 1
            assert fits.full_search[0]
    assert found > 0


def test_the_slope_bounds_that_the_scan_stands_on() -> None:
    """-2 <= d log(B/A)/d log theta <= 4, for ML with weights and for REML."""
    rng = np.random.default_rng(3)
    for restricted in (False, True):
        for _ in range(60):
            batch = tables(rng, 1, int(rng.integers(2, 12)), weighted=not restricted, noise=rng.uniform(0.0, 5.0))

            def log_ratio(u: float, batch: BatchTables = batch, restricted: bool = restricted) -> float:
                at = evaluate(single(batch, 0), math.exp(u))
                return math.log(at.q2 / at.r) - math.log(at.w1 - (at.w2 / at.w1 if restricted else 0.0))

            for u in np.linspace(-12.0, 8.0, 80):
                slope = (log_ratio(u + 1e-5) - log_ratio(u - 1e-5)) / 2e-5
                assert -2.0 - 1e-5 <= slope <= 4.0 + 1e-5


def test_threads_change_no_bit() -> None:
    batch = tables(np.random.default_rng(1), 500, 20, weighted=True)
    one, many = fit_batch(batch, threads=1), fit_batch(batch, threads=5)
    for name in ("theta", "gamma", "sigma2", "terms", "evaluations"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))


def test_rows_without_weight_and_tables_without_a_fit() -> None:
    batch = tables(np.random.default_rng(2), 3, 10, weighted=True)
    batch.columns[1, 5] = 0.0
    batch.ssw[1] = math.nan
    rows = np.delete(np.arange(10), 5)
    short = BatchTables(np.array([0, 9]), np.ascontiguousarray(batch.columns[:, rows]), batch.ssw[:1], batch.dof[:1])
    fits = fit_batch(batch)
    assert math.isclose(fits.theta[0], fit_batch(short).theta[0], rel_tol=1e-12)
    assert math.isnan(fits.theta[1])
    assert math.isnan(fits.sigma2[1])
    assert fits.theta[2] > 0.0


def test_extreme_shares() -> None:
    """All variance between, nearly; none at all; equal sizes, which have a closed form."""
    n, J = 20.0, 30
    mean = np.linspace(-1.0, 1.0, J)
    for spread in (1e6, 1e3, 1.0, 0.2, 1e-3, 0.0):
        ss = float(np.sum((spread * mean) ** 2))
        batch = BatchTables(np.array([0, J]), np.stack([np.full(J, n), np.ones(J), spread * mean, np.zeros(J)]),
                            np.array([J * (n - 1.0)]), np.array([J * n]))  # fmt: skip
        theta = max(0.0, (n * ss / J - 1.0) / n)
        assert math.isclose(fit_batch(batch).theta[0], theta, rel_tol=1e-12)
