"""Plain sentences: what is said of rows left out, of missing figures, of narrow intervals, of parts."""

from __future__ import annotations

import numpy as np

import fastml
from fastml.report.sentences import fit_sentences, table_sentences


def test_sentences_of_rows_left_out_and_of_figures_that_are_not_there() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(30), 8)
    y = rng.normal(size=30)[group] + rng.normal(size=240)
    full = fastml.fit({"s": group, "y": y}, "y", "s")
    lost = fastml.fit({"s": group, "y": np.where(np.arange(240) < 3, np.nan, y)}, "y", "s")
    one = fastml.fit({"s": group, "y": np.where(np.arange(240) < 1, np.nan, y)}, "y", "s")
    assert "left out" not in str(full.summary())
    assert "3 rows were left out for want of a score, a school or a weight." in str(lost.summary())
    assert "1 row was left out" in str(one.summary())
    plain = fit_sentences(full.to_dict(), full.naive.to_dict(), (8, 8), {})
    assert "interval" not in plain["mean"] + plain["shares"]
    assert "The observed means vary more" in plain["gap"]
    naive = {**full.naive.to_dict(), "variance_of_means": 0.0}
    assert "The observed means vary more" not in fit_sentences(full.to_dict(), naive, (8, 8), {})["gap"]


def test_sentences_tell_narrow_intervals_apart() -> None:
    """Of 40,000 schools: to two digits of the interval's width, and of the standard error."""
    rng = np.random.default_rng(1)
    n = np.full(40_000, 30)
    means = 500.0 + rng.normal(size=len(n)) * np.sqrt(2000.0 + 8000.0 / 30)
    sds = np.sqrt(8000.0 * rng.chisquare(29, len(n)) / 29)
    fit = fastml.fit(fastml.GroupStats.from_summary(n=n, mean=means, sd=sds))
    said = " ".join(str(fit.summary()).split())
    mean, icc = fit.ci("gamma00"), fit.ci("icc")
    assert f"standard error of {fit.se_gamma00:.2f} (95 % interval {mean.low:.2f} to {mean.high:.2f})" in said
    assert f"(95 % interval {100 * icc.low:.2f} % to {100 * icc.high:.2f} %)" in said


def test_sentences_of_parts_without_a_result() -> None:
    rows = [{"c": "a", "outcome": "y", "icc": None}, {"c": "b", "outcome": "y", "icc": None}]
    missing = "2 of 2 parts have no result for y; the column status says why."
    assert table_sentences(rows, ["c"]) == [missing]
    rows[0]["icc"] = 0.25
    assert table_sentences(rows, ["c"]) == [
        "Of the variation in y, 25 % lies between schools in c a.",
        missing.replace("2 of", "1 of"),
    ]
