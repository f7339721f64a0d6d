"""What is kept of estimates, and comparisons made from it: against a twin that re-weights every row of both groups."""

from __future__ import annotations

import json
from pathlib import Path

import naive_contrasts
import naive_survey
import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from surveys import SMALL_PISA, only, pisa, timss, together

import fastml
from fastml.errors import FastmlError, SourceError
from fastml.survey.kept import KEPT, kept_columns, read_kept

FIGURES = naive_contrasts.FIGURES
DIFFERENCE = ("difference", "se", "sampling_variance", "imputation_variance")


def with_groups(seed: int = 0, country: float = 1.0) -> dict[str, np.ndarray]:
    """A small country with girls and boys in the same schools, school types, and a second domain."""
    data = timss(seed, country)
    rng = np.random.default_rng(seed)
    n = len(data["TOTWGT"])
    data["SEX"] = rng.integers(1, 3, n)
    data["TYPE"] = np.where(data["IDSCHOOL"] % 3 == 0, "private", "public")
    data |= {f"BSSSCI{k:02d}": 0.8 * data[f"BSMMAT{k:02d}"] + rng.normal(100.0, 20.0, n) for k in range(1, 6)}
    return data


def tables(data: dict[str, np.ndarray], rows: np.ndarray, stem: str = "BSMMAT") -> list[np.ndarray]:
    replicates = naive_survey.jackknife_totals(data["TOTWGT"], data["JKZONE"], data["JKREP"])
    v = data["WGTFAC1"] * data["WGTADJ1"]
    return [naive_contrasts.figures(data[f"{stem}{k:02d}"], rows, data["IDSCHOOL"], data["TOTWGT"], v, replicates)
            for k in range(1, 6)]  # fmt: skip


def check(table: fastml.ContrastTable, twin: tuple[np.ndarray, ...], tolerance: float = 1e-9) -> None:
    rows = {row["parameter"]: row for row in table.to_dict()}
    for i, name in enumerate(FIGURES):
        assert rows[name]["samples"] == "one"
        for column, values in zip(DIFFERENCE, twin, strict=False):
            assert rows[name][column] == pytest.approx(values[i], rel=tolerance), (name, column)


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    return with_groups()


def test_girls_and_boys_of_the_same_schools(data: dict[str, np.ndarray]) -> None:
    """Two zones have boys only, for whose replicates the girls are the full sample."""
    data = {name: column[(data["SEX"] == 2) | (data["JKZONE"] > 2)] for name, column in data.items()}
    table = fastml.fit_survey(data, "BSMMAT", "timss", by="SEX")
    twin = naive_contrasts.contrast(*(tables(data, data["SEX"] == sex) for sex in (1, 2)), 0.5)
    check(table.contrast(1, 2, parameter=FIGURES), twin)
    alone = table.contrast(1, 2, parameter=FIGURES, independent=True).to_dict()
    assert [row["se"] for row in alone] == pytest.approx(twin[4].tolist(), rel=1e-9)
    assert alone[0]["samples"] == "independent"


def test_two_domains_school_types_and_a_part_of_the_whole(data: dict[str, np.ndarray]) -> None:
    everyone = np.ones(len(data["SEX"]), bool)
    both = fastml.fit_survey(data, ["BSMMAT", "BSSSCI"], "timss")
    whole = tables(data, everyone)
    twin = naive_contrasts.contrast(whole, tables(data, everyone, "BSSSCI"), 0.5)
    check(both.contrast("BSMMAT", "BSSSCI", parameter=FIGURES), twin)
    types = fastml.fit_survey(data, "BSMMAT", "timss", by="TYPE")
    of = {kind: tables(data, data["TYPE"] == kind) for kind in ("private", "public")}
    check(types.contrast("private", "public", parameter=FIGURES), naive_contrasts.contrast(*of.values(), 0.5))
    # A part against the whole, from two calls: the schools in common tell that it is one sample.
    first = fastml.fit_survey(data, "BSMMAT", "timss", filter="SEX = 1")
    twin = naive_contrasts.contrast(tables(data, data["SEX"] == 1), whole, 0.5)
    check(first.contrast(b=both, parameter=FIGURES), twin)


