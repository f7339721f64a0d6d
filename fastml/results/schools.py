"""The table of school means: observed, shrunken, and what is known of the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pyarrow as pa

from fastml.errors import ArgumentError
from fastml.inference.distributions import half_width
from fastml.io.arrays import as_arrow

if TYPE_CHECKING:
    from fastml.inference.posterior import SchoolPosterior
    from fastml.model.shrinkage import SchoolMeans

__all__ = ["INTERVALS", "check_interval", "schools_table"]

SchoolInterval = Literal["posterior", "plug-in"]

# What the limits are, and what readers are told of them.
INTERVALS: Mapping[str, str] = {
    "posterior": "The intervals count that tau00, the variance between schools, is estimated (posterior, flat prior).",
    "plug-in": "The intervals take the estimated tau00 as known.",
}


def check_interval(interval: str | None, weighted: bool) -> str:
    """The kind of interval, the posterior's by default; weighted fits have the plug-in one only."""
    allowed = ("plug-in",) if weighted else get_args(SchoolInterval)
    if interval is None:
        return str(allowed[0])
    if interval not in allowed:
        remedy = "a weighted fit has no likelihood to take a posterior from" if weighted else ""
        raise ArgumentError("interval", interval, allowed, remedy)
    return interval


def schools_table(
    labels: pa.Table, means: SchoolMeans, posterior: SchoolPosterior | None, interval: str, level: float
) -> pa.Table:
    """Make the table of school means; see `OneWayFit.groups_arrow`.

    Parameters
    ----------
    labels : pyarrow.Table
        A row per group.
    means : SchoolMeans
    posterior : SchoolPosterior or None
        At the level; None for weighted fits.
    interval : {"posterior", "plug-in"}
    level : float

    Returns
    -------
    pyarrow.Table
        Its schema's metadata have the interval under ``interval``.
    """
    names = labels.column_names
    keys = {"group": labels[names[0]]} if len(names) == 1 else dict(zip(names, labels, strict=True))
    figures = {name: getattr(means, name) for name in ("n", "mean", "se_mean", "reliability", "eb_mean", "eb_se")}
    if posterior is None:
        unknown = pa.nulls(len(means.n), pa.float64())
        figures |= {"post_mean": unknown, "post_sd": unknown}
    else:
        known = np.isfinite(posterior.sd).all()
        figures |= {
            "post_mean": posterior.mean,
            "post_sd": posterior.sd if known else pa.nulls(len(means.n), pa.float64()),
        }
    if posterior is not None and interval == "posterior":
        low, high = posterior.low, posterior.high
    else:
        half = half_width(level) * means.eb_se
        low, high = means.eb_mean - half, means.eb_mean + half
    figures |= {"ci_low": low, "ci_high": high, "cond_se": means.cond_se, "u": means.u}
    for name in keys:
        if name in figures:
            raise ArgumentError("group", name, ["another name"], "the table of school means has a column of that name")
    # as_arrow, since pa.table imports pandas for NumPy arrays
    columns = {name: as_arrow(v) if isinstance(v, np.ndarray) else v for name, v in figures.items()}
    return pa.table({**keys, **columns}, metadata={"interval": interval})
