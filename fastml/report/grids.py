"""A result's figures -> grids of formatted cells, which markup writes in any form. Knows no statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from fastml.report.numbers import cells, degrees, fixed_share, number, number_range, p_value, share_range, told_apart
from fastml.report.text import fit_heading, fit_rows, fit_weights, named_effects, plan_heading, plan_rows

__all__ = ["HEADS", "Grid", "Section", "Symbol", "first_rows", "fit_grid", "naive_grid", "plan_grid", "rows_grid",
           "schools_grid", "statistics_grid"]  # fmt: skip


class Symbol(Enum):
    """A symbol of the model: plain text, HTML, LaTeX."""

    GAMMA00 = ("γ00", "γ<sub>00</sub>", r"$\gamma_{00}$")
    TAU00 = ("τ00", "τ<sub>00</sub>", r"$\tau_{00}$")
    TAU_SD = ("√τ00", "√τ<sub>00</sub>", r"$\sqrt{\tau_{00}}$")
    SIGMA2 = ("σ²", "σ<sup>2</sup>", r"$\sigma^2$")
    SIGMA = ("σ", "σ", r"$\sigma$")
    RHO = ("ρ", "ρ", r"$\rho$")


Cell = str | Symbol


@dataclass(frozen=True)
class Section:
    """Rows of a grid under one heading; an empty heading is not shown."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Grid:
    """A table of formatted cells.

    Attributes
    ----------
    caption : str
    header : tuple of str
    sections : tuple of Section
    numeric : tuple of bool
        The columns that are aligned to the right.
    notes : tuple of str
        Lines under the table.
    """

    caption: str
    header: tuple[str, ...]
    sections: tuple[Section, ...]
    numeric: tuple[bool, ...]
    notes: tuple[str, ...] = ()


_MAX_ROWS = 100  # of a table in a notebook


def first_rows(grid: Grid) -> Grid:
    """What a notebook shows of a table of one section: the first rows and notes, and the last note, what made it."""
    (body,) = grid.sections
    if len(body.rows) <= _MAX_ROWS:
        return grid
    note = f"The first {_MAX_ROWS} of {len(body.rows):,} rows; to_frame() has all."
    *said, made = grid.notes
    first = replace(body, rows=body.rows[:_MAX_ROWS])
    return replace(grid, sections=(first,), notes=(note, *said[:_MAX_ROWS], made))


Limits = Mapping[str, tuple[float, float]]


def fit_grid(
    fit: Mapping[str, Any],
    sizes: tuple[int, int],
    limits: Limits,
    level: float = 0.95,
    effects: Mapping[str, float] | None = None,
    said: Sequence[str] = (),
    wide: bool = True,
) -> Grid:
    """The model's table, a row per figure.

    Parameters
    ----------
    fit, sizes
        As in `text.fit_text`.
    limits : mapping
        Parameter to its confidence limits; what has none is left empty.
    level : float
        Of the limits.
    effects : mapping, optional
        Design effects by name.
    said : sequence of str
        What there is to know of the limits.
    wide : bool
        Whether columns have the test of the grand mean, or else a note, as on a page of a paper.
    """

    def minus(value: float) -> str:
        return f"{value:.1f}".replace("-", "−")

    def row(label: str, symbol: Cell, name: str, se: str = "", decimals: int = 3) -> tuple[Cell, ...]:
        share = name in ("icc", "reliability")
        low, high = limits.get(name, (0.0, 0.0))

        def write(value: float, width: float = 0.0) -> str:
            return fixed_share(value, decimals, width) if share else number(value, decimals)

        error = "" if not se or fit[se] is None else write(fit[se])
        interval = ""
        if name in limits:
            interval = share_range(low, high, decimals) if share else number_range(low, high, min(decimals, 2))
        test = tested if name == "gamma00" and wide else [""] * 3 if wide else []
        return (label, symbol, write(fit[name], high - low), error, interval, *test)

    tested = (degrees(fit["df"]), number(fit["t"]), p_value(fit["p_value"]))
    sections = (
        Section("Fixed effect", (row("Grand mean", Symbol.GAMMA00, "gamma00", "se_gamma00"),)),
        Section("Variance components", (
            row("Between groups", Symbol.TAU00, "tau00", "se_tau00"),
            row("Within groups", Symbol.SIGMA2, "sigma2", "se_sigma2"),
            row("SD between groups", Symbol.TAU_SD, "tau_sd"),
            row("SD within groups", Symbol.SIGMA, "sigma"),
        )),
        Section("Clustering", (
            row("Intraclass correlation (ICC)", Symbol.RHO, "icc", "se_icc"),
            row("Reliability of group means", "", "reliability", decimals=2),
            row("Design effect (DEFF)", "", "deff", decimals=2),
            row("Its root (DEFT)", "", "deft", decimals=2),
            row("Effective sample size", "", "n_eff", decimals=1),
            *(
                (f"DEFF, {what} ({name})", "", number(deff, 2), *[""] * (5 if wide else 2))
                for name, what, deff in named_effects(effects or {})
            ),
        )),
    )  # fmt: skip
    header = ("", "", "Estimate", "Std. error", f"{100 * level:.10g} % interval", *(("df", "t", "p") if wide else ()))
    notes = [fit_rows(fit, sizes), *fit_weights(fit)]
    if fit["loglik"] is not None:
        criteria = "" if fit["aic"] is None else f"; AIC {minus(fit['aic'])}; BIC {minus(fit['bic'])}"
        kind = "Log likelihood" if fit["aic"] is not None else "Pseudo log likelihood"
        notes.append(f"{kind} {minus(fit['loglik'])}; deviance {minus(fit['deviance'])}{criteria}")
    if fit["singular"]:
        notes.append("The variance between groups is 0, on the boundary.")
    if not wide:
        notes.append("Grand mean: df {}, t {}, p {}.".format(*tested))
    notes += said
    return Grid(fit_heading(fit), header, sections, tuple(i > 1 for i in range(len(header))), tuple(notes))


