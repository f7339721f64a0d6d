"""fit_survey: plausible values and replicate weights of a large-scale assessment, every country at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from numbers import Real
from typing import Any

from fastml._version import __version__
from fastml.designs import Columns, Design, Jackknife, find_design
from fastml.errors import ArgumentError, FastmlError, ModelError, RangeError
from fastml.groupstats.statistics import GroupStats
from fastml.inference.distributions import check_level
from fastml.io.source import Input
from fastml.io.threads import thread_count
from fastml.model.weighted import UNWEIGHTED_WITHIN
from fastml.reduce.lazy_frames import is_lazy
from fastml.results.table import check_by
from fastml.results.weighting import check_options
from fastml.survey.cells import Part
from fastml.survey.cleaning import CleanRows, check_codes, open_rows
from fastml.survey.columns import Roles, find_roles
from fastml.survey.estimates import Choices, FittedPart, average_row, fit_part
from fastml.survey.jackknife import jackknife_parts
from fastml.survey.replicate_weights import column_parts
from fastml.survey.school_file import SchoolWeights, read_school_weights
from fastml.survey.table import COLUMNS, SurveyTable, survey_table

__all__ = ["fit_survey"]

SES = ("replicate", "sandwich")


def fit_survey(
    data: Any,
    outcome: str | Sequence[str],
    design: Design | str,
    *,
    by: str | Sequence[str] | None = None,
    group: str | None = None,
    school_data: Any = None,
    weight_scaling: str = "size",
    se: str = "replicate",
    vcov: str = "joint",
    average: bool = False,
    level: float = 0.95,
    missing: float | Sequence[float] | None = None,
    filter: Any = None,
    threads: int | None = None,
    csv_options: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> SurveyTable:
    """Fit the weighted null model to an assessment, with its plausible values and replicate weights.

    Parameters
    ----------
    data : table, dict of arrays, RecordBatchReader, path, glob, or list of paths
        Rows of students, as `fit` takes them; of lazy frames the rows (``.arrow()``, ``.collect()``).
    outcome : str or list of str
        Names of scores: "BSMMAT" means its plausible values (BSMMAT01 to BSMMAT05 in TIMSS, "MATH" PV1MATH to
        PV10MATH in PISA). A column without plausible values is taken as it is.
    design : Design or str
        One of `fastml.designs`, its name, or your own.
    by : str or list of str, optional
        Columns that split the data: countries. Without, several countries are fitted as one, their schools and zones
        kept apart, and a note says so.
    group : str, optional
        Another column of groups than the design's schools: "IDCLASS" in TIMSS, with the class's weight on level 2.
    school_data : as `data`, optional
        The school file, where the school's weight lives there (PISA); joined by school and country.
    weight_scaling : str
        As in `fit`.
    se : {"replicate", "sandwich"}
        Replicate standard errors by the design, or robust ones over schools.
    vcov : {"joint", "block"}
        Kind of sandwich.
    average : bool
        Add a row per outcome with the mean over the parts that have a result, taken as independent, each with the
        same weight; its by-labels are null.
    level : float
        Of the intervals.
    missing : float or list of float, optional
        Codes of missing answers in these columns, besides the design's (996 to 999 and longer ones of nines, in any
        column). A score measured once whose whole numbers end at 9 or 99 is refused until this says what they are.
    filter, threads, csv_options, progress
        As in `fit`.

    Returns
    -------
    SurveyTable
        A row per part and outcome: gamma00, tau00, sigma2, icc, deff of the model and the official weighted mean and
        sd of the scores, each with its standard error, the error's parts from sampling and from imputation, degrees of
        freedom (Barnard and Rubin's) and interval; rows left out by cause, a status, notes; and what made it all, in
        `SurveyTable.provenance`.

    Raises
    ------
    FastmlError
        In one line: an unknown design; a column of it missing; no school weight; weights that are negative, infinite
        or vary within a school; a row without a zone; a half other than 0 or 1; a school file that has none of the
        schools.

    Notes
    -----
    A replicate acts on the school: its weight becomes v sum(t^r)/sum(t) with t the total weights of its rows, and the
    conditional weights t^r over that are scaled as in the full sample. Intervals are t intervals, so that a variance's
    may reach below zero. The design effect takes the full sample's students per school as known.

    Examples
    --------
    >>> import numpy as np
    >>> import fastml
    >>> school = np.repeat(np.arange(12), 5)
    >>> score = 500.0 + 20.0 * np.sin(school) + 30.0 * np.cos(np.arange(60.0))
    >>> data = {"IDCNTRY": np.full(60, 1), "IDSCHOOL": school, "JKZONE": school // 2, "JKREP": school % 2,
    ...         "TOTWGT": np.full(60, 8.0), "SCHWGT": np.full(60, 2.0)}
    >>> data |= {f"BSMMAT0{k}": score + k for k in range(1, 6)}
    >>> table = fastml.fit_survey(data, "BSMMAT", "timss", by="IDCNTRY")
    >>> row = table.to_dict()[0]
    >>> row["n_groups"], round(row["mean"], 3), round(row["icc"], 4), row["imputation_variance_gamma00"]
    (12, 504.034, 0.2164, 2.5)
    """
    choices = _choices(design, weight_scaling, se, vcov, level, missing)
    outcomes, by = _names("outcome", outcome), _names("by", by)
    if not outcomes:
        raise FastmlError("outcome=[] names no score; name one or several: fit_survey(data, 'BSMMAT', 'timss')")
    if average and not by:
        raise FastmlError("average=True is a mean over parts: name their column, as by='IDCNTRY'")
    threads = thread_count(threads)
    source = Input(_rows_of(data), filter, threads, csv_options, progress).checked()
    school_source = replace(source, data=school_data, filter=None, progress=False)
    with_file, replicated = school_data is not None, choices.se == "replicate"
    roles = find_roles(source, outcomes, choices.design, by, group, with_file, replicated)
    check_by(roles.by, COLUMNS)
    schools = read_school_weights(school_source, source, roles, choices.design) if with_file else None
    rows = open_rows(source, roles, choices.design.missing)
    parts, dropped_by = _gather(rows, replace(roles, outcomes=rows.outcomes), schools, choices, threads)
    if missing is None:
        check_codes(rows)
    if not parts:
        raise ModelError("there are no rows to fit; check the files, the filter and the by-columns")
    notes = {name: [*roles.notes.get(name, []), *rows.notes(name)] for name in outcomes}
    found = _fit_all(parts, outcomes, choices, notes, average, threads)
    provenance = {
        "content": "survey table",
        "fastml": __version__,
        "files": _paths(data),
        "school_files": _paths(school_data),
        "filter": None if filter is None else str(filter),
        "rows_without_by": dropped_by,
        **_columns_used(roles, schools),
        **_formulas(choices, roles),
    }
    types = {name: rows.schema.field(name).type for name in roles.by}
    return survey_table(types, found, provenance)


def _choices(design: Any, scaling: Any, se: Any, vcov: Any, level: Any, missing: Any) -> Choices:
    chosen = find_design(design)
    _, scaling, vcov = check_options("total", scaling, vcov)
    folded = se.lower() if isinstance(se, str) else se
    if folded not in SES:
        raise ArgumentError("se", se, SES)
    check_level(level)
    codes: list[Any] = [] if missing is None else [missing]
    if isinstance(missing, Iterable) and not isinstance(missing, str):
        codes = list(missing)
    if not all(isinstance(code, Real) and not isinstance(code, bool) for code in codes):
        raise RangeError("missing", missing, "a number or a list of numbers")
    chosen = replace(chosen, missing=(*chosen.missing, *map(float, codes)))
    return Choices(chosen, scaling, str(folded), vcov, float(level))


def _names(role: str, names: str | Sequence[str] | None) -> list[str]:
    found = [names] if isinstance(names, str) else list(names or [])
    if not all(isinstance(name, str) for name in found) or len(set(found)) < len(found):
        raise FastmlError(f"{role}={names!r} must name one column or several different ones")
    return found


def _rows_of(data: Any) -> Any:
    if isinstance(data, GroupStats):
        raise FastmlError("fit_survey needs rows of students, and these are statistics of groups; use fit or fit_by")
    if is_lazy(data) and not hasattr(data, "__arrow_c_stream__"):
        raise FastmlError(
            f"fit_survey reads rows, which a {type(data).__module__.partition('.')[0]} {type(data).__name__} doesn't "
            "hold yet: collect the columns it needs first, or give the path of the files"
        )
    return data


def _gather(
    rows: CleanRows, roles: Roles, schools: SchoolWeights | None, choices: Choices, threads: int
) -> tuple[list[Part], int]:
    scheme = choices.design.replicates
    if choices.se == "replicate" and isinstance(scheme, Jackknife):
        return jackknife_parts(rows, roles, scheme, schools, threads)
    return column_parts(rows, roles, schools, choices.scaling in UNWEIGHTED_WITHIN, threads)


def _fit_all(
    parts: list[Part],
    outcomes: list[str],
    choices: Choices,
    notes: Mapping[str, list[str]],
    average: bool,
    threads: int,
) -> list[dict[str, Any]]:
    """Rows of the table; `notes` are those on an outcome in all the data."""
    tasks = list(product(parts, outcomes))
    workers = min(threads, len(tasks))

    def work(task: tuple[Part, str]) -> FittedPart:
        # One thread per part where there are several; else the fits of the one part share them.
        return fit_part(*task, choices, 1 if workers > 1 else threads)

    with ThreadPoolExecutor(workers) as executor:
        fitted = list(executor.map(work, tasks))
    found = [{**fit.row, "notes": "; ".join([*fit.notes, *notes[fit.row["outcome"]]])} for fit in fitted]
    averages = [average_row(name, fitted, choices) for name in outcomes] if average else []
    return found + averages


def _paths(data: Any) -> list[str]:
    paths = data if isinstance(data, (list, tuple)) else [data]
    return [os.fspath(path) for path in paths if isinstance(path, (str, os.PathLike))]


def _columns_used(roles: Roles, schools: SchoolWeights | None) -> dict[str, Any]:
    return {
        "outcomes": {name: list(columns) for name, columns in roles.outcomes.items()},
        "by": list(roles.by),
        "country": roles.country,
        "group": roles.group,
        "weights": roles.weight,
        "group_weights": roles.group_weight_name if schools is None else schools.name,
        "school_data": schools is not None,
    }


def _formulas(choices: Choices, roles: Roles) -> dict[str, Any]:
    """The statistics chosen, and how the design makes a sampling variance."""
    design, replicated = choices.design, choices.se == "replicate"
    if isinstance(design.replicates, Columns):
        scheme = (
            f"{design.replicates.count} columns {roles.replicates[0]} to {roles.replicates[-1]}" if replicated else ""
        )
    else:
        halves = "both halves" if design.replicates.both_halves else "one half"
        scheme = f"jackknife, {halves} of zones {roles.zone}, halves {roles.half}"
    return {
        "design": design.name,
        "weight_scaling": choices.scaling,
        "se": choices.se,
        "vcov": None if replicated else choices.vcov,
        "replicates": scheme if replicated else None,
        "factor": design.factor if replicated else None,
        "sampling_variance": ("plausible value 1" if design.first_only and replicated else "all plausible values"),
        "level": choices.level,
        "missing": list(design.missing),
    }
