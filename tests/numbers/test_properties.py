"""Laws that hold for any rows: however they come, whatever labels them, the answer is the same, and it is the best.

The samples are hypothesis's; ``--hypothesis-profile long`` tries many more.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import conftest
import dense
import mpmath as mp
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import examples
from hypothesis import assume, event, given, note
from hypothesis import strategies as st

import fastml
from fastml.errors import ModelError
from fastml.reduce import workers

# Scores are drawn that look like an item's, with a code of missing answers.
pytestmark = pytest.mark.filterwarnings("ignore:column .* apart from all its other values")

Rows = list[tuple[int | None, float | None]]
GROUPS = 8

# Rising functions of a group's number, so that the groups are in the same order whatever their labels.
LABELS: dict[str, tuple[Callable[[int], Any], pa.DataType]] = {
    "int8": (lambda g: g - 3, pa.int8()),
    "int64": (lambda g: g, pa.int64()),
    "int64 far apart": (lambda g: (g - 4) * 2**60 + 1, pa.int64()),
    "uint64": (lambda g: 2**63 + g, pa.uint64()),
    "float": (lambda g: float(g), pa.float64()),
    "float64": (lambda g: g * 7.0 - 5.0, pa.float64()),
    "float32": (lambda g: g * 2.0, pa.float32()),
    "short strings": (lambda g: f"s{g}", pa.string()),
    "short and long strings": (lambda g: "ä" * (11 * g + 1), pa.large_string()),
    "string views": (lambda g: f"school number {g}", pa.string_view()),
    "categories": (lambda g: f"s{g}", pa.dictionary(pa.int8(), pa.string())),
    "categories of integers": (lambda g: g * 1000, pa.dictionary(pa.int32(), pa.int64())),
    "bytes": (lambda g: bytes([g, 255]), pa.binary()),
    "fixed bytes": (lambda g: bytes([g, 0, 255]), pa.binary(3)),
    "dates": (lambda g: dt.date(2000, 1, 1 + g), pa.date32()),
    "timestamps": (lambda g: dt.datetime(2000, 1, 1 + g), pa.timestamp("us")),
    "decimals": (lambda g: Decimal(g), pa.decimal128(9, 1)),
}


@st.composite
def samples(draw: st.DrawFn, most: int = 60, missing: bool = True, runs: bool = True) -> Rows:
    """Rows of (group, score), some of either missing, with or without an order; hypothesis draws what they are like."""
    size = draw(st.sampled_from((0, 1, 2, 3, 5, 8, most // 3, most // 2, most - 1, most, most)))
    n_groups = draw(st.sampled_from((1, 2, 3, 3, 5, GROUPS)))
    spread = draw(st.sampled_from((0.0, 0.3, 1.0, 30.0, 1e6)))
    decimals = draw(st.sampled_from((0, 1, 3, 12)))
    offset = draw(st.sampled_from((0.0, 0.0, 500.0, -1e6, 1e9)))
    share = draw(st.sampled_from((0.0, 0.1, 0.6))) if missing else 0.0
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    label = rng.integers(0, n_groups, size)
    score = np.round(rng.normal(size=size) + spread * rng.normal(size=n_groups)[label], decimals) + offset
    rows: Rows = [
        (None if a < share else int(g), None if b < share else math.nan if b < 1.5 * share else float(y))
        for g, y, a, b in zip(label, score, rng.random(size), rng.random(size), strict=True)
    ]
    if draw(st.booleans()):
        rows.sort(key=lambda r: -1 if r[0] is None else r[0])
    if runs and draw(st.booleans()):
        rows = [row for row in rows for _ in range(9)][: 3 * most]  # long enough runs to be taken as such
    return rows


def arrow(rows: Rows, kind: str = "int64") -> pa.Table:
    label, dtype = LABELS[kind]
    labels = pa.array(
        [None if g is None else label(g) for g, _ in rows], dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    )
    if pa.types.is_dictionary(dtype):
        labels = labels.dictionary_encode().cast(dtype)
    return pa.table({"y": pa.array([y for _, y in rows], pa.float64()), "id": labels})


def answer(data: Any, **options: Any) -> dict[str, Any] | str:
    """All figures of the fit, or why there are none."""
    return figures_of(data, "id", **options)


def figures_of(data: Any, group: Any, **options: Any) -> dict[str, Any] | str:
    """As `answer`, by any columns of groups; not what the fit says it was made of."""
    try:
        made = fastml.fit(data, "y", group, **options).to_dict()
    except ModelError as error:
        return str(error)
    return {name: value for name, value in made.items() if name not in ("group", "provenance")}


def cut(table: pa.Table, at: list[int]) -> pa.Table:
    """The same rows in chunks, each a slice at an offset of its own in a longer array."""
    edges = [0, *sorted(k % (len(table) + 1) for k in at), len(table)]
    chunks = []
    for i, (a, b) in enumerate(pairwise(edges)):
        part = table.slice(a, b - a)
        padding = table.slice(0, min(i, len(table)))
        joined = pa.concat_tables([padding, part]).combine_chunks()
        chunks.append(joined.slice(len(padding)))
    return pa.concat_tables(chunks)


def close(one: dict[str, Any] | str, other: dict[str, Any] | str) -> bool:
    """Equal to rounding. Where the deviance is flat its minimum is found less well than its value."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    whole = one["tau00"] + one["sigma2"]
    return (
        (one["n_obs"], one["n_groups"], one["dropped"]) == (other["n_obs"], other["n_groups"], other["dropped"])
        and math.isclose(one["deviance"], other["deviance"], rel_tol=1e-11, abs_tol=1e-9)
        and abs(one["gamma00"] - other["gamma00"]) <= 1e-7 * math.sqrt(whole) + 1e-15 * abs(one["gamma00"])
        and math.isclose(one["sigma2"], other["sigma2"], rel_tol=1e-7)
        and abs(one["tau00"] - other["tau00"]) <= 1e-6 * whole
    )


