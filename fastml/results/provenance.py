"""What made a fit, or a table of fits: its statistics know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastml.groupstats.statistics import GroupStats
from fastml.report.provenance import codes_text, joined, provenance
from fastml.results.weighting import Weighting

__all__ = ["fit_provenance"]


def fit_provenance(
    content: str, stats: GroupStats, outcomes: Sequence[str], weighting: Weighting | None
) -> dict[str, Any]:
    """What made fits of statistics, as plain values.

    Parameters
    ----------
    content : {"fit", "fit table", "check"}
    stats : GroupStats
    outcomes : sequence of str
    weighting : Weighting or None
        Of weighted fits.

    Returns
    -------
    dict
        See `fastml.report.provenance.provenance`, with the filter of the files where there are some; then how it was
        weighted, and notes: data in memory beside files, with a filter of their own, and what was done to the
        statistics.
    """
    files, others = ([origin for origin in stats.origins if origin.is_file is kind] for kind in (True, False))
    filter, in_memory = (joined(origin.filter for origin in some) for some in (files or others, others))
    own = f", filter {in_memory or 'none'}" if in_memory != filter else ""
    codes = [origin.options.get("missing", ()) for origin in stats.origins]
    different = list(dict.fromkeys(map(codes_text, codes)))
    notes = [f"and data in memory{own}"] if files and others else []
    notes += [f"codes of missing values differ: {'; '.join(different)}"] if len(different) > 1 else []
    csv = [origin.options.get("csv_options") for origin in stats.origins]
    return provenance(
        content,
        files=list(dict.fromkeys(origin.name for origin in files)),
        filter=filter,
        read={
            "missing": list(dict.fromkeys(code for some in codes for code in some)),
            "csv_options": csv[0] if csv and csv.count(csv[0]) == len(csv) else None,
        },
        outcomes={name: [name] for name in outcomes},
        by=stats.by,
        group=stats.group,
        weights=stats.weights,
        group_weights=stats.group_weights,
        weights_are=weighting.weights_are if weighting else None,
        weight_scaling=weighting.scaling if weighting else None,
        vcov=weighting.vcov if weighting else None,
        bias=weighting.bias if weighting else None,
        notes=[*notes, *stats.notes],
    )
