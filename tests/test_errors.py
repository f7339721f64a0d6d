"""Calls that can't be are answered in a line, by what to write, and without the data."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pytest

import fastml

FRAME = pd.DataFrame({"s": [1, 1, 2, 2, 3, 3], "y": [101.5, 102.5, 104.5, 105.5, 109.5, 107.5], "c": list("aabbab")})
FIT = "fit(data, outcome='score', group='school')"
BY = "fit_by(data, 'score', 'school', by='country')"
WRONG: list[tuple[str, Callable[[], object], str]] = [
    ("y=", lambda: fastml.fit(FRAME, y="y", group="s"), f"fit() has no argument 'y', but 'outcome': {FIT}"),  # type: ignore[call-arg]
    ("groups=", lambda: fastml.fit(FRAME, "y", groups="s"), f"fit() has no argument 'groups', but 'group': {FIT}"),  # type: ignore[call-arg]
    ("mehtod=", lambda: fastml.fit(FRAME, "y", "s", mehtod="ml"), f"fit() has no argument 'mehtod', but 'method': {FIT}"),  # type: ignore[call-arg]
    ("nothing like it", lambda: fastml.fit(FRAME, "y", "s", zzz=1), f"fit() has no argument 'zzz': {FIT}"),  # type: ignore[call-arg]
    ("by= of fit", lambda: fastml.fit(FRAME, "y", "s", by="c"), f"fit() fits all data at once: {BY}"),  # type: ignore[call-arg]
    ("too many", lambda: fastml.fit_by(FRAME, "y", "s", "c"), f"fit_by() takes the arguments after the first ones by name: {BY}"),  # type: ignore[misc]
    ("R's order", lambda: fastml.fit("y ~ 1 + (1 | s)", data=FRAME), f"fit() is given data twice, by its place and by its name: {FIT}"),  # type: ignore[misc]
    ("a Series", lambda: fastml.fit(FRAME, FRAME.y, FRAME.s), "columns are given by name ('y'), not as a Series: fit("),  # type: ignore[arg-type]
    ("an array", lambda: fastml.fit(FRAME, "y", FRAME.s.to_numpy()), "columns are given by name, not as a ndarray: fit("),
    ("a Series in a survey", lambda: fastml.fit_survey(FRAME, FRAME.y, "timss"), "columns are given by name ('y'), not as a"),  # type: ignore[arg-type]
    ("a column as data", lambda: fastml.fit(FRAME["y"], "y", "s"), f"a Series is one column; give a table of scores and school ids, and the names of both: {FIT}"),
    ("a Polars column", lambda: fastml.fit(pl.Series("y", [1.0]), "y", "s"), "a Series is one column"),
    ("an array as data", lambda: fastml.fit_by(np.ones(3), "y", "s", by="c"), "an ndarray holds no named columns"),
    ("a groupby", lambda: fastml.fit(FRAME.groupby("s"), "y", "s"), f"a DataFrameGroupBy has no rows of its own; give the table: {FIT}, or a fit for each part, {BY}"),
    ("one column of it", lambda: fastml.fit(FRAME.groupby("s").y), "a SeriesGroupBy has no rows of its own"),
    ("of Polars", lambda: fastml.fit(pl.DataFrame({"s": [1]}).group_by("s"), "y", "s"), "a GroupBy has no rows of its own"),
    ("in a survey", lambda: fastml.fit_survey(FRAME.groupby("c"), "y", "timss"), "a DataFrameGroupBy has no rows"),
    ("a formula and a group", lambda: fastml.fit(FRAME, "y ~ 1 + (1|s)", "s"), "the formula 'y ~ 1 + (1|s)' names outcome and group both; leave out group='s'"),
    ("a formula for a group", lambda: fastml.fit(FRAME, "y", "y ~ 1 + (1|s)"), "the formula 'y ~ 1 + (1|s)' names outcome and group both; give it alone"),
    ("several outcomes", lambda: fastml.fit(FRAME, ["y", "c"], "s"), "outcome=['y', 'c'] can't be: it is the name of one column; fit_by takes several"),  # type: ignore[arg-type]
    ("the plan's old words", lambda: fastml.plan(0.2, n_groups=30), "plan() has no argument 'n_groups', but 'schools': plan("),  # type: ignore[call-arg]
    ("simulate by place", lambda: fastml.simulate(100, 10), "simulate() takes the arguments after the first ones by name: simulate(students="),  # type: ignore[misc]
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), [pytest.param(*rest, id=name) for name, *rest in WRONG])
def test_a_wrong_call_is_answered_by_the_right_one(call: Callable[[], object], said: str) -> None:
    with pytest.raises(fastml.FastmlError) as raised:
        call()
    message = str(raised.value)
    assert message.startswith(said)
    assert "\n" not in message
    assert "10" not in message.replace("10_000", "")  # no score


def test_an_argument_that_is_not_there_is_a_type_error_too() -> None:
    with pytest.raises(TypeError):
        fastml.fit(FRAME, y="y")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'data'"):
        fastml.fit()  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["fit", "fit_by", "fit_survey", "group_stats", "plan", "simulate", "simulate_files"])
def test_functions_keep_their_signatures_and_help(name: str) -> None:
    function = getattr(fastml, name)
    assert function.__name__ == name
    assert len(inspect.signature(function).parameters) > 8
    assert function.__doc__


def test_a_formula_names_the_columns_of_every_part() -> None:
    named, written = (fastml.fit_by(FRAME, *words, by="c") for words in (("y", "s"), ("y ~ 1 + (1 | s)",)))
    assert named.to_dict()[0]["gamma00"] == written.to_dict()[0]["gamma00"]
