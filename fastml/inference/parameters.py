"""What has an interval: the parameters of the model, and what follows from them one to one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fastml.model.icc import design_effect, icc_of, reliabilities
from fastml.model.size_table import SizeTable

__all__ = ["BASES", "PARAMETERS", "Interval", "carry"]

_OF_THETA = ("theta", "icc", "deff", "deft", "n_eff", "reliability")

# Every parameter, and that which it follows from: their intervals do too.
BASES = {
    "gamma00": "gamma00",
    "tau00": "tau00",
    "tau_sd": "tau00",
    "sigma2": "sigma2",
    "sigma": "sigma2",
} | dict.fromkeys(_OF_THETA, "theta")
Parameter = Literal["gamma00", "tau00", "tau_sd", "sigma2", "sigma", "theta", "icc", "deff", "deft", "n_eff",
                    "reliability"]  # fmt: skip
PARAMETERS: tuple[Parameter, ...] = get_args(Parameter)


@dataclass(frozen=True)
class Interval:
    """A confidence interval: ``low, high = interval`` works too.

    Attributes
    ----------
    low, high : float
        Limits, in the units of the parameter.
    level : float
        Confidence level.
    method : str
        How it was made: one of `fastml.inference.intervals.METHODS`; of weighted fits see `robust_interval`.
    note : str
        What a reader must know about this one; empty for most.
    """

    low: float
    high: float
    level: float
    method: str
    note: str = ""

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high))


def carry(
    table: SizeTable, parameter: str, limits: tuple[float, float], level: float, method: str, note: str = ""
) -> Interval:
    """Carry limits of what a parameter follows from to the parameter itself.

    Parameters
    ----------
    table : SizeTable
    parameter : str
        One of `PARAMETERS`.
    limits : (float, float)
        Of `BASES[parameter]`, in the table's units and from its origin.
    level, method, note
        As in `Interval`.

    Returns
    -------
    Interval
        In score units.
    """
    if parameter == "gamma00":
        low, high = (table.origin + table.unit * limit for limit in limits)
    else:
        mapping = _mapping(table, parameter)
        low, high = sorted(map(mapping, limits))
    return Interval(low, high, level, method, note)


def _mapping(table: SizeTable, parameter: str) -> Callable[[float], float]:
    """Monotone map from theta, tau00 or sigma2 in the table's units to a parameter in score units."""
    mean_size = table.n_obs / table.n_groups

    def deff(theta: float) -> float:
        return design_effect(icc_of(theta), mean_size)

    def reliability(theta: float) -> float:
        return float(np.sum(table.count * reliabilities(table.size, theta)) / table.n_groups)

    mappings: dict[str, Callable[[float], float]] = {
        "theta": lambda theta: theta,
        "icc": icc_of,
        "deff": deff,
        "deft": lambda theta: math.sqrt(deff(theta)),
        "n_eff": lambda theta: table.n_obs / deff(theta),
        "reliability": reliability,
        "tau00": lambda variance: table.unit**2 * variance,
        "sigma2": lambda variance: table.unit**2 * variance,
        "tau_sd": lambda variance: table.unit * math.sqrt(variance),
        "sigma": lambda variance: table.unit * math.sqrt(variance),
    }
    return mappings[parameter]