def test_other_calls_without_school_weights_are_asked_of() -> None:
    """Girls and all, of a student file alone: their schools can't be told from those of another cycle."""
    students, _ = pisa()
    girls = np.random.default_rng(3).integers(0, 2, len(students["CNT"])) == 1
    whole = fastml.fit_survey(students, "MATH", SMALL_PISA)
    part = fastml.fit_survey({name: column[girls] for name, column in students.items()}, "MATH", SMALL_PISA)
    with pytest.raises(FastmlError, match="no school weights or no school ids"):
        whole.contrast(b=part, parameter="mean")
    (row,) = whole.contrast(b=part, parameter="mean", independent=False).to_dict()
    replicates = [students[f"W_FSTURWT{r}"] for r in range(1, 9)]
    of = []
    for k in range(1, 11):
        y, w = students[f"PV{k}MATH"], np.stack([students["W_FSTUWT"], *replicates])
        of.append((w @ y) / w.sum(axis=1) - (w[:, girls] @ y[girls]) / w[:, girls].sum(axis=1))
    apart = np.array(of)
    sampling = 0.05 * ((apart[:, 1:] - apart[:, :1]) ** 2).sum(axis=1).mean()
    assert row["se"] ** 2 == pytest.approx(sampling + 1.1 * apart[:, 0].var(ddof=1), rel=1e-9)
    # Rows of one call are of one sample, and cycles of independent ones, as before.
    students["SEX"] = np.where(girls, 1, 2)
    sexes = fastml.fit_survey(students, "MATH", SMALL_PISA, by="SEX").contrast(1, 2, parameter="mean")
    assert sexes.to_dict()[0]["samples"] == "one"
    linked = whole.contrast(b=part, parameter="mean", link=1.0)
    trend = fastml.trend({2015: part, 2018: whole}, parameter="mean")
    assert [of.to_dict()[0]["samples"] for of in (linked, trend)] == ["independent"] * 2


