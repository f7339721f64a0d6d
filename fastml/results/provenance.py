"""What made a fit, or a table of fits: its statistics know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastml.groupstats.statistics import GroupStats
from fastml.report.provenance import provenance
from fastml.results.weighting import Weighting

__all__ = ["fit_provenance"]


def fit_provenance(
    content: str, stats: GroupStats, outcomes: Sequence[str], weighting: Weighting | None
) -> dict[str, Any]:
    """What made fits of statistics, as plain values.

    Parameters
    ----------
    content : {"fit", "fit table"}
    stats : GroupStats
    outcomes : sequence of str
    weighting : Weighting or None
        Of weighted fits.

    Returns
    -------
    dict
        See `fastml.report.provenance.provenance`; then how it was weighted, and notes of what was done to the
        statistics.
    """
    filters = dict.fromkeys(origin.filter for origin in stats.origins)
    return provenance(
        content,
        files=list(dict.fromkeys(origin.name for origin in stats.origins if origin.is_file)),
        filter="; ".join(text or "none" for text in filters) if any(filters) else None,
        outcomes={name: [name] for name in outcomes},
        by=stats.by,
        group=stats.group,
        weights=stats.weights,
        group_weights=stats.group_weights,
        weights_are=weighting.weights_are if weighting else None,
        weight_scaling=weighting.scaling if weighting else None,
        vcov=weighting.vcov if weighting else None,
        bias=weighting.bias if weighting else None,
        notes=list(stats.notes),
    )
