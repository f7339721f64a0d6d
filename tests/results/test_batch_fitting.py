"""All parts at once: the figures that each part has alone, and statuses where it has none."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastml
from fastml import GroupStats
from fastml.report.fields import COUNTS, ESTIMATES
from fastml.results.batch_fitting import fit_parts
from fastml.results.fitting import fit_stats
from fastml.results.weighting import Weighting


@pytest.fixture(scope="module")
def stats() -> GroupStats:
    """Twelve parts of very different icc, one of a single group, and two outcomes."""
    rng = np.random.default_rng(8)
    part = np.repeat(np.arange(12), 150)
    group = rng.integers(0, 9, len(part)) * (part > 0)
    effect = rng.normal(size=(12, 9))[part, group] * np.linspace(0.0, 3.0, 12)[part]
    noise = rng.normal(size=(2, len(part)))
    data = {"part": part, "group": group, "a": effect + noise[0], "b": 500.0 + 1e3 * noise[1]}
    data["a"][part == 5] = np.nan
    return fastml.group_stats(data, ["a", "b"], "group", by="part")


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_figures_are_those_of_each_part_alone(stats: GroupStats, method: str) -> None:
    fits = fit_parts(stats, ["b", "a"], method)
    assert fits["part"] == [part for part in range(12) for _ in range(2)]
    assert fits["outcome"] == ["b", "a"] * 12
    singular = 0
    for k, (_, part) in enumerate(stats.split()):
        for i, outcome in enumerate(("b", "a")):
            row = 2 * k + i
            if k == 0 or (k, outcome) == (5, "a"):
                assert fits["status"][row] != "ok"
                assert math.isnan(fits["icc"][row])
                assert fits["method"][row] is None
                continue
            assert fits["status"][row] == "ok"
            alone = fit_stats(part, outcome, method, None, Weighting())
            singular += alone.singular
            assert (fits["method"][row], fits["df_method"][row]) == (alone.method, alone.df_method)
            for name in (*COUNTS, *ESTIMATES, "singular"):
                value = getattr(alone, name)
                assert fits[name][row] == pytest.approx(value, rel=1e-12, abs=1e-300, nan_ok=True), (row, name)
    assert 0 < singular < 22


def test_a_status_says_why_and_rows_are_counted_all_the_same(stats: GroupStats) -> None:
    fits = fit_parts(stats, ["a", "b"], "reml")
    assert (fits["status"][0], fits["status"][10], fits["status"][2]) == ("one_group", "no_rows", "ok")
    assert "one group only" in fits["message"][0]
    assert "no observations" in fits["message"][10]
    assert fits["message"][2] is None
    assert fits["n_obs"] == [0 if row == 10 else 150 for row in range(24)]
    assert fits["n_groups"] == [1 if row in (0, 1) else 0 if row == 10 else 9 for row in range(24)]
    assert fits["n_dropped"] == fits["dropped_outcome"] == [150 if row == 10 else 0 for row in range(24)]
    assert fits["dropped_group"] == [0] * 24
