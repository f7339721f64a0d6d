"""Comparisons of tables of fits, linking errors, trends, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import countries_together

import fastml
from fastml.errors import FastmlError
from fastml.inference.contrasts import Estimate
from fastml.results.contrasts import Compared, ContrastTerms, contrast_rows


def scores(seed: int = 0, shift: float = 0.0) -> dict[str, np.ndarray]:
    """Three countries, whose school ids start again, two sexes in each school."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(18), 8)
    score = 500.0 + shift + rng.normal(0, 20, 18)[school] + rng.normal(0, 40, len(school))
    return {"IDCNTRY": 1 + school // 6, "IDSCHOOL": school % 6, "SEX": np.arange(len(school)) % 2, "score": score,
            "other": score + rng.normal(0, 10, len(school)), "ID": school}  # fmt: skip


@pytest.fixture(scope="module")
def fits() -> fastml.FitTable:
    return fastml.fit_by(scores(), ["score", "other"], "IDSCHOOL", by="IDCNTRY")


PARAMETERS = ("gamma00", "tau00", "sigma2", "icc", "deff")


def test_countries_by_fit_by(fits: fastml.FitTable) -> None:
    rows = fits.to_dict()
    one, two = (row for row in rows if row["outcome"] == "score" and row["IDCNTRY"] < 3)
    found = {row["parameter"]: row for row in fits.contrast((1, "score"), (2, "score"), parameter=PARAMETERS).to_dict()}
    for name in PARAMETERS[:4]:
        assert found[name]["difference"] == one[name] - two[name]
        assert found[name]["se"] ** 2 == pytest.approx(one[f"se_{name}"] ** 2 + two[f"se_{name}"] ** 2)
    variances = [row["se_gamma00"] ** 2 for row in (one, two)]
    df = sum(variances) ** 2 / sum(v**2 / row["df"] for v, row in zip(variances, (one, two), strict=True))
    assert found["gamma00"]["df"] == pytest.approx(df)
    assert found["icc"]["df"] is None  # normal
    size = one["n_obs"] / one["n_groups"] - 1.0
    assert found["deff"]["se"] == pytest.approx(size * found["icc"]["se"])
    assert found["sigma2"]["ratio"] == pytest.approx(one["sigma2"] / two["sigma2"])
    relative = sum((row["se_sigma2"] / row["sigma2"]) ** 2 for row in (one, two))
    width = np.log(found["sigma2"]["ci_high_ratio"] / found["sigma2"]["ci_low_ratio"])
    assert width == pytest.approx(2 * 1.959963984540054 * relative**0.5)
    assert found["icc"]["ratio"] is None


def test_weighted_fits_have_the_degrees_of_freedom_of_their_schools() -> None:
    data = scores() | {"w": np.ones(144)}
    weighted = fastml.fit_by(data, "score", "IDSCHOOL", by="IDCNTRY", weights="w", group_weights="w")
    (row,) = weighted.contrast(1, 2, parameter="sigma2").to_dict()
    one, two, _ = (row["se_sigma2"] ** 2 for row in weighted.to_dict())
    assert row["df"] == pytest.approx((one + two) ** 2 / (one**2 / 5 + two**2 / 5))


@countries_together
@pytest.mark.parametrize("by", ["SEX", ["IDCNTRY", "SEX"]])
def test_the_same_schools_are_refused(by: Any) -> None:
    table = fastml.fit_by(scores(), "score", "IDSCHOOL", by=by)
    with pytest.raises(FastmlError, match=r"SEX 0 and SEX 1: estimates of one sample can't be compared .* fit_survey"):
        table.contrast({"SEX": 0}, {"SEX": 1})
    assert table.contrast({"SEX": 0}, {"SEX": 1}, independent=True).complete
    if isinstance(by, list):  # across countries they can be, sex by sex
        assert len(table.contrast({"IDCNTRY": 1}, {"IDCNTRY": 2})) == 2
        assert table.contrast({"IDCNTRY": 1}, {"IDCNTRY": 2}).to_dict()[0]["samples"] == "independent"


def test_two_outcomes_of_the_same_schools_are_refused(fits: fastml.FitTable) -> None:
    with pytest.raises(FastmlError, match="score and other: estimates of one sample"):
        fits.contrast("score", "other")
    with pytest.raises(FastmlError, match="estimates of one sample"):
        fits.contrast("score", b=fastml.fit_by(scores(1), ["score", "other"], "IDSCHOOL", by="IDCNTRY"))


