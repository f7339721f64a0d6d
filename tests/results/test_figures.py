"""The attributes of a fit: every one, frozen, and as plain values."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import fastml
from fastml import OneWayFit

KEYS = """
gamma00 se_gamma00 df t p_value tau00 sigma2 tau_sd sigma icc deff deft n_eff reliability loglik deviance aic
bic n_obs n_groups n_dropped singular method outcome group se_tau00 se_sigma2 se_icc se_deff
""".split()


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


def test_every_field(fit: OneWayFit) -> None:
    figures = fit.to_dict()
    assert set(KEYS) <= set(figures)
    for name in KEYS:
        value = getattr(fit, name)
        assert figures[name] == (value[0] if name == "group" else value), name
    assert figures["dropped"] == {"group": 0, "weights": 0, "zero_weight": 0, "outcome": 0}
    assert fit.group == ("idschool",)
    assert fit.tau_sd**2 == pytest.approx(fit.tau00)
    assert fit.deft**2 == pytest.approx(fit.deff)
    assert fit.n_eff * fit.deff == pytest.approx(600)
    assert fit.deviance == -2 * fit.loglik
    assert fit.aic == fit.deviance + 6
    assert fit.bic == pytest.approx(fit.deviance + 3 * math.log(600))
    assert fit.optimum is not None
    assert abs(fit.optimum.score) < 1e-12
    assert isinstance(fit.stats, fastml.GroupStats)


def test_results_are_frozen(fit: OneWayFit) -> None:
    with pytest.raises(AttributeError):
        fit.gamma00 = 1.0  # type: ignore[misc]
