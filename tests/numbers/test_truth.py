"""The reference sets' own figures, checked from the data: exact sums, the score in 50 digits, and no lower deviance anywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pyarrow.parquet as pq
import pytest
from tables import SETS


@dataclass(frozen=True)
class Exact:
    """Sizes (J,), means less the grand mean (J,) in 50 digits, and the sum of squares within."""

    n: list[int]
    mean: list[mp.mpf]
    centre: mp.mpf
    within: mp.mpf

    def profile(self, ratio: mp.mpf, reml: bool) -> dict[str, mp.mpf]:
        """All that follows from tau00/sigma2, with the derivative of the deviance by it."""
        w = [n / (1 + n * ratio) for n in self.n]
        total, free = mp.fsum(w), sum(self.n) - reml
        gamma = mp.fsum(a * m for a, m in zip(w, self.mean, strict=True)) / total
        squares = mp.fsum((a * (m - gamma)) ** 2 for a, m in zip(w, self.mean, strict=True))
        rest = self.within + mp.fsum(a * (m - gamma) ** 2 for a, m in zip(w, self.mean, strict=True))
        sigma2 = rest / free
        deviance = mp.fsum(mp.log(1 + n * ratio) for n in self.n) + free * (1 + mp.log(2 * mp.pi * sigma2))
        score = total - free * squares / rest
        if reml:
            deviance, score = deviance + mp.log(total), score - mp.fsum(a * a for a in w) / total
        return {
            "gamma00": self.centre + gamma, "se_gamma00": mp.sqrt(sigma2 / total), "sigma2": sigma2,
            "tau00": ratio * sigma2, "icc": ratio / (1 + ratio), "logLik": -deviance / 2, "score": score,
        }  # fmt: skip


def exact(path: Path) -> Exact:
    """From the doubles as they are stored: sums of whole numbers, nothing rounded before the end."""
    with pq.ParquetFile(path) as file:
        table = file.read()
    y = table["y"].to_numpy()
    codes = table["group"].combine_chunks().dictionary_encode().indices.to_numpy()
    low = min(int(np.frexp(y[y != 0.0])[1].min()) - 53, 0)
    whole = [int(Fraction(value) * Fraction(2) ** -low) for value in y.tolist()]
    n, sums = np.bincount(codes).tolist(), [0] * (int(codes.max()) + 1)
    for code, value in zip(codes.tolist(), whole, strict=True):
        sums[code] += value
    unit = mp.mpf(2) ** low
    within = sum(v * v for v in whole) - sum(Fraction(s * s, size) for s, size in zip(sums, n, strict=True))
    grand = Fraction(sum(sums), sum(n))

    def number(value: Fraction) -> mp.mpf:
        return mp.mpf(value.numerator) / value.denominator

    return Exact(n, [number(Fraction(s, size) - grand) * unit for s, size in zip(sums, n, strict=True)],
                 number(grand) * unit, number(within) * unit**2)  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_figures_follow_from_the_data(reference_folder: Path, name: str) -> None:
    truth: dict[str, Any] = json.loads((reference_folder / f"{name}.json").read_text())
    with mp.workdps(50):
        groups = exact(reference_folder / "data" / f"{name}.parquet")
        assert (sum(groups.n), len(groups.n)) == (truth["N"], truth["J"])
        for method in ("REML", "ML"):
            digits = truth["strings_30_digits"][method]
            ratio = mp.mpf(digits["lambda"])
            found = groups.profile(ratio, method == "REML")
            if truth[method]["boundary"]:
                assert ratio == 0
                assert found["score"] >= 0
            else:
                assert abs(found["score"] * ratio) < mp.mpf(10) ** -20 * sum(groups.n)
            for figure in ("gamma00", "se_gamma00", "sigma2", "tau00", "icc", "logLik"):
                assert mp.almosteq(found[figure], mp.mpf(digits[figure]), rel_eps=mp.mpf(10) ** -25, abs_eps=0), figure
                assert float(digits[figure]) == truth[method][figure]


@pytest.mark.parametrize("name", SETS)
def test_no_other_ratio_has_a_lower_deviance(reference_folder: Path, name: str) -> None:
    truth = json.loads((reference_folder / f"{name}.json").read_text())
    with mp.workdps(50):
        groups = exact(reference_folder / "data" / f"{name}.parquet")
        scale = mp.sqrt(groups.within)
        mean, n = np.array([float(m / scale) for m in groups.mean]), np.array(groups.n, dtype=float)
    for method, less in (("REML", 1), ("ML", 0)):
        ratios = np.concatenate(([truth[method]["lambda"], 0.0], np.logspace(-9, 9, 721)))[:, None]
        w = n / (1 + n * ratios)
        gamma = (w * mean).sum(1, keepdims=True) / w.sum(1, keepdims=True)
        rest = 1.0 + (w * (mean - gamma) ** 2).sum(1)
        deviance = np.log1p(n * ratios).sum(1) + less * np.log(w.sum(1)) + (n.sum() - less) * np.log(rest)
        assert (deviance[1:] >= deviance[0] - 1e-12 * n.sum()).all()


def test_every_set_has_its_source_beside_it(reference_folder: Path) -> None:
    text = (reference_folder / "README.md").read_text()
    for name in SETS:
        assert f"| `{name}` |" in text, name
        assert json.loads((reference_folder / f"{name}.json").read_text())["meta"]["source"]
