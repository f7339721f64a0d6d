"""A result -> matplotlib Axes. Loaded only when asked for; needs the extra "plot".

Every function takes the result and, if wished, the Axes to draw on, and returns the Axes. Without ``ax`` it makes a
figure of its own, which no pyplot knows of: show or save it by ``ax.figure``. Nothing global is changed. Colours are
Okabe and Ito's, told apart by colour-blind eyes; in grey, lightness, marker and hatch tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from fastml.errors import ArgumentError, FastmlError, ModelError
from fastml.inference.distributions import half_width
from fastml.report import canvas
from fastml.report.contrast_pictures import contrasts, trend
from fastml.report.numbers import complement, icc_text, percent, share_range, short_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastml.inference.parameters import Interval
    from fastml.model.size_table import SizeTable
    from fastml.model.variance_components import VarianceComponents

__all__ = ["caterpillar", "contrasts", "icc_by", "icc_profile", "qq", "school_distribution", "trend",
           "variance_shares"]  # fmt: skip

Means = Literal["mean", "eb_mean"]
"""What a histogram of school means counts."""

MAX_BARS = 300  # schools drawn one by one; beyond, bands
MAX_NAMES = 40  # schools named on the axis
MAX_LETTERS = 36  # of names side by side; longer ones stand upright
MAX_POINTS = 600  # of a quantile plot
MAX_PARTS = 150  # countries named on the axis


class _Fit(Protocol):
    """What is read of a `OneWayFit`."""

    @property
    def outcome(self) -> str: ...
    @property
    def group(self) -> tuple[str, ...]: ...
    @property
    def gamma00(self) -> float: ...
    @property
    def tau00(self) -> float: ...
    @property
    def tau_sd(self) -> float: ...
    @property
    def sigma2(self) -> float: ...
    @property
    def icc(self) -> float: ...
    @property
    def reliability(self) -> float: ...
    @property
    def weight_scaling(self) -> str | None: ...
    @property
    def sizes(self) -> SizeTable: ...
    @property
    def components(self) -> VarianceComponents: ...
    def groups_arrow(self, level: float = 0.95) -> Any: ...
    def ci(self, parm: Literal["icc"], level: float = 0.95) -> Interval: ...


class _Table(Protocol):
    """What is read of a `FitTable` or a `SurveyTable`."""

    @property
    def by(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...
    def shown(self) -> list[dict[str, Any]]: ...
    def icc_limits(self, level: float | None) -> tuple[float, Sequence[tuple[float, float]]]: ...


def caterpillar(
    fit: _Fit, ax: Axes | None = None, *, level: float = 0.95, names: bool | None = None, max_bars: int = MAX_BARS
) -> Axes:
    """School means with their intervals, raw and shrunken, in ascending order, and the grand mean.

    Parameters
    ----------
    fit : OneWayFit
    ax : matplotlib Axes, optional
    level : float
        Of the intervals, between 0 and 1.
    names : bool, optional
        Whether the axis names the schools; by default where there are 40 or fewer.
    max_bars : int
        With more schools than this, bands by percent of the schools take the place of bars: the shrunken means in
        order and the limits of their intervals, by medians, and the middle 90 % of the raw means.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> import fastml
    >>> m = fastml.fit({"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}, "score", "school")
    >>> fastml.plots.caterpillar(m).get_ylabel()
    'Mean of score, score points'
    """
    _check_fit(fit)
    table = fit.groups_arrow(level)
    shrunken = canvas.column(table, "eb_mean")
    order = np.argsort(shrunken, kind="stable")
    named = len(order) <= max_bars and (len(order) <= MAX_NAMES if names is None else names)
    labels = canvas.school_names(table, order) if named else []
    ax = canvas.axes_for(ax, 3.8 + 0.08 * max(map(len, labels), default=0))
    raw, half = canvas.column(table, "mean"), half_width(level) * canvas.column(table, "se_mean")
    low, high = canvas.column(table, "ci_low")[order], canvas.column(table, "ci_high")[order]
    sure = f"{100 * level:.10g} %"
    if len(order) > max_bars:
        canvas.draw_bands(ax, shrunken[order], low, high, raw[order], sure)
        ax.set_xlabel(f"Schools in order of their shrunken mean, % of {len(order):,}")
        ax.set_xlim(0.0, 100.0)
    else:
        x = np.arange(len(order), dtype=np.float64)
        intervals = ((raw - half)[order], raw[order], (raw + half)[order]), (low, shrunken[order], high)
        canvas.draw_bars(ax, x, *intervals, sure, apart=0.17 if len(order) <= MAX_NAMES else 0.0)
        if named:
            room = len(order) * max(map(len, labels)) <= MAX_LETTERS
            ax.set_xticks(x, labels, rotation=0 if room else 90)
            ax.set_xlabel(canvas.plain(", ".join(fit.group)))
        else:
            ax.set_xticks([])
            ax.set_xlabel(f"{len(order):,} schools in order of their shrunken mean")
        beside = max(0.6, 3.0 - 0.5 * len(order))  # two schools stand in the middle, not at the edges
        ax.set_xlim(-beside, len(order) - 1 + beside)
    ax.axhline(fit.gamma00, **canvas.ESTIMATE, linewidth=1.2, label=f"Grand mean {_points(fit, fit.gamma00)}")
    ax.set_ylabel(f"Mean of {canvas.plain(fit.outcome, 24)}, score points")
    canvas.legend_above(ax, columns=2, order=() if len(order) > max_bars else (1, 0, 4, 3, 2))
    return ax


def _check_fit(fit: Any) -> None:
    if not hasattr(fit, "groups_arrow"):
        raise FastmlError(f"a {type(fit).__name__} is not one fit; draw what fit gives, or a table of fits by icc_by")


def _points(fit: _Fit, value: float) -> str:
    return short_points({"tau00": fit.tau00, "sigma2": fit.sigma2}, value)


def school_distribution(fit: _Fit, ax: Axes | None = None, *, of: Means = "mean") -> Axes:
    """Normal curve of the true school means with one SD either side, over the histogram of the estimates.

    Parameters
    ----------
    fit : OneWayFit
    ax : matplotlib Axes, optional
    of : {"mean", "eb_mean"}
        What the histogram counts: observed means, which spread wider than the true ones as they hold error, or the
        shrunken ones, which spread less.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> import fastml
    >>> m = fastml.fit({"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}, "score", "school")
    >>> [tick for tick in fastml.plots.school_distribution(m).get_legend_handles_labels()[1]][0]
    '3 observed school means'
    """
    _check_fit(fit)
    if of not in get_args(Means):
        raise ArgumentError("of", of, get_args(Means))
    ax = canvas.axes_for(ax, 3.4)
    means = canvas.column(fit.groups_arrow(), of)
    ax.hist(means, bins=canvas.bins(means).tolist(), density=True, color=canvas.PALE, edgecolor="white", linewidth=0.5,
            label=f"{len(means):,} {'observed' if of == 'mean' else 'shrunken'} school means")  # fmt: skip
    centre, sd = fit.gamma00, fit.tau_sd
    if sd > 0.0:
        x = centre + sd * np.linspace(-4.0, 4.0, 321)
        y = canvas.density(x, centre, sd)
        middle = np.abs(x - centre) <= sd * (1.0 + 1e-12)
        ax.fill_between(x[middle], y[middle], facecolor="none", edgecolor=canvas.GREY, hatch="////", linewidth=0.0,
                        label="One SD either side, 68 %")  # fmt: skip
        ax.plot(x, y, color=canvas.INK, linewidth=1.6, label="True means, by the model")
        at = np.array([centre - sd, centre, centre + sd])
        top = canvas.density(at, centre, sd)
        canvas.draw_sd_lines(ax, at, top, [_points(fit, value) for value in at])
        ax.set_ylim(0.0, 1.3 * max(float(top[1]), ax.get_ylim()[1] / 1.05))
    else:
        ax.axvline(centre, **canvas.ESTIMATE, label=f"All true means at {_points(fit, centre)} (tau00 = 0)")
    ax.set_xlabel(f"School mean of {canvas.plain(fit.outcome)}, score points")
    ax.set_ylabel("Share of schools per score point")
    canvas.legend_above(ax, columns=1 if sd == 0.0 else 2)
    return ax


def variance_shares(fit: _Fit, ax: Axes | None = None) -> Axes:
    """Where the variance lies: of the scores, between and within schools; of the school means, true and error.

    Parameters
    ----------
    fit : OneWayFit
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        The widths of its bars are the icc and 1 - icc, then the reliability and 1 - reliability.

    Examples
    --------
    >>> import fastml
    >>> m = fastml.fit({"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}, "score", "school")
    >>> [round(float(bar.get_width()), 2) for bar in fastml.plots.variance_shares(m).patches]
    [0.96, 0.04, 0.98, 0.02]
    """
    _check_fit(fit)
    ax = canvas.axes_for(ax, 2.4)
    for y, value, parts in (
        (1.0, fit.icc, ("between schools (ICC)", "within schools")),
        (0.0, fit.reliability, ("true (reliability)", "error")),
    ):
        for left, width, colour, hatch, name, side in (
            (0.0, value, canvas.BLUE, "", f"{parts[0]} {percent(value)}", "left"),
            (value, 1.0 - value, canvas.OTHER, "////", f"{parts[1]} {complement(value)}", "right"),
        ):
            ax.barh(y, width, left=left, height=0.42, color=colour, edgecolor=canvas.INK, linewidth=0.8, hatch=hatch)
            ax.annotate(name, (0.0 if side == "left" else 1.0, y + 0.24), ha=side, va="bottom",
                        xytext=(0.0, 2.0), textcoords="offset points")  # fmt: skip
    ax.spines["left"].set_visible(False)  # the bars have edges, and the labels start there
    ax.tick_params(axis="y", length=0.0)
    ax.set_yticks([1.0, 0.0], ["Scores of\nstudents", "Observed\nschool means"])
    ax.set_xticks(np.linspace(0.0, 1.0, 6), [f"{p} %" for p in range(0, 101, 20)])
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(-0.4, 1.62)
    ax.set_xlabel(f"Share of the variance of {canvas.plain(fit.outcome)}")
    return ax


def icc_profile(fit: _Fit, ax: Axes | None = None, *, level: float = 0.95) -> Axes:
    """Profile of the deviance over the icc, with its interval: the exact one, or where that says nothing the profile's.

    Parameters
    ----------
    fit : OneWayFit
        By REML or ML, unweighted.
    ax : matplotlib Axes, optional
    level : float
        Of the interval, between 0 and 1.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ModelError
        The fit has no likelihood to profile, or its icc is all but 1.

    Examples
    --------
    >>> import fastml
    >>> m = fastml.fit({"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}, "score", "school")
    >>> fastml.plots.icc_profile(m).get_xlabel()
    'Intraclass correlation (ICC) of score'
    """
    from fastml.inference.distributions import chi2_quantile
    from fastml.inference.profiles import relative_deviance

    _check_fit(fit)
    if fit.weight_scaling is not None or fit.components.optimum is None:
        kind = "method 'anova'" if fit.weight_scaling is None else "a weighted fit"
        raise ModelError(f"{kind} has no likelihood to profile; fit by 'reml' or 'ml' without weights")
    if fit.icc > 1.0 - 1e-5:
        raise ModelError(f"the icc, {icc_text(fit.icc)}, is too near 1 to draw its profile; ci('icc') has its interval")
    interval = fit.ci("icc", level)
    cut = chi2_quantile(level, 1.0)
    ax = canvas.axes_for(ax, 3.4)

    def deviance(icc: float) -> float:
        return relative_deviance(fit.sizes, fit.components, icc / (1.0 - icc))

    low = canvas.axis_end(deviance, fit.icc, 0.0, 1.6 * cut, interval.low)
    high = canvas.axis_end(deviance, fit.icc, 1.0 - 1e-12, 1.6 * cut, interval.high)
    grid = np.unique(np.append(np.linspace(low, high, 241), fit.icc))
    ax.axvspan(interval.low, interval.high, facecolor=canvas.PALE, alpha=0.6, linewidth=0.0,
               label=f"{interval.method.capitalize()} {100 * level:.10g} % interval, "
                     f"{share_range(interval.low, interval.high)}")  # fmt: skip
    ax.plot(grid, [deviance(float(icc)) for icc in grid], color=canvas.INK, linewidth=1.6,
            label="Deviance above its minimum")  # fmt: skip
    ax.axhline(cut, color=canvas.GREY, linestyle=":", linewidth=1.4, label=f"Cut of the profile interval, {cut:.2f}")
    estimate = icc_text(fit.icc, interval.high - interval.low)
    ax.axvline(fit.icc, **canvas.ESTIMATE, linewidth=1.2, label=f"Estimate {estimate}")
    ax.set_ylim(0.0, 1.9 * cut)
    ax.set_xlim(low, high)
    ax.locator_params(axis="x", nbins=6)
    ax.set_xlabel(f"Intraclass correlation (ICC) of {canvas.plain(fit.outcome)}")
    ax.set_ylabel("Deviance, less its minimum")
    canvas.legend_above(ax, columns=2)
    return ax


def qq(fit: _Fit, ax: Axes | None = None) -> Axes:
    """Normal quantiles of the school effects: each school's raw mean, less the grand mean, over its model SD.

    Parameters
    ----------
    fit : OneWayFit
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Under the model the points follow the line, 95 % of them within the band, whatever the schools' sizes. Of
        more than 600 schools, up to 600 are drawn, at even steps along the axis, so that both ends are complete.

    Examples
    --------
    >>> import fastml
    >>> m = fastml.fit({"school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}, "score", "school")
    >>> fastml.plots.qq(m).collections[0].get_offsets().shape
    (3, 2)
    """
    from scipy.special import betaincinv, ndtr, ndtri

    _check_fit(fit)
    ax = canvas.axes_for(ax, 3.6)
    table = fit.groups_arrow()
    z = np.sort(
        (canvas.column(table, "mean") - fit.gamma00) / np.sqrt(fit.tau00 + canvas.column(table, "se_mean") ** 2)
    )
    count = len(z)
    rank = np.arange(1, count + 1)
    if count > MAX_POINTS:
        end = float(ndtri((count - 0.375) / (count + 0.25)))
        steps = np.linspace(-end, end, MAX_POINTS)
        rank = np.unique(np.rint(ndtr(steps) * (count + 0.25) + 0.375).astype(np.intp))
        z = z[rank - 1]
    x = ndtri((rank - 0.375) / (count + 0.25))  # Blom's positions
    low, high = (ndtri(betaincinv(rank, count - rank + 1, p)) for p in (0.025, 0.975))
    ax.scatter(x, z, s=14.0, color=canvas.BLUE, linewidth=0.0, zorder=3, label=f"{count:,} schools")
    ax.fill_between(x, low, high, color=canvas.BAND, linewidth=0.0, label="95 % of points, by the model")
    ax.plot(x[[0, -1]], x[[0, -1]], color=canvas.INK, linewidth=1.2, label="Normal")
    ax.set_xlabel("Normal quantile, in SDs")
    ax.set_ylabel("School effect, in its model SDs")
    canvas.legend_above(ax, columns=3)
    return ax


def icc_by(table: _Table, ax: Axes | None = None, *, level: float | None = None, sort: bool = True) -> Axes:
    """ICC of every part (country) and outcome with its interval.

    Parameters
    ----------
    table : FitTable or SurveyTable
        Rows without a result are left out and counted under the axis.
    ax : matplotlib Axes, optional
    level : float, optional
        Of the intervals, between 0 and 1; 0.95, and that of its own limits for a SurveyTable.
    sort : bool
        By the icc; else in the table's order, from the top.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> import fastml
    >>> scores = {"country": ["N"] * 4 + ["S"] * 4, "school": [1, 1, 2, 2] * 2, "score": [1.0, 2, 5, 7, 3, 4, 6, 9]}
    >>> ax = fastml.plots.icc_by(fastml.fit_by(scores, "score", "school", by="country"))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['N', 'S']
    """
    if not hasattr(table, "icc_limits"):
        raise FastmlError(f"a {type(table).__name__} is no table of fits, as fit_by and fit_survey give them")
    sure, limits = table.icc_limits(level)
    rows = [{**row, "limits": pair} for row, pair in zip(table.shown(), limits, strict=True) if row["icc"] is not None]
    if not rows:
        raise FastmlError("no row of the table has an icc; its column status says why")
    if sort:
        rows.sort(key=lambda row: -row["icc"])
    outcomes = {row["outcome"] for row in rows}
    named = len(rows) <= MAX_PARTS
    ax = canvas.axes_for(ax, 1.1 + 0.21 * len(rows) if named else 6.0)
    y = np.arange(len(rows), dtype=np.float64)[::-1]
    icc = np.array([row["icc"] for row in rows])
    low, high = np.array([row["limits"] for row in rows]).T
    thick = 2.0 if named else max(0.2, 300.0 / len(rows))
    ax.hlines(y, low, high, color=canvas.BLUE, linewidth=thick, label=f"{100 * sure:g} % interval")
    ax.scatter(icc, y, s=11.0 * thick, color=canvas.INK, linewidth=0.0, zorder=3, clip_on=False, label="ICC")
    parts = [*table.by, *(["outcome"] if len(outcomes) > 1 else [])]
    names = canvas.apart([" ".join(str(row[part]) for part in parts) for row in rows], 28)
    ax.set_yticks(y, names) if named else ax.set_yticks([])
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.set_xlim(0.0, min(1.0, 1.05 * float(np.nanmax([high, icc]))) or 1.0)
    missing = len(table) - len(rows)
    note = f"\n{missing:,} of {len(table):,} without a result left out" if missing else ""
    what = f" of {canvas.plain(outcomes.pop())}" if len(outcomes) == 1 else ""
    ax.set_xlabel(f"ICC{what}, {100 * sure:g} % interval{note}")
    if not named:
        ax.set_ylabel(f"{len(rows):,} by {', '.join(table.by)}" + (", in order of the ICC" if sort else ""))
    ax.grid(axis="x", color=canvas.RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax
