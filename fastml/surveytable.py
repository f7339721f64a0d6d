"""The table of assessments: a row per part and outcome, every figure with the parts of its error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from fastml import report
from fastml.tables import ResultTable

__all__ = ["SurveyTable", "survey_table"]


class SurveyTable(ResultTable):
    """Assessments of many countries: what `fit_survey` gives.

    Attributes
    ----------
    table : pyarrow.Table
        The by-columns, ``outcome``, ``n_obs``, ``n_groups``; then gamma00, tau00, sigma2, icc, deff, mean (official,
        weighted) and sd, each followed by the same with ``se_``, ``sampling_variance_``, ``imputation_variance_``,
        ``df_``, ``ci_low_`` and ``ci_high_`` before its name; rows left out, ``n_dropped`` and ``dropped_CAUSE``;
        ``status``, "ok" or why there is no result; ``notes``. Its schema's metadata hold the provenance.
    by : tuple of str
        The by-columns.
    """

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the table: version, design, files, columns and options."""
        found: dict[str, Any] = json.loads(self.table.schema.metadata[b"fastml"])
        return found

    def __str__(self) -> str:
        p = self.provenance
        shown = [(name, f"se_{name}") for name in ("mean", "gamma00", "tau00", "sigma2", "icc")]
        figures = [name for pair in shown for name in pair]
        columns = [*self.by, "outcome", "n_obs", "n_groups", *figures, "deff", "status"]
        lines = [
            f"{p['design']}: weighted null model, scaling {p['weight_scaling']}, {p['se']} standard errors",
            f"groups {p['group']}, weights {p['weights']}, school weights {p['group_weights']}",
            "",
            report.rows_text(self.shown(), columns),
        ]
        notes = [(row, row["notes"]) for row in self.shown() if row["notes"]]
        if notes:
            lines.append("")
        for row, text in notes:
            label = " ".join(str(row[name]) for name in (*self.by, "outcome") if row[name] is not None)
            lines.append(f"{label}: {text}")
        return "\n".join(lines)


_POOLED = ("", "se_", "sampling_variance_", "imputation_variance_", "df_", "ci_low_", "ci_high_")
_FIGURES = ("gamma00", "tau00", "sigma2", "icc", "deff", "mean", "sd")
_DROPPED = ("n_dropped", "dropped_group", "dropped_weights", "dropped_zero_weight", "dropped_outcome")
_COLUMNS: Mapping[str, pa.DataType] = {
    "outcome": pa.string(),
    "n_obs": pa.int64(),
    "n_groups": pa.int64(),
    **{f"{prefix}{name}": pa.float64() for name in _FIGURES for prefix in _POOLED},
    **dict.fromkeys(_DROPPED, pa.int64()),
    "status": pa.string(),
    "notes": pa.string(),
}


def survey_table(
    by_types: Mapping[str, pa.DataType], rows: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]
) -> SurveyTable:
    """Make a table of rows of pooled figures.

    Parameters
    ----------
    by_types : mapping
        By-column to type of its labels.
    rows : sequence of mapping
        By-labels and figures; what is missing becomes null.
    provenance : mapping
        What made the table, as plain values.

    Returns
    -------
    SurveyTable
    """
    types = {name: t.value_type if pa.types.is_dictionary(t) else t for name, t in by_types.items()}
    metadata = {b"fastml": json.dumps(provenance, ensure_ascii=False).encode()}
    schema = pa.schema({**types, **_COLUMNS}, metadata)
    columns = [pa.array((_finite(row.get(name)) for row in rows), schema.field(name).type) for name in schema.names]
    return SurveyTable(pa.table(columns, schema=schema), tuple(by_types))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