def test_the_same_schools_stop_no_comparison_of_others() -> None:
    """Of the pairs of two sexes in three countries those of one country have no covariance."""
    table = fastml.fit_by(scores(), "score", "IDSCHOOL", by=["IDCNTRY", "SEX"])
    found = table.contrast().to_dict()
    assert len(found) == 15
    for row in found:
        same = row["a"].startswith("SEX")
        assert row["status"] == ("no_result" if same else "ok")
        assert ("fit_survey has, by se='replicate'" in (row["message"] or "")) == same
        assert (row["se"] is None) == same


@countries_together
def test_schools_with_ids_of_their_own_need_no_country() -> None:
    data = scores()
    data["region"] = data["ID"] // 9
    assert fastml.fit_by(data, "score", "ID", by="region").contrast(0, 1).to_dict()[0]["samples"] == "independent"
    bare = fastml.FitTable(fastml.fit_by(data, "score", "ID", by="region").table, ("region",))
    with pytest.raises(FastmlError, match="fits without their statistics"):
        bare.contrast(0, 1)


def test_adjusted_p_values_stand_beside_the_plain_ones(fits: fastml.FitTable) -> None:
    table = fits.contrast("score", adjust="holm", parameter=["gamma00", "sigma2"])
    plain = [row["p_value"] for row in table.to_dict()]
    rows = table.to_dict()
    order = np.argsort(plain)
    holm = np.minimum(1.0, np.maximum.accumulate((6 - np.arange(6)) * np.array(plain)[order]))
    assert [rows[i]["p_adjusted"] for i in order] == pytest.approx(holm.tolist())
    assert [row["p_adjusted_ratio"] is None for row in rows] == [True] * 3 + [False] * 3
    assert "p_adjusted: by Holm, for 6 comparisons" in str(table)
    assert fits.contrast("score").to_dict()[0]["p_adjusted"] is None
    assert [row["p_value"] for row in fits.contrast("score", parameter=["gamma00", "sigma2"]).to_dict()] == plain


def cycles(years: tuple[int, ...] = (2011, 2015, 2019)) -> dict[float, fastml.FitTable]:
    return {year: fastml.fit_by(scores(year, 2.0 * (year - 2011)), "score", "ID", by="IDCNTRY") for year in years}


def test_a_trend_over_three_cycles_with_linking_errors() -> None:
    tables = cycles()
    found = fastml.trend(tables, link={2011: 3.0, 2015: 2.0}, parameter=["gamma00", "icc"], independent=True).to_dict()
    assert [row["IDCNTRY"] for row in found] == [1, 2, 3, 1, 2, 3]
    assert [row["linking_variance"] for row in found] == pytest.approx([9.0 / 64.0] * 3 + [0.0] * 3)
    for i, row in enumerate(found[:3]):
        of = [table.to_dict()[i] for table in tables.values()]
        slope = np.polyfit(list(tables), [x["gamma00"] for x in of], 1)[0]
        assert row["difference"] == pytest.approx(slope, rel=1e-9)
        assert row["se"] ** 2 == pytest.approx((of[0]["se_gamma00"] ** 2 + of[2]["se_gamma00"] ** 2 + 9.0) / 64.0)
        assert row["a"] == "slope over 2011, 2015, 2019"
        assert row["b"] is row["estimate_a"] is row["estimate_b"] is None


def test_a_trend_over_what_cycles_there_are() -> None:
    """Country 3 came later; a sample weight for each of two cycles is what one number can be."""
    tables = cycles()
    first = scores(2011)
    tables[2011] = fastml.fit_by({k: v[first["IDCNTRY"] < 3] for k, v in first.items()}, "score", "ID", by="IDCNTRY")
    rows = fastml.trend(tables, independent=True).to_dict()
    assert [row["a"] for row in rows] == ["slope over 2011, 2015, 2019"] * 2 + ["slope over 2015, 2019"]
    tables = {np.int64(year): table for year, table in cycles((2015, 2019)).items()}
    two = fastml.trend(tables, link=np.int64(4), independent=True).to_dict()
    assert two[0]["linking_variance"] == 1.0


def test_cycles_in_a_column_of_one_table() -> None:
    """Their ids start again too; a linking error counts between cycles, once, and not within one."""
    both = {name: np.concatenate([scores(s)[name] for s in (1, 2)]) for name in scores()}
    both["cycle"] = np.repeat([2015, 2019], 144)
    table = fastml.fit_by(both, "score", "IDSCHOOL", by=["cycle", "IDCNTRY"])
    change = table.contrast({"cycle": 2019}, {"cycle": 2015}, link=3.0).to_dict()
    assert [row["linking_variance"] for row in change] == [9.0] * 3
    assert change[0]["samples"] == "independent"
    steps = table.contrast(b="previous", over="cycle", link=3.0).to_dict()
    assert [row["difference"] for row in steps] == [row["difference"] for row in change]
    within = table.contrast({"cycle": 2019}, "average", over="IDCNTRY", link=3.0).to_dict()
    assert [row["linking_variance"] for row in within] == [0.0] * 3
    slopes = table.contrast(b="trend", over="cycle", link={2015: 4.0}).to_dict()
    assert [row["linking_variance"] for row in slopes] == [1.0] * 3


