"""Results: frozen, they hold figures and the group statistics, never rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ArgumentError, FastmlError
from fastml.groupstats.statistics import GroupStats
from fastml.inference.distributions import check_level, half_width
from fastml.io.arrays import as_arrow
from fastml.model.groups import Groups
from fastml.model.shrinkage import school_means
from fastml.model.size_table import SizeTable
from fastml.model.variance_components import Optimum, VarianceComponents
from fastml.model.weighted import SCALINGS
from fastml.report import text
from fastml.results.inference import FitInference
from fastml.results.pages import FitFaces
from fastml.results.weighting import Weighting, weighted_groups

if TYPE_CHECKING:
    import pandas as pd

    from fastml.model.naive import Naive

__all__ = ["OneWayFit"]

Floats = npt.NDArray[np.float64]

_FIGURES = (
    "gamma00", "se_gamma00", "df", "t", "p_value", "tau00", "sigma2", "tau_sd", "sigma", "se_tau00", "se_sigma2",
    "se_icc", "icc", "deff", "deft", "n_eff", "reliability", "loglik", "deviance", "aic", "bic", "n_obs", "n_groups",
    "n_dropped", "dropped", "singular", "method", "df_method", "outcome", "group",
    "weights", "group_weights", "weights_are", "weight_scaling", "vcov",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class OneWayFit(FitInference, FitFaces):
    """The fitted one-way random-effects model Y_ij = gamma00 + u_0j + r_ij.

    Attributes
    ----------
    gamma00, se_gamma00 : float
        Grand mean and its standard error, score points.
    df, t, p_value : float
        Degrees of freedom (by `df_method`), t statistic and two-sided p-value of gamma00 = 0.
    tau00, sigma2 : float
        Variance between and within groups, score points squared; `tau_sd` and `sigma` are their roots.
    se_tau00, se_sigma2, se_icc : float
        Standard errors from the observed information; NaN where there is none (tau00 at 0).
    icc : float
        Intraclass correlation, tau00/(tau00 + sigma2).
    deff, deft, n_eff : float
        Design effect 1 + icc (N/J - 1), its root, and the effective sample size N/deff.
    reliability : float
        Mean over groups of n theta/(1 + n theta), theta = tau00/sigma2 (HLM).
    loglik, deviance, aic, bic : float
        Log likelihood (restricted under REML), -2 times it, and the criteria with 3 parameters and log N (lme4).
    n_obs, n_groups, n_dropped : int
        Observations N, groups J, rows left out.
    dropped : dict
        Rows left out by cause: a missing "by" or "group" label, or a missing "outcome".
    singular : bool
        Whether tau00 is 0, on the boundary.
    method : {"reml", "ml", "anova"}
        Estimation method.
    df_method : str
        How `df` was found.
    optimum : Optimum or None
        The optimiser's record.
    outcome : str
        Outcome column.
    group : tuple of str
        Group column or columns.
    weights, group_weights, weights_are, weight_scaling, vcov : str or None
        How the fit was weighted; None without weights. Weighted fits are pseudo maximum likelihood with robust
        standard errors; their `loglik` is a pseudo one, so `aic` and `bic` are None.
    stats : GroupStats
        The statistics the model was fitted to.

    References
    ----------
    Raudenbush and Bryk (2002), Hierarchical Linear Models, chapter 3. Bates et al. (2015), Fitting linear
    mixed-effects models using lme4, J. Stat. Softw. 67(1).
    """

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
        """Standard error of `deff` by the delta method, N/J taken as known."""
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
        """Kind of sandwich, "joint" or "block"; None without weights."""
        return self.weighting.vcov if self.weighting else None

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

    @cached_property
    def naive(self) -> Naive:
        """The lecture's naive answers beside the model's."""
        from fastml.model.naive import naive_answers

        if self.weighting is None:
            return naive_answers(self.stats.groups(self.outcome), self.components)
        groups, size, count = self._weighted("none")
        return naive_answers(groups, self.components, size, count)

    def _weighted(self, scaling: str) -> tuple[Groups, Floats, Floats]:
        """Groups with weighted means, and their sums of weights A and own weights v (J,)."""
        assert self.weighting is not None
        seen = weighted_groups(self.stats, self.outcome, self.weighting.weights_are, scaling)
        labels = self.stats.groups(self.outcome).labels
        return Groups(labels, seen.n, seen.mean, seen.residual, seen.ss), seen.size, seen.count

    def groups_arrow(self, level: float = 0.95, sort: str | None = None) -> pa.Table:
        """School means, observed and shrunken.

        Parameters
        ----------
        level : float
            Of the interval around `eb_mean`, between 0 and 1.
        sort : str, optional
            Column to sort by, rising; by label without.

        Returns
        -------
        pyarrow.Table
            A row per group, J in all: ``group`` (or the group columns by their names, where there are several), n,
            mean, se_mean, reliability, eb_mean, eb_se, ci_low, ci_high, cond_se, u. Means and errors in score
            points. ``eb_se`` is the prediction error, which counts that gamma00 is estimated; ``cond_se`` is lme4's
            condVar under the root, which doesn't; ``u`` is lme4's ranef, how far eb_mean is from gamma00.
        """
        check_level(level)
        z = half_width(level)
        groups, size = self.stats.groups(self.outcome), None
        if self.weighting is not None:
            groups, size, _ = self._weighted(self.weighting.scaling)
        means = school_means(groups, self.components, size)
        names = groups.labels.column_names
        labels = {"group": groups.labels[names[0]]} if len(names) == 1 else dict(zip(names, groups.labels, strict=True))
        half = z * means.eb_se
        figures = {
            "n": means.n,
            "mean": means.mean,
            "se_mean": means.se_mean,
            "reliability": means.reliability,
            "eb_mean": means.eb_mean,
            "eb_se": means.eb_se,
            "ci_low": means.eb_mean - half,
            "ci_high": means.eb_mean + half,
            "cond_se": means.cond_se,
            "u": means.u,
        }
        for name in labels:
            if name in figures:
                raise ArgumentError(
                    "group", name, ["another name"], "the table of school means has a column of that name"
                )
        # Arrow's own way from arrays to a table imports pandas.
        table = pa.table({**labels, **{name: as_arrow(values) for name, values in figures.items()}})
        if sort is None:
            return table
        if sort not in table.column_names:
            raise ArgumentError("sort", sort, table.column_names)
        return table.sort_by(sort)

    def groups(self, level: float = 0.95, sort: str | None = None) -> pd.DataFrame:
        """School means as a data frame; see `groups_arrow`.

        Parameters
        ----------
        level : float
        sort : str, optional

        Returns
        -------
        pandas.DataFrame
        """
        return self.groups_arrow(level, sort).to_pandas()  # type: ignore[no-any-return]  # pyarrow is not typed

    def scalings(self) -> pd.DataFrame:
        """The five scalings of the conditional weights side by side, all from the same statistics.

        Returns
        -------
        pandas.DataFrame
            A row per scaling: weight_scaling, gamma00, se_gamma00, tau00, se_tau00, sigma2, se_sigma2, icc, se_icc,
            deff, reliability, loglik.

        Raises
        ------
        FastmlError
            The fit has no weights.
        """
        import pandas as pd

        from fastml.model.icc import design_effect, icc_of, reliabilities
        from fastml.results.weighting import fit_weighted

        if self.weighting is None:
            raise FastmlError("the fit has no weights, so there is nothing to scale; give weights= and group_weights=")
        rows = []
        for scaling in SCALINGS:
            fitted = fit_weighted(self.stats, self.outcome, self.weighting.weights_are, scaling, self.weighting.vcov)
            vc, errors = fitted.components, fitted.errors
            icc = icc_of(vc.theta)
            rows.append({
                "weight_scaling": scaling, "gamma00": vc.gamma00, "se_gamma00": vc.se_gamma00, "tau00": vc.tau00,
                "se_tau00": errors.se_tau00, "sigma2": vc.sigma2, "se_sigma2": errors.se_sigma2, "icc": icc,
                "se_icc": errors.se_icc, "deff": design_effect(icc, self.n_obs / self.n_groups),
                "reliability": float(reliabilities(fitted.groups.size, vc.theta).mean()), "loglik": -0.5 * vc.deviance,
            })  # fmt: skip
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain Python values; None for what doesn't exist, never NaN.

        Returns
        -------
        dict
        """
        return {name: _plain(getattr(self, name)) for name in _FIGURES}

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return text.fit_text(self.to_dict(), self.naive.to_dict(), self._sizes())

    def _sizes(self) -> tuple[int, int]:
        sizes = self.sizes.size if self.weighting is None else self.stats.groups(self.outcome).n
        return int(np.min(sizes)), int(np.max(sizes))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return dict(value) if isinstance(value, Mapping) else value
