"""Quantiles of mixtures of Student's t laws, many mixtures at once."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fastml.inference.distributions import t_quantile

__all__ = ["mixture_of_t"]

Floats = npt.NDArray[np.float64]


def mixture_of_t(weight: Floats, centre: Floats, scale: Floats, df: float, tail: float) -> tuple[Floats, Floats]:
    """Quantiles of mixtures of shifted and scaled t laws, as far out on both sides as `tail`.

    Parameters
    ----------
    weight : ndarray, shape (K,)
        They add up to 1; the same for all mixtures.
    centre, scale : ndarray, shape (M, K)
    df, tail : float

    Returns
    -------
    low, high : ndarray, shape (M,)
    """
    held = weight > 0.0
    weight, centre, scale = weight[held], centre[:, held], scale[:, held]
    # The right tail is the left one of the mirrored laws: no digit of a small tail is lost in one less it.
    return _left(weight, centre, scale, df, tail), -_left(weight, -centre, scale, df, tail)


def _left(weight: Floats, centre: Floats, scale: Floats, df: float, tail: float) -> Floats:
    """Where the mixtures have the mass `tail` to the left, by Newton within a bracket that shrinks."""
    from scipy.special import gammaln, stdtr

    height = math.exp(gammaln(0.5 * (df + 1.0)) - gammaln(0.5 * df)) / math.sqrt(df * math.pi)
    each = centre + t_quantile(tail, df) * scale
    # The quantile of a mixture lies among those of its parts.
    low, high = each.min(axis=1), each.max(axis=1)
    x: Floats = (weight * each).sum(axis=1)
    nearly = 1e-14 * scale.min(axis=1)
    for _ in range(100):
        z = (x[:, None] - centre) / scale
        excess = (weight * stdtr(df, z)).sum(axis=1) - tail
        density = (weight * height / scale * np.exp(-0.5 * (df + 1.0) * np.log1p(z * z / df))).sum(axis=1)
        low, high = np.where(excess < 0.0, x, low), np.where(excess < 0.0, high, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = x - excess / density
        new = np.where((new >= low) & (new <= high), new, 0.5 * (low + high))
        settled = np.all(np.abs(new - x) <= 4e-16 * np.abs(new) + nearly)
        x = new
        if settled:
            break
    return x
