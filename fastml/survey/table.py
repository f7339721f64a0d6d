"""The table of assessments: a row per part and outcome, every figure with the parts of its error."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, get_args

import pyarrow as pa

from fastml.designs import Jackknife
from fastml.errors import FastmlError, visible
from fastml.inference.delta import logit_limits
from fastml.inference.distributions import check_level
from fastml.io.source import Input
from fastml.io.writing import write_parquet
from fastml.report import text
from fastml.report.fields import SURVEY_TABLE
from fastml.report.provenance import STAMP, data_text, provenance, with_metadata
from fastml.report.sentences import table_sentences
from fastml.results.contrasts import Compared, Compares
from fastml.results.shown_table import INTERVAL, table_text
from fastml.results.table import ResultTable, label_column, or_nan, or_null
from fastml.survey.choices import Choices
from fastml.survey.cleaning import CleanRows
from fastml.survey.columns import SurveyColumns
from fastml.survey.kept import KEPT, Kept, kept_columns
from fastml.survey.school_file import SchoolWeights

__all__ = ["COLUMNS", "SurveyTable", "survey_provenance", "survey_table"]


@dataclass(frozen=True, eq=False, repr=False)
class SurveyTable(ResultTable):
    """Assessments of many countries: what `fit_survey` gives.

    Attributes
    ----------
    table : pyarrow.Table
        The by-columns, ``outcome``, ``n_obs``, ``n_groups``; then gamma00, tau00, sigma2, icc, deff, mean (official,
        weighted) and sd, each followed by the same with ``se_``, ``sampling_variance_``, ``imputation_variance_``,
        ``df_``, ``ci_low_`` and ``ci_high_`` before its name; rows left out, ``n_dropped`` and ``dropped_CAUSE``;
        ``status``, "ok" or in a word why there is no model, and ``message``, why in a sentence; ``notes``. Its
        schema's metadata hold the provenance, under ``fastml``, as JSON; so does the Parquet file of `write`.
    by : tuple of str
        The by-columns.
    kept : tuple of Kept or None
        All estimates of each row, which comparing them needs; None for an average, and where there are no data.
    """

    kept: tuple[Kept | None, ...] = field(default=(), repr=False)

    def shown(self) -> list[dict[str, Any]]:
        """Return the rows as they are printed: ids as they are meant, and the row of an average named so."""
        rows = super().shown()
        return [{**row, self.by[0]: "average"} if self._is_average(row) else row for row in rows]

    def _is_average(self, row: Mapping[str, Any]) -> bool:
        return bool(self.by) and all(row[name] is None for name in self.by)

    def _icc_intervals(self, level: float | None) -> tuple[float, list[tuple[float, float, str]]]:
        """The logit's limits, by t with the pooled degrees of freedom; at the table's own level without another."""
        level = self.provenance["level"] if level is None else level
        check_level(level)
        made = []
        for row in self.to_dict():
            icc, se, df = (or_nan(row[name]) for name in ("icc", "se_icc", "df_icc"))
            made.append((*logit_limits(icc, se, df, level), ""))
        return level, made

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table, and what is kept of its estimates, to a Parquet file, which `read_table` reads.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        SourceError
            The file can't be written.
        """
        table = self.to_arrow()
        for name, column in (kept_columns(self.kept) if self.kept else {}).items():
            table = table.append_column(name, column)
        write_parquet(table, path)

    def _compared(self) -> Compared:
        if len(self.kept) != len(self):
            raise FastmlError(
                "the table has no estimates of plausible values and replicates to compare by; read_table reads those "
                "of the file that its write made, or fit it again"
            )
        parts = [i for i, row in enumerate(self.to_dict()) if not self._is_average(row)]
        rows, made = self.shown(), self.provenance
        kept = [self.kept[i] for i in parts]
        return Compared(
            name=PurePath(made["files"][0]).name if len(made["files"]) == 1 else "",
            by=self.by,
            rows=[rows[i] for i in parts],
            samples=lambda: [None if row is None else row.sample for row in kept],
            estimates=lambda parameter: [None if row is None else row.estimate(parameter) for row in kept],
            parameters=get_args(Compares),
            provenance=made,
        )

    def _text(self, columns: Sequence[str] | None) -> str:
        level, rows = self._seen(columns)
        model, *lines = self._lines()
        table = table_text(rows, self.by, level, _SHOWN, columns)
        return "\n".join([visible(model), "", table, "", *map(visible, lines)])

    def _lines(self) -> list[str]:
        """The model in a line; then what made the table, and the rows' notes."""
        p = self.provenance
        kind = f" ({p['vcov']})" if p["vcov"] else ""
        model = f"{p['design']}: weighted null model, scaling {p['weight_scaling']}, {p['se']} standard errors{kind}"
        columns = [f"groups {p['group']}", f"weights {p['weights']}", f"school weights {p['group_weights'] or 'none'}"]
        if p["school_data"]:
            columns[-1] += f" of {', '.join(p['school_files']) or 'the school data'}"
        if p["replicates"]:
            columns += [p["replicates"], f"variance {p['factor']:g} x sum of squares, {p['sampling_variance']}"]
            columns += ["degrees of freedom by Johnson and Rust"] if p["df"] else []
        notes = text.table_notes(self._parts(), self.by)
        for row in self.shown():
            if row["notes"]:
                label = " ".join(str(row[name]) for name in (*self.by, "outcome") if row[name] is not None)
                notes.append(f"{label}: {row['notes']}")
        return [model, "; ".join(columns), data_text(p), *notes]

    def _notes(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        return self._lines()

    def _parts(self) -> list[dict[str, Any]]:
        """The rows as they are printed, without the average."""
        return [shown for row, shown in zip(self.to_dict(), self.shown(), strict=True) if not self._is_average(row)]

    def _sentences(self) -> list[str]:
        level, rows = self._seen()
        parts = [row for row, plain in zip(rows, self.to_dict(), strict=True) if not self._is_average(plain)]
        return table_sentences(parts, self.by, level)


# What is printed.
_SHOWN = ("outcome", "n_obs", "n_groups", "n_dropped", "mean", "se_mean", "gamma00", "se_gamma00", "tau00", "se_tau00",
          "sigma2", "se_sigma2", "icc", "se_icc", INTERVAL, "deff", "status")  # fmt: skip
COLUMNS = frozenset((*SURVEY_TABLE, *KEPT, *STAMP))
"""What a by-column can't be called."""


def survey_provenance(
    rows: CleanRows, students: Input, choices: Choices, columns: SurveyColumns, schools: SchoolWeights | None
) -> dict[str, Any]:
    """What made a table: files, filter, columns, statistics, and how the design makes a variance."""
    design, scheme = choices.design, None
    if choices.replicated and isinstance(design.replicates, Jackknife):
        halves = "both halves" if design.replicates.both_halves else "one half"
        scheme = f"jackknife, {halves} of zones {columns.zone}, halves {columns.half}"
    elif choices.replicated:
        names = columns.replicates
        scheme = f"{len(names)} columns {names[0]} to {names[-1]}"
    return provenance(
        "survey table",
        files=rows.files,
        filter=students.condition,
        read=students.said(design.missing),
        outcomes=columns.outcomes,
        by=columns.by,
        group=columns.group,
        weights=columns.weight,
        group_weights=columns.group_weight_name if schools is None else schools.name,
        school_data=schools is not None,
        school_files=[] if schools is None else list(schools.files),
        country=columns.country,
        design=design.name,
        weight_scaling=choices.scaling,
        se=choices.se,
        vcov=None if choices.replicated else choices.vcov,
        df=choices.df,
        replicates=scheme,
        factor=design.factor if choices.replicated else None,
        sampling_variance="plausible value 1" if design.first_only and choices.replicated else "all plausible values",
        level=choices.level,
    )


def survey_table(
    by_types: Mapping[str, pa.DataType],
    rows: Sequence[Mapping[str, Any]],
    made: Mapping[str, Any],
    kept: Sequence[Kept | None] = (),
) -> SurveyTable:
    """Make a table of rows of pooled figures.

    Parameters
    ----------
    by_types : mapping
        By-column to type of its labels.
    rows : sequence of mapping
        By-labels and figures; what is missing becomes null.
    made : mapping
        What made the table, as plain values.
    kept : sequence of Kept or None
        Of the first rows.

    Returns
    -------
    SurveyTable
    """
    labels = {name: label_column([row.get(name) for row in rows], dtype) for name, dtype in by_types.items()}
    columns = {name: pa.array((or_null(row.get(name)) for row in rows), kind.arrow)
               for name, kind in SURVEY_TABLE.items()}  # fmt: skip
    table = with_metadata(pa.table({**labels, **columns}), made)
    return SurveyTable(table, tuple(by_types), (*kept, *[None] * (len(rows) - len(kept))))