def census(seed: int, sure: int = 20, plausible: int = 5) -> dict[str, np.ndarray]:
    """A country of 20 schools, of which some have weight 1, as all are in the sample, or those that are largest."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(20), 6)
    v = np.where(np.arange(20) < sure, 1.0, rng.uniform(2.0, 9.0, 20))[school]
    score = 500.0 + rng.normal(0.0, 30.0, 20)[school] + rng.normal(0.0, 70.0, 120)
    scores = {f"BSMMAT{k:02d}": score + rng.normal(0.0, 20.0, 120) for k in range(1, plausible + 1)}
    return {"IDCNTRY": np.full(120, 352), "IDSCHOOL": school, "JKZONE": school // 2, "JKREP": school % 2,
            "TOTWGT": v, "SCHWGT": v, **scores}  # fmt: skip


@pytest.mark.parametrize("sure", [0, 8, 18])
def test_cycles_have_schools_of_equal_id_and_weight(sure: int) -> None:
    """Those that are sure to be in each sample; the others tell that it is another."""
    first, second = (fastml.fit_survey(census(seed, sure), "BSMMAT", "timss") for seed in (1, 2))
    (row,) = second.contrast(b=first, parameter="mean").to_dict()
    assert row["samples"] == "independent"
    assert row["se"] ** 2 == pytest.approx(sum(only(table)["se_mean"] ** 2 for table in (first, second)))


def test_cycles_of_all_schools_are_asked_of(tmp_path: Path) -> None:
    """All have the same id and weight in each; a trend or a linking error tells, or the call, read again or not."""
    first, second = (fastml.fit_survey(census(seed), "BSMMAT", "timss") for seed in (1, 2))
    first.write(tmp_path / "first.parquet")
    for before in (first, fastml.read_table(tmp_path / "first.parquet")):
        with pytest.raises(FastmlError, match="same ids, all of one weight"):
            second.contrast(b=before, parameter="mean")
    variance = sum(only(table)["se_mean"] ** 2 for table in (first, second))
    (row,) = second.contrast(b=first, parameter="mean", link=2.0).to_dict()
    assert (row["samples"], row["se"] ** 2) == ("independent", pytest.approx(variance + 4.0))
    (row,) = fastml.trend({2015: first, 2019: second}, parameter="mean").to_dict()
    assert (row["samples"], row["se"] ** 2) == ("independent", pytest.approx(variance / 16.0))
    assert second.contrast(b=first, independent=False).to_dict()[0]["samples"] == "one"


def test_a_country_that_can_not_be_told_stops_no_other() -> None:
    """Of three countries one has no school ids, and one has all its schools in the sample."""

    def cycle(seed: int) -> fastml.SurveyTable:
        plain, without, every = census(seed, 0), census(seed + 10, 0), census(seed + 20)
        without["IDCNTRY"], every["IDCNTRY"] = np.full(120, 40), np.full(120, 442)
        without["IDSCHOOL"] = np.full(120, np.nan)
        return fastml.fit_survey(together(plain, without, every), "BSMMAT", "timss", by="IDCNTRY")

    first, second = cycle(1), cycle(2)
    table = second.contrast(b=first, parameter=["mean", "icc"], adjust="holm")
    rows = {(row["IDCNTRY"], row["parameter"]): row for row in table.to_dict()}
    alone = second.contrast(352, first, parameter=["mean", "icc"], adjust="holm", independent=True).to_dict()
    for row in alone:
        found = rows[352, row["parameter"]]
        assert (found["status"], found["message"], found["samples"]) == ("ok", None, "independent")
        for name in (*DIFFERENCE, "p_adjusted"):
            assert found[name] == row[name]
    for country, said in ((40, "no school weights or no school ids"), (442, "all of one weight")):
        row = rows[country, "mean"]
        assert (row["status"], row["samples"], row["estimate_a"] is None) == ("no_result", None, False)
        assert {row[name] for name in (*DIFFERENCE, "df", "t", "p_value", "p_adjusted", "ci_low", "ci_high")} == {None}
        assert said in row["message"]
        assert f"IDCNTRY {country} " in str(table)
        with pytest.raises(FastmlError, match=said):
            second.contrast(country, first, parameter="mean")
    assert "a row of it has no icc" in rows[40, "icc"]["message"]
    assert second.contrast(b=first, parameter="mean", independent=True).complete
    # Within a cycle all are compared.
    assert second.contrast(parameter="mean").complete


def test_cycles_of_other_designs_are_compared() -> None:
    """With other numbers of plausible values, and other replicates."""
    first = fastml.fit_survey(census(1), "BSMMAT", "timss_before_2015")
    second = fastml.fit_survey(census(2, plausible=10), "BSMMAT", "timss")
    with pytest.raises(FastmlError, match=r"5 and 10 plausible values.*Say independent=True if the samples are"):
        second.contrast(b=first, parameter="mean", independent=False)
    variance = sum(only(table)["se_mean"] ** 2 for table in (first, second))
    for found in (
        fastml.trend({2011: first, 2012: second}, parameter="mean"),
        second.contrast(b=first, parameter="mean", link=0.0),
        second.contrast(b=first, parameter="mean", independent=True),
    ):
        assert found.to_dict()[0]["se"] ** 2 == pytest.approx(variance)


def test_columns_of_replicate_weights() -> None:
    students, schools = pisa()
    rng = np.random.default_rng(3)
    students["SEX"] = rng.integers(1, 3, len(students["CNT"]))
    table = fastml.fit_survey(students, "MATH", SMALL_PISA, school_data=schools, by="SEX")
    v = schools["W_SCHGRNRABWT"][students["CNTSCHID"].astype(int) - 1]
    replicates = [students[f"W_FSTURWT{r}"] for r in range(1, 9)]
    of = [[naive_contrasts.figures(students[f"PV{k}MATH"], students["SEX"] == sex, students["CNTSCHID"],
                                   students["W_FSTUWT"], v, replicates) for k in range(1, 11)] for sex in (1, 2)]  # fmt: skip
    check(table.contrast(1, 2, parameter=FIGURES), naive_contrasts.contrast(*of, 0.05))


def test_the_first_plausible_value_alone(data: dict[str, np.ndarray]) -> None:
    table = fastml.fit_survey(data, "BSMMAT", "timss_before_2015", by="SEX")
    (row,) = table.contrast(1, 2, parameter="mean").to_dict()
    half = naive_survey.jackknife_totals(data["TOTWGT"], data["JKZONE"], data["JKREP"], both=False)
    v = data["WGTFAC1"] * data["WGTADJ1"]
    one, other = (naive_contrasts.figures(data["BSMMAT01"], data["SEX"] == sex, data["IDSCHOOL"], data["TOTWGT"], v, half)
                  for sex in (1, 2))  # fmt: skip
    apart = (one - other)[:, 4]
    assert row["sampling_variance"] == pytest.approx(float(((apart[1:] - apart[0]) ** 2).sum()), rel=1e-9)


@pytest.mark.parametrize("make", ["timss", "pisa"])
def test_real_files(make: str, assessments_folder: Path) -> None:
    """The record is the twin's, which takes minutes: see naive_contrasts."""
    if numba.config.DISABLE_JIT:
        pytest.skip(
            "the files can't be smaller, and interpreted kernels need minutes: the twin runs on small data above"
        )
    table, design = getattr(naive_contrasts, make)()
    sex, *_, scores = naive_contrasts.survey(table, design)
    first, second = scores
    by_sex = fastml.fit_survey(table, first, design, by=sex)
    whole = fastml.fit_survey(table, [first, second], design)
    compared = {
        "sex": by_sex.contrast(1, 2, parameter=FIGURES),
        "domain": whole.contrast(first, second, parameter=FIGURES),
        "type": fastml.fit_survey(table, first, design, by="type").contrast("high", "low", parameter=FIGURES),
        "whole": fastml.fit_survey(table, first, design, filter=f"{sex} = 1").contrast(b=whole, parameter=FIGURES),
    }
    record = [made for made in json.loads(naive_contrasts.RECORD.read_text()) if made["file"] == make]
    assert [made["contrast"] for made in record] == list(compared)
    for made in record:
        check(compared[made["contrast"]], tuple(np.array([made[c][name] for name in FIGURES]) for c in DIFFERENCE))
    alone = by_sex.contrast(1, 2, parameter=FIGURES, independent=True).to_dict()
    assert [row["se"] for row in alone] == pytest.approx([record[0]["se_independent"][n] for n in FIGURES], rel=1e-9)
    # Means are those of R's survey.
    for by_r in (made for made in BY_SURVEY if made["file"] == make):
        (row,) = (row for row in compared[by_r["contrast"]].to_dict() if row["parameter"] == "mean")
        for column in DIFFERENCE:
            assert row[column] == pytest.approx(by_r[column], rel=1e-9), (by_r["contrast"], column)


