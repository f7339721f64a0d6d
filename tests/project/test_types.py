"""What an editor flags: a misspelt choice of words, wherever one can be made, and no word that is allowed."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from typing import get_args

import pytest
from conftest import ROOT

import fastml
from fastml import api, planning, plots, simulation
from fastml.inference import information, intervals, parameters, robust
from fastml.model import weighted
from fastml.reduce import sql_text
from fastml.results import contrasts, pages, schools, weighting
from fastml.survey import choices

FIT = "fastml.fit(rows, 'y', 'g', {})"
CALLS = {
    "fit method": (FIT, "method", api.Method),
    "fit df": (FIT, "df", information.Df),
    "fit df, weighted": (FIT, "df", robust.RobustDf),
    "fit weights_are": (FIT, "weights_are", weighting.WeightsAre),
    "fit weight_scaling": (FIT, "weight_scaling", weighted.Scaling),
    "fit vcov": (FIT, "vcov", robust.Vcov),
    "fit bias": (FIT, "bias", weighting.Bias),
    "fit_by method": ("fastml.fit_by(rows, 'y', 'g', by='c', {})", "method", api.Method),
    "fit_by vcov": ("fastml.fit_by(rows, 'y', 'g', by='c', {})", "vcov", robust.Vcov),
    "survey weight_scaling": ("fastml.fit_survey(rows, 'y', 'timss', {})", "weight_scaling", weighted.Scaling),
    "survey se": ("fastml.fit_survey(rows, 'y', 'timss', {})", "se", choices.Se),
    "survey vcov": ("fastml.fit_survey(rows, 'y', 'timss', {})", "vcov", robust.Vcov),
    "survey df": ("fastml.fit_survey(rows, 'y', 'timss', {})", "df", choices.Df),
    "ci parm": ("fit.ci({})", "parm", parameters.Parameter),
    "ci method": ("fit.ci('icc', {})", "method", intervals.Method),
    "ci method, weighted": ("fit.ci('icc', {})", "method", robust.RobustMethod),
    "intervals method": ("fit.intervals({})", "method", intervals.Method),
    "contrast adjust": ("fastml.fit_by(rows, 'y', 'g', by='c').contrast({})", "adjust", contrasts.Adjust),
    "contrast parameter": ("fastml.read_table('t').contrast({})", "parameter", contrasts.Compares),
    "trend parameter": ("fastml.trend({{}}, {})", "parameter", contrasts.Compares),
    "groups interval": ("fit.groups({})", "interval", schools.SchoolInterval),
    "groups_arrow interval": ("fit.groups_arrow({})", "interval", schools.SchoolInterval),
    "plot kind": ("fit.plot({})", "kind", pages.Picture),
    "distribution of": ("fastml.plots.school_distribution(fit, {})", "of", plots.Means),
    "plan estimator": ("fastml.plan(0.2, 30, 25, {})", "estimator", planning.Estimator),
    "simulate order": ("fastml.simulate({})", "order", simulation.Order),
    "simulate_files order": ("fastml.simulate_files('f', {})", "order", simulation.Order),
}  # fmt: skip
HEAD = "import fastml\n\nrows = {'y': [1.0], 'g': [1], 'c': [1]}\nfit = fastml.fit(rows, 'y', 'g')\n"


@pytest.fixture(scope="module")
def flagged(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Line of the file of all calls, each right and then misspelt, to what pyright says of it."""
    pytest.importorskip("basedpyright", reason="needs basedpyright")
    folder = tmp_path_factory.mktemp("typed")
    lines = [
        call.format(f"{name}={word!r}") for call, name, kind in CALLS.values() for word in (get_args(kind)[0], "remll")
    ]
    (folder / "calls.py").write_text(HEAD + "\n".join(lines) + "\n")
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "basic", "extraPaths": [str(ROOT)]}))
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--project",
        str(folder),
        "--pythonpath",
        sys.executable,
        "--outputjson",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {item["range"]["start"]["line"]: item["message"] for item in found if item["severity"] == "error"}


@pytest.mark.parametrize("name", CALLS)
def test_a_misspelt_choice_is_flagged_and_a_right_one_is_not(name: str, flagged: dict[int, str]) -> None:
    at = HEAD.count("\n") + 2 * list(CALLS).index(name)
    assert at not in flagged
    assert "remll" in flagged[at + 1]


def test_every_choice_of_words_in_a_docstring_has_a_type() -> None:
    """`name : {"a", "b"}` in the docstring of something public is a Literal in its signature."""
    told = 0
    things = [getattr(fastml, name) for name in fastml.__all__ if callable(getattr(fastml, name))]
    things += [method for kind in (fastml.OneWayFit, fastml.FitTable, fastml.SurveyTable, fastml.GroupStats)
               for name, method in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]  # fmt: skip
    things += [getattr(plots, name) for name in plots.__all__]
    for thing in things:
        if not inspect.isfunction(thing):
            continue
        for name in re.findall(r'^ *(\w+) : \{"', thing.__doc__ or "", re.MULTILINE):
            annotation = inspect.signature(thing).parameters[name].annotation
            assert not re.search(r"\bstr\b", annotation), f"{thing.__qualname__} {name}: {annotation}"
            told += 1
    assert told > 12


def test_what_is_checked_is_what_is_typed() -> None:
    assert tuple(sql_text.DIALECTS) == get_args(sql_text.Dialect)
    assert set(robust.KINDS) == set(robust.VCOVS)
    assert set(schools.INTERVALS) == set(get_args(schools.SchoolInterval))
    assert set(parameters.BASES) == set(parameters.PARAMETERS)
    assert {kind.df for kind in robust.KINDS.values()} <= set(get_args(robust.RobustDf))
    used = {method for kind in robust.KINDS.values() for method in (kind.of_mean, kind.of_others)}
    assert used <= set(get_args(robust.RobustMethod))
    assert set(get_args(pages.Picture)) < set(plots.__all__)