SAID = "schools with the same ids in both {}s are taken as others; where they are the same schools, fit_survey"


def of_years(column: str, years: int = 2, moved: int = 0) -> fastml.FitTable:
    """Three countries in some years; ids of the second move on by some."""
    data = {name: np.concatenate([scores(s)[name] for s in range(years)]) for name in scores()}
    data[column] = np.repeat(np.arange(years), 144)
    data["IDSCHOOL"] = data["IDSCHOOL"] + moved * data[column]
    return fastml.fit_by(data, "score", "IDSCHOOL", by=["IDCNTRY", column])


@pytest.mark.parametrize("column", ["year", "Wave"])
def test_schools_that_recur_between_cycles_are_named(column: str) -> None:
    table = of_years(column)
    for found in (
        table.contrast({column: 1}, {column: 0}),
        table.contrast(b="trend", over=column),
        of_years(column, moved=2).contrast({column: 1}, {column: 0}),  # four of six
    ):
        assert {row["samples"] for row in found.to_dict()} == {"independent"}
        assert SAID.format(column) in str(found)
    for found in (
        table.contrast({column: 1}, {column: 0}, independent=True),  # the call says
        table.contrast({column: 1}, "average", over="IDCNTRY"),  # of one cycle
        table.contrast({"IDCNTRY": 1, column: 1}, {"IDCNTRY": 2, column: 0}),  # of two countries
        of_years(column, moved=3).contrast({column: 1}, {column: 0}),
        of_years("grade").contrast({"IDCNTRY": 1}, {"IDCNTRY": 2}),
    ):
        assert "taken as others" not in str(found)


def test_cycles_are_independent_whatever_their_schools() -> None:
    """Ids start again in each; a table of the same labels with a linking error is another cycle too."""
    tables = {year: fastml.fit_by(scores(year), "score", "IDSCHOOL", by="IDCNTRY") for year in (2015, 2019)}
    one, other = tables.values()
    for found, said in (
        (fastml.trend(tables), fastml.trend(tables, independent=True)),
        (other.contrast(b=one, link=2.0), other.contrast(b=one, link=2.0, independent=True)),
    ):
        assert [row | {"provenance": 0} for row in found.to_dict()] == [
            row | {"provenance": 0} for row in said.to_dict()
        ]
        assert "rows are of independent samples: their variances add" in found.notes
    with pytest.raises(FastmlError, match="estimates of one sample"):
        other.contrast(b=one)
    with pytest.raises(FastmlError, match="estimates of one sample"):
        fastml.trend(tables, independent=False)


@countries_together
def test_a_table_against_another() -> None:
    """The row of the same labels; b is named by the files, where there are any."""
    one, other = cycles((2015, 2019)).values()
    table = other.contrast([1, 2], one, link=2.0, independent=True)
    rows = table.to_dict()
    assert [(row["IDCNTRY"], row["a"], row["b"]) for row in rows] == [(i, "this table", "the other") for i in (1, 2)]
    assert rows[0]["difference"] == other.to_dict()[0]["gamma00"] - one.to_dict()[0]["gamma00"]
    for named in ((2,), {"IDCNTRY": 2}, (2, "score")):
        (row,) = other.contrast(named, one, independent=True).to_dict()
        assert row["difference"] == rows[1]["difference"]
    with pytest.raises(FastmlError, match="over='IDCNTRY' is of the rows of one table, and two are compared"):
        other.contrast(b=one, over="IDCNTRY", independent=True)
    with pytest.raises(FastmlError, match="different by-columns"):
        one.contrast(b=fastml.fit_by(scores(), "score", "ID", by="SEX"))
    with pytest.raises(FastmlError, match="no row of one table has"):
        one.contrast(b=fastml.fit_by(scores(), "other", "ID", by="IDCNTRY"))