# Means by R's survey 4.1.1 (R 4.2.2): svyby(covmat = TRUE), svymean and svycontrast, Rubin's rules by hand;
# tests/survey/contrasts_by_survey.R made these lines from the tables of naive_contrasts, written as CSV.
BY_SURVEY = json.loads((Path(__file__).parent / "contrasts_by_survey.json").read_text())


def test_a_file_keeps_all_that_comparing_needs(data: dict[str, np.ndarray], tmp_path: Path) -> None:
    table = fastml.fit_survey(data, "BSMMAT", "timss", by=["IDCNTRY", "SEX"], average=True)
    table.write(tmp_path / "t.parquet")
    again = fastml.read_table(tmp_path / "t.parquet")
    assert again.to_arrow().equals(table.to_arrow(), check_metadata=True)
    assert again.by == table.by
    assert str(again) == str(table)
    one, other = (t.contrast({"SEX": 1}, {"SEX": 2}, parameter=FIGURES) for t in (table, again))
    assert one.to_dict() == other.to_dict()
    # In one file and in another call in memory: the same schools.
    assert table.contrast(b=again, parameter="mean").to_dict()[0]["samples"] == "one"
    assert [kept is None for kept in again.kept] == [False, False, True]
    kept = again.kept[0]
    assert kept.values.shape == (1 + len(kept.replicates), 5, 7)
    row = table.to_dict()[0]
    assert float(kept.values[0, :, 5].mean()) == row["mean"]
    squares = 0.5 * (kept.values[1:, :, 5] ** 2).sum(axis=0).mean()
    assert squares == pytest.approx(row["sampling_variance_mean"], rel=1e-12)


