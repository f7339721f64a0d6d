"""What every simulation is asked first: how many draws, and from which random numbers."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from fastml.errors import RangeError

__all__ = ["check_draws", "generator"]

MOST = 10**8


def check_draws(draws: int, least: int) -> None:
    """Refuse a number of draws that is no whole number, too small to say anything, or too large to hold.

    Parameters
    ----------
    draws, least : int

    Raises
    ------
    RangeError
    """
    if not isinstance(draws, Integral) or isinstance(draws, bool) or not least <= draws <= MOST:
        raise RangeError("draws", draws, f"a whole number of draws, from {least} to {MOST:,}")


def generator(seed: int | np.random.Generator | None) -> np.random.Generator:
    """Random numbers from a seed.

    Parameters
    ----------
    seed : int, numpy.random.Generator or None
        The same number gives the same draws, None new ones.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    RangeError
        For anything else, or a number below 0.

    Examples
    --------
    >>> float(generator(1).random()) == float(generator(1).random())
    True
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise RangeError("seed", seed, "a whole number of 0 or more, a numpy.random.Generator, or None") from None
