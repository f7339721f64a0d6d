"""What made a fit, or a table of fits: its statistics know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastml.groupstats.statistics import GroupStats
from fastml.io.origins import Origin
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
        See `fastml.report.provenance.provenance`, with the filter of the files where there are some; then how it was
        weighted, and notes: data in memory beside files, with a filter of their own, and what was done to the
        statistics.
    """
    files, others = ([origin for origin in stats.origins if origin.is_file is kind] for kind in (True, False))
    filter, in_memory = _filter_of(files or others), _filter_of(others)
    own = f", filter {in_memory or 'none'}" if in_memory != filter else ""
    return provenance(
        content,
        files=list(dict.fromkeys(origin.name for origin in files)),
        filter=filter,
        outcomes={name: [name] for name in outcomes},
        by=stats.by,
        group=stats.group,
        weights=stats.weights,
        group_weights=stats.group_weights,
        weights_are=weighting.weights_are if weighting else None,
        weight_scaling=weighting.scaling if weighting else None,
        vcov=weighting.vcov if weighting else None,
        bias=weighting.bias if weighting else None,
        notes=[*([f"and data in memory{own}"] if files and others else []), *stats.notes],
    )


def _filter_of(origins: Sequence[Origin]) -> str | None:
    """The filter that they were read with; several joined by a semicolon."""
    filters = dict.fromkeys(origin.filter for origin in origins)
    return "; ".join(text or "none" for text in filters) if any(filters) else None
