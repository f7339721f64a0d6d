"""Limits from an estimate and its standard error by the delta method, on a scale that has no end: log, logit."""

from __future__ import annotations

import math

from fastml.inference.distributions import t_quantile

__all__ = ["log_limits", "logit_limits", "margin"]


def margin(se: float, df: float, level: float) -> float:
    """Half the width of the t interval.

    Parameters
    ----------
    se : float
    df : float
        May be infinite, for the normal law.
    level : float

    Returns
    -------
    float
        NaN without a standard error or degrees of freedom.
    """
    if not df > 0.0 or math.isnan(se):
        return math.nan
    return -t_quantile(0.5 * (1.0 - level), df) * se


def log_limits(value: float, se: float, df: float, level: float) -> tuple[float, float]:
    """Limits of a positive figure, a variance or a standard deviation, on its logarithm: both are above 0.

    Parameters
    ----------
    value, se : float
        The figure and its standard error.
    df, level : float
        As in `margin`.

    Returns
    -------
    low, high : float
        NaN without a standard error or degrees of freedom, and where the figure is 0.

    Examples
    --------
    >>> low, high = log_limits(100.0, 25.0, 10.0, 0.95)
    >>> round(low, 3), round(high, 3)
    (57.291, 174.549)
    """
    factor = _factor(value, se, df, level)
    return value / factor, value * factor


def logit_limits(share: float, se: float, df: float, level: float) -> tuple[float, float]:
    """Limits of a share on its logit: both are between 0 and 1.

    Parameters
    ----------
    share, se : float
        The share and its standard error.
    df, level : float
        As in `margin`.

    Returns
    -------
    low, high : float
        NaN without a standard error or degrees of freedom, and where the share is 0 or 1.

    Examples
    --------
    >>> low, high = logit_limits(0.2, 0.02, math.inf, 0.95)
    >>> round(low, 3), round(high, 3)
    (0.164, 0.242)
    """
    if not 0.0 < share < 1.0:
        return math.nan, math.nan
    odds = share / (1.0 - share)
    # The delta method: the standard error of the logit is that of the share over share (1 - share).
    factor = _factor(share * (1.0 - share), se, df, level)
    return odds / factor / (1.0 + odds / factor), odds * factor / (1.0 + odds * factor)


def _factor(slope: float, se: float, df: float, level: float) -> float:
    """What a limit on a logarithm is a multiple of; e^300 is 0 to 1 for a share, and leaves products finite."""
    if not slope > 0.0:
        return math.nan
    half = margin(se, df, level)
    return half if math.isnan(half) else math.exp(min(half / slope, 300.0))
