"""The addition of records, raw and finished, against fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from records import add_rows, check

from fastml.kernels.sums import moments as kernel
from fastml.kernels.sums.moments import finish
from fastml.kernels.sums.record import N_FIELDS, N_WEIGHTED


@pytest.mark.parametrize("cuts", [(), (1,), (300,), (10, 11, 12, 400)])
def test_parts_fold_to_the_whole(cuts: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    y, codes = rng.normal(1e6, 1.0, 600), rng.integers(0, 4, 600).astype(np.int32)
    into, missing = np.zeros((6, 4)), np.zeros(6)
    places = np.array([5, 0, 3, 2], np.int32)
    for first, last in zip((0, *cuts), (*cuts, 600), strict=True):
        part = np.zeros((4, 4))
        add_rows(codes[first:last].astype(np.int64), 0, y[first:last], part, np.zeros(4))
        finish(part)
        kernel.fold(into, places, part)
    check(into, missing, places[codes].tolist(), y.tolist())


@pytest.mark.parametrize("gap", [0.0, 1e-3, 1.0, 30.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("cuts", [(1,), (300,), (599,), (10, 11, 12, 400)])
def test_raw_parts_fold_to_the_whole_however_far_apart(cuts: tuple[int, ...], gap: float) -> None:
    rng = np.random.default_rng(8)
    y, codes = rng.normal(500.0, 1.0, 600), rng.integers(0, 4, 600).astype(np.int32)
    edges = (0, *cuts, 600)
    for k, (first, last) in enumerate(pairwise(edges)):
        y[first:last] += gap * k
    into, missing = np.zeros((6, 4)), np.zeros(6)
    places = np.array([5, 0, 3, 2], np.int32)
    for first, last in pairwise(edges):
        part = np.zeros((4, 4))
        add_rows(codes[first:last].astype(np.int64), 0, y[first:last], part, np.zeros(4))
        assert kernel.fold_raw(into[:, None], places, part[None], 0) == 4
    finish(into)
    check(into, missing, places[codes].tolist(), y.tolist())


def test_folding_stops_at_a_record_without_a_code() -> None:
    part = np.array([[2.0, 5.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 4.0, 0.0, 0.0], [1.0, 9.0, 0.0, 0.0]])
    none = np.zeros((4, 4))
    for parts in (part[None], np.stack([part, none]), np.stack([none, part])):
        i = int(parts[0, 0, 0] == 0.0)  # the outcome that has observations
        into = np.zeros((2, len(parts), 4))
        assert kernel.fold_raw(into, np.array([1, -1, -1, 0], np.int32), parts, 0) == 2
        assert into[:, i].tolist() == [[0.0] * 4, part[0].tolist()]
        assert kernel.fold_raw(into, np.array([1, -1, 0, 0], np.int32), parts, 2) == 4
        assert not np.delete(into, i, axis=1).any()
        found = into[:, i].copy()
        finish(found)
        assert found[0].tolist() == [2.0, 6.5, 0.0, 12.5]


@pytest.mark.parametrize("fields", [N_FIELDS, N_WEIGHTED])
@pytest.mark.parametrize("p", [1, 3, 5])
def test_outcomes_fold_as_each_alone(p: int, fields: int) -> None:
    rng = np.random.default_rng(10 * p + fields)
    parts = np.abs(rng.normal(50.0, 9.0, (2, p, 40, fields)))
    parts[..., 3] += parts[..., 2] ** 2
    parts[:, :, ::7, 0] = 0.0
    parts[0, p - 1, 5, 1] = 1e6  # far from the other part: `_sum_apart`
    codes = rng.permutation(60).astype(np.int32)  # longer than the part: of what later tiles brought
    into = np.zeros((60, p, fields))
    for part in parts:
        assert kernel.fold_raw(into, codes, part, 0) == 40
    for i in range(p):
        alone = np.zeros((60, 1, fields))
        for part in parts:
            kernel.fold_raw(alone, codes, part[i : i + 1].copy(), 0)
        assert alone[:, 0].tobytes() == into[:, i].tobytes()
    assert np.count_nonzero(into[:, 0, 0]) == 34


@pytest.mark.parametrize("fields", [N_FIELDS, N_WEIGHTED])
def test_records_are_finished_each_alone(fields: int) -> None:
    rng = np.random.default_rng(fields)
    raw = np.abs(rng.normal(50.0, 9.0, (100, fields)))
    raw[:, 3] += raw[:, 2] ** 2
    raw[7, :2] = 0.0, math.nan
    raw[8, :4] = 3.0, 5.0, 6.0, 12.0 - 1e-15  # less than total^2/n by rounding
    raw[9, 2], raw[10, 3], raw[11, 1], raw[12, 3] = math.inf, math.nan, -math.inf, math.inf
    found = raw.copy()
    finish(found)
    for record, one in zip(raw, found, strict=True):
        alone = record[None].copy()
        finish(alone)
        assert alone[0].tobytes() == one.tobytes()
        n, shift, total, squares = map(Fraction, record[:4].tolist()) if np.isfinite(record).all() else (0, 0, 0, 0)
        if n:
            assert abs(Fraction(one[1]) + Fraction(one[2]) - shift - total / n) <= Fraction(one[1]) / 2**100
            assert one[3] == pytest.approx(float(max(squares - total * total / n, 0)), rel=1e-12)
    assert np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist() == [9, 10, 11, 12]
    assert found[7, :4].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert found[8, :4].tolist() == [3.0, 7.0, 0.0, 0.0]
    assert found[:, 4:].tobytes() == raw[:, 4:].tobytes()
