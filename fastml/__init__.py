"""fastml: the one-way random-effects (null multilevel) model for students in schools.

Public names are loaded when they are first used, so that ``import fastml`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastml._version import __version__

if TYPE_CHECKING:
    from fastml.api import fit, fit_by, group_stats
    from fastml.errors import FastmlError
    from fastml.groupstats import GroupStats
    from fastml.results import OneWayFit
    from fastml.tables import FitTable

__all__ = ["FastmlError", "FitTable", "GroupStats", "OneWayFit", "__version__", "fit", "fit_by", "group_stats"]

_HOME = {
    "FastmlError": "errors",
    "FitTable": "tables",
    "GroupStats": "groupstats",
    "OneWayFit": "results",
    "fit": "api",
    "fit_by": "api",
    "group_stats": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fastml' has no attribute {name!r}")
    value = getattr(import_module(f"fastml.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