def test_what_is_no_such_file(tmp_path: Path, data: dict[str, np.ndarray]) -> None:
    with pytest.raises(SourceError, match="No such file"):
        fastml.read_table(tmp_path / "none.parquet")
    with pytest.raises(SourceError, match="not a int"):
        fastml.read_table(3)  # type: ignore[arg-type]
    (tmp_path / "text.parquet").write_text("nothing")
    with pytest.raises(SourceError, match="can't read"):
        fastml.read_table(tmp_path / "text.parquet")
    fit = fastml.fit_by(data, "BSMMAT01", "IDSCHOOL", by="SEX")
    fit.write(tmp_path / "fits.parquet")
    with pytest.raises(SourceError, match="no table of fit_survey"):
        fastml.read_table(tmp_path / "fits.parquet")
    table = fastml.fit_survey(data, "BSMMAT", "timss")
    pq.write_table(table.to_arrow(), tmp_path / "old.parquet")
    with pytest.raises(SourceError, match="kept no estimates; fit it again"):
        fastml.read_table(tmp_path / "old.parquet")
    broken = table.to_arrow()
    for name, column in kept_columns(table.kept).items():
        broken = broken.append_column(name, [["{}"]] if name == "kept" else column)
    pq.write_table(broken, tmp_path / "broken.parquet")
    with pytest.raises(SourceError, match="can't be read"):
        fastml.read_table(tmp_path / "broken.parquet")


def test_a_table_of_figures_alone(data: dict[str, np.ndarray]) -> None:
    table = fastml.fit_survey(data, "BSMMAT", "timss", by="SEX")
    with pytest.raises(FastmlError, match=r"no estimates .* to compare by; read_table reads"):
        fastml.SurveyTable(table.table, table.by).contrast(1, 2)
    with pytest.raises(FastmlError, match="no estimates"):  # those kept are of other rows
        fastml.SurveyTable(table.table.slice(1), table.by, table.kept).contrast(b=table)


def test_columns_of_a_file_are_taken() -> None:
    with pytest.raises(FastmlError, match="by column 'kept' has the name"):
        fastml.fit_survey(timss() | {"kept": timss()["IDCNTRY"]}, "BSMMAT", "timss", by="kept")
    empty = kept_columns([None])
    assert set(empty) == set(KEPT)
    assert read_kept(pa.table(empty)) == [None]


def test_two_cycles_and_a_linking_error(data: dict[str, np.ndarray]) -> None:
    """The same ids with other weights are other schools; the linking error is added to means, and to means alone."""
    later = with_groups(1)
    before, after = (fastml.fit_survey(x, "BSMMAT", "timss", by="SEX") for x in (data, later))
    table = after.contrast(b=before, parameter=["mean", "icc"], link=3.0)
    rows = table.to_dict()
    for row, old, new in zip(rows[:2], before.to_dict(), after.to_dict(), strict=True):
        assert row["samples"] == "independent"
        assert row["difference"] == pytest.approx(new["mean"] - old["mean"])
        assert row["se"] ** 2 == pytest.approx(new["se_mean"] ** 2 + old["se_mean"] ** 2 + 9.0)
    assert [row["linking_variance"] for row in rows] == [9.0, 9.0, 0.0, 0.0]
    assert "icc: no linking error" in str(table)
    # Once for a comparison of averages, and not at all for the change of a gap.
    cycles = {2015: before, 2019: after}
    slopes = fastml.trend(cycles, parameter="mean", link=3.0).to_dict()
    assert [row["linking_variance"] for row in slopes] == pytest.approx([9.0 / 16.0] * 2)
    assert [4.0 * row["difference"] for row in slopes] == pytest.approx([row["difference"] for row in rows[:2]])


def test_countries_are_independent_and_their_average_contains_them() -> None:
    countries = together(*(with_groups(seed, float(seed)) for seed in range(1, 5)))
    table = fastml.fit_survey(countries, "BSMMAT", "timss", by="IDCNTRY", average=True)
    *rows, average = table.to_dict()
    variance = [row["se_mean"] ** 2 for row in rows]
    for i, row in enumerate(table.contrast(b="average", parameter="mean").to_dict()):
        assert row["estimate_b"] == pytest.approx(average["mean"])
        assert row["se"] ** 2 == pytest.approx((1 - 2 / 4) * variance[i] + sum(variance) / 16, rel=1e-12)
        assert (row["b"], row["samples"]) == ("average", "independent")
    pooled = fastml.fit_survey(countries, "BSMMAT", "timss")
    (row,) = table.contrast([1], [2, 3], parameter="mean").to_dict()
    assert row["se"] ** 2 == pytest.approx(variance[0] + (variance[1] + variance[2]) / 4)
    assert only(pooled)["n_groups"] == sum(row["n_groups"] for row in rows)