def unique_optimum(made: Any) -> bool:
    deviances = sorted(made.optimum.deviances)
    return len(deviances) < 2 or deviances[1] - deviances[0] > 1e-6


def groups_of(rows: Rows) -> dict[int, list[Fraction]]:
    held: dict[int, list[Fraction]] = {}
    for g, y in rows:
        if g is not None and y is not None and not math.isnan(y):
            held.setdefault(g, []).append(Fraction(y))
    return held


TILES = st.sampled_from((workers.TILE_ROWS, 64, 7))
CUTS = st.lists(st.integers(0, 200), max_size=6)


@given(rows=samples(), tile=TILES, at=CUTS, threads=st.sampled_from((1, 2, 5)), kind=st.sampled_from(sorted(LABELS)))
@examples(120)
def test_any_cut_and_any_number_of_threads_give_the_same_bits(
    rows: Rows, tile: int, at: list[int], threads: int, kind: str
) -> None:
    table = arrow(rows, kind)
    with patch.object(workers, "TILE_ROWS", tile):
        whole = answer(table, threads=1)
        event("a fit" if isinstance(whole, dict) else whole[:30])
        pieces = cut(table, at)
        note(str(pieces["y"].num_chunks))
        assert answer(pieces, threads=threads) == whole
        assert answer(pieces.to_reader(max_chunksize=3), threads=threads) == whole


@given(rows=samples(), kind=st.sampled_from(sorted(LABELS)))
@examples(150)
def test_any_key_type_gives_the_same_bits(rows: Rows, kind: str) -> None:
    assert answer(arrow(rows, kind)) == answer(arrow(rows))


