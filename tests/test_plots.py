"""The pictures: what each draws, where, and by which name. Not its pixels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import fastml
from fastml import plots
from fastml.inference.intervals import interval
from fastml.report import canvas
from fastml.results import pages

ONE_FIT = ("caterpillar", "school_distribution", "variance_shares", "icc_profile", "qq")


@pytest.fixture(scope="module")
def fit(lecture_file: Path) -> fastml.OneWayFit:
    return fastml.fit(lecture_file, "bsmmatxx", "idschool")


@pytest.fixture(scope="module")
def big() -> fastml.OneWayFit:
    rng = np.random.default_rng(5)
    count = 100_000
    n = rng.integers(2, 60, count)
    mean = 500.0 + rng.normal(0.0, 40.0, count) + rng.normal(size=count) * 80.0 / np.sqrt(n)
    return fastml.fit(fastml.GroupStats.from_summary(group=np.arange(count), n=n, mean=mean, sd=np.full(count, 80.0)))


def labelled(ax: Axes) -> dict[str, object]:
    handles, labels = ax.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def assert_whole(ax: Axes) -> None:
    """Nothing that is written lies outside the picture."""
    figure = ax.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    drawn, room = ax.get_tightbbox(), figure.bbox
    assert drawn is not None
    assert min(drawn.x0, drawn.y0) > -1.0
    assert drawn.x1 < room.x1 + 1.0
    assert drawn.y1 < room.y1 + 1.0


@pytest.mark.parametrize("max_bars", [0, 1, 19])
def test_bands_of_fewer_schools_than_bands(max_bars: int, fit: fastml.OneWayFit) -> None:
    ax = plots.caterpillar(fit, max_bars=max_bars)
    (middle,) = [line for line in ax.lines if line.get_label() == "Shrunken mean, median"]
    # A band for each of the 20 schools, in order.
    assert np.array_equal(middle.get_ydata(), np.sort(fit.groups()["eb_mean"]))


def test_results_of_another_kind_are_refused(fit: fastml.OneWayFit) -> None:
    data = {"y": [1.0, 2.0, 4.0, 8.0], "g": [1, 1, 2, 2], "c": [7, 7, 7, 7]}
    table = fastml.fit_by(data, "y", "g", by="c")
    for draw in (plots.caterpillar, plots.school_distribution, plots.variance_shares, plots.icc_profile, plots.qq):
        with pytest.raises(fastml.FastmlError, match=r"a FitTable is not one fit; draw what fit gives"):
            draw(table)
    with pytest.raises(fastml.FastmlError, match="a OneWayFit is no table of fits"):
        plots.icc_by(fit)


def test_caterpillar_has_a_bar_and_a_dot_for_every_school_in_order(fit: fastml.OneWayFit) -> None:
    ax = plots.caterpillar(fit)
    table = fit.groups().sort_values("eb_mean")
    drawn = labelled(ax)
    raw, shrunken = drawn["Raw mean"].get_offsets(), drawn["Shrunken mean"].get_offsets()  # type: ignore[attr-defined]
    np.testing.assert_allclose(shrunken[:, 1], table["eb_mean"])
    np.testing.assert_allclose(raw[:, 1], table["mean"])
    assert (np.round(raw[:, 0]) == np.arange(20)).all()
    bars = drawn["Shrunken mean, 95 % interval"]
    assert isinstance(bars, LineCollection)
    ends = np.array(bars.get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, table[["ci_low", "ci_high"]])
    wide = np.array(drawn["Raw mean, 95 % interval"].get_segments())[:, :, 1]  # type: ignore[attr-defined]
    np.testing.assert_allclose(wide[:, 1] - wide[:, 0], 2 * 1.959964 * table["se_mean"], rtol=1e-6)
    assert drawn["Grand mean 539.0"].get_ydata()[0] == fit.gamma00  # type: ignore[attr-defined]
    assert [t.get_text() for t in ax.get_xticklabels()] == [str(g) for g in table["group"]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("idschool", "Mean of bsmmatxx, score points")


def test_caterpillar_of_100_000_schools_draws_bands(big: fastml.OneWayFit) -> None:
    ax = plots.caterpillar(big)
    drawn = labelled(ax)
    assert len(ax.lines) == 4
    line = drawn["Shrunken mean, median"]
    x, y = line.get_data()  # type: ignore[attr-defined]
    assert len(x) == 100
    assert (np.diff(y) > 0).all()
    eb = np.sort(big.groups()["eb_mean"])
    np.testing.assert_allclose(y[50], np.median(eb[50_000:51_000]))
    assert "100,000" in ax.get_xlabel()
    assert not any(isinstance(c, LineCollection) for c in ax.collections)


def test_school_distribution_is_the_lectures(fit: fastml.OneWayFit) -> None:
    ax = plots.school_distribution(fit)
    curve = labelled(ax)["True means, by the model"]
    x, y = curve.get_data()  # type: ignore[attr-defined]
    assert x[np.argmax(y)] == pytest.approx(538.979, abs=1e-3)
    assert np.sum(y) * (x[1] - x[0]) == pytest.approx(1.0, abs=1e-3)
    assert max(y) == pytest.approx(1 / (72.298 * np.sqrt(2 * np.pi)), rel=1e-4)
    assert [t.get_text() for t in ax.texts] == ["−1 SD\n466.7", "mean\n539.0", "+1 SD\n611.3"]
    assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1.0)  # type: ignore[attr-defined]
    shrunken = plots.school_distribution(fit, of="eb_mean")
    assert "20 shrunken school means" in labelled(shrunken)
    with pytest.raises(fastml.FastmlError, match="'mean', 'eb_mean'"):
        plots.school_distribution(fit, of="median")


def test_variance_shares_are_icc_and_reliability(fit: fastml.OneWayFit) -> None:
    ax = plots.variance_shares(fit)
    widths = [bar.get_width() for bar in ax.patches]  # type: ignore[attr-defined]
    assert widths == [fit.icc, 1 - fit.icc, fit.reliability, 1 - fit.reliability]
    assert [t.get_text() for t in ax.texts] == [
        "between schools (ICC) 51 %", "within schools 49 %", "true (reliability) 97 %", "error 3 %",
    ]  # fmt: skip


def test_icc_profile_is_lowest_at_the_estimate(fit: fastml.OneWayFit) -> None:
    ax = plots.icc_profile(fit)
    x, y = labelled(ax)["Deviance above its minimum"].get_data()  # type: ignore[attr-defined]
    assert x[np.argmin(y)] == fit.icc
    assert min(y) == pytest.approx(0.0, abs=1e-9)
    profile = interval(fit.sizes, fit.components, "icc", method="profile")
    np.testing.assert_allclose(np.interp([profile.low, profile.high], x, y), 3.8415, rtol=1e-3)
    exact = interval(fit.sizes, fit.components, "icc")
    band = ax.patches[0]
    assert band.get_x() == pytest.approx(exact.low)  # type: ignore[attr-defined]
    assert band.get_width() == pytest.approx(exact.high - exact.low)  # type: ignore[attr-defined]
    assert "Exact 95 % interval, 0.368 to 0.696" in labelled(ax)


def test_no_profile_without_a_likelihood(lecture_file: Path) -> None:
    anova = fastml.fit(lecture_file, "bsmmatxx", "idschool", method="anova")
    with pytest.raises(fastml.FastmlError, match="fit by 'reml' or 'ml'"):
        plots.icc_profile(anova)


def test_qq_of_normal_schools_follows_the_line(fit: fastml.OneWayFit, big: fastml.OneWayFit) -> None:
    points = plots.qq(fit).collections[0].get_offsets()
    assert len(points) == 20
    z = (fit.groups()["mean"] - fit.gamma00) / np.sqrt(fit.tau00 + fit.sigma2 / 30)
    np.testing.assert_allclose(points[:, 1], np.sort(z))
    ax = plots.qq(big)
    points = np.asarray(ax.collections[0].get_offsets())
    assert 400 < len(points) <= 600
    assert np.diff(np.sort(points[:, 0])).min() > 0.005
    inner = np.abs(points[:, 0]) < 3
    assert np.abs(points[inner, 0] - points[inner, 1]).max() < 0.06
    assert "100,000 schools" in labelled(ax)


def test_icc_by_sorts_counts_and_names() -> None:
    rng = np.random.default_rng(0)
    rows = [(c, s, s * d + rng.normal()) for c, d, n in (("A", 1.0, 5), ("$B_1$", 0.1, 5), ("lone", 1.0, 1))
            for s in range(n) for _ in range(6)]  # fmt: skip
    data = {"country": [r[0] for r in rows], "school": [r[1] for r in rows], "y": [r[2] for r in rows]}
    table = fastml.fit_by(data, "y", "school", by="country")
    ax = plots.icc_by(table)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["A", r"\$B_1\$"]
    frame = table.to_frame().dropna(subset="icc").sort_values("icc", ascending=False)
    np.testing.assert_allclose(np.asarray(ax.collections[1].get_offsets())[:, 0], frame["icc"])
    assert ax.get_xlabel() == "ICC of y, 95 % interval\n1 of 3 without a result left out"
    low, high = np.array(ax.collections[0].get_segments())[0, :, 0]  # type: ignore[attr-defined]
    rows_of_a = {
        key: [v for v, c in zip(column, data["country"], strict=True) if c == "A"] for key, column in data.items()
    }
    exact = fastml.fit(rows_of_a, "y", "school").ci("icc")
    assert (low, high) == (pytest.approx(exact.low), pytest.approx(exact.high))
    narrow = plots.icc_by(table, level=0.5)
    assert narrow.get_xlabel().startswith("ICC of y, 50 % interval")
    inner = np.array(narrow.collections[0].get_segments())[0, :, 0]  # type: ignore[attr-defined]
    assert low < inner[0] < inner[1] < high
    assert_whole(ax)
    with pytest.raises(fastml.FastmlError, match="no row of the table has an icc"):
        plots.icc_by(fastml.fit_by({"c": ["a", "a"], "s": [1, 1], "y": [1.0, 2.0]}, "y", "s", by="c"))


@pytest.mark.parametrize("name", ONE_FIT)
def test_nothing_is_clipped_and_axes_are_named(name: str, fit: fastml.OneWayFit) -> None:
    ax = getattr(plots, name)(fit)
    assert_whole(ax)
    assert ax.get_xlabel()


@pytest.mark.parametrize("name", ONE_FIT)
def test_draws_on_the_axes_given(name: str, fit: fastml.OneWayFit) -> None:
    ax = Figure().subplots()
    assert getattr(plots, name)(fit, ax=ax) is ax


@pytest.mark.parametrize("name", ONE_FIT)
def test_long_names_and_no_variance(name: str) -> None:
    data = {"a school with a very long name": [f"{'long name ' * 9}{i // 4}" for i in range(40)],
            "the score of something that has no end of letters": [1.0, 2.0, 3.0, 4.0] * 10}  # fmt: skip
    fit = fastml.fit(data, *reversed(data))
    assert fit.singular
    assert_whole(getattr(plots, name)(fit))


ODD = {
    "13 leading digits": (10, 5, 0.1, 0.1, 1e12),
    "icc of 1": (20, 5, 1e9, 1e-3, 500.0),
    "icc next to 1": (20, 5, 1e3, 1.0, 500.0),
    "enormous": (20, 5, 1e150, 1e150, 0.0),
    "minute": (20, 5, 1e-9, 1e-9, 0.0),
    "two schools": (2, 5, 30.0, 10.0, 500.0),
}


@pytest.mark.parametrize("case", ODD)
def test_pictures_and_pages_of_odd_scores(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schools, students, tau_sd, sigma, centre = ODD[case]
    rng = np.random.default_rng(3)
    means = np.repeat(rng.normal(0.0, tau_sd, schools), students)
    data = {"s": np.repeat(np.arange(schools), students), "y": centre + means + rng.normal(0.0, sigma, len(means))}
    fit = fastml.fit(data, "y", "s")
    pictures = len(ONE_FIT) - 1  # the profile is not on the page
    if fit.icc > 0.99999:
        with pytest.raises(fastml.FastmlError, match="too near 1 to draw its profile"):
            plots.icc_profile(fit)
    drawn = []

    def inline_svg(ax: Axes, *words: str) -> str:
        drawn.append(ax)
        return inline(ax, *words)

    inline = pages.inline_svg
    monkeypatch.setattr(pages, "inline_svg", inline_svg)
    assert fit.report_html().count("<svg") == len(drawn) == pictures
    for ax in drawn:
        assert_whole(ax)
    assert "nan" not in str(fit.summary()).lower()


def test_labels_have_the_digits_that_the_scores_need() -> None:
    rng = np.random.default_rng(3)
    means = np.repeat(rng.normal(0.0, 0.5, 30), 10)
    fit = fastml.fit({"s": np.repeat(np.arange(30), 10), "y": means + rng.normal(size=300)}, "y", "s")
    low, middle, high = (t.get_text().split("\n")[1] for t in plots.school_distribution(fit).texts)
    assert (low, middle, high) == tuple(f"{fit.gamma00 + k * fit.tau_sd:.2f}" for k in (-1, 0, 1))
    assert f"a true mean of {low}, one above it {high}" in str(fit.summary()).replace("\n", " ")


def test_no_pyplot_and_no_change_of_settings(lecture_file: Path) -> None:
    program = (
        "import sys, fastml, matplotlib\n"
        "before = list(dict.items(matplotlib.rcParams))\n"  # a plain look-up would make it choose a backend
        f"fit = fastml.fit({str(lecture_file)!r}, 'bsmmatxx', 'idschool')\n"
        "from fastml import plots\n"
        "plots.caterpillar(fit)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert before == list(dict.items(matplotlib.rcParams))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_matplotlib_one_line_says_what_to_do(lecture_file: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.figure'] = None\n"
        f"import fastml; fit = fastml.fit({str(lecture_file)!r}, 'bsmmatxx', 'idschool')\n"
        "from fastml import plots\n"
        "try: plots.qq(fit)\n"
        "except fastml.FastmlError as error: print(error)\n"
        "page = fit.report_html()\n"
        "assert '<svg' not in page and 'pip install matplotlib' in page\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "pictures need matplotlib: pip install matplotlib\n"


def test_long_names_stay_apart() -> None:
    stem = "Gesamtschule am Stadtpark für Mädchen und Jungen, Außenstelle"
    assert canvas.apart([f"{stem} {k} " for k in "AB"], 18) == ["Gesamtsc…nstelle A", "Gesamtsc…nstelle B"]
    middle = [f"Comprehensive school {k} of the city of long names" for k in ("one", "two")]
    assert canvas.apart([*middle, "x$"], 18) == ["…one of t…ng names", "…two of t…ng names", r"x\$"]
    assert canvas.apart(["same"] * 2, 18) == ["same", "same"]
    assert canvas.apart(["School 1", "School 1 "], 18) == ["School 1", "School 1␣"]


@pytest.mark.parametrize("count", [2, 3])
def test_few_schools_stand_together_in_the_middle_under_level_names(count: int) -> None:
    data = {
        "s": [k for k in range(count) for _ in range(4)],
        "y": [float(k * k + j) for k in range(count) for j in range(4)],
    }
    ax = plots.caterpillar(fastml.fit(data, "y", "s"))
    low, high = ax.get_xlim()
    assert low + high == pytest.approx(count - 1)
    assert high - low == pytest.approx(5.0)
    assert {label.get_rotation() for label in ax.get_xticklabels()} == {0.0}
    assert_whole(ax)