@countries_together
@pytest.mark.parametrize("name", ["a", "b", "parameter", "se", "samples", "difference", "ratio"])
def test_a_by_column_called_as_a_field_is_refused(name: str) -> None:
    """Its labels would be overwritten by figures; `t`, a field of fits too, is refused sooner."""
    data = scores()
    table = fastml.fit_by(data | {name: data["IDCNTRY"]}, "score", "ID", by=[name, "SEX"])
    with pytest.raises(FastmlError, match=f"by column '{name}' has the name of a column of the table of comparisons"):
        table.contrast({"SEX": 0}, {"SEX": 1}, independent=True)
    with pytest.raises(FastmlError, match=f"by column '{name}'"):
        fastml.trend({2015: table, 2019: table}, independent=True)


def test_no_ratio_to_a_mean_of_rows(fits: fastml.FitTable) -> None:
    """It would be to the geometric mean, and estimate_b is the arithmetic one."""
    ratios = ("ratio", "p_value_ratio", "p_adjusted_ratio", "ci_low_ratio", "ci_high_ratio")
    for b in ("average", [2, 3]):
        (row,) = fits.contrast((1, "score"), b, over="IDCNTRY", parameter="sigma2", adjust="holm").to_dict()
        assert [row[name] for name in ratios] == [None] * 5
        assert row["difference"] == pytest.approx(row["estimate_a"] - row["estimate_b"])
        assert (row["status"], row["message"]) == ("ok", None)
    (row,) = fits.contrast((1, "score"), [(2, "score")], parameter="sigma2", adjust="holm").to_dict()
    assert row["ratio"] == pytest.approx(row["estimate_a"] / row["estimate_b"])
    assert row["p_adjusted_ratio"] == row["p_value_ratio"]
    slope = fastml.trend(cycles((2015, 2019)), parameter="sigma2", independent=True).to_dict()[0]
    one, two = (table.to_dict()[0]["sigma2"] for table in cycles((2015, 2019)).values())
    assert slope["ratio"] == pytest.approx((two / one) ** 0.25)


def test_labels_that_are_texts_in_one_cycle_and_integers_in_another() -> None:
    def table(year: int, kind: Any) -> fastml.FitTable:
        data = scores(year)
        keep = data["IDCNTRY"] > (1 if year == 2011 else 0)  # country 1 has two cycles, both of integers
        data["IDCNTRY"] = data["IDCNTRY"].astype(kind)
        return fastml.fit_by({k: v[keep] for k, v in data.items()}, "score", "ID", by="IDCNTRY")

    made = fastml.trend({2011: table(2011, str), 2015: table(2015, int), 2019: table(2019, int)}, independent=True)
    assert sorted(row["IDCNTRY"] for row in made.to_dict()) == ["1", "2", "3"]
    alike = fastml.trend({year: table(year, int) for year in (2011, 2015, 2019)}, independent=True)
    assert sorted(row["IDCNTRY"] for row in alike.to_dict()) == [1, 2, 3]
    assert sorted(row["difference"] for row in made.to_dict()) == sorted(row["difference"] for row in alike.to_dict())


def test_a_comparison_without_a_result_is_of_no_samples() -> None:
    """A country of one school has no fit: of six comparisons three have a result."""
    data = scores()
    one = {"IDCNTRY": 4, "IDSCHOOL": 1, "SEX": 0, "score": 1.0, "other": 1.0, "ID": 99}
    data = {name: np.concatenate([values, np.full(3, one[name])]) for name, values in data.items()}
    fits = fastml.fit_by(data, "score", "ID", by="IDCNTRY")
    for independent, said in ((None, ""), (True, " (as the call says)")):
        table = fits.contrast(independent=independent)
        assert [row["samples"] for row in table.to_dict()].count("independent") == 3
        assert all((row["samples"] is None) == (row["status"] == "no_result") for row in table.to_dict())
        assert table.notes == (f"rows are of independent samples: their variances add{said}",)
    assert fits.contrast(4, 1).notes == ()


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"parameter": "mean"}, "parameter='mean' is not one of 'gamma00', 'tau00'"),
        ({"parameter": []}, "parameter=None is not one of"),
        ({"parameter": 3}, "parameter=3 is not one of"),
        ({"adjust": "bonferroni"}, "adjust='bonferroni' is not one of 'holm', 'bh'"),
        ({"independent": "yes"}, "independent='yes' can't be"),
        ({"independent": np.array([True, False])}, "independent=array"),
        ({"b": fastml.FitTable}, 'no row has "<class'),
        ({"level": 95}, "level=95"),
        ({"link": -1.0}, "link=-1.0 can't be"),
        ({"link": {2015: "x"}}, "can't be"),
        ({"link": 3.0}, "link= is the error of linking two cycles"),
        ({"over": "land"}, "over='land' is no column"),
    ],
)
def test_terms_that_can_not_be(fits: fastml.FitTable, terms: dict[str, Any], said: str) -> None:
    with pytest.raises(FastmlError, match=said):
        fits.contrast("score", **terms)