def naive_grid(fit: Mapping[str, Any], naive: Mapping[str, Any]) -> Grid:
    """The naive answers beside the model's."""
    rows = (
        ("Mean of all students", number(naive["mean_of_students"]), number(fit["gamma00"])),
        ("Mean of school means", number(naive["mean_of_groups"]), number(fit["gamma00"])),
        ("Standard error of the mean", number(naive["se_ignoring_groups"]), number(fit["se_gamma00"])),
        ("Variance of school means", number(naive["variance_of_means"], 2), number(fit["tau00"], 2)),
    )
    error = f"Error variance of an average school's mean: {number(naive['error_variance'], 1)}."
    return Grid("Without the model, and with it", ("", "Naive", "Model"), (Section("", rows),), (False, True, True),
                (error,))  # fmt: skip


# What the columns of a table of fits are called in words.
HEADS: Mapping[str, str] = {
    "outcome": "Outcome",
    "n_obs": "Students",
    "n_groups": "Schools",
    "n_dropped": "Left out",
    "mean": "Mean",
    "gamma00": "Grand mean",
    "tau00": "Variance between",
    "sigma2": "Variance within",
    "icc": "ICC",
    "deff": "DEFF",
    "reliability": "Reliability",
    "status": "Status",
    **{f"se_{name}": "SE" for name in ("mean", "gamma00", "tau00", "sigma2", "icc")},
}


def rows_grid(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    caption: str = "",
    heads: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Grid:
    """Rows of figures as a grid: numbers to the right, text to the left; `heads` and `errors` as in `text.rows_text`.

    Examples
    --------
    >>> rows_grid([{"country": "NOR", "icc": 0.1234}], ["country", "icc"]).sections[0].rows
    (('NOR', '0.123'),)
    """
    body = tuple(tuple(cells(row, columns, errors)) for row in rows)
    numeric = tuple(not any(isinstance(row[name], str) for row in rows) for name in columns)
    header = tuple((heads or {}).get(name, name) for name in columns)
    return Grid(caption, header, (Section("", body),), numeric)


def schools_grid(
    parts: Mapping[str, Sequence[Mapping[str, Any]]],
    labels: Sequence[str],
    names: Sequence[str],
    points: int = 1,
    level: float = 0.95,
    note: str = "",
) -> Grid:
    """School means, raw and shrunken, with intervals at this level.

    Parameters
    ----------
    parts : mapping
        Heading (or "") to rows of `OneWayFit.groups_arrow`, in the order to show them.
    labels, names : sequence of str
        The columns that name a school, and what those columns are called in the data.
    points : int
        Decimals of score points.
    level : float
    note : str
        What the intervals are.
    """
    every = [row for rows in parts.values() for row in rows]
    shown = zip(*(told_apart([str(row[name]) for row in every]) for name in labels), strict=True)  # in that order
    sections = tuple(
        Section(title, tuple(
            (*next(shown), f"{row['n']:,}",
             *(number(row[name], points) for name in ("mean", "eb_mean", "ci_low", "ci_high")),
             fixed_share(row["reliability"]))
            for row in rows
        ))
        for title, rows in parts.items()
    )  # fmt: skip
    header = (*names, "Students", "Raw mean", "Shrunken mean", "from", "to", "Reliability")
    return Grid(
        f"School means, the shrunken ones with their {100 * level:.10g} % interval",
        header,
        sections,
        (*[False] * len(labels), *[True] * 6),
        (note,) if note else (),
    )


def plan_grid(plan: Mapping[str, Any]) -> Grid:
    """What a sample of schools can tell."""
    heading, taken = plan_heading(plan)
    rows = tuple((name[0].upper() + name[1:], value, more) for name, value, more in plan_rows(plan))
    return Grid(heading, ("", "Value", ""), (Section("", rows),), (False, True, False), (f"Taken for true: {taken}",))


def statistics_grid(heading: str, rows: Sequence[Mapping[str, Any]], notes: Sequence[str] = ()) -> Grid:
    """What group statistics hold; rows of outcome, n_obs, n_groups, smallest, largest, mean, n_dropped."""
    cells = tuple(
        (row["outcome"], *(f"{row[name]:,}" for name in ("n_obs", "n_groups", "smallest", "largest")),
         number(row["mean"]), f"{row['n_dropped']:,}")
        for row in rows
    )  # fmt: skip
    header = ("Outcome", "Students", "Groups", "Smallest", "Largest", "Mean", "Rows left out")
    return Grid(heading, header, (Section("", cells),), (False, *[True] * 6), tuple(notes))
