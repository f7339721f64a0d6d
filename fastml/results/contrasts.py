"""Tables of comparisons: differences of rows of tables of results, with the errors that are right for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fastml.errors import ArgumentError, FastmlError, RangeError
from fastml.inference.contrasts import Contrasts, Estimate, adjusted, combine, on_log
from fastml.inference.distributions import check_level
from fastml.report.fields import CONTRAST_TABLE
from fastml.report.provenance import STAMP, provenance, together
from fastml.results.contrast_table import ContrastTable, contrast_table
from fastml.results.linking import linking_variance
from fastml.results.row_contrasts import RowContrast, Rows, compare, matches
from fastml.results.samples import (
    CYCLES,
    SampleIdentity,
    SharedSamples,
    components,
    label_text,
    paired_samples,
    same_samples,
)

__all__ = ["Adjust", "Compared", "Compares", "ContrastTerms", "contrast_rows", "contrast_tables", "trend"]

Floats = npt.NDArray[np.float64]

Adjust = Literal["holm", "bh"]
ADJUST = get_args(Adjust)
Compares = Literal["mean", "sd", "gamma00", "tau00", "sigma2", "icc", "deff"]
"""Parameters that are compared; a table of fits has all but mean and sd."""
_FILES = 3  # of each table that are named again, beside those of all
_RATIOS = ("tau00", "sigma2", "sd")
_LINKED = ("mean", "gamma00")


@dataclass(frozen=True, eq=False)
class Compared:
    """What comparing asks of a table.

    Attributes
    ----------
    name : str
        Of the table, where there are two.
    by : tuple of str
    rows : list of dict
        Labels and outcome of each row, as they are shown.
    samples : callable
        Which sample each row is of; None for a row without estimates.
    estimates : callable
        A parameter's `Estimate` in each row, or None.
    parameters : tuple of str
    provenance : mapping
        What made the table.
    warn : callable
        Notes on comparisons of its rows, given the rows of each, where the call doesn't say of which samples they are.
    """

    name: str
    by: tuple[str, ...]
    rows: list[dict[str, Any]]
    samples: Callable[[], Sequence[SampleIdentity | None]]
    estimates: Callable[[str], list[Estimate | None]]
    parameters: tuple[str, ...]
    provenance: Mapping[str, Any]
    warn: Callable[[Sequence[Collection[int]]], list[str]] = lambda _: []


@dataclass(frozen=True)
class ContrastTerms:
    """How rows are compared; see `ResultTable.contrast`."""

    parameter: Any = "gamma00"
    over: str | None = None
    link: Any = None
    adjust: str | None = None
    independent: bool | None = None
    level: float = 0.95

    def checked(self, parameters: Sequence[str]) -> ContrastTerms:
        """The same with a tuple of parameters; a FastmlError where something can't be."""
        several = isinstance(self.parameter, Iterable) and not isinstance(self.parameter, str)
        named = list(self.parameter) if several else [self.parameter]
        for name in named or [None]:
            if name not in parameters:
                raise ArgumentError("parameter", name, parameters)
        if self.adjust is not None and self.adjust not in ADJUST:
            raise ArgumentError("adjust", self.adjust, ADJUST)
        if not (self.independent is None or isinstance(self.independent, bool | np.bool_)):
            raise RangeError("independent", self.independent, "True, False or None")
        check_level(self.level)
        link: Any = {k: _error(v, self.link) for k, v in self.link.items()} if isinstance(self.link, Mapping) else None
        if link is None and self.link is not None:
            link = _error(self.link, self.link)
        return replace(self, parameter=tuple(dict.fromkeys(named)), link=link)


