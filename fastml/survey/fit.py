"""fit_survey: plausible values and replicate weights of a large-scale assessment, every country at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastml.designs import Design, Jackknife
from fastml.errors import FastmlError, ModelError, called_as, plain_errors
from fastml.io.in_memory import check_has_columns
from fastml.io.source import Input
from fastml.io.threads import thread_count
from fastml.results.table import check_by
from fastml.survey.cells import Part
from fastml.survey.choices import Choices, Df, Se, check_choices, check_names
from fastml.survey.cleaning import CleanRows, check_codes, check_ends, check_has_rows, open_rows
from fastml.survey.columns import find_columns
from fastml.survey.estimates import fit_parts
from fastml.survey.jackknife import jackknife_parts
from fastml.survey.replicate_weights import column_parts
from fastml.survey.school_file import SchoolWeights, read_school_weights, with_own_types
from fastml.survey.table import COLUMNS, SurveyTable, survey_provenance, survey_table

if TYPE_CHECKING:
    from fastml.inference.robust import Vcov
    from fastml.model.weighted import Scaling

__all__ = ["fit_survey"]


@called_as("fit_survey(data, 'BSMMAT', design='timss', by='IDCNTRY')")
def fit_survey(
    data: Any,
    outcome: str | Sequence[str],
    design: Design | str,
    *,
    by: str | Sequence[str] | None = None,
    group: str | None = None,
    school_data: Any = None,
    weight_scaling: Scaling = "size",
    se: Se = "replicate",
    vcov: Vcov = "cr2",
    df: Df | None = None,
    average: bool = False,
    level: float = 0.95,
    missing: float | str | Sequence[float | str] | None = None,
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
        PV10MATH in PISA), as many as there are. A column without plausible values is taken as it is.
    design : Design or str
        One of `fastml.designs`, its name, perhaps with the year ("TIMSS 2011"), or your own.
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
    vcov : {"cr2", "joint", "block"}
        Kind of robust standard errors over schools; see `fit`. With "cr2" that of the official mean is by CR2 too.
    df : {"johnson-rust"}, optional
        Degrees of freedom of the jackknife of zones: Welch and Satterthwaite's, from what each zone adds to the
        variance, times the factor of Johnson and Rust, as EdSurvey has them. Without, the number of zones.
    average : bool
        Add a row per outcome with the mean over the parts that have a result, taken as independent, each with the
        same weight; its by-labels are null.
    level : float
        Of the intervals.
    missing : float, str or list of them, optional
        Codes of missing answers in these columns, besides the design's (996 to 999 and longer ones of nines, in any
        score), and from two digits on in weights; texts are those of CSV files. What looks like such a code (6 to 9, 96
        to 99, ... apart from all other values; the 9 or 99 that a score measured once ends at) is refused until this
        names it, or ``missing=()`` says that there is none.
    filter, threads, csv_options, progress
        As in `fit`.

    Returns
    -------
    SurveyTable
        A row per part and outcome: gamma00, tau00, sigma2, icc, deff of the model and the official weighted mean and
        sd of the scores, each with its standard error, the error's parts from sampling and from imputation, degrees of
        freedom (Barnard and Rubin's) and interval; rows left out by cause, a status, notes; and what made it all, in
        `SurveyTable.provenance`. Where there is no school weight, or a part has no school ids, mean and sd are all
        there is, and the status says so.

    Raises
    ------
    FastmlError
        In one line: an unknown design; a column of it missing; weights that are negative, infinite or vary within a
        school; a row without a zone; a half other than 0 or 1; a school file without the school weight, or with none
        of the schools.

    Notes
    -----
    A replicate acts on the school: its weight becomes v sum(t^r)/sum(t) with t the total weights of its rows, and the
    conditional weights t^r over that are scaled as in the full sample. The complete-data degrees of freedom of a part
    are its number of zones or, of replicates that are columns, their rank less 1. Intervals are by t; those of tau00,
    sigma2 and sd on the logarithm, of the icc, and with it deff, on the logit: none reaches below 0, and where tau00
    is 0 there is none. The design effect takes the full sample's students per school as known.

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
    (12, 504.034, 0.2164, 3.0)
    """
    choices = check_choices(design, weight_scaling, se, vcov, level, missing, df)
    check_has_columns(data)
    outcomes, by = check_names("outcome", outcome), check_names("by", by)
    if not outcomes:
        raise FastmlError("outcome=[] names no score; name one or several: fit_survey(data, 'BSMMAT', 'timss')")
    if average and not by:
        raise FastmlError("average=True is a mean over parts: name their column, as by='IDCNTRY'")
    threads = thread_count(threads)
    given = Input(check_has_rows(data), filter, threads, csv_options, progress)
    students = given.with_missing(choices.texts).checked()
    school_file = replace(students, data=school_data, filter=None, progress=False)
    schools = None
    with plain_errors(given.named()):
        if school_data is not None:
            students, school_file = with_own_types(students, school_file)
        columns = find_columns(students, outcomes, choices, by, group, None if school_data is None else school_file)
        check_by(columns.by, COLUMNS)
        if columns.school_file_weight:
            with plain_errors(school_file.named()):
                schools = read_school_weights(school_file, students, columns, choices)
        rows = open_rows(students, columns, choices.design.missing, choices.missing or ())
        parts, dropped_by = _read_parts(rows, schools, choices, threads)
    if choices.missing is None:
        check_ends(rows)
    check_codes(rows.seen, choices.missing, [columns.weight, *columns.group_weight])
    if not parts:
        raise ModelError("there are no rows to fit; check the files, the filter and the by-columns")
    notes = {name: [*columns.notes[name], *rows.notes(name)] for name in outcomes}
    types = {name: rows.schema.field(name).type for name in columns.by}
    found, kept = fit_parts(parts, notes, choices, average, threads)
    found = [row | {"rows_without_by": dropped_by} for row in found]
    data = rows.digests()
    return survey_table(types, found, survey_provenance(rows, students, choices, columns, schools),
                        [None if row is None else row.of(data) for row in kept])  # fmt: skip


def _read_parts(
    rows: CleanRows, schools: SchoolWeights | None, choices: Choices, threads: int
) -> tuple[list[Part], int]:
    """Read the rows as the design's kind of replicates needs them; another kind would have a module and a line here."""
    if choices.replicated and isinstance(choices.design.replicates, Jackknife):
        return jackknife_parts(rows, schools, choices, threads)
    return column_parts(rows, schools, choices, threads)
