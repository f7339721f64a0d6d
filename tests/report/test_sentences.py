"""Plain sentences: what is said of rows left out, of missing figures, of narrow intervals, of parts."""

from __future__ import annotations

import numpy as np
import pytest

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


def summary(n: list[int], mean: list[float], sd: list[float | None]) -> tuple[fastml.OneWayFit, str]:
    made = fastml.fit(fastml.GroupStats.from_summary(group=list(range(len(n))), n=n, mean=mean, sd=sd))
    return made, " ".join(str(made.summary()).split())


def test_it_is_said_where_the_degrees_of_freedom_give_another_interval() -> None:
    fit, said = summary([5, 5, 5, 5, 300], [510.0, 480, 530, 495, 500], [70.0, 85, 77, 90, 80])
    line = fit.ci("gamma00", method="t")
    assert "(95 % interval 488.4 to 513.9)" in said
    assert (
        "The 319 degrees of freedom (df) in the line of the mean, which say how well its standard error is known, would "
        f"make it {line.low:.1f} to {line.high:.1f}, 31 % narrower" in said
    )
    given = fit.to_dict(), fit.naive.to_dict(), (5, 300), {"gamma00": (490.0, 510.0)}
    wide = fit_sentences(*given, by_df=(450.0, 550.0))
    assert "to 550.0, 5 times as wide" in wide["mean"]
    alike, equal = summary([8] * 6, [1.0, 2, 3, 4, 5, 6], [1.0] * 6)
    assert "degrees of freedom" not in equal
    # The line itself says so, and every form that has the interval beside it.
    assert "its 95 % interval is 488.4 to 513.9: this df takes the estimated variances for the true ones" in str(fit)
    assert "its 95 %" not in str(alike)
    note = (
        "Interval of the grand mean: the 319 degrees of freedom (df) of its line, which say how well its standard error "
        "is known, would make it 31 % narrower"
    )
    assert note in fit.with_intervals().to_dict()["ci_notes"]
    for form in (fit.to_html(), fit.to_latex().replace("\\%", "%"), fit.to_markdown(), fit.report_html()):
        assert note in form
    assert alike.with_intervals().to_dict()["ci_notes"] is None


def test_no_spread_of_schools_is_claimed_where_none_is_estimated() -> None:
    """tau00 at 0 beside intervals that reach further: the printed table says nothing of true means that are all one."""
    fit, said = summary([5, 5, 5, 5, 300], [510.0, 480, 530, 495, 500], [70.0, 85, 77, 90, 80])
    assert fit.singular
    for text in (str(fit), said):
        assert "true school means lie between" not in text
        assert "one SD above" not in text
        assert "No gap between schools is estimated, which does not show that their true means are equal." in text


def test_the_students_are_worth_what_the_estimator_makes_of_them() -> None:
    fit, said = summary([5] * 8 + [300], [10.0, 12, 9, 15, 8, 11, 13, 10, 12], [4.0] * 9)
    effects = fit.design_effects().set_index("name")
    assert (
        f"worth {effects.loc['gls', 'n_eff']:.1f} drawn one by one (design effect {effects.loc['gls', 'deff']:.2f})"
        in said
    )
    assert (
        f"mean of all students, in which large schools weigh more, they are worth {effects.loc['kish', 'n_eff']:.1f}"
        in said
    )
    # A standard error that ignores the schools, times the root of that design effect, is the model's: but for the
    # spread of the scores, which is estimated otherwise.
    assert fit.se_gamma00 == pytest.approx(effects.loc["gls", "deft"] * fit.naive.se_ignoring_groups, rel=0.1)


def test_no_sentence_contradicts_another() -> None:
    rng = np.random.default_rng(1)  # three large schools that agree, twelve small ones that don't
    means = [*rng.normal(0, 0.03, 3), *rng.normal(0, 2.2, 12)]
    fit, said = summary([4000] * 3 + [2] * 12, means, [1.0] * 15)
    assert fit.singular
    assert fit.anova()["p_value"][0] < 1e-4
    assert "no more than chance" not in said
    assert "The small ones do" in said
    low, high = fit.ci("icc", method="profile")
    assert 0.0 == low < high
    assert (
        "Interval of the ICC and what follows from it: the exact interval leaves the estimate out; this is the profile"
        in said
    )


def test_notes_reach_every_form() -> None:
    data = {"y": [1.0, 9.0, 2.0, 8.0], "g": [1, 1, 2, 2]}
    fit = fastml.fit(data, "y", "g")
    words = "the group means differ less than chance alone would have them"
    made = fit.with_intervals()
    for form in (
        str(made),
        made.to_html(),
        made.to_latex(),
        made.to_markdown(),
        made.to_json(),
        made.to_csv(),
        fit.report_html(),
    ):
        assert words in " ".join(form.split())
        assert "0 % to 0 %" not in form
    assert made.to_arrow().schema.field("ci_notes").type == "string"
    plain = fastml.fit({"y": [1.0, 2, 5, 7, 9, 3], "g": [1, 1, 2, 2, 3, 3]}, "y", "g").with_intervals()
    assert plain.to_dict()["ci_notes"] is None
    assert plain.to_arrow().schema.field("ci_notes").type == "string"
    table = fastml.fit_by({**data, "c": ["a"] * 4}, "y", "g", by="c")
    assert table.icc_limits()[1] == [tuple(fit.ci("icc"))]
    assert words in table.with_intervals().to_dict()[0]["ci_notes"]
    for form in (str(table.with_intervals()), table.report_html(), table.with_intervals().to_csv()):
        assert words in " ".join(form.split())


def part(
    c: object, icc: float | None, limits: tuple[float, float] | None = None, status: str = "ok"
) -> dict[str, object]:
    return {"c": c, "outcome": "y", "icc": icc, "icc_interval": limits, "status": status}


def test_sentences_of_parts_without_a_result() -> None:
    rows = [part("a", None, status="one_group"), part(7, None, status="new_one")]
    assert table_sentences(rows, ["c"]) == ["No result for y in 2 of 2: a (one school only), c 7 (new_one)."]
    rows[0] = part("a", 0.25)
    assert table_sentences(rows, ["c"]) == [
        "25 % of the variation in y lies between schools in a.",
        "No result for y in 1 of 2: c 7 (new_one).",
    ]
    assert table_sentences(rows[:1], []) == ["25 % of the variation in y lies between schools."]
    many = table_sentences([part(f"a{k}", None, status="one_group") for k in range(9)], ["c"])
    assert many[0].endswith("a4 (one school only) and 4 more.")


def test_the_first_place_is_as_sure_as_its_interval() -> None:
    rows = [part("a", 0.1, (0.05, 0.2)), part("b", 0.3, (0.19, 0.4)), part("c", 0.02, (0.0, 0.1))]
    assert table_sentences(rows, ["c"], 0.9) == [
        "Of 3 results for y, schools differ most in b, where 30 % (90 % interval 19 % to 40 %) of the variation lies "
        "between them, and least in c: 2.0 % (90 % interval 0 % to 10 %). The interval of b overlaps with that of 1 other, "
        "so its first place may be due to chance."
    ]
    rows[0] = part("a", 0.1, (0.05, 0.18))
    assert "due to chance" not in table_sentences(rows, ["c"])[0]
    rows[0] = part("a", 0.1, (float("nan"), float("nan")))
    assert "due to chance" not in table_sentences(rows, ["c"])[0]