def _error(value: Any, given: Any) -> float:
    """A linking error, checked."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 <= float(value) < math.inf:
        raise RangeError("link", given, "a linking error, 0 or more, or one for each cycle but one")
    return float(value)


def contrast_rows(table: Compared, a: Any, b: Any, terms: ContrastTerms) -> ContrastTable:
    """Comparisons within one table."""
    cycle = next((name for name in table.by if name.casefold() in CYCLES), None)
    return _contrast([table], None, cycle, terms, lambda rows: compare(rows, a, b, terms.over))


def contrast_tables(one: Compared, other: Compared, a: Any, terms: ContrastTerms) -> ContrastTable:
    """Each row of a table, or those that `a` names, against the row of its labels in another."""
    names = [one.name or "this table", other.name or "the other"]
    if names[0] == names[1]:
        names = ["this table", "the other"]
    if terms.over is not None:
        raise FastmlError(f"over={terms.over!r} is of the rows of one table, and two are compared; leave it out")
    if "table" in one.by:
        raise FastmlError("a by-column 'table' can't be where two tables are compared; rename it")

    picked, _ = Rows(one.rows, [*one.by, "outcome"]).find(a)  # they are the first of all

    def chosen(rows: Rows) -> list[RowContrast]:
        theirs, named = rows.find({"table": names[1]})
        found = list(matches(rows, picked, theirs, named))
        if not found:
            raise FastmlError("no row of one table has the labels and the outcome of a row of the other")
        return found

    return _contrast([one, other], ("table", names), "table", terms, chosen, of_cycles=terms.link is not None)


def trend(
    tables: Mapping[float, Any],
    *,
    parameter: Compares | Sequence[Compares] = "gamma00",
    link: Mapping[float, float] | float | None = None,
    adjust: Adjust | None = None,
    independent: bool | None = None,
    level: float = 0.95,
) -> ContrastTable:
    """Trends over cycles: the slope of each part's estimates by least squares, in which every cycle counts the same.

    Parameters
    ----------
    tables : mapping of number to SurveyTable or FitTable
        The year of each cycle to its table; all with the same by-columns. A part that a cycle lacks has its trend over
        the others.
    parameter : str or list of str
        As in `SurveyTable.contrast`.
    link : mapping of number to float, optional
        Year to the error of linking its scale to that of the cycle that isn't named; of two cycles a number will do.
        For means; none is added to others.
    independent : bool, optional
        Whether the cycles are of independent samples; without, they are.
    adjust, level
        As in `SurveyTable.contrast`.

    Returns
    -------
    ContrastTable
        A row per part, outcome and parameter; ``difference`` is the change per year, in score points for means.

    Raises
    ------
    FastmlError
        There are fewer than two cycles, a linking error is missing, or a by-column has the name ``cycle`` or that of a
        column of the result.

    Notes
    -----
    Slope sum c_t theta_t, c_t = (t - tbar)/sum (t - tbar)^2. Its variance is that of the sum: the cycles' own, c_t^2
    each, as their samples are independent, and c_t^2 link_t^2 for each linking error, taken as independent.

    Examples
    --------
    >>> import fastml
    >>> rows = {"sex": [1] * 6, "school": [1, 1, 2, 2, 3, 3], "score": [1.0, 2.0, 4.0, 5.0, 9.0, 8.0]}
    >>> cycles = {year: fastml.fit_by(rows | {"score": [x + year for x in rows["score"]]}, "score", "school", by="sex")
    ...           for year in (2011, 2015, 2019)}
    >>> round(fastml.trend(cycles, independent=True).to_dict()[0]["difference"], 6)
    1.0
    """
    if not isinstance(tables, Mapping) or len(tables) < 2:
        raise FastmlError("a trend needs the tables of two cycles or more, as {2015: table, 2019: other}")
    for year, table in tables.items():
        a_year = isinstance(year, Real) and not isinstance(year, bool) and math.isfinite(year)
        if not a_year or not hasattr(table, "_compared") or isinstance(table, type):
            raise FastmlError(f"{year!r}: {type(table).__name__} is no year and its table; give {{2015: table, ...}}")
    compared = [table._compared() for table in tables.values()]
    if any("cycle" in table.by for table in compared):
        raise FastmlError("a by-column 'cycle' can't be where tables of cycles are compared; rename it")
    terms = ContrastTerms(parameter, "cycle", link, adjust, independent, level)
    return _contrast(compared, ("cycle", list(tables)), "cycle", terms,
                     lambda rows: compare(rows, None, "trend", "cycle"), of_cycles=True)  # fmt: skip


def _contrast(
    tables: Sequence[Compared],
    marks: tuple[str, Sequence[Any]] | None,
    cycle: str | None,
    terms: ContrastTerms,
    choose: Callable[[Rows], list[RowContrast]],
    of_cycles: bool = False,
) -> ContrastTable:
    """Compare the rows of tables that a column of marks tells apart; cycles are independent samples."""
    terms = terms.checked([name for name in tables[0].parameters if all(name in t.parameters for t in tables)])
    if len({frozenset(table.by) for table in tables}) > 1:
        raise FastmlError(f"the tables have different by-columns: {' and '.join(str(list(t.by)) for t in tables)}")
    for name in tables[0].by:
        if name in (*CONTRAST_TABLE, *STAMP):
            raise FastmlError(f"by column {name!r} has the name of a column of the table of comparisons; rename it")
    labels = [{marks[0]: mark} if marks else {} for mark in (marks[1] if marks else [None])]
    rows = [{**label, **row} for label, table in zip(labels, tables, strict=True) for row in table.rows]
    columns = [*(labels[0]), *tables[0].by, "outcome"]
    independent = True if of_cycles and terms.independent is None else terms.independent
    samples = [x for t in tables for x in (t.samples() if independent is None else [None] * len(t.rows))]
    same = same_samples(samples, independent)
    cycle = terms.over if cycle is None and terms.link is not None else cycle
    made: list[dict[str, Any]] = []
    compared: list[RowContrast] = []
    for parameter in terms.parameter:
        estimates = [estimate for table in tables for estimate in table.estimates(parameter)]
        usable = [{**row, "usable": estimate is not None and not np.isnan(estimate.values).any()}
                  for row, estimate in zip(rows, estimates, strict=True)]  # fmt: skip
        chosen = choose(Rows(usable, columns))
        linking = linking_variance(chosen, rows, cycle, terms.link) if parameter in _LINKED else None
        made.append(_of_parameter(parameter, chosen, estimates, same, linking, terms))
        compared += chosen
    found = {name: _joined([of[name] for of in made]) for name in made[0]}
    if terms.adjust:
        for of in ("", "_ratio"):
            found[f"p_adjusted{of}"] = adjusted(found[f"p_value{of}"], terms.adjust)
    kept = [name for name in columns[:-1] if all(name in one.labels for one in compared)]
    of_labels = {name: [one.labels[name] for one in compared] for name in kept}
    points = _points(Rows(rows, columns), tables, terms) if marks and marks[0] == "cycle" else None
    notes = _notes(found, terms)
    if marks is None and independent is None:
        notes += tables[0].warn([one.weights for one in compared])
    return contrast_table(of_labels, found, _provenance(tables, terms), notes, points)


def _joined(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else [value for part in parts for value in part]


def _points(rows: Rows, tables: Sequence[Compared], terms: ContrastTerms) -> list[dict[str, Any]]:
    """The estimates of each cycle with their intervals, for a picture."""
    varies = [name for name in rows.columns[1:] if len({text[name] for text in rows.texts}) > 1]
    found = []
    for parameter in terms.parameter:
        estimates = [_NONE if x is None else x for table in tables for x in table.estimates(parameter)]
        alone = [np.array([i]) for i in range(len(estimates))]
        each = combine(estimates, alone, np.eye(len(estimates), dtype=bool), [{i: 1.0} for i in range(len(estimates))])
        low, high = each.limits(terms.level)
        found += [
            {"name": " ".join(rows.texts[i][name] for name in varies), "parameter": parameter,
             "cycle": float(row["cycle"]), "estimate": float(each.estimate[i]), "low": float(low[i]),
             "high": float(high[i])}
            for i, row in enumerate(rows.rows) if not math.isnan(each.estimate[i])
        ]  # fmt: skip
    return found


def _provenance(tables: Sequence[Compared], terms: ContrastTerms) -> dict[str, Any]:
    link = {label_text(k): v for k, v in terms.link.items()} if isinstance(terms.link, Mapping) else terms.link
    return provenance(
        "contrast table",
        **together([table.provenance for table in tables]),
        level=terms.level,
        adjust=terms.adjust,
        link=link,
        independent=terms.independent,
        tables=[{**made, "files": made.get("files", [])[:_FILES]} for made in (table.provenance for table in tables)],
    )


def _of_parameter(
    parameter: str,
    chosen: Sequence[RowContrast],
    given: Sequence[Estimate | None],
    same: SharedSamples,
    linking: Floats | None,
    terms: ContrastTerms,
) -> dict[str, Any]:
    """Columns of the table for one parameter, as lists and arrays (C,)."""
    weights = [one.weights for one in chosen]
    estimates = [_NONE if estimate is None else estimate for estimate in given]
    same = paired_samples(same, estimates)
    shared, refused = same.shared, [same.why_not(of_rows) for of_rows in weights]
    groups = components(shared, dict.fromkeys(row for of_rows in weights for row in of_rows))
    kinds = _kinds(weights, shared, groups)
    found = combine(estimates, groups, shared, weights, linking)
    on_logs = None
    if parameter in _RATIOS:
        on_logs = combine([on_log(estimate) for estimate in estimates], groups, shared, weights)
    values = [float(np.mean(estimate.values)) for estimate in estimates]

    def side(of_rows: Mapping[int, float], other: bool) -> float:
        return sum(weight * values[row] for row, weight in of_rows.items()) if other else math.nan

    without = np.array([why is not None for why in refused])
    figures = _figures(found, on_logs, terms.level).items()
    columns: dict[str, Any] = {
        "a": [one.a for one in chosen],
        "b": [one.b.strip() or None for one in chosen],
        "outcome": [one.labels.get("outcome") for one in chosen],
        "parameter": [parameter] * len(chosen),
        "samples": kinds,
        "estimate_a": np.array([side(one.of_a, bool(one.of_b)) for one in chosen]),
        "estimate_b": np.array([side(one.of_b, bool(one.of_b)) for one in chosen]),
        **{name: np.where(without, math.nan, values) for name, values in figures},
    }
    # Logarithms' mean is that of a geometric mean, which estimate_a or estimate_b is not.
    of_means = np.array([bool(one.of_b) and max(len(one.of_a), len(one.of_b)) > 1 for one in chosen])
    for name in _OF_RATIO:
        columns[name] = np.where(of_means, math.nan, columns[name])
    statuses, messages = _statuses(columns, parameter, of_means)
    messages = [said if why is None else why for said, why in zip(messages, refused, strict=True)]
    if without.any() and "ok" not in statuses:
        one = chosen[int(without.argmax())]
        raise FastmlError(f"{' and '.join(filter(str.strip, (one.a, one.b)))}: {same.why_not(one.weights)}")
    columns["samples"] = [kind if status == "ok" else None for kind, status in zip(kinds, statuses, strict=True)]
    return {**columns, "status": statuses, "message": messages}


_OF_RATIO = ("ratio", "p_value_ratio", "ci_low_ratio", "ci_high_ratio")
_NONE = Estimate(np.full(1, math.nan), np.empty((0, 1)), (), False, 0.0, math.nan, math.nan)


def _kinds(
    weights: Sequence[Mapping[int, float]], shared: npt.NDArray[np.bool_], groups: Sequence[npt.NDArray[np.intp]]
) -> list[str]:
    """Whether the rows of each contrast are of one sample, of independent ones, or of both."""
    group = {row: g for g, rows in enumerate(groups) for row in rows.tolist()}
    found = []
    for of_rows in weights:
        rows = list(of_rows)
        alone = len({group[row] for row in rows})
        if alone == len(rows):
            found.append("independent")
            continue
        pairs = [shared[i, j] for at, i in enumerate(rows) for j in rows[:at]]
        found.append("one" if all(pairs) else "both" if any(pairs) else "independent")
    return found


def _figures(found: Contrasts, on_logs: Contrasts | None, level: float) -> dict[str, Floats]:
    t, p = found.tests()
    low, high = found.limits(level)
    none = np.full(len(t), math.nan)
    columns = {"difference": found.estimate, "se": found.se, "sampling_variance": found.sampling_variance,
               "imputation_variance": found.imputation_variance, "linking_variance": found.linking_variance,
               "df": found.df, "t": t, "p_value": p, "p_adjusted": none, "ci_low": low, "ci_high": high,
               "ratio": none, "p_value_ratio": none, "p_adjusted_ratio": none, "ci_low_ratio": none,
               "ci_high_ratio": none}  # fmt: skip
    if on_logs is not None:
        low, high = on_logs.limits(level)
        with np.errstate(over="ignore"):
            columns |= {"ratio": np.exp(on_logs.estimate), "p_value_ratio": on_logs.tests()[1],
                        "ci_low_ratio": np.exp(low), "ci_high_ratio": np.exp(high)}  # fmt: skip
    return columns


def _statuses(
    columns: Mapping[str, Any], parameter: str, of_means: npt.NDArray[np.bool_]
) -> tuple[list[str], list[str | None]]:
    """Whether there is a result, and what is missing in a sentence."""
    why = "has no standard error in its table"
    if parameter in ("tau00", "icc", "deff"):
        why = "is 0, on the boundary, or a replicate has no fit"
    lacks: dict[str, tuple[str, str | None]] = {
        "difference": ("no_result", f"a row of it has no {parameter}; its table says why"),
        "se": ("ok", f"no standard error, as {parameter} of a row {why}"),
    }
    if parameter in _RATIOS:
        lacks["ratio"] = ("ok", f"no ratio, as {parameter} is 0 in a plausible value")
        lacks["ci_low_ratio"] = ("ok", f"no interval of the ratio, as {parameter} is 0 in a replicate")
    found: list[tuple[str, str | None]] = [("ok", None)] * len(columns["difference"])
    for name, said in reversed(lacks.items()):
        without = np.isnan(columns[name])
        for c in np.flatnonzero(without & ~of_means if name in _OF_RATIO else without).tolist():
            found[c] = said
    return [status for status, _ in found], [message for _, message in found]


def _notes(columns: Mapping[str, Any], terms: ContrastTerms) -> list[str]:
    """What the table says of how it was made."""
    how = {
        "one": "of one sample: covariance from the replicates, plausible value by plausible value",
        "independent": "of independent samples: their variances add",
        "both": "some of one sample, with their covariance from the replicates, and some of independent ones",
    }
    kinds = [kind for kind in columns["samples"] if kind is not None]
    notes = []
    for kind, words in how.items():
        count = kinds.count(kind)
        if count:
            which = "rows" if count == len(kinds) else f"rows of {count:,} of the {len(kinds):,} comparisons"
            notes.append(f"{which} are {words}" + ("" if terms.independent is None else " (as the call says)"))
    if terms.link is not None:
        if (columns["linking_variance"] > 0.0).any():
            notes.append("the error of linking the scales is in the standard errors, once for each comparison")
        without = [name for name in terms.parameter if name not in _LINKED]
        if without:
            notes.append(f"{', '.join(without)}: no linking error, which is of means")
    if terms.adjust:
        name = {"holm": "Holm", "bh": "Benjamini and Hochberg"}[terms.adjust]
        count = int(np.count_nonzero(~np.isnan(columns["p_value"])))
        notes.append(f"p_adjusted: by {name}, for {count:,} comparisons")
    return notes
