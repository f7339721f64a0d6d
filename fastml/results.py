"""Results: frozen, they hold figures and the group statistics, never rows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fastml import report
from fastml.errors import ArgumentError
from fastml.groupstats import GroupStats
from fastml.naive import Naive, naive_answers
from fastml.shrinkage import school_means
from fastml.varcomp import Optimum, SizeTable, VarianceComponents

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OneWayFit"]

_FIGURES = (
    "gamma00", "se_gamma00", "df", "t", "p_value", "tau00", "sigma2", "tau_sd", "sigma", "se_tau00", "se_sigma2",
    "se_icc", "icc", "deff", "deft", "n_eff", "reliability", "loglik", "deviance", "aic", "bic", "n_obs", "n_groups",
    "n_dropped", "dropped", "singular", "method", "df_method", "outcome", "group",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class OneWayFit:
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
    stats: GroupStats = field(repr=False)
    components: VarianceComponents = field(repr=False)
    sizes: SizeTable = field(repr=False)

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
    def aic(self) -> float:
        """Akaike's criterion with 3 parameters."""
        return self.deviance + 6.0

    @property
    def bic(self) -> float:
        """Bayesian criterion with 3 parameters and log N, as lme4."""
        return self.deviance + 3.0 * math.log(self.n_obs)

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
        return naive_answers(self.stats.groups(self.outcome), self.components)

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
            mean, se_mean, reliability, eb_mean, eb_se, ci_low, ci_high, cond_se. Means and errors in score points.
            ``eb_se`` is the prediction error, which counts that gamma00 is estimated; ``cond_se`` is lme4's condVar
            under the root, which doesn't.
        """
        z = _normal_quantile(level)
        groups = self.stats.groups(self.outcome)
        means = school_means(groups, self.components)
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
        }
        for name in labels:
            if name in figures:
                raise ArgumentError("group", name, ["another name"], "the table of school means has a column of that name")
        table = pa.table({**labels, **figures})
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

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain Python values; None for what doesn't exist, never NaN.

        Returns
        -------
        dict
        """
        return {name: _plain(getattr(self, name)) for name in _FIGURES}

    def to_json(self, indent: int | None = 2) -> str:
        """The figures as one JSON object; null for what doesn't exist, never NaN.

        Parameters
        ----------
        indent : int or None

        Returns
        -------
        str
        """
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_frame(self) -> pd.DataFrame:
        """The figures as a data frame of one row; `dropped` by cause in columns ``dropped_CAUSE``.

        Returns
        -------
        pandas.DataFrame
        """
        import pandas as pd

        return pd.DataFrame([report.flat(self.to_dict())])

    def to_csv(self) -> str:
        """The same row as CSV text with a header.

        Returns
        -------
        str
        """
        return report.csv_text([report.flat(self.to_dict())])

    def __str__(self) -> str:
        return report.fit_text(self.to_dict(), self.naive.to_dict(), _sizes(self.sizes))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _sizes(table: SizeTable) -> tuple[int, int]:
    return int(np.min(table.size)), int(np.max(table.size))


def _normal_quantile(level: float) -> float:
    from statistics import NormalDist

    if not 0.0 < level < 1.0:
        raise ArgumentError("level", level, ["a number between 0 and 1"])
    return NormalDist().inv_cdf(0.5 + 0.5 * level)
