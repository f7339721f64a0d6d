"""One fit: its school means, its scalings, and how it is shown.

A chain of classes: `FitFigures` has the attributes, `FitInference` what can be asked of them, `OneWayFit` the rest.
"""

from __future__ import annotations

import math
import os
import textwrap
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastml.errors import ArgumentError, FastmlError, ModelError, plain_errors, visible
from fastml.inference.distributions import check_level
from fastml.io.writing import write_parquet, write_text
from fastml.model.groups import Groups
from fastml.model.shrinkage import school_means
from fastml.model.weighted import SCALINGS
from fastml.report import text
from fastml.report.exports import Record, Summary
from fastml.report.fields import FIT, FIT_INTERVALS, Fields
from fastml.report.grids import Grid, fit_grid
from fastml.report.markup import html_with_sentences
from fastml.report.provenance import data_text, with_metadata
from fastml.report.sentences import fit_sentences, mean_note
from fastml.results.figures import estimates
from fastml.results.inference import FitInference, interval_notes, limits_of
from fastml.results.pages import Picture, draw, fit_report
from fastml.results.schools import SchoolInterval, check_interval, schools_table
from fastml.results.weighting import weighted_groups

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fastml.inference.parameters import Interval
    from fastml.model.naive import Naive

__all__ = ["FitWithIntervals", "OneWayFit"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class OneWayFit(FitInference):
    """The fitted one-way random-effects model Y_ij = gamma00 + u_0j + r_ij: what `fastml.fit` gives.

    Attributes
    ----------
    gamma00, se_gamma00 : float
        Grand mean and its standard error, score points.
    df, t, p_value : float
        Degrees of freedom (by `df_method`), t statistic and two-sided p-value of gamma00 = 0.
    tau00, sigma2 : float
        Variance between and within groups, score points squared; `tau_sd` and `sigma` are their roots.
    se_tau00, se_sigma2, se_icc : float
        Standard errors from the observed information, with weights by the jackknife over groups (`vcov` "cr2") or a
        sandwich; NaN where there is none (tau00 at 0; no jackknife without one of the groups).
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
        Rows left out by cause: "group", whose label is missing; with weights "weights", which have none, and
        "zero_weight"; "outcome", whose score is missing. A row is counted once, under the first of these.
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
    weights, group_weights, weights_are, weight_scaling, vcov, bias : str or None
        How the fit was weighted; None without weights. Weighted fits are pseudo maximum likelihood with robust
        standard errors; their `loglik` is a pseudo one, so `aic` and `bic` are None.
    stats : GroupStats
        The statistics the model was fitted to.

    References
    ----------
    Raudenbush and Bryk (2002), Hierarchical Linear Models, chapter 3. Bates et al. (2015), Fitting linear
    mixed-effects models using lme4, J. Stat. Softw. 67(1).
    """

    @cached_property
    def naive(self) -> Naive:
        """The lecture's naive answers beside the model's."""
        from fastml.model.naive import naive_answers

        if self.weighting is None:
            return naive_answers(self.stats.groups(self.outcome), self.components)
        groups, size, count = self._weighted("none")
        return naive_answers(groups, self.components, size, count)

    def _weighted(self, scaling: str) -> tuple[Groups, Floats, Floats]:
        """Groups with weighted means, then their sums of weights A and their own weights v, both of shape (J,)."""
        assert self.weighting is not None
        made = weighted_groups(self.stats, self.outcome, self.weighting.weights_are, scaling)
        labels = self.stats.groups(self.outcome).labels
        return Groups(labels, made.n, made.mean, made.residual, made.ss), made.size, made.count

    def groups_arrow(
        self, level: float = 0.95, sort: str | None = None, *, interval: SchoolInterval | None = None
    ) -> pa.Table:
        """School means, observed and shrunken.

        Parameters
        ----------
        level : float
            Of the intervals of the true means, between 0 and 1.
        sort : str, optional
            Column to sort by, in ascending order; by default the labels.
        interval : {"posterior", "plug-in"}, optional
            What ci_low and ci_high are. "posterior", the default without weights, under a prior that is flat in tau00:
            it counts that tau00 is estimated (Morris and Lysy 2012). "plug-in", all there is with weights: eb_mean give
            or take z eb_se, which takes tau00 as known and covers less where schools are few or alike.

        Returns
        -------
        pyarrow.Table
            A row per group, J in all: ``group`` (or the group columns by their names, where there are several), n,
            mean, se_mean, reliability, eb_mean, eb_se, post_mean, post_sd, ci_low, ci_high, cond_se, u. Means and
            errors in score points. ``eb_se`` is the prediction error, which counts that gamma00 is estimated;
            ``cond_se`` is lme4's condVar under the root, which does not; ``u`` is lme4's ranef, eb_mean less gamma00.
            ``post_mean`` and ``post_sd`` are of the posterior; null with weights, and the latter with five scores or
            less. The schema's metadata name the interval.

        References
        ----------
        Morris and Lysy (2012), Shrinkage estimation in multilevel normal models, Statistical Science 27(1).
        """
        check_level(level)
        kind = check_interval(interval, self.weighting is not None)
        groups = self.stats.groups(self.outcome)
        if self.weighting is not None:
            groups, size, _ = self._weighted(self.weighting.scaling)
            table = schools_table(groups.labels, school_means(groups, self.components, size), None, kind, level)
        else:
            from fastml.inference.posterior import school_posterior

            posterior = school_posterior(self.sizes, groups, level)
            table = schools_table(groups.labels, school_means(groups, self.components), posterior, kind, level)
        table = with_metadata(table, self.provenance | {"content": "school means"})
        if sort is None:
            return table
        if sort not in table.column_names:
            raise ArgumentError("sort", sort, table.column_names)
        return table.sort_by(sort)

    def groups(
        self, level: float = 0.95, sort: str | None = None, *, interval: SchoolInterval | None = None
    ) -> pd.DataFrame:
        """School means as a data frame; see `groups_arrow`.

        Parameters
        ----------
        level, sort, interval
            As there.

        Returns
        -------
        pandas.DataFrame
            With the interval in its ``attrs``.

        Examples
        --------
        >>> import fastml
        >>> scores = {"school": ["a", "a", "b", "b", "c", "c"], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
        >>> fastml.fit(scores, "score", "school").groups().eb_mean.round(2).tolist()
        [1.57, 4.51, 8.43]
        """
        table = self.groups_arrow(level, sort, interval=interval)
        with plain_errors("pandas can't hold these labels; groups_arrow() does"):
            frame: pd.DataFrame = table.to_pandas()
        frame.attrs["interval"] = table.schema.metadata[b"interval"].decode()
        return frame

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

        from fastml.results.weighting import fit_weighted

        if self.weighting is None:
            raise FastmlError("the fit has no weights, so there is nothing to scale; give weights= and group_weights=")
        rows = []
        for scaling in SCALINGS:
            fitted = fit_weighted(self.stats, self.outcome, replace(self.weighting, scaling=scaling))
            size = fitted.groups.size
            row = estimates(fitted.components, fitted.sizes, size, np.ones(len(size)))
            rows.append({"weight_scaling": scaling, **row, **vars(fitted.errors)})
        return pd.DataFrame(rows, columns=["weight_scaling", "gamma00", "se_gamma00", "tau00", "se_tau00", "sigma2",
                                           "se_sigma2", "icc", "se_icc", "deff", "reliability", "loglik"])  # fmt: skip

    def write_groups(
        self, path: str | os.PathLike[str], level: float = 0.95, *, interval: SchoolInterval | None = None
    ) -> None:
        """Write the school means, `groups_arrow`, to a Parquet file, whole or not at all.

        Parameters
        ----------
        path : str or path
        level, interval
            As there.
        """
        write_parquet(self.groups_arrow(level, interval=interval), path)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return self._text(0.95)

    def _text(self, level: float) -> str:
        mean = {} if self.weighting is not None else {"gamma00": self.ci("gamma00")}
        limits = limits_of(mean)["gamma00"] if self._mean_by_df(0.95, mean) else None
        of_icc = None
        with suppress(ModelError):  # a weighted fit has none where tau00 is 0
            of_icc = self.ci("icc", level)
        figures = self._figures(), self.naive.to_dict(), self._sizes(), self._effects_by_name()
        return text.fit_text(*figures, limits, of_icc, data_text(self.provenance))

    def _effects_by_name(self) -> dict[str, float]:
        return {effect.name: effect.deff for effect in self._effects()}

    def _sizes(self) -> tuple[int, int]:
        """Smallest and largest group, by rows."""
        sizes = self.sizes.size if self.weighting is None else self.stats.groups(self.outcome).n
        return int(np.min(sizes)), int(np.max(sizes))

    def _grid(self, level: float = 0.95) -> Grid:
        return self._grid_of(self._usual_intervals(level), level)

    def _paper_grid(self, level: float = 0.95) -> Grid:
        return self._grid_of(self._usual_intervals(level), level, wide=False)

    def _grid_of(self, made: dict[str, Interval], level: float, wide: bool = True) -> Grid:
        effects, notes = self._effects_by_name(), (*self._notes(made, level), data_text(self.provenance))
        return fit_grid(self._figures(), self._sizes(), limits_of(made), level, effects, notes, wide)

    def _sentences(self, level: float = 0.95) -> dict[str, str]:
        return self._sentences_of(self._usual_intervals(level), level)

    def _sentences_of(self, made: dict[str, Interval], level: float) -> dict[str, str]:
        return fit_sentences(self._figures(), self.naive.to_dict(), self._sizes(), limits_of(made),
                             self._p_value_between(), level, self._effects_by_name(),
                             self._mean_by_df(level, made))  # fmt: skip

    def _notes(self, made: dict[str, Interval], level: float) -> tuple[str, ...]:
        """What a reader must know of these intervals, and of the mean's beside the degrees of freedom of its line."""
        by_df = self._mean_by_df(level, made)
        apart = () if by_df is None else (mean_note(self._figures(), limits_of(made)["gamma00"], by_df),)
        return (*interval_notes(made), *apart)

    def summary(self, level: float = 0.95) -> Summary:
        """Return the printed table, the confidence intervals, and in plain sentences what they mean.

        Parameters
        ----------
        level : float
            Of the intervals, between 0 and 1.

        Returns
        -------
        Summary
            Print it, or let a notebook show it.
        """
        made = self._usual_intervals(level)
        said = list(self._sentences_of(made, level).values())
        grid = self._grid_of(made, level)
        lines = [self._text(level), ""]
        intervals = [(row[0], row[4]) for section in grid.sections for row in section.rows if row[4]]
        if intervals:
            lines.append(f"{100 * level:.10g} % confidence intervals")
            lines += [f"  {label:<30}{limits}" for label, limits in intervals]
            lines += [part for note in interval_notes(made) for part in textwrap.wrap(note, 100)]
            lines.append("")
        lines += [part for sentence in said for part in textwrap.wrap(visible(sentence), 100)]
        return Summary("\n".join(lines), html_with_sentences(grid, said))

    def with_intervals(self, level: float = 0.95) -> FitWithIntervals:
        """Return the fit with confidence intervals of this level in all its forms.

        Parameters
        ----------
        level : float
            Between 0 and 1.

        Returns
        -------
        FitWithIntervals
        """
        check_level(level)
        return FitWithIntervals(self, float(level))

    def plot(self, kind: Picture = "caterpillar", ax: Axes | None = None) -> Axes:
        """Draw a picture of the fit; a notebook shows what this returns. Needs matplotlib.

        Parameters
        ----------
        kind : {"caterpillar", "school_distribution", "variance_shares", "icc_profile", "qq"}
            Which of the functions of `fastml.plots`; they have further options. "caterpillar", the school means with
            their intervals, by default.
        ax : matplotlib Axes, optional
            To draw on; a figure of its own without, which pyplot doesn't know of.

        Returns
        -------
        matplotlib Axes
            Save the picture by ``.figure.savefig("school_means.svg")``.

        Examples
        --------
        >>> import fastml
        >>> m = fastml.fit({"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}, "score", "school")
        >>> m.plot().get_ylabel()
        'Mean of score, score points'
        """
        return draw(self, kind, ax)

    def report_html(self, title: str | None = None, source: str = "") -> str:
        """Return a self-contained page: the tables, the pictures, and what they mean for this data.

        Parameters
        ----------
        title : str, optional
            By default the outcome in its schools.
        source : str
            Where the data are from; shown under the title.

        Returns
        -------
        str
            HTML with no script and nothing from elsewhere, light or dark as the reader's screen; every name in it is
            escaped. Without matplotlib it has no pictures, and says so.
        """
        return fit_report(self, title, source)

    def write_report(self, path: str | os.PathLike[str], title: str | None = None, source: str = "") -> None:
        """Write the page to a file, whole or not at all. See `report_html`."""
        write_text(self.report_html(title, source), path)


@dataclass(frozen=True)
class FitWithIntervals(Record):
    """A fit with confidence intervals in all its forms: the text is `OneWayFit.summary`.

    Attributes
    ----------
    fit : OneWayFit
    level : float
        Between 0 and 1.
    """

    fit: OneWayFit
    level: float

    def __str__(self) -> str:
        return str(self.fit.summary(self.level))

    def _grid(self, level: float = 0.95) -> Grid:
        return self.fit._grid(self.level)

    def _paper_grid(self) -> Grid:
        return self.fit._paper_grid(self.level)

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the fit; see `OneWayFit`."""
        return self.fit.provenance

    def _fields(self) -> Fields:
        return {**FIT, **FIT_INTERVALS}

    def _figures(self) -> dict[str, Any]:
        """The figures, then level, ``ci_low_`` and ``ci_high_`` of every parameter, and what to know of them."""
        made = self.fit._usual_intervals(self.level)
        limits = {
            f"ci_{end}_{name}": value if math.isfinite(value) else None
            for name, pair in made.items()
            for end, value in zip(("low", "high"), pair, strict=True)
        }
        known = {"level": self.level, **limits, "ci_notes": " ".join(self.fit._notes(made, self.level)) or None}
        return self.fit._figures() | {name: known.get(name) for name in FIT_INTERVALS}