def test_trends_that_can_not_be() -> None:
    tables = cycles()
    one = tables[2015]
    for given, said in (
        ({2015: one}, "two cycles or more"),
        ([one, one], "two cycles or more"),
        ({"2015": one, 2019: one}, "'2015': FitTable is no year"),
        ({2015: one, 2019: 3}, "int is no year"),
        ({2015: one, 2019: fastml.FitTable}, "type is no year"),
        ({float("nan"): one, 2019: one}, "nan: FitTable is no year"),
        ({2015: one, 2019: fastml.fit_by(scores(), "other", "ID", by="IDCNTRY")}, "a trend needs two rows or more"),
    ):
        with pytest.raises(FastmlError, match=said):
            fastml.trend(given)  # type: ignore[arg-type]
    for link, said in (
        ({2011: 1.0}, "2015 and 2019 have none"),
        ({2012: 1.0, 2011: 1.0}, "'2012' is no cycle"),
    ):
        with pytest.raises(FastmlError, match=said):
            fastml.trend(tables, link=link, independent=True)
    uneven = {2011: tables[2011], 2013: tables[2015], 2019: tables[2019]}
    with pytest.raises(FastmlError, match="link= of 3 cycles is a dict"):
        fastml.trend(uneven, link=3.0, independent=True)


@countries_together
def test_rows_of_a_table_that_was_cut_have_their_own_schools() -> None:
    data = scores()
    data["part"] = np.where(data["SEX"] == 1, "a", np.where(data["ID"] < 9, "b", "c"))  # a shares schools with both
    table = fastml.fit_by(data, "score", "ID", by="part")
    for rows in ([2, 1, 0], [2, 1]):
        cut = fastml.FitTable(table.table.take(rows), table.by, table.stats)
        assert cut.contrast("c", "b").to_dict()[0]["samples"] == "independent"
        if 0 in rows:
            with pytest.raises(FastmlError, match="fit_survey has"):
                cut.contrast("a", "c")
    twice = fastml.FitTable(table.table.take([0, 0]), table.by, table.stats)
    with pytest.raises(FastmlError, match="two rows are a score: they can't be told apart"):
        twice.contrast()


@pytest.mark.parametrize("unit", [1e-60, 1e60, 1e150])
def test_scores_of_any_unit(unit: float) -> None:
    """Squares of variances leave the doubles; beyond them there is no error, and no traceback."""
    data = scores()
    plain = fastml.fit_by(data, "score", "ID", by="IDCNTRY").contrast(1, 2, parameter=PARAMETERS)
    found = fastml.fit_by(data | {"score": unit * data["score"]}, "score", "ID", by="IDCNTRY").contrast(
        1, 2, parameter=PARAMETERS
    )
    for row, expected in zip(found.to_dict(), plain.to_dict(), strict=True):
        times = {"gamma00": unit, "tau00": unit**2, "sigma2": unit**2}.get(row["parameter"], 1.0)
        assert row["difference"] == pytest.approx(times * expected["difference"], rel=1e-6)
        if unit < 1e100:
            assert row["se"] == pytest.approx(times * expected["se"], rel=1e-6)
            assert row["df"] == (expected["df"] and pytest.approx(expected["df"], rel=1e-6))


def test_sixty_countries_in_three_cycles() -> None:
    """All 16,110 pairs, each as the two alone have it."""
    rng = np.random.default_rng(0)
    names = tuple(f"zone {z}, half {h}" for z in range(75) for h in (1, 0))

    def estimate() -> Estimate:
        deviations = rng.normal(0.0, 0.4, (150, 5))
        return Estimate(rng.normal(500.0, 2.0, 5), deviations, names, True, 0.5,
                        0.5 * float((deviations**2).sum(axis=0).mean()), 75.0)  # fmt: skip

    rows = [{"year": y, "IDCNTRY": c, "outcome": "BSMMAT"} for y in (2011, 2015, 2019) for c in range(60)]
    estimates = [estimate() for _ in rows]
    table = Compared("", ("year", "IDCNTRY"), rows, lambda: [None] * 180, lambda _: list(estimates), ("mean",), {})
    found = contrast_rows(table, None, None, ContrastTerms("mean", adjust="bh"))
    assert len(found) == 16_110
    row = found.to_dict()[7]
    first, second = estimates[0], estimates[8]
    total = sum(x.variance + 1.2 * float(np.var(x.values, ddof=1)) for x in (first, second))
    assert row["se"] ** 2 == pytest.approx(total, rel=1e-12)
