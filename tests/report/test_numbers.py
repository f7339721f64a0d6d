"""Numbers as text: what is printed can be read back, and says neither more nor less than it should."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastml.report.numbers import (
    cell,
    complement,
    degrees,
    icc_text,
    number,
    number_range,
    p_value,
    percent,
    points,
    share,
    share_range,
    whole_ids,
)

shares = st.floats(1e-9, 1.0 - 1e-12)  # 15 decimals are the most that are printed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_to_its_digits(value: float) -> None:
    read = float(number(value).replace(",", ""))
    assert math.isclose(read, value, rel_tol=5e-6, abs_tol=5.1e-4 if abs(value) >= 0.1 else 0.0)


@given(shares)
def test_a_share_is_never_rounded_to_nothing_or_all(value: float) -> None:
    assert 0.0 < float(share(value)) < 1.0
    assert 0.0 < float(percent(value).removesuffix(" %")) < 100.0
    assert math.isclose(float(share(value)), value, rel_tol=0.051)


@given(shares)
def test_a_share_and_its_complement_add_to_a_hundred(value: float) -> None:
    one, other = (float(text.removesuffix(" %")) for text in (percent(value), complement(value)))
    assert math.isclose(one + other, 100.0, rel_tol=1e-12)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_limits_of_a_share_are_told_apart(one: float, other: float) -> None:
    low, high = sorted((one, other))
    texts = share_range(low, high).split(" to ")
    assert (texts[0] != texts[1]) or high - low < 1e-13


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_both_limits_have_the_same_digits(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for text in (share_range(low, high), number_range(1e3 * low, 1e3 * high)):
        if "e" not in text:
            assert len({len(limit.partition(".")[2]) for limit in text.split(" to ")}) == 1
    if low < high:
        first, last = share_range(low, high).split(" to ")
        assert float(first.strip("<>")) <= float(last.strip("<>"))
        assert (first[0] == "<" or float(first.strip(">")) > 0.0) == (low > 0.0)


def test_limits_that_do_not_exist() -> None:
    assert (share_range(math.nan, math.nan), number_range(math.nan, 1.0)) == ("-", "-")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5114, "0.511"), (0.0433, "0.043"), (0.0004, "0.00040"), (0.99996, "0.99996"), (0.0, "0.000"), (1.0, "1.000")],
)
def test_an_icc_has_three_decimals_or_as_many_as_it_needs(value: float, text: str) -> None:
    assert icc_text(value) == text


def test_what_does_not_exist() -> None:
    assert (number(None), share(None), percent(None), p_value(None), cell("icc", None)) == ("-",) * 5
    assert points({"tau00": 1.0, "sigma2": 1.0}, None) == "-"
    assert degrees(None) == "inf"


@pytest.mark.parametrize(("value", "text"), [(19.0, "19"), (12_345.0001, "12,345"), (19.25, "19.25"), (0.5, "0.50")])
def test_degrees_of_freedom(value: float, text: str) -> None:
    assert degrees(value) == text


def test_cells_by_the_name_of_their_column() -> None:
    assert [cell(name, 0.00123) for name in ("icc", "tau00")] == ["0.001", "0.00123"]
    assert (cell("status", "ok"), cell("n_obs", 12)) == ("ok", "12")
    assert whole_ids({"a": 1.0, "b": 1.5, "c": 2.0}, ["a", "b"]) == {"a": 1, "b": 1.5, "c": 2.0}