def test_without_school_weights_the_country_and_the_data_tell(data: dict[str, np.ndarray]) -> None:
    """Other data can have schools of the same ids, and without weights nothing tells them apart."""
    bare = {name: column for name, column in data.items() if name not in ("WGTFAC1", "WGTADJ1")}
    table, other = (fastml.fit_survey(bare, "BSMMAT", "timss", by="SEX") for _ in range(2))
    assert table.contrast(1, 2, parameter="mean").to_dict()[0]["samples"] == "one"
    with pytest.raises(FastmlError, match="no school weights or no school ids"):
        table.contrast(b=other, parameter="mean")
    nowhere = {name: column for name, column in bare.items() if name != "IDCNTRY"}
    unknown = fastml.fit_survey(nowhere, "BSMMAT", "timss", by="SEX")
    with pytest.raises(FastmlError, match="no column of countries"):
        unknown.contrast(1, 2, parameter="mean")


def test_a_country_and_a_pool_that_holds_it() -> None:
    """The pool is of one sample with each of its countries, which are independent of each other."""
    both = together(with_groups(1, 1.0), with_groups(2, 2.0))
    apart = fastml.fit_survey(both, "BSMMAT", "timss", by="IDCNTRY")
    pool = fastml.fit_survey(both | {"ALL": np.ones(len(both["SEX"]))}, "BSMMAT", "timss", by="ALL")
    one, _, all_ = (*apart.kept, *pool.kept)
    assert one is not None
    assert all_ is not None
    assert set(one.replicates) < set(all_.replicates)
    assert apart.contrast(1, 2, parameter="mean").to_dict()[0]["samples"] == "independent"


def test_scores_times_ten_have_ten_times_the_difference(data: dict[str, np.ndarray]) -> None:
    larger = {name: 10.0 * column if name.startswith("BSM") else column for name, column in data.items()}
    one, ten = (fastml.fit_survey(x, "BSMMAT", "timss", by="SEX").contrast(1, 2, parameter=FIGURES).to_dict()
                for x in (data, larger))  # fmt: skip
    for a, b in zip(one, ten, strict=True):
        times = {"gamma00": 10.0, "mean": 10.0, "sd": 10.0, "icc": 1.0}.get(a["parameter"], 100.0)
        for name in ("difference", "se", "ci_low", "ci_high"):
            assert b[name] == pytest.approx(times * a[name], rel=1e-9), (a["parameter"], name)
        for name in ("df", "p_value", "ratio", "ci_low_ratio"):
            assert (a[name] is None and b[name] is None) or b[name] == pytest.approx(a[name], rel=1e-8)


def test_standard_errors_over_schools_can_compare_countries_only(data: dict[str, np.ndarray]) -> None:
    table = fastml.fit_survey(data, "BSMMAT", "timss", by="SEX", se="sandwich")
    with pytest.raises(FastmlError, match=r"SEX 1 and SEX 2: estimates of one sample .* se='replicate'"):
        table.contrast(1, 2)
    both = fastml.fit_survey(together(with_groups(1, 1.0), with_groups(2, 2.0)), "BSMMAT", "timss", by="IDCNTRY", vcov="cr2",
                             se="sandwich")  # fmt: skip
    (row,) = both.contrast(1, 2, parameter="mean").to_dict()
    assert row["se"] ** 2 == pytest.approx(sum(x["se_mean"] ** 2 for x in both.to_dict()))


def test_a_variance_of_zero_and_parts_without_a_model() -> None:
    data = with_groups()
    data["SCALE"] = np.arange(len(data["TOTWGT"])) % 7 + 0.5
    data["SEX"] = np.where(data["SEX"] == 1, 1, np.where(data["IDSCHOOL"] == 5001, 3, 2))
    table = fastml.fit_survey(data, "SCALE", "timss", by="SEX")
    found = table.contrast(parameter=["tau00", "mean"])
    assert not found.complete
    rows = {(row["a"], row["b"], row["parameter"]): row for row in found.to_dict()}
    flat = rows["SEX 1", "SEX 2", "tau00"]
    assert flat["se"] is None
    assert "boundary" in flat["message"]
    assert flat["ratio"] is None
    assert rows["SEX 1", "SEX 3", "tau00"]["status"] == "no_result"
    lone = rows["SEX 1", "SEX 3", "mean"]  # without its only school a replicate has no mean
    assert lone["difference"] is not None
    assert (lone["se"], lone["status"]) == (None, "ok")
    assert "has no standard error in its table" in str(found)
    assert "a row of it has no tau00" in str(found)
