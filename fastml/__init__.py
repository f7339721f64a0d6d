"""The one-way random-effects (null multilevel) model for students in schools.

Begin with ``fit = fastml.fit(data, outcome="score", group="school")``, then ``print(fit)``, ``fit.summary()``, which
says what the figures mean, and ``fit.plot()``. `fit_by` fits every country, `fit_survey` an assessment with its
plausible values and replicate weights; `group_stats` reduces rows to statistics that add and are saved; `plan` is for
samples to come.

Public names are loaded when they are first used, so that ``import fastml`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastml._version import __version__

if TYPE_CHECKING:
    from fastml import designs, plots
    from fastml.api import fit, fit_by, group_stats
    from fastml.drift.check import check
    from fastml.drift.comparison import CheckTable
    from fastml.errors import FastmlError
    from fastml.groupstats.statistics import GroupStats
    from fastml.planning import Plan, plan
    from fastml.reduce.sql_text import group_stats_sql
    from fastml.results.contrast_table import ContrastTable
    from fastml.results.contrasts import trend
    from fastml.results.fit import OneWayFit
    from fastml.results.table import FitTable
    from fastml.simulation import simulate, simulate_files
    from fastml.survey.fit import fit_survey
    from fastml.survey.storage import read_table
    from fastml.survey.table import SurveyTable

__all__ = [
    "CheckTable",
    "ContrastTable",
    "FastmlError",
    "FitTable",
    "GroupStats",
    "OneWayFit",
    "Plan",
    "SurveyTable",
    "__version__",
    "check",
    "designs",
    "fit",
    "fit_by",
    "fit_survey",
    "group_stats",
    "group_stats_sql",
    "plan",
    "plots",
    "read_table",
    "simulate",
    "simulate_files",
    "trend",
]

_HOME = {
    "CheckTable": "drift.comparison",
    "ContrastTable": "results.contrast_table",
    "FastmlError": "errors",
    "FitTable": "results.table",
    "GroupStats": "groupstats.statistics",
    "OneWayFit": "results.fit",
    "Plan": "planning",
    "SurveyTable": "survey.table",
    "check": "drift.check",
    "designs": "designs",
    "fit": "api",
    "fit_by": "api",
    "fit_survey": "survey.fit",
    "group_stats": "api",
    "group_stats_sql": "reduce.sql_text",
    "plan": "planning",
    "plots": "plots",
    "read_table": "survey.storage",
    "simulate": "simulation",
    "simulate_files": "simulation",
    "trend": "results.contrasts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fastml' has no attribute {name!r}")
    module = import_module(f"fastml.{_HOME[name]}")
    value = module if name == _HOME[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