@given(rows=samples())
@examples(60)
def test_two_key_columns_are_as_good_as_one(rows: Rows) -> None:
    table = arrow(rows)
    split = pa.table({
        "y": table["y"],
        "a": pa.array([None if g is None else g // 3 for g, _ in rows], pa.int64()),
        "b": pa.array([None if g is None else f"class {g % 3}" for g, _ in rows], pa.string()),
    })  # fmt: skip
    assert figures_of(split, ["a", "b"]) == answer(table)


@given(rows=samples(), kind=st.sampled_from(("int64", "float", "short strings", "categories")))
@examples(60)
def test_any_carrier_gives_the_same_bits(rows: Rows, kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = arrow(rows, kind)
    folder = tmp_path_factory.mktemp("rows")
    pq.write_table(table, folder / "t.parquet", row_group_size=5)
    whole = answer(table)
    assert answer(folder / "t.parquet") == whole
    assert answer(pl.from_arrow(table)) == whole
    if not isinstance(whole, str):
        # pandas makes NaN of null, and may make objects of columns without a value.
        assert answer(table.to_pandas()) == whole
        assert (
            answer({name: table.to_pandas()[name].to_numpy() for name in ("y", "id")} if kind == "int64" else table)
            == whole
        )


@given(rows=samples(), order=st.randoms(use_true_random=False))
@examples(120)
def test_order_changes_rounding_only(rows: Rows, order: Any) -> None:
    table = arrow(rows)
    whole = answer(table)
    if isinstance(whole, dict):
        assume(unique_optimum(fastml.fit(table, "y", "id")))
    shuffled = list(rows)
    order.shuffle(shuffled)
    assert close(whole, answer(arrow(shuffled)))


@given(rows=samples())
@examples(100)
def test_missing_rows_are_as_good_as_absent(rows: Rows) -> None:
    there = [(g, y) for g, y in rows if g is not None and y is not None and not math.isnan(y)]
    with_missing, without = answer(arrow(rows)), answer(arrow(there))
    if isinstance(with_missing, dict) and isinstance(without, dict):
        assert sum(with_missing.pop("dropped").values()) == with_missing.pop("n_dropped") == len(rows) - len(there)
        assert sum(without.pop("dropped").values()) == without.pop("n_dropped") == 0
        assert with_missing["n_obs"] == without["n_obs"]
        # Runs are found among all rows, so sums may be taken in another order.
        assert with_missing["gamma00"] == pytest.approx(without["gamma00"], rel=1e-9)
        assert with_missing["sigma2"] == pytest.approx(without["sigma2"], rel=1e-7)
    else:
        assert with_missing == without


@given(rows=samples(), nulls=st.lists(st.sampled_from((None, math.nan)), min_size=1))
@examples(60)
def test_null_is_as_good_as_nan(rows: Rows, nulls: list[float | None]) -> None:
    swapped: Rows = [(g, nulls[i % len(nulls)] if y is None or math.isnan(y) else y) for i, (g, y) in enumerate(rows)]
    assert answer(arrow(swapped)) == answer(arrow(rows))


@given(rows=samples())
@examples(150)
def test_statistics_are_those_of_fractions(rows: Rows) -> None:
    held = groups_of(rows)
    groups = fastml.group_stats(arrow(rows), "y", "id").groups()
    assert groups.labels["id"].to_pylist() == sorted(held)
    for k, g in enumerate(sorted(held)):
        scores = held[g]
        mean = sum(scores) / len(scores)
        ss = sum((y - mean) ** 2 for y in scores)
        assert groups.n[k] == len(scores)
        spread = max(abs(y - mean) for y in scores)
        got = Fraction(groups.mean[k]) + Fraction(groups.residual[k])
        assert abs(got - mean) <= Fraction(1, 10**14) * spread + Fraction(1, 10**25) * abs(mean)
        assert abs(Fraction(groups.ss[k]) - ss) <= Fraction(1, 10**13) * ss


PARTS = st.lists(st.integers(0, 3), min_size=1, max_size=60)


def parts_of(rows: Rows, part: list[int]) -> list[Any]:
    split: list[Rows] = [[] for _ in range(4)]
    for i, row in enumerate(rows):
        split[part[i % len(part)]].append(row)
    return [fastml.group_stats(arrow(rows), "y", "id") for rows in split]


def same(one: Any, other: Any) -> bool:
    """Equal statistics, to rounding."""
    n, mean, residual, ss = one.moments[0].T
    n2, mean2, residual2, ss2 = other.moments[0].T
    spread = np.sqrt(np.maximum(ss, ss2)) + 1e-14 * np.abs(mean)
    return bool(
        one.keys.equals(other.keys)
        and np.array_equal(one.counts, other.counts)
        and np.array_equal(n, n2)
        and np.all(np.abs((mean - mean2) + (residual - residual2)) <= 1e-14 * spread)
        and np.all(np.abs(ss - ss2) <= 1e-13 * np.maximum(ss, ss2))
    )


@given(rows=samples(), part=PARTS, order=st.permutations(range(4)))
@examples(100)
def test_merging_commutes_and_associates(rows: Rows, part: list[int], order: list[int]) -> None:
    a, b, c, d = parts_of(rows, part)
    whole = fastml.group_stats(arrow(rows), "y", "id")
    assert same(a + b, b + a)
    assert same((a + b) + (c + d), whole)
    assert same(((a + b) + c) + d, a + (b + (c + d)))
    assert same(sum([(a, b, c, d)[i] for i in order]), whole)


@given(rows=samples(), part=PARTS)
@examples(40)
def test_saved_statistics_are_the_same_bits(
    rows: Rows, part: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("stats") / "s.parquet"
    for stats in parts_of(rows, part)[:2]:
        stats.write(path)
        back = fastml.GroupStats.read(path)
        assert back.keys.equals(stats.keys)
        assert np.array_equal(back.counts, stats.counts)
        assert np.array_equal(back.moments, stats.moments)


@given(rows=samples(), part=PARTS)
@examples(60)
def test_a_part_is_as_good_as_a_filter_and_as_itself(rows: Rows, part: list[int]) -> None:
    by = [part[i % len(part)] for i in range(len(rows))]
    table = arrow(rows).append_column("part", pa.array(by, pa.int64()))
    if not rows:
        with pytest.raises(fastml.FastmlError, match="no rows to fit"):
            fastml.fit_by(table, "y", "id", by="part")
        return
    fitted = {row["part"]: row for row in fastml.fit_by(table, "y", "id", by="part").to_dict()}
    for k in sorted(set(by)):
        alone = answer(arrow([row for row, b in zip(rows, by, strict=True) if b == k]))
        assert answer(table, filter=f"part = {k}") == alone
        if isinstance(alone, str):
            # A table has the outcome in a column of its own.
            assert fitted[k]["message"] == alone.replace(": 'y' has no value in rows with a school", "")
        else:
            made = fastml.fit(table, "y", "id", filter=f"part = {k}")
            if unique_optimum(made):
                assert close(alone | {"dropped": 0}, fitted[k] | {"dropped": 0})


def profile(held: dict[int, list[Fraction]], thetas: np.ndarray, restricted: bool) -> np.ndarray:
    """Deviance at its best sigma2 and gamma00, from the formulas as they stand, a theta at a time."""
    n = np.array([len(scores) for scores in held.values()], float)
    origin = next(iter(held.values()))[0]
    means = np.array([float(sum(scores) / len(scores) - origin) for scores in held.values()])
    ssw = float(sum(sum((y - sum(s) / len(s)) ** 2 for y in s) for s in held.values()))
    free = n.sum() - restricted
    values = []
    for theta in thetas:
        w = n / (1 + n * theta)
        gamma = (w @ means) / w.sum()
        r = ssw + w @ (means - gamma) ** 2
        value = np.log1p(n * theta).sum() + free * (1 + math.log(2 * math.pi * r / free))
        values.append(value + (math.log(w.sum()) if restricted else 0.0))
    return np.array(values)


GRID = np.concatenate(([0.0], np.geomspace(1e-9, 1e9, 721)))


@given(rows=samples(), method=st.sampled_from(("reml", "ml")))
@examples(150)
def test_no_point_of_a_grid_is_better(rows: Rows, method: str) -> None:
    try:
        made = fastml.fit(arrow(rows), "y", "id", method=method)
    except ModelError:
        return
    values = profile(groups_of(rows), GRID, method == "reml")
    assert made.deviance <= values.min() + 1e-10 * (1 + abs(made.deviance))
    at_fit = profile(groups_of(rows), np.array([made.components.theta]), method == "reml")
    assert made.deviance == pytest.approx(at_fit[0], rel=1e-11, abs=1e-9)


@given(rows=samples(most=10, missing=False, runs=False), method=st.sampled_from(("reml", "ml")))
@examples(25)
def test_deviance_is_that_of_the_dense_covariance_matrix(rows: Rows, method: str) -> None:
    try:
        made = fastml.fit(arrow(rows), "y", "id", method=method)
    except ModelError:
        return
    with mp.workdps(dense.DIGITS):
        y, group = [y for _, y in rows], [g for g, _ in rows]
        slow = dense.deviance(y, group, mp.mpf(made.tau00), mp.mpf(made.sigma2), method == "reml")
    assert made.deviance == pytest.approx(float(slow), rel=1e-10, abs=1e-8)


@given(rows=samples(missing=False), power=st.integers(-40, 40), shift=st.integers(-1000, 1000))
@examples(60)
def test_units_of_the_score(rows: Rows, power: int, shift: int) -> None:
    unit = 2.0**power
    whole = answer(arrow(rows))
    scaled = answer(arrow([(g, None if y is None else y * unit) for g, y in rows]))
    if isinstance(whole, str) or isinstance(scaled, str):
        assert whole == scaled
        return
    # A power of two changes no digit.
    assert scaled["gamma00"] == whole["gamma00"] * unit
    assert scaled["sigma2"] == whole["sigma2"] * unit**2
    assert scaled["icc"] == whole["icc"]


@given(
    rows=samples(missing=False), power=st.integers(-60, 60), weight=st.lists(st.integers(1, 9), min_size=1, max_size=5)
)
@examples(60)
def test_units_of_the_weights(rows: Rows, power: int, weight: list[int]) -> None:
    table = arrow(rows)
    w = np.array([weight[i % len(weight)] for i in range(len(rows))], float)
    v = np.array([1.0 + (g or 0) for g, _ in rows])
    roles = {"weights": "w", "group_weights": "v"}

    def weighted(unit: float) -> Any:
        return answer(table.append_column("w", pa.array(unit * w * v)).append_column("v", pa.array(unit * v)), **roles)

    one, other = weighted(1.0), weighted(2.0**power)
    if isinstance(one, str):
        assert one == other
        return
    for name in ("gamma00", "tau00", "sigma2", "se_gamma00"):
        assert other[name] == pytest.approx(one[name], rel=1e-9, abs=1e-9 * one["sigma2"])
    # Weights of 1 are none.
    plain = answer(
        table.append_column("w", pa.array(np.ones(len(rows)))).append_column("v", pa.array(np.ones(len(rows)))), **roles
    )
    ml = answer(table, method="ml")
    assert plain["tau00"] == pytest.approx(ml["tau00"], rel=1e-7, abs=1e-7 * ml["sigma2"])
    assert plain["deviance"] == pytest.approx(ml["deviance"], rel=1e-11, abs=1e-9)


@given(rows=samples(missing=False))
@examples(60)
def test_reliabilities_and_shares_stay_between_0_and_1(rows: Rows) -> None:
    try:
        made = fastml.fit(arrow(rows), "y", "id")
    except ModelError:
        return
    assert 0.0 <= made.icc <= 1.0
    assert 0.0 <= made.reliability <= 1.0
    assert made.sigma2 > 0.0
    assert made.tau00 >= 0.0
    assert made.singular == (made.tau00 == 0.0)
    table = made.groups()
    assert table["n"].sum() == made.n_obs
    assert pd.notna(table[["mean", "eb_mean", "eb_se"]]).all(axis=None)
    assert ((table["reliability"] >= 0) & (table["reliability"] <= 1)).all()
    low, high = made.ci("icc")
    assert 0.0 <= low <= high <= 1.0


def test_profiles() -> None:
    # The long profile tries so many times the examples of the short one.
    from hypothesis import settings

    assert settings.get_profile("long").max_examples == 30 * settings.get_profile("ci").max_examples
    assert Path(conftest.__file__).read_text().count("register_profile") == 2
