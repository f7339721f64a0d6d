"""The figures of a fit, with the group statistics they come from; never rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastml.groupstats.statistics import GroupStats
from fastml.model.icc import design_effect, icc_of, reliabilities
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import Optimum, VarianceComponents
from fastml.report.exports import Record
from fastml.report.fields import DROPPED, FIT, Fields
from fastml.results.provenance import fit_provenance
from fastml.results.weighting import Weighting

__all__ = ["FitFigures", "estimates"]

Floats = npt.NDArray[np.float64]

_DROPPED = tuple(name.removeprefix("dropped_") for name in DROPPED)


@dataclass(frozen=True, eq=False, repr=False)
class FitFigures(Record):
    """The attributes of `OneWayFit`, which says what each is."""

    gamma00: float
    se_gamma00: float
    df: float
    t: float
    p_value: float
    tau00: float
    sigma2: float
    se_tau00: float
    se_sigma2: float
    se_icc: float
    icc: float
    deff: float
    reliability: float
    loglik: float
    n_obs: int
    n_groups: int
    dropped: Mapping[str, int]
    method: str
    df_method: str
    outcome: str
    group: tuple[str, ...]
    stats: GroupStats
    components: VarianceComponents
    sizes: SizeTable
    weighting: Weighting | None = None

    @property
    def tau_sd(self) -> float:
        """Standard deviation between groups, score points."""
        return math.sqrt(self.tau00)

    @property
    def sigma(self) -> float:
        """Standard deviation within groups, score points."""
        return math.sqrt(self.sigma2)

    @property
    def deft(self) -> float:
        """Root of the design effect: the factor on a standard error that ignores the groups."""
        return math.sqrt(self.deff)

    @property
    def n_eff(self) -> float:
        """Effective sample size, N/deff."""
        return self.n_obs / self.deff

    @property
    def deviance(self) -> float:
        """-2 log likelihood."""
        return -2.0 * self.loglik

    @property
    def aic(self) -> float | None:
        """Akaike's criterion with 3 parameters; None for weighted fits, whose likelihood is a pseudo one."""
        return None if self.weighting else self.deviance + 6.0

    @property
    def bic(self) -> float | None:
        """Bayesian criterion with 3 parameters and log N, as lme4; None for weighted fits."""
        return None if self.weighting else self.deviance + 3.0 * math.log(self.n_obs)

    @property
    def se_deff(self) -> float:
        """Standard error of `deff` by the delta method, N/J taken as fixed."""
        return self.se_icc * (self.n_obs / self.n_groups - 1.0)

    @property
    def weights(self) -> str | None:
        """Column of the rows' weights."""
        return self.stats.weights

    @property
    def group_weights(self) -> str | None:
        """Column of the groups' weights."""
        return self.stats.group_weights

    @property
    def weights_are(self) -> str | None:
        """Whether the rows' weights are "total" or "conditional" ones; None without weights."""
        return self.weighting.weights_are if self.weighting else None

    @property
    def weight_scaling(self) -> str | None:
        """How the conditional weights were scaled; None without weights."""
        return self.weighting.scaling if self.weighting else None

    @property
    def vcov(self) -> str | None:
        """Kind of robust standard errors, "cr2", "joint" or "block"; None without weights."""
        return self.weighting.vcov if self.weighting else None

    @property
    def bias(self) -> str | None:
        """Whether tau00 of a weighted fit is "corrected"; else None."""
        return self.weighting.bias if self.weighting else None

    @property
    def n_dropped(self) -> int:
        """Rows left out."""
        return sum(self.dropped.values())

    @property
    def singular(self) -> bool:
        """Whether tau00 is 0, on the boundary."""
        return self.components.singular

    @property
    def optimum(self) -> Optimum | None:
        """The optimiser's record; None for method "anova"."""
        return self.components.optimum

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the fit: version, schema, files, filter, columns and options."""
        return fit_provenance("fit", self.stats, [self.outcome], self.weighting)

    def _fields(self) -> Fields:
        return FIT

    def _figures(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in FIT:
            if name in DROPPED:  # columns of a row, and an object here
                made["dropped"] = {cause: self.dropped.get(cause, 0) for cause in _DROPPED}
            else:
                made[name] = _plain(getattr(self, name))
        return made


def estimates(vc: VarianceComponents, sizes: SizeTable, size: Floats, count: Floats) -> dict[str, Any]:
    """The estimates, and what follows from them; the reliability is averaged over sizes (S,) and their counts (S,)."""
    icc = icc_of(vc.theta)
    return {
        "gamma00": vc.gamma00,
        "tau00": vc.tau00,
        "sigma2": vc.sigma2,
        "icc": icc,
        "deff": design_effect(icc, sizes.n_obs / sizes.n_groups),
        "reliability": float(count @ reliabilities(size, vc.theta)) / sizes.n_groups,
        "loglik": -0.5 * vc.deviance,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return dict(value) if isinstance(value, Mapping) else value
